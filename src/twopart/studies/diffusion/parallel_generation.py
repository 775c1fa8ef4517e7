"""Which tokens of a grid can be generated at once, and at what loss?

Groups of tokens are drawn independently given all before. What is lost is the summed conditional total correlation of the
groups: it is computed on grids whose law is known, and transformers that generate such grids pay it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, exact, mean, paired, ratio, table
from twopart.evidence.judges import above, below, equals, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.diffusion import parallel as law
from twopart.report import Axis, Figure, Kind
from twopart.settings import among, at_least, between, distinct, every, rising, settings, zero_or
from twopart.studies import Work, world_seed
from twopart.studies.diffusion._parallel_lattices import (
    ADJACENT,
    AT_ONCE,
    FITTED,
    GREEDY,
    PAR,
    RANDOM,
    TRUE,
    Decoding,
    Lattice,
    agreement,
    expected,
)

STUDY, TITLE, PAGE = "parallel-generation", "Generating tokens in parallel", "docs/laws/parallel-generation.md"


@settings
class Training:
    """Transformers of two layers, each from other weights on other grids."""

    width: Annotated[int, at_least(16), "Width, in heads of 16."] = 32
    updates: Annotated[int, at_least(1), "Updates, of 128 grids each."] = 600
    samples: Annotated[int, at_least(100), "Grids to code and to generate; ten times as many to train on."] = 20_000


@settings
class Config:
    """Parallel generation: bits that orders lose, by law and by transformers; distance; speed."""

    side: Annotated[int, between(4, 10), "Side of the Ising grids; beyond 4 losses are means over samples."] = 4
    couplings: Annotated[tuple[float, ...], rising(2), every(between(0, 2, "(]")), "Couplings J."] = (0.2, 0.44, 0.8)
    trained: Annotated[float, among("couplings"), "The J of transformers."] = 0.44
    field_side: Annotated[int, between(8, 48), "Side of the Gaussian fields."] = 24
    lengths: Annotated[tuple[float, ...], distinct(1), every(at_least(1)), "Lengths of correlation."] = (1, 3, 8)
    reach: Annotated[tuple[float, ...], rising(2), every(between(0.2, 12)), "R/ℓ."] = (1, 1.5, 2, 3, 4, 6)
    fields: Annotated[int, at_least(1000), "Fields that a Gaussian model is fitted to."] = 20_000
    seeds: Annotated[int, at_least(2), "Replicates."] = 4
    timed: Annotated[int, zero_or(at_least(3)), "Times that each order is timed: seconds never come out alike."] = 7
    timed_side: Annotated[int, between(4, 64), "Side of the timed grids."] = 12
    training: Training = Training()


PRESETS = {
    "tiny": Config(4, (0.2, 0.44), 0.44, 8, (2,), (1, 2), 1000, 2, 0, 4, Training(16, 4, 100)),
    "small": Config(),
    "full": Config(6, field_side=48, seeds=8, timed=25, timed_side=24, training=Training(64, 20_000, 50_000)),
}


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
    ising = {J: Lattice("Ising", config.side, J, world_seed(seed, STUDY, f"{J:g}")) for J in config.couplings}
    lengths = dict.fromkeys([*config.lengths, *(config.field_side / 2 / r for r in config.reach)])
    fields = [Lattice("Gaussian", config.field_side, x, world_seed(seed, STUDY, "fields")) for x in lengths]
    yield from (Work("solve", grid, cost=200) for grid in (*ising.values(), *fields))
    for way in (TRUE, *map(Decoding, (PAR, AT_ONCE, ADJACENT, RANDOM))):
        yield Work("learn", Learned(ising[config.trained], way, config.training), config.seeds, cost=500)
    yield Work("fit", Fit(fields[len(config.lengths) - 1], config.fields), config.seeds, cost=100)
    yield from (Work("generate", Timed(config.timed_side, batch, config.timed), cost=300) for batch in (1, 16))


def lost(t: Rows[Lattice], way: Decoding) -> float:
    """Bits that an order was found to lose, the mean over draws."""
    rows = t.where(family=way.family, n=way.n)
    return float(rows["bits"].sum()) / rows["draw"].n_unique()


def reached(found: Found, family: str) -> Floats:
    """What PAR's 4 regions lose on fields, by the config's R/ℓ."""
    fields = {t.case.side / 2 / t.case.parameter: t for t in found.of(Lattice, kind="Gaussian")}
    at = [np.argmin(np.abs(np.array([*fields]) - ratio)) for ratio in found.config.reach]
    return np.array([lost([*fields.values()][i], Decoding(family)) for i in at])


def extra(t: Rows[Learned], other: Rows[Learned]) -> Estimate:
    """Code length over another's, on the same grids, beside what the one order loses more."""
    predicted = expected(t.case.grid, t.case.way) - expected(other.case.grid, other.case.way)
    return paired(t.array("bits", axis="run"), other.array("bits", axis="run")).against(predicted)


PAPER = "Wang, Ren, Lin, Han et al. 2024, arXiv 2412.15119"
LOSS, START, ORDERS, LAST, SEEN, FAR, FITS, SPEED = (
    f"{PAGE}, {part}"
    for part in ("what is lost", "the start", "orders", "greedy", "what is generated", "distance", "fitted", "speed")
)
OVER = "bits a grid", f"{LOSS}; {ORDERS}", "code length over that with {other.case.way}, on the same grids"
BETWEEN = (
    "the lesser of random less PAR and adjacent less random, 4 at once after 4 one by one; random: mean of 8 draws"
)
COUNTED = "{t.case.side}² tokens, {n} at once; the prediction is n + (N - n)/n"
CLOCK = "seconds of the raster order over those of PAR-4, in turn; the prediction is N/passes"
SLOPE = "least-squares slope of ln loss of PAR-4 without start on R/ℓ = {low:g} to {high:g}"


@claim(within(0.02, 0.1), *OVER)
def pays(t: Rows[Learned], other: Rows[Learned]) -> Estimate:
    """{t}: a transformer pays what the order loses."""
    return extra(t, other)


@claim(above(0.0), "bits a grid", f"{PAPER}; {ORDERS}", BETWEEN)
def far_is_cheap(t: Rows[Lattice]) -> Estimate:
    """{t}: PAR's order loses less than a random one, and that less than neighbours at once."""
    par, random, near = (lost(t, Decoding(family)) for family in (PAR, RANDOM, ADJACENT))
    return exact(min(random - par, near - random))


@claim(above(0.0), *OVER)
def costs_more(t: Rows[Learned], other: Rows[Learned]) -> Estimate:
    """{t}: dearer than {other.case.way} to a transformer, as by law."""
    return extra(t, other)


@claim(above(1.0), "ratio", f"{PAPER}; {START}", "loss of PAR-4 without a sequential start over that with it, by law")
def needs_its_start(t: Rows[Lattice]) -> Estimate:
    """{t}: without its first tokens one by one PAR loses more."""
    return exact(lost(t, Decoding(AT_ONCE)) / lost(t, Decoding(PAR)))


@claim(within_share(0.15), *OVER)
def start_is_worth(t: Rows[Learned], other: Rows[Learned]) -> Estimate:
    """{t}: leaving the start out costs a transformer what it does by law."""
    return extra(t, other)


@claim(below(1.0), "ratio", LAST, "loss of greedy-4 over that of PAR-4, in as many steps, by law")
def greedy_is_better(t: Rows[Lattice]) -> Estimate:
    """{t}: leaving for the end what is screened loses less than PAR's order."""
    return exact(lost(t, Decoding(GREEDY)) / lost(t, Decoding(PAR)))


@claim(within(0.005), "share of pairs", SEEN, "mean over {count} pairs; in truth {truth:.3f}")
def agrees(t: Rows[Learned]) -> Estimate:
    """{t}: neighbours {where} are equal in generated grids as often as in a perfect model's."""
    grid, way, apart = t.case.grid, t.case.way, t.case.grid.apart(t.case.way)
    where = "drawn at once" if way.family == ADJACENT else "across seams"
    words = {"truth": agreement(grid, TRUE)[apart].mean(), "where": where, "count": apart.sum()}
    agree = t.array("agree", axis="pair")[:, apart].mean(1)
    return mean(agree).against(agreement(grid, way)[apart].mean(), **words)


@claim(within_range(-2.4, -1.9), "slope", FAR, SLOPE)
def falls_with_distance(found: Found) -> Estimate:
    """On fields the loss falls exponentially in the side R of regions, about twice as fast as correlation."""
    x = found.config.reach
    return exact(np.polyfit(x, np.log(reached(found, AT_ONCE)), 1)[0]).against(None, low=x[0], high=x[-1])


@claim(within(0.05, 0.1), "bits a field", FITS, "code length over that of the raster order, both fitted")
def fitted_pays(t: Rows[Fit], way: Decoding) -> Estimate:
    """{t}, {way}: a Gaussian model pays what the order loses, less what it need not fit."""
    bits, predicted = t.array("bits", "law", family=way.family, n=way.n).T
    return mean(bits).against(predicted[0])


@claim(equals(0.0), "passes", SPEED, COUNTED)
def passes(t: Rows[Timed], n: int) -> Estimate:
    """{t}, {n} at once: as many passes as the order has groups."""
    return exact(t.where(n=n)["passes"][0]).against(law.decoding_steps(t.case.side**2, n))


@claim(above(2.0) & below(), "times as fast", SPEED, CLOCK)
def is_faster(t: Rows[Timed]) -> Estimate:
    """{t}: 4 at once are faster by nearly the ratio of passes."""
    predicted = t.case.side**2 / law.decoding_steps(t.case.side**2, 4)
    return ratio(t.array("seconds", n=1), t.array("seconds", n=4)).against(predicted)


def claims(found: Found) -> Iterator[Claim]:
    ising, (base, par, none, near, random) = found.of(Lattice, kind="Ising"), found.of(Learned)
    yield from (pays(t, base) for t in (par, near, none))
    yield from map(far_is_cheap, asked(found))
    pairs: Sequence[tuple[Rows[Learned], Rows[Learned]]] = ((random, par), (near, random), (near, par), (near, none))
    yield from (costs_more(*pair) for pair in pairs if (extra(*pair).predicted or 0) > 0.05)
    yield from map(needs_its_start, ising)
    yield start_is_worth(none, par)
    yield from (greedy_is_better(t) for t in ising if t.case.cost is not None)
    yield from map(agrees, (par, none, near))
    yield falls_with_distance(found)
    yield from (fitted_pays(t, way) for t in found.of(Fit) for way in FITTED)
    for t in found.of(Timed):
        yield from (passes(t, n) for n in (1, 4, 16))
        yield from [is_faster(t)] if t.case.times else []


def asked(found: Found) -> list[Rows[Lattice]]:
    """The Ising grids, and the fields of the lengths that were asked for."""
    return [t for t in found.of(Lattice) if t.case.kind == "Ising" or t.case.parameter in found.config.lengths]


def frontier(found: Found) -> Iterator[pl.DataFrame]:
    """Bits lost by tokens a step: 2, 4 and 8, or 4 and 16, at once after the start. Random orders: mean, least and greatest
    of 8 draws. Transformers: code length over the raster order's, mean, least and greatest replicate.
    """
    for t in asked(found):
        for way in t.case.decodings:
            rows = t.where(family=way.family, n=way.n)
            bits = rows.group_by("draw", maintain_order=True).agg(pl.sum("bits"))["bits"].to_numpy()[:, None]
            yield curve({"speed": rows["speed"][:1]}, {"bits": bits}, grid=str(t), order=way.family, series="law")
    base, *others = found.of(Learned)
    for other in others:
        speed = other.case.grid.side**2 / len(other.case.grid.order(other.case.way))
        bits = (other.array("bits", axis="run") - base.array("bits", axis="run"))[:, None]
        labels = {"grid": str(other.case.grid), "order": other.case.way.family}
        yield curve({"speed": [speed]}, {"bits": bits}, None, **labels, series="transformers")


def groups(found: Found) -> Iterator[pl.DataFrame]:
    """Bits lost with each group, 4 tokens at once, in the order in which groups come; a token alone loses none."""
    for t in found.of(Lattice, kind="Ising"):
        for family in (AT_ONCE, PAR, ADJACENT, *[GREEDY] * (t.case.cost is not None)):
            rows = t.where(family=family, n=4)
            yield curve({"group": rows["group"]}, {"bits": rows["bits"]}, grid=str(t), order=family, series="law")


def distance(found: Found) -> Iterator[pl.DataFrame]:
    """Bits lost on Gaussian fields by the side R of PAR-4's regions in lengths of correlation ℓ, exact."""
    for family in (AT_ONCE, PAR):
        yield curve({"reach": found.config.reach}, {"bits": reached(found, family)}, order=family, series="law")


def seams(found: Found) -> Iterator[pl.DataFrame]:
    """How often two neighbours are equal, pair by pair: by law, as a perfect model generates them, and in truth; and in grids
    that transformers generated, mean, least and greatest replicate. Apart: across a seam of PAR's regions, or drawn at once.
    """
    for t in found.of(Learned):
        made, truth = (agreement(t.case.grid, way) for way in (t.case.way, TRUE))
        apart = t.case.grid.apart(t.case.way)
        for series, these in (("apart", apart), ("others", ~apart)):
            if these.any():
                x, agree = {"law": made[these], "truth": truth[these]}, t.array("agree", axis="pair")[:, these]
                yield curve(x, {"agree": agree}, order=str(t.case.way), series=series)
        ends = [made.min(), made.max()]
        yield curve({"law": ends}, {"agree": ends}, order=str(t.case.way), series="equal")


def speeds(found: Found) -> Iterator[pl.DataFrame]:
    """How much faster than token by token: N over the passes, and by the clock, with the 95 % interval of the mean."""
    for t in found.of(Timed):
        n, tokens = [4, 16], t.case.side**2
        passes = [tokens / law.decoding_steps(tokens, k) for k in n]
        yield curve({"n": n}, {"speed": passes}, series="N/passes", grids=str(t))
        if t.case.times:
            found_ = [ratio(t.array("seconds", n=1), t.array("seconds", n=k)) for k in n]
            low, high = np.transpose([e.ends for e in found_])
            yield curve({"n": n}, {"speed": [e.value for e in found_]}, (low, high), series="measured", grids=str(t))


def tables(found: Found) -> Iterator[Table]:
    for figure, rows in zip(FIGURES, (frontier, groups, distance, seams, speeds), strict=True):
        yield from table(figure.table, figure.title, rows, found)


LAWS: dict[Any, Kind] = {"law": "simulation", "transformers": "learner"}  # points, as few lie on a line
ON_LAW: dict[Any, Kind] = {"equal": "asymptote", ...: "simulation"}
SPEEDS: dict[Any, Kind] = {"N/passes": "theory", ...: "learner"}
LOST = Axis("bits", "bits lost a grid", domain=(1e-4, 100))
GAIN = Axis("speed", "tokens a step, N/passes")
BITS, GROUP = Axis("bits", "bits lost", log=False), Axis("group", "group", log=False)
REACH, FELL = Axis("reach", "region's side over length, R/ℓ", log=False), Axis("bits", "bits lost a field")
AT = Axis("n", "tokens at once", log=False, domain=(0, 17))
EQUAL, MADE = (
    Axis("law", "equal neighbours by law", log=False),
    Axis("agree", "generated", log=False, domain=(0.4, 0.9)),
)
FASTER = Axis("speed", "times as fast as token by token", log=False, domain=(0, None))
CHEAP = (
    "Tokens far apart cost little once the first are there, neighbours at once much; a greedy order is cheaper still."
)
FIRST = "Without a sequential start nearly all is lost with the first group."
TWICE = "Each length of correlation more between tokens drawn at once divides the loss by about e²."
ALIKE = "Grids that transformers generate have as many equal neighbours as the law says, drawn at once or not."
CLOCKED = "The clock follows the passes, as long as a pass of n tokens takes hardly longer than that of one."
figure = partial(Figure, colour="order")
FIGURES = (
    figure(STUDY, "What speed costs", "frontier", GAIN, LOST, LAWS, columns="grid", caption=CHEAP),
    figure("groups", "Where it is lost", "groups", GROUP, BITS, "theory", columns="grid", caption=FIRST),
    figure("distance", "The loss falls with distance", "distance", REACH, FELL, "theory", caption=TWICE),
    Figure("seams", "What is seen of it", "seams", EQUAL, MADE, ON_LAW, columns="order", caption=ALIKE),
    Figure("speed", "How much faster it is", "speed", AT, FASTER, SPEEDS, columns="grids", caption=CLOCKED),
)


def summary(found: Found) -> str:
    grid = found.of(Learned)[0].case.grid
    near, par, none = (expected(grid, Decoding(family)) for family in (ADJACENT, PAR, AT_ONCE))
    return (
        "A model that draws a group of tokens at once, each given all before, loses their conditional total correlation. "
        f"On {grid}, 4 at once: {near:.3f} bits a grid for neighbours, {par:.3f} for tokens of four regions (PAR), {none:.3f} "
        "for these without a sequential start. Transformers pay the same, and the law says which order loses least."
    )
