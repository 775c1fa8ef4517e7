"""The exponent of a measured curve: a straight line on log-log axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twopart._checks import check
from twopart.fits.bootstrap import Estimate, bootstrap


def slope(x: ArrayLike, y: ArrayLike) -> float:
    """Least-squares d ln y / d ln x, every point with equal weight; nan if some y <= 0."""
    log_x, y = np.log(np.asarray(x, float)), np.asarray(y, float)
    if not np.all(y > 0):
        return float("nan")
    centred = log_x - log_x.mean()
    return float(centred @ np.log(y) / (centred @ centred))


def power_law_slope(x: ArrayLike, curves: ArrayLike, **options: Any) -> Estimate:
    """Slope of the mean of `curves`, shape (replicates, len(x)), with its interval; `options` go to `bootstrap`."""
    x, curves = np.asarray(x, float), np.atleast_2d(np.asarray(curves, float))
    fine = curves.shape[1] == len(x) >= 2
    check(fine, "curves", curves.shape, "of shape (replicates, len(x)), len(x) >= 2", "take a wider region")
    check(
        bool(np.all(curves.mean(0) > 0)),
        "curves",
        curves.mean(0).min(),
        "positive on average",
        "end the region earlier",
    )
    return bootstrap(lambda mean: slope(x, mean), curves, **options)
