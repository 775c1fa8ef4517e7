"""Which margin does steepest descent end with, by norm, batch and momentum, and when is it the largest?

Single samples lead to a weighted class mean, which need not even classify; the full batch to the largest margin in its norm.
Between them runs of `SteepestDescent` stand beside the mean-field law, with momentum and with variance reduction too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import product
from typing import Annotated

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from twopart._arrays import Floats
from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, claim, curve, exact, mean, paired, ratio, statistic, table
from twopart.evidence.judges import above, below, equals, within
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.regression.steepest_descent import class_mean, decaying, margin, max_margin, mean_field
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, one_of, rising, settings
from twopart.studies import Work
from twopart.worlds.regression.separable import DigitClasses, SeparableClasses

STUDY, TITLE = "steepest-descent", "Implicit bias of steepest descent on small batches"
PAPER, PAGE = "Li, Tang, Zou 2026, arXiv 2602.11557, version 2", "docs/laws/steepest-descent.md"
LONG = (0.99, 0.999)  # momenta whose trade-off with the step size is looked at, in the max norm
MARKS = 40  # steps along a run at which margins are taken
BOTH = "descend", "foretell"


@settings
class Steps:
    """What all runs have in common."""

    steps: Annotated[int, at_least(20), "Steps of a run."] = 6000
    rate: Annotated[float, between(0, 10, "(]"), "η_0: step t has size η_0/√t."] = 0.3
    repeats: Annotated[int, at_least(2).because("an interval needs a spread"), "Runs of each kind."] = 32


@settings
class Config:
    """Steepest descent on separable classes: final margins by norm, batch, momentum and variance reduction."""

    norms: Annotated[
        tuple[str, ...], distinct(1), every(one_of("inf", "2", "spectral")), "Norms; the first is inf."
    ] = ("inf", "2", "spectral")  # fmt: skip
    samples: Annotated[int, at_least(6), "Points n; batches are 1, 2, 3, n/2, n - 1 and n."] = 12
    features: Annotated[int, at_least(2), "Their dimension."] = 8
    classes: Annotated[int, at_least(2), "Their classes."] = 3
    momenta: Annotated[
        tuple[float, ...], rising(1), every(between(0, 1, "()")), "Momenta β of runs on single samples."
    ] = (0.5, 0.9, 0.97)  # fmt: skip
    single: Annotated[int, at_least(2), "Runs on single samples in the max norm."] = 64
    digits: Annotated[int, between(2, 10), "Classes of handwritten digits."] = 3
    digit_steps: Annotated[int, at_least(20), "Steps on digits."] = 1000
    run: Steps = Steps()

    def __post_init__(self) -> None:
        check(self.norms[0] == "inf", "norms", self.norms, "led by 'inf'", "its class mean is known for any classes")

    @property
    def batches(self) -> tuple[int, ...]:
        return tuple(sorted({1, 2, 3, self.samples // 2, self.samples - 1, self.samples}))


PRESETS = {
    "tiny": Config(("inf", "2"), 6, 8, 3, (0.9,), 16, 2, 20, Steps(24, repeats=4)),
    "small": Config(),
    "full": Config(samples=100, features=64, classes=5, digits=10, digit_steps=10_000, run=Steps(100_000)),
}


@dataclass(frozen=True)
class Descent:
    """A cell: all runs of a kind in one tensor, or their law."""

    world: SeparableClasses | DigitClasses
    norm: str
    batch: int
    run: Steps
    momentum: float = 0.0
    anchor: int = 0
    """Steps between whole gradients, for variance reduction."""

    def __str__(self) -> str:
        where = "digits, " * isinstance(self.world, DigitClasses)
        more = f", β = {self.momentum:g}" * bool(self.momentum) + ", variance-reduced" * bool(self.anchor)
        return f"{where}norm {self.norm}, b = {self.batch}{more}"

    @cached_property
    def rates(self) -> Floats:
        return decaying(self.run.rate, self.run.steps)

    @cached_property
    def marks(self) -> list[int]:
        return sorted(set(np.geomspace(1, self.run.steps, MARKS).round().astype(int).tolist()))


def cells(config: Config, seed: int) -> Iterator[Work]:
    world = SeparableClasses(config.samples, config.features, config.classes)
    cases = [Descent(world, norm, b, config.run) for norm in config.norms for b in config.batches]
    cases += [Descent(world, norm, 1, config.run, β) for norm in config.norms for β in config.momenta]
    cases[0] = replace(cases[0], run=replace(config.run, repeats=config.single))
    digits, steps = DigitClasses(config.digits), replace(config.run, steps=config.digit_steps)
    digit_batches = (1, 8, 64, len(digits.data.y))
    cases += [Descent(digits, config.norms[0], b, steps) for b in digit_batches]
    for case, function in product(cases, reversed(BOTH)):
        yield Work(function, case, cost=case.run.steps)
    unforetold = [Descent(world, config.norms[0], 1, config.run, β) for β in LONG]
    unforetold += [Descent(world, norm, 1, config.run, anchor=config.samples) for norm in config.norms]
    for case in unforetold:
        yield Work("descend", case, cost=case.run.steps)


def foretell(case: Descent, cell: Cell) -> pl.DataFrame:
    """The law: the margin at the end."""
    x, y = case.world.data
    course = mean_field(x, y, case.norm, case.batch, rates=case.rates, momentum=case.momentum, seed=cell.seed)
    for step, weights in enumerate(course, 1):
        W = weights
        cell.progress(step, case.run.steps)
    return pl.DataFrame({"step": [case.run.steps], "margin": [margin(W, x, y, case.norm)]})


def ends(ts: Sequence[Rows[Descent]]) -> Floats:
    """Margins at the end over γ*, shape (R, cases)."""
    last = [t.array("margin", step=t.case.run.steps) / largest(t.case) for t in ts]
    return np.stack([np.ravel(values)[: min(map(np.size, last))] for values in last], axis=1)


def largest(case: Descent) -> float:
    """γ*, or an upper bound close to it."""
    return _largest(case.world, case.norm, max(2000, case.run.steps))


@cache
def _largest(world: SeparableClasses | DigitClasses, norm: str, steps: int) -> float:
    return max_margin(*world.data, norm, steps=steps).upper


MARGIN, BIAS = "margin over γ*", f"{PAPER}, theorem 4.10; {PAGE}, single samples"
FIELD, MOMENTUM = f"{PAGE}, any batch", f"{PAGE}, momentum"
SPREAD = "root mean square, over entries and runs, of W/Σ η - Ū in units of the predicted standard deviation"


@claim(within(0.15), "standard deviations", BIAS, SPREAD)
def follows_the_class_mean(t: Rows[Descent]) -> Estimate:
    """{t}: weights scatter around the class mean as independent draws do, whatever the loss."""
    return statistic(lambda squares: float(np.sqrt(squares)), t.array("square", step=t.case.run.steps)).against(1.0)


@claim(within(0.1), MARGIN, BIAS, "mean over runs at the end")
def has_its_margin(t: Rows[Descent]) -> Estimate:
    """{t}: the margin is that of the class mean."""
    x, y = t.case.world.data
    return mean(ends([t])[:, 0]).against(margin(class_mean(x, y).mean, x, y) / largest(t.case))


@claim(below(0.5), MARGIN, BIAS, "mean over runs at the end")
def is_not_the_largest(t: Rows[Descent]) -> Estimate:
    """{t}: that is far below the largest margin, however long the run is."""
    return mean(ends([t])[:, 0])


def off(runs: Sequence[Rows[Descent]], laws: Sequence[Rows[Descent]]) -> Estimate:
    """The largest distance of mean and law."""
    law = ends(laws)[0]
    return statistic(lambda means: float(np.abs(means - law).max()), ends(runs)).against(0.0, count=len(runs))


@claim(below(0.08), MARGIN, FIELD, "largest distance of mean and law, of {count} batches")
def every_batch(runs: Sequence[Rows[Descent]], laws: Sequence[Rows[Descent]]) -> Estimate:
    """norm {runs[0].case.norm}: batches of 2 and more, but not all, end with the margin of the mean-field law."""
    return off(runs, laws)


@claim(below(0.01), MARGIN, FIELD, "distance of run and law at the end")
def full_batch(run: Rows[Descent], law: Rows[Descent]) -> Estimate:
    """norm {run.case.norm}: on the full batch law and run are the same."""
    return exact(np.abs(ends([run]) - ends([law])).max()).against(0.0)


@claim(equals(), "share of norms", f"{PAPER}; {FIELD}", "norms whose mean margins rise with every batch")
def rises_with_the_batch(norms: Sequence[Sequence[Rows[Descent]]]) -> Estimate:
    """the larger the batch the larger the margin, and only the full batch comes near the largest one."""
    ranks = [spearmanr([t.case.batch for t in ts], ends(ts).mean(0)).statistic for ts in norms]
    return exact(float(np.mean(np.isclose(ranks, 1.0)))).against(1.0)


@claim(below(0.1), MARGIN, MOMENTUM, "largest distance of mean and law, of {count} momenta")
def momentum_law(runs: Sequence[Rows[Descent]], laws: Sequence[Rows[Descent]]) -> Estimate:
    """norm {runs[0].case.norm}: single samples with momentum end with the margin of the replica law."""
    return off(runs, laws)


@claim(above(0.75), MARGIN, f"{PAPER}; {MOMENTUM}", "mean over runs at the end")
def momentum_repairs(t: Rows[Descent]) -> Estimate:
    """{t}: enough momentum brings single samples near the largest margin."""
    return mean(ends([t])[:, 0])


@claim(below(0.0), MARGIN, f"{PAPER}; {MOMENTUM}", "difference of the means at the end")
def too_much_momentum(less: Rows[Descent], more: Rows[Descent]) -> Estimate:
    """{more} against {less}: with too long a memory for its step size the margin falls again."""
    return paired(ends([more])[:, 0], ends([less])[:, 0])


@claim(above(0.9), "ratio", f"{PAPER}; {PAGE}, variance reduction", "margin over the full batch's, after as many steps")
def variance_reduction(t: Rows[Descent], whole: Rows[Descent]) -> Estimate:
    """{t}: single samples with variance reduction end as the full batch does."""
    return ratio(ends([t])[:, 0], float(ends([whole]).mean()))


def of(found: Found, function: str, **where: object) -> list[Rows[Descent]]:
    """Cases on separable classes."""
    rows = found.of(Descent, function=function, **where)
    return [t for t in rows if isinstance(t.case.world, SeparableClasses)]


def claims(found: Found) -> Iterator[Claim]:
    norms, momenta = found.config.norms, found.config.momenta
    by_batch = {norm: [of(found, f, norm=norm, momentum=0.0, anchor=0) for f in BOTH] for norm in norms}
    single = by_batch[norms[0]][0][0]
    yield from (follows_the_class_mean(single), has_its_margin(single), is_not_the_largest(single))
    for runs, laws in by_batch.values():
        yield from (every_batch(runs[1:-1], laws[1:-1]), full_batch(runs[-1], laws[-1]))
    yield rises_with_the_batch([runs for runs, _ in by_batch.values()])
    for norm in norms:
        runs, laws = ([of(found, f, norm=norm, momentum=β)[0] for β in momenta] for f in BOTH)
        yield from (momentum_law(runs, laws), momentum_repairs(runs[-1]))
    yield too_much_momentum(*(of(found, "descend", momentum=β)[0] for β in LONG))
    for norm, (runs, _) in by_batch.items():
        yield variance_reduction(of(found, "descend", norm=norm, anchor=found.config.samples)[0], runs[-1])


def last_rows(found: Found, x: str) -> Iterator[pl.DataFrame]:
    """Margin at the end over the largest there is, γ*; least and greatest run. Below 0 some points are classified wrongly."""
    for t in found.of(Descent, anchor=0):
        case, law = t.case, t.function == "foretell"
        if (x == "memory") == (case.momentum > 0):
            at = case.batch if x == "batch" else round(1 / (1 - case.momentum))
            where = "digits" if isinstance(case.world, DigitClasses) else f"norm {case.norm}"
            last = ends([t])[0] if law else ends([t])
            yield curve({x: [at]}, {"margin": last}, where=where, series="law" if law else "runs")


def step_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Margin over the largest one, mean of the runs with least and greatest."""
    for t in of(found, "descend"):
        norm, _, kind = str(t.case).partition(", ")
        yield curve({"step": t.case.marks}, {"margin": t.array("margin") / largest(t.case)}, norm=norm, series=kind)


def tables(found: Found) -> Iterator[Table]:
    yield from table("batches", "Final margin by batch", last_rows, found, "batch")
    yield from table("momenta", "Final margin of single samples by momentum", last_rows, found, "memory")
    yield from table("steps", "Margin along the steps", step_rows, found)


OVER = Axis("margin", "margin over γ*", log=False)
KINDS: dict[str, Kind] = {"law": "theory", "runs": "learner"}
BATCH, MEMORY, STEP = Axis("batch", "batch size"), Axis("memory", "memory 1/(1 - β)", "steps"), Axis("step", "steps")
GROWS = "Every batch has a margin of its own; single samples misclassify, only the whole batch comes near the largest."
REPAIRS = "Momentum brings single samples near the largest margin, until its memory is too long for the step size."
SLOWLY = "With variance reduction single samples follow the full batch; without, they settle elsewhere."
KINDS_SHOWN = ["b = 1", "b = 2", "b = 6", "b = 12", "b = 1, β = 0.9", "b = 1, variance-reduced"]
LATE = pl.col("series").is_in(KINDS_SHOWN) & (pl.col("step") >= 10)

by_place = partial(Figure, y=OVER, kinds=KINDS, columns="where")
FIGURES = (
    by_place("batches", "Margins grow with the batch", "batches", BATCH, caption=GROWS),
    by_place("momenta", "Momentum repairs, up to a point", "momenta", MEMORY, caption=REPAIRS),
    Figure("steps", "On the way", "steps", STEP, OVER, "learner", columns="norm", shown=LATE, caption=SLOWLY),
)


def summary(found: Found) -> str:
    config, slopes = found.config, []
    for t in of(found, "descend", batch=found.config.samples):
        late = np.array(t.case.marks) * 10 >= t.case.run.steps
        clock = np.cumsum(t.case.rates)[np.array(t.case.marks) - 1]
        missing = 1 - t.array("margin")[0] / largest(t.case)
        slopes.append(f"{np.polyfit(np.log(clock[late]), np.log(missing[late]), 1)[0]:.2f} ({t.case.norm})")
    return (
        f"Runs of `SteepestDescent` on {config.samples} separable points in {config.features} dimensions and on digits, beside "
        f"the mean-field law of their margins. What the full batch lacks of the largest margin γ* falls over the last tenfold "
        f"of steps as a power of the sum of step sizes, for which no theory is tested here: {', '.join(slopes)}."
    )
