"""Distances of samples against scipy's, against what Gaussians have in closed form, and between samples of one law."""

import numpy as np
import pytest
from scipy import stats

from twopart._checks import InputError
from twopart.fits import energy_distance, frechet_distance, quantile_w2, sliced_w2

RANDOM = np.random.default_rng(0)
SHIFT = np.array([1.0, 2.0, 2.0])
X, Y = RANDOM.normal(size=(200, 3)), RANDOM.normal(0.8, 1.5, size=(200, 3))


def test_energy_on_the_line_is_scipys():
    for n, m in ((50, 50), (30, 80)):
        x, y = X[:n, :1], Y[:m, :1]
        assert energy_distance(x, y).value == pytest.approx(stats.energy_distance(x[:, 0], y[:, 0]) ** 2)


def test_energy_by_loops():
    x, y = X[:6], Y[:5]
    apart = [np.mean([[np.linalg.norm(p - q) for p in a] for q in b]) for a, b in ((x, y), (x, x), (y, y))]
    assert energy_distance(x, y).value == pytest.approx(2 * apart[0] - apart[1] - apart[2])
    assert energy_distance(x, x).value == pytest.approx(0, abs=1e-12)


def test_permutations_tell_laws_apart_and_equal_ones_not():
    assert energy_distance(X, Y, permutations=199).p == pytest.approx(1 / 200)
    p = [energy_distance(*np.split(RANDOM.normal(size=(40, 2)), 2), permutations=49, seed=i).p for i in range(200)]
    assert stats.kstest(np.array(p) - RANDOM.uniform(0, 1 / 50, 200), "uniform").pvalue > 1e-6


def test_slices_of_a_shift_and_of_a_scale():
    """Sorted along a direction u, X + m is <u, m> further: E <u, m>² = |m|²/d over directions."""
    many = {"directions": 20_000}
    assert sliced_w2(X, X + SHIFT, **many) == pytest.approx(np.sqrt(9 / 3), rel=0.02)
    assert sliced_w2(X, 3 * X, **many) == pytest.approx(2 * np.sqrt(np.mean(X**2)), rel=0.02)
    assert sliced_w2(X[:, :1], Y[:, :1]) == pytest.approx(quantile_w2(X[:, 0], Y[:, 0]))


def test_frechet_is_w2_of_moments():
    assert frechet_distance(X, X + SHIFT) == pytest.approx(9)
    assert frechet_distance(X, X.mean(0) + 3 * (X - X.mean(0))) == pytest.approx(4 * X.var(0).sum())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: energy_distance(X, Y[:, :2]), r"`to` must be of shape \(any, 3\)"),
        (lambda: energy_distance(X, Y * np.nan), "`to` must be finite"),
        (lambda: energy_distance(X, Y, permutations=-1), "`permutations` must be a whole number >= 0"),
        (lambda: sliced_w2(X, Y[:9]), "`to` must be as many points as `x` has, 200, got 9"),
        (lambda: sliced_w2(X, Y, directions=0), "`directions` must be a whole number >= 1"),
        (lambda: frechet_distance(X[0], Y), r"`x` must be of shape \(any, any\)"),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(InputError, match=said):
        wrong()
