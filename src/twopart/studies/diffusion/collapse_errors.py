"""Do errors of the score at high noise make samples of the ODE collapse, where those of the SDE forget them?

A Gaussian with a planted error, in closed form and by simulation; then networks on five narrow modes, whose samples, densities
and neighbours are compared with the noised data, at high noise with remedies and at low noise always with the same network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import Annotated, Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curves, exact, mean, paired, ratio, table
from twopart.evidence.judges import below, contains, never_below, sign, within, within_range, within_share
from twopart.findings import Claim, Table
from twopart.laws.diffusion.collapse import variance_ratio
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, both, every, rising, settings
from twopart.studies import Work

STUDY, TITLE = "collapse-errors", "Collapse errors of deterministic samplers"
PAPER, PAGE = "Zhang, Liao, Wu, et al., Zou 2025, arXiv 2508.16154", "docs/laws/collapse-errors.md"
GAUSSIAN, SEESAW, TAIL = f"{PAGE}, a planted error", f"{PAGE}, the see-saw", f"{PAGE}, tails of neighbours"
POSITIVE = between(0, 100, "()").because("it is a size")
SHARES = both(rising(1), every(between(0, 0.5, "()"))).because("a tail is a part")
BOUNDARIES = {"high": 0.5, "low": 0.05}
"""OU times above which an error sits at high noise, and below which it sits at low noise."""


@settings
class Planted:
    """Gaussian data, a score with a planted error, and samplers along equal steps of log SNR."""

    variance: Annotated[float, POSITIVE, "Variance of the data."] = 0.01
    horizon: Annotated[float, between(1, 10), "OU time at which samplers start."] = 4.0
    stop: Annotated[float, between(0, 0.04, "()"), "OU time at which all samplers stop."] = 1e-3
    steps: Annotated[int, at_least(10), "Steps of every sampler, along equal steps of log SNR."] = 400
    bias: Annotated[float, between(0, 0.5, "(]"), "The planted error κ: the score is 1 + κ times the true one."] = 0.1
    bands: Annotated[int, at_least(2), "Bands of noise at which the error sits, in the figure."] = 7
    draws: Annotated[int, at_least(100), "Samples in each replicate."] = 20_000

    @property
    def ends(self) -> tuple[float, float]:
        return level(self.horizon), level(self.stop)


@settings
class Networks:
    """Small networks on a mixture of narrow modes."""

    width: Annotated[int, at_least(2), "Units of each of the two hidden layers."] = 48
    training: Annotated[int, at_least(10), "Steps of training; specialists share them as their noise levels."] = 3000
    batch: Annotated[int, at_least(8), "Points of a step."] = 128
    rate: Annotated[float, between(0, 0.1, "(]"), "Rate of Adam, which falls along a cosine."] = 1e-2
    split: Annotated[float, between(-4, 4), "Log SNR below which noise is high."] = 0.0
    first: Annotated[float, between(-12, -5), "Log SNR at which samplers start and training begins."] = -6.0
    scale: Annotated[float, between(0, 0.3, "()"), "Standard deviation of a mode."] = 0.08
    weighings: Annotated[tuple[float, ...], rising(2), every(POSITIVE), "Weights of low noise, see-saw."] = (0.1, 1, 10)


@settings
class Drawn:
    """What is drawn from the networks and counted."""

    points: Annotated[int, at_least(100), "Samples in each replicate."] = 4000
    more: Annotated[int, at_least(100), "Samples of each replicate's histogram."] = 40_000
    radii: Annotated[tuple[float, ...], rising(1), every(POSITIVE), "Radii, in that of the reference."] = (0.5, 1, 2, 8)
    tops: Annotated[tuple[float, ...], SHARES, "Shares of points in the tail."] = (0.02, 0.05, 0.1)
    redrawn: Annotated[int, at_least(2), "Draws from the exact law of the ODE's samples."] = 50


@settings
class Config:
    """Errors of scores: planted in a Gaussian, and as networks make them."""

    churns: Annotated[tuple[float, ...], rising(2), every(between(0, 4)), "χ: 0 the ODE, 1 the SDE."] = (0, 0.5, 1, 2)
    planted: Planted = Planted()
    networks: Networks = Networks()
    drawn: Drawn = Drawn()
    replicates: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates: seeds."] = 8


PRESETS = {
    "tiny": Config(
        (0, 1), Planted(steps=16, bands=2, draws=400),
        Networks(16, 20, 16), Drawn(200, 200, (1, 2), (0.05,), 2), 2,
    ),
    "small": Config(),
    "full": Config(networks=Networks(training=20_000), drawn=Drawn(points=8000), replicates=32),
}  # fmt: skip


def level(t: float) -> float:
    """Log SNR at an OU time."""
    return float(-np.log(np.expm1(2 * t)))


@dataclass(frozen=True)
class Linear:
    """Samples of a Gaussian by a score that is 1 + κ times too strong within a band of log SNR."""

    planted: Planted
    bias: float
    band: tuple[float, float]
    where: str
    churn: float
    solver: str
    replicates: int

    def __str__(self) -> str:
        return f"κ = {self.bias:g} at {self.where}, χ = {self.churn:g}, {self.solver}"

    @cached_property
    def law(self) -> float:
        """The error of the log variance in the limit of small steps."""
        first, last = self.planted.ends
        edges = sorted({first, *self.band, last})
        inside = [self.bias * (self.band[0] <= edge < self.band[1]) for edge in edges[:-1]]
        return float(np.log(variance_ratio(edges, inside, self.planted.variance, churn=self.churn)[-1]))


@dataclass(frozen=True)
class Shared:
    """Random features that predict eps at low and at high noise with the same weights."""

    networks: Networks
    features: int
    replicates: int

    def __str__(self) -> str:
        return f"{self.features} random features"


@dataclass(frozen=True)
class Weighed:
    """Networks whose loss at low noise has a weight."""

    networks: Networks
    weight: float
    replicates: int

    def __str__(self) -> str:
        return f"weight {self.weight:g}"


@dataclass(frozen=True)
class Learned:
    """Networks, remedies at high noise, and their samples."""

    networks: Networks
    drawn: Drawn
    churns: tuple[float, ...]
    steps: int
    replicates: int

    def __str__(self) -> str:
        return "five modes"

    @property
    def runs(self) -> list[tuple[str, float]]:
        """Denoiser and churn."""
        both = [(name, χ) for name in (TWO, SKIP, EDM, EXACT) for χ in (0.0, 1.0)]
        return [(JOINT, χ) for χ in self.churns] + both + [(name, 0.0) for name in ABOVE]


JOINT, TWO, SKIP, EDM, EXACT = "one network", "two networks", "skip", "EDM", "exact"
ABOVE = ("specialist above", "skip above", "EDM above", "exact above")
"""At low noise `one network`, at high noise another: low-noise errors are equal, being those of the same network."""


def cells(config: Config, seed: int) -> Iterator[Work]:
    planted, R = config.planted, config.replicates
    yield Work("learn", Learned(config.networks, config.drawn, config.churns, planted.steps, R), cost=1e4)
    for weight in config.networks.weighings:
        yield Work("weigh", Weighed(config.networks, weight, R), cost=1e3)
    yield Work("share", Shared(config.networks, 24, R))
    first, last = planted.ends
    high, low = (first, level(BOUNDARIES["high"])), (level(BOUNDARIES["low"]), last)
    edges = np.linspace(first, last, planted.bands + 1).tolist()
    kinds = [(planted.bias, high, "high noise", "heun"), (planted.bias, low, "low noise", "heun")]
    kinds += [(-planted.bias, high, "high noise", "heun"), (planted.bias, high, "high noise", "euler")]
    kinds += [(planted.bias, (a, b), f"log SNR {a:.1f} to {b:.1f}", "heun") for a, b in pairwise(edges)]
    for (κ, band, where, solver), χ in product(kinds, config.churns):
        yield Work("flow", Linear(planted, κ, band, where, χ, solver, R))


@claim(within(0.02), "log variance", GAUSSIAN, "log variance of samples over that of the noised data")
def moved(t: Rows[Linear]) -> Estimate:
    """Gaussian, {t}: the variance errs as the law says."""
    foretold = t.array("steps")[0] if t.case.solver == "euler" else t.case.law
    return mean(t.array("error")).against(foretold)


@claim(within_range(-0.02, 0.02), "log variance", GAUSSIAN, "log variance of samples over that of the noised data")
def forgotten(t: Rows[Linear]) -> Estimate:
    """Gaussian: what the ODE answers to an error at high noise by {ode:.3f} the reverse SDE forgets."""
    ode = Linear(t.case.planted, t.case.bias, t.case.band, t.case.where, 0.0, "heun", 2).law
    return mean(t.array("error")).against(t.case.law, ode=ode)


@claim(within_share(0.05), "log variance", GAUSSIAN, "log variance of samples over that of the noised data")
def spreads(t: Rows[Linear]) -> Estimate:
    """Gaussian, ODE: a score as much too weak at high noise spreads the samples: collapse is a sign."""
    return mean(t.array("error")).against(t.case.law)


@claim(never_below(1e-9), "loss", SEESAW, "least rise of the excess loss at high noise from one weight to the next")
def never_falls(t: Rows[Shared]) -> Estimate:
    """{t}: the more low noise weighs, the worse high noise is fitted."""
    return exact(float(np.diff(t.array("high"), axis=1).min())).against(0.0)


@claim(sign(+1), "rank correlation", SEESAW, "rank correlation of weight and error at high noise, over {count} weights")
def rises(found: Sequence[Rows[Weighed]]) -> Estimate:
    """Networks: the more low noise weighs, the larger the error at high noise."""
    errors = np.stack([side(t, "high", weight=t.case.weight) for t in found], 1)
    values = [spearmanr([t.case.weight for t in found], row).statistic for row in errors]
    return mean(values).against(None, count=len(found))


@claim(below(0.5), "ratio", SEESAW, "square error at high noise, specialist's over that of one network for all noise")
def specialised(t: Rows[Learned]) -> Estimate:
    """{t}: a network for high noise alone, given as many samples there, has less than half of the error."""
    return ratio(side(t, "high", name=ABOVE[0]), side(t, "high", name=JOINT)).against(None)


@claim(within(0.02), "nats", TAIL, "mean divergence of the ODE's law from the noised data, by histograms")
def dense(t: Rows[Learned]) -> Estimate:
    """{t}, one network: the change of variables gives the divergence of what is drawn."""
    flow, histogram = t.array("kl", "histogram", axis="density", name=JOINT).T
    return mean(histogram - flow).plus(flow.mean()).against(flow.mean())


@claim(within(0.02), "tail index", TAIL, "difference of tail indices, samples less noised data; law: by draws")
def foretold(t: Rows[Learned]) -> Estimate:
    """{t}, one network: the ODE's law, exact on the line, has the tail index of what is drawn."""
    return mean(tail(t, JOINT, 0.0)).against(tail(t, JOINT, 0.0, "law").mean())


@claim(sign(+1), "tail index", f"{PAPER}; {TAIL}", "difference of tail indices, ODE less SDE, at the same steps")
def collapses(t: Rows[Learned]) -> Estimate:
    """{t}, one network: samples of the ODE are locally denser than those of the SDE."""
    return paired(tail(t, JOINT, 0.0), tail(t, JOINT, 1.0)).against(None)


@claim(sign(+1), "tail index", f"{PAPER}; {TAIL}", "difference of tail indices, one network less remedy, ODE")
def cured(t: Rows[Learned], name: str) -> Estimate:
    """{t}, {name}, low noise left as it is: the ODE's samples are less dense locally."""
    return paired(tail(t, JOINT, 0.0), tail(t, name, 0.0)).against(None)


@claim(contains(), "tail index", TAIL, "difference of tail indices, ODE less SDE")
def even(t: Rows[Learned]) -> Estimate:
    """{t}, the parametrisation and weight of EDM: ODE and SDE cannot be told apart."""
    return paired(tail(t, EDM, 0.0), tail(t, EDM, 1.0))


def side(t: Rows[Any], where: str, **of: Any) -> Floats:
    """Mean square error of eps over the levels at high or low noise, by replicate."""
    levels = t.where(axis="error", **of)["log_snr"].unique().sort().to_numpy()
    split = t.case.networks.split
    kept = [value for value in levels.tolist() if (value < split) == (where == "high")]
    return np.asarray(t.array("error", axis="error", log_snr=kept, **of).reshape(t.case.replicates, -1).mean(1))


def tail(t: Rows[Learned], name: str, churn: float, column: str = "tail") -> Floats:
    """At the reference's radius and a share of 5 %, by replicate; the nearest of those that were measured."""
    radius, top = min(t.case.drawn.radii, key=lambda r: abs(r - 1)), min(t.case.drawn.tops, key=lambda s: abs(s - 0.05))
    return t.array(column, axis="tail", name=name, churn=churn, radius=radius, top=top)


def claims(found: Found) -> Iterator[Claim]:
    κ = found.config.planted.bias
    plain = [t for t in found.of(Linear) if t.case.where in ("high noise", "low noise")]
    yield from (moved(t) for t in plain)
    yield forgotten(found.one(Linear, where="high noise", churn=1, bias=κ, solver="heun"))
    yield spreads(found.one(Linear, churn=0, bias=-κ))
    yield never_falls(found.one(Shared))
    t = found.one(Learned)
    yield from (rises(found.of(Weighed)), specialised(t), dense(t), foretold(t), collapses(t))
    yield from (*(cured(t, name) for name in ABOVE[:2]), even(t))


def of_bands(found: Found) -> Iterator[pl.DataFrame]:
    """Log variance of samples over that of the noised data, by the middle of the band in which the score is too strong. Law:
    closed form; simulation: mean, least and greatest replicate.
    """
    for χ in found.config.churns:
        part = [t for t in found.of(Linear, churn=χ) if t.case.where.startswith("log")]
        x = {"log_snr": [sum(t.case.band) / 2 for t in part]}
        seen = np.stack([t.array("error") for t in part], 1)
        yield curves(x, "error", {"law": [t.case.law for t in part], "simulation": seen}, sampler=f"χ = {χ:g}")


def of_errors(found: Found) -> Iterator[pl.DataFrame]:
    """E |epŝ - eps|², eps the perfect denoiser's, a coordinate, by log SNR: networks (mean, least and greatest replicate)."""
    t = found.one(Learned)
    x = {"log_snr": t.where(axis="error", replicate=0, name=JOINT)["log_snr"].to_numpy()}
    networks = {name: t.array("error", axis="error", name=name) for name in (JOINT, TWO, SKIP, EDM)}
    yield curves(x, "error", networks, panel="networks")
    weighed = {f"weight {w.case.weight:g}": w.array("error") for w in found.of(Weighed)}
    yield curves(x, "error", weighed, panel="weight of low noise")


def of_shared(found: Found) -> Iterator[pl.DataFrame]:
    """Excess loss over the least that the features can have, by the weight of low noise: mean, least and greatest replicate."""
    t = found.one(Shared)
    x = {"weight": t.where(replicate=0)["weight"].to_numpy()}
    yield curves(x, "loss", {"high noise": t.array("high"), "low noise": t.array("low")})


def of_tails(found: Found) -> Iterator[pl.DataFrame]:
    """Difference of tail indices, samples less noised data, tail of 5 %, by radius over the median distance to the tenth
    neighbour. Law: draws from the exact law of the ODE's samples. Networks: mean, with one standard error.
    """
    t = found.one(Learned)
    top, x = min(t.case.drawn.tops, key=lambda s: abs(s - 0.05)), {"radius": list(t.case.drawn.radii)}
    for name, χ in t.case.runs:
        at = {"axis": "tail", "name": name, "churn": χ, "top": top}
        seen, law = (t.array(column, **at).reshape(t.case.replicates, -1) for column in ("tail", "law"))
        label = f"{name}, {'ODE' if χ == 0 else 'SDE' if χ == 1 else f'χ = {χ:g}'}"
        drawn = law.mean(0) if np.isfinite(law).all() else None
        yield curves(x, "tail", {label: seen, f"{label}, law": drawn}, 1.0)


def of_remedies(found: Found) -> Iterator[pl.DataFrame]:
    """Means over replicates. Error: square error of eps at low and high noise; tail: difference of tail indices at the usual
    radius and share, with its standard error; neighbours: of a median sample; divergence: of the ODE's law from the noised
    data, and denser: E ln p̂ of samples less E ln p̂ of data, both in nats, exact.
    """
    t = found.one(Learned)
    for name, χ in t.case.runs:
        values = tail(t, name, χ)
        row = {f"{where}_error": side(t, where, name=name).mean() for where in ("low", "high")}
        row |= {"tail": values.mean(), "tail_error": values.std(ddof=1) / np.sqrt(len(values))}
        row["neighbours"] = tail(t, name, χ, "median").mean()
        for title, column in (("divergence", "kl"), ("denser", "denser")):
            row[title] = t.array(column, axis="density", name=name).mean() if χ == 0 else None
        yield pl.DataFrame([{"name": name, "churn": χ, **row}], schema_overrides=dict.fromkeys(row, pl.Float64))


def tables(found: Found) -> Iterator[Table]:
    yield from table("bands", "A planted error by its noise level", of_bands, found)
    yield from table("errors", "Errors of networks by noise", of_errors, found)
    yield from table("shared", "The see-saw of shared features", of_shared, found)
    yield from table("tails", "Tails of numbers of neighbours", of_tails, found)
    yield from table("remedies", "Remedies", of_remedies, found)


LOG_SNR, ERROR = Axis("log_snr", "log SNR", log=False), Axis("error", "square error of eps")
MOVED = Axis("error", "error of log variance", log=False)
WEIGHT, LOSS = Axis("weight", "weight of low noise"), Axis("loss", "excess loss")
RADIUS, INDEX = Axis("radius", "radius, reference = 1"), Axis("tail", "tail index difference", log=False)
LAWS: dict[Any, Kind] = {"law": "theory", "simulation": "simulation"}
TAILS: dict[Any, Kind] = {f"{JOINT}, ODE, law": "theory", ...: "learner"}
SHOWN = (f"{JOINT}, ODE", f"{JOINT}, ODE, law", f"{JOINT}, SDE", *(f"{name}, ODE" for name in (*ABOVE[:2], EXACT)))
FIGURES = (
    Figure("bands", "The ODE keeps errors of high noise", "bands", LOG_SNR, MOVED, LAWS, columns="sampler",
           caption="The further left a score was too strong, the less is left of it, save at χ = 0."),
    Figure("errors", "What fitting low noise costs at high noise", "errors", LOG_SNR, ERROR, "learner", columns="panel",
           shown=pl.col("series") != EDM,
           caption="Each network's error at high noise rises with the weight of low noise."),
    Figure("shared", "The see-saw of shared features", "shared", WEIGHT, LOSS, "simulation",
           caption="One set of weights for both: what one side wins the other loses."),
    Figure("tails", "Who collapses", "tails", RADIUS, INDEX, TAILS,
           shown=pl.col("series").is_in(SHOWN),
           caption="All but `exact` have the same network at low noise."),
)  # fmt: skip


def summary(found: Found) -> str:
    planted = found.config.planted
    law = [found.one(Linear, where="high noise", churn=χ, bias=planted.bias, solver="heun").case.law for χ in (0, 1)]
    return (
        f"A score that is {planted.bias:.0%} too strong while the OU clock is above {BOUNDARIES['high']:g} moves the log "
        f"variance of a Gaussian's samples by {law[0]:.3f} along the ODE and by {law[1]:.3f} along the reverse SDE: exactly. "
        f"Networks on five modes, {found.config.replicates} seeds: their errors by noise level, and the densities, tails of "
        "neighbour counts and remedies that follow, the network at low noise being the same wherever remedies are compared."
    )
