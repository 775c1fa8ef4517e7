"""What the hallucination study runs: its settings and its three presets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twopart._checks import check_integer, check_real
from twopart.studies._ladder import biographies, check_widths
from twopart.worlds import Attribute, SyntaxKnowledge

EARLIER = 4
"""The models are asked at the end, and when so many times fewer sentences had been seen: by then all have got going."""


@dataclass(frozen=True)
class Config:
    """Transformers of several sizes must answer questions about facts, among them ones that nobody ever told them."""

    widths: tuple[int, ...] = (8, 16, 32, 64)
    """Widths of the transformers, rising, each even; the widest has room for all that it meets, the narrowest has not."""
    sentences: int = 200_000
    """Sentences that each transformer reads, once; >= 2000. It is asked at the end, and after a quarter of them."""
    seeds: int = 3
    """Replicates of every transformer, each in a world of its own; >= 2, as intervals need a spread."""
    questions: int = 400_000
    """Questions, which are the sentences of another sample without their values; >= 1000. No fact is asked twice at a cost."""
    discount: float = 0.5
    """Discount d of the worlds, in (0, 1)."""
    base_exponent: float = 1.0
    """Values have probability ∝ rank^-s before anything is known, s in [0, 4]; each attribute ranks them in its own order."""
    values: int = 64
    """Values of each of the five attributes, in [5, 4096]."""
    templates: int = 8
    """Templates of each attribute, >= 1."""
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
        check_integer("sentences", self.sentences, 2000, None, "the learner must get going before it is asked")
        check_integer("seeds", self.seeds, 2, None, "an interval needs a spread")
        check_integer("questions", self.questions, 1000, None, "rates are shares of them")
        check_real("discount", self.discount, 0, 1, "0.5 is near what text shows", closed="()")
        check_real("base_exponent", self.base_exponent, 0, 4, "0 makes all values alike", closed="[]")
        check_integer(
            "values", self.values, 5, 4096, "a value must be one token, and each attribute have its own order"
        )
        check_integer("templates", self.templates, 1, None, "with one template there is no syntax to learn")
        check_integer("names", self.names, 2**16, 2**62, "entities must seldom share a name")
        check_integer("layers", self.layers, 1, None, "give at least one block")
        check_integer("batch", self.batch, 1, self.sentences // EARLIER, "there must be an update before it is asked")
        check_real("learning_rate", self.learning_rate, 0, 1, "1e-3 to 1e-2 suits small models", closed="(]")
        check_integer("warmup", self.warmup, 0, None, "0 starts at the peak")
        check_integer("hold", self.hold, max(1, self.warmup), None, "the rate falls after the warm-up, not within it")

    @property
    def moments(self) -> tuple[int, int]:
        """Sentences after which the models are asked."""
        return self.sentences // EARLIER, self.sentences

    def world(self, seed: int) -> SyntaxKnowledge:
        """The world of one replicate: five attributes, each with the same shares of its values in another order."""
        world = biographies(self.discount, seed, values=self.values, templates=self.templates, names=self.names)
        share = np.arange(1, self.values + 1) ** -float(self.base_exponent)
        share /= share.sum()
        shift = self.values // len(world.attributes)
        bases = [tuple(np.roll(share, i * shift)) for i in range(len(world.attributes))]
        attributes = tuple(
            Attribute(a.name, a.values, a.templates, base) for a, base in zip(world.attributes, bases, strict=True)
        )
        return replace(world, attributes=attributes)


PRESETS: dict[str, Config] = {
    "tiny": Config(
        widths=(4, 16),
        sentences=6_000,
        seeds=2,
        questions=4_000,
        values=8,
        templates=4,
        names=2**16,
        batch=32,
        learning_rate=1e-2,
        warmup=10,
        hold=100,
    ),
    "small": Config(),
    "full": Config(
        widths=(16, 32, 64, 128, 256),
        sentences=3_000_000,
        seeds=4,
        questions=4_000_000,
        names=2**24,
        layers=2,
        batch=128,
        learning_rate=3e-3,
        hold=1000,
    ),
}
