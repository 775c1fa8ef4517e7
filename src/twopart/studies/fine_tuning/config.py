"""What the fine-tuning study runs: its settings and its three presets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from twopart._checks import check, check_integer, check_real
from twopart.studies._ladder import check_widths, heads_of

DOUBLINGS = 7
"""Moments at which a model is asked: the end of fine-tuning, half of it, a quarter, ..."""


@dataclass(frozen=True)
class Config:
    """Fine-tuning: what a new format and new facts cost, what they destroy, and what replay and LoRA save."""

    widths: tuple[int, ...] = (16, 32, 64)
    """Widths of the models, rising, at least 2: the first too small for the old facts, the last with room to spare."""
    seeds: int = 3
    """Replicates, each a world and a model of each width of its own; >= 2."""
    discount: float = 0.5
    """Discount d of the world, in (0, 1)."""
    entities: int = 200
    """Most frequent entities of the world, which the model is told of before; >= 20."""
    values: int = 64
    """Values of each of the five attributes, 2 to 4096."""
    templates: int = 8
    """Templates of each attribute in either format, >= 2."""
    layers: int = 1
    """Layers of the transformers, >= 1."""
    sentences: int = 300_000
    """Sentences of pretraining, >= 10 * batch."""
    temper: float = 0.5
    """How they are drawn: entities in proportion to p^temper, weighted back; in [0, 1]. Replayed ones too."""
    batch: int = 512
    """Sentences per update of pretraining, >= 1."""
    learning_rate: float = 1e-2
    """AdamW's peak learning rate in pretraining, in (0, 1]."""
    warmup: int = 100
    """Updates of warm-up in pretraining, >= 0."""
    examples: int = 32_000
    """Sentences of fine-tuning on new facts, replayed ones among them; >= 64."""
    format_examples: int = 64_000
    """Sentences of fine-tuning on the new format; >= 64."""
    new: int = 50
    """New entities, equally often spoken of; >= 5."""
    doses: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    """How often facts are told where exposures are counted; rising, at least 3, the first 1 or more."""
    each: int = 10
    """New entities told with each dose; >= 2."""
    strangers: int = 200
    """Entities that nobody tells of, asked for all the same; >= 20."""
    replays: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    """Shares of replayed sentences, rising from 0 to 1, between them at least two."""
    ranks: tuple[int, ...] = (2, 8)
    """Ranks of LoRA, rising, at least one."""
    tune_batch: int = 32
    """Sentences per update of fine-tuning, >= 1."""
    tune_rate: float = 2e-3
    """AdamW's peak learning rate in fine-tuning, in (0, 1]."""
    tune_warmup: int = 20
    """Updates of warm-up in fine-tuning, >= 0."""
    tune_hold: int = 300
    """Update from which on the rate of fine-tuning falls as 1/sqrt(update); >= 1 and >= tune_warmup."""

    def __post_init__(self) -> None:
        check_widths(self.widths, 2)
        for width in self.widths:
            check(width // heads_of(width) >= 2, "widths", width, "at least 2 per head", "powers of two fit always")
        check_integer("seeds", self.seeds, 2, None, "intervals need replicates")
        check_real("discount", self.discount, 0, 1, "0.5 is near what text shows", closed="()")
        check_integer("entities", self.entities, 20, 2**16, "200 is more than a width of 16 holds")
        check_integer("values", self.values, 2, 4096, "with one value there is nothing to know")
        check_integer("templates", self.templates, 2, 2**14 - 1, "8 leaves some syntax to learn")
        check_integer("layers", self.layers, 1, None, "1 suits such small models")
        check_integer("batch", self.batch, 1, None, "512 makes weighted sentences even out")
        check_integer("sentences", self.sentences, 10 * self.batch, None, "it takes hundreds of updates to converge")
        check_real("temper", self.temper, 0, 1, "1 draws as the world does")
        check_real("learning_rate", self.learning_rate, 0, 1, "1e-2 suits such small models", closed="(]")
        check_integer("warmup", self.warmup, 0, None, "0 starts at the peak")
        check_integer("tune_batch", self.tune_batch, 1, None, "32 is a good start")
        for name in ("examples", "format_examples"):
            check_integer(name, getattr(self, name), 64, None, "the first moment is a 64th of it")
        check_integer("new", self.new, 5, 2**16, "50 facts of each attribute make shares of 2 %")
        _check_rising("doses", self.doses, 3)
        check_integer("doses", self.doses[0], 1, None, "what is not told cannot be learned")
        check_integer("each", self.each, 2, 2**12, "10 make shares of 2 %")
        check_integer("strangers", self.strangers, 20, 2**16, "200 make shares of 0.1 %")
        _check_rising("replays", self.replays, 4)
        ends = (self.replays[0], self.replays[-1]) == (0, 1)
        check(ends, "replays", self.replays, "from 0 to 1", "both ends are controls of the others")
        _check_rising("ranks", self.ranks, 1)
        check_integer("ranks", self.ranks[0], 1, None, "all weights are learned too, without LoRA")
        check_real("tune_rate", self.tune_rate, 0, 1, "2e-3 suits such small models", closed="(]")
        check_integer("tune_warmup", self.tune_warmup, 0, None, "0 starts at the peak")
        check_integer("tune_hold", self.tune_hold, max(1, self.tune_warmup), None, "the rate falls after the warm-up")

    @property
    def moments(self) -> tuple[int, ...]:
        """Sentences of fine-tuning on new facts after which models are asked."""
        return _halvings(self.examples)

    @property
    def format_moments(self) -> tuple[int, ...]:
        """The same of fine-tuning on the new format."""
        return _halvings(self.format_examples)

    @property
    def recovery(self) -> tuple[int, ...]:
        """Sentences of the old stream after which a model that has forgotten is asked again."""
        return tuple(self.examples // part for part in (64, 16, 4))


def _halvings(sentences: int) -> tuple[int, ...]:
    return tuple(sentences >> i for i in reversed(range(DOUBLINGS)))


def _check_rising(name: str, values: tuple[float, ...], least: int) -> None:
    rising = len(values) >= least and all(a < b for a, b in pairwise(values))
    check(rising, name, values, f"at least {least} rising numbers", "leave doubles out")


PRESETS: dict[str, Config] = {
    "tiny": Config(
        widths=(8, 16),
        seeds=2,
        entities=40,
        values=16,
        templates=4,
        sentences=10_000,
        batch=128,
        warmup=20,
        examples=1024,
        format_examples=1024,
        new=10,
        doses=(1, 4, 16),
        each=4,
        strangers=40,
        replays=(0.0, 0.1, 0.5, 1.0),
        ranks=(2,),
    ),
    "small": Config(),
    "full": Config(
        widths=(16, 32, 64, 128, 256),
        seeds=5,
        entities=2000,
        sentences=10_000_000,
        batch=2048,
        warmup=300,
        examples=1_024_000,
        format_examples=1_024_000,
        new=500,
        doses=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
        each=50,
        strangers=2000,
        ranks=(1, 2, 4, 8, 16),
        tune_batch=128,
        tune_warmup=100,
        tune_hold=1000,
    ),
}
