"""What the joint-law study runs: its settings and its three presets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twopart._checks import check, check_integer, check_real
from twopart.studies._ladder import check_widths


@dataclass(frozen=True)
class Config:
    """The joint law: what so many parameters and so many sentences buy together, predicted and measured."""

    discount: float = 0.5
    """Discount d of the world, in (0, 1); in the limits the exponents are 1/d - 1 for parameters and 1 - d for data."""
    widths: tuple[int, ...] = (4, 6, 8, 12, 16, 32, 64)
    """Widths of the models, rising, at least 4; one training run each."""
    data_sizes: int = 7
    """Numbers of sentences at which each run is examined, in a geometric row; >= 4."""
    least: int = 16_000
    """The first of them, >= 10 * batch."""
    sentences: int = 1_000_000
    """The last of them, at least 10 * least: what each model reads, once."""
    held_out: int = 50_000
    """Sentences of another sample of the same world that every model is examined on, >= 1000."""
    values: int = 64
    """Values of each of the five attributes; a fact is log2 of it in bits. At least 2."""
    templates: int = 8
    """Templates of each attribute, >= 2."""
    names: int = 2**18
    """Possible names, in [2^16, 2^62]; they are read, not scored."""
    layers: int = 1
    """Layers of the transformers, >= 1."""
    batch: int = 128
    """Sentences per update, >= 1."""
    learning_rate: float = 1e-2
    """AdamW's peak learning rate, in (0, 1]."""
    warmup: int = 50
    """Updates of warm-up, >= 0."""
    hold: int = 300
    """Updates until the rate falls as 1/sqrt(update), >= warmup and >= 1; nothing in it knows how long the run is."""

    def __post_init__(self) -> None:
        check_real("discount", self.discount, 0, 1, "0.5 is near what text shows", closed="()")
        check_widths(self.widths, 4)
        check_integer("data_sizes", self.data_sizes, 4, None, "a surface of five parameters needs a grid")
        check_integer("batch", self.batch, 1, None, "128 suits one pass")
        check_integer("least", self.least, 10 * self.batch, None, "a model needs updates to get going")
        check_integer("sentences", self.sentences, 10 * self.least, None, "an exponent needs at least a decade")
        check_integer("held_out", self.held_out, 1000, None, "50,000 leave a few per cent of noise")
        check_integer("values", self.values, 2, 4096, "with one value there is nothing to know")
        check_integer("templates", self.templates, 2, 2**15 - 1, "8 leaves some syntax to learn")
        check_integer("names", self.names, 2**16, 2**62, "entities must seldom share a name")
        check_integer("layers", self.layers, 1, None, "1 suits such small models")
        check_real("learning_rate", self.learning_rate, 0, 1, "1e-2 suits such small models", closed="(]")
        check_integer("warmup", self.warmup, 0, None, "0 starts at the peak")
        check_integer("hold", self.hold, max(1, self.warmup), None, "the rate falls after the warm-up, not within it")
        sizes = self.sizes()
        check(len(set(sizes)) == len(sizes), "data_sizes", self.data_sizes, "that many different sizes", "take fewer")

    def sizes(self) -> tuple[int, ...]:
        """The data sizes in sentences: whole updates, so that each is exact."""
        wanted = np.geomspace(self.least, self.sentences, self.data_sizes)
        return tuple(int(np.ceil(n / self.batch)) * self.batch for n in wanted)


PRESETS: dict[str, Config] = {
    "tiny": Config(
        widths=(4, 6, 8, 16),
        data_sizes=5,
        least=2_000,
        sentences=40_000,
        held_out=4_000,
        values=16,
        templates=4,
        batch=32,
        warmup=20,
        hold=100,
    ),
    "small": Config(),
    "full": Config(
        widths=(8, 16, 24, 32, 48, 64, 96, 128, 192),
        data_sizes=9,
        least=100_000,
        sentences=30_000_000,
        held_out=200_000,
        names=2**32,
        batch=512,
        learning_rate=5e-3,
        warmup=100,
        hold=1000,
    ),
}
