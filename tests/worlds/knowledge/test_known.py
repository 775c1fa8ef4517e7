"""Entities as a corpus tells them: against the world they come from, plain sums, and the law they average to."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds import EqualFrequencies, KnownEntities, PitmanYor, SyntaxKnowledge, known_entities


def test_every_entity_known_leaves_plain_sums():
    weights = np.array([0.1, 0.5, 0.25, 0.15])
    known = KnownEntities(weights, PitmanYor(0.5, 1.0))
    assert known.rest == 0
    assert known.entropy() == pytest.approx(-np.sum(weights * np.log2(weights)))
    assert known.mass_below(0.15) == pytest.approx(0.1)  # an atom at x is not below it
    assert known.atoms_above(0.15) == 3
    n = np.array([0, 1, 7])
    expected = [np.sum(weights * (1 - 0.3 * weights) ** k) for k in n]
    assert known.expected_missing_mass(n, thinning=0.3) == pytest.approx(expected)


def test_nothing_known_is_the_law_itself():
    law = PitmanYor(0.4, 2.0)
    known = KnownEntities(np.zeros(0), law)
    x, n = np.array([1e-6, 0.01, 0.5, 1.0]), np.array([0, 1, 100])
    assert known.entropy() == law.entropy()
    assert np.array_equal(known.mass_below(x), law.mass_below(x))
    assert np.array_equal(known.atoms_above(x), law.atoms_above(x))
    assert np.array_equal(known.expected_missing_mass(n, 0.2), law.expected_missing_mass(n, 0.2))


@pytest.mark.slow
@pytest.mark.parametrize(("discount", "concentration"), [(0.0, 2.0), (0.5, 1.0), (0.8, -0.4)])
def test_worlds_as_their_corpora_tell_them_average_to_the_law(discount, concentration):
    """Tower property: the expectation of an expectation given the corpus is the expectation."""
    x, n, worlds = 0.004, 60, 100
    law = PitmanYor(discount, concentration)
    told = []
    for seed in range(worlds):
        known = known_entities(SyntaxKnowledge(discount, concentration, seed=seed).sample(300))
        missing = known.expected_missing_mass(n, thinning=0.5)
        told.append((known.entropy(), known.mass_below(x), known.atoms_above(x), missing))
    expected = np.array([law.entropy(), law.mass_below(x), law.atoms_above(x), law.expected_missing_mass(n, 0.5)])
    error = np.std(told, axis=0, ddof=1) / np.sqrt(worlds)
    assert np.all(np.abs(np.mean(told, axis=0) - expected) < 5 * error)


def test_a_longer_corpus_confirms_what_a_shorter_one_tells():
    """Numbers of entities above x, known almost surely from 400,000 sentences, within five of their Poisson-like spreads."""
    world = SyntaxKnowledge(0.5, 1.0, seed=3)
    short, long = known_entities(world.sample(2000)), known_entities(world.sample(400_000))
    x = np.array([1e-4, 1e-3])
    guess, truth = short.atoms_above(x), long.atoms_above(x)
    found = len(short.weights) - np.searchsorted(short.weights[::-1], x)
    assert np.all(np.abs(guess - truth) <= 5 * np.sqrt(np.maximum(guess - found, 1)))


def test_numbers_give_numbers_and_arrays_give_arrays():
    known = known_entities(SyntaxKnowledge().sample(50))
    assert isinstance(known.mass_below(0.1), float)
    assert isinstance(known.expected_missing_mass(3), float)
    assert known.atoms_above(np.full((2, 3), 0.1)).shape == (2, 3)


def test_equal_frequencies_are_known_without_a_corpus():
    assert known_entities(SyntaxKnowledge(population=7).sample(3)) == EqualFrequencies(7)


@pytest.mark.parametrize("weights", [[0.0], [0.6, 0.5], [-0.1], [np.nan]])
def test_weights_must_be_probabilities(weights):
    with pytest.raises(InputError, match="weights"):
        KnownEntities(np.array(weights), PitmanYor())
