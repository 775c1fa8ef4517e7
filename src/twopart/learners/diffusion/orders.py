"""In what order, and how many at once, the tokens of a grid are decoded; and a plan for a user's own grids.

An order is a tuple of groups of positions, row by row; a group is decoded in one step. `par_order` is that of Wang et al. 2024
(PAR, arXiv 2412.15119), the others are what it is compared with, `greedy` what the law of its loss makes of it.

    par_order(24, 4)        # 16 regions: their first tokens one by one, then 16 tokens at a time, 51 steps
    plan_order(tokens)      # fewest steps that lose no more than a tolerance, by the dependence that the tokens show
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import eigsh

from twopart import _random
from twopart._arrays import Floats
from twopart._checks import check, check_integer, check_real
from twopart.laws.diffusion.parallel import Cost, Order, gaussian_cost, gaussian_order_loss, unfitted
from twopart.worlds.diffusion.grids import TokenGrid, neighbours

DENSE = 256
"""Most values whose spectrum is found as that of a full matrix."""


def par_order(side: int, regions: int, sequential_start: bool = True) -> Order:
    """M x M regions of R x R tokens, R = side / M: the same place of all regions at once, place by place, row by row.

    The first group is one token after the other, or at once too without the sequential start.
    """
    positions, M = _positions(side), check_integer("regions", regions, 1, side, "of each axis")
    check(side % M == 0, "regions", M, f"a divisor of side={side}", "regions are equal squares")
    places = positions.reshape(M, side // M, M, side // M).transpose(1, 3, 0, 2)
    return _grouped(places.ravel(), M * M, sequential_start)


def raster(side: int) -> Order:
    """One token after the other, row by row."""
    return adjacent(side, 1)


def adjacent(side: int, n: int, sequential_start: bool = True) -> Order:
    """n neighbours at once, row by row."""
    return _grouped(_positions(side), n, sequential_start)


def random_groups(side: int, n: int, seed: int = 0, sequential_start: bool = True) -> Order:
    """n tokens at once, drawn at random once and for all."""
    return _grouped(_random.generator(seed, "random groups").permutation(_positions(side)), n, sequential_start)


def cosine_groups(side: int, steps: int, seed: int = 0) -> Order:
    """Random groups by MaskGIT's schedule (Chang et al. 2022, section 3.3): after step t of S N cos(π t / 2 S) are left."""
    positions = _random.generator(seed, "random groups").permutation(_positions(side))
    N, S = len(positions), check_integer("steps", steps, 1, len(positions), "a step decodes a token at least")
    left = [*(int(N * np.cos(np.pi * t / (2 * S))) for t in range(S)), 0]
    for t in range(1, S):
        left[t] = max(min(left[t], left[t - 1] - 1), S - t)
    return _cut(positions, -np.diff(left))


def greedy(side: int, n: int, cost: Cost, sequential_start: bool = True) -> Order:
    """n tokens at once, chosen from the end: last come those that lose least given all others, and so on.

    A group begins with the first position that is left, and takes in what adds least, of equals the last. `cost` gives the bits
    that a group loses given its past, such as `laws.diffusion.table_cost`; it is asked about N² / 2 times.
    """
    left, groups = _positions(side).tolist(), list[tuple[int, ...]]()
    n = check_integer("n", n, 1, len(left), "1 is one token after the other")
    while len(left) > n * sequential_start:
        group: tuple[int, ...] = (left.pop(0),)
        while left and len(group) < n:
            costs = [round(cost(tuple(i for i in left if i != j), (*group, j)), 12) for j in left]
            group += (left.pop(max(i for i, bits in enumerate(costs) if bits == min(costs))),)
        groups.insert(0, group)
    return (*((i,) for i in left), *groups)


@dataclass(frozen=True)
class Plan:
    """An order for a user's grids, and what others would lose."""

    name: str
    order: Order
    bits: float
    """What it loses, bits a grid, estimated on grids that it was not chosen by."""
    candidates: tuple[tuple[str, Order, float], ...]
    """All that were considered: name, order, bits."""


def plan_order(tokens: ArrayLike, tolerance: float = 0.1, coordinates: int = 4, largest: int = 16) -> Plan:
    """The fewest steps that lose at most `tolerance` bits a grid: raster, PAR or greedy, of at most `largest` at once.

    Tokens (n, G, G) from 0. What an order loses is estimated by `Dependence` on every second grid; greedy orders come from the
    others.
    """
    check_real("tolerance", tolerance, 0, np.inf, "bits a grid; 0.1 is hardly seen", closed="[)")
    grids = TokenGrid(np.asarray(tokens))
    side, (chosen, judge) = grids.side, (Dependence.of(grids.tokens[half::2], coordinates) for half in (0, 1))
    most = min(check_integer("largest", largest, 1, None, "16 suit most grids"), side**2 // 2)
    found, cost = [("raster", raster(side))], gaussian_cost(chosen.covariance, chosen.per)
    found += [(f"PAR-{M * M}", par_order(side, M)) for M in range(2, side) if side % M == 0 and most >= M * M]
    found += [(f"greedy-{2**i}", greedy(side, 2**i, cost)) for i in range(1, most.bit_length())]
    judged = tuple((name, order, judge.loss(order)) for name, order in found)
    kept = [part for part in judged if part[2] <= tolerance] or judged[:1]
    return Plan(*min(kept, key=lambda part: (len(part[1]), part[2])), judged)


@dataclass(frozen=True)
class Dependence:
    """How the positions of a user's grids depend on each other: the covariance of their values' leading scores.

    They are taken for Gaussian: docs/laws/parallel-generation.md has by how much that errs.
    """

    covariance: Floats
    """Shape (N k, N k), position by position."""
    per: int
    """k scores a position."""
    samples: int

    @classmethod
    def of(cls, tokens: ArrayLike, coordinates: int = 4) -> Dependence:
        """Of grids (n, G, G), n > 2 N, by as many scores as n / (2 N) grids can tell, at most `coordinates`.

        Correspondence analysis of neighbouring tokens: with P the joint law of a pair, p its margin, scores are the leading
        eigenvectors of P / √(p p') over √p, of mean 0 and variance 1. They are numbers of values, whose names do not matter.
        """
        most = check_integer("coordinates", coordinates, 1, None, "2 to 8 are enough")
        grids = TokenGrid(np.asarray(tokens))
        n, N = len(grids.tokens), grids.side**2
        check(n > 2 * N, "tokens", n, f"more than {2 * N} grids, two a position", "give more, or cut them smaller")
        values, ids = np.unique(grids.tokens, return_inverse=True)
        V, ids = len(values), ids.reshape(n, N)
        check(V > 1, "tokens", f"{V} value", "of two values or more", "a constant needs no decoder")
        one, other = ids[:, neighbours(grids.side)].reshape(-1, 2).T
        joint = coo_array((np.full(len(one), 0.5 / len(one)), (one, other)), (V, V)).tocsr()
        pairs = joint + joint.T
        root, k = np.sqrt(pairs.sum(1)), min(most, (n - 1) // (2 * N), V - 1)
        scaled = pairs.multiply(1 / root[:, None]).multiply(1 / root).tocsr()
        size, vectors = np.linalg.eigh(scaled.toarray()) if V <= DENSE else eigsh(scaled, k + 1, v0=root)
        leading = np.argsort(-np.abs(size))[1 : k + 1]  # the first is the margin itself
        scores = (vectors[:, leading] / root[:, None])[ids].reshape(n, -1)
        return cls(np.cov(scores.T) + 1e-6 * np.eye(N * k), k, n)

    def loss(self, order: Order) -> float:
        """Bits a grid, less those that independent positions seem to lose: `unfitted`, n less the numbers that are given."""
        bits, past = float(gaussian_order_loss(order, self.covariance, self.per).sum()), 0
        for group in order:
            bits -= self.per**2 * unfitted([group], self.samples - past * self.per)
            past += len(group)
        return bits


def _positions(side: int) -> NDArray[np.int64]:
    return np.arange(check_integer("side", side, 1, None, "it is the grid's height and width") ** 2)


def _grouped(positions: NDArray[np.int64], n: int, sequential_start: bool) -> Order:
    check_integer("n", n, 1, len(positions), "1 is one token after the other")
    start = n * sequential_start
    return _cut(positions, [1] * start + [n] * -(-(len(positions) - start) // n))


def _cut(positions: NDArray[np.int64], sizes: Iterable[int]) -> Order:
    rest = iter(positions.tolist())
    return tuple(tuple(islice(rest, int(size))) for size in sizes)
