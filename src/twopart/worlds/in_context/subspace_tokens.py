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
from twopart._checks import check, check_integer, check_real, check_sizes


@dataclass(frozen=True)
class SubspaceTokens:
    """Tokens U_k a + noise: k uniform, a and the noise Gaussian, of root mean square norm 1 and `noise`."""

    subspaces: int = 4
    rank: int = 2
    dimension: int = 24
    """Of a token; at least subspaces x rank, and one rank more where subspaces overlap."""
    tokens: int = 40
    noise: float = 0.1
    coherence: float = 0.0
    """Cosine of the angles between any two subspaces, in [0, 1)."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(subspaces=self.subspaces, rank=self.rank, dimension=self.dimension, tokens=self.tokens)
        check_real("noise", self.noise, 0, np.inf, "0 has none", closed="[)")
        check_real("coherence", self.coherence, 0, 1, "1 would make all subspaces one", closed="[)")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another world")
        least = self.rank * (self.subspaces + (self.coherence > 0))
        check(self.dimension >= least, "dimension", self.dimension, f"at least {least}", "or take fewer subspaces")

    @cached_property
    def bases(self) -> Floats:
        """U, shape (subspaces, dimension, rank): directions of their own, mixed with some that all share."""
        random, r, c = _random.generator(self.seed, "subspaces"), self.rank, self.coherence
        frame = np.linalg.qr(random.standard_normal((self.dimension, self.dimension)))[0]
        parts = frame[:, : r * (frame.shape[1] // r)].T.reshape(-1, r, self.dimension).swapaxes(1, 2)
        own = parts[: self.subspaces]
        return own if c == 0 else np.sqrt(1 - c) * own + np.sqrt(c) * parts[self.subspaces]

    def sample(self, count: int, stream: int | str = 0) -> tuple[Floats, NDArray[np.int64]]:
        """Contexts, shape (count, tokens, dimension), and the subspace of each token, (count, tokens)."""
        size = check_integer("count", count, 1, None, "ask for one"), self.tokens
        random = _random.generator(self.seed, "subspace tokens", stream)
        member = random.integers(self.subspaces, size=size)
        inside = random.standard_normal((*size, self.rank, 1)) / np.sqrt(self.rank)
        off = random.standard_normal((*size, self.dimension)) * self.noise / np.sqrt(self.dimension)
        return (self.bases[member] @ inside)[..., 0] + off, member
