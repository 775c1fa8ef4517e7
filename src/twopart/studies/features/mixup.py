"""Why does training on mixed points find rare features that standard training leaves unlearned?

Networks are trained on points of which most hold the common feature of their class and a few a rare one, as they are or mixed.
Theory says where Mixup holds the common feature, and that it teaches the rare one only where both meet in one patch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.evidence import (
    Estimate,
    Found,
    Guard,
    Rows,
    claim,
    curve,
    curves,
    exact,
    mean,
    paired,
    ratio,
    table,
)
from twopart.evidence.judges import above, below, within, within_factor, within_share
from twopart.findings import Claim, Table
from twopart.laws.features import mixup as law
from twopart.report import Axis, Figure, Kind
from twopart.settings import among, at_least, between, both, every, multiple_of, rising, settings
from twopart.studies import Work, world_seed

STUDY, TITLE = "mixup", "Mixup and rare features"
PAPER, PAGE = "Zou, Cao, Li, Gu 2023, arXiv 2303.08433", "docs/laws/mixup.md"
EARLY, DRIVE, END = (f"{PAGE}, {part}" for part in ("the early phase", "where features meet", "the end"))

Floats = NDArray[np.float64]
SLOTS = ("first", "random", "apart")
WHOLE = 15  # parts of training
LOOKS = (0, 1, 2, 4, 7, 9, 10, 12, WHOLE)  # after how many of them networks are looked at
ENDED, LABELLED, STOPPED = 10, 7, 9  # where equilibrium, label weights and early stops are judged


@settings
class Networks:
    """The networks of a cell, their points, and on how many fresh ones they are tested."""

    points: Annotated[int, at_least(4).because("each class needs points"), "n, training points."] = 50
    dimension: Annotated[int, at_least(10), "d, numbers in a patch."] = 1000
    patches: Annotated[int, at_least(2).because("apart features have patches of their own"), "P."] = 3
    rare: Annotated[float, between(0, 0.5, "()"), "Share of points with the rare feature."] = 0.12
    noise: Annotated[
        float, between(0, 100, "(]"), "Mean square norm of a noise patch; that of features is 1."
    ] = 5.0  # fmt: skip
    neurons: Annotated[int, at_least(1), "m, squared neurons of a side, summed."] = 8
    initial: Annotated[float, between(0, 0.1, "(]").because("theory takes it to 0"), "Deviation of first weights."] = (
        1e-2
    )
    rate: Annotated[float, between(0, 1, "(]").because("larger steps leave the flow"), "Size of a step."] = 0.5
    steps: Annotated[int, both(at_least(WHOLE), multiple_of(WHOLE)), "Full-batch steps."] = 1500
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates: world, sample, network."] = 10
    tests: Annotated[int, at_least(100), "Fresh points of either kind per replicate and look."] = 10_000


@settings
class Config:
    """Mixup on common and rare features: weights of features and labels, early stops, three places of the features."""

    weights: Annotated[tuple[float, ...], rising(1), every(between(0.5, 1, "()")), "lam, of features and labels."] = (
        0.6, 0.7, 0.8,
    )  # fmt: skip
    reference: Annotated[float, among("weights"), "The lam of label weights, early stops and the linear model."] = 0.6
    label_weights: Annotated[
        tuple[float, ...], rising(2), every(between(0.5, 1)), "mu, of labels alone."
    ] = (0.5, 0.55, 0.7, 0.8, 1.0)  # fmt: skip
    stops: Annotated[
        tuple[int, ...], rising(1), every(between(1, STOPPED - 1)), "Ninths of 0.6 of training with Mixup."
    ] = (1, 2, 4)  # fmt: skip
    networks: Networks = Networks()


FEW = Networks(20, 40, noise=2.0, neurons=4, initial=0.1, steps=60, seeds=2, tests=200)
PRESETS = {
    "tiny": Config((0.6,), 0.6, (0.5, 1.0), (1,), FEW),
    "small": Config(),
    "full": Config(
        (0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9),
        label_weights=(0.5, 0.55, 0.65, 0.7, 0.8, 0.9, 1.0),
        stops=(1, 2, 3, 4, 6),
        networks=Networks(200, 4000, noise=20.0, neurons=16, seeds=20, tests=100_000),
    ),
}


@dataclass(frozen=True)
class Train:
    """A cell: all replicates, trained in one way on features in one place."""

    slots: str
    """Features sit in the "first" patch, in "random" ones, or common and rare "apart"."""
    networks: Networks
    seed: int
    """Of the first replicate's world and network; the others count up. All cells share them."""
    weight: float = 1.0
    """lam; 1 is standard training."""
    label_weight: float | None = None
    """mu, or the same."""
    stop: int = WHOLE
    """The part of training after which Mixup is off."""
    length: int = WHOLE
    """Parts of training that are run."""
    activation: str = "square"

    def __str__(self) -> str:
        mu = "" if self.label_weight is None else f", mu = {self.label_weight:g}"
        stop = f", stopped after {self.stop} of {self.length} parts" if self.stop < self.length else ""
        how = "standard training" if self.weight == 1 else f"Mixup, lam = {self.weight:g}{mu}{stop}"
        return f"{self.slots}: {how}{', linear' * (self.activation == 'identity')}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    net, lam = config.networks, config.reference
    for slots in SLOTS:
        place = (slots, net, world_seed(seed, STUDY, "world"))
        cases = [Train(*place, weight) for weight in (1.0, *config.weights)]
        cases += [Train(*place, weight, activation="identity") for weight in (1.0, lam)]
        cases += [Train(*place, lam, stop=stop, length=STOPPED) for stop in config.stops]
        if slots != "apart":
            cases += [Train(*place, lam, mu, length=LABELLED) for mu in config.label_weights if mu != lam]
        for case in cases:
            yield Work("train", case, cost=float(case.length))


def run(found: Found, slots: str, weight: float | None = None, **where: Any) -> Rows[Train]:
    """The one that is so; by default with Mixup at the reference, to the end, one weight, squared neurons."""
    asked = {"weight": found.config.reference if weight is None else weight, "label_weight": None, "stop": WHOLE}
    return found.one(Train, slots=slots, **{**asked, "activation": "square", **where})


def at(t: Rows[Train], column: str, part: int = WHOLE) -> Floats:
    """After so many parts of training, shape (R,)."""
    return np.asarray(t.array(column, axis="way", part=part))


def labelled(found: Found, slots: str) -> dict[float, Rows[Train]]:
    """Runs by their label weight, that of the features too."""
    lam = found.config.reference
    return {m: run(found, slots, label_weight=None if m == lam else m) for m in {*found.config.label_weights, lam}}


def stopped(found: Found, slots: str) -> dict[int, Rows[Train]]:
    """Runs by the part after which Mixup is off, never and always too."""
    stops = {stop: run(found, slots, stop=stop) for stop in found.config.stops}
    return {0: run(found, slots, 1.0), **stops, STOPPED: run(found, slots)}


@claim(
    below(1e-10), "entry of M", EARLY, "largest deviation from the sum over all pairs, of {count} samples and weights"
)
def identity(ts: Sequence[Rows[Train]]) -> Estimate:
    """The early matrix of Mixup is the closed form."""
    found = np.concatenate([t.array("identity", axis="start") for t in ts])
    return exact(float(found.max())).against(0.0, count=len(found))


@claim(within_share(0.03), "logit", END, f"of the common feature alone, after {ENDED} of {WHOLE} parts of training")
def settles(t: Rows[Train]) -> Estimate:
    """{t}: Mixup holds the common feature at a finite logit, A*."""
    return mean(at(t, "logit", ENDED)).against(law.equilibrium(t.case.weight))


RARE = "Σ <w, u>² over that of standard training, geometric mean over replicates"


def rare(mixed: Rows[Train], plain: Rows[Train], what: str) -> Estimate:
    """{mixed}: {what}."""
    return ratio(at(mixed, "rare"), at(plain, "rare")).against(None)


rare_first, rare_random, rare_apart = (
    claim(judge, "ratio", DRIVE, RARE)(rare) for judge in (above(20), above(5), below(0.8))
)
UNLEARNED = Guard(
    "standard training's accuracy is not above 0.75", lambda _, plain: at(plain, "accuracy").mean() <= 0.75
)


@claim(below(0.0), "share of points", DRIVE, "accuracy on fresh rare points, less that of standard training", UNLEARNED)
def worse(mixed: Rows[Train], plain: Rows[Train]) -> Estimate:
    """{mixed}: where the features never meet Mixup harms."""
    return paired(at(mixed, "accuracy"), at(plain, "accuracy")).against(None)


@claim(within_factor(1.6), "ratio", PAPER, "Σ <w, u>² over that of mu = lam; of {count} mu the farthest: {worst:g}")
def same_rare(ts: dict[float, Rows[Train]], same: Rows[Train]) -> Estimate:
    """{same}: labels may be mixed by another weight, the rare feature is learned as well."""
    found = {mu: ratio(at(t, "rare", LABELLED), at(same, "rare", LABELLED)) for mu, t in ts.items() if t is not same}
    worst = max(found, key=lambda mu: abs(np.log(found[mu].value)))
    return found[worst].against(1.0, count=len(found), worst=worst)


@claim(above(5.0), "ratio", END, "logit of the common feature at mu = {most:g} over that at {least:g}")
def other_logit(ts: dict[float, Rows[Train]], slots: str) -> Estimate:
    """{slots}: with the label weight the common feature's logit rises, to no end at mu = 1."""
    least, most = min(ts), max(ts)
    return ratio(at(ts[most], "logit", LABELLED), at(ts[least], "logit", LABELLED)).against(
        None, least=least, most=most
    )


@claim(above(-0.01), "share of points", PAPER, "accuracy on fresh rare points, less that of Mixup to the end")
def early_accuracy(early: Rows[Train], full: Rows[Train]) -> Estimate:
    """{early}: what Mixup teaches of the rare feature it teaches early."""
    return paired(at(early, "accuracy", STOPPED), at(full, "accuracy", STOPPED)).against(0.0)


@claim(above(1.5), "ratio", END, "logit of the common feature over that of Mixup to the end")
def early_logit(early: Rows[Train], full: Rows[Train]) -> Estimate:
    """{early}: standard training then raises the common feature's logit."""
    return ratio(at(early, "logit", STOPPED), at(full, "logit", STOPPED)).against(None)


@claim(within(0.02), "share of points", PAPER, "test error, less that of standard training")
def linear(mixed: Rows[Train], plain: Rows[Train]) -> Estimate:
    """{mixed}: a linear model gains nothing."""
    return paired(error(mixed), error(plain))


def error(t: Rows[Train]) -> Floats:
    share = t.case.networks.rare
    return share * (1 - at(t, "accuracy")) + (1 - share) * (1 - at(t, "common_accuracy"))


def claims(found: Found) -> Iterator[Claim]:
    """The early phase, the end, the rare feature and where it is met, labels, the early stop, the linear model."""
    yield identity([t for t in found.of(Train) if t.case.weight < 1 and t.case.activation == "square"])
    yield from (settles(run(found, slots, lam)) for slots in ("first", "apart") for lam in found.config.weights)
    first, random, apart = ((run(found, slots), run(found, slots, 1.0)) for slots in SLOTS)
    yield rare_first(*first, "where features share a patch Mixup teaches the rare one")
    yield rare_random(*random, "where they meet by chance it does, too")
    yield rare_apart(*apart, "where they never meet it holds the rare one back")
    yield worse(*apart)
    for slots in SLOTS[:2]:
        by_label, full = labelled(found, slots), run(found, slots)
        yield same_rare(by_label, by_label[found.config.reference])
        yield other_logit(by_label, slots)
        early = stopped(found, slots)[found.config.stops[0]]
        yield early_accuracy(early, full)
        yield early_logit(early, full)
    for slots in SLOTS:
        yield linear(*(run(found, slots, weight, activation="identity") for weight in (None, 1.0)))


PLAIN, MIXED, BRIEF = "standard", "Mixup", "Mixup, stopped early"
PARTS = {"common": "common feature", "rare": "rare feature", "memory": "a point's noise"}
TOGETHER, NEVER = "law A*, together", "law A*, never together"


def way(t: Rows[Train], column: str) -> Floats:
    """Shape (R, looks), without the start."""
    return np.asarray(t.array(column, axis="way")[:, 1:])


def courses(found: Found) -> Iterator[pl.DataFrame]:
    """Σ_r <w_r, p>² over the neurons of its side, of the common and the rare feature and of the noise patches of training
    points (their mean), by steps, for features in the first patch, in random ones, and apart; mean over replicates, with the
    least and the greatest.
    """
    for slots in SLOTS:
        for name, weight in ((PLAIN, 1.0), (MIXED, None)):
            t = run(found, slots, weight)
            parts = {series: way(t, column) for column, series in PARTS.items()}
            yield curves({"step": way(t, "step")[0]}, "size", parts, slots=slots, training=name)


def accuracies(found: Found) -> Iterator[pl.DataFrame]:
    """Share of fresh points with the rare feature that are classified right, by steps; mean over replicates, with the least and
    the greatest. Stopped early: after a ninth of the steps shown of it.
    """
    for slots in SLOTS:
        by_stop = stopped(found, slots)
        runs = {PLAIN: by_stop[0], MIXED: by_stop[STOPPED], BRIEF: by_stop[found.config.stops[0]]}
        for name, t in runs.items():
            yield curve({"step": way(t, "step")[0]}, {"accuracy": way(t, "accuracy")}, series=name, slots=slots)


def by_stop(found: Found) -> Iterator[pl.DataFrame]:
    """Accuracy on fresh rare points and logit of the common feature after 0.6 of training, by the share of it with Mixup, then
    without; mean over replicates, of accuracy with the least and the greatest.
    """
    for slots in SLOTS:
        ts = stopped(found, slots)
        accuracy, logit = (np.stack([at(t, c, STOPPED) for t in ts.values()], 1) for c in ("accuracy", "logit"))
        x = {"share": np.array(list(ts)) / STOPPED}
        yield curve(x, {"accuracy": accuracy, "logit": logit}, series=slots)


def by_weight(found: Found) -> Iterator[pl.DataFrame]:
    """Logit of the common feature after two thirds of training, by lam; mean over replicates, with the least and the greatest.
    Law: A*, where the features of two points of one class are always in the same patch, as in first and apart, and never.
    """
    lam = np.linspace(min(0.55, *found.config.weights), max(0.9, *found.config.weights), 40)
    for series, together in ((TOGETHER, 1), (NEVER, 0)):
        yield curve({"weight": lam}, {"logit": law.equilibrium(lam, together=together)}, series=series)
    for slots in SLOTS:
        measured = np.stack([at(run(found, slots, w), "logit", ENDED) for w in found.config.weights], 1)
        yield curve({"weight": found.config.weights}, {"logit": measured}, series=slots)


def by_label(found: Found) -> Iterator[pl.DataFrame]:
    """Σ <w, u>² of the rare feature and logit of the common one after 7/15 of training, by the label weight mu, features mixed
    by the reference lam; mean over replicates, with the least and the greatest. Law: A*, infinite at mu = 1.
    """
    mu = np.linspace(0.5, 0.95, 40)
    for slots in SLOTS[:2]:
        yield curve({"mu": mu}, {"size": law.equilibrium(found.config.reference, mu)}, series=TOGETHER, slots=slots)
        ts = dict(sorted(labelled(found, slots).items()))
        for column, series in (("logit", "common logit"), ("rare", PARTS["rare"])):
            measured = np.stack([at(t, column, LABELLED) for t in ts.values()], 1)
            yield curve({"mu": list(ts)}, {"size": measured}, series=series, slots=slots)


def tables(found: Found) -> Iterator[Table]:
    yield from table("course", "What filters know by steps", courses, found)
    yield from table("accuracy", "Accuracy on rare points by steps", accuracies, found)
    yield from table("stop", "Accuracy and logit by stop", by_stop, found)
    yield from table("end", "Logit by weight", by_weight, found)
    yield from table("label", "Rare feature and logit by label weight", by_label, found)


STEP, ACCURACY = (
    Axis("step", "steps", log=False),
    Axis("accuracy", "accuracy on rare points", log=False),
)
SIZE, SHARE = Axis("size", "Σ <w, p>²"), Axis("share", "share of training with Mixup", log=False)
LOGIT = Axis("logit", "logit of the common feature", log=False)
ENDS: dict[Any, Kind] = {TOGETHER: "theory", NEVER: "asymptote", **dict.fromkeys(SLOTS, "learner")}
LABELS: dict[Any, Kind] = {TOGETHER: "theory", "common logit": "learner", PARTS["rare"]: "learner"}
FIGURES = (
    Figure("course", "Mixup teaches the rare feature where it meets the common one", "course", STEP, SIZE, "learner",
           columns="slots", rows="training",
           caption="Standard training leaves the rare feature behind noise; Mixup drives it, but not where the two are apart."),
    Figure("accuracy", "Rare points", "accuracy", STEP, ACCURACY, "learner", columns="slots",
           caption="Mixup for a ninth of the time is enough; apart, standard training is the better one."),
    Figure("stop", "When Mixup may stop", "stop", SHARE, ACCURACY, "learner",
           caption="The gain comes early: a ninth is enough."),
    Figure("end", "Where Mixup holds the common feature", "end", Axis("weight", "weight lam", log=False), LOGIT, ENDS,
           caption="At the law's logit, where it keeps one patch; in random patches it goes on falling as the rare one grows."),
    Figure("label", "Another weight for labels", "label", Axis("mu", "label weight mu", log=False),
           Axis("size", "logit, or Σ <w, u>²"), LABELS, columns="slots",
           caption="The common feature's logit follows the label weight, the rare feature hardly does: it is not linearity."),
)  # fmt: skip


def summary(found: Found) -> str:
    at_end = {slots: [at(run(found, slots, w), "rare").mean() for w in (None, 1.0)] for slots in SLOTS}
    said = "; ".join(f"{slots}: {mixed:.2g} and {plain:.2g}" for slots, (mixed, plain) in at_end.items())
    return (
        f"Points hold the common feature of their class or, {found.config.networks.rare:.0%} of them, a rare one, and noise. "
        "Standard training learns the common feature and then fits rare points by their noise. Mixed with a common point "
        "a rare one is not settled by noise: once the common feature is known it drives the rare one, if both are in the "
        f"same patch. What filters know of the rare feature at the end, with Mixup and without, {said}. Theory gives the "
        "early phase exactly, and the finite logit at which Mixup holds the common feature."
    )
