"""The runs of the covariate-shift study: all of a cell in one tensor, each on fresh data at every step.

Rows are told apart by the column `axis`, and `replicate` is a group of runs:
    risk       one for each part of the plan: source and target samples; mean risk of the group and the law's, before
               (pretrained) and after (tuned) the target's steps; the law's variance, and the order that the paper gives it;
               the M of the law
    direction  where the source is poor: the same risks by direction, for the amount of source data that the law says
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart.evidence import long
from twopart.lab import Cell
from twopart.learners.regression import pretrain_finetune
from twopart.studies.regression.covariate_shift import ALONE, Run
from twopart.worlds.regression.arrays import Floats
from twopart.worlds.regression.covariate_shift import Domain

OFTEN = 64  # steps between reports


def simulate(case: Run, cell: Cell) -> pl.DataFrame:
    """The runs of every part of the plan."""
    bench, rows = Bench(case, cell), []
    worth = case.worth.samples if case.alone else float("nan")
    for part, (M, n, best) in enumerate(case.plan):
        rates = case.rates(part)
        law, order = case.shift.domains.risk(*rates), case.shift.domains.variance_order(*rates)
        pretrained, tuned = bench.run(*rates, times=1 if M else ALONE)
        lawful = {"law_pretrained": law.pretrained, "law_tuned": law.tuned, "variance": law.variance, "order": order}
        data = {"source": M, "target": n if best.rate_target else 0, "worth": worth}
        rows.append(long("risk", {"pretrained": pretrained.sum(1), "tuned": tuned.sum(1)}, **data, **lawful))
        if case.shows_directions and part == len(case.plan) // 2:
            of_law = {"law_pretrained": law.by_direction[1], "law_tuned": law.by_direction[2]}
            rows.append(long("direction", {"pretrained": pretrained, "tuned": tuned, **of_law}))
    return pl.concat(rows, how="diagonal")


class Bench:
    """Where a cell's runs walk; it counts their steps."""

    def __init__(self, case: Run, cell: Cell) -> None:
        self.case, self.cell, self.done = case, cell, 0
        self.total = sum(M + n for M, n, _ in case.plan)
        self.random = torch.Generator(cell.device).manual_seed(cell.seed)

    def stream(self, domain: Domain, runs: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one fresh point for each run."""
        shape, world = (runs, 1, self.case.shift.dimension), self.case.shift.world
        made: Any = {"generator": self.random, "device": self.cell.device}
        while True:
            x = world.coloured(torch.randn(shape, **made), domain)
            self.done += 1
            if self.done % OFTEN == 0:
                self.cell.progress(self.done, self.total)
            yield x, x.sum(-1) + world.noise * torch.randn(shape[:2], **made)

    def run(self, first: Floats, then: Floats, times: int) -> tuple[Floats, Floats]:
        """Mean risks by direction of each group, shape (groups, d), before and after the target's steps."""
        runs = times * self.case.runs.groups * self.case.runs.runs
        start = torch.zeros(runs, self.case.shift.dimension, device=self.cell.device)
        streams = self.stream("source", runs), self.stream("target", runs)
        found = pretrain_finetune(*streams, rates=(first, then), start=start, replicates=runs)
        self.cell.progress(self.done, self.total)
        return self.groups(found.pretrained), self.groups(found.tuned)

    def groups(self, weights: Tensor) -> Floats:
        """λ (w - w*)² by direction, w* being all ones and H diagonal."""
        parts = np.square(weights.double().cpu().numpy() - 1) * np.asarray(self.case.shift.world.target)
        return np.asarray(parts.reshape(self.case.runs.groups, -1, parts.shape[1]).mean(1))
