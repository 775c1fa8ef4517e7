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
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.sparse.linalg import eigsh

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.laws.diffusion.parallel import Cost, Order, gaussian_cost, gaussian_loss

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
    """Random groups by MaskGIT's schedule (Chang et al. 2022, section 3.3): after step t of S, N cos(π t / 2 S) tokens are left."""
    N = check_integer("side", side, 1, None, GRID) ** 2
    S = check_integer("steps", steps, 1, N, "a step decodes a token at least")
    left = [*(int(N * np.cos(np.pi * t / (2 * S))) for t in range(S)), 0]
    for t in range(1, S):
        left[t] = max(min(left[t], left[t - 1] - 1), S - t)
    return _cut(_random.generator(seed, "random groups").permutation(N).tolist(), -np.diff(left))


def greedy(side: int, n: int, cost: Cost, sequential_start: bool = True) -> Order:
    """n tokens at once, chosen from the end: last come those that lose least given all others, and so on.

    A group begins with the first position that is left, and takes in what adds least, of equals the last. `cost` gives the bits that a group loses
    given its past, such as `laws.diffusion.table_cost`; it is asked about N² / 2 times.
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

    order: Order
    """The one with the fewest steps within the tolerance."""
    name: str
    bits: float
    """What it loses, bits a grid, estimated on grids that it was not chosen by."""
    candidates: tuple[tuple[str, Order, float], ...]
    """All that were considered: name, order, bits."""


def plan_order(tokens: ArrayLike, tolerance: float = 0.1, coordinates: int = 4, largest: int = 16) -> Plan:
    """The fewest steps that lose at most `tolerance` bits a grid, among raster, PAR and greedy orders of up to `largest` at once.

    Tokens (n, G, G) from 0, of any number of values. Each value is told by up to so many `coordinates`, those in which neighbours
    are most correlated (`embedded`), and these are taken for Gaussian: a loss is then that of their covariance, on the second
    half of the grids, less what chance alone adds; `greedy` chooses by the first half.
    """
    grids = finite("tokens", tokens, (None, None, None), "codes of square grids")
    n, side, N = len(grids), grids.shape[1], grids.shape[1] ** 2
    check(grids.shape[1] == grids.shape[2], "tokens", grids.shape, "of shape (n, G, G)", "cut the grids to squares")
    check_real("tolerance", tolerance, 0, np.inf, "bits a grid; 0.1 is hardly seen", closed="[)")
    check(n > 4 * N, "tokens", n, f"more than {4 * N} grids, four for each position", "give more, or cut them smaller")
    k = min(check_integer("coordinates", coordinates, 1, None, "2 to 8 are enough"), (n - 1) // (4 * N))
    x = embedded(grids, k)
    k = x.shape[2]
    first, second = (np.cov(half.reshape(len(half), -1).T) + 1e-6 * np.eye(N * k) for half in (x[::2], x[1::2]))
    chooses = gaussian_cost(first, k)
    sizes = [2**i for i in range(1, 32) if 2**i <= min(check_integer("largest", largest, 1, None, "16"), N // 2)]
    found: list[tuple[str, Order]] = [("raster", raster(side))]
    found += [(f"PAR-{M * M}", par_order(side, M)) for M in range(2, side) if side % M == 0 and M * M <= largest]
    found += [(f"greedy-{size}", greedy(side, size, chooses)) for size in sizes]
    judged = [(name, order, float(gaussian_loss(order, second, k).sum()) - _chance(order, n // 2, k)) for name, order in found]
    name, order, bits = min((c for c in judged if c[2] <= tolerance), key=lambda c: (len(c[1]), c[2]), default=judged[0])
    return Plan(order, name, bits, tuple(judged))


def embedded(grids: ArrayLike, coordinates: int = 4) -> Floats:
    """Token grids (n, G, G) as numbers (n, N, k): each value's k leading scores, of mean 0 and variance 1, by how it has neighbours.

    Correspondence analysis of neighbouring pairs: with P their joint law and p its margin, eigenvectors of P / √(p p'), over √p.
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


def tree_bound(tokens: ArrayLike) -> float:
    """A lower bound of the total correlation of columns of tokens (n, m), bits: the mutual information along their best tree.

    Chow and Liu 1968; each pair's plug-in estimate less the (a - 1)(b - 1) / (2 n ln 2) that chance adds (Miller 1955).
    """
    x = finite("tokens", tokens, (None, None), "a column for each position").astype(np.int64)
    n, m = x.shape
    information = np.zeros((m, m))
    for i, j in zip(*np.triu_indices(m, 1), strict=True):
        joint = np.histogram2d(x[:, i], x[:, j], (np.arange(x.max() + 2),) * 2)[0] / n
        product = np.outer(joint.sum(1), joint.sum(0))
        plugged = (joint * np.log2(joint / product, where=joint > 0, out=np.zeros_like(joint))).sum()
        chance = np.prod([(joint.sum(axis) > 0).sum() - 1 for axis in (0, 1)]) / (2 * n * log(2))
        information[i, j] = max(plugged - chance, 0.0)
    return -float(minimum_spanning_tree(-information).sum())


def _grouped(positions: Iterable[int], n: int, sequential_start: bool) -> Order:
    flat = [int(i) for i in positions]
    check_integer("n", n, 1, len(flat), "1 is one token after the other")
    start = n * sequential_start
    return _cut(flat, [1] * start + [n] * -(-(len(flat) - start) // n))


def _cut(flat: Iterable[int], sizes: Iterable[int]) -> Order:
    rest = iter(flat)
    return tuple(tuple(islice(rest, int(size))) for size in sizes)


def _chance(order: Order, samples: int, per: int) -> float:
    """Bits that independent positions seem to lose: each correlation of r² ~ 1 / (samples - those conditioned on)."""
    bits, past = 0.0, 0
    for group in order:
        bits += len(group) * (len(group) - 1) * per**2 / (4 * log(2) * (samples - past * per))
        past += len(group)
    return bits
