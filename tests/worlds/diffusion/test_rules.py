"""Pairs against quadrature and finite differences, marginals against histograms, scenes against known features."""

import math

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.worlds.diffusion import RULES, SCENES, Rule, RulePairs, band_classifier, ratio
from twopart.worlds.diffusion.rules import log_mass
from twopart.worlds.noise import VE
from twopart.worlds.noised import oracle, posterior

DOUBLE = torch.float64


def by_quadrature(world, y, a, s):
    """log ∫ ½ N(x; a u, s²) N(y; a g(u), a²δ² + s²) du at midpoints, and the mean of u."""
    edges = torch.linspace(-1, 1, 20_001, dtype=DOUBLE)
    u, v, w = (edges[1:] + edges[:-1]) / 2, s * s, s * s + (a * world.tolerance) ** 2
    g = world.rule.of(u)
    log = -((y[:, :1] - a * u) ** 2 / v + (y[:, 1:] - a * g) ** 2 / w) / 2 - math.log(4 * math.pi * math.sqrt(v * w))
    weight = log.softmax(1)
    return log.logsumexp(1) + math.log(1e-4), weight @ u


@pytest.mark.parametrize("rule", ["equal", "quadratic", "threshold", ratio(-0.5)])
@pytest.mark.parametrize("s", [0.05, 2.0])
def test_densities_scores_and_denoisers(rule, s):
    world = RulePairs(rule, 0.1)
    noisy = world.diffused(0.8, s)
    y = noisy.sample(20, 1).requires_grad_()
    log, u = by_quadrature(world, y.detach(), 0.8, s)
    found = noisy.log_density(y)
    (slope,) = torch.autograd.grad(found.sum(), y)
    assert torch.allclose(found.detach(), log, atol=2e-4)
    assert torch.allclose(noisy.score(y.detach()), slope, atol=1e-8)
    assert torch.allclose((y.detach() + s * s * slope)[:, 0] / 0.8, u, atol=2e-3)
    assert noisy.score(y.detach().float()).dtype == torch.float32
    times = torch.full((20,), s / 0.8, dtype=DOUBLE)  # a time for each point
    assert torch.allclose(oracle(world, VE())(y.detach() / 0.8, times), 0.8 * slope, atol=1e-8)


def test_the_clean_density_and_the_posterior():
    world = RulePairs("equal", 0.1)
    x = torch.tensor([[0.2, 0.25], [1.5, 1.5]], dtype=DOUBLE)
    log = world.log_density(x)
    assert float(log[0]) == pytest.approx(math.log(0.5) - 0.125 - math.log(0.1 * math.sqrt(2 * math.pi)))
    assert float(log[1]) < -1e6
    mean, spread = posterior(world, torch.tensor([[0.1, 0.3]], dtype=DOUBLE), 0.2, VE())
    # away from the ends all is Gaussian: precisions 1/σ² and 1/w of a
    σ2, w = 0.04, 0.05
    assert float(mean[0, 0]) == pytest.approx((0.1 / σ2 + 0.3 / w) / (1 / σ2 + 1 / w), abs=2e-4)
    assert float(spread[0, 0, 0]) == pytest.approx(1 / (1 / σ2 + 1 / w), rel=2e-2)


@pytest.mark.parametrize("rule", ["equal", "quadratic", "threshold", "sum"])
def test_moments_are_those_of_samples(rule, size):
    world, n = RulePairs(rule, 0.2), size(20_000, 10**6)
    x = world.diffused(0.5, 0.3).sample(n, 2)
    target = world.diffused(0.5, 0.3)
    apart = (x - target.mean)[:, :, None] * (x - target.mean)[:, None]
    assert bool(((x.mean(0) - target.mean).abs() < 5 * x.std(0) / n**0.5).all())
    assert bool(((apart.mean(0) - target.covariance).abs() < 5 * apart.std(0) / n**0.5).all())
    clean = world.residual(world.sample(n, 3))
    assert float(clean.std()) == pytest.approx(0.2, abs=5 * 0.2 / (2 * n) ** 0.5)


def test_marginals(size):
    n, places = size(5000, 10**6), torch.linspace(-3, 3, 61, dtype=DOUBLE)
    for rule in ("quadratic", "threshold"):
        product = RulePairs(rule, 0.2).product().diffused(0.9, 0.1)
        x = product.sample(n, 4)
        for i, part in enumerate(product.parts):
            fine = torch.linspace(-3, 3, 601, dtype=DOUBLE)[:, None]
            mass = part.log_density((fine[1:] + fine[:-1]) / 2).exp().reshape(60, 10).sum(1).numpy() * 1e-2
            counts = np.histogram(x[:, i], places)[0]
            assert mass.sum() == pytest.approx(1, abs=1e-3)
            assert np.all(np.abs(counts / n - mass) < 5.5 * np.sqrt(mass / n) + 1e-3)
        assert float(x.prod(1).mean() - x.mean(0).prod()) == pytest.approx(0, abs=5 / n**0.5)


def test_patches_are_read_along_their_directions():
    world = RulePairs("equal", 0.1)
    points, vectors = world.patches(200, 30, 0.05, seed=1)
    read = (points * vectors).sum(-1)
    assert points.shape == (200, 2, 30)
    assert float((read - world.sample(200, 1)).std()) == pytest.approx(0.05, rel=0.25)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2, dtype=DOUBLE))


@pytest.mark.parametrize("σ", [0.02, 0.3, 3.0])
def test_the_band_s_classifier_is_that_of_rejection(σ, size):
    """P(|b - a| < w | x_t) from all pairs near the point, weighted by how likely they become it."""
    n, w = size(100_000, 10**6), 0.2
    x = torch.rand(n, 2, generator=torch.Generator().manual_seed(0), dtype=DOUBLE) * 2 - 1
    at = torch.tensor([[0.3, 0.45], [0.95, 0.9], [-0.2, 0.1]], dtype=DOUBLE)
    if σ < 0.1:  # pairs near the points alone
        x = at[:, None] + 6 * σ * x
        weight = (-(x - at[:, None]).square().sum(-1) / (2 * σ**2)).exp() * (x.abs().amax(-1) < 1)
    else:
        weight, x = (-(x - at[:, None]).square().sum(-1) / (2 * σ**2)).exp(), x.expand(3, n, 2)
    inside = ((x[..., 1] - x[..., 0]).abs() < w).double()
    share = (weight * inside).sum(1) / weight.sum(1)
    error = (weight * (inside - share[:, None])).square().sum(1).sqrt() / weight.sum(1)
    found = band_classifier(w, VE())(at, torch.tensor(σ, dtype=DOUBLE)).exp()
    assert bool(((found - share).abs() < 5 * error + 2e-3).all())


@pytest.mark.parametrize("name", list(SCENES))
@pytest.mark.parametrize("side", [16, 64])
def test_readers_read_what_was_drawn(name, side, size):
    scene = SCENES[name](0.05, side)
    features = scene.pairs.sample(size(100, 1000), 1)
    features = features.clamp(-1.2, 1.2)
    found, sure = scene.read(scene.render(features))
    pixels = (found - features).abs().amax(0) * torch.tensor([box.moves + box.grows for box in scene.boxes]) * side / 16
    assert float(pixels.max()) < 0.2
    assert float(sure.min()) > 0.95
    assert torch.equal(scene.sample(5, 2), scene.sample(5, 2))
    assert float(scene.read(-torch.ones(1, 1, side, side))[1]) <= 0


def test_log_mass_in_both_tails():
    low = torch.tensor([-40.0, -1.0, 8.0, 1.0], dtype=DOUBLE)
    found, there = log_mass(low, low + 1), log_mass(-low - 1, -low)
    assert torch.allclose(found, there)
    assert float(found[1]) == pytest.approx(math.log(0.3413447))
    assert float(found[0]) == pytest.approx(-(39**2) / 2 - math.log(39 * math.sqrt(2 * math.pi)), abs=1e-3)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: RulePairs("none", 0.1), "`rule` must be one of"),
        (lambda: RulePairs(lambda u: u, 0.1), "`rule` must be a `Rule` or a name"),
        (lambda: Rule(lambda u: u, kinks=(0.5, 0.5)), r"`kinks` must be rising within \(-1, 1\)"),
        (lambda: Rule(lambda u: u, features=1), "`features` must be"),
        (lambda: ratio(math.nan), "`c` must be a number"),
        (lambda: RulePairs("equal", 0.1).patches(3, 0), "`size` must be"),
        (lambda: RulePairs("equal", -0.1), "`tolerance` must be a number in"),
        (lambda: RulePairs("sum", 0.1).score(torch.zeros(2, 3)), "`rule` must be of two for a density"),
        (lambda: RulePairs(Rule(lambda u: u), 0.1).score(torch.zeros(2, 3)), "`x` must be a float tensor"),
        (lambda: RulePairs("equal", 0.1).diffused(0.0, 1.0), "`scale` must be > 0"),
        (lambda: band_classifier(3.0, VE()), "`width` must be a number in"),
        (lambda: SCENES["mirror"](0.1, 8), "`size` must be a whole number in"),
        (lambda: SCENES["mirror"]().render(torch.full((1, 2), math.nan)), "`features` must be finite"),
        (lambda: SCENES["mirror"]().read(torch.zeros(1, 1, 8, 8)), "`images` must be of shape"),
    ],
)
def test_refusals(wrong, said):
    assert set(RULES) == {"equal", "quadratic", "threshold", "sum"}
    with pytest.raises(InputError, match=said):
        wrong()
