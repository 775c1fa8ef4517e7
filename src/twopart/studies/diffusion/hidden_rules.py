"""Can diffusion models learn a rule that ties two features, and where in the noise do they?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curves, exact, mean, paired, ratio, table
from twopart.evidence.judges import above, below, contains, sign, within_share
from twopart.findings import Claim, Table
from twopart.laws.diffusion import rules as laws
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, one_of, rising, settings
from twopart.studies import Work
from twopart.worlds.diffusion.rules import RulePairs

STUDY, TITLE = "hidden-rules", "Hidden rules between features"
PAPER, PAGE = "Han, Han, Huang, Lu, Zou 2025, arXiv 2502.04725", "docs/laws/hidden-rules.md"
RESTRICTED, FINE = f"{PAGE}, restricted denoisers", f"{PAGE}, coarse and fine"
GUIDANCE, IMAGES = f"{PAPER}; {PAGE}, guidance", f"{PAPER}; {PAGE}, images"
SIZE = between(0, 1, "()").because("features reach from -1 to 1")
WEIGHTS = ("starved", "EDM", "window")
"""Of the loss: less, as much, more of it in the rule's window."""


@settings
class Networks:
    """Denoisers of pairs and classifiers, and what is drawn."""

    width: Annotated[int, at_least(2), "Units of each of the three hidden layers."] = 32
    training: Annotated[int, at_least(8), "Steps of training; of classifiers half as many."] = 900
    batch: Annotated[int, at_least(8), "Points of a step."] = 128
    draws: Annotated[int, at_least(50), "Samples in each replicate."] = 1000
    solver_steps: Annotated[int, at_least(2), "Steps of Heun's method, equal in log SNR."] = 40
    replicates: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates: seeds."] = 8


@settings
class Painting:
    """Denoisers of images."""

    canvas: Annotated[int, one_of(16, 32, 64), "Pixels of an image's side."] = 16
    channels: Annotated[int, at_least(2), "Channels at the finer resolution."] = 24
    strokes: Annotated[int, at_least(2), "Steps of training."] = 3000
    images: Annotated[int, at_least(2), "Images of a step."] = 32
    pictures: Annotated[int, at_least(8), "Samples in each replicate."] = 150
    painters: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates: seeds."] = 4


@settings
class Config:
    """Rules between two features: what denoisers draw, what the rule is worth, and what guidance adds."""

    tolerances: Annotated[tuple[float, ...], rising(2), every(SIZE), "Deviations δ of b = a."] = (0.01, 0.03, 0.1)
    sizes: Annotated[tuple[int, ...], rising(3), every(at_least(20)), "Numbers of data."] = (200, 2000, 20_000)
    bands: Annotated[tuple[float, ...], rising(1), every(SIZE), "Half widths of bands."] = (0.03, 0.1, 0.3)
    scenes: Annotated[tuple[str, ...], distinct(1), "Scenes."] = ("mirror",)
    networks: Networks = Networks()
    painting: Painting = Painting()


PRESETS = {
    "tiny": Config((0.03, 0.1), (50, 100, 200), (0.1,), networks=Networks(4, 8, 8, 50, 2, 2),
                   painting=Painting(16, 2, 2, 4, 8, 2)),
    "small": Config(),
    "full": Config(scenes=("sun-shadow", "mirror", "perspective", "rotation"),
                   networks=Networks(64, 20_000, 512, 4000, 100, 32), painting=Painting(64, 32, 20_000, 32, 1000, 32)),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A denoiser, a rule or a scene, its tolerance or a band's half width, and points to learn from: 0 are ever fresh ones."""

    who: str
    rule: str
    size: float
    networks: Any
    data: int = 0

    def __str__(self) -> str:
        return f"{self.who}, {self.rule}, {self.size:g}" + (f", n = {self.data}" if self.data else "")

    @property
    def world(self) -> RulePairs:
        return RulePairs(self.rule, self.size)

    @property
    def law(self) -> float:
        """E (b - g)² of restricted denoisers; the residual of a sum is as Gaussian as all else that is affine."""
        world, rule = self.world, self.world.rule
        if self.who == "patch-wise":
            return laws.separable_rule_error(world)
        moments = world.mean.numpy(), world.covariance.numpy()
        return self.size**2 if self.rule == "sum" else laws.affine_rule_error(*moments, rule.of, rule.kinks)


def cells(config: Config, seed: int) -> Iterator[Work]:
    δs, few = config.tolerances, config.sizes
    for name in config.scenes:
        yield Work("paint", Case("network", name, 0.05, config.painting), config.painting.painters, cost=100)
    asked: list[tuple[str, str, str, float, int]]
    asked = [("learn", weight, "equal", δs[0], 0) for weight in WEIGHTS]
    asked += [("learn", "EDM", "equal", δ, 0) for δ in δs[1:]] + [("inform", "oracle", "equal", δ, 0) for δ in δs]
    asked += [("learn", "EDM", "quadratic", δs[-1], n) for n in (0, few[0], few[-1])]
    asked += [("learn", "affine", "quadratic", δs[-1], 0)]
    asked += [("guide", "classifier", "band", w, 0) for w in config.bands]
    asked += [("restrict", "affine", rule, 0.1, n) for rule in ("quadratic", "threshold", "sum") for n in few]
    for function, who, rule, size, data in [*asked, ("restrict", "patch-wise", "threshold", 0.1, few[-1])]:
        cost = {"learn": 20, "guide": 20, "inform": 5}.get(function, 1)
        yield Work(function, Case(who, rule, size, config.networks, data), cost=cost)


@claim(within_share(0.03), "square error", RESTRICTED, "mean over replicates of (b - g(a))² over samples")
def drawn(t: Rows[Case]) -> Estimate:
    """{t}: samples break the rule by as much as the law has it."""
    return mean(t.array("error")).against(t.case.law)


@claim(contains(), "slope", RESTRICTED, "slope of the logarithm of the square error by that of {by}")
def unmoved(who: str, by: str, x: Any, errors: Floats) -> Estimate:
    """{who}: more {by} do not help."""
    return mean(np.polyfit(np.log(x), np.log(errors).T, 1)[0]).against(0.0)


@claim(sign(-1), "slope", RESTRICTED, "slope of the logarithm of the square error by that of {by}")
def helped(who: str, by: str, x: Any, errors: Floats) -> Estimate:
    """{who}: more {by} help."""
    return mean(np.polyfit(np.log(x), np.log(errors).T, 1)[0]).against(None)


@claim(within_share(0.01), "nats", f"{PAGE}, what a rule is worth", "½ ∫ of the gap of eps losses, product less joint")
def informs(t: Rows[Case]) -> Estimate:
    """{t}: the gap between denoisers that know the rule and do not, summed over noise, is the mutual information."""
    return mean(t.array("excess", axis="total")).against(laws.rule_information(t.case.world))


@claim(above(1), "ratio", FINE, "steps to an rms of 2 δ over steps to a coarse share of 0.95, least of all seeds")
def coarse_first(t: Rows[Case]) -> Estimate:
    """{t}: the side is right before the size is, in every seed; on average {times:.1f} times as many steps apart."""
    steps, rms, sides = course(t)
    fine, coarse = (  # twice the last step where it is never reached
        np.where(good.any(1), steps[good.argmax(1)], 2.0 * steps[-1]) for good in (rms < 2 * t.case.size, sides > 0.95)
    )
    return exact(float((fine / coarse).min())).against(None, times=ratio(fine, coarse).value)


@claim(sign(+1), "nats", FINE, "excess over all noise less the largest kl of shares |r| < c, data and samples")
def bounded(t: Rows[Case]) -> Estimate:
    """{t}: the loss's excess, {excess:.3f} nats, bounds how samples of the SDE break the rule, {kl:.3f} (ODE {ode:.3f}; an
    rms of {rms:.2f} δ, if normal, is {normal:.3f})."""
    excess, kl, rms = t.array("excess", axis="total"), end(t, "kl", "SDE"), end(t, "rms", "SDE").mean()
    normal = laws.residual_nats(t.case.size, max(rms, t.case.size))
    words = {"kl": kl.mean(), "ode": end(t, "kl").mean(), "rms": rms / t.case.size, "normal": normal}
    return paired(excess, kl).against(None, excess=excess.mean(), **words)


@claim(sign(-1), "rank correlation", FINE, "rank correlation of rms and the weight's place among {count}, by seed")
def weighs(found: Sequence[Rows[Case]]) -> Estimate:
    """Networks: the more of the weight lies in the rule's window, the better the rule is kept."""
    ranks = [spearmanr(range(len(found)), row).statistic for row in np.stack([end(t, "rms") for t in found], 1)]
    return mean(ranks).against(None, count=len(found))


@claim(within_share(0.05), "rms", GUIDANCE, "rms of b - a over samples, scale 1; law: w/√3")
def guides(t: Rows[Case]) -> Estimate:
    """Exact {t}: independent features are brought into the band, evenly."""
    return mean(t.array("rms", axis="scale", name="exact", scale=1.0)).against(t.case.size / 3**0.5)


@claim(below(1), "share", GUIDANCE, "share of the way from the product's rms to w/√3, scale 1")
def limited(t: Rows[Case]) -> Estimate:
    """Learned {t}: it gains less than the exact one."""
    before, after = (t.array("rms", axis="scale", name="learned", scale=scale) for scale in (0.0, 1.0))
    return mean((before - after) / (before - t.case.size / 3**0.5)).against(1.0)


@claim(above(0.95), "share", IMAGES, "share of images with b on the right side of the rule's mean")
def coarse(t: Rows[Case]) -> Estimate:
    """{t}: the coarse rule is kept."""
    return mean(t.array("coarse")).against(None)


@claim(below(1.5), "ratio", IMAGES, "rms of b - g(a), drawn images over the world's, by one reader")
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


def claims(found: Found) -> Iterator[Claim]:
    few, δ = found.config.sizes, found.config.tolerances[0]
    restricted, learned = (found.of(Case, function=name) for name in ("restrict", "learn"))
    yield from (drawn(t) for t in restricted if t.case.data == few[-1])
    for rule in ("quadratic", "threshold", "sum"):
        errors = [t.array("error") for t in restricted if t.case.rule == rule and t.case.who == "affine"]
        yield unmoved(f"affine, {rule}", "data", few, np.stack(errors, 1))
    for t in found.of(Case, function="learn", rule="quadratic", data=0):
        steps, rms, _ = course(t, 1 / 8)
        yield (unmoved if t.case.who == "affine" else helped)(str(t), "steps", steps, rms**2)
    errors = [end(t, "rms") ** 2 for t in learned if t.case.data]
    yield helped("networks, quadratic", "data", (few[0], few[-1]), np.stack(errors, 1))
    yield from (informs(t) for t in found.of(Case, function="inform"))
    equal = [t for t in learned if t.case.rule == "equal"]
    yield from (judged(t) for judged in (coarse_first, bounded) for t in equal)
    yield weighs([t for t in equal if t.case.size == δ])
    yield from (judged(t) for judged in (guides, limited) for t in found.of(Case, function="guide"))
    yield from (judged(t) for t in found.of(Case, function="paint") for judged in (coarse, fine))


def of_kept(found: Found) -> Iterator[pl.DataFrame]:
    """Root mean square of b - a over samples of the ODE, by δ. Learned: δ. Networks: mean, least and greatest seed."""
    for weight in WEIGHTS:
        part = found.of(Case, function="learn", rule="equal", who=weight)
        x, seen = [t.case.size for t in part], np.stack([end(t, "rms") for t in part], 1)
        yield curves({"x": x}, "y", {"learned": x if len(x) > 1 else None, f"weight {weight}": seen})


def of_budget(found: Found) -> Iterator[pl.DataFrame]:
    """Nats for a unit of log SNR by noise σ, means with least and greatest seed. Rule: the product's oracle less
    the joint's. Network: what it lacks of that oracle. Normal residual: what one of its rms would lack.
    """
    for t in found.of(Case, function="inform"):
        net, δ = found.one(Case, function="learn", who="EDM", rule="equal", size=t.case.size), t.case.size
        σ, rms = t.array("sigma", axis="level")[0], max(float(end(net, "rms").mean()), δ)
        step = (σ[0] / σ[1]) ** 0.5
        law = [laws.residual_nats(δ / 2**0.5, rms / 2**0.5, (x / step, x * step)) / (4 * np.log(step)) for x in σ]
        gaps = {name: rows.array("gap", axis="level") for name, rows in (("rule", t), ("network", net))}
        yield curves({"x": σ}, "y", {**gaps, "normal residual": law}, panel=f"δ = {δ:g}")


def of_course(found: Found) -> Iterator[pl.DataFrame]:
    """Root mean square of b - g(a) over δ, by steps of training: mean, least and greatest seed."""
    for t in found.of(Case, function="learn", data=0):
        steps, rms, _ = course(t)
        yield curves({"x": steps}, "y", {f"{t.case.who}, δ = {t.case.size:g}": rms / t.case.size}, panel=t.case.rule)


def of_guidance(found: Found, axis: str, x: str, y: str) -> Iterator[pl.DataFrame]:
    """By scale of guidance, 0 being none: root mean square of b - a over w; law: even in the band. By noise σ: area under the
    ROC curve, pairs of the band against others; law: by quadrature. Mean, least and greatest seed.
    """
    for t in found.of(Case, function="guide"):
        at, w, unit = t.array(x, axis=axis, name="exact")[0], t.case.size, 1.0 if y == "auc" else t.case.size
        seen = {name: t.array(y, axis=axis, name=name) / unit for name in ("exact", "learned")}
        law = laws.band_auc(w, at) if y == "auc" else np.full(len(at), 3**-0.5)
        yield curves({"x": at}, "y", {"law": law, **seen}, panel=f"w = {w:g}")


def tables(found: Found) -> Iterator[Table]:
    yield from table("kept", "The rule in samples", of_kept, found)
    yield from table("budget", "Where in the noise the rule is worth what", of_budget, found)
    yield from table("course", "Errors by steps", of_course, found)
    yield from table("guidance", "Guidance by its scale", of_guidance, found, "scale", "scale", "rms")
    yield from table("signal", "What a classifier can see", of_guidance, found, "auc", "sigma", "auc")


SIGMA = Axis("x", "noise σ")
LAWS: dict[Any, Kind] = {"law": "theory", "exact": "simulation", "learned": "learner"}
FIGURES = (
    Figure("kept", "Fine rules are kept where the loss weighs them", "kept", Axis("x", "tolerance δ"),
           Axis("y", "rms of b - a"), {"learned": "theory", ...: "learner"},
           caption="On the line samples keep the rule as data do."),
    Figure("budget", "A rule is learned at noise between its tolerance and its spread", "budget", SIGMA,
           Axis("y", "nats by log SNR", log=False), columns="panel",
           kinds={"rule": "simulation", "normal residual": "theory", "network": "learner"},
           caption="Its worth ends near σ = δ, and there sits what the network lacks of it."),
    Figure("course", "Coarse first, fine last", "course", Axis("x", "steps of training"), Axis("y", "rms over δ"), "learner",
           columns="panel", caption="An affine denoiser stays where it is; networks go on."),
    Figure("guidance", "The exact classifier brings independent features into the band", "guidance",
           Axis("x", "scale of guidance", log=False), Axis("y", "rms of b - a over w"), LAWS, columns="panel",
           caption="Scale 1 is Bayes' rule."),
    Figure("signal", "Guidance can act only where noise is no wider than the band", "signal", SIGMA,
           Axis("y", "area under the ROC curve", log=False), LAWS, columns="panel",
           caption="Where σ is far above w the best classifier guesses."),
)  # fmt: skip


def summary(found: Found) -> str:
    nats = {δ: laws.rule_information(RulePairs("equal", δ)) for δ in found.config.tolerances}
    return (
        "The rule b = a + δ ξ is worth so many nats, all between σ near δ and the spread of a: "
        f"{'; '.join(f'{value:.3f} at δ = {δ:g}' for δ, value in nats.items())}. Restricted denoisers "
        "break rules by a constant, networks by what their loss neglects; guidance gives what its classifier sees; "
        f"{found.config.networks.replicates} seeds."
    )
