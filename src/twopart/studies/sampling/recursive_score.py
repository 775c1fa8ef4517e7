"""Can scores that are estimated by nested Langevin chains sample what Langevin itself cannot reach?

Recursive score estimation is compared with its exact law on Gaussian targets, and on two separated modes with what else can be
done with as many evaluations: one segment, fits in place of the recursion, plain and annealed Langevin, and exact scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
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

ONE, RECURSIVE, FIT, BARE = "one segment", "two segments, recursive", "fits, control variate", "fits"
LANGEVIN, ANNEALED = "Langevin", "Langevin, annealed"
FITS, METHODS = (FIT, BARE), (FIT, BARE, RECURSIVE, ONE, LANGEVIN, ANNEALED)
FORETOLD, EXACT, TRUTH = "law of one segment", "exact scores", "target"
UNIFORM, ADAPTIVE, LEVELS, DRAWN = "Uniform segments", "Adaptive segments", ("level 1", "level 2"), "samples"
CENTRE, VARIANCE, SEGMENT, LINKS, ROUNDS = 1.5, 0.25, 0.9, 8, 6
"""A Gaussian target in one dimension; the length of its two segments, Langevin steps m and the sampler's steps R in each."""
WEIGHT, HORIZON = 0.8, 3.0
"""Of two modes of unit variance at ±a along the first axis, that of the mode at +a; and the time T of their diffusion."""
SAMPLES = 1000
"""For so many samples evaluations are counted: fits are made once for all of them."""
PRODUCT, DISTANCES = 36, np.linspace(1.5, 6, 19)
"""n m, and distances a, in the curves of cost."""
COUNTS = both(rising(1), every(at_least(1))).because("each must be able to move")
PAIRS = both(rising(1), every(at_least(2))).because("a control variate needs a spread")


@settings
class Chains:
    """How every sampler of the modes is run."""

    distance: Annotated[float, between(1, 8, "(]"), "Half the distance of the modes, a."] = 3.0
    plain: Annotated[int, at_least(1), "Chains n of one segment."] = 16
    lengths: Annotated[tuple[int, ...], COUNTS, "Steps m of one segment; the last is foretold."] = (25, 100)
    turns: Annotated[int, at_least(1), "Sampler's steps R of one segment, and of each of two."] = 12
    nested: Annotated[tuple[int, ...], COUNTS, "Chains and steps, n = m, of the recursion over two segments."] = (4, 6)
    fitted: Annotated[tuple[int, ...], PAIRS, "Chains n of fits; the last is judged."] = (5, 20)
    moves: Annotated[int, at_least(2), "Steps m of fits' chains."] = 80
    points: Annotated[int, at_least(16), "Points G of each fit in one dimension; five times as many in more."] = 161
    pace: Annotated[float, between(0, 1, "(]"), "Longest step h of the sampler over fits."] = 0.1
    particles: Annotated[int, at_least(10), "Samples in each replicate."] = 500


@settings
class Config:
    """Recursive scores: estimates, samples and costs beside their laws, and two modes by every sampler at equal cost."""

    chains: Annotated[tuple[int, ...], COUNTS, "Chains n on the Gaussian target."] = (2, 4, 8)
    estimates: Annotated[int, at_least(10), "Estimates of one of its scores, in each replicate."] = 4000
    draws: Annotated[int, at_least(10), "Samples of it in each replicate."] = 1500
    run: Chains = Chains()
    dimensions: Annotated[tuple[int, ...], every(at_least(2)), "Of fits beyond one dimension."] = (2,)
    cancer: Annotated[bool, "Sample the log-concave posterior of breast cancer data, too."] = True
    replicates: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates."] = 8


TINY = Chains(2.0, 4, (5, 8), 2, (2,), (2, 8), moves=10, points=41, pace=1.0, particles=50)
PRESETS = {
    "tiny": Config((2,), 100, 20, TINY, (), False, 2),
    "small": Config(),
    "full": Config(run=Chains(lengths=(25, 100, 400), nested=(4, 6, 8), fitted=(5, 20, 80)), dimensions=(2, 10)),
}


def curvature(distance: float, t: float) -> float:
    """The largest eigenvalue of the Hessian of ln p at time t, for two modes."""
    return (distance * math.exp(-t)) ** 2 - 1


def smoothness(distance: float, t: float) -> float:
    """A bound in absolute value: every mode has curvature 1 at all times."""
    return max(1.0, curvature(distance, t))


@dataclass(frozen=True)
class Gaussian:
    """Scores and samples of the Gaussian target, from chains in two segments."""

    chains: int
    estimates: int
    draws: int

    def __str__(self) -> str:
        return f"{self.chains} chains"


@dataclass(frozen=True)
class Sampled:
    """The two modes, or the posterior of breast cancer data, by one method, at one size; or by laws on a grid."""

    run: Chains
    method: str
    size: int
    """Steps, chains or both, as the method has it."""
    dimension: int = 1

    def __str__(self) -> str:
        letter = "m" if self.method == ONE else "steps" if self.method.startswith("Langevin") else "n"
        return f"{self.method}, {letter} = {self.size}" + (f", d = {self.dimension}" if self.dimension > 1 else "")

    @property
    def plan(self) -> tuple[Floats, list[int], int, int]:
        """Lengths of the method's segments, the sampler's steps in each, chains, and their steps."""
        run = self.run
        if self.method in FITS:
            lengths = law.segments(partial(curvature, run.distance), HORIZON)
            return lengths, [math.ceil(length / run.pace) for length in lengths], self.size, run.moves
        if self.method == RECURSIVE:
            return np.full(2, HORIZON / 2), [run.turns] * 2, self.size, self.size
        return np.array([HORIZON]), [run.turns], run.plain, self.size

    @property
    def calls(self) -> int:
        """Of the target's score, for one sample; Langevin chains are as long as one segment's cost."""
        lengths, inner, n, m = self.plan
        return self.size if self.method in (LANGEVIN, ANNEALED) else law.cost(len(lengths), n, m, inner)


def cells(config: Config, seed: int) -> Iterator[Work]:
    R, run = config.replicates, config.run
    yield from (Work("estimate", Gaussian(n, config.estimates, config.draws), R) for n in config.chains)
    yield Work("foretell", Sampled(run, FORETOLD, run.lengths[-1]))
    ones = [Sampled(run, ONE, m) for m in run.lengths]
    sampled = ones + [Sampled(run, RECURSIVE, n) for n in run.nested]
    sampled += [Sampled(run, method, one.calls) for method in (LANGEVIN, ANNEALED) for one in ones]
    sampled += [Sampled(run, method, n) for method in FITS for n in run.fitted]
    sampled += [Sampled(run, FIT, run.fitted[0], d) for d in config.dimensions]
    yield from (Work("sample", case, R) for case in sampled)
    check_real_data("cancer", config.cancer)
    one = replace(ones[0], dimension=31)  # weights
    for case in (one, replace(one, method=LANGEVIN, size=one.calls)) if config.cancer else ():
        yield Work("regress", case, R)


@claim(within(3), "standard errors", GAUSSIAN, "mean of all estimates of one score, less the law's")
def right_on_average(t: Rows[Gaussian], of: str) -> Estimate:
    """Gaussian target, {of}, {t}: the estimate's mean is the law's."""
    values = t.array("mean", "variance", "law_mean", of=of)
    value, variance, foretold = values.mean(0)
    return exact((value - foretold) / math.sqrt(variance / (t.case.estimates * len(values)))).against(0.0)


@claim(within_share(0.05), "variance of a score", GAUSSIAN, "variance of estimates of one score")
def spread_as_foretold(t: Rows[Gaussian], of: str) -> Estimate:
    """Gaussian target, {of}, {t}: the estimate's variance is the law's."""
    return mean(t.array("variance", of=of)).against(t.array("law", of=of)[0])


@claim(below(0.03), "relative deviation", GAUSSIAN, "variance of samples, relative to the law, less 3 standard errors")
def samples_spread(t: Rows[Gaussian]) -> Estimate:
    """Gaussian target, {t}: samples have the law's variance, {foretold:.4f}, not the target's, {variance:g}."""
    seen, foretold = t.array("variance", "law", of=DRAWN).T
    error = math.sqrt(2 / (t.case.draws * len(seen)))  # of a Gaussian's variance
    words = {"foretold": foretold[0], "variance": VARIANCE}
    return exact(max(0.0, abs(float((seen / foretold).mean()) - 1) - 3 * error)).against(0.0, **words)


@claim(never_below(1e-9), "curvature", CONVEX, "least curvature of the posterior over a grid")
def convex(laws: Rows[Sampled]) -> Estimate:
    """Two modes at a = {laws.case.run.distance:g}, 1 S: the posterior is log-concave by at least L."""
    return exact(told(laws, "1 S", "least")).against(smoothness(laws.case.run.distance, 0))


@claim(below(), "curvature", CONVEX, "largest curvature of the posterior over a grid")
def smooth(laws: Rows[Sampled]) -> Estimate:
    """Two modes at a = {laws.case.run.distance:g}, 1 S: its curvature is at most 3 L."""
    return exact(told(laws, "1 S", "most")).against(3 * smoothness(laws.case.run.distance, 0))


@claim(equals(1e-3), "curvature", CONVEX, "least curvature of the posterior over a grid")
def bent(laws: Rows[Sampled]) -> Estimate:
    """Two modes at a = {a:g}, 2 S: the posterior falls short of L as foretold: the length cannot be doubled."""
    a = laws.case.run.distance
    foretold = 1 / math.expm1(4 * law.segments(smoothness(a, 0), HORIZON)[0]) - curvature(a, 0)
    return exact(told(laws, "2 S", "least")).against(foretold, a=a)


@claim(equals(0.0), "calls", COST, "calls of the target's score, counted in the score")
def counted(found: Sequence[Rows[Any]]) -> Estimate:
    """The calls are those that are foretold, in {count} runs of estimates and samplers."""
    seen, foretold = (sum(float(t.frame[column].sum()) for t in found) for column in ("counted", "calls"))
    return exact(seen).against(foretold, count=sum(len(t.frame) for t in found))


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
def dearer(series: str, costs: dict[str, Floats]) -> Estimate:
    """{series}, n m = 36: the recursion asks for more than Langevin needs to forget, at every a in [1.5, 6]."""
    return exact(float(np.min(costs[series] - costs[LANGEVIN])))


@claim(below(1.0), "ratio", PAGE, "rms error of posterior means, Langevin's over one segment's; reference: NUTS")
def log_concave(one: Rows[Sampled], chain: Rows[Sampled]) -> Estimate:
    """Logistic regression on breast cancer data, log-concave: Langevin has the smaller error at as many calls."""
    return mean(chain.array("error") / one.array("error"))


def told(laws: Rows[Sampled], series: str, column: str) -> float:
    """A number of the laws on a grid."""
    return float(laws.array(column, series=series).item())


@lru_cache(maxsize=1)
def log_costs() -> dict[str, Floats]:
    """log10 of calls for one sample by a: the recursion with one step in each segment, and Langevin's 1/gap."""
    found: dict[str, list[float]] = {UNIFORM: [], ADAPTIVE: [], LANGEVIN: []}
    for a in DISTANCES.tolist():
        for name, bound in ((UNIFORM, smoothness(a, 0)), (ADAPTIVE, partial(curvature, a))):
            found[name].append(math.log10(law.cost(len(law.segments(bound, HORIZON)), PRODUCT, 1)))
        found[LANGEVIN].append(-math.log10(langevin_gap(partial(two_modes, a), -a - 7, a + 7)))
    return {name: np.array(values) for name, values in found.items()}


def two_modes(distance: float, x: Floats) -> Floats:
    """Their log density, of equal weights, up to a constant."""
    return np.asarray(np.logaddexp(-((x - distance) ** 2) / 2, -((x + distance) ** 2) / 2))


def claims(found: Found) -> Iterator[Claim]:
    n, run, laws = found.config.chains, found.config.run, found.one(Sampled, function="foretell")
    gaussian, sampled = found.of(Gaussian), found.of(Sampled, function="sample")
    for of in LEVELS:
        t = found.one(Gaussian, chains=n[len(n) // 2])
        yield from (right_on_average(t, of), spread_as_foretold(t, of))
    yield from map(samples_spread, gaussian)
    yield from (convex(laws), smooth(laws), bent(laws))
    yield counted([*gaussian, *(t for t in sampled if t.case.method in (ONE, RECURSIVE))])
    yield missed(found.one(Sampled, function="sample", method=ONE, size=run.lengths[-1]), laws)
    for fit in (t for t in sampled if t.case.method in FITS):
        if fit.case.size == run.fitted[-1] or fit.case.dimension > 1:
            yield from (weighed(fit, laws), shaped(fit, laws))
    yield from (dearer(series, log_costs()) for series in (UNIFORM, ADAPTIVE))
    if posteriors := found.of(Sampled, function="regress"):
        yield log_concave(*posteriors)


def of_modes(found: Found) -> Iterator[pl.DataFrame]:
    """Evaluations of the target's score, or of a fit in its place, for 1000 samples. Weight: share of samples at x > 0;
    variance: of those. Bands: least and greatest replicate. Laws on a grid; exact scores at the steps of the fits.
    """
    laws, sampled = found.one(Sampled, function="foretell"), found.of(Sampled, function="sample", dimension=1)
    spent = {t: float(t.array("evaluations").mean()) for t in sampled}
    ends, one = [min(spent.values()), max(spent.values())], max(spent[t] for t in sampled if t.case.method == ONE)
    for quantity, name in QUANTITIES.items():
        for method in METHODS:
            part = [t for t in sampled if t.case.method == method]
            x, y = {"evaluations": [spent[t] for t in part]}, np.stack([t.array(quantity) for t in part], 1)
            yield curve(x, {"value": y}, series=method, quantity=name)
        for series, at in ((FORETOLD, [one / 2, one]), (EXACT, ends), (TRUTH, ends)):
            y = np.full(2, told(laws, series, quantity))
            yield curve({"evaluations": at}, {"value": y}, series=series, quantity=name)


def of_costs(found: Found) -> Iterator[pl.DataFrame]:
    """Decades: log10 of calls of the target's score for one sample, R = 1, and log10 of 1/gap. Laws."""
    for name, values in log_costs().items():
        yield curve({"distance": DISTANCES}, {"decades": values}, series=name)


def of_estimates(found: Found) -> Iterator[pl.DataFrame]:
    """Root mean square error of the estimated score at one point, by calls of the target's score for one estimate."""
    gaussian = found.of(Gaussian)
    for of in LEVELS:
        rows = [t.array("calls", "mean", "variance", "law_mean", "law", "exact", of=of).T for t in gaussian]
        calls, mean, variance, law_mean, law, exact = np.stack(rows, 2)  # each (R, cases)
        foretold, measured = (np.sqrt((m - exact) ** 2 + v) for m, v in ((law_mean, law), (mean, variance)))
        yield curve({"calls": calls[0]}, {"error": foretold[0]}, series=f"law, {of}", level=of)
        yield curve({"calls": calls[0]}, {"error": measured}, series=f"measured, {of}", level=of)


def tables(found: Found) -> Iterator[Table]:
    yield from table("modes", "Two modes by every sampler", of_modes, found)
    yield from table("cost", "Cost by distance", of_costs, found)
    yield from table("estimates", "Estimates of a score", of_estimates, found)


QUANTITIES = {"weight": "weight of the mode at +a", "variance": "variance in the mode"}
SERIES: dict[Any, Kind] = {EXACT: "theory", FORETOLD: "theory", TRUTH: "asymptote", ...: "learner"}
ESTIMATES: dict[Any, Kind] = {"law, level 1": "theory", "law, level 2": "theory", ...: "simulation"}
FIGURES = (
    Figure("modes", "Two modes by every sampler", "modes", Axis("evaluations", f"evaluations of a score for {SAMPLES} samples"),
           Axis("value", "share, variance", "", False, (0.4, 1.6)), SERIES, columns="quantity",
           caption="Fits reach the weight of exact scores; two segments of the recursion do not; Langevin is cheaper here."),
    Figure("cost", "Where the recursion would win it cannot be run", "cost", Axis("distance", "distance a", log=False),
           Axis("decades", "log10 of calls"), "theory", colour="series",
           caption="Mind the axis, the logarithm of a logarithm: from few decades on no machine makes as many calls."),
    Figure("estimates", "An estimate is as wrong as the law says", "estimates", Axis("calls", "calls for one estimate"),
           Axis("error", "error of the score"), ESTIMATES, colour="level",
           caption="A second level costs the square of the calls and is not better."),
)  # fmt: skip


def summary(found: Found) -> str:
    a, laws = found.config.run.distance, found.one(Sampled, function="foretell")
    K = len(law.segments(partial(curvature, a), HORIZON))
    exactly, one = told(laws, EXACT, "weight"), told(laws, FORETOLD, "weight")
    return (
        "The score of a diffused density is a mean under a posterior. Recursive score estimation cuts the diffusion into "
        "segments so short that every posterior is log-concave, and asks for the score at a segment's start by the same "
        "means, down to the target. Its law is exact for Gaussian targets, its calls are counted before it runs.\n\n"
        f"Two modes at ±{a:g}, {WEIGHT:g} of the weight in one: exact scores at the same steps give {exactly:.3f}, one "
        f"segment {one:.3f} by its law. The full recursion over adaptive segments would take "
        f"10^{math.log10(law.cost(K, PRODUCT, 1)):.0f} calls for one sample; fits in its place are made."
    )
