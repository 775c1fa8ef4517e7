"""The runs of the study of tasks: SGD on one-step attention, all runs of a kind at once, and full layers trained by Adam.

Rows of `descend`: the risk of each run at the end, by length of context. Of `train`, by the column `axis`: `risk` of the
layer, by length of context, on fresh tasks; `step`, the relative distance of the fitted Γ from the best, and r2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
import torch

from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.in_context import optimum, risk
from twopart.learners import in_context
from twopart.learners.in_context import LinearAttention, fit_gamma, pretrain, readout
from twopart.studies.in_context.icl_tasks import Descent, Trained, lengths
from twopart.worlds.in_context import Prompts

BATCH, RATE = 256, 0.01  # tasks of an update of Adam, and its first rate


def descend(case: Descent, cell: Cell) -> pl.DataFrame:
    """The risks are exact, given each run's Γ."""
    world = replace(case.world, seed=cell.seed)
    Γ = in_context.descend(
        world, case.context, case.rates, runs=case.runs, tasks_per_step=case.per_step,
        on_step=lambda step, _: cell.progress(step, case.tasks),
    )  # fmt: skip
    M = lengths(case.context)
    return long("risk", {"risk": np.stack([risk(world, Γ, n) for n in M], 1), "context": np.array([M])})


def train(case: Trained, cell: Cell) -> pl.DataFrame:
    """One layer, on fresh tasks at every update, its rate falling along half a cosine; asked about tasks of another seed."""
    world, steps = replace(case.world, seed=cell.seed), case.updates
    model = LinearAttention(world.dimension, generator=torch.Generator().manual_seed(cell.seed)).to(cell.device)

    def batches() -> Iterator[Prompts]:
        for step in range(steps):
            cell.progress(step + 1, steps)
            yield world.sample(BATCH, case.context, stream=step)

    rates = RATE * (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2
    optimizer = torch.optim.Adam(model.parameters())
    pretrain(model, batches(), rates, tasks_per_step=BATCH, optimizer=optimizer)
    asked, best = replace(world, seed=world.seed ^ 1), np.diag(optimum(world, case.context).gamma)
    risks, step = readout(model, asked, lengths(case.context)), fit_gamma(model, asked, case.context)
    distance = np.linalg.norm(step.gamma - best) / np.linalg.norm(best)
    rows = pl.DataFrame({"axis": "risk", "context": risks.contexts, "risk": risks.risk})
    return pl.concat([rows, pl.DataFrame({"axis": "step", "distance": [distance], "r2": [step.r2]})], how="diagonal")
