"""What tokenizers are given: pixels whose classes many of them share, beside lone pixels of large variance."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from twopart import _random
from twopart._arrays import Floats
from twopart._checks import check, check_integer
from twopart.settings import at_least, between, every, settings

VARIANCE = between(0, 1e9, "()").because("it is a variance")


@settings
class ClusterPixels:
    """x = c_y u + noise on m pixels, u = 1/√m on each; then lone pixels of large variance; noise alone on the rest.

    The class y has its place c_y on a line, evenly spaced. Truth: `direction`, `places`, `covariance`, and labels.
    """

    dimension: Annotated[int, at_least(2), "d, pixels."] = 40
    spread: Annotated[int, at_least(1), "m, pixels that share the classes: the first."] = 30
    classes: Annotated[int, at_least(2), "Classes, all as likely."] = 4
    signal: Annotated[float, VARIANCE, "λ, variance of the classes' places."] = 1.2
    noise: Annotated[float, VARIANCE, "Variance of every pixel's own noise."] = 0.1
    nuisances: Annotated[tuple[float, ...], every(VARIANCE), "Variances ν of lone pixels."] = (2.0, 1.8, 1.6)

    def __post_init__(self) -> None:
        room = self.dimension - self.spread
        check(len(self.nuisances) <= room, "nuisances", self.nuisances, f"at most {room}", "raise `dimension`")

    @property
    def direction(self) -> Floats:
        """u, shape (d,): the one direction that tells of the class."""
        return np.where(np.arange(self.dimension) < self.spread, self.spread**-0.5, 0.0)

    @property
    def places(self) -> Floats:
        """c, shape (classes,)."""
        steps = np.arange(self.classes) - (self.classes - 1) / 2
        return np.asarray(steps * np.sqrt(self.signal / np.mean(steps**2)))

    @property
    def covariance(self) -> Floats:
        """Shape (d, d)."""
        return np.asarray(self.signal * np.outer(self.direction, self.direction) + np.diag(self._own))

    @property
    def accuracy(self) -> float:
        """Of Bayes' rule, which is linear: 1 - 2 (1 - 1/K) Φ(-gap/2σ), gap between neighbouring places, σ² the noise."""
        return float(1 - 2 * (1 - 1 / self.classes) * norm.cdf(-np.diff(self.places)[0] / 2 / self.noise**0.5))

    @property
    def _own(self) -> Floats:
        own = np.full(self.dimension, self.noise)
        own[self.spread : self.spread + len(self.nuisances)] = self.nuisances
        return own

    def sample(self, count: int, seed: int = 0, stream: int = 0) -> tuple[Floats, NDArray[np.int64]]:
        """Pixels (count, d) and classes (count,); `stream` picks an independent sample."""
        n = check_integer("count", count, 1, None, "it is the number of points")
        random = _random.generator(seed, "pixels", check_integer("stream", stream, 0, None, "0 is one"))
        y, z = random.integers(self.classes, size=n), random.standard_normal((n, self.dimension))
        return self.places[y][:, None] * self.direction + np.sqrt(self._own) * z, y
