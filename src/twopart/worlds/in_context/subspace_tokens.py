"""Tokens near a union of subspaces that are known: what sparse rate reduction looks for.

world = SubspaceTokens(subspaces=4, rank=2, dimension=24, tokens=40)
tokens, member = world.sample(100)        # (100, 40, 24) and (100, 40): which subspace each token is of
world.bases                               # U, orthonormal within a subspace, (4, 24, 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._arrays import Floats
from twopart._checks import check, check_integer, check_real


@dataclass(frozen=True)
class SubspaceTokens:
    """Tokens U_k a + noise: a standard normal of norm 1 on average, k uniform."""

    subspaces: int = 4
    """K."""
    rank: int = 2
    """Dimension of each."""
    dimension: int = 24
    """d, of a token; at least K rank, and rank more where they overlap."""
    tokens: int = 40
    """n, of a context."""
    noise: float = 0.1
    """Root mean square norm of what is off the subspace."""
    coherence: float = 0.0
    """Cosine of the angles between any two subspaces, in [0, 1); 0 is orthogonal."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("subspaces", "rank", "dimension", "tokens"):
            check_integer(name, getattr(self, name), 1, None, "it is a number of subspaces, dimensions or tokens")
        check_real("noise", self.noise, 0, np.inf, "0 has none", closed="[)")
        check_real("coherence", self.coherence, 0, 1, "1 would make all subspaces one", closed="[)")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another world")
        least = self.rank * (self.subspaces + (self.coherence > 0))
        check(self.dimension >= least, "dimension", self.dimension, f"at least {least}", "or take fewer subspaces")

    @cached_property
    def bases(self) -> Floats:
        """U, shape (K, d, rank): directions of their own, mixed with some that all subspaces share."""
        random, (K, r, d, c) = (
            _random.generator(self.seed, "subspaces"),
            (self.subspaces, self.rank, self.dimension, self.coherence),
        )
        frame = np.linalg.qr(random.standard_normal((d, d)))[0]
        own = np.moveaxis(frame[:, : K * r].reshape(d, K, r), 1, 0)
        return own if c == 0 else np.sqrt(1 - c) * own + np.sqrt(c) * frame[:, K * r : (K + 1) * r]

    def sample(self, count: int, stream: int | str = 0) -> tuple[Floats, NDArray[np.int64]]:
        """Contexts, shape (count, n, d), and the subspace of each token, (count, n)."""
        size = check_integer("count", count, 1, None, "ask for one"), self.tokens
        random = _random.generator(self.seed, "subspace tokens", stream)
        member = random.integers(self.subspaces, size=size)
        inside = random.standard_normal((*size, 1, self.rank)) / np.sqrt(self.rank)
        off = random.standard_normal((*size, self.dimension)) * self.noise / np.sqrt(self.dimension)
        return (self.bases[member] @ inside.swapaxes(-1, -2))[..., 0] + off, member
