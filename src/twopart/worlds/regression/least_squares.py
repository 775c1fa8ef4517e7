"""Least squares with a known truth: x = H^{1/2} z with independent coordinates, y = <x, w*> + noise.

    world = LeastSquares.power(256, decay=1.5, noise=0.3)
    x, y = world.sample(64)               # addressable: the same for the same seed and stream
    world.excess(np.zeros(256))           # 1/2 (w - w*)^T H (w - w*); loss is half the square throughout

H is diagonal with eigenvalues λ_i. `standard` draws z, for worlds that colour it in another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.worlds.regression.arrays import Floats, finite

KURTOSIS = {"gaussian": 3.0, "rademacher": 1.0}
"""E z⁴ of a coordinate with E z² = 1, by kind of inputs."""


class Regression(NamedTuple):
    """A data set: `x, y = world.sample(n)`."""

    x: NDArray[Any]
    """Inputs, shape (n, d)."""
    y: NDArray[Any]
    """Answers, shape (n,)."""


@dataclass(frozen=True)
class LeastSquares:
    """A linear truth w* under inputs with independent coordinates of variances λ."""

    eigenvalues: Sequence[float]
    """λ, shape (d,), each >= 0; kept as a tuple."""
    truth: Sequence[float]
    """w*, shape (d,); kept as a tuple."""
    noise: float = 0.0
    """σ, the standard deviation of the answers' noise, >= 0."""
    kind: str = "gaussian"
    """Of the inputs: gaussian, or rademacher, ±√λ."""
    seed: int = 0
    """Which samples, in [0, 2^63)."""

    def __post_init__(self) -> None:
        λ = finite("eigenvalues", self.eigenvalues, (None,), "give one variance for each direction")
        check(λ.min() >= 0, "eigenvalues", float(λ.min()), ">= 0", "they are variances")
        truth = finite("truth", self.truth, (len(λ),), "give one weight for each eigenvalue")
        object.__setattr__(self, "eigenvalues", tuple(λ.tolist()))
        object.__setattr__(self, "truth", tuple(truth.tolist()))
        check_real("noise", self.noise, 0, np.inf, "0 is without noise", closed="[)")
        check_choice("kind", self.kind, tuple(KURTOSIS))
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names other samples")

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
        check_integer("dimension", dimension, 1, 2**24, "inputs are vectors of that many numbers")
        check_real("decay", decay, 0, 100, "1 to 2 are common; 0 is isotropic")
        check_real("source", decay if source is None else source, 0, 100, "None makes all weights equal")
        i = np.arange(1, dimension + 1, dtype=float)
        λ, power = i**-decay, i ** -(decay if source is None else source)
        if normalise:
            λ, power = λ / λ.sum(), power / power.sum()
        return cls(tuple(λ.tolist()), tuple(np.sqrt(power / λ).tolist()), noise, kind, seed)

    @property
    def dimension(self) -> int:
        return len(self.eigenvalues)

    @property
    def kurtosis(self) -> float:
        """E z⁴ of a coordinate: 3 or 1."""
        return KURTOSIS[self.kind]

    @cached_property
    def spectrum(self) -> Floats:
        """λ as an array, shape (d,)."""
        return np.array(self.eigenvalues)

    @cached_property
    def optimum(self) -> Floats:
        """w* as an array, shape (d,)."""
        return np.array(self.truth)

    def sample(self, n: int, stream: int = 0, dtype: Any = np.float64) -> Regression:
        """n independent inputs with their answers; `stream` picks an independent sample. `dtype` is float32 or float64."""
        check_integer("n", n, 1, None, "it is the number of inputs")
        random = _random.generator(
            self.seed, "least squares", check_integer("stream", stream, 0, None, "0 is the first")
        )
        x = standard((n, self.dimension), self.kind, random, dtype)
        x *= np.sqrt(self.spectrum).astype(dtype)
        y = x @ self.optimum.astype(dtype)
        y += np.asarray(self.noise, dtype) * random.standard_normal(n, dtype)
        return Regression(x, y)

    def excess(self, weights: ArrayLike) -> Any:
        """1/2 Σ λ (w - w*)², the risk above that of w*, for weights (..., d): shape (...), a float for one vector."""
        w = np.asarray(weights)
        check(
            w.shape[-1:] == (self.dimension,), "weights", w.shape, f"(..., {self.dimension})", "one for each direction"
        )
        found = np.square(w - self.optimum) @ self.spectrum / 2
        return float(found) if found.ndim == 0 else found


def standard(shape: tuple[int, ...], kind: str, random: np.random.Generator, dtype: Any = np.float64) -> NDArray[Any]:
    """z with independent coordinates of mean 0 and variance 1, of a kind in `KURTOSIS`."""
    if check_choice("kind", kind, tuple(KURTOSIS)) == "gaussian":
        return random.standard_normal(shape, dtype)
    return (random.integers(2, size=shape, dtype=np.int8) * 2 - 1).astype(dtype)
