"""The passes of the ReLU-neuron study: all replicates at once, GLM-tron and SGD side by side on the same samples.

Replicates are averaged in groups; a row's `replicate` is its group. Rows are told apart by the column `axis`:
    time    algorithm, risk (mean of the group) at each mark
    path    share of GLM-tron's first mean error that is left, by direction, mark by mark (where slopes are measured)
    end     mean and variance of GLM-tron's weights within the group, by direction
    weight  algorithm, count: histogram, as shares, of one weight (of Bernoulli inputs with noise)
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
    begin, truth, left = torch.from_numpy(case.begin).float(), case.world.optimum, []
    runs = {a: begin.repeat(case.seeds, 1).to(cell.device) for a in ALGORITHMS}
    risks: dict[str, list[Floats]] = {a: [] for a in ALGORITHMS}
    for step, rate in enumerate(case.rates.tolist(), 1):
        x, y = (torch.from_numpy(part).to(cell.device) for part in case.world.sample(case.seeds, step, np.float32))
        for a, w in runs.items():
            glm_tron_step(w, x[:, None], y[:, None], rate, gate=a == "SGD")
        if step in case.marks:
            for a, w in runs.items():
                risks[a].append(case.world.excess(grouped(w)).mean(1))
            left.append((grouped(runs["GLM-tron"]).mean(1) - truth) / (case.begin - truth))
            cell.progress(step, case.samples)
    tron = grouped(runs["GLM-tron"])
    rows = [long("time", {"risk": np.stack(found, 1)}, algorithm=a) for a, found in risks.items()]
    rows.append(long("end", {"mean": tron.mean(1), "variance": tron.var(1, ddof=1)}))
    if case.use == "slope":
        rows.append(long("path", {"left": np.stack(left, 1)}))
    if case.use == "bernoulli":
        i, sign, edges = case.watched
        for a, w in runs.items():
            counts = np.array([np.histogram(sign * group, edges)[0] / GROUP for group in grouped(w)[:, :, i]])
            rows.append(long("weight", {"count": counts}, algorithm=a))
    return pl.concat(rows, how="diagonal")


def grouped(w: Tensor) -> Floats:
    """Shape (G, GROUP, d)."""
    return w.cpu().numpy().astype(float).reshape(-1, GROUP, w.shape[1])
