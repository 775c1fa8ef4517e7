"""A keyed permutation of the numbers below any size, computed and not stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart._philox import Key, hash_words


def permute(index: NDArray[np.int64], size: int, key: Key) -> NDArray[np.int64]:
    """The image of each `index` in [0, size): four Feistel rounds on an even number of bits, walked on until back inside.

    Source: Black and Rogaway, "Ciphers with arbitrary finite domains" (2002), cycle walking.
    """
    half = max(1, (int(size - 1).bit_length() + 1) // 2)
    image = _feistel(index, half, key)
    outside = np.flatnonzero(image >= size)
    while outside.size:
        image[outside] = _feistel(image[outside], half, key)
        outside = outside[image[outside] >= size]
    return image


def _feistel(index: NDArray[np.int64], half: int, key: Key) -> NDArray[np.int64]:
    mask = np.int64((1 << half) - 1)
    left, right = index >> half, index & mask
    for turn in range(4):
        left, right = right, left ^ (hash_words(right, turn, key).astype(np.int64) & mask)
    return (left << half) | right
