"""Sketched least squares: the learner sees M features S x of inputs x in R^d, and answers <x, w*> + noise.

    sketch = Sketch(LeastSquares.power(1000, decay=1.5, source=2.0, noise=0.1**0.5), features=64)
    x, y = sketch.sample(100)               # (n, M), (n,): drawn as one Gaussian of M + 1 numbers
    sketch.moments.covariance               # S H S^T; .cross = S H w*; .power = E y²
    SecondMoments.of(x, y)                  # the same three of a user's own rows: all that a law of least squares asks

Sketches of one seed are nested: with fewer features the first rows are the same, up to their scale.
Source: Lin, Wu, Kakade, Bartlett, Lee 2024, arXiv 2406.08466, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.worlds.regression.arrays import covariance
from twopart.worlds.regression.covariances import matrix, root
from twopart.worlds.regression.least_squares import LeastSquares, Regression
from twopart.worlds.regression.linear_truth import sampler


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """Of features x and an answer y; means are not taken out."""

    covariance: Floats
    """E x x^T, shape (M, M)."""
    cross: Floats
    """E x y, shape (M,)."""
    power: float
    """E y² >= cross^T covariance^-1 cross."""

    def __post_init__(self) -> None:
        c = finite("cross", self.cross, (None,), "give one number for each feature")
        H = covariance("covariance", self.covariance, len(c))
        object.__setattr__(self, "cross", c)
        object.__setattr__(self, "covariance", matrix(H))
        check_real("power", self.power, 0, np.inf, "it is the mean of y²", closed="[)")
        explained = self.squares["activation"]
        bound = f">= {explained:.6g}, which is what the features explain"
        check(self.power >= explained * (1 - 1e-8), "power", self.power, bound, "take all three of the same rows")

    @classmethod
    def of(cls, x: ArrayLike, y: ArrayLike) -> SecondMoments:
        """The means over rows x (n, M) and answers y (n,); centre them first if an intercept is to be left out."""
        rows: Floats = finite("x", x, (None, None), "give a row for each point")
        answers: Floats = finite("y", y, (len(rows),), "give one answer for each row of `x`")
        return cls(rows.T @ rows / len(rows), rows.T @ answers / len(rows), float(answers @ answers) / len(rows))

    @cached_property
    def squares(self) -> dict[str, Any]:
        """Mean squares of features, labels, weights, outputs and their gradients, (M,) or a number, where SGD converges to."""
        v = np.linalg.lstsq(self.covariance, self.cross, rcond=None)[0]
        output, weights = float(self.cross @ v), {"parameter": v**2, "stored": v**2}
        ends = {"label": self.power, "activation": output, "gradient": max(self.power - output, 0.0)}
        return {"data": np.diag(self.covariance), **weights, **ends}

    @cached_property
    def root(self) -> Floats:
        """R, shape (M + 1, M + 1): with z standard normal, R z is distributed as (x, y) if that is Gaussian."""
        return root(np.block([[self.covariance, self.cross[:, None]], [self.cross, np.full((1, 1), self.power)]]))


@dataclass(frozen=True)
class Sketch:
    """M features of the inputs of a world."""

    world: LeastSquares
    """With Gaussian inputs."""
    features: int
    """M."""
    kind: str = "gaussian"
    """gaussian: entries of S are N(0, 1/M); truncation: the first M coordinates, M <= d."""
    seed: int = 0
    """Which S, in [0, 2^63)."""

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("gaussian", "truncation"))
        check_choice("world.kind", self.world.kind, ("gaussian",), "features of random signs are not Gaussian")
        most = self.world.dimension if self.kind == "truncation" else 2**16
        check_integer("features", self.features, 1, most, "it is how many numbers the learner sees")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another sketch")

    @cached_property
    def matrix(self) -> Floats:
        """S, shape (M, d)."""
        shape = self.features, self.world.dimension
        if self.kind == "truncation":
            return np.eye(*shape)
        return np.asarray(_random.generator(self.seed, "sketch").standard_normal(shape) / np.sqrt(self.features))

    @cached_property
    def moments(self) -> SecondMoments:
        """S H S^T, S H w* and w*^T H w* + σ²."""
        world, SH = self.world, self.matrix * self.world.spectrum
        power = float(world.spectrum @ world.optimum**2) + world.noise**2
        return SecondMoments(SH @ self.matrix.T, SH @ world.optimum, power)

    def sample(self, n: int, stream: int = 0, dtype: Any = np.float64) -> Regression:
        """n independent rows of features with their answers; `stream` picks an independent sample."""
        random = sampler(n, stream, self.world.seed, "sketched", self.kind, str(self.features), str(self.seed))
        both = random.standard_normal((n, self.features + 1), dtype) @ self.moments.root.T.astype(dtype)
        return Regression(both[:, :-1], both[:, -1])
