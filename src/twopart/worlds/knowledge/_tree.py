"""Exact i.i.d. draws from a Pitman-Yor random measure that is never stored: a tree whose nodes are hashes.

PY(d, θ) is cut into parts that are Pitman-Yor again, so that a draw visits only the parts it falls into (sources in `_root`):
  1. The root: sticks, which are atoms, and blocks, which are PY(d, c). One look-up in a table.
  2. A PY(d, c) is GEM(0, c) over PY(d, 0): sticks W_j ~ Beta(1, c) of what the earlier ones left, a PY(d, 0) on each.
  3. A PY(d, 0) is one atom of weight V ~ Beta(1-d, d), and else a PY(d, d): back to 2 with c = d.
A node is 64 bits: a block's number, or the Philox hash of (parent, place in it). Its weights are hashes of the node, so
whoever comes by finds the same ones, and memory does not grow with the draws. Nothing is truncated: a draw goes down until
it meets an atom, 1/(1-d) levels on average. The root's probabilities are rounded to 2^-40 of a cell's, which moves less than
2^-41 of the mass.

How 2 finds its stick: in time t = -ln(1 - mass) the ends of the sticks are a Poisson process of rate c, and a uniform draw
falls at an Exp(1) time. Measured in units of 1/c, the process is cut into bins of length BIN that are hashed independently,
so the stick around any time is found by walking from the start of its bin: no matter how large c is.

All loops go over arrays, one operation at a time, so that they become SIMD code; draws that need another try (another stick,
another proposal for V) are copied to the front of other arrays and the loop runs again over them.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twopart._numba import inlined
from twopart._philox import HALF, LOW, Block, Key, philox4x32, two_blocks
from twopart._simd import exp, log, one_less_exp, simd_kernel, uniform
from twopart._threads import at_once, cores
from twopart.worlds.knowledge._root import Root

DEEP = np.int64(1 << 62)
"""Ids from here on are atoms inside blocks, 62 bits of hash: of K of them any two share an id with probability K²/2^63."""
LEAST = 2.0**-1022
"""Least probability that is told: beyond d = 0.97 or so, atoms lighter than any float64 are drawn now and then."""

BATCH = 8192  # draws worked on together
SHARE = 2**16  # draws that are worth waking a thread for
LANES = 16  # SIMD loops run over a multiple of it: two hashes at a time, eight lanes each, and no rest
BIN = 8.0  # expected ends of sticks per bin

# What is hashed, as the lower 8 bits of the last counter word: no two uses of Philox share a counter under one key.
_CELL = np.uint64(0)  # of (pair of draws): two cells of the root
_GOAL = np.uint64(1)  # of (draw, level): where it falls among the sticks, and whether it takes the atom
_END = np.uint64(2)  # of (node, bin), number << 8: the end of a stick, and the node on that stick
_ATOM = np.uint64(3)  # of (node, attempt): the weight of its atom
_NUMBER_SHIFT = np.uint64(8)
BLOCK = np.uint64(0x80000000)  # upper word of a block's node

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_TABLE_BITS, _ALIAS = np.uint64(24), np.uint64(0xFFFFFF)


class Batch(NamedTuple):
    """Draws on their way down, one entry each; the first of them are those that have not met their atom yet."""

    who: Any
    """Place of the draw in the output."""
    low: Any
    high: Any
    """The node it is in: a PY(d, c)."""
    inside: Any
    """Probability of that node."""
    goal: Any
    """Its time among the node's sticks, in units of 1/c."""
    choice: Any
    """Uniform: below the weight of the atom on the stick, it takes the atom."""
    child_low: Any
    child_high: Any
    """The node on its stick: a PY(d, 0)."""
    left: Any
    gap: Any
    """Where that stick begins, and its length, in units of 1/c."""
    atom: Any
    rest: Any
    """Weight of that node's atom, and of the remainder."""
    slot: Any
    at_low: Any
    at_high: Any
    to_low: Any
    to_high: Any
    x: Any
    y: Any
    """For draws that need more tries: their place in the batch, the node hashed, the hash, two numbers."""


def draw(
    root: Root, draws: Key, start: int, out: NDArray[np.int64], probability: NDArray[np.float64] | None = None
) -> None:
    """Fill `out` with the ids of draws start, start+1, ... under the key `draws`, and `probability` with their atoms'.

    Each draw hangs on its number alone, so that cores share them.
    """
    told = np.empty(0) if probability is None else probability
    tree = root.discount, root.block_concentration, root.sticks, root.table, root.weights, root.nodes, draws
    parts = len(out) // SHARE
    parts = min(parts, cores()) if parts > 1 else 1
    ends = [len(out) * i // parts for i in range(parts + 1)]
    at_once([partial(_draw, start + a, *tree, out[a:b], told[a:b]) for a, b in pairwise(ends)])


@inlined
def empty_batch() -> Batch:
    """Its size is known to the compiler, which sees that no two of the arrays overlap."""
    size = BATCH + LANES
    pairs, words, reals = np.empty((2, size), np.int64), np.empty((8, size), np.uint64), np.empty((9, size))
    who, low, high, child_low, child_high = pairs[0], words[0], words[1], words[2], words[3]
    inside, goal, choice, left, gap, atom, rest = reals[0], reals[1], reals[2], reals[3], reals[4], reals[5], reals[6]
    slot, at_low, at_high, to_low, to_high = pairs[1], words[4], words[5], words[6], words[7]
    state = who, low, high, inside, goal, choice, child_low, child_high, left, gap, atom, rest
    return Batch(*state, slot, at_low, at_high, to_low, to_high, reals[7], reals[8])


@simd_kernel
def _draw(
    start: int,
    d: float,
    c: float,
    sticks: int,
    table: Any,
    weights: Any,
    nodes: Key,
    draws: Key,
    out: Any,
    told: Any,
) -> None:
    """Batch by batch: the root for all, then level by level for those that fell into a block. `told` may be empty."""
    size = max(1, min(BATCH, len(out)))
    batch = empty_batch()
    bits = np.empty(size + 2, np.uint64)
    for begin in range(0, len(out), size):
        ids = out[begin : begin + size]
        mass = told[begin : begin + size]
        _enter(start + begin, table, draws, bits, ids)
        for i in range(len(mass)):
            mass[i] = weights[ids[i]]
        active = _go_in(ids, mass, sticks, batch)
        rate, level = c, _ONE
        while active > 0:
            _aim(start + begin, active, level, rate, draws, batch)
            _find_sticks(active, nodes, batch)
            weigh_atoms(active, d, nodes, batch)
            active = _settle(active, rate, ids, mass, batch)
            rate, level = d, level + _ONE


@simd_kernel
def _enter(start: int, table: Any, draws: Key, bits: Any, ids: Any) -> None:
    """The root's cell for each draw. Draws 2h and 2h+1 share the hash of h, wherever the batch starts."""
    odd, first = start & 1, start >> 1
    for h in range((odd + len(ids) + 1) >> 1):
        n = np.uint64(first + h)
        x0, x1, x2, x3 = philox4x32(n & LOW, n >> HALF, _ZERO, _CELL, draws[0], draws[1])
        bits[2 * h] = (x0 << HALF) | x1
        bits[2 * h + 1] = (x2 << HALF) | x3
    used = _ZERO  # bits that number the cell; the next 40 are compared with its threshold
    while (1 << used) < len(table):
        used += _ONE
    for i in range(len(ids)):
        word = bits[odd + i]
        cell = word >> (np.uint64(64) - used)
        entry = table[cell]
        keep = ((word << used) >> _TABLE_BITS) < (entry >> _TABLE_BITS)
        ids[i] = cell if keep else entry & _ALIAS


@inlined
def _whole(count: int) -> int:
    """The next multiple of LANES: what is worked out beyond the last entry is never looked at, and is cheaper than a rest."""
    return (count + LANES - 1) // LANES * LANES


@inlined
def _half(count: int) -> np.uint64:
    """Loops that hash take entry i + half along with i (see `two_blocks`)."""
    return np.uint64(_whole(count) // 2)


@inlined
def _go_in(ids: Any, mass: Any, sticks: int, b: Batch) -> int:
    """Puts the draws that fell into blocks into the batch; how many."""
    active = 0
    for i in range(len(ids)):
        b.who[active] = i
        active += ids[i] >= sticks
    for i in range(active):
        b.low[i], b.high[i] = np.uint64(ids[b.who[i]] - sticks), BLOCK
        b.inside[i] = mass[b.who[i]] if len(mass) else 1.0
    return active


@inlined
def _aim(start: int, active: int, level: Any, rate: float, draws: Key, b: Batch) -> None:
    """What each draw brings to this level: its Exp(1) time in units of 1/rate, and the number that takes the atom or not."""
    half = _half(active)
    for i in range(half):
        j = i + half
        m, n = np.uint64(start + b.who[i]), np.uint64(start + b.who[j])
        x, y = two_blocks((m & LOW, m >> HALF, level, _GOAL), (n & LOW, n >> HALF, level, _GOAL), draws[0], draws[1])
        b.goal[i], b.choice[i] = uniform(x[0], x[1]), uniform(x[2], x[3])
        b.goal[j], b.choice[j] = uniform(y[0], y[1]), uniform(y[2], y[3])
    for i in range(_whole(active)):
        b.goal[i] = -log(b.goal[i]) * rate


@inlined
def _find_sticks(active: int, nodes: Key, b: Batch) -> None:
    """For each draw the stick of its node that covers `goal`.

    Sticks that begin and end in bin 0, that is nearly all unless the rate is large, are found for all draws together.
    """
    _next_ends(active, b.low, b.high, _ZERO, nodes, b.child_low, b.child_high, b.gap)  # the first sticks, nothing moved
    going = 0
    for i in range(active):
        end, b.left[i] = b.gap[i], 0.0
        near = max(end, b.goal[i]) < BIN
        if not near:
            _find_far_stick(i, nodes, b)
        b.at_low[going], b.at_high[going], b.x[going], b.slot[going] = b.low[i], b.high[i], end, i
        going += (end <= b.goal[i]) and near
    number = _ONE
    while going > 0:  # x is the end of the last stick passed
        _next_ends(going, b.at_low, b.at_high, number, nodes, b.to_low, b.to_high, b.y)
        still = 0
        for i in range(going):
            slot, end = b.slot[i], b.x[i] + b.y[i]
            b.child_low[slot], b.child_high[slot] = b.to_low[i], b.to_high[i]
            b.left[slot], b.gap[slot] = b.x[i], end - b.x[i]
            if end > BIN:
                _find_far_stick(slot, nodes, b)
            b.at_low[still], b.at_high[still], b.x[still], b.slot[still] = b.at_low[i], b.at_high[i], end, slot
            still += (end <= b.goal[slot]) and (end <= BIN)
        going, number = still, number + _ONE


@inlined
def _next_ends(
    count: int, low: Any, high: Any, number: Any, nodes: Key, to_low: Any, to_high: Any, length: Any
) -> None:
    """Stick `number` in bin 0 of each node: the node on it, and its length."""
    half, word = _half(count), _END | (number << _NUMBER_SHIFT)
    for i in range(half):
        j = i + half
        x, y = two_blocks((low[i], high[i], _ZERO, word), (low[j], high[j], _ZERO, word), nodes[0], nodes[1])
        to_low[i], to_high[i], length[i] = x[2], x[3], uniform(x[0], x[1])
        to_low[j], to_high[j], length[j] = y[2], y[3], uniform(y[0], y[1])
    for i in range(_whole(count)):
        length[i] = -log(length[i])


@inlined
def stick_end(low: Any, high: Any, bin_: Any, number: Any, nodes: Key) -> Block:
    return philox4x32(low, high, bin_, _END | (number << _NUMBER_SHIFT), nodes[0], nodes[1])


@simd_kernel
def _find_far_stick(i: int, nodes: Key, b: Batch) -> None:
    """`_find_sticks` for draw i alone and any bin: the first end after the goal, the last one before it."""
    low, high, goal = b.low[i], b.high[i], b.goal[i]
    bin_ = np.uint64(np.int64(goal / BIN))
    last_bin, last = bin_, -1.0  # of the last end before the goal; < 0: not found yet
    within: float = goal - bin_ * BIN
    number, end = _ZERO, 0.0
    while True:
        x0, x1, x2, x3 = stick_end(low, high, bin_, number, nodes)
        end -= log(uniform(x0, x1))
        if end > BIN:  # what lies beyond the bin does not count: the next bin starts afresh
            bin_, number, end, within = bin_ + _ONE, _ZERO, 0.0, -1.0
        elif end > within:
            break
        else:
            number, last = number + _ONE, end
    while last < 0 and last_bin > 0:
        last_bin -= _ONE
        last = _last_end(low, high, last_bin, nodes)
    before = last_bin * BIN + last if last >= 0 else 0.0
    b.child_low[i], b.child_high[i] = x2, x3
    b.left[i], b.gap[i] = before, bin_ * BIN + end - before


@inlined
def _last_end(low: Any, high: Any, bin_: Any, nodes: Key) -> float:
    """The last end within the bin; -1 if there is none."""
    number, last, end = _ZERO, -1.0, 0.0
    while True:
        x0, x1, _, _ = stick_end(low, high, bin_, number, nodes)
        end -= log(uniform(x0, x1))
        if end > BIN:
            return last
        number, last = number + _ONE, end


@inlined
def weigh_atoms(active: int, d: float, nodes: Key, b: Batch) -> None:
    """The weight V ~ Beta(1-d, d) of the atom of each node on a stick, and 1 - V; 1 and 0 if d = 0.

    Jöhnk 1964: X = U^(1/(1-d)), Y = U'^(1/d); if X + Y <= 1, then X/(X+Y), else try again (at most 1 - π/4 do).
    """
    if d == 0:
        b.atom[:active], b.rest[:active] = 1.0, 0.0
        return
    _propose(active, d, b.child_low, b.child_high, _ZERO, nodes, b)  # the first tries, nothing moved
    for i in range(_whole(active)):
        both = b.x[i] + b.y[i]
        b.atom[i], b.rest[i] = b.x[i] / both, b.y[i] / both
    going = 0
    for i in range(active):
        b.at_low[going], b.at_high[going], b.slot[going] = b.child_low[i], b.child_high[i], i
        going += b.x[i] + b.y[i] > 1
    attempt = _ONE
    while going > 0:
        _propose(going, d, b.at_low, b.at_high, attempt, nodes, b)
        still = 0
        for i in range(going):
            slot, both = b.slot[i], b.x[i] + b.y[i]
            b.atom[slot], b.rest[slot] = b.x[i] / both, b.y[i] / both
            b.at_low[still], b.at_high[still], b.slot[still] = b.at_low[i], b.at_high[i], slot
            still += both > 1
        going, attempt = still, attempt + _ONE


@inlined
def _propose(count: int, d: float, low: Any, high: Any, attempt: Any, nodes: Key, b: Batch) -> None:
    """X and Y for each node."""
    half = _half(count)
    for i in range(half):
        j = i + half
        x, y = two_blocks((low[i], high[i], attempt, _ATOM), (low[j], high[j], attempt, _ATOM), nodes[0], nodes[1])
        b.x[i], b.y[i] = uniform(x[0], x[1]), uniform(x[2], x[3])
        b.x[j], b.y[j] = uniform(y[0], y[1]), uniform(y[2], y[3])
    for i in range(_whole(count)):
        b.x[i], b.y[i] = exp(log(b.x[i]) / (1 - d)), exp(log(b.y[i]) / d)


@inlined
def _settle(active: int, rate: float, ids: Any, mass: Any, b: Batch) -> int:
    """Draws that take their atom get its id and probability; the others move to the front and go on; how many."""
    if len(mass):
        _share_out(active, rate, b.inside, b.left, b.gap)
    going = 0
    for i in range(active):
        who, low, high = b.who[i], b.child_low[i], b.child_high[i]
        if b.choice[i] < b.atom[i]:
            ids[who] = DEEP | np.int64(((high << HALF) | low) & np.uint64(DEEP - 1))
            if len(mass):
                mass[who] = max(b.inside[i] * b.atom[i], LEAST)
        else:
            b.who[going], b.low[going], b.high[going], b.inside[going] = who, low, high, b.inside[i] * b.rest[i]
            going += 1
    return going


@inlined
def _share_out(active: int, rate: float, inside: Any, left: Any, gap: Any) -> None:
    """The probability of the stick, from that of its node."""
    for i in range(active):
        inside[i] *= exp(-left[i] / rate) * one_less_exp(gap[i] / rate)
