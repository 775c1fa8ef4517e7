"""Grids of known law, orders by their names, and what is known of both without a learner: what the study computes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from twopart._arrays import Floats
from twopart.laws.diffusion import parallel as law
from twopart.learners.diffusion import orders
from twopart.worlds.diffusion import GaussianGrid, IsingGrid, neighbours

RASTER, PAR, AT_ONCE, ADJACENT, RANDOM, GREEDY = "raster", "PAR", "PAR, no start", "adjacent", "random", "greedy"
DRAWS = 8  # random orders that a mean is over
FAMILIES: dict[str, Callable[[int, int, int], law.Order]] = {  # of side, tokens at once, and which draw
    RASTER: lambda side, n, draw: orders.raster(side),
    PAR: lambda side, n, draw: orders.par_order(side, isqrt(n)),
    AT_ONCE: lambda side, n, draw: orders.par_order(side, isqrt(n), sequential_start=False),
    ADJACENT: lambda side, n, draw: orders.adjacent(side, n),
    RANDOM: orders.random_groups,
}


@dataclass(frozen=True)
class Decoding:
    """An order by its family and how many tokens come at once."""

    family: str
    n: int = 4

    def __str__(self) -> str:
        name, *rest = self.family.split(",")
        return self.family if self.n == 1 else ",".join((f"{name}-{self.n}", *rest))


TRUE = Decoding(RASTER, 1)
FIELDS = [Decoding(family, n) for family, n in product((PAR, AT_ONCE, ADJACENT, RANDOM), (4, 16))]
FITTED = [way for way in FIELDS if way.family in (PAR, ADJACENT)]


@dataclass(frozen=True)
class Lattice:
    """A cell: a grid of known law, and what orders lose on it."""

    kind: str
    """Ising or Gaussian."""
    side: int
    parameter: float
    """The coupling or the length."""
    seed: int

    def __str__(self) -> str:
        return f"{self.kind} {self.side} × {self.side}, {'J' if self.kind == 'Ising' else 'ℓ'} = {self.parameter:.3g}"

    @cached_property
    def ising(self) -> IsingGrid:
        return IsingGrid(self.side, self.parameter, seed=self.seed)

    @cached_property
    def cost(self) -> law.Cost | None:
        """None where the law is no table."""
        return law.table_cost(self.ising.probabilities) if self.kind == "Ising" and self.side <= 4 else None

    @property
    def decodings(self) -> list[Decoding]:
        families = (ADJACENT, RANDOM, *[GREEDY] * (self.cost is not None))
        ising = [Decoding(PAR), Decoding(AT_ONCE), *(Decoding(f, n) for f, n in product(families, (2, 4, 8)))]
        return ising if self.kind == "Ising" else FIELDS

    def order(self, way: Decoding, draw: int = 0) -> law.Order:
        if way.family == GREEDY and self.cost is not None:
            return orders.greedy(self.side, way.n, self.cost)
        return FAMILIES[way.family](self.side, way.n, draw)

    def loss(self, order: law.Order) -> Floats:
        """Bits lost with each group; on larger Ising grids the mean over samples."""
        if self.kind == "Gaussian":
            return law.gaussian_order_loss(order, GaussianGrid(self.side, self.parameter).covariance)
        if self.cost is not None:
            return law.order_loss(order, self.cost)
        return law.sampled_order_loss(order, self.ising.conditionals, self.ising.sample(500, stream=2))[0]

    def apart(self, way: Decoding) -> NDArray[np.bool_]:
        """Of each pair of neighbours, whether it lies across a seam of PAR's 4 regions; in other orders, is drawn at once."""
        row, column = np.divmod(np.arange(self.side**2), self.side)
        label = 2 * (2 * row // self.side) + 2 * column // self.side
        if way.family not in (PAR, AT_ONCE):
            for g, group in enumerate(self.order(way)):
                label[list(group)] = g
        one, other = label[neighbours(self.side)].T
        return np.asarray((one != other) == (way.family in (PAR, AT_ONCE)))


@lru_cache(maxsize=64)
def expected(grid: Lattice, way: Decoding) -> float:
    """Bits that an order loses on a grid."""
    return float(grid.loss(grid.order(way)).sum())


@lru_cache(maxsize=64)
def agreement(grid: Lattice, way: Decoding) -> Floats:
    """How often neighbours are equal, pair by pair, as a perfect model generates them; nan where no table says."""
    pairs = neighbours(grid.side).tolist()
    if grid.cost is None:
        return np.full(len(pairs), np.nan)
    q = law.decoded(grid.ising.probabilities, grid.order(way))
    return np.array([np.trace(q.sum(tuple(k for k in range(q.ndim) if k not in pair))) for pair in pairs])
