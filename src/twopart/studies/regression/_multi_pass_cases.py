"""What the cells of the multi-pass study are given: training sets with their risks, and what is run on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from twopart._arrays import Floats
from twopart.laws.regression import largest_stable_step, population
from twopart.settings import at_least, between, multiple_of, settings
from twopart.studies import spaced
from twopart.worlds.regression import DigitParity, LeastSquares, Regression

GROUPS = 40
GROUPED = multiple_of(GROUPS).because(f"the mean is judged in {GROUPS} groups")
COURSE, ENOUGH = at_least(2).because("12 show the course"), at_least(100).because("growth must show")
EDGE = between(0, 1, "()").because("1 is the edge")


@settings
class Runs:
    """What every run of SGD is given."""

    steps: Annotated[int, at_least(50), "Steps of each run."] = 2000
    rate: Annotated[float, EDGE, "Learning rate, in units of the largest stable step."] = 0.3
    replicates: Annotated[int, GROUPED, "Runs on one training set."] = 2000
    moments: Annotated[int, COURSE, "Moments that are looked at, logarithmic from step 3 on."] = 12
    edge_steps: Annotated[int, ENOUGH, "Steps of runs at the edge."] = 1000


@dataclass(frozen=True)
class Power:
    """A training set from a world with a power spectrum; risks are excess risks."""

    decay: float
    dimension: int
    points: int
    noise: float
    seed: int

    def __str__(self) -> str:
        return f"a = {self.decay:g}"

    @cached_property
    def world(self) -> LeastSquares:
        return LeastSquares.power(self.dimension, decay=self.decay, noise=self.noise, seed=self.seed)

    @cached_property
    def train(self) -> Regression:
        return self.world.sample(self.points)

    @cached_property
    def test(self) -> Regression:
        return population(self.world.spectrum, self.world.optimum)

    def risk(self, w: Floats, centre: Floats | None = None) -> Floats:
        """1/2 (w - w*)^T H (w - w*) of weights (R, d), shape (R,), or the same about another centre than w*."""
        return np.asarray(np.square(w - (self.world.optimum if centre is None else centre)) @ self.world.spectrum / 2)


class Digits(DigitParity):
    """The parity of digits from random features; risks are those on the digits left out."""

    def __str__(self) -> str:
        return "digits"

    def risk(self, w: Floats, centre: Floats | None = None) -> Floats:
        """Half the mean square on the test set, shape (R,), of errors, or of the difference from what a centre says."""
        off = w @ self.test.x.T - self.test.y if centre is None else (w - centre) @ self.test.x.T
        return np.asarray(np.square(off).mean(-1) / 2)


@dataclass(frozen=True)
class Case:
    """What a cell is given."""

    setting: Power | Digits
    batch: int
    runs: Runs
    label = "{0.setting}, b = {0.batch}"

    def __str__(self) -> str:
        return self.label.format(self)

    @property
    def moments(self) -> list[int]:
        return spaced(3, self.runs.steps, self.runs.moments)

    @cached_property
    def largest(self) -> float:
        return largest_stable_step(self.setting.train.x, self.batch)


@dataclass(frozen=True)
class Descent(Case):
    """All replicates of SGD at one rate, in an order of `least_squares_sgd`; the risk after `epochs` is looked at, too."""

    order: str
    epochs: tuple[int, ...] = ()
    label = "{0.setting}, b = {0.batch}, {0.order}"

    @property
    def recorded(self) -> list[int]:
        return sorted({1, *self.moments, *(epochs * self.setting.points for epochs in self.epochs)})


@dataclass(frozen=True)
class Race(Case):
    """SGD and gradient descent to the same risk, each at the rate that the law picks."""

    target: float


@dataclass(frozen=True)
class Edge(Case):
    """All replicates near the largest stable step, where the targets can be met."""

    factor: float
    label = "{0.setting}, {0.factor:g} of the largest step"


@dataclass(frozen=True)
class Scales(Case):
    """The largest stable step and what is said in its place, by the law alone."""


@dataclass(frozen=True)
class Network(Case):
    """A two-layer network tuned on digits from random weights, and the law of its linearisation."""

    width: int
    replicates, order, label = 200, "replacement", "network of width {0.width}"
