"""The optimum, searched from many places: a grid over the exponents, amplitudes by variable projection.

The objective has valleys along which amplitude and exponent trade off, and it is not convex: one start proves nothing.
How many of the starts end at the same place is reported, and so is the next best place where any of them ended.
Variable projection: Golub and Pereyra 1973 (SIAM Journal on Numerical Analysis 10).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twopart.fits.scaling.forms import Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.solver import Minima, minimise

Floats = NDArray[np.float64]

SAME = 1e-6  # relative difference of objectives below which two starts found one optimum
SMOOTH = 2e-2  # a knee above the noise of most runs
GONE = 1e-8  # share of the least loss below which a floor is 0


@dataclass(frozen=True)
class Optimum:
    """The best of many starts."""

    theta: Floats
    objective: float
    """The sum that was minimised."""
    starts: int
    share: float
    """Of the starts, those that ended here, within 1e-6 of the objective."""
    second: Floats | None
    """Where the next best local optimum is, in the same coordinates, if some converged start ended at one."""
    second_objective: float | None


def search(form: Form, z: Floats, loss: Floats, objective: Objective) -> Optimum:
    """Follow the objective's path of knees from each of the form's starting points."""
    theta = np.array(list(form.starts(z, loss)))
    weights = np.ones((len(theta), len(loss)))
    for knee in objective.path(SMOOTH):
        ends = minimise(form, theta, z, np.log(loss), weights, knee)
        theta = ends.theta
    return _judge(ends)


def _judge(ends: Minima) -> Optimum:
    best = int(np.argmin(ends.objective))
    least = float(ends.objective[best])
    here = ends.objective <= least * (1 + SAME) + 1e-20
    others = np.flatnonzero(~here & ends.converged)
    next_best = others[np.argmin(ends.objective[others])] if len(others) else None
    second = None if next_best is None else ends.theta[next_best]
    height = None if next_best is None else float(ends.objective[next_best])
    return Optimum(ends.theta[best], least, len(here), float(np.mean(here)), second, height)


def settled(form: Form, theta: Floats, loss: Floats) -> Floats:
    """An optimum; a floor that the solver left on its way to 0, where its logarithm has no end, is 0."""
    return np.where(form.is_floor & (theta < np.log(GONE * loss.min())), -np.inf, theta)
