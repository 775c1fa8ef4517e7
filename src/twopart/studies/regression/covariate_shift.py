"""How many source samples is a target sample worth, and what does a little fine-tuning save?

One pass of SGD over source data, one over target data, rates tuned: the exact risk, solved for amounts of data, and runs on
fresh data beside it. In some worlds the source is merely another spectrum, in others it hides what the target needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain, groupby, product
from typing import Annotated, Any

import numpy as np
import polars as pl
from scipy.linalg import block_diag

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, exact, mean, statistic, table
from twopart.evidence.judges import below, within, within_share
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.regression import Domains, Tuned, exchange, tuned_risk
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, multiple_of, rising, settings
from twopart.studies import Work, spaced
from twopart.worlds.regression import CovariateShift

STUDY, TITLE = "covariate-shift", "Pretraining and fine-tuning under covariate shift"
PAPER, PAGE = "Wu, Zou, Braverman, Gu, Kakade 2022, arXiv 2208.01857", "docs/laws/covariate-shift.md"
RECURSION, WORTH, SAVES = f"{PAGE}, recursion", f"{PAGE}, what a sample is worth", f"{PAGE}, what fine-tuning saves"
SHARE = 8  # fine-tuning is by this part of the target samples that it replaces
AROUND = (0.7, 1.0, 1.4)  # amounts of source data run, in units of the law's
ALONE = 4  # times as many runs on target data alone: their risk counts for each of these
equal = partial(exchange, most=2**22)  # the worlds need fewer source samples
PRECISE = 0.006  # the relative standard error up to which a mean can be judged within 3 %; rare runs make it larger

LADDER, FIVE = rising(2).because("an exponent needs two points"), (32, 64, 128, 256, 512)
DECAY = every(between(0.5, 3)).because("the paper's class ends at 3, twice the target's")
DECAYS, ANGLES = "Decays b of the source's variances i^-b; the target's are i^-1.5.", "By which a source is turned."
FACTORS = "What the poor source shows of three directions."


@settings
class Runs:
    """The simulated runs of a cell."""

    groups: Annotated[int, at_least(10).because("an interval needs a spread"), "Groups of runs, each a mean."] = 40
    runs: Annotated[int, at_least(2), "Runs in a group, each on fresh data."] = 100
    largest: Annotated[int, at_least(32), "The largest N that is also run; the two least are in any case."] = 256
    longest: Annotated[int, at_least(64), "Source samples up to which curves are run."] = 1024


@settings
class Config:
    """Covariate shift: source samples that equal target samples, by law and by runs, with and without fine-tuning."""

    source_decays: Annotated[tuple[float, ...], distinct(2), DECAY, DECAYS] = (1.5, 2.0, 2.5, 3.0)
    samples: Annotated[tuple[int, ...], LADDER, every(at_least(16)), "Target samples N to replace."] = FIVE
    replaced: Annotated[int, at_least(16), multiple_of(SHARE), "N where the source is poor in what matters."] = 256
    dimension: Annotated[int, at_least(20), "Dimension of the runs, and of their law."] = 100
    law_dimension: Annotated[int, at_least(20), "Dimension of the law's curves."] = 2000
    factors: Annotated[tuple[float, ...], distinct(1), every(between(0, 1, "()")), FACTORS] = (0.001, 0.01)
    angles: Annotated[tuple[float, ...], rising(2), every(between(0, 1.571)), ANGLES] = (0.0, 0.1, 0.2, 0.4, 0.8)
    simulated: Runs = Runs()


MANY, LONG = tuple(2**k for k in range(5, 14)), Runs(largest=1024, longest=16_384)
PRESETS = {
    "tiny": Config((1.5, 3.0), (16, 24), 16, 20, 20, (0.1,), (0.0, 0.8), Runs(10, 10, 32, 64)),
    "small": Config(),
    "full": Config((0.75, 1.5, 2.0, 2.5, 3.0), MANY, 1024, 1024, 8192, (0.0001, 0.001, 0.01, 0.1), simulated=LONG),
}


@dataclass(frozen=True)
class Shift:
    """A world, by what makes it."""

    dimension: int
    source_decay: float = 1.5
    target_decay: float = 1.5
    octaves: bool = False
    """Whether the source's variances are reversed within each octave of directions, [1], [2, 3], [4, ..., 7], ..."""
    weak: int = 0
    """Of the first so many directions the source shows little."""
    factor: float = 1.0
    """How little: 0 is blind."""
    angle: float = 0.0

    def __str__(self) -> str:
        words = f"b = {self.source_decay:g}"
        if self.weak:
            several = f"{self.weak} direction{'s' * (self.weak > 1)}"
            words = f"blind to {several}" if self.factor == 0 else f"{several} × {self.factor:g}"
        return words + ", permuted" * self.octaves + (f", turned by {self.angle:g}" if self.angle else "")

    @cached_property
    def world(self) -> CovariateShift:
        world = CovariateShift.power(self.dimension, target_decay=self.target_decay, source_decay=self.source_decay)
        if self.octaves:
            world = world.permuted(sorted(range(self.dimension), key=lambda i: ((i + 1).bit_length(), -i)))
        if self.weak:
            world = world.depressed(self.weak, self.factor)
        return world.rotated(self.angle) if self.angle else world

    @cached_property
    def domains(self) -> Domains:
        return Domains.of_world(self.world)


@dataclass(frozen=True)
class Worth:
    """A cell: source samples that equal N target samples, by law, for each pair of N and n, the samples that fine-tune."""

    shift: Shift
    pairs: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return f"{self.shift}, d = {self.shift.dimension}{', fine-tuned' * self.tuned}"

    @property
    def tuned(self) -> bool:
        return any(n for _, n in self.pairs)


@dataclass(frozen=True)
class Run:
    """A cell: runs on fresh data at the law's best rates, for several amounts of source data, and on target data alone."""

    shift: Shift
    alone: int
    """N, target samples of the runs without a source; 0: there are none."""
    finetune: int
    """n, target samples after each amount of source data."""
    amounts: tuple[int, ...]
    """Source samples M; (): around those that equal N."""
    runs: Runs

    def __str__(self) -> str:
        return f"{self.shift}, N = {self.alone}, n = {self.finetune}{', curve' * bool(self.amounts)}"

    @cached_property
    def worth(self) -> float:
        """M by the law; nan without an N."""
        return equal(self.shift.domains, self.alone, self.finetune) if self.alone else float("nan")

    @cached_property
    def sources(self) -> tuple[int, ...]:
        return self.amounts or tuple(sorted({max(1, round(self.worth * by)) for by in AROUND}))

    @cached_property
    def plan(self) -> list[Tuned]:
        """What is run, at the law's best rates: first target data alone, then each amount of source data."""
        both = [(0, self.alone)] * (self.alone > 0) + [(M, self.finetune) for M in self.sources]
        return [tuned_risk(self.shift.domains, *samples) for samples in both]


def cells(config: Config, seed: int) -> Iterator[Work]:
    d, N, samples, each = config.dimension, config.replaced, config.samples, config.simulated
    sizes, run = sorted({d, config.law_dimension}), [n for n in samples if n <= max(samples[1], each.largest)]
    spectra = [Shift(d, b) for b in config.source_decays]
    steepest = max(spectra, key=lambda shift: shift.source_decay)
    whole, poor = (*spectra, replace(steepest, octaves=True)), [Shift(d, weak=3, factor=f) for f in config.factors]
    lawful = [(shift, tuple((n, 0) for n in samples)) for shift in whole]
    lawful += [(shift, tuple((N, n) for n in (0, *(N // by for by in (16, 8, 4, 2))))) for shift in (*poor, steepest)]
    for (shift, pairs), size in product(lawful, sizes):
        yield Work("solve", Worth(replace(shift, dimension=size), pairs), cost=size * max(n for n, _ in pairs))
    amounts = tuple(spaced(16, each.longest, 4))
    trials = [Run(shift, n, 0, (), each) for shift, n in product(whole, run)]
    trials += [Run(shift, N, n, (), each) for shift, n in product(poor, (0, N // SHARE))]
    trials += [Run(steepest, run[-1], run[-1] // SHARE, (), each)]
    trials += [Run(shift, run[-1], 0, amounts, each) for shift in spectra]
    trials += [Run(Shift(d, 3.0, 3.0, weak=1, factor=0.0), 0, N // SHARE, amounts, each)]
    trials += [Run(Shift(d, weak=1, factor=0.001, angle=a), 0, N // SHARE, amounts[-2:-1], each) for a in config.angles]
    for case in trials:
        yield Work("simulate", case, cost=d * (sum(case.amounts) or case.alone**2))


def solve(case: Worth, cell: Cell) -> pl.DataFrame:
    """Source samples M for each pair (N, n)."""
    rows = []
    for pair in case.pairs:
        rows.append((*pair, equal(case.shift.domains, *pair)))
        cell.progress(len(rows), len(case.pairs))
    return pl.DataFrame(rows, schema=["alone", "finetune", "samples"], orient="row")


def risks(t: Rows[Run], column: str = "tuned", axis: str = "risk") -> Floats:
    """Mean risk of each group of runs, for each part of the plan or each direction, shape (groups, parts)."""
    return np.asarray(t.array(column, axis=axis).reshape(t.case.runs.groups, -1))


def log_worth(ts: Sequence[Rows[Run]], of: Callable[[Floats], float], resamples: int = 2000) -> Estimate:
    """A statistic of the cases' ln M, shape (cases,), at which source data equal target data: by runs, where a line through the
    logarithms of risk and M has the risk of target data alone, beside the law's.
    """
    logs, law = [np.log(t.case.sources) for t in ts], np.log([t.where(axis="risk")["worth"][0] for t in ts])
    middle = np.array([log.mean() for log in logs])
    height = block_diag(*(np.append(1, np.full(len(log), -1 / len(log))) for log in logs))  # of the level over the mean
    slope = block_diag(*(np.append(0, (far := log - log.mean()) / (far @ far)) for log in logs))

    def crossings(risk: Floats) -> float:
        return of(middle + height @ np.log(risk) / (slope @ np.log(risk)))

    measured = np.concatenate([risks(t) for t in ts], axis=1)
    return statistic(crossings, measured, over=OVER, resamples=resamples).against(of(law))


def growth(worlds: Sequence[Sequence[Rows[Run]]], less: int = 0) -> Estimate:
    """Slope on ln N of ln(M/N^less), M the most of the worlds."""
    logs = np.log([t.case.alone for t in worlds[0]])
    far = logs - logs.mean()

    def slope(M: Floats) -> float:
        return float(far @ (M.reshape(len(worlds), -1).max(0) - less * logs) / np.square(far).sum())

    last = worlds[0][-1].case
    words = {"count": len(worlds), "last": last.alone, "limit": last.shift.source_decay / last.shift.target_decay}
    return replace(log_worth([t for ts in worlds for t in ts], slope), words=words)


OVER = "groups of runs"
FARTHEST = (
    f"mean risk of runs over the law's, farthest from 1 of {{count}} known to {PRECISE:.1%}; {{left}} others not judged"
)
SLOPE = "slope of ln M on ln N, N = {ts[0].case.alone} to {last}"
WORST = "slope on ln N of ln(M/N²), M the most of {count} worlds"
EQUAL = "source samples that equal N = {tuned.case.alone} target samples"
FEWER = "ratio", SAVES, EQUAL + ", without fine-tuning over with n = {tuned.case.finetune}; the law has {law:.3g}"
PASSED = "risk after {M} source and {t.case.finetune} target samples; the prediction is the floor"
SHAPE = f"{PAPER}, theorem 1", "largest over least of the law's variance over the sums, {count} cases"


@claim(within(0.03), "ratio", RECURSION, FARTHEST)
def law_is_the_run(ts: Sequence[Rows[Run]], phase: str) -> Estimate:
    """after {phase} the runs' risk is the law's, in every world and for every amount of data."""
    column, steps = ("pretrained", "source") if phase == "pretraining" else ("tuned", "target")
    ratios = [(risks(t, column) / risks(t, f"law_{column}"))[:, risks(t, steps)[0] > 0] for t in ts]
    ratio = np.concatenate(ratios, axis=1)
    precise = ratio.std(0, ddof=1) < PRECISE * np.sqrt(len(ratio)) * ratio.mean(0)
    found = Estimate(float("nan"))
    if precise.any():
        found = statistic(lambda means: means[np.argmax(np.abs(np.log(means)))], ratio[:, precise], over=OVER)
    return found.against(1.0, count=precise.sum(), left=(~precise).sum())


@claim(within(0.1), "log-log slope", WORTH, SLOPE)
def exponent(ts: Sequence[Rows[Run]]) -> Estimate:
    """{ts[0].case.shift}: source samples that equal N target samples grow with the law's slope, in the limit {limit:.2f}."""
    return growth([ts])


@claim(below(0.0), "log-log slope", f"{PAPER}, theorem 2; {WORTH}", WORST)
def square_suffices(worlds: Sequence[Sequence[Rows[Run]]]) -> Estimate:
    """N² source samples suffice: what it takes in the worst world of the class, b up to 2a, grows no faster."""
    return growth(worlds, 2)


def saving(without: Rows[Run], tuned: Rows[Run], says: str, predicted: float | None = None) -> Estimate:
    """{tuned.case.shift}: {says}."""
    found = log_worth((without, tuned), lambda logs: float(logs[0] - logs[1])).exp()
    return found.against(predicted or found.predicted, law=found.predicted)


def at_the_end(t: Rows[Run], phase: str, says: str) -> Estimate:
    """{t.case.shift}: {says}."""
    return mean(risks(t, phase)[:, -1], over=OVER).against(t.case.shift.domains.floor(), M=t.case.sources[-1])


a_little_helps, where_it_does_not = (claim(judge, *FEWER)(saving) for judge in (within_share(0.2), within(0.2)))
stays_at = claim(within_share(0.05), "risk", f"{PAPER}; {PAGE}, floor", "risk after {M} source samples")(at_the_end)
passes = claim(below(), "risk", f"{PAGE}, floor", PASSED)(at_the_end)


@claim(below(20.0), "ratio", *SHAPE)
def bounds_have_the_shape(ts: Sequence[Rows[Run]]) -> Estimate:
    """the paper's sums D_fine/N_eff + D_pre/M_eff have the shape of the variance, up to a constant that it leaves open."""
    over = np.concatenate([risks(t, "variance")[0] / risks(t, "order")[0] for t in ts])
    return exact(over.max() / over.min()).against(None, count=len(over))


def aligned(found: Found) -> list[list[Rows[Run]]]:
    """The worlds of shared directions, N rising in each."""
    whole = (t for t in found.of(Run, finetune=0, amounts=()) if not t.case.shift.weak)
    return [list(of_one) for _, of_one in groupby(whole, key=lambda t: t.case.shift)]


def pairs(found: Found) -> Iterator[tuple[Rows[Run], Rows[Run]]]:
    """The same without fine-tuning and with it."""
    for t in found.of(Run, amounts=()):
        if t.case.finetune:
            yield found.one(Run, shift=t.case.shift, alone=t.case.alone, finetune=0, amounts=()), t


def claims(found: Found) -> Iterator[Claim]:
    every_one, worlds = found.of(Run), aligned(found)
    yield from (law_is_the_run(every_one, phase) for phase in ("pretraining", "fine-tuning"))
    yield from (exponent(ts) for ts in worlds if not ts[0].case.shift.octaves)
    yield square_suffices(worlds)
    for without, tuned in pairs(found):
        if tuned.case.shift.weak:
            yield a_little_helps(without, tuned, "a little fine-tuning saves as many source samples as the law says")
        else:
            yield where_it_does_not(
                without, tuned, "fine-tuning saves nothing where the source shows every direction", 1.0
            )
    (blind,) = (t for t in every_one if t.case.shift.factor == 0)
    yield stays_at(blind, "pretrained", "pretraining comes down to the floor of what the source does not show")
    yield passes(blind, "tuned", "fine-tuning passes the floor")
    yield bounds_have_the_shape(every_one)


def exchanges(found: Found, x: str) -> Iterator[pl.DataFrame]:
    """Source samples M that equal N target samples, by N or by the n that fine-tune: laws, and runs with a 95% interval."""
    for law in (t for t in found.of(Worth) if t.case.tuned == (x == "finetune")):
        shift, by, M = law.case.shift, law.frame[x].to_numpy(), law.frame["samples"].to_numpy()
        drawn = shift.dimension == found.config.dimension
        series = {"law" if drawn else f"law, d = {shift.dimension}": M}
        if drawn and not law.case.tuned:
            series |= {"N^(b/a)": M[0] * (by / by[0]) ** (shift.source_decay / shift.target_decay), "N²": by**2.0}
        yield curves({x: by}, "samples", series, world=str(shift))
    poor = (t for both in pairs(found) for t in both if t.case.alone == found.config.replaced)
    for t in poor if x == "finetune" else chain.from_iterable(aligned(found)):
        worth = log_worth([t], lambda logs: logs[0], resamples=400).exp()
        at, (low, high) = {x: [getattr(t.case, x)]}, worth.ends
        yield curve(at, {"samples": [worth.value]}, ([low], [high]), world=str(t.case.shift), series="runs")


def risk_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Mean squared error on the target beyond the noise; 95% intervals."""
    for t in (t for t in found.of(Run, finetune=0) if t.case.amounts):
        alone, *law = risks(t, "law_tuned")[0]
        series = {"law": law, "runs": risks(t)[:, 1:], "target data alone": np.full(len(law), alone)}
        yield curves({"samples": t.case.sources}, "risk", series, 1.96, world=str(t.case.shift))


def staged(x: str, axis: str, worlds: Mapping[str, Sequence[Rows[Run]]]) -> Iterator[pl.DataFrame]:
    """Risk on the target, whole or by direction of falling variance, before fine-tuning and after it; 95% intervals."""
    for (world, ts), (phase, stage) in product(worlds.items(), STAGES.items()):
        law, runs = (np.concatenate([risks(t, name, axis) for t in ts], axis=1) for name in (f"law_{phase}", phase))
        at = [t.case.shift.angle for t in ts] if x == "angle" else np.arange(1, 1 + law.shape[1])
        yield curves({x: at}, "risk", {"law": law[0], "runs": runs}, 1.96, world=world, stage=stage)


def tables(found: Found) -> Iterator[Table]:
    poor = {str(t.case.shift): [t] for _, t in pairs(found) if t.case.shift.weak}
    turned = {"turned": [t for t in found.of(Run, alone=0) if t.case.shift.factor]}
    yield from table("worth", "Source samples that equal N target samples", exchanges, found, "alone")
    yield from table("fine-tuning", "Source samples, if n target samples fine-tune", exchanges, found, "finetune")
    yield from table("risk", "Risk by source samples", risk_rows, found)
    yield from table("directions", "Risk by direction", staged, "direction", "direction", poor)
    yield from table("angles", "Risk by angle", staged, "angle", "risk", turned)


STAGES = {"pretrained": "pretrained", "tuned": "fine-tuned"}
LIMITS: dict[str, Kind] = dict.fromkeys(("N^(b/a)", "N²", "target data alone"), "asymptote")
KINDS: dict[Any, Kind] = {"law": "theory", "runs": "simulation", **LIMITS}
DRAWN, TOP = ~pl.col("series").str.starts_with("law, d = "), pl.col("direction") <= 30
N, M = Axis("alone", "target samples N"), Axis("samples", "source samples M")
TUNED, RISK = Axis("finetune", "target samples n that fine-tune", log=False), Axis("risk", "risk on the target")
DIRECTION, ANGLE = Axis("direction", "direction, by falling variance"), Axis("angle", "angle", "radians", False)

STEEPER = "The steeper the source's spectrum against the target's, the faster its samples lose worth, up to N²."
REPLACE = "A few target samples replace most source samples where the source hides three directions, few elsewhere."
MEETS = "Runs lie on the law; where the curve meets the level is what the target samples are worth."
MENDS = "Three directions that the source shows little hold most of the risk, until fine-tuning mends them."
TURNED = "The law holds where the covariances do not commute: a turned source is weak in a mixture of two directions."

figure = partial(Figure, kinds=KINDS, columns="world")
FIGURES = (
    figure("worth", "What target samples are worth in source samples", "worth", N, M, shown=DRAWN, caption=STEEPER),
    figure("fine-tuning", "What a little fine-tuning saves", "fine-tuning", TUNED, M, shown=DRAWN, caption=REPLACE),
    figure("risk", "Risk by source samples", "risk", M, RISK, caption=MEETS),
    figure("directions", "What it mends", "directions", DIRECTION, RISK, rows="stage", shown=TOP, caption=MENDS),
    figure("angles", "Turned sources", "angles", ANGLE, RISK, columns="stage", caption=TURNED),
)


def summary(found: Found) -> str:
    runs, d = found.config.simulated.groups * found.config.simulated.runs, found.config.dimension
    return (
        "One pass of SGD over source data and one over target data: the exact risk, solved for amounts of data, and "
        f"{runs} runs on fresh data in {d} dimensions wherever it says that source samples equal target samples."
    )
