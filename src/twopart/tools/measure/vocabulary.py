"""Words to numbers: a hash table of byte strings that numbers each word 0, 1, 2, ... in the order of first appearance.

The text is scanned once. A word is a run of code points of one class (`classes`), found and hashed byte by byte; the table is
open, with linear probing, and holds 32 bits of the hash beside the number, so that a wrong slot is left without a look at
the letters. Memory per distinct word: its letters, 16 bytes, and 16 to 32 bytes of the table.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from twopart._numba import inlined, kernel

CODE_POINTS = 0x110000
CASED = 0x20000  # beyond lie ideographs, marks and nothing: no capital letters
LETTER, MARK, IN_IDENTIFIER = 1, 2, 4  # bits of a class
WORD = LETTER | MARK
MOST = 2**32 - 2  # words that a slot can number

Bytes = NDArray[np.uint8]


@cache
def classes() -> Bytes:
    """For each code point, the bits of what it can be part of: a letter (L*), a mark (M*), an identifier (`\\w` of `re`)."""
    table = np.zeros(CODE_POINTS, np.uint8)
    for point in range(CODE_POINTS):
        letter = chr(point)
        kind = category(letter)[0]
        table[point] = (
            LETTER * (kind == "L") | MARK * (kind == "M") | IN_IDENTIFIER * (letter.isalnum() or letter == "_")
        )
    return table


@cache
def ascii_classes() -> Bytes:
    """The first 128 of `classes`, which take no time to make."""
    letters = [chr(point) for point in range(128)]
    return np.array([LETTER * c.isalpha() | IN_IDENTIFIER * (c.isalnum() or c == "_") for c in letters], np.uint8)


@cache
def lower_case() -> NDArray[np.int32]:
    """For each code point, its lower case where that is one code point, else itself."""
    table = np.arange(CODE_POINTS, dtype=np.int32)
    for point in range(CASED):
        lower = chr(point).lower()
        if len(lower) == 1:
            table[point] = ord(lower)
    return table


def lowered(text: bytes) -> bytes:
    """`text`, valid UTF-8, with every letter put through `lower_case`."""
    data = np.frombuffer(text, np.uint8)
    out = np.empty(2 * len(data), np.uint8)  # a letter of one byte stays one, others grow to four at most
    return out[: _lower(data, lower_case(), out)].tobytes()


class Vocabulary:
    """Distinct words and their numbers."""

    def __init__(self, mask: int, slots: int = 1 << 16) -> None:
        """Words are runs of code points of a class in `mask`; `slots`, a power of two, is the table's first size."""
        self._mask = np.uint8(mask)
        self._slots = np.zeros(slots, np.uint64)
        self._letters = np.empty(1 << 20, np.uint8)
        self._ends = np.zeros(1 << 14, np.int64)  # word k is letters[ends[k]:ends[k + 1]]
        self._hashes = np.empty(1 << 14, np.uint64)
        self._distinct = 0

    def __len__(self) -> int:
        return self._distinct

    def numbers(self, text: bytes) -> NDArray[np.int64]:
        """The numbers of the words of `text`, valid UTF-8, in order; new words are entered."""
        data = np.frombuffer(text, np.uint8)
        table = ascii_classes() if text.isascii() else classes()
        out = np.empty(len(data) // 2 + 1, np.int64)
        position = written = 0
        while True:
            self._make_room(len(data) - position)
            store = (self._slots, self._letters, self._ends, self._hashes)
            position, written, self._distinct = _number(
                data, position, table, self._mask, *store, self._distinct, out, written
            )
            if position >= len(data):
                return out[:written]

    def word(self, number: int) -> str:
        return self._letters[self._ends[number] : self._ends[number + 1]].tobytes().decode()

    def _make_room(self, size: int) -> None:
        """Room for the letters of `size` bytes of text, and for as many new words as the kernel may enter in one go."""
        used = int(self._ends[self._distinct])
        if used + size > len(self._letters):
            self._letters = _grown(self._letters, max(used + size, 2 * len(self._letters)))
        if 2 * (self._distinct + 1) > len(self._ends):
            self._ends = _grown(self._ends, 2 * len(self._ends))
            self._hashes = _grown(self._hashes, 2 * len(self._hashes))
        if 4 * (self._distinct + 1) > len(self._slots):
            self._slots = np.zeros(4 * len(self._slots), np.uint64)
            _enter_all(self._slots, self._hashes, self._distinct)


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    grown = np.empty(size, array.dtype)
    grown[: len(array)] = array
    return grown


_START, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a (Fowler, Noll, Vo)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: spreads the hash over its upper bits
_32 = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ONE, _NONE = np.uint64(1), np.uint64(0)


@inlined
def _point(data: Any, i: int) -> Any:
    """The code point at byte `i` of valid UTF-8, and its length in bytes."""
    first = np.int64(data[i])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | (data[i + 1] & 0x3F), 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | (data[i + 1] & 0x3F) << 6 | (data[i + 2] & 0x3F), 3
    return (first & 7) << 18 | (data[i + 1] & 0x3F) << 12 | (data[i + 2] & 0x3F) << 6 | (data[i + 3] & 0x3F), 4


@kernel
def _lower(data: Any, table: Any, out: Any) -> int:
    """Write the lower case of `data`, and return how many bytes it has."""
    i = j = 0
    while i < len(data):
        found, length = _point(data, i)
        i += length
        point = int(table[found])
        if point < 0x80:
            out[j] = point
            j += 1
            continue
        more = 1 + (point >= 0x800) + (point >= 0x10000)
        out[j] = (0xFF00 >> (more + 1) & 0xFF) | point >> 6 * more
        for k in range(1, more + 1):
            out[j + k] = 0x80 | (point >> 6 * (more - k) & 0x3F)
        j += more + 1
    return j


@kernel
def _number(
    data: Any, position: int, table: Any, mask: int, slots: Any, letters: Any, ends: Any, hashes: Any, distinct: int,
    out: Any, written: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Number the words of `data` from `position`; returns early, before a word, where the tables are half full."""
    size, bits = len(data), np.uint64(len(slots) - 1)
    room = min(len(slots) // 2, len(ends) - 1, MOST)
    i = position
    while i < size:
        point, length = _point(data, i)
        if not table[point] & mask:
            i += length
            continue
        start, code = i, _START
        while i < size:
            point, length = _point(data, i)
            if not table[point] & mask:
                break
            for k in range(i, i + length):
                code = (code ^ np.uint64(data[k])) * _PRIME
            i += length
        if distinct >= room:
            return start, written, distinct
        code *= _MIX
        slot = (code >> _32) & bits
        while True:
            held = slots[slot]
            if held == _NONE:
                slots[slot] = (code & _LOW) << _32 | np.uint64(distinct + 1)
                hashes[distinct] = code
                begin = ends[distinct]
                for k in range(start, i):
                    letters[begin + k - start] = data[k]
                ends[distinct + 1] = begin + i - start
                number = np.int64(distinct)
                distinct += 1
                break
            number = np.int64(held & _LOW) - 1
            if held >> _32 == code & _LOW and _same(data, start, i, letters, ends[number], ends[number + 1]):
                break
            slot = (slot + _ONE) & bits
        out[written] = number
        written += 1
    return i, written, distinct


@inlined
def _same(data: Any, start: int, stop: int, letters: Any, begin: int, end: int) -> bool:
    if stop - start != end - begin:
        return False
    for k in range(stop - start):  # noqa: SIM110 (compiled)
        if data[start + k] != letters[begin + k]:
            return False
    return True


@kernel
def _enter_all(slots: Any, hashes: Any, distinct: int) -> None:
    """Enter the words 0..distinct-1 into an empty table."""
    bits = np.uint64(len(slots) - 1)
    for number in range(distinct):
        code = hashes[number]
        slot = (code >> _32) & bits
        while slots[slot] != _NONE:
            slot = (slot + _ONE) & bits
        slots[slot] = (code & _LOW) << _32 | np.uint64(number + 1)
