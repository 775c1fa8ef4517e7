"""How often does a model that must answer make a fact up, and does it know when it does?

A model is wrong about what it was not told and about what does not fit. Two numbers go into the prediction, and both come from
the redundancy of values on held-out sentences at the end of the run, not from answers: T, exposures per fact, from the widest
transformer, taken to have room for everything, and the bits per parameter from the narrowest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import check
from twopart.evidence import (
    Estimate,
    Found,
    Guard,
    Rows,
    above,
    below,
    by_chance,
    chance,
    claim,
    curve,
    mean,
    statistic,
    within,
    within_factor,
)
from twopart.findings import Claim, Table
from twopart.fits import Calibration, LogBins, SharesTest
from twopart.laws import HallucinationLaw, good_turing, hallucination_law, joint_law
from twopart.report import Axis, Figure
from twopart.settings import at_least, between, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import OnePass, Shape, ladder
from twopart.worlds import Biographies, Corpus, EqualFrequencies, KnownEntities, SyntaxKnowledge, known_entities

STUDY, TITLE = "hallucination", "What a model makes up"
LAW = "docs/laws/hallucination.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {LAW}"

Floats = NDArray[np.float64]
EARLIER = 4
"""The models are asked at the end, and when so many times fewer sentences had been seen: by then all have got going."""
NEVER = 1e-12  # a rate of 0, as far as logarithms go
LEAST = 200  # facts never told, below which nothing is said of how they are answered
RAREST, PER_DECADE = 10**7, 3  # of 1/frequency, and bins of it
WAYS = {"sampled": "answers drawn as the model gives them", "best": "best guesses"}


@settings
class Config:
    """Transformers of several sizes must answer questions about facts, among them ones that nobody ever told them."""

    widths: Annotated[
        tuple[int, ...],
        *ladder,
        "Widths of the transformers; the widest has room for all it meets, the narrowest has not.",
    ] = (8, 16, 32, 64)
    sentences: Annotated[
        int,
        at_least(2000).because("the learner must get going before it is asked"),
        "Sentences that each transformer reads, once; it is asked at the end, and after a quarter of them.",
    ] = 200_000
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, each in its own world."] = 3
    questions: Annotated[
        int,
        at_least(1000).because("rates are shares of them"),
        "Questions: sentences of another sample without their values. No fact is asked twice at a cost.",
    ] = 400_000
    held_out: Annotated[
        int, at_least(100).because("the redundancy is their mean"), "Held-out sentences that tell the redundancy."
    ] = 20_000
    discount: Annotated[
        float, between(0, 1, "()").because("0.5 is near what text shows"), "Discount d of the worlds."
    ] = 0.5
    base_exponent: Annotated[
        float,
        between(0, 4).because("0 makes all values alike"),
        "Values have probability ∝ rank^-s before anything is known; each attribute ranks them in its own order.",
    ] = 1.0
    layers: Annotated[int, at_least(1).because("1 suits such small models"), "Layers of the transformers."] = 1
    people: Biographies = Biographies()
    training: OnePass = OnePass()

    def __post_init__(self) -> None:
        least = "a whole number >= 5"
        check(self.people.values >= 5, "values", self.people.values, least, "each attribute must have its own order")
        most = f"at most {self.sentences // EARLIER}, a quarter of `sentences`"
        remedy = "there must be an update before it is asked"
        check(self.training.batch <= self.sentences // EARLIER, "batch", self.training.batch, most, remedy)


PRESETS = {
    "tiny": Config(
        widths=(32, 64),
        sentences=2000,
        seeds=2,
        questions=2000,
        held_out=500,
        base_exponent=2,
        people=Biographies(values=5, templates=2, names=2**16),
        training=OnePass(batch=25, learning_rate=7e-3, warmup=5, hold=100),
    ),
    "small": Config(),
    "full": Config(
        widths=(16, 32, 64, 128, 256),
        sentences=3_000_000,
        seeds=4,
        questions=4_000_000,
        layers=2,
        people=Biographies(names=2**24),
        training=OnePass(batch=128, learning_rate=3e-3, hold=1000),
    ),
}


@dataclass(frozen=True)
class Sample:
    """The worlds, one for each replicate, what is read of them, and what is asked: the same for all sizes."""

    discount: float
    base_exponent: float
    people: Biographies
    sentences: int
    questions: int
    held_out: int
    seed: int

    @property
    def moments(self) -> tuple[int, int]:
        """Sentences after which the models are asked."""
        return self.sentences // EARLIER, self.sentences

    def world(self, replicate: int) -> SyntaxKnowledge:
        """Five attributes, each with the same shares of its values in another order."""
        world = self.people.world(self.discount, world_seed(self.seed, STUDY, replicate))
        share = np.arange(1, self.people.values + 1) ** -self.base_exponent
        share /= share.sum()
        shift = self.people.values // len(world.attributes)
        bases = [tuple(np.roll(share, i * shift)) for i in range(len(world.attributes))]
        attributes = [replace(a, base=base) for a, base in zip(world.attributes, bases, strict=True)]
        return replace(world, attributes=tuple(attributes))


@dataclass(frozen=True)
class Learner:
    """Transformers of one size, each on a natural sample of a world of its own."""

    sample: Sample
    shape: Shape
    training: OnePass

    def __str__(self) -> str:
        return f"width {self.shape.width}"


def cells(config: Config, seed: int) -> Iterator[Work]:
    read = config.sentences, config.questions, config.held_out
    sample = Sample(config.discount, config.base_exponent, config.people, *read, seed)
    for width in config.widths:
        learner = Learner(sample, Shape(config.layers, width), config.training)
        yield Work("interrogate", learner, config.seeds, cost=100 + width)


@dataclass(frozen=True, eq=False)
class Answers:
    """What one transformer answered at one moment: a row for each of F distinct facts, as `interrogate` gives them."""

    facts: pl.DataFrame

    def column(self, name: str) -> Floats:
        """As numbers (F,)."""
        numbers: Floats = self.facts[name].cast(pl.Float64).to_numpy()
        return numbers

    @cached_property
    def weight(self) -> Floats:
        """Share of the questions that ask for each fact (F,)."""
        return np.asarray(self.column("asked") / self.column("asked").sum())

    @cached_property
    def calibration(self) -> Calibration:
        """Of the best guesses."""
        right = np.asarray(self.column("guessed") == self.column("truth"), float)
        return Calibration(self.column("confidence"), right, self.weight)

    def wrong(self, way: str) -> float:
        """Share of wrong answers; if they are drawn, in expectation over the draws."""
        right = self.column("correct") if way == "sampled" else self.calibration.right
        return float(self.weight @ (1 - right))

    @cached_property
    def unseen(self) -> Answers:
        """Those about facts that no sentence had told."""
        return Answers(self.facts.filter(pl.col("told") == 0))

    def average(self, of: pl.Expr) -> float:
        """The mean over facts, each counted once; nan where there are none."""
        value = self.facts.select(of.cast(pl.Float64).mean()).item()
        return float("nan") if value is None else float(value)


@dataclass(frozen=True, eq=False)
class World:
    """One replicate's world as its corpus tells it, and what the law says of answers there."""

    sample: Sample
    replicate: int
    parameters: Floats
    """Of the transformers, rising (S,)."""
    redundancy: Floats
    """Value bits per held-out sentence (S, 2), by size and moment."""

    @cached_property
    def world(self) -> SyntaxKnowledge:
        return self.sample.world(self.replicate)

    def read(self, moment: int) -> Corpus:
        """The sentences seen."""
        return self.world.sample(self.sample.moments[moment])

    @cached_property
    def entities(self) -> KnownEntities | EqualFrequencies:
        """The entities that the sentences mention have known weights."""
        return known_entities(self.read(-1))

    @cached_property
    def exposures(self) -> float:
        """T: the law at n/T has the redundancy of the widest transformer at the end; nan if it has at no n."""
        n = self.sample.sentences
        told = np.geomspace(n / 1e5, n, 200)
        return n / _inverse(told, joint_law(self.world, told, np.inf, self.entities).value, self.redundancy[-1, -1])

    @cached_property
    def bits_per_parameter(self) -> float:
        """That with which the law has the redundancy of the narrowest at the end, given T; nan if no number gives it."""
        if not np.isfinite(self.exposures):
            return float("nan")
        bits = np.geomspace(1.0, 1e9, 200)
        law = joint_law(self.world, self.sample.sentences, bits, self.entities, self.exposures).value
        return float(_inverse(bits, law, self.redundancy[0, -1]) / self.parameters[0])

    @property
    def predictable(self) -> bool:
        """Whether the redundancies gave both numbers."""
        return bool(np.isfinite(self.bits_per_parameter))

    def law(self, parameters: Floats, moment: int) -> HallucinationLaw:
        """What is predicted of transformers of so many parameters."""
        bits = self.bits_per_parameter * parameters
        return hallucination_law(self.world, self.sample.moments[moment], bits, self.entities, self.exposures)

    def wrong(self, way: str, parameters: Floats) -> Floats:
        """Predicted share of wrong answers by parameters and moment."""
        laws = [self.law(parameters, m) for m in range(len(self.sample.moments))]
        return np.stack([law.wrong_sampled if way == "sampled" else law.wrong_best for law in laws], -1)

    @cached_property
    def end(self) -> HallucinationLaw:
        """What is predicted of all sizes at the end."""
        return self.law(self.parameters, -1)

    @cached_property
    def mode(self) -> float:
        """Probability that the most probable value is right about a fact never told: max base, over all questions."""
        return float(self.world.pi @ [a.value_probabilities().max() for a in self.world.attributes])

    @cached_property
    def bound(self) -> Floats:
        """Nobody can be wrong less often, (2,) by moment: the missing mass, by Good and Turing, times the probability that even
        the best guess about a fact never told is wrong."""
        missing = [good_turing(self.read(m).facts()["told"]).estimate for m in range(len(self.sample.moments))]
        return np.array(missing) * (1 - self.mode)


def _inverse(x: Floats, falling: Floats, level: float) -> float:
    """Where a falling curve has the level, between two points as by interpolation in logs; nan if nowhere."""
    if not falling[-1] <= level <= falling[0]:
        return float("nan")
    return float(np.exp(np.interp(-np.log(level), -np.log(np.maximum(falling, 1e-300)), np.log(x))))


@dataclass(frozen=True, eq=False)
class Evidence:
    """Transformers of S sizes, rising, in R worlds, asked at 2 moments."""

    sizes: tuple[Rows[Learner], ...]

    @property
    def sample(self) -> Sample:
        return self.sizes[0].case.sample

    @cached_property
    def answers(self) -> NDArray[np.object_]:
        """`Answers` (R, S, 2)."""
        moments, R = self.sample.moments, self.sizes[0].frame["replicate"].n_unique()
        out = np.empty((R, len(self.sizes), len(moments)), object)
        for r, s, m in np.ndindex(out.shape):
            out[r, s, m] = Answers(self.sizes[s].where(replicate=r, sentences=moments[m]))
        return out

    def each(self, statistic: Callable[[Answers], float]) -> Floats:
        """A number that answers have (R, S, 2)."""
        return np.asarray(np.vectorize(statistic, otypes=[float])(self.answers))

    @cached_property
    def worlds(self) -> tuple[World, ...]:
        """With the value bits per held-out sentence."""
        parameters = np.array([rows.frame["parameters"][0] for rows in self.sizes], float)
        bits = self.each(lambda answers: answers.facts["redundancy"][0])
        return tuple(World(self.sample, r, parameters, each) for r, each in enumerate(bits))

    @property
    def predictable(self) -> bool:
        return all(world.predictable for world in self.worlds)

    @cached_property
    def wrong(self) -> dict[str, Floats]:
        """Share of wrong answers by way of answering (R, S, 2)."""
        return {"sampled": self.each(lambda a: a.wrong("sampled")), "best": self.each(lambda a: a.wrong("best"))}

    def predicted(self, way: str) -> Floats:
        """The same as the law says; nan where a world's redundancies gave no T or no bits per parameter."""
        none = np.full(self.answers.shape[1:], np.nan)
        return np.array([w.wrong(way, w.parameters) if w.predictable else none for w in self.worlds])

    @property
    def models(self) -> list[Model]:
        return [Model(self, size) for size in range(len(self.sizes))]


@lru_cache(maxsize=1)
def evidence_of(found: Found) -> Evidence:
    """What a run measured, once for claims, tables and summary."""
    return Evidence(tuple(found.of(Learner)))


@dataclass(frozen=True, eq=False)
class Model:
    """The transformers of one size at the end of the run."""

    evidence: Evidence
    size: int

    def __str__(self) -> str:
        return str(self.evidence.sizes[self.size])

    @property
    def answers(self) -> list[Answers]:
        """One for each replicate."""
        return list(self.evidence.answers[:, self.size, -1])

    def unseen(self, value: str) -> NDArray[np.int64]:
        """Counts of `sampled` answers, or of `guessed` ones, about facts never told, by place in the base distribution."""
        said = np.concatenate([answers.unseen.facts[value].to_numpy() for answers in self.answers])
        return np.bincount(said, minlength=len(self.base))

    @cached_property
    def base(self) -> Floats:
        """The base distribution, the same in all worlds and attributes, falling."""
        return np.sort(self.evidence.worlds[0].world.attributes[0].value_probabilities())[::-1]


FEW = Guard(
    f"there are fewer than {LEAST} such facts",
    lambda m: sum(len(answers.unseen.facts) for answers in m.answers) < LEAST,
)


@claim(
    above(1),
    "ratio",
    f"Kalai and Vempala 2024, arXiv 2311.14648; {LAW}",
    "share of wrong answers, drawn or best, whichever is less, over the Good-Turing missing mass of facts times the "
    "probability that even the best guess about them is wrong",
)
def not_below_missing_mass(m: Model) -> Estimate:
    """{m}: hallucinates at least as often as the missing mass demands."""
    rate = np.minimum(*m.evidence.wrong.values())[:, m.size, -1]
    return mean(np.log(np.maximum(rate, NEVER) / [world.bound[-1] for world in m.evidence.worlds])).exp()


@claim(
    within_factor(1.25),
    "ratio",
    PAPER,
    "the ratio of measured to predicted share of wrong answers that is farthest from 1, of all sizes and moments; T is fitted "
    "to the held-out redundancy of the widest, bits per parameter to that of the narrowest, both at the end",
)
def rate_predicted(evidence: Evidence, way: str) -> Estimate:
    """{answers} are wrong as often as predicted, at every size and both moments."""
    with np.errstate(divide="ignore"):
        logs = np.log(evidence.wrong[way] / evidence.predicted(way))
    return statistic(farthest, logs).exp().against(1.0, answers=WAYS[way].capitalize())


def farthest(logs: Floats) -> float:
    """The number farthest from 0; nan if some is not known."""
    return float(logs.flat[np.abs(logs).argmax()]) if np.all(np.isfinite(logs)) else float("nan")


@claim(
    below(1),
    "ratio",
    PAPER,
    "share of wrong answers, drawn as the model gives them, of the widest over that of the narrowest at the end",
)
def larger_hallucinate_less(evidence: Evidence) -> Estimate:
    """A larger model hallucinates less: {wide} against {narrow}."""
    rates = evidence.wrong["sampled"], evidence.predicted("sampled")
    measured, law = (np.log(rate[:, -1, -1] / rate[:, 0, -1]) for rate in rates)
    predicted = float(np.exp(law.mean())) if evidence.predictable else None
    return mean(measured).exp().against(predicted, wide=evidence.sizes[-1], narrow=evidence.sizes[0])


@claim(
    by_chance(1e-6),
    "probability",
    PAPER,
    "total variation between one drawn answer for each of {total:,} facts never told, all replicates at the end, and the "
    "base distribution; about {expected:.2g} is expected from as many draws; G-test, values expected less than 5 times taken "
    "together",
    FEW,
)
def drawn_from_base(m: Model) -> Estimate:
    """{m}: answers about facts that it was never told are drawn from the base distribution."""
    drawn = SharesTest(m.unseen("sampled"), m.base)
    words = {"total": drawn.total, "expected": drawn.expected_distance}
    return chance(drawn.distance, drawn.probability).against(0.0, **words)


@claim(
    within(0.1),
    "share",
    PAPER,
    "share of facts never told, each counted once, whose best guess at the end is the attribute's most probable",
    FEW,
)
def guesses_the_mode(m: Model) -> Estimate:
    """{m}: its best guess about a fact that it was never told is the most probable value."""
    return mean([answers.unseen.average(pl.col("guessed") == 0) for answers in m.answers]).against(1.0)


@claim(
    within(0.05),  # so much may confidence differ from accuracy and still be called calibrated
    "probability",
    LAW,
    "mean confidence in the best guess about facts never told, each counted once, at the end; predicted is the probability of "
    "the most probable value",
    FEW,
)
def doubts_what_it_was_not_told(m: Model) -> Estimate:
    """{m}: doubts facts that it was never told as it should."""
    confidence = [answers.unseen.average(pl.col("confidence")) for answers in m.answers]
    return mean(confidence).against(float(np.mean([world.mode for world in m.evidence.worlds])))


@claim(
    below(0.05),  # as above
    "probability",
    LAW,
    "expected calibration error of the best guess at the end, 15 bins of equal width",
)
def calibrated(m: Model) -> Estimate:
    """{m}: is right as often as it is confident, over all questions."""
    return mean([answers.calibration.error for answers in m.answers]).against(0.0)


@claim(
    within(0.02),
    "share",
    LAW,
    "share of wrong best guesses at the end if only the share of questions is answered that the law says is known, the surest "
    "first",
)
def doubt_avoids_error(m: Model) -> Estimate:
    """{m}: abstaining where it is least confident avoids hallucination."""
    risks = []
    for world, answers in zip(m.evidence.worlds, m.answers, strict=True):
        known = 1 - world.end.unknown[m.size] if world.predictable else 0.0
        risks.append(float(answers.calibration.risk(known)) if known > 0 else float("nan"))
    return mean(risks).against(0.0)


def claims(found: Found) -> Iterator[Claim]:
    evidence, sizes = evidence_of(found), evidence_of(found).models
    yield from map(not_below_missing_mass, sizes)
    for way in WAYS:
        yield rate_predicted(evidence, way)
    yield larger_hallucinate_less(evidence)
    for m in (sizes[0], sizes[-1]):
        yield from (drawn_from_base(m), guesses_the_mode(m), doubts_what_it_was_not_told(m))
        yield from (calibrated(m), doubt_avoids_error(m))


RATES = (
    "Share of questions answered wrongly, by answers that are drawn as the model gives them and by best guesses. Measured: "
    "mean over replicates with lowest and highest. Law: the best model of so many bits, T and bits per parameter from the "
    "held-out redundancy, not from answers. Bound: the Good-Turing missing mass of facts, times the probability that the best "
    "guess is wrong; no learner passes it."
)
MODELS = (
    "Redundancy: value bits per held-out sentence, whence T and bits per parameter. Calibration error: expected difference of "
    "confidence and accuracy. Unseen confidence: mean confidence in the best guess about facts never told; unseen right: how "
    "often that guess is true. Means over replicates."
)
RISK = (
    "Share of wrong best guesses if only part of the questions is answered, the surest first, at the end: mean over replicates "
    "with lowest and highest. Law: right about what is known, and for the rest the most probable value."
)
RELIABILITY = (
    "At the end: questions by confidence in the best guess, in 15 bins of equal width; all replicates together. "
    "Calibrated: right as often as confident; below that line it is over-confident."
)
FREQUENCY = (
    "At the end: facts by one over their frequency p π, from <= 1/(p π) < below; share of questions about them answered "
    "wrongly, drawn and best, and doubt, one less confidence; all replicates together. Law: best guesses, nothing wrong above "
    "the threshold, guesses from the base distribution below."
)
UNSEEN = (
    "At the end: values by their place in the attribute's base distribution, 1 the most probable; how often they were drawn or "
    "guessed as answers about facts never told, each fact counted once, all replicates together, with the standard error that "
    "draws from the base distribution have."
)


def tables(found: Found) -> Iterator[Table]:
    evidence, sizes = evidence_of(found), evidence_of(found).models
    yield Table("rates", "Share of wrong answers", rates(evidence), RATES)
    yield Table("models", "What the models cost, and how they doubt", models(evidence), MODELS)
    yield Table("risk", "Wrong answers by the share of questions answered", pl.concat(map(risk, sizes)), RISK)
    yield Table("frequency", "Wrong answers by frequency", pl.concat(map(by_frequency, sizes)), FREQUENCY)
    yield Table("reliability", "Confidence and accuracy", reliability(sizes), RELIABILITY)
    yield Table("unseen", "Answers about facts never told", pl.concat(map(unseen, (sizes[0], sizes[-1]))), UNSEEN)


def rates(evidence: Evidence) -> pl.DataFrame:
    """Measured at each size; the law at sizes between as well."""
    worlds, parts = evidence.worlds, []
    P = worlds[0].parameters
    grid = np.union1d(P, np.geomspace(P[0], P[-1], 40))
    bound = np.mean([world.bound for world in worlds], axis=0)
    for way, measured in evidence.wrong.items():
        law = np.mean([world.wrong(way, grid) for world in worlds], axis=0) if evidence.predictable else None
        for m, n in enumerate(evidence.sample.moments):
            curves = {"measured": (P, measured[:, :, m]), "Good-Turing bound": (P, np.full(len(P), bound[m]))}
            curves |= {} if law is None else {"law": (grid, law[:, m])}
            for series, (x, y) in curves.items():
                labels = {"moment": f"{n:,} sentences", "answers": way, "series": series}
                parts.append(curve({"parameters": x}, {"wrong": y}, None, **labels))
    return pl.concat(parts)


def models(evidence: Evidence) -> pl.DataFrame:
    """One row per size and moment."""
    rows = []
    for (s, size), (m, n) in product(enumerate(evidence.sizes), enumerate(evidence.sample.moments)):
        unseen = Answers(size.where(sentences=n)).unseen
        row = {
            "model": str(size),
            "parameters": int(evidence.worlds[0].parameters[s]),
            "sentences": n,
            "redundancy": np.mean([world.redundancy[s, m] for world in evidence.worlds]),
            "calibration error": np.mean([answers.calibration.error for answers in evidence.answers[:, s, m]]),
            "unseen confidence": unseen.average(pl.col("confidence")),
            "unseen right": unseen.average(pl.col("guessed") == pl.col("truth")),
        }
        rows.append(row)
    return pl.DataFrame(rows).with_columns(pl.selectors.float().fill_nan(None))


def risk(m: Model) -> pl.DataFrame:
    """Measured, and the law's."""
    coverage = np.linspace(0.02, 1, 50)
    curves = {"measured": np.array([answers.calibration.risk(coverage) for answers in m.answers])}
    if m.evidence.predictable:
        curves["law"] = np.mean([world.end.risk(coverage)[m.size] for world in m.evidence.worlds], axis=0)
    return pl.concat(curve({"coverage": coverage}, {"wrong": y}, model=str(m), series=s) for s, y in curves.items())


def by_frequency(m: Model) -> pl.DataFrame:
    """Bins of one over frequency, a row for each series in each; the law's is the mean over the worlds where it has facts."""
    bins = LogBins(RAREST, per_decade=PER_DECADE)
    facts = pl.concat(answers.facts for answers in m.answers)
    rarity = np.minimum(1 / facts["frequency"].to_numpy(), RAREST - 1).astype(np.int64)
    each = {
        "wrong, sampled": 1 - pl.col("correct"),
        "wrong, best": (pl.col("guessed") != pl.col("truth")).cast(pl.Float64),
        "doubt": 1 - pl.col("confidence"),
    }
    asked = pl.col("asked").sum()
    shares = [((x * pl.col("asked")).sum() / asked).alias(name) for name, x in each.items()]
    found = facts.group_by(pl.Series("bin", bins.index(rarity))).agg(asked.alias("questions"), *shares).sort("bin")
    which = found["bin"].to_numpy()
    ends = {"from": bins.edges[which], "below": bins.edges[which + 1], "rarity": bins.centres[which]}
    law = pl.Series("law", _law_by_frequency(m, bins.edges)[which])
    wide = found.select(pl.lit(str(m)).alias("model"), law, *each, "questions").with_columns(**ends)
    long = wide.unpivot(["law", *each], index=["model", *ends, "questions"], variable_name="series", value_name="share")
    return long.filter(pl.col("share").is_not_nan())


def _law_by_frequency(m: Model, edges: NDArray[np.int64]) -> Floats:
    """The law's share of wrong best guesses in bins of one over frequency; nan where there is none."""
    worlds = [world for world in m.evidence.worlds if world.predictable]
    wrong = [world.end.by_frequency(1 / edges[::-1])[m.size][::-1] * (1 - world.mode) for world in worlds]
    known = np.ma.masked_invalid([np.full(len(edges) - 1, np.nan), *wrong])
    return np.asarray(known.mean(0).filled(np.nan))


def reliability(sizes: list[Model]) -> pl.DataFrame:
    """Bins of confidence for each size, replicates with equal weight; and the line on which a model is calibrated."""
    parts = [pl.DataFrame({"model": "calibrated", "confidence": [0.0, 1.0], "right": [0.0, 1.0]})]
    share = pl.col("share").sum()
    for m in sizes:
        bins = pl.concat(answers.calibration.reliability for answers in m.answers)
        means = [((pl.col(x) * pl.col("share")).sum() / share).alias(x) for x in ("confidence", "right")]
        pooled = bins.group_by("bin").agg(*means, share / len(m.answers)).sort("bin")
        parts.append(pooled.select(pl.lit(str(m)).alias("model"), "confidence", "right", "share"))
    return pl.concat(parts, how="diagonal")


def unseen(m: Model) -> pl.DataFrame:
    """Shares of drawn answers and best guesses by place; none where every fact was told."""
    drawn, guessed = m.unseen("sampled"), m.unseen("guessed")
    facts, place = int(drawn.sum()), {"place": np.arange(1, len(drawn) + 1)}
    count = max(facts, 1)
    error = np.sqrt(m.base * (1 - m.base) / count)
    band = drawn / count - error, drawn / count + error
    parts = [
        curve(place, {"share": m.base}, model=str(m), facts=facts, series="base distribution"),
        curve(place, {"share": drawn / count}, band, model=str(m), facts=facts, series="drawn"),
        curve(place, {"share": guessed / count}, model=str(m), facts=facts, series="best guess"),
    ]
    return pl.concat(parts)


SHARE = Axis("share", "share of questions", log=False, domain=(0.0, 1.0))

FIGURES = (
    Figure(
        "hallucination",
        "How often a model is wrong",
        table="rates",
        x=Axis("parameters", "parameters"),
        y=Axis("wrong", "wrong answers", "share of questions"),
        kinds={"law": "theory", "Good-Turing bound": "asymptote", "measured": "learner"},
        columns="moment",
        rows="answers",
        caption="Wrong answers grow fewer with size, down to what nobody told.",
    ),
    Figure(
        "risk",
        "Abstaining: risk against coverage",
        table="risk",
        x=Axis("coverage", "share of questions answered", log=False, domain=(0.0, 1.0)),
        y=Axis("wrong", "wrong answers", "share of those given", log=False),
        kinds={"law": "theory", "measured": "learner"},
        columns="model",
        caption="Who answers only the questions that it is sure of is seldom wrong.",
    ),
    Figure(
        "reliability",
        "Confidence and accuracy",
        table="reliability",
        x=Axis("confidence", "confidence in the best guess", log=False, domain=(0.0, 1.0)),
        y=Axis("right", "best guess right", "share of questions", log=False, domain=(0.0, 1.0)),
        kinds={"calibrated": "theory", ...: "learner"},
        series="model",
        caption="On the line a model is right as often as it is confident.",
    ),
    Figure(
        "frequency",
        "Wrong, and in doubt, by how rare a fact is",
        table="frequency",
        x=Axis("rarity", "rarity of the fact, 1/(p π)"),
        y=SHARE,
        kinds={"law": "theory", "wrong, best": "learner", "doubt": "learner"},
        columns="model",
        shown=(pl.col("questions") >= 30) & (pl.col("series") != "wrong, sampled"),
        caption="Models are wrong about rare facts, and doubt where they are wrong.",
    ),
    Figure(
        "unseen",
        "Answers about facts never told",
        table="unseen",
        x=Axis("place", "place of the value in the base distribution"),
        y=Axis("share", "share of answers"),
        kinds={"base distribution": "theory", "drawn": "simulation", "best guess": "learner"},
        columns="model",
        shown=pl.col("facts") > 0,
        caption="About what nobody told a model answers from the base distribution.",
    ),
)


def summary(found: Found) -> str:
    evidence = evidence_of(found)
    earlier, end = evidence.sample.moments
    fitted = [(world.exposures, world.bits_per_parameter) for world in evidence.worlds if world.predictable]
    said = "The held-out redundancy gave no T or no bits per parameter, and nothing is predicted."
    if fitted:
        T, bits = np.mean(fitted, axis=0)
        said = (
            f"From the held-out redundancy, not from answers: T = {T:.3g} exposures per fact, {bits:.3g} bits per parameter "
            "(means over replicates)."
        )
    return (
        "A model that must answer is wrong about what it was not told and about what does not fit. Theory says how often: at "
        "least as often as the missing mass demands, less with size, and about such facts it answers from the base "
        f"distribution, with the doubt that this deserves. Transformers ({', '.join(map(str, evidence.sizes))}) are asked for "
        f"every fact of a held-out sample after {earlier:,} and {end:,} sentences; values are not equally probable. {said}"
    )
