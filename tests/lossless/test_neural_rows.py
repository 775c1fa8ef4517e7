"""Rows of tokens by a transformer: they take its loss, and are decoded from the tokens that were given."""

import numpy as np
import pytest

from twopart.learners import Transformer, TransformerConfig, evaluate
from twopart.learners.knowledge.reading import SymbolStream
from twopart.lossless.neural.rows import decode_rows, encode_rows
from twopart.worlds import Biographies, Excerpt
from twopart.worlds.knowledge.renderings import SymbolRendering


def test_a_transformers_code_takes_its_loss():
    """Against the losses that training measures."""
    corpus = Excerpt(Biographies(values=16, templates=4).world(0.6, 5), 100).sample(5000)
    rendering = SymbolRendering(corpus.world)
    model = Transformer(TransformerConfig(rendering.vocabulary, rendering.length, 1, 4, 1), seed=3)
    tokens, given = rendering.encode(corpus).tokens.astype(np.int64), rendering.name_tokens
    code = encode_rows(model, tokens, given)
    bits = evaluate(model, SymbolStream(corpus, names=False))
    assert 8 * len(code) == pytest.approx(float((bits.syntax + bits.value).sum()), rel=1e-3)
    names = np.where(np.arange(tokens.shape[1]) < given, tokens, 0)
    assert np.array_equal(decode_rows(model, names, given, code), tokens)
