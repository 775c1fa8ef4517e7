"""What does more width, or an ensemble, buy on inputs that have shifted, and what does no width remove?

Random features of least norm, on inputs where interpolation is benign and on the same with noise added: exact risks beside the
law of their width. On digits that are turned, noisy or blurred the law knows neither truth nor labels of the shifted images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, mean, statistic, table
from twopart.evidence.judges import above, within, within_share
from twopart.findings import Claim, Table
from twopart.fits import slope
from twopart.lab import Cell
from twopart.laws.regression import exact_risk, width_law
from twopart.learners.regression import MinNorm, feature_weights, random_features
from twopart.report import Axis, Figure, Kind
from twopart.settings import among, at_least, between, distinct, every, settings
from twopart.studies import Work, world_seed
from twopart.worlds.regression import CovariateShift, ShiftedDigits, benign_shift
from twopart.worlds.regression.covariate_shift import Domain
from twopart.worlds.regression.digits import require
from twopart.worlds.regression.shifted_digits import Shift

STUDY, TITLE = "ood-overparameterization", "Over-parameterisation on shifted inputs"
PAPER, PAGE = "Hao, Lin, Zou, Zhang 2024, arXiv 2403.17592", "docs/laws/ood-overparameterization.md"
FINITE, LIMIT, ACTS = (f"{PAGE}, {heading}" for heading in ("finite width", "infinite width", "what the shift acts on"))
LADDER = (1.5, 2, 3, 4, 8, 16)  # widths in units of n
JUDGED, FAR, NEAR = (2, 4, 8, 16), (4, 8, 16), (2,)
TOGETHER, SHIFTED, WIDE, WIDEST = 4, 8, 16, 32  # of an ensemble's models; where shifts are compared; wide; the widest
EARLY = tuple(by for by in LADDER if by <= TOGETHER)
MEMBERS = 4
DOMAINS: tuple[Domain, ...] = ("source", "target")
NATURAL: tuple[tuple[Shift, float], ...] = (("noise", 0.5), ("rotation", 30.0), ("blur", 1.0))
SPREAD = at_least(4).because("an interval needs a spread")
Test = tuple[Floats, Floats]  # inputs, and what is true there


@settings
class Config:
    """Random features under shift: what width and ensembles buy where inputs have shifted."""

    points: Annotated[int, at_least(4), "Training points n."] = 60
    dimension: Annotated[int, at_least(12), "Dimension of the inputs; the law wants at least 3 n."] = 300
    shift: Annotated[float, among("shifts"), "The variance added in the tail that is looked at closely."] = 0.1
    shifts: Annotated[tuple[float, ...], distinct(2), every(between(0, 10, "(]")), "Variances added."] = (
        0.02, 0.05, 0.1, 0.2, 0.4,
    )  # fmt: skip
    replicates: Annotated[int, SPREAD, "Samples, each with weights of its own."] = 64
    unlabelled: Annotated[int, at_least(100), "Inputs that the law is averaged over, for each sample."] = 2000
    digits: Annotated[int, between(4, 1000), "Digits to train on."] = 100
    divisions: Annotated[int, SPREAD, "Divisions of the digits."] = 32


PRESETS = {
    "tiny": Config(20, 60, 0.3, (0.1, 0.3), 4, 400, 20, 4),
    "small": Config(),
    "full": Config(500, 2000, replicates=16, digits=500, divisions=64),
}


@dataclass(frozen=True)
class Benign:
    """A cell: least-norm fits in the benign world, of these widths, and of ensembles whose `members` have these; a replicate
    has fresh points and fresh weights. `added` is the shift's variance in each direction of the tail."""

    dimension: int
    added: float
    seed: int
    points: int
    widths: tuple[int, ...]
    members: tuple[int, ...]
    replicates: int
    unlabelled: int
    noise = 0.5

    def __str__(self) -> str:
        return f"Γ = {self.added:g}"

    @cached_property
    def world(self) -> CovariateShift:
        return benign_shift(self.dimension, added=self.added, noise=self.noise, seed=self.seed)

    def train(self, replicate: int) -> Test:
        x = self.world.sample(self.points, "source", replicate).x
        return x, x @ np.asarray(self.world.truth)

    def test(self, replicate: int, domain: Domain) -> Test:
        z = self.world.sample(self.unlabelled, domain, self.replicates + replicate).x
        return z, z @ np.asarray(self.world.truth)

    def risk(self, weights: Floats, maps: Floats, x: Floats, y: Floats, test: Test, domain: Domain) -> tuple[Any, Any]:
        """Bias, and variance per unit of the noise's, of the maps (sizes, m, n) from labels to features' weights."""
        return exact_risk(weights, maps, x, self.world.truth, covariance=getattr(self.world, domain))


@dataclass(frozen=True)
class Digits:
    """A cell: the same on the digits' parity; the bias is the error on the test set of fits to labels without noise."""

    points: int
    widths: tuple[int, ...]
    replicates: int
    shift: Shift
    amount: float
    seed: int

    noise, members = 1.0, ()

    def __str__(self) -> str:
        return f"digits, {self.shift} {self.amount:g}"

    def train(self, replicate: int) -> Test:
        return ShiftedDigits(self.points, self.seed + replicate).train

    def test(self, replicate: int, domain: Domain) -> Test:
        world = ShiftedDigits(self.points, self.seed + replicate)
        return world.test() if domain == "source" else world.test(self.shift, self.amount)

    def risk(self, weights: Floats, maps: Floats, x: Floats, y: Floats, test: Test, domain: Domain) -> tuple[Any, Any]:
        answers = random_features(test[0], weights) @ maps
        return np.square(answers @ y - test[1]).mean(-1), np.square(answers).sum(-1).mean(-1)


def widths(n: int, ladder: Sequence[float]) -> tuple[int, ...]:
    """From units of n."""
    return tuple(round(by * n) for by in ladder)


def cells(config: Config, seed: int) -> Iterator[Work]:
    require()
    n, d, truth = config.points, config.dimension, world_seed(seed, STUDY, "benign")
    for added in config.shifts:
        single, joint = ((*LADDER, WIDEST), EARLY) if added == config.shift else ((SHIFTED,), ())
        sizes = widths(n, single), widths(n, joint)
        case = Benign(d, added, truth, n, *sizes, config.replicates, config.unlabelled)
        yield Work("fit", case, cost=config.replicates * max(case.widths) ** 2 * d)
    n, images = config.digits, world_seed(seed, STUDY, "digits")
    for shift, amount in NATURAL:
        digits = Digits(n, widths(n, LADDER), config.divisions, shift, amount, images)
        yield Work("fit", digits, cost=config.divisions * n**2 * 1e4)


def fit(case: Benign | Digits, cell: Cell) -> pl.DataFrame:
    """Risks of all sizes beside the law: on the source, where training points are from, and on the target, shifted."""
    sizes = [*((m, 1) for m in case.widths), *((m, MEMBERS) for m in case.members)]
    most, columns = max(m * K for m, K in sizes), {"width": [m for m, _ in sizes], "members": [K for _, K in sizes]}
    rows = []
    for replicate in range(case.replicates):
        x, y = case.train(replicate)
        weights = feature_weights(most, x.shape[1], seed=cell.seed ^ replicate)
        features, maps = random_features(x, weights), np.zeros((len(sizes), most, len(x)))
        for into, (m, K) in zip(maps, sizes, strict=True):  # an ensemble is one map over the weights of all
            for part in (slice(k * m, (k + 1) * m) for k in range(K)):
                into[part] = MinNorm.fit(features[:, part], np.eye(len(x))).weights / K
        for domain in DOMAINS:
            test = case.test(replicate, domain)
            law, (bias, variance) = width_law(x, test[0], y), case.risk(weights, maps, x, y, test, domain)
            limit, σ2 = np.square(law.answers - test[1]).mean(), case.noise**2
            found = {"bias": bias, "law_bias": [limit + law.cost(*size) for size in sizes], "limit_bias": limit}
            by_law = σ2 * np.array([law.variance(*size) for size in sizes])
            found |= {"variance": σ2 * variance, "law_variance": by_law, "limit_variance": σ2 * law.variance(np.inf)}
            labels = {"domain": domain, "replicate": replicate, "doubt": law.doubt.mean()}
            rows.append(pl.DataFrame({**columns, **found, **labels}))
        cell.progress(replicate + 1, case.replicates)
    return pl.concat(rows)


def look(t: Rows[Any], column: str, domain: str, at: Sequence[float] = (), members: int = 1) -> Floats:
    """A column at these widths, in units of n, or at all: shape (R, widths)."""
    chosen = {"width": list(widths(t.case.points, at))} if at else {}
    values: Floats = t.array(column, domain=domain, members=members, **chosen)
    return values.reshape(len(values), -1)


def risk(t: Rows[Any], domain: str, at: int, members: int = 1, of: str = "") -> Floats:
    """Bias and variance together at one width, shape (R, 1); `of` is "", "law_" or "limit_"."""
    return look(t, f"{of}bias", domain, (at,), members) + look(t, f"{of}variance", domain, (at,), members)


def excess(t: Rows[Any], domain: str, at: int, members: int = 1) -> Floats:
    """The risk above that of infinite width on the same points, shape (R, 1)."""
    return risk(t, domain, at, members) - risk(t, domain, at, members, "limit_")


def quotient(of: Floats, to: Floats) -> Estimate:
    """Of two means, shapes (R, 1), replicates paired."""
    return statistic(lambda means: float(means[0] / means[1]), np.hstack([of, to]))


def worst(t: Rows[Any], domain: str, at: Sequence[float]) -> Estimate:
    """The variance over the law's, at the width where their mean is farthest from 1."""
    ratios = look(t, "variance", domain, at) / look(t, "law_variance", domain, at)
    found = statistic(lambda means: float(means[np.argmax(np.abs(np.log(means)))]), ratios)
    return found.against(1.0, place=PLACE[domain])


def narrow(t: Rows[Benign], domain: str, of: str = "", at: Sequence[float] = ()) -> Floats:
    """The variance above that of infinite width, shape (R, widths)."""
    return look(t, f"{of}variance", domain, at) - look(t, "limit_variance", domain, at)


PLACE = {"source": "where points are from", "target": "on shifted inputs"}
RATIO = "variance over the law's, mean over points and weights"
FARTHEST = f"{RATIO}, the farthest from 1 of m/n ="
EXCESS = "risk above that of infinite width"
TWICE = "risk on shifted inputs over that where points are from, m = 16 n, noise aside"
INTERCEPTS = "variance on shifted inputs over that where points are from, intercepts on 1/(m - n - 1)"
SLOPE = "log-log slope", FINITE, "slope of ln(variance above that of infinite width) on ln(m - n - 1), all widths"


@claim(above(2.0), "ratio", f"{PAPER}, theorems 1 and 2; {FINITE}", TWICE)
def benign_on_the_source_only(t: Rows[Benign]) -> Estimate:
    """{t}: a wide interpolation that is benign where its points are from is not on shifted inputs."""
    law = risk(t, "target", WIDE, of="law_").mean() / risk(t, "source", WIDE, of="law_").mean()
    return quotient(risk(t, "target", WIDE), risk(t, "source", WIDE)).against(law)


@claim(within_share(0.04), "ratio", FINITE, f"{FARTHEST} 4, 8, 16")
def variance_far(t: Rows[Benign], domain: str) -> Estimate:
    """{t}: {place} the variance falls with width as the law says, from 4 n features on."""
    return worst(t, domain, FAR)


@claim(within_share(0.07), "ratio", FINITE, f"{RATIO}, at m = 2 n")
def variance_near(t: Rows[Benign], domain: str) -> Estimate:
    """{t}: {place} the variance is the law's at 2 n features, near the peak."""
    return worst(t, domain, NEAR)


@claim(within_share(0.15), "ratio", FINITE, "bias over the law's, mean over m/n = 2, 4, 8, 16, points and weights")
def bias_law(t: Rows[Benign], domain: str) -> Estimate:
    """{t}: {place} the bias falls with width as the law says."""
    ratios = look(t, "bias", domain, JUDGED) / look(t, "law_bias", domain, JUDGED)
    return mean(ratios.mean(1)).against(1.0, place=PLACE[domain])


@claim(within(0.1), *SLOPE)
def exponent(t: Rows[Benign], domain: str) -> Estimate:
    """{t}: {place} what width removes of the variance goes as 1/(m - n - 1) (slope on ln m up to 4 n: {raw:.2f})."""
    raw, beyond = slope(EARLY, narrow(t, domain, "", EARLY).mean(0)), np.array(t.case.widths) - t.case.points - 1
    found = statistic(lambda means: slope(beyond, means), narrow(t, domain))
    return found.against(-1.0, place=PLACE[domain], raw=raw)


@claim(within_share(0.15), "ratio", f"{PAPER}, theorem 3; {FINITE}", f"{EXCESS} of one over that of {MEMBERS}, m = 4 n")
def ensembles_help(t: Rows[Benign]) -> Estimate:
    """{t}: an ensemble of K models divides what narrowness costs on shifted inputs by K."""
    return quotient(excess(t, "target", TOGETHER), excess(t, "target", TOGETHER, MEMBERS)).against(MEMBERS)


@claim(within_share(0.2), "ratio", FINITE, f"{EXCESS} of {MEMBERS} models of 4 n features over that of one of 16 n")
def width_helps_more(t: Rows[Benign]) -> Estimate:
    """{t}: of as many features in all one wide model makes more than an ensemble does, by (K m - n - 1)/(K (m - n - 1))."""
    n, m = t.case.points, TOGETHER * t.case.points
    law = (MEMBERS * m - n - 1) / (MEMBERS * (m - n - 1))
    return quotient(excess(t, "target", TOGETHER, MEMBERS), excess(t, "target", WIDE)).against(law)


@claim(within_share(0.05), "ratio", LIMIT, INTERCEPTS)
def what_width_leaves(t: Rows[Benign]) -> Estimate:
    """{t}: at infinite width more of the noise reaches shifted inputs, as the kernel says, and no width removes it."""
    x = 1 / (np.array(FAR) * t.case.points - t.case.points - 1.0)
    intercept = np.linalg.pinv(np.column_stack([np.ones_like(x), x]))[:1].T
    law = look(t, "limit_variance", "target").mean() / look(t, "limit_variance", "source").mean()
    return quotient(*(look(t, "variance", domain, FAR) @ intercept for domain in ("target", "source"))).against(law)


@claim(within_share(0.1), "ratio", ACTS, f"{EXCESS}, on shifted inputs over where points are from, m = 8 n")
def shift_acts_on_doubt(t: Rows[Benign]) -> Estimate:
    """{t}: the shift raises the cost of narrowness as what the kernel leaves open, S, and by nothing else."""
    law = look(t, "doubt", "target").mean() / look(t, "doubt", "source").mean()
    return quotient(excess(t, "target", SHIFTED), excess(t, "source", SHIFTED)).against(law)


@claim(within_share(0.1), "ratio", FINITE, f"{FARTHEST} 2, 4, 8, 16")
def variance_on_digits(t: Rows[Digits]) -> Estimate:
    """{t}: on real images that have shifted the variance falls with width as the law says."""
    return worst(t, "target", JUDGED)


def claims(found: Found) -> Iterator[Claim]:
    closely = found.one(Benign, added=found.config.shift)
    yield benign_on_the_source_only(closely)
    yield from (of(closely, domain) for of in (variance_far, variance_near, bias_law, exponent) for domain in DOMAINS)
    yield from (ensembles_help(closely), width_helps_more(closely), what_width_leaves(closely))
    yield from map(shift_acts_on_doubt, found.of(Benign))
    yield from map(variance_on_digits, found.of(Digits))


def by_width(t: Rows[Any], column: str, domain: str, series: Any = (), members: int = 1, **labels: Any) -> pl.DataFrame:
    """Laws, and fits with 95 % intervals of their means, by width."""
    sizes = np.array(t.case.widths if members == 1 else t.case.members)
    values = {name: look(t, SERIES[name] + column, domain, (), members) for name in series or SERIES}
    drawn = {name: found if name == "fits" else found.mean(0) for name, found in values.items()}
    return curves({"width": sizes, "features": members * sizes}, "risk", drawn, 1.96, **labels)


def risk_rows(t: Rows[Benign]) -> Iterator[pl.DataFrame]:
    """Squared error against the truth by width, its part from noise in labels (variance) and the rest (bias)."""
    for domain, part in product(DOMAINS, ("variance", "bias")):
        yield by_width(t, part, domain, inputs=PLACE[domain], part=part)


def narrow_rows(t: Rows[Benign]) -> Iterator[pl.DataFrame]:
    """Variance above that of infinite width on the same points, times m - n - 1."""
    beyond = np.array(t.case.widths) - t.case.points - 1
    for domain in DOMAINS:
        law, fits = (beyond * narrow(t, domain, of) for of in ("law_", ""))
        yield curves({"width": t.case.widths}, "cost", {"law": law.mean(0), "fits": fits}, 1.96, inputs=PLACE[domain])


def ensemble_rows(t: Rows[Benign]) -> Iterator[pl.DataFrame]:
    """Variance on shifted inputs by the features of all models together."""
    for members, models in ((1, "one model"), (MEMBERS, f"{MEMBERS} models")):
        yield by_width(t, "variance", "target", ("law", "fits"), members, models=models)


def shift_rows(ts: list[Rows[Benign]]) -> Iterator[pl.DataFrame]:
    """Risk above that of infinite width at m = 8 n, on shifted inputs over the others; S is what the kernel leaves open."""
    for t in ts:
        found, x = shift_acts_on_doubt(t), {"shift": [t.case.added]}
        low, high = found.interval or (np.nan, np.nan)
        yield curve(x, {"ratio": np.array([found.predicted])}, series="ratio of S")
        yield curve(x, {"ratio": [found.measured]}, ([low], [high]), series="fits")


def digit_rows(ts: list[Rows[Digits]]) -> Iterator[pl.DataFrame]:
    """Variance of answers on the test set, in units of the noise's in labels; none: the test set as it is."""
    yield by_width(ts[0], "variance", "source", shift="none")
    for t in ts:
        yield by_width(t, "variance", "target", shift=f"{t.case.shift} {t.case.amount:g}")


def tables(found: Found) -> Iterator[Table]:
    closely = found.one(Benign, added=found.config.shift)
    yield from table("risk", "Risk by width", risk_rows, closely)
    yield from table("narrow", "The cost of narrowness", narrow_rows, closely)
    yield from table("ensembles", "Ensembles beside wide models", ensemble_rows, closely)
    yield from table("shifts", "What the shift acts on", shift_rows, found.of(Benign))
    yield from table("digits", "Digits by width", digit_rows, found.of(Digits))


SERIES = {"law": "law_", "infinite width": "limit_", "fits": ""}
KINDS: dict[Any, Kind] = {"law": "theory", "ratio of S": "theory", "fits": "simulation", "infinite width": "asymptote"}
WIDTH, ALL, ADDED = Axis("width", "features m"), Axis("features", "features in all"), Axis("shift", "variance Γ added")
RISK, SHIFTED_VARIANCE = Axis("risk", "risk", domain=(0.02, None)), Axis("risk", "variance on shifted inputs")
VARIANCE = Axis("risk", "variance, in the noise's units", domain=(0.1, None))
COST = Axis("cost", "excess variance × (m - n - 1)", log=False, domain=(0, None))
TIMES = Axis("ratio", "cost of narrowness, shifted over not")
WIDER = "Width removes what narrowness adds, and leaves twice as much of the noise on shifted inputs."
FLAT = "Times m - n - 1 the cost of narrowness is one number, larger where inputs have shifted."
MORE = "Four models are four times as good as one of them, and worse than one model of all their features."
RISES = "A shift raises the cost of narrowness as it raises what the kernel leaves open."
REAL = "Turned and noisy digits hear more of the noise in labels than the others; width ends at a floor."
FIGURES = (
    Figure("risk", "Width on shifted inputs", "risk", WIDTH, RISK, KINDS, "inputs", "part", caption=WIDER),
    Figure("narrow", "The cost of narrowness", "narrow", WIDTH, COST, KINDS, colour="inputs", caption=FLAT),
    Figure("ensembles", "Ensembles or width", "ensembles", ALL, SHIFTED_VARIANCE, KINDS, colour="models", caption=MORE),
    Figure("shifts", "What the shift acts on", "shifts", ADDED, TIMES, KINDS, caption=RISES),
    Figure("digits", "Digits", "digits", WIDTH, VARIANCE, KINDS, "shift", caption=REAL),
)


def summary(found: Found) -> str:
    config = found.config
    return (
        f"Least-norm fits by ReLU features: {config.replicates} samples of {config.points} points in {config.dimension} "
        f"dimensions with exact risks, and {config.divisions} divisions of the digits."
    )
