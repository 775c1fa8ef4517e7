"""Can diffusion models learn a rule that ties two features, and where in the noise do they?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curves, exact, mean, paired, ratio, table
from twopart.evidence.judges import above, below, contains, sign, within_share
from twopart.findings import Claim, Table
from twopart.laws.diffusion.rules import (
    affine_rule_error, band_auc, residual_nats, rule_information, separable_rule_error,
)  # fmt: skip
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, one_of, rising, settings
from twopart.studies import Work
from twopart.worlds.diffusion.rules import RulePairs

STUDY, TITLE = "hidden-rules", "Hidden rules between features"
PAPER, PAGE = "Han, Han, Huang, Lu, Zou 2025, arXiv 2502.04725", "docs/laws/hidden-rules.md"
RESTRICTED, WORTH, FINE = f"{PAGE}, restricted denoisers", f"{PAGE}, what a rule is worth", f"{PAGE}, coarse and fine"
SIZE = between(0, 1, "()").because("features reach from -1 to 1")
WEIGHTS = ("starved", "EDM", "window")
"""Of the loss: less, as much, more of it in the rule's window."""


@settings
class Networks:
    """Denoisers of pairs and of images, classifiers, and what is drawn."""

    width: Annotated[int, at_least(2), "Units of each of the three hidden layers."] = 32
    training: Annotated[int, at_least(16), "Steps of training."] = 2000
    batch: Annotated[int, at_least(8), "Points of a step."] = 256
    lessons: Annotated[int, at_least(1), "Steps of training of a classifier."] = 800
    draws: Annotated[int, at_least(50), "Samples in each replicate."] = 1500
    solver_steps: Annotated[int, at_least(4), "Steps of Heun's method, equal in log SNR."] = 60
    canvas: Annotated[int, one_of(16, 32, 64), "Pixels of an image's side."] = 16
    channels: Annotated[int, at_least(2), "Channels at the finer resolution."] = 12
    strokes: Annotated[int, at_least(2), "Steps of training with images."] = 1200
    images: Annotated[int, at_least(8), "Images of a step."] = 16
    replicates: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates: seeds."] = 8


@settings
class Config:
    """Rules between two features: what denoisers draw, what the rule is worth, and what guidance adds."""

    tolerances: Annotated[tuple[float, ...], rising(2), every(SIZE), "Deviations δ of b = a."] = (0.01, 0.03, 0.1)
    sizes: Annotated[tuple[int, ...], rising(2), every(at_least(20)), "Numbers of data."] = (200, 2000, 20_000)
    bands: Annotated[tuple[float, ...], rising(1), every(SIZE), "Half widths of bands."] = (0.03, 0.1, 0.3)
    scenes: Annotated[tuple[str, ...], distinct(1), "Scenes, or digits."] = ("sun-shadow", "digits")
    networks: Networks = Networks()


PRESETS = {
    "tiny": Config((0.03, 0.1), (50, 200), (0.1,), networks=Networks(4, 16, 8, 5, 50, 6, 16, 2, 2, 8, 2)),
    "small": Config(),
    "full": Config(scenes=("sun-shadow", "mirror", "perspective", "rotation", "digits"),
                   networks=Networks(64, 20_000, 512, 5000, 4000, 100, 64, 32, 20_000, 32, 32)),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What is asked of whom: a denoiser, a rule or a scene, its tolerance or a band's half width."""

    who: str
    rule: str
    size: float
    networks: Networks
    data: int = 0
    """Points to learn from; 0: ever fresh ones."""

    def __str__(self) -> str:
        return f"{self.who}, {self.rule}, {self.size:g}" + (f", n = {self.data}" if self.data else "")

    @property
    def law(self) -> float:
        """E (b - g)² of restricted denoisers; the residual of a sum is as Gaussian as all else that is affine."""
        world = RulePairs(self.rule, self.size)
        if self.who == "patch-wise" or self.rule == "sum":
            return separable_rule_error(world) if self.who == "patch-wise" else self.size**2
        return affine_rule_error(*(part.numpy() for part in world.moments()), world.rule.of, world.rule.kinks)


def cells(config: Config, seed: int) -> Iterator[Work]:
    δs, few, net = config.tolerances, config.sizes, config.networks
    asked: list[tuple[str, int, str, str, float, int]] = [("paint", 500, "network", name, 0.05, 0) for name in config.scenes]
    asked += [("learn", 99, "EDM", "equal", δ, 0) for δ in δs] + [("inform", 9, "oracle", "equal", δ, 0) for δ in δs]
    asked += [("learn", 99, weight, "equal", δs[0], 0) for weight in ("starved", "window")]
    asked += [("learn", 99, who, "quadratic", δs[-1], 0) for who in ("affine", "EDM")]
    asked += [("learn", 99, "EDM", "quadratic", δs[-1], n) for n in few]
    asked += [("guide", 50, "classifier", "band", w, 0) for w in config.bands]
    asked += [("restrict", 5, "affine", rule, 0.1, n) for rule in ("quadratic", "threshold", "sum") for n in few]
    for function, cost, who, rule, size, data in [*asked, ("restrict", 5, "patch-wise", "quadratic", 0.1, few[-1])]:
        yield Work(function, Case(who, rule, size, net, data), cost=cost)


@claim(within_share(0.03), "square error", RESTRICTED, "mean over replicates of (b - g(a))² over samples")
def drawn(t: Rows[Case]) -> Estimate:
    """{t}: samples break the rule by as much as the law has it."""
    return mean(t.array("error")).against(t.case.law)


@claim(contains(), "slope", RESTRICTED, "slope of the logarithm of the square error by that of {by}")
def unmoved(who: str, by: str, x: Sequence[float], errors: Floats) -> Estimate:
    """{who}: more {by} do not help."""
    return mean(np.polyfit(np.log(x), np.log(errors).T, 1)[0]).against(0.0)


@claim(sign(-1), "slope", RESTRICTED, "slope of the logarithm of the square error by that of {by}")
def helped(who: str, by: str, x: Sequence[float], errors: Floats) -> Estimate:
    """{who}: more {by} help."""
    return mean(np.polyfit(np.log(x), np.log(errors).T, 1)[0]).against(None)


@claim(within_share(0.01), "nats", WORTH, "½ ∫ of the gap of eps losses, product less joint, over log SNR")
def informs(t: Rows[Case]) -> Estimate:
    """{t}: the gap between denoisers that know the rule and do not, summed over noise, is the mutual information."""
    return mean(t.array("excess", axis="total")).against(rule_information(RulePairs("equal", t.case.size)))


@claim(above(1), "ratio", FINE, "steps to an rms of 2 δ over steps to a coarse share of 0.95, least of all seeds")
def coarse_first(t: Rows[Case]) -> Estimate:
    """{t}: the side is right before the size is, in every seed; on average at {times:.1f} times as many steps."""
    steps, rms, sides = course(t)
    fine, coarse = (first(steps, good) for good in (rms < 2 * t.case.size, sides > 0.95))
    return exact(float((fine / coarse).min())).against(None, times=ratio(fine, coarse).value)


@claim(sign(+1), "nats", FINE, "excess nats over all noise less the largest kl of shares |r| < c, data and samples of the SDE")
def bounded(t: Rows[Case]) -> Estimate:
    """{t}: what the loss lacks bounds how samples break the rule."""
    return paired(t.array("excess", axis="total"), end(t, "kl", "SDE")).against(None)


@claim(sign(-1), "rank correlation", FINE, "rank correlation of rms and the weight's place among {count}, by seed")
def weighs(found: Sequence[Rows[Case]]) -> Estimate:
    """Networks: the more of the weight lies in the rule's window, the better the rule is kept."""
    ranks = [spearmanr(range(len(found)), row).statistic for row in np.stack([end(t, "rms") for t in found], 1)]
    return mean(ranks).against(None, count=len(found))


@claim(within_share(0.05), "rms", f"{PAGE}, guidance", "rms of b - a over samples, scale 1; law: w/√3")
def guides(t: Rows[Case]) -> Estimate:
    """Exact {t}: independent features are brought into the band, evenly."""
    return mean(t.array("rms", axis="scale", name="exact", scale=1.0)).against(t.case.size / 3**0.5)


@claim(below(1), "share", f"{PAPER}; {PAGE}, guidance", "share of the way from the product's rms to w/√3, scale 1")
def limited(t: Rows[Case]) -> Estimate:
    """Learned {t}: it gains less than the exact one."""
    before, after = (t.array("rms", axis="scale", name="learned", scale=scale) for scale in (0.0, 1.0))
    return mean((before - after) / (before - t.case.size / 3**0.5)).against(1.0)


@claim(above(0.95), "share", f"{PAPER}; {PAGE}, images", "share of images with b on the right side of the rule's mean")
def coarse(t: Rows[Case]) -> Estimate:
    """{t}: the coarse rule is kept."""
    return mean(t.array("coarse")).against(None)


@claim(below(1.5), "ratio", f"{PAPER}; {PAGE}, images", "rms of b - g(a), drawn images over the world's, one reader")
def fine(t: Rows[Case]) -> Estimate:
    """{t}: the fine rule is kept, too."""
    return ratio(t.array("rms"), t.array("floor")).against(None)


def end(t: Rows[Case], column: str, sampler: str = "ODE") -> Floats:
    return t.array(column, axis="end", name=sampler)


def course(t: Rows[Case], part: float = 0.0) -> tuple[Floats, Floats, Floats]:
    """Steps at which samples were drawn (T,), their rms and coarse share (R, T), from a part of all steps on."""
    steps, (rms, sides) = t.array("step", axis="course")[0], t.array("rms", "coarse", axis="course").swapaxes(0, 1)
    kept = steps >= part * steps[-1]
    return steps[kept], rms[:, kept], sides[:, kept]


def first(steps: Floats, good: np.ndarray) -> Floats:
    """The first step that is good, by replicate; twice the last where none is."""
    return np.where(good.any(1), steps[good.argmax(1)], 2.0 * steps[-1])


def claims(found: Found) -> Iterator[Claim]:
    few, restricted, learned = found.config.sizes, found.of(Case, function="restrict"), found.of(Case, function="learn")
    yield from (drawn(t) for t in restricted if t.case.data == few[-1])
    for rule in ("quadratic", "threshold", "sum"):
        errors = [t.array("error") for t in restricted if t.case.rule == rule and t.case.who == "affine"]
        yield unmoved(f"Affine, {rule}", "data", few, np.stack(errors, 1))
    for t in found.of(Case, function="learn", rule="quadratic", data=0):
        steps, rms, _ = course(t, 1 / 8)
        yield (unmoved if t.case.who == "affine" else helped)(str(t), "steps", steps, rms**2)
    errors = [end(t, "rms") ** 2 for t in learned if t.case.data]
    yield helped("Networks, quadratic", "data", few, np.stack(errors, 1))
    yield from (informs(t) for t in found.of(Case, function="inform"))
    equal = [t for t in learned if t.case.rule == "equal"]
    yield from (judged(t) for judged in (coarse_first, bounded) for t in equal)
    yield weighs([t for w in WEIGHTS for t in equal if t.case.who == w and t.case.size == found.config.tolerances[0]])
    yield from (judged(t) for judged in (guides, limited) for t in found.of(Case, function="guide"))
    yield from (j(t) for t in found.of(Case, function="paint") if t.case.rule != "digits" for j in (coarse, fine))


def of_kept(found: Found) -> Iterator[pl.DataFrame]:
    """Root mean square of b - a over samples of the ODE, by δ. Learned: δ. Networks: mean, least and greatest seed."""
    for weight in WEIGHTS:
        part = found.of(Case, function="learn", rule="equal", who=weight)
        x = [t.case.size for t in part]
        seen = {f"weight {weight}": np.stack([end(t, "rms") for t in part], 1)}
        yield curves({"tolerance": x}, "rms", {"learned": x if len(x) > 1 else None, **seen})


def of_budget(found: Found) -> Iterator[pl.DataFrame]:
    """Nats for a unit of log SNR by noise σ, means with least and greatest seed. Rule: losses of the product's oracle less those
    of the joint's. Network: what it lacks of that oracle. Normal residual: what one of the network's rms would lack.
    """
    for t in found.of(Case, function="inform"):
        net, δ = found.one(Case, function="learn", who="EDM", rule="equal", size=t.case.size), t.case.size
        σ, rms = t.array("sigma", axis="level")[0], max(float(end(net, "rms").mean()), δ)
        step = (σ[0] / σ[1]) ** 0.5
        law = [residual_nats(δ / 2**0.5, rms / 2**0.5, (x / step, x * step)) / (4 * np.log(step)) for x in σ]
        gaps = {name: rows.array("gap", axis="level") for name, rows in (("rule", t), ("network", net))}
        yield curves({"sigma": σ}, "gap", {**gaps, "normal residual": law}, tolerance=f"δ = {δ:g}")


def of_course(found: Found) -> Iterator[pl.DataFrame]:
    """Root mean square of b - g(a) over δ, by steps of training: mean, least and greatest seed."""
    for t in found.of(Case, function="learn", data=0):
        steps, rms, _ = course(t)
        yield curves({"step": steps}, "rms", {f"{t.case.who}, δ = {t.case.size:g}": rms / t.case.size}, rule=t.case.rule)


def of_guidance(found: Found) -> Iterator[pl.DataFrame]:
    """Root mean square of b - a over w, by scale of guidance, 0 being none: mean, least and greatest seed. Even: 1/√3."""
    for t in found.of(Case, function="guide"):
        x = t.where(axis="scale", name="exact", replicate=0)["scale"].to_numpy()
        seen = {name: t.array("rms", axis="scale", name=name) / t.case.size for name in ("exact", "learned")}
        yield curves({"scale": x}, "rms", {"even in the band": np.full(len(x), 3**-0.5), **seen}, band=f"w = {t.case.size:g}")


def of_signal(found: Found) -> Iterator[pl.DataFrame]:
    """Area under the ROC curve, pairs of the band against others, by noise σ. Law: by quadrature."""
    for t in found.of(Case, function="guide"):
        σ = t.where(axis="auc", name="exact", replicate=0)["sigma"].to_numpy()
        seen = {name: t.array("auc", axis="auc", name=name) for name in ("exact", "learned")}
        yield curves({"sigma": σ}, "auc", {"law": band_auc(t.case.size, σ), **seen}, band=f"w = {t.case.size:g}")


def of_ends(found: Found) -> Iterator[pl.DataFrame]:
    """Means over seeds: rms of b - g(a) over δ (of images: over that of the world's own; of digits, of other ones), coarse share,
    largest kl of shares, excess nats, and the nats of a normal residual of that rms.
    """
    for t, name in product(found.of(Case, function="learn"), ("ODE", "SDE")):
        sizes: dict[str, Any] = {c: end(t, c, name).mean() for c in ("rms", "coarse", "kl")}
        law = residual_nats(t.case.size, max(sizes["rms"], t.case.size)) if t.case.rule == "equal" else None
        excess = {"excess": t.array("excess", axis="total").mean(), "normal": law} if law is not None else {}
        yield pl.DataFrame([{"denoiser": f"{t}, {name}", **sizes, "rms": sizes["rms"] / t.case.size, **excess}])
    for t in found.of(Case, function="paint"):
        yield pl.DataFrame([{"denoiser": str(t), "rms": (t.array("rms") / t.array("floor")).mean(), "coarse": t.array("coarse").mean()}])


def tables(found: Found) -> Iterator[Table]:
    yield from table("kept", "The rule in samples", of_kept, found)
    yield from table("budget", "Where in the noise the rule is worth what", of_budget, found)
    yield from table("course", "Errors by steps", of_course, found)
    yield from table("guidance", "Guidance by its scale", of_guidance, found)
    yield from table("signal", "What a classifier can see", of_signal, found)
    yield from table("ends", "Networks at the end of training", of_ends, found)


SIGMA, RMS = Axis("sigma", "noise σ"), Axis("rms", "rms of b - a over w")
SEEN: dict[Any, Kind] = {"even in the band": "theory", "law": "theory", "exact": "simulation", "learned": "learner"}
FIGURES = (
    Figure("kept", "Fine rules are kept where the loss weighs them", "kept", Axis("tolerance", "tolerance δ"),
           Axis("rms", "rms of b - a"), {"learned": "theory", ...: "learner"},
           caption="On the line samples keep the rule as data do."),
    Figure("budget", "A rule is learned at noise between its tolerance and its spread", "budget", SIGMA,
           Axis("gap", "nats by log SNR", log=False), columns="tolerance",
           kinds={"rule": "simulation", "normal residual": "theory", "network": "learner"},
           caption="Its worth ends near σ = δ, and there sits what the network lacks of it."),
    Figure("course", "Coarse first, fine last", "course", Axis("step", "steps of training"), Axis("rms", "rms over δ"),
           "learner", columns="rule", caption="An affine denoiser stays where it is; networks go on."),
    Figure("guidance", "The exact classifier brings independent features into the band", "guidance",
           Axis("scale", "scale of guidance", log=False), RMS, {k: v for k, v in SEEN.items() if k != "law"},
           columns="band", caption="Scale 1 is Bayes' rule."),
    Figure("signal", "Guidance can act only where noise is no wider than the band", "signal", SIGMA,
           Axis("auc", "area under the ROC curve", log=False), {k: v for k, v in SEEN.items() if k != "even in the band"},
           columns="band", caption="Where σ is far above w the best classifier guesses."),
)  # fmt: skip


def summary(found: Found) -> str:
    worth = "; ".join(f"{rule_information(RulePairs('equal', δ)):.3f} at δ = {δ:g}" for δ in found.config.tolerances)
    return (
        f"The rule b = a + δ ξ is worth so many nats, all between σ near δ and the spread of a: {worth}. Restricted denoisers "
        "break rules by a constant, networks by what their loss neglects, and guidance gives what its classifier sees; "
        f"{found.config.networks.replicates} seeds."
    )
