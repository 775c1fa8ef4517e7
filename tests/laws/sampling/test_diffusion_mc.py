"""Laws of diffusion Monte Carlo: nested loops, plain simulations, quadrature, and other discretisations."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.stats import norm

from twopart._checks import InputError
from twopart.laws.sampling import diffusion_mc as law
from twopart.laws.sampling import grids

GRID = np.linspace(-6, 6, 121)
FIVE = 5  # standard errors: a false alarm in a million


def test_calls_are_those_of_nested_loops():
    n, m, R = 2, 3, [1, 2, 3]
    calls = 0

    def estimate(k):
        nonlocal calls
        for _ in range(n * m):
            if k:
                estimate(k - 1)
            else:
                calls += 1

    for k in range(3):
        for _ in range(R[k]):
            estimate(k)
    assert law.cost(3, n, m, R) == calls
    assert law.cost(2, 4, 8, 6) == 6 * (32 + 32**2)
    assert math.log10(law.cost(47, 6, 6)) == pytest.approx(73.16, abs=0.01)
    assert math.log10(law.cost(47, 10, 10)) == pytest.approx(94.00, abs=0.01)


@pytest.mark.parametrize(("a", "uniform", "adaptive"), [(2, 39, 6), (3, 99, 16), (6, 423, 68)])
def test_segments_are_as_long_as_posteriors_stay_log_concave(a, uniform, adaptive):
    """Curvature of a posterior: e^-2s/(1 - e^-2s) less the largest eigenvalue of the Hessian of ln p at its start."""

    def bend(t):
        return (a * math.exp(-t)) ** 2 - 1

    assert len(law.segments(a**2 - 1, 3.0)) == uniform
    assert law.segments(a**2 - 1, 3.0)[0] == pytest.approx(
        0.5 * math.log((2 * a**2 - 1) / (2 * a**2 - 2))
    )  # the paper's
    for ρ in (1.0, 0.3):
        lengths = law.segments(bend, 3.0, ρ)
        starts = np.cumsum(lengths) - lengths
        least = [1 / math.expm1(2 * s) - bend(t) - ρ * bend(t) for s, t in zip(lengths, starts, strict=True)]
        assert np.abs(least[:-2]).max() < 1e-9  # as long as may be
        assert sum(lengths) == pytest.approx(3)
    assert len(law.segments(bend, 3.0)) == adaptive
    assert len(law.segments(-1.0, 3.0)) == 1


@pytest.mark.parametrize("start", ["x", "likelihood"])
def test_a_gaussian_score_is_a_plain_simulation(start, size):
    """Two levels with another smoothness in each, one estimate after the other in one coordinate."""
    μ, v, lengths, L = 0.8, 0.5, [0.5, 0.3], [2.5, 1.5]
    n, m, random = 2, 3, np.random.default_rng(5)
    N, x = size(60_000, 600_000), 0.4

    def estimate(x, k, s):
        e, D = math.exp(-s), 1 - math.exp(-2 * s)
        τ, total = 0.4 / (L[k] + e**2 / D), 0.0
        for _ in range(n):
            y = x if start == "x" else x / e + math.sqrt(1 / e**2 - 1) * random.standard_normal(len(x))
            for _ in range(m):
                g = estimate(y, k - 1, lengths[k - 1]) if k else (μ - y) / v
                y = y + τ * (g + e * (x - e * y) / D) + math.sqrt(2 * τ) * random.standard_normal(len(x))
            total = total + (e * y - x) / D / n
        return total

    options = {"chains": n, "steps": m, "step": 0.4, "start": start}
    for level, t in ((0, 0.35), (1, 0.7)):
        found = estimate(np.full(N, x), level, t - sum(lengths[:level]))
        slope, offset, noise = law.gaussian_score(μ, v, lengths, lambda t: L[t > 0], t, **options)
        assert abs(found.mean() - slope * x - offset) < FIVE * math.sqrt(noise / N)
        assert abs(found.var() / noise - 1) < FIVE * math.sqrt(2 / N)


def test_numbers_of_another_implementation():
    """A prototype that took half of the inverse curvature of each level's own posterior."""
    options = {"chains": 6, "steps": 12}
    one = law.gaussian_score(1.5, 0.25, [0.4, 0.4], 4, 0.4, **options)
    two = law.gaussian_score(1.5, 0.25, [0.4, 0.4], lambda t: -one[0] if t else 4, 0.8, **options)
    for (slope, offset, noise), mean, variance in ((one, 0.46054, 0.06837), (two, -0.0308, 0.1427)):
        assert slope * 0.7 + offset == pytest.approx(mean, abs=1e-4)
        assert noise == pytest.approx(variance, abs=1e-4)
    for chains, variance, centre in ((4, 0.5331, 1.4916), (8, 0.5024, 1.4916)):
        slope = law.gaussian_score(1.5, 0.25, [0.9, 0.9], 4, 0.9, chains=chains, steps=8)[0]

        def bound(t, slope=slope):
            return -slope if t else 4

        M, V = law.gaussian_sampler(1.5, 0.25, [0.9] * 2, bound, chains=chains, steps=8, inner=6)
        assert (float(M), float(V)) == pytest.approx((centre, variance), abs=1e-4)


def test_many_chains_give_the_score():
    v, t, options = np.array([0.3, 2.0]), 1.1, {"chains": 10**12, "steps": 1000}
    slope, offset, _ = law.gaussian_score(0.7, v, [0.6, 0.6], 4.0, t, **options)
    variance = v * math.exp(-2 * t) - math.expm1(-2 * t)
    assert slope == pytest.approx(-1 / variance, rel=1e-6)
    assert offset == pytest.approx(0.7 * math.exp(-t) / variance, rel=1e-6)
    fine = law.gaussian_sampler(0.7, v, [3.0], 4.0, chains=10**12, steps=60, inner=300)
    assert fine[0] == pytest.approx([0.7] * 2, rel=0.02)
    assert fine[1] == pytest.approx(v, rel=0.05)


def test_kl_is_an_integral():
    p, q = norm(0.3, 1.2), norm(-0.5, 0.8)
    by_hand = quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), -12, 12)[0]
    assert law.gaussian_kl(0.3, 1.44, -0.5, 0.64) == pytest.approx(by_hand)
    assert law.gaussian_kl([0.3, 0.3], 1.44, -0.5, 0.64) == pytest.approx(2 * by_hand)


def test_the_grid_agrees_with_the_gaussian_law():
    x, lengths, options = np.linspace(-7, 7, 121), [1.5], {"chains": 4, "steps": 10}

    def estimate(t):
        return grids.one_segment(lambda y: (0.5 - y) / 0.6, x, t, 1 / 0.6, **options)

    slope, offset, noise = law.gaussian_score(0.5, 0.6, lengths, 1 / 0.6, 1.2, **options)
    inside = np.abs(x) < 4
    mean, variance = estimate(1.2)
    assert mean[inside] == pytest.approx((slope * x + offset)[inside], abs=1e-4)
    assert variance[inside] == pytest.approx(float(noise), rel=1e-3)
    p = grids.on_grid(estimate, lengths, 5, x) * (x[1] - x[0])
    M, V = law.gaussian_sampler(0.5, 0.6, lengths, 1 / 0.6, inner=5, **options)
    assert (p @ x, p @ x**2 - (p @ x) ** 2) == pytest.approx((float(M), float(V)), abs=2e-3)


def test_one_segment_comes_to_the_posterior_mean():
    """Small steps and many of them: the mean of q by quadrature, which is the score of the diffused mixture."""
    s, x, y = 0.4, np.array([-1.0, 0.3, 1.8]), np.linspace(-7, 7, 201)
    e, D = math.exp(-s), 1 - math.exp(-2 * s)
    log_p = np.logaddexp(math.log(0.7) - (y - 1.5) ** 2 / 2, math.log(0.3) - (y + 1.5) ** 2 / 2)
    q = np.exp(log_p - (x[:, None] - e * y) ** 2 / (2 * D))
    by_hand = (e * (q @ y) / q.sum(1) - x) / D
    score = CubicSpline(y, log_p).derivative()
    mean, variance = grids.one_segment(score, x, s, 1.25, chains=1, steps=400, step=0.05, grid=y)
    spread = (q @ y**2) / q.sum(1) - ((q @ y) / q.sum(1)) ** 2
    assert mean == pytest.approx(by_hand, abs=0.02)
    assert variance == pytest.approx((e / D) ** 2 * spread, rel=0.03)


def test_the_gap():
    """1 for a standard normal; for two modes, of Langevin's own kernel as its step goes to zero."""
    assert grids.langevin_gap(lambda x: -(x**2) / 2, -8, 8) == pytest.approx(1, abs=1e-4)

    def log_p(x, a):
        return np.logaddexp(-((x - a) ** 2) / 2, -((x + a) ** 2) / 2)

    x = np.linspace(-7.5, 7.5, 301)
    rates = []
    for τ in (0.02, 0.01):
        to = x + τ * (2 * np.tanh(2 * x) - x)
        kernel = np.exp(-((x - to[:, None]) ** 2) / (4 * τ))
        second = np.sort(np.abs(np.linalg.eigvals(kernel / kernel.sum(1, keepdims=True))))[-2]
        rates.append(-math.log(second) / τ)
    assert grids.langevin_gap(lambda x: log_p(x, 2), -9, 9) == pytest.approx(2 * rates[1] - rates[0], rel=0.005)
    for a, gap in ((1.5, 0.257), (3, 0.0143), (4, 6.2e-4), (5, 9.0e-6)):
        assert grids.langevin_gap(lambda x, a=a: log_p(x, a), -a - 7, a + 7) == pytest.approx(gap, rel=0.006)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: law.cost(0, 1, 1), "`segments` must be a whole number >= 1, got 0"),
        (lambda: law.cost(2, 1, 1, [1, 2, 3]), "`inner` must be 2 values, got '3 values'"),
        (lambda: law.cost(2, 1, 0), "`steps` must be a whole number >= 1, got 0"),
        (lambda: law.segments(math.nan, 1), "`curvature` must be a number"),
        (lambda: law.segments(1e9, 1), "`curvature` must be below"),
        (lambda: law.segments(1, -1), r"`horizon` must be a number in \(0, inf\), got -1"),
        (lambda: law.gaussian_score(0, -1, [1], 1, 1, chains=1, steps=1), r"`variance` must be in \(0, inf\), got -1"),
        (lambda: law.gaussian_score(0, 1, [1], -1, 1, chains=1, steps=1), r"`smoothness` must be .* >= 0|`smoothness`"),
        (lambda: law.gaussian_score(0, 1, [1], 1, 2, chains=1, steps=1), "`t` must be a number in"),
        (lambda: law.gaussian_score(0, 1, [0, 1], 1, 1, chains=1, steps=1), r"`segments` must be in \(0, inf\)"),
        (lambda: law.gaussian_score(0, 1, [1], 1, 1, chains=1, steps=1, start="0"), "`start` must be one of"),
        (lambda: law.gaussian_score([0, 0], [1, 1, 1], [1], 1, 1, chains=1, steps=1), r"`variance` must be .* broadcasts"),
        (lambda: law.gaussian_sampler([0, 0], [1, 1, 1], [1], 1, inner=1, chains=1, steps=1), r"`variance` .* broadcasts"),
        (lambda: law.gaussian_kl([0, 0], 1, 0, [1, 1, 1]), "`to_variance` must be of a shape that broadcasts with `mean`"),
        (lambda: law.gaussian_kl(0, -1, 0, 1), r"`variance` must be in \(0, inf\)"),
        (lambda: law.gaussian_kl(0, 1, math.nan, 1), "`to_mean` must be"),
        (lambda: law.step_size(1, 0), "`s` must be a number"),
        (lambda: grids.langevin_gap(np.cos, 5, -5), r"`high` must be a number in \(5, inf\)"),
        (lambda: grids.langevin_gap(np.cos, -5, None), r"`high` must be a number in \(-5, inf\)"),
        (lambda: grids.langevin_gap(None, -5, 5), "`log_density` must be a function of points"),
        (lambda: grids.ula_density(np.tanh, GRID * math.nan, 0.1), "`grid` must be finite"),
        (lambda: grids.on_grid(3, [1], 2, GRID), "`estimate` must be a function of the time"),
        (lambda: grids.on_grid(lambda t: GRID, [1], 2, GRID), "`estimate` must be mean and variance"),
        (lambda: grids.on_grid(lambda t: (GRID, GRID[:3] ** 2), [1], 2, GRID), "`estimate` must be of a shape that"),
        (lambda: grids.langevin_gap(lambda x: x[:4], -5, 5), r"`log_density` must be of shape \(2000,\)"),
        (lambda: grids.one_segment(np.tanh, GRID, 1, -1, chains=1, steps=1), "`smoothness` must be"),
        (lambda: grids.one_segment(np.tanh, GRID, 1, 1, chains=0, steps=1), "`chains` must be"),
        (lambda: grids.one_segment(lambda x: x * math.nan, GRID, 1, 1, chains=1, steps=1), "`score` must be finite"),
        (lambda: grids.on_grid(lambda t: (-GRID, 0.0), [1], 2, GRID**3), "`x` must be uniform"),
        (lambda: grids.on_grid(lambda t: (GRID * math.nan, 0.0), [1], 2, GRID), "`estimate` must be finite"),
        (lambda: grids.on_grid(lambda t: (-GRID, -1.0), [1], 2, GRID), "`estimate` must be in"),
        (lambda: grids.one_segment(np.tanh, np.linspace(-9, 9, 5), 1, 1, chains=1, steps=1), "`grid` must be finer"),
    ],
)  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(InputError, match=message):
        call()
