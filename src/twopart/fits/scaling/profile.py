"""Profile likelihood: how much worse the best fit gets as one parameter is held elsewhere.

S(v) = min over all other parameters of the objective with this one at v. For squares it is the likelihood ratio of normal
noise, n ln(S(v)/S_min); else, by the ρ-test (Ronchetti 1982), 2 (S(v) - S_min)/κ, κ = E ψ²/E ψ'. Either is χ² with one degree
of freedom at the true v. The interval is where it stays below the quantile. It may be lopsided, and it is open where the
objective levels off: then the runs set no bound, which a covariance cannot show. Parameters move in their coordinates, but
for the floor E: it may be 0, where its logarithm says nothing, and moves as it is, from 0 on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from twopart.fits.scaling.curve import exponential
from twopart.fits.scaling.forms import FAINT, Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.solver import minimise
from twopart.fits.scaling.starts import SMOOTH
from twopart.fits.scaling.uncertainty import floor_covariance, floor_logarithm, noise_ratio

Floats = NDArray[np.float64]

POINTS = 61
TINY = 1e-300
WIDTH = 4.0  # to either side at first, in standard errors
TRIES = 5  # of wider or narrower sides
ENOUGH = 6  # points below the bound on a side


@dataclass(frozen=True)
class Profile:
    """One parameter's profile."""

    name: str
    values: Floats
    """Where the parameter was held."""
    statistic: Floats
    """2 (S - S_min)/κ there, n ln(S/S_min) for squares."""
    interval: tuple[float, float]
    """Infinite, or 0 for what is positive, where the runs set no bound."""
    level: float


def profile(
    form: Form,
    name: str,
    theta: Floats,
    z: Floats,
    losses: Floats,
    objective: Objective,
    level: float,
) -> Profile:
    """The profile of the parameter `name` around the optimum `theta`; the covariance says how the others move along."""
    k, bound = form.parameters.index(name), float(chi2.ppf(level, 1))
    spread, residuals = floor_covariance(form, theta, z, losses, objective)
    floor, log = bool(form.is_floor[k]), bool(form.logarithmic[k])
    centre = float(np.exp(theta[k])) if floor else float(theta[k])
    most = float(losses.max()) if floor else np.inf
    error, along = _error(spread, k, 0.1 * most if floor else 1.0)
    down = up = WIDTH * error
    for _ in range(TRIES):
        if floor:
            down, up = min(down, centre), min(up, most)
        points, middle = _points(centre, down, up)
        moved = np.where(form.is_floor, np.exp(theta * form.is_floor), theta) + (points - centre)[:, None] * along
        starts = np.where(form.is_floor, floor_logarithm(moved), moved)
        starts = _with_floor(form, starts, FAINT * float(losses.min()))
        starts[:, k] = floor_logarithm(points) if floor else points
        statistic = _statistic(form, starts, z, losses, objective, residuals, k)
        low, high = (points[middle::-1], statistic[middle::-1]), (points[middle:], statistic[middle:])
        steps = _step(low[1], bound), _step(high[1], bound)
        stuck = (
            steps[0] == 1 or (floor and down == centre and steps[0] > 1),
            steps[1] == 1 or (up == most and steps[1] > 1),
        )
        if all(stuck):
            break
        down, up = down * steps[0], up * steps[1]
    ends = _crossing(*low, bound, -np.inf), _crossing(*high, bound, np.inf)
    if floor:
        return Profile(name, points, statistic, (max(ends[0], 0.0), ends[1]), level)
    if log:
        points, ends = exponential(points), tuple(exponential(np.array(ends)).tolist())
    return Profile(name, points, statistic, ends, level)


def _points(centre: float, down: float, up: float) -> tuple[Floats, int]:
    """Where to hold it, and which of them is the optimum."""
    if down < 1e-9 * up:
        return centre + np.linspace(0, up, POINTS), 0
    half = POINTS // 2 + 1
    return centre + np.r_[-np.linspace(down, 0, half), np.linspace(0, up, half)[1:]], half - 1


def _step(statistic: Floats, bound: float) -> float:
    """How much farther to look along one side: 1 where its end is beyond the bound and enough points are below."""
    if statistic[-1] <= bound:
        return 2.5
    inside = int(np.argmax(statistic > bound))
    return 1.0 if inside >= ENOUGH else 2.0 * max(inside, 1) / len(statistic)


def _error(spread: Floats, k: int, otherwise: float) -> tuple[float, Floats]:
    """Standard error of a parameter, and how the others move with it; where the runs give none, a guess."""
    variance = float(spread[k, k])
    if not (np.isfinite(variance) and variance > 0):
        return otherwise, np.zeros(len(spread))
    return float(np.sqrt(variance)), spread[:, k] / variance


def _statistic(
    form: Form, starts: Floats, z: Floats, losses: Floats, objective: Objective, residuals: Floats, k: int
) -> Floats:
    """How much worse the best fits are that have the parameter number `k` where each start has it."""
    for knee in objective.path(SMOOTH):
        ends = minimise(form, starts, z, np.log(losses), np.ones((len(starts), len(losses))), knee, fixed=k)
        starts = ends.theta
    least = max(float(np.sum(objective.value(residuals))), TINY)
    if objective.name == "squares":
        worse: Floats = len(losses) * np.log(np.maximum(ends.objective, TINY) / least)
    else:
        worse = 2 * (ends.objective - least) / max(noise_ratio(residuals, objective, starts.shape[1]), TINY)
    return np.maximum(worse, 0.0)


def _with_floor(form: Form, theta: Floats, least: float) -> Floats:
    """Floors of at least so much: from zero their logarithm could not move."""
    return np.where(form.is_floor, np.maximum(theta, np.log(least)), theta)


def _crossing(values: Floats, statistic: Floats, bound: float, never: float) -> float:
    """Where, going along, the statistic first passes the bound."""
    beyond = np.flatnonzero(statistic > bound)
    if not len(beyond):
        return never
    i = max(int(beyond[0]), 1)
    return float(np.interp(bound, statistic[i - 1 : i + 1], values[i - 1 : i + 1]))
