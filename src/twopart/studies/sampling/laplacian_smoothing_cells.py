"""The chains of the study of Laplacian smoothing. Rows:

of Gaussians    replicate, step, mode, and over the chains mean and variance in that mode
of posteriors   replicate, step, w2 from the posterior's moments, and law: the same by the recursion
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart import _random
from twopart._arrays import Floats
from twopart.fits.distances import gaussian_w2
from twopart.lab import Cell
from twopart.laws.sampling.langevin import (
    Moments,
    largest_learning_rate,
    linear_moments,
    minibatch_noise,
    preconditioner,
)
from twopart.learners.sampling.langevin_chains import chains
from twopart.studies.sampling.laplacian_smoothing import DECIDED, HOURS, Gaussian, Posterior, spread
from twopart.worlds.posteriors import BayesianRegression, LogisticPosterior, breast_cancer, breast_cancer_reference
from twopart.worlds.targets import GaussianTarget

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

        chains(score, x, case.rate, case.steps, case.sigma, case.steps, random, variant=case.variant, on_step=look)
    mean, square = (sums / case.chains).unbind(1)
    step, replicate, mode = np.meshgrid(case.at, np.arange(R), np.arange(d), indexing="ij")
    found = {"replicate": replicate, "step": step, "mode": mode, "mean": mean.numpy()}
    found["variance"] = (square - mean.square()).numpy()
    return pl.DataFrame({name: values.ravel() for name, values in found.items()})


def sample_posterior(case: Posterior, cell: Cell) -> pl.DataFrame:
    """W2 of the chains of each replicate from the posterior, and by the law, at steps that are evenly spread.

    On the hours the law's own chains move with the same noise: what their moments miss the law by is taken off the others'.
    That leaves a tenth of the error, and no floor under small distances.
    """
    make = {"regression": regression, "breast cancer": cancer}.get(case.model, hours)
    model, R, paired = make(case), case.each.replicates, case.model in HOURS
    at = sorted({*spread(case.steps, 24), DECIDED})
    start = torch.zeros(case.chains * R, case.size, device=cell.device)

    def walk(score: Callable[[torch.Generator, Tensor], Tensor], before: int) -> list[Floats]:
        """Means (steps, R + 1, d) and covariances over the chains of each replicate and, last, over all."""
        random, found = cell.generator("chains"), []

        def look(k: int, x: Tensor) -> None:
            if k in at:
                y = x.double().cpu()
                each, every = moments(y.reshape(R, -1, case.size)), moments(y[None])
                found.append([torch.cat(parts).numpy() for parts in zip(each, every, strict=True)])
            cell.progress(before * case.steps + k, (1 + paired) * case.steps)

        how = (model.rate, case.steps, case.sigma, case.steps, random)
        chains(partial(score, random), start, *how, variant=case.variant, on_step=look)
        return [np.stack(parts) for parts in zip(*found, strict=True)]

    law, (mean, covariance) = model.moments(case, at), walk(model.score, 0)
    if paired:
        twins = walk(lambda _, x: model.near.score(x), 1)
        mean = mean + (law.mean + model.near.mean.numpy())[:, None] - twins[0]
        covariance = covariance + law.covariance[:, None] - twins[1]
    w2 = gaussian_w2(mean, covariance, *model.truth)
    labels = {"replicate": np.tile(np.arange(R), len(at)), "step": np.repeat(at, R)}
    wide = {"pooled": w2[:, -1], "law": model.w2(law)}
    return pl.DataFrame({**labels, "w2": w2[:, :-1].ravel(), **{name: np.repeat(x, R) for name, x in wide.items()}})


def moments(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance over chains (..., C, d)."""
    centred = y - y.mean(-2, keepdim=True)
    return y.mean(-2), centred.mT @ centred / (y.shape[-2] - 1)


@dataclass(frozen=True, eq=False)
class Model:
    """What is sampled, and the Gaussian that stands for it in the law: exact for regression, else Laplace's."""

    truth: tuple[Floats, Floats]
    """The posterior's mean and covariance."""
    near: GaussianTarget
    noise: Callable[[Floats, Floats], Floats] | Floats
    score: Callable[[torch.Generator, Tensor], Tensor]
    rate: float

    def moments(self, case: Posterior, at: list[int]) -> Moments:
        """Of the Gaussian that stands for the posterior, from its mean, for chains that start at 0."""
        H, P = self.near.precision.numpy(), preconditioner(case.size, case.sigma)
        how: dict[str, Any] = {"learning_rate": self.rate, "steps": at, "precondition": P, "variant": case.variant}
        return linear_moments(H, -self.near.mean.numpy(), noise=self.noise, **how)

    def w2(self, law: Moments) -> Floats:
        """Of that Gaussian from itself."""
        d = law.mean.shape[-1]
        return gaussian_w2(*law, np.zeros(d), np.linalg.inv(self.near.precision.numpy()))


def regression(case: Posterior) -> Model:
    """200 points, batches of 5, a learning rate of 0.2/‖H‖."""
    target = BayesianRegression.drawn(200, case.size, seed=case.seed)
    H, μ = target.precision.numpy(), target.mean.numpy()
    noise, rate = minibatch_noise(target.x.numpy(), target.y.numpy(), μ, 5), 0.2 / np.linalg.eigvalsh(H)[-1]
    return Model((μ, np.linalg.inv(H)), target, noise, partial(of_batches, target, 5), rate)


def hours(case: Posterior) -> Model:
    """Clicks by the hour of the day, one-hot: how many there are and how many are ones change smoothly round the clock.

    Every weight has a posterior of its own, in one dimension; steps are 0.5/‖H‖, gradients full.
    """
    random = _random.generator(case.seed, "hours")
    clock = 2 * np.pi * np.arange(case.size) / case.size
    count = np.round(100 * (1 + 0.8 * np.cos(clock))).astype(int)
    ones = random.binomial(count, 1 / (1 + np.exp(-1.5 * np.sin(clock))))
    if case.model == HOURS[1]:
        shuffled = random.permutation(case.size)
        count, ones = count[shuffled], ones[shuffled]
    each = [LogisticPosterior(np.ones((n, 1)), np.arange(n) < k) for n, k in zip(count, ones, strict=True)]
    truth = np.array([p.mean.item() for p in each]), np.diag([p.covariance.item() for p in each])
    near = GaussianTarget([p.laplace.precision.item() for p in each], [p.mode.item() for p in each])
    n, k = torch.from_numpy(count).double(), torch.from_numpy(ones).double()

    def score(_: torch.Generator, x: Tensor) -> Tensor:
        return k.to(x) - n.to(x) * x.sigmoid() - x

    return Model(truth, near, np.zeros((case.size,) * 2), score, 0.5 / float(near.precision.max()))


def cancer(case: Posterior) -> Model:
    """Batches of 32; the learning rate is the best for the law at the last step, the noise that at the mode."""
    target, reference = breast_cancer(), breast_cancer_reference()
    each = ((target.x @ target.mode).sigmoid() - target.y)[:, None] * target.x
    noise = len(each) ** 2 / 32 * np.cov(each.numpy().T, bias=True)
    truth = reference.mean.numpy(), reference.covariance.numpy()
    most = largest_learning_rate(target.laplace.precision.numpy(), preconditioner(case.size, case.sigma))
    tried = [
        Model(truth, target.laplace, noise, partial(of_batches, target, 32), most * share)
        for share in 2.0 ** -np.arange(0.5, 8, 0.5)
    ]
    fair = replace(case, variant="langevin")
    return min(tried, key=lambda model: model.w2(model.moments(fair, [case.steps]))[-1])


def of_batches(target: Any, batch: int, random: torch.Generator, x: Tensor) -> Any:
    """The score from batches drawn with replacement, each chain its own."""
    index = torch.randint(len(target.x), (len(x), batch), generator=random, device=x.device)
    return target.minibatch_score(x, index)


def hartley(d: int) -> Tensor:
    """The real orthonormal basis (cos + sin)(2πjk/d) / √d, shape (d, d), in float32: it diagonalises circulant covariances."""
    angle = 2 * np.pi * np.outer(np.arange(d), np.arange(d)) / d
    return torch.from_numpy((np.cos(angle) + np.sin(angle)) / d**0.5).float()
