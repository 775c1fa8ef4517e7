"""The transformers of the study of heads: each is trained and taken apart.

Axis "net": risk (squared error of answers, without noise), and its rise with the first layer, or all later ones, cut to
the best head. Axis "head", by layer: the rise without each. Axis "layer": effective heads, and risk of a readout after it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import torch

from twopart.lab import Cell
from twopart.learners.in_context import InContextRegressor, answers, train_in_context
from twopart.learners.in_context.heads import head_importance, heads_used, probe, prune
from twopart.studies.in_context.multi_head_sparse import Net
from twopart.worlds.in_context import Prompts

RATE, BATCH = 0.01, 64  # of Adam at first; prompts in a step


def train(case: Net, cell: Cell) -> pl.DataFrame:
    """Train it, and take it apart on prompts whose labels have no noise."""
    world, n = replace(case.prompts.world, seed=cell.seed), case.prompts.context
    values, random = "labels" if case.kind == "linear" else "tokens", torch.Generator().manual_seed(cell.seed)
    model = InContextRegressor(world.dimension, case.heads, kind=case.kind, values=values, generator=random)
    model.to(cell.device)

    def draw(step: int) -> Prompts:
        cell.progress(step, case.updates)
        return world.sample(BATCH, n, step)

    train_in_context(model, draw, steps=case.updates, learning_rate=RATE)
    asked = world.sample(case.prompts.prompts, n, case.updates)
    answer = (asked.query * asked.task).sum(1)
    given = (torch.tensor(part).to(model.read.weight) for part in (asked.x, asked.y, asked.query))
    batch = [*given, torch.tensor(answer)]
    found = head_importance(model, [batch])
    used = heads_used(found)
    best = {name: [int(found.filter(layer=name)["increase"].to_numpy().argmax())] for name in used}

    def risk(*cut: str) -> float:
        pruned = prune(model, {name: best[name] for name in cut})
        return float(np.square(answers(pruned, asked) - answer).mean())

    (first, *later), whole = used, risk()
    net = {"risk": whole, "first": risk(first) - whole, "later": risk(*later) - whole}
    probed = probe(model, [batch], [name.rpartition(".")[0] for name in used])
    heads = {"increase": found["increase"], "layer": np.repeat([1, 2, 3], case.heads)}
    by_layer = {"used": [*used.values()], "risk": [*probed.values()]}
    rows = [pl.DataFrame({"axis": a, **c}) for a, c in (("net", net), ("head", heads), ("layer", by_layer))]
    cell.progress(case.updates, case.updates)
    return pl.concat(rows, how="diagonal_relaxed")
