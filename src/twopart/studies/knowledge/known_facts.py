"""Does the probe find what a model knows, where all that it was told is known?

Small transformers are told facts by a planted law and probed as a stranger's model is (docs/tools/probe.md). Half of the names
give the answer away. Each world is told twice: in the other telling every fact that was its name's is another, and every other
one is its name's, so that the two models tell what is known because it was told, without twins, anchors or guess rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression

from twopart import _random
from twopart.evidence import Estimate, Found, Rows, below, claim, curve, mean, statistic, within, within_factor
from twopart.evidence.judges import within_share
from twopart.findings import Claim, Table
from twopart.fits import Octaves, slope
from twopart.report import Axis, Figure
from twopart.settings import at_least, between, distinct, every, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import Converge, ladder
from twopart.tools.probe import claims as judged
from twopart.tools.probe.analysis import STRATA, Floats, Integers, Studied, study
from twopart.tools.probe.analysis import Rows as Subjects
from twopart.tools.probe.asking import TWINS, Asking
from twopart.tools.probe.facts import SLOT, Facts

STUDY, TITLE = "known-facts", "What the probe finds where the training is known"
PROBE, CAPACITY = "docs/tools/probe.md, where the training is known", "docs/laws/capacity.md, one price"
TEMPLATE = f"{SLOT} is"
TRIED = Octaves(-8.0, 4.0, 480)  # bits per parameter


@settings
class Planted:
    """Facts s3 n7 n41 -> v9: a style, two digits that tell apart, a value, which is the style's for half of the subjects."""

    subjects: Annotated[int, at_least(50), "Subjects, told about the less the higher their rank."] = 3300
    styles: Annotated[int, between(3, 64), "Styles of names, and as many values."] = 16
    head: Annotated[float, between(1, 1000), "Rank k is told about as (k + head)^-power."] = 165.0
    power: Annotated[float, between(1, 4), "Frequency has the tail q^(-1/power)."] = 2.0
    sentences: Annotated[int, at_least(2000).because("models must get going"), "Sentences, read once."] = 1_100_000

    @property
    def base(self) -> int:
        """Digits: names for all subjects and their twins."""
        return math.ceil(math.sqrt((1 + TWINS) * self.subjects))

    @property
    def entropy(self) -> float:
        """Bits of an answer, the style given."""
        return 1 + 0.5 * math.log2(self.styles - 1)

    def told(self, rank: ArrayLike) -> Floats:
        """Expected tellings of the subject of a rank, 0 the most frequent; ranks between and beyond are allowed."""
        weights = (np.arange(self.subjects) + self.head) ** -self.power
        return np.asarray(self.sentences * (np.asarray(rank, float) + self.head) ** -self.power / weights.sum())

    def style(self, seed: int) -> Integers:
        """Of each subject (N,)."""
        return _random.generator(seed, "styles").integers(self.styles, size=self.subjects)

    def values(self, seed: int, other: bool) -> Integers:
        """(N,) The style's with probability one half, else any other; in the other telling no subject has the same."""
        style, random = self.style(seed), _random.generator(seed, "values")
        own, away = random.random(self.subjects) < 0.5, random.integers(1, self.styles, size=self.subjects)
        return np.where(own ^ other, style, (style + away) % self.styles).astype(np.int64)

    def facts(self, seed: int, other: bool) -> Facts:
        """As the probe asks for them; the frequency is that of tellings. Twins have the style, and digits that nobody has."""
        N, base, style = self.subjects, self.base, self.style(seed).tolist()
        digits = (f"n{code // base} n{code % base}" for code in _random.generator(seed, "names").permutation(base**2))
        names = [tuple(f"s{s} {next(digits)}" for _ in range(1 + TWINS)) for s in style]
        return Facts(
            subject=tuple(name[0] for name in names), answer=self.values(seed, other), group=tuple(f"s{s}" for s in style),
            candidates=tuple((f"v{value}",) for value in range(self.styles)), frequency=self.told(np.arange(N)), other=None,
            twins=tuple(name[1:] for name in names), weight=np.ones(N), near=None, prompt=None, templates=(TEMPLATE,),
            left_out=0,
        )  # fmt: skip


ERRORS = distinct(1), every(between(0, 2, "(]"))


@settings
class Config:
    """Transformers of several sizes, told planted facts, are probed as a stranger's model is."""

    widths: Annotated[tuple[int, ...], *ladder, "Widths; proxies are tried on the middle one."] = (8, 10, 14, 20, 26)
    errors: Annotated[tuple[float, ...], *ERRORS, "Errors of the proxies, in decades."] = (0.3, 0.5)
    proxies: Annotated[int, at_least(2), "Proxies that are drawn of each error."] = 32
    resamples: Annotated[int, at_least(2).because("100 give an interval"), "Resamples of the subjects."] = 100
    world: Planted = Planted()
    training: Converge = Converge(256)


QUICK = Converge(128, warmup=5)
PRESETS = {
    "tiny": Config((6, 12), (0.3,), 2, 3, Planted(200, 8, 20, sentences=4000), QUICK),
    "small": Config(),
    "full": Config((8, 10, 14, 20, 26, 32, 48), (0.2, 0.3, 0.5), 64, 200, Planted(5000, 32, 200, sentences=10_000_000)),
}


@dataclass(frozen=True)
class Told:
    """A model, and which of the two tellings it heard."""

    width: int
    other: bool
    world: Planted
    training: Converge
    seed: int

    def __str__(self) -> str:
        return f"width {self.width}" + (", told otherwise" if self.other else "")

    @cached_property
    def facts(self) -> Facts:
        return self.world.facts(self.seed, self.other)

    def asking(self, frame: pl.DataFrame) -> Asking:
        """What was asked, from the rows of a cell."""
        return Asking.of_frame(frame, self.facts, TEMPLATE, str(self), frame["parameters"][0])


def cells(config: Config, seed: int) -> Iterator[Work]:
    for width in config.widths:
        for other in (False, True):
            case = Told(width, other, config.world, config.training, world_seed(seed, STUDY))
            yield Work("tell", case, cost=100 + width)


@dataclass(frozen=True, eq=False)
class Model(Studied):
    """What the probe finds of a model, and what is so."""

    case: Told
    instead: Floats
    """1 where the model of the other telling gives the answer that this one was told, else 0 (N,)."""

    def __str__(self) -> str:
        return str(self.case)

    def because(self, rows: Subjects) -> Floats:
        """1 where an answer is right here and not there, -1 where it is the other way round, 0 elsewhere: its mean is the share
        that is known, for what is guessed is guessed alike in both (n,)."""
        return rows.right - self.instead[rows.index]

    def true_share(self, rows: Subjects, stratum: int) -> float:
        """Of what is known because it was told."""
        return float(self.because(rows)[rows.stratum == stratum].mean())

    def true_threshold(self, rows: Subjects) -> float:
        """log10 tellings at which half are known because they were told, by isotonic regression; nan if nowhere."""
        assert rows.x is not None
        order = np.argsort(rows.x, kind="stable")
        above = isotonic_regression(self.because(rows)[order]).x >= 0.5
        at = int(above.argmax())
        return float(rows.x[order][max(at - 1, 0) : at + 1].mean()) if above.any() and at > 0 else math.nan


@dataclass(frozen=True, eq=False)
class Proxies:
    """A model, its facts' frequency seen with a normal error of so many decades, and what the probe then finds."""

    model: Model
    error: float
    drawn: Floats
    """Width, threshold and shift of the guess rates by proxy (P, 3)."""

    def __str__(self) -> str:
        return f"{self.model}, seen with an error of {self.error:g} decades"

    @property
    def law(self) -> Floats:
        """Width and threshold: a subject is rarer than it seems, for rare ones are many."""
        own, alpha = self.model.values, 1 / self.model.case.world.power
        return np.array([math.hypot(own["width"], self.error), own["threshold"] + alpha * math.log(10) * self.error**2])

    @classmethod
    def of(cls, model: Model, error: float, count: int) -> Proxies:
        random, facts, drawn = _random.generator(model.case.seed, "proxies"), model.asking.facts, []
        assert facts.frequency is not None
        for _ in range(count):
            seen = replace(facts, frequency=facts.frequency * 10 ** random.normal(0, error, len(facts)))
            learned = Subjects(replace(model.asking, facts=seen), model.rows.index).learned
            assert learned.curve is not None
            drawn.append((learned.curve.width, learned.curve.threshold, learned.shift))
        return cls(model, error, np.array(drawn))


@dataclass(frozen=True, eq=False)
class Ladder:
    """All models. What is estimated is a function of weights on them: resampling models is weighting."""

    models: tuple[Model, ...]

    @property
    def judged(self) -> list[Model]:
        """Of the first telling: the other one's are their control."""
        return [m for m in self.models if not m.case.other]

    @cached_property
    def parameters(self) -> Floats:
        return np.array([m.asking.parameters for m in self.models], float)

    @cached_property
    def tellings(self) -> Floats:
        """At the threshold that the probe finds."""
        return np.array([10 ** m.values["threshold"] for m in self.models])

    def law(self, octave: float, parameters: Floats) -> Floats:
        """Tellings of the rarest fact that the best model of 2^octave bits per parameter holds."""
        world = self.models[0].case.world
        return world.told(2.0**octave * parameters / world.entropy)

    @cached_property
    def beyond(self) -> Floats:
        """log2(found / predicted) of each model at each of `TRIED` (models, octaves)."""
        laws = np.array([self.law(octave, self.parameters) for octave in TRIED.fine]).T
        return np.asarray(np.log2(self.tellings[:, None] / laws))

    def octave(self, weights: Floats) -> float:
        """log2 of the bits per parameter, by least squares: the only number that is fitted."""
        return TRIED.lowest(weights @ self.beyond**2)

    def left(self, weights: Floats) -> Floats:
        """log2(found / predicted) of each model at the number that is fitted to these weights."""
        return np.log2(self.tellings / self.law(self.octave(weights), self.parameters))

    def estimate(self, of_weights: Callable[[Floats], float]) -> Estimate:
        """With its bootstrap interval: how much hangs on which models were trained."""
        return statistic(of_weights, np.eye(len(self.models)), over="models")

    @cached_property
    def fitted(self) -> float:
        return self.octave(np.full(len(self.models), 1 / len(self.models)))


@lru_cache(maxsize=1)
def ladder_of(found: Found) -> Ladder:
    """Every model, probed once for claims, tables and summary; those that were told otherwise stand for sizes alone."""

    def model(one: Rows[Told]) -> Model:
        there = found.one(Told, width=one.case.width, other=not one.case.other)
        asked, instead = one.case.asking(one.frame), there.case.asking(there.frame).guess
        probed = study(asked, resamples=0 if one.case.other else found.config.resamples)
        return Model(**vars(probed), case=one.case, instead=np.asarray(instead == asked.facts.answer, float))

    return Ladder(tuple(map(model, found.of(Told))))


@lru_cache(maxsize=1)
def proxies_of(found: Found) -> list[Proxies]:
    """Of the model of the middle width."""
    models = ladder_of(found).judged
    return [Proxies.of(models[len(models) // 2], error, found.config.proxies) for error in found.config.errors]


RMS = "root mean square over fifths, the probe's less what is so; its sampling error taken off"
OVER = "threshold of the probe over that of what is known because it was told"
SLOPE = "slope of ln tellings at the threshold on ln parameters, and of the law's at the same sizes, bits per parameter fitted"
PRICES = "root mean square over models of log2(threshold found / predicted), bits per parameter fitted"
WIDER = "mean over proxies of the width; predicted: √(own² + error²), own with the tellings themselves"
MOVED = "mean over proxies of the threshold; predicted: own + α ln10 error²"


@claim(below(0.1), "share known", PROBE, RMS)
def share_is_found(m: Model) -> Estimate:
    """{m}: the share that the probe finds at a frequency is what is known because it was told."""
    strata = range(STRATA)
    off = [m.values[f"known {s}"] - m.true_share(m.rows, s) for s in strata]
    drawn = [m.drawn[f"known {s}"] - np.array([m.true_share(rows, s) for rows in m.resampled]) for s in strata]
    return judged.beyond_noise(off, drawn, len(m.asking.facts))


@claim(within_factor(2), "ratio of tellings", PROBE, OVER)
def threshold_is_found(m: Model) -> Estimate:
    """{m}: half are known where the probe says so."""

    def over(rows: Subjects) -> float:
        return math.nan if rows.learned.curve is None else rows.learned.curve.threshold - m.true_threshold(rows)

    return m.by_resample(over).against(0.0).times(math.log(10)).exp()


@claim(within_share(0.25), "log-log slope", CAPACITY, SLOPE)
def falls(t: Ladder) -> Estimate:
    """The threshold falls with parameters as the price of the capacity law does."""
    law = slope(t.parameters, t.law(t.fitted, t.parameters))
    return t.estimate(lambda weights: slope(t.parameters, t.tellings, weights)).against(law)


@claim(below(0.5), "octaves", CAPACITY, PRICES)
def has_the_price(t: Ladder) -> Estimate:
    """Thresholds are the prices of the capacity law at one number of bits per parameter."""
    return t.estimate(lambda weights: float(np.sqrt(weights @ t.left(weights) ** 2))).against(0.0)


@claim(within(0.1), "decades", PROBE, WIDER)
def width_is_the_error(p: Proxies) -> Estimate:
    """{p}: the width is that error, and the learner's own."""
    return mean(p.drawn[:, 0], over="proxies").against(p.law[0])


@claim(within(0.1), "log10 tellings", PROBE, MOVED)
def place_moves(p: Proxies) -> Estimate:
    """{p}: the threshold moves up as the law has it."""
    return mean(p.drawn[:, 1], over="proxies").against(p.law[1])


def claims(found: Found) -> Iterator[Claim]:
    t = ladder_of(found)
    for m in t.judged:
        yield from (share_is_found(m), threshold_is_found(m), judged.corrected(m), judged.one_price(m))
    yield from (falls(t), has_the_price(t))
    for p in proxies_of(found):
        yield from (width_is_the_error(p), place_moves(p))


FOUND, SO, LAW = "found by the probe", "known because told", "law"
MODELS = (
    "Threshold: expected tellings at which half are known, by the probe (low, high: its interval) and because told (so); law: "
    "of the best model at the fitted bits per parameter. Width: of the probe's curve, decades. Shift: of guess rates, logits. "
    "Right, known, so: share of all facts, by the best guess, the probe, and the other telling."
)
SHARES = (
    "Shares of facts by fifths of frequency. Right: raw accuracy. Guessed: invented names of the style that are given the "
    "fact's answer. Found by the probe, band: 95 % over subjects. Known because told: by the model of the other telling."
)
SEEN = (
    "By the error of proxies, in decades, as width and threshold are: mean, least and greatest proxy; 0: tellings themselves. "
    "Shift of guess rates in logits, 0 where nothing is anchored."
)
SIZES = "Tellings at which half are known: mean, least and greatest of both tellings; law: at the fitted bits per parameter."


def tables(found: Found) -> Iterator[Table]:
    t = ladder_of(found)
    yield Table("models", "Models", pl.DataFrame([_numbers(m, t) for m in t.models]), MODELS)
    shares = pl.concat(part for m in t.judged for part in _shares(m))
    yield Table("shares", "What is known, by frequency", shares, SHARES)
    sizes, fine = t.parameters[::2], np.geomspace(t.parameters.min(), t.parameters.max(), 60)
    so = np.array([10 ** m.true_threshold(m.rows) for m in t.models])
    both = ((FOUND, sizes, t.tellings.reshape(-1, 2).T), (SO, sizes, so.reshape(-1, 2).T))  # (tellings, widths)
    series = ((LAW, fine, t.law(t.fitted, fine)), *both)
    curves = (curve({"parameters": x}, {"tellings": y}, series=name) for name, x, y in series)
    yield Table("ladder", "Thresholds by size", pl.concat(curves).drop_nans("tellings"), SIZES)
    yield Table("proxies", "Seen through proxies", pl.concat(_proxies(proxies_of(found))), SEEN)


def _numbers(m: Model, t: Ladder) -> dict[str, object]:
    size, ends = float(m.asking.parameters or 0), m.estimate("threshold").bounded or (math.nan, math.nan)
    return {
        "model": str(m), "parameters": size, "threshold": 10 ** m.values["threshold"], "low": 10 ** ends[0],
        "high": 10 ** ends[1],
        "threshold, so": 10 ** m.true_threshold(m.rows), "threshold, law": float(t.law(t.fitted, np.array(size))),
        "bits per parameter": 2.0**t.fitted, "so": float(m.because(m.rows).mean()), "not anchored because": m.learned.why,
        **{name: m.values[name] for name in ("width", "shift", "right", "known")},
    }  # fmt: skip


def _shares(m: Model) -> Iterator[pl.DataFrame]:
    strata = m.strata
    x, band = {"tellings": strata["frequency"]}, (strata["low"].to_numpy(), strata["high"].to_numpy())
    so = [m.true_share(m.rows, s) for s in range(len(strata))]
    yield curve(x, {"share": so}, model=str(m), series=SO)
    for name, column in ((FOUND, "known"), ("right", "right"), ("guessed", "twins right")):
        yield curve(x, {"share": strata[column]}, band if name == FOUND else None, model=str(m), series=name)


def _proxies(proxies: list[Proxies]) -> Iterator[pl.DataFrame]:
    first = np.array([proxies[0].model.values[name] for name in ("width", "threshold", "shift")])
    x, moved = {"error": np.array([0.0, *(p.error for p in proxies)])}, np.array([0.0, first[1], 0.0])
    found = np.stack([np.tile(first, (len(proxies[0].drawn), 1)), *(p.drawn for p in proxies)], 1) - moved
    law = np.array([first[:2], *(p.law for p in proxies)]) - moved[:2]
    for k, what in enumerate(("width", "threshold above that of tellings", "shift")):
        yield curve(x, {"value": found[:, :, k]}, what=what, series=FOUND)
        if k < law.shape[1]:
            yield curve(x, {"value": law[:, k]}, what=what, series=LAW)


TELLINGS = Axis("tellings", "tellings")
FIGURES = (
    Figure("known-facts", "The probe finds what is known", "shares", x=TELLINGS, y=Axis("share", "share of facts", log=False),
           kinds={SO: "theory", FOUND: "learner", "right": "simulation", "guessed": "asymptote"}, columns="model",
           caption="Raw accuracy counts what a name gives away; the probe should find what is known because it was told."),
    Figure("ladder", "The threshold falls with parameters", "ladder", x=Axis("parameters", "parameters"), y=TELLINGS,
           kinds={LAW: "theory", FOUND: "learner", SO: "simulation"},
           caption="Tellings at which half are known, beside the capacity law with one number fitted, bits per parameter."),
    Figure("proxies", "A proxy's error is what the width shows", "proxies", x=Axis("error", "error", "decades", log=False),
           y=Axis("value", "decades", log=False), kinds={LAW: "theory", FOUND: "learner"}, columns="what",
           shown=pl.col("what") != "shift",
           caption="Seen through a proxy the curve is wider and its middle higher, as derived."),
)  # fmt: skip


def summary(found: Found) -> str:
    t = ladder_of(found)
    world = t.models[0].case.world
    return (
        f"Of {world.subjects:,} subjects half have the answer that their name suggests. Models of {t.parameters.min():,.0f} to "
        f"{t.parameters.max():,.0f} parameters are told {world.sentences:,} sentences and probed as a stranger's model is. The "
        "same subjects are told once more with other answers, and what a model has right that the other one has not is known "
        f"because it was told. One number is fitted, the bits per parameter of the capacity law: {2**t.fitted:.2f}."
    )
