"""Randomness by address: the same (key, id) gives the same bits, so that nothing random needs to be stored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


def hash_words(ids: NDArray[np.int64], salt: Any, key: Words) -> Words:
    """64 random bits for each (id, salt) under two 64-bit keys: a keyed double round of the SplitMix64 finaliser.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014), the variant `Mix13`.
    """
    first = _mix(np.asarray(ids).astype(np.uint64) ^ key[0])
    return _mix(first + np.asarray(salt).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key[1])


def hash_uniform(ids: NDArray[np.int64], salt: Any, key: Words) -> NDArray[np.float64]:
    """A number in [0, 1) with 53 random bits for each (id, salt)."""
    return (hash_words(ids, salt, key) >> np.uint64(11)) * 2.0**-53


def permute(index: NDArray[np.int64], size: int, key: Words) -> NDArray[np.int64]:
    """A keyed permutation of [0, size): four Feistel rounds on the next even number of bits, walked until back inside.

    Source: Black and Rogaway, "Ciphers with arbitrary finite domains" (2002), cycle walking.
    """
    half = max(1, (int(size - 1).bit_length() + 1) // 2)
    image = _feistel(index, half, key)
    outside = np.flatnonzero(image >= size)
    while outside.size:
        image[outside] = _feistel(image[outside], half, key)
        outside = outside[image[outside] >= size]
    return image


def _feistel(index: NDArray[np.int64], half: int, key: Words) -> NDArray[np.int64]:
    mask = np.int64((1 << half) - 1)
    left, right = index >> half, index & mask
    for turn in range(4):
        left, right = right, left ^ (hash_words(right, np.int64(turn), key).astype(np.int64) & mask)
    return (left << half) | right


def _mix(x: Words) -> Words:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
