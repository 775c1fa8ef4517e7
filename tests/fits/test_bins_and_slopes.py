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
