"""The tree that pays best for given data: all contexts up to an order are counted, then pruned from the longest down.

**Pruning.** A context keeps a distribution of its own if that saves more bits of data than `price` times the bits it takes in
the model; else what was counted there is left to the next shorter context that keeps one. So a price λ picks, of the trees
within reach, one that minimises data bits + λ model bits: a point where the frontier has slope -λ. λ = 1 aims at the shortest
file. The decision is greedy, and what a distribution takes is estimated from the digits of levels in the tree before.

**Precision.** A count c is sent as a level k = √c/s, rounded, and stands for the weight k². An error of s/√12 in √c is one of
2s√c/√12 in c, which costs (4s²c/12)/(2 c ln 2) = s²/(6 ln 2) bits of data whatever c is, and a step that is e times as coarse
saves log2 e bits of model. At price λ the sum is least for s² = 3λ: derived here; that precision should be the square
root's, 1/√n, is Rissanen's (1983, A universal prior for integers and estimation by minimum description length).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart.lossless.counts.tree import Tree, as_symbols

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

CLASSES = 24  # of levels, by binary digits
ROUNDS = 3  # of pruning, each with costs from the tree before


@dataclass(frozen=True, eq=False)
class _Depth:
    """All contexts of one length that occur at least twice, and the pairs of a context and a symbol after it."""

    parent: Ints
    """Node one symbol shorter, (nodes,)."""
    label: Ints
    """The symbol furthest back, (nodes,)."""
    node: Ints
    """Of each pair, rising, (pairs,)."""
    symbol: Ints
    """Of each pair, rising within a node, (pairs,)."""
    count: Ints
    """How often the symbol came after the context, (pairs,)."""
    up: Ints
    """The pair of the same symbol and the parent, (pairs,)."""

    def sums(self, terms: NDArray[Any]) -> Floats:
        """Of terms of pairs, by node."""
        return _sums(self.node, terms, len(self.parent))


@dataclass(frozen=True, eq=False)
class _Choice:
    """What is kept at one length of context."""

    own: Mask
    """Nodes with a distribution of their own."""
    left: Floats
    """Counts that no longer context takes, (pairs,)."""
    level: Ints
    """What is sent of them, (pairs,)."""


def learn(data: NDArray[np.uint8], order: int, price: float, coded: Mask | None = None) -> Tree:
    """The tree for `data` with contexts of at most `order` bytes; `coded` marks the bytes that are to be predicted."""
    coded = np.ones(len(data), bool) if coded is None else coded
    alphabet = np.flatnonzero(np.bincount(data, minlength=256)).astype(np.uint8)
    depths = _count(as_symbols(data, alphabet), len(alphabet), order, np.flatnonzero(coded))
    step, costs = np.sqrt(3 * price), _first_costs()
    choices: list[_Choice] = []
    for _ in range(ROUNDS):
        choices = _prune(depths, price, step, costs, len(alphabet))
        costs = _costs(depths, choices, step, len(alphabet))
    return _tree(depths, choices, alphabet, order)


def _count(symbols: Ints, A: int, order: int, places: Ints) -> list[_Depth]:
    """Contexts of 0, 1, ... symbols; before the beginning stand symbols 0."""
    node = np.zeros(len(places), np.int64)
    depths = [_pairs(node, symbols[places], A, np.zeros(1, np.int64), np.zeros(1, np.int64), None)]
    for length in range(1, order + 1):
        back = np.where(places >= length, symbols[np.maximum(places - length, 0)], 0)
        keys, node, times = np.unique(node * A + back, return_inverse=True, return_counts=True)
        often = times > 1
        kept = often[node]
        places, node = places[kept], (np.cumsum(often) - 1)[node[kept]]
        if not len(places):
            break
        depths.append(_pairs(node, symbols[places], A, keys[often] // A, keys[often] % A, depths[-1]))
    return depths


def _pairs(node: Ints, symbol: Ints, A: int, parent: Ints, label: Ints, shorter: _Depth | None) -> _Depth:
    keys, count = np.unique(node * A + symbol, return_counts=True)
    of, after = keys // A, keys % A
    if shorter is None:
        return _Depth(parent, label, of, after, count, np.zeros(len(keys), np.int64))
    up = np.searchsorted(shorter.node * A + shorter.symbol, parent[of] * A + after)
    return _Depth(parent, label, of, after, count, up)


def _prune(depths: list[_Depth], price: float, step: float, costs: Floats, A: int) -> list[_Choice]:
    """The cheapest of four ways at each node, from the longest contexts down; the root always keeps what is left to it.

    Its own distribution or none, and what its longer contexts hold or nothing of it. What a node does not hold is charged at
    its parent's frequencies.
    """
    longest = depths[-1]
    taken, below = np.zeros(len(longest.count)), np.zeros(len(longest.parent))
    choices, cuts = [], []
    for length in range(len(depths) - 1, 0, -1):
        here, above = depths[length], depths[length - 1]
        passed, counted = _Passed(here, above, step), here.count.astype(float)
        ways = np.stack(
            [
                below + passed.own(counted - taken, price, costs, A),
                passed.own(counted, price, costs, A),
                below + passed.up(counted - taken),
                passed.up(counted),
            ]
        )
        way = np.argmin(ways, axis=0)
        own, cut = way < 2, way % 2 == 1
        choices.append(
            _Choice(own, left := np.where(cut[here.node], here.count, here.count - taken), passed.levels(left))
        )
        cuts.append(cut)
        kept = np.where(cut, 0.0, below)
        spent = np.where(own, ways[way, np.arange(len(way))], kept)
        taken = np.where(own[here.node], here.count, np.where(cut[here.node], 0.0, taken))
        taken = _sums(here.up, taken, len(above.count))
        below = _sums(here.parent, spent, len(above.parent))
    root = depths[0].count - taken
    choices.append(_Choice(np.ones(1, bool), root, _levels(root, step)))
    return _without_cut(depths, choices[::-1], [np.zeros(1, bool), *cuts[::-1]])


def _without_cut(depths: list[_Depth], choices: list[_Choice], cuts: list[Mask]) -> list[_Choice]:
    """Nothing stands below a cut."""
    for length in range(1, len(depths)):
        under = cuts[length - 1][depths[length].parent]
        cuts[length] = cuts[length] | under
        choices[length].own[under] = False
    return choices


@dataclass(frozen=True, eq=False)
class _Passed:
    """What the counts of a length of context cost, held there or passed on."""

    here: _Depth
    above: _Depth
    step: float

    def levels(self, left: Floats) -> Ints:
        return _levels(left, self.step)

    def own(self, left: Floats, price: float, costs: Floats, A: int) -> Floats:
        """Bits of data and, at their price, of model, in a distribution of the node's own, (nodes,)."""
        level = self.levels(left)
        weight = level.astype(float) ** 2
        whole = self.here.sums(weight)[self.here.node]
        data = left * np.log2(np.maximum(whole, 1) / np.maximum(weight, 1))
        model = costs[self.upper, _digits(level)] - costs[self.upper, 0]
        return np.asarray(
            self.here.sums(data + price * model) + price * (self.symbols(A) @ costs[:-1, 0] + costs[-1, 0])
        )

    def up(self, left: Floats) -> Floats:
        """Bits of data at the parent's frequencies, (nodes,)."""
        return np.asarray(self.here.sums(left * self._surprise))

    @cached_property
    def _surprise(self) -> Floats:
        above = self.above
        share = above.count / above.sums(above.count)[above.node]
        return np.asarray(-np.log2(share)[self.here.up])

    @cached_property
    def upper(self) -> Ints:
        """Digits of the parent's levels, were all its counts its own, (pairs,)."""
        return self._digits_above[self.here.up]

    def symbols(self, A: int) -> Floats:
        """How many symbols the parent has of each number of digits, (nodes, CLASSES)."""
        above = self.above
        size = len(above.parent) * CLASSES
        table = (
            np.bincount(above.node * CLASSES + self._digits_above, minlength=size).reshape(-1, CLASSES).astype(float)
        )
        table[:, 0] = A - table.sum(1)
        return np.asarray(table[self.here.parent])

    @cached_property
    def _digits_above(self) -> Ints:
        return _digits(_levels(self.above.count.astype(float), self.step))


def _levels(left: Floats, step: float) -> Ints:
    return np.where(left > 0, np.maximum(np.rint(np.sqrt(left) / step), 1), 0).astype(np.int64)


def _first_costs() -> Floats:
    """Bits of a level of so many digits (columns) under one of so many digits (rows), to begin with; last row: of a node."""
    below = np.arange(CLASSES)
    costs = np.tile(np.where(below, 2.0 * below + 1, 0.05), (CLASSES + 1, 1))
    costs[-1] = 5.0
    return costs


def _costs(depths: list[_Depth], choices: list[_Choice], step: float, A: int) -> Floats:
    """The same from a tree: entropies of digits given those above, and of the places of nodes."""
    table = np.full((CLASSES, CLASSES), 0.05)
    nodes = 0
    for length in range(1, len(depths)):
        here, choice = depths[length], choices[length]
        passed = _Passed(here, depths[length - 1], step)
        mine = choice.own[here.node] & (choice.level > 0)
        pairs = passed.upper[mine] * CLASSES + _digits(choice.level[mine])
        table += np.bincount(pairs, minlength=CLASSES * CLASSES).reshape(CLASSES, CLASSES)
        table[:, 0] += passed.symbols(A)[choice.own].sum(0) - np.bincount(passed.upper[mine], minlength=CLASSES)
        nodes += int(choice.own.sum())
    bits = -np.log2(table / table.sum(1, keepdims=True)) + np.maximum(np.arange(CLASSES) - 1, 0)
    possible = sum(len(depth.parent) for depth in depths[1:])
    return np.vstack([bits, np.full(CLASSES, np.log2(max(possible, 2) / max(nodes, 1)) + 1.5)])


def _sums(of: Ints, terms: NDArray[Any], size: int) -> Floats:
    return np.bincount(of, terms, size).astype(float, copy=False)


def _digits(level: NDArray[Any]) -> Ints:
    """Binary digits; 0 has none."""
    return np.asarray(np.minimum(np.frexp(np.asarray(level, float))[1], CLASSES - 1), np.int64)


def _tree(depths: list[_Depth], choices: list[_Choice], alphabet: NDArray[np.uint8], order: int) -> Tree:
    """Number the nodes that are kept, level by level."""
    needed = _needed(depths, choices)
    place = [np.full(len(depth.parent), -1, np.int64) for depth in depths]
    label, parent, listed, nodes = [], [], [], 0
    for length, (here, choice) in enumerate(zip(depths, choices, strict=True)):
        kept = np.flatnonzero(needed[length])
        above = place[length - 1][here.parent[kept]] if length else np.full(1, -1, np.int64)
        kept = kept[np.lexsort((here.label[kept], above))]
        place[length][kept] = nodes + np.arange(len(kept))
        label.append(here.label[kept])
        parent.append(place[length - 1][here.parent[kept]] if length else np.full(1, -1, np.int64))
        mine = choice.own[here.node] & (choice.level > 0)
        listed.append(np.stack([place[length][here.node[mine]], here.symbol[mine], choice.level[mine]]))
        nodes += len(kept)
    node, symbol, level = np.concatenate(listed, axis=1)
    order_of = np.lexsort((symbol, -level, node))
    first = 1 + np.searchsorted(np.concatenate(parent)[1:], np.arange(nodes + 1))
    start = np.searchsorted(node[order_of], np.arange(nodes + 1))
    return Tree(order, alphabet, np.concatenate(label), first, start, symbol[order_of], level[order_of])


def _needed(depths: list[_Depth], choices: list[_Choice]) -> list[Mask]:
    """Nodes that keep a distribution, and those on the way to them."""
    needed = [choice.own.copy() for choice in choices]
    for length in range(len(depths) - 1, 0, -1):
        needed[length - 1][depths[length].parent[needed[length]]] = True
    return needed
