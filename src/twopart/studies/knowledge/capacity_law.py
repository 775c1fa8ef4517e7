"""How does redundancy fall with parameters, and which facts does a model of each size hold?

Small transformers are trained to convergence on the most frequent entities of a world and asked every fact. One number is
fitted, the bits per parameter b: a model of P parameters is held against the best model of C = b P bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Annotated

import numpy as np
import polars as pl
from scipy.optimize import isotonic_regression

from twopart._arguments import Floats
from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, above, below, claim, curve, exact, statistic, within, within_factor
from twopart.findings import Claim, Table
from twopart.fits import MISSING, Octaves, bought, slope
from twopart.laws import CapacityLaw, capacity_law
from twopart.report import Axis, Figure, at_most
from twopart.settings import at_least, between, distinct, every, rising, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import Converge, ladder
from twopart.worlds import Biographies, KnownEntities, PitmanYor, SyntaxKnowledge

STUDY, TITLE = "capacity-law", "The capacity law"
LAW = "docs/laws/capacity.md"
PAPER = f"Pan, Wang, Li 2025, arXiv 2504.09597; {LAW}"
CAPACITY = "Allen-Zhu, Li 2024, arXiv 2404.05405, result 1"

CEILING = 2.0  # bits of knowledge per parameter that language models of 10^6 to 10^9 parameters reach (CAPACITY)
TRIED = Octaves(-8.0, 4.0, 480)  # bits per parameter, 1/256 to 16
SHARES = {"quarter": 0.25, "half": 0.5, "three quarters": 0.75}
RUNGS = rising(6).because("2 4 8 16 32 64 spans two decades of parameters"), ladder[1]
WORLDS = distinct(1), every(between(0, 1, "()").because("0.5 is near what text shows"))
UPDATES = "it takes thousands of updates to converge"


@settings
class Lesson:
    """What every model is told."""

    entities: Annotated[int, between(50, 2**22), "Most frequent entities, more than the largest model can hold."] = 2000
    sentences: Annotated[int, at_least(10).because(UPDATES), "Sentences that each model reads at least."] = 1_000_000
    per_parameter: Annotated[int, at_least(0), "Sentences that it reads for each parameter, if that is more."] = 0
    temper: Annotated[float, between(0, 1), "Entities are drawn as p^temper, and weighted back."] = 0.5


@settings
class Config:
    """The capacity law: what a model of so many parameters can hold of a world, and which of it, predicted and measured."""

    discounts: Annotated[tuple[float, ...], *WORLDS, "Discounts, the main one first."] = (0.5, 0.6, 0.7)
    widths: Annotated[tuple[int, ...], *RUNGS, "Widths of the main ladder."] = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
    other_widths: Annotated[tuple[int, ...], *RUNGS, "Widths in the other worlds."] = (2, 4, 8, 16, 32, 64)
    replicates: Annotated[int, at_least(1), "Worlds of the main discount, each with a ladder of its own."] = 1
    layers: Annotated[int, at_least(1), "Layers of the transformers."] = 1
    lesson: Lesson = Lesson()
    people: Biographies = Biographies()
    training: Converge = Converge()

    def __post_init__(self) -> None:
        batch, read, templates = self.training.batch, self.lesson.sentences, self.people.templates
        check(read >= 10 * batch, "sentences", read, f"at least 10 batches of {batch}", UPDATES)
        check(templates >= 2, "templates", templates, "a whole number >= 2", "8 leaves some syntax to learn")


FEW = 2, 4, 6, 8, 12, 16
PRESETS = {
    "tiny": Config((0.5, 0.7), FEW, FEW, 1, 1, Lesson(60, 800), Biographies(16, 4), Converge(64, warmup=5)),
    "small": Config(),
    "full": Config(
        (0.5, 0.4, 0.6, 0.7, 0.8), widths=(2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256),
        other_widths=(2, 4, 8, 16, 32, 64, 128, 256), replicates=3,
        lesson=Lesson(50_000, 10_000_000, per_parameter=100), training=Converge(2048, warmup=300),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Train:
    """A rung: a model, and the world that it is told of."""

    discount: float
    width: int
    halved: bool
    """Whether it reads half as many sentences, its schedule run to its end."""
    layers: int
    lesson: Lesson
    people: Biographies
    training: Converge
    seed: int

    def __str__(self) -> str:
        return f"d = {self.discount:g}, width {self.width}" + (", half the training" if self.halved else "")

    def world(self, replicate: int = 0) -> SyntaxKnowledge:
        return self.people.world(self.discount, world_seed(self.seed, STUDY, f"{self.discount:g}", replicate))


def cells(config: Config, seed: int) -> Iterator[Work]:
    """Every rung of every ladder, the main one's first; three of the main one halved, in one world."""
    shared = (False, config.layers, config.lesson, config.people, config.training, seed)
    main = [Train(config.discounts[0], width, *shared) for width in config.widths]
    others = [Train(discount, width, *shared) for discount in config.discounts[1:] for width in config.other_widths]
    halves = [replace(case, halved=True) for case in (main[0], main[len(main) // 2], main[-1])]
    for case in (*main, *others, *halves):
        worlds = config.replicates if case in main else 1
        read = max(config.lesson.sentences, config.lesson.per_parameter * 12 * case.width**2) / (1 + case.halved)
        yield Work("train_model", case, worlds, cost=(1000 + case.width**2) * read)


@dataclass(frozen=True, eq=False)
class Ladder:
    """The models of one discount. Whatever is estimated is a function of weights on them: resampling models is weighting."""

    rungs: tuple[Rows[Train], ...]
    """By size."""

    def __str__(self) -> str:
        return f"d = {self.rungs[0].case.discount:g}"

    @cached_property
    def models(self) -> pl.DataFrame:
        """One row for each model, by replicate and by size: what it was found to know."""
        return pl.DataFrame([row for t in self.rungs for row in examined(t)]).sort("replicate", maintain_order=True)

    def of(self, column: str) -> Floats:
        """A number of each model."""
        return self.models[column].cast(pl.Float64).to_numpy()

    def by_replicate(self, numbers: Floats) -> Floats:
        """Numbers of each model as shape (replicates, sizes)."""
        return numbers.reshape(-1, len(self.rungs))

    @property
    def sizes(self) -> Floats:
        """Parameters of each rung."""
        return self.of("parameters")[: len(self.rungs)]

    @cached_property
    def worlds(self) -> list[tuple[SyntaxKnowledge, KnownEntities]]:
        """Each replicate's world, and those of its entities that were told."""
        t = self.rungs[0]
        worlds = ((t.case.world(i), weights) for i, weights in enumerate(t.array("weight")))
        return [(w, KnownEntities(weights, PitmanYor(w.discount, w.concentration))) for w, weights in worlds]

    def law(self, replicate: int, bits: Floats) -> CapacityLaw:
        """The law in this very world."""
        world, told = self.worlds[replicate]
        return capacity_law(world, bits, told)

    @cached_property
    def redundancy(self) -> Floats:
        """Measured, bits per sentence; at least the smallest number that has a logarithm."""
        return np.maximum(self.of("redundancy"), 1e-300)

    @cached_property
    def beyond(self) -> Floats:
        """log2(measured / predicted redundancy) of each model at each of `TRIED`, shape (models, octaves)."""
        sizes, step = np.log2(self.sizes), TRIED.fine[1] - TRIED.fine[0]
        grid = np.arange(sizes[0] + TRIED.low, sizes[-1] + TRIED.high + step, step)
        laws = (np.log2(self.law(i, 2**grid).total) for i in range(len(self.worlds)))
        predicted = np.array([np.interp(x + TRIED.fine, grid, law) for law in laws for x in sizes])
        return np.asarray(np.log2(self.redundancy)[:, None] - predicted)

    def octave(self, weights: Floats) -> float:
        """log2 b by weighted least squares on log2 redundancy."""
        return TRIED.lowest(weights @ self.beyond**2)

    def left(self, weights: Floats) -> Floats:
        """log2(measured / predicted redundancy) of each model, b fitted to these weights."""
        octave = self.octave(weights)
        return np.array([np.interp(octave, TRIED.fine, each) for each in self.beyond])

    def estimate(self, of_weights: Callable[[Floats], float]) -> Estimate:
        """A function of weights on the models, with its bootstrap interval: how much hangs on which sizes were trained."""
        return statistic(of_weights, np.eye(len(self.models)), over="models")

    @cached_property
    def bits_per_parameter(self) -> Estimate:
        """b."""
        return self.estimate(lambda weights: self.octave(weights) * np.log(2)).exp()

    @cached_property
    def fitted(self) -> pl.DataFrame:
        """What the law has for each model at the fitted bits per parameter; the rank is a mean over attributes."""
        parts = []
        for i, bits in enumerate(self.by_replicate(self.bits_per_parameter.value * self.of("parameters"))):
            law, attributes = self.law(i, bits), len(self.worlds[i][0].attributes)
            columns = {"law": law.total, "value, law": law.value, "syntax, law": law.syntax}
            columns |= {"stored, law": law.fact_bits, "half held, law": law.facts / attributes}
            parts.append(pl.DataFrame(columns))
        return pl.concat(parts)

    @cached_property
    def curve(self) -> tuple[Floats, CapacityLaw]:
        """The law over the range of sizes, in the world of the first replicate: (parameters, law)."""
        fine = np.geomspace(self.sizes[0], self.sizes[-1], 121)
        return fine, self.law(0, self.bits_per_parameter.value * fine)

    def ratio(self, ranks: Floats, to: Floats) -> Estimate:
        """Geometric mean over models of a ratio of ranks; no rank counts as half a rank."""
        logs = np.log(np.maximum(ranks, 0.5)) - np.log(np.maximum(to, 0.5))
        return self.estimate(lambda weights: float(weights @ logs)).exp().against(1.0)


def examined(t: Rows[Train]) -> Iterator[dict[str, object]]:
    """What the model of each replicate was found to know: bits per sentence, bits of all facts, and ranks."""
    for i, frame in enumerate(t.frame.partition_by("replicate", maintain_order=True)):
        world, told = t.case.world(i), frame["weight"].to_numpy()
        value, syntax = told @ frame["value"].to_numpy(), told @ frame["syntax"].to_numpy() - world.syntax_entropy
        templates = np.log2([a.templates for a in world.attributes]) - world.template_entropies
        falling = isotonic_regression(held(world, frame), increasing=False).x
        yield {
            "replicate": i,
            "width": t.case.width,
            **frame.select("parameters", "sentences").row(0, named=True),
            "redundancy": value + syntax,
            "value": value,
            "value, nothing known": world.pi @ [a.entropy() for a in world.attributes],
            "syntax": syntax,
            "syntax, nothing known": world.pi @ templates,
            "stored": frame["stored"].sum(),
            "stored by chance": frame["chance"].sum(),
            "stored, not floored": frame["gained"].sum(),
            **{f"{name} held at rank": float(np.sum(falling >= share)) for name, share in SHARES.items()},
        }


def held(world: SyntaxKnowledge, frame: pl.DataFrame) -> Floats:
    """What part of the bits of each entity's facts is known, less chance, by rank."""
    return np.asarray((frame["stored"] - frame["chance"]).to_numpy() / sum(a.entropy() for a in world.attributes))


@lru_cache(maxsize=1)
def ladders(found: Found) -> list[Ladder]:
    """Those of the main discount and of the others; kept, for all that follows uses their fits."""
    return [Ladder(tuple(found.of(Train, halved=False, discount=d))) for d in found.config.discounts]


def halves(found: Found) -> pl.DataFrame:
    """Models of the first replicate trained on half as many sentences, beside those that read all."""
    half = pl.DataFrame([row for t in found.of(Train, halved=True) for row in examined(t)])
    pairs = half.select("replicate", "width", half="redundancy").join(ladders(found)[0].models, ["replicate", "width"])
    bits = pl.col("half").alias("after half"), pl.col("redundancy").alias("after all")
    return pairs.select("parameters", "sentences", *bits, ratio=pl.col("half") / pl.col("redundancy"))


SLOPE = "slope of ln redundancy on ln parameters, and of the law's at the same sizes; the interval is of the difference"
COUNTED = "stored is h + log2 p(correct value) of each fact, at least 0, less the same for a wrong value"
RANKED = "geometric mean over models; ranks by isotonic regression of the share held, less chance"
BOUGHT = (
    f"parameters at which {MISSING:.0%} of the knowledge is missing, as a part of what an ignorant model pays, over those for "
    "syntax; between sizes interpolated in logarithms, the end where all models lie on one side"
)
HALVED = "redundancy after a whole run of half as many sentences over that after all, largest of {sizes} parameters"


# a quarter of an octave is a factor of 1.19
@claim(below(0.25), "octaves", LAW, "root mean square over models of log2(measured / predicted redundancy)")
def follows_the_law(t: Ladder) -> Estimate:
    """{t}: redundancy against parameters is the capacity law's curve with one fitted number."""
    return t.estimate(lambda weights: float(np.sqrt(weights @ t.left(weights) ** 2))).against(0.0)


@claim(within(0.1), "log-log slope", PAPER, SLOPE)  # as in the data-law study
def exponent(t: Ladder) -> Estimate:
    """{t}: redundancy falls with parameters as fast as the exact law does over these sizes."""
    beyond = t.estimate(lambda weights: slope(t.of("parameters"), 2 ** t.left(weights), weights))
    law = slope(t.of("parameters"), t.redundancy) - beyond.value
    return beyond.plus(law).against(law)


@claim(below(CEILING), "bits per parameter", CAPACITY, "b by least squares on log2 redundancy, the only number fitted")
def bits_per_parameter(t: Ladder) -> Estimate:
    """{t}: a parameter holds no more than the 2 bits that larger language models reach."""
    return t.bits_per_parameter.against(CEILING)


@claim(within(0.1), "log-log slope", CAPACITY, f"slope of ln stored bits on ln parameters; {COUNTED}")
def proportional(t: Ladder) -> Estimate:
    """{t}: stored bits of facts grow with parameters as the law's: in proportion, but for syntax."""
    x, known = t.of("parameters"), np.maximum(t.of("stored") - t.of("stored by chance"), 1e-300)
    return t.estimate(lambda weights: slope(x, known, weights)).against(slope(x, t.fitted["stored, law"]))


@claim(within_factor(1.25), "ratio", LAW, f"rank at which half of the bits are held over the law's, {RANKED}")
def threshold(t: Ladder) -> Estimate:
    """{t}: facts are held down to the rank that the law names."""
    return t.ratio(t.of("half held at rank"), t.fitted["half held, law"].to_numpy())


@claim(below(2.0), "ratio", PAPER, f"rank at which a quarter is held over that of three quarters, {RANKED}")
def sharp(t: Ladder) -> Estimate:
    """{t}: the threshold is sharp: frequent facts are held whole, the others not at all."""
    return t.ratio(t.of("quarter held at rank"), t.of("three quarters held at rank"))


@claim(above(1), "ratio", PAPER, BOUGHT)
def syntax_first(t: Ladder) -> Estimate:
    """{t}: syntax is bought first: knowledge needs a larger model."""

    def delay(models: pl.DataFrame, suffix: str) -> float:
        parts = (models[role + suffix] / t.models[f"{role}, nothing known"] for role in ("value", "syntax"))
        value, syntax = (bought(t.sizes, t.by_replicate(part.to_numpy()).mean(0)) for part in parts)
        return value / syntax

    return exact(delay(t.models, "")).against(delay(t.fitted, ", law"))


@claim(below(1.25), "ratio", LAW, "largest over smallest bits per parameter, the interval from the two ends of theirs")
def one_number(ladders: Sequence[Ladder]) -> Estimate:
    """Bits per parameter are the learner's own: the same in worlds of different discounts."""
    least, *_, most = sorted((t.bits_per_parameter for t in ladders), key=lambda b: b.value)
    ends = max(1.0, most.ends[0] / least.ends[1]), most.ends[1] / least.ends[0]
    return Estimate(most.value / least.value, ends, over="models").against(1.0)


@claim(below(1.1), "ratio", f"{LAW}, What was measured", HALVED)
def converged(halves: pl.DataFrame) -> Estimate:
    """The models are trained to convergence: twice the training hardly lowers their redundancy."""
    return exact(max(halves["ratio"])).against(1.0, sizes=", ".join(f"{size:,}" for size in halves["parameters"]))


def claims(found: Found) -> Iterator[Claim]:
    for judged in (follows_the_law, exponent, bits_per_parameter, proportional, threshold, sharp, syntax_first):
        yield from map(judged, ladders(found))
    if len(ladders(found)) > 1:
        yield one_number(ladders(found))
    yield converged(halves(found))


MODELS = (
    "Redundancy in bits per sentence beyond those of a reader who knows the world and the name; law: of the best model of "
    "(bits per parameter) x parameters bits. Stored: bits of facts, h + log2 p(correct value) and at least 0, summed. By "
    "chance: the same with a wrong value in the correct one's place; the difference is what the model knows. Not floored: "
    "without 'at least 0'. Ranks: entities down to which half (a quarter, three quarters) of the bits are held. Nothing known: "
    "what a model pays that knows no fact, or no template's probability."
)
CURVES = (
    "Bits per sentence that models of each size pay beyond a reader who knows the world. Law: the exact curve of the best "
    "model of (bits per parameter) x parameters bits, the only number fitted, in the first replicate's world. Transformer: "
    "mean, lowest and highest replicate."
)
BITS = (
    "Bits of facts that a model holds, and for each of its parameters: counted fact by fact, h + log2 p(correct value) and at "
    "least 0; 'less chance' subtracts the same for a wrong value, which ignorance scores too. Law: what the best model spends."
)
RANKS = (
    "Part of the bits of an entity's facts that is held, less chance, averaged over ranks from first to last; rank 1 is the "
    "most frequent entity. Law: 1 above the threshold, 0 below. World of the first replicate."
)
HALF = "Redundancy in bits per sentence after a whole run of half as many sentences, and after one of all."


def tables(found: Found) -> Iterator[Table]:
    models = (t.models.select(pl.lit(str(t)).alias("world"), pl.all()).hstack(t.fitted) for t in ladders(found))
    curves, bits, ranks = (pl.concat(map(part, ladders(found))) for part in (_curves, _bits, _ranks))
    yield Table("models", "Models of all sizes", pl.concat(models), MODELS)
    yield Table("curves", "The law at the fitted bits per parameter, and the models", curves, CURVES)
    yield Table("bits", "Bits that a parameter holds", bits, BITS)
    yield Table("ranks", "What is held, by rank of the entity", ranks, RANKS)
    yield Table("convergence", "Half of the training", halves(found), HALF)


def _curves(t: Ladder) -> pl.DataFrame:
    """Redundancy by parameters."""
    sizes, law = t.curve
    exact = {"redundancy": law.total, "value": law.value, "syntax": law.syntax}
    asked = {role: t.by_replicate(t.of(role)) for role in exact}
    series = (("law", sizes, exact), ("transformer", t.sizes, asked))
    return pl.concat(curve({"parameters": x}, y, world=str(t), series=name) for name, x, y in series)


def _bits(t: Ladder) -> pl.DataFrame:
    """Bits of facts by parameters."""
    (sizes, law), stored, lucky = t.curve, t.of("stored"), t.of("stored by chance")
    series = (
        ("law", sizes, law.fact_bits),
        ("transformer, less chance", t.sizes, t.by_replicate(stored - lucky)),
        ("transformer, as counted", t.sizes, t.by_replicate(stored)),
    )
    columns = ((name, x, {"bits per parameter": y / x, "bits of facts": y}) for name, x, y in series)
    return pl.concat(curve({"parameters": x}, y, world=str(t), series=name) for name, x, y in columns)


def _ranks(t: Ladder) -> pl.DataFrame:
    """What models of the first replicate hold, by bins of ranks, two to a doubling, and what the law would have them hold."""
    world, told = t.worlds[0]
    entities, parts = len(told.weights), []
    halves = np.arange(int(np.log2(entities) * 2) + 1) / 2
    edges = np.unique(np.r_[np.round(2**halves), entities + 1]).astype(np.int64)
    x = {"rank": np.sqrt(edges[:-1] * (edges[1:] - 1)), "first": edges[:-1], "last": edges[1:] - 1}
    for rung, law in zip(t.rungs, t.fitted["half held, law"], strict=False):
        shares = {"law": np.arange(entities) < round(law), "transformer": held(world, rung.where(replicate=0))}
        for name, share in shares.items():
            mean = {"held": np.add.reduceat(share * 1.0, edges[:-1] - 1) / np.diff(edges)}
            parts.append(curve(x, mean, world=str(t), parameters=rung.frame["parameters"][0], series=name))
    return pl.concat(parts)


by_size = partial(Figure, x=Axis("parameters", "parameters"), columns="world")
FIGURES = (
    by_size("capacity-law", "The capacity law: theory and transformers", "curves",
            y=Axis("redundancy", "redundancy per sentence", "bits"), kinds={"law": "theory", "transformer": "learner"},
            caption="What models of each size pay, beside the law with one number fitted, the bits that a parameter holds."),
    by_size("bits-per-parameter", "Bits that a parameter holds", "bits", y=Axis("bits per parameter", "bits per parameter"),
            kinds={"law": "theory", "transformer, less chance": "learner", "transformer, as counted": "simulation"},
            caption="What models hold per parameter, less chance and as counted, beside what the best model spends on facts."),
    Figure("ranks", "Which facts are held", "ranks", x=Axis("rank", "rank of the entity"),
           y=Axis("held", "part of the bits held", log=False), kinds={"law": "theory", "transformer": "learner"},
           columns="parameters", shown=(pl.col("world") == pl.col("world").first()) & at_most(5, "parameters"),
           caption="The law holds every fact down to a rank and none beyond it; models should do so too, one panel a size."),
)  # fmt: skip


def summary(found: Found) -> str:
    fitted = "; ".join(f"{t.bits_per_parameter.value:.2f} at {t}" for t in ladders(found))
    return (
        "What can a model of so many parameters hold of a world, and which of it? Theory answers exactly for the best model "
        "of so many bits: first syntax, then facts in the order of their frequency, down to a sharp threshold. Here small "
        "transformers are trained to convergence on a finite world and asked every fact and every sentence, so that their "
        "redundancy is an expectation and no sample. Names are given, not learned. One number is fitted for each kind of "
        f"world, the bits that a parameter holds: {fitted}."
    )
