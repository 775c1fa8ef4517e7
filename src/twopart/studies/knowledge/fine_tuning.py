"""What do a new format and new facts cost, what do they destroy, and what do replay and LoRA save?

A model is trained once on an excerpt of its world and then fine-tuned in many ways. It knows a fact if its best guess is
correct. What a model of P parameters can hold is b P bits, and b is measured before fine-tuning on the smallest model: the
forgetting law's count of old facts is met by those it knows. Beside this law of the best learner stands that of a learner that
is solved, a memory told old facts first and new ones later, with the numbers of another study.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from inspect import getdoc
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, claim, curve, curves, mean, ratio, statistic
from twopart.evidence.judges import above, below, within, within_factor
from twopart.findings import Claim, Table
from twopart.fits import first_reached, forgetting_order, relearned, retained, slope, stays_below
from twopart.laws import bits_holding, finetuning_law, forgetting_law, format_examples, memory_law, retention_law
from twopart.laws.knowledge import Facts, MemoryLaw, Retention
from twopart.report import Axis, Figure, Kind
from twopart.settings import at_least, between, both, every, no_less_than, rising, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import FIXED, NATS, SPEED, Converge, OnePass, Shape, ladder
from twopart.worlds import Biographies, EqualFrequencies, Excerpt, Shift, ShiftedWorld, shifted_world

STUDY, TITLE = "fine-tuning", "Fine-tuning"
PAGE, CAPACITY = "docs/laws/finetuning.md", "docs/laws/capacity.md, One price"
LEARNS, FORGETS = f"{PAGE}, What a learner still pays", f"{PAGE}, What a full model forgets"
BIDERMAN = "Biderman et al. 2024, arXiv 2405.09673"
GEKHMAN = f"Gekhman et al. 2024, arXiv 2405.05904; prediction: {FORGETS}"
LEARNER = "docs/laws/learner-law.md, Told first and later"
LAW, OWN, ANEW = "law", "learner's law", "learner's law, begun anew"  # of the best learner, and of one that is solved

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Ints = NDArray[np.int64]

DOUBLINGS = 7  # moments at which a model is asked: the end of fine-tuning, half of it, a quarter, ...
QUANTILES = np.arange(0.01, 1, 0.02)  # of facts alike, which are forgotten one after the other
HALF = 0.5  # share of old sentences in the second fine-tuning on the new format
FREE = 0.05  # bits per sentence below which a format costs nothing
SURE = 0.5  # confidence above which a wrong answer counts as a confident one

DOSES, REPLAYS = (1, 2, 4, 8, 16, 32, 64, 128), (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
MOMENTS = at_least(64).because("the first moment is a 64th of it")
MANY = between(20, 2**16).because("200 make shares of 0.1 %")
NEW, EACH = between(5, 2**16).because("50 make shares of 2 %"), between(2, 2**12).because("10 make shares of 2 %")
POSITIVE, SHARES = every(at_least(1)), every(between(0, 1))
HOLD = both(at_least(1), no_less_than("tune_warmup")).because("the rate falls after the warm-up")
RATE = between(0, 1, "(]").because("2e-3 suits such small models")
SHARE = between(0, 1).because("1 draws as the world does")
TENFOLD = no_less_than("training.batch", times=10).because("converging takes hundreds of updates")


@settings
class Past:
    """What a model is told before: the most frequent entities of a world, to convergence."""

    discount: Annotated[float, between(0, 1, "()").because("0.5 is near what text shows"), "Discount d."] = 0.5
    entities: Annotated[int, MANY, "Most frequent entities of the world, which the model is told of before."] = 200
    sentences: Annotated[int, TENFOLD, "Sentences of pretraining."] = 300_000
    temper: Annotated[float, SHARE, "Entities are drawn as p^temper and weighted back, replayed ones too."] = 0.5
    people: Biographies = Biographies()
    training: Converge = Converge()

    def __post_init__(self) -> None:
        check(self.people.templates >= 2, "templates", self.people.templates, ">= 2", "8 leaves some syntax to learn")


@settings
class Config:
    """Fine-tuning: what a new format and new facts cost, what they destroy, and what replay and LoRA save."""

    widths: Annotated[tuple[int, ...], *ladder, "Widths, from too small for all facts to room enough."] = (16, 32, 64)
    layers: Annotated[int, at_least(1).because("1 suits such small models"), "Layers of the transformers."] = 1
    seeds: Annotated[int, at_least(2), "Replicates, each a world with a model of each width."] = 3
    examples: Annotated[int, MOMENTS, "Sentences of fine-tuning on new facts, replayed ones among them."] = 32_000
    format_examples: Annotated[int, MOMENTS, "Sentences of fine-tuning on the new format."] = 64_000
    new: Annotated[int, NEW, "New entities, equally frequent."] = 50
    doses: Annotated[tuple[int, ...], rising(3), POSITIVE, "How often facts are told, to count exposures."] = DOSES
    each: Annotated[int, EACH, "New entities told with each dose."] = 10
    strangers: Annotated[int, MANY, "Entities that nobody tells of, asked for all the same."] = 200
    replays: Annotated[tuple[float, ...], rising(4), SHARES, "Shares of replayed sentences, from 0 to 1."] = REPLAYS
    ranks: Annotated[tuple[int, ...], rising(1), POSITIVE, "Ranks of LoRA."] = (2, 8)
    tune_batch: Annotated[int, at_least(1), "Sentences per update of fine-tuning."] = 32
    tune_rate: Annotated[float, RATE, "AdamW's peak learning rate in fine-tuning."] = 2e-3
    tune_warmup: Annotated[int, at_least(0), "Its updates of warm-up; 0 starts at the peak."] = 20
    tune_hold: Annotated[int, HOLD, "Update from which on the rate falls as 1/sqrt(update)."] = 300
    past: Past = Past()

    def __post_init__(self) -> None:
        ends = (self.replays[0], self.replays[-1]) == (0, 1)
        check(ends, "replays", self.replays, "from 0 to 1", "both ends are controls of the others")


FEW = Past(0.5, 20, 1280, people=Biographies(values=4, templates=2), training=Converge(batch=128, warmup=2))
PRESETS = {
    "tiny": Config((4, 8), 1, 2, 64, 64, 5, (1, 2, 3), 2, 20, (0.0, 0.1, 0.5, 1.0), (2,), tune_batch=64, past=FEW),
    "small": Config(),
    "full": Config(
        (16, 32, 64, 128, 256), 1, 5, 1_024_000, 1_024_000, 500, (*DOSES, 256, 512), 50, 2000, REPLAYS, (1, 2, 4, 8, 16),
        tune_batch=128, tune_warmup=100, tune_hold=1000, past=Past(0.5, 2000, 10_000_000, training=Converge(2048, warmup=300)),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Pretraining:
    """A model before fine-tuning; models of all widths read the same worlds, one for each replicate."""

    shape: Shape
    past: Past
    seed: int

    def __str__(self) -> str:
        return f"width {self.shape.width}"

    def reworded(self, replicate: int) -> ShiftedWorld:
        """The world in the new format; its `before` is the world as it was, with room for that format."""
        return _reworded(self.past, world_seed(self.seed, STUDY, replicate))

    def enlarged(self, replicate: int, entities: int) -> ShiftedWorld:
        """The world with so many new entities, in the old format, with room for the new one."""
        return replace(self.reworded(replicate), shift=Shift(new_entities=EqualFrequencies(entities)))

    def excerpt(self, replicate: int, more: int = 0) -> Excerpt:
        """What is told before; with `more` entities that nobody tells of."""
        return Excerpt(self.reworded(replicate).before, self.past.entities + more)


@lru_cache(maxsize=32)
def _reworded(past: Past, seed: int) -> ShiftedWorld:
    return shifted_world(past.people.world(past.discount, seed), Shift(format=past.people.templates))


@dataclass(frozen=True)
class Tuning:
    """One way to fine-tune these models."""

    start: Pretraining
    tells: Literal["format", "facts", "doses"]
    """Old facts in a new format; new facts, each as often as it comes; new facts, so and so often."""
    sentences: int
    new: int
    """New entities; of each dose, if it tells doses."""
    doses: tuple[int, ...]
    replay: float
    rank: int
    """Of LoRA; 0 learns all weights."""
    strangers: int
    training: OnePass

    def __str__(self) -> str:
        return f"{self.start}, {self.tells}, " + (f"LoRA {self.rank}" if self.rank else f"replay {self.replay:g}")

    @property
    def news(self) -> int:
        """New entities in all."""
        return self.new * max(1, len(self.doses))

    @property
    def moments(self) -> tuple[int, ...]:
        """Sentences of fine-tuning after which the model is asked, from 0 on."""
        return (0, *(self.sentences >> i for i in reversed(range(1 if self.doses else DOUBLINGS))))

    @property
    def recovery(self) -> tuple[int, ...]:
        """Old sentences, read again after fine-tuning on new facts alone, after which the model is asked once more."""
        alone = self.tells == "facts" and not self.replay and not self.rank
        return tuple(self.sentences // part for part in (64, 16, 4)) if alone else ()


def cells(config: Config, seed: int) -> Iterator[Work]:
    starts = [Pretraining(Shape(config.layers, width), config.past, seed) for width in config.widths]
    trained = [Work("pretrain", s, config.seeds, cost=_cost(s, config.past.sentences)) for s in starts]
    yield from trained
    for before in trained:
        for way in _ways(config, before.case):
            sentences = way.sentences + max(way.recovery, default=0)
            yield Work("tune", way, config.seeds, after=(before,), cost=4 * _cost(before.case, sentences))


def _cost(start: Pretraining, sentences: int) -> float:
    """About the matrix products of so many sentences; the small batches of fine-tuning take four times that."""
    return sentences * (100.0 + start.shape.width) * start.shape.layers


def _ways(config: Config, start: Pretraining) -> Iterator[Tuning]:
    """Every way in which a model is fine-tuned."""
    training = OnePass(config.tune_batch, config.tune_rate, config.tune_warmup, config.tune_hold)
    base = Tuning(start, "facts", config.examples, config.new, (), 0.0, 0, config.strangers, training)
    yield from (replace(base, replay=share) for share in config.replays)
    yield from (replace(base, rank=rank) for rank in config.ranks)
    told = sum(config.doses) * config.each * len(start.reworded(0).attributes)
    yield replace(base, tells="doses", new=config.each, doses=config.doses, sentences=told)
    yield from (replace(base, tells="format", sentences=config.format_examples, replay=share) for share in (0.0, HALF))


def known(t: Rows[Tuning], asked: str, stage: str = "tuning") -> Truths:
    """Which facts are known, shape (replicates, moments, facts)."""
    right = t.array("right", asked=asked, stage=stage)
    return right.reshape(len(right), len(t.case.moments if stage == "tuning" else t.case.recovery), -1).astype(bool)


def ranks(t: Rows[Tuning], asked: str) -> Ints:
    """The place of the entity of each fact, from 1 (facts,)."""
    return t.where(asked=asked, stage="tuning", sentences=0, replicate=0)["rank"].to_numpy()


def kept(t: Rows[Tuning]) -> Floats:
    """Of the old facts known before, the share that still is, (replicates, moments); nan where none was."""
    return retained(known(t, "old"))


def confidently_wrong(t: Rows[Tuning], asked: str) -> Floats:
    """Share of questions answered wrongly with a confidence above `SURE`, (replicates, moments)."""
    right, confidence = known(t, asked), t.array("confidence", asked=asked, stage="tuning")
    return np.asarray((~right & (confidence.reshape(right.shape) > SURE)).mean(-1))


def known_of_dose(t: Rows[Tuning]) -> Floats:
    """Share of the facts of each dose that is known at the end, (replicates, doses)."""
    told = t.array("told", asked="new", sentences=t.case.sentences)
    return np.stack([np.nanmean(np.where(told == n, known(t, "new")[:, -1], np.nan), -1) for n in t.case.doses], -1)


def dose(t: Rows[Tuning], share: float, known: Floats | None = None) -> Floats:
    """The dose at which a share of the facts is known, in logarithms between doses; nan if none of them shows it.

    `known` (replicates, doses) is what a law has instead of what was measured.
    """
    rows = known_of_dose(t) if known is None else known
    return np.exp([first_reached(share, row, np.log(t.case.doses)) for row in rows])


def kept_at(t: Rows[Tuning], learned: float) -> Floats:
    """The share of old facts kept when this share of the new ones is first known, between moments; nan if it never is."""
    courses = zip(known(t, "new").mean(-1), kept(t), strict=True)
    return np.array([first_reached(learned, new, old) for new, old in courses])


@dataclass(frozen=True, eq=False)
class Size:
    """Models of one width, all that was made of them, and what they can hold."""

    case: Pretraining
    tunings: list[Rows[Tuning]]
    bits: Floats
    """b P of each replicate."""
    parameters: int
    """P."""

    def __str__(self) -> str:
        return str(self.case)

    def told(self, tells: str, replay: float = 0.0, rank: int = 0) -> Rows[Tuning]:
        """How they were told so."""
        wanted = tells, replay, rank
        return next(t for t in self.tunings if (t.case.tells, t.case.replay, t.case.rank) == wanted)

    @property
    def replays(self) -> tuple[float, ...]:
        """Shares of replayed sentences, rising from 0 to 1."""
        return tuple(t.case.replay for t in self.tunings if t.case.tells == "facts" and not t.case.rank)

    @cached_property
    def law(self) -> dict[str, Floats]:
        """Of the best models of so many bits: shares of old facts kept and new ones known, (replicates, replays above 0)."""
        share, new, start = np.array(self.replays[1:]), self.told("facts").case.new, self.case
        worlds = [(start.enlarged(i, new), start.excerpt(i).entities) for i in range(len(self.bits))]
        laws = [forgetting_law(world, bits, share, old) for bits, (world, old) in zip(self.bits, worlds, strict=True)]
        known = [np.where(share < 1, law.new_known, 0.0) for law in laws]
        return {"old": np.array([law.old_facts / law.old_facts_before for law in laws]), "new": np.array(known)}

    @cached_property
    def old(self) -> list[Facts]:
        """What each replicate is told before: it is the exposures that count, however sentences are weighted."""
        excerpts, temper = [self.case.excerpt(i) for i in range(len(self.bits))], self.case.past.temper
        shares = [(excerpt.world.pi, excerpt.weights**temper) for excerpt in excerpts]
        one = np.ones(len(self.case.reworded(0).attributes) * self.case.past.entities)
        return [Facts(np.outer(pi, w / w.sum()).ravel(), one, self.case.past.people.values) for pi, w in shares]

    @cached_property
    def before(self) -> list[MemoryLaw]:
        """The learner's law of each replicate before fine-tuning."""
        n, training = self.case.past.sentences, self.case.past.training
        limit = SPEED * self.case.shape.width * training.steps(n)
        return [memory_law(facts, n, self.parameters, nats=NATS, limit=limit) for facts in self.old]

    def new(self, case: Tuning) -> Facts:
        """What is told later."""
        alike = case.new * len(self.case.reworded(0).attributes)
        told = np.array(case.doses or [case.sentences / alike]) / case.sentences
        return Facts(told, np.full(told.shape, float(alike)), self.case.past.people.values)

    def limit(self, case: Tuning, n: ArrayLike) -> Floats:
        """The strength that nothing can pass after n sentences of it."""
        return np.asarray(SPEED * self.case.shape.width * np.maximum(case.training.steps(n), 1e-9))

    def later(self, t: Rows[Tuning], n: ArrayLike, replay: ArrayLike = 0.0) -> list[Retention]:
        """What it says of each replicate after n sentences so; nothing of it is fitted here."""
        new, limit = self.new(t.case), self.limit(t.case, n)
        return [retention_law(before, new, n, replay, nats=NATS, limit=limit) for before in self.before]

    @cached_property
    def own(self) -> dict[str, Floats]:
        """By the learner's law: shares of old facts kept and new ones known, (replicates, replays)."""
        t = self.told("facts")
        laws = self.later(t, t.case.sentences, self.replays)
        new = [law.new.of("right", law.new.facts.frequency)[..., 0] for law in laws]
        return {"old": np.array([law.kept for law in laws]), "new": np.where(np.array(self.replays) < 1, new, 0.0)}

    @cached_property
    def anew(self) -> Floats:
        """The shares of old facts that it has if nothing of them is left and replay alone tells them, (replicates, replays)."""
        case, found = self.told("facts").case, np.zeros((len(self.bits), len(self.replays)))
        n, new, limit = case.sentences, self.new(case), self.limit(case, case.sentences)
        for i, (old, before) in enumerate(zip(self.old, self.before, strict=True)):
            count, was = np.concatenate([old.count, new.count]), before.of("right", old.frequency)
            for k, r in enumerate(self.replays):
                told = np.concatenate([r * old.frequency, (1 - r) * new.frequency])
                mixed = Facts(told[told > 0], count[told > 0], old.base)
                law = memory_law(mixed, n, self.parameters, nats=NATS, limit=limit)
                found[i, k] = np.average(law.of("right", r * old.frequency), weights=was)
        return found

    @cached_property
    def own_of_dose(self) -> Floats:
        """The same of new facts by dose, (replicates, doses)."""
        t = self.told("doses")
        return np.array([law.new.of("right", law.new.facts.frequency) for law in self.later(t, t.case.sentences)])

    @cached_property
    def own_order(self) -> Floats:
        """By the learner's law Somers' D of frequency and the moment of forgetting without replay; nan where none forgets."""
        t, size = self.told("facts"), self.case.past.entities
        rank, laws = np.repeat(np.arange(1, size + 1), len(QUANTILES)), self.later(t, t.case.moments)
        shares = [law.known(f.frequency.reshape(-1, size).mean(0)) for law, f in zip(laws, self.old, strict=True)]
        return np.array([forgetting_order((x[..., None] > QUANTILES).reshape(len(x), -1), rank) for x in shares])

    @cached_property
    def end(self) -> dict[str, Floats]:
        """Shares of old facts kept and new ones known at the end, (replicates, replays)."""
        runs = [self.told("facts", share) for share in self.replays]
        new = [known(t, "new")[:, -1].mean(-1) for t in runs]
        return {"old": np.stack([kept(t)[:, -1] for t in runs], 1), "new": np.stack(new, 1)}


@lru_cache(maxsize=1)
def sizes(found: Found) -> list[Size]:
    """The models of each width, the smallest first; all hold as many bits per parameter as the smallest before fine-tuning."""
    starts = found.of(Pretraining)
    smallest = starts[0].case
    held = known(found.of(Tuning, start=smallest)[0], "old")[:, 0].sum(-1)
    parameters = [int(start.where(replicate=0)["weight"].list.len().sum()) for start in starts]
    bits = [bits_holding(smallest.enlarged(i, 1), n, smallest.excerpt(i).entities) for i, n in enumerate(held)]
    price = np.array(bits) / parameters[0]
    return [Size(s.case, found.of(Tuning, start=s.case), price * P, P) for s, P in zip(starts, parameters, strict=True)]


SLOPE = within(0.2)  # what an exponent may be off by, as in the acquisition study
NEARLY_ALL = above(0.9)  # a fact is a fact: nearly all of those known come out
ORDERED = above(0.5)  # of two facts the rarer goes first in 75 of 100 cases
NONE = below(0.05)  # a share below which forgetting counts as none
FACTS = "share of facts"


@claim(SLOPE, "log-log slope", LEARNS, "slope of ln(templates' redundancy) on ln(examples), last sixteenfold")
def format_falls_as_one_over_n(size: Size) -> Estimate:
    """{size}: a new format is bought at 1/n."""
    t = size.told("format")
    falls = np.log(np.maximum(t.array("syntax", asked="format")[:, -5:], 1e-9))
    return statistic(lambda mean: slope(t.case.moments[-5:], np.exp(mean)), falls).against(-1.0)


@claim(within_factor(1.5), "ratio", LEARNS, f"examples for {FREE} bits over the law's, n/T; T = {{T:.3g}} at an eighth")
def format_price_predicted(size: Size) -> Estimate:
    """{size}: exposures counted early predict after how many examples the format costs nothing."""
    t, world = size.told("format"), size.case.reworded(0)
    redundancy = t.array("syntax", asked="format")
    exposures = t.case.moments[-4] / format_examples(world, redundancy[:, -4])
    price = [stays_below(FREE, row[1:], t.case.moments[1:]) for row in redundancy]
    return ratio(price, exposures * format_examples(world, FREE)).against(1.0, T=np.exp(np.log(exposures).mean()))


@claim(NEARLY_ALL, "ratio", LEARNS, "facts known in the new format at the end over those known in the old one before")
def transfers(size: Size, replay: float) -> Estimate:
    """{size}, {replay:.0%} replay: facts of entities never asked in the new format come out in it."""
    t = size.told("format", replay)
    others = ranks(t, "old") % 2 == 0
    before, after = known(t, "old")[:, 0, others].sum(-1), known(t, "reworded")[:, -1, others].sum(-1)
    return mean(np.where(before > 0, after / np.maximum(before, 1), np.nan)).against(1.0)


@claim(below(2), "ratio", FORGETS, "exposures at which 90 % of facts told equally often are known over those for 50 %")
def all_or_nothing(size: Size) -> Estimate:
    """{size}: a new fact is bought whole from a number of exposures on, the same for all."""
    return ratio(dose(size.told("doses"), 0.9), dose(size.told("doses"), 0.5)).against(1.0)


@claim(above(1), "ratio", CAPACITY, "ratio of the exposures at which half of the facts are known")
def room_makes_facts_cheap(small: Size, large: Size) -> Estimate:
    """A full model ({small}) needs more exposures for a new fact than one with room ({large})."""
    return ratio(dose(small.told("doses"), 0.5), dose(large.told("doses"), 0.5)).against(None)


@claim(ORDERED, "Somers' D", FORGETS, "of an old fact's frequency and the last moment at which it is known, if before")
def rarest_first(size: Size, replay: float) -> Estimate:
    """{size}, {replay:.0%} replay: the rarest old facts are forgotten first."""
    t = size.told("facts", replay)
    return mean([forgetting_order(old, ranks(t, "old")) for old in known(t, "old")]).against(1.0)


@claim(NONE, FACTS, FORGETS, "old facts forgotten, of those known before; without replay the law promises nothing")
def room_protects(size: Size) -> Estimate:
    """{size}, no replay: a model with room for both writes new facts beside the old ones."""
    return mean(1 - size.end["old"][:, 0]).against(0.0)


@claim(above(0.5), FACTS, f"{PAGE}, What was measured", "of the old facts lost without replay, those known again")
def recovers(size: Size) -> Estimate:
    """{size}: half of what was forgotten is back after {n:,} old sentences ({part:.1%} of pretraining)."""
    t = size.told("facts")
    n = t.case.recovery[1]
    back = relearned(known(t, "old"), known(t, "old", "recovery"))[:, 1]
    return mean(back).against(None, n=n, part=n / size.case.past.sentences)


RMS = "root mean square of mean share less law's, replay from {low:.0%} to {high:.0%}{fixed}"


@claim(below(0.1), FACTS, "{source}", RMS)
def as_the_law_says(size: Size, facts: str, law: str = LAW) -> Estimate:
    """{size}: whatever the share of replay, {happens} as the {law} says."""
    predicted = size.law[facts][:, :-1] if law == LAW else size.own[facts][:, 1:-1]
    words: dict[str, Any] = {"low": size.replays[1], "high": size.replays[-2]}
    words |= {"source": FORGETS, "fixed": ""} if law == LAW else {"source": LEARNER, "fixed": f"; {FIXED}"}
    words["happens"] = "old facts are kept" if facts == "old" else "new facts are learned"
    rms = statistic(lambda mean: np.sqrt(np.mean(mean**2)), size.end[facts][:, 1:-1] - predicted)
    return rms.against(0.0, **words)


@claim(above(0.95), FACTS, FORGETS, "old facts known at the end, of those known before")
def any_replay_protects(size: Size) -> Estimate:
    """{size}: where there is room, {least:.0%} of replay keeps the old facts."""
    return mean(size.end["old"][:, 1]).against(size.law["old"][:, 0].mean(), least=size.replays[1])


@claim(within(0.05), FACTS, LEARNER, f"old facts known at the end, of those known before; {FIXED}")
def keeps_as_the_learner_has_it(size: Size, replay: float) -> Estimate:
    """{size}, {replay:.0%} replay: as many old facts are kept as the learner's law has it."""
    place = size.replays.index(replay)
    return mean(size.end["old"][:, place]).against(size.own["old"][:, place].mean())


@claim(within_factor(2), "ratio", LEARNER, f"exposures at which 90 % of facts are known over those for 50 %; {FIXED}")
def bought_as_the_learner_has_it(size: Size) -> Estimate:
    """{size}: new facts are bought over as wide a range of exposures as the learner's law has it."""
    t = size.told("doses")
    range_of = [dose(t, share, size.own_of_dose) for share in (0.9, 0.5)]
    return ratio(dose(t, 0.9), dose(t, 0.5)).against(np.exp(np.mean(np.log(range_of[0] / range_of[1]))))


@claim(
    within(0.5), "Somers' D", LEARNER, f"of an old fact's frequency and the last moment at which it is known; {FIXED}"
)
def ordered_as_the_learner_has_it(size: Size) -> Estimate:
    """{size}, no replay: old facts are forgotten as much by frequency as the learner's law has it."""
    t = size.told("facts")
    return mean([forgetting_order(old, ranks(t, "old")) for old in known(t, "old")]).against(size.own_order.mean())


@claim(above(0), FACTS, BIDERMAN, "new facts known: all weights less LoRA, mean over all moments")
def lora_learns_less(size: Size, rank: int) -> Estimate:
    """{size}: LoRA of rank {rank} learns less than fine-tuning of all weights, in as many steps at the same rate."""
    whole, lora = (known(size.told("facts", rank=r), "new")[:, 1:].mean(-1) for r in (0, rank))
    return mean((whole - lora).mean(-1))


@claim(above(0), FACTS, BIDERMAN, "old facts kept: LoRA less all weights, mean over all moments")
def lora_forgets_less(size: Size, rank: int) -> Estimate:
    """{size}: LoRA of rank {rank} forgets less than fine-tuning of all weights, in as many steps at the same rate."""
    whole, lora = (kept(size.told("facts", rank=r))[:, 1:] for r in (0, rank))
    return mean((lora - whole).mean(-1))


@claim(above(0), FACTS, BIDERMAN, "old facts kept when half of the new ones are known: LoRA less all weights")
def lora_keeps_more_for_what_it_learns(size: Size, rank: int) -> Estimate:
    """{size}: LoRA of rank {rank} forgets less than all weights by the time it has learned as much."""
    whole, lora = (kept_at(size.told("facts", rank=r), 0.5) for r in (0, rank))
    return mean(lora - whole)


@claim(above(0), "share of questions", GEKHMAN, "confidently wrong (> 0.5): after new facts less after as many old")
def invented(size: Size, asked: str) -> Estimate:
    """{size}: fine-tuning on unknown facts makes a model confidently wrong about {about}."""
    alone, control = (confidently_wrong(size.told("facts", share), asked)[:, -1] for share in (0.0, 1.0))
    return mean(alone - control).against(0.0, about="old facts" if asked == "old" else "facts that nobody ever told")


def claims(found: Found) -> Iterator[Claim]:
    groups = sizes(found)
    first, last = groups[0], groups[-1]
    yield from (judged(s) for s in groups for judged in (format_falls_as_one_over_n, format_price_predicted))
    yield from (transfers(last, replay) for replay in (0.0, HALF))
    yield from (judged(s) for s in (first, last) for judged in (all_or_nothing, bought_as_the_learner_has_it))
    yield room_makes_facts_cheap(first, last)
    yield from (rarest_first(size, replay) for size in groups for replay in (0.0, size.replays[-2]))
    yield from (ordered_as_the_learner_has_it(size) for size in groups if np.isfinite(size.own_order).all())
    yield room_protects(last)
    yield keeps_as_the_learner_has_it(last, 0.0)
    yield from map(recovers, (first, last))
    yield from (as_the_law_says(s, facts, law) for s in groups for facts in ("old", "new") for law in (LAW, OWN))
    yield any_replay_protects(last)
    yield keeps_as_the_learner_has_it(last, last.replays[1])
    for rank in (t.case.rank for t in last.tunings if t.case.rank):
        yield from (lora_learns_less(last, rank), lora_forgets_less(last, rank))
        yield lora_keeps_more_for_what_it_learns(last, rank)
    yield from (judged for s in (first, last) for judged in (invented(s, "stranger"), invented(s, "old")))


BAYES, MODEL, BEFORE, AFTER, ALL = "Bayes code", "transformer", "before fine-tuning", "after", "all weights"


def forgetting(size: Size) -> Iterator[pl.DataFrame]:
    """Share of all old facts that is known, by the rank of their entity (1: the most frequent), after so many sentences about
    new entities, without replay. Sentences 0: before fine-tuning. A row holds the ranks from first to last.
    """
    t, most = size.told("facts"), size.case.past.entities
    steps = 2.0 ** np.arange(int(np.log2(most)) + 1)
    edges = np.r_[steps[steps <= 0.75 * most], most + 1.0]  # no bin is narrower than a third of the one before
    which, old = np.digitize(ranks(t, "old"), edges) - 1, known(t, "old")
    share = np.stack([old[..., which == b].mean(-1) for b in range(len(edges) - 1)], -1)
    x = {"rank": np.sqrt(edges[:-1] * (edges[1:] - 1)), "first": edges[:-1], "last": edges[1:] - 1}
    for i, n in enumerate(t.case.moments):
        series = f"{n} sentences" if n else "before"
        yield curve(x, {"known": share[:, i]}, model=str(size), series=series, sentences=n)


def recovery(size: Size) -> Iterator[pl.DataFrame]:
    """Share of all old facts that is known when the old sentences are read again after fine-tuning without replay, and before
    fine-tuning. Place is where the sentences stand on a log axis: none at half of the first moment.
    """
    t = size.told("facts")
    n, old = np.array([0, *t.case.recovery]), known(t, "old").mean(-1)
    again = np.c_[old[:, -1], known(t, "old", "recovery").mean(-1)]
    series = {BEFORE: np.repeat(old[:, :1], len(n), 1), AFTER: again}
    yield curves({"sentences": n, "place": np.maximum(n, n[1] / 2)}, "known", series, model=str(size))


def frontier(size: Size) -> Iterator[pl.DataFrame]:
    """After so many sentences of fine-tuning: share of the new facts that is known, and of the old facts known before the share
    that still is. Law: the best model of the measured capacity, trained to the end; without replay it promises nothing.
    Learner's law: a memory that is solved, nothing fitted here.
    """
    for t in (t for t in size.tunings if t.case.tells == "facts"):
        y = {"kept": kept(t), "new": known(t, "new").mean(-1)}
        way = f"LoRA, rank {t.case.rank}" if t.case.rank else ALL
        yield curve({"sentences": t.case.moments}, y, model=str(size), way=way, replay=t.case.replay)
    law = {"kept": size.law["old"], "new": size.law["new"]}
    yield curve({"replay": size.replays[1:]}, law, model=str(size), way=LAW)
    yield curve({"replay": size.replays}, {"kept": size.own["old"], "new": size.own["new"]}, model=str(size), way=OWN)


def by_replay(size: Size) -> Iterator[pl.DataFrame]:
    """At the end of fine-tuning, by the share of replayed sentences: old facts that are kept, of those known before, and new
    facts that are known. Law: the best model of the measured capacity, trained to the end. Learner's law: a memory that is
    solved, nothing fitted here; begun anew: the same if nothing of the old facts is left and replay alone tells them.
    """
    for key, facts in (("old", "old facts kept"), ("new", "new facts known")):
        labels: dict[str, Any] = {"model": str(size), "facts": facts}
        yield curve({"replay": size.replays[1:]}, {"known": size.law[key]}, series=LAW, **labels)
        yield curve({"replay": size.replays}, {"known": size.own[key]}, series=OWN, **labels)
        if key == "old":
            yield curve({"replay": size.replays}, {"known": size.anew}, series=ANEW, **labels)
        yield curve({"replay": size.replays}, {"known": size.end[key]}, series=MODEL, **labels)


def new_format(size: Size) -> Iterator[pl.DataFrame]:
    """Fine-tuning on old facts in a new format: bits that its templates cost beyond their entropy, per sentence about entities
    of which no example speaks. Bayes code: the best learner, about (templates - 1) / (2 n ln 2) for each attribute. With
    replay both formats are told, and which one comes is 1 bit at a half.
    """
    for t in (size.told("format", replay) for replay in (0.0, HALF)):
        bayes = finetuning_law(size.case.reworded(0), t.case.moments).syntax
        series = {BAYES: bayes, MODEL: t.array("syntax", asked="format")}
        yield curves({"sentences": t.case.moments}, "redundancy", series, model=str(size), replay=t.case.replay)


def either_format(size: Size) -> Iterator[pl.DataFrame]:
    """Fine-tuning on old facts in a new format: share of facts known in the new format and in the old one. Practised: examples
    speak of the entity; others: they do not, so that the model has to put together the new format and a fact that it was told
    in the old one.
    """
    for t in (size.told("format", replay) for replay in (0.0, HALF)):
        x = {"sentences": t.case.moments}
        for key, words in (("reworded", "new format"), ("old", "old format")):
            odd, heard = ranks(t, key) % 2 == 1, known(t, key)
            series = {"practised": heard[..., odd].mean(-1), "others": heard[..., ~odd].mean(-1)}
            yield curves(x, "known", series, model=str(size), asked=words, replay=t.case.replay)


def by_dose(size: Size) -> Iterator[pl.DataFrame]:
    """Share of new facts known at the end of fine-tuning in which each was told exactly so often, in random order. Learner's
    law: a memory that is solved, nothing fitted here.
    """
    t = size.told("doses")
    yield curves({"told": t.case.doses}, "known", {OWN: size.own_of_dose, MODEL: known_of_dose(t)}, model=str(size))


def wrong(size: Size) -> Iterator[pl.DataFrame]:
    """Share of questions answered wrongly with a confidence above 0.5, before fine-tuning and at its end, by what was asked and
    by the share of replayed sentences (1: nothing but old ones); and the share of new facts known. Stranger: an entity that
    nobody ever told of; a calibrated model would never be sure.
    """
    runs = [size.told("facts", share) for share in size.replays]
    for key, words in (("stranger", "asked about strangers"), ("old", "asked for old facts")):
        for series, moment in ((BEFORE, 0), (AFTER, -1)):
            sure = np.stack([confidently_wrong(t, key)[:, moment] for t in runs], 1)
            new = np.stack([known(t, "new")[:, moment].mean(-1) for t in runs], 1)
            labels: dict[str, Any] = {"model": str(size), "asked": words, "series": series}
            yield curve({"replay": size.replays}, {"wrong": sure, "new facts known": new}, **labels)


TABLES = {
    "forgetting": ("Old facts by frequency", forgetting),
    "recovery": ("Old facts taught again", recovery),
    "frontier": ("Old facts kept and new facts learned", frontier),
    "replay": ("Facts by share of replay", by_replay),
    "format": ("A new format", new_format),
    "transfer": ("Old facts in either format", either_format),
    "doses": ("New facts by how often they are told", by_dose),
    "wrong": ("Confident wrong answers", wrong),
}
"""The title of each table and the function that makes its curves, whose doc string is the caption."""


def tables(found: Found) -> Iterator[Table]:
    for name, (title, rows) in TABLES.items():
        caption = " ".join(f"{getdoc(rows)} Low and high: lowest and highest replicate.".split())
        yield Table(name, title, pl.concat([c for s in sizes(found) for c in rows(s)], how="diagonal"), caption)


WHOLE = (-0.02, 1.02)  # all shares, with room for points at the ends
linear = partial(Axis, unit="", log=False, domain=WHOLE)
REPLAY, WRONG = linear("replay", "share of replay"), linear("wrong", "share wrong")
OLD, KNOWN = linear("known", "share of old facts known"), linear("known", "share known")
KEPT, LEARNED = linear("kept", "old facts kept"), linear("new", "new facts known")
EXAMPLES, BITS = Axis("sentences", "sentences of fine-tuning"), Axis("redundancy", "redundancy", "bits per sentence")
RANK, TOLD = Axis("rank", "rank of the entity"), Axis("told", "times told")
AGAIN = Axis("place", "sentences read again")

KINDS: dict[str, Kind] = {
    LAW: "theory",
    OWN: "theory",
    ANEW: "asymptote",
    BAYES: "theory",
    BEFORE: "asymptote",
    AFTER: "learner",
    MODEL: "learner",
}
CIRCLES: dict[str, Kind] = {
    LAW: "simulation",
    OWN: "simulation",
    ALL: "learner",
}  # a line through equal points could not be seen

DRAWN = ((moment := pl.col("sentences").rank("dense")) == 1) | (moment % 2 == 0)  # before; then fourfold each
AT_END = pl.col("way").is_in([LAW, OWN]) | (pl.col("way") == ALL) & (pl.col("sentences") == pl.col("sentences").max())
FORMAT = (pl.col("sentences") > 0) & (pl.col("replay") == 0)
REWORDED = (pl.col("sentences") > 0) & (pl.col("asked") == "new format")
WAYS = (pl.col("replay") == 0) & ~pl.col("way").is_in([LAW, OWN])

SAYS = {
    "forgetting": ("What is forgotten, by frequency", "Old facts, after so many sentences about new entities only."),
    "frontier": ("The replay frontier", "What is given and what is taken, from no replay (bottom) to half (top)."),
    "replay": (
        "What a share of replay keeps",
        "Transformers lie between a memory that keeps what it had and one begun anew.",
    ),
    "recovery": ("What comes back", "Old sentences are read again; the first point is before them."),
    "format": ("The price of a format", "The best learner buys a format at 1/n."),
    "transfer": ("Old facts in the new format", "Of others no example speaks: format and fact must be put together."),
    "doses": ("New facts by exposures", "How many new facts are known, by how often they were told."),
    "lora": ("All weights or LoRA", "From the top left, before fine-tuning, each point is twice as many sentences."),
    "wrong": ("Confident and wrong", "A calibrated model would never be sure about a stranger."),
}
"""The title and the caption of each figure."""


def _figure(name: str, table: str, x: Axis, y: Axis, kinds: dict[str, Kind] | Kind, **more: Any) -> Figure:
    """A panel for each size."""
    title, caption = SAYS[name]
    return Figure(name, title, table, x, y, kinds, caption=caption, **{"columns": "model", **more})


FIGURES = (
    _figure("forgetting", "forgetting", RANK, OLD, "learner", shown=DRAWN),
    _figure("frontier", "frontier", LEARNED, KEPT, CIRCLES, series="way", shown=AT_END & (pl.col("replay") < 1)),
    _figure("replay", "replay", REPLAY, KNOWN, KINDS, rows="facts"),
    _figure("recovery", "recovery", AGAIN, OLD, KINDS),
    _figure("format", "format", EXAMPLES, BITS, KINDS, shown=FORMAT),
    _figure("transfer", "transfer", EXAMPLES, KNOWN, "learner", rows="replay", shown=REWORDED),
    _figure("doses", "doses", TOLD, KNOWN, KINDS),
    _figure("lora", "frontier", LEARNED, KEPT, "learner", series="way", shown=WAYS),
    _figure("wrong", "wrong", REPLAY, WRONG, KINDS, rows="asked"),
)


def summary(found: Found) -> str:
    groups = sizes(found)
    before = "; ".join(f"{size} {known(size.told('facts'), 'old')[:, 0].mean(-1).mean():.0%}" for size in groups)
    return (
        f"Models are trained once on {groups[0].case.past.entities} entities and know then, of all facts: {before}. Each is "
        "then fine-tuned: on a new format of the same facts; on new facts, each told so and so often; on new facts with more "
        "or less replay of the old sentences; with all weights or with LoRA. On the way it is asked for old facts, for new "
        "ones, and for facts that nobody ever told. Theory: a format is bought at 1/n; new facts are bought whole, and "
        "where there is no room they displace the rarest old ones; replay keeps what is worth it; nothing is made up."
    )
