"""Does a diffusion model learn what a classifier leaves out, and in which proportion?

A denoiser with tied weights and a classifier are trained on the same points, which hold a signal patch and a noise patch.
Theory has the ratio of signal to memorised noise of both: at first, where the denoiser comes to rest, and who wins the race.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, exact, log_ends, mean, statistic, table
from twopart.evidence.judges import above, below, within, within_factor, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.features import denoising as law
from twopart.report import Axis, Figure, HeatMap, Kind
from twopart.settings import at_least, between, every, rising, settings
from twopart.studies import Work, world_seed

STUDY, TITLE = "diffusion-feature-learning", "What diffusion learns"
PAPER, PAGE = "Han, Huang, Cao, Zou 2025, arXiv 2412.01021", "docs/laws/diffusion-feature-learning.md"
LOSS, EARLY, REST, RACE = (f"{PAGE}, {part}" for part in ("the exact loss", "early", "at rest", "the classifier"))

Floats = NDArray[np.float64]
POSITIVE = every(between(0, np.inf, "()"))
GREW, FITTED = 0.03, 0.05  # length of weights at which the early ratio is read, training loss at which classifiers stop
SMALL = every(between(0, 0.1, "(]").because("theory takes it to 0"))
LINE = 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0
OTHERS = (16, 200, 4.5, 8, 0.3), (12, 250, 4.2, 6, 0.2), (24, 200, 6.5, 8, 0.3)  # n, d, length of the signal, m, t


@settings
class Training:
    """How the networks of a cell are trained, and how many."""

    rate: Annotated[float, between(0, 0.05, "(]"), "A denoiser's step, as a share of its weights, at first."] = 0.01
    steps: Annotated[int, at_least(50), "Steps of a denoiser, and at most of a classifier."] = 5000
    pace: Annotated[float, between(0, 0.1, "(]"), "A classifier's growth in a step, of the faster part."] = 0.03
    looks: Annotated[int, at_least(5), "How often training is looked at, evenly."] = 50
    seeds: Annotated[int, at_least(2).because("intervals need a spread"), "Replicates: world, sample, network."] = 24


@settings
class Config:
    """Signal and memory of denoisers and classifiers, over the length of the signal and the number of points."""

    strengths: Annotated[tuple[float, ...], rising(2), POSITIVE, "n SNR² of the line."] = LINE
    judged: Annotated[tuple[float, ...], rising(1), POSITIVE, "n SNR² of judged denoisers."] = (0.3, 1.0, 2.0, 5.0)
    initials: Annotated[tuple[float, ...], rising(2), SMALL, "Deviations of first weights."] = (1e-4, 1e-3, 1e-2)
    points: Annotated[int, at_least(4).because("both classes need noise"), "n, training points of the line."] = 20
    dimension: Annotated[int, at_least(50), "d, numbers in a patch, well above n."] = 300
    neurons: Annotated[int, at_least(2).because("rests must differ"), "m, and of each side of a classifier."] = 10
    time: Annotated[float, between(0, np.inf, "()"), "t at which data are noised."] = 0.2
    many: Annotated[int, at_least(2), "Replicates of what is cheap: of classifiers, and of the early ratio."] = 64
    others: Annotated[int, between(0, len(OTHERS)), "How many further settings are judged at rest."] = 3
    sizes: Annotated[tuple[int, ...], rising(2), every(at_least(4)), "n of the map."] = (10, 20, 40)
    norms: Annotated[tuple[float, ...], rising(2), POSITIVE, "Signals of the map."] = (2.0, 3.0, 4.5, 6.5, 9.5)
    draws: Annotated[int, at_least(1000), "Noises drawn, beside the exact loss."] = 10**6
    training: Training = Training()


PRESETS = {
    "tiny": Config((0.5, 6.0), (2.0,), (1e-3, 1e-2), 8, 100, 4, many=4, others=1, sizes=(8, 12), norms=(3.0, 9.0),
                   draws=2000, training=Training(0.05, 50, 0.1, looks=5, seeds=2)),
    "small": Config(),
    "full": Config(dimension=2000, initials=(1e-6, 1e-4, 1e-2), sizes=(10, 20, 40, 80), many=256,
                   norms=tuple(round(2 ** (k / 2), 2) for k in range(2, 10)), training=Training(steps=10_000, seeds=20)),
}  # fmt: skip


@dataclass(frozen=True)
class Learn:
    """A cell: networks of one kind in one setting."""

    points: int
    dimension: int
    norm: float
    neurons: int
    time: float
    """Of no weight to classifiers."""
    initial: float
    training: Training
    seed: int
    """Of the first replicate's world; the others count up. All cells share them."""

    def __str__(self) -> str:
        at = f"n SNR² = {self.strength:.3g}, n = {self.points}, d = {self.dimension}, m = {self.neurons}"
        return f"{at}, t = {self.time:g}, first weights {self.initial:g}, norm {self.norm:.3g}"

    @property
    def squares(self) -> tuple[float, float]:
        """‖μ‖² and the mean ‖ξ‖²: noise is orthogonal to two signals."""
        return self.norm**2, self.dimension - 2.0

    @property
    def strength(self) -> float:
        """n SNR²."""
        return self.points * self.norm**2 / self.squares[1]

    @property
    def raced(self) -> float:
        """The classifier's ratio, by the law of the race."""
        return float(law.race_end(self.points, *self.squares, self.initial))

    def rest(self, rests: str) -> law.Stationary:
        return law.stationary_ratio(self.points, *self.squares, self.time, self.neurons, rests=rests)


@dataclass(frozen=True)
class Sampled:
    """A cell: the exact loss beside one with noise that is drawn, and one by quadrature."""

    draws: int

    def __str__(self) -> str:
        return f"{self.draws:,} noises"


def base(config: Config, seed: int = 0) -> Learn:
    """A cell of the line, where n SNR² is 1."""
    least = config.initials[0]
    norm = norm_of(1.0, config)
    return Learn(config.points, config.dimension, norm, config.neurons, config.time, least, config.training, seed)


def norm_of(strength: float, config: Config) -> float:
    return float(np.sqrt(strength * (config.dimension - 2) / config.points))


def cells(config: Config, seed: int) -> Iterator[Work]:
    one, many = base(config, world_seed(seed, STUDY, "world")), replace(config.training, seeds=config.many)
    yield Work("compare", Sampled(config.draws))
    places = [(norm_of(q, config), config.points) for q in sorted({*config.strengths, *config.judged})]
    for norm, n in dict.fromkeys([*places, *product(config.norms, config.sizes)]):
        yield Work("denoise", replace(one, norm=norm, points=n), cost=float(n))
        yield Work("classify", replace(one, norm=norm, points=n, training=many), cost=float(n) / 4)
    for initial, q in product(config.initials[1:], config.strengths):
        yield Work("classify", replace(one, norm=norm_of(q, config), initial=initial, training=many), cost=5.0)
    for q in config.judged:
        yield Work("begin", replace(one, norm=norm_of(q, config), training=many), cost=5.0)
    for n, d, norm, m, time in OTHERS[: config.others]:
        yield Work("denoise", replace(one, points=n, dimension=d, norm=norm, neurons=m, time=time), cost=20.0)


def line(found: Found, function: str, strengths: Sequence[float] | None = None, **where: Any) -> list[Rows[Learn]]:
    """Cells of the line, with the least first weights unless others are named."""
    config = found.config
    norms = [norm_of(q, config) for q in strengths or config.strengths]
    return [at(found, function, norm=norm, **where) for norm in norms]


def at(found: Found, function: str, **where: Any) -> Rows[Learn]:
    """The cell that is as those of the line, but for what is named."""
    config = found.config
    places = {"points": config.points, "dimension": config.dimension, "initial": config.initials[0]} | where
    return found.one(Learn, function=function, **places)


def at_end(t: Rows[Any], column: str = "ratio") -> Floats:
    return np.asarray(t.array(column, axis="end"), float)


def logs(ts: Sequence[Rows[Learn]]) -> Floats:
    """Logarithms of ratios, shape (R, cells)."""
    return np.stack([np.log(at_end(t)) for t in ts], axis=1)


def typical(t: Rows[Learn]) -> Estimate:
    """Geometric mean over replicates."""
    return mean(np.log(at_end(t))).exp()


@claim(within(4.0), "standard errors", LOSS, "mean of {t} less the exact loss")
def sampled(t: Rows[Sampled]) -> Estimate:
    """The exact loss is the mean over noise."""
    return exact(float(at_end(t, "deviation")[0])).against(0.0)


@claim(below(1e-10), "share", LOSS, "relative deviation at d = 3")
def integrated(t: Rows[Sampled]) -> Estimate:
    """The exact loss is the integral over noise, by Gauss and Hermite's quadrature."""
    return exact(float(at_end(t, "quadrature")[0])).against(0.0)


MEANS = "mean size of <w, μ> over that of <w, ξ>, all neurons and points"


@claim(within_share(0.12), "ratio", EARLY, f"{MEANS}, when weights have length {GREW}")
def turns(t: Rows[Learn]) -> Estimate:
    """n SNR² = {t.case.strength:.3g}: a denoiser with small weights has turned to the mean point, a ratio of n SNR²/2."""
    return typical(t).against(float(law.early_ratio(t.case.points, *t.case.squares)))


@claim(within_share(0.2), "ratio", REST, f"{MEANS}, at the end")
def rests(t: Rows[Learn]) -> Estimate:
    """{t}: a denoiser comes to rest at the ratio of the symmetric ansatz."""
    return typical(t).against(t.case.rest("orthogonal").ratio)


@claim(within_range(0.3, 3.0), "ratio", PAPER, f"{MEANS}, at the end: {{which}} over n SNR²")
def balanced(ts: Sequence[Rows[Learn]], which: str) -> Estimate:
    """From n SNR² = {ts[0].case.strength:.3g} to {last:.3g} denoisers are balanced, at the {which}."""
    pick = {"least": np.min, "greatest": np.max}[which]
    return statistic(lambda x: float(pick(x)), logs(ts)).exp().against(None, last=ts[-1].case.strength)


def greedy(t: Rows[Learn], what: str) -> Estimate:
    """n SNR² = {t.case.strength:.3g}: a classifier learns {what}."""
    return typical(t).against(t.case.raced)


ROOTS = f"root mean squares of <w, μ> over that of <w, ξ>, all neurons and points, at a loss of {FITTED}"
memorises, generalises = (claim(judge, "ratio", PAPER, ROOTS)(greedy) for judge in (below(0.05), above(25.0)))


@claim(within_factor(1.6), "ratio", RACE, ROOTS)
def ties(t: Rows[Learn]) -> Estimate:
    """n SNR² = {t.case.strength:.3g}: where rates are equal, the classifier's ratio stays what it was, √(M/X)."""
    return typical(t).against(t.case.raced)


def steepness(values: Floats, ts: Sequence[Rows[Learn]], of: Callable[[Any], Any] = float) -> float:
    """Slope of log ratios (cells,) against `of` n SNR²/2."""
    return float(np.polyfit([of(law.race(t.case.points, *t.case.squares)) for t in ts], values, 1)[0])


@claim(above(0.0), "per n SNR²/2", RACE, "slope of log ratio over the line, less that at {large[0].case.initial:g}")
def sharper(small: Sequence[Rows[Learn]], large: Sequence[Rows[Learn]]) -> Estimate:
    """First weights of {small[0].case.initial:g}: smaller first weights make a classifier's threshold sharper."""

    def gap(values: Any) -> float:
        return steepness(values[0], small) - steepness(values[1], large)

    lawful = np.log([[t.case.raced for t in ts] for ts in (small, large)])
    return statistic(gap, np.stack([logs(small), logs(large)], axis=1)).against(gap(lawful))


@claim(within_range(1.0, 1.4), "n SNR²/2", RACE, "where the log ratio crosses 0")
def crosses(ts: Sequence[Rows[Learn]]) -> Estimate:
    """Above a threshold near n SNR² = 2 a classifier answers to signal more than to noise."""
    x = [float(law.race(t.case.points, *t.case.squares)) for t in ts]

    def crossing(values: Any) -> float:
        risen = np.maximum.accumulate(values)
        return float(np.interp(0.0, risen, x)) if risen[0] < 0 < risen[-1] else np.nan

    return statistic(crossing, logs(ts)).against(crossing(np.log([t.case.raced for t in ts])))


@claim(within(0.1), "log-log slope", "{source}", f"slope of log {MEANS}, at the end, against log n SNR²")
def slope(ts: Sequence[Rows[Learn]], source: str, predicted: float, what: str) -> Estimate:
    """The denoiser's ratio goes with n SNR² as {what}."""
    return statistic(lambda x: steepness(x, ts, np.log), logs(ts)).against(predicted)


def claims(found: Found) -> Iterator[Claim]:
    """The loss, the denoiser's beginning and rest, the classifier's race, and their difference."""
    config = found.config
    (loss,) = found.of(Sampled)
    yield from (sampled(loss), integrated(loss))
    yield from (turns(t) for t in line(found, "begin", config.judged))
    others = [t for t in found.of(Learn, function="denoise") if t.case.dimension != config.dimension]
    yield from (rests(t) for t in [*line(found, "denoise", config.judged), *others])
    denoisers, classifiers = line(found, "denoise"), line(found, "classify")
    yield from (balanced(denoisers, which) for which in ("least", "greatest"))
    yield from (memorises(t, "noise alone") for t in classifiers if t.case.strength < 1.01)
    yield from (generalises(t, "the signal alone") for t in classifiers if t.case.strength > 5.99)
    yield from (ties(t) for t in classifiers if abs(t.case.strength - 2) < 0.01)
    by_initial = [line(found, "classify", initial=initial) for initial in config.initials]
    yield from (sharper(*pair) for pair in pairwise(by_initial))
    yield crosses(classifiers)
    yield slope(denoisers, PAPER, 1.0, "Θ(n SNR²) is read, in proportion")
    lawful = steepness(np.log([t.case.rest("orthogonal").ratio for t in denoisers]), denoisers, np.log)
    yield slope(denoisers, REST, lawful, "the symmetric ansatz has it")


KIND_OF = {"denoiser": "denoise", "classifier": "classify"}
LAWS = ("law, early", "denoiser"), ("law, orthogonal rests", "denoiser"), ("law", "denoiser"), ("law", "classifier")


def by_strength(found: Found) -> Iterator[pl.DataFrame]:
    """What neurons answer to signals over what they answer to training noise, at the end: means of sizes for denoisers, of
    squares for classifiers; geometric mean over replicates, with the least and the greatest. Law: of denoisers at rest, by a
    symmetric ansatz with opposed rests of weights off the data, or orthogonal ones; early, n SNR²/2; of classifiers, a race.
    """
    config = found.config
    q = np.geomspace(config.strengths[0], config.strengths[-1], 20)
    cases = [replace(base(config), norm=norm_of(strength, config)) for strength in q]
    early = [float(law.early_ratio(case.points, *case.squares)) for case in cases]
    rest = ([case.rest(rests).ratio for case in cases] for rests in law.RESTS)
    for (name, network), ratios in zip(LAWS, (early, *rest, [case.raced for case in cases]), strict=True):
        yield curve({"strength": q}, {"ratio": ratios}, series=name, network=network)
    for network, function in KIND_OF.items():
        yield measured(line(found, function), series="networks", network=network)


def measured(ts: Sequence[Rows[Learn]], **labels: str) -> pl.DataFrame:
    """Rows of the ratios of cells over their n SNR²."""
    values, x = logs(ts), {"strength": [t.case.strength for t in ts]}
    band = np.exp(values.min(0)), np.exp(values.max(0))
    return curve(x, {"ratio": np.exp(values.mean(0))}, band, **labels)


def thresholds(found: Found) -> Iterator[pl.DataFrame]:
    """The classifier's ratio by n SNR² and the deviation of first weights, as above, and the law of the race."""
    for initial in found.config.initials:
        ts, label = line(found, "classify", initial=initial), f"first weights {initial:g}"
        x = {"strength": [t.case.strength for t in ts]}
        yield curve(x, {"ratio": [t.case.raced for t in ts]}, series="law", initial=label)
        yield measured(ts, series="networks", initial=label)


def courses(found: Found) -> Iterator[pl.DataFrame]:
    """Mean sizes of <w, μ> and <w, ξ> over neurons and points, by steps, up to the last look; mean over replicates, least
    and greatest. A denoiser's step is a share of its weights, a classifier's a share of the slope.
    """
    ends = found.config.strengths[0], found.config.strengths[-1]
    for (name, function), q in product(KIND_OF.items(), ends):
        (t,) = line(found, function, [q])
        step = t.array("step", axis="way")[0]
        x = {"step": step, "done": step / step[-1]}
        both = {part: t.array(part, axis="way") for part in ("signal", "memory")}
        yield curves(x, "size", both, network=name, strength=f"n SNR² = {q:g}")


def mapped(found: Found) -> Iterator[pl.DataFrame]:
    """Logarithm to base 10 of the ratio at the end, by the number of points and the length of the signal; replicates' mean."""
    config, x, y = found.config, log_ends(found.config.sizes), log_ends(found.config.norms)
    names = ("points", "norm", "from", "to", "below", "above", "ratio")
    for (name, function), n, norm in product(KIND_OF.items(), config.sizes, config.norms):
        ratio = float(logs([at(found, function, points=n, norm=norm)]).mean() / np.log(10))
        yield pl.DataFrame({"network": name, **dict(zip(names, (float(n), norm, *x[n], *y[norm], ratio), strict=True))})


def tables(found: Found) -> Iterator[Table]:
    yield from table("ratio", "Signal over memory", by_strength, found)
    yield from table("threshold", "The classifier's threshold", thresholds, found)
    yield from table("course", "Signal and memory by steps", courses, found)
    yield from table("map", "Signal over memory by points and signal", mapped, found)


STRENGTH, RATIO = Axis("strength", "n SNR²"), Axis("ratio", "signal over memory")
KINDS: dict[Any, Kind] = {"law": "theory", "networks": "learner"}
RESTING: dict[Any, Kind] = {"law, early": "asymptote", "law, orthogonal rests": "theory", **KINDS}
FIGURES = (
    Figure("ratio", "Diffusion is balanced, a classifier takes one and leaves the other", "ratio", STRENGTH, RATIO, KINDS,
           colour="network", shown=pl.col("series").is_in(list(KINDS)),
           caption="A denoiser comes to rest near 1 all along; a classifier's ratio passes five powers of ten."),
    Figure("rest", "At rest a denoiser is nearer to 1 than n SNR²/2", "ratio", STRENGTH, RATIO, RESTING, colour="series",
           shown=pl.col("network") == "denoiser",
           caption="It begins on n SNR²/2. At rest opposed rests make the better law, but at both ends, where neurons part."),
    Figure("threshold", "Smaller first weights, a sharper threshold", "threshold", STRENGTH, RATIO, KINDS, colour="initial",
           caption="The law has noise patches orthogonal; those of a sample overlap, which favours memory."),
    Figure("course", "Signal and memory grow together in a denoiser", "course", Axis("done", "share of the steps", log=False),
           Axis("size", "mean size of an inner product"), "learner", columns="network", rows="strength", colour="series",
           caption="A weak signal above, a strong one below: a classifier leaves the other part where it was."),
    HeatMap("map", "Balanced nearly everywhere, and greedy on both sides of a line", "map", Axis("points", "n, points"),
            Axis("norm", "length of the signal"), Axis("ratio", "log₁₀ of signal over memory", log=False),
            ("from", "to"), ("below", "above"), columns="network", centre=0.0,
            caption="White is a ratio of 1; a classifier passes it on a line of equal n SNR²."),
)  # fmt: skip


def summary(found: Found) -> str:
    denoisers, classifiers = line(found, "denoise"), line(found, "classify")
    first, last = (f"{t.case.strength:.3g}" for t in (denoisers[0], denoisers[-1]))
    of = [[f"{typical(t).value:.2g}" for t in (ts[0], ts[-1])] for ts in (denoisers, classifiers)]
    return (
        "Points hold a signal, one for each class, and a patch of noise. A denoiser with tied weights is trained on its exact "
        "expected loss, and a classifier with the same activation on labels. The paper has the denoiser's ratio of signal to "
        f"memory as Θ(n SNR²). It begins there, at n SNR²/2; at rest, from n SNR² = {first} to {last}, it goes only from "
        f"{of[0][0]} to {of[0][1]}, saturating near 1, as an ansatz foretells. The classifier's goes from {of[1][0]} to "
        f"{of[1][1]}: it learns one or the other."
    )
