"""Equally frequent entities: formulas against sums over the binomial law, draws against the uniform law."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds.knowledge.partitions import agrees
from twopart._philox import hash_words, philox_key
from twopart.worlds import EqualFrequencies


@pytest.mark.parametrize("entities", [1, 2, 3, 50])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 40])
def test_quantities_against_sums(entities, n):
    law, p = EqualFrequencies(entities), 1 / entities
    count = [comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(n + 1)]  # law of one entity's count
    assert law.entropy() == pytest.approx(np.log2(entities))
    assert law.expected_distinct(n) == pytest.approx(entities * (1 - count[0]))
    assert law.expected_missing_mass(n) == pytest.approx(count[0])
    assert law.expected_missing_mass(n, 0.3) == pytest.approx(sum(c * 0.7**j for j, c in enumerate(count)))
    sizes = np.arange(1, n + 4)
    expected = [entities * count[j] if j <= n else 0 for j in sizes]
    assert law.expected_blocks(sizes, n) == pytest.approx(np.array(expected), rel=1e-10)


def test_steps_of_mass_and_number():
    law = EqualFrequencies(4)
    assert [law.mass_below(x) for x in (0.0, 0.2, 0.25, 0.3, 1.0)] == [0, 0, 0, 1, 1]
    assert [law.atoms_above(x) for x in (0.0, 0.2, 0.25, 0.3, 1.0)] == [4, 4, 4, 0, 0]


def test_next_draw():
    law = EqualFrequencies(10)
    assert law.predictive(3, 7, 4) == 0.1
    assert law.new_probability(7, 4) == pytest.approx(0.6)
    distinct = np.array([1, 2, 10])
    total = distinct * law.predictive(1, 20, distinct) + law.new_probability(20, distinct)
    assert total == pytest.approx(np.ones(3))


@pytest.mark.parametrize("entities", [1, 2, 50, 3000])
def test_draws_are_uniform(entities):
    draws, p = EqualFrequencies(entities).draw_with_probability(60_000, seed=2)
    assert np.all(p == 1 / entities)
    assert agrees(np.bincount(draws, minlength=entities), np.full(entities, 60_000 / entities))


@given(st.integers(1, 2**40))
@settings(deadline=None, max_examples=60)
def test_draws_are_the_leading_digits_of_the_hash(entities):
    """floor(w K / 2^64), by Python's own integers."""
    drawn = EqualFrequencies(entities).draw(20, seed=1)
    words = hash_words(np.arange(20), 0, philox_key(1, "equal draws", 0))
    assert drawn.tolist() == [int(w) * entities >> 64 for w in words]


@given(st.integers(0, 2**61), st.integers(0, 100), st.integers(0, 100))
@settings(deadline=None, max_examples=60)
def test_a_shard_equals_its_part_of_the_whole(start, skip, n):
    measure = EqualFrequencies(10**9).measure(5)
    assert np.array_equal(measure.draw(n, start=start + skip), measure.draw(skip + n, start=start)[skip:])


def test_streams_differ():
    measure = EqualFrequencies(50).measure(0)
    same = np.mean(measure.draw(20_000) == measure.draw(20_000, stream=1))
    assert abs(same - 1 / 50) < 5 * np.sqrt(0.02 * 0.98 / 20_000)


@pytest.mark.parametrize(
    "call",
    [
        lambda law: EqualFrequencies(0),
        lambda law: EqualFrequencies(2.5),
        lambda law: EqualFrequencies(2**41),
        lambda law: law.expected_distinct(-1),
        lambda law: law.expected_blocks(0, 3),
        lambda law: law.expected_missing_mass(3, 0.0),
        lambda law: law.mass_below(-0.1),
        lambda law: law.draw(-1),
        lambda law: law.draw(2, seed=-1),
        lambda law: law.draw(2, start=-1),
        lambda law: law.measure().draw(2, stream=-1),
    ],
)
def test_bad_arguments(call):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        call(EqualFrequencies(3))
