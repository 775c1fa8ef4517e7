"""The falling hull: no point below it, convex, from the least x to the least y."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twopart.fits import falling_hull


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=25))
def test_a_hull_lies_below_all_points(points):
    x, y = np.array(points, float).T
    corners = falling_hull(x, y)
    assert np.all(np.diff(x[corners]) > 0)
    assert np.all(np.diff(y[corners]) < 0)
    assert (x[corners[0]], y[corners[-1]]) == (x.min(), y.min())
    assert np.all(y >= np.interp(x, x[corners], y[corners], right=y.min()) - 1e-9)
    assert np.all(np.diff(np.diff(y[corners]) / np.diff(x[corners])) > 0)
