"""How does a learner's redundancy fall with data: as theory says, first syntax, then knowledge?

Theory answers exactly for the best possible learner; the Bayes code is simulated; transformers read each sentence once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Annotated, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._arguments import Floats
from twopart.codes import bayes_code, oracle_code
from twopart.evidence import Estimate, Found, Rows, above, below, by_chance, claim, curve, statistic, within, worst_of
from twopart.findings import Claim, Table
from twopart.fits import LogBins, by_number, first_below, slope
from twopart.lab import Cell
from twopart.laws import data_law, data_law_asymptote
from twopart.report import Axis, Figure, Kind
from twopart.roles import ROLES
from twopart.settings import at_least, between, distinct, every, settings, zero_or
from twopart.studies import Work, world_seed
from twopart.studies._transformers import OnePass, Shape
from twopart.worlds import Biographies, SyntaxKnowledge

STUDY, TITLE = "data-law", "The data law"
LAW = "docs/laws/data.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {LAW}"

PER_DECADE = 8  # bins
STEEPENING = -0.5
"""A curve whose log-log slope falls by more than this from one half-decade to the next is no power law."""

DISCOUNT = between(0, 1, "()").because("0.5 is near what text shows")
WORLDS = distinct(1), every(DISCOUNT)
LENGTH = at_least(1000).because("the upper decade must hold several batches")
SPREAD = "an error needs a spread"
TENTH = "sentences until value redundancy is a tenth of its start, or the run's length if it is not, over syntax's"
HALVES = "slope in the second half of the last tenfold less slope in the first half"
STRANGER = "transformer, facts not stated before"
LATE = "relative to the law of each run's own world, over the last tenfold of the run"


@settings
class Config:
    """The data law: what a world predicts, what the Bayes code pays, and what a transformer pays, on one plot."""

    discounts: Annotated[tuple[float, ...], *WORLDS, "Discounts d; theory gives the exponent 1 - d."] = (0.3, 0.45, 0.6)
    sentences: Annotated[int, LENGTH, "Sentences that each transformer reads, once."] = 200_000
    seeds: Annotated[int, at_least(2).because(SPREAD), "Replicates, each in its own world."] = 3
    bayes_worlds: Annotated[int, at_least(8).because(SPREAD), "Worlds in which the Bayes code is simulated."] = 32
    population: Annotated[int, zero_or(at_least(1)), "Entities of the control world, all equally frequent."] = 1000
    english_sentences: Annotated[int, zero_or(LENGTH), "Sentences of the English transformers."] = 80_000
    english_seeds: Annotated[int, at_least(2).because(SPREAD), "Replicates of English, whose worlds differ more."] = 6
    english_discount: Annotated[float, DISCOUNT, "Discount of the English worlds."] = 0.5
    english_vocabulary: Annotated[int, at_least(300).because("bytes alone take 256"), "Tokens of their text."] = 1024
    whole_sentences: Annotated[int, zero_or(LENGTH), "Sentences of those in which each value is one token."] = 320_000
    people: Biographies = Biographies(names=2**24)
    shape: Shape = Shape(layers=2, width=96, heads=3)
    training: OnePass = OnePass()


PRESETS = {
    "tiny": Config(
        (0.3, 0.6), sentences=1_500, seeds=2, bayes_worlds=8, population=30,
        english_sentences=1_000, english_seeds=2, english_vocabulary=320, whole_sentences=0, people=Biographies(16, 4, 2**24),
        shape=Shape(1, 16, 1), training=OnePass(32, warmup=20),
    ),
    "small": Config(),
    "full": Config(
        (0.3, 0.4, 0.5, 0.6, 0.7, 0.8), sentences=3_000_000, seeds=4, bayes_worlds=64, population=15_000,
        english_sentences=1_000_000, english_seeds=4, english_vocabulary=4096, whole_sentences=1_000_000,
        people=Biographies(templates=20, names=2**32),
        shape=Shape(2, 256, 4), training=OnePass(128, 2e-3, hold=1000),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """A kind of world, and transformers that each read one sample of one such world."""

    kind: Literal["symbols", "control", "english"]
    discount: float
    population: int
    sentences: int
    vocabulary: int
    """Of the tokenizer; 0 for symbols."""
    people: Biographies
    shape: Shape
    training: OnePass
    seed: int
    whole: bool = False
    """Each English value is one token."""

    def __str__(self) -> str:
        english = "English, a token a value" if self.whole else "English"
        return {"symbols": f"d = {self.discount:g}", "control": "control", "english": english}[self.kind]

    def world(self, replicate: int = 0) -> SyntaxKnowledge:
        seed = world_seed(self.seed, STUDY, self.kind, f"{self.discount:g}", replicate)
        return self.people.world(self.discount, seed, population=self.population or None)

    @cached_property
    def bins(self) -> LogBins:
        """Of sentences seen: the 1st to the last."""
        return LogBins(self.sentences + 1, per_decade=PER_DECADE)

    @cached_property
    def by_sentence(self) -> dict[str, Floats]:
        """Expected redundancy of the Bayes code at each of the sentences, by role."""

        def law(n: Floats) -> Floats:
            bits = data_law(self.world(), n - 1)
            return np.array([getattr(bits, role) for role in ROLES])

        return dict(zip(ROLES, by_number(law, self.sentences), strict=True))

    @cached_property
    def law(self) -> dict[str, Floats]:
        """The same averaged over each bin."""
        return {role: self.bins.mean(each) for role, each in self.by_sentence.items()}

    @cached_property
    def asymptote(self) -> dict[str, Floats]:
        """The law's leading terms at the middle of each bin, by role."""
        limit = data_law_asymptote(self.world(), np.maximum(self.bins.centres.round(), 1))
        return {role: getattr(limit, role) for role in ROLES}

    @cached_property
    def upper(self) -> NDArray[np.bool_]:
        """The bins that lie wholly in the last tenfold of the sentences: where slopes and T are read."""
        return self.bins.edges[:-1] > self.sentences / 10


@dataclass(frozen=True)
class Simulation:
    """The Bayes code on one sample of each of several worlds."""

    reading: Reading
    worlds: int

    def __str__(self) -> str:
        return str(self.reading)


def cells(config: Config, seed: int) -> Iterator[Work]:
    shared = (config.people, config.shape, config.training, seed)
    kinds = [Reading("symbols", d, 0, config.sentences, 0, *shared) for d in config.discounts]
    if config.population:
        kinds.append(Reading("control", 0.5, config.population, config.sentences, 0, *shared))
    for kind in kinds:
        yield Work("simulate", Simulation(kind, config.bayes_worlds))
    for whole, sentences in ((False, config.english_sentences), (True, config.whole_sentences)):
        if sentences:
            read = config.english_discount, 0, sentences, config.english_vocabulary
            kinds.append(Reading("english", *read, *shared, whole))
    for kind in kinds:  # English sentences are about four times as long
        seeds, cost = (config.english_seeds, 4) if kind.kind == "english" else (config.seeds, 1)
        yield Work("train_reader", kind, seeds, cost=kind.sentences * cost)


def simulate(case: Simulation, cell: Cell) -> pl.DataFrame:
    """Mean redundancy of the Bayes code in each bin, by role; each replicate is a world."""
    rows = []
    for i in range(case.worlds):
        world = case.reading.world()
        corpus = replace(world, seed=world.seed + i).sample(case.reading.sentences)
        redundancy = bayes_code(corpus) - oracle_code(corpus)
        bits = {role: case.reading.bins.mean(getattr(redundancy, role)) for role in ROLES}
        rows.append(pl.DataFrame({"replicate": i, "low": case.reading.bins.edges[:-1], **bits}))
        cell.progress(i + 1, case.worlds, "worlds")
    return pl.concat(rows)


def knowledge(t: Rows[Reading]) -> Floats:
    """The transformers' value redundancy as it would be in the average world, shape (replicates, bins).

    A ratio estimate: each curve over the law of its own world, times the law. Worlds differ more in how many facts they have
    than learners do in how they learn them.
    """
    value, own = np.moveaxis(t.array("value", "world_value", axis="seen"), 1, 0)
    return np.asarray(value / own * t.case.law["value"])


def exposures(reading: Reading, curve: Floats) -> float:
    """T: how many times more sentences the curve needs than the law, geometric mean over the upper decade.

    nan while the curve is above what the law starts with: there is nothing to compare it to.
    """
    law, late = reading.by_sentence["value"], curve[reading.upper]
    if np.any(late > law[0]):
        return float("nan")
    reached = np.interp(-_log(late), -_log(law), np.log(np.arange(1, len(law) + 1)))
    return float(np.exp(np.mean(np.log(reading.bins.centres[reading.upper]) - reached)))


def _log(x: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(x, 1e-300)))


@claim(by_chance(1e-6), "standard errors", LAW, "largest of {count} deviations by bin and role; Student, Bonferroni")
def bayes_matches(s: Rows[Simulation]) -> Estimate:
    """{s}: the simulated Bayes code has the redundancy that the data law expects, in every role."""
    return worst_of(np.concatenate([_deviations(s, role) for role in ROLES]), s.case.worlds - 1)


def _deviations(s: Rows[Simulation], role: str) -> Floats:
    """Simulated less expected redundancy in standard errors, bin by bin.

    Late bins may hold no new fact or name at all, and then show no spread. New facts and names come independently and cost
    h and log2(names) bits each, so the error is at least that of a Poisson count of them.
    """
    reading, worlds, simulated = s.case.reading, s.case.worlds, s.array(role)
    world, expected = reading.world(), reading.law[role]
    each = {"name": np.log2(world.names), "syntax": 0.0, "value": max(a.entropy() for a in world.attributes)}[role]
    poisson = np.sqrt(expected * each / (np.diff(reading.bins.edges) * worlds))
    error = np.maximum(simulated.std(0, ddof=1) / np.sqrt(worlds), poisson)
    return np.asarray((simulated.mean(0) - expected)[error > 0] / error[error > 0])


# within 0.1, so discounts 0.2 apart are told apart
@claim(within(0.1), "log-log slope", PAPER, f"slope of ln bits on ln sentences, {LATE}")
def exponent(t: Rows[Reading]) -> Estimate:
    """{t}: the transformer's knowledge redundancy falls with the sentences seen as a power, 1 - d."""
    x, late = t.case.bins.centres, t.case.upper
    return statistic(lambda mean: slope(x[late], mean[late]), knowledge(t)).against(t.case.discount - 1)


@claim(
    within(0.1),
    "log-log slope",
    f"{LAW}, English",
    f"the same of bits over the price of a fact not stated before, {LATE}",
)
def price_apart(t: Rows[Reading]) -> Estimate:
    """{t}: in units of what a fact not stated before costs at the time, knowledge falls as a power, 1 - d."""
    x, late = t.case.bins.centres, t.case.upper
    relative = knowledge(t) / t.array("stranger", axis="seen")
    return statistic(lambda mean: slope(x[late], mean[late]), relative).against(t.case.discount - 1)


@claim(above(1), "exposures per fact", f"{LAW}, exposures", f"T is the geometric mean of the ratio, {LATE}")
def told_more_than_once(t: Rows[Reading]) -> Estimate:
    """{t}: the transformer learns as the Bayes code does from T times fewer sentences, T > 1."""
    return statistic(lambda mean: np.log(exposures(t.case, mean)), knowledge(t)).exp()


@claim(above(1), "ratio", PAPER, f"{TENTH}; the prediction is that of the Bayes code")
def syntax_first(t: Rows[Reading]) -> Estimate:
    """{t}: the transformer learns syntax before knowledge."""

    def delay(pair: Floats) -> float:
        syntax, value = (first_below(t.case.bins.centres, _log(bits), np.log(bits[0] / 10)) for bits in pair)
        return value / syntax

    found = statistic(lambda pair: np.log(delay(pair)), t.array("syntax", "value", axis="seen"))
    return found.exp().against(delay(np.array([t.case.law["syntax"], t.case.law["value"]])))


@claim(below(STEEPENING), "change of log-log slope", f"{LAW}, what follows", HALVES)
def no_power_law(t: Rows[Reading]) -> Estimate:
    """{t}: with equally frequent entities there is no power law; knowledge comes late and at once."""
    x, middle = t.case.bins.centres, t.case.sentences / np.sqrt(10)
    first, second = t.case.upper & (x < middle), t.case.upper & (x >= middle)

    def steepening(curve: Floats) -> float:
        return slope(x[second], curve[second]) - slope(x[first], curve[first])

    return statistic(steepening, knowledge(t)).against(steepening(t.case.law["value"]))


def claims(found: Found) -> Iterator[Claim]:
    worlds = [t for t in found.of(Reading) if t.case.kind != "control"]
    yield from map(bayes_matches, found.of(Simulation))
    for judged in (exponent, told_more_than_once, syntax_first):
        yield from map(judged, worlds)
    yield from map(price_apart, found.of(Reading, kind="english", whole=False))
    yield from map(no_power_law, found.of(Reading, kind="control"))


CURVES = (
    "Redundancy: bits per sentence beyond those of a reader who knows the world, averaged over bins of sentences. Law: the "
    "exact expectation for the Bayes code. Bayes code: its simulation, with standard errors over worlds. Transformer: mean, "
    "lowest and highest replicate, over all sentences and, in English, over those whose fact was not stated before."
)
STILL = "Bits that a transformer still pays for a fact, over the last nine tenths of its run, by"
EXPOSURES = (
    f"{STILL} how often it was stated before; low and high bound the bin, one added: 1 is a fact not stated before. "
    "The Bayes code pays all bits then, and none later."
)


def tables(found: Found) -> Iterator[Table]:
    simulated = {s.case.reading: s for s in found.of(Simulation)}
    lines = (_lines(t, simulated.get(t.case), role) for t in found.of(Reading) for role in ROLES)
    yield Table("curves", "Redundancy per sentence by sentences seen", pl.concat(lines), CURVES)
    yield Table("exposures", "Bits of a fact by times it was stated before", _by("exposures", found), EXPOSURES)
    rarity = f"{STILL} how rare its entity is: one over its probability."
    yield Table("rarity", "Bits of a fact by how rare its entity is", _by("rarity", found), rarity)


def _lines(t: Rows[Reading], simulated: Rows[Simulation] | None, role: str) -> pl.DataFrame:
    """The law, its asymptote, the simulated Bayes code if there is one, and the transformers."""
    draw = partial(curve, {"sentences": t.case.bins.centres}, kind=t.case.kind, world=str(t), role=role)
    parts = [draw({"bits": t.case.law[role]}, series="law, exact")]
    parts += [draw({"bits": t.case.asymptote[role]}, series="law, asymptote")]
    if simulated is not None:
        bits = simulated.array(role)
        mean, error = bits.mean(0), bits.std(0, ddof=1) / np.sqrt(len(bits))
        parts += [draw({"bits": mean}, (mean - error, mean + error), series="Bayes code, simulated")]
    if t.case.kind == "english" and not t.case.whole and role == "value":
        parts += [draw({"bits": t.array("stranger", axis="seen")}, series=STRANGER)]
    return pl.concat([*parts, draw({"bits": t.array(role, axis="seen")}, series="transformer")])


def _by(axis: str, found: Found) -> pl.DataFrame:
    """Mean value bits by `axis`, over all replicates of a kind of world, every sentence with equal weight."""
    bits = (pl.col("value") * pl.col("count")).sum() / pl.col("count").sum()
    parts = {str(t): t.where(axis=axis).group_by("low", "high") for t in found.of(Reading)}
    means = {world: bins.agg(sentences=pl.col("count").sum(), value=bits).sort("low") for world, bins in parts.items()}
    return pl.concat(frame.select(pl.lit(world).alias("world"), pl.all()) for world, frame in means.items())


KINDS: dict[str, Kind] = {"law, exact": "theory", "law, asymptote": "asymptote"}
KINDS |= {"Bayes code, simulated": "simulation", "transformer": "learner", STRANGER: "learner"}
BITS = Axis("bits", "redundancy per sentence", "bits")
curves = partial(Figure, table="curves", x=Axis("sentences", "sentences seen"), y=BITS, columns="world", kinds=KINDS)
PAID = Axis("value", "value bits of the transformer", "bits per sentence")
facts = partial(Figure, y=PAID, band=None, kinds="learner", series="world", shown=pl.col("sentences") >= 30)
FIGURES = (
    curves("data-law", "The data law: theory, Bayes code, transformer", rows="role", shown=pl.col("kind") == "symbols",
           caption="Syntax is learned as 1/n, knowledge as a power of data; transformers follow in parallel, somewhat later."),
    curves("control-and-english", "Value bits: equally frequent entities, and English",
           shown=(pl.col("kind") != "symbols") & (pl.col("role") == "value"),
           caption="Where all entities are equally frequent the curve bends down instead of going straight. In English what a "
           "fact not stated before costs falls, too: the reader is learning how values are spelled."),
    facts("exposures", "What a fact still costs after each exposure", "exposures",
          Axis("low", "times the fact was stated before, plus one"),
          caption="A fact becomes cheap after some tens of exposures."),
    facts("rarity", "What a fact costs by how rare its entity is", "rarity", Axis("low", "rarity of the entity, 1/p"),
          caption="Facts about rare entities are still unknown at the end."),
)  # fmt: skip


def summary(found: Found) -> str:
    return (
        "How many bits per sentence does it cost not to know the world, after so many sentences? Theory answers exactly "
        "for the best possible learner; the Bayes code is simulated; transformers are trained on a single pass, each "
        "sentence's loss taken before the update it causes, so that the curve is a code length too. "
        f"Worlds: {', '.join(map(str, found.of(Reading)))}."
    )
