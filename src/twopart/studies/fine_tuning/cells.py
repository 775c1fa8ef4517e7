"""The pieces of work of the fine-tuning study: a model is trained once, and then fine-tuned in many ways.

    pretrain   a model trained to convergence on an excerpt of the world before; the table holds its weights
    tune       that model on other sentences, asked at every moment for old facts, new ones, and some never told

Rows of `tune`, one for each fact and moment:
    stage, sentences   "tuning" or "recovery", and the sentences of that stage learned so far; 0: before the first
    asked              "old" facts in the old format; "reworded": the same in the new one; "new" ones; about a "stranger"
    rank, attribute    the entity's place, from 1, by falling frequency; new entities and strangers in any order
    told               how often fine-tuning had told the fact by its end
    gained             bits: log2 of the correct value's probability over its base probability
    right, confidence  whether the best guess is correct, and its probability
and of kind "format", one per moment: `syntax`, redundancy of templates in the new format, bits per sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import polars as pl

from twopart.studies._ladder import converge, one_pass, shape
from twopart.worlds import EqualFrequencies, Excerpt, Shift, ShiftedWorld, SyntaxKnowledge, shifted_world

if TYPE_CHECKING:
    from twopart.lab import Cell
    from twopart.learners import Transformer

FORMAT, FACTS, DOSES = "format", "facts", "doses"
"""What fine-tuning tells: old facts in a new format; new facts, each as often as it comes; new facts, so and so often."""


@lru_cache(maxsize=32)
def _excerpt(world: ShiftedWorld, entities: int) -> Excerpt:
    """One for all models of a world: it takes a second to find its entities."""
    return Excerpt(world, entities)


@dataclass(frozen=True)
class PretrainCell:
    """A model before fine-tuning."""

    label: str
    world: SyntaxKnowledge
    templates: int
    """Of the new format, for which the vocabulary has room."""
    entities: int
    width: int
    layers: int
    sentences: int
    temper: float
    batch: int
    learning_rate: float
    warmup: int

    @cached_property
    def reworded(self) -> ShiftedWorld:
        """The world in the new format."""
        return shifted_world(self.world, Shift(format=self.templates))

    @property
    def before(self) -> ShiftedWorld:
        """The world as it was, with room for the new format."""
        return self.reworded.before

    def enlarged(self, entities: int) -> ShiftedWorld:
        """The world with so many new entities, in the old format, with room for the new one."""
        return replace(self.reworded, shift=Shift(new_entities=EqualFrequencies(entities)))

    def excerpt(self, more: int = 0) -> Excerpt:
        """What is told before; with `more` entities that nobody tells of."""
        return _excerpt(self.before, self.entities + more)

    @property
    def parameters(self) -> int:
        return shape(self.before, self.width, self.layers).parameters


@dataclass(frozen=True)
class TuneCell:
    """One way to fine-tune one model."""

    label: str
    start: PretrainCell
    tells: str
    """"format", "facts" or "doses"."""
    sentences: int
    moments: tuple[int, ...]
    new: int
    """New entities; of each dose, if it tells doses."""
    doses: tuple[int, ...]
    replay: float
    rank: int
    """Of LoRA; 0 learns all weights."""
    recovery: tuple[int, ...]
    strangers: int
    batch: int
    learning_rate: float
    warmup: int
    hold: int


def pretrain(config: PretrainCell, cell: Cell) -> pl.DataFrame:
    """The weights of the model, by name."""
    from twopart.learners import SymbolStream, train

    corpus, weights = config.excerpt().tempered(config.sentences, config.temper)
    trained = train(
        converge(config.batch, config.learning_rate, config.warmup, cell.device),
        shape(config.before, config.width, config.layers),
        SymbolStream(corpus, names=False, weights=weights),
        seed=cell.seed,
        folder=cell.folder,
        on_progress=lambda state: cell.progress(state.done, state.total, f"{state.bits['value']:.2f} value bits"),
    )
    named = {name: weight.detach().cpu().flatten().numpy() for name, weight in trained.model.named_parameters()}
    return pl.DataFrame({"name": list(named), "weight": [pl.Series(w, dtype=pl.Float32) for w in named.values()]})


def pretrained(config: PretrainCell, table: pl.DataFrame) -> Transformer:
    """The model whose weights `pretrain` gave."""
    import torch

    from twopart.learners import Transformer

    model = Transformer(shape(config.before, config.width, config.layers))
    with torch.no_grad():
        for name, weight in table.iter_rows():
            model.get_parameter(name).copy_(torch.tensor(weight).view_as(model.get_parameter(name)))
    return model


def tune(config: TuneCell, cell: Cell) -> pl.DataFrame:
    """Fine-tune the model, ask it on the way, and teach it the old sentences again if that is wanted."""
    from twopart.learners import LoRA, train
    from twopart.studies.fine_tuning.lesson import AFTER, Lesson

    start = pretrained(config.start, cell.result(pretrain, config.start))
    lesson = Lesson(config)
    total = config.sentences + max(config.recovery, default=0)
    trained = train(
        one_pass(config.batch, config.learning_rate, config.warmup, config.hold, cell.device),
        start.config,
        lesson.stream,
        seed=cell.seed,
        folder=cell.folder / "tuning",
        snapshots=config.moments,
        start=start,
        adapters=LoRA(config.rank, 2.0 * config.rank) if config.rank else None,
        on_progress=lambda state: cell.progress(state.done, total, f"{state.bits['value']:.2f} value bits"),
    )
    models = {("tuning", n): model for n, model in {0: start, **trained.snapshots}.items()}
    if config.recovery:
        again = train(
            one_pass(config.batch, config.learning_rate, config.warmup, config.hold, cell.device),
            start.config,
            lesson.old(max(config.recovery), AFTER + 1),
            seed=cell.seed,
            folder=cell.folder / "recovery",
            snapshots=config.recovery,
            start=trained.model,
            on_progress=lambda state: cell.progress(config.sentences + state.done, total, "recovery"),
        )
        models |= {("recovery", n): model for n, model in again.snapshots.items()}
    rows = [frame for (stage, n), model in models.items() for frame in lesson.ask(model, stage, n)]
    return pl.concat(rows, how="diagonal")
