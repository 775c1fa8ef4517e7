"""Which tokens of a grid can be generated at once, and at what loss?

Groups of tokens are drawn independently given all before. What is lost is the summed conditional total correlation of the
groups: it is computed on grids whose law is known, and transformers that generate such grids pay it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import product, starmap
from math import isqrt
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, exact, mean, paired, ratio, table
from twopart.evidence.judges import above, below, equals, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.diffusion import parallel as law
from twopart.learners.diffusion import orders
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, multiple_of, rising, settings, zero_or
from twopart.studies import Work, world_seed
from twopart.worlds.diffusion import GaussianGrid, IsingGrid, neighbours

STUDY, TITLE = "parallel-generation", "Generating tokens in parallel"
PAPER, PAGE = "Wang, Ren, Lin, Han et al. 2024, arXiv 2412.15119", "docs/laws/parallel-generation.md"
RASTER, PAR, AT_ONCE, ADJACENT, RANDOM = "raster", "PAR", "PAR, no start", "adjacent", "random"
COUPLING = 0.44
"""The J of the grids that transformers are taught, nearly critical."""
DRAWS = 8
"""Random orders that a mean is over."""


@settings
class Training:
    """Transformers of two layers, each from other weights on other grids."""

    width: Annotated[int, at_least(16), multiple_of(16), "Width, in heads of 16."] = 32
    updates: Annotated[int, at_least(1), "Updates, of 128 grids each."] = 600
    samples: Annotated[int, at_least(100), "Grids to code and to generate; ten times as many to train on."] = 20_000


@settings
class Config:
    """Parallel generation: bits that orders lose, by law and by transformers; distance; speed."""

    side: Annotated[int, between(4, 10), "Side of the Ising grids; beyond 4 losses are means over samples."] = 4
    couplings: Annotated[tuple[float, ...], distinct(1), every(between(0, 2, "(]")), "Couplings J."] = (0.2, 0.44, 0.8)
    field_side: Annotated[int, between(8, 48), "Side of the Gaussian fields."] = 24
    lengths: Annotated[tuple[float, ...], distinct(1), every(at_least(1)), "Lengths of correlation."] = (1, 3, 8)
    reach: Annotated[tuple[float, ...], rising(2), every(between(0.2, 12)), "R/ℓ."] = (1, 1.5, 2, 3, 4, 6)
    fields: Annotated[int, at_least(1000), "Fields that a Gaussian model is fitted to."] = 20_000
    seeds: Annotated[int, at_least(2), "Replicates."] = 4
    timed: Annotated[int, zero_or(at_least(3)), "Times that each order is timed: seconds never come out alike."] = 7
    timed_side: Annotated[int, between(4, 64), "Side of the timed grids."] = 12
    training: Training = Training()


PRESETS = {
    "tiny": Config(4, (0.44,), 8, (2,), (1, 2), 1000, 2, 0, 4, Training(16, 1, 100)),
    "small": Config(),
    "full": Config(6, field_side=48, seeds=8, timed=25, timed_side=24, training=Training(64, 20_000, 50_000)),
}


@dataclass(frozen=True)
class Decoding:
    """An order by its family and how many tokens come at once."""

    family: str
    n: int = 4

    def __str__(self) -> str:
        name, *rest = self.family.split(",")
        return self.family if self.n == 1 else ",".join((f"{name}-{self.n}", *rest))

    def order(self, side: int, draw: int = 0) -> law.Order:
        if self.family == RANDOM:
            return orders.random_groups(side, self.n, draw)
        if self.family in (RASTER, ADJACENT):
            return orders.adjacent(side, self.n)
        return orders.par_order(side, isqrt(self.n), self.family == PAR)


TRUE = Decoding(RASTER, 1)
WAYS = {
    "Ising": [Decoding(PAR), Decoding(AT_ONCE), *starmap(Decoding, product((ADJACENT, RANDOM), (2, 4, 8)))],
    "Gaussian": [*starmap(Decoding, product((PAR, AT_ONCE, ADJACENT, RANDOM), (4, 16)))],
}
FITTED = [way for way in WAYS["Gaussian"] if way.family in (PAR, ADJACENT)]


@dataclass(frozen=True)
class Lattice:
    """A grid of known law."""

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
    def gaussian(self) -> GaussianGrid:
        return GaussianGrid(self.side, self.parameter, self.seed)

    @cached_property
    def cost(self) -> law.Cost | None:
        """None where the law is no table."""
        return law.table_cost(self.ising.probabilities) if self.kind == "Ising" and self.side <= 4 else None


@lru_cache(maxsize=1000)
def losses(grid: Lattice, way: Decoding, draw: int = 0) -> Floats:
    """Bits lost with each group; on larger Ising grids the mean over samples."""
    order = way.order(grid.side, draw)
    if grid.kind == "Gaussian":
        return law.gaussian_order_loss(order, grid.gaussian.covariance)
    if grid.cost is None:
        return law.sampled_order_loss(order, grid.ising.conditionals, grid.ising.sample(500, stream=2))[0]
    return law.order_loss(order, grid.cost)


def lost(grid: Lattice, way: Decoding) -> Floats:
    """Bits that an order loses, or each of the random ones."""
    return np.array([losses(grid, way, draw).sum() for draw in range(DRAWS if way.family == RANDOM else 1)])


@lru_cache(maxsize=64)
def agreement(grid: Lattice, way: Decoding) -> Floats:
    """How often neighbours are equal, pair by pair, as a perfect model generates them; nan where no table says."""
    one, other = neighbours(grid.side).T
    if grid.cost is None:
        return np.full(len(one), np.nan)
    q = law.decoded(grid.ising.probabilities, way.order(grid.side))
    states = np.indices(q.shape, np.int8).reshape(q.ndim, -1)
    return np.asarray((states[one] == states[other]) @ q.ravel())


def apart(side: int, way: Decoding) -> NDArray[np.bool_]:
    """Of each pair of neighbours, whether it lies across a seam of PAR's regions; in other orders, is drawn at once."""
    order, by_region = way.order(side), way.family in (PAR, AT_ONCE)
    label = np.arange(side**2) % way.n if by_region else np.repeat(range(len(order)), [*map(len, order)])
    one, other = label[np.argsort(sum(order, ()))][neighbours(side)].T
    return np.asarray((one != other) == by_region)


@dataclass(frozen=True)
class Learned:
    """A cell: a transformer taught an order on Ising grids."""

    grid: Lattice
    way: Decoding
    training: Training

    def __str__(self) -> str:
        return f"{self.grid}, {self.way}"


@dataclass(frozen=True)
class Fit:
    """A cell: a Gaussian model fitted to fields."""

    grid: Lattice
    fields: int

    def __str__(self) -> str:
        return f"{self.grid}, fitted to {self.fields}"


@dataclass(frozen=True)
class Timed:
    """A cell: how many passes generation takes, and how long."""

    side: int
    batch: int
    times: int

    def __str__(self) -> str:
        return f"{self.batch} grid{'s' * (self.batch > 1)} {self.side} × {self.side} at a time"


def cells(config: Config, seed: int) -> Iterator[Work]:
    ising = Lattice("Ising", config.side, COUPLING, world_seed(seed, STUDY, f"{COUPLING:g}"))
    fields = Lattice("Gaussian", config.field_side, config.lengths[-1], world_seed(seed, STUDY, "fields"))
    for way in (TRUE, *map(Decoding, (PAR, AT_ONCE, ADJACENT, RANDOM))):
        yield Work("learn", Learned(ising, way, config.training), config.seeds, cost=500)
    yield Work("fit", Fit(fields, config.fields), config.seeds, cost=100)
    yield from (Work("generate", Timed(config.timed_side, batch, config.timed), cost=300) for batch in (1, 16))


def grids(found: Found) -> list[Lattice]:
    """The Ising grids and the fields whose orders are compared."""
    ising, fields = found.of(Learned)[0].case.grid, found.of(Fit)[0].case.grid
    couplings, lengths = found.config.couplings, found.config.lengths
    return [*(replace(ising, parameter=J) for J in couplings), *(replace(fields, parameter=x) for x in lengths)]


def reached(found: Found, family: str) -> list[float]:
    """What PAR's 4 regions lose on fields, by the config's R/ℓ."""
    fields = found.of(Fit)[0].case.grid
    far = (replace(fields, parameter=fields.side / 2 / reach) for reach in found.config.reach)
    return [float(lost(field, Decoding(family))[0]) for field in far]


def extra(t: Rows[Learned], other: Rows[Learned], says: str) -> Estimate:
    """{t}: {says}."""
    own, others = (lost(rows.case.grid, rows.case.way)[0] for rows in (t, other))
    return paired(t.array("bits", axis="run"), other.array("bits", axis="run")).against(own - others)


BETWEEN = (
    "the lesser of random less PAR and adjacent less random, 4 at once after 4 one by one; random: mean of 8 draws"
)
LOSS, ORDERS = f"{PAGE}, what is lost", f"{PAGE}, orders"
OVER = "bits a grid", f"{LOSS}; {ORDERS}", "code length over that with {other.case.way}, on the same grids"
SLOPE = "least-squares slope of ln loss of PAR-4 without start on R/ℓ = {low:g} to {high:g}"
COUNTED = "{t.case.side}² tokens, {n} at once; the prediction is n + (N - n)/n"
CLOCK = "seconds of the raster order over those of PAR-4, in turn; the prediction is N/passes"

pays, costs_more, start_is_worth = (
    claim(judge, *OVER)(extra) for judge in (within(0.02, 0.1), above(0.0), within_share(0.15))
)


@claim(above(0.0), "bits a grid", f"{PAPER}; {ORDERS}", BETWEEN)
def far_is_cheap(grid: Lattice) -> Estimate:
    """{grid}: PAR's order loses less than a random one, and that less than neighbours at once."""
    par, random, near = (lost(grid, Decoding(family)).mean() for family in (PAR, RANDOM, ADJACENT))
    return exact(min(random - par, near - random))


@claim(within(0.005), "share of pairs", f"{PAGE}, what is generated", "mean over {count} pairs; in truth {truth:.3f}")
def agrees(t: Rows[Learned]) -> Estimate:
    """{t}: neighbours {where} are equal in generated grids as often as in a perfect model's."""
    grid, way = t.case.grid, t.case.way
    these, where = apart(grid.side, way), "drawn at once" if way.family == ADJACENT else "across seams"
    made, truth = (agreement(grid, of)[these].mean() for of in (way, TRUE))
    found = mean(t.array("agree", axis="pair")[:, these].mean(1))
    return found.against(made, truth=truth, where=where, count=these.sum())


@claim(within_range(-2.4, -1.9), "slope", f"{PAGE}, distance", SLOPE)
def falls_with_distance(found: Found) -> Estimate:
    """On fields the loss falls exponentially in the side R of regions, about twice as fast as correlation."""
    x = found.config.reach
    return exact(np.polyfit(x, np.log(reached(found, AT_ONCE)), 1)[0]).against(None, low=x[0], high=x[-1])


@claim(within(0.05, 0.1), "bits a field", f"{PAGE}, fitted", "code length over that of the raster order, both fitted")
def fitted_pays(t: Rows[Fit], way: Decoding) -> Estimate:
    """{t}, {way}: a Gaussian model pays what the order loses, less what it need not fit."""
    saved = law.unfitted(way.order(t.case.grid.side), t.case.fields)
    return mean(t.array("bits", way=str(way))).against(lost(t.case.grid, way)[0] - saved)


@claim(equals(0.0), "passes", f"{PAGE}, speed", COUNTED)
def passes(t: Rows[Timed], n: int) -> Estimate:
    """{t}, {n} at once: as many passes as the order has groups."""
    return exact(t.where(n=n)["passes"][0]).against(law.decoding_steps(t.case.side**2, n))


@claim(above(2.0) & below(), "times as fast", f"{PAGE}, speed", CLOCK)
def is_faster(t: Rows[Timed]) -> Estimate:
    """{t}: 4 at once are faster by nearly the ratio of passes."""
    predicted = t.case.side**2 / law.decoding_steps(t.case.side**2, 4)
    one, four = (t.array("seconds", n=n, timed=True) for n in (1, 4))
    return ratio(one, four).against(predicted)


def claims(found: Found) -> Iterator[Claim]:
    base, par, none, near, random = found.of(Learned)
    yield from (pays(t, base, "a transformer pays what the order loses") for t in (par, near, none))
    yield from map(far_is_cheap, grids(found))
    for t, other in ((random, par), (near, random), (near, par), (near, none)):
        if (extra(t, other, "").predicted or 0) > 0.05:
            yield costs_more(t, other, f"dearer than {other.case.way} to a transformer, as by law")
    yield start_is_worth(none, par, "leaving the start out costs a transformer what it does by law")
    yield from map(agrees, (par, none, near))
    yield falls_with_distance(found)
    yield from (fitted_pays(t, way) for t in found.of(Fit) for way in FITTED)
    for timed in found.of(Timed):
        yield from (passes(timed, n) for n in (1, 4, 16))
        yield from [is_faster(timed)] if timed.case.times else []


def frontier(found: Found) -> Iterator[pl.DataFrame]:
    """Bits lost by tokens a step: 2, 4 and 8, or 4 and 16, at once after the start. Random orders: mean, least and greatest
    of 8 draws. Transformers: code length over the raster order's, mean, least and greatest replicate.
    """
    base, *others = found.of(Learned)
    points = [(grid, way, "law", lost(grid, way)) for grid in grids(found) for way in WAYS[grid.kind]]
    for t in others:
        over = t.array("bits", axis="run") - base.array("bits", axis="run")
        points.append((t.case.grid, t.case.way, "transformers", over))
    for grid, way, series, bits in points:
        x, y = {"speed": [grid.side**2 / len(way.order(grid.side))]}, {"bits": bits[:, None]}
        yield curve(x, y, grid=str(grid), order=way.family, series=series)


def groups(found: Found) -> Iterator[pl.DataFrame]:
    """Bits lost with each group, 4 tokens at once, in the order in which groups come; a token alone loses none."""
    ising = [grid for grid in grids(found) if grid.kind == "Ising"]
    for grid, family in product(ising, (AT_ONCE, PAR, ADJACENT)):
        bits = losses(grid, Decoding(family))
        yield curve({"group": 1 + np.arange(len(bits))}, {"bits": bits}, grid=str(grid), order=family, series="law")


def distance(found: Found) -> Iterator[pl.DataFrame]:
    """Bits lost on Gaussian fields by the side R of PAR-4's regions in lengths of correlation ℓ, exact."""
    for family in (AT_ONCE, PAR):
        yield curve({"reach": found.config.reach}, {"bits": reached(found, family)}, order=family, series="law")


def seams(found: Found) -> Iterator[pl.DataFrame]:
    """How often two neighbours are equal, pair by pair: by law, as a perfect model generates them, and in truth; and in grids
    that transformers generated, mean, least and greatest replicate. Apart: across a seam of PAR's regions, or drawn at once.
    """
    for t in found.of(Learned):
        grid, way = t.case.grid, t.case.way
        made, truth, split = agreement(grid, way), agreement(grid, TRUE), apart(grid.side, way)
        for series, these in (("apart", split), ("others", ~split)):
            if these.any():
                x, agree = {"law": made[these], "truth": truth[these]}, t.array("agree", axis="pair")[:, these]
                yield curve(x, {"agree": agree}, order=str(way), series=series)
        ends = [made.min(), made.max()]
        yield curve({"law": ends}, {"agree": ends}, order=str(way), series="equal")


def tables(found: Found) -> Iterator[Table]:
    for figure, rows in zip(FIGURES, (frontier, groups, distance, seams), strict=True):
        yield from table(figure.table, figure.title, rows, found)


LAWS: dict[Any, Kind] = {"law": "simulation", "transformers": "learner"}  # points, as few lie on a line
ON_LAW: dict[Any, Kind] = {"equal": "asymptote", ...: "simulation"}
LOST = Axis("bits", "bits lost a grid", domain=(1e-4, 100))
GAIN = Axis("speed", "tokens a step, N/passes")
BITS, GROUP = Axis("bits", "bits lost", log=False), Axis("group", "group", log=False)
REACH, FELL = Axis("reach", "region's side over length, R/ℓ", log=False), Axis("bits", "bits lost a field")
EQUAL = Axis("law", "equal neighbours by law", log=False)
MADE = Axis("agree", "generated", log=False, domain=(0.4, 0.9))
CHEAP = "Tokens far apart cost little once the first are there, neighbours at once much."
FIRST = "Without a sequential start nearly all is lost with the first group."
TWICE = "Each length of correlation more between tokens drawn at once divides the loss by about e²."
ALIKE = "Grids that transformers generate have as many equal neighbours as the law says, drawn at once or not."
figure = partial(Figure, colour="order")
FIGURES = (
    figure(STUDY, "What speed costs", "frontier", GAIN, LOST, LAWS, columns="grid", caption=CHEAP),
    figure("groups", "Where it is lost", "groups", GROUP, BITS, "theory", columns="grid", caption=FIRST),
    figure("distance", "The loss falls with distance", "distance", REACH, FELL, "theory", caption=TWICE),
    Figure("seams", "What is seen of it", "seams", EQUAL, MADE, ON_LAW, columns="order", caption=ALIKE),
)


def summary(found: Found) -> str:
    grid = found.of(Learned)[0].case.grid
    near, par, none = (lost(grid, Decoding(family))[0] for family in (ADJACENT, PAR, AT_ONCE))
    return (
        "A model that draws a group of tokens at once, each given all before, loses their conditional total correlation. "
        f"On {grid}, 4 at once: {near:.3f} bits a grid for neighbours, {par:.3f} for tokens of four regions (PAR), {none:.3f} "
        "for these without a sequential start. Transformers pay the same, and the law says which order loses least."
    )
