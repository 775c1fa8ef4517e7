"""What studies that train transformers share: their shape, how they learn, and the model of each size of a ladder.

    Shape      layers, width, heads
    OnePass    in one pass over an endless corpus: the rate knows nothing of the run's length
    Converge   to convergence on a finite one: the rate stays, then falls to nearly nothing
    ladder     the bound of a tuple of widths
    learn      train a model in a cell
    learners_law   what the learner's law says of them, with the two numbers that the study learner-law fitted once
Records as `@settings`, so that a config has them as fields; torch is imported only where a worker asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from twopart._checks import check
from twopart.settings import Bound, at_least, between, every, no_less_than, rising, settings

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from twopart.lab import Cell
    from twopart.laws.knowledge import MemoryLaw, StepSum
    from twopart.laws.knowledge.tails import Entities
    from twopart.learners import Progress, Schedule, TokenStream, Trained, TrainingConfig, TransformerConfig
    from twopart.worlds import SyntaxKnowledge

HEAD = 16  # width of an attention head, where the model is that wide
CHECKPOINT_EVERY = 200_000  # sentences: a few seconds of training
NATS, SPEED = 0.177, 0.403
"""Nats per exposure and speed of the learner's law, of models of one layer at d = 0.5 and rate 0.01: docs/results/learner-law,
table `numbers`. Other studies predict with them and fit nothing (`learners_law`)."""
FIXED = f"{NATS:g} nats per exposure and speed {SPEED:g} are those of the study learner-law"


def heads_of(width: int) -> int:
    """Attention heads of a model of this width on a ladder: one for every 16, at least 1."""
    return max(1, width // HEAD)


def _in_even_parts(width: int, _: object) -> bool:
    return width >= 2 and width % (2 * heads_of(width)) == 0


EVEN = "{one} that its heads, one for every 16, divide into even parts"
fits_heads: Bound = every(Bound(EVEN, _in_even_parts, lambda width, _: (1, 3, 34), "powers of two fit always"))
"""Bound of a config's `widths`, of which there may be one or none."""
ladder: tuple[Bound, Bound] = (rising(2).because("2 4 8 16 32 64 spans two decades of parameters"), fits_heads)
"""Bounds of a config's `widths` that span decades."""


RATE = between(0, 1, "(]").because("1e-3 to 1e-2 suits such small models"), "AdamW's peak learning rate."
HOLD = at_least(1), no_less_than("warmup").because("the rate falls after the warm-up, not within it")


@settings
class Shape:
    """The transformer."""

    layers: Annotated[int, at_least(1).because("1 suits such small models"), "Layers."] = 1
    width: Annotated[int, at_least(2).because("powers of two fit always"), "Width, a multiple of 2 for each head."] = 64
    heads: Annotated[int, at_least(0), "Attention heads; 0 takes one for every 16 of the width, at least 1."] = 0

    def __post_init__(self) -> None:
        heads = self.heads or heads_of(self.width)
        words = f"a multiple of 2 for each of {heads} heads"
        check(self.width % (2 * heads) == 0, "width", self.width, words, "powers of two fit always")

    def of(self, vocabulary: int, context: int) -> TransformerConfig:
        """The model of this shape for so many tokens, and so many of them in a sentence."""
        from twopart.learners import TransformerConfig

        return TransformerConfig(vocabulary, context, self.layers, self.width, self.heads or heads_of(self.width))

    def reading(self, world: SyntaxKnowledge) -> TransformerConfig:
        """The model of this shape that reads the world's symbols."""
        from twopart.worlds import SymbolRendering

        rendering = SymbolRendering(world)
        return self.of(rendering.vocabulary, rendering.length)


@settings
class Converge:
    """How models are trained to convergence."""

    batch: Annotated[int, at_least(1), "Sentences per update."] = 512
    learning_rate: Annotated[float, *RATE] = 1e-2
    warmup: Annotated[int, at_least(0).because("0 starts at the peak"), "Updates of warm-up."] = 100

    def training(self, device: str) -> TrainingConfig:
        """The rate stays for half of the run, then falls in a straight line to 5 %."""
        return _training(self.batch, self.learning_rate, self._schedule, device)

    @property
    def steps(self) -> StepSum:
        """How far the optimiser can have gone after a whole run of so many sentences."""
        from twopart.laws.knowledge import StepSum

        return StepSum(self.learning_rate, self.batch, self._schedule.factor)

    @property
    def _schedule(self) -> Schedule:
        from twopart.learners.schedules import WarmupStableDecay

        return WarmupStableDecay(self.warmup, decay=0.5, final=0.05)


@settings
class OnePass:
    """How models are trained in one pass."""

    batch: Annotated[int, at_least(1), "Sentences per update."] = 64
    learning_rate: Annotated[float, *RATE] = 5e-3
    warmup: Annotated[int, at_least(0).because("0 starts at the peak"), "Updates of warm-up."] = 50
    hold: Annotated[int, *HOLD, "Update from which on the rate falls as 1/sqrt(update), however long the run."] = 300

    def training(self, device: str) -> TrainingConfig:
        """Every beginning of such a run is a run of that length."""
        from twopart.learners import InverseRoot

        return _training(self.batch, self.learning_rate, InverseRoot(self.warmup, self.hold), device)

    @property
    def steps(self) -> StepSum:
        """How far the optimiser can have gone after so many sentences."""
        from twopart.laws.knowledge import StepSum
        from twopart.learners.schedules import InverseRoot

        return StepSum(self.learning_rate, self.batch, InverseRoot(self.warmup, self.hold).factor)


def learn(
    how: Converge | OnePass, model: TransformerConfig, stream: TokenStream, cell: Cell, work: float = 0, **more: Any
) -> Trained:
    """Train in a cell, which hears of it; `work` is all that it will do, in sentences learned from. The rest is `train`'s."""
    from twopart.learners import train

    def told(state: Progress) -> None:
        cell.progress(state.done, work or state.total, f"{state.bits['value']:.2f} value bits")

    how_to = how.training(cell.device)
    return train(how_to, model, stream, seed=cell.seed, folder=cell.folder, on_progress=told, **more)


def learners_law(
    how: OnePass, world: SyntaxKnowledge, n: ArrayLike, params: ArrayLike, width: ArrayLike, entities: Entities
) -> MemoryLaw:
    """What the learner's law says of models trained so, of the shape of n, params and width; nothing of it is fitted here."""
    from twopart.laws.knowledge import learner_law

    return learner_law(world, n, params, width, nats=NATS, speed=SPEED, steps=how.steps, entities=entities)


def _training(batch: int, learning_rate: float, schedule: Schedule, device: str) -> TrainingConfig:
    """AdamW without decay, which would be forgetting."""
    from twopart.learners import TrainingConfig

    rest: dict[str, Any] = {"weight_decay": 0.0, "device": device, "checkpoint_every": CHECKPOINT_EVERY}
    return TrainingConfig(batch=batch, learning_rate=learning_rate, schedule=schedule, **rest)
