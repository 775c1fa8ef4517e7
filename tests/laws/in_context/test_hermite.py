"""Hermite coefficients against closed forms, mpmath and SciPy's quadrature; functions of arrays, tensors and modules."""

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import quad

from twopart._checks import InputError
from twopart.laws.in_context import hermite


def test_kinks_and_growth_in_closed_form():
    relu = hermite(lambda t: np.maximum(t, 0))
    assert relu.coefficients == pytest.approx(
        [1 / np.sqrt(2 * np.pi), 0.5, 1 / np.sqrt(4 * np.pi), 0, -1 / np.sqrt(48 * np.pi)], abs=1e-13
    )
    assert relu.power == pytest.approx(0.5, abs=1e-13)
    exp = hermite(np.exp, 6)
    assert exp.coefficients == pytest.approx(np.exp(0.5) / np.sqrt([1, 1, 2, 6, 24, 120, 720]), rel=1e-12)
    assert exp.power == pytest.approx(np.exp(2), rel=1e-12)
    assert hermite(np.sign).coefficients == pytest.approx(
        [0, np.sqrt(2 / np.pi), 0, -1 / np.sqrt(3 * np.pi), 0], abs=1e-13
    )
    off = lambda t: np.maximum(t - 0.27, 0)  # noqa: E731  a kink inside a panel
    mean = quad(lambda x: (x - 0.27) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), 0.27, 12)[0]
    assert hermite(off).coefficients[0] == pytest.approx(mean, abs=1e-4)


def test_tanh_by_mpmath():
    found = hermite(np.tanh)
    weight = lambda x: mpmath.exp(-(x**2) / 2) / mpmath.sqrt(2 * mpmath.pi)  # noqa: E731
    linear = mpmath.quad(lambda x: x * mpmath.tanh(x) * weight(x), [-12, 0, 12])
    third = mpmath.quad(lambda x: (x**3 - 3 * x) / mpmath.sqrt(6) * mpmath.tanh(x) * weight(x), [-12, 0, 12])
    power = mpmath.quad(lambda x: mpmath.tanh(x) ** 2 * weight(x), [-12, 0, 12])
    assert found.coefficients == pytest.approx([0, float(linear), 0, float(third), 0], abs=1e-12)
    assert found.power == pytest.approx(float(power), abs=1e-12)


def test_shifts_and_shapes():
    shift = np.array([[-3.0, 0.0, 0.4], [1.0, 3.0, 9.0]])
    found = hermite(np.tanh, 2, shift=shift)
    assert found.coefficients.shape == (2, 3, 3)
    for s, (mean, slope, _), power in zip(
        shift.ravel(), found.coefficients.reshape(-1, 3), found.power.ravel(), strict=True
    ):

        def over(of, s=s):
            return quad(lambda x: of(x) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), -10, 10)[0]

        assert mean == pytest.approx(over(lambda x, s=s: np.tanh(x + s)), abs=1e-8)
        assert slope == pytest.approx(over(lambda x, s=s: x * np.tanh(x + s)), abs=1e-8)
        assert power == pytest.approx(over(lambda x, s=s: np.tanh(x + s) ** 2), abs=1e-8)


def test_functions_of_tensors_and_modules():
    relu = hermite(lambda t: np.maximum(t, 0))
    for f in (torch.relu, torch.nn.ReLU(), torch.nn.LeakyReLU(0.0), lambda t: t.clamp(min=0)):
        assert hermite(f).coefficients == pytest.approx(relu.coefficients, abs=1e-12)
    half = hermite(torch.nn.PReLU(init=0.5))  # its weight is a float32
    assert half.coefficients[1] == pytest.approx(0.75, abs=1e-6)
    assert hermite(torch.nn.GELU()).coefficients[1] == pytest.approx(0.5, abs=1e-9)  # Stein: E (Φ(ξ) + ξ φ(ξ)) = 1/2


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (3, "`f` must be a function"),
        (np.sqrt, "`f` must be finite"),
        (lambda t: np.exp(np.minimum(t**2, 400)), "`f` must be of finite power"),
        (lambda t: t[:5], "`f` must be one that keeps the shape"),
    ],
)
def test_functions_that_have_no_coefficients_are_refused(f, words):
    with pytest.raises(InputError, match=words):
        hermite(f)


@pytest.mark.parametrize("wrong", [{"order": 0}, {"order": 1.5}, {"shift": np.nan}, {"shift": 200.0}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(InputError, match=f"`{next(iter(wrong))}` must be"):
        hermite(np.tanh, **wrong)
