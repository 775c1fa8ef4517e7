"""Where a course comes to a level, on courses whose answer is known."""

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.fits import first_reached, stays_below


def test_a_level_is_first_reached_between_two_points():
    assert first_reached(0.5, [0.0, 0.4, 0.8, 0.2, 1.0], [0, 1, 2, 3, 4]) == pytest.approx(1.25)
    assert first_reached(0.4, [0.4, 0.8], [7.0, 8.0]) == 7.0
    assert np.isnan([first_reached(0.9, [0.0, 0.8], [1, 2]), first_reached(0.1, [0.2, 0.8], [1, 2])]).all()


def test_a_power_law_stays_below_its_level_from_a_known_point_on():
    x = np.array([1.0, 4, 16, 64, 256])
    assert stays_below(0.05, 1 / x, x) == pytest.approx(20)
    assert stays_below(0.5, [1, 0.1, 1, 0.25, 0.1], x) == pytest.approx(32), "the first time was not for good"
    assert np.isnan([stays_below(1e-3, 1 / x, x), stays_below(2.0, 1 / x, x)]).all()
    assert 4 < stays_below(0.05, [1, 1, 0, 0, 0], x) < 16


def test_bad_input():
    for read in (first_reached, stays_below):
        with pytest.raises(InputError, match="as many as points of the course"):
            read(0.5, [0.0, 1.0], [1.0])
