"""Posteriors of Bayesian models, with the minibatch scores that stochastic-gradient samplers see.

target = BayesianRegression.drawn(200, 8, seed=0)     or BayesianRegression(x, y) of a user's own arrays
target.minibatch_score(theta, index)                         theta (C, d), index (C, b): n/b times a batch's, and the prior's
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from twopart import _random
from twopart._arrays import finite_tensor
from twopart._checks import InputError, check, check_integer, check_real
from twopart.worlds._libraries import library
from twopart.worlds.landscapes import Landscape
from twopart.worlds.targets import GaussianTarget, Target, Values, points, tensor

REFERENCE = Path(__file__).with_name("breast_cancer.json")
PRIOR = "it is the inverse variance of each weight before the data"


class BayesianRegression(GaussianTarget):
    """Weights of y = x θ + noise N(0, noise²) under the prior N(0, 1/prior_precision): a Gaussian."""

    def __init__(self, x: Values, y: Values, noise: float = 1.0, prior_precision: float = 1.0):
        """x (n, d), y (n,)."""
        self.noise = check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="()")
        self.prior_precision = check_real("prior_precision", prior_precision, 0, np.inf, PRIOR, closed="()")
        self.x = tensor("x", x, (None, None), "one row for each example")
        self.y = tensor("y", y, (len(self.x),), "one number for each row of `x`")
        H = self.x.T @ self.x / noise**2 + prior_precision * torch.eye(self.x.shape[1])
        super().__init__(H, torch.linalg.solve(H, self.x.T @ self.y / noise**2))

    @classmethod
    def drawn(
        cls, count: int, dimension: int, noise: float = 1.0, prior_precision: float = 1.0, seed: int = 0
    ) -> BayesianRegression:
        """`count` standard normal inputs, weights from N(0, 1)."""
        check_integer("count", count, 1, None, "it is the number of examples")
        check_integer("dimension", dimension, 1, None, "it is the number of weights")
        check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="()")
        random = _random.generator(seed, "regression")
        x, w = random.standard_normal((count, dimension)), random.standard_normal(dimension)
        return cls(x, x @ w + noise * random.standard_normal(count), noise, prior_precision)

    def minibatch_score(self, theta: Tensor, index: Tensor) -> Tensor:
        """The score with the data's part from the examples in `index`, (C, b), times n/b; theta and result (C, d)."""
        x, y = batch_of(self.x, self.y, theta, index)
        error = (y - torch.einsum("cbd,cd->cb", x, theta)) * (len(self.x) / index.shape[1] / self.noise**2)
        return torch.einsum("cb,cbd->cd", error, x) - self.prior_precision * theta


class LogisticPosterior(Landscape):
    """Weights of P(y = 1) = σ(x θ) under the prior N(0, 1/prior_precision).

    Potential, score and their minibatch versions in any dimension; log density, moments, samples and noised versions, which
    need the normaliser, in one or two. Elsewhere `laplace` is a Gaussian near it, and a long run of a sampler the reference.
    """

    nodes = 201

    def __init__(self, x: Values, y: Values, prior_precision: float = 1.0):
        """x (n, d), with a column of ones for an intercept; y (n,) of 0 and 1."""
        self.prior_precision = check_real("prior_precision", prior_precision, 0, np.inf, PRIOR, closed="()")
        self.x = tensor("x", x, (None, None), "one row for each example")
        self.y = tensor("y", y, (len(self.x),), "one label for each row of `x`")
        odd = self.y[(self.y != 0) & (self.y != 1)]
        check(len(odd) == 0, "y", odd[:3].tolist(), "made of 0 and 1", "encode the two classes so")
        self.dimension = self.x.shape[1]

    @property
    def box(self) -> tuple[tuple[float, float], ...]:
        if self.dimension > 2:
            raise InputError(
                f"`dimension` must be 1 or 2 for integrals over a grid, got {self.dimension}; use `potential` and `score`, "
                "`laplace`, or a reference by a sampler"
            )
        wide = 12 * self.laplace.covariance.diagonal().sqrt()
        return tuple((float(m - w), float(m + w)) for m, w in zip(self.mode, wide, strict=True))

    def potential(self, x: Tensor) -> Tensor:
        logits = points(x, self.dimension) @ self.x.to(x).T
        loss = torch.nn.functional.softplus(logits) - self.y.to(x) * logits
        return loss.sum(-1) + self.prior_precision / 2 * x.square().sum(-1)

    def score(self, x: Tensor) -> Tensor:
        logits = points(x, self.dimension) @ self.x.to(x).T
        return (self.y.to(x) - logits.sigmoid()) @ self.x.to(x) - self.prior_precision * x

    def minibatch_score(self, theta: Tensor, index: Tensor) -> Tensor:
        """The score with the data's part from the examples in `index`, (C, b), times n/b; theta and result (C, d)."""
        x, y = batch_of(self.x, self.y, theta, index)
        error = (y - torch.einsum("cbd,cd->cb", x, theta).sigmoid()) * (len(self.x) / index.shape[1])
        return torch.einsum("cb,cbd->cd", error, x) - self.prior_precision * theta

    def hessian(self, theta: Tensor) -> Tensor:
        """∇² f at one point (d,), shape (d, d)."""
        theta = finite_tensor("theta", theta, (self.dimension,), "one point")
        p = (self.x.to(theta) @ theta).sigmoid()
        eye = torch.eye(self.dimension).to(theta)
        return self.x.to(theta).T @ ((p * (1 - p))[:, None] * self.x.to(theta)) + self.prior_precision * eye

    @cached_property
    def mode(self) -> Tensor:
        """Where the posterior is largest, shape (d,), by Newton's method with steps halved until they go down."""
        theta = torch.zeros(self.dimension, dtype=torch.float64)
        for _ in range(200):
            step = torch.linalg.solve(self.hessian(theta), self.score(theta))
            while self.potential(theta + step) > self.potential(theta) + 1e-12 * abs(float(self.potential(theta))):
                step = step / 2
            theta = theta + step
            if float(step.abs().max()) < 1e-12 * (1 + float(theta.abs().max())):
                break
        return theta

    @cached_property
    def laplace(self) -> GaussianTarget:
        """The Gaussian with the mode and the curvature there."""
        return GaussianTarget(self.hessian(self.mode), self.mode)

    def diffused(self, scale: Values, std: Values) -> Target:
        assert self.box  # refuses more than two dimensions
        return super().diffused(scale, std)


class Reference(NamedTuple):
    """Moments of a posterior that have no formula: of many draws of a sampler with exact invariance."""

    mean: Tensor
    covariance: Tensor
    sampler: str
    draws: int
    least_effective_sample_size: int


def breast_cancer(prior_precision: float = 1.0) -> LogisticPosterior:
    """scikit-learn's breast cancer data: 569 tumours, 30 measurements, each scaled to mean 0 and variance 1, and an intercept.

    The intercept is the last of 31 weights. Raises `InputError` where scikit-learn is not installed.
    """
    data = library("sklearn.datasets", "the breast cancer data")
    x, y = data.load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    return LogisticPosterior(np.column_stack([x, np.ones(len(x))]), y.astype(float), prior_precision)


def breast_cancer_reference() -> Reference:
    """Its posterior's moments at prior_precision = 1 by NUTS: scripts/nuts_reference.py made the file and says how."""
    kept = json.loads(REFERENCE.read_text())
    mean, covariance = (torch.tensor(kept[name], dtype=torch.float64) for name in ("mean", "covariance"))
    draws = kept["chains"] * kept["draws"]
    return Reference(mean, covariance, kept["sampler"], draws, kept["least_effective_sample_size"])


def batch_of(x: Tensor, y: Tensor, theta: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """The examples (C, b, d) and (C, b) that each chain sees."""
    points(theta, x.shape[1])
    fits = isinstance(index, Tensor) and theta.ndim == index.ndim == 2 and len(index) == len(theta)
    fits = fits and index.dtype == torch.long and bool(((index >= 0) & (index < len(x))).all())
    got = (tuple(index.shape), str(index.dtype)) if isinstance(index, Tensor) else index
    bound = f"whole numbers (torch.long) in 0..{len(x) - 1} of shape ({len(theta)}, b)"
    check(fits, "index", got, bound, "one batch for each row of `theta`")
    flat = index.reshape(-1).to(theta.device)
    return x.to(theta)[flat].reshape(*index.shape, -1), y.to(theta)[flat].reshape(index.shape)
