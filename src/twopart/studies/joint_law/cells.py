"""The piece of work of the joint-law study: one pass of one model over a natural sample, examined at every data size.

The learning rate knows nothing of the run's length, so every beginning of a run is a run of that length: a row of the grid
costs one run. Names are read and not scored. The law takes names as given, and a model that must learn to spell them spends
on that the room that the law wants to see filled with facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from twopart.studies._ladder import one_pass, shape
from twopart.worlds import SyntaxKnowledge

if TYPE_CHECKING:
    from twopart.lab import Cell

SHOWN, HELD_OUT = 0, 1  # streams: what is learned from, and what models are examined on


@dataclass(frozen=True)
class RunCell:
    """One model's pass."""

    label: str
    world: SyntaxKnowledge
    width: int
    layers: int
    sizes: tuple[int, ...]
    held_out: int
    batch: int
    learning_rate: float
    warmup: int
    hold: int


def train_model(config: RunCell, cell: Cell) -> pl.DataFrame:
    """A row for each data size: `sentences`, `params`, `tokens`, `flops`, and bits per held-out sentence by role."""
    from twopart.learners import SymbolStream, evaluate, train

    model = shape(config.world, config.width, config.layers)
    trained = train(
        one_pass(config.batch, config.learning_rate, config.warmup, config.hold, cell.device),
        model,
        SymbolStream(config.world.sample(config.sizes[-1], stream=SHOWN), names=False),
        seed=cell.seed,
        folder=cell.folder,
        snapshots=config.sizes,
        on_progress=lambda state: cell.progress(state.done, state.total, f"{state.bits['value']:.2f} value bits"),
    )
    exam = SymbolStream(config.world.sample(config.held_out, stream=HELD_OUT), names=False)
    rows = []
    for sentences, snapshot in trained.snapshots.items():
        bits = evaluate(snapshot, exam, batch=2048).mean()
        tokens = sentences * model.context
        size = {"params": model.parameters, "tokens": tokens, "flops": tokens * model.flops_per_token}
        rows.append({**size, "sentences": sentences, "syntax": bits["syntax"], "value": bits["value"]})
    return pl.DataFrame(rows)
