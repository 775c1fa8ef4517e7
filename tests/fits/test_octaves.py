"""Scales found among octaves, against losses whose bottom is known."""

import numpy as np
import pytest

from twopart.fits import Octaves, slope


def test_a_parabola_is_refined_to_its_bottom():
    tried = Octaves(0.0, 2.0, 4, finer=4)
    assert tried.lowest((tried.fine - 0.77) ** 2) == pytest.approx(0.77)
    assert tried.lowest(tried.fine) == 0.0
    assert tried.lowest(np.zeros(17)) == 0.0
    assert np.allclose(tried.fine[::4], tried.coarse)


def test_weights_of_a_slope_count_points():
    """A point of twice the weight is two points; where all the weight is on one x there is no slope."""
    x, y = np.array([1.0, 2.0, 5.0]), np.array([3.0, 2.0, 1.5])
    assert slope(x, y, [0.5, 0.25, 0.25]) == pytest.approx(slope([1, 1, 2, 5], [3, 3, 2, 1.5]))
    assert np.isnan(slope(x, y, [1.0, 0.0, 0.0]))
