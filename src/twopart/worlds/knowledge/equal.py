"""Equally frequent entities: the control without a power law, with the face of `PitmanYor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlog1py

from twopart._arguments import Floats, counts, like, shard, shares
from twopart._checks import check_integer, check_real
from twopart._numba import kernel
from twopart._philox import HALF, LOW, philox4x32, philox_key
from twopart._special import log_gamma_ratio


@dataclass(frozen=True)
class EqualFrequencies:
    """K entities, each with probability 1/K: the measure is known, only its names are not."""

    entities: int
    """K, in [1, 2^40]; ids are 0..K-1."""

    def __post_init__(self) -> None:
        check_integer("entities", self.entities, 1, 2**40, "it is the number of entities")

    def entropy(self) -> float:
        """log2 K bits."""
        return float(np.log2(self.entities))

    def expected_distinct(self, n: ArrayLike) -> Any:
        """K (1 - (1 - 1/K)^n)."""
        return like((n,), -self.entities * np.expm1(xlog1py(counts("n", n), -1 / self.entities)))

    def expected_blocks(self, size: ArrayLike, n: ArrayLike) -> Any:
        """Expected entities seen exactly j = `size` times in n draws: K C(n,j) (1/K)^j (1 - 1/K)^(n-j)."""
        j, total = np.broadcast_arrays(counts("size", size, 1), counts("n", n))
        rest = np.maximum(total - j, 0)
        ways = log_gamma_ratio(rest + 1, np.where(j <= total, j, 1)) - gammaln(j + 1)
        logs = ways + (1 - j) * np.log(self.entities) + xlog1py(rest, -1 / self.entities)
        return like((size, n), np.where(j <= total, np.exp(logs), 0.0))

    def expected_missing_mass(self, n: ArrayLike, thinning: float = 1.0) -> Any:
        """(1 - τ/K)^n: the mass of entities not met in n draws of which each is looked at with probability τ = `thinning`."""
        check_real("thinning", thinning, 0, 1, "1 looks at every draw", closed="(]")
        return like((n,), np.exp(xlog1py(counts("n", n), -thinning / self.entities)))

    def mass_below(self, x: ArrayLike) -> Any:
        """Mass of the entities with probability below x: all or nothing."""
        return like((x,), shares("x", x) > 1 / self.entities)

    def atoms_above(self, x: ArrayLike) -> Any:
        """Number of entities with probability at least x: all or none, so that with `mass_below` each counts once."""
        return like((x,), self.entities * (shares("x", x) <= 1 / self.entities))

    def predictive(self, count: ArrayLike, n: ArrayLike, distinct: ArrayLike) -> Any:
        """Probability that the next draw is a given entity that was seen: 1/K."""
        return like((count, n, distinct), np.full(np.broadcast(count, n, distinct).shape, 1 / self.entities))

    def new_probability(self, n: ArrayLike, distinct: ArrayLike) -> Any:
        """Probability that the next draw is an entity not met yet: (K - `distinct`)/K."""
        shape = np.broadcast(n, distinct).shape
        return like((n, distinct), np.broadcast_to((self.entities - np.asarray(distinct)) / self.entities, shape))

    def measure(self, seed: int = 0) -> EqualMeasure:
        """The measure; only the draws depend on the seed."""
        return EqualMeasure(self, seed)

    def draw(self, n: int, seed: int = 0, start: int = 0) -> NDArray[np.int64]:
        """Entity ids of draws start..start+n-1."""
        return self.measure(seed).draw(n, start=start)

    def draw_with_probability(self, n: int, seed: int = 0, start: int = 0) -> tuple[NDArray[np.int64], Floats]:
        """The same ids, and 1/K for each."""
        return self.measure(seed).draw_with_probability(n, start=start)


@dataclass(frozen=True)
class EqualMeasure:
    """The uniform measure over 0..K-1, with draws of its own for each seed."""

    law: EqualFrequencies
    """How many entities there are."""
    seed: int
    """Which draws, in [0, 2^63)."""

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, 0, 2**63 - 1, "any whole number names a measure")

    @property
    def root_atoms(self) -> int:
        """All ids lie below this."""
        return self.law.entities

    def draw(self, n: int, stream: int = 0, start: int = 0) -> NDArray[np.int64]:
        """Ids of draws start..start+n-1 of the independent sample number `stream`, shape (n,)."""
        check_integer("stream", stream, 0, 2**63 - 1, "streams are independent samples of one measure")
        n, start = shard(n, start)
        out = np.empty(n, np.int64)
        _draw(start, np.uint64(self.law.entities), *philox_key(self.seed, "equal draws", stream), out)
        return out

    def draw_with_probability(self, n: int, stream: int = 0, start: int = 0) -> tuple[NDArray[np.int64], Floats]:
        """The same ids, and 1/K for each; both of shape (n,)."""
        return self.draw(n, stream, start), np.full(n, 1 / self.law.entities)


@kernel
def _draw(start: int, entities: Any, k0: Any, k1: Any, out: Any) -> None:
    """floor(w K / 2^64) for 64 random bits w, in two halves: ids differ in probability by less than K/2^64 of it.

    With K = K1 2^32 + K0 and w = w1 2^32 + w0, the carry of the lower products into the upper word is added up first.
    """
    small, large = entities & LOW, entities >> HALF
    for i in range(len(out)):
        n = np.uint64(start + i)
        w1, w0, _, _ = philox4x32(n & LOW, n >> HALF, np.uint64(0), np.uint64(0), k0, k1)
        middle = w1 * small + ((w0 * small) >> HALF)
        out[i] = w1 * large + (middle >> HALF) + (((middle & LOW) + w0 * large) >> HALF)
