"""Least squares with a known truth: x = H^{1/2} z with independent coordinates, y = <x, w*> + noise.

    world = LeastSquares.power(256, decay=1.5, noise=0.3)
    x, y = world.sample(64)               # addressable: the same for the same seed and stream
    world.excess(np.zeros(256))           # 1/2 (w - w*)^T H (w - w*); loss is half the square throughout

H is diagonal with eigenvalues λ_i. `standard` draws z, for worlds that colour it in another way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check_choice
from twopart.worlds.regression.arrays import weights_of
from twopart.worlds.regression.linear_truth import LinearTruth, check_sampling, falling, sampler

KURTOSIS = {"gaussian": 3.0, "rademacher": 1.0}
"""E z⁴ of a coordinate with E z² = 1, by kind of inputs."""


class Regression(NamedTuple):
    """A data set: `x, y = world.sample(n)`."""

    x: NDArray[Any]
    """Inputs, shape (n, d)."""
    y: NDArray[Any]
    """Answers, shape (n,)."""


@dataclass(frozen=True)
class LeastSquares(LinearTruth):
    """A linear truth w* under inputs with independent coordinates of variances λ."""

    noise: float = 0.0
    """σ, the standard deviation of the answers' noise, >= 0."""
    kind: str = "gaussian"
    """Of the inputs: gaussian, or rademacher, ±√λ."""
    seed: int = 0
    """Which samples, in [0, 2^63)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sampling(self.noise, self.seed)
        check_choice("kind", self.kind, tuple(KURTOSIS))

    @classmethod
    def power(
        cls,
        dimension: int,
        *,
        decay: float = 1.5,
        source: float | None = None,
        noise: float = 0.0,
        normalise: bool = True,
        kind: str = "gaussian",
        seed: int = 0,
    ) -> LeastSquares:
        """λ_i ∝ i^-decay and λ_i w*_i² ∝ i^-source, i = 1..dimension; `normalise` makes both sum to 1.

        Without `source` all weights are equal: it is `decay`.
        """
        λ, power = falling(dimension, decay), falling(dimension, decay if source is None else source, "source")
        if normalise:
            λ, power = λ / λ.sum(), power / power.sum()
        return cls(tuple(λ.tolist()), tuple(np.sqrt(power / λ).tolist()), noise, kind, seed)

    @property
    def kurtosis(self) -> float:
        """E z⁴ of a coordinate: 3 or 1."""
        return KURTOSIS[self.kind]

    def sample(self, n: int, stream: int = 0, dtype: Any = np.float64) -> Regression:
        """n independent inputs with their answers; `stream` picks an independent sample. `dtype` is float32 or float64."""
        random = sampler(n, stream, self.seed, "least squares")
        x = standard((n, self.dimension), self.kind, random, dtype)
        x *= np.sqrt(self.spectrum).astype(dtype)
        y = x @ self.optimum.astype(dtype)
        y += np.asarray(self.noise, dtype) * random.standard_normal(n, dtype)
        return Regression(x, y)

    def excess(self, weights: ArrayLike) -> Any:
        """1/2 Σ λ (w - w*)², the risk above that of w*, for weights (..., d): shape (...), a float for one vector."""
        found = np.square(weights_of(weights, self.dimension) - self.optimum) @ self.spectrum / 2
        return float(found) if found.ndim == 0 else found


def standard(shape: tuple[int, ...], kind: str, random: np.random.Generator, dtype: Any = np.float64) -> NDArray[Any]:
    """z with independent coordinates of mean 0 and variance 1, of a kind in `KURTOSIS`."""
    if check_choice("kind", kind, tuple(KURTOSIS)) == "gaussian":
        return random.standard_normal(shape, dtype)
    return (random.integers(2, size=shape, dtype=np.int8) * 2 - 1).astype(dtype)
