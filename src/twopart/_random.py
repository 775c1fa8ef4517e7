"""Random streams: one root seed, and a child of it for each purpose, so that no stream depends on what runs beside it.

generator(seed, "templates", 3)     # always the same numbers for (seed, "templates", 3), whatever else was drawn
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check_integer


def seed_sequence(seed: int, *purpose: str | int) -> np.random.SeedSequence:
    """The `SeedSequence` of `purpose` under the root `seed` (a whole number in [0, 2^63))."""
    check_integer("seed", seed, 0, 2**63 - 1, "any other whole number names another world or run")
    path = "/".join(f"{type(part).__name__}:{part}" for part in purpose)
    digest = hashlib.blake2b(path.encode(), digest_size=16).digest()
    return np.random.SeedSequence([seed, *np.frombuffer(digest, "<u4").tolist()])


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A Philox generator for `purpose` under the root `seed`."""
    return np.random.Generator(np.random.Philox(seed_sequence(seed, *purpose)))


def keys(seed: int, count: int, *purpose: str | int) -> NDArray[np.uint64]:
    """`count` 64-bit keys for counter-based hashing."""
    return seed_sequence(seed, *purpose).generate_state(count, np.uint64).astype(np.uint64)
