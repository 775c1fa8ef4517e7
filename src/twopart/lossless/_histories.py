"""Bit histories: what a context remembers of the bits that followed it, in one byte.

A history is (zeros, ones, last bit), with small bounded counts. A new bit adds one to its own count; an opposite count
above 2 is discounted, as recent bits tell more than old ones. Pairs out of bounds move to a smaller pair of about the same
ratio. This is the automaton of the ZPAQ level 1 format (Mahoney, The ZPAQ Open Standard Format for Highly Compressed Data,
2.04, section "Bit histories"), 255 histories in all.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BOUNDS = (20, 48, 15, 8, 6, 5)
"""The largest count of the one bit when that of the other is 0, 1, ..."""
HIGHEST = 50


@lru_cache
def history_tables() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """`following`, shape (512,): entry 2h + y comes after history h when the bit is y;
    `counts`, shape (256, 2): zeros and ones of h.
    """
    numbers = _numbers()
    following, counts = np.zeros(512, np.uint8), np.zeros((256, 2), np.int64)
    for (zeros, ones, _), history in numbers.items():
        counts[history] = zeros, ones
        for bit in (0, 1):
            following[2 * history + bit] = numbers[(*_after(zeros, ones, bit), bit)]
    return following, counts


def _numbers() -> dict[tuple[int, int, int], int]:
    """The histories (zeros, ones, last bit) by number, those with few bits first: a low number is a context little used."""
    numbers: dict[tuple[int, int, int], int] = {}
    free = 0
    for total in range(HIGHEST):
        for ones in range(total + 1):
            kinds = _kinds(total - ones, ones)
            if kinds:
                numbers[total - ones, ones, 0] = free
                numbers[total - ones, ones, 1] = free + kinds - 1
                free += kinds
    return numbers


def _kinds(zeros: int, ones: int) -> int:
    """How many histories have these counts: 2 if the last bit is told apart, 0 if the pair is out of bounds."""
    many, few = max(zeros, ones), min(zeros, ones)
    if few < 0 or few >= len(BOUNDS) or many > BOUNDS[few]:
        return 0
    return 2 if few > 0 and many + few <= 17 else 1


def _after(zeros: int, ones: int, bit: int) -> tuple[int, int]:
    """The counts after one more bit."""
    if zeros < ones:
        return _after(ones, zeros, 1 - bit)[::-1]
    zeros, ones = (_discounted(zeros), ones + 1) if bit else (zeros + 1, _discounted(ones))
    while not _kinds(zeros, ones):
        if ones < 2:
            zeros -= 1
        else:
            zeros, ones = (zeros * (ones - 1) + ones // 2) // ones, ones - 1
    return zeros, ones


def _discounted(count: int) -> int:
    return sum(count >= step for step in (1, 2, 3, 4, 5, 7, 8))
