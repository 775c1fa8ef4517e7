"""Can scores that are estimated by nested Langevin chains sample what Langevin itself cannot reach?

Recursive score estimation is compared with its exact law on Gaussian targets, and on two separated modes with what else can be
done with as many evaluations: one segment, fits in place of the recursion, plain and annealed Langevin, and exact scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, exact, mean, table
from twopart.evidence.judges import above, below, equals, never_below, within, within_share
from twopart.findings import Claim, Table
from twopart.laws.sampling import diffusion_mc as law
from twopart.laws.sampling.grids import langevin_gap
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, both, every, rising, settings
from twopart.studies import Work, check_real_data

STUDY, TITLE = "recursive-score", "Recursive score estimation"
PAPER, PAGE = "Huang, Zou, Dong, Ma, Zhang 2024, arXiv 2401.06325", "docs/laws/recursive-score.md"
GAUSSIAN, COST, AMORTISED = f"{PAGE}, Gaussian targets", f"{PAGE}, cost", f"{PAGE}, amortised recursion"
CONVEX = f"{PAPER}, segment length as in public reviews; {PAGE}, segments"

COUNTS = both(rising(1), every(at_least(1))).because("each must be able to move")
PAIRS = both(rising(1), every(at_least(2))).because("a control variate needs a spread")
ONE, RECURSIVE, FIT, BARE = "one segment", "two segments, recursive", "fits, control variate", "fits"
LANGEVIN, ANNEALED = "Langevin", "Langevin, annealed"
FITS, METHODS = (FIT, BARE), (FIT, BARE, RECURSIVE, ONE, LANGEVIN, ANNEALED)
FORETOLD, EXACT, TRUTH = "law of one segment", "exact scores", "target"
SAMPLES = 1000
"""For so many samples evaluations are counted: fits are made once for all of them."""


@settings
class Gaussian:
    """A Gaussian target in one dimension, in two segments."""

    centre: Annotated[float, between(-10, 10), "Mean."] = 1.5
    variance: Annotated[float, between(0, 100, "()"), "Variance."] = 0.25
    segment: Annotated[float, between(0, 3, "(]"), "Length of each segment."] = 0.9
    chains: Annotated[tuple[int, ...], COUNTS, "Chains n."] = (2, 4, 8)
    links: Annotated[int, at_least(1), "Langevin steps m of each chain."] = 8
    rounds: Annotated[int, at_least(1), "Sampler's steps R in each segment."] = 6
    estimates: Annotated[int, at_least(10), "Estimates of one score, in each replicate."] = 4000
    draws: Annotated[int, at_least(10), "Samples in each replicate."] = 1500


@settings
class Modes:
    """Two modes of unit variance at ±a along the first axis."""

    distance: Annotated[float, between(1, 8, "(]"), "a."] = 3.0
    weight: Annotated[float, between(0, 1, "()"), "Weight of the mode at +a."] = 0.8
    horizon: Annotated[float, between(0, 10, "()"), "Time T of the diffusion."] = 3.0

    def curvature(self, t: float) -> float:
        """The largest eigenvalue of the Hessian of ln p at time t."""
        return (self.distance * math.exp(-t)) ** 2 - 1

    def smoothness(self, t: float) -> float:
        """A bound in absolute value; every component has curvature 1 at all times."""
        return max(1.0, self.curvature(t))

    def score(self, x: Floats, t: float = 0.0) -> Floats:
        """Of the diffused law, along the first axis."""
        a = self.distance * math.exp(-t)
        return np.asarray(a * np.tanh(a * x + self.odds) - x)

    def log_density(self, x: Floats) -> Floats:
        """Of the target, up to a constant."""
        a = self.distance
        return np.asarray(np.logaddexp(self.odds - (x - a) ** 2 / 2, -self.odds - (x + a) ** 2 / 2))

    @property
    def odds(self) -> float:
        """Half of their logarithm."""
        return math.log(self.weight / (1 - self.weight)) / 2


@settings
class Chains:
    """How every sampler of the modes is run."""

    plain: Annotated[int, at_least(1), "Chains n of one segment."] = 16
    lengths: Annotated[tuple[int, ...], COUNTS, "Steps m of one segment; the last is foretold."] = (25, 100)
    turns: Annotated[int, at_least(1), "Sampler's steps R of one segment, and of each of two."] = 12
    nested: Annotated[tuple[int, ...], COUNTS, "Chains and steps, n = m, of the recursion over two segments."] = (4, 6)
    fitted: Annotated[tuple[int, ...], PAIRS, "Chains n of fits; the last is judged."] = (5, 20)
    moves: Annotated[int, at_least(2), "Steps m of fits' chains."] = 80
    stride: Annotated[float, between(0, 1, "(]"), "Their step, in units of the inverse smoothness."] = 0.2
    burn: Annotated[float, between(0, 1, "[)"), "Share of each that is dropped before averaging."] = 0.4
    points: Annotated[int, at_least(16), "Points G of each fit in one dimension; five times as many in more."] = 161
    pace: Annotated[float, between(0, 1, "(]"), "Longest step h of the sampler over fits."] = 0.1
    particles: Annotated[int, at_least(10), "Samples in each replicate."] = 500


@settings
class Config:
    """Recursive scores: estimates, samples and costs beside their laws, and two modes by every sampler at equal cost."""

    gaussian: Gaussian = Gaussian()
    modes: Modes = Modes()
    run: Chains = Chains()
    dimensions: Annotated[tuple[int, ...], every(at_least(2)), "Of fits beyond one dimension."] = (2,)
    product: Annotated[int, at_least(2).because("1 chain of 1 step says nothing"), "n m in the curves of cost."] = 36
    cancer: Annotated[bool, "Sample the log-concave posterior of breast cancer data, too."] = True
    replicates: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates."] = 8


TINY = Chains(4, (5, 20), 4, (2,), (2, 8), moves=10, points=41, pace=0.3, particles=50)
PRESETS = {
    "tiny": Config(Gaussian(chains=(2, 4), estimates=200, draws=20), Modes(2.0), TINY, (), 36, False, 2),
    "small": Config(),
    "full": Config(run=Chains(lengths=(25, 100, 400), nested=(4, 6, 8), fitted=(5, 20, 80)), dimensions=(2, 10)),
}


@dataclass(frozen=True)
class Estimates:
    """One score of a Gaussian's law, estimated again and again."""

    gaussian: Gaussian
    chains: int
    level: int
    replicates: int

    def __str__(self) -> str:
        return f"level {self.level}, {self.chains} chains"


@dataclass(frozen=True)
class Sampled:
    """The two modes, or the posterior of breast cancer data, by one method, at one size; or by laws on a grid."""

    modes: Modes
    run: Chains
    method: str
    size: int
    """Steps, chains or both, as the method has it."""
    replicates: int
    dimension: int = 1

    def __str__(self) -> str:
        letter = "m" if self.method == ONE else "steps" if self.method.startswith("Langevin") else "n"
        return f"{self.method}, {letter} = {self.size}" + (f", d = {self.dimension}" if self.dimension > 1 else "")

    @property
    def plan(self) -> tuple[Floats, list[int], int, int]:
        """Lengths of the method's segments, the sampler's steps in each, chains, and their steps."""
        T, run = self.modes.horizon, self.run
        if self.method in FITS:
            lengths = law.segments(self.modes.curvature, T)
            return lengths, [math.ceil(length / run.pace) for length in lengths], self.size, run.moves
        if self.method == RECURSIVE:
            return np.array([T / 2, T / 2]), [run.turns] * 2, self.size, self.size
        return np.array([T]), [run.turns], run.plain, self.size

    @property
    def calls(self) -> int:
        """Of the target's score, for one sample; Langevin chains are as long as one segment's or the recursion's cost."""
        lengths, inner, n, m = self.plan
        return self.size if self.method in (LANGEVIN, ANNEALED) else law.cost(len(lengths), n, m, inner)


def cells(config: Config, seed: int) -> Iterator[Work]:
    g, modes, run, R = config.gaussian, config.modes, config.run, config.replicates
    for chains in g.chains:
        yield from (Work("estimate", Estimates(g, chains, level, R)) for level in (1, 2))
        yield Work("draw", Estimates(g, chains, 2, R))
    yield Work("foretell", Sampled(modes, run, FORETOLD, run.lengths[-1], R))
    sampled = [Sampled(modes, run, ONE, m, R) for m in run.lengths]
    sampled += [Sampled(modes, run, RECURSIVE, n, R) for n in run.nested]
    budgets = sorted({case.calls for case in sampled})
    sampled += [Sampled(modes, run, method, steps, R) for method in (LANGEVIN, ANNEALED) for steps in budgets]
    sampled += [Sampled(modes, run, method, n, R) for method in FITS for n in run.fitted]
    sampled += [Sampled(modes, run, FIT, run.fitted[0], R, d) for d in config.dimensions]
    yield from (Work("sample", case) for case in sampled)
    check_real_data("cancer", config.cancer)
    one = Sampled(modes, run, ONE, run.lengths[0], R, 31)  # weights
    for case in (one, replace(one, method=LANGEVIN, size=one.calls)) if config.cancer else ():
        yield Work("regress", case)


@claim(within(3), "standard errors", GAUSSIAN, "mean of all estimates of one score, less the law's")
def right_on_average(t: Rows[Estimates]) -> Estimate:
    """Gaussian target, {t}: the estimate's mean is the law's."""
    value, variance, foretold = t.array("mean", "variance", "law_mean").mean(0)
    error = math.sqrt(variance / (t.case.gaussian.estimates * t.case.replicates))
    return exact((value - foretold) / error).against(0.0)


@claim(within_share(0.05), "variance of a score", GAUSSIAN, "variance of estimates of one score")
def spread_as_foretold(t: Rows[Estimates]) -> Estimate:
    """Gaussian target, {t}: the estimate's variance is the law's."""
    return mean(t.array("variance")).against(t.array("law")[0])


@claim(below(0.03), "relative deviation", GAUSSIAN, "variance of samples, relative to the law, less 3 standard errors")
def samples_spread(t: Rows[Estimates]) -> Estimate:
    """Gaussian target, {t}: samples have the law's variance, {foretold:.4f}, not the target's, {variance:g}."""
    share, foretold = float((t.array("variance") / t.array("law")).mean()), t.array("law")[0]
    error = math.sqrt(2 / (t.case.gaussian.draws * t.case.replicates))  # of a Gaussian's variance
    words = {"foretold": foretold, "variance": t.case.gaussian.variance}
    return exact(max(0.0, abs(share - 1) - 3 * error)).against(0.0, **words)


@claim(never_below(1e-9), "curvature", CONVEX, "least curvature of the posterior over a grid")
def convex(modes: Modes) -> Estimate:
    """Two modes at a = {modes.distance:g}, 1 S: the posterior is log-concave by at least L."""
    return exact(posterior_curvature(modes, 1).min()).against(modes.smoothness(0))


@claim(below(), "curvature", CONVEX, "largest curvature of the posterior over a grid")
def smooth(modes: Modes) -> Estimate:
    """Two modes at a = {modes.distance:g}, 1 S: its curvature is at most 3 L."""
    return exact(posterior_curvature(modes, 1).max()).against(3 * modes.smoothness(0))


@claim(equals(1e-3), "curvature", CONVEX, "least curvature of the posterior over a grid")
def bent(modes: Modes) -> Estimate:
    """Two modes at a = {modes.distance:g}, 2 S: the posterior falls short of L as foretold: the length cannot be doubled."""
    foretold = 1 / math.expm1(4 * law.segments(modes.smoothness(0), modes.horizon)[0]) - modes.curvature(0)
    return exact(posterior_curvature(modes, 2).min()).against(foretold)


def posterior_curvature(modes: Modes, multiple: int) -> Floats:
    """Of a segment of the theorem's length, or of a multiple of it, on a grid."""
    length, a = multiple * law.segments(modes.smoothness(0), modes.horizon)[0], modes.distance
    x = np.linspace(-a - 5, a + 5, 20_001)
    return np.asarray(1 / math.expm1(2 * length) + 1 - (a / np.cosh(a * x + modes.odds)) ** 2)


@claim(equals(0.0), "calls", COST, "calls of the target's score, counted in the score")
def counted(found: Sequence[Rows[Any]]) -> Estimate:
    """The calls are those that are foretold, in {count} runs of estimates and samplers."""
    seen, foretold = (sum(t.array(column).mean() for t in found) for column in ("counted", "calls"))
    return exact(seen).against(foretold, count=len(found))


@claim(within(0.03), "share", f"{PAGE}, one segment", "share of samples at x > 0, law on a grid")
def missed(t: Rows[Sampled], laws: Rows[Sampled]) -> Estimate:
    """Two modes by {t}: it misses the mode's weight, {truth:.2f}, by what its chains forget too slowly."""
    return mean(t.array("weight")).against(told(laws, FORETOLD, "weight"), truth=told(laws, TRUTH, "weight"))


@claim(within(0.03), "share", AMORTISED, "share of samples at x > 0; exact scores: law on a grid")
def weighed(t: Rows[Sampled], laws: Rows[Sampled]) -> Estimate:
    """Two modes by {t}: the weight is that of exact scores at the same steps."""
    return mean(t.array("weight")).against(told(laws, EXACT, "weight"))


@claim(within_share(0.15), "variance", AMORTISED, "variance of samples at x > 0; exact scores: law on a grid")
def shaped(t: Rows[Sampled], laws: Rows[Sampled]) -> Estimate:
    """Two modes by {t}: the variance in the mode is that of exact scores at the same steps."""
    return mean(t.array("variance")).against(told(laws, EXACT, "variance"))


@claim(above(0.0), "decades", COST, "law less law: log10 of calls for one sample less log10 1/gap, least over a")
def dearer(config: Config, series: str) -> Estimate:
    """{series}, n m = {config.product}: the recursion asks for more than Langevin needs to forget, at every a in [1.5, 6]."""
    costs = log_costs(config.product, config.modes.horizon)
    return exact(float(np.min(costs[series] - costs[LANGEVIN])))


@claim(below(1.0), "ratio", PAGE, "rms error of posterior means, Langevin's over one segment's; reference: NUTS")
def log_concave(one: Rows[Sampled], chain: Rows[Sampled]) -> Estimate:
    """Logistic regression on breast cancer data, log-concave: Langevin has the smaller error at as many calls."""
    return mean(chain.array("error") / one.array("error"))


def grid_laws(found: Found) -> Rows[Sampled]:
    return found.one(Sampled, function="foretell")


def longest(found: Found) -> Rows[Sampled]:
    """One segment, with the most steps."""
    return found.one(Sampled, function="sample", method=ONE, size=found.config.run.lengths[-1])


def told(laws: Rows[Sampled], series: str, column: str) -> float:
    return float(laws.array(column, series=series).item())


UNIFORM, ADAPTIVE = "Uniform segments", "Adaptive segments"
DISTANCES = np.linspace(1.5, 6, 19)


@lru_cache(maxsize=4)
def log_costs(product: int, horizon: float) -> dict[str, Floats]:
    """log10 of calls for one sample by a: the recursion with one step in each segment, and Langevin's 1/gap."""
    found: dict[str, list[float]] = {UNIFORM: [], ADAPTIVE: [], LANGEVIN: []}
    for a in DISTANCES.tolist():
        modes = Modes(a, 0.5, horizon)
        for name, bound in ((UNIFORM, modes.smoothness(0)), (ADAPTIVE, modes.curvature)):
            found[name].append(math.log10(law.cost(len(law.segments(bound, horizon)), product, 1)))
        found[LANGEVIN].append(-math.log10(langevin_gap(modes.log_density, -a - 7, a + 7)))
    return {name: np.array(values) for name, values in found.items()}


def claims(found: Found) -> Iterator[Claim]:
    config, estimates = found.config, found.of(Estimates, function="estimate")
    samples, sampled, laws = (
        found.of(Estimates, function="draw"),
        found.of(Sampled, function="sample"),
        grid_laws(found),
    )
    for t in (t for t in estimates if t.case.chains == config.gaussian.chains[len(config.gaussian.chains) // 2]):
        yield from (right_on_average(t), spread_as_foretold(t))
    yield from map(samples_spread, samples)
    yield from (convex(config.modes), smooth(config.modes), bent(config.modes))
    yield counted([*estimates, *samples, *(t for t in sampled if t.case.method in (ONE, RECURSIVE))])
    yield missed(longest(found), laws)
    for fit in (t for t in sampled if t.case.method in FITS):
        if fit.case.size == config.run.fitted[-1] or fit.case.dimension > 1:
            yield from (weighed(fit, laws), shaped(fit, laws))
    yield from (dearer(config, series) for series in (UNIFORM, ADAPTIVE))
    if posteriors := found.of(Sampled, function="regress"):
        yield log_concave(*posteriors)


def of_modes(found: Found) -> Iterator[pl.DataFrame]:
    """Evaluations of the target's score, or of a fit in its place, for 1000 samples. Weight: share of samples at x > 0;
    variance: of those. Bands: least and greatest replicate. Laws on a grid; exact scores at the steps of the fits.
    """
    sampled, laws = found.of(Sampled, function="sample"), grid_laws(found)
    spent = {t: float(t.array("evaluations").mean()) for t in sampled}
    flat, one = [spent[t] for t in sampled if t.case.dimension == 1], spent[longest(found)]
    ends = [min(flat), max(flat)]
    for quantity, name in QUANTITIES.items():
        for method, d in product(METHODS, (1, *found.config.dimensions)):
            if part := found.of(Sampled, function="sample", method=method, dimension=d):
                x, y = {"evaluations": [spent[t] for t in part]}, np.stack([t.array(quantity) for t in part], 1)
                yield curve(x, {"value": y}, series=method, quantity=name, dimension=d)
        for series, at in ((FORETOLD, [one / 2, one]), (EXACT, ends), (TRUTH, ends)):
            y = np.full(2, told(laws, series, quantity))
            yield curve({"evaluations": at}, {"value": y}, series=series, quantity=name, dimension=1)


def of_costs(found: Found) -> Iterator[pl.DataFrame]:
    """Decades: log10 of calls of the target's score for one sample, R = 1, and log10 of 1/gap. Laws."""
    for name, values in log_costs(found.config.product, found.config.modes.horizon).items():
        yield curve({"distance": DISTANCES}, {"decades": values}, series=name)


def of_estimates(found: Found) -> Iterator[pl.DataFrame]:
    """Root mean square error of the estimated score at one point, by calls of the target's score for one estimate."""
    for level in (1, 2):
        part, name = found.of(Estimates, function="estimate", level=level), f"level {level}"
        x = {"calls": [t.array("calls")[0] for t in part]}
        foretold = [np.hypot(t.array("law_mean") - t.array("exact"), np.sqrt(t.array("law")))[0] for t in part]
        measured = [np.sqrt((t.array("mean") - t.array("exact")) ** 2 + t.array("variance")) for t in part]
        yield curve(x, {"error": foretold}, series=f"law, {name}", level=name)
        yield curve(x, {"error": np.stack(measured, 1)}, series=f"measured, {name}", level=name)


def tables(found: Found) -> Iterator[Table]:
    yield from table("modes", "Two modes by every sampler", of_modes, found)
    yield from table("cost", "Cost by distance", of_costs, found)
    yield from table("estimates", "Estimates of a score", of_estimates, found)


QUANTITIES = {"weight": "weight of the mode at +a", "variance": "variance in the mode"}
SERIES: dict[Any, Kind] = {EXACT: "theory", FORETOLD: "theory", TRUTH: "asymptote", ...: "learner"}
LEVELS: dict[Any, Kind] = {"law, level 1": "theory", "law, level 2": "theory", ...: "simulation"}
FIGURES = (
    Figure("modes", "Two modes by every sampler", "modes", Axis("evaluations", f"evaluations of a score for {SAMPLES} samples"),
           Axis("value", "share, variance", "", False, (0.4, 1.6)), SERIES, columns="quantity", shown=pl.col("dimension") == 1,
           caption="Fits reach the weight of exact scores; two segments of the recursion do not; Langevin is cheaper here."),
    Figure("cost", "Where the recursion would win it cannot be run", "cost", Axis("distance", "distance a", log=False),
           Axis("decades", "log10 of calls"), "theory", colour="series",
           caption="Mind the axis, the logarithm of a logarithm: from few decades on no machine makes as many calls."),
    Figure("estimates", "An estimate is as wrong as the law says", "estimates", Axis("calls", "calls for one estimate"),
           Axis("error", "error of the score"), LEVELS, colour="level",
           caption="A second level costs the square of the calls and is not better."),
)  # fmt: skip


def summary(found: Found) -> str:
    modes, laws = found.config.modes, grid_laws(found)
    K = len(law.segments(modes.curvature, modes.horizon))
    decades = math.log10(law.cost(K, found.config.product, 1))
    exactly, one = told(laws, EXACT, "weight"), told(laws, FORETOLD, "weight")
    return (
        "The score of a diffused density is a mean under a posterior. Recursive score estimation cuts the diffusion into "
        "segments so short that every posterior is log-concave, and asks for the score at a segment's start by the same "
        "means, down to the target. Its law is exact for Gaussian targets, its calls are counted before it runs.\n\n"
        f"Two modes at ±{modes.distance:g}, {modes.weight:g} of the weight in one: exact scores at the same steps give "
        f"{exactly:.3f}, one segment {one:.3f} by its law. The full recursion over adaptive segments would take "
        f"10^{decades:.0f} calls for one sample; fits in its place are made."
    )
