"""Exact i.i.d. draws from a Pitman-Yor random measure that is never stored: a tree whose nodes are hashes.

PY(d, θ) is cut into parts that are again Pitman-Yor, so that a draw only visits the parts it falls into:
  1. m sticks are broken off: V_j ~ Beta(1-d, θ+jd). What is left is PY(d, θ+md) (Pitman and Yor 1997).
  2. The rest is a Dirichlet(c, ..., c) mixture of B independent PY(d, c), c = (θ+md)/B: its blocks.
  3. A block is GEM(0, c) over independent PY(d, 0): sticks W_j ~ Beta(1, c), a PY(d, 0) on each (Pitman 2006, section 5.5).
  4. PY(d, 0) is one atom of weight V ~ Beta(1-d, d), else PY(d, d), which by 3 is GEM(0, d) over PY(d, 0): on we go.
Sticks and blocks make one alias table, the root. Below it a node is a Philox hash of its parent's 64 bits and its number, and
its weights are a hash of its own: the same node has the same weights whoever meets it, and memory does not grow with the draws.
Nothing is truncated. The root's probabilities are rounded to 2^-40, which moves less than 2^-41 of the mass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._numba import inlined, kernel
from twopart.worlds._philox import HALF, LOW, Key, philox4x32, philox_key, unit, unit_open

ROOT_BITS = 14
CELLS = 1 << ROOT_BITS
STICKS = 3 * CELLS // 4
BLOCKS = CELLS - STICKS

DEEP = np.int64(1 << 62)
"""Ids from here on are atoms below the root, 62 bits of hash: of K of them two share an id with probability K²/2^63."""

Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Root:
    """The part of the measure that is stored."""

    discount: float
    block_concentration: float
    """c, the concentration of each block."""
    weights: NDArray[np.float64]
    """Probabilities of the sticks, then of the blocks; shape (CELLS,), sum 1."""
    table: Words
    """Alias table: the upper 40 bits are the threshold, the lower 24 the alias."""
    nodes: Key
    """The key that all weights below the root are hashed with."""


def plant(discount: float, concentration: float, seed: int) -> Root:
    """The root of the measure number `seed`."""
    random = _random.generator(seed, "Pitman-Yor root")
    sticks, rest = break_sticks(random, STICKS, discount, concentration)
    c = (concentration + STICKS * discount) / BLOCKS
    blocks = np.exp(_log_gamma_variates(random, np.full(BLOCKS, c)))
    weights = np.concatenate([sticks, rest * blocks / blocks.sum()])
    weights /= weights.sum()
    return Root(discount, c, weights, _alias_table(weights), philox_key(seed, "Pitman-Yor nodes"))


def break_sticks(
    random: np.random.Generator, count: int, discount: float, concentration: float
) -> tuple[NDArray[np.float64], float]:
    """Weights of the first `count` sticks, V_j ~ Beta(1-d, θ+jd), and the mass left; in logs, as long products underflow."""
    j = np.arange(1.0, count + 1)
    kept = _log_gamma_variates(random, np.full(count, 1 - discount))
    left = _log_gamma_variates(random, concentration + discount * j)
    both = np.logaddexp(kept, left)
    survival = np.cumsum(left - both)
    return np.exp(kept - both + survival - (left - both)), float(np.exp(survival[-1]))


def _log_gamma_variates(random: np.random.Generator, shape: NDArray[Any]) -> NDArray[np.float64]:
    """Logarithms of Gamma(a) variates by Γ(a) = Γ(a+1) U^(1/a), which does not underflow for small a."""
    return np.asarray(np.log(random.standard_gamma(shape + 1)) + np.log1p(-random.random(shape.shape)) / shape)


@kernel
def _alias_table(weights: Any) -> Any:
    """Vose's alias method (1991) with both numbers of a cell in one word, so that a draw reads memory once."""
    size = len(weights)
    table = np.empty(size, np.uint64)
    full = np.uint64((1 << 40) - 1)
    share = weights * size
    light, heavy = np.empty(size, np.int64), np.empty(size, np.int64)
    lights, heavies = 0, 0
    for i in range(size):
        if share[i] < 1:
            light[lights] = i
            lights += 1
        else:
            heavy[heavies] = i
            heavies += 1
    while lights and heavies:
        lights -= 1
        small, large = light[lights], heavy[heavies - 1]
        threshold = min(np.uint64(share[small] * 2.0**40 + 0.5), full)
        table[small] = (threshold << np.uint64(24)) | np.uint64(large)
        share[large] -= 1 - share[small]
        if share[large] < 1:
            heavies -= 1
            light[lights] = large
            lights += 1
    for i in range(heavies):
        table[heavy[i]] = (full << np.uint64(24)) | np.uint64(heavy[i])
    for i in range(lights):
        table[light[i]] = (full << np.uint64(24)) | np.uint64(light[i])
    return table


def draw(
    root: Root, draws: Key, start: int, out: NDArray[np.int64], probability: NDArray[np.float64] | None = None
) -> None:
    """Fill `out` with the ids of draws start, start+1, ..., and `probability` with those of the drawn atoms."""
    wanted = probability is not None
    mass = probability if probability is not None else np.empty(1)
    c, d = root.block_concentration, root.discount
    _draw(start, root.table, root.weights, d, c, *draws, *root.nodes, out, mass, wanted)


BATCH = 2048  # draws worked on together: their state fits in the first-level cache

# Second counter words, so that no two uses of Philox share a counter under one key.
_DESCENT = np.uint64(7)
_STICK = np.uint64(2)
_ATOM = np.uint64(3)


@inlined
def _stick(low: Any, high: Any, first: Any, inverse: float, target: float, k0: Any, k1: Any) -> Any:
    """Which GEM(0, c) stick of node (high, low) a draw falls into: the stick's hash, and the ends of its interval.

    -ln(1 - W_j) is Exp(c), so in time t = -ln(1 - mass) the sticks are the gaps of a Poisson process of rate c, and a draw
    falls into the one that covers `target` ~ Exp(1). `first` is the first event's uniform, `inverse` is -1/c.
    """
    before, after = 0.0, math.log(first) * inverse
    j = np.uint64(0)
    x2, x3 = np.uint64(0), np.uint64(0)
    while after <= target:
        j += np.uint64(1)
        x0, x1, x2, x3 = philox4x32(low, high, j, _STICK, k0, k1)
        before = after
        after += math.log(unit_open(x0, x1)) * inverse
    return j, x2, x3, before, after


@inlined
def _first_atom(low: Any, high: Any, u: float, v: float, over_1_d: float, over_d: float, k0: Any, k1: Any) -> Any:
    """V ~ Beta(1-d, d) of node (high, low) by Jöhnk's rejection (1964); u and v are its first two uniforms."""
    x, y = math.exp(math.log(u) * over_1_d), math.exp(math.log(v) * over_d)
    attempt = np.uint64(1)
    while not 0 < x + y <= 1:
        x0, x1, x2, x3 = philox4x32(low, high, attempt, _ATOM, k0, k1)
        x, y = math.exp(math.log(unit_open(x0, x1)) * over_1_d), math.exp(math.log(unit_open(x2, x3)) * over_d)
        attempt += np.uint64(1)
    return x / (x + y)


@kernel
def _draw(
    start: int,
    table: Any,
    weights: Any,
    d: float,
    c: float,
    k0: Any,
    k1: Any,
    h0: Any,
    h1: Any,
    out: Any,
    mass: Any,
    wanted: bool,
) -> None:
    """Batch by batch: the root for all, then one level of the tree after the other for those that fell into a block.

    Each level is split into loops over the batch so that the compiler makes SIMD code of the hashes. k is the key of the
    draws, with counters (draw, level), h that of the nodes, with counters (node, number).
    """
    over_1_d = 1 / (1 - d)
    over_d = 1 / d if d > 0 else 0.0
    bits = np.empty(BATCH, np.uint64)
    who = np.empty(BATCH, np.int64)
    low, high = np.empty(BATCH, np.uint64), np.empty(BATCH, np.uint64)
    next_low, next_high = np.empty(BATCH, np.uint64), np.empty(BATCH, np.uint64)
    u, v, first, inside = np.empty(BATCH), np.empty(BATCH), np.empty(BATCH), np.empty(BATCH)
    for begin in range(0, len(out), BATCH):
        end = min(begin + BATCH, len(out))
        for i in range(end - begin):
            n = np.uint64(start + begin + i)
            x0, x1, _, _ = philox4x32(n & LOW, n >> HALF, np.uint64(0), _DESCENT, k0, k1)
            bits[i] = (x0 << HALF) | x1
        for i in range(end - begin):
            cell = bits[i] >> np.uint64(64 - ROOT_BITS)
            entry = table[cell]
            keep = ((bits[i] << np.uint64(ROOT_BITS)) >> np.uint64(24)) < (entry >> np.uint64(24))
            out[begin + i] = cell if keep else entry & np.uint64(0xFFFFFF)
        active = 0
        for i in range(begin, end):
            if wanted:
                mass[i] = weights[out[i]]
            who[active] = i
            low[active] = np.uint64(out[i] - STICKS)
            active += 1 if out[i] >= STICKS else 0
        for i in range(active):
            high[i], inside[i] = np.uint64(0x80000000), 1.0
        rate, level = c, np.uint64(1)
        while active > 0:
            inverse = -1.0 / rate
            for i in range(active):
                n = np.uint64(start + who[i])
                x0, x1, x2, x3 = philox4x32(n & LOW, n >> HALF, level, _DESCENT, k0, k1)
                u[i], v[i] = unit_open(x0, x1), unit(x2, x3)
            for i in range(active):
                x0, x1, x2, x3 = philox4x32(low[i], high[i], np.uint64(0), _STICK, h0, h1)
                first[i], next_low[i], next_high[i] = unit_open(x0, x1), x2, x3
            for i in range(active):
                j, x2, x3, before, after = _stick(low[i], high[i], first[i], inverse, -math.log(u[i]), h0, h1)
                if j > 0:
                    next_low[i], next_high[i] = x2, x3
                if wanted:
                    inside[i] *= math.exp(-before) - math.exp(-after)
            if d > 0:
                for i in range(active):
                    x0, x1, x2, x3 = philox4x32(next_low[i], next_high[i], np.uint64(0), _ATOM, h0, h1)
                    u[i], first[i] = unit_open(x0, x1), unit_open(x2, x3)
            going = 0
            for i in range(active):
                weight = 1.0
                if d > 0:
                    weight = _first_atom(next_low[i], next_high[i], u[i], first[i], over_1_d, over_d, h0, h1)
                if v[i] < weight:
                    out[who[i]] = DEEP | np.int64(((next_high[i] << HALF) | next_low[i]) & np.uint64(DEEP - 1))
                    if wanted:
                        mass[who[i]] *= inside[i] * weight
                else:
                    who[going], low[going], high[going] = who[i], next_low[i], next_high[i]
                    inside[going] = inside[i] * (1 - weight)
                    going += 1
            active, rate, level = going, d, level + np.uint64(1)
