"""Worlds whose correlations and contexts are known: against enumeration, samples and matrices."""

from itertools import product

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds import FluidSantaFe, Lags


def plogp(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return float(-(p * np.log2(p)).sum())


def test_hidden_entropies_are_those_of_all_inputs():
    world = Lags(4, 1.2, 5, seed=3)
    for n in range(5):
        found = []
        for x in product(range(4), repeat=n):
            p = np.full(4, (1 - world.weights[:n].sum()) / 4)
            for lag, value in enumerate(x):
                p[world.maps[lag, value]] += world.weights[lag]
            found.append(plogp(p))
        error = np.std(found) / np.sqrt(4000) + 1e-12
        assert abs(world.entropy(n) - np.mean(found)) < 5 * error, n
        assert 5 * error < 0.05 * (2 - world.entropy_rate())


def test_samples_have_the_covariance_and_follow_their_lags(size):
    world, T = Lags(5, 1.0, 6, seed=1), size(100_000, 1_000_000)
    before, y, lag = world.sample(T, stream=2)
    assert (world.maps[lag - 1, before[np.arange(T), lag - 1]] == y).all()
    assert np.bincount(lag, minlength=7)[1:] / T == pytest.approx(world.weights, abs=5 * np.sqrt(0.25 / T))
    again = world.sample(10, stream=2)[0]
    assert (before[1:, 1:] == before[:-1, :-1]).all(), "one row of inputs, seen from each output"
    assert again.shape == (10, 6)
    for n in (1, 4):
        joint = np.zeros((5, 5))
        np.add.at(joint, (before[:, n - 1], y), 1 / T)
        expected = world.covariance(n)
        assert joint - 1 / 25 == pytest.approx(expected, abs=5 * np.sqrt(0.1 / T))
        assert np.linalg.norm(expected, 2) == pytest.approx(world.weights[n - 1] / 5)
        assert 5 * np.sqrt(0.1 / T) < 0.05 * world.weights[0] or n == 4


def test_told_entropies_and_local_exponents():
    world = Lags(16, 1.5, 4000, tagged=True)
    assert world.entropy(7) == pytest.approx(4 * world.weights[7:].sum())
    assert world.entropy_rate() == pytest.approx(0, abs=1e-12)
    assert world.gamma(4, 40) == pytest.approx(0.5, abs=0.1), "decay - 1, but for the last lags"
    hidden = Lags(16, 1.5, 200)
    assert hidden.gamma(2, 8) < hidden.gamma(30, 120), "from decay - 1 towards 2 decay - 1"
    assert world.beta == hidden.beta == 1.5


SMALL = FluidSantaFe(1.5, 0.2, 1.0, facts=3, seed=4)


def chance(world, sequence):
    """Of facts with their bits, by the law of all bits after each step."""
    states = np.array(list(product((0, 1), repeat=world.facts)))
    rates = (1 - world.kept) / 2
    different = states[:, None] != states[None]
    moves = np.where(different, rates, 1 - rates).prod(-1)
    law = np.full(len(states), 1 / len(states))
    for fact, bit in sequence:
        law = moves.T @ (law * world.shares[fact] * (states[:, fact] == bit))
    return law.sum()


def test_entropies_of_facts_are_those_of_all_sequences():
    blocks = [0.0]
    for n in range(1, 5):
        symbols = list(product(range(3), (0, 1)))
        blocks.append(plogp([chance(SMALL, sequence) for sequence in product(symbols, repeat=n)]))
    assert SMALL.entropies(3) == pytest.approx(np.diff(blocks), abs=1e-12)
    assert SMALL.entropy_rate() == pytest.approx(SMALL.entropies(4000)[-1], abs=1e-5)
    static = FluidSantaFe(1.5, 0.0, 1.0, facts=3)
    assert static.entropy_rate() == pytest.approx(plogp(static.shares))


def test_norms_of_facts_are_those_of_the_whole_matrix():
    for n in (1, 4):
        p, kept = SMALL.shares, SMALL.kept
        joint = np.zeros((6, 6))
        for one, other in product(product(range(3), (0, 1)), repeat=2):
            agree = (1 + kept[one[0]] ** n * (1 if one[1] == other[1] else -1)) / 2 if one[0] == other[0] else 0.5
            joint[2 * one[0] + one[1], 2 * other[0] + other[1]] = p[one[0]] * p[other[0]] * agree / 2
        C = joint - np.outer(joint.sum(1), joint.sum(0))
        assert SMALL.norm(n) == pytest.approx(np.linalg.norm(C, 2), rel=1e-12)
        assert SMALL.norm(n, frobenius=True) == pytest.approx(np.linalg.norm(C), rel=1e-12)


def test_exponents_of_norms_hang_on_the_norm():
    world, n = FluidSantaFe(1.5, 0.1, 1.5, facts=4000), np.array([100, 4000])
    for frobenius, beta in ((False, 2.0), (True, 2.5 / 1.5)):
        norms = [world.norm(int(k), frobenius) for k in n]
        assert -np.diff(np.log(norms)) / np.diff(np.log(n)) == pytest.approx(beta, abs=0.06)


def test_samples_of_facts_change_as_they_should(size):
    T = size(60_000, 600_000)
    fact, bit = SMALL.sample(T, stream=1)
    assert np.bincount(fact) / T == pytest.approx(SMALL.shares, abs=5 * np.sqrt(0.25 / T))
    for k in range(3):
        at = np.flatnonzero(fact == k)
        age, same = np.diff(at), np.diff(bit[at]) == 0
        for j in (1, 2):
            chosen = same[age == j]
            assert chosen.mean() == pytest.approx((1 + SMALL.kept[k] ** j) / 2, abs=5 * np.sqrt(0.25 / len(chosen)))
    assert bit.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Lags(values=1), "`values`"),
        (lambda: Lags(decay=0), "`decay`"),
        (lambda: Lags(decay=float("nan")), "`decay`"),
        (lambda: Lags(lags=1), "`lags`"),
        (lambda: Lags().sample(0), "`tokens`"),
        (lambda: Lags(lags=4).entropy(5), "`n`"),
        (lambda: Lags(lags=4).covariance(0), "`n`"),
        (lambda: Lags(lags=4).gamma(2, 4), "`low`"),
        (lambda: FluidSantaFe(exponent=1), "`exponent`"),
        (lambda: FluidSantaFe(flip_scale=0.6), "`flip_scale`"),
        (lambda: FluidSantaFe(flip_exponent=0), "`flip_exponent`"),
        (lambda: FluidSantaFe(facts=1), "`facts`"),
        (lambda: SMALL.sample(0), "`tokens`"),
        (lambda: SMALL.entropies(-1), "`most`"),
        (lambda: SMALL.norm(0), "`n`"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(InputError, match=words):
        call()
