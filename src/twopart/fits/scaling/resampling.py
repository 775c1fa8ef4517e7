"""The bootstrap: the fit repeated on runs drawn with replacement (Efron 1979), all resamples solved by one call.

Each resample starts from the fit's own optimum. That may lead into a worse local one, so a tenth of them are solved
again by another way, through wide knees; if that betters any, all are, and each keeps the better of its two ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart.fits.scaling.forms import Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.solver import Minima, minimise
from twopart.fits.scaling.starts import SAME, SMOOTH

Floats = NDArray[np.float64]

CLOSE = 1e-3  # the knee to start with: resamples start close to their optimum, and Newton's steps reach this far
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


def _better(one: Minima, other: Minima) -> Minima:
    second = other.objective < one.objective
    return Minima(
        np.where(second[:, None], other.theta, one.theta),
        np.where(second, other.objective, one.objective),
        np.where(second, other.converged, one.converged),
    )
