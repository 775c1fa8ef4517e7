"""How often does a model that must answer make a fact up, and does it know when it does?

A model is wrong about what it was not told and about what does not fit. Two numbers go into the prediction, and both come from
the redundancy of values on held-out sentences at the end of the run, not from answers: T, exposures per fact, from the widest
transformer, taken to have room for everything, and the bits per parameter from the narrowest. Beside this law of the best
learner stands that of a learner that is solved, with the numbers of another study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check
from twopart.evidence import Estimate, Found, Guard, Rows, chance, claim, curve, curves, mean, ratio, statistic
from twopart.evidence.judges import above, below, by_chance, within, within_factor
from twopart.findings import Claim, Table
from twopart.fits import Calibration, LogBins, SharesTest
from twopart.laws import HallucinationLaw, bits_at, exposures_at, good_turing, hallucination_law
from twopart.laws.knowledge import MemoryLaw, stranger_shares
from twopart.report import Axis, Figure
from twopart.settings import at_least, between, no_less_than, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import FIXED, OnePass, Shape, ladder, learners_law
from twopart.worlds import Biographies, EqualFrequencies, KnownEntities, SyntaxKnowledge, known_entities

STUDY, TITLE = "hallucination", "What a model makes up"
LAW = "docs/laws/hallucination.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {LAW}"
LEARNER = "docs/laws/learner-law.md, transformers"

Floats = NDArray[np.float64]
EARLIER = 4
"""The models are asked at the end, and when so many times fewer sentences had been seen: by then all have got going."""
READ = at_least(2000).because("learners must get going first"), no_less_than("training.batch", times=EARLIER)
NEVER = 1e-12  # a rate of 0, as far as logarithms go
CALIBRATED = 0.05  # so much may confidence differ from accuracy and still be called calibrated
LEAST = 200  # facts never told, below which nothing is said of how they are answered
RAREST, PER_DECADE = 10**7, 3  # of 1/frequency, and bins of it
IDEAL, OWN = "law", "learner's law"  # of the best learner, and of one that is solved
WAYS = {"sampled": "answers drawn as the model gives them", "best": "best guesses"}


@settings
class Config:
    """Transformers of several sizes must answer questions about facts, among them ones that nobody ever told them."""

    widths: Annotated[tuple[int, ...], *ladder, "Widths; the widest has room for all it meets."] = (8, 16, 32, 64)
    sentences: Annotated[int, *READ, "Sentences, read once; models are asked after a quarter and all."] = 200_000
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, each in its own world."] = 3
    questions: Annotated[int, at_least(1000), "Questions: sentences of another sample without their values."] = 400_000
    held_out: Annotated[int, at_least(100), "Held-out sentences that tell the redundancy."] = 20_000
    discount: Annotated[float, between(0, 1, "()").because("text shows about 0.5"), "Discount d of the worlds."] = 0.5
    base_exponent: Annotated[float, between(0, 4), "Values have probability ∝ rank^-s; 0 makes them alike."] = 1.0
    layers: Annotated[int, at_least(1).because("1 suits such small models"), "Layers of the transformers."] = 1
    people: Biographies = Biographies()
    training: OnePass = OnePass()

    def __post_init__(self) -> None:
        values, least = self.people.values, "a whole number >= 5"
        check(values >= 5, "values", values, least, "each attribute must rank them in its own order")


FEW, QUICK = Biographies(values=5, templates=2, names=2**16), OnePass(25, learning_rate=7e-3, warmup=5, hold=100)
MANY, LONG = Biographies(names=2**24), OnePass(128, learning_rate=3e-3, hold=1000)
PRESETS = {
    "tiny": Config((32, 64), 2000, 2, questions=2000, held_out=500, base_exponent=2, people=FEW, training=QUICK),
    "small": Config(),
    "full": Config((16, 32, 64, 128, 256), 3_000_000, 4, 4_000_000, layers=2, people=MANY, training=LONG),
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


def calibration(facts: pl.DataFrame) -> Calibration:
    """Of one transformer's best guesses at one moment, as `interrogate` gives them; every question counts."""
    right = (pl.col("guessed") == pl.col("truth")).cast(pl.Float64)
    return Calibration(*facts.select("confidence", right, pl.col("asked") / pl.col("asked").sum()).to_numpy().T)


def wrong(facts: pl.DataFrame, way: str) -> float:
    """Share of wrong answers among them; if they are drawn, in expectation over the draws."""
    best = calibration(facts)
    return float(best.weight @ (1 - (facts["correct"].to_numpy() if way == "sampled" else best.right)))


@dataclass(frozen=True, eq=False)
class World:
    """One replicate's world as its corpus tells it, and what the law says of answers there."""

    world: SyntaxKnowledge
    moments: tuple[int, int]
    """Sentences after which the transformers are asked."""
    parameters: Floats
    """Of the transformers, rising (S,)."""
    widths: Floats
    """The same of the transformers (S,)."""
    training: OnePass
    redundancy: Floats
    """Value bits per held-out sentence (S, 2), by size and moment."""

    @cached_property
    def entities(self) -> KnownEntities | EqualFrequencies:
        """The entities that the sentences mention have known weights."""
        return known_entities(self.world.sample(self.moments[-1]))

    @cached_property
    def exposures(self) -> float:
        """T, by the redundancy of the widest transformer at the end; nan if the law has it at no T."""
        return exposures_at(self.redundancy[-1, -1], self.world, self.moments[-1], self.entities)

    @cached_property
    def bits_per_parameter(self) -> float:
        """By the redundancy of the narrowest at the end, given T; nan if the law has it at no number."""
        bits = bits_at(self.redundancy[0, -1], self.world, self.moments[-1], self.entities, self.exposures)
        return bits / float(self.parameters[0])

    def law(self, parameters: Floats, sentences: ArrayLike) -> HallucinationLaw | None:
        """What is predicted of so many parameters, after so many sentences; None where one of the two numbers is nan."""
        if not np.isfinite(self.bits_per_parameter):
            return None
        bits = self.bits_per_parameter * parameters
        return hallucination_law(self.world, sentences, bits, self.entities, self.exposures)

    def wrong(self, way: str, parameters: Floats) -> Floats:
        """Predicted share of wrong answers by parameters and moment, nan without a law."""
        law = self.law(parameters[:, None], self.moments)
        return np.full((len(parameters), 2), np.nan) if law is None else np.asarray(getattr(law, f"wrong_{way}"))

    @cached_property
    def end(self) -> HallucinationLaw | None:
        """What is predicted of all sizes at the end."""
        return self.law(self.parameters, self.moments[-1])

    @cached_property
    def learner(self) -> MemoryLaw:
        """What the learner's law says of all sizes at both moments (S, 2); nothing of it is fitted to these runs."""
        size = self.parameters[:, None], self.widths[:, None]
        return learners_law(self.training, self.world, self.moments, *size, self.entities)

    @cached_property
    def strangers(self) -> list[tuple[Floats, Floats]]:
        """By the learner's law: shares of drawn answers and of best guesses at the end by size, as the base falls."""
        base = np.sort(self.world.attributes[0].value_probabilities())[::-1]
        return [stranger_shares(base, float(noise)) for noise in self.learner.noise[:, -1]]

    @cached_property
    def mode(self) -> float:
        """Probability that the most probable value is right about a fact never told: max base, over all questions."""
        return float(self.world.pi @ [a.value_probabilities().max() for a in self.world.attributes])

    @cached_property
    def bound(self) -> Floats:
        """Nobody is wrong less often, (2,) by moment: missing mass times the probability that even the best guess is wrong."""
        told = [self.world.sample(n).facts()["told"] for n in self.moments]
        return np.array([good_turing(counts).estimate for counts in told]) * (1 - self.mode)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Transformers of S sizes, rising, in R worlds, asked at 2 moments."""

    sizes: tuple[Rows[Learner], ...]

    @property
    def sample(self) -> Sample:
        return self.sizes[0].case.sample

    @cached_property
    def answers(self) -> NDArray[np.object_]:
        """Tables of facts (R, S, 2)."""
        moments = self.sample.moments
        out = np.empty((self.sizes[0].frame["replicate"].n_unique(), len(self.sizes), len(moments)), object)
        for r, s, m in np.ndindex(out.shape):
            out[r, s, m] = self.sizes[s].where(replicate=r, sentences=moments[m])
        return out

    def each(self, statistic: Callable[[pl.DataFrame], float]) -> Floats:
        """A number that each of them has (R, S, 2)."""
        return np.asarray(np.vectorize(statistic, otypes=[float])(self.answers))

    @cached_property
    def worlds(self) -> tuple[World, ...]:
        parameters = np.array([rows.frame["parameters"][0] for rows in self.sizes], float)
        widths = np.array([rows.case.shape.width for rows in self.sizes], float)
        bits, moments = self.each(lambda facts: facts["redundancy"][0]), self.sample.moments
        same = moments, parameters, widths, self.sizes[0].case.training
        return tuple(World(self.sample.world(r), *same, each) for r, each in enumerate(bits))

    @cached_property
    def wrong(self) -> dict[str, Floats]:
        """Share of wrong answers by way of answering (R, S, 2)."""
        return {way: self.each(partial(wrong, way=way)) for way in WAYS}

    def predicted(self, way: str, law: str = IDEAL) -> Floats:
        """The same as a law says."""
        if law == OWN:
            return np.array([getattr(world.learner, f"wrong_{way}") for world in self.worlds])
        return np.array([world.wrong(way, world.parameters) for world in self.worlds])

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
    def answers(self) -> list[pl.DataFrame]:
        """A table of facts for each replicate."""
        return list(self.evidence.answers[:, self.size, -1])

    @cached_property
    def unseen(self) -> pl.DataFrame:
        """Answers about facts that no sentence had told, all replicates together."""
        return pl.concat(self.answers).filter(told=0)

    def places(self, value: str) -> NDArray[np.int64]:
        """How often each place of the base distribution was `sampled`, or `guessed`, as answer about facts never told."""
        return np.bincount(self.unseen[value].to_numpy(), minlength=len(self.base))

    def average(self, value: pl.Expr) -> Floats:
        """The mean over facts never told, each counted once (R,); nan where there are none."""
        return np.array([facts.filter(told=0).select(value.mean()).item() for facts in self.answers], float)

    @cached_property
    def base(self) -> Floats:
        """The base distribution, the same in all worlds and attributes, falling."""
        return np.sort(self.evidence.worlds[0].world.attributes[0].value_probabilities())[::-1]

    @property
    def strangers(self) -> Floats:
        """By the learner's law: shares of drawn answers and of best guesses about names never told, mean over worlds (2, V)."""
        return np.asarray(np.mean([world.strangers[self.size] for world in self.evidence.worlds], axis=0))


UNTOLD = Guard(f"there are fewer than {LEAST} such facts", lambda m, law=IDEAL: len(m.unseen) < LEAST)
FLOOR = (
    "wrong answers, drawn or best, the less, over Good-Turing missing mass times chance that even the best guess errs"
)
FARTHEST = "measured over predicted share of wrong answers, farthest from 1 of all sizes and moments; {numbers}"
NUMBERS = {
    IDEAL: "T is fitted to the held-out redundancy of the widest, bits per parameter to that of the narrowest, both at the end",
    OWN: FIXED,
}
DRAWN = (
    "total variation between one drawn answer for each of {total:,} facts never told, all replicates at the end, and {shares}; "
    "draws give about {expected:.2g}; G-test, values expected less than 5 times taken together"
)
SHARES_OF = {IDEAL: "the base distribution", OWN: "the shares of the learner's law"}
GUESSED = "share of facts never told, each counted once, whose best guess at the end is the most probable value"
DOUBTED = "confidence in guesses at facts never told, each once, at the end; predicted: {whose}"
SAYS = {IDEAL: "", OWN: " as often as the learner's law has it"}
DOUBTS = {IDEAL: "it should", OWN: "the learner's law has it"}
WHOSE = {IDEAL: "the most probable value's share", OWN: "the learner's law's for a name never told"}
SOURCES = {IDEAL: LAW, OWN: LEARNER}
SUREST = "share of wrong best guesses at the end among the surest questions, as many as the law says are known"


@claim(above(1), "ratio", f"Kalai and Vempala 2024, arXiv 2311.14648; {LAW}", FLOOR)
def not_below_missing_mass(m: Model) -> Estimate:
    """{m}: hallucinates at least as often as the missing mass demands."""
    rate = np.minimum(*m.evidence.wrong.values())[:, m.size, -1]
    return ratio(np.maximum(rate, NEVER), [world.bound[-1] for world in m.evidence.worlds]).against(None)


@claim(within_factor(1.25), "ratio", "{source}", FARTHEST)
def rate_predicted(evidence: Evidence, way: str, law: str = IDEAL) -> Estimate:
    """{answers} are wrong as often as the {law} says, at every size and both moments."""
    with np.errstate(divide="ignore"):
        logs = np.log(evidence.wrong[way] / evidence.predicted(way, law))
    words = {"answers": WAYS[way].capitalize(), "numbers": NUMBERS[law], "source": SOURCES[law]}
    return statistic(farthest, logs).exp().against(1.0, law=law, **words)


def farthest(logs: Floats) -> float:
    """The number farthest from 0; nan if some is not known."""
    return float(logs.flat[np.abs(logs).argmax()]) if np.all(np.isfinite(logs)) else float("nan")


@claim(below(1), "ratio", PAPER, "share of wrong answers, drawn, of the widest over that of the narrowest at the end")
def larger_hallucinate_less(evidence: Evidence) -> Estimate:
    """A larger model hallucinates less: {wide} against {narrow}."""
    narrow, *_, wide = evidence.sizes
    measured, law = evidence.wrong["sampled"][:, :, -1], evidence.predicted("sampled")[:, :, -1]
    predicted = np.exp(np.log(law[:, -1] / law[:, 0]).mean())
    return ratio(measured[:, -1], measured[:, 0]).against(predicted, wide=wide, narrow=narrow)


@claim(by_chance(1e-6), "probability", "{source}", DRAWN, UNTOLD)
def drawn_from_base(m: Model, law: str = IDEAL) -> Estimate:
    """{m}: answers about facts that it was never told are drawn from {shares}."""
    drawn = SharesTest(m.places("sampled"), m.base if law == IDEAL else m.strangers[0])
    words = {"total": drawn.total, "expected": drawn.expected_distance, "shares": SHARES_OF[law]}
    return chance(drawn.distance, drawn.probability).against(0.0, source=SOURCES[law], **words)


@claim(within(0.1), "share", "{source}", GUESSED, UNTOLD)
def guesses_the_mode(m: Model, law: str = IDEAL) -> Estimate:
    """{m}: its best guess about a fact that it was never told is the most probable value{says}."""
    predicted = 1.0 if law == IDEAL else float(m.strangers[1][0])
    return mean(m.average(pl.col("guessed") == 0)).against(predicted, says=SAYS[law], source=SOURCES[law])


@claim(within(CALIBRATED), "probability", "{source}", DOUBTED, UNTOLD)
def doubts_what_it_was_not_told(m: Model, law: str = IDEAL) -> Estimate:
    """{m}: doubts facts that it was never told as {doubts}."""
    worlds = m.evidence.worlds
    own = [w.mode if law == IDEAL else w.learner.stranger_confidence[m.size, -1] for w in worlds]
    words = {"doubts": DOUBTS[law], "whose": WHOSE[law], "source": SOURCES[law]}
    return mean(m.average(pl.col("confidence"))).against(float(np.mean(own)), **words)


@claim(below(CALIBRATED), "probability", LAW, "expected calibration error of best guesses at the end, 15 equal bins")
def calibrated(m: Model) -> Estimate:
    """{m}: is right as often as it is confident, over all questions."""
    return mean([calibration(facts).error for facts in m.answers]).against(0.0)


@claim(within(0.02), "share", LAW, SUREST)
def doubt_avoids_error(m: Model) -> Estimate:
    """{m}: abstaining where it is least confident avoids hallucination."""
    risks = np.full(len(m.answers), np.nan)
    for r, (world, facts) in enumerate(zip(m.evidence.worlds, m.answers, strict=True)):
        if world.end and (known := 1 - world.end.unknown[m.size]) > 0:
            risks[r] = calibration(facts).risk(known)
    return mean(risks).against(0.0)


def claims(found: Found) -> Iterator[Claim]:
    evidence, sizes = evidence_of(found), evidence_of(found).models
    yield from map(not_below_missing_mass, sizes)
    for law in (IDEAL, OWN):
        yield from (rate_predicted(evidence, way, law) for way in WAYS)
    yield larger_hallucinate_less(evidence)
    for m in (sizes[0], sizes[-1]):
        for law in (IDEAL, OWN):
            yield from (judged(m, law) for judged in (drawn_from_base, guesses_the_mode, doubts_what_it_was_not_told))
        yield from (calibrated(m), doubt_avoids_error(m))


RATES = (
    "Share of questions answered wrongly, by drawn answers and by best guesses. Measured: mean over replicates with lowest and "
    "highest. Law: the best model of so many bits, T and bits per parameter from the held-out redundancy, not from answers. "
    "Learner's law: of a learner that is solved, nothing fitted here. "
    "Bound: the Good-Turing missing mass of facts, times the probability that the best guess is wrong; no learner passes it."
)
MODELS = (
    "Redundancy: value bits per held-out sentence. Calibration error: expected difference of confidence and accuracy. Unseen "
    "confidence: in the best guess about facts never told; unseen right: how often that guess is true. Means over replicates."
)
RISK = (
    "Share of wrong best guesses at the end if only part of the questions is answered, the surest first: mean over replicates "
    "with lowest and highest. Law: right about what is known, and for the rest the most probable value."
)
RELIABILITY = (
    "Questions at the end by confidence in the best guess, in 15 bins of equal width, all replicates together. Calibrated: as "
    "often right as confident; below that line it is over-confident."
)
FREQUENCY = (
    "Facts at the end by one over their frequency p π, from <= 1/(p π) < below: share of questions answered wrongly, drawn and "
    "best, and doubt, one less confidence, all replicates together. Law: best guesses, from the base distribution below the "
    "threshold, never wrong above it. Learner's law: best guesses, in the middle of each bin."
)
UNSEEN = (
    "Values by their place in the base distribution, 1 the most probable: how often they were drawn or guessed at the end as "
    "answers about facts never told, each counted once, all replicates together, with the standard error of draws from it. "
    "Learner's law: drawn answers of a learner whose noise is that of crowding."
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
    """Measured at each size; the law at sizes between as well, where there is one."""
    worlds, parts = evidence.worlds, []
    P = worlds[0].parameters
    grid = np.union1d(P, np.geomspace(P[0], P[-1], 40))
    bound = np.mean([world.bound for world in worlds], axis=0)
    for way, measured in evidence.wrong.items():
        law = np.mean([world.wrong(way, grid) for world in worlds], axis=0)
        for m, n in enumerate(evidence.sample.moments):
            labels = {"moment": f"{n:,} sentences", "answers": way}
            both = {"measured": measured[:, :, m], "Good-Turing bound": np.full(len(P), bound[m])}
            both[OWN] = evidence.predicted(way, OWN)[:, :, m].mean(0)
            parts.append(curves({"parameters": P}, "wrong", both, **labels))
            parts.append(curves({"parameters": grid}, "wrong", {"law": law[:, m]}, **labels))
    return pl.concat(parts).filter(pl.col("wrong").is_not_nan())


def models(evidence: Evidence) -> pl.DataFrame:
    """One row per size and moment."""
    parts, never = [], pl.col("told") == 0
    confidence, right = pl.col("confidence").filter(never), (pl.col("guessed") == pl.col("truth")).filter(never)
    unseen = {"unseen confidence": confidence.mean(), "unseen right": right.mean()}
    errors = evidence.each(lambda facts: calibration(facts).error).mean(0)
    bits = np.mean([world.redundancy for world in evidence.worlds], axis=0)
    for size, each, error in zip(evidence.sizes, bits, errors, strict=True):
        keys = pl.lit(str(size)).alias("model"), pl.col("parameters").cast(pl.Int64), "sentences"
        found = size.frame.group_by(*keys, maintain_order=True).agg(**unseen)
        own = {"redundancy": pl.Series(each), "calibration error": pl.Series(error)}
        parts.append(found.select("model", "parameters", "sentences", **own).hstack(found.select(*unseen)))
    return pl.concat(parts)


def risk(m: Model) -> pl.DataFrame:
    """Measured, and the law's."""
    coverage, worlds = np.linspace(0.02, 1, 50), m.evidence.worlds
    laws = [world.end.risk(coverage)[m.size] for world in worlds if world.end]
    series = {
        "measured": np.array([calibration(facts).risk(coverage) for facts in m.answers]),
        "law": np.mean(laws, axis=0) if len(laws) == len(worlds) else None,
    }
    return curves({"coverage": coverage}, "wrong", series, model=str(m))


def by_frequency(m: Model) -> pl.DataFrame:
    """Bins of one over frequency, a row for each series in each; the law's is the mean over the worlds where it has facts."""
    bins, facts = LogBins(RAREST, per_decade=PER_DECADE), pl.concat(m.answers)
    rarity = np.minimum(1 / facts["frequency"].to_numpy(), RAREST - 1).astype(np.int64)
    each = {
        "wrong, sampled": 1 - pl.col("correct"),
        "wrong, best": pl.col("guessed") != pl.col("truth"),
        "doubt": 1 - pl.col("confidence"),
    }
    asked = pl.col("asked").sum()
    shares = {name: (x * pl.col("asked")).sum() / asked for name, x in each.items()}
    found = facts.group_by(pl.Series("bin", bins.index(rarity))).agg(questions=asked, **shares).sort("bin")
    which = found["bin"].to_numpy()
    ends = {"from": bins.edges[which], "below": bins.edges[which + 1], "rarity": bins.centres[which]}
    laws = {
        IDEAL: pl.Series(_law_by_frequency(m, bins.edges)[which]),
        OWN: pl.Series(_own_by_rarity(m, ends["rarity"])),
    }
    wide = found.with_columns(model=pl.lit(str(m)), **laws, **ends)
    long = wide.unpivot([*laws, *each], index=["model", *ends, "questions"], variable_name="series", value_name="share")
    return long.filter(pl.col("share").is_not_nan())


def _law_by_frequency(m: Model, edges: NDArray[np.int64]) -> Floats:
    """The law's share of wrong best guesses in bins of one over frequency; nan where there is none."""
    worlds, none = m.evidence.worlds, np.full(len(edges) - 1, np.nan)
    wrong = [w.end.by_frequency(1 / edges[::-1])[m.size][::-1] * (1 - w.mode) for w in worlds if w.end]
    return np.asarray(np.ma.masked_invalid([none, *wrong]).mean(0).filled(np.nan))


def _own_by_rarity(m: Model, rarity: Floats) -> Floats:
    """The learner's law's share of wrong best guesses at facts of such rarities, mean over worlds."""
    right = [world.learner.of("right", 1 / rarity)[m.size, -1] for world in m.evidence.worlds]
    return np.asarray(1 - np.mean(right, axis=0))


def reliability(sizes: list[Model]) -> pl.DataFrame:
    """Bins of confidence for each size, replicates with equal weight; and the line on which a model is calibrated."""
    parts = [pl.DataFrame({"model": "calibrated", "confidence": [0.0, 1.0], "right": [0.0, 1.0]})]
    share = pl.col("share").sum()
    means = [(pl.col(x) * pl.col("share")).sum() / share for x in ("confidence", "right")]
    for m in sizes:
        bins = pl.concat(calibration(facts).reliability for facts in m.answers)
        pooled = bins.group_by("bin").agg(*means, share / len(m.answers)).sort("bin")
        parts.append(pooled.select(pl.lit(str(m)).alias("model"), "confidence", "right", "share"))
    return pl.concat(parts, how="diagonal")


def unseen(m: Model) -> pl.DataFrame:
    """Shares of drawn answers and best guesses by place; none where every fact was told."""
    facts, place = len(m.unseen), {"place": np.arange(1, len(m.base) + 1)}
    drawn, guessed = (m.places(value) / max(facts, 1) for value in ("sampled", "guessed"))
    error = np.sqrt(m.base * (1 - m.base) / max(facts, 1))
    line = partial(curve, place, model=str(m), facts=facts)
    parts = [
        line({"share": m.base}, series="base distribution"),
        line({"share": drawn}, (drawn - error, drawn + error), series="drawn"),
        line({"share": guessed}, series="best guess"),
        line({"share": m.strangers[0]}, series=OWN),
    ]
    return pl.concat(parts)


SHARES = (0.0, 1.0)
SHARE = Axis("share", "share of questions", log=False, domain=SHARES)
FIGURES = (
    Figure("hallucination", "How often a model is wrong", "rates", x=Axis("parameters", "parameters"),
           y=Axis("wrong", "wrong answers", "share of questions"), columns="moment", rows="answers",
           kinds={"law": "theory", OWN: "theory", "Good-Turing bound": "asymptote", "measured": "learner"},
           caption="Wrong answers grow fewer with size, down to what nobody told."),
    Figure("risk", "Abstaining: risk against coverage", "risk", columns="model",
           x=Axis("coverage", "share of questions answered", log=False, domain=SHARES),
           y=Axis("wrong", "wrong answers", "share of those given", log=False),
           kinds={"law": "theory", "measured": "learner"},
           caption="Who answers only the questions that it is sure of is seldom wrong."),
    Figure("reliability", "Confidence and accuracy", "reliability", series="model",
           x=Axis("confidence", "confidence in the best guess", log=False, domain=SHARES),
           y=Axis("right", "best guess right", "share of questions", log=False, domain=SHARES),
           kinds={"calibrated": "theory", ...: "learner"},
           caption="On the line a model is right as often as it is confident."),
    Figure("frequency", "Wrong, and in doubt, by how rare a fact is", "frequency", columns="model", y=SHARE,
           x=Axis("rarity", "rarity of the fact, 1/(p π)"),
           kinds={"law": "theory", OWN: "theory", "wrong, best": "learner", "doubt": "learner"},
           shown=(pl.col("questions") >= 30) & (pl.col("series") != "wrong, sampled"),
           caption="Models are wrong about rare facts, and doubt where they are wrong."),
    Figure("unseen", "Answers about facts never told", "unseen", columns="model", shown=pl.col("facts") > 0,
           x=Axis("place", "place of the value in the base distribution"), y=Axis("share", "share of answers"),
           kinds={"base distribution": "theory", OWN: "theory", "drawn": "simulation", "best guess": "learner"},
           caption="About what nobody told a model answers from the base distribution."),
)  # fmt: skip


def summary(found: Found) -> str:
    evidence = evidence_of(found)
    earlier, end = evidence.sample.moments
    fitted = [(world.exposures, world.bits_per_parameter) for world in evidence.worlds if world.end]
    T, bits = np.mean(fitted, axis=0) if fitted else (np.nan, np.nan)
    said = f"T = {T:.3g} exposures per fact, {bits:.3g} bits per parameter (means over replicates)"
    none = "no T or no bits per parameter, and nothing is predicted"
    return (
        "A model that must answer is wrong about what it was not told and about what does not fit. Theory says how often: at "
        "least as often as the missing mass demands, less with size, and about such facts it answers from the base "
        f"distribution, with the doubt that this deserves. Transformers ({', '.join(map(str, evidence.sizes))}) are asked for "
        f"every fact of a held-out sample after {earlier:,} and {end:,} sentences; values are not equally probable. "
        f"From the held-out redundancy, not from answers: {said if fitted else none}."
    )
