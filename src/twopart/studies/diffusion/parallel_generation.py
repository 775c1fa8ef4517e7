"""Which tokens of a grid can be generated at once, and at what loss?

Groups of tokens are drawn independently given all before. What is lost is the summed conditional total correlation of the groups:
it is computed on grids whose law is known, and transformers that generate such grids pay it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import product
from math import isqrt
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, exact, mean, paired, ratio, table
from twopart.evidence.judges import above, below, equals, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.diffusion import parallel as law
from twopart.learners.diffusion import orders
from twopart.report import Axis, Figure, Kind
from twopart.settings import among, at_least, between, distinct, every, rising, settings, zero_or
from twopart.studies import Work, check_real_data, world_seed
from twopart.worlds.diffusion import GaussianGrid, IsingGrid, neighbours

STUDY, TITLE, PAGE = "parallel-generation", "Generating tokens in parallel", "docs/laws/parallel-generation.md"
RASTER, PAR, AT_ONCE, ADJACENT, RANDOM, COSINE = "raster", "PAR", "PAR, no start", "adjacent", "random", "cosine"
GREEDY, DRAWS = "greedy", 8  # random orders that a mean is over
FAMILIES: dict[str, Callable[[int, int, int], law.Order]] = {  # side, tokens at once, which draw
    RASTER: lambda side, n, draw: orders.raster(side),
    PAR: lambda side, n, draw: orders.par_order(side, isqrt(n)),
    AT_ONCE: lambda side, n, draw: orders.par_order(side, isqrt(n), sequential_start=False),
    ADJACENT: lambda side, n, draw: orders.adjacent(side, n),
    RANDOM: orders.random_groups,
    COSINE: lambda side, n, draw: orders.cosine_groups(side, side * side // n, draw),
}


@settings
class Training:
    """Transformers of two layers, each from other weights on other grids."""

    width: Annotated[int, at_least(16), "Width, in heads of 16."] = 32
    steps: Annotated[int, at_least(1), "Updates of 128 grids."] = 600
    samples: Annotated[int, at_least(100), "Grids to code and to generate; ten times as many to train on."] = 20_000


@settings
class Config:
    """Parallel generation: bits that orders lose, by law and by transformers; distances; speed; digits."""

    side: Annotated[int, between(4, 10), "Side of the Ising grids; beyond 4 laws are means over samples."] = 4
    couplings: Annotated[tuple[float, ...], rising(2), every(between(0, 2, "(]")), "Couplings J."] = (0.2, 0.44, 0.8)
    trained: Annotated[float, among("couplings"), "The J of transformers."] = 0.44
    field_side: Annotated[int, between(8, 48), "Side of the Gaussian fields."] = 24
    lengths: Annotated[tuple[float, ...], distinct(1), every(at_least(1)), "Lengths of their correlation."] = (1, 3, 8)
    reach: Annotated[tuple[float, ...], rising(2), every(between(0.2, 12)), "R/ℓ."] = (1, 1.5, 2, 3, 4, 6)
    fields: Annotated[int, at_least(1000), "Fields that a Gaussian model is fitted to."] = 20_000
    seeds: Annotated[int, at_least(2), "Replicates."] = 4
    timed: Annotated[int, zero_or(at_least(3)), "Times that each order is timed; no two runs agree on seconds."] = 7
    timed_side: Annotated[int, between(4, 64), "Side of the timed grids."] = 12
    data: Annotated[str, "digits, or a file of numpy.save: whole numbers (n, G, G). Empty: none."] = "digits"
    data_steps: Annotated[int, at_least(1), "Updates on them."] = 300
    training: Training = Training()


WIDE = Training(64, 20_000, 50_000)
PRESETS = {
    "tiny": Config(4, (0.2, 0.44), 0.44, 8, (2,), (1, 2), 1000, 2, 0, 4, data_steps=2, training=Training(16, 9, 100)),
    "small": Config(),
    "full": Config(6, field_side=48, seeds=8, timed=25, timed_side=24, data_steps=5000, training=WIDE),
}


@dataclass(frozen=True)
class Decoding:
    """An order by its family and how many tokens come at once."""

    family: str
    n: int = 4

    def __str__(self) -> str:
        return self.family.replace(",", f"-{self.n},") if "," in self.family else f"{self.family}-{self.n}"


TRAINED = tuple(Decoding(family) for family in (RASTER, PAR, AT_ONCE, ADJACENT, RANDOM))
WAYS = [Decoding(f, n) for f, n in product((PAR, AT_ONCE, ADJACENT, RANDOM), (4, 16))]  # of fields


@dataclass(frozen=True)
class Lattice:
    """A cell: a grid of known law, and what each order loses on it."""

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
    def fields(self) -> GaussianGrid:
        return GaussianGrid(self.side, self.parameter, self.seed)

    @cached_property
    def cost(self) -> law.Cost | None:
        """Where the law is a table."""
        return law.table_cost(self.ising.probabilities) if self.kind == "Ising" and self.side <= 4 else None

    @property
    def decodings(self) -> list[Decoding]:
        several = [ADJACENT, RANDOM, COSINE, *[GREEDY] * (self.cost is not None)]
        ising = [*(Decoding(f) for f in (PAR, AT_ONCE)), *(Decoding(f, n) for f, n in product(several, (2, 4, 8)))]
        return ising if self.kind == "Ising" else WAYS

    def order(self, way: Decoding, draw: int = 0) -> law.Order:
        if way.family == GREEDY and self.cost is not None:
            return orders.greedy(self.side, way.n, self.cost)
        return FAMILIES[way.family](self.side, way.n, draw)

    def loss(self, order: law.Order) -> Floats:
        """Bits lost with each group; on larger Ising grids the mean over samples."""
        if self.kind == "Gaussian":
            return law.gaussian_loss(order, self.fields.covariance)
        if self.cost is not None:
            return law.loss(order, self.cost)
        return law.sampled_loss(order, self.ising.conditionals, self.ising.sample(500, stream=2))[0]

    def agreement(self, order: law.Order) -> Floats:
        """How often neighbours are equal, pair by pair, as a perfect model generates them; nan where no table says."""
        pairs = neighbours(self.side).tolist()
        if self.cost is None:
            return np.full(len(pairs), np.nan)
        q = law.decoded(self.ising.probabilities, order)
        return np.array([np.trace(q.sum(tuple(k for k in range(q.ndim) if k not in pair))) for pair in pairs])

    def together(self, way: Decoding) -> NDArray[np.bool_]:
        """Of each pair of neighbours, whether it is drawn at once, or, in PAR's orders, lies in two regions."""
        place = np.arange(self.side**2)
        label = 2 * (2 * place // self.side**2) + 2 * (place % self.side) // self.side
        if way.family not in (PAR, AT_ONCE):
            for g, group in enumerate(self.order(way)):
                label[list(group)] = g
        one, other = label[neighbours(self.side)].T
        return np.asarray(one != other if way.family in (PAR, AT_ONCE) else one == other)


@dataclass(frozen=True)
class Learned:
    """A cell: a transformer taught an order on grids of known law, or on somebody's."""

    world: Lattice | str
    decoding: Decoding
    training: Training

    def __str__(self) -> str:
        return f"{self.world}, {self.decoding}"


@dataclass(frozen=True)
class Timed:
    """A cell: how many passes generation takes, and how long."""

    side: int
    batch: int
    times: int

    def __str__(self) -> str:
        return f"{self.batch} grid{'s' * (self.batch > 1)} {self.side} × {self.side} at a time"


def cells(config: Config, seed: int) -> Iterator[Work]:
    lengths = {float(x): None for x in (*config.lengths, *(config.field_side / 2 / r for r in config.reach))}
    ising = [Lattice("Ising", config.side, J, world_seed(seed, STUDY, f"{J:g}")) for J in config.couplings]
    fields = [Lattice("Gaussian", config.field_side, x, world_seed(seed, STUDY, "fields")) for x in lengths]
    yield from (Work("solve", case, cost=200) for case in (*ising, *fields))
    trained, training = ising[config.couplings.index(config.trained)], config.training
    for way in TRAINED:
        yield Work("learn", Learned(trained, way, training), config.seeds, cost=training.steps)
    yield Work("fit", Fit(fields[len(config.lengths) - 1], config.fields), config.seeds, cost=100)
    yield from (Work("generate", Timed(config.timed_side, batch, config.timed), cost=200) for batch in (1, 16))
    check_real_data("data", config.data == "digits")
    for way in TRAINED[:-1] if config.data else ():
        yield Work("learn_data", Learned(config.data, way, Training(64, config.data_steps)), 2, cost=5 * config.data_steps)


@dataclass(frozen=True)
class Fit:
    """A cell: a Gaussian model fitted to fields, decoded in several orders."""

    lattice: Lattice
    fields: int

    def __str__(self) -> str:
        return f"{self.lattice}, fitted to {self.fields}"


def solve(case: Lattice, cell: Cell) -> pl.DataFrame:
    """What each order loses with each group."""
    rows, ways = list[pl.DataFrame](), case.decodings
    for done, way in enumerate(ways, 1):
        for draw in range(DRAWS if way.family in (RANDOM, COSINE) else 1):
            order = case.order(way, draw)
            labels = {"family": way.family, "n": way.n, "draw": draw, "speed": case.side**2 / len(order)}
            bits = pl.DataFrame({"group": np.arange(1, len(order) + 1), "bits": case.loss(order)})
            rows.append(bits.select(*(pl.lit(value).alias(name) for name, value in labels.items()), pl.all()))
        cell.progress(done, len(ways))
    return pl.concat(rows)


def fit(case: Fit, cell: Cell) -> pl.DataFrame:
    """Bits over those of the raster order of the same fitted model, and the law of that."""
    world, rows = case.lattice.fields, []
    fields = world.sample(case.fields, stream=cell.replicate)
    bits = partial(law.gaussian_bits, world.covariance, fields.T @ fields / case.fields)
    base, ways = bits(orders.raster(world.side)), [way for way in WAYS if way.family in (PAR, ADJACENT)]
    for done, way in enumerate(ways, 1):
        order = case.lattice.order(way)
        predicted = expected(case.lattice, way) - law.unfitted(order, case.fields)
        rows.append({"family": way.family, "n": way.n, "bits": bits(order) - base, "law": predicted})
        cell.progress(done, len(ways))
    return pl.DataFrame(rows)


@lru_cache(maxsize=64)
def expected(lattice: Lattice, way: Decoding) -> float:
    """Bits that an order loses on a grid."""
    return float(lattice.loss(lattice.order(way)).sum())


def lost(t: Rows[Lattice], family: str, n: int = 4) -> float:
    """The same as it was found, the mean over draws."""
    rows = t.where(family=family, n=n)
    return float(rows["bits"].sum()) / rows["draw"].n_unique()


def extra(t: Rows[Learned], other: Rows[Learned]) -> Estimate:
    """Code length over another's, on the same grids, beside what the one order loses more."""
    predicted = expected(t.case.world, t.case.decoding) - expected(other.case.world, other.case.decoding)
    return paired(t.array("bits", axis="run"), other.array("bits", axis="run")).against(predicted)


def reached(ts: Sequence[Rows[Lattice]], ratios: Sequence[float], family: str = AT_ONCE) -> tuple[Floats, Floats]:
    """R/ℓ and the loss of PAR's 4 regions there."""
    found = {round(t.case.side / 2 / t.case.parameter, 9): lost(t, family) for t in ts}
    return np.array(ratios), np.array([found[round(r, 9)] for r in ratios])


LOSS, START, COSTS, LAST, SEEN, FAR, FEWER, SPEED = (
    f"{PAGE}, {part}"
    for part in ("what is lost", "the start", "orders", "greedy", "what is generated", "distance", "fitted", "speed")
)
OVER = "bits a grid", LOSS, "code length over that with {other.case.decoding}, on the same grids"
BETWEEN = "the lesser of random less PAR and adjacent less random, the first 4 one by one; random: mean of 8 draws"
COUNTED = "{t.case.side}² tokens, {n} at a time; the prediction is n + (N - n)/n"
CLOCK = "seconds of the raster order over those of PAR-4, in turn; the prediction is N/passes"
SLOPE = "least-squares slope of ln loss of PAR-4 without start on R/ℓ = {low:g} to {high:g}"


@claim(within(0.02, 0.1), *OVER)
def pays(t: Rows[Learned], other: Rows[Learned]) -> Estimate:
    """{t}: a transformer pays what the order loses."""
    return extra(t, other)


@claim(above(0.0), "bits a grid", COSTS, BETWEEN)
def far_is_cheap(t: Rows[Lattice]) -> Estimate:
    """{t}: 4 at a time, PAR's order loses less than a random one, and that less than neighbours at once."""
    return exact(min(lost(t, RANDOM) - lost(t, PAR), lost(t, ADJACENT) - lost(t, RANDOM)))


@claim(above(0.0), *OVER)
def costs_more(t: Rows[Learned], other: Rows[Learned]) -> Estimate:
    """{t}: dearer than {other.case.decoding} to a transformer as by law."""
    return extra(t, other)


@claim(above(1.0), "ratio", START, "loss of PAR-4 without a sequential start over that with it, by law")
def needs_its_start(t: Rows[Lattice]) -> Estimate:
    """{t}: without its first tokens one by one PAR loses more."""
    return exact(lost(t, AT_ONCE) / lost(t, PAR))


@claim(within_share(0.15), *OVER)
def start_is_worth(t: Rows[Learned], other: Rows[Learned]) -> Estimate:
    """{t}: leaving the start out costs a transformer what it does by law."""
    return extra(t, other)


@claim(below(1.0), "ratio", LAST, "loss of greedy-4 over that of PAR-4, in as many steps, by law")
def greedy_is_better(t: Rows[Lattice]) -> Estimate:
    """{t}: leaving for the end what is screened loses less than PAR's order."""
    return exact(lost(t, GREEDY) / lost(t, PAR))


@claim(within(0.005), "share of pairs", SEEN, "mean over {count} pairs; in truth {truth:.3f}")
def agrees(t: Rows[Learned]) -> Estimate:
    """{t}: neighbours {where} are equal in generated grids as often as in a perfect model's."""
    world, way, own = t.case.world, t.case.decoding, t.case.world.together(t.case.decoding)
    truth, predicted = (world.agreement(world.order(d))[own].mean() for d in (TRAINED[0], way))
    where = "drawn at once" if way.family == ADJACENT else "across seams"
    agree = t.array("agree", axis="pair")[:, own].mean(1)
    return mean(agree).against(predicted, truth=truth, where=where, count=own.sum())


@claim(within_range(-2.4, -1.9), "slope", FAR, SLOPE)
def falls_with_distance(ts: Sequence[Rows[Lattice]], ratios: Sequence[float]) -> Estimate:
    """On fields the loss falls exponentially in the side R of regions, about twice as fast as correlation."""
    x, y = reached(ts, ratios)
    return exact(np.polyfit(x, np.log(y), 1)[0]).against(None, low=x[0], high=x[-1])


@claim(within(0.05, 0.1), "bits a field", FEWER, "code length over that of the raster order, both fitted")
def fitted_pays(t: Rows[Fit], way: Decoding) -> Estimate:
    """{t}, {way}: a Gaussian model pays what the order loses, less what it need not fit."""
    rows = {"family": way.family, "n": way.n}
    return mean(t.array("bits", **rows)).against(t.array("law", **rows)[0])


@claim(equals(0.0), "passes", SPEED, COUNTED)
def passes(t: Rows[Timed], n: int) -> Estimate:
    """{t}, {n} tokens at once: as many passes as the order has groups."""
    return exact(t.where(n=n)["passes"][0]).against(law.steps(t.case.side**2, n))


@claim(above(2.0) & below(), "times as fast", SPEED, CLOCK)
def is_faster(t: Rows[Timed]) -> Estimate:
    """{t}: 4 at once are faster by nearly the ratio of passes."""
    predicted = t.case.side**2 / law.steps(t.case.side**2, 4)
    return ratio(t.array("seconds", n=1), t.array("seconds", n=4)).against(predicted)


def claims(found: Found) -> Iterator[Claim]:
    grids, ising = [t for t in found.of(Lattice) if is_asked(t, found)], found.of(Lattice, kind="Ising")
    base, par, none, near, random = found.of(Learned, function="learn")
    yield from (pays(t, base) for t in (par, near, none))
    yield from map(far_is_cheap, grids)
    pairs = ((random, par), (near, random), (near, par), (none, par), (near, none))
    yield from (costs_more(t, other) for t, other in pairs if (extra(t, other).predicted or 0) > 0.05)
    yield from map(needs_its_start, ising)
    yield start_is_worth(none, par)
    yield from (greedy_is_better(t) for t in ising if t.case.cost is not None)
    yield from map(agrees, (par, none, near))
    yield falls_with_distance(found.of(Lattice, kind="Gaussian"), found.config.reach)
    yield from (fitted_pays(t, way) for t in found.of(Fit) for way in WAYS if way.family in (PAR, ADJACENT))
    yield from (passes(t, n) for t in found.of(Timed) for n in (1, 4, 16))
    yield from (is_faster(t) for t in found.of(Timed) if t.case.times)


def is_asked(t: Rows[Lattice], found: Found) -> bool:
    return t.case.kind == "Ising" or t.case.parameter in found.config.lengths


def frontier(found: Found) -> Iterator[pl.DataFrame]:
    """Bits lost by tokens a step, 2, 4 and 8 (fields: 4 and 16) at once after the start. Random and cosine orders: mean, least and
    greatest of 8 draws. Transformers: code length over the raster order's, mean, least and greatest replicate.
    """
    base, *learned = found.of(Learned, function="learn")
    for t in (t for t in found.of(Lattice) if is_asked(t, found)):
        for way in t.case.decodings:
            rows = t.where(family=way.family, n=way.n).group_by("draw", maintain_order=True).agg(pl.sum("bits"))
            x = {"speed": t.where(family=way.family, n=way.n)["speed"][:1]}
            yield curve(x, {"bits": rows["bits"].to_numpy()[:, None]}, world=str(t), series=way.family)
    for t in learned:
        bits = t.array("bits", axis="run") - base.array("bits", axis="run")
        x = {"speed": [t.case.world.side**2 / len(t.case.world.order(t.case.decoding))]}
        yield curve(x, {"bits": bits[:, None]}, world=str(t.case.world), series="transformers")


def groups(found: Found) -> Iterator[pl.DataFrame]:
    """Bits lost with each group, 4 tokens at once, in the order in which groups come; a token alone loses none."""
    for t in found.of(Lattice, kind="Ising"):
        for family in (AT_ONCE, PAR, ADJACENT, *[GREEDY] * (t.case.cost is not None)):
            rows = t.where(family=family, n=4)
            yield curve({"group": rows["group"]}, {"bits": rows["bits"]}, world=str(t), series=family)


def distance(found: Found) -> Iterator[pl.DataFrame]:
    """Bits lost on Gaussian fields by the side R of PAR-4's regions in lengths of correlation ℓ, exact."""
    for family in (AT_ONCE, PAR):
        x, y = reached(found.of(Lattice, kind="Gaussian"), found.config.reach, family)
        yield curve({"reach": x}, {"bits": y}, series=family)


def seams(found: Found) -> Iterator[pl.DataFrame]:
    """How often two neighbours are equal, pair by pair: by law, as a perfect model generates them, and in truth; and in grids that
    transformers generated, mean, least and greatest replicate. Apart: across a seam of PAR's regions, or drawn at once.
    """
    for t in found.of(Learned, function="learn"):
        world, own = t.case.world, t.case.world.together(t.case.decoding)
        truth, made = (world.agreement(world.order(way)) for way in (TRAINED[0], t.case.decoding))
        for name, mask in (("apart", own), ("others", ~own)):
            if mask.any():
                x, agree = {"law": made[mask], "truth": truth[mask]}, t.array("agree", axis="pair")[:, mask]
                yield curve(x, {"agree": agree}, order=str(t.case.decoding), series=name)
        ends = [made.min(), made.max()]
        yield curve({"law": ends}, {"agree": ends}, order=str(t.case.decoding), series="equal")


def speeds(found: Found) -> Iterator[pl.DataFrame]:
    """How much faster than token by token: N over the passes, and by the clock, with the 95 % interval of the mean."""
    n = np.array([4, 16])
    for t in found.of(Timed):
        tokens = t.case.side**2
        predicted = [tokens / law.steps(tokens, int(k)) for k in n]
        yield curve({"n": n}, {"speed": predicted}, series="N/passes", grids=str(t))
        if t.case.times:
            by_clock = [ratio(t.array("seconds", n=1), t.array("seconds", n=k)) for k in n]
            values, ends = [e.value for e in by_clock], np.transpose([e.ends for e in by_clock])
            yield curve({"n": n}, {"speed": values}, (ends[0], ends[1]), series="measured", grids=str(t))


def on_data(found: Found) -> Iterator[pl.DataFrame]:
    """Bits a grid of held-out data over those of the raster order under transformers taught each order, mean and both; and the loss
    that `Dependence` estimates from the grids alone.
    """
    base, *others = found.of(Learned, function="learn_data") or [None]
    for t in others if base is not None else ():
        x, labels = {"speed": t.array("speed")[:1]}, {"order": str(t.case.decoding)}
        yield curve(x, {"bits": (t.array("bits") - base.array("bits"))[:, None]}, series="transformers", **labels)
        yield curve(x, {"bits": t.array("estimate")[:1]}, series="estimated", **labels)


def tables(found: Found) -> Iterator[Table]:
    named = {"frontier": frontier, "groups": groups, "distance": distance, "seams": seams, "speed": speeds, "data": on_data}
    for (name, rows), figure in zip(named.items(), FIGURES, strict=True):
        yield from table(name, figure.title, rows, found)


LAWS: dict[Any, Kind] = dict.fromkeys((PAR, AT_ONCE, ADJACENT, RANDOM), "theory")
LOST, GAIN, OPEN = Axis("bits", "bits lost a grid"), Axis("speed", "tokens a step, N/passes"), Axis("bits", "bits lost a grid", log=False)
EQUAL, MADE = Axis("law", "equal, by law", log=False), Axis("agree", "equal, in generated grids", log=False)
REACH, GROUP = Axis("reach", "side of a region over length, R/ℓ", log=False), Axis("group", "group", log=False)
AT, FASTER = Axis("n", "tokens at once"), Axis("speed", "times as fast as one by one")
CHEAP = "Tokens far apart are nearly free once the first are there; neighbours at once are dear; the order can be better still."
FIRST = "Without a sequential start nearly all is lost with the first group."
FIGURES = (
    Figure(STUDY, "What speed costs", "frontier", GAIN, LOST, {**LAWS, COSINE: "theory", GREEDY: "theory", ...: "learner"}, columns="world", caption=CHEAP),
    Figure("groups", "Where it is lost", "groups", GROUP, OPEN, "theory", columns="world", caption=FIRST),
    Figure("distance", "The loss falls with distance", "distance", REACH, LOST, "theory", caption="By e^-2 a length of correlation."),
    Figure("seams", "What is seen of it", "seams", EQUAL, MADE, {"equal": "asymptote", ...: "learner"}, columns="order", caption="Transformers generate what the law has them generate."),
    Figure("speed", "How much faster it is", "speed", AT, FASTER, {"N/passes": "theory", ...: "learner"}, columns="grids", caption="The clock follows the passes while a pass of n tokens costs what one of 1 does."),
    Figure("data", "The same on data", "data", GAIN, OPEN, {"estimated": "theory", "transformers": "learner"}, columns="order", caption="What an order loses can be told from the grids beforehand."),
)


def summary(found: Found) -> str:
    grid = found.of(Learned, function="learn")[0].case.world
    near, par, none = (expected(grid, Decoding(family)) for family in (ADJACENT, PAR, AT_ONCE))
    return (
        "A model that draws a group of tokens at once, each given all before, loses their conditional total correlation. "
        f"On {grid}, 4 at once: {near:.3f} bits a grid for neighbours, {par:.3f} for tokens of four regions (PAR), {none:.3f} "
        "for these without a sequential start. Transformers pay the same, and the law says which order loses least."
    )
