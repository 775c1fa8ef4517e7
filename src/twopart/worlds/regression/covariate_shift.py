"""Two domains with one truth: inputs of covariance G on the source and H on the target, answers y = <x, w*> + noise on both.

    world = CovariateShift.power(200, target_decay=1.5, source_decay=3.0)   # the same directions, other variances
    world.rotated(0.3)  world.permuted(order)                               # the source turned, its variances reordered
    world.depressed(3, 0.001)  world.blind((0, 4))                          # directions that the source shows little, or not
    x, y = world.sample(64, "source")
    world.risk(np.zeros(200))                                               # (w - w*)^T H (w - w*), on the target

The risk is the whole square: the mean squared error on the target beyond the noise. Source: Wu, Zou, Braverman, Gu, Kakade
2022, arXiv 2208.01857, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check, check_choice, check_real
from twopart.worlds.regression import covariances
from twopart.worlds.regression.arrays import covariance, weights_of
from twopart.worlds.regression.least_squares import Regression
from twopart.worlds.regression.linear_truth import check_sampling, falling, sampler

Domain = Literal["source", "target"]
DOMAINS: tuple[str, ...] = ("source", "target")


@dataclass(frozen=True, eq=False)
class CovariateShift:
    """Gaussian inputs with another covariance on the source than on the target, and the same truth."""

    source: ArrayLike
    """G: variances, shape (d,), of independent coordinates, or a covariance, shape (d, d)."""
    target: ArrayLike
    """H, as G."""
    truth: ArrayLike
    """w*, shape (d,)."""
    noise: float = 1.0
    """σ, the standard deviation of the answers' noise, >= 0."""
    seed: int = 0
    """Which samples, in [0, 2^63)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth", finite("truth", self.truth, (None,), "give one weight for each coordinate"))
        for name in DOMAINS:
            object.__setattr__(self, name, covariance(name, getattr(self, name), self.dimension))
        check_sampling(self.noise, self.seed)

    @classmethod
    def power(
        cls,
        dimension: int = 2000,
        *,
        target_decay: float = 1.5,
        source_decay: float | None = 3.0,
        noise: float = 1.0,
        seed: int = 0,
    ) -> CovariateShift:
        """Variances ∝ i^-target_decay and i^-source_decay (None: the same), both of sum 1; all weights are 1."""
        target = falling(dimension, target_decay, "target_decay")
        source = falling(dimension, target_decay if source_decay is None else source_decay, "source_decay")
        return cls(source / source.sum(), target / target.sum(), np.ones(dimension), noise, seed)

    def permuted(self, order: Sequence[int]) -> CovariateShift:
        """Coordinate i of the source gets the variance of coordinate order[i]."""
        index, source = np.asarray(order), np.asarray(self.source)
        fits = np.array_equal(np.sort(index), np.arange(self.dimension))
        check(fits, "order", order, f"a permutation of 0..{self.dimension - 1}", "name each coordinate once")
        return replace(self, source=source[np.ix_(*(index,) * source.ndim)])

    def rotated(self, angle: float) -> CovariateShift:
        """The source turned by `angle` in each plane of coordinates (0, 1), (2, 3), ...: G and H no longer commute."""
        check_real("angle", angle, -np.inf, np.inf, "it is in radians", closed="()")
        i, turn = np.arange(0, self.dimension - 1, 2), np.eye(self.dimension)
        turn[i, i] = turn[i + 1, i + 1] = np.cos(angle)
        turn[i + 1, i], turn[i, i + 1] = np.sin(angle), -np.sin(angle)
        return replace(self, source=turn @ self.covariance("source") @ turn.T)

    def depressed(self, directions: int | Sequence[int] = 3, factor: float = 0.001) -> CovariateShift:
        """The source with the variances of these coordinates, or of the first so many, times `factor`, the sum of all kept."""
        index = np.asarray(range(directions) if isinstance(directions, Integral) else directions)
        whole = index.size > 0 and index.dtype.kind in "iu"
        inside = whole and bool(np.all((index >= 0) & (index < self.dimension)))
        check(inside, "directions", directions, f"coordinates in 0..{self.dimension - 1}", "name at least one")
        by, source = np.ones(self.dimension), np.asarray(self.source)
        by[index] = np.sqrt(check_real("factor", factor, 0, np.inf, "0 is blind", closed="[)"))
        weaker = covariances.scaled(source, by)
        left = covariances.trace(weaker)
        check(left > 0, "directions", directions, "some, not all that vary", "the source needs inputs")
        return replace(self, source=weaker * (covariances.trace(source) / left))

    def blind(self, directions: int | Sequence[int]) -> CovariateShift:
        """The source without these coordinates, or without the first so many, the sum of all kept."""
        return self.depressed(directions, 0.0)

    @property
    def dimension(self) -> int:
        return len(np.asarray(self.truth))

    def covariance(self, domain: Domain) -> Floats:
        """G or H as a matrix, shape (d, d)."""
        return covariances.matrix(getattr(self, check_choice("domain", domain, DOMAINS)))

    @cached_property
    def _roots(self) -> dict[str, Floats]:
        return {name: covariances.root(getattr(self, name)) for name in DOMAINS}

    def coloured(self, z: Any, domain: Domain) -> Any:
        """Inputs of a domain from standard normal numbers (..., d), of the same type and shape: NumPy's, or torch tensors."""
        of = self._roots[check_choice("domain", domain, DOMAINS)]
        like = z.new_tensor(of) if hasattr(z, "new_tensor") else of.astype(z.dtype)
        return z * like if like.ndim == 1 else z @ like.T

    def sample(self, n: int, domain: Domain, stream: int = 0, dtype: Any = np.float64) -> Regression:
        """n independent inputs of a domain with their answers; `stream` picks an independent sample."""
        random = sampler(n, stream, self.seed, "covariate shift", check_choice("domain", domain, DOMAINS))
        x = self.coloured(random.standard_normal((n, self.dimension), dtype), domain)
        y = x @ np.asarray(self.truth, dtype) + np.asarray(self.noise, dtype) * random.standard_normal(n, dtype)
        return Regression(x, y)

    def risk(self, weights: ArrayLike) -> Any:
        """(w - w*)^T H (w - w*) for weights (..., d): shape (...), a float for one vector."""
        error = weights_of(weights, self.dimension) - np.asarray(self.truth)
        found = (covariances.times(error, np.asarray(self.target)) * error).sum(-1)
        return float(found) if found.ndim == 0 else found
