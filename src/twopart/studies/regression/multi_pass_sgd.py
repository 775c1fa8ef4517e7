"""What does sampling cost SGD that passes over its training set many times, and what does it save?

Runs of SGD on least squares, thousands on one training set, are compared with a law that has no free constant: the risk of
gradient descent plus a fluctuation, both exact given the data, and the largest step at which the fluctuation settles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from twopart._checks import check
from twopart.evidence import Estimate, Found, Judge, Rows, claim, curve, curves, exact, mean, sign, statistic, table
from twopart.evidence.judges import above, below, equals, within, within_share
from twopart.findings import Claim, Table, Verdict
from twopart.laws.regression import largest_stable_step, population
from twopart.report import Axis, Figure, Kind
from twopart.settings import (
    at_least,
    between,
    both,
    distinct,
    every,
    multiple_of,
    no_less_than,
    rising,
    settings,
    zero_or,
)
from twopart.studies import Work, world_seed
from twopart.worlds.regression import DigitParity, LeastSquares, Regression
from twopart.worlds.regression.arrays import Floats
from twopart.worlds.regression.digits import require

STUDY, TITLE = "multi-pass-sgd", "Multi-pass SGD on least squares"
PAPER, PAGE = "Zou, Wu, Braverman, Gu, Kakade 2022, arXiv 2203.03159", "docs/laws/multi-pass-sgd.md"
DECOMPOSED, LAW, STABLE = f"{PAPER}, abstract; {PAGE}, the law", f"{PAGE}, the law", f"{PAGE}, stability"
SAVED = f"order: {PAPER}, abstract; numbers: {PAGE}, the law"

SAMPLED = ("replacement", "batch-without")
"""The orders that the law is about."""
GROUPS = 40
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
"""Of the largest stable step: the learning rates among which a race picks."""
FACTORS = (0.8, 0.9, 1.1, 1.2)
"""Of the largest stable step: where its edge is looked at."""
NEAR = (0.95, 1.05)
"""The same, by the law alone: there rare runs carry the mean, and no simulation meets them."""
GROUPED = multiple_of(GROUPS).because(f"the mean is judged in {GROUPS} groups")
SPECTRA = both(distinct(1), every(between(0, 10))).because("1, 1.5 and 2 are slow, middling and fast")
BATCHES = both(distinct(1), every(at_least(1))).because("1 is plain SGD")
EPOCHS = both(rising(1), every(at_least(1))).because("1 is once through the data")
COURSE, ENOUGH = at_least(2).because("12 show the course"), at_least(100).because("growth must show")
BEST, EDGE = between(1, 100, "()").because("1 is the best"), between(0, 1, "()").because("1 is the edge")


@settings
class Runs:
    """What every run of SGD is given."""

    steps: Annotated[int, at_least(50), "Steps of each run."] = 2000
    rate: Annotated[float, EDGE, "Learning rate, in units of the largest stable step."] = 0.3
    replicates: Annotated[int, GROUPED, "Runs on one training set."] = 2000
    moments: Annotated[int, COURSE, "Moments that are looked at, logarithmic from step 3 on."] = 12
    edge_steps: Annotated[int, ENOUGH, "Steps of runs at the edge."] = 1000


@settings
class Config:
    """Multi-pass SGD: excess risk by steps and gradients, beside its exact law, for several spectra, batches and orders."""

    decays: Annotated[tuple[float, ...], SPECTRA, "Decays a of the eigenvalues i^-a."] = (1.0, 1.5, 2.0)
    dimension: Annotated[int, no_less_than("points"), "Dimension d: targets can be met."] = 256
    points: Annotated[int, at_least(4), "Training points n."] = 64
    noise: Annotated[float, between(0, 100), "Standard deviation of the answers' noise."] = 0.3
    batches: Annotated[tuple[int, ...], BATCHES, "Batch sizes b, 1 among them."] = (1, 8, 32)
    epochs: Annotated[tuple[int, ...], EPOCHS, "After how many epochs reshuffling is compared."] = (1, 4, 16)
    raced: Annotated[tuple[int, ...], BATCHES, "Batch sizes that race gradient descent."] = (1, 8)
    target: Annotated[float, BEST, "Risk to reach, in units of gradient descent's best."] = 1.25
    digits: Annotated[int, zero_or(between(10, 1500)), "Digits to train random features on."] = 200
    features: Annotated[int, at_least(2), "Random features of each digit."] = 1000
    widths: Annotated[tuple[int, ...], every(at_least(1)), "Widths of networks that are tuned on digits."] = (16, 512)
    runs: Runs = Runs()

    def __post_init__(self) -> None:
        n, needed, steps = self.points, max(self.epochs) * self.points, self.runs.steps
        check(1 in self.batches, "batches", self.batches, "a tuple with 1 in it", "reshuffling is compared at 1")
        for name in ("batches", "raced"):
            most = max(sizes := getattr(self, name))
            check(most < n, name, sizes, f"below {n}, the points", "a batch of all is gradient descent")
        check(needed <= steps, "epochs", self.epochs, f"done in {steps} steps", f"they need {needed}")


FEW, MANY = Runs(200, replicates=80, edge_steps=200), Runs(20_000, replicates=4000)
PRESETS = {
    "tiny": Config((1.5,), 48, 16, batches=(1, 4), epochs=(1, 12), raced=(4,), digits=0, widths=(), runs=FEW),
    "small": Config(),
    "full": Config(dimension=4096, points=512, batches=(1, 8, 64), widths=(16, 64, 256, 1024), runs=MANY),
}


@dataclass(frozen=True)
class Power:
    """A training set from a world with a power spectrum; risks are excess risks."""

    decay: float
    dimension: int
    points: int
    noise: float
    seed: int

    def __str__(self) -> str:
        return f"a = {self.decay:g}"

    @cached_property
    def world(self) -> LeastSquares:
        return LeastSquares.power(self.dimension, decay=self.decay, noise=self.noise, seed=self.seed)

    @cached_property
    def train(self) -> Regression:
        return self.world.sample(self.points)

    @cached_property
    def test(self) -> Regression:
        return population(self.world.spectrum, self.world.optimum)

    def risk(self, w: Floats) -> Floats:
        """1/2 (w - w*)^T H (w - w*) of weights (R, d), shape (R,)."""
        return np.asarray(self.world.excess(w))

    def gap(self, w: Floats, centre: Floats) -> Floats:
        """The same form of w - centre, shape (R,)."""
        return np.asarray(np.square(w - centre) @ self.world.spectrum / 2)


class Digits(DigitParity):
    """The parity of digits from random features; risks are those on the digits left out."""

    def __str__(self) -> str:
        return "digits"

    def risk(self, w: Floats) -> Floats:
        """Half the mean square on the test set, shape (R,)."""
        return np.asarray(np.square(w @ self.test.x.T - self.test.y).mean(-1) / 2)

    def gap(self, w: Floats, centre: Floats) -> Floats:
        """The same form of w - centre, shape (R,)."""
        return np.asarray(np.square((w - centre) @ self.test.x.T).mean(-1) / 2)


@dataclass(frozen=True)
class Case:
    """What a cell is given."""

    setting: Power | Digits
    batch: int
    runs: Runs

    def __str__(self) -> str:
        return f"{self.setting}, b = {self.batch}"

    @property
    def panel(self) -> str:
        """What people see over its panel."""
        return str(self.setting)

    @property
    def points(self) -> int:
        return self.setting.points

    @property
    def moments(self) -> list[int]:
        return spaced(3, self.runs.steps, self.runs.moments)

    @cached_property
    def largest(self) -> float:
        """The largest stable step."""
        return largest_stable_step(self.setting.train.x, self.batch)


@dataclass(frozen=True)
class Descent(Case):
    """All replicates of SGD on one training set at one rate."""

    order: str
    """One of those of `least_squares_sgd`."""
    epochs: tuple[int, ...] = ()
    """After which the risk is looked at, too."""

    def __str__(self) -> str:
        return f"{super().__str__()}, {self.order}"

    @property
    def recorded(self) -> list[int]:
        return sorted({1, *self.moments, *(epochs * self.points for epochs in self.epochs)})


@dataclass(frozen=True)
class Race(Case):
    """SGD and gradient descent to the same risk, each at the rate that the law picks."""

    target: float


@dataclass(frozen=True)
class Edge(Case):
    """All replicates near the largest stable step, where the targets can be met."""

    factor: float

    def __str__(self) -> str:
        return f"{self.setting}, {self.factor:g} of the largest step"


@dataclass(frozen=True)
class Scales(Case):
    """The largest stable step and what is said in its place, by the law alone."""


@dataclass(frozen=True)
class Network(Case):
    """A two-layer network tuned on digits from random weights, and the law of its linearisation."""

    width: int
    replicates, order = 200, "replacement"

    def __str__(self) -> str:
        return f"network of width {self.width}"

    @property
    def panel(self) -> str:
        return str(self)


def cells(config: Config, seed: int) -> Iterator[Work]:
    runs, n, source = config.runs, config.points, world_seed(seed, STUDY, "digits")
    powers = [Power(a, config.dimension, n, config.noise, world_seed(seed, STUDY, f"{a:g}")) for a in config.decays]
    if config.digits or config.widths:
        require()
    for setting, b in product(powers, config.batches):
        for order in ("replacement", "reshuffle" if b == 1 else "batch-without"):
            yield work("descend", Descent(setting, b, runs, order, config.epochs if b == 1 else ()))
    if config.digits:
        digits = Digits(config.digits, config.features, source)
        yield work("descend", Descent(digits, 1, runs, "replacement"))
    for setting, b in product(powers, config.raced):
        yield work("race", Race(setting, b, runs, config.target))
    for setting, factor in product(powers, FACTORS):
        yield work("walk_the_edge", Edge(replace(setting, noise=0.0), 1, runs, factor))
    for setting, b in product(powers, config.batches):
        yield work("find_edges", Scales(replace(setting, noise=0.0), b, runs))
    for width in config.widths:
        yield work("tune", Network(Digits(100, 0, source), 1, runs, width))


def work(function: str, case: Case) -> Work:
    return Work(function, case, cost=case.runs.steps * (case.runs.replicates * case.batch + 10 * case.points))


def spaced(low: float, high: float, count: int) -> list[int]:
    """Whole numbers from low to high, their logarithms evenly spread."""
    return sorted({int(step) for step in np.geomspace(low, high, count).round()})


def law(t: Rows[Any], column: str, **where: Any) -> Floats:
    """A column of the law, over its steps."""
    return np.asarray(t.where(axis="law", **where)[column].to_numpy())


def lawful(t: Rows[Any]) -> Floats:
    """The law of the risk, over its steps."""
    return law(t, "descent") + law(t, "fluctuation")


def run(t: Rows[Any], column: str, **where: Any) -> Floats:
    """A column of what was measured, shape (R, steps)."""
    values = np.asarray(t.array(column, axis="run", **where))
    return values if values.ndim == 2 else values[:, None]


def measurable(t: Rows[Descent], least: float = 1e-12) -> list[int]:
    """The moments at which the law's fluctuation is at least that share of gradient descent's risk, and no rounding."""
    large = pl.col("fluctuation") >= least * pl.col("descent")
    return t.where(axis="law", step=t.case.moments).filter(large)["step"].to_list()


def told(t: Rows[Descent]) -> list[int]:
    """Those at which (SGD - GD)/fluctuation has a standard error of at most 0.2, which is 2 √(GD/(R fluctuation)) or less."""
    return measurable(t, 100 / t.case.runs.replicates)


def sooner(t: Rows[Race], factor: float) -> Estimate:
    """`factor` times the step at which SGD's mean risk falls to the goal, between recorded steps in a straight line, over the
    step of gradient descent, beside the law's; nan if SGD is never there.
    """
    goal = t.where(axis="goal").row(0, named=True)
    aim, by = goal["risk"], factor / goal["gd"]
    if goal["sgd"] is None:
        return Estimate(float("nan")).against(None, goal=aim)
    steps = run(t, "step")[0]

    def first(means: Floats) -> float:
        k = int(np.argmax(means <= aim))  # 0: from the first on, or never
        return float(np.interp(-aim, -means[k - 1 : k + 1], steps[k - 1 : k + 1])) if k else float("nan")

    return statistic(first, run(t, "risk")).times(by).against(goal["sgd"] * by, goal=aim)


def slope(t: Rows[Edge]) -> Estimate:
    """Slope of ln(mean fluctuation over replicates) by steps over the last half, beside the law's."""
    steps = run(t, "step")[0]
    late = steps >= t.case.runs.edge_steps / 2
    weights = steps[late] - steps[late].mean()  # of least squares
    weights = weights / np.square(weights).sum()

    def of(fluctuation: Floats) -> float:
        return float(np.log(fluctuation[late]) @ weights)

    return statistic(of, run(t, "gap")).against(of(law(t, "fluctuation")))


def _never_better(estimate: Estimate) -> Verdict:
    low, high = estimate.ends
    return "holds" if low > 0.5 else "fails" if high < 0 else "inconclusive"


NEVER_BETTER = Judge("holds if {it} lies above 0.5, fails if below 0", _never_better)
EXACT = within(0.02), "measured over law"  # 2000 replicates have a standard error of 0.2 to 0.5 %
FLUCTUATES = within(0.05), "measured over law"
MEAN = within(0.1), "of its expectation"  # a square whose standard deviation is itself; 40 groups, moments and cells
LAZY = within_share(0.05), "risk"

OVER = "mean risk over that of the law, mean over moments"
LEAST = "least over moments of (SGD - gradient descent)/fluctuation, where its standard error is at most 0.2"
OFF = "squared distance of a group's mean from gradient descent, mean over moments and {count} cells; groups of {size}"
FIRST = "largest deviation over cells of the ratio of the law's fluctuations after one step"
SPREAD = "mean squared distance from gradient descent over the law's, mean over moments"
TO_GOAL = SAVED, "until the mean risk is {goal:.3g}, each at its best rate"
GROWTH = "growth a step", STABLE, "extreme over cells of the growth of the mean square, by power iteration"
SLOPE = "slope a step", STABLE, "slope of ln(mean fluctuation) over the last half of the run"
BESIDE = f"no theory; {PAGE}, reshuffling", "mean risk over that with replacement at the same rate"
AT_THE_END = f"{PAGE}, networks", "mean risk on the digits left out at the end"


@claim(*EXACT, DECOMPOSED, OVER)
def decomposed(t: Rows[Descent]) -> Estimate:
    """{t}: the risk of SGD is that of gradient descent plus the law's fluctuation."""
    at = np.isin(law(t, "step"), t.case.moments)
    return mean((run(t, "risk") / lawful(t))[:, at].mean(1)).against(1.0)


@claim(NEVER_BETTER, "of the law's fluctuation", DECOMPOSED, LEAST)
def never_better(t: Rows[Descent]) -> Estimate:
    """{t}: at equal steps and rate SGD is nowhere better than gradient descent."""
    at = told(t)
    more = (run(t, "risk", step=at) - law(t, "descent", step=at)) / law(t, "fluctuation", step=at)
    return statistic(lambda means: means.min(), more).against(1.0)


@claim(*MEAN, DECOMPOSED, OFF)
def mean_descends(ts: Sequence[Rows[Descent]]) -> Estimate:
    """With and without replacement the mean of SGD's weights is gradient descent, but for the noise of a mean."""
    size = ts[0].case.runs.replicates / GROUPS

    def part(t: Rows[Descent], at: list[int]) -> Floats:
        deviation = t.array("deviation", axis="group", step=at)
        return np.asarray((deviation / (law(t, "fluctuation", step=at) / size)).mean(1))

    found = mean(np.mean([part(t, measurable(t)) for t in ts], axis=0), over="groups of replicates")
    return found.against(1.0, count=len(ts), size=round(size))


@claim(equals(), "relative deviation", LAW, FIRST)
def first_step(pairs: Sequence[tuple[Rows[Descent], Rows[Descent]]]) -> Estimate:
    """At the first step batches without replacement fluctuate (n - b)/(n - 1) times as much as those with."""

    def off(without: Rows[Descent], replaced: Rows[Descent]) -> float:
        n, b = without.case.points, without.case.batch
        found = law(without, "fluctuation", step=1) / law(replaced, "fluctuation", step=1)
        return abs(float(found.item()) * (n - 1) / (n - b) - 1)

    return exact(max(off(*pair) for pair in pairs)).against(0.0)


@claim(*FLUCTUATES, LAW, SPREAD)
def fluctuates(without: Rows[Descent]) -> Estimate:
    """{without}: the fluctuation over the run is the law's."""
    at = measurable(without)
    return mean((run(without, "gap", step=at) / law(without, "fluctuation", step=at)).mean(1)).against(1.0)


@claim(above(1.0), "steps over gradient descent's", *TO_GOAL)
def more_steps(t: Rows[Race]) -> Estimate:
    """{t}: SGD needs more steps than gradient descent to the same risk."""
    return sooner(t, 1.0)


@claim(below(1.0), "gradients over gradient descent's", *TO_GOAL)
def fewer_gradients(t: Rows[Race]) -> Estimate:
    """{t}: and fewer gradients of single points."""
    return sooner(t, t.case.batch / t.case.points)


@claim(below(1.0), *GROWTH)
def settles(scales: Sequence[Rows[Scales]]) -> Estimate:
    """At 0.95 of the largest stable step the mean square of the law shrinks."""
    return exact(max(t.frame["below"].item() for t in scales))


@claim(above(1.0), *GROWTH)
def explodes(scales: Sequence[Rows[Scales]]) -> Estimate:
    """At 1.05 of the largest stable step the mean square of the law grows."""
    return exact(min(t.frame["above"].item() for t in scales))


@claim(sign(-1), *SLOPE)
def stable(t: Rows[Edge]) -> Estimate:
    """{t}: the fluctuation dies out."""
    return slope(t)


@claim(sign(+1), *SLOPE)
def unstable(t: Rows[Edge]) -> Estimate:
    """{t}: the fluctuation grows, though gradient descent settles."""
    return slope(t)


@claim(below(1.0), "ratio of risks", *BESIDE)
def reshuffled(one: Rows[Descent], other: Rows[Descent], epochs: int) -> Estimate:
    """{one}: the risk is below that of sampling with replacement after so many epochs: {epochs}."""
    risks = [run(t, "risk", step=epochs * one.case.points)[:, 0] for t in (one, other)]
    return statistic(lambda means: means[0] / means[1], np.stack(risks, axis=1))


@claim(*LAZY, *AT_THE_END)
def lazy(t: Rows[Network]) -> Estimate:
    """{t}: its training on digits ends where the law of its linearisation says."""
    return mean(run(t, "risk")[:, -1]).against(lawful(t)[-1])


def sampled(found: Found) -> list[Rows[Descent]]:
    """Those that the law is about."""
    return [t for order in SAMPLED for t in found.of(Descent, order=order)]


def claims(found: Found) -> Iterator[Claim]:
    without = found.of(Descent, order="batch-without")
    yield from map(decomposed, sampled(found))
    yield from (never_better(t) for t in found.of(Descent, order="replacement") if told(t))
    yield mean_descends(sampled(found))
    if without:
        yield first_step([(t, with_replacement(found, t)) for t in without])
    yield from map(fluctuates, without)
    for race in found.of(Race):
        yield from (more_steps(race), fewer_gradients(race))
    yield from (settles(found.of(Scales)), explodes(found.of(Scales)))
    yield from map(stable, found.of(Edge, factor=FACTORS[0]))
    yield from map(unstable, found.of(Edge, factor=FACTORS[-1]))
    for t in found.of(Descent, order="reshuffle"):
        yield from (reshuffled(t, with_replacement(found, t), epochs) for epochs in t.case.epochs)
    yield from map(lazy, found.of(Network))


def with_replacement(found: Found, t: Rows[Descent]) -> Rows[Descent]:
    """The same world and batch, sampled with replacement."""
    return found.one(Descent, order="replacement", setting=t.case.setting, batch=t.case.batch)


def beside(t: Rows[Any], column: str, laws: dict[str, ArrayLike | None], name: str) -> Iterator[pl.DataFrame]:
    """Laws by steps, and the mean over replicates with the least and greatest tenth of them cut off."""
    labels = {"world": t.case.panel, "batch": f"b = {t.case.batch}", "order": t.case.order}
    yield curves({"step": law(t, "step")}, column, laws, **labels)
    values, steps = run(t, column), run(t, "step")[0]
    low, high = np.quantile(values, [0.1, 0.9], axis=0)
    yield curve({"step": steps}, {column: values.mean(0)}, (low, high), series=name, **labels)


def risks(found: Found) -> Iterator[pl.DataFrame]:
    """Risk by steps: excess risk in worlds with a power spectrum, risk on the digits left out for random features of digits and
    for networks. GD: gradient descent at the same rate. Law: GD and the fluctuation, for a network those of its linearisation
    at the start. SGD: mean over replicates; the band leaves out a tenth of them at each end. For epochs in random order the law
    is that of sampling with replacement.
    """
    both: list[Rows[Any]] = [*found.of(Descent), *found.of(Network)]
    for t in both:
        name = "SGD" if t.case.order in SAMPLED else "SGD, reshuffled"
        yield from beside(t, "risk", {"GD": law(t, "descent"), "law": lawful(t)}, name)


def fluctuations(found: Found) -> Iterator[pl.DataFrame]:
    """What sampling adds to the risk, by steps: mean over replicates of the squared distance from gradient descent in the norm
    of the risk, and the law of it. Bands leave out a tenth of the replicates at each end.
    """
    for t in sampled(found):
        yield from beside(t, "gap", {"law": law(t, "fluctuation")}, "SGD")


def races(found: Found) -> Iterator[pl.DataFrame]:
    """Least excess risk over learning rates, by gradients of single points computed so far, by the law: n a step of gradient
    descent (GD), b a step of SGD.
    """
    for t in found.of(Race):
        name, of_race = f"SGD, b = {t.case.batch}", {"SGD": t.where(axis="law")}
        if t is found.of(Race, setting=t.case.setting)[0]:
            of_race["GD"] = t.where(axis="law of GD")
        for series, rows in of_race.items():
            labels = {"world": t.case.panel, "method": name if series == "SGD" else "GD"}
            yield curves({"gradients": rows["gradients"]}, "risk", {"law": rows["risk"]}, **labels)


def edges(found: Found) -> Iterator[pl.DataFrame]:
    """The fluctuation by steps at a share of the largest stable step, b = 1, no noise, d > n: the law's, and the mean and the
    median over replicates. Above the edge, rare runs carry the law's mean; those that were run do not meet them.
    """
    for t in found.of(Edge):
        labels = {"world": t.case.panel, "step size": f"{t.case.factor:g} of the largest"}
        gap = run(t, "gap")
        series = {"law": law(t, "fluctuation"), "mean": gap.mean(0), "median": np.median(gap, axis=0)}
        yield curves({"step": law(t, "step")}, "gap", series, **labels)


def scales(found: Found) -> Iterator[pl.DataFrame]:
    """The largest stable step of SGD; 2/mean ‖x‖², the rule of thumb for b = 1; 2/λ_max, the edge of gradient descent; and by
    what factor a step at 0.95 and 1.05 of the first multiplies the mean square of the weights in the long run.
    """
    for t in found.of(Scales):
        yield t.frame.select(world=pl.lit(t.case.panel), batch="batch", largest="largest", rule_of_thumb="rule",
                             edge_of_gd="edge", growth_below="below", growth_above="above")  # fmt: skip


def tables(found: Found) -> Iterator[Table]:
    yield from table("risk", "Risk by steps", risks, found)
    yield from table("fluctuation", "What sampling adds", fluctuations, found)
    yield from table("race", "Risk by gradients", races, found)
    yield from table("edge", "At the edge of stability", edges, found)
    yield from table("scales", "Largest stable steps", scales, found)


STEP, RISK, GAP = Axis("step", "steps"), Axis("risk", "risk"), Axis("gap", "fluctuation")
LINEAR, GRADIENTS = Axis("step", "steps", log=False), Axis("gradients", "gradients of single points")
ONE, REPLACED, SHUFFLES = pl.col("batch") == "b = 1", pl.col("order") == "replacement", pl.col("order") == "reshuffle"
SGD: dict[Any, Kind] = {"GD": "asymptote", "law": "theory", "SGD": "simulation"}
SHUFFLED: dict[Any, Kind] = {"GD": "asymptote", "law": "theory", "SGD, reshuffled": "simulation"}
ADDED: dict[Any, Kind] = {"law": "theory", "SGD": "simulation"}
MEANS: dict[Any, Kind] = {"law": "theory", "mean": "simulation", "median": "learner"}

SUM = "The risk of SGD is gradient descent's and a fluctuation"
ONE_POINT = "Batches of one point, drawn with replacement: measured risks lie on the law."
LARGER = "Each batch size at its own learning rate; what is measured lies on the law."
AHEAD = "For the same number of gradients SGD is ahead, until it reaches its floor."
RARE = "Above the largest stable step the fluctuation grows; the law's mean is carried by runs too rare to be met."
BELOW = "The law is that of sampling with replacement: reshuffling ends below it."

figure = partial(Figure, x=STEP, columns="world")
added = partial(figure, y=GAP, kinds=ADDED, colour="batch", shown=REPLACED)
edge = partial(Figure, x=LINEAR, y=GAP, columns="world", kinds=MEANS, rows="step size", shown=pl.col("gap") < 1e4)
FIGURES = (
    figure("multi-pass-sgd", SUM, "risk", y=RISK, kinds=SGD, shown=ONE & REPLACED, caption=ONE_POINT),
    added("fluctuation", "What sampling adds", "fluctuation", caption=LARGER),
    figure("race", "Risk by gradients", "race", x=GRADIENTS, y=RISK, kinds="theory", colour="method", caption=AHEAD),
    edge("edge", "At the edge of stability", "edge", caption=RARE),
    figure("reshuffled", "Epochs in random order", "risk", y=RISK, kinds=SHUFFLED, shown=ONE & SHUFFLES, caption=BELOW),
)  # fmt: skip


def summary(found: Found) -> str:
    config, scale = found.config, found.of(Scales, batch=1)[0].frame
    over = scale["rule"].item() / scale["largest"].item()
    means = [run(t, "risk").mean() / lawful(t).mean() for t in sampled(found)]
    return (
        f"SGD passes many times over {config.points} points in {config.dimension} dimensions, and over digits. Given the "
        "training set, its expected risk is that of gradient descent plus a fluctuation, both exact at every step, for every "
        "rate and batch size, with and without replacement; so is the largest step at which the fluctuation stays bounded. "
        "No constant is fitted.\n\n"
        f"Over {config.runs.replicates} runs in each of {len(means)} cells, measured risks are {min(means):.3f} to "
        f"{max(means):.3f} of the law's. In the first world the rule of thumb "
        f"for the largest step, 2/mean ‖x‖², is {over:.2f} times what is stable."
    )
