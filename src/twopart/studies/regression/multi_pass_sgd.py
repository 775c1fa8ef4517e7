"""What does sampling cost SGD that passes over its training set many times, and what does it save?

Runs of SGD on least squares, thousands on one training set, are compared with a law that has no free constant: the risk of
gradient descent plus a fluctuation, both exact given the data, and the largest step at which the fluctuation settles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart._checks import check
from twopart.evidence import Estimate, Found, Judge, Rows, claim, curve, curves, exact, mean, sign, statistic, table
from twopart.evidence.judges import above, below, equals, within, within_share
from twopart.findings import Claim, Table
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, no_less_than, rising, settings, zero_or
from twopart.studies import Work, world_seed
from twopart.studies.regression._multi_pass_cases import Descent, Digits, Edge, Network, Power, Race, Runs, Scales
from twopart.worlds.regression.digits import require

STUDY, TITLE = "multi-pass-sgd", "Multi-pass SGD on least squares"
PAPER, PAGE = "Zou, Wu, Braverman, Gu, Kakade 2022, arXiv 2203.03159", "docs/laws/multi-pass-sgd.md"
DECOMPOSED, LAW, STABLE = f"{PAPER}, abstract; {PAGE}, the law", f"{PAGE}, the law", f"{PAGE}, stability"
RESHUFFLING, NETWORKS = f"no theory; {PAGE}, reshuffling", f"{PAGE}, networks"
SAVED = f"order: {PAPER}, abstract; numbers: {PAGE}, the law"
SAMPLED = ("replacement", "batch-without")  # the orders that the law is about
FACTORS = (0.8, 0.9, 1.1, 1.2)  # of the largest stable step: where its edge is looked at
WHOLE = "descent", "fluctuation"  # the risk of the law is their sum

SPECTRUM = every(between(0, 10)).because("1, 1.5 and 2 are slow, middling and fast")
BEST = between(1, 100, "()").because("1 is the best")
SIZE, TIMES = every(at_least(1)).because("1 is plain SGD"), every(at_least(1)).because("1 is once through the data")


@settings
class Config:
    """Multi-pass SGD: excess risk by steps and gradients, beside its exact law, for several spectra, batches and orders."""

    decays: Annotated[tuple[float, ...], distinct(1), SPECTRUM, "Decays a of the eigenvalues i^-a."] = (1.0, 1.5, 2.0)
    dimension: Annotated[int, no_less_than("points"), "Dimension d: targets can be met."] = 256
    points: Annotated[int, at_least(4), "Training points n."] = 64
    noise: Annotated[float, between(0, 100), "Standard deviation of the answers' noise."] = 0.3
    batches: Annotated[tuple[int, ...], distinct(1), SIZE, "Batch sizes b, 1 among them."] = (1, 8, 32)
    epochs: Annotated[tuple[int, ...], rising(1), TIMES, "After how many epochs reshuffling is compared."] = (1, 4, 16)
    raced: Annotated[tuple[int, ...], distinct(1), SIZE, "Batch sizes that race gradient descent."] = (1, 8)
    target: Annotated[float, BEST, "Risk to reach, in units of gradient descent's best."] = 1.25
    digits: Annotated[int, zero_or(between(10, 1500)), "Digits to train random features on."] = 200
    features: Annotated[int, at_least(2), "Random features of each digit."] = 1000
    widths: Annotated[tuple[int, ...], every(at_least(1)), "Widths of networks that are tuned on digits."] = (16, 512)
    runs: Runs = Runs()

    def __post_init__(self) -> None:
        n, needed, steps = self.points, max(self.epochs) * self.points, self.runs.steps
        check(1 in self.batches, "batches", self.batches, "a tuple with 1 in it", "reshuffling is compared at 1")
        for name, sizes in (("batches", self.batches), ("raced", self.raced)):
            check(max(sizes) < n, name, sizes, f"below {n}, the points", "a batch of all is gradient descent")
        check(needed <= steps, "epochs", self.epochs, f"done in {steps} steps", f"they need {needed}")


FEW, MANY = Runs(200, replicates=80, edge_steps=200), Runs(20_000, replicates=4000)
PRESETS = {
    "tiny": Config((1.5,), 48, 16, batches=(1, 4), epochs=(1, 12), raced=(4,), digits=0, widths=(), runs=FEW),
    "small": Config(),
    "full": Config(dimension=4096, points=512, batches=(1, 8, 64), widths=(16, 64, 256, 1024), runs=MANY),
}


def cells(config: Config, seed: int) -> Iterator[Work]:
    runs, n, source = config.runs, config.points, world_seed(seed, STUDY, "digits")
    powers = [Power(a, config.dimension, n, config.noise, world_seed(seed, STUDY, f"{a:g}")) for a in config.decays]
    orders = [(b, o) for b in config.batches for o in ("replacement", "reshuffle" if b == 1 else "batch-without")]
    if config.digits or config.widths:
        require()
    cases: dict[str, list[Any]] = {
        "descend": [Descent(p, b, runs, o, config.epochs if b == 1 else ()) for p, (b, o) in product(powers, orders)],
        "race": [Race(p, b, runs, config.target) for p, b in product(powers, config.raced)],
        "walk_the_edge": [Edge(replace(p, noise=0.0), 1, runs, factor) for p, factor in product(powers, FACTORS)],
        "find_edges": [Scales(replace(p, noise=0.0), b, runs) for p, b in product(powers, config.batches)],
        "tune": [Network(Digits(100, 0, source), 1, runs, width) for width in config.widths],
    }
    if config.digits:
        cases["descend"] += [Descent(Digits(config.digits, config.features, source), 1, runs, "replacement")]
    for function, case in ((function, case) for function, several in cases.items() for case in several):
        yield Work(function, case, cost=runs.steps * (runs.replicates * case.batch + 10 * case.setting.points))


def law(t: Rows[Any], *columns: str, **where: Any) -> Floats:
    """A column of the law, or the sum of several, over its steps."""
    return np.asarray(sum(t.where(axis="law", **where)[column].to_numpy() for column in columns))


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


LEAST = "least over moments of (SGD - gradient descent)/fluctuation, where its standard error is at most 0.2"
OFF = "squared distance of a group's mean from gradient descent, mean over moments and {count} cells; groups of {size}"
FIRST = "largest deviation over cells of the ratio of the law's fluctuations after one step"
SPREAD = "mean squared distance from gradient descent over the law's, mean over moments"
TO_GOAL = "{counted} over gradient descent's", SAVED, "until the mean risk is {goal:.3g}, each at its best rate"
GROWTH = "growth a step", STABLE, "extreme over cells of the growth of the mean square, by power iteration"
SLOPE = "slope a step", STABLE, "slope of ln(mean fluctuation) over the last half of the run"
NEVER_BETTER = Judge(
    "holds if {it} lies above 0.5, fails if below 0",
    lambda e: "holds" if e.ends[0] > 0.5 else "fails" if e.ends[1] < 0 else "inconclusive",
)


@claim(within(0.02), "measured over law", DECOMPOSED, "mean risk over that of the law, mean over moments")
def decomposed(t: Rows[Descent]) -> Estimate:
    """{t}: the risk of SGD is that of gradient descent plus the law's fluctuation."""
    at = np.isin(law(t, "step"), t.case.moments)
    return mean((run(t, "risk") / law(t, *WHOLE))[:, at].mean(1)).against(1.0)  # to 0.2 to 0.5 % with 2000 replicates


@claim(NEVER_BETTER, "of the law's fluctuation", DECOMPOSED, LEAST)
def never_better(t: Rows[Descent]) -> Estimate:
    """{t}: at equal steps and rate SGD is nowhere better than gradient descent."""
    at = told(t)
    more = (run(t, "risk", step=at) - law(t, "descent", step=at)) / law(t, "fluctuation", step=at)
    return statistic(lambda means: means.min(), more).against(1.0)


@claim(within(0.1), "of its expectation", DECOMPOSED, OFF)
def mean_descends(ts: Sequence[Rows[Descent]]) -> Estimate:
    """With and without replacement the mean of SGD's weights is gradient descent, but for the noise of a mean."""
    parts = []
    for t in ts:
        off = t.array("deviation", axis="group", step=(at := measurable(t)))
        size = t.case.runs.replicates / len(off)
        parts.append((off / (law(t, "fluctuation", step=at) / size)).mean(1))
    return mean(np.mean(parts, axis=0), over="groups of replicates").against(1.0, count=len(ts), size=round(size))


@claim(equals(), "relative deviation", LAW, FIRST)
def first_step(pairs: Sequence[tuple[Rows[Descent], Rows[Descent]]]) -> Estimate:
    """At the first step batches without replacement fluctuate (n - b)/(n - 1) times as much as those with."""
    off = []
    for without, replaced in pairs:
        n, b = without.case.setting.points, without.case.batch
        found = law(without, "fluctuation", step=1) / law(replaced, "fluctuation", step=1)
        off.append(abs(found.item() * (n - 1) / (n - b) - 1))
    return exact(max(off)).against(0.0)


@claim(within(0.05), "measured over law", LAW, SPREAD)
def fluctuates(without: Rows[Descent]) -> Estimate:
    """{without}: the fluctuation over the run is the law's."""
    at = measurable(without)
    return mean((run(without, "gap", step=at) / law(without, "fluctuation", step=at)).mean(1)).against(1.0)


def sooner(t: Rows[Race], counted: str, said: str) -> Estimate:
    """{t}: {said}."""
    goal = t.where(axis="goal").row(0, named=True)
    aim, by = goal["risk"], (t.case.batch / t.case.setting.points if counted == "gradients" else 1.0) / goal["gd"]
    if goal["sgd"] is None:
        return Estimate(float("nan")).against(None, goal=aim)
    steps = run(t, "step")[0]

    def first(means: Floats) -> float:  # the step at which the goal is met, between recorded ones in a straight line
        k = int(np.argmax(means <= aim))  # 0: from the first on, or never
        return float(np.interp(-aim, -means[k - 1 : k + 1], steps[k - 1 : k + 1])) if k else float("nan")

    return statistic(first, run(t, "risk")).times(by).against(goal["sgd"] * by, goal=aim)


def grows(scales: Sequence[Rows[Scales]], at: str, does: str) -> Estimate:
    """At {at} of the largest stable step the mean square of the law {does}."""
    factors = [t.frame["below" if does == "shrinks" else "above"].item() for t in scales]
    return exact(max(factors) if does == "shrinks" else min(factors))


def slope(t: Rows[Edge], does: str) -> Estimate:
    """{t}: the fluctuation {does}."""
    late = (steps := law(t, "step")) >= t.case.runs.edge_steps / 2
    weights = steps[late] - steps[late].mean()  # of least squares
    weights = weights / np.square(weights).sum()

    def of(fluctuation: Floats) -> float:
        return float(np.log(fluctuation[late]) @ weights)

    return statistic(of, run(t, "gap")).against(of(law(t, "fluctuation")))


MORE, FEWER = "SGD needs more steps than gradient descent to the same risk", "and fewer gradients of single points"
more_steps = partial(claim(above(1.0), *TO_GOAL)(sooner), counted="steps", said=MORE)
fewer_gradients = partial(claim(below(1.0), *TO_GOAL)(sooner), counted="gradients", said=FEWER)
settles = partial(claim(below(1.0), *GROWTH)(grows), at="0.95", does="shrinks")
explodes = partial(claim(above(1.0), *GROWTH)(grows), at="1.05", does="grows")
stable = partial(claim(sign(-1), *SLOPE)(slope), does="dies out")
unstable = partial(claim(sign(+1), *SLOPE)(slope), does="grows, though gradient descent settles")


@claim(below(1.0), "ratio of risks", RESHUFFLING, "mean risk over that with replacement at the same rate")
def reshuffled(one: Rows[Descent], other: Rows[Descent], epochs: int) -> Estimate:
    """{one}: the risk is below that of sampling with replacement after so many epochs: {epochs}."""
    risks = [run(t, "risk", step=epochs * one.case.setting.points)[:, 0] for t in (one, other)]
    return statistic(lambda means: means[0] / means[1], np.stack(risks, axis=1))


@claim(within_share(0.05), "risk", NETWORKS, "mean risk on the digits left out at the end")
def lazy(t: Rows[Network]) -> Estimate:
    """{t}: its training on digits ends where the law of its linearisation says."""
    return mean(run(t, "risk")[:, -1]).against(law(t, *WHOLE)[-1])


def sampled(found: Found) -> list[Rows[Descent]]:
    """Those that the law is about."""
    return [t for order in SAMPLED for t in found.of(Descent, order=order)]


def claims(found: Found) -> Iterator[Claim]:
    replaced, without = (found.of(Descent, order=order) for order in SAMPLED)
    beside = {(t.case.setting, t.case.batch): t for t in replaced}
    yield from map(decomposed, sampled(found))
    yield from (never_better(t) for t in replaced if told(t))
    yield mean_descends(sampled(found))
    if without:
        yield first_step([(t, beside[t.case.setting, t.case.batch]) for t in without])
    yield from map(fluctuates, without)
    yield from (judged(t) for t in found.of(Race) for judged in (more_steps, fewer_gradients))
    yield from (settles(found.of(Scales)), explodes(found.of(Scales)))
    yield from map(stable, found.of(Edge, factor=FACTORS[0]))
    yield from map(unstable, found.of(Edge, factor=FACTORS[-1]))
    for t in found.of(Descent, order="reshuffle"):
        yield from (reshuffled(t, beside[t.case.setting, t.case.batch], epochs) for epochs in t.case.epochs)
    yield from map(lazy, found.of(Network))


def by_steps(ts: Sequence[Rows[Any]], column: str, **laws: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    """Laws by steps, and the mean over replicates with the least and greatest tenth of them cut off."""
    for t in ts:
        world = str(t.case if isinstance(t.case, Network) else t.case.setting)
        x, labels = {"step": law(t, "step")}, {"world": world, "batch": f"b = {t.case.batch}", "order": t.case.order}
        yield curves(x, column, {name: law(t, *columns) for name, columns in laws.items()}, **labels)
        low, high = np.quantile(values := run(t, column), [0.1, 0.9], axis=0)
        series = "SGD" if t.case.order in SAMPLED else "SGD, reshuffled"
        yield curve(x, {column: values.mean(0)}, (low, high), series=series, **labels)


def risks(found: Found) -> Iterator[pl.DataFrame]:
    """Risk by steps: gradient descent at the same rate (GD), GD and the fluctuation (law; of epochs that with replacement, of a
    network that of its linearisation), and mean over replicates (SGD); the band leaves out a tenth at each end.
    """
    return by_steps([*found.of(Descent), *found.of(Network)], "risk", GD=("descent",), law=WHOLE)


def fluctuations(found: Found) -> Iterator[pl.DataFrame]:
    """What sampling adds to the risk: mean squared distance from gradient descent in the norm of the risk, and its law."""
    return by_steps(sampled(found), "gap", law=("fluctuation",))


def races(found: Found) -> Iterator[pl.DataFrame]:
    """Least excess risk over rates, by the law, by gradients so far: n a step of gradient descent (GD), b a step of SGD."""
    for t in found.of(Race):
        methods = {f"SGD, b = {t.case.batch}": "law"}
        if t is found.of(Race, setting=t.case.setting)[0]:
            methods["GD"] = "law of GD"
        for method, axis in methods.items():
            x, risk = (t.where(axis=axis)[name] for name in ("gradients", "risk"))
            yield curves({"gradients": x}, "risk", {"law": risk}, world=str(t.case.setting), method=method)


def edges(found: Found) -> Iterator[pl.DataFrame]:
    """The fluctuation by steps, b = 1, no noise, d > n. Above the edge rare runs carry the law's mean; none of them was met."""
    for t in found.of(Edge):
        gap, labels = run(t, "gap"), {"world": str(t.case.setting), "step size": f"{t.case.factor:g} of the largest"}
        series = {"law": law(t, "fluctuation"), "mean": gap.mean(0), "median": np.median(gap, axis=0)}
        yield curves({"step": law(t, "step")}, "gap", series, **labels)


def scales(found: Found) -> Iterator[pl.DataFrame]:
    """The largest stable step of SGD; 2/mean ‖x‖², the rule of thumb for b = 1; 2/λ_max, the edge of gradient descent; and by
    what factor a step at 0.95 and 1.05 of the first multiplies the mean square of the weights in the long run.
    """
    for t in found.of(Scales):
        renamed = {"rule_of_thumb": "rule", "edge_of_gd": "edge", "growth_below": "below", "growth_above": "above"}
        yield t.frame.select(pl.lit(str(t.case.setting)).alias("world"), "batch", "largest", **renamed)


def tables(found: Found) -> Iterator[Table]:
    yield from table("risk", "Risk by steps", risks, found)
    yield from table("fluctuation", "What sampling adds", fluctuations, found)
    yield from table("race", "Risk by gradients", races, found)
    yield from table("edge", "At the edge of stability", edges, found)
    yield from table("scales", "Largest stable steps", scales, found)


STEP, LINEAR, SEEN = Axis("step", "steps"), Axis("step", "steps", log=False), pl.col("gap") < 1e4
RISK, GAP, COUNTED = Axis("risk", "risk"), Axis("gap", "fluctuation"), Axis("gradients", "gradients of single points")
ONE, FRESH, SHUFFLES = pl.col("batch") == "b = 1", pl.col("order") == "replacement", pl.col("order") == "reshuffle"
MEASURED: dict[Any, Kind] = dict.fromkeys(("SGD", "SGD, reshuffled", "mean"), "simulation")
KINDS: dict[Any, Kind] = {"GD": "asymptote", "law": "theory", **MEASURED, "median": "learner"}

SUM = "The risk of SGD is gradient descent's and a fluctuation"
ONE_POINT = "Batches of one point, drawn with replacement: measured risks lie on the law."
LARGER = "Each batch size at its own learning rate; what is measured lies on the law."
AHEAD = "For the same number of gradients SGD is ahead, until it reaches its floor."
RARE = "Above the largest stable step the fluctuation grows; the law's mean is carried by runs too rare to be met."
BELOW = "The law is that of sampling with replacement: reshuffling ends below it."
figure = partial(Figure, kinds=KINDS, columns="world")
FIGURES = (
    figure("multi-pass-sgd", SUM, "risk", STEP, RISK, shown=ONE & FRESH, caption=ONE_POINT),
    figure("fluctuation", "What sampling adds", "fluctuation", STEP, GAP, colour="batch", shown=FRESH, caption=LARGER),
    figure("race", "Risk by gradients", "race", COUNTED, RISK, colour="method", caption=AHEAD),
    figure("edge", "At the edge of stability", "edge", LINEAR, GAP, rows="step size", shown=SEEN, caption=RARE),
    figure("reshuffled", "Epochs in random order", "risk", STEP, RISK, shown=ONE & SHUFFLES, caption=BELOW),
)


def summary(found: Found) -> str:
    config, scale = found.config, found.of(Scales, batch=1)[0].frame.row(0, named=True)
    means = [run(t, "risk").mean() / law(t, *WHOLE).mean() for t in sampled(found)]
    return (
        f"SGD passes many times over {config.points} points in {config.dimension} dimensions, and over digits. Given the "
        "training set, its expected risk is that of gradient descent plus a fluctuation, both exact at every step, for every "
        "rate and batch size, with and without replacement; so is the largest step at which the fluctuation stays bounded. "
        f"No constant is fitted.\n\nOver {config.runs.replicates} runs in each of {len(means)} cells, measured risks are "
        f"{min(means):.3f} to {max(means):.3f} of the law's. In the first world the rule of thumb for the largest step, "
        f"2/mean ‖x‖², is {scale['rule'] / scale['largest']:.2f} times what is stable."
    )
