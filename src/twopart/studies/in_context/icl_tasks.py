"""How many tasks does attention need to learn regression in context, and how large may its steps be?

One-step attention x'Γz is pretrained by SGD, a fresh task a step: its exact expected risk, at every length of context, beside
hundreds of runs; and a full layer of linear attention, trained by Adam, read for the step that it has learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, product
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart._checks import check
from twopart.evidence import Estimate, Found, Judge, Rows, claim, curve, curves, exact, mean, median, statistic, table
from twopart.evidence.judges import above, below, contains, within_share
from twopart.findings import Claim, Table, Verdict
from twopart.laws.in_context import Geometric, bayes, optimum, paper_bound, risk, second_moment, stable_step, trajectory
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies import Work, check_real_data
from twopart.worlds.in_context import InContextRegression

STUDY, TITLE = "icl-tasks", "Pretraining tasks for in-context regression"
PAPER, PAGE = "Wu, Zou, Chen, Braverman, Gu, Bartlett 2023, arXiv 2310.08391", "docs/laws/icl-tasks.md"
STEPS, STABLE, LENGTHS = f"{PAGE}, recursion", f"{PAGE}, the largest stable step", f"{PAGE}, any length of context"
FREE, BEST = f"{PAPER}, task complexity of pretraining; {STEPS}", f"{PAGE}, the best Γ"
LOUD, CALM, SEVERAL = 1.3, 0.5, 4  # constant steps, of the largest stable one, that are judged; tasks of a step
FIRST, HALVINGS = 0.06, 7  # of the steps where the dimension is to make no difference
OVER, LEVEL, WIDE = "runs", 0.99, 0.05

DECAY, SIZES = every(between(0, 4)), "Dimension of the inputs for each decay."
CONTEXTS = "Examples of a task in training, N, for each decay."
FRACTION = every(between(0, 0.3, "(]")).because("beyond it rare runs carry the mean, and no interval is valid")
FRACTIONS, FREELY = "First steps, of the largest stable one.", "Dimensions that are to make no difference."
CONSTANTS = "Constant steps, of the largest stable one."
LENGTH = f"Steps of those, {FIRST} at first, halved {HALVINGS} times."


@settings
class Config:
    """Tasks for in-context regression: the exact risk of SGD by tasks, steps and lengths of context, beside runs."""

    decays: Annotated[tuple[float, ...], distinct(1), DECAY, "Decays a of the inputs' variances i^-a."] = (1.0, 2.0)
    sizes: Annotated[tuple[int, ...], every(at_least(2)), SIZES] = (8, 20)
    contexts: Annotated[tuple[int, ...], every(at_least(5)), CONTEXTS] = (10, 20)
    tasks: Annotated[tuple[int, ...], rising(3), every(at_least(4)), "Steps T of SGD."] = (100, 250, 600, 1500, 3000)
    fractions: Annotated[tuple[float, ...], rising(1), FRACTION, FRACTIONS] = (0.1, 0.3)
    dimensions: Annotated[tuple[int, ...], rising(2), every(at_least(2)), FREELY] = (10, 20, 40)
    length: Annotated[int, at_least(8), LENGTH] = 800
    constants: Annotated[tuple[float, ...], rising(2), CONSTANTS] = (0.25, CALM, 0.75, 0.9, 1.0, 1.1, LOUD)
    constant_steps: Annotated[int, at_least(8), "How many of them."] = 300
    real: Annotated[bool, "Also with the spectra of real inputs (scikit-learn's)."] = True
    runs: Annotated[int, at_least(20).because("an interval needs a spread"), "Runs of SGD of each kind."] = 400
    updates: Annotated[int, at_least(1), "Updates of Adam on a full layer of linear attention."] = 1500
    models: Annotated[int, at_least(2), "Such layers."] = 12

    def __post_init__(self) -> None:
        for name in ("sizes", "contexts"):
            values, count = getattr(self, name), len(self.decays)
            check(len(values) == count, name, values, f"{count} whole numbers", "give one for each of `decays`")
        both = {CALM, LOUD} <= set(self.constants) and min(self.constants) > 0
        check(both, "constants", self.constants, f"positive, {CALM} and {LOUD} among them", "those two are judged")
        check_real_data("real", self.real)


SMALL: Any = {"sizes": (3, 6), "contexts": (6, 6), "dimensions": (3, 6), "tasks": (20, 40, 80), "fractions": (0.1,)}
FEW: Any = {"length": 80, "constants": (CALM, LOUD), "constant_steps": 60, "real": False, "runs": 50}
LONG: Any = {"sizes": (32, 64), "tasks": (100, 1000, 10_000, 30_000, 100_000), "dimensions": (16, 32, 64)}
PRESETS = {
    "tiny": Config(**SMALL, **FEW, updates=40, models=2),
    "small": Config(),
    "full": Config(**LONG, runs=1000, updates=20_000, models=32),
}


@dataclass(frozen=True)
class Descent:
    """A cell: all runs of SGD of a kind."""

    name: str
    world: InContextRegression
    context: int
    """N, examples of a task in training."""
    tasks: int
    """T, steps."""
    first: float
    """γ_0."""
    halvings: int | None
    """Of the step; None: every T/log2 T steps."""
    per_step: int
    """Tasks of a step."""
    runs: int

    def __str__(self) -> str:
        return f"{self.name}, {self.step}, T = {self.tasks}"

    @property
    def step(self) -> str:
        more = f", {self.per_step} tasks a step" * (self.per_step > 1) + ", constant" * (self.halvings == 0)
        return f"γ_0 = {self.fraction:.3g} of the largest{more}"

    @property
    def fraction(self) -> float:
        return self.first / stable_step(self.world, self.context)

    @property
    def rates(self) -> Floats:
        return Geometric(self.first, self.halvings).rates(self.tasks)

    @cached_property
    def law(self) -> dict[int, float]:
        """The expected risk at the end, by length of context."""
        M = lengths(self.context)
        return dict(zip(M, trajectory(self.world, self.context, self.rates, M, self.per_step)[-1], strict=True))

    @cached_property
    def excess(self) -> float:
        """At N, above the risk of the best Γ."""
        return self.law[self.context] - optimum(self.world, self.context).risk


@dataclass(frozen=True)
class Trained:
    """A cell: a full layer of linear attention, trained by Adam."""

    name: str
    world: InContextRegression
    context: int
    updates: int

    def __str__(self) -> str:
        return f"full layer, {self.name}"


def lengths(context: int) -> list[int]:
    """M, the lengths of context that are tested."""
    return [context // 5, *(by * context for by in (1, 2, 5, 10))]


def power(decay: float, dimension: int) -> tuple[str, InContextRegression]:
    return f"λ = i^-{decay:g}, d = {dimension}", InContextRegression.power(dimension, decay)


def real_worlds() -> Iterator[tuple[str, InContextRegression]]:
    """With the spectra of standardised columns, and of pixels."""
    from sklearn.datasets import load_diabetes, load_digits

    x = load_diabetes(scaled=False).data
    yield "diabetes", InContextRegression.of_inputs(x / x.std(0))
    yield "digits", InContextRegression.of_inputs(load_digits().data / 16)


def cells(config: Config, seed: int) -> Iterator[Work]:
    N = config.contexts[-1]
    worlds = [(*power(a, d), n) for a, d, n in zip(config.decays, config.sizes, config.contexts, strict=True)]
    kinds: list[Any] = [(w, T, by, None, 1) for w, by, T in product(worlds, config.fractions, config.tasks)]
    kinds += [(worlds[0], T, CALM, None, SEVERAL) for T in config.tasks]
    real = [(*w, N) for w in real_worlds()] if config.real else ()
    kinds += [(w, config.tasks[len(config.tasks) // 2], config.fractions[-1], None, 1) for w in real]
    kinds += [(worlds[0], config.constant_steps, by, 0, 1) for by in config.constants]
    kinds = [(w, T, by * stable_step(*w[1:]), *rest) for w, T, by, *rest in kinds]
    kinds += [((*power(2.0, d), N), config.length, FIRST, HALVINGS, 1) for d in config.dimensions]
    for (name, world, n), T, first, halvings, per_step in kinds:
        case = Descent(name, world, n, T, first, halvings, per_step, config.runs)
        yield Work("descend", case, cost=T * per_step * case.world.dimension * config.runs)
    name, world, n = worlds[0]
    yield Work("train", Trained(name, world, n, config.updates), config.models, cost=10_000 * config.updates)


def risks(t: Rows[Descent], M: int | None = None) -> Floats:
    """Of each run at M examples, shape (runs,); None: at N."""
    return np.asarray(t.array("risk", context=t.case.context if M is None else M))


def excess(ts: Sequence[Rows[Descent]]) -> Floats:
    """Risks above that of the best Γ, shape (runs, cases)."""
    return np.stack([risks(t) - t.case.law[t.case.context] + t.case.excess for t in ts], 1)


def farthest(found: Sequence[Estimate], judge: Judge, **words: Any) -> Estimate:
    """Of several ratios to what is predicted the one that a rule likes least."""
    all_of, order = [e.against(1.0, count=len(found), **words) for e in found], ("holds", "inconclusive", "fails")
    return max(all_of, key=lambda e: (order.index(judge.verdict(e)), abs(e.value - 1)))


def is_one(near: float) -> Judge:
    """Of a ratio whose mean is skewed: its interval alone would fail too often."""

    def decide(e: Estimate) -> Verdict:
        (low, high), known = e.ends, e.ends[1] - e.ends[0] <= 2 * WIDE
        return "inconclusive" if not known else "holds" if low <= 1 <= high or abs(e.value - 1) <= near else "fails"

    words = f"holds if {{it}} contains 1 or the ratio is within {near:.0%} of 1, inconclusive if it is wider than"
    return Judge(f"{words} {WIDE:.0%} each way, fails if not", decide)


LAW, SAME = is_one(0.02), is_one(0.01)
AT_TASKS = "mean risk of the runs over the law's, of {count} numbers of tasks the least lawful"
AT_LENGTHS = "mean risk of the runs over the law's, of {count} lengths of context the least lawful"
AT_SIZES = "mean excess risk of the runs over that at d = {ts[0].case.world.dimension}, of {count} the farthest from 1"
SPREAD = "largest over least excess risk by law less 1, of {count} dimensions up to {last}"
SLOPE = "slope of ln(mean excess risk) on ln T, T = {ts[0].case.tasks} to {last}"
DISTANCE = "Frobenius distance of the fitted Γ from the best, over the norm of the best"


@claim(LAW, "ratio", STEPS, AT_TASKS)
def follows(ts: Sequence[Rows[Descent]]) -> Estimate:
    """{ts[0].case.name}, {ts[0].case.step}: the mean risk of SGD is the law's."""
    return farthest([mean(risks(t) / t.case.law[t.case.context], over=OVER, level=LEVEL) for t in ts], LAW)


@claim(below(0.01), "relative spread", FREE, SPREAD)
def dimension_free(ts: Sequence[Rows[Descent]]) -> Estimate:
    """by law the tasks needed hang on the spectrum, not on the dimension."""
    law = [t.case.excess for t in ts]
    return exact(max(law) / min(law) - 1).against(None, count=len(law), last=ts[-1].case.world.dimension)


@claim(SAME, "ratio", FREE, AT_SIZES)
def runs_are_dimension_free(ts: Sequence[Rows[Descent]]) -> Estimate:
    """runs in more dimensions end at the same risk."""
    pairs = [excess([ts[0], t]) for t in ts[1:]]
    return farthest([statistic(lambda e: e[1] / e[0], pair, over=OVER, level=LEVEL) for pair in pairs], SAME)


@claim(contains(), "log-log slope", STEPS, SLOPE)
def falls_as_the_law(ts: Sequence[Rows[Descent]]) -> Estimate:
    """{ts[0].case.name}, {ts[0].case.step}: excess risk falls with tasks at the law's slope."""
    far = np.log([t.case.tasks for t in ts]) - np.mean(np.log([t.case.tasks for t in ts]))

    def slope(values: Any) -> float:
        return float(far @ np.log(values) / (far @ far))

    return statistic(slope, excess(ts), over=OVER).against(slope([t.case.excess for t in ts]), last=ts[-1].case.tasks)


@claim(above(100.0), "ratio", STABLE, "expected risk by law over the median of the runs")
def rare_runs_carry_the_mean(t: Rows[Descent]) -> Estimate:
    """{t.case.name}: beyond the largest stable step the expected risk is that of rare runs."""
    law, found = float(t.case.law[t.case.context]), median(risks(t))
    return Estimate(law / found.value, (law / found.ends[1], law / found.ends[0]), over=OVER, kind=found.kind)


@claim(below(2.0), "ratio", STABLE, "median risk of the runs over that of the answer 0")
def typical_runs_are_bounded(t: Rows[Descent]) -> Estimate:
    """{t.case.name}: beyond it the typical run is not far above the answer 0."""
    return median(risks(t) / t.case.world.null)


@claim(within_share(0.15), "risk", STABLE, "{which} risk of the runs")
def is_calm(t: Rows[Descent], which: str) -> Estimate:
    """{t.case.name}: at half of the largest stable step the {which} is near the expected risk."""
    found = mean(risks(t), over=OVER) if which == "mean" else median(risks(t))
    return found.against(t.case.law[t.case.context])


@claim(contains(), "ratio", LENGTHS, AT_LENGTHS)
def at_any_length(t: Rows[Descent]) -> Estimate:
    """{t.case.name}: trained at N = {t.case.context}, the risk at M = {shortest} to {longest} examples is the law's."""
    shortest, *_, longest = t.case.law
    found = [mean(risks(t, M) / law, over=OVER, level=LEVEL) for M, law in t.case.law.items()]
    return farthest(found, contains(), shortest=shortest, longest=longest)


@claim(contains() & above(1.0), "ratio", LENGTHS, "mean risk of the runs over that of ridge")
def stays_above_ridge(t: Rows[Descent]) -> Estimate:
    """{t.case.name}: at M = {M} attention trained at N = {t.case.context} stays above ridge, by the law's factor."""
    M, law = list(t.case.law.items())[-1]
    ridge = bayes(t.case.world, M).risk
    return mean(risks(t, M) / ridge, over=OVER, level=LEVEL).against(law / ridge, M=M)


@claim(below(0.1), "relative distance", BEST, DISTANCE)
def learns_the_step(t: Rows[Trained]) -> Estimate:
    """{t}: queries, keys, values and projection that Adam trains make the best step of gradient descent."""
    return mean(t.array("distance", axis="step"))


@claim(above(0.98), "r²", BEST, "share of the mean square of its answers that x'Γz explains")
def is_one_step(t: Rows[Trained]) -> Estimate:
    """{t}: and they do nothing else."""
    return mean(t.array("r2", axis="step"))


def ladders(found: Found) -> list[list[Rows[Descent]]]:
    """Runs that differ only in T, rising."""
    steps = groupby(found.of(Descent, halvings=None), lambda t: (t.case.name, t.case.per_step, t.case.first))
    return [list(ts) for _, ts in steps]


def claims(found: Found) -> Iterator[Claim]:
    rows, free = ladders(found), found.of(Descent, halvings=HALVINGS)
    yield from (follows(ts) for ts in rows)
    yield from (dimension_free(free), runs_are_dimension_free(free))
    large = {ts[0].case.name: ts for ts in rows if len(ts) > 1 and ts[0].case.per_step == 1}  # the last is the largest
    yield from (falls_as_the_law(ts) for ts in large.values())
    at = dict(zip(found.config.constants, found.of(Descent, halvings=0), strict=True))
    yield from (rare_runs_carry_the_mean(at[LOUD]), typical_runs_are_bounded(at[LOUD]))
    yield from (is_calm(at[CALM], which) for which in ("mean", "median"))
    last = found.of(Descent, per_step=SEVERAL)[-1]
    yield from (at_any_length(last), stays_above_ridge(last))
    yield from (judged(t) for t in found.of(Trained) for judged in (learns_the_step, is_one_step))


def task_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Risk above that of the best Γ, at N examples. Runs: mean, and 2.58 standard errors. The order: without its constants."""
    for ts in (ts for ts in ladders(found) if len(ts) > 1):
        case, x = ts[0].case, {"tasks": [t.case.tasks for t in ts]}
        order = [sum(paper_bound(case.world, case.context, T, case.first)[:2]) for T in x["tasks"]]
        series: dict[str, Any] = {"law": [t.case.excess for t in ts], "runs": excess(ts), "the paper's order": order}
        yield curves(x, "excess", series, 2.58, world=case.name, step=case.step)


MODELS = {"runs of SGD": "one matrix, SGD", "trained by Adam": "full layer, Adam"}


def length_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Risk by length of context; learners with 2.58 standard errors. Law: of SGD, or of the best Γ for N."""
    both: list[Rows[Any]] = [found.of(Descent, per_step=SEVERAL)[-1], *found.of(Trained)]
    for t in both:
        world, M, law = t.case.world, lengths(t.case.context), getattr(t.case, "law", None)
        best, learner = np.diag(optimum(world, t.case.context).gamma), "runs of SGD" if law else "trained by Adam"
        series: dict[str, Any] = {"law": [law[n] if law else float(risk(world, best, n)) for n in M]}
        series["best at each M"] = [optimum(world, n).risk for n in M]
        series["ridge"] = [bayes(world, n, 3e-3).risk for n in M]
        series[learner] = np.stack([risks(t, n) for n in M], 1)
        yield curves({"context": M}, "risk", series, 2.58, model=MODELS[learner])


def step_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Risk after constant steps; 2.58 standard errors of the mean, which mean nothing near 1, and 95% of the median."""
    ts = found.of(Descent, halvings=0)
    values, x = np.stack([risks(t) for t in ts], 1), {"fraction": [t.case.fraction for t in ts]}
    yield curves(x, "risk", {"law": [t.case.law[t.case.context] for t in ts], "mean of runs": values}, 2.58)
    medians = [median(column) for column in values.T]
    band = [m.ends[0] for m in medians], [m.ends[1] for m in medians]
    yield curve(x, {"risk": [m.value for m in medians]}, band, series="median of runs")


def stable_rows(found: Found) -> Iterator[pl.DataFrame]:
    """The largest stable step beside 1/(tr H tr H̃), which the paper's is but for a constant."""
    for name, world, N in dict.fromkeys((t.case.name, t.case.world, t.case.context) for t in found.of(Descent)):
        step, paper = stable_step(world, N), 1 / (world.λ.sum() * second_moment(world, N).sum())
        yield pl.DataFrame({"world": name, "context": N, "largest": step, "paper": paper, "ratio": step / paper})


def tables(found: Found) -> Iterator[Table]:
    yield from table("tasks", "Excess risk by tasks", task_rows, found)
    yield from table("lengths", "Risk by length of context", length_rows, found)
    yield from table("steps", "Risk by constant step", step_rows, found)
    yield from table("stable", "Largest stable steps", stable_rows, found)


KINDS: dict[Any, Kind] = {"law": "theory", "runs": "simulation", "the paper's order": "asymptote"}
BY_LENGTH: dict[Any, Kind] = {"law": "theory", **dict.fromkeys(MODELS, "simulation"), "ridge": "asymptote"}
BY_STEP: dict[Any, Kind] = {"law": "theory", "mean of runs": "simulation", "median of runs": "simulation"}
T, M, RISK = Axis("tasks", "tasks T"), Axis("context", "examples in the prompt M"), Axis("risk", "risk")
FROM_NOISE = Axis("risk", "risk", domain=(InContextRegression.noise, None))
STEP = Axis("fraction", "constant step, of the largest stable one", log=False)
AGREE = "The exact law and runs of SGD agree; the paper's order leaves most of what is seen to its constants."
SHRINKS = "Attention shrinks as if it had the N examples of its training; ridge uses all that it is given."
RARELY = "Expected risk explodes beyond the largest stable step, where most of the runs, and so their median, do not."
FALLS, ASKED = "Risk falls with tasks as the recursion says", "Trained for one length of context, asked at others"
EXCESS, ONE = Axis("excess", "excess risk"), ~pl.col("step").str.contains("tasks")
SOME = pl.col("series") != "best at each M"
CARRIED = "Beyond the largest stable step rare runs carry the mean"

FIGURES = (
    Figure("tasks", FALLS, "tasks", T, EXCESS, KINDS, columns="world", rows="step", shown=ONE, caption=AGREE),
    Figure("lengths", ASKED, "lengths", M, FROM_NOISE, BY_LENGTH, columns="model", shown=SOME, caption=SHRINKS),
    Figure("steps", CARRIED, "steps", STEP, RISK, BY_STEP, caption=RARELY),
)


def summary(found: Found) -> str:
    config = found.config
    return (
        f"SGD on one-step attention, up to {config.tasks[-1]:,} steps with fresh tasks: the exact expected risk "
        f"beside {config.runs} runs of each kind, and a full layer of linear attention that Adam trained."
    )
