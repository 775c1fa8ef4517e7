"""Forms: plain formulas, derivatives against finite differences, limits; and every form under every objective."""

import numpy as np
import pytest

from tests.fits.scaling.planted import TRUTH, columns, losses
from twopart.fits.scaling import FORMS, scaling_law
from twopart.fits.scaling.objective import OBJECTIVES
from twopart.fits.scaling.solver import derivatives, log_losses


def _repeated(N, D, U, E, A, B, alpha, beta, R_D, R_N):
    unique = np.minimum(U, D)
    fitting = (alpha * A / (beta * B) * unique**beta) ** (1 / alpha)
    size = np.minimum(N, fitting)
    data = unique + unique * R_D * (1 - np.exp(-(D / unique - 1) / R_D))
    model = size + size * R_N * (1 - np.exp(-(N / size - 1) / R_N))
    return E + A / model**alpha + B / data**beta


FORMULAS = {
    "chinchilla": lambda N, D, E, A, B, a, b: E + A / N**a + B / D**b,
    "kaplan": lambda N, D, n, d, a, b: ((n / N) ** (a / b) + d / D) ** b,
    "data": lambda D, E, B, b: E + B / D**b,
    "model": lambda N, E, A, a: E + A / N**a,
    "compute": lambda C, E, A, c: E + A / C**c,
    "repeated": _repeated,
    "broken": lambda D, E, B, c0, c1, d, f: E + B * D**-c0 * (1 + (D / d) ** (1 / f)) ** (-c1 * f),
    "precision": lambda N, D, b, E, A, B, a, be, g: E + A / (N * (1 - np.exp(-b / g))) ** a + B / D**be,
    "knowledge": lambda N, D, E, A, B, d: E + A / N ** (1 / d - 1) + B / D ** (1 - d),
}


def _points(name, n=40):
    inputs = columns(n)
    return [inputs[column] for column in FORMS[name].inputs]


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_its_formula(name):
    form, points = FORMS[name], _points(name)
    found = np.exp(log_losses(form, form.coordinates(np.array(TRUTH[name]))[None], np.log(np.stack(points, 1)))[0])
    assert found == pytest.approx(FORMULAS[name](*points, *TRUTH[name]), rel=1e-10)


@pytest.mark.parametrize("name", FORMS)
def test_derivatives_are_those_of_finite_differences(name):
    form, z, step = FORMS[name], np.log(np.stack(_points(name), 1)), 1e-5
    theta = form.coordinates(np.array(TRUTH[name]))
    _, slopes, hessian = derivatives(form, theta, z)
    for k in range(len(theta)):
        to = np.eye(len(theta))[k] * step
        (up, up_slopes, _), (down, down_slopes, _) = derivatives(form, theta + to, z), derivatives(form, theta - to, z)
        assert slopes[:, k] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-5)
        assert hessian[:, :, k] == pytest.approx((up_slopes - down_slopes) / (2 * step), rel=1e-5, abs=1e-4)


def test_forms_meet_in_their_limits():
    N, D = np.array([1e8, 1e10]), np.array([1e10, 1e11])
    plain = FORMULAS["chinchilla"](N, D, 1.8, 480, 2000, 0.35, 0.37)

    def value(name, parameters, *points):
        theta = FORMS[name].coordinates(np.array(parameters))[None]
        return np.exp(log_losses(FORMS[name], theta, np.log(np.stack(points, 1)))[0])

    assert value("precision", (1.8, 480, 2000, 0.35, 0.37, 1.0), N, D, np.full(2, 60.0)) == pytest.approx(plain)
    small = np.array([1e6, 1e6])
    once = value("repeated", (1.8, 480, 2000, 0.35, 0.37, 15, 5), small, D, D)
    assert once == pytest.approx(FORMULAS["chinchilla"](small, D, 1.8, 480, 2000, 0.35, 0.37))
    assert value("knowledge", (1.8, 480, 2000, 0.6), N, D) == pytest.approx(
        FORMULAS["chinchilla"](N, D, 1.8, 480, 2000, 1 / 0.6 - 1, 0.4)
    )
    assert value("broken", (1.8, 300, 0.2, 0.3, 1e30, 0.5), D) == pytest.approx(1.8 + 300 / D**0.2)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", FORMS)
def test_every_form_under_every_objective_finds_the_planted_law(name, objective):
    """Without noise exactly; with 0.3 % of it within five standard errors of the sandwich."""
    inputs = columns(120)
    exact = scaling_law(loss=losses(name, inputs), form=name, objective=objective, resamples=0, **inputs)
    assert list(exact.parameters.values()) == pytest.approx(TRUTH[name], rel=1e-5)
    assert exact.optimum.share >= 0.5
    noisy = scaling_law(loss=losses(name, inputs, 0.003), form=name, objective=objective, resamples=0, **inputs)
    errors = np.sqrt(np.diag(noisy.covariance))
    assert np.all(np.abs(noisy.theta - noisy.form.coordinates(np.array(TRUTH[name]))) < 5 * errors)
