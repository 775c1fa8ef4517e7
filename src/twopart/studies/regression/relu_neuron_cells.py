"""The passes of the ReLU-neuron study: all replicates at once, GLM-tron and SGD side by side on the same samples.

Replicates are averaged in groups; a row's `replicate` is its group. Rows are told apart by the column `axis`:
    time    algorithm, samples, risk (mean of the group)
    end     algorithm, direction, mean and variance of the weight within the group
    path    mean of GLM-tron's weights at the marks, mark by mark (of a constant rate only)
    weight  algorithm, count: histogram, as shares, of one weight (of Bernoulli inputs with noise only)
"""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart._arrays import Floats
from twopart.evidence import long
from twopart.lab import Cell
from twopart.learners.regression.glm_tron import glm_tron_step
from twopart.studies.regression.relu_neuron import ALGORITHMS, GROUP, Pass


def descend(case: Pass, cell: Cell) -> pl.DataFrame:
    """Walk, and look at the marks."""
    begin, rows = torch.from_numpy(case.begin).float(), []
    runs = {a: begin.repeat(case.seeds, 1).to(cell.device) for a in ALGORITHMS}
    for step, rate in enumerate(case.schedule.tolist(), 1):
        x, y = (torch.from_numpy(part).to(cell.device) for part in case.world.sample(case.seeds, step, np.float32))
        for a, w in runs.items():
            glm_tron_step(w, x[:, None], y[:, None], rate, gate=a == "SGD")
        if step in case.marks:
            for a, w in runs.items():
                risk = case.world.excess(grouped(w)).mean(1)
                rows.append(long("time", {"risk": risk}, algorithm=a, samples=step))
            if case.use == "slope":
                rows.append(long("path", {"mean": grouped(runs["GLM-tron"]).mean(1)}))
            cell.progress(step, case.samples)
    for a, w in runs.items():
        groups = grouped(w)
        moments = {"mean": groups.mean(1), "variance": groups.var(1, ddof=1)}
        rows.append(long("end", {"direction": np.arange(1.0, case.dimension + 1), **moments}, algorithm=a))
        if case.use == "bernoulli":
            i, sign, edges = case.watched
            counts = np.array([np.histogram(sign * group, edges)[0] / GROUP for group in groups[:, :, i]])
            rows.append(long("weight", {"count": counts}, algorithm=a))
    return pl.concat(rows, how="diagonal")


def grouped(w: Tensor) -> Floats:
    """Shape (G, GROUP, d)."""
    return w.cpu().numpy().astype(float).reshape(-1, GROUP, w.shape[1])
