"""Does consistency distillation forget what its teacher has memorised, and for how long?

Random features, whose training and distillation have closed forms at every time; networks that an exact copier teaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, mean, paired, ratio, statistic, table
from twopart.evidence.judges import above, below, within_range, within_share
from twopart.findings import Claim, Table
from twopart.fits.power_law import slope
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, every, one_of, rising, settings, zero_or
from twopart.studies import Work

STUDY, TITLE = "consistency-memorization", "What consistency distillation remembers"
PAPER, PAGE = "Jiang, Zou 2026, arXiv 2604.23552", "docs/laws/consistency-memorization.md"
FILTER, CLOCKS, CHAIN, START, COPIES = (
    f"{PAGE}, {part}" for part in ("one denoiser", "two clocks", "the chain", "the start", "rounded steps")
)
TIMES, JUDGED = (0.02, 0.06, 0.15, 0.35, 0.8, 1.6), 0.35
"""OU times of teacher and students, and from where maps are judged."""
SHORT, LONG = 0.01, 10.0
"""Times of distillation that are judged, in τ_mem, when the last of the teacher's levels has half of its gap."""
FRESH, COPIED, IN_TURN, UNSEEN = "from nothing", "from the teacher's weights", "level after level", "on unseen points"
GAP = "train-test gap of the student's map over the teacher's, by law"
TEACHER, STUDENT, DATA = "teacher", "student", "fresh data"


@settings
class Linear:
    """A cell: random features as one denoiser, or as teacher and students; by law and by SGD."""

    dimension: Annotated[int, at_least(2), "Dimension; half of the variances are 1.5, half 0.5."] = 20
    features: Annotated[int, at_least(10), "Random features p."] = 300
    points: Annotated[int, at_least(2), "Training points n."] = 40
    teacher_time: Annotated[float, between(1, 1e9), "Time of the teacher's training, steps times rate."] = 1e5
    sgd_time: Annotated[float, zero_or(between(10, 1e6)), "Time up to which SGD is held against the law."] = 3000
    samples: Annotated[int, at_least(100), "Draws of noise for moments."] = 15_000

    def __str__(self) -> str:
        return f"{self.points} points in {self.dimension} dimensions, {self.features} features"


@settings
class Networks:
    """Networks taught by a teacher that is exact for the training points alone."""

    training: Annotated[int, at_least(5), "Steps of distillation, by Adam; on pictures a fifth."] = 2000
    batch: Annotated[int, at_least(2), "Points of a step."] = 128
    levels: Annotated[int, at_least(2), "Steps of the teacher's ODE, along equal steps of log SNR."] = 12
    drawn: Annotated[int, at_least(20), "Samples of each."] = 1000
    solver: Annotated[Literal["ddim", "heun"], one_of("ddim", "heun"), "The teacher's solver."] = "ddim"
    images: Annotated[str, "digits, or a folder of <class>/<image>."] = "digits"
    image_points: Annotated[int, at_least(2), "Pictures to remember; others are fresh data."] = 100


@settings
class Config:
    """Consistency distillation of random features, exactly, and of networks."""

    small_dimension: Annotated[int, at_least(2), "Dimension of the denoisers whose clocks are read."] = 8
    many_features: Annotated[int, at_least(10), "Their features: 80 times the dimension or more."] = 640
    multiples: Annotated[tuple[int, ...], rising(2), every(at_least(1)), "Their points over the dimension."] = (
        1,
        2,
        4,
        8,
    )
    linear: Linear = Linear()
    networks: Networks = Networks()
    replicates: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates: seeds."] = 8


PRESETS = {
    "tiny": Config(2, 20, (1, 2), Linear(6, 20, 8, 1e4, 40, 400), Networks(10, 8, 3, 40, image_points=20), 2),
    "small": Config(),
    "full": Config(20, 2000, (1, 2, 4, 8, 16), Linear(100, 2000, 400, samples=50_000), Networks(20_000, 512, 40, 10_000), 16),
}  # fmt: skip


@dataclass(frozen=True)
class Copied:
    """A cell: a network taught by the exact teacher of its training points; a dimension of 0 stands for pictures."""

    networks: Networks
    dimension: int
    points: int
    width: int

    @property
    def world(self) -> str:
        return f"d = {self.dimension}, {self.networks.solver}" if self.dimension else "pictures"

    def __str__(self) -> str:
        return f"{self.points} points, {self.world}, width {self.width}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    linear, n, R, d = config.linear, config.networks, config.replicates, config.small_dimension
    yield Work("distil", linear, R, cost=1000)
    yield Work("descend", replace(linear, samples=2 * linear.samples, sgd_time=2 * linear.sgd_time), R, cost=300)
    for m in config.multiples:
        yield Work("descend", Linear(d, config.many_features, m * d, 1, 0, linear.samples), R, cost=100)
    yield Work("copy", Copied(n, 8, 32, 128), R, cost=400)
    for other in (Copied(replace(n, solver="heun"), 8, 32, 128), Copied(n, 2, 8, 128), Copied(n, 0, n.image_points, 8)):
        yield Work("copy", other, min(R, 3), cost=500)


def clock(found: Found, which: str) -> tuple[list[int], Floats]:
    """Numbers of points (N,), and times (R, N)."""
    n, times = zip(*((t.case.points, t.array(which, axis="clock")) for t in found.of(Linear, sgd_time=0)), strict=True)
    return list(n), np.stack(times, 1)


def gap(t: Rows[Linear], name: str, τ: float, column: str = "gap") -> Floats:
    """Of a student's map, after τ times τ_mem of distillation, by law and replicate."""
    return t.array(column, axis="judged", student=name, at=τ)


@claim(below(0.03), "relative deviation", f"{FILTER}; {CHAIN}", "largest of {count}, mean of replicates over law's")
def follows(t: Rows[Any], what: str, side: str, **where: Any) -> Estimate:
    """{t}, {what}: SGD with fresh noise has the law's error on {side} points at all {count} times."""
    quotient = t.array(side, axis="sgd", **where) / t.array(f"law_{side}", axis="sgd", **where)
    words = {"what": what, "side": side, "count": quotient.shape[1]}
    return statistic(lambda curve: float(np.abs(curve - 1).max()), quotient).against(0.0, **words)


@claim(within_range(0.8, 1.2), "exponent", f"Bonnaire et al. 2025, arXiv 2505.17638; {CLOCKS}", "of τ_mem in n, by law")
def memory_clock(n: list[int], times: Floats) -> Estimate:
    """{n} points: the time at which a denoiser memorises grows as their number."""
    return mean([slope(n, row) for row in times]).against(1.0, n=n)


@claim(
    within_range(-0.2, 0.3), "exponent", f"Bonnaire et al. 2025, arXiv 2505.17638; {CLOCKS}", "of τ_gen in n, by law"
)
def general_clock(n: list[int], times: Floats) -> Estimate:
    """{n} points: the time at which it generalises does not."""
    return mean([slope(n, row) for row in times]).against(0.0, n=n)


@claim(below(0.5), "ratio", f"{PAPER}; {CHAIN}", GAP)
def suppressed(t: Rows[Linear]) -> Estimate:
    """{t}: after 0.01 τ_mem a student that began from nothing has less than half of its teacher's gap."""
    return ratio(gap(t, FRESH, SHORT), gap(t, TEACHER, SHORT)).against(None)


@claim(below(1.02), "ratio", f"{PAPER}; {CHAIN}", "test error of the student's map over the teacher's, by law")
def no_worse(t: Rows[Linear]) -> Estimate:
    """{t}: and its map errs no more on fresh points than the teacher's, but for 2 %."""
    return ratio(gap(t, FRESH, SHORT, "test"), gap(t, TEACHER, SHORT, "test")).against(None)


@claim(within_share(0.1), "ratio", CHAIN, GAP)
def inherited(t: Rows[Linear]) -> Estimate:
    """{t}: after 10 τ_mem it has all of its teacher's gap."""
    return ratio(gap(t, FRESH, LONG), gap(t, TEACHER, LONG)).against(1.0)


@claim(above(0.5), "ratio", START, GAP)
def kept(t: Rows[Linear]) -> Estimate:
    """{t}: a student that began from its teacher's weights keeps more than half of the gap at 0.01 τ_mem."""
    return ratio(gap(t, COPIED, SHORT), gap(t, TEACHER, SHORT)).against(None)


@claim(below(0.5), "ratio", f"{PAPER}; {COPIES}", "share of memorised samples, the student's over the teacher's; means")
def forgets(t: Rows[Copied]) -> Estimate:
    """{t}: a network taught by an exact copier copies less than half as often."""
    shares = np.stack([t.array("share", axis="samples", who=who) for who in (STUDENT, TEACHER)], 1)
    return statistic(lambda both: float(both[0] / both[1]), shares).against(None)


@claim(below(0.0), "distance", f"{PAPER}; {COPIES}", "energy distance to fresh data, the student's less the teacher's")
def good(t: Rows[Copied]) -> Estimate:
    """{t}: and its samples are no further from fresh data than the teacher's."""
    return paired(*(t.array("energy", axis="samples", who=who) for who in (STUDENT, TEACHER))).against(None)


def claims(found: Found) -> Iterator[Claim]:
    t, (denoiser, *_) = found.one(Linear, function="distil"), found.of(Linear, function="descend")
    for side in ("train", "test"):
        yield follows(denoiser, TEACHER, side)
        yield from (follows(t, f"student {name}", side, student=name) for name in (FRESH, COPIED))
    yield from (memory_clock(*clock(found, "memorises")), general_clock(*clock(found, "generalises")))
    yield from (suppressed(t), no_worse(t), inherited(t), kept(t))
    network = found.one(Copied, dimension=8, networks=found.config.networks)
    yield from (forgets(network), good(network))


def of_students(found: Found) -> Iterator[pl.DataFrame]:
    """Errors of a student's map E |f(x, t) - x0|²/d from t = 0.35 on noised training and test points, their gap, and W2 of its
    one-step samples from the data's law, Gaussians of the same moments, by the time of distillation. Means; gap: with the least
    and the greatest replicate. The teacher's map takes its own steps.
    """
    t = found.one(Linear, function="distil")

    def of(axis: str, name: str, series: str, panel: str) -> pl.DataFrame:
        at = {"axis": axis, "student": name}
        y = {y: t.array(y, **at) for y in ("gap", "train", "test", "w2")[: 4 if axis == "law" else 3]}
        return curve({"tau": t.array("tau", **at)[0]}, y, series=series, student=panel)

    for name in (FRESH, COPIED, IN_TURN, UNSEEN):
        yield from (of("law", name, "law", name), of("law", TEACHER, TEACHER, name))
    yield from (of("sgd", name, "SGD", name) for name in (FRESH, COPIED))
    yield of("law", TEACHER, "law", TEACHER)


def of_clocks(found: Found) -> Iterator[pl.DataFrame]:
    """τ_mem, half of the final gap of train and test loss, and τ_gen, test loss within 5 % of its least, of a denoiser at OU
    time 0.1, by law and number of points: mean, least and greatest replicate. ∝ n: through the first.
    """
    n, memory = clock(found, "memorises")
    line = memory[:, 0].mean() * np.array(n) / n[0]
    yield curves({"points": n}, "time", {"τ_mem": memory, "τ_gen": clock(found, "generalises")[1], "∝ n": line})


def of_copies(found: Found) -> Iterator[pl.DataFrame]:
    """Share of samples that lie so many times as far from one training point as from any other one, or nearer: mean, least and
    greatest replicate; at 1/3 they count as memorised. Energy: mean distance to fresh data, noised as samples are.
    """
    for t in found.of(Copied):
        for who in (TEACHER, STUDENT, DATA):
            edges, share = (t.array(column, axis="ratio", who=who) for column in ("ratio", "share"))
            energy = float(t.array("energy", axis="samples", who=who).mean())
            yield curve({"ratio": edges[0]}, {"share": share}, series=who, world=t.case.world, energy=energy)


def tables(found: Found) -> Iterator[Table]:
    yield from table("students", "Students by time of distillation", of_students, found)
    yield from table("clocks", "Two clocks", of_clocks, found)
    yield from table("copies", "How near samples are to training points", of_copies, found)


TAU, APART = Axis("tau", "time of distillation, steps × rate"), Axis("gap", "train-test gap of the map", log=False)
LAWS: dict[Any, Kind] = {"law": "theory", TEACHER: "simulation", "SGD": "learner"}
FIGURES = (
    Figure("gap", "Distillation forgets as long as it is short", "students", TAU, APART, LAWS, columns="student",
           shown=pl.col("student") != TEACHER,
           caption="From nothing the gap grows with the time of distillation until it is the teacher's."),
    Figure("quality", "Quality against memory", "students", APART, Axis("w2", "W2 of samples from the data", log=False),
           "simulation", series="student", band=None, shown=pl.col("series") == "law",
           caption="A mark for each time of distillation, by law; from nothing students come from the left."),
    Figure("clocks", "Memory comes later with more points", "clocks", Axis("points", "training points"),
           Axis("time", "time of training"), {"∝ n": "asymptote", ...: "simulation"},
           caption="At first memory waits for as long as there are points; what is general does not wait."),
    Figure("copies", "Who copies", "copies", Axis("ratio", "nearest over second nearest", log=False),
           Axis("share", "share of samples", log=False), {STUDENT: "learner", ...: "simulation"}, columns="world",
           caption="A third on the left is the usual threshold."),
)  # fmt: skip


def summary(found: Found) -> str:
    t = found.one(Linear, function="distil")
    early, late, copied, own = (
        f"{gap(t, *of).mean():.3f}" for of in ((FRESH, SHORT), (FRESH, LONG), (COPIED, SHORT), (TEACHER, LONG))
    )
    return (
        f"A teacher of random features has memorised its points: its map errs by {own} more on fresh ones. A student that "
        f"begins from nothing has a gap of {early} after a hundredth of the time in which the teacher memorised, and {late} "
        f"after ten times that; one that begins from the teacher's weights has {copied} early. Networks, taught by an exact "
        "copier, are judged by copies and quality together."
    )
