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

from twopart.evidence import Estimate, Found, Rows, around, claim, curve, statistic, table
from twopart.evidence.judges import below, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.regression import Noise, best_bits, effective_sizes, precision_risk
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies import Work, world_seed
from twopart.worlds.regression import LeastSquares, SecondMoments, Sketch
from twopart.worlds.regression.arrays import Floats

STUDY, TITLE = "precision-scaling", "Scaling laws in few bits"
PAPER, PAGE = "Zhang, Tang, Liang, Zou 2026, arXiv 2602.19241", "docs/laws/precision-scaling.md"
DECAY, SOURCE, VARIANCE = 1.5, 2.0, 0.1  # a, b, σ²
SIGNIFICANT = 5  # standard errors beyond which an excess over full precision is judged
OTHERS = {"parameter": 4.0, "label": 2.0, "activation": 2.0, "gradient": 4.0}  # steps, in units of their own size
BATCHED = {"label": 2.0, "parameter": 5.0}


@settings
class Runs:
    """The simulated runs of a cell."""

    groups: Annotated[int, at_least(10).because("an interval needs a spread"), "Groups of runs, each a mean."] = 30
    runs: Annotated[int, at_least(2), "Runs in a group, each on fresh data."] = 50


@settings
class Config:
    """Precision: the risk of SGD in few bits by format, model size, samples and batch, by law and by runs."""

    dimension: Annotated[int, at_least(20), "Dimension d of the inputs; variances are i^-1.5."] = 1000
    features: Annotated[tuple[int, ...], rising(1), every(at_least(4)), "Features M of the runs."] = (16, 40, 128)
    steps: Annotated[int, at_least(16), "Steps T of the runs, at fresh samples."] = 500
    batch: Annotated[int, at_least(1), "Samples a step."] = 2
    rate: Annotated[float, between(0, 0.6, "()"), "First learning rate; inputs have E|x|² = 1 or so."] = 0.3
    levels: Annotated[tuple[float, ...], rising(2), every(between(0, 8, "()")), "Steps of data, by a feature's size."] = (
        0.5, 1.0, 2.0, 4.0,
    )  # fmt: skip
    mantissas: Annotated[tuple[int, ...], rising(2), every(between(0, 10)), "Mantissa bits of floats."] = (0, 1, 2)
    batches: Annotated[tuple[int, ...], rising(3), every(at_least(1)), "Batches of the batch's figure."] = (
        1, 2, 4, 8, 16,
    )  # fmt: skip
    batch_runs: Annotated[int, at_least(2), "Runs in a group there, where effects are small."] = 200
    simulated: Runs = Runs()
    floor_dimension: Annotated[int, at_least(20), "Dimension of the floor's figure, no sketch."] = 400
    floors: Annotated[tuple[float, ...], rising(2), every(between(0, 1, "()")), "Variances ε of additive noise there."] = (
        0.001, 0.00178, 0.00316, 0.00562, 0.01,
    )  # fmt: skip
    ladder: Annotated[tuple[int, ...], distinct(2), rising(2), every(at_least(4)), "Features of the model size's figure."] = (
        16, 32, 64, 128, 256,
    )  # fmt: skip
    samples: Annotated[int, at_least(1000), "Rounded samples that stand for data without end."] = 200_000


PRESETS = {
    "tiny": Config(
        100, (8, 16), 60, levels=(1.0, 4.0), mantissas=(0, 1), batches=(1, 2, 4), batch_runs=10, simulated=Runs(10, 10),
        floor_dimension=24, floors=(0.001, 0.01), ladder=(8, 16), samples=8000,
    ),
    "small": Config(),
    "full": Config(
        10_000, (64, 512, 4096), 20_000, 8, levels=(0.25, 0.5, 1.0, 2.0, 4.0), mantissas=(0, 1, 2, 3, 7),
        floor_dimension=4000, ladder=(64, 128, 256, 512, 1024, 2048), samples=10**7,
    ),
}  # fmt: skip


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
    """A cell: runs of several ways to round, (target, kind, level) each, on the same samples; the first rounds nothing."""

    world: World
    steps: int
    batch: int
    rate: float
    ways: tuple[tuple[str, str, float], ...]
    runs: Runs

    def __str__(self) -> str:
        return f"M = {self.world.features}, T = {self.steps}, B = {self.batch}"


@dataclass(frozen=True)
class Fit:
    """A cell: least squares on rounded samples, without noise of the answers."""

    world: World
    kind: str
    level: float
    samples: int

    def __str__(self) -> str:
        return f"M = {self.world.features}, {self.kind} {self.level:g}"

    @property
    def noise(self) -> Noise:
        if self.kind == "float":
            return Noise(covariance=self.level * np.diag(self.world.moments.covariance))
        return Noise() if self.kind == "full" else Noise(**{self.kind: self.level})


FULL = ("data", "full", 0.0)
ONE_FACTOR = (
    0.0817  # ε of floats without a mantissa, as one factor for all coordinates: the theory's noise of that size
)


def cells(config: Config, seed: int) -> Iterator[Work]:
    sketch, runs, dither = (
        world_seed(seed, STUDY, "sketch"),
        config.simulated,
        config.levels[len(config.levels) // 2 - 1],
    )
    ways = [("data", kind, level) for kind in ("dither", "stochastic") for level in config.levels]
    ways += [("data", "float", float(bits)) for bits in config.mantissas]
    ways += [(target, "dither", level) for target, level in OTHERS.items()]
    few = (FULL, ("data", "dither", dither), ("data", "float", float(config.mantissas[0])))
    middle, d = config.features[len(config.features) // 2], config.dimension
    trials = [(M, config.steps, config.batch, (FULL, *ways), runs) for M in config.features]
    trials += [(middle, config.steps // by, config.batch, few, runs) for by in (4, 2)]
    batched, more = (
        (FULL, *((target, "dither", level) for target, level in BATCHED.items())),
        Runs(runs.groups, config.batch_runs),
    )
    trials += [(config.features[0] // 2, config.steps, B, batched, more) for B in config.batches]
    for M, steps, batch, chosen, several in trials:
        case = Train(World(d, M, sketch), steps, batch, config.rate, chosen, several)
        yield Work("train", case, cost=M * steps * batch * len(chosen) * several.runs)
    whole = World(config.floor_dimension, config.floor_dimension, sketch, "truncation", 0.0)
    fits = [(whole, "additive", ε) for ε in config.floors]
    kinds = {"full": 0.0, "scalar": ONE_FACTOR, "float": ONE_FACTOR, "additive": config.floors[0]}
    fits += [(World(d, M, sketch, variance=0.0), *kind) for M, kind in product(config.ladder, kinds.items())]
    for world, kind, level in fits:
        yield Work("fit", Fit(world, kind, level, config.samples), cost=config.samples * world.features**2 / 1000)


def trained(t: Rows[Train], way: tuple[str, str, float], column: str = "clean") -> Floats:
    """Mean risk of each group less σ², shape (groups,); or a law's."""
    target, kind, level = way
    return np.asarray(t.array(column, target=target, kind=kind, level=level)) - t.case.world.variance


def ways(ts: Iterable[Rows[Train]], target: str, kind: str) -> Iterator[tuple[Rows[Train], tuple[str, str, float]]]:
    return ((t, way) for t in ts for way in t.case.ways if way[:2] == (target, kind))


def worst_ratio(parts: Iterable[tuple[Rows[Train], tuple[str, str, float]]], law: str = "law") -> Estimate:
    """Of measured over law's excess over σ², the farthest from 1."""
    ratios = np.stack([trained(t, way) / trained(t, way, law)[0] for t, way in parts], axis=1)
    found = statistic(lambda mean: mean[np.argmax(np.abs(np.log(mean)))], ratios, over=OVER)
    return found.against(1.0, count=ratios.shape[1])


def over_full(t: Rows[Train], way: tuple[str, str, float]) -> tuple[Floats, float]:
    """Excess over full precision on the same samples, (groups,), and the law's."""
    return trained(t, way) - trained(t, FULL), float((trained(t, way, "law") - trained(t, FULL, "law"))[0])


def scaled(t: Rows[Fit]) -> tuple[Floats, float]:
    """From pairs of fits: c·v and v_1·H v_2, shape (pairs, 2), and E y²: after the best factor E y² - (c·v)²/(v_1·H v_2) is left."""
    return t.array("along", "square"), t.case.world.moments.power


def left(means: Floats, power: float) -> float:
    return float(power - means[0] ** 2 / means[1])


def rungs(found: Found, kind: str) -> list[Rows[Fit]]:
    return [t for t in found.of(Fit, kind=kind) if t.case.world.kind == "gaussian"]


OVER = "groups of runs"
RECURSION, ROUNDING, FLOORS = f"{PAGE}, recursion", f"{PAGE}, quantisers", f"{PAGE}, floors"
WORST = "measured excess over σ² on clean inputs over the law's, the farthest from 1 of {count} cases"
FALL = "after the best factor, what is left at M = {M} over that at M = {half}"


@claim(within(0.02), "ratio", RECURSION, WORST)
def law_is_the_run(ts: Iterable[Rows[Train]]) -> Estimate:
    """with dithered data the runs' risk is the law's, for every size, number of steps and step of the dither."""
    return worst_ratio([*ways(ts, "data", "dither"), *((t, FULL) for t in ts)])


@claim(within(0.03), "ratio", ROUNDING, WORST)
def stochastic_is_the_law(ts: Iterable[Rows[Train]]) -> Estimate:
    """stochastic rounding of data costs what the law says with its exact variance, which small features feel less."""
    return worst_ratio(ways(ts, "data", "stochastic"))


@claim(
    below(0.97), "ratio", ROUNDING, "measured excess over that of the law with step²/6, step = {level:g} features' size"
)
def a_sixth_is_too_much(t: Rows[Train], level: float) -> Estimate:
    """{t}: the usual variance step²/6 is too large where a step is larger than the features."""
    return worst_ratio([(t, ("data", "stochastic", level))], "other")


@claim(within(0.02), "ratio", f"{PAGE}, which noise", WORST)
def floats_are_the_elementwise_law(ts: Iterable[Rows[Train]]) -> Estimate:
    """data in floats of few bits cost what noise of each coordinate by itself does."""
    return worst_ratio(ways(ts, "data", "float"))


@claim(
    below(0.0),
    "difference of risks",
    f"{PAGE}, which noise",
    "measured risk less that of one factor for all coordinates",
)
def floats_are_not_one_factor(t: Rows[Train]) -> Estimate:
    """{t}: floats without a mantissa are not the theory's multiplicative noise, one factor for a whole vector."""
    (way,) = (way for way in t.case.ways if way[1:] == ("float", 0.0))
    return statistic(float, trained(t, way) - trained(t, way, "other"), over=OVER).against(None)


@claim(within(0.15), "ratio", RECURSION, "excess over full precision over the law's, the farthest from 1 of {count} cases whose "
       f"excess is above {SIGNIFICANT} standard errors; {{left}} are not judged")  # fmt: skip
def each_alone(ts: Iterable[Rows[Train]], target: str) -> Estimate:
    """rounding of the {target} alone costs what the law says."""
    both = [over_full(*part) for part in ways(ts, target, "dither")]
    seen = [e / law for e, law in both if e.mean() > SIGNIFICANT * e.std(ddof=1) / len(e) ** 0.5]
    if not seen:
        return Estimate(float("nan")).against(1.0, count=0, left=len(both))
    found = statistic(lambda mean: mean[np.argmax(np.abs(mean - 1))], np.stack(seen, axis=1), over=OVER)
    return found.against(1.0, count=len(seen), left=len(both) - len(seen))


@claim(
    within(0.07),
    "log-log slope",
    FLOORS,
    "slope of ln floor on ln ε, on rounded inputs; the law's at this size is {law:.3f}",
)
def floor_exponent(ts: list[Rows[Fit]]) -> Estimate:
    """additive noise ε leaves a floor, whatever the data, that falls as ε^((b-1)/a)."""
    logs = np.log([t.case.level for t in ts])
    far = (logs - logs.mean()) / np.square(logs - logs.mean()).sum()
    floors = np.stack([t.array("floor") for t in ts], axis=1)
    law = far @ np.log([t.where()["law_floor"][0] for t in ts])
    return statistic(lambda f: float(far @ np.log(f)), floors, over="pairs of fits").against(
        (SOURCE - 1) / DECAY, law=law
    )


def falls(ts: list[Rows[Fit]]) -> Estimate:
    """What the last rung leaves over what the one before does, and the law's."""
    (before, power), (after, same) = map(scaled, ts[-2:])
    found = statistic(
        lambda m: left(m[2:], same) / left(m[:2], power), np.hstack([before, after]), over="pairs of fits"
    )
    half, last = (t.where()["law_scaled"][0] for t in ts[-2:])
    return found.against(last / half, M=ts[-1].case.world.features, half=ts[-2].case.world.features)


@claim(within_share(0.1), "ratio", FLOORS, FALL)
def additive_stops(ts: list[Rows[Fit]]) -> Estimate:
    """with additive noise more features help less and less, as the law says."""
    return falls(ts)


@claim(within_share(0.03), "ratio", FLOORS, FALL + "; the prediction is full precision's")
def one_factor_keeps_the_size(ts: list[Rows[Fit]], full: list[Rows[Fit]]) -> Estimate:
    """with one factor for all coordinates more features help as at full precision: the effective model size is kept."""
    return falls(ts).against(falls(full).predicted)


@claim(within_range(0.0, 1.0), "share", f"{PAGE}, which noise", "(r - r_full)/(r_additive - r_full), r: " + FALL)
def floats_are_between(ts: list[Rows[Fit]], additive: list[Rows[Fit]], full: list[Rows[Fit]]) -> Estimate:
    """floats, though multiplicative, lose model size in a sketched basis, less than additive noise here."""
    low, high = (falls(other).predicted or 0.0 for other in (full, additive))
    found = falls(ts)
    return found.plus(-low).times(1 / (high - low))


def batch_slope(ts: list[Rows[Train]], target: str) -> Estimate:
    """Slope on ln B of the ln of the excess over full precision, and the law's."""
    logs = np.log([t.case.batch for t in ts])
    far = (logs - logs.mean()) / np.square(logs - logs.mean()).sum()
    both = [over_full(t, (target, "dither", BATCHED[target])) for t in ts]
    law = float(far @ np.log([law for _, law in both]))
    found = statistic(lambda e: float(far @ np.log(e)), np.stack([e for e, _ in both], axis=1), over=OVER)
    return found.against(law, first=ts[0].case.batch, last=ts[-1].case.batch)


@claim(within(0.1), "log-log slope", RECURSION, "slope of ln excess over full precision on ln B, B = {first} to {last}")
def batches_average_samples(ts: list[Rows[Train]]) -> Estimate:
    """noise of single samples (here of labels) is averaged by the batch."""
    return batch_slope(ts, "label").against(-1.0)


@claim(within(0.1), "log-log slope", RECURSION, "slope of ln excess over full precision on ln B, B = {first} to {last}")
def batches_do_not_average_weights(ts: list[Rows[Train]]) -> Estimate:
    """noise of the weights is shared by a batch, so that its cost flattens, as the law says."""
    return batch_slope(ts[1:], "parameter")


def main_runs(found: Found) -> list[Rows[Train]]:
    return [t for t in found.of(Train) if ("data", "float") in {way[:2] for way in t.case.ways}]


def batch_runs(found: Found) -> list[Rows[Train]]:
    return [t for t in found.of(Train) if ("label", "dither") in {w[:2] for w in t.case.ways} and len(t.case.ways) == 3]


def claims(found: Found) -> Iterator[Claim]:
    ts, batched, config = main_runs(found), batch_runs(found), found.config
    full, scalar, floats, additive = (rungs(found, kind) for kind in ("full", "scalar", "float", "additive"))
    largest = [t for t in ts if t.case.steps == config.steps]
    yield from (law_is_the_run(ts), stochastic_is_the_law(largest))
    yield from (a_sixth_is_too_much(t, config.levels[-1]) for t in largest)
    yield floats_are_the_elementwise_law(ts)
    yield from (floats_are_not_one_factor(t) for t in largest if 0 in config.mantissas)
    yield from (each_alone(largest, target) for target in OTHERS)
    yield floor_exponent(found.of(Fit, world=found.of(Fit)[0].case.world))
    yield from (
        additive_stops(additive),
        one_factor_keeps_the_size(scalar, full),
        floats_are_between(floats, additive, full),
    )
    yield from (batches_average_samples(batched), batches_do_not_average_weights(batched))


def risk_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean squared error on exact inputs; 95% intervals. Others: step²/6 for stochastic rounding, one factor for floats."""
    for t in (t for t in main_runs(found) if t.case.steps == found.config.steps):
        for kind, other in {"dither": "", "stochastic": "law with step²/6", "float": "law with one factor"}.items():
            chosen = [way for _, way in ways([t], "data", kind)]
            x = {"eps": [t.where(target="data", kind=kind, level=level)["eps"][0] for _, _, level in chosen]}
            labels = {"rounding": KINDS_OF[kind], "size": f"M = {t.case.world.features}"}
            for series in filter(None, ("law", other, "runs")):
                columns = {"law": "law", "runs": "clean"}.get(series, "other")
                y = np.stack([trained(t, way, columns) for way in chosen], axis=1) + t.case.world.variance
                band = around(y, 1.96) if series == "runs" else None
                yield curve(x, {"risk": y if band else y[0]}, band, series=series, **labels)


def data_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean squared error on exact inputs by the number of steps; lines of the law, runs with 95% intervals."""
    config, ts = found.config, main_runs(found)
    some = [t for t in ts if t.case.steps < config.steps]
    size = some[0].case.world.features
    longest = next(t for t in ts if t.case.steps == config.steps and t.case.world.features == size)
    for way, name in zip(some[0].case.ways, ("full precision", "dithered", "floats without mantissa"), strict=True):
        noise = Noise() if way == FULL else Noise(covariance=np.diag(longest.case.world.moments.covariance) * longest.where(
            target=way[0], kind=way[1], level=way[2])["eps"][0])  # fmt: skip
        x = np.unique(np.geomspace(16, 16 * config.steps, 60).round().astype(int))
        law = precision_risk(longest.case.world.moments, noise, rate=config.rate, steps=x, batch=config.batch).clean
        yield curve({"steps": x}, {"risk": law}, None, data=name, series="law")
        y = np.stack([trained(t, way) for t in (*some, longest)], axis=1) + VARIANCE
        at = [t.case.steps for t in (*some, longest)]
        yield curve({"steps": at}, {"risk": y}, around(y, 1.96), data=name, series="runs")


def floor_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean squared error on rounded inputs beyond σ², with data without end: law, least squares on many rounded samples."""
    ts = found.of(Fit, world=found.of(Fit)[0].case.world)
    x, law = np.array([t.case.level for t in ts]), np.array([t.where()["law_floor"][0] for t in ts])
    floors = np.stack([t.array("floor") for t in ts], axis=1)
    yield curve({"eps": x}, {"floor": law}, None, series="law")
    yield curve({"eps": x}, {"floor": law[0] * (x / x[0]) ** ((SOURCE - 1) / DECAY)}, None, series="ε^((b-1)/a)")
    yield curve({"eps": x}, {"floor": floors}, around(floors, 1.96), series="least squares")


def size_rows(found: Found) -> Iterator[pl.DataFrame]:
    """M_eff: the number of features that do as well in full precision; fits are read off the full-precision law."""
    for kind, name in NOISES.items():
        ts, largest = rungs(found, kind), rungs(found, kind)[-1].case.world
        x, measured = [t.case.world.features for t in ts], []
        law = [float(effective_sizes(t.case.world.moments, t.case.noise, rate=0.1, steps=1).features) for t in ts]
        explained = np.linalg.cholesky(largest.moments.covariance)
        floors = largest.moments.power - np.cumsum(np.linalg.solve(explained, largest.moments.cross) ** 2)
        for t in ts:
            means, power = scaled(t)
            found_left = statistic(lambda m, p=power: left(m, p), means, over="pairs of fits")  # type: ignore[misc]
            ends = np.array([found_left.value, *found_left.ends])
            measured.append(np.interp(ends, floors[::-1], np.arange(len(floors), 0, -1)))
        value, high, low = np.array(measured).T
        yield curve({"features": x}, {"effective": law}, None, noise=name, series="law")
        yield curve({"features": x}, {"effective": value}, (low, high), noise=name, series="least squares")


def batch_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Risk on exact inputs beyond that in full precision, on the same samples; 95% intervals."""
    ts = batch_runs(found)
    for target, level in BATCHED.items():
        both, x = [over_full(t, (target, "dither", level)) for t in ts], {"batch": [t.case.batch for t in ts]}
        y, name = np.stack([e for e, _ in both], axis=1), {"label": "labels", "parameter": "weights"}[target]
        yield curve(x, {"excess": np.array([law for _, law in both])}, None, rounded=name, series="law")
        yield curve(x, {"excess": y}, around(y, 1.96), rounded=name, series="runs")


def budget_rows(found: Found) -> Iterator[pl.DataFrame]:
    """The law at a budget of bits: all numbers of the same width, and the best split; rounded stochastically over ± 4 deviations."""
    t = main_runs(found)[-1]
    moments, M, options = t.case.world.moments, t.case.world.features, {"rate": t.case.rate, "batch": t.case.batch}
    for samples in (1000, 10_000):
        budget, widths = samples * 8.0 * (2 * M + 2), np.arange(1, 13)
        same = [best_bits(moments, budget, widths=(b,), **options).risk for b in widths.tolist()]
        best = best_bits(moments, budget, **options)
        split = ", ".join(f"{bits} {name}" for name, bits in best.bits.items())
        label = f"{samples:,} samples of 8 bits"
        yield curve({"bits": widths}, {"risk": same}, None, budget=label, series="one width", split="")
        yield curve(
            {"bits": widths},
            {"risk": np.full(len(widths), best.risk)},
            None,
            budget=label,
            series="best split",
            split=split,
        )


def tables(found: Found) -> Iterator[Table]:
    yield from table("risk", "Risk by the size of rounding errors", risk_rows, found)
    yield from table("data", "Risk by steps", data_rows, found)
    yield from table("floors", "What additive noise leaves", floor_rows, found)
    yield from table("sizes", "Effective model size", size_rows, found)
    yield from table("batches", "Excess by batch", batch_rows, found)
    yield from table("budget", "Risk at a budget of bits", budget_rows, found)


KINDS_OF = {"dither": "dithered", "stochastic": "stochastic rounding", "float": "floats"}
NOISES = {"scalar": "one factor", "float": "floats without mantissa", "additive": "additive"}
LAWS: dict[str, Kind] = {"law": "theory", "law with step²/6": "asymptote", "law with one factor": "asymptote"}
MEASURED: dict[Any, Kind] = {"law": "theory", "runs": "simulation", "least squares": "simulation"}
RISK = Axis("risk", "mean squared error on exact inputs")
EPS = Axis("eps", "variance ε of the rounding error, in units of a feature's variance")
figure = partial(Figure, kinds={"law": "theory", "runs": "simulation"})
FIGURES = (
    figure("risk", "What rounded data cost", "risk", EPS, RISK, columns="rounding", rows="size", kinds=LAWS | {"runs": "simulation"},
           caption="Runs that round as machines do lie on the exact law; the usual stand-ins, step²/6 and one factor, do not."),
    figure("data", "Rounding slows learning and leaves an error", "data", Axis("steps", "steps T"), RISK, columns="data",
           caption="With the same samples rounded data end higher, the more so the longer the training."),
    figure("floors", "Additive noise leaves a floor", "floors", Axis("eps", "variance ε of additive noise"),
           Axis("floor", "mean squared error beyond σ²"), kinds={**MEASURED, "ε^((b-1)/a)": "asymptote"},
           caption="With data without end the error falls as a power of the noise, the spectrum's."),
    figure("sizes", "How many features a noisy model is worth", "sizes", Axis("features", "features M"),
           Axis("effective", "effective features"), columns="noise", kinds=MEASURED,
           caption="One factor for all coordinates keeps the model size; real floats in a sketched basis do not, nor do integers."),
    figure("batches", "What a batch averages", "batches", Axis("batch", "batch B"), Axis("excess", "excess over full precision"),
           columns="rounded", caption="Errors of single samples are averaged; those of weights are shared by the batch."),
    figure("budget", "Bits or samples", "budget", Axis("bits", "bits of every number", log=False), RISK, columns="budget",
           kinds={"one width": "theory", "best split": "asymptote"},
           caption="At a fixed budget few bits buy more samples; data and weights need fewer than outputs and gradients."),
)  # fmt: skip


def summary(found: Found) -> str:
    config, runs = found.config, found.config.simulated
    return (
        f"One pass of SGD on {', '.join(map(str, config.features))} features of inputs in {config.dimension} dimensions, its data, "
        f"weights, outputs or gradients rounded: {runs.groups * runs.runs} runs of each beside the exact law; and least squares on "
        f"{config.samples:,} rounded samples."
    )
