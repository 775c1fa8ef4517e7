"""How well does one pass teach a ReLU neuron, with the slope of the link in the step (SGD) and without it (GLM-tron)?

Both read the same samples. Theory gives their risks, constants and all: for Bernoulli inputs exactly, for Gaussian ones by
self-averaging; and GLM-tron's mean exactly for all symmetric inputs and any labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl

from twopart import _random
from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Guard, Rows, claim, curves, exact, mean, statistic, table
from twopart.evidence.judges import below, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.regression import bernoulli_risk, closed_risk, gaussian_risk, geometric, mean_weights, sgd_floor
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, distinct, every, multiple_of, settings
from twopart.studies import Work, spaced, world_seed
from twopart.worlds.regression.relu_neuron import Inputs, ReluNeuron

STUDY, TITLE = "relu-neuron", "One ReLU neuron"
PAPER, PAGE = "Wu, Zou, Chen, Braverman, Gu, Kakade 2023, arXiv 2303.02255", "docs/laws/relu-neuron.md"
MEAN, GAUSSIAN, BERNOULLI = f"{PAGE}, the mean", f"{PAGE}, gaussian inputs", f"{PAGE}, bernoulli inputs"
SIGNS = f"{PAGE}, the constant between them"
ALGORITHMS, SIDES = ("GLM-tron", "SGD"), ("right signs", "wrong signs")
RATE, QUICK, NOISE = 0.4, 0.5, 0.3  # first rates with noise and without, and the noise's standard deviation
GRID = 400  # cells of a chain beside runs: right to a thousandth
GROUP = 50  # replicates are looked at in groups of so many
Use = Literal["gaussian", "bernoulli", "mean", "noiseless", "slope"]
SEEDS = at_least(2 * GROUP), multiple_of(GROUP).because(f"they are averaged in groups of {GROUP}")


@settings
class Config:
    """One ReLU neuron: GLM-tron and SGD on the same samples, under Gaussian and Bernoulli inputs."""

    dimensions: Annotated[tuple[int, ...], distinct(1), every(at_least(2)), "Of the Gaussian worlds."] = (10, 100, 400)
    axes: Annotated[tuple[int, ...], distinct(1), every(at_least(4)), "Dimensions of the Bernoulli worlds."] = (6, 50)
    isotropic: Annotated[int, at_least(2), "Dimension of the Gaussian world without noise."] = 50
    samples: Annotated[int, at_least(50).because("the rate is halved many times"), "Samples, each read once."] = 2000
    seeds: Annotated[int, *SEEDS, "Replicates of a risk in 100 dimensions; as many more in fewer."] = 2000
    many: Annotated[int, *SEEDS, "Replicates of a mean, and in a Bernoulli world."] = 20_000
    instances: Annotated[int, at_least(2), multiple_of(2), "Random Bernoulli instances, half of right signs."] = 50
    rates: Annotated[int, at_least(2), "Rates tried for each of them."] = 9
    grid: Annotated[int, at_least(100), "Cells of a chain's grid."] = 300


PRESETS = {
    "tiny": Config((20,), (6,), 5, 50, seeds=100, many=200, instances=2, rates=2, grid=100),
    "small": Config(),
    "full": Config((10, 100, 1000, 10_000), (6, 100, 1000), 200, 20_000, many=100_000, instances=200, grid=800),
}


@dataclass(frozen=True)
class Pass:
    """A cell: R passes of GLM-tron and of SGD, each pair over samples of its own."""

    use: Use
    inputs: Inputs
    dimension: int
    decay: float
    samples: int
    seeds: int
    seed: int

    def __str__(self) -> str:
        used = {"noiseless": ", no noise", "slope": ", constant rate"}.get(self.use, "")
        return f"{self.inputs.capitalize()}, d = {self.dimension}{used}"

    @cached_property
    def world(self) -> ReluNeuron:
        noise, size = 0.0 if self.use == "noiseless" else NOISE, 1.0 if self.inputs == "gaussian" else 0.8
        return ReluNeuron.power(self.dimension, self.decay, size, noise=noise, inputs=self.inputs, seed=self.seed)

    @cached_property
    def begin(self) -> Floats:
        """w_0 of all replicates: -w* for slopes; on axes |w_0| = |w*|/2, half of the signs wrong; else of N(0, I)."""
        random, d = _random.generator(self.seed, "start"), self.dimension
        if self.inputs == "gaussian":
            return -self.world.optimum if self.use == "slope" else random.standard_normal(d)
        return np.asarray(random.permutation(np.where(np.arange(d) < d // 2, -0.5, 0.5)) * self.world.optimum)

    @cached_property
    def marks(self) -> list[int]:
        """After how many samples it is looked at."""
        even = np.linspace(1, self.samples, 40).round().astype(int)
        return np.unique(even).tolist() if self.use == "slope" else spaced(1, self.samples, 40)

    @cached_property
    def rates(self) -> Floats:
        """The learning rate of each sample."""
        if self.use in ("noiseless", "slope"):
            return np.full(self.samples, RATE if self.world.noise else QUICK)
        return geometric(self.samples, RATE)

    @cached_property
    def laws(self) -> dict[str, Any]:
        """The risk at the marks, by the moments of Gaussian inputs or the chains of Bernoulli ones."""
        law: Any = gaussian_risk if self.inputs == "gaussian" else partial(bernoulli_risk, cells=GRID)
        return {a: law(self.world, self.begin, self.rates, gate=a == "SGD", at=self.marks) for a in ALGORITHMS}

    @cached_property
    def mean(self) -> Floats:
        """E w of GLM-tron at the end, shape (d,)."""
        return np.asarray(mean_weights(self.world.spectrum, self.world.cross_moment, self.rates, self.begin)[-1])

    @property
    def watched(self) -> tuple[int, float, Floats]:
        """The first axis whose weight starts with the wrong sign, the right one, and a histogram's edges; 0 is one of them."""
        first, reach = int(np.flatnonzero(self.begin * self.world.truth <= 0)[0]), 1.5 * np.abs(self.world.truth).max()
        return first, float(np.sign(self.world.truth[first])), np.linspace(-reach, reach, 51)


@dataclass(frozen=True)
class Instances:
    """A cell: random Bernoulli worlds of three axes, and the best that each algorithm does there, by the chains."""

    count: int
    """In the even ones all weights start with the right sign, in the odd ones at least one with the wrong one."""
    rates: int
    grid: int
    seed: int

    def __str__(self) -> str:
        return f"{self.count} instances"

    def problem(self, number: int) -> tuple[ReluNeuron, Floats, list[Floats]]:
        """A world, a start, of three of right signs two within 0.1 % of w*, and the schedules that are tried."""
        random = _random.generator(self.seed, "instance", number)
        λ, truth = random.dirichlet(np.ones(3)), random.uniform(0.4, 1.2, 3)
        near = random.random() < 2 / 3
        share = 1 - 0.001 * random.random(3) if near else random.uniform(0.1, 0.9, 3)
        if number % 2:
            share = random.uniform(0.1, 1, 3) * random.permutation([-1, *random.choice([-1, 1], 2)])
        world = ReluNeuron(λ.tolist(), truth.tolist(), np.exp(random.uniform(np.log(0.05), 0)), "bernoulli")
        samples, rates = int(random.integers(20, 201)), np.geomspace(0.02, 1.5, self.rates)
        return world, share * truth, [geometric(samples, rate) for rate in rates]


def cells(config: Config, seed: int) -> Iterator[Work]:
    few, many, N, quiet = config.seeds, config.many, config.samples, config.isotropic

    def work(use: Use, inputs: Inputs, d: int, decay: float, n: int, seeds: int) -> Work:
        case = Pass(use, inputs, d, decay, n, seeds, world_seed(seed, STUDY, use, inputs, d))
        return Work("descend", case, cost=seeds * n * d)

    slowest = ReluNeuron.power(6, decay=1.5).spectrum[-1]  # there SGD has learnt all but 1e-4 of what it can
    spent = int(np.ceil(np.log(1e-4) / np.log1p(slowest / 2 * ((1 - QUICK) ** 2 - 1))))
    yield from (work("gaussian", "gaussian", d, 1.2, N, few * max(1, 100 // d)) for d in config.dimensions)
    yield from (work("bernoulli", "bernoulli", d, 1.2, N // 4, many) for d in config.axes)
    yield work("mean", "gaussian", 35, 1.2, min(N, 400), many)
    yield work("noiseless", "bernoulli", 6, 1.5, spent, few)
    yield work("noiseless", "gaussian", quiet, 0.0, 20 * quiet, min(few, 500))
    yield work("slope", "gaussian", 12, 1.2, min(N, 200), 5 * many)
    case = Instances(config.instances, config.rates, config.grid, world_seed(seed, STUDY, "instances"))
    yield Work("compare", case, cost=1e6 * config.rates * config.instances)


def compare(case: Instances, cell: Cell) -> pl.DataFrame:
    """Risks of both algorithms at the best of the rates, and what of GLM-tron's is bias; an instance is a replicate."""
    rows = []
    for number in range(case.count):
        world, start, tried = case.problem(number)
        law = partial(bernoulli_risk, world, start, cells=case.grid)
        tron, sgd = ([law(rates, gate=gate).risk[-1] for rates in tried] for gate in (False, True))
        best = int(np.argmin(tron))
        bias = np.nan if number % 2 else closed_risk(world, start, tried[best])[0][-1] / tron[best]
        rows.append((number, SIDES[number % 2], min(sgd) / tron[best], tron[best], bias))
        cell.progress(number + 1, case.count)
    return pl.DataFrame(rows, ["replicate", "series", "quotient", "tron", "bias"], orient="row")


def risk(t: Rows[Pass], algorithm: str) -> Floats:
    """At the marks, by group, shape (G, marks)."""
    return t.array("risk", axis="time", algorithm=algorithm)


THIRD, CONTRAST = f"{PAPER}, theorem 3; {BERNOULLI}", f"contrast to {PAPER}, theorem 3"
GROUPS = f"groups of {GROUP} replicates"
END = "mean risk of the runs over the law's, at the end, where it differs most of {count}: {where}"


@claim(within(0.15), "ratio of variances", MEAN, "squared distance of group means from the law over its expectation")
def linear_mean(t: Rows[Pass]) -> Estimate:
    """{t}: GLM-tron's mean weights follow the linear law, and are off by no more than chance."""
    w, variance = (t.array(moment, axis="end") for moment in ("mean", "variance"))
    λ = t.case.world.spectrum
    return mean(np.square(w - t.case.mean) @ λ / (λ @ variance.mean(0) / GROUP), over=GROUPS).against(1.0)


def worst(passes: Sequence[Rows[Pass]]) -> Estimate:
    """{inputs} inputs: the risks of GLM-tron and SGD are the law's."""
    ratios = {f"{t}, {a}": risk(t, a)[:, -1] / t.case.laws[a].risk[-1] for t, a in product(passes, ALGORITHMS)}
    where = max(ratios, key=lambda name: abs(float(ratios[name].mean()) - 1))
    words = {"where": where, "count": len(ratios), "inputs": passes[0].case.inputs.capitalize()}
    return mean(ratios[where], over=GROUPS).against(1.0, **words)


def last(t: Rows[Pass], algorithm: str, says: str, law: float | None, unit: float = 1.0) -> Estimate:
    """{t}: {says}."""
    return mean(risk(t, algorithm)[:, -1] / unit, over=GROUPS).against(law)


gaussian = claim(within(0.03), "ratio of risks", GAUSSIAN, END)(worst)
bernoulli = claim(within(0.02), "ratio of risks", BERNOULLI, END)(worst)
floor = claim(within_share(0.02), "risk", THIRD, "mean risk of SGD at the end")(last)
no_floor = claim(below(0.01), "share of SGD's floor", THIRD, "mean risk of GLM-tron at the end")(last)
converges = claim(below(0.01), "share of the risk at the start", CONTRAST, "mean risk of SGD after 20 d samples")(last)


BIASED = "the bias is a tenth of GLM-tron's risk or more in all of them"
SPENT = Guard(BIASED, lambda t: bool(t.array("bias", series=SIDES[0]).min() > 0.1))
BEST = "{count} instances, each algorithm at the best of its rates"
HALVED = f"order: {PAPER}, theorem 2; constant: {SIGNS}"
STEEPEST = "least-squares slope from the start over the law's, in the worst of {count} directions"


@claim(within_range(0.45, 0.6), "ratio of risks", HALVED, f"the least of {BEST}", SPENT)
def instance_wise(t: Rows[Instances]) -> Estimate:
    """Bernoulli inputs, instance by instance: SGD's risk is at least half of GLM-tron's, and can be as little."""
    return exact(t.array("quotient").min()).against(0.5, count=t.case.count)


@claim(within_range(0.5, 1), "ratio of risks", SIGNS, f"the largest of {BEST}")
def right_signs(t: Rows[Instances]) -> Estimate:
    """Bernoulli inputs, all signs right from the start: GLM-tron is never better, as both share the bias."""
    return exact(t.array("quotient", series=SIDES[0]).max()).against(None, count=t.case.count // 2)


@claim(within_share(0.05), "ratio of slopes", MEAN, STEEPEST)
def slope(t: Rows[Pass]) -> Estimate:
    """{t}: GLM-tron's mean error falls by 1 - γλ/2 a sample in every direction, not by e^(-γλ/2)."""
    steps, γλ = np.array(t.case.marks), RATE * t.case.world.spectrum
    left = t.array("left", axis="path").reshape(-1, len(steps), len(γλ))
    far = np.abs(left.mean(0)) > 10 * left.std(0, ddof=1) / np.sqrt(len(left))
    clear = np.logical_and.accumulate(far, axis=0)  # up to which mark a mean is ten standard errors from w*

    def of(path: Floats, i: Any) -> float:
        n = steps[clear[:, i]]
        return float(np.log(np.abs(path[clear[:, i], i])) @ n / (n @ n) / np.log1p(-γλ[i] / 2))

    fast = np.flatnonzero((t.case.samples * γλ > 2) & (clear.sum(0) > 2))
    if not len(fast):
        return exact(np.nan).against(1.0, count=0)
    which = max(fast, key=lambda i: abs(of(left.mean(0), i) - 1))
    return statistic(lambda path: of(path, which), left, over=GROUPS).against(1.0, count=len(fast))


def claims(found: Found) -> Iterator[Claim]:
    chained, instances = found.of(Pass, use="bernoulli"), found.one(Instances)
    axes, gauss = (found.one(Pass, use="noiseless", inputs=inputs) for inputs in ("bernoulli", "gaussian"))
    start, kept = gauss.case.world.excess(gauss.case.begin), sgd_floor(axes.case.world, axes.case.begin)
    yield from (linear_mean(t) for t in (found.one(Pass, use="mean"), chained[0]))
    yield from (gaussian(found.of(Pass, use="gaussian")), bernoulli(chained))
    yield floor(axes, "SGD", "SGD keeps the whole risk of the weights that start with the wrong sign", kept)
    yield no_floor(axes, "GLM-tron", "GLM-tron, on the same samples, does not", None, kept)
    yield from (instance_wise(instances), right_signs(instances))
    yield converges(gauss, "SGD", "SGD has no floor there; theorem 3 is about the law of the inputs", None, start)
    yield slope(found.one(Pass, use="slope"))


def risks(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """Mean excess risk after so many samples, with the least and the greatest of groups of 50 replicates, and its law."""
    for t, a in product(passes, ALGORITHMS):
        series = {"law": t.case.laws[a].risk, "run": risk(t, a)}
        yield curves({"samples": t.case.marks}, "risk", series, world=str(t), algorithm=a)


def means(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """E w_i - w*_i of GLM-tron at the end, by direction: linear law, and mean over replicates with four standard errors."""
    for t in passes:
        truth, direction = t.case.world.optimum, np.arange(1, t.case.dimension + 1)
        series = {"law": t.case.mean - truth, "run": t.array("mean", axis="end") - truth}
        yield curves({"direction": direction}, "error", series, 4, world=str(t))


def histograms(t: Rows[Pass]) -> Iterator[pl.DataFrame]:
    """Where the first weight of wrong sign ends, times the right one: share of replicates, four standard errors, and chain."""
    i, sign, edges = t.case.watched
    for a, chain in t.case.laws.items():
        points = sign * chain.points[i]  # rising
        inside = np.diff(np.interp(edges, points + np.diff(points)[0] / 2, np.cumsum(chain.mass[i]), left=0.0))
        inside += chain.atom[i] * np.histogram(sign * t.case.begin[i], edges)[0]
        series = {"chain": inside, "runs": t.array("count", axis="weight", algorithm=a)}
        yield curves({"weight": (edges[1:] + edges[:-1]) / 2}, "share", series, 4, world=str(t), algorithm=a)


def compared(t: Rows[Instances]) -> Iterator[pl.DataFrame]:
    """Random Bernoulli instances, by the chains, each algorithm at the best of its rates; bias: the share in GLM-tron's."""
    yield t.frame.drop("replicate")


def tables(found: Found) -> Iterator[Table]:
    noisy, quiet = (found.of(Pass, use=use) for use in ("bernoulli", "noiseless"))
    yield from table("risk", "Risk by samples", risks, [*found.of(Pass, use="gaussian"), *noisy])
    yield from table("noiseless", "Risk without noise", risks, quiet)
    yield from table("instances", "Instance by instance", compared, found.one(Instances))
    yield from table("weights", "Where a weight ends", histograms, noisy[0])
    yield from table("means", "Mean error by direction", means, [*found.of(Pass, use="mean"), noisy[0]])


SAMPLES, RISK = Axis("samples", "samples read"), Axis("risk", "excess risk")
OF_TRON, QUOTIENT = Axis("tron", "excess risk of GLM-tron"), Axis("quotient", "SGD's risk over GLM-tron's")
WEIGHT, SHARE = Axis("weight", "weight, times its truth's sign", log=False), Axis("share", "share of runs", log=False)
DIRECTION, ERROR = Axis("direction", "direction", log=False), Axis("error", "E w - w*", log=False)
KINDS: dict[Any, Kind] = {"law": "theory", "chain": "theory", "run": "simulation", "runs": "simulation"}

BOTH = "To the eye law and runs are one; with these starts GLM-tron is ahead for most of the way."
STUCK = "On axes SGD keeps for ever what starts with the wrong sign; under Gaussian inputs it does not."
HALF = "With the right signs SGD's risk lies between a half of GLM-tron's and the whole; with wrong ones it can be far above."
OVER = "Noise carries weights over 0; without it SGD's would stop there."
LINEAR = "On average GLM-tron is linear regression with half the covariance."
figure = partial(Figure, kinds=KINDS)
pair = partial(figure, x=SAMPLES, y=RISK, columns="world", colour="algorithm")
FIGURES = (
    pair("relu-neuron", "One pass over the samples", "risk", caption=BOTH),
    pair("noiseless", "Without noise", "noiseless", caption=STUCK),
    Figure("instances", "Instances", "instances", OF_TRON, QUOTIENT, "simulation", band=None, caption=HALF),
    figure("weights", "Where a weight ends", "weights", WEIGHT, SHARE, columns="algorithm", caption=OVER),
    figure("means", "The mean error of each direction", "means", DIRECTION, ERROR, columns="world", caption=LINEAR),
)


def summary(found: Found) -> str:
    right, wrong = (found.one(Instances).array("quotient", series=side) for side in SIDES)
    return (
        "A ReLU neuron is learned in one pass by GLM-tron, and by SGD, which does not step where it answers 0. In random "
        f"Bernoulli instances SGD's risk is {right.min():.2f} to {right.max():.2f} times GLM-tron's from right signs, "
        f"{wrong.min():.2f} to {wrong.max():.3g} times from wrong ones."
    )
