"""Why can a learning rate that never settles find features which a smaller one leaves unlearned?

Networks are trained point by point on a strong feature, a weak one and noise. Theory predicts, constants and all, by how much
residuals miss zero while training oscillates, how fast that feeds the weak feature, and where it stops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, exact, mean, paired, table
from twopart.evidence.judges import above, below, within_share
from twopart.findings import Claim, Table
from twopart.laws.features import oscillation as law
from twopart.report import Axis, Figure, Kind
from twopart.settings import among, at_least, between, every, rising, settings
from twopart.studies import Work, world_seed

STUDY, TITLE = "benign-oscillation", "Benign oscillation"
PAPER, PAGE = "Lu, Wu, Yang, Zou 2024, arXiv 2310.17074", "docs/laws/benign-oscillation.md"
RESIDUAL, GROWTH, END, LEFT = (f"{PAGE}, {part}" for part in ("the residual", "growth", "the end", "where it ends"))
ORDER = f"order: {PAPER}; constant: {END}"

Floats = NDArray[np.float64]
ALIVE = every(between(0, law.BOUNDED["square"], "()").because("past 2 every orbit ends"))
CYCLE = every(between(law.ONSET, law.TWO_CYCLE_ENDS, "()").because("the growth of a cycle of two is asked for"))
BEGUN = 200  # steps after which the strong feature oscillates
SMALL = 0.01  # share of its end below which the weak feature has no say in the oscillation
FIGURED, JUDGING = 800, 20_000  # steps of orbits, for figures and claims
JUDGED = (1.05, 1.32)  # κ of whole samples that are judged: the first is slow, in chaos seeds differ


@settings
class Networks:
    """The networks of a cell, and on how many points they are tested."""

    neurons: Annotated[
        int, at_least(8).because("with fewer, noise patches are met by dead neurons"), "m, of a side."
    ] = 16
    initial: Annotated[float, between(0, 0.1, "(]").because("theory takes it to 0"), "Deviation of first weights."] = (
        1e-3
    )
    seeds: Annotated[
        int, at_least(2).because("an interval needs a spread"), "Replicates, of own world and network."
    ] = 5
    tests: Annotated[int, at_least(100), "Fresh points per replicate, on which errors are counted."] = 100_000


@settings
class Sample:
    """The points of whole samples."""

    points: Annotated[int, at_least(10).because("each kind needs a point of each label"), "Training points n."] = 20
    dimension: Annotated[int, at_least(10), "d."] = 2000
    missing: Annotated[float, between(0, 1, "()"), "Share of the points without the strong feature."] = 0.2
    noise: Annotated[
        float, between(0, 10, "(]"), "Mean square norm of a noise patch; that of the strong feature is 1."
    ] = 0.15
    epochs: Annotated[int, at_least(20), "How often each point is visited."] = 400


@settings
class Config:
    """Benign oscillation: residuals, growth and end of a weak feature beside a strong one, by the rate in units of κ."""

    alone: Annotated[tuple[float, ...], rising(2), ALIVE, "κ of a strong point alone."] = (
        0.5, 0.8, 0.95, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.55, 1.7, 1.9,
    )  # fmt: skip
    grow: Annotated[tuple[float, ...], rising(2), CYCLE, "κ of one point with both features."] = (1.05, 1.1, 1.2)
    rates: Annotated[tuple[float, ...], rising(2), ALIVE, "κ of whole samples; the least is the small rate."] = (
        0.5, 0.8, 0.95, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4,
    )  # fmt: skip
    reference: Annotated[float, among("rates"), "κ of the large rate that is set against the small one."] = 1.2
    weak: Annotated[float, between(0, 0.5, "()").because("it is the weak one"), "Norm of the weak feature."] = 0.2
    steps: Annotated[int, at_least(500), "Steps on single points."] = 12_000
    long: Annotated[int, at_least(1).because("memory grows slowly"), "Epochs with noise everywhere, in `epochs`."] = 4
    sample: Sample = Sample()
    networks: Networks = Networks()


FEW = Networks(8, seeds=2, tests=1000)
PRESETS = {
    "tiny": Config((0.95, 1.1), (1.1, 1.2), (0.5, 1.2), 1.2, 0.2, 500, 1, Sample(10, 100, epochs=20), FEW),
    "small": Config(),
    "full": Config(
        tuple(round(0.5 + 0.05 * i, 2) for i in range(30)),
        rates=tuple(round(0.5 + 0.05 * i, 2) for i in range(20)),
        sample=Sample(40, 8000, missing=0.1, epochs=1000),
        networks=Networks(64, seeds=20, tests=10**6),
    ),
}


@dataclass(frozen=True)
class Descent:
    """A cell: all replicates at one rate, a point a step."""

    kappa: float
    weak: float
    """Norm of the weak feature, 0 for none; that of the strong one is 1."""
    points: int
    patches: int
    """Of each point. The strong feature alone needs one; three leave noise in every point."""
    missing: float
    noise: float
    dimension: int
    steps: int
    activation: str
    networks: Networks
    seed: int
    """Of the first replicate's world; the others count up."""

    def __str__(self) -> str:
        kind = f"{self.points} points" if self.points > 1 else "both features" if self.weak else "strong feature"
        return f"κ = {self.kappa:g}, {kind}{', noise everywhere' * (self.patches > 2)}, {self.activation}"

    @property
    def rate(self) -> float:
        return self.kappa * self.networks.neurons / 2


def cells(config: Config, seed: int) -> Iterator[Work]:
    s, world = config.sample, world_seed(seed, STUDY, "world")
    ends = config.networks, world
    one = (0.0, 0.0, 8, config.steps)
    epochs, whole = s.points * s.epochs, (s.missing, s.noise, s.dimension)
    cases = [
        Descent(k, 0.0, 1, 1, *one, activation, *ends)
        for activation in law.BOUNDED
        for k in config.alone
        if k < law.BOUNDED[activation]
    ]
    cases += [Descent(k, config.weak, 1, 2, *one, "relu2", *ends) for k in config.grow]
    cases += [Descent(k, config.weak, s.points, 2, *whole, epochs, "relu2", *ends) for k in config.rates]
    cases.append(Descent(config.reference, config.weak, s.points, 3, *whole, config.long * epochs, "relu2", *ends))
    for case in cases:
        yield Work("descend", case, cost=case.steps * (20 + case.points * case.networks.neurons))


def alone(found: Found, activation: str) -> list[Rows[Descent]]:
    return found.of(Descent, weak=0.0, activation=activation)


def both(found: Found) -> list[Rows[Descent]]:
    return [t for t in found.of(Descent, points=1) if t.case.weak]


def samples(found: Found, patches: int = 2) -> list[Rows[Descent]]:
    return found.of(Descent, points=found.config.sample.points, patches=patches)


def growth(t: Rows[Descent]) -> Floats:
    """Of ln c a step, by replicate: from where oscillation has begun to where c² is a hundredth of its end."""
    step, c2 = t.array("step", axis="course")[0], t.array("weak", axis="course")
    free = (step >= BEGUN) & (c2 < SMALL * law.weak_end(t.case.kappa, t.case.weak))
    rows = [(step[use], np.log(own[use]) / 2) for own, use in zip(c2, free, strict=True)]
    return np.array([(c[-1] - c[0]) / (s[-1] - s[0]) if len(s) > 1 else np.nan for s, c in rows])


@cache
def chaos(kappa: float) -> float:
    """The mean residual of z², on the orbit."""
    return float(law.mean_residual(kappa, "orbit", activation="square", steps=JUDGING))


def ended(t: Rows[Descent], column: str = "weak") -> Floats:
    return np.asarray(t.array(column, axis="end"))


@claim(
    below(1e-3), "residual", RESIDUAL, "largest size over replicates of the mean of 1 - y f, middle half of training"
)
def settles(t: Rows[Descent]) -> Estimate:
    """{t}: below the onset residuals vanish."""
    return exact(float(np.abs(ended(t, "residual")).max())).against(0.0)


@claim(within_share(0.02), "residual", RESIDUAL, "mean of 1 - y f over the middle half of training")
def residual(t: Rows[Descent]) -> Estimate:
    """{t}: the network does not reach its label on average, but misses (κ - 1)/(2κ) of it."""
    return mean(ended(t, "residual")).against(law.mean_residual(t.case.kappa))


@claim(within_share(0.08), "per step", GROWTH, "growth of ln c, from the onset until c² is a hundredth of its end")
def feeds(t: Rows[Descent]) -> Estimate:
    """{t}: what is missed feeds the weak feature, at the rate κ_v (κ - 1)/(2κ)."""
    return mean(growth(t)).against(t.case.kappa * t.case.weak**2 * law.mean_residual(t.case.kappa))


@claim(within_share(0.05), "share of y f", END, "c², what the weak feature contributes to y f; median over replicates")
def stops(t: Rows[Descent]) -> Estimate:
    """{t}: the weak feature ends at (κ_u - 1)/(κ_u - κ_v), where oscillation has stopped itself."""
    return exact(float(np.median(ended(t)))).against(law.weak_end(t.case.kappa, t.case.weak))


@claim(below(0.1), "ratio", ORDER, "c² at the end over that at κ = {large.case.kappa:g}, medians over replicates")
def unlearned(small: Rows[Descent], large: Rows[Descent]) -> Estimate:
    """κ = {small.case.kappa:g}: a small rate leaves the weak feature unlearned."""
    return exact(float(np.median(ended(small)) / np.median(ended(large)))).against(None)


@claim(below(0.01), "share of points", PAPER, "test error on points without the strong feature, mean over replicates")
def benign(t: Rows[Descent]) -> Estimate:
    """{t}: after oscillation the weak feature alone is enough."""
    return mean(ended(t, "error")).against(0.0)


@claim(
    above(0.005),
    "share of points",
    PAPER,
    "test error without the strong feature, less that at κ = {large.case.kappa:g}",
)
def worse(small: Rows[Descent], large: Rows[Descent]) -> Estimate:
    """κ = {small.case.kappa:g}: the small rate errs where the strong feature is missing."""
    return paired(ended(small, "error"), ended(large, "error")).against(None)


@claim(
    below(0.0), "residual", RESIDUAL, "mean of 1 - y f at κ = {high.case.kappa:g}, less that at κ = {low.case.kappa:g}"
)
def turns(low: Rows[Descent], high: Rows[Descent]) -> Estimate:
    """z²: more oscillation is not always more, the mean residual falls again on the way to κ = 2."""
    expected = chaos(high.case.kappa) - chaos(low.case.kappa)
    return paired(ended(high, "residual"), ended(low, "residual")).against(expected)


@claim(above(0.05), "relative deviation", LEFT, "c² over the law's, less 1; median over replicates")
def left(t: Rows[Descent]) -> Estimate:
    """{t}: where every point holds noise, memory joins the oscillation, and the law of the end is left."""
    return exact(float(np.median(ended(t)) / law.weak_end(t.case.kappa, t.case.weak) - 1)).against(None)


def claims(found: Found) -> Iterator[Claim]:
    """The residual, what it feeds, where that stops, and what it is good for."""
    strong, whole = alone(found, "relu2"), samples(found)
    smooth = [t for t in strong if t.case.kappa < law.ONSET]
    if smooth:
        yield settles(smooth[-1])
    yield from (residual(t) for t in strong if law.ONSET < t.case.kappa < 1.21)
    yield from (feeds(t) for t in both(found))
    yield from (stops(t) for t in whole if JUDGED[0] < t.case.kappa < JUDGED[1])
    small, (large,) = whole[0], [t for t in whole if t.case.kappa == found.config.reference]
    yield unlearned(small, large)
    yield benign(large)
    yield worse(small, large)
    by = {t.case.kappa: t for t in alone(found, "square")}
    if {1.55, 1.9} <= set(by):
        yield turns(by[1.55], by[1.9])
    yield from (left(t) for t in samples(found, 3))


NETWORKS, CLOSED, ORBIT, NOISY = "networks", "law, closed form", "law, orbit", "noise in every point"


@cache
def orbits(activation: str, *kappas: float) -> tuple[Floats, Floats]:
    """κ, these and others between, shape (K,), and y f late on orbits of the law, from many starts, shape (T, K)."""
    k = np.unique([*kappas, *np.linspace(0.5, law.BOUNDED[activation] - 0.005, 120)])
    starts = np.linspace(0.2, 0.8, 32)[:, None]
    return k, law.orbit(k, FIGURED, start=starts, activation=activation)[0][FIGURED // 2 :].reshape(-1, len(k))


def residuals(found: Found) -> Iterator[pl.DataFrame]:
    """Mean of 1 - y f over time, by κ, one point with the strong feature. Closed form: (κ - 1)/(2κ) while the orbit has two
    values. Orbit: the mean over 400 steps of the map from 32 starts. Networks: mean over replicates, least and greatest.
    """
    short = np.linspace(0.5, law.TWO_CYCLE_ENDS, 60)
    for activation in law.BOUNDED:
        own = alone(found, activation)
        k, f = orbits(activation, *rates_of(own)["kappa"])
        yield curve({"kappa": k}, {"residual": 1 - f.mean(0)}, series=ORBIT, activation=activation)
        yield curve({"kappa": short}, {"residual": law.mean_residual(short)}, series=CLOSED, activation=activation)
        measured = np.stack([ended(t, "residual") for t in own], axis=1)
        yield curve(rates_of(own), {"residual": measured}, series=NETWORKS, activation=activation)


def outputs(found: Found) -> Iterator[pl.DataFrame]:
    """The least and the greatest y f late in training, by κ, one point with the strong feature. Orbit: of 400 steps
    of the map from 32 starts. Networks: of the last 64 steps, all replicates.
    """
    for activation in law.BOUNDED:
        own = alone(found, activation)
        k, f = orbits(activation, *rates_of(own)["kappa"])
        seen = [t.array("output", axis="orbit") for t in own]
        for name, pick in (("least", np.min), ("greatest", np.max)):
            yield curve({"kappa": k}, {"output": pick(f, axis=0)}, series=ORBIT, end=name, activation=activation)
            measured = np.array([float(pick(o)) for o in seen])
            yield curve(rates_of(own), {"output": measured}, series=NETWORKS, end=name, activation=activation)


def rates_of(ts: Sequence[Rows[Descent]]) -> dict[str, list[float]]:
    return {"kappa": [t.case.kappa for t in ts]}


def courses(found: Found) -> Iterator[pl.DataFrame]:
    """c² by steps, one point with both features. Law: the first weights', grown while the strong feature comes to 1, then as
    e^(2 growth t) up to the end. Networks: mean over replicates, least and greatest.
    """
    for t in both(found):
        step, c2 = t.array("step", axis="course")[0], t.array("weak", axis="course")
        first = t.case.networks.initial / np.sqrt(2)  # half of the neurons have the right sign
        smooth = law.weak_smooth(t.case.weak, first, first * t.case.weak)
        grown = np.minimum(
            np.log(smooth) + law.weak_growth(t.case.kappa, t.case.weak) * step,
            np.log(law.weak_end(t.case.kappa, t.case.weak)) / 2,
        )
        yield curves({"step": step}, "weak", {"law": np.exp(2 * grown), NETWORKS: c2}, rate=f"κ = {t.case.kappa:g}")


def by_rate(found: Found) -> Iterator[pl.DataFrame]:
    """c², what the weak feature contributes to y f at the end, and the test error on points without the strong feature, by κ;
    mean over replicates, least and greatest. Law: (κ_u - 1)/(κ_u - κ_v).
    """
    whole, crowded = samples(found), samples(found, 3)
    k = np.linspace(whole[0].case.kappa, whole[-1].case.kappa, 100)
    yield curve({"kappa": k}, {"weak": law.weak_end(k, found.config.weak)}, series="law")
    for name, ts in ((NETWORKS, whole), (NOISY, crowded)):
        for column in ("weak", "error"):
            measured = np.stack([ended(t, column) for t in ts], axis=1)
            yield curve(rates_of(ts), {column: measured}, series=name)


def tables(found: Found) -> Iterator[Table]:
    yield from table("rates", "Weak feature and error by rate", by_rate, found)
    yield from table("course", "The weak feature by steps", courses, found)
    yield from table("residual", "Mean residual by rate", residuals, found)
    yield from table("output", "Outputs late in training by rate", outputs, found)


KAPPA = Axis("kappa", "rate, as κ", log=False)
KINDS: dict[Any, Kind] = {"law": "theory", NETWORKS: "learner", NOISY: "learner"}
BY_ORBIT: dict[Any, Kind] = {CLOSED: "theory", ORBIT: "asymptote", NETWORKS: "learner"}
WEAK, STEP = Axis("weak", "c², of the weak feature", log=False), Axis("step", "steps", log=False)
SHARE, MISS = (
    Axis("error", "test error", log=False, domain=(0, 0.5)),
    Axis("residual", "mean of 1 - y f", log=False, domain=(-0.25, 0.5)),
)
OUTPUT, ACT = Axis("output", "y f, least and greatest", log=False, domain=(0, 2)), "activation"
FIGURES = (
    Figure("rates", "What oscillation leaves of the weak feature", "rates", KAPPA, WEAK, KINDS,
           shown=pl.col("weak").is_not_null(),
           caption="Below κ = 1 nearly nothing; above it what the law says: it stops itself. At 1.05 it is still on its way."),
    Figure("error", "Error without the strong feature", "rates", KAPPA, SHARE, KINDS, shown=pl.col("error").is_not_null(),
           caption="Rates that settle leave errors where the strong feature is missing; rates that oscillate do not."),
    Figure("course", "Oscillation feeds the weak feature", "course", STEP, replace(WEAK, log=True), KINDS, columns="rate",
           caption="It grows exponentially, at a rate that is known, until it stops itself."),
    Figure("residual", "Oscillation misses the label on average", "residual", KAPPA, MISS, BY_ORBIT, columns=ACT,
           caption="The closed form holds to κ = 1.236, while orbits have two values; then chaos, with windows as at 1.55."),
    Figure("output", "Where outputs go", "output", KAPPA, OUTPUT, BY_ORBIT, columns=ACT, colour="end",
           caption="At κ = 1 one value becomes two; z² alone lives on to κ = 2."),
)  # fmt: skip


def summary(found: Found) -> str:
    whole = samples(found)
    small, (large,) = whole[0], [t for t in whole if t.case.kappa == found.config.reference]
    errors = [f"{ended(t, 'error').mean():.1%}" for t in (small, large)]
    return (
        "Points hold a strong feature, but for a few, a weak one, and noise; networks see one point a step. At a small rate "
        "they settle on the strong feature. At a rate above the onset, κ = 1, they oscillate about their labels, and on "
        "average they miss them: so the weak feature is taught until it has stopped the oscillation. Theory gives what is "
        "missed, how fast it feeds the weak feature, and where that ends, without a free constant. Where the strong feature "
        f"is missing, networks err on {errors[0]} of fresh points at κ = {small.case.kappa:g} and on {errors[1]} at "
        f"{large.case.kappa:g}; the small rate's error depends on first weights ({found.config.networks.initial:g})."
    )
