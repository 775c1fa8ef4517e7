"""Powers above a floor: planted ones come back, and other exponents fit worse by least squares without any formula."""

import numpy as np
import pytest
from scipy.optimize import nnls

from twopart._checks import InputError
from twopart.fits.floored import floored

X = np.arange(1.0, 91)


@pytest.mark.parametrize(("floor", "exponent"), [(4.0, 0.7), (0.0, 0.3), (1.5, 2.0)])
def test_planted_curves_come_back(floor, exponent):
    found = floored(X, floor + 1.7 * X**-exponent)
    assert (found.floor, found.scale) == (pytest.approx(floor, abs=0.01), pytest.approx(1.7, rel=0.01))
    assert found.exponent == pytest.approx(exponent, rel=0.01)


def test_no_other_exponent_fits_better():
    y = 2 + X**-0.5 + 0.1 * np.random.default_rng(0).standard_normal(len(X))
    found = floored(X, y)
    left = {a: nnls(np.column_stack([np.ones(90), X**-a]), y) for a in (found.exponent, *np.geomspace(0.02, 4, 40))}
    least = min(left, key=lambda a: left[a][1])
    assert left[found.exponent][1] < left[least][1] + 1e-4
    assert [found.floor, found.scale] == pytest.approx(left[found.exponent][0])
    assert floored(X, 1 + 0.1 * np.log(X)).scale == 0, "what rises is a floor"
    assert floored(X, 3 - 0.5 * np.log(X)).floor == 0, "nothing lies below 0"


def test_several_curves_are_fitted_as_each_alone():
    curves = np.stack([2 + X**-0.5, 1 + 0.1 * np.log(X), 3 - 0.5 * np.log(X), 0.3 * X**-2.0])
    together, alone = floored(X, curves), [floored(X, y) for y in curves]
    for name in ("floor", "scale", "exponent"):
        assert getattr(together, name) == pytest.approx([getattr(one, name) for one in alone], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"x": [1, 2]}, "`y`"),
        ({"x": X - 1}, "`x` must be > 0"),
        ({"x": np.ones(90)}, "`x` must be three different"),
        ({"y": np.ones((2, 3))}, "`y`"),
    ],
)
def test_refusals(wrong, words):
    with pytest.raises(InputError, match=words):
        floored(**{"x": X, "y": X**-0.5, **wrong})
