"""One ReLU neuron with a known truth: y = relu(<x, w*>) + noise, under symmetric inputs of covariance diag(λ).

    world = ReluNeuron.power(400, decay=1.2)            # λ_i ∝ i^-1.2, Σ λ = 1, weights of alternating sign
    x, y = world.sample(1000)                           # addressable: the same for the same seed and stream
    world.excess(np.zeros(400))                         # E (relu(<x, w>) - relu(<x, w*>))²

Inputs are N(0, diag λ), or Bernoulli: x = ± e_i, axis i with probability λ_i, both signs alike. Labels may be wrong in two
ways: flipped (a share of them is 0) is still a ReLU neuron on average, that of (1 - share) w*; mirrored (a share is that of -x)
is not, and no neuron fits. Source: Wu, Zou, Chen, Braverman, Gu, Kakade 2023, arXiv 2303.02255, whose loss has no half.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats
from twopart._checks import check, check_choice, check_real
from twopart.worlds.regression.arc_cosine import arc_cosine
from twopart.worlds.regression.arrays import weights_of
from twopart.worlds.regression.least_squares import Regression
from twopart.worlds.regression.linear_truth import LinearTruth, check_sampling, falling, sampler

Inputs = Literal["gaussian", "bernoulli"]
Kind = Literal["well-specified", "flipped", "mirrored"]


@dataclass(frozen=True)
class ReluNeuron(LinearTruth):
    """A truth w* seen through a ReLU; for Bernoulli inputs the eigenvalues sum to 1."""

    noise: float = 0.3
    """σ, the standard deviation of the labels' noise, >= 0."""
    inputs: Inputs = "gaussian"
    kind: Kind = "well-specified"
    share: float = 0.1
    """Of the labels that are wrong, in [0, 1/2); well-specified ones ignore it."""
    seed: int = 0
    """Which samples, in [0, 2^63)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sampling(self.noise, self.seed)
        check_choice("inputs", self.inputs, get_args(Inputs))
        check_choice("kind", self.kind, get_args(Kind))
        check_real("share", self.share, 0, 0.5, "wrong labels are the lesser part", closed="[)")
        whole = float(self.spectrum.sum())
        fits = self.inputs == "gaussian" or abs(whole - 1) < 1e-9
        check(fits, "eigenvalues", whole, "of sum 1 for Bernoulli inputs", "they are probabilities")

    @classmethod
    def power(cls, dimension: int, decay: float = 1.2, size: float = 1.0, **fields: Any) -> ReluNeuron:
        """λ_i ∝ i^-decay with Σ λ = 1, and w*_i = ± size with alternating signs; other fields by their names."""
        λ = falling(dimension, decay)
        check_real("size", size, 0, np.inf, "it is the length of a weight", closed="[)")
        truth = np.where(np.arange(dimension) % 2 == 0, size, -size)
        return cls((λ / λ.sum()).tolist(), truth.tolist(), **fields)

    @property
    def shares(self) -> tuple[float, float]:
        """Of labels that are those of x, and those of -x: E[y|x] = a relu(<x, w*>) + b relu(-<x, w*>)."""
        wrong = 0.0 if self.kind == "well-specified" else self.share
        return 1 - wrong, wrong if self.kind == "mirrored" else 0.0

    @cached_property
    def best(self) -> Floats:
        """The weights of the neuron with the least loss, (1 - share) w*, shape (d,)."""
        return np.asarray(self.shares[0] * self.optimum)

    @property
    def optimal_loss(self) -> float:
        """OPT, the loss E (y - relu(<x, w>))² of the best neuron."""
        (right, mirrored), signal = self.shares, float(self.spectrum @ np.square(self.optimum)) / 2
        return (right + mirrored) * (signal + self.noise**2) - right**2 * signal

    @cached_property
    def cross_moment(self) -> Floats:
        """E[x y], shape (d,); without wrong labels diag(λ) w*/2."""
        right, mirrored = self.shares
        return np.asarray((right - mirrored) * self.spectrum * self.optimum / 2)

    def sample(self, n: int, stream: int = 0, dtype: Any = np.float64) -> Regression:
        """n independent inputs with their labels; `stream` picks an independent sample. `dtype` is float32 or float64."""
        random = sampler(n, stream, self.seed, "relu neuron")
        if self.inputs == "gaussian":
            x = random.standard_normal((n, self.dimension), dtype)
            x *= np.sqrt(self.spectrum).astype(dtype)
        else:
            x = np.zeros((n, self.dimension), dtype)
            axis = np.searchsorted(np.cumsum(self.spectrum)[:-1], random.random(n), side="right")
            x[np.arange(n), axis] = random.integers(2, size=n) * 2 - 1
        y = x @ self.optimum.astype(dtype)
        if self.kind == "mirrored":
            y = np.where(random.random(n) < self.share, -y, y)
        y = np.maximum(y, 0) + np.asarray(self.noise, dtype) * random.standard_normal(n, dtype)
        if self.kind == "flipped":
            y[random.random(n) < self.share] = 0
        return Regression(x, y)

    def excess(self, weights: ArrayLike) -> Any:
        """Loss above that of the best neuron, for weights (..., d): shape (...), a float for one vector."""
        w = weights_of(weights, self.dimension)
        found = (np.square(w) + np.square(self.best)) @ self.spectrum / 2 - 2 * self.overlap(w, self.best)
        if mirrored := self.shares[1]:
            found = found - 2 * mirrored * self.overlap(w, -self.optimum)
        return float(found) if np.ndim(found) == 0 else found

    def overlap(self, weights: Floats, others: Floats) -> Floats:
        """K = E relu(<x, a>) relu(<x, b>) of weights a (..., d) and b (d,), shape (...)."""
        if self.inputs == "bernoulli":
            return np.asarray(np.maximum(weights * others, 0) @ self.spectrum / 2)
        root = np.sqrt(self.spectrum)
        rows = weights.reshape(-1, self.dimension) * root
        return arc_cosine(rows, (others * root)[None]).reshape(weights.shape[:-1])
