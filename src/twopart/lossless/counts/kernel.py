"""Tree and data as codes: whole numbers only, so a file decodes on any machine. Coder and decoder are one function with a flag.

The tree, node after node, each item an adaptive decision in the context that is named:
    own        whether the node has a distribution (how long it is; whether it has children)
    levels     of every symbol of the alphabet: how many binary digits it has, in unary (how many the symbol's level has in the
               nearest distribution above; for "none or more" also how many symbols there are so far), then the digits
    children   whether it has any (how long it is), then which (how long it is; the symbol's digits in the root)
The data: each symbol by decisions "is it the first of the list? the second? ...", as improbable as the weights say.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from twopart.lossless.counts.bits import EVEN, begin, code_bit, end, learn_bit
from twopart.lossless.mixing._numbers import bare_kernel

DIGITS = 24  # of a level, at most
SOME = 4  # numbers of symbols so far are told apart below this
LEVELS = DIGITS * DIGITS * SOME  # counts of digits in unary
DEEPEST = 64


class Scratch(NamedTuple):
    """What `code_tree` works with."""

    counts: Any
    """Of the digits of levels in unary, (LEVELS, 2)."""
    fractions: Any
    """Of a level's second digit, by how many it has, (DIGITS, 2)."""
    own: Any
    any_child: Any
    """By length of the context, (DEEPEST + 1, 2)."""
    which: Any
    """By the same and the digits of the level in the root, ((DEEPEST + 1) * DIGITS, 2)."""
    depth: Any
    near: Any
    """Length of each context, and the node whose distribution holds there, (nodes,)."""
    above: Any
    here: Any
    root: Any
    children: Any
    """Of each symbol, (A,): its level above and here, digits of that in the root, whether it is a child."""


def scratch(nodes: int, A: int) -> Scratch:
    """Room for a tree of so many nodes and symbols."""
    tables = LEVELS, DIGITS, DEEPEST + 1, DEEPEST + 1, (DEEPEST + 1) * DIGITS
    pairs = (np.zeros((size, 2), np.int64) for size in tables)
    return Scratch(*pairs, *(np.zeros(size, np.int64) for size in (nodes, nodes, A, A, A, A)))


@bare_kernel
def _digits(level: int) -> int:
    count = 0
    while level >> count:
        count += 1
    return count


@bare_kernel
def _level(state: Any, code: Any, decoding: bool, level: int, above: int, some: int, m: Any) -> int:
    """One level, given that of the same symbol above and how many symbols the node has so far."""
    wanted, upper, digits = _digits(level), min(_digits(above), DIGITS - 1), 0
    while digits < DIGITS - 1:
        row = (upper * DIGITS + digits) * SOME + (min(some, SOME - 1) if digits == 0 else 0)
        if not learn_bit(state, code, decoding, 1 if wanted > digits else 0, m.counts, row):
            break
        digits += 1
    found = 1 if digits else 0
    for place in range(digits - 2, -1, -1):
        bit = (level >> place) & 1
        if place == digits - 2:
            bit = learn_bit(state, code, decoding, bit, m.fractions, digits)
        else:
            bit = code_bit(state, code, decoding, bit, EVEN)
        found = 2 * found + bit
    return found


@bare_kernel
def code_tree(decoding: bool, tree: Any, m: Any, state: Any, code: Any) -> int:
    """Bytes written, more than `code` has room for if it does not fit; -1 if a decoder finds no tree of this size."""
    used, known = 0, 1
    if decoding:
        begin(state, code)
    for node in range(len(tree.label)):
        if node >= known:
            return -1
        deep, bearing = min(m.depth[node], DEEPEST), 1 if tree.first[node + 1] > tree.first[node] else 0
        if m.depth[node] < tree.depth:
            bearing = learn_bit(state, code, decoding, bearing, m.any_child, deep)
        has = 1  # a node without children is there for its distribution
        if node and bearing:
            has = 1 if tree.start[node + 1] > tree.start[node] else 0
            has = learn_bit(state, code, decoding, has, m.own, deep)
        if has:
            used = _distribution(state, code, decoding, tree, m, node, used)
        if used < 0:
            return -1
        if decoding:
            tree.start[node + 1], tree.first[node] = used, known
        if bearing:
            known = _children(state, code, decoding, tree, m, node, known)
        if decoding:
            tree.first[node + 1] = min(known, len(tree.label))
    if decoding:
        return 0 if used == len(tree.symbol) and known == len(tree.label) else -1
    return end(state, code)


@bare_kernel
def _distribution(state: Any, code: Any, decoding: bool, tree: Any, m: Any, node: int, used: int) -> int:
    """The levels of a node's distribution; how many entries there are with these, -1 if there is no room for them."""
    near, some = m.near[node], 0
    if node:
        for e in range(tree.start[near], tree.start[near + 1]):
            m.above[tree.symbol[e]] = tree.level[e]
    if not decoding:
        for e in range(tree.start[node], tree.start[node + 1]):
            m.here[tree.symbol[e]] = tree.level[e]
    for a in range(len(m.here)):
        m.here[a] = _level(state, code, decoding, m.here[a], m.above[a], some, m)
        some += 1 if m.here[a] else 0
        if node == 0:
            m.root[a] = min(_digits(m.here[a]), DIGITS - 1)
    if used + some > len(tree.symbol):
        return -1
    if decoding:
        _list(tree, used, m.here)
    m.above[:] = 0
    m.here[:] = 0
    m.near[node] = node
    return used + some


@bare_kernel
def _children(state: Any, code: Any, decoding: bool, tree: Any, m: Any, node: int, known: int) -> int:
    """Which symbols lead to children; how many nodes are known with these, more than there are if there is no room."""
    m.children[:] = 0
    if not decoding:
        for child in range(tree.first[node], tree.first[node + 1]):
            m.children[tree.label[child]] = 1
    for a in range(len(m.children)):
        row = min(m.depth[node], DEEPEST) * DIGITS + m.root[a]
        if learn_bit(state, code, decoding, m.children[a], m.which, row):
            if known < len(tree.label):
                tree.label[known], m.depth[known], m.near[known] = a, m.depth[node] + 1, m.near[node]
            known += 1
    return known


@bare_kernel
def _list(tree: Any, used: int, here: Any) -> None:
    """Enter the symbols with a level, by falling level: an insertion sort."""
    last = used
    for a in range(len(here)):
        if here[a]:
            place = last
            while place > used and tree.level[place - 1] < here[a]:
                tree.level[place], tree.symbol[place] = tree.level[place - 1], tree.symbol[place - 1]
                place -= 1
            tree.level[place], tree.symbol[place] = here[a], a
            last += 1


@bare_kernel
def code_data(
    decoding: bool,
    tree: Any,
    sums: Any,
    text: Any,
    begun: int,
    coded: Any,
    state: Any,
    code: Any,
    bits: Any,
    cost: Any,
) -> int:
    """Code the symbols of `text` from place `begun` where `coded` says so; the others are known to both.

    `sums`: of a node's weights. `bits`: room for what each symbol costs, or empty; `cost`: of a decision of probability p.
    """
    if decoding:
        begin(state, code)
    for i in range(begun, len(text)):
        if coded[i - begun]:
            node = _longest(tree, text, i)
            rest, e, last, spent = sums[node], tree.start[node], tree.start[node + 1] - 1, 0.0
            while e < last:
                weight = tree.level[e] * tree.level[e]
                p = min(max((weight << 16) // rest, 1), 65535)
                here = code_bit(state, code, decoding, 1 if tree.symbol[e] == text[i] else 0, p)
                spent += cost[p] if here else cost[65536 - p]
                if here:
                    break
                rest -= weight
                e += 1
            text[i] = tree.symbol[e] if last >= tree.start[node] else 0  # an empty list is a damaged file's
            if len(bits) > 0:
                bits[i - begun] = spent
    return 0 if decoding else end(state, code)


@bare_kernel
def _longest(tree: Any, text: Any, now: int) -> int:
    """The longest context with a distribution that the symbols before place `now` end with."""
    node, found, back = 0, 0, now - 1
    while back >= now - tree.depth:
        low, high = tree.first[node], tree.first[node + 1]
        while low < high:
            half = (low + high) >> 1
            if tree.label[half] < text[back]:
                low = half + 1
            else:
                high = half
        if low == tree.first[node + 1] or tree.label[low] != text[back]:
            break
        node = low
        if tree.start[node + 1] > tree.start[node]:
            found = node
        back -= 1
    return found
