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
from math import log

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.linalg import eigsh

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.laws.diffusion.parallel import Cost, Order, gaussian_cost, gaussian_order_loss

GRID = "it is the grid's height and width"
DENSE = 256
"""Most values whose spectrum is found as that of a full matrix."""


def par_order(side: int, regions: int, sequential_start: bool = True) -> Order:
    """M x M regions of R x R tokens, R = side / M: the same place of all regions at once, place by place, row by row.

    The first group is one token after the other, or at once too without the sequential start.
    """
    G, M = check_integer("side", side, 1, None, GRID), check_integer("regions", regions, 1, side, "of each axis")
    check(G % M == 0, "regions", M, f"a divisor of side={G}", "regions are equal squares")
    places = np.arange(G * G).reshape(M, G // M, M, G // M).transpose(1, 3, 0, 2)
    return _grouped(places.ravel(), M * M, sequential_start)


def raster(side: int) -> Order:
    """One token after the other, row by row."""
    return adjacent(side, 1)


def adjacent(side: int, n: int, sequential_start: bool = True) -> Order:
    """n neighbours at once, row by row."""
    return _grouped(range(check_integer("side", side, 1, None, GRID) ** 2), n, sequential_start)


def random_groups(side: int, n: int, seed: int = 0, sequential_start: bool = True) -> Order:
    """n tokens at once, drawn at random once and for all."""
    tokens = check_integer("side", side, 1, None, GRID) ** 2
    return _grouped(_random.generator(seed, "random groups").permutation(tokens), n, sequential_start)


def cosine_groups(side: int, steps: int, seed: int = 0) -> Order:
    """Random groups by MaskGIT's schedule (Chang et al. 2022, section 3.3): after step t of S N cos(π t / 2 S) are left."""
    N = check_integer("side", side, 1, None, GRID) ** 2
    S = check_integer("steps", steps, 1, N, "a step decodes a token at least")
    left = [*(int(N * np.cos(np.pi * t / (2 * S))) for t in range(S)), 0]
    for t in range(1, S):
        left[t] = max(min(left[t], left[t - 1] - 1), S - t)
    return _cut(_random.generator(seed, "random groups").permutation(N).tolist(), -np.diff(left))


def greedy(side: int, n: int, cost: Cost, sequential_start: bool = True) -> Order:
    """n tokens at once, chosen from the end: last come those that lose least given all others, and so on.

    A group begins with the first position that is left, and takes in what adds least, of equals the last. `cost` gives the bits
    that a group loses given its past, such as `laws.diffusion.table_cost`; it is asked about N² / 2 times.
    """
    left, groups = list(range(check_integer("side", side, 1, None, GRID) ** 2)), list[tuple[int, ...]]()
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
    grids = finite("tokens", tokens, (None, None, None), "codes of square grids")
    chosen, judge = (Dependence.of(grids[half::2], coordinates) for half in (0, 1))
    side, cost = grids.shape[1], gaussian_cost(chosen.covariance, chosen.per)
    most = min(check_integer("largest", largest, 1, None, "16 suit most grids"), side**2 // 2)
    found = [("raster", raster(side))]
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
        """Of grids (n, G, G), n > 2 N, by as many scores as n / (2 N) grids can tell, at most `coordinates`."""
        grids = finite("tokens", tokens, (None, None, None), "codes of square grids")
        n, side, N = len(grids), grids.shape[1], grids.shape[1] ** 2
        check(grids.shape[1:] == (side, side), "tokens", grids.shape, "of shape (n, G, G)", "cut the grids to squares")
        enough = f"more than {2 * N} grids, two for each position"
        check(n > 2 * N, "tokens", n, enough, "give more, or cut them smaller")
        k = min(check_integer("coordinates", coordinates, 1, None, "2 to 8 are enough"), (n - 1) // (2 * N))
        scores = embedded(grids, k)
        return cls(np.cov(scores.reshape(n, -1).T) + 1e-6 * np.eye(N * scores.shape[2]), scores.shape[2], n)

    def loss(self, order: Order) -> float:
        """Bits a grid, less those that independent positions seem to lose, k² / (2 n ln 2) a pair, n less what is given."""
        bits, past = float(gaussian_order_loss(order, self.covariance, self.per).sum()), 0
        for group in order:
            chance = len(group) * (len(group) - 1) * self.per**2 / (4 * log(2))
            bits, past = bits - chance / (self.samples - past * self.per), past + len(group)
        return bits


def embedded(grids: ArrayLike, coordinates: int = 4) -> Floats:
    """Token grids (n, G, G) as numbers (n, N, k): each value's k leading scores, of mean 0 and variance 1, by its neighbours.

    Correspondence analysis of neighbouring pairs: with P their joint law, p its margin, eigenvectors of P / √(p p'), over √p.
    """
    x = finite("grids", grids, (None, None, None), "codes of square grids").astype(np.int64)
    values, ids = np.unique(x, return_inverse=True)
    V, ids = len(values), ids.reshape(x.shape)
    check(V > 1, "grids", f"{V} value", "of two values or more", "a constant needs no decoder")
    one = np.concatenate([ids[:, :, :-1].ravel(), ids[:, :-1].ravel()])
    other = np.concatenate([ids[:, :, 1:].ravel(), ids[:, 1:].ravel()])
    pairs = coo_array((np.full(2 * len(one), 0.5 / len(one)), (np.r_[one, other], np.r_[other, one])), (V, V)).tocsr()
    root, k = np.sqrt(pairs.sum(1)), min(coordinates, V - 1)
    scaled = pairs.multiply(1 / root[:, None]).multiply(1 / root).tocsr()
    if V <= DENSE:
        size, vectors = np.linalg.eigh(scaled.toarray())
    else:
        size, vectors = eigsh(scaled, k + 1, v0=root)
    leading = np.argsort(-np.abs(size))[1 : k + 1]  # the first is the margin itself
    scores = vectors[:, leading] / root[:, None]
    return np.asarray(scores[ids].reshape(len(x), -1, k))


def _grouped(positions: Iterable[int], n: int, sequential_start: bool) -> Order:
    flat = [int(i) for i in positions]
    check_integer("n", n, 1, len(flat), "1 is one token after the other")
    start = n * sequential_start
    return _cut(flat, [1] * start + [n] * -(-(len(flat) - start) // n))


def _cut(flat: Iterable[int], sizes: Iterable[int]) -> Order:
    rest = iter(flat)
    return tuple(tuple(islice(rest, int(size))) for size in sizes)
