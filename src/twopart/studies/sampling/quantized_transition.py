"""Can bits be denoised without a step size, at what cost, and what is generated then?

Mixtures are histogrammed, their cells written in bits, and the bits denoised by uniformisation with exact and with learned
scores. The number of score evaluations, of flips, and the whole law of what is generated are exact at finite size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.util import find_spec
from inspect import getdoc
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, exact, mean, ratio, statistic
from twopart.evidence.judges import above, below, equals, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.sampling.bit_diffusion import RATES, Segments, evaluations, flips, schedule, theorem_times
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, both, distinct, every, one_of, rising, settings, zero_or
from twopart.studies import Work, world_seed

STUDY, TITLE = "quantized-transition", "Quantised transition diffusion"
PAPER, PAGE = "Huang, Lin, Kuang, Dong, Zou, Ma, Zhang 2025, arXiv 2505.21892", "docs/laws/quantized-transition.md"
COST, FLIPPED, MADE = f"{PAGE}, evaluations", f"{PAGE}, flips", f"{PAGE}, what is generated"
THEOREM, PARTS, PEERS = f"{PAPER}, the theorem; {PAGE}, the theorem", f"{PAGE}, early stop", f"{PAGE}, peers"
CODED, LEARNED = f"{PAGE}, codes", f"{PAGE}, learned scores"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """A quantised mixture."""

    dimension: int
    bits: int
    """Of each axis."""

    def __str__(self) -> str:
        return f"d = {self.dimension}, {self.bits} bits{' an axis' if self.dimension > 1 else ''}"

    @property
    def total(self) -> int:
        return self.dimension * self.bits


WEIGHTS, MODES, SCALE, RADIUS = (0.6, 0.4), (-1.0, 1.5), 0.5, 4.0
"""The mixture, of mean 0; every second axis is mirrored. A cube of this radius holds all but 1e-7 of an axis."""
SETTLED = 2.5
"""The horizon from which on the early stop is to be all of the error."""
DATA = {"wine": Setting(13, 4), "digits": Setting(64, 4)}
DIMS, FINE, STEPS = (1, 2, 3), (0.001, 0.01), (5, 10, 20, 40, 80, 160, 320)
EPS = both(rising(2), every(between(0, 1, "()"))).because("TV is to be 5 ε at most")


@settings
class Sampling:
    """What each cell of samples is given."""

    samples: Annotated[int, at_least(100), "Samples of a replicate."] = 20_000
    replicates: Annotated[int, at_least(2), "Replicates."] = 8
    draws: Annotated[int, at_least(2), "Exact draws of the same size, for the noise of a histogram."] = 200


@settings
class Training:
    """How networks are trained."""

    steps: Annotated[int, at_least(1), "Updates."] = 1500
    width: Annotated[int, at_least(1), "Width of an MLP of two hidden layers, or of a transformer's tokens."] = 128
    denoiser: Annotated[str, one_of("mlp", "transformer"), "What denoises real data."] = "mlp"
    networks: Annotated[int, at_least(2), "Networks, each from other weights."] = 3


@settings
class Config:
    """Quantised transition diffusion: evaluations, flips and generated laws, with exact and with learned scores."""

    dimensions: Annotated[tuple[int, ...], distinct(1), every(between(1, 3)), "Dimensions d with exact laws."] = DIMS
    bits: Annotated[int, between(2, 9), "Bits of a state: bits // d an axis, 3 if those are fewer."] = 6
    large: Annotated[int, zero_or(between(4, 64)), "A dimension of samples alone, a twentieth as many."] = 16
    eps: Annotated[tuple[float, ...], EPS, "Tolerances ε, which give horizon and stop."] = (0.02, 0.05, 0.1, 0.2)
    fine: Annotated[tuple[float, ...], every(between(0, 1, "()")), "More of them at the first d."] = FINE
    euler_steps: Annotated[tuple[int, ...], rising(1), every(at_least(1)), "Steps of what has times of its own."] = (
        STEPS
    )
    code_bits: Annotated[int, between(4, 12), "Bits of the axis whose codes are compared."] = 8
    trained: Annotated[int, between(1, 5), "Bits an axis of what networks learn, at d = 2."] = 5
    data: Annotated[tuple[str, ...], every(one_of(*DATA)), "Real data to generate."] = tuple(DATA)
    data_eps: Annotated[float, between(0, 1, "()"), "Their ε."] = 0.2
    data_samples: Annotated[int, at_least(50), "Samples of a network of real data."] = 250
    sampling: Sampling = Sampling()
    training: Training = Training()

    def __post_init__(self) -> None:
        has = find_spec("sklearn") is not None
        check(has or not self.data, "data", self.data, "empty without scikit-learn", "`pip install 'twopart[images]'`")


FEW, SHORT = Sampling(1000, replicates=2, draws=20), Training(20, width=16, networks=2)
TINY = Config((1,), 4, 0, (0.2, 0.4), (), (5, 10), 6, 1, (), sampling=FEW, training=SHORT)
LONG = Training(50_000, width=192, denoiser="transformer")
PRESETS = {
    "tiny": TINY,
    "small": Config(),
    "full": Config(data_eps=0.001, data_samples=1000, sampling=Sampling(10**6), training=LONG),
}


@dataclass(frozen=True)
class Case:
    """What a cell is given: bits, and ε, from which horizon and stop follow."""

    setting: Setting
    eps: float

    def __str__(self) -> str:
        return f"{self.setting}, ε = {self.eps:g}"

    @property
    def pace(self) -> str:
        """How events are drawn: paper, tight or thinned."""
        return "paper"

    @cached_property
    def segments(self) -> Segments:
        rate: Any = self.pace if self.pace in RATES else "paper"
        return schedule(self.setting.total, *theorem_times(self.setting.total, self.eps), rate=rate)

    @property
    def evaluations(self) -> float:
        return evaluations(self.segments, self.pace == "thinned")

    @property
    def flips(self) -> float:
        return flips(self.setting.total, self.segments.horizon, self.segments.stop)


@dataclass(frozen=True)
class Sampled(Case):
    """Samples with exact scores."""

    rate: str
    sampling: Sampling

    @property
    def pace(self) -> str:
        return self.rate

    def __str__(self) -> str:
        return super().__str__() + ("" if self.rate == "paper" else f", {self.rate}")


@dataclass(frozen=True)
class Exact(Case):
    """The parts of the error, by the law alone."""


@dataclass(frozen=True)
class Certified:
    """The theorem's own cells at d = 1, by the law alone."""

    eps: float

    def __str__(self) -> str:
        return f"the theorem's cells, ε = {self.eps:g}"


@dataclass(frozen=True)
class Raced(Case):
    """Euler steps of the same chain, and of a continuous diffusion of the same mixture."""

    samples: int
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Coded:
    """Codes of one axis."""

    bits: int
    seed: int
    stop: float = 0.01
    horizon: float = 2.0

    def __str__(self) -> str:
        return f"codes of {self.bits} bits"


@dataclass(frozen=True)
class Trained(Case):
    """Networks whose generated law is exact."""

    samples: int
    training: Training


@dataclass(frozen=True)
class Real(Case):
    """Networks of real data."""

    data: str
    samples: int
    training: Training

    def __str__(self) -> str:
        return self.data


def cells(config: Config, seed: int) -> Iterator[Work]:
    settings = [Setting(d, max(3, config.bits // d)) for d in config.dimensions]
    first, sampling, training = settings[0], config.sampling, config.training
    every_eps = tuple(sorted({*config.eps, *config.fine}))
    for setting in settings:
        for eps in every_eps if setting == first else config.eps:
            yield Work("sample", Sampled(setting, eps, "paper", sampling), sampling.replicates, cost=20)
            yield Work("take_apart", Exact(setting, eps))
    for rate in ("tight", "thinned"):
        yield Work("sample", Sampled(first, every_eps[0], rate, sampling), sampling.replicates, cost=20)
    if config.large:
        fewer = replace(sampling, samples=max(100, sampling.samples // 20))
        case = Sampled(Setting(config.large, 3), config.eps[-1], "paper", fewer)
        yield Work("sample", case, sampling.replicates, cost=40)
    for eps in config.eps:
        yield Work("certify", Certified(eps))
    for eps in (config.eps[0], config.eps[-1]):
        yield Work("race", Raced(first, eps, 4 * sampling.samples, config.euler_steps), cost=100)
    yield Work("compare_codes", Coded(config.code_bits, world_seed(seed, STUDY, "code")))
    learnt = Trained(Setting(2, config.trained), config.eps[0], sampling.samples, training)
    yield Work("train", learnt, training.networks, cost=200)
    for name in config.data:
        real = Real(DATA[name], config.data_eps, name, config.data_samples, training)
        yield Work("imitate", real, training.networks, cost=1000 if name == "digits" else 100)


SHARE, PRICE = within_share(0.01), within_share(0.02)
SPREADS = within(3), "standard deviations of the floor"
SPLIT = within_range(0.98, 1.02), "of the early stop's TV"
COARSE = within_share(0.05), "ratio", CODED
BOUND = below(1.0), "of the bound"
NOISE = "TV of samples from the generated law, less the mean of as many exact draws, over their standard deviation"
FARTHEST = "TV(q*, generated) over TV(q*, q_δ), the farthest from 1 over ε"
LEAST = (
    "least TV over even and geometric steps, one flip or all bits a step, 1/4 to 4 times the evaluations, over QTD's"
)
ROUGH = "TV(q*, q_δ) over that of {to}, at δ = {t.case.stop:g}; predicted: at first order in δ"
KEPT = "KL(q_T, uniform) of Gray code over binary, at T = {t.case.horizon:g}; predicted: by single bits"
ENTROPY = "KL(q_δ, generated by the network) over integrated score entropy + KL(q_T, uniform)"


@claim(SHARE, "evaluations a sample", COST, "mean over samples")
def evaluated(t: Rows[Any]) -> Estimate:
    """{t}: the score is evaluated as often as the law says."""
    return mean(t.array("evaluations", axis="run")).against(t.case.evaluations)


@claim(SHARE, "flips a sample", FLIPPED, "mean over samples")
def flipped(t: Rows[Sampled]) -> Estimate:
    """{t}: B (T - δ) bits flip."""
    return mean(t.array("flips", axis="run")).against(t.case.flips)


@claim(*SPREADS, MADE, NOISE)
def unbiased(t: Rows[Sampled]) -> Estimate:
    """{t}: samples have the generated law, with no bias of discrete time."""
    tv, floor, spread = t.array("tv", "floor", "spread", axis="run").T
    return mean((tv - floor) / spread).against(0.0)


@claim(below(5.0), "ε", THEOREM, "greatest over ε of TV(p*, generated density) / ε, with the theorem's cells")
def certified(found: Sequence[Rows[Certified]]) -> Estimate:
    """At d = 1 the generated density is within 5 ε of the mixture."""
    return exact(max(t.frame["density"].item() / t.case.eps for t in found)).against(5.0)


@claim(*SPLIT, PARTS, FARTHEST)
def stops_early(found: Sequence[Rows[Exact]]) -> Estimate:
    """{setting}: the early stop is all of the error."""
    shares = [(t.frame["total"] / t.frame["early"]).item() for t in found]
    return exact(max(shares, key=lambda share: abs(share - 1))).against(1.0, setting=found[0].case.setting)


@claim(PRICE, "evaluations", COST, "least-squares slope of evaluations by ln²(d/ε), over all ε")
def grows(found: Sequence[Rows[Sampled]]) -> Estimate:
    """{setting}: evaluations grow with ln²(d/ε) as the law's do."""
    x = np.array([np.log(t.case.setting.dimension / t.case.eps) ** 2 for t in found])
    weights = (x - x.mean()) / np.square(x - x.mean()).sum()
    counts = np.stack([t.array("evaluations", axis="run") for t in found], 1)
    law = float(np.array([t.case.evaluations for t in found]) @ weights)
    return statistic(lambda means: float(means @ weights), counts).against(law, setting=found[0].case.setting)


@claim(above(1.0), "of TV of QTD", PEERS, LEAST)
def beats_euler(t: Rows[Raced]) -> Estimate:
    """{t}: Euler steps of the same chain, from the same horizon to the same stop, stay above the generated law's TV."""
    steps, qtd = (t.where(axis=axis)["tv"].to_numpy() for axis in ("Euler, same times", "QTD"))
    return exact(steps.min() / qtd.item())


@claim(*COARSE, ROUGH)
def rougher(t: Rows[Coded], code: str, to: str) -> Estimate:
    """The early stop costs {code} code more than {to} code, by the ratio of their roughness."""
    return coded(t, code, to, "early_stop", "first_order")


@claim(*COARSE, KEPT)
def lasts(t: Rows[Coded]) -> Estimate:
    """Gray code is slower to forget where it was."""
    return coded(t, "gray", "binary", "start_kl", "single_bits")


@claim(*BOUND, LEARNED, ENTROPY)
def bounded(t: Rows[Trained]) -> Estimate:
    """{t}: the law that a network generates keeps to the bound by its score entropy."""
    return ratio(t.array("kl", axis="run"), t.array("bound", axis="run"))


@claim(equals(), "events", LEARNED, "truncated events of all samples of all networks")
def never_truncated(t: Rows[Any]) -> Estimate:
    """{t}: no ratio of the posterior form is ever truncated."""
    return exact(float(t.array("truncated", axis="run").sum())).against(0.0)


def coded(t: Rows[Coded], of: str, to: str, column: str, order: str) -> Estimate:
    """A column for one code over that for another, beside the first order."""
    one, other = (t.where(code=code).row(0, named=True) for code in (of, to))
    return exact(one[column] / other[column]).against(one[order] / other[order])


def claims(found: Found) -> Iterator[Claim]:
    sampled = found.of(Sampled)
    yield from map(evaluated, sampled)
    yield from map(flipped, sampled)
    yield from (unbiased(t) for t in sampled if known(t))
    yield certified(found.of(Certified))
    for setting in dict.fromkeys(t.case.setting for t in found.of(Exact)):
        if settled := [t for t in found.of(Exact, setting=setting) if t.case.segments.horizon >= SETTLED]:
            yield stops_early(settled)
    yield grows(found.of(Sampled, setting=sampled[0].case.setting, rate="paper"))
    yield from map(beats_euler, found.of(Raced))
    for codes in found.of(Coded):
        yield from (rougher(codes, "binary", "gray"), lasts(codes), rougher(codes, "random", "binary"))
    for trained in found.of(Trained):
        yield from (bounded(trained), never_truncated(trained))
    for real in found.of(Real):
        yield from (evaluated(real), never_truncated(real))


def known(t: Rows[Sampled]) -> bool:
    """Whether the generated law is: an array of all states."""
    return bool(t.frame["tv"].is_not_null().all())


def costs(found: Found) -> Iterator[pl.DataFrame]:
    """Score evaluations of a sample by 1/ε. Rates: the paper's, the least that no score exceeds (tight), and the paper's with
    events that no score could accept drawn away beforehand (thinned). Measured: mean over samples; the band is that of the
    replicates. Order: ln²(d/ε), through the paper's law at the greatest ε.
    """
    for first in {t.case.setting: t for t in found.of(Sampled)}.values():
        setting, exactly = first.case.setting, found.of(Sampled, setting=first.case.setting, rate="paper")
        cases = sorted((t.case for t in exactly), key=lambda case: -case.eps)
        for rate in dict.fromkeys(t.case.rate for t in found.of(Sampled, setting=setting)):
            shown = partial(curve, panel=str(setting), rate=rate)
            law = np.array([replace(case, rate=rate).evaluations for case in cases])
            x = {"1/ε": np.array([1 / case.eps for case in cases])}
            yield shown(x, {"evaluations": law}, series="law")
            for t in found.of(Sampled, setting=setting, rate=rate):
                count = t.array("evaluations", axis="run")[:, None]
                yield shown({"1/ε": [1 / t.case.eps]}, {"evaluations": count}, series="measured")
            order = np.log(setting.dimension * x["1/ε"]) ** 2
            if rate == "paper":
                yield shown(x, {"evaluations": law[0] * order / order[0]}, series="order of the paper")


def parts(found: Found) -> Iterator[pl.DataFrame]:
    """Total variation by 1/ε, exact. Generated: of the generated law from the data's, q*. Early stop and start: its parts,
    TV(q*, q_δ) and that of starting from uniform. Density: of the generated density, uniform in cells, from the mixture's.
    Sampled: of histograms of samples from q*, with the noise of their number; mean, least and greatest over replicates.
    """
    for setting in dict.fromkeys(t.case.setting for t in found.of(Exact)):
        several = sorted(found.of(Exact, setting=setting), key=lambda t: -t.case.eps)
        eps = np.array([t.case.eps for t in several])
        x, frame = {"1/ε": 1 / eps}, pl.concat([t.frame for t in several])
        series: dict[str, Any] = {"bound 5 ε": 5 * eps, "generated": frame["total"], "early stop": frame["early"],
                  "start": frame["start"], "density": frame["density"]}  # fmt: skip
        yield curves(x, "tv", series, panel=str(setting))
        runs = [found.one(Sampled, setting=setting, rate="paper", eps=e) for e in eps]
        measured = np.stack([t.array("tv_data", axis="run") for t in runs], 1)
        yield curve(x, {"tv": measured}, series="sampled", panel=str(setting))


def races(found: Found) -> Iterator[pl.DataFrame]:
    """TV from the quantised data by evaluations, exact but for the reverse SDE. QTD, theorem's times: over ε. Euler,
    same times: the best of four kinds of steps between the same. Best times: horizon and stop chosen for the least TV. Reverse
    SDE: Euler-Maruyama with exact scores on the mixture itself, then the histogram, which has the noise of its samples.
    """
    for t in found.of(Raced):
        for series in RACERS:
            rows = t.where(axis=series).group_by("evaluations").agg(pl.col("tv").min()).sort("evaluations")
            yield curves({"evaluations": rows["evaluations"]}, "tv", {series: rows["tv"]}, panel=f"ε = {t.case.eps:g}")


def bands(found: Found) -> Iterator[pl.DataFrame]:
    """Least and greatest ratio over all states and bits by the time that remains: exact, and of the first network. Both lie
    between tanh u and coth u.
    """
    for t in found.of(Trained):
        rows = t.where(axis="band", replicate=0)
        u = rows["remaining"].to_numpy()
        series = {"tanh u": np.tanh(u), "coth u": 1 / np.tanh(u), **{name: rows[name].to_numpy() for name in BAND}}
        yield curves({"remaining": u}, "ratio", series, panel=str(t.case.setting))


def codes(found: Found) -> Iterator[pl.DataFrame]:
    """Codes of one axis: TV(q*, q_δ) and its first order; KL(q_T, uniform) in nats, and what single bits keep of it."""
    yield from (t.frame.drop("replicate") for t in found.of(Coded))


def networks(found: Found) -> Iterator[pl.DataFrame]:
    """Networks, each from other weights: KL(q_δ, generated), its bound and the score entropy in that, nats; TV of the generated
    law from q_δ; evaluations and flips a sample.
    """
    yield from (listed(t) for t in found.of(Trained))


def real(found: Found) -> Iterator[pl.DataFrame]:
    """Real data, generated by networks: mean over columns of the TV of their cells from the data's, and that of as many rows of
    the data; mean error of correlations, and that of data whose columns are shuffled; evaluations and flips a sample.
    """
    yield from (listed(t) for t in found.of(Real))


def listed(t: Rows[Any]) -> pl.DataFrame:
    """A row for each network."""
    rows = t.where(axis="run")
    shown = rows.drop("axis", "replicate", *(column for column in rows.columns if rows[column].null_count()))
    return shown.select(pl.lit(str(t)).alias("of"), (rows["replicate"] + 1).alias("network"), pl.all())


RACERS: dict[Any, Kind] = {
    **dict.fromkeys(("QTD, theorem's times", "QTD, best times", "QTD thinned, best times"), "theory"),
    **dict.fromkeys(("Euler, same times", "Euler, best times"), "asymptote"),
    "reverse SDE": "simulation",
}
BAND = ("exact, least", "exact, greatest", "learned, least", "learned, greatest")
TABLES: dict[str, tuple[str, Callable[[Found], Iterator[pl.DataFrame]]]] = {
    "evaluations": ("Score evaluations", costs),
    "errors": ("Total variation and its parts", parts),
    "race": ("Steps against uniformisation", races),
    "band": ("Ratios of bit flips", bands),
    "codes": ("Codes", codes),
    "networks": ("Learned scores", networks),
    "real": ("Real data", real),
}


def tables(found: Found) -> Iterator[Table]:
    """The doc string of the function that makes a table's rows is its caption."""
    for name, (title, rows) in TABLES.items():
        if frames := list(rows(found)):
            yield Table(name, title, pl.concat(frames, how="vertical_relaxed"), " ".join(str(getdoc(rows)).split()))


INVERSE, TV = Axis("1/ε", "1/ε"), Axis("tv", "total variation")
COUNT = Axis("evaluations", "score evaluations")
COUNTED: dict[Any, Kind] = {"law": "theory", "measured": "simulation", "order of the paper": "asymptote"}
SPLITS: dict[Any, Kind] = {
    "bound 5 ε": "asymptote",
    **dict.fromkeys(("generated", "density"), "theory"),
    "sampled": "simulation",
}  # fmt: skip
RATIOS: dict[Any, Kind] = {
    **dict.fromkeys(("tanh u", "coth u"), "asymptote"), **dict.fromkeys(BAND[:2], "theory"),
    **dict.fromkeys(BAND[2:], "learner"),
}  # fmt: skip
LAWFUL = "Measured counts lie on the law; drawing away hopeless events beforehand saves a third to a half."
WHOLE = ~pl.col("series").is_in(["early stop", "start"])
BOUNDED = (
    "The generated law's error is the early stop's. That of the density keeps the cells' width, which is fixed here."
)
NO_STEP = (
    "Between the same times no step size reaches the unbiased law. With times of its own Euler is cheap if coarse."
)
INSIDE = "Exact and learned ratios lie between tanh u and coth u, so that nothing is truncated."
TIME, FLIP = Axis("remaining", "time that remains"), Axis("ratio", "ratio")
figure = partial(Figure, columns="panel")
FIGURES = (
    figure("quantized-transition", "Score evaluations are known beforehand", "evaluations", x=INVERSE, y=COUNT, kinds=COUNTED,
           colour="rate", caption=LAWFUL),
    figure("errors", "Errors are far below the bound", "errors", x=INVERSE, y=TV, kinds=SPLITS, colour="series", shown=WHOLE,
           caption=BOUNDED),
    figure("race", "Uniformisation against steps", "race", x=COUNT, y=TV, kinds=RACERS, colour="series", caption=NO_STEP),
    figure("band", "Ratios keep to their band", "band", x=TIME, y=FLIP, kinds=RATIOS, colour="series", caption=INSIDE),
)  # fmt: skip


def summary(found: Found) -> str:
    sampled = found.of(Sampled)
    shares = [t.array("evaluations", axis="run").mean() / t.case.evaluations for t in sampled]
    flip = [t.array("flips", axis="run").mean() / t.case.flips for t in sampled]
    worst = max(t.frame["density"].item() / t.case.eps for t in found.of(Certified))
    return (
        "A mixture is histogrammed, its cells are written in bits, and random bits are denoised by uniformisation, which "
        "has no step size. The law of what exact scores generate, its cost and its error are exact at finite size; no "
        f"constant is fitted.\n\nIn {len(sampled)} cells measured score evaluations are {min(shares):.4f} to "
        f"{max(shares):.4f} of the "
        f"law's, flips {min(flip):.4f} to {max(flip):.4f}. With the theorem's own cells, horizon and stop the total variation "
        f"is {worst:.2f} ε at most, where the theorem has 5 ε."
    )
