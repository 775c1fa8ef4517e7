"""The runs of the steepest-descent study: all of a kind in one tensor (R, k, d), by the optimiser that people use.

Rows: step; margin, normalised; and of single samples in the max norm `square`, the mean over entries of the squared distance
of W/Σ η from the class mean, in units of its predicted variance.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart._arrays import Floats
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.regression.steepest_descent import class_mean, margin
from twopart.learners.regression.steepest import SteepestDescent
from twopart.studies.regression.steepest_descent import Descent


def descend(case: Descent, cell: Cell) -> pl.DataFrame:
    """The runs, each with batches of its own: of single samples with replacement, of more without."""
    x, y = (torch.from_numpy(part).to(cell.device) for part in case.world.data)
    runs, (n, d), random = case.run.repeats, x.shape, torch.Generator(cell.device).manual_seed(cell.seed)
    W = torch.zeros(runs, int(y.max()) + 1, d, dtype=x.dtype, device=cell.device, requires_grad=True)
    optimiser = SteepestDescent([W], 0.0, case.norm, case.momentum, case.anchor, stacked=True)
    everything, rows = torch.arange(n, device=cell.device).expand(runs, n), []

    def gradient(points: Tensor) -> None:
        W.grad = cross_entropy_gradient(W.detach(), x[points], y[points])

    for step, rate in enumerate(case.rates.tolist(), 1):
        if case.batch == 1:
            points = torch.randint(n, (runs, 1), generator=random, device=cell.device)
        else:
            order = torch.rand(runs, n, generator=random, device=cell.device).argsort(1)
            points = everything if case.batch == n else order[:, : case.batch]
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step(partial(gradient, points), full=partial(gradient, everything))
        if step in case.marks:
            weights = W.detach().cpu().numpy()
            margins = margin(weights, *case.world.data, case.norm)
            rows.append(long("run", {"margin": margins, "square": squares(case, weights, step)}, step=step))
        cell.progress(step, case.run.steps)
    return pl.concat(rows)


def squares(case: Descent, weights: Floats, step: int) -> Floats:
    """Shape (R,); nan where no class mean is known."""
    if case.norm != "inf" or case.batch > 1 or case.momentum or case.anchor:
        return np.full(len(weights), np.nan)
    (mean, spread), rates = class_mean(*case.world.data), case.rates[:step]
    varies = spread > 1e-12
    off = (weights / rates.sum() - mean)[:, varies] / spread[varies]
    return np.asarray(np.square(off).mean(1) * rates.sum() ** 2 / np.square(rates).sum())


def cross_entropy_gradient(W: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Of batches x (R, b, d), y (R, b) at weights (R, k, d); the residual of y is less the others' sum, never p_y - 1."""
    p = (x @ W.mT).softmax(-1).scatter(-1, y[..., None], 0.0)
    residuals = p.scatter(-1, y[..., None], -p.sum(-1, keepdim=True))
    return residuals.mT @ x / x.shape[1]
