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
another proposal for V) are moved to the front of the arrays and the loop runs again over them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._numba import inlined
from twopart.worlds._philox import HALF, LOW, Block, Key, philox4x32
from twopart.worlds._root import Root
from twopart.worlds._simd import exp, log, one_less_exp, simd_kernel, uniform

DEEP = np.int64(1 << 62)
"""Ids from here on are atoms inside blocks, 62 bits of hash: of K of them any two share an id with probability K²/2^63."""
LEAST = 2.0**-1022
"""Least probability that is told: beyond d = 0.97 or so, atoms lighter than any float64 are drawn now and then."""

BATCH = 8192  # draws worked on together
BIN = 8.0  # expected ends of sticks per bin

# What is hashed, as the lower 8 bits of the last counter word: no two uses of Philox share a counter under one key.
_CELL = np.uint64(0)  # of (pair of draws): two cells of the root
_GOAL = np.uint64(1)  # of (draw, level): where it falls among the sticks, and whether it takes the atom
_END = np.uint64(2)  # of (node, bin), number << 8: the end of a stick, and the node on that stick
_ATOM = np.uint64(3)  # of (node, attempt): the weight of its atom
_NUMBER_SHIFT = np.uint64(8)
_BLOCK = np.uint64(0x80000000)  # upper word of a block's node

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_TABLE_BITS, _ALIAS = np.uint64(24), np.uint64(0xFFFFFF)


def draw(
    root: Root, draws: Key, start: int, out: NDArray[np.int64], probability: NDArray[np.float64] | None = None
) -> None:
    """Fill `out` with the ids of draws start, start+1, ... under the key `draws`, and `probability` with their atoms'."""
    mass = np.empty(0) if probability is None else probability
    shift = np.uint64(64 - (len(root.table).bit_length() - 1))
    place = (root.discount, root.block_concentration, root.sticks)
    _draw(start, root.table, shift, root.weights, *place, *draws, *root.nodes, out, mass)


@simd_kernel
def _draw(
    start: int,
    table: Any,
    shift: Any,
    weights: Any,
    d: float,
    c: float,
    sticks: int,
    k0: Any,
    k1: Any,
    h0: Any,
    h1: Any,
    out: Any,
    mass: Any,
) -> None:
    """Batch by batch: the root for all, then level by level for those that fell into a block.

    k0, k1 is the key of the draws, h0, h1 that of the nodes. `mass` is empty if nobody asks for probabilities.
    """
    size = max(1, min(BATCH, len(out)))
    words = np.empty((8, size + 2), np.uint64)
    reals = np.empty((9, size))
    who, slot = np.empty(size, np.int64), np.empty(size, np.int64)
    low, high, child_low, child_high = words[0], words[1], words[2], words[3]
    goal, choice, left, gap, atom, rest, inside = reals[0], reals[1], reals[2], reals[3], reals[4], reals[5], reals[6]
    for begin in range(0, len(out), size):
        ids = out[begin : begin + size]
        told = mass[begin : begin + size]
        active = _enter(start + begin, table, shift, sticks, k0, k1, words[2], ids, who, low, high)
        if len(mass):
            for i in range(len(ids)):
                told[i] = weights[ids[i]]
            for i in range(active):
                inside[i] = told[who[i]]
        rate, level = c, _ONE
        while active > 0:
            _aim(start + begin, who[:active], level, rate, k0, k1, goal, choice)
            _find_sticks(active, low, high, goal, h0, h1, child_low, child_high, left, gap, words[4:], reals[7:], slot)
            _weigh_atoms(active, d, child_low, child_high, h0, h1, atom, rest, words[4:], reals[7:], slot)
            if len(mass):
                for i in range(active):
                    inside[i] *= exp(-left[i] / rate) * one_less_exp(gap[i] / rate)
            active = _settle(active, choice, atom, rest, child_low, child_high, ids, told, who, low, high, inside)
            rate, level = d, level + _ONE


@simd_kernel
def _enter(
    start: int,
    table: Any,
    shift: Any,
    sticks: int,
    k0: Any,
    k1: Any,
    bits: Any,
    ids: Any,
    who: Any,
    low: Any,
    high: Any,
) -> int:
    """The cell of each draw into `ids`; those in blocks are listed in `who`, their nodes in `low` and `high`; how many.

    Draws 2h and 2h+1 share the hash of h, wherever the batch starts.
    """
    odd, first = start & 1, start >> 1
    for h in range((odd + len(ids) + 1) >> 1):
        n = np.uint64(first + h)
        x0, x1, x2, x3 = philox4x32(n & LOW, n >> HALF, _ZERO, _CELL, k0, k1)
        bits[2 * h] = (x0 << HALF) | x1
        bits[2 * h + 1] = (x2 << HALF) | x3
    back = np.uint64(64) - shift
    for i in range(len(ids)):
        cell = bits[odd + i] >> shift
        entry = table[cell]
        keep = ((bits[odd + i] << back) >> _TABLE_BITS) < (entry >> _TABLE_BITS)
        ids[i] = cell if keep else entry & _ALIAS
    active = 0
    for i in range(len(ids)):
        who[active] = i
        active += ids[i] >= sticks
    for i in range(active):
        low[i], high[i] = np.uint64(ids[who[i]] - sticks), _BLOCK
    return active


@simd_kernel
def _aim(start: int, who: Any, level: Any, rate: float, k0: Any, k1: Any, goal: Any, choice: Any) -> None:
    """What each draw brings to this level: its Exp(1) time in units of 1/rate, and the number that takes the atom or not."""
    for i in range(len(who)):
        n = np.uint64(start + who[i])
        x0, x1, x2, x3 = philox4x32(n & LOW, n >> HALF, level, _GOAL, k0, k1)
        goal[i], choice[i] = uniform(x0, x1), uniform(x2, x3)
    for i in range(len(who)):
        goal[i] = -log(goal[i]) * rate


@simd_kernel
def _find_sticks(
    active: int,
    low: Any,
    high: Any,
    goal: Any,
    h0: Any,
    h1: Any,
    child_low: Any,
    child_high: Any,
    left: Any,
    gap: Any,
    words: Any,
    reals: Any,
    slot: Any,
) -> None:
    """For each draw the stick of its node that covers `goal`: the node on it, where it begins, and how long it is.

    Sticks that begin and end in bin 0, that is nearly all unless the rate is large, are found for all draws together.
    """
    at_low, at_high, next_low, next_high = words[0], words[1], words[2], words[3]
    end, before = reals[0], reals[1]
    going = 0
    for i in range(active):
        at_low[going], at_high[going], before[going], slot[going] = low[i], high[i], 0.0, i
        going += 1
        if goal[i] >= BIN:
            child_low[i], child_high[i], left[i], gap[i] = _far_stick(low[i], high[i], goal[i], h0, h1)
            going -= 1
    number = _ZERO
    while going > 0:
        for i in range(going):
            x0, x1, next_low[i], next_high[i] = _stick_end(at_low[i], at_high[i], _ZERO, number, h0, h1)
            end[i] = uniform(x0, x1)
        for i in range(going):
            end[i] = before[i] - log(end[i])
        still = 0
        for i in range(going):
            s = slot[i]
            child_low[s], child_high[s] = next_low[i], next_high[i]
            left[s], gap[s] = before[i], end[i] - before[i]
            if end[i] > BIN:
                child_low[s], child_high[s], left[s], gap[s] = _far_stick(at_low[i], at_high[i], goal[s], h0, h1)
            at_low[still], at_high[still], before[still], slot[still] = at_low[i], at_high[i], end[i], s
            still += (end[i] <= goal[s]) and (end[i] <= BIN)
        going, number = still, number + _ONE


@inlined
def _stick_end(low: Any, high: Any, bin_: Any, number: Any, h0: Any, h1: Any) -> Block:
    return philox4x32(low, high, bin_, _END | (number << _NUMBER_SHIFT), h0, h1)


@simd_kernel
def _far_stick(low: Any, high: Any, goal: float, h0: Any, h1: Any) -> Any:
    """`_find_sticks` for one draw and any bin: the first end after `goal`, the last one before it."""
    bin_ = np.uint64(np.int64(goal / BIN))
    last_bin, last = bin_, -1.0  # of the last end before the goal; < 0: not found yet
    within: float = goal - bin_ * BIN
    number, end = _ZERO, 0.0
    while True:
        x0, x1, x2, x3 = _stick_end(low, high, bin_, number, h0, h1)
        end -= log(uniform(x0, x1))
        if end > BIN:  # what lies beyond the bin does not count: the next bin starts afresh
            bin_, number, end, within = bin_ + _ONE, _ZERO, 0.0, -1.0
        elif end > within:
            break
        else:
            number, last = number + _ONE, end
    while last < 0 and last_bin > 0:
        last_bin -= _ONE
        last = _last_end(low, high, last_bin, h0, h1)
    before = last_bin * BIN + last if last >= 0 else 0.0
    return x2, x3, before, bin_ * BIN + end - before


@inlined
def _last_end(low: Any, high: Any, bin_: Any, h0: Any, h1: Any) -> float:
    """The last end within the bin; -1 if there is none."""
    number, last, end = _ZERO, -1.0, 0.0
    while True:
        x0, x1, _, _ = _stick_end(low, high, bin_, number, h0, h1)
        end -= log(uniform(x0, x1))
        if end > BIN:
            return last
        number, last = number + _ONE, end


@simd_kernel
def _weigh_atoms(
    active: int,
    d: float,
    low: Any,
    high: Any,
    h0: Any,
    h1: Any,
    atom: Any,
    rest: Any,
    words: Any,
    reals: Any,
    slot: Any,
) -> None:
    """V ~ Beta(1-d, d) of each node into `atom`, 1 - V into `rest`; 1 and 0 if d = 0.

    Jöhnk 1964: X = U^(1/(1-d)), Y = U'^(1/d); if X + Y <= 1, then X/(X+Y), else try again (at most 21 % do).
    """
    if d == 0:
        atom[:active], rest[:active] = 1.0, 0.0
        return
    at_low, at_high, x, y = words[0], words[1], reals[0], reals[1]
    for i in range(active):
        at_low[i], at_high[i], slot[i] = low[i], high[i], i
    going, attempt = active, _ZERO
    while going > 0:
        for i in range(going):
            x0, x1, x2, x3 = philox4x32(at_low[i], at_high[i], attempt, _ATOM, h0, h1)
            x[i], y[i] = uniform(x0, x1), uniform(x2, x3)
        for i in range(going):
            x[i], y[i] = exp(log(x[i]) / (1 - d)), exp(log(y[i]) / d)
        still = 0
        for i in range(going):
            sum_ = x[i] + y[i]
            atom[slot[i]], rest[slot[i]] = x[i] / sum_, y[i] / sum_
            at_low[still], at_high[still], slot[still] = at_low[i], at_high[i], slot[i]
            still += sum_ > 1
        going, attempt = still, attempt + _ONE


@simd_kernel
def _settle(
    active: int,
    choice: Any,
    atom: Any,
    rest: Any,
    child_low: Any,
    child_high: Any,
    ids: Any,
    told: Any,
    who: Any,
    low: Any,
    high: Any,
    inside: Any,
) -> int:
    """Draws that take their node's atom get its id and probability; the others move to the front and go on; how many."""
    going = 0
    for i in range(active):
        if choice[i] < atom[i]:
            ids[who[i]] = DEEP | np.int64(((child_high[i] << HALF) | child_low[i]) & np.uint64(DEEP - 1))
            if len(told):
                told[who[i]] = max(inside[i] * atom[i], LEAST)
        else:
            who[going], low[going], high[going] = who[i], child_low[i], child_high[i]
            inside[going] = inside[i] * rest[i]
            going += 1
    return going
