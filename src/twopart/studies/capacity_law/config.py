"""What the capacity-law study runs: its settings and its three presets."""

from __future__ import annotations

from dataclasses import dataclass

from twopart._checks import check, check_integer, check_real
from twopart.studies._ladder import check_widths


@dataclass(frozen=True)
class Config:
    """The capacity law: what a model of so many parameters can hold of a world, and which of it, predicted and measured."""

    discounts: tuple[float, ...] = (0.5, 0.6, 0.7)
    """Discounts d of the worlds, each in (0, 1); theory gives the exponent 1/d - 1. The first is the main one."""
    widths: tuple[int, ...] = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
    """Widths of the main ladder, rising, at least 6: a rung is a model size."""
    other_widths: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    """Widths of the ladders in the other worlds, at least 6."""
    replicates: int = 1
    """Worlds of the main discount, each with a ladder of its own; >= 1."""
    entities: int = 2000
    """Most frequent entities of a world that are told, with all their facts; >= 50. The largest model should not hold all."""
    sentences: int = 1_000_000
    """Sentences that each model reads at least, >= 10 * batch."""
    per_parameter: int = 0
    """Sentences that it reads for each of its parameters, if that is more; >= 0. Larger models reach for rarer facts."""
    temper: float = 0.5
    """How sentences are drawn to learn from: entities in proportion to p^temper, weighted back; in [0, 1]."""
    values: int = 64
    """Values of each of the five attributes; a fact is log2 of it in bits. At least 2."""
    templates: int = 8
    """Templates of each attribute, >= 2, else there is no syntax to learn."""
    layers: int = 1
    """Layers of the transformers, >= 1."""
    batch: int = 512
    """Sentences per update, >= 1."""
    learning_rate: float = 1e-2
    """AdamW's peak learning rate, in (0, 1]."""
    warmup: int = 100
    """Updates of warm-up, >= 0."""

    def __post_init__(self) -> None:
        rising = len(self.discounts) > 0 and len(set(self.discounts)) == len(self.discounts)
        check(
            rising, "discounts", self.discounts, "at least one number, none twice", "0.5 0.6 0.7 shows three exponents"
        )
        for discount in self.discounts:
            check_real("discounts", discount, 0, 1, "0.5 is near what text shows", closed="()")
        check_widths(self.widths, 6)
        check_widths(self.other_widths, 6)
        check_integer("replicates", self.replicates, 1, None, "each is a world of its own")
        check_integer("entities", self.entities, 50, 2**22, "2000 is more than models of 50,000 parameters hold")
        check_integer("batch", self.batch, 1, None, "512 makes weighted sentences even out")
        check_integer("sentences", self.sentences, 10 * self.batch, None, "it takes thousands of updates to converge")
        check_integer("per_parameter", self.per_parameter, 0, None, "0 gives all models the same sentences")
        check_real("temper", self.temper, 0, 1, "1 draws as the world does")
        check_integer("values", self.values, 2, 4096, "with one value there is nothing to know")
        check_integer("templates", self.templates, 2, 2**15 - 1, "8 leaves some syntax to learn")
        check_integer("layers", self.layers, 1, None, "1 suits such small models")
        check_real("learning_rate", self.learning_rate, 0, 1, "1e-2 suits such small models", closed="(]")
        check_integer("warmup", self.warmup, 0, None, "0 starts at the peak")


PRESETS: dict[str, Config] = {
    "tiny": Config(
        discounts=(0.5, 0.7),
        widths=(2, 4, 6, 8, 12, 16),
        other_widths=(2, 4, 6, 8, 12, 16),
        entities=200,
        sentences=30_000,
        per_parameter=0,
        values=16,
        templates=4,
        batch=128,
        warmup=20,
    ),
    "small": Config(),
    "full": Config(
        discounts=(0.5, 0.4, 0.6, 0.7, 0.8),
        widths=(2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256),
        other_widths=(2, 4, 8, 16, 32, 64, 128, 256),
        replicates=3,
        entities=50_000,
        sentences=10_000_000,
        per_parameter=100,
        batch=2048,
        warmup=300,
    ),
}
