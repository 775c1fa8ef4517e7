"""The runs of the covariate-shift study: all of a cell in one tensor, each on fresh data at every step.

Rows are told apart by the column `axis`, and `replicate` is a group of runs:
    risk       one for each part of the plan: source and target samples; mean risk of the group and the law's, before
               (pretrained) and after (tuned) the target's steps; the law's variance, and the order that the paper gives it;
               the M of the law
    direction  where fine-tuning mends what the source is poor in: the same risks by direction, for the law's M
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart._arrays import Floats
from twopart.evidence import long
from twopart.lab import Cell
from twopart.learners.regression import pretrain_finetune
from twopart.studies.regression.covariate_shift import ALONE, Run
from twopart.worlds.regression.covariate_shift import Domain


def simulate(case: Run, cell: Cell) -> pl.DataFrame:
    """The runs of every part of the plan."""
    world, domains, rows = case.shift.world, case.shift.domains, []
    made: Any = {"generator": torch.Generator(cell.device).manual_seed(cell.seed), "device": cell.device}

    def stream(domain: Domain, runs: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one fresh point for each run."""
        while True:
            x = world.coloured(torch.randn(runs, 1, world.dimension, **made), domain)
            yield x, x.sum(-1) + world.noise * torch.randn(runs, 1, **made)

    def by_direction(weights: Tensor) -> Floats:
        """λ (w - w*)², w* being all ones and H diagonal, mean of each group: shape (groups, d)."""
        parts = np.square(weights.double().cpu().numpy() - 1) * np.asarray(world.target)
        return np.asarray(parts.reshape(case.runs.groups, -1, parts.shape[1]).mean(1))

    for part, best in enumerate(case.plan):
        runs = case.runs.groups * case.runs.runs * (1 if best.source else ALONE)
        start = torch.zeros(runs, world.dimension, device=cell.device)
        streams = stream("source", runs), stream("target", runs)
        found = pretrain_finetune(*streams, rates=best.rates, start=start, replicates=runs)
        pretrained, tuned = by_direction(found.pretrained), by_direction(found.tuned)
        law, order = domains.risk(*best.rates), domains.variance_order(*best.rates)
        lawful = {"law_pretrained": law.pretrained, "law_tuned": law.tuned, "variance": law.variance, "order": order}
        data = {"source": best.source, "target": best.target if best.rate_target else 0, "worth": case.worth}
        rows.append(long("risk", {"pretrained": pretrained.sum(1), "tuned": tuned.sum(1)}, **data, **lawful))
        if case.shift.weak and case.finetune and case.alone and part == len(case.plan) // 2:
            of_law = {"law_pretrained": law.by_direction[1], "law_tuned": law.by_direction[2]}
            rows.append(long("direction", {"pretrained": pretrained, "tuned": tuned, **of_law}))
        cell.progress(part + 1, len(case.plan))
    return pl.concat(rows, how="diagonal")
