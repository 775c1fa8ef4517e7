"""Equally frequent entities: the control without a power law, with the face of `PitmanYor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check_integer, check_real
from twopart.worlds._philox import hash_uniform, philox_key


@dataclass(frozen=True)
class EqualFrequencies:
    """K entities, each with probability 1/K; its measure is known, only its names are not."""

    entities: int
    """K, in [1, 2^40]; ids are 0..K-1."""

    def __post_init__(self) -> None:
        check_integer("population", self.entities, 1, 2**40, "it is the number of entities")

    def entropy(self) -> float:
        """log2 K bits."""
        return float(np.log2(self.entities))

    def expected_distinct(self, n: ArrayLike) -> Any:
        """K (1 - (1 - 1/K)^n)."""
        return self.entities * (1 - self.expected_missing_mass(n))

    def expected_missing_mass(self, n: ArrayLike, thinning: float = 1.0) -> Any:
        """(1 - τ/K)^n: the mass of entities not met in n draws of which each is looked at with probability τ = `thinning`."""
        check_real("thinning", thinning, 0, 1, "1 looks at every draw", closed="(]")
        share = thinning / self.entities
        if share == 1:
            return (np.asarray(n) == 0) * 1.0
        return np.exp(np.asarray(n, float) * np.log1p(-share))

    def predictive(self, count: ArrayLike, n: ArrayLike, distinct: ArrayLike) -> Any:
        """Probability that the next draw is a given entity that was seen: 1/K."""
        return np.full(np.shape(count), 1 / self.entities)

    def new_probability(self, n: ArrayLike, distinct: ArrayLike) -> Any:
        """Probability that the next draw is an entity not met yet: (K - `distinct`)/K."""
        return (self.entities - np.asarray(distinct)) / self.entities

    def measure(self, seed: int = 0) -> EqualMeasure:
        """The measure; only the draws depend on the seed."""
        return EqualMeasure(self, check_integer("seed", seed, 0, 2**63 - 1, "any whole number names a measure"))

    def draw(self, n: int, seed: int = 0, start: int = 0) -> NDArray[np.int64]:
        """Entity ids of draws start..start+n-1."""
        return self.measure(seed).draw(n, start=start)

    def draw_with_probability(
        self, n: int, seed: int = 0, start: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The same ids, and 1/K for each."""
        return self.measure(seed).draw_with_probability(n, start=start)


@dataclass(frozen=True)
class EqualMeasure:
    """The uniform measure over 0..K-1."""

    law: EqualFrequencies
    seed: int

    @property
    def root_atoms(self) -> int:
        """All ids lie below this."""
        return self.law.entities

    def draw(self, n: int, stream: int = 0, start: int = 0) -> NDArray[np.int64]:
        """Ids of draws start..start+n-1 of the independent sample number `stream`, shape (n,)."""
        check_integer("n", n, 0, None, "it is the number of draws")
        check_integer("start", start, 0, 2**62 - n, "it is the index of the first draw")
        key = philox_key(self.seed, "equal draws", stream)
        return (hash_uniform(np.arange(start, start + n), 0, key) * self.law.entities).astype(np.int64)

    def draw_with_probability(
        self, n: int, stream: int = 0, start: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The same ids, and 1/K for each; both of shape (n,)."""
        return self.draw(n, stream, start), np.full(n, 1 / self.law.entities)
