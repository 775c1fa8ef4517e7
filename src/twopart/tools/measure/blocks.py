"""Blocks of bytes: how many distinct runs of k bytes there are, and how often each, at every place of a text.

Runs are packed into 64 bits and counted in an open table with linear probing: 16 bytes for each slot, a quarter to half of
them used. A run of zeros packs to 0, which marks an empty slot; it is counted apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check_integer
from twopart._numba import kernel
from twopart.tools.measure.tally import Spectrum

LONGEST = 8  # bytes of a block
_MIX = np.uint64(0x9E3779B97F4A7C15)
_32, _8 = np.uint64(32), np.uint64(8)


class Blocks:
    """Counts of the blocks of one size."""

    def __init__(self, size: int) -> None:
        """`size` is in bytes, from 1 to 8."""
        check_integer("size", size, 1, LONGEST, "longer blocks do not fit into 64 bits")
        self._size = size
        self._keys = np.zeros(1 << 12, np.uint64)
        self._counts = np.zeros(1 << 12, np.int64)
        self._used = 0
        self._zeros = 0
        self._before = b""

    def restart(self) -> None:
        """Begin a new text: no block runs from one file into the next."""
        self._before = b""

    def add(self, piece: bytes) -> None:
        """Count the blocks that end in `piece`."""
        data = self._before + piece
        self._before = data[max(0, len(data) - self._size + 1) :] if self._size > 1 else b""
        array, position = np.frombuffer(data, np.uint8), 0
        while position + self._size <= len(array):
            if 2 * (self._used + 1) > len(self._keys):
                self._grow()
            position, self._used, zeros = _count(array, position, self._size, self._keys, self._counts, self._used)
            self._zeros += zeros

    def spectrum(self) -> Spectrum:
        return Spectrum.of(np.append(self._counts, self._zeros))

    def _grow(self) -> None:
        keys, counts = self._keys, self._counts
        self._keys, self._counts = np.zeros(4 * len(keys), np.uint64), np.zeros(4 * len(keys), np.int64)
        _move(keys, counts, self._keys, self._counts)


@kernel
def _count(data: Any, position: int, size: int, keys: Any, counts: Any, used: int) -> tuple[int, int, int]:
    """Count blocks from `position` until the table is half full: where it stopped, slots used, blocks of zeros."""
    bits, mask = np.uint64(len(keys) - 1), np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * size)
    zeros, key = 0, np.uint64(0)
    for k in range(position, position + size - 1):
        key = key << _8 | np.uint64(data[k])
    while position + size <= len(data) and 2 * used < len(keys):
        key = (key << _8 | np.uint64(data[position + size - 1])) & mask
        position += 1
        if key == 0:
            zeros += 1
            continue
        slot = ((key * _MIX) >> _32) & bits
        while keys[slot] != key and keys[slot] != 0:
            slot = (slot + np.uint64(1)) & bits
        used += keys[slot] == 0
        keys[slot] = key
        counts[slot] += 1
    return position, used, zeros


@kernel
def _move(keys: NDArray[np.uint64], counts: Any, to: Any, to_counts: Any) -> None:
    bits = np.uint64(len(to) - 1)
    for k in range(len(keys)):
        if keys[k] != 0:
            slot = ((keys[k] * _MIX) >> _32) & bits
            while to[slot] != 0:
                slot = (slot + np.uint64(1)) & bits
            to[slot] = keys[k]
            to_counts[slot] = counts[k]
