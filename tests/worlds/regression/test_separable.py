"""Separable classes: the points anyone can make, the linear programme against brute force, refusals."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.worlds.regression import DigitClasses, SeparableClasses
from twopart.worlds.regression.separable import classified, pairs, programme


def test_the_points_in_three_lines():
    random, y = np.random.default_rng(3), np.arange(12) % 3
    x = 0.9 * random.standard_normal((3, 8))[y] + random.standard_normal((12, 8))
    x *= np.exp(0.5 * random.standard_normal((12, 1)))
    found = SeparableClasses().data
    assert found.x == pytest.approx(4 * x / np.abs(x).sum(1).max())
    assert (found.y == y).all()


@pytest.mark.parametrize("seed", range(8))
def test_most_worlds_are_separable(seed):
    assert programme(*SeparableClasses(seed=seed).data, "inf")[0] > 0.05


def test_digits():
    x, y = DigitClasses().data
    assert x.shape == (537, 64)
    assert (x.min(), x.max()) == (0, 1)
    assert np.unique(y).tolist() == [0, 1, 2]


def test_pairs_against_loops():
    x, y = SeparableClasses(6, 4, 3).data
    slow = [np.outer(np.eye(3)[y[i]] - np.eye(3)[j], x[i]) for i in range(6) for j in range(3) if j != y[i]]
    assert pairs(x, y) == pytest.approx(np.array(slow))


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ({"samples": 2}, "samples"),
        ({"classes": 1}, "classes"),
        ({"dimension": 0}, "dimension"),
        ({"spread": 0.0}, "spread"),
        ({"skew": float("nan")}, "skew"),
        ({"seed": -1}, "seed"),
        ({"samples": 200, "dimension": 2}, "samples"),
    ],
)
def test_refusals(made, named):
    with pytest.raises(InputError, match=f"^`{named}` must be .+, got .+; .+$"):
        SeparableClasses(**made)


def test_users_points_are_refused():
    for x, y, named in [
        (np.ones((2, 2)) * np.nan, [0, 1], "features"),
        (np.ones(3), [0, 1, 2], "features"),
        (np.ones((3, 2)), [0, 1], "labels"),
        (np.ones((2, 2)), [1, 1], "labels"),
        (np.ones((2, 2)), [1.0, np.nan], "labels"),
    ]:
        with pytest.raises(InputError, match=f"^`{named}` must be .+, got .+; .+$"):
            classified(x, y)
    assert classified(np.ones((3, 2)), ["b", "a", "b"]).y.tolist() == [1, 0, 1]
    with pytest.raises(InputError, match="`classes`"):
        DigitClasses(11)
