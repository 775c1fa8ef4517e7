"""Hidden rules and denoisers: classifiers that tell who keeps one, and what a denoiser lacks of one by noise level.

    rule = ContrastiveRule(classifier, images).fit(noise)            # a module (x, t) -> (n,); negatives: halves exchanged
    model = guided(denoiser, noise, rule.log_prob, scale=2.0)        # samplers.guided
    best = filtered(samples, lambda x: rule.log_prob(x, t), keep=0.25)
    lacks = rule_budget(denoiser, better_denoiser, images, noise, levels)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from twopart._arrays import finite_tensor
from twopart._checks import check, check_integer, check_real
from twopart.laws.diffusion.denoising import Nats, nats
from twopart.worlds.noise import Noise
from twopart.worlds.targets import Target

Negatives = Callable[[Tensor, torch.Generator], Tensor]


def shuffle(at: int = -1) -> Negatives:
    """What breaks a rule: all from `at` on along the last axis is that of another point, such as the right half of images."""
    return lambda x, random: torch.cat([x[..., :at], x[torch.randperm(len(x), generator=random)][..., at:]], -1)


def perturb(std: float, at: int = -1) -> Negatives:
    """N(0, std²) on all from `at` on: a residual of deviation δ becomes one of √(δ² + std²)."""
    size = check_real("std", std, 0, float("inf"), "√(δ'² - δ²) makes δ'", closed="()")

    def broken(x: Tensor, random: torch.Generator) -> Tensor:
        last = x[..., at:]
        return torch.cat([x[..., :at], last + size * torch.randn(last.shape, generator=random).to(last)], -1)

    return broken


class ContrastiveRule:
    """A classifier of noised points, (x, t) -> logits (n,), taught to tell `positives` (n, ...) from what `negatives` makes."""

    def __init__(self, classifier: nn.Module, positives: Tensor, negatives: Negatives | None = None) -> None:
        """Negatives are `shuffle()` if None. Raises `InputError` for points that are not finite."""
        shape = (None,) * max(2, getattr(positives, "ndim", 2))
        self.positives = finite_tensor("positives", positives, shape, "points (n, ...) that keep the rule")
        self.classifier, self.negatives = classifier, negatives or shuffle()

    def fit(
        self, noise: Noise, *, steps: int = 1000, batch: int = 256, rate: float = 3e-3,
        log_snr: tuple[float, float] = (-8.0, 8.0), seed: int = 0,
    ) -> ContrastiveRule:  # fmt: skip
        """Adam on cross entropy, as many positives as negatives a step, log SNR uniform."""
        self.noise, random = noise, torch.Generator().manual_seed(seed)
        check_integer("steps", steps, 1, None, "how many to take")
        check_integer("batch", batch, 2, None, "points of each kind")
        optimiser = torch.optim.Adam(self.classifier.parameters(), check_real("rate", rate, 0, 1, "3e-3 is usual"))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            at = torch.empty(2 * batch, dtype=torch.float64).uniform_(*log_snr, generator=random)
            x, label = self._noised(noise.time(at), batch, random)
            loss = nn.functional.binary_cross_entropy_with_logits(self.log_ratio(x, noise.time(at)), label)
            check(bool(loss.isfinite()), "rate", rate, "small enough to train", "take a smaller one")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        return self

    def log_ratio(self, x: Tensor, t: Tensor) -> Tensor:
        """Logits: at best ln p(x_t | kept)/p(x_t | broken), which turns a model of what is broken into one of what is kept."""
        found: Tensor = self.classifier(x, t)
        return found

    def log_prob(self, x: Tensor, t: Tensor) -> Tensor:
        """log P(kept | x_t) at even odds, for `guided`."""
        return nn.functional.logsigmoid(self.log_ratio(x, t))

    @torch.no_grad()
    def auc(self, t: Tensor | float, *, count: int = 2048, seed: int = 0) -> float:
        """The share of pairs at time t in which what keeps the rule has the higher logit; ½ is none."""
        check(hasattr(self, "noise"), "classifier", "untrained", "trained", "call `fit` first")
        n, time = min(count, len(self.positives)), torch.as_tensor(t, dtype=torch.float64)
        x, _ = self._noised(time.expand(2 * n), n, torch.Generator().manual_seed(seed))
        ranks = rankdata(self.log_ratio(x, time).numpy(force=True))
        return float((ranks[:n].sum() - n * (n + 1) / 2) / n**2)

    def _noised(self, t: Tensor, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        kept = self.positives[torch.randint(len(self.positives), (count,), generator=random)]
        x0 = torch.cat([kept, self.negatives(kept, random)])
        a, s = (part(t).to(x0).reshape(-1, *[1] * (x0.ndim - 1)) for part in (self.noise.scale, self.noise.std))
        x = a * x0 + s * torch.randn(x0.shape, generator=random).to(x0)
        return x, (torch.arange(2 * count) < count).to(x0)


def filtered(samples: Tensor, classifier: Callable[[Tensor], Tensor], keep: float) -> Tensor:
    """The share `keep` of samples (n, ...) to which the classifier, samples -> (n,), gives most; at least one."""
    share = check_real("keep", keep, 0, 1, "a share of the samples", closed="(]")
    scores = finite_tensor("classifier", classifier(samples), (len(samples),), "one number for each sample")
    return samples[scores.argsort(descending=True, stable=True)[: max(1, round(share * len(samples)))]]


@torch.no_grad()
def rule_budget(
    denoiser: Any, reference: Any, data: Tensor | Target, noise: Noise, log_snr: Tensor, *,
    perfect: bool = False, count: int = 4096, seed: int = 0,
) -> Nats:  # fmt: skip
    """Excess nats of a denoiser over a reference by noise level, both (x, t) -> eps: ½ ∫ (L - L_reference) dλ on `data`.

    With the product's denoiser over the joint's it is I(a; b), for oracles and for learned ones. `perfect`: the reference is
    the data's own oracle, and |epŝ - eps*|² replaces the difference of losses, with less noise.
    """
    random = torch.Generator().manual_seed(check_integer("seed", seed, 0, None, "a whole number"))
    if isinstance(data, Target):
        x0 = data.sample(count, seed)
    else:
        x = finite_tensor("data", data, (None,) * data.ndim, "points (n, ...)")
        x0 = x[torch.randint(len(x), (count,), generator=random)]
    like = next((p for p in getattr(denoiser, "parameters", lambda: iter(()))()), x0).dtype
    gaps = []
    for t in noise.time(torch.as_tensor(log_snr, dtype=torch.float64)):
        eps = torch.randn(x0.shape, generator=random, dtype=x0.dtype)
        x = noise.scale(t) * x0 + noise.std(t) * eps
        own, other = denoiser(x.to(like), t).double(), reference(x, t).double()
        gap = (own - other).square() if perfect else (own - eps).square() - (other - eps).square()
        gaps.append(float(gap.flatten(1).sum(1).mean()))
    return nats(log_snr, gaps)
