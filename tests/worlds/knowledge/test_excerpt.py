"""Excerpts against the measure they are taken from, and tempered samples against natural ones."""

from __future__ import annotations

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds import Excerpt, SyntaxKnowledge

SIGMAS = 5.0  # two-sided one in a million is 4.9


def worlds() -> list[SyntaxKnowledge]:
    return [SyntaxKnowledge(d, theta, names=2**24, seed=5) for d, theta in ((0.3, 1.0), (0.5, 20.0), (0.75, 1.0))]


@pytest.mark.parametrize("world", worlds(), ids=lambda w: f"d={w.discount}")
def test_nothing_more_frequent_is_left_out(world: SyntaxKnowledge) -> None:
    excerpt = Excerpt(world, 100)
    assert len(set(excerpt.entity.tolist())) == 100
    assert np.all(np.diff(excerpt.weights) <= 0)
    assert excerpt.weights.sum() == pytest.approx(1)
    ids, p = world.measure.draw_with_probability(200_000, 7)
    first = np.unique(ids, return_index=True)[1]
    known = dict(zip(excerpt.entity.tolist(), excerpt.weights.tolist(), strict=True))
    scale = None
    for entity, probability in zip(ids[first].tolist(), p[first].tolist(), strict=True):
        if entity in known:
            scale = scale or probability / known[entity]
            assert probability / known[entity] == pytest.approx(scale)
    assert scale is not None
    assert scale < 1
    left_out = [q for e, q in zip(ids[first].tolist(), p[first].tolist(), strict=True) if e not in known]
    assert max(left_out) <= excerpt.weights[-1] * scale


@pytest.mark.parametrize("temper", [0.0, 0.5, 1.0])
def test_a_tempered_mean_has_the_natural_expectation(temper: float) -> None:
    excerpt = Excerpt(SyntaxKnowledge(0.6, 1.0, names=2**24, seed=3), 50)
    corpus, weights = excerpt.tempered(100_000, temper)
    for rank in (0, 3, 20, 49):
        hit = np.where(corpus.entity == excerpt.entity[rank], weights, 0.0)
        error = hit.std() / np.sqrt(len(hit))
        assert abs(hit.mean() - excerpt.weights[rank]) < SIGMAS * error
    assert abs(weights.mean() - 1) <= SIGMAS * weights.std() / np.sqrt(len(weights)) + 1e-9


def test_sentences_are_those_of_the_world_and_any_shard_equals_its_part() -> None:
    world = SyntaxKnowledge(0.5, 1.0, names=2**24, seed=9)
    excerpt = Excerpt(world, 30)
    corpus = excerpt.sample(1000, stream=2)
    np.testing.assert_array_equal(corpus.value, world.value(corpus.entity, corpus.attribute))
    assert excerpt.sample(300, stream=2, start=500) == corpus[500:800]
    ranks = {e: i for i, e in enumerate(excerpt.entity.tolist())}
    np.testing.assert_array_equal(corpus.probability, excerpt.weights[[ranks[e] for e in corpus.entity.tolist()]])
    counts = np.bincount([ranks[e] for e in corpus.entity.tolist()], minlength=30)
    deviation = (counts - 1000 * excerpt.weights) / np.sqrt(1000 * excerpt.weights)
    assert np.abs(deviation[:5]).max() < SIGMAS


def test_laws_see_a_finite_world() -> None:
    excerpt = Excerpt(SyntaxKnowledge(0.5, 1.0, seed=1), 40)
    assert excerpt.entities.rest == 0
    assert excerpt.entities.mass_below(1.0) + excerpt.weights[0] * (excerpt.weights[0] == 1) == pytest.approx(1)
    assert excerpt.entities.atoms_above(excerpt.weights[9]) == 10


def test_what_no_float_tells_is_refused() -> None:
    with pytest.raises(InputError, match=r"`size` .* got 2000; take a smaller one"):
        Excerpt(SyntaxKnowledge(0.0, 1.0, seed=2), 2000).entity  # noqa: B018


def test_bad_input() -> None:
    with pytest.raises(InputError, match="size"):
        Excerpt(SyntaxKnowledge(), 0)
    with pytest.raises(InputError, match="population"):
        Excerpt(SyntaxKnowledge(population=10), 5)
    with pytest.raises(InputError, match="temper"):
        Excerpt(SyntaxKnowledge(), 5).tempered(10, 1.5)
