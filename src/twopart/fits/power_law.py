"""The exponent of a measured curve: a straight line on log-log axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from twopart._checks import check


def slope(x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Least-squares d ln y / d ln x; nan if some y <= 0, or if all the weight is on one x.

    `weights` sum to 1; by default every point has the same. `twopart.evidence.statistic` gives it an interval.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    check(len(x) == len(y) >= 2, "y", len(y), f"as many points as x, {len(x)}, and at least 2", "take a wider region")
    w = np.full(len(x), 1 / len(x)) if weights is None else np.asarray(weights, float)
    if not np.all(y > 0):
        return float("nan")
    log_x = np.log(x)
    centred = log_x - w @ log_x
    spread = w @ centred**2
    return float((w * centred) @ np.log(y) / spread) if spread > 1e-12 else float("nan")
