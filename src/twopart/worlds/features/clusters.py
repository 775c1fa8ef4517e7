"""The orthogonal-cluster world: points around k orthogonal centres, each cluster in one of two classes.

A point is x = μ_c + σ N(0, I_D), with cluster c uniform over 0..k-1 and ‖μ_c‖ = √D. The first clusters are the negative
class, the last `positive` of them the positive one. Source: Li, Pan, Lyu, Li 2024, arXiv 2410.10322, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check, check_integer, check_real

if TYPE_CHECKING:
    from twopart.worlds.targets import MixtureTarget


@dataclass(frozen=True, eq=False)
class Points:
    """A sample of labelled points."""

    x: NDArray[np.float32]
    """The points, shape (n, D)."""
    cluster: NDArray[np.int64]
    """The fine label of each point, shape (n,): its cluster, or its class among many."""
    label: NDArray[np.int64]
    """The binary label of each point, shape (n,): 1 for the positive class, 0 for the negative."""

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class OrthogonalClusters:
    """k clusters with orthogonal centres of norm √D, split into two classes."""

    clusters: int
    """k, in [2, dimension]."""
    dimension: int
    """D, at least 2."""
    positive: int | None = None
    """Clusters of the positive class, in [1, k-1]; None splits them equally, which needs an even k."""
    noise: float = 1.0
    """σ, the standard deviation of each coordinate, >= 0."""
    seed: int = 0
    """Which centres and samples, in [0, 2^63)."""

    def __post_init__(self) -> None:
        check_integer("dimension", self.dimension, 2, 2**24, "centres are vectors of that many numbers")
        bound = "orthogonal centres need a dimension each: take fewer clusters or a larger `dimension`"
        check_integer("clusters", self.clusters, 2, self.dimension, bound)
        if self.positive is None:
            check(self.clusters % 2 == 0, "clusters", self.clusters, "even", "or say how many are `positive`")
        else:
            check_integer("positive", self.positive, 1, self.clusters - 1, "each class needs a cluster")
        check_real("noise", self.noise, 0, np.inf, "1 is the paper's", closed="[)")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another world")

    @cached_property
    def centres(self) -> NDArray[np.float64]:
        """μ, shape (k, D): rows of a random orthogonal matrix times √D."""
        normal = _random.generator(self.seed, "cluster centres").standard_normal((self.dimension, self.clusters))
        basis, upper = np.linalg.qr(normal)
        return np.asarray((basis * np.sign(np.diag(upper))).T * np.sqrt(self.dimension))

    @property
    def is_positive(self) -> NDArray[np.bool_]:
        """Whether each cluster belongs to the positive class, shape (k,)."""
        positive = self.clusters // 2 if self.positive is None else self.positive
        return np.arange(self.clusters) >= self.clusters - positive

    def target(self) -> MixtureTarget:
        """The points' density, for samplers and diffusion models; without noise only once it is `diffused`."""
        from twopart.worlds.targets import MixtureTarget  # needs torch

        return MixtureTarget(np.ones(self.clusters), self.centres, self.noise)

    def sample(self, n: int, stream: int = 0) -> Points:
        """n independent points; `stream` picks an independent sample."""
        check_integer("n", n, 1, None, "it is the number of points")
        random = _random.generator(self.seed, "points", check_integer("stream", stream, 0, None, "0 is the first"))
        cluster = random.integers(self.clusters, size=n)
        x = self.centres[cluster].astype(np.float32)
        x += np.float32(self.noise) * random.standard_normal(x.shape, dtype=np.float32)
        return Points(x, cluster, self.is_positive[cluster].astype(np.int64))
