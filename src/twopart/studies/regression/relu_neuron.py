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
from twopart.laws.regression.relu_chain import bernoulli_risk
from twopart.laws.regression.relu_neuron import NeuronPass, gaussian_risk, mean_weights, same_sign_risk, sgd_floor
from twopart.laws.regression.schedule import geometric
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, multiple_of, settings
from twopart.studies import Work, spaced, world_seed
from twopart.worlds.regression.relu_neuron import Inputs, ReluNeuron

STUDY, TITLE = "relu-neuron", "One ReLU neuron"
PAPER, PAGE = "Wu, Zou, Chen, Braverman, Gu, Kakade 2023, arXiv 2303.02255", "docs/laws/relu-neuron.md"
MEAN, GAUSSIAN, BERNOULLI = f"{PAGE}, the mean", f"{PAGE}, gaussian inputs", f"{PAGE}, bernoulli inputs"
SIGNS, WRONG = f"{PAGE}, the constant between them", f"{PAGE}, wrong labels"

ALGORITHMS, SIDES = ("GLM-tron", "SGD"), ("right signs", "wrong signs")
GRID = 400  # cells of a chain beside runs: right to a thousandth
GROUP = 50  # replicates are looked at in groups of so many
Start = Literal["normal", "signs", "opposite"]
Use = Literal["gaussian", "bernoulli", "mean", "noiseless", "slope", "mirrored"]
SEEDS = at_least(2 * GROUP), multiple_of(GROUP).because(f"they are averaged in groups of {GROUP}")
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
    seeds: Annotated[int, *SEEDS, "Replicates of a risk in 100 dimensions; as many more in fewer."] = 2000
    many: Annotated[int, *SEEDS, "Replicates of a mean, and in a Bernoulli world."] = 20_000
    instances: Annotated[int, at_least(2), multiple_of(2), "Random Bernoulli instances, half of right signs."] = 50
    rates: Annotated[int, at_least(2), "Rates tried for each of them."] = 9
    grid: Annotated[int, at_least(100), "Cells of a chain's grid."] = 300


PRESETS = {
    "tiny": Config((20,), (6,), 10, 50, seeds=100, many=200, instances=2, rates=2, grid=100),
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
        used = {"slope": ", constant rate", "mirrored": ", mirrored labels"}.get(self.use, "")
        return f"{self.inputs.capitalize()}, d = {self.dimension}{'' if self.noise else ', no noise'}{used}"

    @cached_property
    def world(self) -> ReluNeuron:
        kind, size = "mirrored" if self.share else "well-specified", 1.0 if self.inputs == "gaussian" else 0.8
        given = {name: getattr(self, name) for name in ("decay", "noise", "inputs", "share", "seed")}
        return ReluNeuron.power(self.dimension, size=size, kind=kind, **given)

    @cached_property
    def begin(self) -> Floats:
        """w_0, the same for all replicates."""
        random = _random.generator(self.seed, "start")
        if self.start == "normal":
            return random.standard_normal(self.dimension)
        half = np.where(np.arange(self.dimension) < self.dimension // 2, -0.5, 0.5)
        return np.asarray((-1 if self.start == "opposite" else random.permutation(half)) * self.world.optimum)

    @cached_property
    def schedule(self) -> Floats:
        """The learning rate of each sample."""
        return np.full(self.samples, self.rate) if self.constant else geometric(self.samples, self.rate)

    @cached_property
    def marks(self) -> list[int]:
        """After how many samples it is looked at."""
        even = np.linspace(1, self.samples, 40).round().astype(int)
        return np.unique(even).tolist() if self.use == "slope" else spaced(1, self.samples, 40)

    @cached_property
    def laws(self) -> dict[str, Any]:
        """The moments of Gaussian inputs or the chains of Bernoulli ones, by algorithm."""
        law: Any = gaussian_risk if self.inputs == "gaussian" else partial(bernoulli_risk, at=self.marks, cells=GRID)
        return {a: law(self.given(a)) for a in ALGORITHMS}

    def given(self, algorithm: str) -> NeuronPass:
        """What laws of its risk are given."""
        return NeuronPass(
            self.world.spectrum, self.world.optimum, self.begin, self.schedule, self.noise, algorithm == "SGD"
        )

    def law(self, algorithm: str) -> Floats:
        """Risk at the marks."""
        risk: Floats = self.laws[algorithm].risk
        return risk[self.marks] if self.inputs == "gaussian" else risk

    @cached_property
    def mean(self) -> Floats:
        """E w of GLM-tron at the marks, shape (marks, d)."""
        return mean_weights(self.world.spectrum, self.world.cross_moment, self.schedule, self.begin, at=self.marks)

    @property
    def watched(self) -> tuple[int, float, Floats]:
        """The first axis whose weight starts with the wrong sign, the right one, and a histogram's edges; 0 is one of them."""
        first, reach = int(np.flatnonzero(self.begin * self.world.truth <= 0)[0]), 1.5 * np.abs(self.world.truth).max()
        return first, float(np.sign(self.world.truth[first])), np.linspace(-reach, reach, 51)


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

    slowest = ReluNeuron.power(6, decay=1.5).spectrum[-1]  # there SGD has learnt all but 1e-4 of what it can
    spent = int(np.ceil(np.log(1e-4) / np.log1p(slowest / 2 * ((1 - 0.5) ** 2 - 1))))
    steady, signs = {"rate": 0.5, "constant": True}, {"start": "signs"}
    for d in config.dimensions:
        yield work("gaussian", "gaussian", d, 1.2, config.noise, N, few * max(1, 100 // d))
    for d in config.axes:
        yield work("bernoulli", "bernoulli", d, 1.2, config.noise, N // 4, many, **signs)
    yield work("mean", "gaussian", 35, 1.2, config.noise, min(N, 400), many)
    yield work("noiseless", "bernoulli", 6, 1.5, 0.0, spent, few, **steady, **signs)
    yield work("noiseless", "gaussian", config.isotropic, 0.0, 0.0, 20 * config.isotropic, min(few, 500), **steady)
    yield work("slope", "gaussian", 12, 1.2, config.noise, min(N, 200), 5 * many, constant=True, start="opposite")
    yield work("mirrored", "gaussian", 4, 0.5, 0.1, 10 * N, min(few, 500), share=0.3)
    for number in range(config.instances):
        instance = Instance(number, config.rates, config.grid, world_seed(seed, STUDY, "instances"))
        yield Work("compare", instance, cost=1e6 * config.rates)


def compare(case: Instance, cell: Cell) -> pl.DataFrame:
    """Risks of both algorithms at the best of the rates, and what of GLM-tron's is bias."""
    given, tried, right = dict(case.problem), dict[bool, list[tuple[float, float, NeuronPass]]](), case.number % 2 == 0
    facts = {"noise": given["noise"], "samples": (N := given.pop("samples"))}
    for gate, rate in product((False, True), np.geomspace(0.02, 1.5, case.rates).tolist()):
        one = NeuronPass(**given, rates=geometric(N, rate), gate=gate)
        chain = bernoulli_risk(one, cells=case.grid)
        tried.setdefault(gate, []).append((float(chain.risk[-1]), chain.error, one))
        cell.progress(sum(map(len, tried.values())), 2 * case.rates)
    (tron, error, by), (sgd, _, _) = (min(of_one, key=lambda found: found[0]) for of_one in tried.values())
    bias = same_sign_risk(by)[0][-1] / tron if right else np.nan
    row = {"series": SIDES[not right], "quotient": sgd / tron, "tron": tron, "sgd": sgd, "bias": bias, "error": error}
    return pl.DataFrame([row | facts])


def risk(t: Rows[Pass], algorithm: str) -> Floats:
    """At the marks, by group, shape (G, marks)."""
    return t.array("risk", axis="time", algorithm=algorithm)


THIRD, CONTRAST = f"{PAPER}, theorem 3; {BERNOULLI}", f"contrast to {PAPER}, theorem 3"
EQUALS = "whose excess risk equals what no neuron explains"
GROUPS = f"groups of {GROUP} replicates"
CHANCE = "squared distance of a group's mean from the law over its expectation"
END = "mean risk of the runs over the law's, at the end, where it differs most of {count}: {where}"


@claim(within(0.15), "ratio of variances", MEAN, CHANCE)
def linear_mean(t: Rows[Pass]) -> Estimate:
    """{t}: GLM-tron's mean weights follow the linear law, and are off by no more than chance."""
    w, variance = (t.array(moment, axis="end", algorithm="GLM-tron") for moment in ("mean", "variance"))
    off = np.square(w - t.case.mean[-1]) @ t.case.world.spectrum
    chance = t.case.world.spectrum @ variance.mean(0) / GROUP
    return mean(off / chance, over=GROUPS).against(1.0)


def worst(passes: Sequence[Rows[Pass]]) -> Estimate:
    """{inputs} inputs: the risks of GLM-tron and SGD are the law's."""
    ratios = {f"{t}, {a}": risk(t, a)[:, -1] / t.case.law(a)[-1] for t, a in product(passes, ALGORITHMS)}
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
pays_twice = claim(within_share(0.1), "excess risk", WRONG, "mean excess risk of GLM-tron at the end")(last)
pays_once = claim(below(0.1), "share of that", WRONG, "mean excess risk of SGD at the end")(last)


def tuned(instances: Sequence[Rows[Instance]], *signs: str) -> pl.DataFrame:
    """A row for each instance of these signs."""
    return pl.concat([t.frame for t in instances]).filter(pl.col("series").is_in(signs or SIDES))


BIASED = "the bias is a tenth of GLM-tron's risk or more in all of them"
SPENT = Guard(BIASED, lambda instances: bool(tuned(instances, SIDES[0])["bias"].to_numpy().min() > 0.1))
BEST = "{count} instances, each algorithm at the best of its rates"
HALVED = f"order: {PAPER}, theorem 2; constant: {SIGNS}"
STEEPEST = "least-squares slope from the start over the law's, in the worst of {count} directions"


@claim(within_range(0.45, 0.6), "ratio of risks", HALVED, f"the least of {BEST}", SPENT)
def instance_wise(instances: Sequence[Rows[Instance]]) -> Estimate:
    """Bernoulli inputs, instance by instance: SGD's risk is at least half of GLM-tron's, and can be as little."""
    return exact(tuned(instances)["quotient"].to_numpy().min()).against(0.5, count=len(instances))


@claim(within_range(0.5, 1), "ratio of risks", SIGNS, f"the largest of {BEST}")
def right_signs(instances: Sequence[Rows[Instance]]) -> Estimate:
    """Bernoulli inputs, all signs right from the start: GLM-tron is never better, as both share the bias."""
    right = tuned(instances, SIDES[0])["quotient"].to_numpy()
    return exact(right.max()).against(None, count=len(right))


@claim(within_share(0.05), "ratio of slopes", MEAN, STEEPEST)
def slope(t: Rows[Pass]) -> Estimate:
    """{t}: GLM-tron's mean error falls by 1 - γλ/2 a sample in every direction, not by e^(-γλ/2)."""
    steps, γλ, best = np.array(t.case.marks), t.case.rate * t.case.world.spectrum, t.case.world.best
    w = t.array("mean", axis="path").reshape(-1, len(steps), len(best))
    far = np.abs(w.mean(0) - best) > 10 * w.std(0, ddof=1) / np.sqrt(len(w))
    clear = np.logical_and.accumulate(far, axis=0)  # up to which mark a mean is ten standard errors from w*

    def of(mean_path: Floats, i: Any) -> float:
        n, left = steps[clear[:, i]], mean_path[clear[:, i], i] - best[i]
        return float(np.log(np.abs(left / (t.case.begin - best)[i])) @ n / (n @ n) / np.log1p(-γλ[i] / 2))

    fast = np.flatnonzero((t.case.samples * γλ > 2) & (clear.sum(0) > 2))
    if not len(fast):
        return exact(np.nan).against(1.0, count=0)
    which = max(fast, key=lambda i: abs(of(w.mean(0), i) - 1))
    return statistic(lambda p: of(p, which), w, over=GROUPS).against(1.0, count=len(fast))


def claims(found: Found) -> Iterator[Claim]:
    chained, instances = found.of(Pass, use="bernoulli"), found.of(Instance)
    axes, gauss = (found.one(Pass, use="noiseless", inputs=inputs) for inputs in ("bernoulli", "gaussian"))
    mirrored = found.one(Pass, use="mirrored")
    start, kept = gauss.case.world.excess(gauss.case.begin), sgd_floor(axes.case.given("SGD"))
    unexplained = mirrored.case.world.excess((1 - 2 * mirrored.case.share) * mirrored.case.world.optimum)
    yield from (linear_mean(t) for t in (found.one(Pass, use="mean"), chained[0]))
    yield from (gaussian(found.of(Pass, use="gaussian")), bernoulli(chained))
    yield floor(axes, "SGD", "SGD keeps the whole risk of the weights that start with the wrong sign", kept)
    yield no_floor(axes, "GLM-tron", "GLM-tron, on the same samples, does not", None, kept)
    yield from (instance_wise(instances), right_signs(instances))
    yield converges(gauss, "SGD", "SGD has no floor there; theorem 3 is about the law of the inputs", None, start)
    yield slope(found.one(Pass, use="slope"))
    yield pays_twice(mirrored, "GLM-tron", f"GLM-tron ends at (1 - 2p) w*, {EQUALS}", unexplained)
    yield pays_once(mirrored, "SGD", "SGD, on the same samples, ends at the best neuron", None, unexplained)


def risks(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """Mean excess risk after so many samples, with the least and the greatest of groups of 50 replicates, and its law."""
    for t, a in product(passes, ALGORITHMS):
        series = {"law": t.case.law(a), "run": risk(t, a)}
        yield curves({"samples": t.case.marks}, "risk", series, world=str(t), algorithm=a)


def means(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """E w_i - w*_i of GLM-tron at the end, by direction: linear law, and mean over replicates with four standard errors."""
    for t in passes:
        best, w = t.case.world.best, t.array("mean", axis="end", algorithm="GLM-tron")
        series = {"law": t.case.mean[-1] - best, "run": w - best}
        yield curves({"direction": np.arange(1, len(best) + 1)}, "error", series, 4, world=str(t))


def histograms(passes: Sequence[Rows[Pass]]) -> Iterator[pl.DataFrame]:
    """Where the weight of the first axis with the wrong sign ends, times the right one: share of replicates by bin, with four
    standard errors, and the chain's.
    """
    for t, a in product(passes, ALGORITHMS):
        (i, sign, edges), chain = t.case.watched, t.case.laws[a]
        points = sign * chain.points[i]  # rising
        inside = np.diff(np.interp(edges, points + np.diff(points)[0] / 2, np.cumsum(chain.mass[i]), left=0.0))
        inside += chain.atom[i] * np.histogram(sign * t.case.begin[i], edges)[0]
        series = {"chain": inside, "runs": t.array("count", axis="weight", algorithm=a)}
        yield curves({"weight": (edges[1:] + edges[:-1]) / 2}, "share", series, 4, world=str(t), algorithm=a)


def compared(instances: Sequence[Rows[Instance]]) -> Iterator[pl.DataFrame]:
    """Random Bernoulli instances of three axes, exact by the chains, each algorithm at the best of its first rates. Bias: its
    share of GLM-tron's risk; error: how far half as many cells of the grid would take that risk.
    """
    yield tuned(instances)


def tables(found: Found) -> Iterator[Table]:
    noisy, quiet = (found.of(Pass, use=use) for use in ("bernoulli", "noiseless"))
    yield from table("risk", "Risk by samples", risks, [*found.of(Pass, use="gaussian"), *noisy])
    yield from table("noiseless", "Risk without noise", risks, quiet)
    yield from table("instances", "Instance by instance", compared, found.of(Instance))
    yield from table("weights", "Where a weight ends", histograms, noisy[:1])
    yield from table("means", "Mean error by direction", means, [*found.of(Pass, use="mean"), *noisy[:1]])


SAMPLES, RISK = Axis("samples", "samples read"), Axis("risk", "excess risk")
OF_TRON, QUOTIENT = Axis("tron", "excess risk of GLM-tron"), Axis("quotient", "SGD's risk over GLM-tron's")
linear = partial(Axis, log=False)
WEIGHT, SHARE = linear("weight", "weight, times the sign of its truth"), linear("share", "share of runs")
DIRECTION, ERROR = linear("direction", "direction"), linear("error", "E w - w*")
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
    right, wrong = (tuned(found.of(Instance), side)["quotient"].to_numpy() for side in SIDES)
    return (
        "A ReLU neuron is learned in one pass by GLM-tron, and by SGD, which does not step where it answers 0; their risks are "
        f"predicted without a fitted constant. In random Bernoulli instances SGD's is {right.min():.2f} to {right.max():.2f} "
        f"times GLM-tron's from right signs, {wrong.min():.2f} to {wrong.max():.3g} times from wrong ones."
    )
