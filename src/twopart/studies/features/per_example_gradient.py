"""When does a penalty on the gradient of each example let a network learn a signal and not memorise noise?

Networks of squared ReLUs are trained on points that hold a short signal and a long patch of noise. Theory says, constants and
all, how fast each is learned by the weight of the penalty, where the signal overtakes, and where memory cannot grow at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, mean, paired, ratio, statistic, table
from twopart.evidence.claims import Guard
from twopart.evidence.judges import above, below, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.features import penalty_cap, penalty_rates, penalty_window, race_threshold
from twopart.laws.features.gradient_penalty import Rates
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies import Work, world_seed

STUDY, TITLE = "per-example-gradient", "A penalty on each example's gradient"
PAGE = "docs/laws/per-example-gradient.md"
EARLY, RACE, LATE = f"{PAGE}, early", f"{PAGE}, the race", f"{PAGE}, the window"
OTHER, CAP, LIMIT = f"{PAGE}, the mean gradient", f"{PAGE}, the cap", f"{PAGE}, the limit"

Floats = NDArray[np.float64]
POSITIVE = every(between(0, np.inf, "()"))
WEIGHT = every(between(0, 1e3))
NOISES = (1.0, 2.0, 4.0)  # of test points, in units of that in training
EACH, MEAN = "examples", "mean"  # whose gradients
CHANCE = 0.25  # error halfway between chance and none


@settings
class Networks:
    """The points, the networks of a cell and how they descend."""

    points: Annotated[int, at_least(4).because("each class needs points"), "n, training points."] = 20
    neurons: Annotated[int, at_least(10).because("a point needs one that starts positive"), "m, of a side."] = 10
    step: Annotated[float, between(0, 0.5, "(]").because("0.1 is near the flow"), "Step times the fastest rate."] = 0.1
    time: Annotated[float, between(1, 1e6), "Training time, in units of nm/X, in which memory grows by e."] = 300.0
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, of own world."] = 12
    tests: Annotated[int, at_least(100), "Fresh points per replicate, on which errors are counted."] = 20_000


@settings
class Config:
    """Signal against memory under a penalty on gradients: growth rates, who wins, and how large each becomes, by its weight."""

    norms: Annotated[tuple[float, ...], distinct(1), POSITIVE, "‖μ‖; noise has unit variance."] = (3.0, 4.5)
    dimension: Annotated[int, at_least(50), "Dimension d, so that X = d."] = 400
    ratios: Annotated[tuple[float, ...], rising(3), WEIGHT, "Weights in units of the threshold; 0 comes with them."] = (
        0.5, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3,
    )  # fmt: skip
    mean_ratios: Annotated[tuple[float, ...], rising(1), WEIGHT, "Those beside the mean gradient."] = (2.0, 5.0)
    initials: Annotated[tuple[float, ...], distinct(2), POSITIVE, "Deviations of first weights."] = (1e-3, 1e-5)
    rate_dimension: Annotated[int, at_least(50), "d of rates, at the last first weights; norms grow."] = 1600
    rate_shares: Annotated[tuple[float, ...], rising(2), WEIGHT, "Weights, in units of m/X."] = (0, 0.5, 1, 2, 10, 30)
    cap: Annotated[float, between(0, 10, "()"), "The level that cubed ReLUs' memory is capped at."] = 0.222
    cap_initial: Annotated[float, between(0, 1, "()"), "Deviation of their first weights; memory starts above."] = 0.025
    networks: Networks = Networks()

    def __post_init__(self) -> None:
        most = (2 * self.dimension / self.networks.points) ** 0.5
        check(max(self.norms) < most, "norms", self.norms, f"< {most:.3g}, √(2d/n)", "longer ones need no penalty")


FEW = Networks(points=14, step=0.4, time=12, seeds=2, tests=200)
PRESETS = {
    "tiny": Config((3.0,), 100, (0.5, 1.1, 1.4), (3.0,), (1e-2, 1e-3), 400, (0.0, 1.0), networks=FEW),
    "small": Config(),
    "full": Config((15.0, 22.5), 10_000, rate_dimension=40_000, networks=Networks(seeds=40, step=0.05)),
}


@dataclass(frozen=True)
class Trained:
    """A cell: networks trained under one penalty."""

    part: str
    """race, window, cap or limit: what it is for."""
    norm: float
    dimension: int
    initial: float
    weight: float
    over: str
    """examples or mean: whose gradients."""
    activation: str
    networks: Networks
    seed: int
    """Of the first replicate's world; the others count up. All cells share them."""

    def __str__(self) -> str:
        what = f"{self.part}, norm {self.norm:g}, initial {self.initial:g}, λ = {self.weight:.3g}"
        return f"{what}{', mean gradient' * (self.over == MEAN)}"

    @property
    def squares(self) -> tuple[float, float]:
        """M and X."""
        return self.norm**2, float(self.dimension)

    @property
    def ratio(self) -> float:
        """λ/λ*."""
        return round(self.weight / float(race_threshold(self.networks.points, *self.squares, self.networks.neurons)), 9)

    @property
    def share(self) -> float:
        """λ X/m."""
        return self.weight * self.dimension / self.networks.neurons

    @property
    def law(self) -> Rates:
        """Growth rates of signal and memory."""
        return penalty_rates(self.networks.points, *self.squares, self.networks.neurons, self.weight)

    @property
    def rate(self) -> float:
        """Of descent: neither growth without the penalty nor decay by it is missed; cubed ReLUs get faster."""
        free = penalty_rates(self.networks.points, *self.squares, self.networks.neurons)
        decay = 0.2 * max(abs(float(r)) for r in self.law)
        return self.networks.step / max(*map(float, free), decay) / (5 if self.activation == "relu3" else 1)

    @property
    def steps(self) -> int:
        unit = self.networks.points * self.networks.neurons / self.dimension
        return round(self.networks.time * unit / self.rate / (5 if self.part == "limit" else 1))


@dataclass(frozen=True)
class Growth(Trained):
    """A cell: the first e-fold of the faster of signal and memory, and of each."""

    @property
    def ends(self) -> tuple[int, int]:
        """After how many steps the signal, and memory, have moved by a factor e; memory no later than the signal."""
        signal, memory = (1 / (max(abs(float(r)), 1e-9) * self.rate) for r in self.law)
        return max(1, round(signal)), max(1, round(min(signal, memory)))


def cells(config: Config, seed: int) -> Iterator[Work]:
    networks, d, world = config.networks, config.dimension, world_seed(seed, STUDY, "world")
    m, first, cases = networks.neurons, config.initials[0], []

    def case(part: str, norm: float, weight: float, initial: float = first, over: str = EACH, power: int = 2) -> None:
        cases.append(Trained(part, norm, d, initial, weight, over, f"relu{power}", networks, world))

    for norm in config.norms:
        star, (low, high) = float(race_threshold(networks.points, norm**2, d, m)), penalty_window(norm**2, d, m)
        for initial, x in product(config.initials, (0.0, *config.ratios)):
            case("race", norm, x * star, initial)
        for over, x in product((EACH, MEAN), config.mean_ratios):
            case("race", norm, x * star, over=over)
        for weight in (1.6 * low, 5 * low, 0.8 * high, 1.2 * high):
            case("window", norm, float(weight))
    long = 1.5 * float(np.sqrt(d))
    between_both = float(np.sqrt(np.prod(penalty_window(long**2, d, m))))
    for on in (0, 1):
        case("cap", config.norms[0], on * 2 * m / (6 * config.cap * d), config.cap_initial, power=3)
        case("limit", long, on * between_both)
    for found in dict.fromkeys(cases):
        yield Work("learn", found, cost=found.steps)
    size, norm = config.rate_dimension, config.norms[0] * float(np.sqrt(config.rate_dimension / d))
    for share in config.rate_shares:
        grown = Growth("rates", norm, size, config.initials[-1], share * m / size, EACH, "relu2", networks, world)
        yield Work("grow", grown, cost=grown.ends[0])


def end(t: Rows[Any], column: str) -> Floats:
    """After training, shape (replicates,)."""
    return t.array(column, axis="end")


def array(ts: Sequence[Rows[Trained]], column: str) -> Floats:
    """Of several cases, shape (replicates, cases)."""
    return np.stack([end(t, column) for t in ts], axis=1)


def race(found: Found, norm: float, initial: float) -> list[Rows[Trained]]:
    """In the order of weights."""
    return sorted(found.of(Trained, part="race", norm=norm, initial=initial, over=EACH), key=lambda t: t.case.weight)


def crossing(ratios: Sequence[float], errors: Floats) -> float:
    """The ratio from which on the error stays below the middle, between two weights on a line; infinite where it does not."""
    over = np.flatnonzero(errors >= CHANCE)
    if len(over) == 0 or over[-1] == len(errors) - 1:
        return 0.0 if len(over) == 0 else np.inf
    at = over[-1]
    return float(np.interp(-CHANCE, -errors[at : at + 2], ratios[at : at + 2]))


POINTS = "root mean square over points, weighed by size, of deviations from the law at own X_i, of {count} weights the largest"
INSIDE = "of {count} weights from 1.6 m/X to 0.8 m/M the largest"
BENT = Guard("a mean |ℓ'| is 0.02 off 1/2", lambda ts: max(end(t, "bent").mean() for t in ts) > 0.02)


@claim(within_share(0.02), "1/time", EARLY, "growth rate, of {count} weights the farthest from the law", BENT)
def signal_rate(ts: Sequence[Rows[Growth]]) -> Estimate:
    """The signal grows at M/(2m) (1 - λ M/m), at λ = {share:g} m/X too."""
    worst = max(ts, key=lambda t: abs(float(np.log(end(t, "signal") / float(t.case.law.signal)).mean())))
    law = float(worst.case.law.signal)
    return ratio(end(worst, "signal"), law).times(law).against(law, share=worst.case.share, count=len(ts))


@claim(below(0.1), "X/(nm), or the rate where that is more", EARLY, POINTS, BENT)
def memory_rate(ts: Sequence[Rows[Growth]]) -> Estimate:
    """Memory of a point grows at X/(nm) (1 - λ X/m), at λ = {share:g} m/X too."""
    worst = max(ts, key=lambda t: float(end(t, "off").mean()))
    return mean(end(worst, "off")).against(0.0, share=worst.case.share, count=len(ts))


def crosses(ts: Sequence[Rows[Trained]]) -> Estimate:
    """norm {case.norm:g}, first weights {case.initial:g}: from λ* on the signal is learned, below it noise."""
    ratios = [t.case.ratio for t in ts]
    return statistic(lambda errors: crossing(ratios, errors), array(ts, "error")).against(1.0, case=ts[0].case)


WHERE = "λ/λ*", RACE, f"where the test error falls below {CHANCE:g}"
crosses_small, crosses_tiny = (claim(within_range(low, 1.25), *WHERE)(crosses) for low in (1.0, 0.97))


@claim(below(0.0), "λ/λ*", RACE, "distance of the crossing from 1, less that of the largest first weights")
def sharpens(first: Sequence[Rows[Trained]], last: Sequence[Rows[Trained]]) -> Estimate:
    """norm {case.norm:g}: the smaller first weights are, the nearer to λ* the two change places."""
    ratios, both = [t.case.ratio for t in first], np.stack([array(first, "error"), array(last, "error")], axis=1)

    def nearer(errors: Floats) -> float:
        large, small = (abs(crossing(ratios, row) - 1) for row in errors)
        return small - large

    return statistic(nearer, both).against(0.0, case=first[0].case)


def worst(ts: Sequence[Rows[Trained]], column: str) -> Estimate:
    return mean(max((end(t, column) for t in ts), key=np.mean)).against(0.0, count=len(ts), norm=ts[0].case.norm)


@claim(below(0.01), "inner product", LATE, f"largest memory of a neuron, {INSIDE}")
def forgets(ts: Sequence[Rows[Trained]]) -> Estimate:
    """norm {norm:g}: in the window nothing is memorised."""
    return worst(ts, "memory")


@claim(below(0.005), "share of points", LATE, f"test error, {INSIDE}")
def learns(ts: Sequence[Rows[Trained]]) -> Estimate:
    """norm {norm:g}: in the window the signal is learned."""
    return worst(ts, "error")


@claim(within(1e-3), "nats", LATE, "training loss at λ = 1.2 m/M")
def stops(t: Rows[Trained]) -> Estimate:
    """norm {t.case.norm:g}: above the window nothing is learned."""
    return mean(end(t, "loss")).against(float(np.log(2)))


@claim(above(0.4), "share of points", OTHER, "test error")
def mean_fails(t: Rows[Trained]) -> Estimate:
    """norm {t.case.norm:g}, λ = {t.case.ratio:g} λ*: the penalty on the mean gradient leaves the network to its noise."""
    return mean(end(t, "error")).against(None)


@claim(within(0.05), "share of points", OTHER, "test error")
def mean_changes_nothing(t: Rows[Trained], none: Rows[Trained]) -> Estimate:
    """norm {t.case.norm:g}, λ = {t.case.ratio:g} λ*: it errs as no penalty does."""
    least = float(end(none, "error").mean())
    return paired(end(t, "error"), end(none, "error")).plus(least).against(least)


@claim(below(0.01), "share of points", OTHER, "test error")
def examples_work(t: Rows[Trained]) -> Estimate:
    """norm {t.case.norm:g}, λ = {t.case.ratio:g} λ*: that on each example's gradient does not."""
    return mean(end(t, "error")).against(0.0)


def level(t: Rows[Trained]) -> float:
    return float(penalty_cap(t.case.squares[1], t.case.networks.neurons, t.case.weight))


@claim(below(3.0), "b*", CAP, "largest memory of a neuron, of {count} replicates where it starts below (m/2)^(1/3)")
def pulled_down(t: Rows[Trained]) -> Estimate:
    """Cubed ReLUs: memory that starts above the cap, at {start:.2g} b*, is pulled down to it."""
    start = end(t, "start")
    kept = start**3 < 0.5 * t.case.networks.neurons  # else a point is fitted at once, and nothing pulls at it
    found = end(t, "memory")[kept] / level(t)
    return mean(found if len(found) > 1 else [np.nan] * 2).against(1.0, start=start.mean() / level(t), count=len(found))


@claim(above(10.0), "b*", CAP, "largest signal of a neuron")
def passes(t: Rows[Trained]) -> Estimate:
    """Cubed ReLUs: the signal, whose own cap is X/M as high, passes that of memory."""
    return mean(end(t, "signal") / level(t)).against(None)


@claim(above(-0.005), "share of points", LIMIT, "test error less that without a penalty")
def does_not_help(t: Rows[Trained], none: Rows[Trained]) -> Estimate:
    """norm {t.case.norm:g}, where the signal is the longer: a penalty between m/M and m/X does not help."""
    return paired(end(t, "error"), end(none, "error")).against(None)


def claims(found: Found) -> Iterator[Claim]:
    """Rates, the race, the window, the mean gradient, the cap, the limit."""
    config, growths = found.config, found.of(Growth)
    yield from (signal_rate(growths), memory_rate(growths))
    for norm in config.norms:
        both = (race(found, norm, config.initials[at]) for at in (0, -1))
        first, last = ([t for t in ts if t.case.ratio <= config.ratios[-1]] for ts in both)
        yield from (crosses_small(first), crosses_tiny(last), sharpens(first, last))
        *inside, outside = found.of(Trained, part="window", norm=norm)
        yield from (forgets(inside), learns(inside), stops(outside))
        for t in found.of(Trained, part="race", norm=norm, over=MEAN):
            (beside,) = (each for each in race(found, norm, t.case.initial) if each.case.weight == t.case.weight)
            yield from (mean_fails(t), mean_changes_nothing(t, first[0]), examples_work(beside))
    capped = found.of(Trained, part="cap")[-1]
    yield from (pulled_down(capped), passes(capped))
    none, penalised = found.of(Trained, part="limit")
    yield does_not_help(penalised, none)


def races(found: Found) -> Iterator[pl.DataFrame]:
    """Share of fresh points classified wrong, over the weight in units of λ*. Mean over replicates, with the least and the
    greatest. Law: who grows faster wins, as first weights go to 0.
    """
    for norm in found.config.norms:
        world = f"norm {norm:g}"
        series = {f"first weights {initial:g}": race(found, norm, initial) for initial in found.config.initials}
        for name, ts in (series | {"mean gradient": found.of(Trained, part="race", norm=norm, over=MEAN)}).items():
            yield curve({"ratio": [t.case.ratio for t in ts]}, {"error": array(ts, "error")}, world=world, series=name)
        yield curve({"ratio": [0, 1, 1, ts[-1].case.ratio]}, {"error": [0.5, 0.5, 0, 0]}, world=world, series="law")


def rates(ts: Sequence[Rows[Growth]]) -> Iterator[pl.DataFrame]:
    """Early growth rates in units of those that the law has without a penalty, over the weight in units of m/X: of inner
    products with the signal, and of the mean over points of those with their noise. Mean over replicates, with the least and
    the greatest.
    """
    x, free = {"share": [t.case.share for t in ts]}, replace(ts[0].case, weight=0.0).law
    for column in ("signal", "memory"):
        unit = float(getattr(free, column))
        law = np.array([float(getattr(t.case.law, column)) for t in ts]) / unit
        yield curves(x, "rate", {"law": law, "networks": array(ts, column) / unit}, what=column)  # type: ignore[arg-type]


def known(found: Found) -> Iterator[pl.DataFrame]:
    """The largest inner product of a neuron with the signal and with a training point's noise, after training, over the weight
    in units of m/X; less than 1e-4 is shown as that. The window is from 1 to X/M.
    """
    for norm in found.config.norms:
        ts = race(found, norm, found.config.initials[0])[1:] + found.of(Trained, part="window", norm=norm)
        ts.sort(key=lambda t: t.case.weight)
        x, world = {"share": [t.case.share for t in ts]}, f"norm {norm:g}, X/M = {found.config.dimension / norm**2:.3g}"
        for column in ("signal", "memory"):
            yield curve(x, {"size": array(ts, column).clip(1e-4)}, world=world, series=column)


def robust(ts: Sequence[Rows[Trained]]) -> Iterator[pl.DataFrame]:
    """Share of fresh points classified wrong when their noise is larger than that of training."""
    for factor in NOISES:
        errors = np.stack([t.array("error", axis="noise", noise=factor) for t in ts], axis=1)
        yield curve({"ratio": [t.case.ratio for t in ts]}, {"error": errors}, series=f"noise x {factor:g}")


def tables(found: Found) -> Iterator[Table]:
    yield from table("race", "Who wins", races, found)
    yield from table("rates", "Growth rates", rates, found.of(Growth))
    yield from table("known", "Signal and memory", known, found)
    yield from table("robust", "More noise", robust, race(found, found.config.norms[0], found.config.initials[0]))


ERROR, RATIO = Axis("error", "test error", log=False, domain=(0, 0.6)), Axis("ratio", "weight λ/λ*", log=False)
BOTH: dict[Any, Kind] = {"law": "theory", "networks": "learner"}
FIGURES = (
    Figure("race", "Who wins", "race", RATIO, ERROR, {"law": "asymptote", ...: "learner"}, columns="world",
           caption="Just above the threshold the network turns to the signal; a penalty on the mean gradient does nothing."),
    Figure("rates", "How fast signal and memory grow", "rates", Axis("share", "weight λX/m", log=False),
           Axis("rate", "growth rate over that without", log=False), BOTH, columns="what",
           shown=(pl.col("what") == "signal") | (pl.col("share") <= 2),
           caption="The penalty holds back what is long: memory stops growing at 1, the signal only at X/M = 44."),
    Figure("known", "What neurons know in the end", "known", Axis("share", "weight λX/m"), Axis("size", "inner product"),
           "learner", columns="world", caption="Between 1 and X/M memory is gone and the signal is there."),
    Figure("robust", "Under more noise than in training", "robust", RATIO, ERROR, "learner",
           caption="A network that knows the signal alone is not moved by more noise."),
)  # fmt: skip


def summary(found: Found) -> str:
    return (
        "Points hold a signal and a patch of noise that is much longer: gradient descent fits labels by noise and is at "
        "chance on fresh points. The mean of the squared gradients of examples, added to the loss, weighs what a network "
        f"may learn by its squared length: noise is held back first. {found.config.networks.seeds} networks of each kind "
        "were trained by exact descent in inner products, beside the growth rates that theory has."
    )
