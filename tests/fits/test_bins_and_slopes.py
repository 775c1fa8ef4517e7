"""Bins against plain loops; slopes against NumPy's polyfit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twopart.fits import LogBins, slope


@given(st.integers(1, 50), st.integers(1, 5000), st.integers(1, 30))
def test_bins_tile_the_numbers(start, length, per_decade):
    bins = LogBins(start + length, start, per_decade)
    edges = bins.edges
    assert edges[0] == start
    assert edges[-1] == start + length
    assert np.all(np.diff(edges) > 0)
    numbers = np.arange(start, start + length)
    values = np.sin(numbers)
    which = bins.index(numbers)
    assert bins.mean(values) == pytest.approx([values[which == i].mean() for i in range(len(edges) - 1)])


def test_slope_is_polyfits():
    x = np.geomspace(10, 1000, 12)
    curves = 5 * x**-0.4 * np.exp(0.1 * np.random.default_rng(0).standard_normal((3, 12)))
    expected = np.polyfit(np.log(x), np.log(curves.mean(0)), 1)[0]
    assert slope(x, curves.mean(0)) == pytest.approx(expected)


def test_bad_curves():
    for x, y in (([1], [1]), ([1, 2, 3], [1, 2])):
        with pytest.raises(ValueError, match="as many points as x"):
            slope(x, y)
    assert np.isnan(slope([1, 2], [1, -1]))


@pytest.mark.parametrize("arguments", [(5, 0), (3, 3), (9, 1, 0), (2.5,)])
def test_bad_bins(arguments):
    with pytest.raises(ValueError, match="whole number"):
        LogBins(*arguments)


@pytest.mark.parametrize(
    ("interval", "verdict"), [((1.1, 2), "holds"), ((0.5, 2), "inconclusive"), ((0.1, 0.9), "fails")]
)
def test_above(interval, verdict):
    assert Estimate(sum(interval) / 2, interval, 0.95).above(1.0) == verdict


def test_bootstrap_of_the_mean_has_the_standard_errors_width():
    """For the mean itself the widened percentile interval is value ± 1.96 s/sqrt(R), s with R - 1 in the denominator."""
    data = np.random.default_rng(3).standard_normal(40)
    low, high = bootstrap(float, data, resamples=20_000).interval
    assert (high - low) / 2 == pytest.approx(1.96 * data.std(ddof=1) / np.sqrt(40), rel=0.03)


def test_statistics_that_are_not_finite_widen_the_interval():
    estimate = bootstrap(lambda mean: float(np.log(mean)) if mean > 0 else float("nan"), [2.0, -1.0, 1.0])
    assert estimate.interval == (-np.inf, np.inf)
    assert estimate.above(0.0) == estimate.equivalent_to(0.0, 1.0) == "inconclusive"
    assert np.isnan(bootstrap(lambda mean: float("nan"), [2.0, 1.0]).value)


def test_a_ratio_is_resampled_as_its_logarithm():
    estimate = bootstrap(lambda mean: float(np.log(mean)), [1.0, 2.0, 30.0]).exp()
    assert estimate.value == pytest.approx(11)
    assert 0 < estimate.interval[0] < 11 < estimate.interval[1]
