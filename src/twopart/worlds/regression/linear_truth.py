"""What the worlds of regression share: a truth w* under inputs of known variances, and samples that are addressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check_integer, check_real
from twopart.worlds.regression.arrays import variances


@dataclass(frozen=True)
class LinearTruth:
    """A linear truth w* under inputs with independent coordinates of variances λ."""

    eigenvalues: Sequence[float]
    """λ, shape (d,), each >= 0; kept as a tuple."""
    truth: Sequence[float]
    """w*, shape (d,); kept as a tuple."""

    def __post_init__(self) -> None:
        λ = variances("eigenvalues", self.eigenvalues)
        truth = finite("truth", self.truth, (len(λ),), "give one weight for each eigenvalue")
        object.__setattr__(self, "eigenvalues", tuple(λ.tolist()))
        object.__setattr__(self, "truth", tuple(truth.tolist()))

    @property
    def dimension(self) -> int:
        return len(self.eigenvalues)

    @cached_property
    def spectrum(self) -> Floats:
        """λ as an array, shape (d,)."""
        return np.array(self.eigenvalues)

    @cached_property
    def optimum(self) -> Floats:
        """w* as an array, shape (d,)."""
        return np.array(self.truth)


def check_sampling(noise: float, seed: int) -> None:
    """The fields of a world that say how answers scatter, and which samples they are."""
    check_real("noise", noise, 0, np.inf, "0 is without noise", closed="[)")
    check_integer("seed", seed, 0, 2**63 - 1, "any other whole number names other samples")


def falling(dimension: int, decay: float, name: str = "decay") -> Floats:
    """i^-decay for i = 1..dimension."""
    check_integer("dimension", dimension, 1, 2**24, "inputs are vectors of that many numbers")
    return np.arange(1, dimension + 1, dtype=float) ** -check_real(
        name, decay, 0, 100, "1 to 3 are common; 0 is isotropic"
    )


def sampler(n: int, stream: int, seed: int, *purpose: str) -> np.random.Generator:
    """What draws a sample of n, the same for the same purpose and stream."""
    check_integer("n", n, 1, None, "it is the number of inputs")
    return _random.generator(seed, *purpose, check_integer("stream", stream, 0, None, "0 is the first"))
