"""Inputs that noise shifts: a benign spectrum, few large variances and a long flat tail, and the same with noise added.

    world = BenignLinear(dimension=300, head=10, tail=0.02)      # y = <x, w*> + noise, x ~ N(0, Σ), w* a unit vector in the head
    shifted = InputShift(world, tail=0.1)                        # x + δ, δ ~ N(0, Γ) independent of x: Γ = 0.1 in the tail
    x, y = shifted.sample(64)
    world.covariance, shifted.covariance                         # Σ and Σ + Γ, as variances (d,)

Answers are those of the shifted inputs, <x + δ, w*>, or of the clean ones; where Γ w* = 0 they are the same. Source: Hao, Lin,
Zou, Zhang 2024, arXiv 2403.17592, whose shifts are natural and unrelated to the individual x; Gaussian ones are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from twopart import _random
from twopart._checks import check_choice, check_integer, check_real
from twopart.worlds.regression.arrays import Floats
from twopart.worlds.regression.least_squares import Regression
from twopart.worlds.regression.linear_truth import check_sampling, sampler

TRUTHS, LABELS = ("head", "all"), ("shifted", "clean")


@dataclass(frozen=True)
class BenignLinear:
    """A linear truth under Gaussian inputs whose variances are 1 in the head and small in the tail."""

    dimension: int = 300
    """d."""
    head: int = 10
    """How many variances are 1, in 1..d."""
    tail: float = 0.02
    """The other variances, in [0, 1]."""
    truth: Literal["head", "all"] = "head"
    """Where w* lies, a random unit vector."""
    noise: float = 0.5
    """σ, the standard deviation of the answers' noise, >= 0."""
    seed: int = 0
    """Which truth and which samples."""

    def __post_init__(self) -> None:
        check_integer("dimension", self.dimension, 1, 2**24, "inputs are vectors of that many numbers")
        check_integer("head", self.head, 1, self.dimension, "the truth lies there")
        check_real("tail", self.tail, 0, 1, "the head's variances are 1")
        check_choice("truth", self.truth, TRUTHS)
        check_sampling(self.noise, self.seed)

    @cached_property
    def covariance(self) -> Floats:
        """Σ, the variances of the independent coordinates, shape (d,)."""
        return self.spread(1.0, self.tail)

    def spread(self, head: float, tail: float) -> Floats:
        """One number for the coordinates of the head, another for those of the tail, shape (d,)."""
        return np.where(np.arange(self.dimension) < self.head, head, tail)

    @cached_property
    def optimum(self) -> Floats:
        """w*, shape (d,)."""
        w = _random.generator(self.seed, "benign truth").standard_normal(self.dimension)
        w *= self.spread(1.0, float(self.truth == "all"))
        return np.asarray(w / np.linalg.norm(w))

    def sample(self, n: int, stream: int = 0) -> Regression:
        """n independent inputs (n, d) with their answers (n,); `stream` picks an independent sample."""
        random = sampler(n, stream, self.seed, "benign linear")
        x = random.standard_normal((n, self.dimension)) * np.sqrt(self.covariance)
        return Regression(x, x @ self.optimum + self.noise * random.standard_normal(n))


@dataclass(frozen=True)
class InputShift:
    """The inputs of a world with noise N(0, Γ) added, Γ diagonal."""

    world: BenignLinear
    head: float = 0.0
    """The noise's variance in each coordinate of the head, >= 0."""
    tail: float = 0.1
    """In each coordinate of the tail, >= 0."""
    label: Literal["shifted", "clean"] = "shifted"
    """Whether answers are those of the inputs with the noise, or without."""

    def __post_init__(self) -> None:
        for name in ("head", "tail"):
            check_real(name, getattr(self, name), 0, np.inf, "it is a variance; 0 shifts nothing", closed="[)")
        check_choice("label", self.label, LABELS)

    @cached_property
    def covariance(self) -> Floats:
        """Σ + Γ, shape (d,)."""
        return self.world.covariance + self.world.spread(self.head, self.tail)

    @property
    def labelled(self) -> Floats:
        """The covariance of the inputs that answers are of with the inputs that are seen: Σ + Γ, or Σ; shape (d,)."""
        return self.covariance if self.label == "shifted" else self.world.covariance

    def sample(self, n: int, stream: int = 0) -> Regression:
        """n shifted inputs (n, d) with their answers (n,): the world's sample of that stream, shifted."""
        x, y = self.world.sample(n, stream)
        random = sampler(n, stream, self.world.seed, "input shift")
        shift = random.standard_normal(x.shape) * np.sqrt(self.world.spread(self.head, self.tail))
        return Regression(x + shift, y + shift @ self.world.optimum if self.label == "shifted" else y)
