"""What the real-text study runs: its settings and its three presets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twopart._checks import check, check_integer, check_real
from twopart.studies._ladder import check_widths


@dataclass(frozen=True)
class Config:
    """Real text: do losses fall as the text's own discount says?"""

    texts: tuple[str, ...] = ()
    """Files and folders of text; none takes the sources of Python's standard library, without tests."""
    pattern: str = "*"
    """Which files below the folders are read."""
    size: int = 4_000_000
    """Bytes of text that every model reads, once: documents in an order drawn by the seed. At least 4 * least."""
    least: int = 125_000
    """Bytes after which models are first examined, and on which tokens are made; >= 10,000."""
    data_sizes: int = 6
    """Moments at which models are examined, from least to size in a geometric row; >= 4."""
    held_out: int = 300_000
    """Bytes of other documents that models are examined on, >= 5,000."""
    vocabulary: int = 512
    """Tokens: the 256 bytes, and pairs of tokens that are frequent in the first text; in [256, 65,535]."""
    widths: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Widths of the models, rising; one training run each."""
    layers: int = 2
    """Layers of the transformers, >= 1."""
    context: int = 128
    """Tokens that a model sees at once, >= 8."""
    batch: int = 2
    """Rows of so many tokens per update, >= 1."""
    learning_rate: float = 3e-3
    """AdamW's peak learning rate, in (0, 1]."""
    warmup: int = 100
    """Updates of warm-up, >= 0."""
    hold: int = 600
    """Updates until the rate falls as 1/sqrt(update), >= warmup and >= 1; nothing in it knows how long the run is."""
    shuffles: int = 8
    """Replicates of the control, words shuffled or drawn from their law; >= 2, as an interval needs a spread."""

    def __post_init__(self) -> None:
        check_integer("least", self.least, 10_000, None, "a model needs updates to get going")
        check_integer("size", self.size, 4 * self.least, None, "an exponent needs a range")
        check_integer("data_sizes", self.data_sizes, 4, None, "an exponent of differences needs three of them")
        check_integer("held_out", self.held_out, 5000, None, "300,000 leave a few per cent of noise")
        check_integer("vocabulary", self.vocabulary, 256, 2**16 - 1, "256 are the bytes themselves")
        check_widths(self.widths, 2)
        check_integer("layers", self.layers, 1, None, "2 suits such small models")
        check_integer("context", self.context, 8, None, "128 holds a few lines")
        check_integer("batch", self.batch, 1, None, "small batches make the most of little text")
        check_real("learning_rate", self.learning_rate, 0, 1, "3e-3 suits such small models", closed="(]")
        check_integer("warmup", self.warmup, 0, None, "0 starts at the peak")
        check_integer("hold", self.hold, max(1, self.warmup), None, "the rate falls after the warm-up, not within it")
        check_integer("shuffles", self.shuffles, 2, None, "an interval needs a spread")
        tokens = self.batch * self.context
        check(
            self.least >= 20 * tokens, "least", self.least, f">= 20 updates of {tokens} tokens", "take smaller batches"
        )

    def sizes(self) -> tuple[int, ...]:
        """The data sizes in bytes, in a geometric row."""
        return tuple(round(n) for n in np.geomspace(self.least, self.size, self.data_sizes))


PRESETS: dict[str, Config] = {
    "tiny": Config(
        size=80_000,
        least=10_000,
        data_sizes=4,
        held_out=10_000,
        vocabulary=300,
        widths=(4, 8, 16),
        layers=1,
        context=64,
        warmup=5,
        hold=30,
        batch=4,
        shuffles=4,
    ),
    "small": Config(),
    "full": Config(
        size=8_000_000,
        least=125_000,
        data_sizes=7,
        vocabulary=1024,
        widths=(16, 32, 64, 128, 256, 512),
        layers=4,
        context=256,
        learning_rate=2e-3,
        batch=8,
        shuffles=16,
    ),
}
