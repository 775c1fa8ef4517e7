"""Random hierarchies: against enumeration of all strings, samples, and the levels' law."""

from itertools import product

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds import Hierarchy


def enumerated(world):
    """Every string and its probability."""
    strings = {(s,): 1 / world.symbols for s in range(world.symbols)}
    for pairs in world.pairs[::-1]:
        longer = {}
        for string, p in strings.items():
            for rules in product(range(world.rules), repeat=len(string)):
                grown = tuple(int(x) for s, r in zip(string, rules, strict=True) for x in pairs[s, r])
                longer[grown] = longer.get(grown, 0) + p / world.rules ** len(string)
        strings = longer
    return np.array(list(strings)), np.array(list(strings.values()))


@pytest.fixture(scope="module")
def small():
    world = Hierarchy(symbols=3, rules=2, levels=3, seed=4)
    return world, *enumerated(world)


def test_entropies_are_those_of_all_strings(small):
    world, strings, p = small
    assert p.sum() == pytest.approx(1)
    assert len(strings) == 3 * 2**7, "no string has two trees"

    def entropy(columns):
        _, of = np.unique(strings[:, columns], axis=0, return_inverse=True)
        mass = np.bincount(of.ravel(), p)
        return -(mass * np.log2(mass)).sum()

    for h in range(4):
        before = list(range(8 - 2**h, 7))
        expected = entropy([*before, 7]) - (entropy(before) if before else 0)
        assert world.entropy(h) == pytest.approx(expected, abs=1e-12)


def test_norms_are_those_of_all_strings(small):
    world, strings, p = small
    for level in (1, 2, 3):
        squares = []
        for i in range(8):
            for j in range(i + 1, 8):
                if (i ^ j).bit_length() == level:
                    joint = np.zeros((3, 3))
                    np.add.at(joint, (strings[:, i], strings[:, j]), p)
                    squares.append(((joint - np.outer(joint.sum(1), joint.sum(0))) ** 2).sum())
        assert world.norm(level) == pytest.approx(np.sqrt(np.mean(squares)), abs=1e-14)


def test_samples_are_drawn_from_it(small):
    world, strings, p = small
    drawn = world.sample(20_000)
    assert drawn.shape == (20_000, 8)
    _, counts = np.unique(np.concatenate([strings, drawn]), axis=0, return_counts=True)
    order = np.lexsort(strings.T[::-1])
    expected = 20_000 * p[order]
    chi = ((counts - 1 - expected) ** 2 / expected).sum()
    assert len(counts) == len(strings)
    assert abs(chi - len(p)) < 5 * np.sqrt(2 * len(p))
    assert (world.sample(3, stream=1) != drawn[:3]).any()
    assert (world.sample(5) == world.sample(5)).all()


def test_a_level_weakens_correlations_and_contexts_as_the_law_says(size):
    """Over grammars of eight symbols and four rules: (1 - 1/v)/m of the norm, in mean squares; m/v of what context tells."""
    worlds = [Hierarchy(seed=seed) for seed in range(size(40, 400))]
    squares = np.array([[world.norm(level) ** 2 for level in range(1, 6)] for world in worlds])
    mean, error = squares.mean(0), squares.std(0) / np.sqrt(len(worlds))
    ratio = np.sqrt(mean[1:] / mean[:-1])
    off = ratio / 2 * np.hypot(error[1:] / mean[1:], error[:-1] / mean[:-1])
    law = (1 - 1 / 8) / 4
    assert (np.abs(ratio - law) < 5 * off + 0.05 * law).all()
    assert 2 ** -worlds[0].beta == pytest.approx(law)
    told = -np.diff(np.mean([[Hierarchy(levels=6, seed=s).entropy(h) for h in range(2, 7)] for s in range(3)], 0))
    assert (told[-1] / told[0]) ** (1 / 3) == pytest.approx(2 ** -worlds[0].gamma, rel=1 / 8), "to first order in 1/v"
    assert worlds[0].alpha == pytest.approx(1 / (2 * np.log2(32 / 7)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"symbols": 1}, "`symbols`"),
        ({"rules": 9}, "`rules`"),
        ({"levels": 0}, "`levels`"),
    ],
)
def test_refusals(wrong, words):
    with pytest.raises(InputError, match=words):
        Hierarchy(**wrong)
    with pytest.raises(InputError, match="`h`"):
        Hierarchy().entropy(6)
    with pytest.raises(InputError, match="`h` must be below"):
        Hierarchy(symbols=64, levels=6).entropy(5)
    with pytest.raises(InputError, match="`level`"):
        Hierarchy().norm(0)
    with pytest.raises(InputError, match="`strings`"):
        Hierarchy().sample(0)
