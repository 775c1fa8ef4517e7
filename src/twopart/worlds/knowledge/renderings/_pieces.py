"""Sentences put together from ready pieces: the inner loop of the English text and of its tokens.

    head | word 0 | word 1 | ... | middle | value | tail         each piece is a row of one ragged table

    head, middle, tail   belong to the template
    word                 carries `bits` bits of the name, word 0 the lowest ones
    value                belongs to the attribute
A space between two pieces opens the second, as it does in byte-pair tokens: words and values come with and without one.
Work per sentence: one look-up and one copy of a few bytes per piece, in two passes (lengths, then content).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twopart._numba import inlined, kernel
from twopart.roles import Role
from twopart.worlds.knowledge.renderings._chunks import SLACK, copy_run
from twopart.worlds.knowledge.renderings._facts import Facts
from twopart.worlds.knowledge.renderings._grammar import Grammar, Template


class Rendered(NamedTuple):
    """Rendered sentences, end to end."""

    data: NDArray[Any]
    """Bytes (uint8) or token ids (int32)."""
    offsets: NDArray[np.int64]
    """Sentence i is data[offsets[i] : offsets[i + 1]]."""
    spans: NDArray[np.uint16]
    """Shape (sentences, 4): where the name starts and ends, then the value, counted from the sentence's start; column order."""


class Layout(NamedTuple):
    """The rows of the table that one template's sentences consist of."""

    head: int
    first: int
    """Row of word 0 for digit 0; the rows of digits 1, 2, ... follow it. Likewise `value`."""
    middle: int
    value: int
    tail: int
    name_gap: int
    """Elements of word 0 that stand before the name: 1 for the space of a byte text, else 0. Likewise `value_gap`."""
    value_gap: int


class Pieces(NamedTuple):
    """The table of a grammar's pieces, and which of them each template takes."""

    table: NDArray[Any]
    """All rows end to end, and SLACK behind them."""
    rows: NDArray[np.int64]
    """Row r is table[rows[r] : rows[r + 1]]."""
    layouts: NDArray[np.int64]
    """One `Layout` per template, those of attribute 0 first."""
    templates: NDArray[np.int64]
    """By attribute: index of its template 0 among the layouts."""
    words: NDArray[np.int64]
    """Words 1, 2, ...: row of each for digit 0."""
    bits: int
    """Bits of the name that a word carries."""

    @classmethod
    def of(
        cls, grammar: Grammar, encode: Callable[[list[str]], Sequence[Sequence[int]]], dtype: type, gap: int
    ) -> Pieces:
        """`encode` turns strings into rows of `dtype`; `gap` is what an opening space adds to a row before its word."""
        rows: list[Sequence[int]] = []
        known: dict[tuple[tuple[str, ...], bool], int] = {}

        def add(strings: tuple[str, ...], spaced: bool = False) -> int:
            """Index of the first of the strings' rows, which are added unless they are there."""
            if (strings, spaced) not in known:
                known[strings, spaced] = len(rows)
                rows.extend(encode([" " * spaced + string for string in strings]))
            return known[strings, spaced]

        def layout(template: Template, values: tuple[str, ...]) -> Layout:
            head, middle, tail = template
            after_space = head.endswith(" "), middle.endswith(" ")
            fixed = add((head.removesuffix(" "), middle.removesuffix(" "), tail))
            first, value = add(grammar.words[0], after_space[0]), add(values, after_space[1])
            return Layout(fixed, first, fixed + 1, value, fixed + 2, *(gap * space for space in after_space))

        words = [add(word, spaced=True) for word in grammar.words[1:]]
        layouts = [layout(template, a.values) for a in grammar.attributes for template in a.templates]
        flat = [element for row in rows for element in row] + [0] * SLACK
        return cls(
            np.array(flat, dtype),
            np.cumsum([0, *map(len, rows)]),
            np.array(layouts, np.int64),
            np.cumsum([0, *(len(attribute.templates) for attribute in grammar.attributes)])[:-1],
            np.array(words, np.int64),
            grammar.bits,
        )

    def render(self, facts: Facts) -> Rendered:
        """The sentences of facts that are within the world's bounds."""
        offsets = np.zeros(len(facts.name) + 1, np.int64)
        _measure(facts, self, offsets)
        data = np.empty(offsets[-1] + SLACK, self.table.dtype)
        spans = np.empty((len(facts.name), 4), np.uint16, order="F")
        _fill(facts, self, data, spans)
        return Rendered(data[: offsets[-1]], offsets, spans)


def roles_of(rendered: Rendered) -> NDArray[np.uint8]:
    """The `Role` of every element of `rendered.data`."""
    roles = np.empty(len(rendered.data), np.uint8)
    _fill_roles(rendered.offsets, rendered.spans, roles)
    return roles


@kernel
def _measure(facts: Facts, pieces: Pieces, offsets: NDArray[np.int64]) -> None:
    """Where each sentence ends."""
    mask, end = (1 << pieces.bits) - 1, 0
    for i in range(len(facts.name)):
        layout = pieces.layouts[pieces.templates[facts.attribute[i]] + facts.template[i]]
        name = facts.name[i]
        end += _size(pieces, layout[0]) + _size(pieces, layout[1] + (name & mask))
        for word in pieces.words:
            name >>= pieces.bits
            end += _size(pieces, word + (name & mask))
        end += _size(pieces, layout[2]) + _size(pieces, layout[3] + facts.value[i]) + _size(pieces, layout[4])
        offsets[i + 1] = end


@kernel
def _fill(facts: Facts, pieces: Pieces, data: NDArray[Any], spans: NDArray[np.uint16]) -> None:
    """The sentences' content, and where in them name and value stand."""
    mask, end = (1 << pieces.bits) - 1, 0
    for i in range(len(facts.name)):
        layout = pieces.layouts[pieces.templates[facts.attribute[i]] + facts.template[i]]
        name, start = facts.name[i], end
        end = _append(data, end, pieces, layout[0])
        spans[i, 0] = end - start + layout[5]
        end = _append(data, end, pieces, layout[1] + (name & mask))
        for word in pieces.words:
            name >>= pieces.bits
            end = _append(data, end, pieces, word + (name & mask))
        spans[i, 1] = end - start
        end = _append(data, end, pieces, layout[2])
        spans[i, 2] = end - start + layout[6]
        end = _append(data, end, pieces, layout[3] + facts.value[i])
        spans[i, 3] = end - start
        end = _append(data, end, pieces, layout[4])


@kernel
def _fill_roles(offsets: NDArray[np.int64], spans: NDArray[np.uint16], roles: NDArray[np.uint8]) -> None:
    for i in range(len(spans)):
        start = offsets[i]
        for k in range(start, offsets[i + 1]):
            roles[k] = Role.SYNTAX
        for k in range(start + spans[i, 0], start + spans[i, 1]):
            roles[k] = Role.NAME
        for k in range(start + spans[i, 2], start + spans[i, 3]):
            roles[k] = Role.VALUE


@inlined
def _size(pieces: Pieces, row: int) -> Any:
    return pieces.rows[row + 1] - pieces.rows[row]


@inlined
def _append(data: NDArray[Any], end: int, pieces: Pieces, row: int) -> Any:
    """Copy a row to `data[end:]`; where it ends there."""
    start = pieces.rows[row]
    length = pieces.rows[row + 1] - start
    copy_run(data, end, pieces.table, start, length)
    return end + length
