"""Why does the loss of a normalised model spike long after training has become quiet, and when?

Linear models behind a normalisation are trained by gradient descent. Three numbers foretell each of them: whether it spikes,
in which step, how high, that it is stable afterwards, and that weight decay makes it spike again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.evidence import Estimate, Found, Rows, below, claim, curve, curves, equals, exact, log_ends, table
from twopart.evidence.judges import within_range
from twopart.findings import Claim, Table
from twopart.laws.features.spikes import CLAMP, SpikePath, onset, onset_time, path, period, spike
from twopart.report import Axis, Figure, HeatMap, Kind
from twopart.settings import among, at_least, between, every, rising, settings
from twopart.studies import Work, world_seed

STUDY, TITLE, PAGE = "delayed-spikes", "Delayed loss spikes", "docs/laws/delayed-spikes.md"
MAP, EDGE, WAIT, ROUNDING, DECAY = (
    f"{PAGE}, {part}" for part in ("three numbers", "the edge", "the wait", "rounding", "weight decay")
)
Floats = NDArray[np.float64]
VISIBLE, DEEP = -25.0, -40.0  # ln tan θ at the onset above which runs are exact, and below which rounding decides
SEEN = -32.0  # ln tan θ below which angles in float64 are rounding
FLOORS = {"float64": 1e-16, "float32": 6e-8}
COLUMNS = ("loss", "log_tangent", "kappa", "norm", "alpha")
SIZE, RATE = between(0, np.inf, "()"), every(between(0, 1, "()"))


@settings
class Model:
    """What all linear models share."""

    points: Annotated[int, at_least(20), "Points n."] = 50
    dimension: Annotated[int, at_least(2), "Inputs d."] = 10
    target: Annotated[float, SIZE, "c, the size of what is to be fitted."] = 2.0
    noise: Annotated[float, between(0, np.inf, "[)"), "Root mean square of the noise in the targets."] = 0.3
    small: Annotated[float, between(0, 1, "()"), "First α as a share of c."] = 0.025


@settings
class Config:
    """Delayed spikes: onset, height, end and return of instability, in models behind a normalisation."""

    ratios: Annotated[tuple[float, ...], rising(2), every(SIZE), "rate c²/r²: the κ of the start, were α = c."] = (
        0.5, 1.0, 1.5, 1.8, 2.0, 2.4, 2.8, 3.2, 3.6, 4.5, 6.0,
    )  # fmt: skip
    shown: Annotated[float, among("ratios"), "The ratio of courses, of weight decay and of other inputs."] = 3.6
    angles: Annotated[tuple[float, ...], rising(1), every(between(0, 1.57, "()")), "First θ."] = (0.5, 1.17, 1.46)
    lags: Annotated[tuple[float, ...], rising(2), RATE, "Rates of α."] = (0.002, 0.01, 0.05, 0.1, 0.2, 0.3)
    lag: Annotated[float, among("lags"), "The rate of α for weight decay and other inputs."] = 0.05
    patience: Annotated[int, at_least(50), "Steps of every run, besides 4 over the rate of α."] = 300
    conditions: Annotated[tuple[float, ...], rising(1), every(between(1, 1e6, "(]")), "Condition numbers."] = (3, 10, 100)
    decays: Annotated[tuple[float, ...], rising(1), RATE, "Weight decays."] = (1e-3, 3e-3, 1e-2)
    long: Annotated[int, at_least(100), "Steps with weight decay."] = 2600
    watched: Annotated[int, at_least(10), "Steps of watched networks."] = 300
    places: Annotated[int, at_least(4), "Places of the law's map, a side."] = 60
    model: Model = Model()


PRESETS = {
    "tiny": Config((1.0, 2.0, 3.6), 3.6, (1.17,), (0.01, 0.05), 0.05, 150, (10,), (1e-2,), 500, 12, 12),
    "small": Config(),
    "full": Config(tuple(np.arange(0.5, 7, 0.25)), 3.5, patience=2000, watched=3000, model=Model(20_000, 10_000)),
}


@dataclass(frozen=True)
class Descent:
    """A cell: a run for each ratio, first angle and weight decay."""

    model: Model
    ratios: tuple[float, ...]
    angles: tuple[float, ...]
    lag: float
    steps: int
    alpha: float
    """First, as a share of c."""
    seed: int
    decays: tuple[float, ...] = (0.0,)
    clamp: float = np.inf
    dtype: str = "float64"
    data: str = "gaussian"
    condition: float = 1.0
    """Of the inputs' covariance; 0: the data's own."""
    loss: str = "square"

    def __str__(self) -> str:
        inputs = {1: "whitened", 0: "raw"}.get(self.condition, f"condition {self.condition:g}")
        more = f"{', decay' * any(self.decays)}{', clamped' * (self.clamp < np.inf)}, α from {self.alpha:g} c"
        return f"{self.data}, {inputs}, {self.loss} loss, {self.dtype}, rate of α {self.lag:g}{more}"

    @property
    def runs(self) -> Floats:
        """Ratio, angle and decay of each run, shape (3, runs)."""
        return np.array(list(product(self.ratios, self.angles, self.decays))).T

    @property
    def rate(self) -> Floats:
        """That of w (runs,): it starts with norm 1, and the largest curvature across w* is 1 in these units."""
        return self.runs[0] / self.model.target**2


@cache
def law(case: Descent, held: bool = False) -> SpikePath:
    """Of whitened inputs, `held` at rounding or not."""
    (_, θ, decay), c, floor = case.runs, case.model.target, FLOORS[case.dtype] * held
    start = np.cos(θ), np.sin(θ), case.alpha * c
    return path(*start, c, case.rate, case.lag, case.steps, decay=decay, clamp=case.clamp, floor=floor)


@dataclass(frozen=True)
class Watched:
    """A cell: a network on digits, and what a `SpikeWatch` says of it."""

    network: str
    steps: int

    def __str__(self) -> str:
        return f"watched {self.network}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    model, steps = config.model, {lag: config.patience + round(4 / lag) for lag in config.lags}
    one = Descent(model, (config.shown,), config.angles[-2:], config.lag, steps[config.lag], model.small,
                  world_seed(seed, STUDY, "world"))  # fmt: skip
    whole = replace(one, ratios=config.ratios, angles=config.angles)
    kinds = whole, replace(whole, dtype="float32"), replace(whole, angles=(0.3,), alpha=0.5)
    cases = [replace(kind, lag=lag, steps=steps[lag]) for kind in kinds for lag in steps]
    cases += [replace(one, condition=condition) for condition in config.conditions] + [replace(one, loss="logistic")]
    cases += [replace(one, data=data, condition=own) for data in ("diabetes", "digits") for own in (0.0, 1.0)]
    decaying = replace(one, angles=one.angles[:1], decays=config.decays, steps=config.long)
    for case in (*cases, decaying, replace(decaying, clamp=CLAMP)):
        yield Work("descend", case, cost=case.steps * model.points * model.dimension)
    for name in ("MLP", "transformer"):
        yield Work("watch", Watched(name, config.watched), cost=config.watched * 1e5)


@cache
def measured(t: Rows[Descent]) -> SpikePath:
    return SpikePath(*(t.array(column, axis="course").T for column in COLUMNS))


def survey(found: Found) -> list[Rows[Descent]]:
    """float64, whitened, at constant rates, from both kinds of start."""
    return found.of(Descent, dtype="float64", condition=1.0, loss="square", decays=(0.0,), clamp=np.inf)


@dataclass(frozen=True)
class Beside:
    """Runs beside their law, or the law held at rounding."""

    case: Descent
    run: SpikePath
    law: SpikePath

    @property
    def depth(self) -> Floats:
        """ln tan θ at the onset of the law, nan without one."""
        step = onset(exact := law(self.case)).step
        return np.where(step < 0, np.nan, at(exact.log_tangent, step))

    @property
    def rose(self) -> NDArray[np.bool_]:
        return self.run.rises(SEEN).any(0)

    @property
    def turned(self) -> Floats:
        """rate c²/r² of the first step with α > 0.95 c, 0 without one."""
        there = self.run.alpha > 0.95 * self.case.model.target
        return there.any(0) * self.case.runs[0] / at(self.run.norm, there.argmax(0)) ** 2

    @property
    def miss(self) -> Floats:
        """Of the onset by its closed form, less 4 steps, as a share of it."""
        step, c, case = onset(self.run, SEEN).step, self.case.model.target, self.case
        time = onset_time(case.alpha * c, at(self.run.norm, step), c, case.rate, case.lag)
        return (np.abs(step - time) - 4) / np.maximum(step, 1)

    @property
    def spells(self) -> Floats:
        """Of rising angles, one that does not end counted twice."""
        rises = self.run.rises(SEEN)
        return (rises[1:] & ~rises[:-1]).sum(0) + rises[0] + rises[-1]

    def off(self, what: str, share: bool = True) -> Floats:
        """By how much the step or the height of the spike differs from the law's."""
        seen, lawful = (getattr(spike(p, least), what) for p, least in ((self.run, SEEN), (self.law, -np.inf)))
        return np.asarray(np.abs(seen - lawful) / (lawful if share else 1))


def worst(ts: Sequence[Rows[Descent]], what: str, value: Callable[[Any], Any], of: Callable[[Any], Any], held: bool) -> Estimate:
    """{what}."""
    every = [Beside(t.case, measured(t), law(t.case, held)) for t in ts]
    values = np.concatenate([np.asarray(value(one))[of(one)] for one in every])
    reduced = float(values.sum() if values.dtype == bool else values.max()) if len(values) else np.nan
    return exact(reduced).against(0.0, runs=len(values))


def visible(one: Beside) -> Any:
    return one.depth > VISIBLE


SHARE, HOW_MANY, FAR = "share of the law's", "how many of {runs} runs", "largest difference from the law, of {runs} runs"
FROM = "whose ln tan θ is above -25 at the onset"
ASKED: Any = (  # judge, unit, source, what is measured, the sentence, of each run, of which, law held at rounding
    (below(1e-6), "loss", MAP, f"{FAR} and all steps", f"Whitened inputs: three numbers give the loss of runs {FROM}",
     lambda o: np.abs(o.run.loss - o.law.loss).max(0), visible, False),
    (equals(0), "runs", EDGE, f"{HOW_MANY} have a rising step", "At a rate of at most 2 r²/c² no angle rises",
     lambda o: o.rose, lambda o: o.case.runs[0] <= 2, False),
    (equals(0), "runs", EDGE, f"{HOW_MANY} with rate c² >= 2.3 r², r where α passes 0.95 c, have no rising step",
     "At a rate clearly above it, once w has turned, the angle rises", lambda o: ~o.rose, lambda o: o.turned >= 2.3, False),
    (equals(0), "runs", EDGE, f"{HOW_MANY} have another set of rising steps, in the law's map",
     "An angle rises in the steps in which θ < π/4 and κ > 2 cos θ/cos 2θ, and in no other",
     lambda o: (o.law.rises() != o.law.unstable()).any(0), lambda o: o.case.rate > 0, False),
    (equals(0), "runs", EDGE, f"{HOW_MANY} {FROM} first rise in another step",
     "In training the angle first rises where κ first exceeds 2 cos θ/cos 2θ",
     lambda o: onset(o.run, SEEN).step != o.run.unstable().argmax(0), visible, False),
    (below(0.15), "share of the onset", WAIT, f"largest miss less 4 steps, of {{runs}} runs {FROM}",
     "The time that α takes to grow foretells the onset", lambda o: o.miss, visible, False),
    (equals(0), "steps", WAIT, f"{FAR} {FROM}", "The spike comes in the step that three numbers say",
     lambda o: o.off("step", False), visible, False),
    (below(0.02), SHARE, WAIT, f"{FAR} {FROM}", "And it is as high", lambda o: o.off("height"), visible, False),
    (below(0.5), "κ", WAIT, "largest |κ - 1.5| at the end of {runs} runs in which the angle rose",
     "After the spike κ ends between 1 and 2", lambda o: np.abs(o.run.kappa[-1] - 1.5), lambda o: o.rose, False),
    (equals(0), "runs", WAIT, f"{HOW_MANY} in which the angle rose do not have one spell of rises that ends",
     "At constant rates the angle rises in one unbroken spell, and that ends", lambda o: o.spells != 1, lambda o: o.rose, False),
    (below(0.03), SHARE, ROUNDING, f"{FAR}", "Where ln tan θ is below -40 at the onset float64 runs spike when the law held at "
     "1e-16 says", lambda o: o.off("step"), lambda o: o.depth < DEEP, True),
    (below(0.15), SHARE, ROUNDING, f"{FAR}", "And so high", lambda o: o.off("height"), lambda o: o.depth < DEEP, True),
)  # fmt: skip


@claim(below(1e-6), "loss", MAP, "largest difference from the law over all steps of {runs} runs")
def general(ts: Sequence[Rows[Descent]]) -> Estimate:
    """Other inputs, also raw data: a line of d numbers gives the loss."""
    off = [np.abs(t.array("loss", axis="course") - t.array("general", axis="course")).max() for t in ts]
    return exact(float(max(off))).against(0.0, runs=sum(len(t.case.rate) for t in ts))


@cache
def returns(t: Rows[Descent]) -> list[tuple[float, Floats, Floats]]:
    """For each decay: it, the gaps between loss peaks after the first two, and ln(κ_high/κ_low)/(2 rate decay) within each."""
    run, answer = measured(t), []
    for i, rises in enumerate(run.rises(SEEN).T):
        starts = [*np.flatnonzero(rises & ~np.append(False, rises[:-1])), len(rises)]
        peaks = [a + int(run.loss[a:b, i].argmax()) for a, b in zip(starts, starts[1:], strict=False)]
        κ = [run.kappa[a:b, i] for a, b in zip(peaks[2:], peaks[3:], strict=False)]
        decay = float(t.case.runs[2, i])
        lawful = [period(k.min(), k.max(), t.case.rate[i], decay) for k in κ]
        answer.append((decay, np.diff(peaks[2:]).astype(float), np.array(lawful)))
    return answer


@claim(below(0.03), "share of the gap", DECAY, "largest difference of {count} gaps, after the first two peaks, from their mean")
def periodic(decay: float, gaps: Floats) -> Estimate:
    """Weight decay {decay:g}: spikes come back at equal intervals."""
    off = np.abs(gaps / gaps.mean() - 1).max() if len(gaps) > 1 else np.nan
    return exact(float(off)).against(0.0, count=len(gaps))


@claim(below(0.06), "share of the gap", DECAY, "difference of the mean gap from ln(κ_high/κ_low)/(2 rate decay)")
def by_law(decay: float, gaps: Floats, lawful: Floats) -> Estimate:
    """Weight decay {decay:g}: the interval, {seen:.0f} steps, is the time in which decay takes κ from its least to its most."""
    seen = gaps.mean() if len(gaps) else np.nan
    return exact(float(abs(seen / lawful.mean() - 1)) if len(gaps) else np.nan).against(0.0, seen=seen)


@claim(equals(0), "steps", DECAY, "in how many steps of all runs the angle rises")
def clamped(t: Rows[Descent]) -> Estimate:
    """With weight decay and the rate of w held at κ = 1.9 no angle rises."""
    return exact(float(measured(t).rises(SEEN).sum())).against(0.0)


def claims(found: Found) -> Iterator[Claim]:
    """The map, the edge, the wait and the end, rounding, and weight decay."""
    for judge, unit, source, what, sentence, *asked in ASKED:
        yield claim(judge, unit, source, what)(worst)(survey(found), sentence, *asked)
    yield general([t for t in found.of(Descent, loss="square") if t.case.condition != 1])
    free, held = (found.one(Descent, decays=found.config.decays, clamp=clamp) for clamp in (np.inf, CLAMP))
    for decay, gaps, lawful in returns(free):
        yield periodic(decay, gaps)
        yield by_law(decay, gaps, lawful)
    yield clamped(held)


def at(values: Floats, step: Any) -> Floats:
    """Of values (steps, runs) that of each run in its step."""
    return np.asarray(np.take_along_axis(values, np.asarray(step)[None], 0)[0])


LAW, HELD = "law", "law held at rounding"


def courses(found: Found) -> Iterator[pl.DataFrame]:
    """One start at several rates of α, by steps: loss, ln tan θ, κ and |w| in training, in two types of floats, by the law, and
    by the law held at the rounding of float64.
    """
    middle = len(found.config.angles) // 2 + found.config.ratios.index(found.config.shown) * len(found.config.angles)
    wide = {"ratios": found.config.ratios, "alpha": found.config.model.small}
    for lag in found.config.lags[:3]:
        own = {dtype: found.one(Descent, lag=lag, dtype=dtype, **wide) for dtype in FLOORS}
        case = own["float64"].case
        for name, p in {LAW: law(case), HELD: law(case, True), **{d: measured(t) for d, t in own.items()}}.items():
            values = {column: np.maximum(getattr(p, column)[:, middle], -60) for column in COLUMNS[:4]}
            yield curve({"step": np.arange(len(p.loss))}, values, series=name, lag=f"rate of α {lag:g}")


def mapped(found: Found) -> Iterator[pl.DataFrame]:
    """The step of the onset times the rate of α, by rate c²/r² and the rate of α, from θ = 0.3 and α = c/2; where nothing is
    drawn no angle rises.
    """
    near = {t.case.lag: t for t in found.of(Descent, alpha=0.5)}
    case, places = near[found.config.lag].case, found.config.places
    fine = replace(case, ratios=tuple(np.linspace(case.ratios[0], case.ratios[-1], places)))
    for lag in np.geomspace(min(near), max(near), places):
        yield onsets(LAW, one := replace(fine, lag=float(lag), steps=round(4 / lag) + 100), law(one), -np.inf)
    for t in near.values():
        yield onsets("training", t.case, measured(t), SEEN)


def onsets(panel: str, case: Descent, run: SpikePath, least: float) -> pl.DataFrame:
    step, ends = onset(run, least).step, log_ends(case.ratios)
    columns = {"ratio": case.ratios, "lag": case.lag, "from": [ends[r][0] for r in case.ratios], "to": [ends[r][1] for r in case.ratios]}
    return pl.DataFrame({"panel": panel, **columns, "onset": step * case.lag}).filter(pl.col("onset") >= 0)


def spikes(found: Found) -> Iterator[pl.DataFrame]:
    """The step of each spike in training, by that of the law held at the rounding of the same floats."""
    for dtype in FLOORS:
        for t in found.of(Descent, dtype=dtype, alpha=found.config.model.small, ratios=found.config.ratios):
            both = [spike(p, SEEN / (1 + (dtype == "float32"))).step for p in (law(t.case, True), measured(t))]
            keep = (both[0] > 0) & (both[1] > 0)
            yield curve({"law": both[0][keep]}, {"step": both[1][keep]}, series=dtype)
    ends = np.array([10.0, 3000.0])
    yield curve({"law": ends}, {"step": ends}, series="equal")
