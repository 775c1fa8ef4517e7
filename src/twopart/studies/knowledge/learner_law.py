"""What does a learner know that is not the best possible one, and do two numbers say it of transformers?

A linear softmax memory is solved: its law has no fitted number. Joined by how far an optimiser can go it has two, nats per
exposure and speed, which are fitted to transformers of one arm and judged on larger ones and on other arms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated, Literal

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, below, claim, curve, statistic, table
from twopart.findings import Claim, Table
from twopart.laws.knowledge import Facts, LearnerRuns, MemoryLaw, StepSum, fit_learner, memory_law
from twopart.laws.knowledge.learner_fit import grid
from twopart.learners.schedules import InverseRoot
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import OnePass, fits_heads
from twopart.worlds import Biographies, SyntaxKnowledge, known_entities

STUDY, TITLE, LAW = "learner-law", "The law of a learner", "docs/laws/learner-law.md"
EQUATIONS, LIMIT, TRANSFORMERS = f"{LAW}, many facts", f"{LAW}, the optimiser", f"{LAW}, transformers"
NARROW = 16  # memories below are shown and not judged
CROWDED = 10.0  # σ² from which on noise is not judged
SMALL = 5648  # parameters up to which two numbers are fitted, where larger models are predicted
BEGUN = 60_000  # sentences from which on other worlds are judged: before, models are getting going
NU = 2.0  # the noise of names that is tried beside none

DISCOUNT = every(between(0, 1, "()").because("0.5 is near what text shows"))
RATES = every(between(0, 1, "(]"))


@settings
class Memories:
    """The memories that are taught."""

    widths: Annotated[tuple[int, ...], rising(2), every(at_least(1)), "Widths p of the memories' keys."] = (8, 16, 32, 64, 128, 256, 512)
    rates: Annotated[tuple[float, ...], distinct(1), RATES, "Nats that an exposure gives a fact, by SGD."] = (0.1, 0.36)
    adam_rates: Annotated[tuple[float, ...], distinct(1), RATES, "Peak rates of memories taught by Adam."] = (0.003, 0.01)
    read: Annotated[int, at_least(1000), "Sentences that each reads, once."] = 252_032
    seeds: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, each in its own world."] = 4
    population: Annotated[int, at_least(10), "Entities of the control, whose facts are equally frequent."] = 60


@settings
class Readers:
    """The transformers that read."""

    sizes: Annotated[tuple[int, ...], fits_heads, "Widths of the transformers; there may be none."] = (4, 8, 16, 32, 64)
    sentences: Annotated[int, at_least(1000), "Sentences that each reads, once."] = 131_072
    models: Annotated[int, at_least(2).because("an interval needs a spread"), "Replicates, each in its own world."] = 3
    slow: Annotated[bool, "Whether the first world is read at half of rate and batch as well."] = False


@settings
class Config:
    """Memories and transformers that are asked for facts, beside the law of a learner."""

    discounts: Annotated[tuple[float, ...], distinct(1), DISCOUNT, "Discounts d; numbers are fitted at the first."] = (0.5, 0.3, 0.7)
    moments: Annotated[int, at_least(2), "Numbers of sentences after which learners are asked, a geometric row."] = 5
    least: Annotated[int, at_least(100), "The first of them."] = 16_000
    memories: Memories = Memories()
    readers: Readers = Readers()
    people: Biographies = Biographies()
    training: OnePass = OnePass(batch=128, learning_rate=1e-2)


PRESETS = {
    "tiny": Config((0.5,), 3, 1000, Memories((8, 32), (0.36,), (0.01,), 6_000, 2, 10), Readers(())),
    "small": Config(),
    "full": Config(moments=7, memories=Memories(seeds=16), readers=Readers((4, 6, 8, 12, 16, 24, 32, 48, 64), 1_000_000, 4, True)),
}


@dataclass(frozen=True)
class Place:
    """A kind of world."""

    discount: float
    population: int = 0
    zipf: bool = False

    def __str__(self) -> str:
        return "equal frequencies" if self.population else f"d = {self.discount:g}" + ", Zipf values" * self.zipf


@dataclass(frozen=True)
class School:
    """Learners of one kind, each replicate in a world of its own, the same for all learners."""

    learner: Literal["sgd", "adam", "transformer"]
    place: Place
    widths: tuple[int, ...]
    moments: tuple[int, ...]
    training: OnePass
    people: Biographies
    seed: int

    def __str__(self) -> str:
        widths = f", width {self.widths[0]}" if self.learner == "transformer" else ""
        return f"{self.learner}{widths}, {self.place}, rate {self.training.learning_rate:g}"

    def world(self, replicate: int) -> SyntaxKnowledge:
        """Values alike, or as 1/rank, each attribute's in another order."""
        return world_of(self.place, self.people, self.seed, replicate)

    @property
    def steps(self) -> StepSum:
        """How far Adam can go."""
        how = self.training
        return StepSum(how.learning_rate, how.batch, InverseRoot(how.warmup, how.hold).factor)


@lru_cache(maxsize=64)
def world_of(place: Place, people: Biographies, seed: int, replicate: int) -> SyntaxKnowledge:
    """The world of a replicate."""
    own = world_seed(seed, STUDY, str(place), replicate)
    world = people.world(place.discount, own, population=place.population or None)
    if not place.zipf:
        return world
    share = 1 / np.arange(1.0, people.values + 1)
    bases = [tuple(np.roll(share / share.sum(), 12 * i)) for i in range(len(world.attributes))]
    return replace(world, attributes=tuple(replace(a, base=b) for a, b in zip(world.attributes, bases, strict=True)))


@lru_cache(maxsize=64)
def facts_of(world: SyntaxKnowledge, n: int) -> Facts:
    """The facts of a world, as the n sentences that were read tell them."""
    return Facts.of_world(world, n, known_entities(world.sample(n)))


def cells(config: Config, seed: int) -> Iterator[Work]:
    first, *others = (Place(d) for d in config.discounts)
    memories, readers, how = config.memories, config.readers, config.training
    slow = replace(how, learning_rate=how.learning_rate / 2, batch=max(1, how.batch // 2))

    def school(learner: Literal["sgd", "adam", "transformer"], place: Place, widths: tuple[int, ...], training: OnePass) -> School:
        row = np.geomspace(config.least, readers.sentences if learner == "transformer" else memories.read, config.moments)
        moments = tuple(int(np.ceil(n / how.batch)) * how.batch for n in row)
        return School(learner, place, widths, moments, training, config.people, seed)

    taught = [("sgd", place, rate) for place in (first, *others, Place(0.0, memories.population)) for rate in memories.rates]
    for learner, place, rate in [*taught, *(("adam", first, rate) for rate in memories.adam_rates)]:
        case = school(learner, place, memories.widths, replace(how, learning_rate=rate))  # type: ignore[arg-type]
        yield Work("learn_facts", case, memories.seeds, cost=sum(memories.widths) / 100)
    arms = [(first, how), *((place, how) for place in others), (replace(first, zipf=True), slow), *([(first, slow)] * readers.slow)]
    for place, training in arms:
        for width in readers.sizes:
            yield Work("learn_facts", school("transformer", place, (width,), training), readers.models, cost=20 + width)


@dataclass(frozen=True, eq=False)
class Arm:
    """All sizes of one learner in one kind of world; arrays have shape (R, cells), a cell for each size and moment."""

    case: School
    frame: pl.DataFrame
    """Of `learn_facts`, all sizes."""

    def __str__(self) -> str:
        learner = {"sgd": "memories", "adam": "memories taught by Adam", "transformer": "transformers"}[self.case.learner]
        return f"{learner}, {self.case.place}, rate {self.case.training.learning_rate:g}"

    def of(self, column: str) -> Floats:
        """A column of each replicate."""
        parts = self.frame.sort("params", "sentences").partition_by("replicate", maintain_order=True)
        return np.array([part[column].to_numpy() for part in sorted(parts, key=lambda part: part["replicate"][0])], float)

    @cached_property
    def facts(self) -> list[Facts]:
        """Of each replicate's world."""
        return [facts_of(self.case.world(r), self.case.moments[-1]) for r in range(len(self.of("value")))]

    @cached_property
    def laws(self) -> list[MemoryLaw]:
        """Of memories taught by SGD, without a fitted number."""
        n, P, nats = self.of("sentences")[0], self.of("params")[0], self.case.training.learning_rate
        return [memory_law(facts, n, P, nats=nats) for facts in self.facts]

    def runs(self, noise: float = 0.0) -> list[LearnerRuns]:
        """What two numbers are fitted to."""
        columns = [self.of(name) for name in ("params", "width", "sentences", "value")]
        each = zip(self.facts, *columns, strict=True)
        return [LearnerRuns(facts, *row, self.case.steps, noise=noise) for facts, *row in each]

    @cached_property
    def squares(self) -> Floats:
        """Squares of log2(value/law) for all numbers that are tried (R, points, cells)."""
        return np.array([runs.squares for runs in self.runs()])

    @cached_property
    def numbers(self) -> tuple[float, float]:
        """(nats, speed) fitted to all of them."""
        nats, speed = grid()[self.squares.mean((0, 2)).argmin()]
        return float(nats), float(speed)


@lru_cache(maxsize=1)
def arms(found: Found) -> list[Arm]:
    """All of a run, kept for claims, tables and summary."""
    groups: dict[tuple[object, ...], list[Rows[School]]] = {}
    for rows in found.of(School):
        groups.setdefault((rows.case.learner, rows.case.place, rows.case.training), []).append(rows)
    return [Arm(group[0].case, pl.concat(rows.frame for rows in group)) for group in groups.values()]


def rms(squares: Floats, of_mean: Callable[[Floats], Floats] = lambda mean: mean) -> Estimate:
    """Root mean square of logarithms, from their squares by replicate: `of_mean` picks from the mean over replicates."""
    return statistic(lambda mean: float(np.sqrt(of_mean(mean).mean())), squares).against(0.0)


def at_best(mean: Floats, fitted: Floats) -> Floats:
    """The row of the numbers that describe the fitted cells best."""
    return np.asarray(mean[mean[:, fitted].mean(1).argmin()])


VALUE = "root mean square over sizes and moments of log2(value bits/law)"
NOISE = f"root mean square of log2(variance of strangers' logits/σ²), p >= {NARROW}, σ² < {CROWDED:g}"
FITTED = f"{VALUE}, nats per exposure and speed fitted"
SAME = f"{VALUE}, with the numbers fitted to {{other}}"


@claim(below(0.15), "octaves", EQUATIONS, f"{VALUE}, p >= {NARROW}; nothing is fitted")
def memory_is_solved(t: Arm) -> Estimate:
    """{t}: what values cost is what two equations say."""
    law = np.array([law.value for law in t.laws])
    return rms(np.log2(t.of("value") / law)[:, t.of("width")[0] >= NARROW] ** 2)


@claim(below(0.15), "octaves", EQUATIONS, NOISE)
def strangers_of_memories(t: Arm) -> Estimate:
    """{t}: names never told get logits of the variance that crowding makes."""
    law = np.array([law.noise for law in t.laws])
    judged = (t.of("width")[0] >= NARROW) & (law.mean(0) < CROWDED)
    return rms(np.log2(t.of("noise") / law)[:, judged] ** 2)


@claim(below(0.25), "octaves", LIMIT, FITTED)
def speed_limit(t: Arm) -> Estimate:
    """{t}: two numbers describe all sizes."""
    return rms(t.squares, lambda mean: at_best(mean, t.of("width")[0] > 0))


@claim(below(0.25), "octaves", TRANSFORMERS, FITTED)
def two_numbers(t: Arm) -> Estimate:
    """{t}: two numbers describe all sizes."""
    return rms(t.squares, lambda mean: at_best(mean, t.of("width")[0] > 0))


@claim(below(0.25), "octaves", TRANSFORMERS, f"{FITTED} to models of at most {SMALL:,} parameters; the larger ones")
def left_out(t: Arm) -> Estimate:
    """{t}: numbers fitted to small models describe larger ones."""
    small = t.of("params")[0] <= SMALL
    return rms(t.squares, lambda mean: at_best(mean, small)[~small])


@claim(below(0.25), "octaves", TRANSFORMERS, SAME)
def transfer(t: Arm, other: Arm) -> Estimate:
    """{t}: numbers fitted in one world describe another{late}."""
    late = not t.case.place.zipf
    own = np.arange(other.squares.shape[2] + t.squares.shape[2]) < other.squares.shape[2]
    judged = np.r_[own[own] & False, (t.of("sentences")[0] >= BEGUN) | (not late)]
    found = rms(np.concatenate([other.squares, t.squares], axis=2), lambda mean: at_best(mean, own)[judged])
    return found.against(0.0, late=f" from {BEGUN:,} sentences on" * late)


@claim(below(0.5), "octaves", TRANSFORMERS, "root mean square over sizes, at the end, of log2(frequency at which half is known/law's)")
def thresholds(t: Arm) -> Estimate:
    """{t}: facts are known down to the frequency that the law says."""
    nats, speed = t.numbers
    law = np.array([runs.law(nats, speed).half() for runs in t.runs()])
    last = t.of("sentences")[0] == t.case.moments[-1]
    return rms(np.log2(t.of("half") / law)[:, last] ** 2)


def of(found: Found, learner: str) -> list[Arm]:
    """The arms of one learner."""
    return [t for t in arms(found) if t.case.learner == learner]


def claims(found: Found) -> Iterator[Claim]:
    for t in of(found, "sgd"):
        yield from (memory_is_solved(t), strangers_of_memories(t))
    yield from (speed_limit(t) for t in of(found, "adam"))
    if readers := of(found, "transformer"):
        first, *others = readers
        yield from (judged(first) for judged in (two_numbers, left_out, thresholds))
        yield from (transfer(t, first) for t in others if t.case.place != first.case.place)
        yield from (two_numbers(t) for t in others if t.case.place == first.case.place)


def value_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Bits per sentence that values cost. Law: memories taught by SGD without a fitted number, others with the two numbers
    fitted to their own arm. Band: least and greatest replicate."""
    for t in arms(found):
        law = np.array([one.value for one in laws(t)])
        for width in np.unique(t.of("width")):
            here = t.of("width")[0] == width
            labels = {"arm": str(t), "learner": t.case.learner, "place": str(t.case.place), "size": panel(t, width)}
            x = {"sentences": t.of("sentences")[0, here]}
            for series, values in (("law", law), ("learner", t.of("value"))):
                yield curve(x, {"value": values[:, here]}, series=series, rate=t.case.training.learning_rate, width=width, **labels)


def laws(t: Arm) -> list[MemoryLaw]:
    """The law of each replicate's cells."""
    return t.laws if t.case.learner == "sgd" else [runs.law(*t.numbers) for runs in t.runs()]


def panel(t: Arm, width: float) -> str:
    return f"width {width:g}" if t.case.learner == "transformer" else f"p = {width:g}"


def size_rows(found: Found) -> Iterator[pl.DataFrame]:
    """By parameters, at the end: exposures T of the frequency at which half is known, variance σ² of strangers' logits (of
    transformers as their confidence shows it, beyond what the values' own shares make), strangers' confidence."""
    for t in arms(found):
        last, law = t.of("sentences")[0] == t.case.moments[-1], laws(t)
        x = {"parameters": t.of("params")[0, last]}
        exact = {"exposures": [one.half() * one.n for one in law], "noise": [one.noise for one in law],
                 "confidence": [one.stranger_confidence for one in law]}  # fmt: skip
        measured = {"exposures": t.of("half") * t.of("sentences"), "noise": t.of("noise"), "confidence": t.of("confidence")}
        for series, columns in (("law", exact), ("learner", measured)):
            y = {name: np.array(values)[:, last].mean(0) for name, values in columns.items()}
            yield curve(x, y, series=series, arm=str(t), learner=t.case.learner, rate=t.case.training.learning_rate)


def number_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Nats per exposure γ and speed a with 95 % intervals over runs, fitted to each arm alone, without and with a noise of names
    that size does not lessen; misfit in octaves, and that of the larger models where only small ones are fitted."""
    for t in of(found, "adam") + of(found, "transformer"):
        for noise in (0.0, NU):
            runs = t.runs(noise)
            fit, small = fit_learner(*runs), fit_learner(*runs, up_to=SMALL)
            ends = {f"{name}, {end}": x for name in fit.interval for end, x in zip(("low", "high"), fit.interval[name], strict=True)}
            row = {"arm": str(t), "noise": noise, "nats": fit.nats, "speed": fit.speed, **ends, "misfit": fit.misfit}
            yield pl.DataFrame(row | {"left out": small.left_out}, schema_overrides={"left out": pl.Float64})


def tables(found: Found) -> Iterator[Table]:
    yield from table("values", "What values cost", value_rows, found)
    yield from table("sizes", "Exposures and noise by size", size_rows, found)
    yield from table("numbers", "Two numbers", number_rows, found)


KINDS: dict[str, Kind] = {"law": "theory", "learner": "learner"}
MEMORY = pl.col("learner") == "sgd"
MAIN = (pl.col("rate") == pl.col("rate").filter(MEMORY).max()) & MEMORY | (pl.col("learner") == "transformer")
HERE = MAIN & (pl.col("arm").str.split(", ").list.get(1) == pl.col("arm").str.split(", ").list.get(1).first())
OCTAVE = pl.col("width").log(2).round().cast(pl.Int64) % 2 == MEMORY.cast(pl.Int64)  # every second size
FIGURES = (
    Figure("learner-law", "What values cost a learner", "values", Axis("sentences", "sentences seen"),
           Axis("value", "cost of values per sentence", "bits"), KINDS, columns="arm", colour="size", shown=HERE & OCTAVE,
           caption="Memories without a fitted number, and transformers with two: what crowding costs each size."),
    Figure("exposures", "How often a fact must be told", "sizes", Axis("parameters", "parameters"),
           Axis("exposures", "exposures until half is known"), KINDS, columns="arm", shown=HERE,
           caption="Small learners must be told more often: crowding takes from each exposure, and noise hides what is left."),
    Figure("noise", "What names never told show", "sizes", Axis("parameters", "parameters"),
           Axis("noise", "variance of a stranger's logits"), KINDS, columns="arm", shown=HERE,
           caption="A memory's strangers are a meter of how full it is. Those of transformers have a noise that size does not lessen."),
)  # fmt: skip


def summary(found: Found) -> str:
    said = (
        "What does a learner know that is not the best possible one? A linear softmax memory of P weights, taught one fact after "
        "another, is solved: two equations give what is left of an exposure and how noisy an answer is, with nothing fitted. "
    )
    if readers := of(found, "transformer"):
        nats, speed = readers[0].numbers
        said += (
            f"Transformers are held against the same law with two numbers, fitted at {readers[0].case.place}: an exposure gives "
            f"{nats:.2f} nats, and no fact grows faster than {speed:.2f} times width times learning rate."
        )
    return said
