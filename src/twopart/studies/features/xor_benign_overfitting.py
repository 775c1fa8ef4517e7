"""When does it do no harm that a network memorises noise and flipped labels, on data that no linear rule can tell apart?

Two-layer ReLU networks are trained to the end on XOR data, each point a signal patch and a noise patch. Theory predicts,
constants and all, how much of the signal they learn, and how often fresh noise drowns it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, exact, log_ends, mean, paired, ratio, table
from twopart.evidence.claims import Guard
from twopart.evidence.judges import above, below, equals, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.features import reply_error, rivalry, uneven_memory, xor_error
from twopart.laws.features.xor import XorLaw
from twopart.report import Axis, Figure, HeatMap, Kind
from twopart.settings import among, at_least, between, distinct, every, rising, settings
from twopart.studies import Work, world_seed

STUDY, TITLE = "xor-benign-overfitting", "Benign overfitting on XOR data"
PAPER, PAGE = "Meng, Zou, Cao 2024, arXiv 2310.01975", "docs/laws/xor-benign-overfitting.md"
SIGNAL, REPLY, SHARE = f"{PAGE}, what is learned", f"{PAGE}, what fresh noise does", f"{PAGE}, the active share"
ORDER = f"order: {PAPER}; constant: {REPLY}"

Floats = NDArray[np.float64]
SIZE = every(at_least(4).because("each of the four clusters needs a point"))
POSITIVE = every(between(0, np.inf, "()"))
JUDGED = (0.02, 0.4)  # errors of the law between which it is judged: outside all laws are alike
FITTED = 0.02  # training loss, by which training is at its end
BENIGN, MARGIN = 0.01, 2.0  # clean error that does no harm, and the k from which the theory has it so
HARM = 0.1  # error beyond p that the theorem's other side has


@settings
class Networks:
    """The networks of a cell, how they descend, and on how many points they are tested."""

    neurons: Annotated[int, at_least(1).because("an output without neurons is constant"), "m, neurons of a side."] = 64
    initial: Annotated[float, between(0, 1, "(]").because("theory takes it to 0"), "Deviation of first weights."] = 1e-4
    step: Annotated[float, between(0, 2, "(]").because("0.1 is near the flow"), "Step, in units of `time`."] = 0.1
    time: Annotated[
        float, between(1, 1e6).because("200 takes the loss to 0.006"), "Training time; margins end near its log."
    ] = 200.0
    seeds: Annotated[
        int, at_least(2).because("an interval needs a spread"), "Replicates, of own world, sample, network."
    ] = 6
    tests: Annotated[int, at_least(100), "Fresh points per replicate, on which errors are counted."] = 100_000


@settings
class Config:
    """XOR: error of networks that have memorised their training noise, over signal, angle, flipped labels and sample size."""

    points: Annotated[
        tuple[int, ...], distinct(1), SIZE, "Training points n; the first with the first d is the reference."
    ] = (80, 160)
    dimensions: Annotated[tuple[int, ...], distinct(1), every(at_least(100)), "Dimensions d, above n."] = (4000, 2000)
    margins: Annotated[tuple[float, ...], rising(2), POSITIVE, "Signals, as the law's k without flips."] = (
        0.2,
        0.5,
        1.0,
        2.0,
        4.0,
    )
    cosines: Annotated[tuple[float, ...], rising(2), every(between(0, 1, "[)")), "Cosines; norms grow to equal signals."] = (
        0.0, 0.3, 0.6, 0.8,
    )  # fmt: skip
    flips: Annotated[tuple[float, ...], rising(2), every(between(0, 0.3)), "Shares p of flipped labels."] = (
        0.0,
        0.1,
        0.2,
    )
    map_flips: Annotated[float, among("flips"), "The p of the map."] = 0.1
    map_points: Annotated[tuple[int, ...], rising(2), SIZE, "n of the map."] = (20, 40, 80, 160)
    map_norms: Annotated[tuple[float, ...], rising(2), POSITIVE, "Norms of the map."] = (
        2.0,
        2.8,
        4.0,
        5.6,
        8.0,
        11.3,
        16.0,
    )
    networks: Networks = Networks()


MANY = tuple(round(10 * 2 ** (k / 2)) for k in range(15))
NORMS, LARGE = tuple(round(2 ** (1 + k / 4), 2) for k in range(15)), Networks(128, step=0.05, seeds=10, tests=10**6)
FEW = Networks(12, step=0.4, time=100, seeds=2, tests=1000)
PRESETS = {
    "tiny": Config((16,), (400,), (0.5, 3.0), (0.0, 0.6), (0.0, 0.1), 0.1, (8, 16), (2.0, 9.0), FEW),
    "small": Config(),
    "full": Config((80, 160, 320, 640), (8000, 32_000), map_points=MANY, map_norms=NORMS, networks=LARGE),
}


@dataclass(frozen=True)
class Overfit:
    """A cell: networks trained to the end on one kind of world."""

    points: int
    dimension: int
    norm: float
    cosine: float
    flips: float
    mapped: bool
    """Whether it is one of the map's."""
    networks: Networks
    seed: int
    """Of the first replicate's world; the others count up. All cells share them, and with them the noise."""

    def __str__(self) -> str:
        where = f"n = {self.points}, d = {self.dimension}, norm {self.norm:.3g}"
        return f"{where}, c = {self.cosine:g}, p = {self.flips:g}{', map' * self.mapped}"

    @property
    def size(self) -> str:
        return f"n = {self.points}, d = {self.dimension}"

    @property
    def signal(self) -> float:
        """norm² (1 - c²), on which alone the law depends."""
        return self.norm**2 * (1 - self.cosine**2)

    @property
    def steps(self) -> int:
        return round(self.networks.time / self.networks.step)


def cells(config: Config, seed: int) -> Iterator[Work]:
    n, d, world = config.points[0], config.dimensions[0], world_seed(seed, STUDY, "world")
    tried = [(*size, k, 0.0, 0.0) for size, k in product(product(config.points, config.dimensions), config.margins)]
    tried += [(n, d, k, c, 0.0) for k, c in product(config.margins, config.cosines)]
    tried += [(n, d, k, 0.0, p) for k, p in product(config.margins, config.flips)]
    square = 4 * np.sqrt(2)
    cases = [(n, d, float(np.sqrt(square * k * np.sqrt(d / n) / (1 - c**2))), c, p, False) for n, d, k, c, p in tried]
    cases += [(n, d, norm, 0.0, config.map_flips, True) for n, norm in product(config.map_points, config.map_norms)]
    for case in (Overfit(*what, config.networks, world) for what in dict.fromkeys(cases)):
        yield Work("overfit", case, cost=case.steps * case.points * (case.points + case.networks.neurons))


def law(t: Rows[Overfit]) -> XorLaw:
    """Of each replicate, at its own share of flips, its training loss, and its share of active neurons: arrays (R,)."""
    p, q, loss = t.array("flips"), t.array("active"), np.minimum(t.array("loss"), FITTED)  # beyond, nothing is judged
    return xor_error(t.case.points, t.case.dimension, t.case.norm, 1.0, p, t.case.cosine, q, loss=loss)


def farthest(ts: Sequence[Rows[Overfit]], deviation: Callable[[Rows[Overfit]], Floats]) -> Rows[Overfit]:
    """The case whose mean deviation is largest."""
    return max(ts, key=lambda t: abs(float(deviation(t).mean())))


def series(found: Found, **where: Any) -> list[Rows[Overfit]]:
    return found.of(Overfit, mapped=False, **where)


UNFITTED = Guard(
    f"a mean training loss exceeds {FITTED:g}", lambda ts: max(t.array("loss").mean() for t in ts) > FITTED
)
WORST = "of {count} signals the farthest from the prediction: {worst}"


@claim(within(0.01), "share of points", REPLY, f"test error, {WORST}", UNFITTED)
def error_of_law(ts: Sequence[Rows[Overfit]]) -> Estimate:
    """{where}: the test error is that of the closed form, at the measured share of active neurons and training loss."""
    judged = [t for t in ts if JUDGED[0] <= law(t).clean.mean() <= JUDGED[1]]
    words = {"where": f"{ts[0].case.size}, p = {ts[0].case.flips:g}", "count": len(judged)}
    if not judged:
        return exact(np.nan).against(None, worst="none", **words)
    worst = farthest(judged, lambda t: t.array("error") - law(t).clean)
    found, predicted = paired(worst.array("error"), law(worst).clean), float(law(worst).clean.mean())
    return found.plus(predicted).against(predicted, worst=f"norm {worst.case.norm:.3g}", **words)


@claim(
    within(0.01),
    "share of points",
    SIGNAL,
    "test error of c = {worst.case.cosine:g}, of {count} angles the farthest from c = 0",
    UNFITTED,
)
def collapse(ts: Sequence[Rows[Overfit]]) -> Estimate:
    """norm² (1 - c²) = {ts[0].case.signal:.3g}: at whatever angle the two features stand, the error is that of right angles."""
    right, *others = (t.array("error") for t in ts)
    worst = farthest(ts[1:], lambda t: t.array("error") - right)
    found = paired(worst.array("error"), right).plus(float(right.mean()))
    return found.against(float(right.mean()), worst=worst, count=len(others))


def learned(ts: Sequence[Rows[Overfit]]) -> Estimate:
    """p = {flips:g}: of signal and memory a neuron learns in the ratio that the law has."""
    worst = farthest(ts, lambda t: np.log(t.array("signal") / t.array("memory") / law(t).ratio))
    measured = worst.array("signal") / worst.array("memory")
    return ratio(measured, law(worst).ratio).against(1.0, flips=worst.case.flips, count=len(ts), worst=worst)


RATIO = "ratio", SIGNAL, f"signal over memory, in units of the law's; {WORST}", UNFITTED
signal_alone, signal_flipped = (claim(within_share(share), *RATIO)(learned) for share in (0.09, 0.15))


@claim(
    within_range(0.6, 0.85),
    "share of neurons",
    SHARE,
    "share of own-label noise that is active, of {count} sizes the farthest from 1/2",
)
def more_than_half(ts: Sequence[Rows[Overfit]]) -> Estimate:
    """Signs of first pre-activations do not survive: more than half of the neurons remember a point, and it costs more."""
    return mean(farthest(ts, lambda t: t.array("active") - 0.5).array("active")).against(None, count=len(ts))


@claim(
    equals(),
    "share of points",
    ORDER,
    "largest training error over replicates, of {count} cases with k >= 2 and flipped labels",
)
def fits(ts: Sequence[Rows[Overfit]]) -> Estimate:
    """Every flipped label is memorised."""
    return exact(max(float(t.array("train_error").max()) for t in ts)).against(0.0, count=len(ts))


@claim(
    below(BENIGN), "share of points", ORDER, "test error, of {count} cases with k >= 2 and flipped labels the largest"
)
def benign(ts: Sequence[Rows[Overfit]]) -> Estimate:
    """On the benign side it does no harm: hardly a fresh point is classified against its clean label."""
    worst = farthest(ts, lambda t: t.array("error"))
    return mean(worst.array("error")).against(float(law(worst).clean.mean()), count=len(ts))


@claim(
    above(0.99),
    "share of the map",
    ORDER,
    "share of the map's {count} cells, but those within .01 of the threshold p + 0.1",
)
def sides(ts: Sequence[Rows[Overfit]]) -> Estimate:
    """The law tells the harmful side of the threshold from the benign one, all over the map."""
    measured, lawful = (
        np.array([flipped(t, clean(t)).mean() - t.case.flips - HARM for t in ts]) for clean in (errors, lawful_errors)
    )
    clear = np.abs(lawful) > 0.01
    return exact(float((np.sign(measured) == np.sign(lawful))[clear].mean())).against(1.0, count=int(clear.sum()))


def errors(t: Rows[Overfit]) -> Floats:
    return t.array("error")


def lawful_errors(t: Rows[Overfit]) -> Floats:
    return np.asarray(law(t).clean)


def flipped(t: Rows[Overfit], clean: Floats) -> Floats:
    """The error on test labels that are flipped as often."""
    return np.asarray(t.case.flips + (1 - 2 * t.case.flips) * clean)


def claims(found: Found) -> Iterator[Claim]:
    """The angle, the signal, the error, the active share, both sides of the threshold."""
    config, (n, d) = found.config, (found.config.points[0], found.config.dimensions[0])
    angles = [series(found, points=n, dimension=d, flips=0.0, cosine=c) for c in config.cosines]
    yield from (collapse(ts) for ts in zip(*angles, strict=True))
    sizes = [
        series(found, points=n, dimension=d, flips=0.0, cosine=0.0)
        for n, d in product(config.points, config.dimensions)
    ]
    noisy = [series(found, flips=p) for p in config.flips if p > 0]
    yield signal_alone([t for ts in sizes for t in ts])
    yield from (signal_flipped(ts) for ts in noisy)
    yield from (error_of_law(ts) for ts in (*sizes, *noisy))
    yield more_than_half([ts[0] for ts in sizes])
    large = [t for t in found.of(Overfit) if t.case.flips > 0 and law(t).margin.mean() >= MARGIN]
    if large:
        yield from (fits(large), benign(large))
    yield sides(found.of(Overfit, mapped=True))


SHOWN = 1e-4  # below it the tests count too few errors
LAWS = ("law, measured q", "law, q = 1/2")


def by_margin(ts: Sequence[Rows[Overfit]], active: float) -> Iterator[pl.DataFrame]:
    """Share of fresh points classified against their clean label, over the law's k: the signal that was learned in units of
    what the network replies to fresh noise. Mean over replicates, with the least and the greatest. Law: at the measured share
    q of active neurons, for a panel's first size and flips spread evenly, and at q = 1/2, as if first signs survived.
    """
    by_size: dict[tuple[float, str], list[Rows[Overfit]]] = {}
    for t in sorted(ts, key=lambda t: (t.case.flips, t.case.norm)):
        by_size.setdefault((t.case.flips, t.case.size), []).append(t)
    for p in dict.fromkeys(p for p, _ in by_size):
        grid, panel = np.geomspace(0.1, 3.0, 60), f"p = {p:g}"
        first = next(t.case for t in ts if t.case.flips == p)
        against = rivalry(first.points, first.dimension, active)
        laws = {LAWS[0]: reply_error(grid, active, against, uneven_memory(active)), LAWS[1]: reply_error(grid)}
        yield curves({"k": grid}, "error", laws, flips=panel)
    for (p, size), of in by_size.items():
        k, measured = [float(law(t).margin.mean()) for t in of], np.stack([errors(t) for t in of], axis=1)
        yield curve({"k": k}, {"error": measured}, series=size, flips=f"p = {p:g}")


def by_angle(angles: Sequence[Sequence[Rows[Overfit]]]) -> Iterator[pl.DataFrame]:
    """The same error over the cosine c of the two features, their norms growing so that norm² (1 - c²) stays."""
    for ts in (ts for ts in zip(*angles, strict=True) if lawful_errors(ts[0]).mean() > SHOWN):
        x, measured = {"cosine": [t.case.cosine for t in ts]}, np.stack([errors(t) for t in ts], axis=1)
        lawful = np.array([lawful_errors(t).mean() for t in ts])
        yield curves(
            x, "error", {"law": lawful, "networks": measured}, signal=f"norm² (1 - c²) = {ts[0].case.signal:.3g}"
        )


def ratios(ts: Sequence[Rows[Overfit]]) -> Iterator[pl.DataFrame]:
    """γ/ρ, signal over memory of an active neuron, by the norm of the features; law: k1 (1 - 2p)/(1 + p k1/q)."""
    for p in sorted({t.case.flips for t in ts}):
        own = sorted((t for t in ts if t.case.flips == p), key=lambda t: t.case.norm)
        measured = np.stack([t.array("signal") / t.array("memory") for t in own], axis=1)
        found = {"law": np.array([law(t).ratio.mean() for t in own]), "networks": measured}
        yield curves({"norm": [t.case.norm for t in own]}, "ratio", found, flips=f"p = {p:g}")


def mapped(ts: Sequence[Rows[Overfit]]) -> Iterator[pl.DataFrame]:
    """Share of test points classified against labels that are flipped as in training: p where overfitting does no harm. The
    line is the law's, where it is p + 0.1.
    """
    x, y = log_ends({t.case.points for t in ts}), log_ends({t.case.norm for t in ts})
    rows = []
    for t in ts:
        size = {"points": t.case.points, "norm": t.case.norm}
        end = dict(zip(("from", "to", "low", "high"), (*x[t.case.points], *y[t.case.norm]), strict=True))
        rows.append(size | end | {"error": flipped(t, errors(t)).mean(), "law": flipped(t, lawful_errors(t)).mean()})
    yield pl.DataFrame(rows)


def threshold(ts: Sequence[Rows[Overfit]]) -> Iterator[pl.DataFrame]:
    """By the number of points the norm at which the law's error is p + 0.1, at the map's mean share of active neurons."""
    case, active = ts[0].case, float(np.mean([t.array("active").mean() for t in ts]))
    norms, sizes = np.geomspace(0.5, 64, 60), np.geomspace(ts[0].case.points, ts[-1].case.points, 9)
    lawful = xor_error(sizes[:, None], case.dimension, norms, 1.0, case.flips, 0.0, active).noisy
    where = [np.interp(-case.flips - HARM, -row, np.log(norms)) for row in lawful]
    yield pl.DataFrame({"points": sizes, "norm": np.exp(where)})


def tables(found: Found) -> Iterator[Table]:
    config, (n, d) = found.config, (found.config.points[0], found.config.dimensions[0])
    square = [t for t in series(found) if t.case.cosine == 0]
    yield from table(
        "error", "Error by signal", by_margin, square, float(np.mean([t.array("active").mean() for t in square]))
    )
    yield from table(
        "angles",
        "Error by angle",
        by_angle,
        [series(found, points=n, dimension=d, flips=0.0, cosine=c) for c in config.cosines],
    )
    yield from table("signal", "Signal over memory", ratios, [t for t in square if t.case.size == f"n = {n}, d = {d}"])
    yield from table("map", "Benign and harmful", mapped, found.of(Overfit, mapped=True))
    yield from table("threshold", "The law's threshold", threshold, found.of(Overfit, mapped=True))


ERROR, MARGIN_AXIS = (
    Axis("error", "clean test error", domain=(SHOWN, 0.5)),
    Axis("k", "k, signal over the reply to fresh noise"),
)
NORM, POINTS = Axis("norm", "norm of the features"), Axis("points", "training points n")
KINDS: dict[Any, Kind] = {"law": "theory", "networks": "learner"}
SIZED: dict[Any, Kind] = {LAWS[0]: "theory", LAWS[1]: "asymptote", ...: "learner"}
FLIPPED = Axis("error", "test error", log=False, domain=(0, 0.5))
BOTH = "Sizes, signals and flipped labels fall on one curve, that of the measured share of active neurons."
FIGURES = (
    Figure("error", "How often noise drowns the signal", "error", MARGIN_AXIS, ERROR, SIZED, columns="flips", caption=BOTH),
    Figure("angles", "Features at an angle", "angles", Axis("cosine", "cosine c", log=False), ERROR, KINDS, colour="signal",
           caption="What counts of the signal is norm² (1 - c²): correlated features only need to be longer."),
    Figure("signal", "What a neuron learns", "signal", NORM, Axis("ratio", "signal over memory, γ/ρ"), KINDS, columns="flips",
           caption="Flipped labels slow the signal down, and their points must be memorised the harder."),
    HeatMap("map", "Benign and harmful overfitting", "map", POINTS, NORM, FLIPPED,
            ("from", "to"), ("low", "high"), line="threshold", caption="Above the line overfitting is benign, below it harms."),
)  # fmt: skip


def summary(found: Found) -> str:
    square = [t for t in series(found) if t.case.cosine == 0]
    active = float(np.mean([t.array("active").mean() for t in square]))
    return (
        "Points hold a signal, ±u for one class and ±v for the other, and a patch of noise, in so many dimensions that a "
        "two-layer ReLU network can fit any labels by noise alone; some labels are flipped. Theory gives the error on fresh "
        "points in closed form: the signal that a neuron has learned, over what the network replies to noise that it has "
        f"never seen. {found.config.networks.seeds} networks of each kind were trained until they fitted every label. A "
        f"training point is remembered by {active:.0%} of the neurons of its side, not by half of them; with that number and "
        "the training loss at the end the closed form has no free constant."
    )
