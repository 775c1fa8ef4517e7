"""What the data-law study runs: its settings, its three presets, and the cells they amount to."""

from __future__ import annotations

from dataclasses import dataclass

from twopart._checks import check, check_integer, check_real
from twopart.worlds import Attribute, SyntaxKnowledge

ATTRIBUTES = ("birth_city", "birth_date", "university", "field_of_study", "employer")


@dataclass(frozen=True)
class Config:
    """The data law: what a world predicts, what the Bayes code pays, and what a transformer pays, on one plot."""

    discounts: tuple[float, ...] = (0.3, 0.45, 0.6)
    """Discounts d of the worlds, each in (0, 1); theory gives the exponent 1-d."""
    sentences: int = 200_000
    """Sentences that each transformer reads, once; >= 1000."""
    seeds: int = 3
    """Replicates of every transformer, each in a world of its own; >= 2, as intervals need a spread."""
    bayes_worlds: int = 32
    """Worlds in which the Bayes code is simulated, per discount; >= 8."""
    population: int = 1000
    """Entities of the control world, all equally frequent; 0 leaves the control out."""
    english_sentences: int = 80_000
    """Sentences that the English transformers read; 0 leaves English out."""
    english_discount: float = 0.5
    """Discount of the English worlds, in (0, 1)."""
    english_vocabulary: int = 1024
    """Tokens of the byte-pair tokenizer trained on the English worlds; >= 300."""
    values: int = 64
    """Values of each of the five attributes; a fact is log2 of it in bits. At least 2."""
    templates: int = 8
    """Templates of each attribute, in [1, 20]."""
    names: int = 2**24
    """Possible names, >= 2^16."""
    layers: int = 2
    """Layers of the transformer, >= 1."""
    width: int = 96
    """Its width, a multiple of 2 * heads."""
    heads: int = 3
    """Its attention heads, >= 1."""
    batch: int = 64
    """Sentences per update, >= 1."""
    learning_rate: float = 5e-3
    """AdamW's peak learning rate, in (0, 1]."""
    warmup: int = 50
    """Updates of warm-up, >= 0."""
    hold: int = 300
    """Updates until the rate falls as 1/sqrt(update), >= warmup and >= 1; nothing in it knows how long the run is."""

    def __post_init__(self) -> None:
        check(
            len(self.discounts) > 0,
            "discounts",
            self.discounts,
            "at least one number",
            "0.3 0.45 0.6 shows three exponents",
        )
        check(
            len(set(self.discounts)) == len(self.discounts),
            "discounts",
            self.discounts,
            "distinct",
            "leave doubles out",
        )
        for discount in (*self.discounts, self.english_discount):
            check_real("discounts", discount, 0, 1, "0.5 is near what text shows", closed="()")
        check_integer("sentences", self.sentences, 1000, None, "the upper decade must hold several batches")
        check_integer("seeds", self.seeds, 2, None, "an interval needs a spread")
        check_integer("bayes_worlds", self.bayes_worlds, 8, None, "a standard error needs a spread")
        check_integer("population", self.population, 0, None, "0 leaves the control out")
        check_integer("english_sentences", self.english_sentences, 0, None, "0 leaves English out")
        small = self.english_sentences in range(1, 1000)
        check(
            not small,
            "english_sentences",
            self.english_sentences,
            "0 or >= 1000",
            "the upper decade must hold several batches",
        )
        check_integer("english_vocabulary", self.english_vocabulary, 300, None, "bytes alone take 256")
        check_integer("values", self.values, 2, None, "with one value there is nothing to know")
        check_integer("templates", self.templates, 1, 20, "the English rendering has 20 for each attribute")
        check_integer("names", self.names, 2**16, 2**62, "entities must seldom share a name")
        check_integer("batch", self.batch, 1, self.sentences // 10, "the upper decade must hold several batches")
        check_real("learning_rate", self.learning_rate, 0, 1, "1e-3 to 3e-3 suits small models", closed="(]")
        check_integer("warmup", self.warmup, 0, None, "0 starts at the peak")
        check_integer("hold", self.hold, max(1, self.warmup), None, "the rate falls after the warm-up, not within it")

    def world(self, seed: int, discount: float = 0.5, *, control: bool = False) -> SyntaxKnowledge:
        """The world of one replicate."""
        attributes = tuple(Attribute(name, self.values, self.templates) for name in ATTRIBUTES)
        population = self.population if control else None
        return SyntaxKnowledge(discount, 1.0, attributes, names=self.names, population=population, seed=seed)


PRESETS: dict[str, Config] = {
    "tiny": Config(
        discounts=(0.3, 0.6),
        sentences=6_000,
        seeds=2,
        bayes_worlds=8,
        population=30,
        english_sentences=1_500,
        english_vocabulary=320,
        values=16,
        templates=4,
        layers=1,
        width=32,
        heads=2,
        batch=32,
        warmup=20,
    ),
    "small": Config(),
    "full": Config(
        discounts=(0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        sentences=3_000_000,
        seeds=4,
        population=15_000,
        english_sentences=1_000_000,
        english_vocabulary=4096,
        bayes_worlds=64,
        templates=20,
        names=2**32,
        width=256,
        heads=4,
        batch=128,
        learning_rate=2e-3,
        hold=1000,
    ),
}
