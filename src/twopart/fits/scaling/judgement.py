"""Two looks at a fit that its own objective cannot give: the runs that it misses, and the runs that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twopart.fits.scaling.forms import Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.runs import Runs
from twopart.fits.scaling.solver import log_losses
from twopart.fits.scaling.starts import search
from twopart.fits.scaling.uncertainty import robust_scale

Floats = NDArray[np.float64]

FAR = 5.0  # robust standard deviations: one Gaussian run in 1.7 million is farther
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


def outliers(runs: Runs, residuals: Floats) -> tuple[Outlier, ...]:
    """Runs more than `FAR` robust standard deviations from the law, the farthest first."""
    scale = robust_scale(residuals)
    if scale < 1e-12:
        return ()
    scores = residuals / scale
    far = np.flatnonzero(np.abs(scores) > FAR)
    far = far[np.argsort(-np.abs(scores[far]))]
    return tuple(Outlier(int(runs.rows[i]), float(runs.loss[i]), float(residuals[i]), float(scores[i])) for i in far)


def hold_out(form: Form, runs: Runs, objective: Objective) -> HoldOut | None:
    """Fit on all but the largest fifth of the runs; None where too few would be left."""
    order = np.argsort(runs.size, kind="stable")
    kept = len(order) - max(1, round(LARGEST * len(order)))
    small, large = runs.take(np.sort(order[:kept])), runs.take(np.sort(order[kept:]))
    if kept < len(form.parameters) + 1 or np.any(np.ptp(small.logs(form), axis=0) < 1e-9):
        return None
    theta = search(form, small.logs(form), small.loss, objective).theta
    seen, unseen = (np.log(part.loss) - log_losses(form, theta[None], part.logs(form))[0] for part in (small, large))
    reach = float(large.size.max() / small.size.max())
    return HoldOut(
        large.rows, float(np.mean(np.abs(unseen))), float(np.mean(unseen)), float(np.mean(np.abs(seen))), reach
    )
