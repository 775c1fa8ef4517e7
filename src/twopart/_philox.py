"""Philox4x32-10: random numbers as a function of a counter, so that the n-th one needs none of the others.

    philox4x32                 one block, inside kernels: 128 bits of counter, 64 of key -> four random words
    philox_key                 the key of a purpose under a root seed
    hash_words, hash_uniform   arrays of (id, salt) -> 64 random bits, or a uniform number in [0, 1)

J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A word is a uint64 that holds 32
bits: the product of two of them then fits in 64, and the compiler turns a loop over blocks into SIMD code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check
from twopart._numba import inlined, kernel
from twopart._random import seed_sequence

Key = tuple[np.uint64, np.uint64]
"""A Philox key: two words of 32 bits."""
Block = tuple[np.uint64, np.uint64, np.uint64, np.uint64]
"""What one call of Philox takes as its counter, and what it gives: four words of 32 bits."""

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ELEVEN = np.uint64(11)
_STEP = 2.0**-53


def philox_key(seed: int, *purpose: str | int) -> Key:
    """The key of `purpose` under the root `seed`; other purposes and other seeds give unrelated keys."""
    first, second = seed_sequence(seed, *purpose).generate_state(2, np.uint32).astype(np.uint64)
    return first, second


@inlined
def philox4x32(c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64) -> Block:
    """Ten rounds of Philox on the counter words c0..c3 under the key words k0, k1."""
    block = c0, c1, c2, c3
    for _ in range(10):
        block = _round(block, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & LOW, (k1 + _WEYL_1) & LOW
    return block


@inlined
def two_blocks(a: Block, b: Block, k0: np.uint64, k1: np.uint64) -> tuple[Block, Block]:
    """`philox4x32` of two counters: a round waits for the one before it, and the other block's fills the time."""
    for _ in range(10):
        a, b = _round(a, k0, k1), _round(b, k0, k1)
        k0, k1 = (k0 + _WEYL_0) & LOW, (k1 + _WEYL_1) & LOW
    return a, b


@inlined
def _round(c: Block, k0: np.uint64, k1: np.uint64) -> Block:
    p0, p1 = _MULTIPLIER_0 * c[0], _MULTIPLIER_1 * c[2]
    return (p1 >> HALF) ^ (c[1] ^ k0), p1 & LOW, (p0 >> HALF) ^ (c[3] ^ k1), p0 & LOW


def hash_words(ids: ArrayLike, salt: ArrayLike, key: Key) -> NDArray[np.uint64]:
    """64 random bits for each (id, salt), a function of them and the key alone.

    Ids and salts are whole numbers in [-2^63, 2^64); they broadcast as any two arrays do.
    """
    ids, salt = _words(ids), _words(salt)
    shape = np.broadcast_shapes(ids.shape, salt.shape)
    if salt.size > 1:
        ids, salt = np.broadcast_to(ids, shape), np.broadcast_to(salt, shape)
    out = np.empty(shape, np.uint64)
    _hash(np.ravel(ids), np.ravel(salt), key[0], key[1], out.reshape(-1))
    return out


def hash_uniform(ids: ArrayLike, salt: ArrayLike, key: Key) -> NDArray[np.float64]:
    """A uniform number in [0, 1), a multiple of 2^-53, for each (id, salt), from the bits of `hash_words`."""
    return np.asarray(np.multiply(hash_words(ids, salt, key) >> _ELEVEN, _STEP, dtype=np.float64))


def _words(whole: ArrayLike) -> NDArray[np.uint64]:
    words = np.asarray(whole)
    check(words.dtype.kind in "iu", "ids", words.dtype.name, "whole numbers", "convert them to int64 first")
    return words.astype(np.uint64, copy=False)


@kernel
def _hash(
    ids: NDArray[np.uint64], salt: NDArray[np.uint64], k0: np.uint64, k1: np.uint64, out: NDArray[np.uint64]
) -> None:
    if len(salt) == 1:
        s0, s1 = salt[0] & LOW, salt[0] >> HALF
        for i in range(len(out)):
            x0, x1, _, _ = philox4x32(ids[i] & LOW, ids[i] >> HALF, s0, s1, k0, k1)
            out[i] = (x0 << HALF) | x1
    else:
        for i in range(len(out)):
            x0, x1, _, _ = philox4x32(ids[i] & LOW, ids[i] >> HALF, salt[i] & LOW, salt[i] >> HALF, k0, k1)
            out[i] = (x0 << HALF) | x1
