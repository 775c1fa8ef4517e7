"""The transformers of the study of heads: all seeds of a kind are trained together, on the same prompts, and taken apart.

Axis "net": risk (squared error of answers, less noise), and its rise with the first layer, or all later ones, cut to the best
head. Axis "head", by layer and head: the rise without it. Axis "layer": effective heads, and risk of a readout after it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from twopart.evidence import long
from twopart.lab import Cell
from twopart.learners.in_context import InContextRegressor, answers, train_in_context
from twopart.learners.in_context.heads import head_importance, heads_used, probe, prune
from twopart.studies.in_context.multi_head_sparse import Net
from twopart.worlds.in_context import Prompts

RATE, SCALE = 0.01, 1.0  # of Adam at first, and of first weights


class Together(nn.Module):
    """Modules of one shape as one that gives the answers of all, (R, B); its parameters are theirs, stacked."""

    def __init__(self, models: list[nn.Module]) -> None:
        super().__init__()
        self.models, (parameters, _) = tuple(models), torch.func.stack_module_state(models)
        self.names, self.all = list(parameters), nn.ParameterList(p.detach() for p in parameters.values())

    def forward(self, *given: Tensor) -> Any:
        def one(*parameters: Tensor) -> Any:
            return torch.func.functional_call(self.models[0], dict(zip(self.names, parameters, strict=True)), given)

        return torch.func.vmap(one)(*self.all)


def train(case: Net, cell: Cell) -> pl.DataFrame:
    """Train them, and take them apart."""
    how, world, random = case.training, replace(case.prompts.world, seed=cell.seed), torch.Generator()
    options: Any = {"kind": case.kind, "values": "labels" if case.kind == "linear" else "tokens", "scale": SCALE}
    random.manual_seed(cell.seed)
    models = [InContextRegressor(how.inputs, case.heads, generator=random, **options) for _ in range(how.seeds)]
    steps = how.updates + how.seeds

    def draw(step: int) -> Prompts:
        cell.progress(step, steps)
        return world.sample(how.batch, how.examples, step)

    both = train_in_context(Together([*models]).to(cell.device), draw, steps=how.updates, learning_rate=RATE)
    asked, rows = world.sample(how.asked, how.examples, how.updates), []
    for r, model in enumerate(models):
        model.load_state_dict({name: p[r] for name, p in zip(both.names, both.all, strict=True)})
        part = taken_apart(model.to(cell.device), replace(asked, label=(asked.query * asked.task).sum(1)))
        rows.append(part.with_columns(replicate=pl.lit(r)))
        cell.progress(how.updates + r + 1, steps)
    return pl.concat(rows)


def taken_apart(model: InContextRegressor, asked: Prompts) -> pl.DataFrame:
    """Its rows, on prompts whose labels have no noise."""
    found = head_importance(model, [asked])
    used = heads_used(found)
    best = {name: [int(found.filter(layer=name)["increase"].to_numpy().argmax())] for name in used}

    def risk(*cut: str) -> float:
        return float(np.square(answers(prune(model, {name: best[name] for name in cut}), asked) - asked.label).mean())

    first, *later = used
    net = {"risk": risk(), "first": risk(first) - risk(), "later": risk(*later) - risk()}
    probed = probe(model, [asked], [name.rpartition(".")[0] for name in used])
    layer = 1 + np.array([list(used).index(name) for name in found["layer"]])
    rows = [long("net", {k: [v] for k, v in net.items()})]
    rows += [long("head", {"increase": found["increase"].to_numpy()[None], "layer": layer[None]})]
    rows += [long("layer", {"used": [[*used.values()]], "risk": [[*probed.values()]]})]
    return pl.concat(rows, how="diagonal_relaxed").drop("replicate")
