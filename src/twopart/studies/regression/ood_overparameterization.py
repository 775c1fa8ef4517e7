"""What does more width, or an ensemble, buy on inputs that have shifted, and what does no width remove?

Random features of least norm, on inputs where interpolation is benign and on the same with noise added: exact risks beside the
law of their width. On digits that are turned, noisy or blurred, and for a network tuned in full, the law needs no truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import polars as pl

from twopart.evidence import Estimate, Found, Guard, Rows, around, claim, curve, mean, statistic, table
from twopart.evidence.judges import above, within, within_share
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.laws.regression import WidthLaw, exact_risk, width_law
from twopart.learners.regression import MinNorm, feature_weights, random_features
from twopart.report import Axis, Figure, Kind
from twopart.settings import among, at_least, between, distinct, every, settings
from twopart.studies import Work, world_seed
from twopart.worlds.regression import BenignLinear, InputShift, Regression
from twopart.worlds.regression.arrays import Floats
from twopart.worlds.regression.digits import require
from twopart.worlds.regression.shifted_digits import Shift, ShiftedDigits

STUDY, TITLE = "ood-overparameterization", "Over-parameterisation on shifted inputs"
PAPER, PAGE = "Hao, Lin, Zou, Zhang 2024, arXiv 2403.17592", "docs/laws/ood-overparameterization.md"
FINITE, LIMIT, MODULES = f"{PAGE}, finite width", f"{PAGE}, infinite width", f"{PAGE}, modules"
LADDER = (1.5, 2.0, 3.0, 4.0, 8.0, 16.0)  # widths in units of n
NEAR, FAR, BIASES = (2.0,), (4.0, 8.0, 16.0), (2.0, 4.0, 8.0, 16.0)
TOGETHER, SHIFTED_AT, WIDE, MEMBERS = 4.0, 8.0, 16.0, 4  # the ensemble's width, that where shifts are compared, a wide one
INSIDE, OUTSIDE = "in", "out"
DOMAINS = (INSIDE, OUTSIDE)
NATURAL: tuple[tuple[Shift, float], ...] = (("noise", 0.5), ("rotation", 30.0), ("blur", 1.0))
LEFT = 0.02  # the squared share of a moved label that a network may leave unlearned
SPREAD = at_least(4).because("an interval needs a spread")


@settings
class Benign:
    """The world, its shifts, and how often it is looked at."""

    points: Annotated[int, at_least(4), "Training points n."] = 60
    dimension: Annotated[int, at_least(12), "Dimension of the inputs; the law wants at least 3 n."] = 300
    shift: Annotated[float, among("shifts"), "The variance that is added in the tail, looked at closely."] = 0.1
    shifts: Annotated[tuple[float, ...], distinct(2), every(between(0, 10, "(]")), "Such variances."] = (
        0.02, 0.05, 0.1, 0.2, 0.4,
    )  # fmt: skip
    widest: Annotated[int, at_least(16).because("the law is judged up to there"), "The widest, in units of n."] = 32
    replicates: Annotated[int, SPREAD, "Samples, each with its weights."] = 64
    unlabelled: Annotated[int, at_least(100), "Inputs that the law is averaged over, for each sample."] = 2000


@settings
class Pictures:
    """The digits, and the network that is tuned on them."""

    digits: Annotated[int, between(4, 1000), "Digits to train on."] = 100
    divisions: Annotated[int, SPREAD, "Divisions of the digits."] = 32
    networks: Annotated[int, SPREAD, "Networks, each of its own division."] = 8
    tuned: Annotated[int, between(4, 200), "Digits that a network is tuned on; each label is moved alone."] = 32
    hidden: Annotated[int, at_least(1), "Hidden neurons of a network."] = 256
    move: Annotated[float, between(0, 1, "(]"), "By how much a label is moved; labels are 1 and -1."] = 0.01
    seen: Annotated[int, at_least(10), "Test digits on which a network's answers are looked at."] = 400
    steps: Annotated[int, at_least(10), "Steps of a network's training, and of its tuning."] = 500


@settings
class Config:
    """Random features under shift: what width and ensembles buy where inputs have shifted."""

    benign: Benign = Benign()
    pictures: Pictures = Pictures()


FEW = Benign(30, 100, 0.3, (0.1, 0.3), 16, 8, 500)
PRESETS = {
    "tiny": Config(FEW, Pictures(20, 4, 4, 8, 32, 0.01, 50, 60)),
    "small": Config(),
    "full": Config(Benign(500, 2000, replicates=16), Pictures(500, 64, 16, 100, 2048, steps=5000)),
}


@dataclass(frozen=True)
class Fits:
    """A cell: least-norm fits of several widths, on fresh points and with fresh weights in each replicate."""

    points: int
    widths: tuple[int, ...]
    """Of single models, rising."""
    members: tuple[int, ...]
    """Widths of the models of ensembles of `MEMBERS`."""
    replicates: int

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(m, K)."""
        return [*((m, 1) for m in self.widths), *((m, MEMBERS) for m in self.members)]

    def train(self, replicate: int) -> tuple[Floats, Floats]:
        """Inputs (n, d), and labels without noise (n,)."""
        raise NotImplementedError

    def test(self, replicate: int, domain: str) -> tuple[Floats, Floats]:
        raise NotImplementedError

    def risk(self, weights: Floats, maps: Floats, replicate: int, domain: str) -> tuple[Any, Any]:
        """Bias, and variance in units of the noise's, of the maps (..., m, n) from labels to weights of features."""
        raise NotImplementedError


@dataclass(frozen=True)
class Shifted(Fits):
    """Fits in the benign world; their risks are exact for given weights and points."""

    world: BenignLinear
    tail: float
    """The variance that is added."""
    unlabelled: int

    def __str__(self) -> str:
        return f"Γ = {self.tail:g}"

    @property
    def variance(self) -> float:
        return self.world.noise**2

    def train(self, replicate: int) -> tuple[Floats, Floats]:
        x = self.world.sample(self.points, replicate).x
        return x, x @ self.world.optimum

    def test(self, replicate: int, domain: str) -> tuple[Floats, Floats]:
        source: Any = self.world if domain == INSIDE else InputShift(self.world, tail=self.tail)
        x = source.sample(self.unlabelled, self.replicates + replicate).x
        return x, x @ self.world.optimum

    def risk(self, weights: Floats, maps: Floats, replicate: int, domain: str) -> tuple[Any, Any]:
        seen = (self.world if domain == INSIDE else InputShift(self.world, tail=self.tail)).covariance
        return exact_risk(weights, maps, self.train(replicate)[0], self.world.optimum, covariance=seen)


@dataclass(frozen=True)
class Digits(Fits):
    """Fits to the digits' parity; the bias is the error on the test set of a fit to labels without noise."""

    shift: Shift
    amount: float
    seed: int

    variance = 1.0

    def __str__(self) -> str:
        return f"digits, {self.shift} {self.amount:g}"

    def train(self, replicate: int) -> tuple[Floats, Floats]:
        return ShiftedDigits(self.points, self.seed + replicate).train

    def test(self, replicate: int, domain: str) -> tuple[Floats, Floats]:
        world = ShiftedDigits(self.points, self.seed + replicate)
        return world.test() if domain == INSIDE else world.test(self.shift, self.amount)

    def risk(self, weights: Floats, maps: Floats, replicate: int, domain: str) -> tuple[Any, Any]:
        (z, t), (_, y) = self.test(replicate, domain), self.train(replicate)
        answers = random_features(z, weights) @ maps
        return np.square(answers @ y - t).mean(-1), np.square(answers).sum(-1).mean(-1)


@dataclass(frozen=True)
class Tuned:
    """A cell: two-layer networks trained in full on the digits' parity, then tuned on labels with noise."""

    pictures: Pictures
    seed: int

    def __str__(self) -> str:
        return f"networks of {self.pictures.hidden} neurons"

    def world(self, replicate: int) -> ShiftedDigits:
        return ShiftedDigits(self.pictures.tuned, self.seed + replicate)


def cells(config: Config, seed: int) -> Iterator[Work]:
    require()
    benign, pictures = config.benign, config.pictures
    n, world = benign.points, BenignLinear(benign.dimension, noise=0.5, seed=world_seed(seed, STUDY, "benign"))
    ladder = [round(by * n) for by in (*LADDER, *(16.0 * 2**i for i in range(1, 9))) if by <= benign.widest]
    for tail in benign.shifts:
        widths, members = (round(SHIFTED_AT * n),), ()
        if tail == benign.shift:
            widths, members = tuple(ladder), tuple(m for m in ladder if MEMBERS * m <= round(WIDE * n))
        case = Shifted(n, widths, members, benign.replicates, world, tail, benign.unlabelled)
        yield Work("fit", case, cost=benign.replicates * max(widths) ** 2 * benign.dimension)
    n = pictures.digits
    for shift, amount in NATURAL:
        images = world_seed(seed, STUDY, "digits")
        widths = tuple(round(by * n) for by in LADDER)
        yield Work("fit", Digits(n, widths, (), pictures.divisions, shift, amount, images), cost=1e9)
    yield Work("tune", Tuned(pictures, world_seed(seed, STUDY, "networks")), cost=1e11)


def fit(case: Shifted | Digits, cell: Cell) -> pl.DataFrame:
    """Risks of all sizes beside the law: inside, where training points are from, and outside, where inputs have shifted."""
    frames, most = [], max(m * K for m, K in case.sizes)
    for replicate in range(case.replicates):
        x, f = case.train(replicate)
        weights = feature_weights(most, x.shape[1], seed=cell.seed ^ replicate)
        features, maps = random_features(x, weights), np.zeros((len(case.sizes), most, len(x)))
        for found, (m, K) in zip(maps, case.sizes, strict=True):
            for part in (slice(k * m, (k + 1) * m) for k in range(K)):
                found[part] = MinNorm.maps(features[:, part]) / K
        for domain in DOMAINS:
            (z, truth), measured = case.test(replicate, domain), case.risk(weights, maps, replicate, domain)
            law = width_law(x, z, f)
            frames.append(_rows(case, law, truth, measured).with_columns(replicate=pl.lit(replicate), domain=pl.lit(domain)))
        cell.progress(replicate + 1, case.replicates)
    return pl.concat(frames)


def _rows(case: Shifted | Digits, law: WidthLaw, truth: Floats, measured: tuple[Any, Any]) -> pl.DataFrame:
    """One for each size: measured, by law, and by law at infinite width."""
    bias = float(np.square(law.answers - truth).mean())
    sizes = [{"width": m, "members": K, "cost": law.cost(m, K), "variance": law.variance(m, K)} for m, K in case.sizes]
    return pl.DataFrame(sizes).select(
        "width",
        "members",
        bias=measured[0],
        variance=case.variance * measured[1],
        law_bias=bias + pl.col("cost"),
        law_variance=case.variance * pl.col("variance"),
        limit_bias=pl.lit(bias),
        limit_variance=pl.lit(case.variance * law.variance(np.inf)),
        doubt=pl.lit(law.doubt.mean()),
    )


def look(t: Rows[Any], column: str, domain: str, at: tuple[float, ...] = (), members: int = 1) -> Floats:
    """A column at these widths, in units of n, or at all: shape (R, widths)."""
    of = {"domain": domain, "members": members}
    if at:
        of["width"] = [round(by * t.case.points) for by in at]
    values: Floats = t.array(column, **of)
    return values.reshape(len(values), -1)


def risk(t: Rows[Any], domain: str, at: tuple[float, ...] = (), members: int = 1, of: str = "") -> Floats:
    """Bias and variance together; `of` is "", "law_" or "limit_"."""
    return look(t, f"{of}bias", domain, at, members) + look(t, f"{of}variance", domain, at, members)


def excess(t: Rows[Any], domain: str, at: tuple[float, ...], members: int = 1) -> Floats:
    """The risk above that of infinite width on the same points, shape (R, widths)."""
    return risk(t, domain, at, members) - risk(t, domain, at, members, "limit_")


def quotient(above: Floats, below: Floats) -> Estimate:
    """Of two means, shapes (R, 1), replicates paired."""
    return statistic(lambda means: float(means[0] / means[1]), np.hstack([above, below]))


def worst(t: Rows[Any], domain: str, at: tuple[float, ...]) -> Estimate:
    """The variance over the law's, at the width where their mean is farthest from 1."""
    ratios = look(t, "variance", domain, at) / look(t, "law_variance", domain, at)
    return statistic(lambda means: float(means[np.argmax(np.abs(np.log(means)))]), ratios).against(1.0, place=PLACE[domain])


PLACE = {INSIDE: "where points are from", OUTSIDE: "on shifted inputs"}
OVER_LAW = "variance over the law's, mean over points and weights"
FROM_4 = f"{OVER_LAW}, the farthest from 1 of m/n = 4, 8, 16"
RISKS = f"{PAPER}, theorems 1 and 2; {FINITE}"
EXCESS = "risk above that of infinite width"


@claim(above(2.0), "ratio", RISKS, "risk on shifted inputs over that where points are from, at m = 16 n, noise aside")
def benign_inside_only(t: Rows[Shifted]) -> Estimate:
    """{t}: a wide interpolation that is benign where its points are from is not on shifted inputs."""
    law = risk(t, OUTSIDE, (WIDE,), of="law_").mean() / risk(t, INSIDE, (WIDE,), of="law_").mean()
    return quotient(risk(t, OUTSIDE, (WIDE,)), risk(t, INSIDE, (WIDE,))).against(law)


@claim(within_share(0.04), "ratio", FINITE, FROM_4)
def variance_far(t: Rows[Shifted], domain: str) -> Estimate:
    """{t}: {place} the variance falls with width as the law says, from 4 n features on."""
    return worst(t, domain, FAR)


@claim(within_share(0.07), "ratio", FINITE, f"{OVER_LAW}, at m = 2 n")
def variance_near(t: Rows[Shifted], domain: str) -> Estimate:
    """{t}: {place} the variance is the law's at 2 n features, near the peak."""
    return worst(t, domain, NEAR)


@claim(within_share(0.15), "ratio", FINITE, "bias over the law's, mean over m/n = 2, 4, 8, 16, points and weights")
def bias_law(t: Rows[Shifted], domain: str) -> Estimate:
    """{t}: {place} the bias falls with width as the law says."""
    ratios = look(t, "bias", domain, BIASES) / look(t, "law_bias", domain, BIASES)
    return mean(ratios.mean(1)).against(1.0, place=PLACE[domain])


def slope(t: Rows[Shifted], domain: str, x: Floats, at: tuple[float, ...] = ()) -> Estimate:
    """Of ln(variance above that of infinite width) on x."""
    beyond = look(t, "variance", domain, at) - look(t, "limit_variance", domain, at)
    far = x - x.mean()
    return statistic(lambda means: float(far @ np.log(means) / (far @ far)), beyond)


@claim(within(0.1), "log-log slope", FINITE, "slope of ln(variance - that of infinite width) on ln(m - n - 1), all widths")
def exponent(t: Rows[Shifted], domain: str) -> Estimate:
    """{t}: {place} the variance above that of infinite width goes as 1/(m - n - 1), not as a power of m (slope on ln m up to
    4 n: {raw:.2f}).
    """
    n, early = t.case.points, tuple(by for by in LADDER if by <= TOGETHER)
    raw = slope(t, domain, np.log([round(by * n) for by in early]), early).value
    found = slope(t, domain, np.log(np.array(t.case.widths) - n - 1.0))
    return found.against(-1.0, place=PLACE[domain], raw=raw)


@claim(within_share(0.15), "ratio", f"{PAPER}, theorem 3; {FINITE}", f"{EXCESS} of one over that of {MEMBERS}, m = 4 n")
def ensembles_help(t: Rows[Shifted]) -> Estimate:
    """{t}: an ensemble of K models divides what narrowness costs on shifted inputs by K."""
    return quotient(excess(t, OUTSIDE, (TOGETHER,)), excess(t, OUTSIDE, (TOGETHER,), MEMBERS)).against(MEMBERS)


@claim(within_share(0.2), "ratio", FINITE, f"{EXCESS} of {MEMBERS} models of 4 n features over that of one of 16 n")
def width_helps_more(t: Rows[Shifted]) -> Estimate:
    """{t}: of as many features in all one wide model makes more than an ensemble does, by (K m - n - 1)/(K (m - n - 1))."""
    n, m = t.case.points, round(TOGETHER * t.case.points)
    law = (MEMBERS * m - n - 1) / (MEMBERS * (m - n - 1))
    return quotient(excess(t, OUTSIDE, (TOGETHER,), MEMBERS), excess(t, OUTSIDE, (WIDE,))).against(law)


@claim(within_share(0.05), "ratio", LIMIT, "variance on shifted inputs over that inside, each the intercept on 1/(m - n - 1)")
def what_width_leaves(t: Rows[Shifted]) -> Estimate:
    """{t}: at infinite width more of the noise reaches shifted inputs, as the kernel says, and no width removes it."""
    near = np.linalg.pinv(np.vander(1 / (np.array([round(by * t.case.points) for by in FAR]) - t.case.points - 1.0), 2))[1]
    limits = [look(t, "limit_variance", domain, FAR).mean() for domain in (OUTSIDE, INSIDE)]
    found = quotient(*(look(t, "variance", domain, FAR) @ near[:, None] for domain in (OUTSIDE, INSIDE)))
    return found.against(limits[0] / limits[1])


@claim(within_share(0.1), "ratio", f"{PAGE}, what the shift acts on", f"{EXCESS}, on shifted inputs over inside, m = 8 n")
def shift_acts_on_doubt(t: Rows[Shifted]) -> Estimate:
    """{t}: the shift raises the cost of narrowness as what the kernel leaves open, S, and by nothing else."""
    law = look(t, "doubt", OUTSIDE, (SHIFTED_AT,)).mean() / look(t, "doubt", INSIDE, (SHIFTED_AT,)).mean()
    return quotient(excess(t, OUTSIDE, (SHIFTED_AT,)), excess(t, INSIDE, (SHIFTED_AT,))).against(law)


@claim(within_share(0.1), "ratio", FINITE, f"{OVER_LAW}, the farthest from 1 of m/n = 2, 4, 8, 16")
def variance_on_digits(t: Rows[Digits]) -> Estimate:
    """{t}: on real images that have shifted the variance falls with width as the law says, which knows no labels there."""
    return worst(t, OUTSIDE, BIASES)


def _unlearned(t: Rows[Tuned], shift: str) -> bool:
    return bool(t.array("left", shift=shift).mean() > LEFT)


TUNED = "variance of answers per unit of noise in labels, which are moved one by one, over the report's, mean over networks"


@claim(
    within_share(0.1), "ratio", MODULES, TUNED, Guard(f"networks leave more than {LEFT:.0%} of a moved label's square", _unlearned)
)  # fmt: skip
def networks_follow(t: Rows[Tuned], shift: str) -> Estimate:
    """{t}, {shift}: what a network tuned in full makes of noise in its labels is what its Jacobian foretells."""
    return mean(t.array("variance", shift=shift) / t.array("law", shift=shift)).against(1.0)


def claims(found: Found) -> Iterator[Claim]:
    closely = found.one(Shifted, tail=found.config.benign.shift)
    yield benign_inside_only(closely)
    for of in (variance_far, variance_near, bias_law, exponent):
        yield from (of(closely, domain) for domain in DOMAINS)
    yield from (ensembles_help(closely), width_helps_more(closely), what_width_leaves(closely))
    yield from map(shift_acts_on_doubt, found.of(Shifted))
    yield from map(variance_on_digits, found.of(Digits))
    (tuned,) = found.of(Tuned)
    yield from (networks_follow(tuned, shift) for shift in tuned.frame["shift"].unique(maintain_order=True))


def by_width(t: Rows[Any], column: str, domain: str, members: int = 1, **labels: Any) -> Iterator[pl.DataFrame]:
    """The law and its limit, and what was measured, with 95 % intervals of its mean."""
    widths = np.array(t.case.widths if members == 1 else t.case.members)
    x, values = {"width": widths, "features": members * widths}, partial(look, t, domain=domain, members=members)
    measured = values(column)
    yield curve(x, {column: values(f"law_{column}").mean(0)}, None, **labels, series="law")
    yield curve(x, {column: values(f"limit_{column}").mean(0)}, None, **labels, series="infinite width")
    yield curve(x, {column: measured}, around(measured, 1.96), **labels, series="fits")


def risk_rows(t: Rows[Shifted]) -> Iterator[pl.DataFrame]:
    """Squared error against the truth by width, its part from noise in labels (variance) and the rest (bias)."""
    for domain in DOMAINS:
        for part in ("variance", "bias"):
            for frame in by_width(t, part, domain, inputs=PLACE[domain], part=part):
                yield frame.rename({part: "risk"})


def narrow_rows(t: Rows[Shifted]) -> Iterator[pl.DataFrame]:
    """Variance above that of infinite width on the same points, times m - n - 1."""
    x, by = {"width": t.case.widths}, np.array(t.case.widths) - t.case.points - 1.0
    for domain in DOMAINS:
        limit = look(t, "limit_variance", domain)
        law, fits = (by * (look(t, name, domain) - limit) for name in ("law_variance", "variance"))
        yield curve(x, {"cost": law.mean(0)}, None, inputs=PLACE[domain], series="law")
        yield curve(x, {"cost": fits}, around(fits, 1.96), inputs=PLACE[domain], series="fits")


def ensemble_rows(t: Rows[Shifted]) -> Iterator[pl.DataFrame]:
    """Variance on shifted inputs by features of all models together."""
    for members, name in ((1, "one model"), (MEMBERS, f"{MEMBERS} models")):
        for frame in by_width(t, "variance", OUTSIDE, members, models=name):
            yield frame.filter(pl.col("series") != "infinite width").with_columns(series=pl.lit(f"{name}, ") + pl.col("series"))


def shift_rows(ts: list[Rows[Shifted]]) -> Iterator[pl.DataFrame]:
    """Risk above that of infinite width at m = 8 n, on shifted inputs over that inside; S is what the kernel leaves open."""
    for t in ts:
        found = shift_acts_on_doubt(t)
        x, ends = {"shift": [t.case.tail]}, found.interval or (np.nan, np.nan)
        yield curve(x, {"ratio": [found.predicted]}, None, series="ratio of S")
        yield curve(x, {"ratio": [found.measured]}, ([ends[0]], [ends[1]]), series="fits")


def digit_rows(ts: list[Rows[Digits]]) -> Iterator[pl.DataFrame]:
    """Variance of answers on the test set, in units of the variance of noise in labels; none: the test set as it is."""
    shown = [(ts[0], INSIDE, "none"), *((t, OUTSIDE, f"{t.case.shift} {t.case.amount:g}") for t in ts)]
    for t, domain, name in shown:
        yield from by_width(t, "variance", domain, shift=name)


def network_rows(t: Rows[Tuned]) -> Iterator[pl.DataFrame]:
    """Variance of a tuned network's answers in units of the noise's in its labels, beside what its Jacobian foretells."""
    yield t.frame


def tables(found: Found) -> Iterator[Table]:
    closely = found.one(Shifted, tail=found.config.benign.shift)
    yield from table("risk", "Risk by width", risk_rows, closely)
    yield from table("narrow", "The cost of narrowness", narrow_rows, closely)
    yield from table("ensembles", "Ensembles beside wide models", ensemble_rows, closely)
    yield from table("shifts", "What the shift acts on", shift_rows, found.of(Shifted))
    yield from table("digits", "Digits by width", digit_rows, found.of(Digits))
    yield from table("networks", "Networks beside their reports", network_rows, *found.of(Tuned))


KINDS: dict[Any, Kind] = {"law": "theory", "fits": "simulation", "infinite width": "asymptote"}
ENSEMBLES: dict[Any, Kind] = {
    f"{models}, {series}": KINDS[series] for series in ("law", "fits") for models in ("one model", f"{MEMBERS} models")
}
WIDTH = Axis("width", "features m")
WIDER = "Width removes what narrowness adds, and leaves twice as much noise on shifted inputs as where points are from."
FLAT = "Times m - n - 1 the cost of narrowness is one number, larger where inputs have shifted."
MORE = "An ensemble of four is four times as good as one of its models, and worse than one model of all their features."
RISES = "A shift raises the cost of narrowness as it raises S."
REAL = "Turned and noisy digits hear more of the noise in labels than the others, blurred ones less; width ends at a floor."

FIGURES = (
    Figure("risk", "Width on shifted inputs", "risk", WIDTH, Axis("risk", "risk"), KINDS, "inputs", "part", caption=WIDER),
    Figure("narrow", "The cost of narrowness", "narrow", WIDTH, Axis("cost", "excess variance × (m - n - 1)"),
           {"law": "theory", "fits": "simulation"}, "inputs", caption=FLAT),
    Figure("ensembles", "Ensembles or width", "ensembles", Axis("features", "features in all"),
           Axis("variance", "variance on shifted inputs"), ENSEMBLES, colour="models", caption=MORE),
    Figure("shifts", "What the shift acts on", "shifts", Axis("shift", "variance added in the tail"),
           Axis("ratio", "outside over inside"), {"ratio of S": "theory", "fits": "simulation"}, caption=RISES),
    Figure("digits", "Digits", "digits", WIDTH, Axis("variance", "variance of answers"), KINDS, "shift", caption=REAL),
)  # fmt: skip


def summary(found: Found) -> str:
    benign, pictures = found.config.benign, found.config.pictures
    return (
        f"Least-norm fits by ReLU features: {benign.replicates} samples of {benign.points} points in {benign.dimension} dimensions "
        f"with exact risks, {pictures.divisions} divisions of the digits, {pictures.networks} networks tuned in full."
    )
