"""The models of the study of delayed spikes, trained by autograd.

Axis "course", a row for each run and step: loss, above the least one of square loss, log_tangent, kappa, norm, alpha; general,
the loss by `path_general` where inputs are not whitened.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.features.spikes import CLAMP, SpikePath, norm, path_general
from twopart.studies.features.delayed_spikes import COLUMNS, NOISE, START, TARGET, Descent
from twopart.worlds._libraries import library
from twopart.worlds.features import Whitened

LOSSES: Any = {"square": lambda f, y: (f - y) ** 2 / 2, "logistic": lambda f, y: torch.log1p(torch.exp(-y * f))}


def descend(case: Descent, cell: Cell) -> pl.DataFrame:
    """Train all runs of the case at once."""
    x, y, best, curvature = data(case)
    Σ, (_, θ, decay), rate = x.T @ x / len(x), case.runs, case.rate / curvature
    across = _random.generator(case.seed, "start").normal(size=x.shape[1])
    across -= best * (across @ Σ @ best) / TARGET**2
    first = np.cos(θ)[:, None] * best / norm(Σ, best) + np.sin(θ)[:, None] * across / norm(Σ, across)
    kind, limit = getattr(torch, case.dtype), CLAMP if case.held else np.inf
    start = x, y, first, np.full(len(θ), START), rate, decay
    points, targets, w, a, η, wd = (torch.from_numpy(v).to(kind).to(cell.device) for v in start)
    seen: Any = ([], [], [], [])
    for step in range(case.steps + 1):
        w, a = w.detach().requires_grad_(), a.detach().requires_grad_()
        z = w @ points.mT
        s = z.square().mean(1).sqrt()
        each = LOSSES[case.loss]((a / s)[:, None] * z, targets).mean(1)
        dw, da = torch.autograd.grad(each.sum(), (w, a))
        held = torch.minimum(η, limit * s.detach() ** 2 / (curvature * TARGET * a.detach().abs()))
        for kept, value in zip(seen, (w, a, held, each), strict=True):
            kept.append(value.detach())
        w, a = w.detach() * (1 - held * wd)[:, None] - held[:, None] * dw, a.detach() - case.lag * da
        cell.progress(step, case.steps + 1)
    ws, alphas, rates, losses = (torch.stack(kept).double().numpy(force=True) for kept in seen)
    run = SpikePath.of(ws, alphas, best, Σ, rates)
    least = np.square(x @ best - y).mean() / 2 if case.loss == "square" else 0.0
    columns = {column: getattr(run, column).T for column in COLUMNS} | {"loss": losses.T - least}
    if case.condition != 1:
        columns["general"] = path_general(Σ, first, START, best, rate, case.lag, case.steps).loss.T
    cell.progress(1, 1)
    return long("course", columns)


def data(case: Descent) -> tuple[Any, Any, Any, float]:
    """Inputs, targets, what fits them best, of size c, and the largest curvature across it."""
    if case.data == "gaussian":
        spectrum = np.diag(np.geomspace(1, case.condition, case.dimension))
        x, y, _ = Whitened(case.points, case.dimension, TARGET, NOISE, spectrum, case.seed).sample()
    else:
        x, y = getattr(library("sklearn.datasets", case.data), f"load_{case.data}")(return_X_y=True)
        x, y = x[:, x.std(0) > 0], y - y.mean()
        x = (x - x.mean(0)) / x.std(0)
        x = np.linalg.qr(x)[0] * np.sqrt(len(x)) if case.condition == 1 else x
    Σ, best = x.T @ x / len(x), np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], np.float64)
    y, best = y * TARGET / norm(Σ, best), best * TARGET / norm(Σ, best)
    if case.loss == "logistic":
        fit = library("sklearn.linear_model", "logistic losses").LogisticRegression
        y, best = np.sign(y), fit(C=1e9, fit_intercept=False, tol=1e-10).fit(x, np.sign(y)).coef_[0]
    across = Σ - np.outer(Σ @ best, Σ @ best) / norm(Σ, best) ** 2
    return x, y, best, float(np.linalg.eigvalsh(across)[-1])
