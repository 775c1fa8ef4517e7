"""The bootstrap: the fit repeated on runs drawn with replacement (Efron 1979), all resamples solved by one call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart.fits.scaling.forms import Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.solver import Minima, minimise

Floats = NDArray[np.float64]

CLOSE = 1e-3  # the knee to start with: resamples start close to their optimum, and Newton's steps reach this far


def resample(
    form: Form, z: Floats, loss: Floats, objective: Objective, theta: Floats, resamples: int, seed: int
) -> Minima:
    """Minima of `resamples` draws of all runs with replacement, each solved from the fit's own optimum `theta`."""
    n = len(loss)
    chosen = _random.generator(seed, "scaling bootstrap").integers(n, size=(resamples, n))
    weights = np.zeros((resamples, n))
    np.add.at(weights, (np.arange(resamples)[:, None], chosen), 1.0)
    ends = Minima(np.repeat(theta[None], resamples, 0), np.zeros(resamples), np.ones(resamples, bool))
    for knee in objective.path(CLOSE):
        ends = minimise(form, ends.theta, z, np.log(loss), weights, knee)
    return ends
