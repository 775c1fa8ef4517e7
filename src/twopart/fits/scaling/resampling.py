"""The bootstrap: the fit repeated on runs drawn with replacement (Efron 1979), all resamples solved by one call.

Each resample starts from the fit's own optimum. That may lead into a worse local one, so a tenth of them are solved
again by another way, through wide knees; if that betters any, all are, and each keeps the better of its two ends.

Where the optimum has no floor, E = 0, it is at the edge of what can be, and so is every resample: the bootstrap fails there
(Andrews 2000, Econometrica 68) and would say that E is 0 for certain. Then a draw's floor is what the profile likelihood gives
to a normal number z, the E at which its statistic is z² for z > 0 and 0 for others, and the draw's other parameters are
fitted to its resample with that floor: half of the draws have one, and the upper end of their percentile interval is the
profile's own. Derived here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart.fits.scaling.forms import FLOOR, Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.profile import profile
from twopart.fits.scaling.solver import Minima, minimise
from twopart.fits.scaling.starts import SAME, SMOOTH
from twopart.fits.scaling.uncertainty import floor_logarithm

Floats = NDArray[np.float64]

CLOSE = 1e-3  # the knee to start with: resamples start close to their optimum, and Newton's steps reach this far
NO_FLOOR = 1e-3  # an irreducible loss below this share of the least loss seen is none
NORMAL_DRAWS = 1000
PROBE = 10  # every so many resamples are solved twice


def draw_weights(n: int, resamples: int, seed: int, curves: NDArray[np.int64] | None = None) -> Floats:
    """How often each of n runs is drawn, shape (resamples, n); the points of a curve are drawn together."""
    of = np.arange(n) if curves is None else np.unique(curves, return_inverse=True)[1]
    units = int(of.max()) + 1
    chosen = _random.generator(seed, "scaling bootstrap").integers(units, size=(resamples, units))
    weights = np.zeros((resamples, units))
    np.add.at(weights, (np.arange(resamples)[:, None], chosen), 1.0)
    return weights[:, of]


def resample(form: Form, z: Floats, loss: Floats, objective: Objective, theta: Floats, weights: Floats) -> Minima:
    """One minimum per row of `weights`, searched from the fit's own optimum `theta`."""

    def follow(weights: Floats, widest: float) -> Minima:
        ends = Minima(np.repeat(theta[None], len(weights), 0), np.zeros(len(weights)), np.ones(len(weights), bool))
        for knee in objective.path(widest):
            ends = minimise(form, ends.theta, z, np.log(loss), weights, knee)
        return ends

    ends = follow(weights, CLOSE)
    if objective.path(SMOOTH) == objective.path(CLOSE):
        return ends
    again = follow(weights[::PROBE], SMOOTH)
    if not np.any(again.objective < ends.objective[::PROBE] * (1 - SAME)):
        return ends
    return _better(ends, follow(weights, SMOOTH))


def with_floors(
    form: Form, z: Floats, loss: Floats, objective: Objective, theta: Floats, drawn: Minima, weights: Floats, seed: int
) -> tuple[Floats, float]:
    """Draws, with floors from the profile where the optimum `theta` has none, and the share of them that converged."""
    at = np.flatnonzero(form.is_floor)
    draws = drawn.theta
    if not len(at) or np.exp(theta[at[0]]) > NO_FLOOR * loss.min():
        return draws, float(np.mean(drawn.converged))
    k = int(at[0])
    found = profile(form, FLOOR, theta, z, loss, objective, 0.95)
    z_scores = _random.generator(seed, "scaling floors").standard_normal(len(draws))
    heights = np.sqrt(np.maximum.accumulate(found.statistic))
    floors = np.where(z_scores > 0, np.interp(z_scores, heights, found.values), 0.0)
    draws[:, k] = np.maximum(draws[:, k], floor_logarithm(floors))
    for knee in objective.path(SMOOTH):
        ends = minimise(form, draws, z, np.log(loss), weights, knee, fixed=k)
        draws = ends.theta
    return draws, float(np.mean(ends.converged))


def normal_draws(form: Form, theta: Floats, spread: Floats, seed: int) -> Floats:
    """Without a bootstrap: from the normal law around `theta`. The floor moves as it is; where it would be negative it is 0,
    and the others are as for that."""
    centre = np.where(form.is_floor, np.exp(np.where(form.is_floor, theta, 0.0)), theta)
    drawn = np.random.default_rng(seed).multivariate_normal(centre, spread, NORMAL_DRAWS, "ignore", method="eigh")
    for k in np.flatnonzero(form.is_floor):
        along = spread[:, k] / max(spread[k, k], 1e-300)
        drawn -= np.minimum(drawn[:, k : k + 1], 0.0) * along
        drawn[:, k] = floor_logarithm(drawn[:, k])
    return drawn


def _better(one: Minima, other: Minima) -> Minima:
    second = other.objective < one.objective
    return Minima(
        np.where(second[:, None], other.theta, one.theta),
        np.where(second, other.objective, one.objective),
        np.where(second, other.converged, one.converged),
    )
