"""Real text as a learner reads it: byte pairs that cover any bytes and respect words, and what each costs a model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twopart.learners import (
    ArrayStream,
    Transformer,
    TransformerConfig,
    evaluate,
    in_rows,
    learn_pairs,
    shuffled_between,
    token_bits,
)

WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") | set(range(128, 256))


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.sampled_from([256, 280]))
def test_tokens_cover_any_bytes_and_respect_words(documents, vocabulary):
    text = b"the cat, the dog; the cat_2 \xc3\xa9t\xc3\xa9 " * 20
    pairs = learn_pairs(text, vocabulary)
    documents = (text[:100], *documents)
    encoded = pairs.encode(documents)
    whole = b"".join(documents)
    assert encoded.ends[-1] == len(whole)
    starts = np.append(0, encoded.ends[:-1])
    assert (encoded.ends > starts).all()
    pieces = [whole[a:b] for a, b in zip(starts, encoded.ends, strict=True)]
    assert all(len({one in WORD_BYTES for one in piece}) == 1 for piece in pieces), "in a word or in none"
    assert {int(end) for end in np.cumsum([len(d) for d in documents]) if end} <= set(encoded.ends.tolist())
    decoded = [pairs.tokenizer.id_to_token(int(token)).encode("latin-1") for token in encoded.tokens]
    assert decoded == pieces


def test_tokens_cost_what_evaluation_says():
    vocabulary, context = 20, 8
    model = Transformer(TransformerConfig(vocabulary + 1, context, 1, 8, 1), seed=1)
    tokens = np.random.default_rng(2).integers(vocabulary, size=1000)
    bits = token_bits(model, tokens)
    stream = ArrayStream(in_rows(tokens, context, bos=vocabulary), np.ones(context + 1, np.uint8))
    assert bits.reshape(-1, context).sum(1) == pytest.approx(evaluate(model, stream).total, rel=1e-5)
    assert len(token_bits(model, tokens[:13])) == 13


def test_rows_stay_in_their_stretch():
    order = shuffled_between((30, 100), seed=4)
    assert sorted(order[:30]) == list(range(30))
    assert sorted(order) == list(range(100))
    assert order.tolist() != sorted(order)
    assert shuffled_between((30,), seed=4).tolist() == order[:30].tolist(), "a shorter run is a beginning"
