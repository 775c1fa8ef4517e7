"""Can bits be denoised without a step size, at what cost, and what is generated then?

Mixtures are histogrammed, their cells written in bits, and the bits denoised by uniformisation with exact and with learned
scores. The number of score evaluations, of flips, and the whole law of what is generated are exact at finite size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart.evidence import Estimate, Found, Rows, claim, curves, exact, mean, ratio, statistic, table
from twopart.evidence.judges import above, below, equals, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.sampling.bit_diffusion import Segments, evaluations, flips, schedule, theorem_times
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, both, distinct, every, one_of, rising, settings
from twopart.studies import Work, check_real_data, world_seed

STUDY, TITLE = "quantized-transition", "Quantised transition diffusion"
PAPER, PAGE = "Huang, Lin, Kuang, Dong, Zou, Ma, Zhang 2025, arXiv 2505.21892", "docs/laws/quantized-transition.md"
SETTLED, ARRAY, FLAT = 2.5, 0.02, 3
"""The horizon from which on the early stop is to be all of the error; the least ε whose theorem's cells an array holds; the
most dimensions whose states one holds."""
MIXTURE, DATA = "mixture", {"wine": (13, 4), "digits": (64, 4)}
"""Columns of real data, and bits of each."""
STOP, HORIZON = 0.01, 2.0
"""At which codes are compared."""
EPS = both(rising(2), every(between(0, 1, "()"))).because("TV is to be 5 ε at most")
DIMS = both(distinct(1), every(between(1, 64))).because("laws are arrays of all states up to 3, samples alone beyond")


@settings
class Config:
    """Quantised transition diffusion: evaluations, flips and generated laws, with exact and with learned scores."""

    dimensions: Annotated[tuple[int, ...], DIMS, "Dimensions d; beyond 3 for the greatest ε alone."] = (1, 2, 3, 16)
    bits: Annotated[int, between(2, 9), "Bits of a state: bits // d an axis, 3 if those are fewer."] = 6
    eps: Annotated[tuple[float, ...], EPS, "Tolerances ε, for horizon and stop."] = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2)
    samples: Annotated[int, at_least(100), "Samples of a replicate; beyond d = 3 a twentieth."] = 20_000
    replicates: Annotated[int, at_least(2), "Replicates."] = 8
    euler_steps: Annotated[int, at_least(5), "Most steps of what has times of its own: 5, 10, 20, ..."] = 320
    trained: Annotated[int, between(1, 5), "Bits an axis of what networks learn, at d = 2."] = 5
    steps: Annotated[int, at_least(1), "Updates of a network."] = 1500
    width: Annotated[int, at_least(1), "Width of its two hidden layers."] = 128
    networks: Annotated[int, at_least(2), "Networks, each from other weights."] = 3
    data: Annotated[tuple[str, ...], every(one_of(*DATA)), "Real data to generate, at the greatest ε."] = tuple(DATA)
    data_samples: Annotated[int, at_least(50), "Samples of a network of real data."] = 250


PRESETS = {
    "tiny": Config((1,), 4, (0.4, 0.8), 100, 2, 5, 1, 20, 16, 2, ()),
    "small": Config(),
    "full": Config(samples=10**6, steps=50_000, width=512, data_samples=1000),
}


@dataclass(frozen=True)
class Sampled:
    """A cell: samples with exact scores, beside the exact law of them, at the horizon and the stop that follow from ε."""

    dimension: int
    bits: int
    """Of each axis."""
    eps: float
    samples: int

    def __str__(self) -> str:
        return f"{self.setting}, ε = {self.eps:g}"

    @property
    def setting(self) -> str:
        return f"d = {self.dimension}, {self.bits} bits{' an axis' if self.dimension > 1 else ''}"

    @property
    def total(self) -> int:
        return self.dimension * self.bits

    @cached_property
    def segments(self) -> Segments:
        return schedule(self.total, *theorem_times(self.total, self.eps))

    @property
    def evaluations(self) -> float:
        return evaluations(self.segments)

    @property
    def flips(self) -> float:
        return flips(self.total, *self.segments.times)


@dataclass(frozen=True)
class Raced(Sampled):
    """Euler steps of the same chain, and of a continuous diffusion of the same mixture."""

    most_steps: int


@dataclass(frozen=True)
class Trained(Sampled):
    """Networks of real data, or of the mixture, whose generated law is exact."""

    data: str
    steps: int
    width: int

    def __str__(self) -> str:
        return super().__str__() if self.data == MIXTURE else self.data


@dataclass(frozen=True)
class Foretold:
    """Laws on one axis: the densities generated with the theorem's cells, and codes of so many bits."""

    eps: tuple[float, ...]
    seed: int
    bits: int = 8

    def __str__(self) -> str:
        return f"laws of one axis, codes of {self.bits} bits"


def cells(config: Config, seed: int) -> Iterator[Work]:
    n, eps, middle = config.samples, config.eps, config.eps[len(config.eps) // 3]
    for d in config.dimensions:
        for e in reversed(eps) if d <= FLAT else eps[-1:]:
            case = Sampled(d, max(3, config.bits // d), e, n if d <= FLAT else max(100, n // 20))
            yield Work("sample", case, config.replicates, cost=case.total)
    yield Work("foretell", Foretold(tuple(e for e in eps if e >= ARRAY), world_seed(seed, STUDY, "code")))
    for e in (middle, eps[-1]):
        yield Work("race", Raced(1, max(3, config.bits), e, 4 * n, config.euler_steps), cost=100)
    check_real_data("data", config.data)
    trained = [Trained(2, config.trained, middle, n, MIXTURE, config.steps, config.width)]
    for name in config.data:
        trained.append(Trained(*DATA[name], eps[-1], config.data_samples, name, config.steps, config.width))
    yield from (Work("train", case, config.networks, cost=4 * case.total) for case in trained)


COUNTED, THEOREM = f"{PAGE}, evaluations; {PAGE}, flips", f"{PAPER}, the theorem; {PAGE}, the theorem"
NOISE = "TV of samples from the generated law, less the mean of as many exact draws, over their standard deviation"
FARTHEST = "TV(q*, generated) over TV(q*, q_δ), the farthest from 1 over ε"
SLOPE = "least-squares slope of evaluations by ln²(d/ε), over all ε"
LEAST = "least TV, even or geometric steps, of one flip or all bits, 1/4 to 4 times the evaluations, over QTD's"
ENTROPY = "KL(q_δ, generated by the network) over integrated score entropy + KL(q_T, uniform)"
CODED = f"{{what}} at δ = {STOP:g}, T = {HORIZON:g}: {{of}} over {{to}}"
STOPPED, STARTED = ("early_stop", "first_order", "TV(q*, q_δ)"), ("start_kl", "single_bits", "KL(q_T, uniform)")


@claim(within_share(0.01), "a sample", COUNTED, "mean number over samples")
def counted(t: Rows[Any], quantity: str) -> Estimate:
    """{t}: there are as many {quantity} as the law says."""
    return mean(t.array(quantity, axis="run")).against(getattr(t.case, quantity))


@claim(within(3), "standard deviations of the floor", f"{PAGE}, what is generated", NOISE)
def unbiased(t: Rows[Sampled]) -> Estimate:
    """{t}: samples have the generated law, with no bias of discrete time."""
    tv, floor, spread = t.array("tv", "floor", "spread").T
    return mean((tv - floor) / spread).against(0.0)


@claim(below(5.0), "ε", THEOREM, "greatest over ε of TV(p*, generated density) / ε")
def certified(t: Rows[Foretold]) -> Estimate:
    """At d = 1, with the theorem's cells, the generated density is within 5 ε of the mixture."""
    return exact(float(np.max(t.array("density", axis="theorem") / t.array("eps", axis="theorem")))).against(5.0)


@claim(within_range(0.98, 1.02), "of the early stop's TV", f"{PAGE}, early stop", FARTHEST)
def stops_early(found: Sequence[Rows[Sampled]]) -> Estimate:
    """{setting}: the early stop is all of the error."""
    shares = [t.frame["total"][0] / t.frame["early stop"][0] for t in found]
    return exact(max(shares, key=lambda share: abs(share - 1))).against(1.0, setting=found[0].case.setting)


@claim(within_share(0.02), "evaluations", f"{PAGE}, evaluations", SLOPE)
def grows(found: Sequence[Rows[Sampled]]) -> Estimate:
    """{setting}: evaluations grow with ln²(d/ε) as the law's do."""
    x = np.array([np.log(t.case.dimension / t.case.eps) ** 2 for t in found])
    weights = (x - x.mean()) / np.square(x - x.mean()).sum()
    law = float(np.array([t.case.evaluations for t in found]) @ weights)
    counts = np.stack([t.array("evaluations") for t in found], 1)
    return statistic(lambda means: float(means @ weights), counts).against(law, setting=found[0].case.setting)


@claim(above(1.0), "of TV of QTD", f"{PAGE}, peers", LEAST)
def beats_euler(t: Rows[Raced]) -> Estimate:
    """{t}: Euler steps of the same chain, from the same horizon to the same stop, stay above the generated law's TV."""
    steps, qtd = (t.where(axis=axis)["tv"].to_numpy() for axis in ("Euler, same times", "QTD, same times"))
    return exact(steps.min() / qtd.item())


@claim(within_share(0.05), "ratio", f"{PAGE}, codes", CODED)
def coded(t: Rows[Foretold], of: str, to: str, columns: tuple[str, str, str]) -> Estimate:
    """One axis of {t.case.bits} bits: {of} code has the greater {what} than {to} code, by the ratio of first orders."""
    one, other = (t.where(code=code).row(0, named=True) for code in (of, to))
    measured, law, what = columns
    return exact(one[measured] / other[measured]).against(one[law] / other[law], what=what)


@claim(below(1.0), "of the bound", f"{PAGE}, learned scores", ENTROPY)
def bounded(t: Rows[Trained]) -> Estimate:
    """{t}: the law that a network generates keeps to the bound by its score entropy."""
    return ratio(t.array("kl", axis="run"), t.array("bound", axis="run"))


@claim(equals(), "events", f"{PAGE}, learned scores", "truncated events of all samples of all networks")
def never_truncated(t: Rows[Trained]) -> Estimate:
    """{t}: no ratio of the posterior form is ever truncated."""
    return exact(float(t.array("truncated", axis="run").sum())).against(0.0)


def claims(found: Found) -> Iterator[Claim]:
    laws = found.one(Foretold)
    for t in found.of(Sampled):
        yield from (counted(t, quantity) for quantity in ("evaluations", "flips"))
    yield from (unbiased(t) for several in by_setting(found, FLAT) for t in several)
    yield certified(laws)
    for several in by_setting(found, FLAT):
        if settled := [t for t in several if t.case.segments.times[0] >= SETTLED]:
            yield stops_early(settled)
        yield grows(several)
    yield from map(beats_euler, found.of(Raced))
    for of, to, columns in (("binary", "gray", STOPPED), ("random", "binary", STOPPED), ("gray", "binary", STARTED)):
        yield coded(laws, of, to, columns)
    for network in found.of(Trained):
        yield bounded(network) if network.case.data == MIXTURE else counted(network, "evaluations")
        yield never_truncated(network)


def by_setting(found: Found, most: int = 64) -> list[list[Rows[Sampled]]]:
    """Samples of the same bits, the greatest ε first, in so many dimensions at most."""
    few = [t for t in found.of(Sampled) if t.case.dimension <= most]
    return [list(group) for _, group in groupby(few, key=lambda t: t.case.setting)]


def costs(found: Found) -> Iterator[pl.DataFrame]:
    """Score evaluations of a sample by 1/ε. Measured: mean over samples; the band is that of the replicates. Order: ln²(d/ε),
    through the law at the greatest ε.
    """
    for several in by_setting(found):
        inverse, law = (np.array(x) for x in zip(*((1 / t.case.eps, t.case.evaluations) for t in several), strict=True))
        order = np.log(several[0].case.dimension * inverse) ** 2
        series = {"law": law, "measured": np.stack([t.array("evaluations") for t in several], 1)}
        series["order of the paper"] = law[0] * order / order[0]
        yield curves({"1/ε": inverse}, "evaluations", series, panel=several[0].case.setting)


def parts(found: Found) -> Iterator[pl.DataFrame]:
    """Total variation from the data's law, q*, by 1/ε. Generated: of the generated law, exact. Early stop and start: its parts,
    TV(q*, q_δ) and that of starting from uniform. Sampled: of histograms of samples, with the noise of their number; mean,
    least and greatest over replicates.
    """
    for several in by_setting(found, FLAT):
        eps, first = np.array([t.case.eps for t in several]), pl.concat([t.frame[:1] for t in several])
        series: dict[str, Any] = {"bound 5 ε": 5 * eps, "generated": first["total"], "early stop": first["early stop"]}
        series |= {"start": first["start"], "sampled": np.stack([t.array("tv_data") for t in several], 1)}
        yield curves({"1/ε": 1 / eps}, "tv", series, panel=several[0].case.setting)


def races(found: Found) -> Iterator[pl.DataFrame]:
    """TV from the quantised data by evaluations, exact but for the reverse SDE. Same times: the theorem's at ε; QTD is one
    point, Euler the best of four kinds of steps. Best times: horizon and stop of the least TV. Reverse SDE: Euler-Maruyama with
    exact scores on the mixture itself, then the histogram, which has the noise of its samples.
    """
    for t in found.of(Raced):
        for series in RACERS:
            rows = t.where(axis=series).group_by("evaluations").agg(pl.col("tv").min()).sort("evaluations")
            yield curves({"evaluations": rows["evaluations"]}, "tv", {series: rows["tv"]}, panel=f"ε = {t.case.eps:g}")


def bands(found: Found) -> Iterator[pl.DataFrame]:
    """Least and greatest ratio over all states and bits by the time that remains: exact, and of the first network. Both lie
    between tanh u and coth u.
    """
    for t in found.of(Trained, data=MIXTURE):
        rows = t.where(axis="band", replicate=0)
        u = rows["remaining"].to_numpy()
        series = {"tanh u": np.tanh(u), "coth u": 1 / np.tanh(u), **{name: rows[name].to_numpy() for name in BAND}}
        yield curves({"remaining": u}, "ratio", series, panel=t.case.setting)


def tables(found: Found) -> Iterator[Table]:
    yield from table("evaluations", "Score evaluations", costs, found)
    yield from table("errors", "Total variation and its parts", parts, found)
    yield from table("race", "Steps against uniformisation", races, found)
    yield from table("band", "Ratios of bit flips", bands, found)


BAND = ("exact, least", "exact, greatest", "learned, least", "learned, greatest")
RACERS: dict[Any, Kind] = {"QTD, same times": "simulation", "QTD, best times": "theory", "Euler, same times": "asymptote",
    "Euler, best times": "asymptote", "reverse SDE": "simulation"}  # fmt: skip
COUNTS: dict[Any, Kind] = {"law": "theory", "measured": "simulation", "order of the paper": "asymptote"}
ERRORS: dict[Any, Kind] = {"bound 5 ε": "asymptote", "generated": "theory", "sampled": "simulation"}
RATIOS: dict[Any, Kind] = {"tanh u": "asymptote", "coth u": "asymptote", BAND[0]: "theory", BAND[1]: "theory",
    ...: "learner"}  # fmt: skip
COUNT, TV, INVERSE = Axis("evaluations", "score evaluations"), Axis("tv", "total variation"), Axis("1/ε", "1/ε")
TIME, RATIO = Axis("remaining", "time that remains"), Axis("ratio", "ratio")
figure = partial(Figure, columns="panel", colour="series")
FIGURES = (
    figure("quantized-transition", "Score evaluations are known beforehand", "evaluations", INVERSE, COUNT, COUNTS,
           caption="Counts lie on the law, which at fixed bits grows more slowly than the paper's order."),
    figure("errors", "Errors are far below the bound", "errors", INVERSE, TV, ERRORS, shown=pl.col("series").is_in([*ERRORS]),
           caption="The generated law's error is the early stop's. Histograms of samples add the noise of their number."),
    figure("race", "Uniformisation against steps", "race", COUNT, TV, RACERS, caption="Between the same times no step size "
           "reaches the unbiased law. With times of its own Euler is cheap if coarse."),
    figure("band", "Ratios keep to their band", "band", TIME, RATIO, RATIOS,
           caption="Exact and learned ratios lie between tanh u and coth u, so that nothing is truncated."),
)  # fmt: skip


def summary(found: Found) -> str:
    sampled, laws = found.of(Sampled), found.one(Foretold)
    shares = [t.array("evaluations").mean() / t.case.evaluations for t in sampled]
    flip = [t.array("flips").mean() / t.case.flips for t in sampled]
    return (
        "A mixture is histogrammed, its cells are written in bits, and random bits are denoised by uniformisation, which "
        "has no step size. The law of what exact scores generate, its cost and its error are exact at finite size; no "
        f"constant is fitted.\n\nIn {len(sampled)} cells measured score evaluations are {min(shares):.4f} to "
        f"{max(shares):.4f} of the law's, flips {min(flip):.4f} to {max(flip):.4f}. With the theorem's own cells, horizon and "
        f"stop the total variation is {certified(laws).measured:.2f} ε at most, where the theorem has 5 ε."
    )
