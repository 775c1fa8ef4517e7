"""Two looks at a fit that its own objective cannot give: the runs that it misses, and the runs that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from twopart.fits.scaling.forms import Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.runs import Runs
from twopart.fits.scaling.solver import log_losses
from twopart.fits.scaling.starts import search

Floats = NDArray[np.float64]

FAR = 5.0  # standard deviations, if they are known: one Gaussian run in 1.7 million is farther
EFFICIENCY = 0.37  # of the median absolute deviation: it tells a scale as well as so large a part of the runs would
LARGEST = 0.2  # share of the runs that is left out


@dataclass(frozen=True)
class Outlier:
    """A run far from the law. It is named, and stays in the fit; `drop_highest` leaves runs out by their loss."""

    row: int
    """In the caller's arrays."""
    loss: float
    residual: float
    """ln loss - ln L."""
    score: float
    """Residual in robust standard deviations."""


@dataclass(frozen=True)
class HoldOut:
    """The largest runs, judged by the law of the smaller ones."""

    rows: NDArray[np.int64]
    """The runs left out, in the caller's arrays."""
    error: float
    """Mean |ln loss - ln L| over them: 0.01 is an error of 1 %."""
    bias: float
    """Mean of ln loss - ln L: > 0 where the large runs did worse than foretold."""
    in_sample: float
    """Mean |ln loss - ln L| over the runs that were fitted."""
    reach: float
    """How many times the compute of the largest run left out exceeds that of the largest fitted."""


def outliers(runs: Runs, residuals: Floats, parameters: int) -> tuple[Outlier, ...]:
    """Runs farther from the law than chance puts one of them, the farthest first.

    The scale is 1.4826 times the median absolute residual, without the smallest: as many as there are parameters, for a fit of
    absolute deviations passes through so many runs. The bound is as unlikely as `FAR` Gaussian standard deviations under
    Student's law with `EFFICIENCY` (n - p) degrees of freedom: with 5 parameters 5.4 for 240 runs, 9.9 for 36, beyond reach
    for 9.
    """
    free = len(residuals) - parameters
    sizes = np.sort(np.abs(residuals - np.median(residuals)))[parameters:]
    scale = 1.4826 * float(np.median(sizes)) if free > 0 else 0.0
    if scale < 1e-12:
        return ()
    scores = residuals / scale
    far = np.flatnonzero(np.abs(scores) > stats.t.isf(stats.norm.sf(FAR), EFFICIENCY * free))
    far = far[np.argsort(-np.abs(scores[far]))]
    return tuple(Outlier(int(runs.rows[i]), float(runs.loss[i]), float(residuals[i]), float(scores[i])) for i in far)


def _by_size(runs: Runs) -> tuple[NDArray[np.int64], int]:
    """The runs by size, and how many are kept; a training curve, as large as its end, is kept or left out whole."""
    curves = np.arange(len(runs)) if runs.curves is None else runs.curves
    size = np.zeros(int(curves.max()) + 1)
    np.maximum.at(size, curves, runs.size)
    order = np.lexsort((curves, size[curves]))
    kept = len(order) - max(1, round(LARGEST * len(order)))
    while 0 < kept < len(order) and curves[order[kept]] == curves[order[kept - 1]]:
        kept -= 1
    return order, kept


def hold_out(form: Form, runs: Runs, objective: Objective) -> HoldOut | None:
    """Fit on all but the largest fifth of the runs; None where too few would be left."""
    order, kept = _by_size(runs)
    small, large = runs.take(np.sort(order[:kept])), runs.take(np.sort(order[kept:]))
    if kept < len(form.parameters) + 1 or np.any(np.ptp(small.logs(form), axis=0) < 1e-9):
        return None
    theta = search(form, small.logs(form), small.loss, objective).theta
    seen, unseen = (np.log(part.loss) - log_losses(form, theta[None], part.logs(form))[0] for part in (small, large))
    reach = float(large.size.max() / small.size.max())
    return HoldOut(
        large.rows, float(np.mean(np.abs(unseen))), float(np.mean(unseen)), float(np.mean(np.abs(seen))), reach
    )
