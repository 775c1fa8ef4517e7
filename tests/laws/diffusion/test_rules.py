"""Laws of hidden rules against simulation, histograms, closed forms by hand and the published prototype's numbers."""

import math
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from twopart._checks import InputError
from twopart.laws.diffusion import (
    affine_rule_error,
    band_auc,
    band_law,
    gaussian_loss,
    nats,
    residual_nats,
    rule_information,
    separable_rule_error,
    share_nats,
)
from twopart.worlds.diffusion import RulePairs

PAGE = Path(__file__).parents[3] / "docs/laws/hidden-rules.md"


@pytest.mark.parametrize(
    ("rule", "tolerance", "by_hand"),
    [("equal", 0.02, 4e-4), ("quadratic", 0.02, 0.7004), ("quadratic", 0.1, 0.71)],
)
def test_affine_errors(rule, tolerance, by_hand, size):
    """By hand for straight rules and parabolas, and against draws from the Gaussian."""
    world, n = RulePairs(rule, tolerance), size(40_000, 10**6)
    mean, covariance = world.mean.numpy(), world.covariance.numpy()
    law = affine_rule_error(mean, covariance, world.rule.of)
    assert law == pytest.approx(by_hand, rel=1e-9)
    x = np.random.default_rng(0).multivariate_normal(mean, covariance, n)
    square = world.residual(x) ** 2
    assert square.mean() == pytest.approx(law, abs=5 * square.std() / n**0.5)


def test_the_affine_error_of_a_jump():
    """β²/3 - 2β E|a| + 1 + Σ_bb - β²/3 with β = 3/2 and a ~ N(0, 1/3): 200 nodes across the jump would be 2.5 % off."""
    world = RulePairs("threshold", 0.02)
    found = affine_rule_error(world.mean, world.covariance, world.rule.of, world.rule.kinks)
    assert found == pytest.approx(2 + 4e-4 - 3 * math.sqrt(2 / (3 * math.pi)), rel=1e-9)


def test_separable_errors(size):
    world, n = RulePairs("quadratic", 0.1), size(40_000, 10**6)
    square = world.residual(world.product().sample(n, 1)) ** 2
    assert separable_rule_error(world) == pytest.approx(0.01 + 2 * 0.2)
    assert float(square.mean()) == pytest.approx(separable_rule_error(world), abs=5 * float(square.std()) / n**0.5)


def test_information_by_the_entropy_of_a_histogram(size):
    """Of 2^n cells, with Miller's correction; and the values of an independent prototype."""
    for δ, known in ((0.01, 3.888), (0.03, 2.808), (0.1, 1.667)):
        assert rule_information(RulePairs("equal", δ)) == pytest.approx(known, abs=1e-3)
        assert rule_information(RulePairs("equal", δ)) == pytest.approx(math.log(2 / δ) - 1.419, abs=1.2 * δ)
    n, bins = size(200_000, 10**6), 300
    for rule in ("threshold", "quadratic"):
        b = RulePairs(rule, 0.2).sample(n, 1)[:, 1].numpy()
        counts, edges = np.histogram(b, bins)
        share = counts[counts > 0] / n
        entropy = -(share * np.log(share)).sum() + (len(share) - 1) / (2 * n) + math.log(edges[1] - edges[0])
        found = rule_information(RulePairs(rule, 0.2)) + math.log(2 * math.pi * math.e * 0.04) / 2
        assert found == pytest.approx(entropy, abs=5 * 1.0 / n**0.5)


def test_a_normal_residual_s_nats_by_noise():
    """In all in closed form, by level through the losses of perfect denoisers, and the shares of the page."""
    λ = np.linspace(-20, 25, 4001)
    v, u, σ2 = 0.01, 0.04, np.exp(-λ)
    loss = (σ2 * (v + σ2) - 2 * σ2 * (u + σ2)) / (u + σ2) ** 2 + 1 - gaussian_loss(v, λ)
    whole = residual_nats(0.1, 0.2)
    assert whole == pytest.approx(math.log(2) + 1 / 8 - 1 / 2)
    assert nats(λ, loss).value == pytest.approx(whole, rel=1e-4)
    kept = (σ2 <= 0.04) & (σ2 >= 0.01)
    assert nats(λ[kept], loss[kept]).value == pytest.approx(residual_nats(0.1, 0.2, (0.1, 0.2)), rel=0.02)
    shares = [residual_nats(1, k, (1, k)) / residual_nats(1, k) for k in (5, 2, 1.2)]
    assert shares == pytest.approx([0.65, 0.35, 0.09], abs=0.005)
    assert residual_nats([0.1, 0.2], 0.2)[1] == 0


def test_shares_and_tails():
    assert share_nats(0.5, 0.25) == pytest.approx(math.log(2) / 2 + math.log(2 / 3) / 2)
    assert share_nats(1.0, 0.0) == math.inf
    assert share_nats([0.3, 1.0], [0.3, 1.0]).tolist() == [0, 0]
    rms = math.sqrt(0.99 * 1e-4 + 0.01 / 3)  # a hundredth of samples anywhere
    assert rms / 0.01 == pytest.approx(5.9, abs=0.05)
    assert residual_nats(0.01, 0.01107) == pytest.approx(0.0096, rel=0.02)  # for as many nats a normal one has 1.11 δ


def test_bands_by_rejection(size):
    n, random = size(40_000, 10**6), np.random.default_rng(0)
    a, b = random.uniform(-1, 1, (2, n))
    for w in (0.3, 0.15):
        inside = np.abs(b - a) < w
        square = (b - a)[inside] ** 2
        rms, share = band_law(w)
        assert rms**2 == pytest.approx(square.mean(), abs=5 * square.std() / inside.sum() ** 0.5)
        assert share == pytest.approx(inside.mean(), abs=5 * (share / n) ** 0.5)
        assert rms == pytest.approx(w / 3**0.5, rel=0.025)
        for σ in (0.02, 0.3, 3.0):
            r = np.abs(b - a + 2**0.5 * σ * random.standard_normal(n))
            m = int(min(inside.sum(), 3000))
            area = np.mean(r[inside][:m] < r[~inside][:m])
            assert band_auc(w, σ) == pytest.approx(area, abs=5 * 0.5 / m**0.5)
    assert band_auc(0.1, [1e-3, 10.0]) == pytest.approx([1, 0.5], abs=2e-3)


def test_the_page_runs():
    said, names = StringIO(), {}
    with redirect_stdout(said):
        for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(code, names)
    assert len(said.getvalue().splitlines()) == 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: affine_rule_error([0.0], np.eye(2), np.square), r"`mean` must be of shape \(2,\)"),
        (lambda: affine_rule_error([0.0, 0.0], -np.eye(2), np.square), "`covariance` must be positive"),
        (lambda: affine_rule_error([0.0, 0.0], [[1.0, 0.5], [0.0, 1.0]], np.square), "`covariance` must be positive"),
        (lambda: affine_rule_error([0.0, 0.0], np.eye(2), lambda a: a * np.nan), "`rule` must be finite"),
        (lambda: residual_nats(1.0, 1.0, (2.0, 1.0)), "`window` must be two σ, rising"),
        (lambda: affine_rule_error([0.0, np.nan], np.eye(2), np.square), "`mean` must be finite"),
        (lambda: rule_information(RulePairs("equal", 0.0)), "`tolerance` must be > 0"),
        (lambda: residual_nats(0.0, 1.0), r"`tolerance` must be in \(0, inf\)"),
        (lambda: residual_nats(1.0, 1.0, (np.nan, 1.0)), "`window` must be in"),
        (lambda: share_nats(1.1, 0.5), r"`true` must be in \[0, 1\]"),
        (lambda: band_law(2.5), "`width` must be a number in"),
        (lambda: band_auc(0.1, 0.0), "`sigma` must be in"),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(InputError, match=said):
        wrong()
