"""Hidden rules and denoisers: classifiers that tell who keeps one, and what a denoiser lacks of one by noise level.

    rule = ContrastiveRule(classifier, images).fit(noise)            # negatives: features exchanged
    model = guided(denoiser, noise, rule.log_prob, scale=2.0)        # samplers.guided

The scale 1 is Bayes' rule.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from twopart._arrays import finite_tensor
from twopart._checks import check, check_real, check_sizes
from twopart.learners.diffusion.samplers import noised_points, single
from twopart.worlds.noise import Noise

Negatives = Callable[[Tensor, torch.Generator], Tensor]


def shuffle(at: int = -1) -> Negatives:
    """What breaks a rule: all from `at` on along the last axis is another point's, such as the right half of images."""
    return lambda x, random: _joined(x, x[torch.randperm(len(x), generator=random)], at)


def perturb(std: float, at: int = -1) -> Negatives:
    """N(0, std²) on all from `at` on: a residual of deviation δ becomes one of √(δ² + std²)."""
    size = check_real("std", std, 0, float("inf"), "√(δ'² - δ²) makes δ'", closed="()")

    def broken(x: Tensor, random: torch.Generator) -> Tensor:
        return _joined(x, x + size * torch.randn(x.shape, generator=random).to(x), at)

    return broken


def _joined(x: Tensor, other: Tensor, at: int) -> Tensor:
    size = x.shape[-1]
    check(0 < abs(at) < size, "at", at, f"within a last axis of {size}", "it parts features")
    return torch.cat([x[..., :at], other[..., at:]], -1)


class ContrastiveRule:
    """A classifier of noised points, taught to tell `positives` (n, ...), which keep a rule, from what `negatives` makes.

    `classifier` is any module (x, t) -> logits, (n,) or a first column of them. The best is ln p(x_t | kept)/p(x_t | broken):
    as guidance it turns a model of what is broken into one of what is kept.
    """

    noise: Noise
    """The clock that it was taught with."""

    def __init__(self, classifier: nn.Module, positives: Tensor, negatives: Negatives | None = None) -> None:
        """Negatives are `shuffle()` if None. Raises `InputError` for points that are not finite."""
        shape = (None,) * max(2, getattr(positives, "ndim", 2))
        self.positives = finite_tensor("positives", positives, shape, "points (n, ...) that keep the rule")
        self.classifier, self.negatives = classifier, negatives or shuffle()

    def fit(
        self, noise: Noise, *, steps: int = 1000, batch: int = 256, rate: float = 3e-3,
        log_snr: tuple[float, float] = (-8.0, 8.0), seed: int = 0,
    ) -> ContrastiveRule:  # fmt: skip
        """Adam on cross entropy, `batch` positives and as many negatives a step, log SNR uniform; itself."""
        self.noise, random = noise, torch.Generator().manual_seed(seed)
        check_sizes(steps=steps, batch=batch)
        check(log_snr[0] < log_snr[1], "log_snr", log_snr, "rising", "swap them")
        η = check_real("rate", rate, 0, 1, "3e-3 is usual for Adam", closed="(]")
        optimiser = torch.optim.Adam(self.classifier.parameters(), η)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            t = noise.time(torch.empty(2 * batch, dtype=torch.float64).uniform_(*log_snr, generator=random))
            x = self._noised(t, batch, random)
            label = (torch.arange(2 * batch) < batch).to(x)
            loss = nn.functional.binary_cross_entropy_with_logits(self.logit(x, t), label)
            check(bool(loss.isfinite()), "rate", rate, "small enough to train", "take a smaller one")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        return self

    def logit(self, x: Tensor, t: Tensor) -> Tensor:
        """Shape (n,)."""
        found: Tensor = self.classifier(x, t)
        fits = found.shape[:1] == x.shape[:1]
        check(fits, "classifier", tuple(found.shape), f"one that gives ({len(x)},), or a column", "a logit each")
        return found.flatten(1)[:, 0] if found.ndim > 1 else found

    def log_prob(self, x: Tensor, t: Tensor) -> Tensor:
        """log P(kept | x_t) at even odds, shape (n,)."""
        return nn.functional.logsigmoid(self.logit(x, t))

    @torch.no_grad()
    def auc(self, t: Tensor | float, *, count: int = 2048, seed: int = 0) -> float:
        """The share of pairs at time t in which what keeps the rule has the higher logit; ½ is chance."""
        check(hasattr(self, "noise"), "classifier", "untrained", "trained", "call `fit` first")
        check_sizes(count=count)
        time = single(self.noise, t)
        scores = self.logit(self._noised(time, count, torch.Generator().manual_seed(seed)), time)
        return roc_area(scores[:count], scores[count:])

    def _noised(self, t: Tensor, count: int, random: torch.Generator) -> Tensor:
        """So many that keep the rule, then what breaks it of them, at time t, or at a time each."""
        kept = self.positives[torch.randint(len(self.positives), (count,), generator=random)]
        broken = finite_tensor("negatives", self.negatives(kept, random), tuple(kept.shape), "one for each positive")
        return noised_points(torch.cat([kept, broken]), self.noise, t, 2 * count, random)[0]


def roc_area(kept: Tensor, broken: Tensor) -> float:
    """The share of pairs in which the score of `kept` (n,) is above that of `broken` (m,), ties half."""
    both = zip(("kept", "broken"), (kept, broken), strict=True)
    n, m = (len(finite_tensor(name, scores, (None,), "a score each")) for name, scores in both)
    return float((rankdata(torch.cat([kept, broken]).numpy(force=True))[:n].sum() - n * (n + 1) / 2) / (n * m))


def filtered(samples: Tensor, classifier: Callable[[Tensor], Tensor], keep: float) -> Tensor:
    """The share `keep` of samples (n, ...) to which the classifier, samples -> (n,), gives most; at least one."""
    share = check_real("keep", keep, 0, 1, "a share of the samples", closed="(]")
    check(len(samples) > 0, "samples", len(samples), "one or more", "draw some")
    scores = finite_tensor("classifier", classifier(samples), (len(samples),), "one number for each sample")
    return samples[scores.argsort(descending=True, stable=True)[: max(1, round(share * len(samples)))]]
