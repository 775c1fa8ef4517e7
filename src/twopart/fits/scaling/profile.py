"""Profile likelihood: how much worse the best fit gets as one parameter is held elsewhere.

S(v) = min over all other parameters of the objective with this one at v. By the ρ-test (Ronchetti 1982; likelihood
ratio for squares), 2 (S(v) - S_min) / κ is χ² with one degree of freedom at the true v, κ = E ψ²/E ψ'. The interval is
where it stays below the quantile. It may be lopsided, and it is open where the objective levels off: then the runs set
no bound, which a covariance cannot show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from twopart.fits.scaling.forms import Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.solver import minimise
from twopart.fits.scaling.starts import SMOOTH
from twopart.fits.scaling.uncertainty import noise_ratio

Floats = NDArray[np.float64]

POINTS = 61
WIDER = (4.0, 10.0, 30.0)  # half-widths to try, in standard errors


@dataclass(frozen=True)
class Profile:
    """One parameter's profile."""

    name: str
    values: Floats
    """Where the parameter was held."""
    statistic: Floats
    """2 (S - S_min)/κ there."""
    interval: tuple[float, float]
    """Infinite, or 0 for what is positive, where the runs set no bound."""
    level: float


def profile(
    form: Form,
    name: str,
    theta: Floats,
    covariance: Floats,
    z: Floats,
    losses: Floats,
    residuals: Floats,
    objective: Objective,
    level: float,
) -> Profile:
    """The profile of the parameter `name` around the optimum `theta`; `covariance` says how the others move along."""
    k = form.parameters.index(name)
    along = covariance[:, k] / covariance[k, k]
    least, bound = float(np.sum(objective.value(residuals))), float(chi2.ppf(level, 1))
    for width in WIDER:
        steps = np.linspace(-width, width, POINTS) * np.sqrt(covariance[k, k])
        starts = theta + steps[:, None] * along
        for knee in objective.path(SMOOTH):
            ends = minimise(form, starts, z, np.log(losses), np.ones((POINTS, len(losses))), knee, fixed=k)
            starts = ends.theta
        statistic = 2 * (ends.objective - least) / noise_ratio(residuals, objective, len(theta))
        if statistic[0] > bound and statistic[-1] > bound:
            break
    coordinates = theta[k] + steps
    ends_at = [
        _crossing(coordinates[:: -1 if low else 1], statistic[:: -1 if low else 1], bound) for low in (True, False)
    ]
    if form.logarithmic[k]:
        ends_at, coordinates = [float(np.exp(end)) for end in ends_at], np.exp(coordinates)
    return Profile(name, coordinates, statistic, (ends_at[0], ends_at[1]), level)


def _crossing(values: Floats, statistic: Floats, bound: float) -> float:
    """Going outwards from the middle, where the statistic first passes the bound."""
    middle = len(values) // 2
    for i in range(middle, len(values) - 1):
        if statistic[i + 1] > bound:
            before, after = min(statistic[i], bound), statistic[i + 1]
            return float(values[i] + (values[i + 1] - values[i]) * (bound - before) / (after - before))
    return float(np.copysign(np.inf, values[-1] - values[0]))
