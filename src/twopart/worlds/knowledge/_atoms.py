"""Every atom of a Pitman-Yor measure from some probability on: the tree of `_tree`, gone down wherever enough mass is left.

A node's sticks are walked until what lies behind them is too light, and so is whatever is inside a light stick: what comes back
is complete. Nodes, weights and probabilities are those that draws find, to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._philox import HALF, Key
from twopart._simd import exp, log, one_less_exp, simd_kernel, uniform
from twopart.worlds.knowledge._root import Root
from twopart.worlds.knowledge._tree import BIN, BLOCK, DEEP, empty_batch, stick_end, weigh_atoms


def atoms_from(root: Root, least: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Ids and probabilities, in the tree's order."""
    law, room = (root.discount, root.block_concentration, root.sticks, root.weights, root.nodes), 2 * len(root.weights)
    while True:
        ids, mass = np.empty(room, np.int64), np.empty(room)
        count = _walk(least, *law, ids, mass)
        if count >= 0:
            return ids[:count], mass[:count]
        room *= 4


@simd_kernel
def _walk(least: float, d: float, c: float, sticks: int, weights: Any, nodes: Key, ids: Any, mass: Any) -> int:
    """Fills `ids` and `mass`; how many, -1 where there is no room."""
    room = len(ids)
    found, b = 0, empty_batch()
    low, high, inside = np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room)  # nodes yet to be walked
    for cell in range(len(weights)):
        waiting = 0
        if weights[cell] >= least and cell < sticks:
            if found == room:
                return -1
            ids[found], mass[found] = cell, weights[cell]
            found += 1
        elif weights[cell] >= least:
            low[0], high[0], inside[0] = np.uint64(cell - sticks), BLOCK, weights[cell]
            waiting = 1
        rate = c
        while waiting > 0:
            waiting -= 1
            at_low, at_high, held = low[waiting], high[waiting], inside[waiting]
            bin_, number, end, before = np.uint64(0), np.uint64(0), 0.0, 0.0
            while held * exp(-before / rate) >= least:
                x0, x1, x2, x3 = stick_end(at_low, at_high, bin_, number, nodes)
                end -= log(uniform(x0, x1))
                if end > BIN:  # as draws have it: the next bin starts afresh, and its first end is this stick's
                    bin_, number, end = bin_ + np.uint64(1), np.uint64(0), 0.0
                    continue
                number += np.uint64(1)
                behind = bin_ * BIN + end
                stick = held * (exp(-before / rate) * one_less_exp((behind - before) / rate))
                before = behind
                if stick < least:
                    continue
                if found == room or waiting == room:
                    return -1
                b.child_low[0], b.child_high[0] = x2, x3
                weigh_atoms(1, d, nodes, b)
                if stick * b.atom[0] >= least:
                    ids[found] = DEEP | np.int64(((x3 << HALF) | x2) & np.uint64(DEEP - 1))
                    mass[found] = stick * b.atom[0]
                    found += 1
                if stick * b.rest[0] >= least:
                    low[waiting], high[waiting], inside[waiting] = x2, x3, stick * b.rest[0]
                    waiting += 1
            rate = d
    return found
