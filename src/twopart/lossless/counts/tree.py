"""The model: a tree of contexts, some of which have a distribution of the next symbol. A symbol is predicted by the longest
context before it that has one.

Nodes are numbered level by level; the children of a node, contexts one symbol longer into the past, stand together in the order
of that symbol. A distribution is a list of symbols with whole weights, the squares of their *levels*: a level is what the
model sends, and with a step s in the square root a count c is sent as √c / s, rounded (see learn.py for why).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Tree(NamedTuple):
    """A model of symbols 0 ... A-1 in contexts of at most `depth` symbols; arrays that kernels can read."""

    depth: int
    alphabet: NDArray[np.uint8]
    """Bytes that the symbols stand for, rising, (A,)."""
    label: NDArray[np.int64]
    """The symbol that a node has more than its parent, (nodes,)."""
    first: NDArray[np.int64]
    """Node i's children are first[i] ... first[i + 1] - 1, (nodes + 1,)."""
    start: NDArray[np.int64]
    """Node i's distribution is in entries start[i] ... start[i + 1] - 1, none if it has no own, (nodes + 1,)."""
    symbol: NDArray[np.int64]
    """Of each entry, (entries,): a node's entries stand in the order of falling level, then of symbols."""
    level: NDArray[np.int64]
    """>= 1, (entries,)."""

    @property
    def contexts(self) -> int:
        """Nodes with a distribution of their own."""
        return int(np.sum(np.diff(self.start) > 0))


def empty(depth: int, alphabet: NDArray[np.uint8], nodes: int, entries: int) -> Tree:
    """Room for a tree that a decoder fills in."""
    sizes = (nodes, nodes + 1, nodes + 1, entries, entries)
    return Tree(depth, alphabet, *(np.zeros(size, np.int64) for size in sizes))


def as_symbols(data: Any, alphabet: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Places of bytes in the alphabet; a byte that is not there gets that of another one."""
    place = np.zeros(256, np.int64)
    place[alphabet] = np.arange(len(alphabet))
    return np.asarray(place[np.asarray(data, np.uint8)])
