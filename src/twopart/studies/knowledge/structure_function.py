"""How many bits of data does each bit of model save, and where does structure end and noise begin?

A code of N sentences has model bits C and data bits D. Less what the oracle takes, D is N times a redundancy, so theory's
frontier is D = oracle + N Red(C), Red the capacity law of the corpus's own entities. It falls by N λ(C) bits of data for a bit
of model: the total is least where the price λ is 1/N, and there, at C*, the structure that pays ends. For text there is no
theory, only codes. Every point is a real code that was decoded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import check
from twopart.evidence import Estimate, Found, Rows, above, below, claim, exact, mean, ratio, within, within_factor
from twopart.findings import Claim, Table
from twopart.fits import MISSING, bought, falling_hull, slope
from twopart.laws import StructureFunction
from twopart.lossless import ContextCounts, ContextMixing, PitmanYorBytes, TwoPartTransformer
from twopart.report import Axis, Drawn, Figure, Kind
from twopart.settings import at_least, between, both, distinct, every, multiple_of, one_of, rising, settings
from twopart.studies import Work, world_seed
from twopart.studies._transformers import Converge, Shape, fits_heads, heads_of
from twopart.worlds import Biographies, Corpus, Excerpt, SymbolRendering, SyntaxKnowledge, Text

STUDY, TITLE = "structure-function", "The structure function"
DERIVED = "docs/laws/structure-function.md"
LAW = f"Pan, Wang, Li 2025, arXiv 2504.09597; {DERIVED}"
STRUCTURE = f"Vereshchagin, Vitányi 2004, IEEE Trans. Inf. Theory 50(12); {DERIVED}"
PREQUENTIAL = f"Rissanen 1984, IEEE Trans. Inf. Theory 30(4); Dawid 1984; {DERIVED}"

Floats = NDArray[np.float64]
Ints: TypeAlias = tuple[int, ...]
Reals: TypeAlias = tuple[float, ...]
PARTS = (16, 4, 1)  # ideal codes look at a sixteenth of the corpus, a quarter, and all
TOLD = 256.0
"""Bits of data beyond the oracle's below which sizes of codes, whole words of 32, say little."""
ORDERS = rising(1), every(between(0, 32)).because("contexts of 5 are long")
LEVELS = distinct(1), every(one_of("fast", "strong", "best"))
PRICES, STEPS = (0.25, 0.5, 1.0, 2.0, 4.0, 16.0, 64.0, 256.0), (0.06, 0.12, 0.25, 0.5)
PRICE, STEP = every(between(0, 1e9, "(]")), every(between(0, 8, "(]"))
SIXTEENS = every(both(at_least(16), multiple_of(16)))


@settings
class Config:
    """The structure function: how many bits of data each bit of model saves, in a world whose truth is known and in text."""

    discount: Annotated[float, between(0, 1, "()"), "Discount d of the world; 0.6 is near what text shows."] = 0.6
    entities: Annotated[int, between(50, 2**22), "Most frequent entities, of which alone the corpus speaks."] = 2000
    sentences: Annotated[int, at_least(1600), "Sentences of the corpus; a sixteenth are looked at too."] = 100_000
    replicates: Annotated[int, at_least(2), "Worlds, a corpus of each; all families code the first."] = 4
    fact_steps: Annotated[int, between(8, 1000), "Numbers of facts that ideal models hold, none to all."] = 40
    finest: Annotated[int, between(8, 30), multiple_of(2), "Sticks: up to 2^(finest/2) places; 16 suits 10^5."] = 16
    orders: Annotated[Ints, *ORDERS, "Longest contexts of the corpus's count models, in symbols."] = (1, 2, 3, 5)
    prices: Annotated[Reals, rising(3), PRICE, "Data bits that a bit of a count model must save."] = PRICES
    widths: Annotated[Ints, fits_heads, "Widths of the corpus's transformers; may be none."] = (4, 8, 16, 32)
    epochs: Annotated[int, at_least(1), "Times that a transformer reads the corpus; 6 goes near convergence."] = 6
    text: Annotated[str, "The file of real text; empty: the Python standard library's own sources."] = ""
    text_bytes: Annotated[int, at_least(1000), "Bytes of the text that are coded; all of a shorter file."] = 500_000
    text_orders: Annotated[Ints, *ORDERS, "Longest contexts of the text's count models, in bytes."] = (1, 2, 3, 5, 8)
    levels: Annotated[tuple[str, ...], *LEVELS, "Levels of context mixing."] = ("fast", "strong")
    text_widths: Annotated[Ints, SIXTEENS, "Widths of the text's transformers; may be none."] = (16, 32)
    text_epochs: Annotated[int, at_least(1), "Times that a transformer reads the text."] = 2
    steps: Annotated[Reals, rising(1), STEP, "Steps of rounded weights, in standard deviations."] = STEPS
    people: Biographies = Biographies()
    training: Converge = Converge()

    def __post_init__(self) -> None:
        templates = self.people.templates
        check(templates > 1, "templates", templates, "at least 2", "one leaves no syntax to learn")
        symbols = SymbolRendering(self.people.world(self.discount, 0)).vocabulary
        few = "so few, with `templates` and `names`, that symbols fit in a byte"
        check(symbols <= 256, "values", self.people.values, few, "64, 64 and 2^18 fit")
        found = not self.text or Path(self.text).is_file()
        check(found, "text", self.text, "a file", "leave it empty for the standard library's sources")


PRESETS = {
    "tiny": Config(
        entities=60, sentences=1600, replicates=2, fact_steps=8, finest=8, orders=(1, 3), prices=(0.5, 4.0, 32.0),
        widths=(4,), epochs=1, text_bytes=3000, text_orders=(1, 3), levels=("fast",), text_widths=(16,), text_epochs=1,
        steps=(0.5,), people=Biographies(values=16, templates=2), training=Converge(batch=64, warmup=1),
    ),
    "small": Config(),
    "full": Config(
        entities=20_000, sentences=3_000_000, replicates=8, fact_steps=64, finest=20, orders=(1, 2, 3, 4, 5, 8),
        widths=(4, 8, 16, 32, 64, 128), epochs=30, text_bytes=10_000_000, text_orders=(1, 2, 3, 4, 5, 6, 8, 12),
        levels=("fast", "strong", "best"), text_widths=(64, 128, 256), text_epochs=10,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Sentences:
    """Corpora of the most frequent entities of worlds, one for each replicate; a shorter one begins a longer one."""

    people: Biographies
    discount: float
    entities: int
    sentences: int
    seed: int

    def excerpt(self, replicate: int = 0) -> Excerpt:
        return _excerpt(self.people.world(self.discount, world_seed(self.seed, STUDY, replicate)), self.entities)

    def corpus(self, replicate: int = 0) -> Corpus:
        return self.excerpt(replicate).sample(self.sentences)

    def law(self, replicate: int = 0) -> StructureFunction:
        return StructureFunction(self.excerpt(replicate), self.sentences)


@lru_cache(maxsize=8)
def _excerpt(world: SyntaxKnowledge, entities: int) -> Excerpt:
    """Kept, as its entities take long to find."""
    return Excerpt(world, entities)


@dataclass(frozen=True)
class Ideals:
    """All ideal models of a corpus: numbers of facts by precisions of syntax."""

    corpus: Sentences
    fact_steps: int
    finest: int

    def __str__(self) -> str:
        return f"{self.corpus.sentences:,} sentences"

    def grid(self) -> list[tuple[int, int]]:
        """(facts, fineness) of each: no facts and numbers even in their logarithm, with every second fineness."""
        most = self.corpus.entities * len(self.corpus.excerpt().world.attributes)
        facts = [0, *np.unique(np.geomspace(1, most, self.fact_steps - 1).round().astype(int)).tolist()]
        return [(held, fineness) for held in facts for fineness in range(0, self.finest + 1, 2)]


@dataclass(frozen=True)
class Counts:
    """Count models of the first corpus, of one order at all prices."""

    corpus: Sentences
    order: int
    prices: tuple[float, ...]

    def __str__(self) -> str:
        return f"order {self.order}"


@dataclass(frozen=True)
class Reader:
    """A transformer of the first corpus, at all precisions."""

    corpus: Sentences
    shape: Shape
    epochs: int
    steps: tuple[float, ...]
    training: Converge

    def __str__(self) -> str:
        return f"width {self.shape.width}"


@dataclass(frozen=True)
class Files:
    """The text as files, by methods that differ in price or step only."""

    text: Text
    methods: tuple[Any, ...]

    @property
    def kind(self) -> str:
        return str(self.methods[0].kind)

    def __str__(self) -> str:
        match self.methods[0]:
            case ContextCounts(order=order):
                return f"counts, order {order}"
            case ContextMixing(level=level):
                return f"context mixing, {level}"
            case TwoPartTransformer(width=width):
                return f"transformer, width {width}"
        return "Pitman-Yor"


@dataclass(frozen=True)
class Peers:
    """The text by other people's compressors."""

    text: Text

    def __str__(self) -> str:
        return "other compressors"


def cells(config: Config, seed: int) -> Iterator[Work]:
    """Costs are microseconds, about."""
    c, text = config, Text.now(config.text, config.text_bytes)
    for part in PARTS:
        corpus = Sentences(c.people, c.discount, c.entities, c.sentences // part, seed)
        ideals = Ideals(corpus, c.fact_steps, c.finest)
        yield Work("code_ideally", ideals, c.replicates, cost=len(ideals.grid()) * (10_000 + corpus.sentences))
    for order in c.orders:
        models = Counts(corpus, order, c.prices)
        yield Work("code_by_counts", models, cost=4 * c.sentences * len(c.prices) * (1 + order))
    for width in c.widths:
        reader = Reader(corpus, Shape(width=width), c.epochs, c.steps, c.training)
        yield Work("code_by_transformer", reader, cost=(40 + width) * c.sentences * (c.epochs + len(c.steps)))
    for order in c.text_orders:
        counts = Files(text, tuple(ContextCounts(order, price) for price in c.prices))
        yield Work("code_in_files", counts, cost=text.size * len(c.prices) * (1 + order))
    for method in (*map(ContextMixing, c.levels), PitmanYorBytes()):
        yield Work("code_in_files", Files(text, (method,)), cost=50 * text.size)
    for width in c.text_widths:
        learner = TwoPartTransformer(width=width, heads=heads_of(width), epochs=c.text_epochs)
        steps = Files(text, tuple(replace(learner, step=step) for step in c.steps))
        cost = (25 + width) * text.size * (c.text_epochs + len(c.steps))
        yield Work("code_in_files_by_transformer", steps, cost=cost)
    yield Work("code_by_peers", Peers(text), cost=20 * text.size)


@dataclass(frozen=True, eq=False)
class Family:
    """Codes of one kind, a row each, with the bits of its `model`, of the `data` given it, and of the whole, `total`."""

    name: str
    table: pl.DataFrame

    def __getitem__(self, column: str) -> Floats:
        return self.table[column].to_numpy().astype(float)

    @cached_property
    def shortest(self) -> dict[str, Any]:
        """The code of least total."""
        return self.table.row(int(np.argmin(self["total"])), named=True)

    @cached_property
    def frontier(self) -> NDArray[np.int64]:
        """The corners of the hull of all codes."""
        return falling_hull(self["model"], self["data"])

    def corners(self, *columns: str) -> list[Floats]:
        """Columns along the frontier."""
        return [self[column][self.frontier] for column in columns]


@dataclass(frozen=True, eq=False)
class Ideal(Family):
    """The ideal codes of one corpus, and the law beside them."""

    law: StructureFunction

    @property
    def oracle(self) -> float:
        """Bits that the sentences take, given names, for who knows the world."""
        return float(self["oracle"][0])

    @property
    def bayes(self) -> float:
        """Redundancy of the Bayes code in bits, names given."""
        return float(self["bayes"][0]) - self.oracle

    @property
    def redundancy(self) -> float:
        """Bits of the shortest code beyond the oracle's."""
        return float(self.shortest["total"]) - self.oracle

    @property
    def structure(self) -> float:
        """Model bits of the shortest code."""
        return float(self.shortest["model"])

    def deviation(self) -> float:
        """Root mean square of log2(measured / predicted redundancy) at the corners of the frontier around C*."""
        model, data = self.corners("model", "data")
        size, law = model / self.law.bend.bits, self.law.data(model)
        near = (size >= 1 / 16) & (size <= 4) & (law >= TOLD)
        octaves = np.log2(np.maximum(data - self.oracle, 1e-9)[near] / law[near])
        return float(np.sqrt(np.mean(octaves**2))) if near.any() else float("nan")

    def missing(self) -> tuple[Floats, Floats]:
        """Along the frontier, what part of syntax and of knowledge the data still pay for."""
        nothing = self.table.row(by_predicate=(pl.col("facts") == 0) & (pl.col("fineness") == 0), named=True)
        syntax, value = self.corners("syntax", "value")
        return (syntax - self.oracle) / (nothing["syntax"] - self.oracle), value / nothing["value"]


@lru_cache(maxsize=1)
def ladders(found: Found) -> list[list[Ideal]]:
    """The ideal codes of each world, of its corpus's beginnings, the shortest first. Kept, and with them their laws."""
    return [
        [Ideal("ideal", t.where(replicate=world), t.case.corpus.law(world)) for t in found.of(Ideals)]
        for world in range(found.config.replicates)
    ]


def families(**kinds: Sequence[Rows[Any]]) -> list[Family]:
    """All codes of each kind; what a run left out is left out."""
    return [Family(name, pl.concat([t.frame for t in rows])) for name, rows in kinds.items() if rows]


def others(found: Found) -> list[Family]:
    """Codes of the first corpus by who must find out what there is to know."""
    return families(counts=found.of(Counts), transformer=found.of(Reader))


def in_two_parts(found: Found) -> list[Family]:
    """Codes of the text with a model."""
    return families(counts=found.of(Files, kind="counts"), transformer=found.of(Files, kind="two-part"))


def in_one_part(found: Found) -> list[Family]:
    """Codes of the text without one, the name of each."""
    return [Family(str(t), t.frame) for t in found.of(Files) if t.case.kind not in ("counts", "two-part")]


KRAFT = f"Kraft's inequality; {STRUCTURE}"
UNDER = "least total of {count:,} codes less the oracle's bits, names given"
CORNERS = (
    "root mean square of log2(measured / predicted redundancy) over corners of the frontier, at 1/16 to 4 of the size where "
    "theory's total is least, and where the law leaves 256 bits, mean over worlds"
)
FIRST = f"model bits at which {MISSING:.0%} of knowledge is missing over those for syntax, geometric mean over worlds"
STORED = "model bits of the ideal code of least total over the law's at the price 1/N, geometric mean over worlds"
TOTAL = "least total beyond the oracle's bits"
TO_BAYES = f"{TOTAL} over the redundancy of the Bayes code, names given, geometric mean over worlds"
GROWN = "slope of the shortest code's model bits on sentences, mean over worlds; predicted: the law's at the price 1/N"
SHORTER = "bits of the shortest two-part file ({two}) over those of the shortest prequential one ({one})"
SAME_TOTAL = within_factor(1.1)


@claim(above(-20), "bits", KRAFT, UNDER)  # chance undercuts by more with a probability below one in a million
def no_code_undercuts(ideals: Sequence[Ideal], others: Sequence[Family]) -> Estimate:
    """No code undercuts the entropy of the world, but by chance: by t bits with a probability below 2^-t."""
    beyond = [code.shortest["total"] - ideals[0].oracle for code in others] + [ideal.redundancy for ideal in ideals]
    return exact(min(beyond)).against(None, count=sum(len(family.table) for family in (*ideals, *others)))


@claim(below(0.25), "octaves", LAW, CORNERS)  # as in the capacity-law study
def follows_the_law(ideals: Sequence[Ideal]) -> Estimate:
    """The frontier of ideal codes is the capacity law's curve."""
    return mean([ideal.deviation() for ideal in ideals], over="worlds").against(0.0)


@claim(above(1), "ratio", LAW, FIRST)
def syntax_first(ideals: Sequence[Ideal]) -> Estimate:
    """Syntax is bought first: along the frontier knowledge needs a larger model."""
    sizes = np.geomspace(10, 1e6, 401)
    lawful = [delay(sizes, *ideal.law.missing(sizes)) for ideal in ideals]
    found = [delay(ideal["model"][ideal.frontier], *ideal.missing()) for ideal in ideals]
    return mean(found, over="worlds").against(float(np.mean(lawful))).exp()


def delay(sizes: Floats, syntax: Floats, value: Floats) -> float:
    """ln of the size at which knowledge is bought over that at which syntax is, from what is missing at each size."""
    return math.log(bought(sizes, value) / bought(sizes, syntax))


@claim(within_factor(1.25), "ratio", f"{LAW}; {STRUCTURE}", STORED)
def bends(ideals: Sequence[Ideal]) -> Estimate:
    """The shortest code holds as much model as theory says: all that saves more data than it takes."""
    return ratio([i.structure for i in ideals], [i.law.bend.bits for i in ideals], over="worlds")


@claim(SAME_TOTAL, "ratio", LAW, f"{TOTAL} over the law's, C + N Red(C) at the price 1/N, geometric mean over worlds")
def costs(ideals: Sequence[Ideal]) -> Estimate:
    """The shortest two-part code is as long as theory says."""
    return ratio([i.redundancy for i in ideals], [i.law.total for i in ideals], over="worlds")


@claim(above(1) & SAME_TOTAL, "ratio", PREQUENTIAL, TO_BAYES)
def one_part(ideals: Sequence[Ideal]) -> Estimate:
    """The Bayes code, which learns as it goes, is shorter than every two-part code, by as much as theory says."""
    lawful = ratio([i.law.total for i in ideals], [i.law.bayes for i in ideals])
    return ratio([i.redundancy for i in ideals], [i.bayes for i in ideals], over="worlds").against(lawful.value)


@claim(within(0.1), "log-log slope", LAW, GROWN)
def grows(ladders: Sequence[Sequence[Ideal]]) -> Estimate:
    """With more data there is more structure: over {count} lengths the best model grows as the capacity law says."""
    lengths = [ideal.law.n for ideal in ladders[0]]
    lawful = [slope(lengths, [ideal.law.bend.bits for ideal in ladder]) for ladder in ladders]
    found = [slope(lengths, [ideal.structure for ideal in ladder]) for ladder in ladders]
    return mean(found, over="worlds").against(float(np.mean(lawful)), count=len(lengths))


@claim(above(1), "ratio", DERIVED, f"{TOTAL} over the ideal codes', the least of: {{named}}")
def nothing_is_shorter(ideal: Ideal, others: Sequence[Family]) -> Estimate:
    """Who must find out what syntax and facts are has a longer code than the ideal one that knows what to store."""
    found = {family.name: (family.shortest["total"] - ideal.oracle) / ideal.redundancy for family in others}
    named = ", ".join(f"{name} {value:.3g}" for name, value in found.items())
    return exact(min(found.values())).against(None, named=named)


@claim(above(1.01), "ratio", STRUCTURE, "shorter of the codes of least and greatest model over the shortest of all")
def has_a_knee(families: Sequence[Family]) -> Estimate:
    """Real text: the frontier has a bend; the shortest two-part code has neither the smallest nor the largest model."""
    model, total = (np.concatenate([family[bits] for family in families]) for bits in ("model", "total"))
    return exact(min(total[np.argmin(model)], total[np.argmax(model)]) / total.min())


@claim(above(1), "ratio", PREQUENTIAL, SHORTER)
def prequential_is_shorter(families: Sequence[Family], prequential: Sequence[Family]) -> Estimate:
    """Real text: a prequential code, which sends no model, is shorter than every two-part code."""
    two, one = shortest(families), shortest(prequential)
    return exact(two.shortest["total"] / one.shortest["total"]).against(None, two=two.name, one=one.name)


def shortest(families: Sequence[Family]) -> Family:
    """The family of the shortest code."""
    return min(families, key=lambda family: float(family.shortest["total"]))


def claims(found: Found) -> Iterator[Claim]:
    whole = [ladder[-1] for ladder in ladders(found)]
    yield no_code_undercuts(whole, others(found))
    yield from (judged(whole) for judged in (follows_the_law, syntax_first, bends, costs, one_part))
    yield grows(ladders(found))
    yield nothing_is_shorter(whole[0], others(found))
    yield has_a_knee(in_two_parts(found))
    yield prequential_is_shorter(in_two_parts(found), in_one_part(found))


DATA, WHOLE = "data bits beyond the oracle", "total beyond the oracle"
BENDS = "The ideal code of least total, by world and sentences, beside the law at a price of 1/N; names given, in bits."
CODES = "Codes of the first world's corpus on the frontier of their family, in bits, names given; the oracle knows the world."
TEXT = "Bits of files that were decoded and compared, the container's own in the total; the note says why a size is missing."


def tables(found: Found) -> Iterator[Table]:
    rows = [bend(world, ideal) for world, ladder in enumerate(ladders(found), 1) for ideal in ladder]
    codes = codes_of_sentences(ladders(found)[0][-1], others(found))
    yield Table("bends", "The shortest ideal codes, and theory", pl.DataFrame(rows), BENDS)
    yield Table("codes", "Frontiers of codes of the first world", codes, CODES)
    yield Table("text", "Codes of the text", codes_of_text(found), TEXT)


def bend(world: int, ideal: Ideal) -> dict[str, float]:
    """The shortest code beside theory, a row."""
    return {
        "world": world,
        "sentences": ideal.law.n,
        "oracle": ideal.oracle,
        "model bits": ideal.structure,
        "model bits, law": float(ideal.law.bend.bits),
        "facts": ideal.shortest["facts"],
        "facts, law": float(ideal.law.bend.facts),
        WHOLE: ideal.redundancy,
        "total, law": ideal.law.total,
        "Bayes code": ideal.bayes,
        "Bayes code, expected": ideal.law.bayes,
    }


def codes_of_sentences(ideal: Ideal, others: Sequence[Family]) -> pl.DataFrame:
    """The law, the Bayes code, and the frontiers of all families of codes of one corpus."""
    sizes = np.geomspace(20, max(ideal["model"].max(), 100), 201)
    law, bayes = ideal.law.data(sizes), np.full(201, ideal.bayes)
    codes = {"law": (sizes, law, sizes + law), "Bayes code": (sizes, bayes, bayes)}
    for family in (ideal, *others):
        model, data, total = family.corners("model", "data", "total")
        codes[family.name] = model, data - ideal.oracle, total - ideal.oracle
    return pl.concat(
        pl.DataFrame({"series": name, "model bits": model, "data bits": data + ideal.oracle, DATA: data, WHOLE: total})
        for name, (model, data, total) in codes.items()
    )


def codes_of_text(found: Found) -> pl.DataFrame:
    """Frontiers of codes in two parts, then codes without a model, the shortest first."""
    peers = found.one(Peers)
    two = [t.table[t.frontier].with_columns(code=pl.lit(t.name), kind=pl.lit("two parts")) for t in in_two_parts(found)]
    ours = [t.table.with_columns(code=pl.lit(t.name), kind=pl.lit("prequential")) for t in in_one_part(found)]
    one = pl.concat([*ours, peers.frame.with_columns(kind=pl.lit("classic"))], how="diagonal")
    codes = pl.concat([*two, one.sort("total", nulls_last=True)], how="diagonal")
    bits = [pl.col(part).cast(pl.Float64).alias(f"{part} bits") for part in ("model", "data", "total")]
    per_byte = (pl.col("total") / peers.case.text.size).alias("bits per byte")
    return codes.select("code", "kind", *bits, per_byte, pl.col("note").fill_null(""))


def draw_text(table: pl.DataFrame) -> dict[str, Any]:
    """Data bits against model bits, both per byte: frontiers as lines, codes without a model as labelled points at 0."""
    from twopart.report.frontiers import frontiers  # no worker needs Altair

    per_byte = pl.col("model bits", "data bits") * pl.col("bits per byte") / pl.col("total bits")
    codes, in_two = table.drop_nulls("total bits").with_columns(per_byte), pl.col("kind") == "two parts"
    two, one = codes.filter(in_two), codes.filter(~in_two).with_columns(pl.col("bits per byte").alias("data bits"))
    x, y = (Axis(f"{part} bits", f"{part} bits per byte of text", log=False) for part in ("model", "data"))
    words = "Data bits against model bits of codes of a text, and codes without a model"
    how: dict[str, Any] = {"name": "code", "strong": ("kind", "prequential"), "description": words}
    return frontiers(two, one, x=x, y=y, total="bits per byte", **how)


SIZE, LEFT = Axis("model bits", "model bits"), Axis(DATA, "data beyond the oracle", "bits")
ALL = Axis(WHOLE, "model and data beyond the oracle", "bits")
KINDS: dict[Any, Kind] = {"law": "theory", "ideal": "simulation", "counts": "learner", "transformer": "learner"}
TOLD_ABOUT = (pl.col("series") != "Bayes code") & (pl.col(DATA) >= TOLD / 5)
ON_LAW = "Ideal codes lie on the capacity law; who must find out what to store pays for it. Shown from 51 bits on."
LEAST = "The whole is least where the next bit of model saves one bit of data: there structure ends and noise begins."
DASHED = "Codes that send no model are shorter than those in two parts. Dashed: all codes as long as the best of these."
ENDS = "Where the shortest code is"
FIGURES = (
    Figure("frontier", f"{TITLE}: theory and codes", "codes", SIZE, LEFT, KINDS, shown=TOLD_ABOUT, caption=ON_LAW),
    Figure("total", ENDS, "codes", SIZE, ALL, {**KINDS, "Bayes code": "learner"}, caption=LEAST),
    Drawn("text", f"{TITLE} of real text", "text", draw_text, DASHED),
)


def summary(found: Found) -> str:
    first, best, text = ladders(found)[0][-1], shortest(in_two_parts(found)), found.one(Peers).case.text
    source, size = text.path or "the sources of Python's standard library", best.shortest["total"]
    one = codes_of_text(found).filter(pl.col("kind") != "two parts").row(0, named=True)
    return (
        "For a corpus whose truth is known theory says how many bits of data each bit of model saves, and where that ceases "
        "to pay: the frontier is the capacity law, and the shortest code holds what the law holds at a price of one bit of "
        "data a bit of model: syntax, and facts down to those that are told once. Here every point is a real code that was "
        f"decoded. The first world's shortest two-part code has {first.structure:,.0f} bits of model and is "
        f"{first.redundancy:,.0f} bits longer than the oracle's; theory says {float(first.law.bend.bits):,.0f} and "
        f"{first.law.total:,.0f}.\n\nThe text is {text.size:,} bytes of {source}. Its shortest two-part code ({best.name}) "
        f"takes {size / text.size:.3f} bits a byte, {best.shortest['model'] / size:.0%} of it model; the shortest code "
        f"without a model is {one['code']} with {one['bits per byte']:.3f}."
    )
