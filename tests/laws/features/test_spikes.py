"""The law of delayed spikes against autograd, 50 digits, brute maps in two coordinates, quadrature, and real regressions."""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import quad

from twopart.laws.features import spikes as law
from twopart.worlds.features import Whitened

START = math.cos(1.17), math.sin(1.17), 0.05


def descend(x, y, w, alpha, rate, rate_alpha, steps, decay=0.0):
    """Losses of α <x, w>/√mean <x, w>² by torch, steps + 1 of them, and the weights at the end."""
    x, y, w = (torch.as_tensor(v) for v in (x, y, w))
    a, losses = torch.tensor(alpha, dtype=torch.float64), []
    for _ in range(steps + 1):
        w, a = w.detach().requires_grad_(), a.detach().requires_grad_()
        z = x @ w
        loss = (a * z / z.square().mean().sqrt() - y).square().mean() / 2
        dw, da = torch.autograd.grad(loss, (w, a))
        losses.append(float(loss.detach()))
        last, (w, a) = w, (w.detach() * (1 - rate * decay) - rate * dw, a.detach() - rate_alpha * da)
    return np.array(losses), last.detach().numpy()


def brute(p, q, a, c, rate, rate_alpha):
    """One step in two coordinates, along w* and across it, as the gradient reads."""
    r = np.hypot(p, q)
    return p + rate * (a * c / r) * (q / r) ** 2, q * (1 - rate * a * c * p / r**3), a - rate_alpha * (a - c * p / r)


@pytest.mark.parametrize(("decay", "rate_alpha"), [(0.0, 0.05), (0.0, 0.2), (0.01, 0.1)])
def test_three_numbers_are_training(decay, rate_alpha):
    x, y, star = Whitened(20, 4, 2.0, noise=0.3).sample()
    across = np.random.default_rng(0).normal(size=4)
    across -= star * (across @ star) / 4
    w = START[0] * star / 2 + START[1] * across / np.linalg.norm(across)
    losses, last = descend(x, y, w, 0.05, 0.9, rate_alpha, 110, decay)
    found = law.path(*START, 2.0, 0.9, rate_alpha, 110, decay=decay)
    floor = np.mean((x @ star - y) ** 2) / 2
    assert floor == pytest.approx(0.045, rel=1e-9)
    assert losses - floor == pytest.approx(found.loss, abs=1e-6)
    assert np.linalg.norm(last) == pytest.approx(found.norm[-1], rel=1e-5)
    assert found.rises().any()


def test_the_direction_below_rounding_by_fifty_digits(size):
    mpmath.mp.dps = 50
    steps = size(300, 1400)
    p, q, a, c, rate, rate_alpha = map(mpmath.mpf, (*START, 2.0, 0.9, 0.01))
    found, exact = law.path(*START, 2.0, 0.9, 0.01, steps), []
    for _ in range(steps + 1):
        exact.append(float(mpmath.log(abs(q) / p)))
        r = mpmath.sqrt(p * p + q * q)
        p, q, a = p + rate * a * c * q * q / r**3, q * (1 - rate * a * c * p / r**3), a - rate_alpha * (a - c * p / r)
    assert min(exact) < -85
    assert found.log_tangent == pytest.approx(exact, abs=1e-6)
    floored = law.path(*START, 2.0, 0.9, 0.01, steps, floor=1e-16)
    assert law.spike(floored).step < 200 < 270 < law.spike(found).step, "rounding seeds spikes sooner"
    assert floored.log_tangent.min() == pytest.approx(math.log(1e-16))


def test_the_norm_grows_by_pythagoras():
    found = law.path(*START, 2.0, 0.9, 0.1, 80)
    sin = np.sin(np.arctan(np.exp(found.log_tangent)))[:-1]
    grown = (0.9 * found.alpha[:-1] * 2.0 * sin / found.norm[:-1]) ** 2
    assert found.norm[1:] ** 2 == pytest.approx(found.norm[:-1] ** 2 + grown, rel=1e-14)
    assert found.kappa == pytest.approx(0.9 * found.alpha * 2.0 / found.norm**2, rel=1e-14)


def test_angles_rise_where_the_law_says_in_ten_thousand_brute_runs():
    random, runs = np.random.default_rng(0), 10_000
    θ, a, c = random.uniform(0.01, 1.5, runs), random.uniform(0.05, 1.0, runs), random.uniform(0.5, 3.0, runs)
    rate, rate_alpha = random.uniform(0.2, 8, runs) / c**2, random.uniform(0.01, 0.5, runs)
    found = law.path(np.cos(θ), np.sin(θ), a * c, c, rate, rate_alpha, 25)
    p, q, alpha, rises = np.cos(θ), np.sin(θ), a * c, []
    for _ in range(25):
        before = np.abs(q) / p
        p, q, alpha = brute(p, q, alpha, c, rate, rate_alpha)
        rises.append((np.abs(q) / p > before) & (before > 1e-12))
    seen = np.exp(found.log_tangent[:-1]) > 1e-12
    assert 2000 < np.sum(rises) < 200_000
    assert np.sum((np.array(rises) != found.unstable()) & seen) == 0
    assert np.all(found.rises() == found.unstable())
    calm = law.never(1.0, c, rate)
    assert 1000 < calm.sum() < 9000
    assert not found.rises()[:, calm].any()


def test_decay_moves_the_edge():
    θ = np.linspace(0.01, 0.7, 50)
    edge = 2 * (1 - 0.1) * np.cos(θ) / np.cos(2 * θ)
    for share in (0.999, 1.001):
        kappa = share * edge  # from α = c = 1, r = 1
        found = law.path(np.cos(θ), np.sin(θ), 1.0, 1.0, kappa, 0.1, 1, decay=0.1 / kappa)
        assert found.rises()[0].all() == found.unstable(0.1)[0].all() == (share > 1)
        assert found.rises()[0].any() == (share > 1)


def test_the_closed_onset_is_exact_once_aligned():
    alpha, rates = np.array([0.05, 0.5, 1.0]), np.array([0.05, 0.01])[:, None]
    found = law.path(1.0, 1e-6, alpha, 2.0, 0.8, rates, 400)
    time = law.onset_time(alpha, 1.0, 2.0, 0.8, rates)
    assert law.onset(found).step == pytest.approx(np.ceil(time))
    assert law.onset(found).kappa == pytest.approx(2.0, abs=0.06)
    assert law.onset_time(1.9, 1.0, 2.0, 0.8, 0.05) == 0
    assert law.onset_time(0.1, 1.0, 2.0, 0.5, 0.05) == math.inf
    assert law.never(1.0, 2.0, np.array([0.5, 0.51])).tolist() == [True, False]


def test_waiting_is_the_growth_of_a_logarithm():
    """From the onset to a visible angle: Σ ln(κ - 1) = ln(tan θ_visible / tan θ_onset), while θ is small."""
    found = law.path(*START, 2.0, 0.9, 0.05, 60)
    a, b = int(law.onset(found).step), 55
    assert np.exp(found.log_tangent[b]) < 0.01
    grown = np.log(found.kappa[a:b] - 1).sum()
    assert grown == pytest.approx(found.log_tangent[b] - found.log_tangent[a], abs=1e-3)


def test_onset_and_spike_are_read_off():
    first = law.path(*START, 2.0, np.array([0.4, 0.9]), 0.05, 200)
    onset, spike = law.onset(first), law.spike(first)
    assert onset.step.tolist() == [-1, 24]
    assert spike.step.tolist() == [-1, 68]
    assert math.isnan(onset.kappa[0])
    assert math.isnan(spike.height[0])
    assert spike.height[1] == first.loss[68, 1] == first.loss[60:, 1].max()
    assert first.onsets().sum(0).tolist() == [0, 1]
    assert 1 < first.kappa[-1, 1] < 2
    one = law.path(*START, 2.0, 0.9, 0.05, 200)
    assert one.loss.shape == (201,)
    assert int(law.spike(one).step) == 68
    assert law.onset(one, above=-5.0).step > 24


def test_decay_repeats_spikes_at_the_period():
    """ln(κ_high/κ_low)/(2 rate decay). Without rounding ∫ ln|κ - 1| dκ/κ over a period is 0, to first order in the spike; in
    float64 ln tan θ begins at ln 1e-16 instead, and spikes come sooner.
    """
    for floor, seen in ((0.0, 163.0), (1e-16, 96.5)):
        found = law.path(*START, 2.0, 0.9, 0.05, 2500, decay=1e-2, floor=floor)
        starts = np.flatnonzero(found.onsets())[-6:]
        κ = found.kappa[starts[-2] : starts[-1]]
        assert np.diff(starts).mean() == pytest.approx(seen, abs=5)
        assert starts[-1] - starts[-2] == pytest.approx(law.period(κ.min(), κ.max(), 0.9, 1e-2), rel=0.06)
        fall, rise = (abs(quad(lambda k: math.log(abs(k - 1)) / k, a, 2, points=[1.0])[0]) for a in (κ.min(), κ.max()))
        assert fall - rise == pytest.approx(0.018 * -math.log(floor or 1.0), abs=0.15 * fall)
    held = law.path(*START, 2.0, 0.9, 0.05, 2500, decay=1e-2, clamp=law.CLAMP)
    assert not held.rises().any()
    assert held.loss[-1] < 1e-20
    assert law.period(1.0, math.e, 0.5, 0.1) == pytest.approx(10)


@pytest.mark.parametrize("data", ["identity", "condition 30", "diabetes"])
def test_any_covariance_is_a_line_of_its_numbers(data):
    if data == "diabetes":
        from sklearn.datasets import load_diabetes

        x, y = load_diabetes(return_X_y=True)
        x, y = x * 20, (y - y.mean()) / y.std()
    else:
        spectrum = None if data == "identity" else np.diag(np.geomspace(1, 30, 5))
        x, y, _ = Whitened(30, 5, 2.0, 0.1, spectrum).sample()
    Σ, star = x.T @ x / len(x), np.linalg.lstsq(x, y, rcond=None)[0]
    w = star + np.random.default_rng(1).normal(size=len(star)) * np.abs(star)
    losses, _ = descend(x, y, w, 0.1, 0.5, 0.2, 60)
    found = law.path_general(Σ, w, 0.1, star, 0.5, 0.2, 60)
    assert losses - np.mean((x @ star - y) ** 2) / 2 == pytest.approx(found.loss, abs=1e-9)
    both = law.path_general(Σ, np.stack([w, 2 * w]), np.array([0.1, 0.2]), star, np.array([0.5, 0.3]), 0.2, 60)
    assert both.loss[:, 0] == pytest.approx(found.loss, abs=1e-12)
    if data == "identity":
        p, c = w @ star / 2, 2.0
        whole = law.path(p, np.linalg.norm(w - p * star / 2), 0.1, c, 0.5, 0.2, 60)
        for name in ("loss", "norm", "alpha", "kappa"):
            assert getattr(whole, name) == pytest.approx(getattr(found, name), abs=1e-9)
        assert np.exp(whole.log_tangent) == pytest.approx(np.exp(found.log_tangent), abs=1e-12)


def test_numbers_and_both_types_of_floats():
    single, double = (law.path(*np.array(START, kind), 2.0, 0.9, 0.05, 5).loss for kind in (np.float32, np.float64))
    assert single.dtype == double.dtype == np.float64
    assert single == pytest.approx(double, rel=1e-5)
    assert isinstance(law.onset_time(0.1, 1, 2, 0.9, 0.05), float)
    assert isinstance(law.period(0.9, 3, 0.9, 0.01), float)
    assert law.path(1.0, np.ones((2, 1)), np.ones(3), 2.0, 0.9, 0.05, 4).loss.shape == (5, 2, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: law.path(-1.0, 1, 1, 1, 1, 0.1, 5), "`aligned` must be .*turn w"),
        (lambda: law.path(1, math.nan, 1, 1, 1, 0.1, 5), "`across`"),
        (lambda: law.path(1, 1, 0.0, 1, 1, 0.1, 5), "`alpha`"),
        (lambda: law.path(1, 1, 1, math.inf, 1, 0.1, 5), "`target`"),
        (lambda: law.path(1, 1, 1, 1, [0.1, -1], 0.1, 5), "`rate`"),
        (lambda: law.path(1, 1, 1, 1, 1, 1.5, 5), "`rate_alpha`"),
        (lambda: law.path(1, 1, 1, 1, 1, 0.1, 0), "`steps`"),
        (lambda: law.path(1, 1, 1, 1, 1, 0.1, 5, decay=2.0), "`decay` must be .*below 1"),
        (lambda: law.path(1, 1, 1, 1, 1, 0.1, 5, clamp=0.0), "`clamp`"),
        (lambda: law.path(1, 1, 1, 1, 1, 0.1, 5, floor=1.0), "`floor`"),
        (lambda: law.path_general(np.eye(3), np.ones(2), 1, np.ones(3), 1, 0.1, 5), "`w` must be of shape"),
        (lambda: law.path_general(np.eye(2), np.ones(3), 1, np.ones(3), 1, 0.1, 5), "`sigma`"),
        (lambda: law.path_general(np.eye(3), np.zeros(3), 1, np.ones(3), 1, 0.1, 5), "`w` must be not 0"),
        (lambda: law.path_general(np.eye(3), np.ones(3), 1, np.zeros(3), 1, 0.1, 5), "`w_star` must be not 0"),
        (lambda: law.path_general(np.eye(3), np.ones(3), 1, [1, 2, math.nan], 1, 0.1, 5), "`w_star` must be finite"),
        (lambda: law.never(0.0, 1, 1), "`norm`"),
        (lambda: law.onset_time(0.1, 1, 1, 1, 1.0), "`rate_alpha`"),
        (lambda: law.period(1, 2, 1, 0.0), "`decay`"),
        (lambda: law.period("1", 2, 1, 0.1), "`kappa_low`"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
