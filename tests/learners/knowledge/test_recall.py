"""Asking a model for facts, against the code lengths that `evaluate` gives for the same sentences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners import (
    SymbolStream,
    TrainingConfig,
    Transformer,
    TransformerConfig,
    evaluate,
    recall,
    train,
)
from twopart.learners.knowledge import Recall
from twopart.roles import Role
from twopart.worlds import Attribute, Corpus, SyntaxKnowledge

SKEWED = (0.5, 0.25, 0.125, 0.125)
WORLD = SyntaxKnowledge(0.5, 1.0, (Attribute("plain", 16, 3), Attribute("skewed", 4, 2, SKEWED)), names=2**16, seed=4)


def model_for(world: SyntaxKnowledge) -> Transformer:
    stream = SymbolStream(world.sample(2))
    model = Transformer(TransformerConfig(stream.vocabulary, stream.context, layers=1, width=16, heads=2), seed=1)
    with torch.no_grad():
        model.embedding.mul_(40)  # an opinionated model
    return model


def test_probabilities_are_those_of_the_sentences() -> None:
    """p(value | prompt) among values = 2^-bits of the value, renormalised over what may stand there."""
    model = model_for(WORLD)
    corpus = WORLD.sample(200)
    asked = recall(model, WORLD, corpus.entity, corpus.attribute, corpus.template)
    odds = np.zeros((200, 16))
    for value in range(16):
        allowed = (corpus.attribute == 0) | (value < 4)
        told = Corpus(
            WORLD,
            corpus.entity,
            corpus.attribute,
            corpus.template,
            np.where(allowed, value, 0).astype(np.int32),
            corpus.probability,
        )
        odds[:, value] = np.where(allowed, 2.0 ** -evaluate(model, SymbolStream(told)).value, 0.0)
    np.testing.assert_allclose(asked.probability, odds / odds.sum(1, keepdims=True), rtol=2e-4, atol=1e-9)
    np.testing.assert_array_equal(asked.truth, corpus.value)
    np.testing.assert_array_equal(asked.answer, odds.argmax(1))
    base = np.where(corpus.attribute == 0, 1 / 16, np.array(SKEWED)[np.minimum(corpus.value, 3)])
    np.testing.assert_allclose(asked.gained_bits, np.log2(asked.correct / base))
    assert np.all(asked.stored_bits >= 0)
    assert np.array_equal(asked.right, asked.answer == corpus.value)


def test_chance_is_what_wrong_values_would_score() -> None:
    """Against a loop over facts, each wrong value in the true one's place."""
    corpus, base = WORLD.sample(30), (np.full(16, 1 / 16), np.array(SKEWED))
    asked = recall(model_for(WORLD), WORLD, corpus.entity, corpus.attribute)
    for i, (attribute, truth) in enumerate(zip(corpus.attribute, corpus.value, strict=True)):
        score = np.maximum(np.log2(asked.probability[i, : len(base[attribute])] / base[attribute]), 0)
        assert asked.chance_bits[i] == pytest.approx(np.delete(score, truth).mean())


def test_what_was_told_often_is_recalled() -> None:
    world = SyntaxKnowledge(attributes=(Attribute("a", 16, 2),), population=8, names=2**16, seed=2)
    stream = SymbolStream(world.sample(6000), names=False)
    config = TrainingConfig(batch=32, learning_rate=1e-2)
    shape = TransformerConfig(stream.vocabulary, stream.context, layers=1, width=16, heads=1)
    model = train(config, shape, stream).model
    asked = recall(model, world, np.arange(8), np.zeros(8, np.int16))
    assert asked.right.all()
    assert asked.stored_bits.min() > 3


def test_names_are_read_but_not_scored() -> None:
    corpus = WORLD.sample(50)
    batch = SymbolStream(corpus, names=False).batch(0, 50)
    assert not np.any(batch.roles == Role.NAME)
    model = model_for(WORLD)
    with_names, without = evaluate(model, SymbolStream(corpus)), evaluate(model, SymbolStream(corpus, names=False))
    assert np.all(without.name == 0)
    assert np.all(with_names.name > 0)
    np.testing.assert_allclose(with_names.value, without.value, rtol=1e-5, atol=1e-5)


def test_bad_questions() -> None:
    model = model_for(WORLD)
    other = SyntaxKnowledge(names=2**20)
    with pytest.raises(InputError, match="vocabulary"):
        recall(model, other, [1], [0])
    long = SyntaxKnowledge(attributes=(Attribute("many", 5000, 1),))
    with pytest.raises(InputError, match="4096"):
        recall(model, long, [1], [0])
    assert recall(model, WORLD, np.zeros(0, np.int64), np.zeros(0, np.int16)).probability.shape == (0, 16)


def test_drawn_answers_follow_their_shares_and_have_a_place() -> None:
    base = (0.2, 0.3, 0.5)
    world = SyntaxKnowledge(0.5, 1.0, (Attribute("city", 3, 1, base=base),), names=2**16)
    asked, shares = np.zeros(20_000, np.int16), np.array([0.5, 0.3, 0.2])
    said = Recall(world, asked, asked.astype(np.int32), np.repeat(shares[None], len(asked), axis=0))
    counts = np.bincount(said.drawn(np.random.default_rng(0)), minlength=3) / len(asked)
    assert np.all(np.abs(counts - shares) < 5 * np.sqrt(shares * (1 - shares) / len(asked)))
    assert set(said.place(said.answer)) == {2}, "value 0 is the least probable by the base distribution"
