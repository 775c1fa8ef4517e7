"""The chains of the study of Laplacian smoothing. Rows:

of Gaussians    replicate, step, mode, and over the chains mean and variance in that mode
of posteriors   replicate, step, w2 from the posterior's moments, and law: the same by the recursion
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from twopart import _random
from twopart.fits.distances import gaussian_w2
from twopart.lab import Cell
from twopart.laws.sampling.langevin import largest_learning_rate, linear_moments, minibatch_noise, preconditioner
from twopart.learners.sampling.langevin import chains, on_batches
from twopart.learners.sampling.scores import Score
from twopart.studies.sampling.laplacian_smoothing import DECIDED, HOURS, Gaussian, Posterior
from twopart.worlds.posteriors import BayesianRegression, LogisticPosterior, breast_cancer, breast_cancer_reference
from twopart.worlds.targets import GaussianTarget

Floats = NDArray[np.float64]
BLOCK = 2048
"""Chains that are moved at once: they stay in the cache."""


def sample_modes(case: Gaussian, cell: Cell) -> pl.DataFrame:
    """Moments over the chains of each replicate, in every mode of a real Fourier basis."""
    target, d, R = GaussianTarget.circulant(case.h), case.dimension, case.each.replicates
    basis, random, root = hartley(d).to(cell.device), cell.generator("chains"), case.noise**0.5
    blocks = [len(part) for part in np.array_split(np.arange(case.chains), -(-case.chains * R // BLOCK))]
    sums = torch.zeros(len(case.at), 2, R, d, dtype=torch.float64)

    def score(x: Tensor) -> Tensor:
        g = target.score(x)
        return g + root * torch.randn(x.shape, generator=random, device=x.device) if root else g

    for done, C in enumerate(blocks):
        x = basis.sum(0).expand(R * C, d).contiguous()  # a unit in every mode
        if case.at_target:
            z = torch.randn(R * C, d, generator=random, device=cell.device)
            x = (z / torch.from_numpy(case.h).to(z).sqrt()) @ basis

        def look(k: int, x: Tensor, done: int = done) -> None:
            if k in case.at:
                y = (x @ basis).reshape(R, -1, d)
                sums[case.at.index(k)] += torch.stack([y.sum(1), y.square().sum(1)]).cpu()
            cell.progress(done * case.steps + k, len(blocks) * case.steps)

        options: dict[str, Any] = {"sigma": case.sigma, "variant": case.variant, "thin": case.steps}
        chains(score, x, case.rate, case.steps, generator=random, on_step=look, **options)
    mean, square = (sums / case.chains).unbind(1)
    step, replicate, mode = np.meshgrid(case.at, np.arange(R), np.arange(d), indexing="ij")
    labels = {"replicate": replicate, "step": step, "mode": mode}
    found = {**labels, "mean": mean.numpy(), "variance": (square - mean.square()).numpy()}
    return pl.DataFrame({name: values.ravel() for name, values in found.items()})


def sample_posterior(case: Posterior, cell: Cell) -> pl.DataFrame:
    """W2 of the chains of each replicate from the posterior, and by the law, at steps that are evenly spread."""
    model, R, random = Model.of(case), case.each.replicates, cell.generator("chains")
    at = sorted({int(k) for k in np.geomspace(1, case.steps, 24).round()} | {DECIDED})
    law, rows = model.law(case, at), []

    def apart(y: Tensor) -> Floats:
        """W2 of chains (..., C, d) from the posterior."""
        centred = y - y.mean(-2, keepdim=True)
        return gaussian_w2(y.mean(-2), centred.mT @ centred / (y.shape[-2] - 1), *model.truth)

    def look(k: int, x: Tensor) -> None:
        if k in at:
            y = x.double().cpu()
            rows.append([apart(y.reshape(R, -1, case.size)), np.full(R, apart(y)), np.full(R, law[at.index(k)])])
        cell.progress(k, case.steps)

    start = torch.zeros(case.chains * R, case.size, device=cell.device)
    options: dict[str, Any] = {"sigma": case.sigma, "variant": case.variant, "thin": case.steps}
    chains(model.score(random), start, model.rate, case.steps, generator=random, on_step=look, **options)
    w2, pooled, law = (values.ravel() for values in np.array(rows).swapaxes(0, 1))
    labels = {"replicate": np.tile(np.arange(R), len(at)), "step": np.repeat(at, R)}
    return pl.DataFrame({**labels, "w2": w2, "pooled": pooled, "law": law})


@dataclass(frozen=True, eq=False)
class Model:
    """What is sampled, and the Gaussian that stands for it in the law: exact for regression, else Laplace's."""

    truth: tuple[Floats, Floats]
    """The posterior's mean and covariance."""
    hessian: Floats
    mode: Floats
    rate: float
    noise: Callable[[Floats, Floats], Floats] | Floats
    score: Callable[[torch.Generator], Score]

    def law(self, case: Posterior, at: list[int]) -> Floats:
        """W2 from 0 on, of the Gaussian from itself."""
        P, variant = preconditioner(case.size, case.sigma), case.variant
        options: dict[str, Any] = {"learning_rate": self.rate, "steps": case.steps, "precondition": P, "at": at}
        found = linear_moments(self.hessian, -self.mode, noise=self.noise, variant=variant, **options)
        return gaussian_w2(found.mean, found.covariance, np.zeros(case.size), np.linalg.inv(self.hessian))

    @classmethod
    def of(cls, case: Posterior) -> Model:
        """The model that the case names."""
        if case.model == "regression":
            return cls.regression(case)
        return cls.hours(case) if case.model in HOURS else cls.cancer(case)

    @classmethod
    def regression(cls, case: Posterior) -> Model:
        """200 points, batches of 5, a learning rate of 0.2/‖H‖."""
        target, batch = BayesianRegression.drawn(200, case.size, seed=case.seed), 5
        H, μ = target.precision.numpy(), target.mean.numpy()
        noise = minibatch_noise(target.x.numpy(), target.y.numpy(), μ, batch)
        rate = 0.2 / np.linalg.eigvalsh(H)[-1]
        return cls(
            (μ, np.linalg.inv(H)), H, μ, rate, noise, lambda g: on_batches(target.minibatch_score, 200, batch, g)
        )

    @classmethod
    def hours(cls, case: Posterior) -> Model:
        """Clicks by the hour of the day, one-hot: how many there are and how many are ones change smoothly round the clock.

        Every weight has a posterior of its own, whose moments are sums over a grid; steps are 0.5/‖H‖, gradients full.
        """
        random = _random.generator(case.seed, "hours")
        clock = 2 * np.pi * np.arange(case.size) / case.size
        count = np.round(100 * (1 + 0.8 * np.cos(clock)))
        ones = random.binomial(count.astype(int), 1 / (1 + np.exp(-1.5 * np.sin(clock)))).astype(float)
        if case.model == HOURS[1]:
            shuffled = random.permutation(case.size)
            count, ones = count[shuffled], ones[shuffled]
        grid = np.linspace(-12, 12, 4001)
        log = ones[:, None] * grid - count[:, None] * np.logaddexp(0, grid) - grid**2 / 2
        share = np.exp(log - log.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        mean = share @ grid
        labels = np.concatenate([np.arange(n) < k for n, k in zip(count, ones, strict=True)]).astype(float)
        near = LogisticPosterior(np.eye(case.size)[np.repeat(np.arange(case.size), count.astype(int))], labels).laplace
        H, mode = near.precision.numpy(), near.mean.numpy()
        n, k = torch.from_numpy(count), torch.from_numpy(ones)
        truth = mean, np.diag(share @ grid**2 - mean**2)
        return cls(truth, H, mode, 0.5 / H.max(), np.zeros_like(H), lambda g: lambda x: k - n * x.sigmoid() - x)

    @classmethod
    def cancer(cls, case: Posterior) -> Model:
        """Batches of 32; the learning rate is the best for the law at the last step, the noise that at the mode."""
        target, reference, batch = breast_cancer(), breast_cancer_reference(), 32
        n, H, mode = len(target.x), target.laplace.precision.numpy(), target.mode.numpy()
        each = ((target.x @ target.mode).sigmoid() - target.y)[:, None] * target.x
        N = n**2 / batch * np.cov(each.numpy().T, bias=True)
        P = preconditioner(case.size, case.sigma)
        truth, candidates = np.linalg.inv(H), largest_learning_rate(H, P) * 2.0 ** -np.arange(0.5, 8, 0.5)

        def end(rate: float) -> float:
            found = linear_moments(H, -mode, learning_rate=rate, steps=case.steps, precondition=P, noise=N)
            return float(gaussian_w2(found.mean[-1], found.covariance[-1], np.zeros(case.size), truth))

        rate = min(candidates.tolist(), key=end)
        moments = reference.mean.numpy(), reference.covariance.numpy()
        return cls(moments, H, mode, rate, N, lambda g: on_batches(target.minibatch_score, n, batch, g))


def hartley(d: int) -> Tensor:
    """The real orthonormal basis (cos + sin)(2πjk/d) / √d, shape (d, d), in float32: it diagonalises circulant covariances."""
    angle = 2 * np.pi * np.outer(np.arange(d), np.arange(d)) / d
    return torch.from_numpy((np.cos(angle) + np.sin(angle)) / d**0.5).float()
