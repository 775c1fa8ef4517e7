"""The exponent of a measured curve: a straight line on log-log axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from twopart._checks import check


def slope(x: ArrayLike, y: ArrayLike) -> float:
    """Least-squares d ln y / d ln x, every point with equal weight; nan if some y <= 0.

    `twopart.evidence.statistic` gives it an interval.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    check(len(x) == len(y) >= 2, "y", len(y), f"as many points as x, {len(x)}, and at least 2", "take a wider region")
    if not np.all(y > 0):
        return float("nan")
    log_x = np.log(x)
    centred = log_x - log_x.mean()
    return float(centred @ np.log(y) / (centred @ centred))
