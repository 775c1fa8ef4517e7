"""Words to numbers: a hash table of byte strings that numbers each word 0, 1, 2, ... in the order of first appearance.

The text is scanned once. A word is a run of code points of one class (`classes`), found and hashed byte by byte; the table is
open, with linear probing, and holds 32 bits of the hash beside the number, so that a wrong slot is left without a look at
the letters. Memory per distinct word: its letters, 16 bytes, and 16 to 32 bytes of the table.

What is written between letters and not seen parts no word (Unicode annex 29, rule WB4). Joiners (U+200C, U+200D) there
change how a word is spelled, as in Persian, and are part of it; other format characters, such as the soft hyphen, are none.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from unicodedata import category, name

import numpy as np
from numpy.typing import NDArray

from twopart._numba import inlined, kernel

CODE_POINTS = 0x110000
GIVEN = (range(0x40000), range(0xE0000, 0xE1000))
"""Planes 0 to 3 and the begun 14: beyond them is no letter, mark, digit or format character."""
CASED = 0x20000  # beyond lie ideographs, marks and nothing: no capital letters
LETTER, MARK, IN_IDENTIFIER, JOINER = 1, 2, 4, 8  # bits of a class
WORD = LETTER | MARK
JOINERS = (0x200C, 0x200D)
PARTING = (0x200B, *range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)
"""Format characters (Cf) that part words all the same: the zero-width space, and signs that go with numbers."""
MOST = 2**32 - 2  # words that a slot can number

Bytes = NDArray[np.uint8]


@cache
def classes() -> Bytes:
    """For each code point, the bits of what it can be: letter (L*), mark (M*), in an identifier (`\\w` of `re`), joiner."""
    table = np.zeros(CODE_POINTS, np.uint8)
    for points in GIVEN:
        letters = list(map(chr, points))
        kinds = np.array([category(letter)[0] for letter in letters])
        named = np.array([letter.isalnum() or letter == "_" for letter in letters])
        table[points] = LETTER * (kinds == "L") | MARK * (kinds == "M") | IN_IDENTIFIER * named
    table[list(JOINERS)] = JOINER
    return table


@cache
def ascii_classes() -> Bytes:
    """The first 128 of `classes`, which take no time to make."""
    letters = [chr(point) for point in range(128)]
    return np.array([LETTER * c.isalpha() | IN_IDENTIFIER * (c.isalnum() or c == "_") for c in letters], np.uint8)


UNSPACED = ("CJK", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Yi", "Javanese", "Balinese")
"""Scripts written without spaces between words, by the first word of their letters' names; CJK: Chinese characters."""


@cache
def scripts() -> Bytes:
    """For each code point, 1 + the place of its script in `UNSPACED`; 0 for all others."""
    table = np.zeros(CODE_POINTS, np.uint8)
    places = {script.upper(): place for place, script in enumerate(UNSPACED, 1)}
    for point in np.flatnonzero(classes() & LETTER):
        table[point] = places.get(name(chr(point), "").partition(" ")[0], 0)
    return table


@cache
def lower_case() -> NDArray[np.int32]:
    """For each code point, its lower case where that is one code point, else itself; -1 for what is not seen."""
    table = np.arange(CODE_POINTS, dtype=np.int32)
    for point in range(CASED):
        lower = chr(point).lower()
        if len(lower) == 1:
            table[point] = ord(lower)
    unseen = {point for points in GIVEN for point in points if category(chr(point)) == "Cf"}
    table[sorted(unseen.difference(JOINERS, PARTING))] = -1
    return table


def lowered(text: bytes) -> bytes:
    """`text`, valid UTF-8, with every letter put through `lower_case`, and without what is not seen."""
    data = np.frombuffer(text, np.uint8)
    out = np.empty(2 * len(data), np.uint8)  # a letter of one byte stays one, others grow to four at most
    return out[: _lower(data, lower_case(), out)].tobytes()


class Vocabulary:
    """Distinct words and their numbers."""

    def __init__(self, mask: int, joins: int = 0, slots: int = 1 << 16) -> None:
        """Words are runs of code points of a class in `mask`, and of those in `joins` where they stand between such;
        `slots`, a power of two, is the table's first size.
        """
        self._mask, self._joins = np.uint8(mask), np.uint8(joins)
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
                data, position, table, self._mask, self._joins, *store, self._distinct, out, written
            )
            if position >= len(data):
                return out[:written]

    def word(self, number: int) -> str:
        return self._letters[self._ends[number] : self._ends[number + 1]].tobytes().decode()

    def scripts(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many letters of each script (`scripts`) there are in all, if word k stands there `counts[k]` times."""
        letters = np.zeros(len(UNSPACED) + 1, np.int64)
        plain = self._letters[: self._ends[self._distinct]].max(initial=0) < 128
        tables = (ascii_classes(), np.zeros(128, np.uint8)) if plain else (classes(), scripts())
        _count_letters(self._letters, self._ends, counts, *tables, letters)
        return letters

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
        if point < 0:
            continue
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
    data: Any, position: int, table: Any, mask: int, joins: int, slots: Any, letters: Any, ends: Any, hashes: Any,
    distinct: int, out: Any, written: int,
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
            stop = i + length
            if not table[point] & mask:
                while table[point] & joins and stop < size:
                    point, length = _point(data, stop)
                    stop += length
                if not table[point] & mask:
                    break
            for k in range(i, stop):
                code = (code ^ np.uint64(data[k])) * _PRIME
            i = stop
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
def _count_letters(letters: Any, ends: Any, counts: Any, classes: Any, scripts: Any, out: Any) -> None:
    """Add to `out` the letters of each script in words that stand `counts` times."""
    for number in range(len(counts)):
        i = ends[number]
        while i < ends[number + 1]:
            point, length = _point(letters, i)
            if classes[point] & LETTER:
                out[scripts[point]] += counts[number]
            i += length


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
