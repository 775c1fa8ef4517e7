"""The passes of the ReLU-neuron study: all replicates at once, GLM-tron and SGD side by side on the same samples.

Replicates are averaged in groups; a row's `replicate` is its group. Rows are told apart by the column `axis`:
    time    algorithm, samples, risk (mean of the group)
    end     algorithm, direction, mean and variance of the weight within the group
    path    mean of GLM-tron's weights at the marks, mark by mark (of a constant rate only)
    weight  algorithm, count: histogram, as shares, of one weight (of Bernoulli inputs with noise only)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart.evidence import long
from twopart.lab import Cell
from twopart.learners.regression.glm_tron import glm_tron_step
from twopart.studies.regression.relu_neuron import ALGORITHMS, GROUP, Pass, first_wrong
from twopart.worlds.regression.arrays import Floats


def descend(case: Pass, cell: Cell) -> pl.DataFrame:
    """Walk, and look at the marks."""
    begin, rows = torch.from_numpy(case.begin).float(), []
    runs = {algorithm: begin.repeat(case.seeds, 1).to(cell.device) for algorithm in ALGORITHMS}
    for step, rate in enumerate(case.schedule.tolist(), 1):
        x, y = (torch.from_numpy(part).to(cell.device) for part in case.world.sample(case.seeds, step, np.float32))
        for algorithm, w in runs.items():
            glm_tron_step(w, x[:, None], y[:, None], rate, gate=algorithm == "SGD")
        if step in case.marks:
            rows += [looked(case, step, algorithm, w) for algorithm, w in runs.items()]
            if case.use == "slope":
                rows.append(long("path", {"mean": grouped(runs["GLM-tron"]).mean(1)}))
            cell.progress(step, case.samples)
    return pl.concat([*rows, *(part for a, w in runs.items() for part in ended(case, a, w))], how="diagonal")


def grouped(w: Tensor) -> Floats:
    """Shape (G, GROUP, d)."""
    return w.cpu().numpy().astype(float).reshape(-1, GROUP, w.shape[1])


def looked(case: Pass, step: int, algorithm: str, w: Tensor) -> pl.DataFrame:
    risk = case.world.excess(grouped(w)).mean(1)
    return long("time", {"risk": risk}, algorithm=algorithm, samples=step)


def ended(case: Pass, algorithm: str, w: Tensor) -> Iterator[pl.DataFrame]:
    groups = grouped(w)
    moments = {"mean": groups.mean(1), "variance": groups.var(1, ddof=1)}
    yield long("end", {"direction": np.arange(1.0, w.shape[1] + 1), **moments}, algorithm=algorithm)
    if case.use == "bernoulli":
        i = first_wrong(case)
        values = groups[:, :, i] * np.sign(case.world.truth[i])
        counts = np.array([np.histogram(group, case.bins)[0] / GROUP for group in values])
        yield long("weight", {"count": counts}, algorithm=algorithm)
