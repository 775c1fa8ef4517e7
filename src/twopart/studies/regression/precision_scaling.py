"""What do few bits cost when least squares are learned: data, model size, or an error that stays?

Sketched least squares, one pass of SGD with rounded data, weights, outputs or gradients: the exact risk, and runs that round as
machines do. Least squares on many rounded samples show what data without end come to, and how many features that is worth.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from twopart.laws.regression import best_bits
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, every, rising, settings
from twopart.studies import Work, world_seed
from twopart.worlds.regression import LeastSquares, SecondMoments, Sketch

STUDY, TITLE = "precision-scaling", "Scaling laws in few bits"
PAGE = "docs/laws/precision-scaling.md"
DECAY, SOURCE, VARIANCE, RATE, BATCH = 1.5, 2.0, 0.1, 0.3, 2  # a, b, σ², γ, B
LEVELS = (0.5, 1.0, 2.0, 4.0)  # steps in units of a feature's size
ROUNDINGS = {  # of data: how coarsely (floats by bits of the mantissa), in words, and what usually stands in for the law
    "dither": (LEVELS, "dithered", ""),
    "stochastic": (LEVELS, "stochastic", "law, step²/6"),
    "float": ((0.0, 1.0, 2.0), "floats", "law, one factor"),
}
ALONE = {"parameter": 4.0, "label": 2.0, "activation": 2.0, "gradient": 4.0}  # dithers, in units of their own size
BATCHED, MORE = {"label": 2.0, "parameter": 5.0}, 4  # the same by batch; times as many runs, as effects are small
NOISES = (0.001, 0.00178, 0.00316, 0.00562, 0.01)  # additive noise ε whose floors are fitted
WORTH = {"scalar": 0.0817, "float": 0.0817, "additive": 0.001}  # ε: floats without a mantissa, one factor of the same

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


def cells(config: Config, seed: int) -> Iterator[Work]:
    sketch, runs, d = world_seed(seed, STUDY, "sketch"), config.runs, config.dimension
    data = [("data", kind, level) for kind, (levels, *_) in ROUNDINGS.items() for level in levels]
    alone, batched = ([(target, "dither", level) for target, level in some.items()] for some in (ALONE, BATCHED))
    trials = [(M, config.steps, BATCH, data + alone, runs) for M in config.features]
    trials += [(config.features[-1] // 2, config.steps // by, BATCH, data, runs) for by in (4, 2)]
    trials += [(config.features[0] // 2, config.steps, B, batched, MORE * runs) for B in config.batches]
    for M, steps, batch, ways, several in trials:
        case = Train(World(d, M, sketch), steps, batch, (FULL, *ways), config.groups, several)
        yield Work("train", case, cost=M * steps * batch * len(case.ways) * several)
    whole = World(config.whole, config.whole, sketch, "truncation", 0.0)
    fits = [(whole, "additive", ε) for ε in NOISES]
    fits += [(World(d, M, sketch, variance=0.0), *kind) for M, kind in product(config.sizes, WORTH.items())]
    for world, kind, level in fits:
        yield Work("fit", Fit(world, kind, level, config.samples), cost=config.samples * world.features**2 / 1000)


def risks(t: Rows[Train], *columns: str, **where: Any) -> Floats:
    """Mean risk of each group over σ², or a law's, by way to round: shape (columns, groups, ways)."""
    found = t.array(*columns, **where).reshape(t.case.groups, len(columns), -1)
    return np.asarray(found.swapaxes(0, 1) - t.case.world.variance)


def excess(t: Rows[Train], law: str = "law", **where: Any) -> Floats:
    """Excess over full precision on the same samples, and a law's: shape (2, groups, ways)."""
    return risks(t, "clean", law, **where) - risks(t, "clean", "law", kind="full")


def fitted(ts: list[Rows[Fit]], column: str) -> Floats:
    """By pair of fits and case."""
    return np.stack([t.array(column) for t in ts], axis=1)


OVER, PAIRS = "groups of runs", "pairs of fits"
RECURSION, FLOORS, WHICH = (f"{PAGE}, {part}" for part in ("recursion", "floors", "which noise"))
WORST = "excess over σ² on exact inputs over the law's, the farthest from 1 of {count} cases"
OTHER = "excess over σ² on exact inputs over what that would give"
ONE = "excess over full precision over the law's, the farthest from 1 of {count} cases above 5 standard errors; {left} others"
WORTHY = "features of full precision that do as well as {t.case.world.features} with ε = {t.case.level:g}"
ON_NOISE = "slope of ln floor on ln ε, on rounded inputs; the law's at this size is {law:.3f}"
ON_BATCH = "slope of ln excess over full precision on ln B, B = {ts[0].case.batch} and more; the law's is {law:.3f}"


def farthest(ratios: Floats, **words: Any) -> Estimate:
    """Of ratios, (groups, cases), the mean that is farthest from 1; nan where there is none."""

    def worst(means: Floats) -> float:
        return float(means[np.argmax(np.abs(means - 1))]) if len(means) else float("nan")

    return statistic(worst, ratios, over=OVER).against(1.0, count=ratios.shape[1], **words)


def steepness(x: list[Any], y: Floats, law: Floats, over: str, predicted: float | None) -> Estimate:
    """The slope on ln x of the ln of the mean of y, (replicates, cases), beside what is predicted, or else the law's."""
    of_law = slope(x, law)
    return statistic(lambda means: slope(x, means), y, over=over).against(predicted or of_law, law=of_law)


def over_law(ts: list[Rows[Train]], kinds: list[str], how: str) -> Estimate:
    """data rounded {how} cost what the law says, at every size, number of steps and coarseness."""
    parts = [risks(t, "clean", "law", target="data", kind=kinds) for t in ts]
    return farthest(np.concatenate([runs / law for runs, law in parts], axis=1))


def over_other(t: Rows[Train], kind: str, level: float, says: str) -> Estimate:
    """{t}: {says}."""
    runs, other = risks(t, "clean", "other", kind=kind, level=level)
    return farthest(runs / other)


runs_are_the_law, chance_is_the_law = (claim(within(m), "ratio", RECURSION, WORST)(over_law) for m in (0.02, 0.03))
sixth_is_too_much, not_one_factor = (claim(below(m), "ratio", WHICH, OTHER)(over_other) for m in (0.97, 1.0))


@claim(within(0.15), "ratio", RECURSION, ONE)
def each_alone(ts: list[Rows[Train]], target: str) -> Estimate:
    """rounding of the {target} alone costs what the law says."""
    runs, law = np.concatenate([excess(t, target=target) for t in ts], axis=2)
    seen = runs.mean(0) > 5 * runs.std(0, ddof=1) / len(runs) ** 0.5
    return farthest((runs / law)[:, seen], left=(~seen).sum())


@claim(within(0.1), "log-log slope", RECURSION, ON_BATCH)
def by_batch(ts: list[Rows[Train]], target: str, predicted: float | None, says: str) -> Estimate:
    """{says}."""
    runs, law = np.concatenate([excess(t, target=target) for t in ts], axis=2)
    return steepness([t.case.batch for t in ts], runs, law[0], OVER, predicted)


@claim(within(0.07), "log-log slope", FLOORS, ON_NOISE)
def floor_exponent(ts: list[Rows[Fit]]) -> Estimate:
    """additive noise ε leaves a floor, whatever the data, that falls as ε^((b-1)/a)."""
    floors, law = fitted(ts, "floor"), fitted(ts, "law_floor")[0]
    return steepness([t.case.level for t in ts], floors, law, PAIRS, (SOURCE - 1) / DECAY)


def worth(t: Rows[Fit], says: str) -> Estimate:
    """{says}."""
    return mean(t.array("worth"), over=PAIRS).against(t.frame["law_worth"][0])


additive_stops, one_factor_keeps = (claim(within_share(m), "features", FLOORS, WORTHY)(worth) for m in (0.1, 0.03))


@claim(within_range(0.0, 1.0), "share", WHICH, WORTHY + ", on the way from the law's additive noise (0) to M (1)")
def floats_are_between(t: Rows[Fit], additive: Rows[Fit]) -> Estimate:
    """floats without a mantissa, though multiplicative, lose model size in a sketched basis."""
    least = additive.frame["law_worth"][0]
    found, law = (t.array("worth", "law_worth").T - least) / (t.case.world.features - least)
    return mean(found, over=PAIRS).against(law[0])


def runs_of(found: Found, target: str) -> list[Rows[Train]]:
    """The cells that compare ways to round data, or those that compare batches."""
    return [t for t in found.of(Train) if t.case.ways[1][0] == target]


def fits_of(found: Found, kind: str, sketch: str = "gaussian") -> list[Rows[Fit]]:
    return [t for t in found.of(Fit, kind=kind) if t.case.world.kind == sketch]


def claims(found: Found) -> Iterator[Claim]:
    ts, batched = runs_of(found, "data"), runs_of(found, "label")
    long = [t for t in ts if t.case.steps == found.config.steps]
    yield runs_are_the_law(ts, ["dither", "full"], "by dithers, or not at all,")
    yield chance_is_the_law(ts, ["stochastic"], "by chance, at its exact variance,")
    for t in long:
        yield sixth_is_too_much(t, "stochastic", LEVELS[-1], "the usual variance step²/6 is too large for coarse steps")
    yield runs_are_the_law(ts, ["float"], "to floats, each coordinate by itself,")
    for t in long:
        yield not_one_factor(t, "float", 0.0, "floats without a mantissa are no single factor for a whole vector")
    yield from (each_alone(long, target) for target in ALONE)
    yield floor_exponent(fits_of(found, "additive", "truncation"))
    scalar, floats, additive = (fits_of(found, kind)[-1] for kind in WORTH)
    yield additive_stops(additive, "with additive noise the effective model size is the law's, less than M")
    yield one_factor_keeps(scalar, "one factor for all coordinates keeps the model size")
    yield floats_are_between(floats, additive)
    yield by_batch(batched, "label", -1.0, "noise of single samples, here of labels, is averaged by the batch")
    yield by_batch(batched[1:], "parameter", None, "noise of weights, shared by a batch, flattens as the law says")


def risk_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Risk on exact inputs over that in full precision, on the same samples; ε is in units of a feature's variance."""
    for t, (kind, (_, name, other)) in product(runs_of(found, "data"), ROUNDINGS.items()):
        where: Any = {"target": "data", "kind": kind}
        (runs, law), (_, stand_in) = excess(t, **where), excess(t, "other", **where)
        labels: Any = {"rounding": name, "size": f"M = {t.case.world.features}", "steps": t.case.steps}
        series: Any = {"law": law[0], "runs": runs, other: stand_in[0] if other else None}
        yield curves({"eps": t.where(**where, replicate=0)["eps"]}, "excess", series, 1.96, **labels)


def floor_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean squared error on rounded inputs beyond σ², with data without end: law, least squares on many rounded samples."""
    ts = fits_of(found, "additive", "truncation")
    x, law = np.array([t.case.level for t in ts]), fitted(ts, "law_floor")[0]
    power = law[0] * (x / x[0]) ** ((SOURCE - 1) / DECAY)
    yield curves({"eps": x}, "floor", {"law": law, "runs": fitted(ts, "floor"), "ε^((b-1)/a)": power}, 1.96)


def worth_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Features that do as well in full precision, after the best common factor: by law, by least squares on rounded samples."""
    for kind, noise in {"scalar": "one factor", "float": "floats without mantissa", "additive": "additive"}.items():
        ts = fits_of(found, kind)
        M = [t.case.world.features for t in ts]
        series: Any = {"law": fitted(ts, "law_worth")[0], "runs": fitted(ts, "worth"), "full precision": M}
        yield curves({"features": M}, "worth", series, 1.96, noise=noise)


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
    yield from table("budget", "Risk at a budget of bits", budget_rows, found)


ASYMPTOTES = ("law, step²/6", "law, one factor", "ε^((b-1)/a)", "full precision", "best split")
THEORY: dict[Any, Kind] = {"law": "theory", "one width": "theory"}
KINDS: dict[Any, Kind] = THEORY | dict.fromkeys(ASYMPTOTES, "asymptote") | {"runs": "simulation"}
EPS, NOISE = Axis("eps", "variance ε of the error, by a feature's"), Axis("eps", "variance ε of additive noise")
FLOOR, EXCESS = Axis("floor", "mean squared error beyond σ²"), Axis("excess", "excess over full precision")
M, EFFECTIVE = Axis("features", "features M"), Axis("worth", "effective features")
BITS, RISK = Axis("bits", "bits of every number", log=False), Axis("risk", "mean squared error", log=False)
PANELS: Any = {"columns": "rounding", "rows": "size", "shown": pl.col("steps") == pl.col("steps").max()}
LIE = "Runs that round as machines do lie on the exact law; the usual stand-ins, step²/6 and one factor, do not."
ENDLESS = "With data without end the error falls as a power of the noise, which the spectrum decides."
KEEPS = "One factor for all coordinates keeps the model size; floats in a sketched basis do not, nor do integers."
BUYS = "Few bits buy more samples; data and weights need fewer than outputs and gradients."

figure = partial(Figure, kinds=KINDS)
FIGURES = (
    figure("risk", "What rounded data cost", "risk", EPS, EXCESS, **PANELS, caption=LIE),
    figure("floors", "Additive noise leaves a floor", "floors", NOISE, FLOOR, caption=ENDLESS),
    figure("worth", "What a noisy model is worth", "worth", M, EFFECTIVE, columns="noise", caption=KEEPS),
    figure("budget", "Bits or samples", "budget", BITS, RISK, columns="budget", caption=BUYS),
)


def summary(found: Found) -> str:
    c = found.config
    return (
        f"One pass of SGD on sketched inputs in {c.dimension} dimensions, data, weights, outputs or gradients rounded: "
        f"{c.groups * c.runs} runs of each beside the exact law; least squares on {c.samples:,} rounded samples."
    )
