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
from numpy.typing import NDArray

from twopart import _random
from twopart.evidence import Estimate, Found, Guard, Rows, around, claim, curve, exact, mean, statistic, table
from twopart.evidence.judges import below, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.regression.relu_chain import Chain, bernoulli_risk
from twopart.laws.regression.relu_neuron import gaussian_risk, mean_weights, same_sign_risk, sgd_floor
from twopart.laws.regression.schedule import geometric
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, multiple_of, settings
from twopart.studies import Work, world_seed
from twopart.worlds.regression.arrays import Floats
from twopart.worlds.regression.relu_neuron import Inputs, ReluNeuron

STUDY, TITLE = "relu-neuron", "One ReLU neuron"
PAPER, PAGE = "Wu, Zou, Chen, Braverman, Gu, Kakade 2023, arXiv 2303.02255", "docs/laws/relu-neuron.md"
MEAN, GAUSSIAN, BERNOULLI = f"{PAGE}, the mean", f"{PAGE}, gaussian inputs", f"{PAGE}, bernoulli inputs"
SIGNS, WRONG = f"{PAGE}, the constant between them", f"{PAGE}, wrong labels"

ALGORITHMS = ("GLM-tron", "SGD")
GRID = 400  # cells of a chain beside runs: right to a thousandth
GROUP = 50  # replicates are looked at in groups of so many
Start = Literal["normal", "signs", "opposite"]
Use = Literal["gaussian", "bernoulli", "mean", "noiseless", "slope", "mirrored"]
SEEDS = multiple_of(GROUP).because(f"they are averaged in groups of {GROUP}")
RATE = between(0, 1, "(]").because("a longer step may overshoot")


@settings
class Config:
    """One ReLU neuron: GLM-tron and SGD on the same samples, under Gaussian and Bernoulli inputs."""

    dimensions: Annotated[tuple[int, ...], distinct(1), every(at_least(2)), "Of the Gaussian worlds."] = (10, 100, 400)
    axes: Annotated[tuple[int, ...], distinct(1), every(at_least(4)), "Dimensions of the Bernoulli worlds."] = (6, 50)
    isotropic: Annotated[int, at_least(2), "Dimension of the Gaussian world without noise."] = 50
    samples: Annotated[int, at_least(50).because("the rate is halved many times"), "Samples, each read once."] = 2000
    rate: Annotated[float, RATE, "The first learning rate; it is halved every N/log2(N) samples."] = 0.4
    noise: Annotated[float, between(0, 10, "(]"), "Standard deviation of the labels' noise."] = 0.3
    seeds: Annotated[
        int, at_least(2 * GROUP), SEEDS, "Replicates of a risk in 100 dimensions; as many more in fewer."
    ] = 2000
    many: Annotated[int, at_least(2 * GROUP), SEEDS, "Replicates of a mean, and in a Bernoulli world."] = 20_000
    instances: Annotated[int, at_least(2), multiple_of(2), "Random Bernoulli instances, half of right signs."] = 50
    rates: Annotated[int, at_least(2), "Rates tried for each of them."] = 9
    grid: Annotated[int, at_least(100), "Cells of a chain's grid."] = 300


PRESETS = {
    "tiny": Config((20,), (6,), 10, 100, seeds=100, many=200, instances=2, rates=3, grid=100),
    "small": Config(),
    "full": Config((10, 100, 1000, 10_000), (6, 100, 1000), 200, 20_000, many=100_000, instances=200, grid=800),
}


@dataclass(frozen=True)
class Pass:
    """A cell: R passes of GLM-tron and of SGD, each pair over samples of its own."""

    use: Use
    """What it is for."""
    inputs: Inputs
    dimension: int
    decay: float
    noise: float
    samples: int
    rate: float
    constant: bool
    """Whether the rate stays as it is."""
    seeds: int
    start: Start
    """normal: w_0 ~ N(0, I); signs: |w_0| = |w*|/2, the sign wrong in half of the directions; opposite: -w*."""
    seed: int
    share: float = 0.0
    """Of mirrored labels."""

    def __str__(self) -> str:
        named = "Gaussian" if self.inputs == "gaussian" else "Bernoulli"
        without = "" if self.noise else ", no noise"
        return f"{named}, d = {self.dimension}{without}{OF_USE[self.use]}"

    @cached_property
    def world(self) -> ReluNeuron:
        given: dict[str, Any] = {name: getattr(self, name) for name in ("decay", "noise", "inputs", "share", "seed")}
        given["kind"] = "mirrored" if self.share else "well-specified"
        return ReluNeuron.power(self.dimension, size=1.0 if self.inputs == "gaussian" else 0.8, **given)

    @cached_property
    def begin(self) -> Floats:
        """w_0, the same for all replicates."""
        random = _random.generator(self.seed, "start")
        if self.start == "normal":
            return random.standard_normal(self.dimension)
        if self.start == "opposite":
            return -self.world.optimum
        sign = np.where(np.arange(self.dimension) < self.dimension // 2, -0.5, 0.5)
        return np.asarray(random.permutation(sign) * self.world.optimum)

    @cached_property
    def schedule(self) -> Floats:
        """The learning rate of each sample."""
        return np.full(self.samples, self.rate) if self.constant else geometric(self.samples, self.rate)

    @cached_property
    def marks(self) -> list[int]:
        """After how many samples it is looked at."""
        spaced = np.linspace if self.use == "slope" else np.geomspace
        return sorted({round(n) for n in spaced(1, self.samples, 40).tolist()})

    def law(self, algorithm: str) -> Floats:
        """Risk at the marks."""
        return self._laws[algorithm]

    @cached_property
    def _laws(self) -> dict[str, Floats]:
        if self.inputs == "bernoulli":
            return {algorithm: chain.risk for algorithm, chain in self.chains.items()}
        given = self.world.spectrum, self.world.truth, self.begin, self.schedule
        risks = {a: gaussian_risk(*given, noise=self.noise, gate=a == "SGD").risk for a in ALGORITHMS}
        return {algorithm: risk[self.marks] for algorithm, risk in risks.items()}

    @cached_property
    def chains(self) -> dict[str, Chain]:
        given = self.world.spectrum, self.world.truth, self.begin, self.schedule
        grid: dict[str, Any] = {"noise": self.noise, "at": self.marks, "cells": GRID}
        return {a: bernoulli_risk(*given, **grid, gate=a == "SGD") for a in ALGORITHMS}

    @cached_property
    def mean(self) -> Floats:
        """E w of GLM-tron at the marks, shape (marks, d)."""
        moments = self.world.spectrum, self.world.cross_moment
        return mean_weights(*moments, self.schedule, self.begin, at=self.marks)

    @property
    def floor(self) -> float:
        """What SGD without noise keeps on Bernoulli inputs."""
        return sgd_floor(self.world.spectrum, self.world.truth, self.begin)

    @property
    def bins(self) -> Floats:
        """Edges of the histogram of the weights; 0 is one, a start is not."""
        reach = 1.5 * float(np.abs(self.world.truth).max())
        return np.linspace(-reach, reach, 51)


OF_USE = {"slope": ", constant rate", "mirrored": ", mirrored labels"} | dict.fromkeys(
    ("gaussian", "bernoulli", "mean", "noiseless"), ""
)


@dataclass(frozen=True)
class Instance:
    """A cell: a random Bernoulli world of three axes, and the best that each algorithm does there, by the chains."""

    number: int
    """Even: all weights start with the right sign; odd: at least one with the wrong one."""
    rates: int
    grid: int
    seed: int

    def __str__(self) -> str:
        return f"instance {self.number}"

    @property
    def signs(self) -> str:
        return "right signs" if self.number % 2 == 0 else "wrong signs"

    @cached_property
    def problem(self) -> dict[str, Any]:
        """λ, |w*| in 0.4..1.2, the start, within 0.1 % of w* in two of three instances of right signs, noise, samples."""
        random = _random.generator(self.seed, "instance", self.number)
        λ, truth = random.dirichlet(np.ones(3)), random.uniform(0.4, 1.2, 3)
        near = random.random() < 2 / 3
        share = 1 - 0.001 * random.random(3) if near else random.uniform(0.1, 0.9, 3)
        if self.number % 2:
            share = random.uniform(0.1, 1, 3) * random.permutation([-1, *random.choice([-1, 1], 2)])
        noise, samples = np.exp(random.uniform(np.log(0.05), 0)), int(random.integers(20, 201))
        return {"eigenvalues": λ, "truth": truth, "start": share * truth, "noise": float(noise), "samples": samples}


def cells(config: Config, seed: int) -> Iterator[Work]:
    few, many, N = config.seeds, config.many, config.samples

    def work(use: Use, inputs: Inputs, d: int, decay: float, noise: float, n: int, seeds: int, **given: Any) -> Work:
        given = {"rate": config.rate, "constant": False, "start": "normal", **given}
        case = Pass(use, inputs, d, decay, noise, n, seeds=seeds, seed=world_seed(seed, STUDY, use, inputs, d), **given)
        return Work("descend", case, cost=seeds * n * d)

    steady, signs = {"rate": 0.5, "constant": True}, {"start": "signs"}
    for d in config.dimensions:
        yield work(
            "gaussian", "gaussian", d, 1.2, config.noise, N, few * max(1, 100 // d)
        )  # fewer dimensions, more chance
    for d in config.axes:
        yield work("bernoulli", "bernoulli", d, 1.2, config.noise, N // 4, many, **signs)
    yield work("mean", "gaussian", 35, 1.2, config.noise, min(N, 400), many)
    yield work("noiseless", "bernoulli", 6, 1.5, 0.0, spent(6, 1.5, 0.5), few, **steady, **signs)
    yield work("noiseless", "gaussian", config.isotropic, 0.0, 0.0, 20 * config.isotropic, min(few, 500), **steady)
    yield work("slope", "gaussian", 12, 1.2, config.noise, min(N, 200), 5 * many, constant=True, start="opposite")
    yield work("mirrored", "gaussian", 4, 0.5, 0.1, 10 * N, min(few, 500), share=0.3)
    for number in range(config.instances):
        instance = Instance(number, config.rates, config.grid, world_seed(seed, STUDY, "instances"))
        yield Work("compare", instance, cost=1e6 * config.rates)


def spent(dimension: int, decay: float, rate: float, left: float = 1e-4) -> int:
    """After how many samples nothing but `left` remains of what SGD without noise can learn: f < left in the slowest axis."""
    slowest = ReluNeuron.power(dimension, decay=decay).spectrum[-1]
    return int(np.ceil(np.log(left) / np.log1p(slowest / 2 * ((1 - rate) ** 2 - 1))))


def compare(case: Instance, cell: Cell) -> pl.DataFrame:
    """Risks of both algorithms at the best of the rates, and what of GLM-tron's is bias."""
    given = {name: value for name, value in case.problem.items() if name != "samples"}
    quiet = {name: value for name, value in given.items() if name != "noise"}
    N, error = case.problem["samples"], 0.0
    best: dict[bool, tuple[float, ...]] = {}
    for k, (rate, gate) in enumerate(product(np.geomspace(0.02, 1.5, case.rates), (False, True)), 1):
        γ = geometric(N, rate)
        found = bernoulli_risk(**given, rates=γ, gate=gate, cells=case.grid)
        error = max(error, found.error)
        if gate not in best or found.risk[-1] < best[gate][0]:
            bias = same_sign_risk(**quiet, rates=γ)[0][-1] if case.number % 2 == 0 else np.nan
            best[gate] = float(found.risk[-1]), float(bias), float(rate)
        cell.progress(k, 2 * case.rates)
    tron, sgd = best[False], best[True]
    first = bernoulli_risk(**given, rates=[0.0], cells=50, at=[0]).risk[0]
    tuned = {"tron": tron[0], "sgd": sgd[0], "bias": tron[1], "tron_rate": tron[2], "sgd_rate": sgd[2]}
    return pl.DataFrame([{"replicate": 0, **tuned, "first": first, "error": error}])


def risk(t: Rows[Pass], algorithm: str) -> Floats:
    """At the marks, by group, shape (G, marks)."""
    return t.array("risk", axis="time", algorithm=algorithm)


def weights(t: Rows[Pass], column: str = "mean", **where: Any) -> Floats:
    """Of GLM-tron's weights in each group at the end, shape (G, d)."""
    return t.array(column, axis="end", algorithm="GLM-tron", **where)


def path(t: Rows[Pass]) -> Floats:
    """Mean weights of GLM-tron at the marks by group, shape (G, marks, d)."""
    flat = t.array("mean", axis="path")
    return flat.reshape(len(flat), len(t.case.marks), -1)


def worst(passes: Sequence[Rows[Pass]]) -> Estimate:
    """The run over its law where they differ most."""
    ratios = {f"{t}, {a}": risk(t, a)[:, -1] / t.case.law(a)[-1] for t, a in product(passes, ALGORITHMS)}
    where = max(ratios, key=lambda name: abs(float(ratios[name].mean()) - 1))
    return mean(ratios[where], over=GROUPS).against(1.0, where=where, count=len(ratios))


GROUPS = f"groups of {GROUP} replicates"
END = "mean risk of the runs over the law's, at the end"


@claim(
    within(0.15),
    "ratio of variances",
    MEAN,
    "squared distance of a group's mean from the law over its expectation",
)
def linear_mean(t: Rows[Pass]) -> Estimate:
    """{t}: GLM-tron's mean weights follow the linear law, and are off by no more than chance."""
    off = np.square(weights(t) - t.case.mean[-1]) @ t.case.world.spectrum
    chance = t.case.world.spectrum @ weights(t, "variance").mean(0) / GROUP
    return mean(off / chance, over=GROUPS).against(1.0)


@claim(within(0.03), "ratio of risks", GAUSSIAN, f"{END}, where it differs most of {{count}}: {{where}}")
def gaussian(passes: Sequence[Rows[Pass]]) -> Estimate:
    """Gaussian inputs: the risks of GLM-tron and SGD are those of the closed moments."""
    return worst(passes)


@claim(within(0.02), "ratio of risks", BERNOULLI, f"{END}, where it differs most of {{count}}: {{where}}")
def bernoulli(passes: Sequence[Rows[Pass]]) -> Estimate:
    """Bernoulli inputs: the risks of GLM-tron and SGD are those of the Markov chains."""
    return worst(passes)


@claim(within_share(0.02), "risk", f"{PAPER}, theorem 3; {BERNOULLI}", "mean risk of SGD at the end")
def floor(t: Rows[Pass]) -> Estimate:
    """{t}: SGD keeps the whole risk of the weights that start with the wrong sign."""
    return mean(risk(t, "SGD")[:, -1], over=GROUPS).against(t.case.floor)


@claim(below(0.01), "share of SGD's floor", f"{PAPER}, theorem 3; {BERNOULLI}", "mean risk of GLM-tron at the end")
def no_floor(t: Rows[Pass]) -> Estimate:
    """{t}: GLM-tron, on the same samples, does not."""
    return mean(risk(t, "GLM-tron")[:, -1] / t.case.floor, over=GROUPS).against(None)


def quotients(instances: Sequence[Rows[Instance]]) -> Floats:
    """SGD's risk over GLM-tron's, shape (instances,)."""
    return np.array([t.frame["sgd"].item() / t.frame["tron"].item() for t in instances])


def biased(instances: Sequence[Rows[Instance]]) -> bool:
    """Whether the bias is nowhere below a tenth of GLM-tron's risk."""
    shares = [t.frame["bias"].item() / t.frame["tron"].item() for t in instances if t.case.number % 2 == 0]
    return bool(min(shares) > 0.1)


SPENT = Guard("the bias is a tenth of GLM-tron's risk or more in all of them", biased)
BEST = "{count} instances, each algorithm at the best of its rates"
HALVED, CONTRAST = f"order: {PAPER}, theorem 2; constant: {SIGNS}", f"contrast to {PAPER}, theorem 3"
STEEPEST = "least-squares slope from the start over the law's, in the worst of {count} directions"


@claim(within_range(0.45, 0.6), "ratio of risks", HALVED, f"the least of {BEST}", SPENT)
def instance_wise(instances: Sequence[Rows[Instance]]) -> Estimate:
    """Bernoulli inputs, instance by instance: SGD's risk is at least half of GLM-tron's, and can be as little."""
    return exact(quotients(instances).min()).against(0.5, count=len(instances))


@claim(within_range(0.5, 1), "ratio of risks", SIGNS, f"the largest of {BEST}")
def right_signs(instances: Sequence[Rows[Instance]]) -> Estimate:
    """Bernoulli inputs, all signs right from the start: GLM-tron is never better, as both share the bias."""
    right = [t for t in instances if t.case.number % 2 == 0]
    return exact(quotients(right).max()).against(None, count=len(right))


@claim(below(0.01), "share of the risk at the start", CONTRAST, "mean risk of SGD after 20 d samples")
def gaussian_converges(t: Rows[Pass]) -> Estimate:
    """{t}: SGD has no floor there; theorem 3 is about the law of the inputs."""
    return mean(risk(t, "SGD")[:, -1] / t.case.world.excess(t.case.begin), over=GROUPS).against(None)


@claim(within_share(0.05), "ratio of slopes", MEAN, STEEPEST)
def slope(t: Rows[Pass]) -> Estimate:
    """{t}: GLM-tron's mean error falls by 1 - γλ/2 a sample in every direction, not by e^(-γλ/2)."""
    steps, rate, λ, w = np.array(t.case.marks), t.case.rate, t.case.world.spectrum, path(t)
    clear = told_apart(t)
    fast = np.flatnonzero((t.case.samples * rate * λ > 2) & (clear.sum(0) > 2))

    def of(mean_path: Floats, i: Any) -> float:
        n, error = steps[clear[:, i]], mean_path[clear[:, i], i] - t.case.world.best[i]
        fallen = np.log(np.abs(error / (t.case.begin[i] - t.case.world.best[i])))
        return float(fallen @ n / (n @ n) / np.log1p(-rate * λ[i] / 2))

    if not len(fast):
        return exact(np.nan).against(1.0, count=0)
    which = max(fast, key=lambda i: abs(of(w.mean(0), i) - 1))
    return statistic(lambda p: of(p, which), w, over=GROUPS).against(1.0, count=len(fast))


@claim(within_share(0.1), "excess risk", WRONG, "mean excess risk of GLM-tron at the end")
def pays_twice(t: Rows[Pass]) -> Estimate:
    """{t}: GLM-tron ends at (1 - 2p) w*, whose excess risk equals what no neuron explains."""
    return mean(risk(t, "GLM-tron")[:, -1], over=GROUPS).against(unexplained(t.case))


@claim(below(0.1), "share of that", WRONG, "mean excess risk of SGD at the end")
def pays_once(t: Rows[Pass]) -> Estimate:
    """{t}: SGD, on the same samples, ends at the best neuron."""
    return mean(risk(t, "SGD")[:, -1] / unexplained(t.case), over=GROUPS).against(None)


def unexplained(case: Pass) -> float:
    """p² Σ λ w*²/2: the excess of (1 - 2p) w*, and the loss of the best neuron against E[y|x]."""
    return float(case.share**2 * case.world.spectrum @ np.square(case.world.truth) / 2)


def claims(found: Found) -> Iterator[Claim]:
    """The mean, the risks, the floor, instances, Gaussian inputs without noise, slopes, wrong labels."""
    chained = found.of(Pass, use="bernoulli")
    yield from (linear_mean(t) for t in (found.one(Pass, use="mean"), chained[0]))
    yield from (gaussian(found.of(Pass, use="gaussian")), bernoulli(chained))
    quiet = found.one(Pass, use="noiseless", inputs="bernoulli")
    yield from (floor(quiet), no_floor(quiet))
    instances = found.of(Instance)
    yield from (instance_wise(instances), right_signs(instances))
    yield gaussian_converges(found.one(Pass, use="noiseless", inputs="gaussian"))
    yield slope(found.one(Pass, use="slope"))
    mirrored = found.one(Pass, use="mirrored")
    yield from (pays_twice(mirrored), pays_once(mirrored))


def risks(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """Excess risk E (relu(<x, w>) - relu(<x, w*>))² after so many samples: mean over replicates, with the least and the
    greatest mean of a group of 50. Law: for Gaussian inputs closed moments, for Bernoulli inputs Markov chains.
    """
    for t, a in product(passes, ALGORITHMS):
        x = {"samples": t.case.marks}
        yield curve(x, {"risk": t.case.law(a)}, series="law", world=str(t), algorithm=a)
        yield curve(x, {"risk": risk(t, a)}, series="run", world=str(t), algorithm=a)


def wrong_labels(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """Risk above that of the best neuron, (1 - p) w*, where a share p of the labels is that of -x. Limit: of (1 - 2p) w*."""
    for t, a in product(passes, ALGORITHMS):
        x = {"samples": t.case.marks}
        yield curve(x, {"risk": risk(t, a)}, series=a)
    yield curve(x, {"risk": np.full(len(t.case.marks), unexplained(t.case))}, series="limit of GLM-tron")


def means(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """E w_i - w*_i of GLM-tron at the end, by direction: the linear law, and the mean over replicates with four standard
    errors.
    """
    for t in passes:
        x, best, w = {"direction": np.arange(1, t.case.dimension + 1)}, t.case.world.best, weights(t)
        yield curve(x, {"error": t.case.mean[-1] - best}, series="law", world=str(t))
        middle, error = w.mean(0) - best, 4 * w.std(0, ddof=1) / np.sqrt(len(w))
        yield curve(x, {"error": middle}, (middle - error, middle + error), series="run", world=str(t))


def told_apart(t: Rows[Pass]) -> NDArray[np.bool_]:
    """Up to which mark a mean weight is ten standard errors from w*, shape (marks, d)."""
    w = path(t)
    far = np.abs(w.mean(0) - t.case.world.best) > 10 * w.std(0, ddof=1) / np.sqrt(len(w))
    return np.logical_and.accumulate(far, axis=0)


def slopes(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """|E w_i - w*_i| of GLM-tron at a constant rate in some directions: law, w_0 - w* times (1 - γλ_i/2)^t, and mean over
    replicates as long as it is ten standard errors.
    """
    for t, i in product(passes, (0, 1, 3, 7)):
        if i < t.case.dimension:
            shown = told_apart(t)[:, i]
            x, best, direction = {"samples": np.array(t.case.marks)[shown]}, t.case.world.best[i], f"direction {i + 1}"
            yield curve(x, {"error": np.abs(t.case.mean[shown, i] - best)}, series="law", direction=direction)
            run = np.abs(path(t)[:, shown, i].mean(0) - best)
            yield curve(x, {"error": run}, series="run", direction=direction)


def histograms(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """Where the weight of the first axis that starts with the wrong sign ends, times the sign of its truth: share of replicates
    per bin, with four standard errors, and the chain's. Weights that were never touched are in it.
    """
    for t, a in product(passes, ALGORITHMS):
        i, chain = first_wrong(t.case), t.case.chains[a]
        sign, edges = float(np.sign(t.case.world.truth[i])), t.case.bins
        points = sign * chain.points[i]  # rising
        inside = np.diff(np.interp(edges, points + np.diff(points)[0] / 2, np.cumsum(chain.mass[i]), left=0.0))
        inside += chain.atom[i] * np.histogram(sign * t.case.begin[i], edges)[0]
        x = {"weight": (edges[1:] + edges[:-1]) / 2}
        shares = t.array("count", axis="weight", algorithm=a)
        yield curve(x, {"share": inside}, series="chain", world=str(t), algorithm=a)
        yield curve(x, {"share": shares}, around(shares, 4), series="runs", world=str(t), algorithm=a)


def first_wrong(case: Pass) -> int:
    """The most frequent axis whose weight starts with the wrong sign."""
    return int(np.flatnonzero(case.begin * case.world.truth <= 0)[0])


def compared(instances: Sequence[Rows[Instance]]) -> Iterator[pl.DataFrame]:
    """Random Bernoulli instances of three axes, exact by the chains, each algorithm at the best of its first rates. Bias: its
    share of GLM-tron's risk; error: how far half as many cells of the grid would take any of the instance's risks.
    """
    for t, quotient in zip(instances, quotients(instances), strict=True):
        row, problem = t.frame.row(0, named=True), t.case.problem
        found = {"series": t.case.signs, "quotient": float(quotient)}
        found |= {name: row[name] for name in ("tron", "sgd", "first", "error")} | {"bias": row["bias"] / row["tron"]}
        found |= {"noise": problem["noise"], "samples": problem["samples"]}
        yield pl.DataFrame([found | {"GLM-tron's rate": row["tron_rate"], "SGD's rate": row["sgd_rate"]}])


def tables(found: Found) -> Iterator[Table]:
    noisy, quiet = (found.of(Pass, use=use) for use in ("bernoulli", "noiseless"))
    yield from table("risk", "Risk by samples", risks, [*found.of(Pass, use="gaussian"), *noisy])
    yield from table("noiseless", "Risk without noise", risks, quiet)
    yield from table("instances", "Instance by instance", compared, found.of(Instance))
    yield from table("weights", "Where a weight ends", histograms, noisy[:1])
    yield from table("means", "Mean error by direction", means, [*found.of(Pass, use="mean"), *noisy[:1]])
    yield from table("slopes", "Mean error by samples", slopes, found.of(Pass, use="slope"))
    yield from table("mirrored", "Wrong labels", wrong_labels, found.of(Pass, use="mirrored"))


SAMPLES, RISK = Axis("samples", "samples read"), Axis("risk", "excess risk")
LAWFUL: dict[Any, Kind] = {"law": "theory", "run": "simulation"}
SIMULATED: dict[Any, Kind] = {"chain": "theory", "runs": "simulation"}
MIRRORED: dict[Any, Kind] = {"limit of GLM-tron": "asymptote", "GLM-tron": "simulation", "SGD": "simulation"}
BOTH = "To the eye law and runs are one; with these starts GLM-tron is ahead for most of the way."
STUCK = (
    "Where inputs are axes, SGD keeps for ever what starts with the wrong sign; where they are Gaussian, it does not."
)
HALF = "With the right signs SGD's risk lies between a half of GLM-tron's and the whole; with wrong ones it can be far above."
OVER = "Noise carries weights over 0; without it SGD's would stop there."
LINEAR = "On average GLM-tron is linear regression with half the covariance."
STRAIGHT = "Every direction falls at its own constant pace."
MISS = "If some labels are those of -x, GLM-tron stops at an excess that SGD does not have."
OF_TRON, QUOTIENT = Axis("tron", "excess risk of GLM-tron"), Axis("quotient", "SGD's risk over GLM-tron's")
linear = partial(Axis, log=False)
WEIGHT, SHARE = linear("weight", "weight, times the sign of its truth"), linear("share", "share of runs")
DIRECTION, MEAN_ERROR = linear("direction", "direction"), linear("error", "E w - w*")
READ, ERROR = linear("samples", "samples read"), Axis("error", "|E w - w*|")
ENDS, LABELS = "Where a weight ends that starts with the wrong sign", "When a share of the labels is that of -x"
TRON, EACH = "SGD's risk over GLM-tron's", "The mean error of each direction"

figure = partial(Figure, kinds=LAWFUL)
pair = partial(figure, x=SAMPLES, y=RISK, columns="world", colour="algorithm")
FIGURES = (
    pair("relu-neuron", "One pass over the samples", "risk", caption=BOTH),
    pair("noiseless", "Without noise", "noiseless", caption=STUCK),
    Figure("instances", TRON, "instances", OF_TRON, QUOTIENT, "simulation", band=None, caption=HALF),
    Figure("weights", ENDS, "weights", WEIGHT, SHARE, SIMULATED, columns="algorithm", caption=OVER),
    figure("means", EACH, "means", DIRECTION, MEAN_ERROR, columns="world", caption=LINEAR),
    figure("slopes", "At a constant rate", "slopes", READ, ERROR, colour="direction", caption=STRAIGHT),
    Figure("mirrored", LABELS, "mirrored", SAMPLES, RISK, MIRRORED, caption=MISS),
)


def summary(found: Found) -> str:
    quotient = quotients(found.of(Instance))
    right = np.array([t.case.number % 2 == 0 for t in found.of(Instance)])
    return (
        "A single ReLU neuron is learned in one pass, by GLM-tron and by SGD on the squared loss, which is the same but for a "
        "gate: it does not step where the neuron answers 0. Risks are predicted with their constants, without a fitted one: by "
        "Markov chains for Bernoulli inputs, by self-averaging moments for Gaussian ones.\n\n"
        f"In {len(quotient)} random Bernoulli instances SGD's risk is {quotient[right].min():.2f} to "
        f"{quotient[right].max():.2f} "
        f"times GLM-tron's where all weights start with the right sign, and {quotient[~right].min():.2f} to "
        f"{quotient[~right].max():.3g} times where some do not."
    )
