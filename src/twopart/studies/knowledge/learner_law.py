"""What does a learner know that is not the best possible one, and do two numbers say it of transformers?

A linear softmax memory is solved: its law has no fitted number. Joined by how far an optimiser can go it has two, nats per
exposure and speed, which are fitted to transformers of one arm and judged on larger ones and on other arms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated, Any, TypeAlias

import numpy as np
import polars as pl

from twopart._arrays import Floats
from twopart.evidence import Estimate, Found, Rows, below, claim, curves, statistic, table
from twopart.findings import Claim, Table
from twopart.laws.knowledge import Facts, LearnerRuns, MemoryLaw, fit_learner, memory_law
from twopart.laws.knowledge.learner_fit import grid
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import OnePass, fits_heads
from twopart.worlds import Biographies, SyntaxKnowledge, known_entities

STUDY, TITLE, LAW = "learner-law", "The law of a learner", "docs/laws/learner-law.md"
EQUATIONS, OPTIMISER, TRANSFORMERS = f"{LAW}, many facts", f"{LAW}, the optimiser", f"{LAW}, transformers"
NARROW, CROWDED = 16, 10.0  # memories narrower, and σ² from there on, are shown and not judged
SMALL = 5648  # parameters up to which two numbers are fitted, where larger models are predicted
BEGUN = 60_000  # sentences from which on other worlds are judged: before, models are getting going
NU = 2.0  # the noise of names that is tried beside none

DISCOUNTS = "Discounts d of the worlds; numbers are fitted at the first."
DISCOUNT = every(between(0, 1, "()").because("0.5 is near what text shows"))
RATES, PAIR = every(between(0, 1, "(]")), at_least(2).because("an interval needs a spread")
Sizes: TypeAlias = tuple[int, ...]
Numbers: TypeAlias = tuple[float, ...]


@settings
class Config:
    """Memories and transformers that are asked for facts, beside the law of a learner."""

    discounts: Annotated[Numbers, distinct(1), DISCOUNT, DISCOUNTS] = (0.5, 0.3, 0.7)
    moments: Annotated[int, at_least(2), "Times at which learners are asked, a geometric row."] = 5
    least: Annotated[int, at_least(100), "Sentences read before the first of them."] = 16_000
    memories: Annotated[Sizes, rising(2), every(at_least(1)), "Widths of memories' keys."] = (
        8,
        16,
        32,
        64,
        128,
        256,
        512,
    )
    rates: Annotated[Numbers, distinct(1), RATES, "Nats that an exposure gives a fact, by SGD."] = (0.1, 0.36)
    adam_rates: Annotated[Numbers, distinct(1), RATES, "Peak rates of memories taught by Adam."] = (0.003, 0.01)
    taught: Annotated[int, at_least(1000), "Sentences that each memory reads, once."] = 252_032
    population: Annotated[int, at_least(10), "Entities of the control, whose facts are equally frequent."] = 60
    seeds: Annotated[int, PAIR, "Replicates of memories, each in its own world."] = 4
    widths: Annotated[Sizes, fits_heads, "Widths of the transformers; there may be none."] = (4, 8, 16, 64)
    sentences: Annotated[int, at_least(1000), "Sentences that each transformer reads, once."] = 131_072
    models: Annotated[int, PAIR, "Replicates of transformers, each in its own world."] = 2
    people: Biographies = Biographies()
    training: OnePass = OnePass(batch=128, learning_rate=1e-2)


LADDER = (4, 6, 8, 12, 16, 24, 32, 48, 64)
PRESETS = {
    "tiny": Config((0.5,), 3, 1000, (8, 32), (0.36,), (0.01,), 6000, 10, 2, ()),
    "small": Config(),
    "full": Config(moments=7, seeds=16, widths=LADDER, sentences=1_000_000, models=4),
}


@dataclass(frozen=True)
class Place:
    """A kind of world."""

    discount: float
    population: int = 0
    zipf: bool = False

    def __str__(self) -> str:
        return "equal frequencies" if self.population else f"d = {self.discount:g}" + " and Zipf values" * self.zipf


@dataclass(frozen=True)
class School:
    """Learners of one kind, each replicate in a world of its own, the same for all learners."""

    learner: str
    """"sgd" and "adam" teach memories; "transformer"."""
    place: Place
    widths: Sizes
    moments: Sizes
    """Sentences after which they are asked; they read the last number."""
    training: OnePass
    people: Biographies
    seed: int

    def __str__(self) -> str:
        widths = f", width {self.widths[0]}" if self.learner == "transformer" else ""
        return f"{self.learner}{widths}, {self.place}, rate {self.training.learning_rate:g}"

    def world(self, replicate: int) -> SyntaxKnowledge:
        """Values are alike, or as 1/rank, in each attribute in another order."""
        own = world_seed(self.seed, STUDY, str(self.place), replicate)
        world = self.people.world(self.place.discount, own, population=self.place.population or None)
        if not self.place.zipf:
            return world
        share = 1 / np.arange(1.0, self.people.values + 1)
        bases = [tuple(np.roll(share / share.sum(), 12 * i)) for i in range(len(world.attributes))]
        return replace(
            world, attributes=tuple(replace(a, base=b) for a, b in zip(world.attributes, bases, strict=True))
        )


def cells(config: Config, seed: int) -> Iterator[Work]:
    first, *others = (Place(discount) for discount in config.discounts)
    how, control = config.training, Place(0.0, config.population)

    def school(learner: str, place: Place, widths: Sizes, training: OnePass, read: int) -> School:
        row = np.geomspace(config.least, read, config.moments)
        moments = tuple(int(np.ceil(n / how.batch)) * how.batch for n in row)
        return School(learner, place, widths, moments, training, config.people, seed)

    taught = [("sgd", place, rate) for place in (first, *others, control) for rate in config.rates]
    for learner, place, rate in taught + [("adam", first, rate) for rate in config.adam_rates]:
        training = replace(how, learning_rate=rate)
        yield Work(
            "learn_facts", school(learner, place, config.memories, training, config.taught), config.seeds, cost=10
        )
    slow = replace(how, learning_rate=how.learning_rate / 2, batch=max(1, how.batch // 2))
    for place, training in [*((place, how) for place in (first, *others)), (replace(first, zipf=True), slow)]:
        for width in config.widths:
            case = school("transformer", place, (width,), training, config.sentences)
            yield Work("learn_facts", case, config.models, cost=20 + width)


@lru_cache(maxsize=64)
def facts_of(world: SyntaxKnowledge, n: int) -> Facts:
    """The facts of a world, as the n sentences that were read tell them."""
    return Facts.of_world(world, n, known_entities(world.sample(n)))


NAMES = {"sgd": "memories", "adam": "memories taught by Adam", "transformer": "transformers"}


@dataclass(frozen=True, eq=False)
class Arm:
    """All sizes of one learner in one kind of world; arrays have shape (R, cells), a cell for each size and moment."""

    case: School
    frame: pl.DataFrame
    """Of `learn_facts`, all sizes."""

    def __str__(self) -> str:
        return f"{NAMES[self.case.learner]}, {self.case.place}, rate {self.case.training.learning_rate:g}"

    def of(self, column: str) -> Floats:
        """A column of each replicate."""
        ordered = self.frame.sort("replicate", "params", "sentences")
        return np.asarray(ordered[column].to_numpy().reshape(ordered["replicate"].n_unique(), -1), float)

    @cached_property
    def last(self) -> Any:
        """The cells at the end."""
        return self.of("sentences")[0] == self.case.moments[-1]

    @cached_property
    def runs(self) -> list[LearnerRuns]:
        """What two numbers are fitted to, of each replicate."""
        how, columns = self.case.training, [self.of(name) for name in ("params", "width", "sentences", "value")]
        facts = [facts_of(self.case.world(r), self.case.moments[-1]) for r in range(len(columns[0]))]
        each = zip(facts, *columns, strict=True)
        return [LearnerRuns(known, P, C, n, value, how.steps) for known, P, C, n, value in each]

    @cached_property
    def squares(self) -> Floats:
        """Squares of log2(value/law) for all numbers that are tried (R, points, cells)."""
        return np.array([runs.squares for runs in self.runs])

    @cached_property
    def numbers(self) -> tuple[float, float]:
        """(nats, speed) fitted to all of them."""
        nats, speed = grid()[self.squares.mean((0, 2)).argmin()].tolist()
        return nats, speed

    @cached_property
    def laws(self) -> list[MemoryLaw]:
        """Of each replicate's cells: of memories taught by SGD without a fitted number, of others with both."""
        if self.case.learner != "sgd":
            return [runs.law(*self.numbers) for runs in self.runs]
        nats = self.case.training.learning_rate
        return [memory_law(runs.facts, runs.sentences, runs.params, nats=nats) for runs in self.runs]

    def law(self, name: str) -> Floats:
        """One of the law's numbers."""
        return np.array([getattr(law, name) for law in self.laws])


@lru_cache(maxsize=1)
def arms(found: Found) -> dict[str, list[Arm]]:
    """All of a run by learner, kept for claims, tables and summary."""
    groups: dict[Any, list[Rows[School]]] = {}
    for rows in found.of(School):
        groups.setdefault((rows.case.learner, rows.case.place, rows.case.training), []).append(rows)
    every_arm = [Arm(group[0].case, pl.concat(rows.frame for rows in group)) for group in groups.values()]
    return {learner: [t for t in every_arm if t.case.learner == learner] for learner in NAMES}


def rms(squares: Floats, of_mean: Callable[[Floats], Floats] = lambda mean: mean) -> Estimate:
    """Root mean square of logarithms, from their squares by replicate: `of_mean` picks from the mean over replicates."""
    return statistic(lambda mean: float(np.sqrt(of_mean(mean).mean())), squares).against(0.0)


def at_best(mean: Floats, fitted: Any) -> Floats:
    """The row of the numbers that describe the fitted cells best."""
    return np.asarray(mean[mean[:, fitted].mean(1).argmin()])


VALUE = "root mean square over sizes and moments of log2(value bits/law)"
NOISE = f"root mean square of log2(variance of strangers' logits/σ²), p >= {NARROW}, σ² < {CROWDED:g}"
FITTED = f"{VALUE}, nats per exposure and speed fitted"
HALF = "root mean square over sizes, at the end, of log2(frequency at which half is known/law's)"


@claim(below(0.15), "octaves", EQUATIONS, f"{VALUE}, p >= {NARROW}; nothing is fitted")
def memory_is_solved(t: Arm) -> Estimate:
    """{t}: what values cost is what two equations say."""
    return rms(np.log2(t.of("value") / t.law("value"))[:, t.of("width")[0] >= NARROW] ** 2)


@claim(below(0.15), "octaves", EQUATIONS, NOISE)
def strangers_of_memories(t: Arm) -> Estimate:
    """{t}: names never told get logits of the variance that crowding makes."""
    judged = (t.of("width")[0] >= NARROW) & (t.law("noise").mean(0) < CROWDED)
    return rms(np.log2(t.of("noise") / t.law("noise"))[:, judged] ** 2)


@claim(below(0.25), "octaves", "{source}", FITTED)
def two_numbers(t: Arm) -> Estimate:
    """{t}: two numbers describe all sizes."""
    source = OPTIMISER if t.case.learner == "adam" else TRANSFORMERS
    return replace(rms(t.squares, lambda mean: at_best(mean, slice(None))), words={"source": source})


@claim(below(0.25), "octaves", TRANSFORMERS, f"{FITTED} to models of at most {SMALL:,} parameters; the larger ones")
def left_out(t: Arm) -> Estimate:
    """{t}: numbers fitted to small models describe larger ones."""
    small = t.of("params")[0] <= SMALL
    return rms(t.squares, lambda mean: at_best(mean, small)[~small])


@claim(below(0.25), "octaves", TRANSFORMERS, f"{VALUE}{{late}}, with the numbers fitted to {{first}}")
def transfer(t: Arm, first: Arm) -> Estimate:
    """{t}: numbers fitted in another world describe this one."""
    own = np.arange(first.squares.shape[2] + t.squares.shape[2]) < first.squares.shape[2]
    judged = (t.of("sentences")[0] >= BEGUN) | t.case.place.zipf
    both = np.concatenate([first.squares, t.squares], axis=2)
    late = "" if t.case.place.zipf else f" from {BEGUN:,} sentences on"
    return rms(both, lambda mean: at_best(mean, own)[~own][judged]).against(0.0, late=late)


@claim(below(0.5), "octaves", TRANSFORMERS, HALF)
def thresholds(t: Arm) -> Estimate:
    """{t}: facts are known down to the frequency that the law says."""
    with np.errstate(invalid="ignore"):  # where no frequency is known by half
        logs = np.log2(t.of("half")) - np.log2([law.half() for law in t.laws])
    return rms(logs[:, t.last] ** 2)


def claims(found: Found) -> Iterator[Claim]:
    for t in arms(found)["sgd"]:
        yield from (memory_is_solved(t), strangers_of_memories(t))
    yield from (two_numbers(t) for t in arms(found)["adam"])
    for t in arms(found)["transformer"][:1]:
        yield from (judged(t) for judged in (two_numbers, left_out, thresholds))
    yield from (transfer(t, arms(found)["transformer"][0]) for t in arms(found)["transformer"][1:])


def value_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Bits per sentence that values cost; p: memories, C: transformers. Law: of memories taught by SGD without a fitted
    number, of others with the two numbers fitted to their own arm. Band: least and greatest replicate."""
    for t in (t for ts in arms(found).values() for t in ts):
        for width in np.unique(t.of("width")):
            here, name = t.of("width")[0] == width, "C" if t.case.learner == "transformer" else "p"
            series = {"law": t.law("value")[:, here], "learner": t.of("value")[:, here]}
            labels = {"arm": str(t), "size": f"{name} = {width:g}", "width": width}
            yield curves({"sentences": t.of("sentences")[0, here]}, "value", series, None, **labels)


def size_rows(found: Found) -> Iterator[pl.DataFrame]:
    """At the end, by parameters: exposures of a fact of the frequency at which half is known; variance of strangers' logits,
    that of transformers as their confidence shows it; strangers' confidence, and bits they cost. Mean over replicates."""
    for t in (t for ts in arms(found).values() for t in ts):
        exact = [np.array([law.half() * law.n for law in t.laws]), t.law("noise"), t.law("stranger_confidence")]
        measured = [t.of("half") * t.of("sentences"), t.of("noise"), t.of("confidence")]
        for series, columns in (("law", [*exact, t.law("stranger_bits")]), ("learner", [*measured, t.of("stranger")])):
            names = ("exposures", "noise", "confidence", "stranger bits")
            y = {name: column[:, t.last].mean(0) for name, column in zip(names, columns, strict=True)}
            yield pl.DataFrame({"arm": str(t), "series": series, "parameters": t.of("params")[0, t.last], **y})


def number_rows(found: Found) -> Iterator[pl.DataFrame]:
    """Nats per exposure and speed with 95 % intervals over runs, fitted to each arm alone, without and with a noise of names
    that size does not lessen; misfit in octaves, and that of the larger models where only small ones are fitted."""
    for t in arms(found)["adam"] + arms(found)["transformer"]:
        for noise in (0.0, NU):
            runs = t.runs if noise == 0 else [replace(each, noise=noise) for each in t.runs]
            fit, part = fit_learner(*runs), fit_learner(*runs, up_to=SMALL)
            ends = {
                f"{name} {end}": x
                for name, both in fit.interval.items()
                for end, x in zip(("low", "high"), both, strict=True)
            }
            row = {"arm": str(t), "noise": noise, "nats": fit.nats, "speed": fit.speed, **ends, "misfit": fit.misfit}
            yield pl.DataFrame(row | {"misfit of larger ones": part.left_out})


def tables(found: Found) -> Iterator[Table]:
    yield from table("values", "What values cost", value_rows, found)
    yield from table("sizes", "Exposures and noise by size", size_rows, found)
    yield from table("numbers", "Two numbers", number_rows, found)


KINDS: dict[Any, Kind] = {"law": "theory", "learner": "learner"}
ARM = pl.col("arm").str
HERE = ARM.contains(r"^memories, d = 0\.5, rate 0\.36") | ARM.contains(r"^transformers, d = 0\.5, ")
SHOWN = HERE & pl.col("size").is_in(["p = 8", "p = 32", "p = 128", "C = 4", "C = 16", "C = 64"])
PARAMETERS = Axis("parameters", "parameters")
COST, TOLD = Axis("value", "cost of values per sentence", "bits"), Axis("exposures", "exposures until half is known")
CROWD, TELL = "What values cost a learner", "How often a fact must be told"
TWO = "Memories without a fitted number, transformers with two: what crowding costs each size."
MORE = "Small learners must be told more often: crowding takes from each exposure, and its noise hides what is left."
METER = (
    "A memory's strangers are a meter of how full it is; those of transformers have noise that size does not lessen."
)
STRANGER, SEEN = Axis("noise", "variance of a stranger's logits"), Axis("sentences", "sentences seen")
NEVER = "What names never told show"
FIGURES = (
    Figure("learner-law", CROWD, "values", SEEN, COST, KINDS, "arm", colour="size", shown=SHOWN, caption=TWO),
    Figure("exposures", TELL, "sizes", PARAMETERS, TOLD, KINDS, "arm", shown=HERE, caption=MORE),
    Figure("noise", NEVER, "sizes", PARAMETERS, STRANGER, KINDS, "arm", shown=HERE, caption=METER),
)


def summary(found: Found) -> str:
    said = (
        "What does a learner know that is not the best possible one? A linear softmax memory of P weights, taught one fact"
        " after another, is solved: two equations give what is left of an exposure and how noisy answers are."
    )
    for t in arms(found)["transformer"][:1]:
        nats, speed = t.numbers
        said += (
            f" Transformers are held against the same law with two numbers, fitted at {t.case.place}: an exposure gives"
        )
        said += (
            f" {nats:.2f} nats, and no fact's strength passes {speed:.2f} times width times the sum of learning rates."
        )
    return said
