"""Classifiers against the exact log odds, guidance against rejection, budgets against closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from twopart._checks import InputError
from twopart.laws.diffusion import rule_information
from twopart.learners.diffusion import (
    ContrastiveRule,
    MLPDenoiser,
    error_by_noise,
    filtered,
    guided,
    perturb,
    pure_noise,
    roc_area,
    rule_budget,
    sample,
    shuffle,
    train_denoisers,
)
from twopart.worlds.diffusion import RulePairs, SunShadow, band_classifier
from twopart.worlds.noise import VE, grid
from twopart.worlds.noised import oracle

DOUBLE, CLOCK = torch.float64, VE()
LEVELS = torch.linspace(-4, 10, 29, dtype=DOUBLE)


class Quadratic(torch.nn.Module):
    """Logits p - q (b - a)², which is the form of the best ones."""

    def __init__(self):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.tensor([0.0, 0.0]))

    def forward(self, x, t):
        return self.weights[0] - 10 * self.weights[1] * (x[:, 1:] - x[:, :1]).square()


def test_the_classifier_finds_the_log_odds_of_perturbed_pairs(size):
    """At hardly any noise, where they are ln N(r; δ²)/N(r; δ'²); a column of logits does."""
    x = RulePairs("equal", 0.2).sample(size(8000, 10**5), 1)
    rule = ContrastiveRule(Quadratic().double(), x, perturb((0.4**2 - 0.2**2) ** 0.5))
    rule.fit(CLOCK, steps=120, batch=512, rate=0.1, log_snr=(14.0, 15.0))
    t = torch.tensor(1e-3, dtype=DOUBLE)
    r = torch.linspace(0, 0.6, 7, dtype=DOUBLE)
    found = rule.logit(torch.stack([0 * r, r], 1), t).detach()
    assert found.numpy() == pytest.approx(norm.logpdf(r, scale=0.2) - norm.logpdf(r, scale=0.4), abs=0.35)
    assert torch.allclose(rule.log_prob(x[:3], t), rule.logit(x[:3], t).sigmoid().log())
    # pairs of scales 1 and 2: |r| of the second is larger with probability 2/π arctan 2
    assert rule.auc(t) == pytest.approx(2 / math.pi * math.atan(2), abs=5 * 0.5 / 2048**0.5)
    assert rule.auc(1000.0) == pytest.approx(0.5, abs=5 * 0.5 / 2048**0.5)


def test_negatives_and_filters():
    x, random = RulePairs("equal", 0.01).sample(500, 1), torch.Generator().manual_seed(0)
    mixed = shuffle()(x, random)
    assert torch.equal(mixed[:, 0], x[:, 0])
    assert torch.equal(mixed[:, 1].sort().values, x[:, 1].sort().values)
    assert not torch.equal(mixed, x)
    images = SunShadow().sample(4, 1)
    assert torch.equal(shuffle(8)(images, random)[..., :8], images[..., :8])
    moved = perturb(0.5)(x, random)
    assert torch.equal(moved[:, 0], x[:, 0])
    assert float((moved - x)[:, 1].std()) == pytest.approx(0.5, rel=0.16)
    best = filtered(mixed, lambda y: -(y[:, 1] - y[:, 0]).abs(), 0.1)
    assert best.shape == (50, 2)
    assert float((best[:, 1] - best[:, 0]).abs().max()) <= float((mixed[:, 1] - mixed[:, 0]).abs().quantile(0.11))


def test_the_area_is_scikit_learns():
    scores = torch.randn(60, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    label = np.arange(60) < 25
    assert roc_area(scores[:25], scores[25:]) == pytest.approx(roc_auc_score(label, scores))


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_guidance_by_the_exact_classifier_is_rejection(dtype, size):
    """Independent features, guided into the band, against those of them that are in it."""
    n, w = size(250, 10**4), 0.3
    square, times = RulePairs("equal", 0.0).product(), grid(CLOCK, 20, (-5.0, 8.0))
    start = pure_noise(CLOCK, times, (n, 2), generator=torch.Generator().manual_seed(0), dtype=dtype)
    x = sample(guided(oracle(square, CLOCK, "eps"), CLOCK, band_classifier(w, CLOCK, 8)), CLOCK, times, start).double()
    kept = square.sample(20 * n, 1)
    kept = kept[(kept[:, 1] - kept[:, 0]).abs() < w]
    for f in (lambda y: (y[:, 1] - y[:, 0]).square(), lambda y: y[:, 0].square(), lambda y: y.sum(1)):
        error = (f(x).var() / n + f(kept).var() / len(kept)).sqrt()
        assert float((f(x).mean() - f(kept).mean()).abs() / error) < 5


def test_budgets(size):
    """The product's denoiser lacks the mutual information, by the perfect one and by losses alone."""
    world, n = RulePairs("equal", 0.1), size(4000, 10**5)
    parts, joint = (oracle(target, CLOCK, "eps") for target in (world.product(), world))
    law = rule_information(world)
    found = rule_budget(parts, joint, world, CLOCK, LEVELS, perfect=True, count=n)
    assert found.value == pytest.approx(law, abs=5 * 1.2 / n**0.5)
    by_loss = rule_budget(parts, joint, world.sample(20_000, 1), CLOCK, LEVELS, count=n)
    assert by_loss.value == pytest.approx(law, abs=5 * 4 / n**0.5)
    gap = error_by_noise(parts, joint, world, CLOCK, LEVELS[14:15], count=n)
    assert 0.2 < 2 * float(gap) < 1  # one coordinate of two can be told


def test_modules_may_be_asked_while_they_train():
    """They have the weights so far, and are their own afterwards."""
    data, seen = RulePairs("equal", 0.1), []
    made = [MLPDenoiser(2, CLOCK, width=4) for _ in range(2)]
    before = [p.clone() for p in made[1].parameters()]
    train_denoisers(
        made, data, CLOCK, steps=3, batch=8, on_step=lambda i, _: seen.append(next(made[1].parameters())[0, 0].item())
    )
    assert len(set(seen)) == 3
    assert seen[-1] == next(made[1].parameters())[0, 0].item() != before[0][0, 0].item()
    assert all(p._base is None and p.requires_grad for p in made[1].parameters())


X = torch.zeros(4, 2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: ContrastiveRule(Quadratic(), X * math.nan), "`positives` must be finite"),
        (lambda: ContrastiveRule(Quadratic(), [1.0]), "`positives` must be a torch tensor"),
        (lambda: ContrastiveRule(Quadratic(), X).auc(1.0), "`classifier` must be trained"),
        (lambda: ContrastiveRule(Quadratic(), X).fit(CLOCK, steps=0), "`steps` must be a whole number"),
        (lambda: ContrastiveRule(Quadratic(), X).fit(CLOCK, rate=0.0), "`rate` must be a number in"),
        (lambda: ContrastiveRule(Quadratic(), X).fit(CLOCK, log_snr=(3.0, -3.0)), "`log_snr` must be rising"),
        (
            lambda: ContrastiveRule(Quadratic(), X).fit(CLOCK, steps=1).auc(math.nan),
            "`t` must be where there is signal",
        ),
        (lambda: ContrastiveRule(Quadratic(), X, lambda x, _: x[:1]).fit(CLOCK, steps=1), "`negatives` must be of"),
        (lambda: ContrastiveRule(Quadratic(), X, shuffle(2)).fit(CLOCK, steps=1), "`at` must be within"),
        (lambda: ContrastiveRule(lambda x, t: x[:1, 0], X).logit(X, 1.0), "`classifier` must be one that gives"),
        (lambda: filtered(X[:0], lambda x: x[:, 0], 0.5), "`samples` must be one or more"),
        (lambda: roc_area(X[:, 0] * math.nan, X[:, 0]), "`kept` must be finite"),
        (lambda: perturb(0.0), "`std` must be a number in"),
        (lambda: filtered(X, lambda x: x[:, 0], 0.0), "`keep` must be a number in"),
        (lambda: filtered(X, lambda x: x, 0.5), "`classifier` must be of shape"),
        (lambda: rule_budget(None, None, X * math.nan, CLOCK, LEVELS), "`target` must be finite"),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(InputError, match=said):
        wrong()
