"""Why does the loss of a normalised model spike long after training has become quiet, and when?

Linear models behind a normalisation are trained by gradient descent. Three numbers foretell each of them: whether it spikes,
in which step, how high, that it is stable afterwards, and that weight decay makes it spike again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise, product
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.evidence import Estimate, Found, Rows, below, claim, curve, equals, exact, log_ends, table
from twopart.findings import Claim, Table
from twopart.laws.features.spikes import CLAMP, SpikePath, at, onset, onset_time, path, period, spike
from twopart.report import Axis, Figure, HeatMap, Kind
from twopart.settings import among, at_least, between, every, no_less_than, rising, settings
from twopart.studies import Work, world_seed

STUDY, TITLE, PAGE = "delayed-spikes", "Delayed loss spikes", "docs/laws/delayed-spikes.md"
PARTS = "three numbers", "the edge", "the wait", "rounding", "weight decay"
MAP, EDGE, WAIT, ROUNDING, DECAY = (f"{PAGE}, {part}" for part in PARTS)
Floats = NDArray[np.float64]
TARGET, NOISE, START = 2.0, 0.3, 0.05  # c, the root mean square of the noise in the targets, and the first α
VISIBLE, DEEP = -25.0, -40.0  # ln tan θ at all onsets above which runs are exact; at one below which rounding decides
SEEN = -32.0  # ln tan θ below which angles in float64 are rounding
FLOORS, REAL = {"float64": 1e-16, "float32": 6e-8}, ("diabetes", "digits")
RATIOS = (0.5, 1.0, 1.5, 1.8, 2.0, 2.4, 2.8, 3.2, 3.6, 4.5, 6.0)
COLUMNS = ("loss", "log_tangent", "kappa", "norm", "alpha")
SIZE, RATE = between(0, np.inf, "()"), every(between(0, 1, "()"))


@settings
class Config:
    """Delayed spikes: onset, height, end and return of instability, in models behind a normalisation."""

    ratios: Annotated[tuple[float, ...], rising(2), every(SIZE), "rate c²/r²: the κ of the start, were α = c."] = RATIOS
    shown: Annotated[float, among("ratios"), "The ratio of courses, of weight decay and of other inputs."] = 3.6
    angles: Annotated[tuple[float, ...], rising(1), every(between(0, 1.57, "()")), "First θ."] = (0.5, 1.17, 1.46)
    lags: Annotated[tuple[float, ...], rising(2), RATE, "Rates of α."] = (0.002, 0.01, 0.05, 0.1, 0.2, 0.3)
    lag: Annotated[float, among("lags"), "The rate of α with weight decay and other inputs."] = 0.05
    patience: Annotated[int, at_least(50), "Steps of every run, besides 8 over the rate of α."] = 1000
    conditions: Annotated[tuple[float, ...], rising(1), every(at_least(1.5)), "Condition numbers."] = (3.0, 10.0, 100.0)
    decays: Annotated[tuple[float, ...], rising(1), RATE, "Weight decays."] = (1e-3, 3e-3, 1e-2)
    long: Annotated[int, at_least(100), "Steps with weight decay."] = 2600
    places: Annotated[int, at_least(4), "Places of the law's map, a side."] = 60
    dimension: Annotated[int, at_least(2), "Inputs d."] = 10
    points: Annotated[int, no_less_than("dimension", 2), "Points n."] = 50


PRESETS = {
    "tiny": Config((1.0, 2.0, 3.6), 3.6, (1.17,), (0.1, 0.2), 0.2, 50, (10,), (3e-2,), 200, 12),
    "small": Config(),
    "full": Config((1.0, 2.0, 2.4, 3.6, 4.5, 6.0), patience=2000, dimension=1000, points=2000),
}


@dataclass(frozen=True)
class Descent:
    """A cell: a run for each ratio, first angle and weight decay."""

    points: int
    dimension: int
    seed: int
    ratios: tuple[float, ...]
    angles: tuple[float, ...]
    lag: float
    steps: int
    decays: tuple[float, ...] = (0.0,)
    held: bool = False
    """Whether the rate of w is lowered where κ would pass 1.9."""
    dtype: str = "float64"
    data: str = "gaussian"
    condition: float = 1.0
    """Of the inputs' covariance; 0: the data's own."""
    loss: str = "square"

    def __str__(self) -> str:
        inputs = {1.0: "whitened", 0.0: "raw"}.get(self.condition, f"condition {self.condition:g}")
        more = f"{', decay' * any(self.decays)}{', rate held' * self.held}"
        return f"{self.data}, {inputs}, {self.loss} loss, {self.dtype}, rate of α {self.lag:g}{more}"

    @property
    def runs(self) -> Floats:
        """Ratio, angle and decay of each run, shape (3, runs)."""
        return np.array(list(product(self.ratios, self.angles, self.decays))).T

    @property
    def rate(self) -> Floats:
        """That of w (runs,), which starts with norm 1, over the largest curvature across w*."""
        return np.asarray(self.runs[0] / TARGET**2)


@cache
def law(case: Descent, rounded: bool = False) -> SpikePath:
    """Of whitened inputs."""
    (_, θ, decay), clamp, floor = case.runs, CLAMP if case.held else np.inf, FLOORS[case.dtype] * rounded
    start = np.cos(θ), np.sin(θ), START
    return path(*start, TARGET, case.rate, case.lag, case.steps, decay=decay, clamp=clamp, floor=floor)


def cells(config: Config, seed: int) -> Iterator[Work]:
    steps = {lag: config.patience + round(8 / lag) for lag in config.lags}
    world = config.points, config.dimension, world_seed(seed, STUDY, "world")
    one = Descent(*world, (config.shown,), config.angles[-2:], config.lag, steps[config.lag])
    whole = replace(one, ratios=config.ratios, angles=config.angles)
    cases = [replace(whole, lag=lag, steps=steps[lag], dtype=dtype) for dtype in FLOORS for lag in steps]
    cases += [replace(one, condition=condition) for condition in config.conditions] + [replace(one, loss="logistic")]
    cases += [replace(one, data=data, condition=own) for data in REAL for own in (0.0, 1.0)]
    decaying = replace(one, angles=one.angles[:1], decays=config.decays, steps=config.long)
    for case in (*cases, decaying, replace(decaying, held=True)):
        yield Work("descend", case, cost=case.steps * config.points * config.dimension)


@cache
def measured(t: Rows[Descent]) -> SpikePath:
    return SpikePath(*(t.array(column, axis="course").T for column in COLUMNS))


def worst(ts: Sequence[Rows[Descent]], what: str, of: str, value: Callable[..., Any]) -> Estimate:
    """{what}."""
    values = []
    for t in ts:
        run, lawful, there = measured(t), law(t.case), measured(t).alpha > 0.95 * TARGET
        depth = np.where(lawful.onsets(), lawful.log_tangent[:-1], np.inf).min(0)  # inf without an onset
        turned = there.any(0) * t.case.runs[0] / at(run.norm, there.argmax(0)) ** 2  # rate c²/r² there
        of_runs = {"all": slice(None), "slow": t.case.runs[0] <= 2, "fast": turned >= 2.3, "rose": run.rises(SEEN).any(0),
                   "visible": (depth > VISIBLE) & (depth < np.inf), "deep": depth < DEEP}  # fmt: skip
        values.append(np.asarray(value(t.case, run, law(t.case, of == "deep")))[of_runs[of]])
    whole = np.concatenate(values)
    reduced = (whole.sum() if whole.dtype == bool else whole.max()) if len(whole) else np.nan
    return exact(float(reduced)).against(0.0, runs=len(whole))


def miss(case: Descent, run: SpikePath, _: Any) -> Floats:
    """Of the onset by its closed form, less 4 steps, as a share of it."""
    step = onset(run, SEEN).step
    time = onset_time(START, at(run.norm, step), TARGET, case.rate, case.lag)
    return np.asarray((np.abs(step - time) - 4) / np.maximum(step, 1))


def off(what: str, case: Descent, run: SpikePath, lawful: SpikePath) -> Floats:
    """By which share the step or the height of the spike differs from the law's."""
    return np.asarray(np.abs(getattr(spike(run, SEEN), what) / getattr(spike(lawful), what) - 1))


SHARE, HOW_MANY = "share of the law's", "how many of {runs} runs"
FAR, FROM = "largest difference from the law, of {runs} runs", "whose ln tan θ is above -25 at onsets"
ASKED: Any = (  # judge, unit, source, what is measured, the sentence, of which runs, of each run
    (below(1e-6), "loss", MAP, f"{FAR} and all steps", f"Whitened inputs: three numbers give the loss of runs {FROM}",
     "visible", lambda case, run, lawful: np.abs(run.loss - lawful.loss).max(0)),
    (equals(0), "runs", EDGE, f"{HOW_MANY} have a rising step", "At a rate of at most 2 r²/c² no angle rises",
     "slow", lambda case, run, _: run.rises(SEEN).any(0)),
    (equals(0), "runs", EDGE, f"{HOW_MANY} with rate c² >= 2.3 r², r where α passes 0.95 c, have no rising step",
     "At a rate clearly above it, once w has turned, the angle rises", "fast", lambda case, run, _: ~run.rises(SEEN).any(0)),
    (equals(0), "runs", EDGE, f"{HOW_MANY} {FROM} first rise in another step",
     "In training the angle first rises where κ first exceeds 2 cos θ/cos 2θ",
     "visible", lambda case, run, _: onset(run, SEEN).step != run.unstable().argmax(0)),
    (below(0.15), "share of the onset", WAIT, f"largest miss less 4 steps, of {{runs}} runs {FROM}",
     "The time that α takes to grow foretells the onset", "visible", miss),
    (equals(0), SHARE, WAIT, f"{FAR} {FROM}", "Spikes come in the step that they say", "visible", partial(off, "step")),
    (below(0.02), SHARE, WAIT, f"{FAR} {FROM}", "And as high", "visible", partial(off, "height")),
    (below(0.5), "κ", WAIT, "largest |κ - 1.5| at the end of {runs} runs in which the angle rose",
     "After the spike κ ends between 1 and 2", "rose", lambda case, run, _: np.abs(run.kappa[-1] - 1.5)),
    (equals(0), "runs", WAIT, f"{HOW_MANY} in which the angle rose do not have one spell of rises that ends",
     "At constant rates the angle rises in one unbroken spell, and that ends",
     "rose", lambda case, run, _: (run.onsets(SEEN).sum(0) != 1) | run.rises(SEEN)[-1]),
    (below(0.03), SHARE, ROUNDING, FAR, "float64, ln tan θ below -40 at an onset: spikes come when the law held at 1e-16 says",
     "deep", partial(off, "step")),
    (below(0.15), SHARE, ROUNDING, FAR, "And as high as it says", "deep", partial(off, "height")),
)  # fmt: skip


@claim(below(1e-6), "loss", MAP, "largest difference over all steps of {runs} runs")
def general(ts: Sequence[Rows[Descent]]) -> Estimate:
    """Inputs with condition numbers up to {most:g}: a line of d numbers gives the loss."""
    off = max(np.abs(t.array("loss", axis="course") - t.array("general", axis="course")).max() for t in ts)
    return exact(float(off)).against(0.0, runs=sum(len(t.case.rate) for t in ts), most=ts[-1].case.condition)


@cache
def returns(t: Rows[Descent]) -> list[tuple[float, Floats, Floats]]:
    """For each decay: it, the gaps between loss peaks after the first two, and ln(κ_high/κ_low)/(2 rate decay) within each."""
    run, answer = measured(t), []
    for i, onsets in enumerate(run.onsets(SEEN).T):
        peaks = [a + int(run.loss[a:b, i].argmax()) for a, b in pairwise(np.flatnonzero(onsets))][2:]
        κ, decay = [run.kappa[a:b, i] for a, b in pairwise(peaks)], float(t.case.runs[2, i])
        lawful = np.array([period(k.min(), k.max(), t.case.rate[i], decay) for k in κ])
        answer.append((decay, np.diff(peaks).astype(float), lawful))
    return answer


def returning(decay: float, what: str, off: float) -> Estimate:
    """Weight decay {decay:g}: {what}."""
    return exact(off).against(0.0)


GAP = "share of the gap", DECAY
equal = claim(below(0.03), *GAP, "largest difference of gaps, after two peaks, from their mean")(returning)
foretold = claim(below(0.06), *GAP, "difference of the mean gap from ln(κ_high/κ_low)/(2 rate decay)")(returning)


def claims(found: Found) -> Iterator[Claim]:
    """The map, the edge, the wait and the end, rounding, and weight decay."""
    survey = found.of(Descent, dtype="float64", condition=1.0, loss="square", decays=(0.0,))
    for judge, unit, source, what, *asked in ASKED:
        yield claim(judge, unit, source, what)(worst)(survey, *asked)
    yield general([t for t in found.of(Descent, data="gaussian") if t.case.condition > 1])
    free, held = (found.one(Descent, decays=found.config.decays, held=held) for held in (False, True))
    for decay, gaps, lawful in returns(free):
        mean, expected = (float(x.mean()) if len(x) > 1 else np.nan for x in (gaps, lawful))
        yield equal(decay, "spikes come back at equal intervals", float(np.abs(gaps / mean - 1).max(initial=-np.inf)))
        what = f"the interval, {mean:.0f} steps, is the time in which decay takes κ from its least to its most"
        yield foretold(decay, what, abs(mean / expected - 1))
    calm = "With decay and the rate of w held at κ = 1.9 no angle rises", "all", lambda _, run, __: run.rises(SEEN)
    yield claim(equals(0), "steps", DECAY, "in how many steps an angle rises")(worst)([held], *calm)


LAW, ROUNDED, TRAINING, HELD = "law", "law held at rounding", "training", "rate held at κ = 1.9"


def courses(found: Found) -> Iterator[pl.DataFrame]:
    """One start at several rates of α: loss, ln tan θ, κ and |w| in training, by the law, and by it held at 1e-16."""
    config = found.config
    middle = len(config.angles) // 2 + config.ratios.index(config.shown) * len(config.angles)
    for lag in config.lags[:3]:
        own = {d: found.one(Descent, lag=lag, dtype=d, ratios=config.ratios) for d in FLOORS}
        case, runs = own["float64"].case, {dtype: measured(t) for dtype, t in own.items()}
        end = int(np.clip(1.3 * spike(law(case)).step[middle], 100, case.steps))
        bins = np.unique(np.linspace(0, end, 400).astype(int))
        for name, p in {LAW: law(case), ROUNDED: law(case, True), **runs}.items():
            y = {c: np.maximum.reduceat(np.maximum(getattr(p, c)[: end + 1, middle], -60), bins) for c in COLUMNS[:4]}
            yield curve({"time": bins * lag}, y, series=name, lag=f"rate of α {lag:g}")


def mapped(found: Found) -> Iterator[pl.DataFrame]:
    """By the law the step of the onset times the rate of α, from θ = 0.3 and α = c/2; where nothing is drawn no angle rises."""
    config = found.config
    ratios, lags = (np.geomspace(x[0], x[-1], config.places).tolist() for x in (config.ratios, config.lags))
    x, y = log_ends(ratios), log_ends(lags)
    columns = {"ratio": ratios, "from": [x[ratio][0] for ratio in ratios], "to": [x[ratio][1] for ratio in ratios]}
    for lag in lags:
        start = np.cos(0.3), np.sin(0.3), TARGET / 2
        run = path(*start, TARGET, np.array(ratios) / TARGET**2, lag, round(4 / lag) + 100)
        place = {"lag": lag, "below": y[lag][0], "above": y[lag][1], "onset": onset(run).step * lag}
        yield pl.DataFrame(columns | place).filter(pl.col("onset") >= 0)


def steps(found: Found) -> Iterator[pl.DataFrame]:
    """The step of each spike in training, by that of the law held at the rounding of the same floats."""
    for dtype in FLOORS:
        ts = found.of(Descent, dtype=dtype, ratios=found.config.ratios)
        both = np.concatenate([[spike(p, SEEN).step for p in (law(t.case, True), measured(t))] for t in ts], axis=1)
        both = both[:, (both > 0).all(0)]
        yield curve({"law": both[0]}, {"step": both[1]}, series=dtype)
    yield curve({"law": [10, 3000]}, {"step": [10, 3000]}, series=LAW)


def others(found: Found) -> Iterator[pl.DataFrame]:
    """Loss by steps, above the least one, of single runs: with weight decay, free and with the rate of w held at
    κ = 1.9; of logistic loss on labels; on raw data, with the law's line of d numbers.
    """
    kinds = {"weight decay": {"decays": found.config.decays}, "logistic loss": {"loss": "logistic"}}
    for kind, where in (kinds | {data: {"data": data, "condition": 0.0} for data in REAL}).items():
        for t in found.of(Descent, **where):
            for name, column in ((HELD if t.case.held else TRAINING, "loss"), (LAW, "general")):
                if column in t.frame.columns:
                    loss = t.array(column, axis="course")[-1, :500]
                    yield curve({"step": np.arange(len(loss))}, {"loss": loss}, series=name, kind=kind)


def tables(found: Found) -> Iterator[Table]:
    yield from table("course", "Courses of training", courses, found)
    yield from table("map", "Onsets", mapped, found)
    yield from table("steps", "Steps of spikes", steps, found)
    yield from table("others", "Weight decay, and another loss", others, found)


KINDS: dict[Any, Kind] = {LAW: "theory", ROUNDED: "asymptote", **dict.fromkeys(FLOORS, "learner")}
STEP, TIME = Axis("step", "step", log=False), Axis("time", "step x rate of α", log=False)
LOSS = Axis("loss", "loss, above the least")
COURSES = (
    ("loss", LOSS, "Quiet training ends in a spike", "The slower α, the longer the wait; rounding seeds it sooner."),
    ("angle", Axis("log_tangent", "ln tan θ", log=False), "What grows was always there", "Until κ passes 2 it shrinks."),
    ("kappa", Axis("kappa", "κ", log=False), "α carries κ past 2, the spike takes it back", "Below 2 the angle shrinks."),
    ("norm", Axis("norm", "|w|", log=False), "The norm of w pays", "It grows where the angle is large, and only there."),
)  # fmt: skip
FIGURES = (
    *(Figure(name, title, "course", TIME, y, KINDS, columns="lag", caption=text) for name, y, title, text in COURSES),
    HeatMap("map", "Never, at once, or delayed", "map", Axis("ratio", "rate c²/r² at first", domain=(0.5, None)),
            Axis("lag", "rate of α"), Axis("onset", "onset x rate of α", log=False), ("from", "to"), ("below", "above"),
            caption="Left white: never, as up to 2; dark: at once."),
    Figure("steps", "Spikes come when the law says", "steps", Axis("law", "step of the law"), Axis("step", "step in training"),
           {LAW: "theory", **dict.fromkeys(FLOORS, "learner")}, caption="The law is held at the rounding of each type."),
    Figure("others", "Weight decay brings spikes back", "others", STEP, LOSS, {LAW: "theory", ...: "learner"}, columns="kind",
           caption="With the rate held at κ = 1.9 there are none. Logistic loss and raw data have them too."),
)  # fmt: skip


def summary(found: Found) -> str:
    gaps = [gaps.mean() for _, gaps, _ in returns(found.one(Descent, decays=found.config.decays, held=False))]
    return (
        "A normalised model answers to the direction of its weights alone. Its effective rate κ, in units of the curvature, "
        "grows with the scale α behind the normalisation and passes 2 unseen: the direction has converged, and what is left of "
        "its error must grow by many orders until it shows, as a spike. That lengthens the weights and so ends; weight decay "
        f"undoes it, and here spikes come back every {' or '.join(f'{gap:.0f}' for gap in gaps)} steps."
    )
