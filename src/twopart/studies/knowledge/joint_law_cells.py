"""The models of the joint-law study: each makes one pass over a natural sample and is examined at every data size.

The learning rate knows nothing of the run's length, so every beginning of a run is a run of that length: a row of the grid
costs one run. Names are read and not scored. The law takes names as given, and a model that must learn to spell them spends
on that the room that the law wants to see filled with facts.
"""

from __future__ import annotations

import polars as pl

from twopart.lab import Cell
from twopart.learners import DrawnStream, SymbolStream, evaluate
from twopart.studies._transformers import Shape, learn
from twopart.studies.knowledge.joint_law import HELD_OUT, SHOWN, Pass

ASKED = 1 / 3  # of the work of a sentence that is learned from: there is no way back


def train_model(case: Pass, cell: Cell) -> pl.DataFrame:
    """A row for each data size: `params`, `tokens`, `flops`, `sentences`, and bits per held-out sentence by role."""
    world, read = case.world(cell.replicate), case.sizes[-1]
    model = Shape(case.layers, case.width).reading(world)
    total = read + ASKED * case.held_out * len(case.sizes)
    stream = DrawnStream(read, lambda n, start: SymbolStream(world.sample(n, SHOWN, start), names=False))
    trained = learn(case.training, model, stream, cell, total, snapshots=case.sizes)
    exam, rows = SymbolStream(world.sample(case.held_out, stream=HELD_OUT), names=False), []
    for sentences, snapshot in trained.snapshots.items():
        bits = evaluate(snapshot, exam, batch=2048).mean()
        tokens = sentences * model.context
        size = {"params": model.parameters, "tokens": tokens, "flops": tokens * model.flops_per_token}
        rows.append({**size, "sentences": sentences, "syntax": bits["syntax"], "value": bits["value"]})
        cell.progress(read + ASKED * case.held_out * len(rows), total, "examined")
    return pl.DataFrame(rows)
