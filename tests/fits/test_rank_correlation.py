"""Rank correlations against SciPy and plain loops over pairs, their intervals against a simulation, and refusals."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau

from twopart._checks import InputError
from twopart.fits import rank_correlation, tau_estimate


@pytest.fixture(scope="module")
def runs():
    random = np.random.default_rng(0)
    frame = {"rate": random.choice([1, 2, 3], 40), "batch": random.choice([8, 16], 40)}
    x = random.integers(0, 9, 40).astype(float)
    return pl.DataFrame(frame | {"x": x, "gap": x + random.normal(0, 4, 40).round(), "loss": random.normal(size=40)})


def test_overall_agrees_with_scipy(runs):
    found = rank_correlation(runs, "x", "gap", resamples=5)
    assert found.overall[0] == pytest.approx(kendalltau(runs["x"], runs["gap"]).statistic, rel=1e-12)


def test_within_an_axis_pairs_differ_in_it_alone(runs):
    found = rank_correlation(runs, "x", "gap", ("rate", "batch"), resamples=5)
    for axis, other in (("rate", "batch"), ("batch", "rate")):
        signs = []
        for a, b in combinations(runs.rows(named=True), 2):
            if a[other] == b[other] and a[axis] != b[axis] and a["gap"] != b["gap"]:
                signs.append(np.sign((a["x"] - b["x"]) * (a["gap"] - b["gap"])))
        assert found.within[axis][0] == pytest.approx(np.mean(signs), rel=1e-12)
    assert found.psi[0] == pytest.approx(np.mean([one[0] for one in found.within.values()]))


def test_resamples_are_of_whole_runs():
    """A resample of τ by SciPy on the same rows is the same number."""
    from twopart import _random

    random = np.random.default_rng(1)
    x, y = random.normal(size=(2, 25))
    found = rank_correlation({"x": x, "gap": x + y}, "x", "gap", resamples=4, seed=7).overall[1:]
    rows = _random.generator(7, "runs").integers(25, size=(4, 25))
    assert found == pytest.approx([kendalltau(x[row], (x + y)[row]).statistic for row in rows], rel=1e-12)


def test_intervals_cover(size):
    """τ of correlated normals is 2/π asin ρ; 95% intervals miss it about so often."""
    random, count = np.random.default_rng(2), size(200, 2000)
    missed = 0
    for _ in range(count):
        x, y = random.normal(size=(2, 50))
        e = tau_estimate(rank_correlation({"x": x, "gap": 0.6 * x + 0.8 * y}, "x", "gap", resamples=200).overall)
        missed += not e.interval[0] <= 2 / np.pi * np.arcsin(0.6) <= e.interval[1]
    assert missed / count == pytest.approx(0.06, abs=5 * np.sqrt(0.06 * 0.94 / count))


def test_measures_are_compared_on_the_same_resamples(runs):
    one, other = (rank_correlation(runs, name, "gap", resamples=50).overall for name in ("x", "loss"))
    assert tau_estimate(one - one).interval == (0, 0)
    assert tau_estimate(one - other).value == pytest.approx(one[0] - other[0])


def test_infinite_values_rank_last_and_constants_have_no_order():
    gap = [1.0, 2.0, 3.0]
    assert rank_correlation({"x": [1, 2, np.inf], "gap": gap}, "x", "gap").overall[0] == 1
    flat = rank_correlation({"x": [1, 1, 1], "gap": gap}, "x", "gap")
    assert np.isnan(tau_estimate(flat.overall).value)
    assert np.isnan(tau_estimate(flat.psi).value)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: rank_correlation({"x": [1, 2, 3]}, "x", "gap"),
        lambda: rank_correlation({"x": [1, 2], "gap": [1, 2]}, "x", "gap"),
        lambda: rank_correlation({"x": [1, 2, 3], "gap": [1, 2, np.nan]}, "x", "gap"),
        lambda: rank_correlation({"x": [1, 2, 3, 4], "gap": [1, 2, 3]}, "x", "gap"),
        lambda: rank_correlation({"x": [1, 2, 3], "gap": [1, 2, 3]}, "x", "gap", resamples=0),
        lambda: tau_estimate(np.ones((2, 3))),
    ],
)
def test_bad_tables(ask):
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        ask()
