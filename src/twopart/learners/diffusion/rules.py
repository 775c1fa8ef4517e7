"""Hidden rules and denoisers: classifiers that tell who keeps one, and what a denoiser lacks of one by noise level.

    rule = ContrastiveRule(classifier, images).fit(noise)            # a module (x, t) -> (n,); negatives: features exchanged
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
from twopart.learners.diffusion.denoising import error_by_noise
from twopart.worlds.noise import Noise
from twopart.worlds.targets import Target

Negatives = Callable[[Tensor, torch.Generator], Tensor]


def shuffle(at: int = -1) -> Negatives:
    """What breaks a rule: all from `at` on along the last axis is another point's, such as the right half of images."""
    return lambda x, random: torch.cat([x[..., :at], x[torch.randperm(len(x), generator=random)][..., at:]], -1)


def perturb(std: float, at: int = -1) -> Negatives:
    """N(0, std²) on all from `at` on: a residual of deviation δ becomes one of √(δ² + std²)."""
    size = check_real("std", std, 0, float("inf"), "√(δ'² - δ²) makes δ'", closed="()")

    def broken(x: Tensor, random: torch.Generator) -> Tensor:
        last = x[..., at:]
        return torch.cat([x[..., :at], last + size * torch.randn(last.shape, generator=random).to(last)], -1)

    return broken


class ContrastiveRule:
    """A classifier of noised points, (x, t) -> logits (n,), taught to tell `positives` (n, ...) from what `negatives` makes.

    Its best logit is ln p(x_t | kept)/p(x_t | broken): added to a model of what is broken (`guided`) it gives what is kept.
    """

    def __init__(self, classifier: nn.Module, positives: Tensor, negatives: Negatives | None = None) -> None:
        """Negatives are `shuffle()` if None. Raises `InputError` for points that are not finite."""
        shape = (None,) * max(2, getattr(positives, "ndim", 2))
        self.positives = finite_tensor("positives", positives, shape, "points (n, ...) that keep the rule")
        self.classifier, self.negatives, self.noise = classifier, negatives or shuffle(), None

    def fit(
        self, noise: Noise, *, steps: int = 1000, batch: int = 256, rate: float = 3e-3,
        log_snr: tuple[float, float] = (-8.0, 8.0), seed: int = 0,
    ) -> ContrastiveRule:  # fmt: skip
        """Adam on cross entropy, `batch` positives and as many negatives a step, log SNR uniform; itself."""
        self.noise, random = noise, torch.Generator().manual_seed(seed)
        for name, value in (("steps", steps), ("batch", batch)):
            check_integer(name, value, 1, None, "how many to take")
        η = check_real("rate", rate, 0, 1, "3e-3 is usual for Adam", closed="(]")
        optimiser = torch.optim.Adam(self.classifier.parameters(), η)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            t = noise.time(torch.empty(2 * batch, dtype=torch.float64).uniform_(*log_snr, generator=random))
            x, label = self._noised(t, batch, random)
            loss = nn.functional.binary_cross_entropy_with_logits(self.classifier(x, t), label)
            check(bool(loss.isfinite()), "rate", rate, "small enough to train", "take a smaller one")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        return self

    def log_prob(self, x: Tensor, t: Tensor) -> Tensor:
        """log P(kept | x_t) at even odds."""
        return nn.functional.logsigmoid(self.classifier(x, t))

    @torch.no_grad()
    def auc(self, t: Tensor | float, *, count: int = 2048, seed: int = 0) -> float:
        """The share of pairs at time t in which what keeps the rule has the higher logit; ½ is none."""
        check(self.noise is not None, "classifier", "untrained", "trained", "call `fit` first")
        n, time = min(count, len(self.positives)), torch.as_tensor(t, dtype=torch.float64)
        x, _ = self._noised(time.expand(2 * n), n, torch.Generator().manual_seed(seed))
        return roc_area(*self.classifier(x, time).split(n))

    def _noised(self, t: Tensor, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        kept, noise = self.positives[torch.randint(len(self.positives), (count,), generator=random)], self.noise
        x0 = torch.cat([kept, self.negatives(kept, random)])
        a, s = (part(t).to(x0).reshape(-1, *[1] * (x0.ndim - 1)) for part in (noise.scale, noise.std))  # type: ignore[union-attr]
        return a * x0 + s * torch.randn(x0.shape, generator=random).to(x0), (torch.arange(2 * count) < count).to(x0)


def roc_area(kept: Tensor, broken: Tensor) -> float:
    """The share of pairs in which the score of `kept` (n,) is above that of `broken` (m,), ties half."""
    n, m = len(kept), len(broken)
    return float((rankdata(torch.cat([kept, broken]).numpy(force=True))[:n].sum() - n * (n + 1) / 2) / (n * m))


def filtered(samples: Tensor, classifier: Callable[[Tensor], Tensor], keep: float) -> Tensor:
    """The share `keep` of samples (n, ...) to which the classifier, samples -> (n,), gives most; at least one."""
    share = check_real("keep", keep, 0, 1, "a share of the samples", closed="(]")
    scores = finite_tensor("classifier", classifier(samples), (len(samples),), "one number for each sample")
    return samples[scores.argsort(descending=True, stable=True)[: max(1, round(share * len(samples)))]]


def rule_budget(
    denoiser: Any, reference: Any, data: Tensor | Target, noise: Noise, log_snr: Tensor, *,
    perfect: bool = False, count: int = 4096, seed: int = 0,
) -> Nats:  # fmt: skip
    """Excess nats of a denoiser over a reference by noise level, both (x, t) -> eps: ½ ∫ (L - L_reference) dλ on `data`.

    With denoisers of the marginals over those of the joint law it is I(a; b), for learned ones too. `perfect`: the reference
    is the data's own oracle, and |epŝ - eps*|², which has less noise, takes the place of the difference of losses.
    """
    size = data.dimension if isinstance(data, Target) else data[0].numel()
    at: dict[str, Any] = {"target": data, "noise": noise, "log_snr": log_snr, "count": count, "seed": seed}
    gap = error_by_noise(denoiser, reference if perfect else None, **at)
    return nats(log_snr, size * (gap if perfect else gap - error_by_noise(reference, None, **at)))
