"""Closed forms of collapse against the variance equation, numerical derivatives, samples, and least squares."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from twopart._checks import InputError
from twopart.laws.diffusion import churn_to_forget, see_saw, sensitivity, variance_ratio
from twopart.laws.gaussian_flow import continuous_flow
from twopart.learners.diffusion import pure_noise, sample
from twopart.worlds.noise import OU, VE, grid

PAGE = Path(__file__).parents[3] / "docs/laws/collapse-errors.md"
V = 0.01


def level(t):
    return -np.log(np.expm1(2 * np.asarray(t)))


HIGH, LOW, ENDS = level([4.0, 0.5, 1e-3]), level([4.0, 0.05, 1e-3]), (float(level(4.0)), float(level(1e-3)))


@pytest.mark.parametrize("churn", [0.0, 0.5, 1.0, 2.0])
def test_the_variance_equation_of_the_ou_clock(churn):
    """dV/dτ = 2 V - 2 (1 + χ²)(1 + κ) V/v_t + 2 χ² in backward time, piece by piece, by LSODA."""
    times, bias = np.array([3.0, 1.0, 0.3, 0.02, 1e-3]), [0.2, -0.1, 0.15, -0.3]

    def noised(t):
        return V * np.exp(-2 * t) - np.expm1(-2 * t)

    found, at = [], -np.expm1(-2 * times[0])
    for κ, first, last in zip(bias, times, times[1:], strict=False):

        def slope(τ, y, κ=κ, first=first):
            return 2 * y - 2 * (1 + churn**2) * (1 + κ) * y / noised(first - τ) + 2 * churn**2

        at = solve_ivp(slope, (0, first - last), [at], method="LSODA", rtol=1e-10, atol=1e-14).y[0, -1]
        found.append(at / noised(last))
    assert variance_ratio(level(times), bias, V, churn=churn)[1:] == pytest.approx(np.array(found), rel=1e-6)


@pytest.mark.parametrize(
    ("churn", "high", "low"), [(0, -0.7453, -0.2261), (0.5, -0.0947, -0.2114), (1, -0.0012, -0.1691), (2, 0.0, -0.1178)]
)
def test_the_same_error_at_high_and_at_low_noise(churn, high, low):
    """Values that were found by integrating the variance equation elsewhere, before the closed form."""
    assert np.log(variance_ratio(HIGH, [0.1, 0], V, churn=churn)[-1]) == pytest.approx(high, abs=1e-4)
    assert np.log(variance_ratio(LOW, [0, 0.1], V, churn=churn)[-1]) == pytest.approx(low, abs=1e-4)


def test_the_clock_drops_out():
    λ = np.linspace(-6, 6, 5)
    for clock in (OU(), VE()):
        times = clock.time(torch.from_numpy(λ)).numpy()
        flow = continuous_flow(0.0, V, times, clock, churn=0.7, bias=0.2)
        a, s = (part(torch.from_numpy(times)).numpy() for part in (clock.scale, clock.std))
        assert flow.variance[:, 0] / (a**2 * V + s**2) == pytest.approx(
            variance_ratio(λ, [0.2] * 4, V, churn=0.7), rel=1e-6
        )


@pytest.mark.parametrize("churn", [0.0, 1.0])
def test_samples_are_where_the_law_says(churn, size):
    n, noise = size(100_000, 10**6), OU()
    times, random = grid(noise, 200, ENDS), torch.Generator().manual_seed(0)

    def predict(x, t):
        s2 = -torch.expm1(-2 * t)
        return x * ((1 + 0.1 * (t < 0.05)) * s2.sqrt() / (V * (-2 * t).exp() + s2)).float()

    start = pure_noise(noise, times, (n,), generator=random)
    x = sample(predict, noise, times, start, churn=churn, generator=random)
    noised = V * np.exp(-2e-3) - np.expm1(-2e-3)
    law = variance_ratio(LOW, [0, 0.1], V, churn=churn)[-1]
    assert float(x.double().var()) / noised == pytest.approx(law, rel=5 * (2 / n) ** 0.5 + 2e-3)  # 2e-3: of the steps


@pytest.mark.parametrize("churn", [0.0, 0.6, 1.5])
def test_sensitivity_is_a_derivative(churn):
    λ, h = np.linspace(-3, 5, 2001), 1e-6
    weight = sensitivity(λ, V, churn=churn)
    for band in ((-2.0, -1.0), (3.0, 4.0)):
        ends = [-30.0, *band, 5.0]  # from where pure noise is the noised data
        up, down = (np.log(variance_ratio(ends, [0, sign * h, 0], V, churn=churn)[-1]) for sign in (1, -1))
        inside = (λ >= band[0] - 1e-9) & (λ <= band[1] + 1e-9)
        assert -np.trapezoid(weight[inside], λ[inside]) == pytest.approx((up - down) / (2 * h), rel=1e-5)


def test_the_churn_that_forgets():
    churn = churn_to_forget(0.05, (-1.0, 6.0), V)
    kept = sensitivity([-1.0, 6.0], V, churn=churn)[0] / ((1 + churn**2) * sensitivity([-1.0, 6.0], V)[0])
    assert kept == pytest.approx(0.05)
    off = variance_ratio([-30.0, -2.0, -1.0, 6.0], [0.0, 0.1, 0.0], V, churn=churn) - 1
    assert off[3] / off[2] == pytest.approx(0.05)


def test_an_error_that_lasts_settles():
    assert variance_ratio([-40.0, 10.0], [0.1], 0.0, churn=1.0)[-1] == pytest.approx(1 / 1.2)
    assert variance_ratio([-5.0, 5.0], [-0.5], 0.0, churn=1.0)[-1] == pytest.approx(11.0)  # c = 0: it grows without end


@pytest.fixture(scope="module")
def tasks():
    random = np.random.default_rng(0)
    return [(random.normal(size=(50, 6)), random.normal(size=50)) for _ in range(2)]


def test_the_see_saw_is_least_squares_on_weighted_rows(tasks):
    (A, a), (B, b) = tasks
    weights = np.geomspace(1e-3, 1e3, 9)
    found = see_saw(A.T @ A, A.T @ a, B.T @ B, B.T @ b, weights)
    for w, θ, low, high in zip(weights, *found, strict=True):
        assert θ == pytest.approx(np.linalg.lstsq(np.r_[w**0.5 * A, B], np.r_[w**0.5 * a, b])[0])
        for M, m, excess in ((A, a, low), (B, b, high)):
            least = np.square(M @ np.linalg.lstsq(M, m)[0] - m).sum()
            assert excess == pytest.approx(np.square(M @ θ - m).sum() - least, abs=1e-9)
    assert (np.diff(found.high) > 0).all()
    assert (np.diff(found.low) < 0).all()


def test_no_see_saw_where_tasks_agree(tasks):
    (A, a), (B, _) = tasks
    θ = np.linalg.lstsq(A, a)[0]
    found = see_saw(A.T @ A, A.T @ a, B.T @ B, B.T @ B @ θ, [0.1, 10.0])
    assert found.high == pytest.approx(0, abs=1e-12)


def test_the_page_runs():
    code, said = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL), StringIO()
    names = {}
    with redirect_stdout(said):
        for part in code:
            exec(part, names)
    assert len(said.getvalue().splitlines()) == 5
    assert names["drawn"].shape == (297, 1, 8, 8)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: variance_ratio([0.0, -1.0], [0.1], V), "`log_snr` must be two or more, rising"),
        (lambda: variance_ratio([0.0, 1.0], [0.1, 0.2], V), r"`bias` must be of shape \(1,\)"),
        (lambda: variance_ratio([0.0, 1.0], [np.nan], V), "`bias` must be finite"),
        (lambda: variance_ratio([0.0, 1.0], [0.1], -1.0), r"`variance` must be a number in \[0, inf\)"),
        (lambda: variance_ratio([0.0, 1.0], [0.1], V, churn=-1), r"`churn` must be a number in \[0, inf\)"),
        (lambda: sensitivity([0.0, np.inf], V), "`log_snr` must be finite"),
        (lambda: churn_to_forget(0.0, (0.0, 1.0), V), r"`share` must be a number in \(0, 1\]"),
        (lambda: see_saw(np.eye(2), [1, 1], np.eye(3), [1, 1, 1], [1]), r"`gram_high` must be of shape \(2, 2\)"),
        (lambda: see_saw(np.ones((2, 2)), [1, 1], np.eye(2), [1, 1], [1]), "`gram_low` must be symmetric"),
        (lambda: see_saw(np.eye(2), [1, 1], np.eye(2), [1, 1], [0]), "`weights` must be in"),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(InputError, match=said):
        wrong()
