"""The models of the study of delayed spikes, trained by autograd.

Axis "course", a row for each run and step: loss, above the least one, log_tangent, kappa, norm, alpha, and by
`path_general`, where inputs are not whitened, general, the loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from scipy.special import expit

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
    Σ, (ratio, θ, decay) = x.T @ x / len(x), case.runs
    c = float(norm(Σ, best))
    rate = ratio / (c**2 * curvature)
    across = _random.generator(case.seed, "start").normal(size=x.shape[1])
    across -= best * (across @ Σ @ best) / c**2
    first = np.cos(θ)[:, None] * best / c + np.sin(θ)[:, None] * across / norm(Σ, across)
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
        held = torch.minimum(η, limit * s.detach() ** 2 / (curvature * c * a.detach().abs()))
        for kept, value in zip(seen, (w, a, held, each), strict=True):
            kept.append(value.detach())
        w, a = w.detach() * (1 - held * wd)[:, None] - held[:, None] * dw, a.detach() - case.lag * da
        cell.progress(step, case.steps)
    ws, alphas, rates, losses = (torch.stack(kept).double().numpy(force=True) for kept in seen)
    run = SpikePath.of(ws, alphas, best, Σ, rates * (curvature if case.loss == "logistic" else 1.0))
    least = float(LOSSES[case.loss](torch.from_numpy(x @ best), torch.from_numpy(y)).mean())
    columns = {column: getattr(run, column).T for column in COLUMNS} | {"loss": losses.T - least}
    if case.condition != 1:
        columns["general"] = path_general(Σ, first, START, best, rate, case.lag, case.steps).loss.T
    return long("course", columns)


def data(case: Descent) -> tuple[Any, Any, Any, float]:
    """Inputs, targets, what fits them best, and the largest curvature across it."""
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
    H = Σ
    if case.loss == "logistic":  # of labels, a fifth of them flipped: without that their best α is infinite
        y = np.sign(y) * np.where(_random.generator(case.seed, "flips").random(len(y)) < 0.2, -1, 1)
        fit = library("sklearn.linear_model", "logistic losses").LogisticRegression
        best = fit(C=1e9, fit_intercept=False, tol=1e-10).fit(x, y).coef_[0]
        H = (x.T * expit(x @ best) * expit(-x @ best)) @ x / len(x)
    across = np.eye(len(best)) - np.outer(best, Σ @ best) / norm(Σ, best) ** 2
    return x, y, best, float(np.linalg.eigvalsh(across.T @ H @ across)[-1])
