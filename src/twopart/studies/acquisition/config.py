"""What the acquisition study runs: its settings and its three presets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twopart._checks import check_integer, check_real
from twopart.studies._ladder import biographies, check_widths
from twopart.worlds import SyntaxKnowledge

FIRST = 1000
"""Sentences before the first snapshot; the last tenfold of the run, where thresholds are judged, begins no earlier."""


@dataclass(frozen=True)
class Config:
    """Which fact is known when: transformers of several sizes, asked for every fact again and again as they learn."""

    widths: tuple[int, ...] = (4, 8, 16, 64)
    """Widths of the transformers, rising, each even; the widest has room for all that it meets, the narrowest has not."""
    sentences: int = 300_000
    """Sentences that each transformer reads, once; >= 4000."""
    seeds: int = 3
    """Replicates of every transformer, each in a world of its own; >= 2, as intervals need a spread."""
    discount: float = 0.5
    """Discount d of the worlds, in (0, 1)."""
    population: int = 300
    """Entities of the control world, all equally frequent; the control is read by the widest transformer."""
    asked: int = 400
    """Entities, the most frequent ones, whose facts are asked for; >= 50."""
    skew: float = 8.0
    """How many times more often the first attribute is spoken of than the last, >= 1; the others form a geometric row."""
    per_decade: int = 6
    """Snapshots per factor of ten in sentences, >= 4; the first is after 1000."""
    values: int = 64
    """Values of each of the five attributes; a fact is log2 of it in bits. In [2, 4096]."""
    templates: int = 8
    """Templates of each attribute, >= 2."""
    names: int = 2**18
    """Possible names, >= 2^16."""
    layers: int = 1
    """Layers of the transformers, >= 1."""
    batch: int = 64
    """Sentences per update, >= 1."""
    learning_rate: float = 5e-3
    """AdamW's peak learning rate, in (0, 1]."""
    warmup: int = 50
    """Updates of warm-up, >= 0."""
    hold: int = 300
    """Updates until the rate falls as 1/sqrt(update), >= warmup and >= 1; nothing in it knows how long the run is."""

    def __post_init__(self) -> None:
        check_widths(self.widths, 2)
        check_integer("sentences", self.sentences, 4 * FIRST, None, "there must be several snapshots")
        check_integer("seeds", self.seeds, 2, None, "an interval needs a spread")
        check_real("discount", self.discount, 0, 1, "0.5 is near what text shows", closed="()")
        check_integer("population", self.population, 10, 2**20, "it is the number of entities in the control world")
        check_integer("asked", self.asked, 50, 2**16, "thresholds are read off many facts")
        check_real("skew", self.skew, 1, np.inf, "1 speaks of all attributes alike", closed="[)")
        check_integer("per_decade", self.per_decade, 4, 100, "a learning time is told no finer than that")
        check_integer("values", self.values, 2, 4096, "a value must be one token, and one of several")
        check_integer("templates", self.templates, 2, None, "with one template there is no syntax to learn")
        check_integer("names", self.names, 2**16, 2**62, "entities must seldom share a name")
        check_integer("layers", self.layers, 1, None, "give at least one block")
        check_integer("batch", self.batch, 1, FIRST, "the first snapshot must come after an update")
        check_real("learning_rate", self.learning_rate, 0, 1, "1e-3 to 1e-2 suits small models", closed="(]")
        check_integer("warmup", self.warmup, 0, None, "0 starts at the peak")
        check_integer("hold", self.hold, max(1, self.warmup), None, "the rate falls after the warm-up, not within it")

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Sentences after which the models are asked: a geometric row, the last at the end."""
        count = round(self.per_decade * np.log10(self.sentences / FIRST))
        row = np.geomspace(FIRST, self.sentences, max(count, 2) + 1).round()
        return tuple(int(n) for n in row)

    def world(self, seed: int, *, control: bool = False) -> SyntaxKnowledge:
        """The world of one replicate; in the control attributes are alike as well, so that all facts are."""
        world = biographies(self.discount, seed, values=self.values, templates=self.templates, names=self.names)
        if control:
            return replace(world, population=self.population)
        share = self.skew ** -np.linspace(0, 1, len(world.attributes))
        return replace(world, attribute_probabilities=tuple(share / share.sum()))


PRESETS: dict[str, Config] = {
    "tiny": Config(
        widths=(4, 16),
        sentences=6_000,
        seeds=2,
        population=10,
        asked=50,
        values=8,
        templates=4,
        names=2**16,
        batch=32,
        learning_rate=1e-2,
        warmup=20,
        hold=100,
    ),
    "small": Config(),
    "full": Config(
        widths=(16, 32, 64, 128, 256),
        sentences=3_000_000,
        seeds=4,
        population=3_000,
        asked=4_000,
        per_decade=8,
        names=2**24,
        layers=2,
        batch=128,
        learning_rate=3e-3,
        hold=1000,
    ),
}
