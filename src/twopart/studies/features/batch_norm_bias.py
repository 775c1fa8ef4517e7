"""Which of the many classifiers that fit does batch normalisation choose, and how fast does it come there?

Linear models on points or patches are followed for millions of steps in inner products. Theory says that all margins become
one, how fast, and that this is better where a test set lacks the strongest feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, exact, mean, table
from twopart.evidence.judges import above, below, within, within_range
from twopart.findings import Claim, Table
from twopart.laws.features import batch_norm as law
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, every, multiple_of, rising, settings
from twopart.studies import Work, world_seed
from twopart.worlds.features import DigitPatches, SignalNoise, Signed, StrongWeak

STUDY, TITLE = "batch-norm-bias", "The implicit bias of batch normalisation"
PAPER, PAGE = "Cao, Zou, Li, Gu 2023, arXiv 2306.11680", "docs/laws/batch-norm-bias.md"
STEP, LATE, WORTH = f"{PAGE}, a step", f"{PAGE}, late", f"{PAGE}, what it is worth"
RATES = f"order: {PAPER}, who prove a rate of exp(-Ω(log² t)); exponent: {LATE}"

Floats = NDArray[np.float64]
EARLIEST, LEAST = 1e-3, 1e-20  # D between which the late law is judged: below, rounding tells


@settings
class Descents:
    """How models descend."""

    points: Annotated[int, at_least(4), multiple_of(2).because("half are of each label"), "n."] = 10
    spare: Annotated[float, between(1.2, np.inf, "[)").because("patches must be independent"), "d over n P, noise."] = 2
    rate: Annotated[float, between(0, 1, "()"), "Size of a step, of weights and of γ."] = 0.05
    steps: Annotated[int, at_least(1000).because("late is after thousands"), "Steps."] = 1_000_000
    depth: Annotated[float, between(1, 45).because("rounding ends it"), "-ln D of the slowest mode at the end."] = 30
    looks: Annotated[int, at_least(20), "How often training is looked at, evenly in the logarithm of steps."] = 100
    trained: Annotated[int, at_least(10), "The first steps, done by autograd in d numbers as well."] = 1000
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates: world, sample."] = 5


@settings
class Shifted:
    """Points with a strong and a weak feature, of which a test set lacks the first."""

    fitted: Annotated[int, at_least(2), "n, training points."] = 20
    dimension: Annotated[int, at_least(50), "d, well above 2 n."] = 2000
    weak: Annotated[float, between(0, np.inf, "()"), "Length of the weak feature."] = 5.0
    descent: Annotated[int, at_least(100), "Steps, of size 0.3 from s = 2 on."] = 3000
    tests: Annotated[int, at_least(100), "Fresh points per replicate, on which errors are counted."] = 1_000_000


@settings
class Config:
    """Batch normalisation of linear models: margins over time by the number of patches, and errors on a shifted test set."""

    patches: Annotated[tuple[int, ...], rising(1), every(at_least(1)), "P, of points of noise."] = (1, 2, 3, 4)
    digits: Annotated[bool, "Digits 3 and 8 as well; they come with scikit-learn."] = True
    strengths: Annotated[tuple[float, ...], rising(1), "Lengths of the strong feature."] = (5.0, 7.0, 10.0, 14.0, 20.0)
    descents: Descents = Descents()
    shifted: Shifted = Shifted()


PRESETS = {
    "tiny": Config(
        (1, 2), True, (14.0,), Descents(8, 2.5, 0.3, 5000, 20, 40, 30, 2), Shifted(10, 500, descent=200, tests=1000)
    ),
    "small": Config(),
    "full": Config(
        (1, 2, 3, 4, 6, 8), True, tuple(5.0 + i for i in range(20)),
        Descents(20, steps=10**7, looks=200, trained=10_000, seeds=20), Shifted(40, 8000, tests=10**7),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Descend:
    """A cell: all replicates of one kind of points, with and without normalisation."""

    data: str
    """noise, with a signal in the first patch, digits, P of one class, or the rows of one digit."""
    patches: int
    descents: Descents
    seed: int
    """Of the first replicate's world; the others count up."""

    def __str__(self) -> str:
        return f"{self.data}, P = {self.patches}"

    @property
    def independent(self) -> bool:
        """Whether there are as many coordinates as patches."""
        return self.data != "rows"

    def sample(self, replicate: int) -> tuple[Any, Any]:
        """Points (n, P, d), float32, and labels."""
        n, P, seed = self.descents.points, self.patches, self.seed + replicate
        if self.data == "noise":
            d = round(self.descents.spare * n * P)
            sample = SignalNoise(Signed(2.0), dimension=d, patches=P, noise_on="all", seed=seed).sample(n)
            return sample.x, sample.label
        many = n * P if self.data == "digits" else n
        digits = DigitPatches((3,), (8,), points=2 * many + 10, seed=seed).train
        halves = [digits.x[digits.label == y, 0, :64][: many // 2] for y in (1, -1)]
        return np.concatenate(halves).reshape(n, P, -1), np.repeat([1, -1], n // 2)


@dataclass(frozen=True)
class Shift:
    """A cell: training points with both features, tests without the strong one."""

    strong: float
    shifted: Shifted
    seeds: int
    seed: int
    """Of the first replicate's world; the others count up."""

    def __str__(self) -> str:
        return f"strong over weak = {self.strong / self.shifted.weak:g}"

    def world(self, replicate: int) -> SignalNoise:
        features, seed = StrongWeak(self.strong, self.shifted.weak, missing=0.0), self.seed + replicate
        return SignalNoise(features, self.shifted.dimension, noise_on="all", slots="apart", seed=seed)

    @property
    def law(self) -> law.Both:
        part = self.shifted
        return law.shift_errors([part.weak, self.strong], [True, False], part.fitted, part.dimension)


def cells(config: Config, seed: int) -> Iterator[Work]:
    world, s = world_seed(seed, STUDY, "world"), config.descents
    kinds = [("noise", P) for P in config.patches]
    kinds += [("digits", 1), ("digits", 2), ("rows", 8)] if config.digits else []
    for data, P in kinds:
        yield Work("descend", Descend(data, P, s, world), cost=float(s.steps * (s.points * P) ** 2))
    for strong in config.strengths:
        yield Work("shift", Shift(strong, config.shifted, s.seeds, world), cost=config.shifted.dimension * 1e4)


def path(t: Rows[Descend], column: str) -> Floats:
    """Shape (R, T)."""
    return np.asarray(t.array(column, axis="path"), float)


def late(t: Rows[Descend]) -> Iterator[tuple[Floats, Floats, Floats]]:
    """γ, ln D and its law of each replicate while D is between `EARLIEST` and `LEAST`, both counted from the first."""
    for γ, D, foretold in zip(path(t, "gamma"), path(t, "spread"), path(t, "law"), strict=True):
        use = np.isfinite(foretold) & (D > LEAST)
        columns = np.stack([γ, np.log(D), np.log(foretold)])[:, use] if use.sum() > 4 else np.full((3, 5), np.nan)
        yield columns[0], columns[1] - columns[1, 0], columns[2] - columns[2, 0]


@claim(below(1e-9), "margin", STEP, "largest difference of margins in the first {t.case.descents.trained} steps")
def same(t: Rows[Descend]) -> Estimate:
    """{t}: training in d numbers by autograd and the recursion in n P inner products are the same."""
    return exact(float(np.nanmax(path(t, "difference")))).against(0.0)


@claim(within(0.01), "ratio", LATE, "P γ over ln(P² rate t) at the end")
def grows(t: Rows[Descend]) -> Estimate:
    """{t}: γ grows as a logarithm, whatever the data."""
    s = t.case.descents
    return mean(path(t, "gamma")[:, -1] / law.late_gamma(s.steps, s.rate, t.case.patches)).against(1.0)


@claim(within(0.1), "ratio", LATE, f"ln of the fall of D, run over law, from {EARLIEST:g} to the end or {LEAST:g}")
def falls(t: Rows[Descend]) -> Estimate:
    """{t}: D falls as the late law says from the same deviations."""
    return mean([seen[-1] / foretold[-1] for _, seen, foretold in late(t)]).against(1.0)


def power(t: Rows[Descend], what: str) -> Estimate:
    """{t}: D falls as exp(-Θ({what}))."""
    found = []
    for γ, seen, _ in late(t):
        use = γ >= γ[0] + (γ[-1] - γ[0]) / 3
        slope, middle = -np.diff(seen[use]) / np.diff(γ[use]), (γ[use][1:] + γ[use][:-1]) / 2
        found.append(
            np.polyfit(np.log(middle), np.log(slope), 1)[0] if slope.size > 1 and (slope > 0).all() else np.nan
        )
    return mean(found).against(2.0 if t.case.patches == 1 else 1.0)


POWER = "power of γ with which -d ln D/dγ grows, over the later two thirds of γ"
cubed = claim(within_range(1.6, 2.1), "exponent", RATES, POWER)(power)
squared = claim(within_range(0.3, 1.2), "exponent", RATES, POWER)(power)


@claim(below(1e-4), "D", PAPER, "spread of margins at the end; its mean over replicates")
def uniform(t: Rows[Descend]) -> Estimate:
    """{t}: with batch normalisation margins become uniform."""
    return mean(path(t, "spread")[:, -1]).against(0.0)


@claim(above(0.1), "D", PAPER, "spread of margins at the end, over their mean square; its mean over replicates")
def not_uniform(t: Rows[Descend]) -> Estimate:
    """{t}: plain gradient descent from the same weights leaves them different."""
    return mean(path(t, "plain")[:, -1]).against(None)


@claim(below(0.1), "ratio", LATE, "D of the points' sums over D of all patches, at the end; geometric mean")
def sums_first(t: Rows[Descend]) -> Estimate:
    """{t}: sums over a point's patches become equal before its patches do."""
    return mean(np.log(path(t, "sums")[:, -1] / path(t, "spread")[:, -1])).exp().against(None)


LIMITS = {"uniform": "batch normalisation", "maximum": "the largest margin"}


@claim(within(0.012), "share of points", WORTH, "test error without the strong feature; mean over replicates")
def errs(t: Rows[Shift], limit: str, what: str) -> Estimate:
    """{t}: {what} errs as often as in closed form."""
    return mean(t.array(limit)).against(getattr(t.case.law, limit))


def claims(found: Found) -> Iterator[Claim]:
    """What is exact, how fast, where to, patch by patch, and what for."""
    everything, noise = found.of(Descend), found.of(Descend, data="noise")
    independent = [t for t in everything if t.case.independent]
    yield from (same(t) for t in everything)
    for judged in (grows, falls, uniform, not_uniform):
        yield from (judged(t) for t in independent)
    yield from (cubed(t, "log³ t") if t.case.patches == 1 else squared(t, "log² t") for t in noise)
    yield from (sums_first(t) for t in independent if t.case.patches > 1)
    for t in found.of(Shift):
        yield from (errs(t, limit, name) for limit, name in LIMITS.items())


SERIES = {"law": "late law", "guide": "slowest mode", "spread": "batch normalisation", "trained": "the same, weights",
          "plain": "plain descent"}  # fmt: skip


def spreads(found: Found) -> Iterator[pl.DataFrame]:
    """D of all margins by steps, of the first replicate. Batch normalisation: the recursion in inner products; weights: its
    first steps in d numbers, by autograd. Plain: without normalisation. Late law: from D below 0.001 on. Slowest mode: log³ for
    P = 1, log² for more patches, through the last D.
    """
    for t in found.of(Descend):
        step = path(t, "step")[0]
        for column, series in SERIES.items():
            D = path(t, column)[0]
            use = np.isfinite(D) & (step > 0)
            if use.any():
                yield curve({"step": step[use]}, {"spread": D[use]}, series=series, points=str(t))


def margins(found: Found) -> Iterator[pl.DataFrame]:
    """y z of the first replicate's patches, root mean square 1, by steps: mean over points, with the least and the greatest."""
    t = found.of(Descend, data="noise")[:2][-1]
    rows = t.where(axis="margins", replicate=0).filter(pl.col("step") > 0)
    labels = pl.format("patch {}", pl.col("patch") + 1).alias("patch"), pl.col("series").replace(SERIES)
    yield rows.with_columns(labels).select("series", "patch", "step", "margin", "low", "high")


def errors(found: Found) -> Iterator[pl.DataFrame]:
    """Share of fresh points without the strong feature that are misread, by its length over that of the weak one; mean over
    replicates, with the least and the greatest. Law: the closed form.
    """
    ts = found.of(Shift)
    for limit, name in LIMITS.items():
        both: dict[str, Any] = {
            "law": [getattr(t.case.law, limit) for t in ts],
            "run": np.stack([t.array(limit) for t in ts], 1),
        }
        x = {"ratio": [t.case.strong / t.case.shifted.weak for t in ts]}
        yield curves(x, "error", both, classifier=name)


def tables(found: Found) -> Iterator[Table]:
    yield from table("spread", "Spread of margins", spreads, found)
    yield from table("margins", "Margins", margins, found)
    yield from table("error", "Error without the strong feature", errors, found)


STEPS, D = Axis("step", "steps"), Axis("spread", "spread of margins D", domain=(1e-21, 3))
DRAWN: tuple[Kind, ...] = ("theory", "asymptote", "learner", "simulation", "learner")
KINDS: dict[Any, Kind] = dict(zip(SERIES.values(), DRAWN, strict=True))
FIGURES = (
    Figure("spread", "With batch normalisation all margins become one", "spread", STEPS, D, KINDS, columns="points",
           shown=pl.col("points").str.starts_with("noise"),
           caption="One patch: exp(-Θ(log³ t)). Two and more: exp(-Θ(log² t)). Plain descent leaves margins different."),
    Figure("digits", "Digits come there where patches are independent", "spread", STEPS, D, KINDS, columns="points",
           shown=pl.col("points").str.starts_with("noise").not_(),
           caption="The rows of a digit are more patches than coordinates: their margins cannot all be one."),
    Figure("margins", "Batch normalisation draws all margins together", "margins", STEPS,
           Axis("margin", "margin", log=False, domain=(-0.5, 2.5)), "learner", columns="series", series="patch",
           caption="The band holds all points. With normalisation also the patches' margins become one."),
    Figure("error", "Patch-wise uniform margins are worth more than the largest one", "error",
           Axis("ratio", "strong over weak feature"), Axis("error", "test error", log=False, domain=(0, 0.15)),
           {"law": "theory", "run": "learner"}, colour="classifier",
           caption="Where the strong one is missing: the largest margin counts on it, uniform margins rely on both alike."),
)  # fmt: skip


def summary(found: Found) -> str:
    best, last = max(found.of(Shift), key=lambda t: t.case.strong), found.of(Descend, data="noise")[-1]
    error, other = (float(best.array(limit).mean()) for limit in LIMITS)
    D, plain = (path(last, column)[:, -1].mean() for column in ("spread", "plain"))
    return (
        "Linear models with batch normalisation come to uniform margins, patch by patch. The spread D of the margins of "
        f"{last.case.patches} patches is {D:.0e} after {found.config.descents.steps:,} steps, otherwise {plain:.1g}; "
        "it falls as the late law says. Where a test set lacks a feature "
        f"{best.case.strong / best.case.shifted.weak:g} times as strong as the other such models err on {error:.1%} of the "
        f"points, the largest margin on {other:.1%}."
    )
