"""Tokens put together from pieces against the tokenizer itself, and their roles against the tokens' offsets."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from tests.worlds.knowledge.rendered_worlds import widest
from twopart._checks import InputError
from twopart.roles import Role
from twopart.worlds import SyntaxKnowledge, encode_english, render, token_roles, train_tokenizer

CORPUS = widest(300, discount=0.7).sample(1000)
TEXTS = render(CORPUS, "english").texts


def single_digits(texts: list[str], vocabulary: int) -> Tokenizer:
    """As newer models do: every digit a token of its own."""
    tokenizer = train_tokenizer(texts, vocabulary)
    cuts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(cuts)
    return tokenizer


VOCABULARIES = [256, 300, 1000, 2000]


@pytest.mark.parametrize("make", [train_tokenizer, single_digits])
@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_tokens_and_roles_are_those_of_the_tokenizer(
    make: Callable[[list[str], int], Tokenizer], vocabulary: int, size: Callable[[Any, Any], Any]
) -> None:
    """Usually each vocabulary has a fourth of the sentences, and all of them have their turn."""
    tokenizer = make(TEXTS, vocabulary)
    assert tokenizer.get_vocab_size() == vocabulary
    other = widest(300, discount=0.7, names=2**24, seed=1).sample(500)
    part = slice(size(VOCABULARIES.index(vocabulary), 0), None, size(len(VOCABULARIES), 1))
    for corpus in (CORPUS[part], other[part]):
        text = render(corpus, "english")
        tokens, roles = encode_english(corpus, tokenizer)
        encodings = tokenizer.encode_batch(text.texts)
        assert tokens.shape == roles.shape == (len(corpus), max(map(len, encodings)))
        for i, encoding in enumerate(encodings):
            end = len(encoding)
            expected, straddling = token_roles(text.texts[i], encoding.offsets, text.spans[i])
            assert tokens[i, :end].tolist() == encoding.ids
            np.testing.assert_array_equal(roles[i, :end], expected)
            assert not straddling.any()
            assert (roles[i, end:] == Role.PADDING).all()
            assert (tokens[i, end:] == 0).all()


def test_text_comes_back_from_its_tokens() -> None:
    tokenizer = train_tokenizer(TEXTS, 1000)
    tokens, roles = encode_english(CORPUS, tokenizer)
    scored = [row[used != Role.PADDING].tolist() for row, used in zip(tokens, roles, strict=True)]
    assert tokenizer.decode_batch(scored) == TEXTS


def test_training_is_deterministic() -> None:
    assert train_tokenizer(TEXTS, 700).to_str() == train_tokenizer(iter(TEXTS), 700).to_str()


def test_few_texts_leave_the_vocabulary_short() -> None:
    assert 256 <= train_tokenizer(["a b"], 700).get_vocab_size() < 300
    assert train_tokenizer([], 256).get_vocab_size() == 256
    with pytest.raises(InputError, match=r"`vocabulary` must be a whole number in \[256, "):
        train_tokenizer(TEXTS, 255)


def test_an_empty_corpus_has_no_tokens() -> None:
    tokens, roles = encode_english(SyntaxKnowledge().sample(0), train_tokenizer(TEXTS, 300))
    assert tokens.shape == roles.shape == (0, 0)


def across_words() -> Tokenizer:
    """Merges over spaces, as no cut is made before them."""
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=1000, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def with_a_prefix_space() -> Tokenizer:
    tokenizer = train_tokenizer(TEXTS, 1000)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


@pytest.mark.parametrize("tokenizer", [across_words(), with_a_prefix_space()], ids=["across words", "prefix space"])
def test_tokenizers_that_do_not_cut_at_the_pieces_are_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="`tokenizer` must cut text before spaces"):
        encode_english(CORPUS, tokenizer)


def test_what_a_tokenizer_adds_around_a_text_is_left_out() -> None:
    """Special tokens are the learner's business: sentences come without them."""
    plain = train_tokenizer(TEXTS, 500)
    dressed = Tokenizer.from_str(plain.to_str())
    dressed.add_special_tokens(["<s>"])
    dressed.post_processor = processors.TemplateProcessing(
        "<s> $A", special_tokens=[("<s>", dressed.token_to_id("<s>"))]
    )
    dressed.normalizer = normalizers.NFC()
    for ours, theirs in zip(encode_english(CORPUS, plain), encode_english(CORPUS, dressed), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_token_roles_by_hand() -> None:
    text = "The Ann Lee is at 5 A."
    span = [4, 11, 18, 21]
    offsets = [(0, 3), (3, 7), (7, 8), (8, 11), (11, 14), (14, 17), (17, 18), (18, 20), (20, 22)]
    roles, straddling = token_roles(text, offsets, span)
    S, N, V = Role.SYNTAX, Role.NAME, Role.VALUE
    np.testing.assert_array_equal(roles, [S, N, N, N, S, S, V, V, V])
    np.testing.assert_array_equal(straddling, [False] * 8 + [True])
    whole, straddles = token_roles(text, [(0, 0), (0, 22), (22, 22)], span)
    assert (whole.tolist(), straddles.tolist()) == ([Role.PADDING, S, Role.PADDING], [False, True, False])


def test_roles_split_as_the_corpus_does() -> None:
    """Name and value tokens decode to exactly the name and the value."""
    tokenizer = train_tokenizer(TEXTS, 1000)
    tokens, roles = encode_english(CORPUS, tokenizer)
    text = render(CORPUS, "english")
    for i, (sentence, span) in enumerate(zip(text.texts, text.spans.tolist(), strict=True)):
        for role, start, end in ((Role.NAME, span[0], span[1]), (Role.VALUE, span[2], span[3])):
            assert tokenizer.decode(tokens[i, roles[i] == role].tolist()).strip() == sentence[start:end]
