"""What do few bits cost when least squares are learned: data, model size, or an error that stays?

Sketched least squares, one pass of SGD with rounded data, weights, outputs or gradients: the exact risk, and runs that round as
machines do. Least squares on many rounded samples show what data without end come to, and how many features that is worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, mean, statistic, table
from twopart.evidence.judges import below, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.fits import slope
from twopart.laws.regression import Noise, best_bits
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, every, rising, settings
from twopart.studies import Work, world_seed
from twopart.worlds.regression import LeastSquares, SecondMoments, Sketch

STUDY, TITLE = "precision-scaling", "Scaling laws in few bits"
PAGE = "docs/laws/precision-scaling.md"
DECAY, SOURCE, VARIANCE, RATE, BATCH = 1.5, 2.0, 0.1, 0.3, 2  # a, b, σ², γ, B
LEVELS, MANTISSAS = (0.5, 1.0, 2.0, 4.0), (0.0, 1.0, 2.0)  # steps in units of a feature's size; bits
ALONE = {"parameter": 4.0, "label": 2.0, "activation": 2.0, "gradient": 4.0}  # dithers, in units of their own size
BATCHED, MORE = {"label": 2.0, "parameter": 5.0}, 4  # the same by batch; times as many runs, as effects are small
NOISES = (0.001, 0.00178, 0.00316, 0.00562, 0.01)  # additive noise ε whose floors are fitted
ONE_FACTOR, ADDITIVE = 0.0817, 0.001  # ε: what floats without a mantissa have, as one factor too; integers

Way = tuple[str, str, float]  # what is rounded, how, and how coarsely
FULL: Way = ("data", "full", 0.0)


@settings
class Config:
    """Precision: the risk of SGD in few bits by format, model size, samples and batch, by law and by runs."""

    dimension: Annotated[int, at_least(20), "Dimension d of the inputs; variances are i^-1.5."] = 1000
    features: Annotated[tuple[int, ...], rising(1), every(at_least(4)), "Features M of the runs."] = (16, 40, 128)
    steps: Annotated[int, at_least(16), "Steps T of the runs, at fresh samples."] = 500
    batches: Annotated[tuple[int, ...], rising(3), every(at_least(1)), "Batches that are compared."] = (1, 2, 4, 8, 16)
    groups: Annotated[int, at_least(10).because("an interval needs a spread"), "Groups of runs, each a mean."] = 30
    runs: Annotated[int, at_least(2), "Runs in a group, each on fresh data."] = 50
    whole: Annotated[int, at_least(20), "Dimension where floors are fitted, without a sketch."] = 400
    sizes: Annotated[tuple[int, ...], rising(2), every(at_least(4)), "Features whose worth is fitted."] = (64, 128, 256)
    samples: Annotated[int, at_least(1000), "Rounded samples that stand for data without end."] = 200_000


PRESETS = {
    "tiny": Config(100, (8,), 32, (1, 2, 4), 10, 5, 24, (8, 16), 4000),
    "small": Config(),
    "full": Config(10_000, (64, 512, 4096), 20_000, whole=4000, sizes=tuple(2**k for k in range(5, 12)), samples=10**7),
}


@dataclass(frozen=True)
class World:
    """A sketch, by what makes it."""

    dimension: int
    features: int
    seed: int
    kind: str = "gaussian"
    variance: float = VARIANCE

    @cached_property
    def moments(self) -> SecondMoments:
        world = LeastSquares.power(self.dimension, decay=DECAY, source=SOURCE, noise=self.variance**0.5)
        return Sketch(world, self.features, self.kind, self.seed).moments


@dataclass(frozen=True)
class Train:
    """A cell: runs of several ways to round on the same samples; the first rounds nothing."""

    world: World
    steps: int
    batch: int
    ways: tuple[Way, ...]
    groups: int
    runs: int

    def __str__(self) -> str:
        return f"M = {self.world.features}, T = {self.steps}, B = {self.batch}"


@dataclass(frozen=True)
class Fit:
    """A cell: least squares on rounded samples, whose answers have no noise."""

    world: World
    kind: str
    level: float
    samples: int

    def __str__(self) -> str:
        return f"M = {self.world.features}, {self.world.kind}, {self.kind} {self.level:g}"

    @property
    def noise(self) -> Noise:
        if self.kind == "float":
            return Noise(covariance=self.level * np.diag(self.world.moments.covariance))
        return Noise(**{self.kind: self.level})


def cells(config: Config, seed: int) -> Iterator[Work]:
    sketch, runs, d = world_seed(seed, STUDY, "sketch"), config.runs, config.dimension
    data = [("data", kind, level) for kind in ("dither", "stochastic") for level in LEVELS]
    data += [("data", "float", bits) for bits in MANTISSAS]
    every_way = (FULL, *data, *((target, "dither", level) for target, level in ALONE.items()))
    batched = (FULL, *((target, "dither", level) for target, level in BATCHED.items()))
    trials = [(M, config.steps, BATCH, every_way, runs) for M in config.features]
    trials += [(config.features[-1] // 2, config.steps // by, BATCH, (FULL, *data), runs) for by in (4, 2)]
    trials += [(config.features[0] // 2, config.steps, B, batched, MORE * runs) for B in config.batches]
    for M, steps, batch, ways, several in trials:
        case = Train(World(d, M, sketch), steps, batch, ways, config.groups, several)
        yield Work("train", case, cost=M * steps * batch * len(ways) * several)
    whole = World(config.whole, config.whole, sketch, "truncation", 0.0)
    fits = [(whole, "additive", ε) for ε in NOISES]
    kinds = {"scalar": ONE_FACTOR, "float": ONE_FACTOR, "additive": ADDITIVE}
    fits += [(World(d, M, sketch, variance=0.0), *kind) for M, kind in product(config.sizes, kinds.items())]
    for world, kind, level in fits:
        yield Work("fit", Fit(world, kind, level, config.samples), cost=config.samples * world.features**2 / 1000)


def trained(t: Rows[Train], way: Way, column: str = "clean") -> Floats:
    """Mean excess of each group over σ², shape (groups,); or a law's."""
    target, kind, level = way
    return np.asarray(t.array(column, target=target, kind=kind, level=level)) - t.case.world.variance


def of_kind(ts: Iterable[Rows[Train]], target: str, *kinds: str) -> list[tuple[Rows[Train], Way]]:
    return [(t, way) for t in ts for way in t.case.ways if way[0] == target and way[1] in kinds]


def farthest(ratios: list[Floats], **words: Any) -> Estimate:
    """Of ratios by group, (groups,) each, the mean that is farthest from 1; nan where there is none."""
    if not ratios:
        return Estimate(float("nan")).against(1.0, count=0, **words)
    found = statistic(lambda means: means[np.argmax(np.abs(means - 1))], np.stack(ratios, axis=1), over=OVER)
    return found.against(1.0, count=len(ratios), **words)


def over_law(parts: Iterable[tuple[Rows[Train], Way]], law: str = "law") -> Estimate:
    """Of the measured excess over σ² over the law's."""
    return farthest([trained(t, way) / trained(t, way, law) for t, way in parts])


def over_full(t: Rows[Train], way: Way) -> tuple[Floats, float]:
    """Excess over full precision on the same samples, (groups,), and the law's."""
    return trained(t, way) - trained(t, FULL), float((trained(t, way, "law") - trained(t, FULL, "law"))[0])


def steepness(x: list[Any], y: list[Floats], law: Any, over: str) -> Estimate:
    """The slope of the ln of means on ln x, beside the law's."""
    of_law = slope(x, law)
    return statistic(lambda means: slope(x, means), np.stack(y, axis=1), over=over).against(of_law, law=of_law)


OVER, PAIRS = "groups of runs", "pairs of fits"
RECURSION, ROUNDING, FLOORS, WHICH = (
    f"{PAGE}, {part}" for part in ("recursion", "quantisers", "floors", "which noise")
)
WORST = "excess over σ² on exact inputs over the law's, the farthest from 1 of {count} cases"
ONE = "excess over full precision over the law's, the farthest from 1 of {count} cases whose excess is above 5 standard errors"
WORTH = "features of full precision that do as well as {t.case.world.features} with ε = {t.case.level:g}"
SIXTH = "excess over σ² over that of the law with step²/6, steps {way[2]:g} times a feature's size"
ON_NOISE = "slope of ln floor on ln ε, on rounded inputs; the law's at this size is {law:.3f}"
ON_BATCH = "slope of ln excess over full precision on ln B; the law's is {law:.3f}"


@claim(within(0.02), "ratio", RECURSION, WORST)
def law_is_the_run(ts: list[Rows[Train]]) -> Estimate:
    """with dithered data the runs' risk is the law's, for every size, number of steps and coarseness."""
    return over_law(of_kind(ts, "data", "dither", "full"))


@claim(within(0.03), "ratio", ROUNDING, WORST)
def stochastic_is_the_law(ts: list[Rows[Train]]) -> Estimate:
    """stochastic rounding of data costs what the law says with its exact variance."""
    return over_law(of_kind(ts, "data", "stochastic"))


@claim(below(0.97), "ratio", ROUNDING, SIXTH)
def a_sixth_is_too_much(t: Rows[Train], way: Way) -> Estimate:
    """{t}: the usual variance step²/6 is too large where steps are larger than features."""
    return over_law([(t, way)], "other")


@claim(within(0.02), "ratio", WHICH, WORST)
def floats_are_elementwise(ts: list[Rows[Train]]) -> Estimate:
    """data in floats of few bits cost what noise of each coordinate by itself does."""
    return over_law(of_kind(ts, "data", "float"))


@claim(below(0.0), "difference of risks", WHICH, "risk less that of the law with one factor for all coordinates")
def floats_are_not_one_factor(t: Rows[Train], way: Way) -> Estimate:
    """{t}: floats without a mantissa are not the theory's multiplicative noise, one factor for a whole vector."""
    return mean(trained(t, way) - trained(t, way, "other"), over=OVER)


@claim(within(0.15), "ratio", RECURSION, ONE + "; {left} are not judged")
def each_alone(ts: list[Rows[Train]], target: str) -> Estimate:
    """rounding of the {target} alone costs what the law says."""
    both = [over_full(*part) for part in of_kind(ts, target, "dither")]
    seen = [e / law for e, law in both if e.mean() > 5 * e.std(ddof=1) / len(e) ** 0.5]
    return farthest(seen, left=len(both) - len(seen))


@claim(within(0.07), "log-log slope", FLOORS, ON_NOISE)
def floor_exponent(ts: list[Rows[Fit]]) -> Estimate:
    """additive noise ε leaves a floor, whatever the data, that falls as ε^((b-1)/a)."""
    law = [t.frame["law_floor"][0] for t in ts]
    found = steepness([t.case.level for t in ts], [t.array("floor") for t in ts], law, PAIRS)
    return found.against((SOURCE - 1) / DECAY)


@claim(within_share(0.1), "features", FLOORS, WORTH)
def additive_stops(t: Rows[Fit]) -> Estimate:
    """with additive noise more features help less and less: the effective model size is the law's."""
    return mean(t.array("worth"), over=PAIRS).against(t.frame["law_worth"][0])


@claim(within_share(0.03), "features", FLOORS, WORTH)
def one_factor_keeps_the_size(t: Rows[Fit]) -> Estimate:
    """with one factor for all coordinates the effective model size is the full one."""
    return mean(t.array("worth"), over=PAIRS).against(t.case.world.features)


@claim(within_range(0.0, 1.0), "share", WHICH, WORTH + ", on the way from the law's additive noise (0) to M (1)")
def floats_are_between(t: Rows[Fit], additive: Rows[Fit]) -> Estimate:
    """floats without a mantissa, though multiplicative, lose model size in a sketched basis."""
    least, M = additive.frame["law_worth"][0], t.case.world.features
    law, found = ((values - least) / (M - least) for values in (t.frame["law_worth"][0], t.array("worth")))
    return mean(found, over=PAIRS).against(law)


def by_batch(ts: list[Rows[Train]], target: str) -> Estimate:
    excess, law = zip(*(over_full(t, (target, "dither", BATCHED[target])) for t in ts), strict=True)
    return steepness([t.case.batch for t in ts], list(excess), law, OVER)


@claim(within(0.1), "log-log slope", RECURSION, ON_BATCH)
def batches_average_samples(ts: list[Rows[Train]]) -> Estimate:
    """noise of single samples (here of labels) is averaged by the batch."""
    return by_batch(ts, "label").against(-1.0)


@claim(within(0.1), "log-log slope", RECURSION, ON_BATCH + ", B = {ts[0].case.batch} and more")
def batches_share_weights(ts: list[Rows[Train]]) -> Estimate:
    """noise of the weights is shared by a batch, so that its cost flattens, as the law says."""
    return by_batch(ts, "parameter")


def runs_of(found: Found, target: str) -> list[Rows[Train]]:
    """The cells that compare ways to round data, or those that compare batches."""
    return [t for t in found.of(Train) if t.case.ways[1][0] == target]


def fits_of(found: Found, kind: str) -> list[Rows[Fit]]:
    return [t for t in found.of(Fit, kind=kind) if t.case.world.kind == "gaussian"]


def claims(found: Found) -> Iterator[Claim]:
    ts, batched, config = runs_of(found, "data"), runs_of(found, "label"), found.config
    long = [t for t in ts if t.case.steps == config.steps]
    yield from (law_is_the_run(ts), stochastic_is_the_law(ts))
    yield from (a_sixth_is_too_much(t, ("data", "stochastic", LEVELS[-1])) for t in long)
    yield floats_are_elementwise(ts)
    yield from (floats_are_not_one_factor(t, ("data", "float", 0.0)) for t in long)
    yield from (each_alone(long, target) for target in ALONE)
    yield floor_exponent([t for t in found.of(Fit) if t.case.world.kind == "truncation"])
    scalar, floats, additive = (fits_of(found, kind)[-1] for kind in ("scalar", "float", "additive"))
    yield from (additive_stops(additive), one_factor_keeps_the_size(scalar), floats_are_between(floats, additive))
    yield from (batches_average_samples(batched), batches_share_weights(batched[1:]))


def risk_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Risk on exact inputs over that in full precision, on the same samples; ε is in units of a feature's variance."""
    for t, (kind, (name, other)) in product(runs_of(found, "data"), ROUNDINGS.items()):
        parts = of_kind([t], "data", kind)
        x = {"eps": [t.where(target="data", kind=kind, level=way[2])["eps"][0] for _, way in parts]}
        labels: Any = {"rounding": name, "size": f"M = {t.case.world.features}", "steps": t.case.steps}
        runs, law = zip(*(over_full(*part) for part in parts), strict=True)
        contrast = [trained(*part, "other")[0] - trained(t, FULL, "law")[0] for part in parts] if other else None
        series: Any = {"law": law, "runs": np.stack(runs, axis=1), other: contrast}
        yield curves(x, "excess", series, 1.96, **labels)


def floor_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean squared error on rounded inputs beyond σ², with data without end: law, least squares on many rounded samples."""
    ts = [t for t in found.of(Fit) if t.case.world.kind == "truncation"]
    x, law = np.array([t.case.level for t in ts]), np.array([t.frame["law_floor"][0] for t in ts])
    fits, power = np.stack([t.array("floor") for t in ts], axis=1), law[0] * (x / x[0]) ** ((SOURCE - 1) / DECAY)
    yield curves({"eps": x}, "floor", {"law": law, "runs": fits, "ε^((b-1)/a)": power}, 1.96)


def worth_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Features that do as well in full precision, after the best common factor: by law, by least squares on rounded samples."""
    for kind, noise in {"scalar": "one factor", "float": "floats without mantissa", "additive": "additive"}.items():
        ts = fits_of(found, kind)
        M, law = [t.case.world.features for t in ts], [t.frame["law_worth"][0] for t in ts]
        series: Any = {"law": law, "runs": np.stack([t.array("worth") for t in ts], axis=1), "full precision": M}
        yield curves({"features": M}, "worth", series, 1.96, noise=noise)


def batch_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Risk on exact inputs over that in full precision, on the same samples."""
    ts = runs_of(found, "label")
    for target, level in BATCHED.items():
        runs, law = zip(*(over_full(t, (target, "dither", level)) for t in ts), strict=True)
        series: Any = {"law": law, "runs": np.stack(runs, axis=1)}
        yield curves({"batch": [t.case.batch for t in ts]}, "excess", series, 1.96, rounded=f"{target}s")


def budget_rows(found: Found) -> Iterator[pl.DataFrame]:
    """The law, all numbers rounded stochastically over ± 4 deviations: of one width, or of the widths of the best split."""
    world, widths = runs_of(found, "data")[0].case.world, range(1, 13)
    split = partial(best_bits, world.moments, rate=RATE, batch=BATCH)
    for samples in (250, 2000):
        budget, x = 8.0 * samples * (2 * world.features + 2), {"bits": widths}
        best, label = split(budget), f"bits of {samples:,} samples in 8 bits"
        risk = [split(budget, widths=(bits,)).risk for bits in widths]
        yield curve(x, {"risk": risk}, None, budget=label, series="one width", split="")
        yield curve(x, {"risk": [best.risk] * len(risk)}, None, budget=label, series="best split", split=str(best.bits))


def tables(found: Found) -> Iterator[Table]:
    yield from table("risk", "Risk on exact inputs by the size of errors", risk_rows, found)
    yield from table("floors", "What additive noise leaves", floor_rows, found)
    yield from table("worth", "Effective model size", worth_rows, found)
    yield from table("batches", "Excess by batch", batch_rows, found)
    yield from table("budget", "Risk at a budget of bits", budget_rows, found)


ROUNDINGS = {
    "dither": ("dithered", ""),
    "stochastic": ("stochastic", "law, step²/6"),
    "float": ("floats", "law, one factor"),
}
ASYMPTOTES = ("law, step²/6", "law, one factor", "ε^((b-1)/a)", "full precision", "best split")
THEORY: dict[Any, Kind] = {"law": "theory", "one width": "theory"}
KINDS: dict[Any, Kind] = THEORY | dict.fromkeys(ASYMPTOTES, "asymptote") | {"runs": "simulation"}
EPS, NOISE = Axis("eps", "variance ε of the error, by a feature's"), Axis("eps", "variance ε of additive noise")
FLOOR, EXCESS = Axis("floor", "mean squared error beyond σ²"), Axis("excess", "excess over full precision")
M, WORTHS, B = Axis("features", "features M"), Axis("worth", "effective features"), Axis("batch", "batch B")
BITS, RISK = Axis("bits", "bits of every number", log=False), Axis("risk", "mean squared error", log=False)
PANELS: Any = {"columns": "rounding", "rows": "size", "shown": pl.col("steps") == pl.col("steps").max()}
LIE = "Runs that round as machines do lie on the exact law; the usual stand-ins, step²/6 and one factor, do not."
ENDLESS = "With data without end the error falls as a power of the noise, which the spectrum decides."
KEEPS = "One factor for all coordinates keeps the model size; floats in a sketched basis do not, nor do integers."
SHARED = "Errors of single samples are averaged by a batch; it shares those of the weights."
BUYS = "Few bits buy more samples; data and weights need fewer than outputs and gradients."

figure = partial(Figure, kinds=KINDS)
FIGURES = (
    figure("risk", "What rounded data cost", "risk", EPS, EXCESS, **PANELS, caption=LIE),
    figure("floors", "Additive noise leaves a floor", "floors", NOISE, FLOOR, caption=ENDLESS),
    figure("worth", "What a noisy model is worth", "worth", M, WORTHS, columns="noise", caption=KEEPS),
    figure("batches", "What a batch averages", "batches", B, EXCESS, columns="rounded", caption=SHARED),
    figure("budget", "Bits or samples", "budget", BITS, RISK, columns="budget", caption=BUYS),
)


def summary(found: Found) -> str:
    c = found.config
    return (
        f"One pass of SGD on sketched inputs in {c.dimension} dimensions, data, weights, outputs or gradients rounded: "
        f"{c.groups * c.runs} runs of each beside the exact law; least squares on {c.samples:,} rounded samples."
    )
