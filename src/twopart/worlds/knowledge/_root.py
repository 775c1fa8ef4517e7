"""The part of a Pitman-Yor measure that is stored: sticks, blocks, and one table to draw them from.

    PY(d, θ)   is m sticks, V_j ~ Beta(1-d, θ+jd) of what the earlier ones left, and a rest PY(d, θ+md)
    the rest   is a Dirichlet(c, ..., c) mixture of B independent PY(d, c), c = (θ+md)/B: the blocks

The first is Pitman and Yor 1997. The second holds for PY(0, .), the Dirichlet process, by its definition; and PY(d, θ) is
PY(0, θ) with each atom broken into a PY(d, 0) of its own (Pitman 2006, "Combinatorial stochastic processes", section 5.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._numba import kernel
from twopart._philox import Key, philox_key

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Root:
    """Sticks and blocks of one measure, with the key of all that lies in the blocks."""

    discount: float
    sticks: int
    """m: cells below it are sticks, that is atoms; the others are blocks."""
    block_concentration: float
    """c, the concentration of each block."""
    weights: Floats
    """Probabilities of sticks and blocks, shape (cells,), sum 1; the number of cells is a power of 2."""
    table: NDArray[np.uint64]
    """Alias table: of each cell the upper 40 bits are its threshold, the lower 24 its alias."""
    nodes: Key
    """The key that everything inside the blocks is hashed with."""


def plant(discount: float, concentration: float, seed: int) -> Root:
    """The root of the measure number `seed`.

    Up to d = 1/2 hardly any mass is left to the blocks, and a small table is planted faster. Beyond, the mass falls as
    m^-(1-d)/d, and the larger table still fits in the second-level cache. With 5 sticks to 3 blocks, c is about 5d/3: a draw
    that falls into a block passes about as many sticks there.
    """
    cells = 1 << (12 if discount <= 0.5 else 14)
    m = 5 * cells // 8
    random = _random.generator(seed, "Pitman-Yor root")
    log_sticks, log_rest = break_sticks(random, m, discount, concentration)
    c = (concentration + m * discount) / (cells - m)
    log_blocks = _log_gamma_variates(random, np.full(cells - m, c))
    log_weights = np.append(log_sticks, log_rest + log_blocks - np.logaddexp.reduce(log_blocks))
    weights = np.exp(log_weights)
    weights /= weights.sum()
    return Root(discount, m, c, weights, _alias_table(weights), philox_key(seed, "Pitman-Yor nodes"))


def break_sticks(
    random: np.random.Generator, count: int, discount: float, concentration: float
) -> tuple[Floats, float]:
    """Logarithms of the first `count` stick-breaking weights and of what is left; the weights themselves underflow."""
    j = np.arange(1.0, count + 1)
    kept = _log_gamma_variates(random, np.full(count, 1 - discount))
    left = _log_gamma_variates(random, concentration + discount * j)
    both = np.logaddexp(kept, left)
    survival = np.cumsum(left - both)
    return kept - left + survival, float(survival[-1])


def _log_gamma_variates(random: np.random.Generator, shape: Floats) -> Floats:
    """Logarithms of Gamma(a) variates as Gamma(a+1) U^(1/a), which does not underflow for small a."""
    return np.asarray(np.log(random.standard_gamma(shape + 1)) + np.log1p(-random.random(shape.shape)) / shape)


@kernel
def _alias_table(weights: Any) -> Any:
    """Vose's alias method (1991), with both numbers of a cell in one word, so that a draw reads memory once."""
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
