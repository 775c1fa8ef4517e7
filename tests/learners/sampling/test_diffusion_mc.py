"""Recursive scores: against their laws, exact scores and nested counts, on callables of a user's own."""

import math
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.sampling import diffusion_mc as law
from twopart.laws.sampling import grids
from twopart.learners.sampling import (
    AmortisedScore,
    RecursiveScore,
    annealed,
    chains,
    curvature,
    diffusion_monte_carlo,
    score_of,
)
from twopart.learners.sampling.diffusion_mc import features, table

FIVE = 5  # standard errors
MEAN, VARIANCE = torch.tensor([1.5, -0.5]), torch.tensor([0.25, 0.6])


def gaussian(x):
    return (MEAN.to(x) - x) / VARIANCE.to(x)


def exact(x, t):
    v = VARIANCE.to(x) * math.exp(-2 * t) - math.expm1(-2 * t)
    return (MEAN.to(x) * math.exp(-t) - x) / v


def random(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("start", ["x", "likelihood"])
@pytest.mark.parametrize("t", [0.3, 0.9])
def test_estimates_follow_the_law(t, start, size):
    options = {"chains": 2, "steps": 4, "step": 0.4, "start": start}
    score = RecursiveScore(gaussian, [0.5, 0.6], 4.0, **options, generator=random())
    x = torch.tensor([[0.7, -0.2]]).expand(size(40_000, 200_000), 2)
    found = score(x, t).double()
    slope, offset, noise = law.gaussian_score(MEAN.numpy(), VARIANCE.numpy(), [0.5, 0.6], 4.0, t, **options)
    error = np.sqrt(noise / len(x))
    assert np.all(np.abs(found.mean(0).numpy() - slope * x[0].numpy() - offset) < FIVE * error)
    assert np.all(np.abs(found.var(0).numpy() / noise - 1) < FIVE * math.sqrt(2 / len(x)))
    assert score.calls == len(x) * (8 if t < 0.5 else 8**2)


def test_samples_follow_the_law(size):
    options = {"chains": 4, "steps": 4}
    score = RecursiveScore(gaussian, [0.8, 0.8], 4.0, **options, generator=random(1))
    found = diffusion_monte_carlo(score, size(3000, 80_000), 2, segments=[0.8, 0.8], inner=3, generator=random(2))
    M, V = law.gaussian_sampler(MEAN.numpy(), VARIANCE.numpy(), [0.8, 0.8], 4.0, inner=3, **options)
    n = len(found.x)
    assert np.all(np.abs(found.x.double().mean(0).numpy() - M) < FIVE * np.sqrt(V / n))
    assert np.all(np.abs(found.x.double().var(0).numpy() / V - 1) < FIVE * math.sqrt(2 / n))
    assert found.calls == score.calls == n * law.cost(2, 4, 4, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_control_variate_leaves_no_noise_on_gaussians(dtype):
    """At three levels, with two chains of one step: what the last gradient explains is everything."""
    score = RecursiveScore(gaussian, [0.4] * 3, 4.0, chains=3, steps=2, control=True, generator=random())
    x = torch.randn(5, 2, generator=random(1), dtype=dtype)
    for t in (0.2, 0.8, 1.1):
        found = score(x, t)
        assert found.dtype == dtype
        torch.testing.assert_close(found, exact(x, t), rtol=2e-3 if dtype == torch.float32 else 1e-9, atol=2e-3)
    assert score.calls == 5 * (6 + 6**2 + 6**3)


def test_averages_after_a_burn_in(size):
    """Of chains that have settled: the mean of the law, with less than half of the ends' variance; exact with control."""
    x = torch.tensor([[0.7, -0.2]]).expand(size(2000, 20_000), 2)
    slope, offset, noise = law.gaussian_score(MEAN.numpy(), VARIANCE.numpy(), [0.5], 4.0, 0.4, chains=2, steps=10**4)
    score = RecursiveScore(gaussian, [0.5], 4.0, chains=2, steps=80, burn=0.4, generator=random())
    found = score(x, 0.4).double()
    assert np.all(found.var(0).numpy() < noise / 2)
    error = found.std(0).numpy() / math.sqrt(len(x))
    assert np.all(np.abs(found.mean(0).numpy() - slope * x[0].numpy() - offset) < FIVE * error)
    assert score.calls == len(x) * 160
    control = RecursiveScore(gaussian, [0.5], 4.0, chains=2, steps=4, burn=0.5, control=True, generator=random())
    torch.testing.assert_close(control(x[:5].double(), 0.4), exact(x[:5].double(), 0.4))


def modes(x):
    return 1.5 * torch.tanh(1.5 * x) - x


def test_a_control_variate_narrows_elsewhere():
    """Two modes: the law of plain estimates on a grid; with the control variate less than a third of their variance."""
    lengths, bound, x = law.segments(1.25, 0.2)[:1], 1.25, torch.full((2000, 1), 0.6)
    s = float(lengths[0])
    grid = np.linspace(-6, 6, 301)
    mean, variance = grids.one_segment(
        lambda y: 1.5 * np.tanh(1.5 * y) - y, np.array([0.6]), s, bound, chains=6, steps=20, grid=grid
    )
    for control in (False, True):
        score = RecursiveScore(modes, lengths, bound, chains=6, steps=20, control=control, generator=random())
        found = score(x, s).double()
        if control:
            assert found.var() < variance[0] / 3
        else:
            assert abs(float(found.var()) / variance[0] - 1) < FIVE * math.sqrt(2 / len(x)) * 1.2
        assert abs(float(found.mean()) - mean[0]) < FIVE * math.sqrt(variance[0] / len(x)) + 0.02 * control


@pytest.mark.parametrize(("d", "regression"), [(1, None), (2, None), (2, partial(features, units=20))])
def test_fits_of_gaussian_scores_are_exact(d, regression):
    """The control variate leaves no noise, and the fits can say lines: what is left is the law of exact scores."""

    def target(x):
        return gaussian(torch.cat([x, x], 1))[:, :1] if d == 1 else gaussian(x)

    calls = 0

    def counted(x):
        nonlocal calls
        calls += len(x)
        return target(x)

    points = (
        torch.linspace(-4, 4, 40).double()[:, None] if d == 1 else 2 * torch.randn(60, 2, generator=random()).double()
    )
    score = AmortisedScore(counted, [0.4, 0.8], 4.0, chains=4, steps=3, control=True, points=points,
                           inner=[1, 2], regression=regression, generator=random())  # fmt: skip
    G, nm = len(points), 12
    assert calls == score.calls == G * nm
    assert score.evaluations == 3 * G * nm
    x = torch.randn(30, d, generator=random(3)).double()
    for t in (0.4, 0.8, 1.2, 1.0):  # the last was not fitted: chains that read the fit at 0.4
        wanted = exact(torch.cat([x, x], 1)[:, :2], t)[:, :d]
        torch.testing.assert_close(score(x, t), wanted, rtol=1e-3, atol=2e-3)
    assert diffusion_monte_carlo(score, 10, d, segments=[0.4, 0.8], inner=[1, 2], dtype=torch.float64).calls == 0


def test_an_exact_score_is_a_callable_like_any_other(size):
    n = size(5000, 200_000)
    found = diffusion_monte_carlo(exact, n, 2, segments=3.0, inner=40, generator=random(), dtype=torch.float64)
    M, V = law.gaussian_sampler(MEAN.numpy(), VARIANCE.numpy(), 3.0, 4.0, chains=10**12, steps=100, inner=40)
    assert np.all(np.abs(found.x.mean(0).numpy() - M) < FIVE * np.sqrt(V / n) + 1e-3)
    assert np.all(np.abs(found.x.var(0).numpy() / V - 1) < FIVE * math.sqrt(2 / n) + 1e-3)
    assert found.calls == 0


def test_half_the_score_does_not_hold_a_normal(size):
    """x <- e^h x + (e^h - 1) score + noise, a peer's step: a standard normal grows to 1 + R (e^2h - 1), near 1 + 2T."""
    n, R = size(5000, 200_000), 30
    x = diffusion_monte_carlo(lambda x, t: -x / 2, n, 1, segments=3.0, inner=R, generator=random()).x
    assert float(x.var()) == pytest.approx(1 + R * math.expm1(6 / R), rel=FIVE * math.sqrt(2 / n))


def test_a_log_density_is_enough():
    def log_density(x):
        return -((x - MEAN) ** 2 / VARIANCE).sum(-1) / 2

    x = torch.randn(7, 2, generator=random())
    torch.testing.assert_close(score_of(log_density)(x), gaussian(x))
    options = {"chains": 2, "steps": 2}
    one, two = (
        RecursiveScore(f, [0.4], 4, **options, generator=random())(x, 0.3) for f in (gaussian, score_of(log_density))
    )
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize(("dtype", "rel"), [(torch.float32, 5e-3), (torch.float64, 1e-6)])
def test_curvature_of_a_density(dtype, rel):
    """Of a turned Gaussian its precision's ends, of two modes -1 far away and a² - 1 between them."""
    turn = torch.linalg.qr(torch.randn(3, 3, generator=random()).to(dtype))[0]
    H = turn @ torch.diag(torch.tensor([0.5, 1.0, 4.0], dtype=dtype)) @ turn.T
    x = torch.randn(20, 3, generator=random(1), dtype=dtype)
    assert curvature(lambda y: -y @ H, x) == pytest.approx((-4, -0.5), rel=rel)
    assert curvature(modes, torch.linspace(-6, 6, 101, dtype=dtype)[:, None]) == pytest.approx((-1, 1.25), rel=rel)


def test_what_would_take_too_long_is_refused_before_it_begins():
    def never(x):
        raise AssertionError

    lengths = law.segments(lambda t: (5 * math.exp(-t)) ** 2 - 1, 3.0)
    score = RecursiveScore(never, lengths, 24.0, chains=6, steps=6)
    message = r"`calls of the target's score` must be at most the budget of 1e\+09, got '10\^73'; .*AmortisedScore"
    with pytest.raises(InputError, match=message):
        diffusion_monte_carlo(score, 1, 1, segments=lengths, inner=1)


def test_annealing_ends_at_the_target():
    found = [annealed(gaussian, 4)] * 4
    x = torch.randn(3, 2, generator=random())
    for β, score in zip((0.5, 1, 1, 1), found, strict=True):
        torch.testing.assert_close(score(x), β * gaussian(x) - (1 - β) * x)
    last = chains(annealed(modes, 50), torch.zeros(4, 1), 0.1, 50, generator=random())
    assert last.shape == (50, 4, 1)


def test_a_table_goes_on_beyond_its_points():
    x = torch.linspace(-1, 1, 33)[:, None]
    fit = table(x, torch.where(x.abs() < 0.5, x, -2 * x))
    torch.testing.assert_close(
        fit(torch.tensor([[-3.0], [0.25], [0.8], [2.0]]))[:, 0], torch.tensor([6.0, 0.25, -1.6, -4.0])
    )
    assert (table(x, x)(torch.tensor([[5.0]])) <= 1).all()  # no density rises for ever


def test_the_page_opens_with_what_runs(capsys):
    page = (Path(__file__).parents[3] / "docs/laws/recursive-score.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1)
    names = {}
    exec(code.replace("300, 2", "200, 2"), names)
    share = float((names["x"] @ names["c"] > 0).float().mean())
    assert abs(share - 0.75) < 0.05 + FIVE * math.sqrt(0.75 * 0.25 / 1000)  # eight chains of ten steps leave a bias
    assert f"10^{len(capsys.readouterr().out.split()[1]) - 1}" in code


OPTIONS = {"chains": 2, "steps": 2}
FITTED = AmortisedScore(modes, [1], 4, **OPTIONS, points=torch.linspace(-1, 1, 20)[:, None], inner=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RecursiveScore(3, [1], 1, **OPTIONS), "`score0` must be a function of points"),
        (lambda: RecursiveScore(gaussian, [1], 1, chains=1, steps=2, control=True), "`chains` must be a whole number >= 2"),
        (lambda: RecursiveScore(gaussian, [1], 1, **OPTIONS, step=2), r"`step` must be a number in \(0, 1\], got 2"),
        (lambda: RecursiveScore(gaussian, [1], 1, **OPTIONS, burn=2), r"`burn` must be a number in \[0, 1\], got 2"),
        (lambda: RecursiveScore(gaussian, [1, -1], 1, **OPTIONS), r"`segments` must be in \(0, inf\)"),
        (lambda: RecursiveScore(gaussian, [1], math.nan, **OPTIONS), "`smoothness` must be a number"),
        (lambda: RecursiveScore(gaussian, [1], 4, **OPTIONS)(torch.zeros(2), 1), r"`x` must be a tensor of floats \(n, d\)"),
        (lambda: RecursiveScore(gaussian, [1], 4, **OPTIONS)(torch.full((1, 2), math.nan), 1), "`x` must be finite"),
        (lambda: RecursiveScore(gaussian, [1], 4, **OPTIONS)(torch.zeros(1, 2), 0), r"`t` must be a number in \(0, 1\]"),
        (lambda: RecursiveScore(lambda x: x[:, 0], [1], 4, **OPTIONS)(torch.zeros(1, 2), 1), "`score` must be a tensor of"),
        (lambda: RecursiveScore(lambda x: x / 0, [1], 4, **OPTIONS)(torch.zeros(1, 2), 1), "`score` must be finite"),
        (lambda: diffusion_monte_carlo(exact, 0, 2, segments=1, inner=1), "`n` must be a whole number >= 1, got 0"),
        (lambda: diffusion_monte_carlo(None, 3, 2, segments=1, inner=1), "`score` must be a function"),
        (lambda: diffusion_monte_carlo(lambda x, t: x[:1], 3, 2, segments=1, inner=1), r"`score` must be .* \(3, 2\)"),
        (lambda: diffusion_monte_carlo(lambda x, t: x / 0, 3, 2, segments=1, inner=1), "`score` must be finite"),
        (lambda: diffusion_monte_carlo(exact, 3, 2, segments=1, inner=1, dtype=torch.int64), "`dtype` must be of floats"),
        (lambda: diffusion_monte_carlo(exact, 3, 2, segments=1, inner=1, dtype="float32"), "`dtype` must be of floats"),
        (lambda: diffusion_monte_carlo(exact, 3, 2, segments=1, inner=1, budget=math.nan), "`budget` must be a number"),
        (lambda: score_of(lambda x: x)(torch.ones(3, 2)), r"`log_density` must be a differentiable tensor of shape \(3,\)"),
        (lambda: score_of(lambda x: torch.ones(3))(torch.ones(3, 2)), "`log_density` must be a differentiable"),
        (lambda: score_of(lambda x: x.sum(1) * math.nan)(torch.ones(3, 2)), "`score` must be finite"),
        (lambda: table(torch.ones(20, 1), torch.ones(3, 1)), "`scores` must be 20 rows"),
        (lambda: features(torch.ones(20, 2), torch.full((20, 2), math.nan)), "`scores` must be finite"),
        (lambda: features(torch.ones(20, 2), torch.ones(20, 2), units=0), "`units` must be"),
        (lambda: FITTED(torch.ones(3, 2), 1.0), r"`x` must be a tensor of floats \(n, 1\), got \(3, 2\)"),
        (lambda: FITTED(torch.ones(3, 1), None), "`t` must be a number"),
        (lambda: score_of(3), "`log_density` must be a function"),
        (lambda: AmortisedScore(modes, [1], 4, **OPTIONS, points=torch.zeros(9, 1), inner=1), r"`points` must be \(G, 1\)"),
    ],
)  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(InputError, match=message):
        call()
