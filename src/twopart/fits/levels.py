"""Where a measured course comes to a level, between its points by interpolation.

first_reached  the first time that it is up there
stays_below    from where on it is down there for good
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from twopart._checks import check

TINY = 1e-9  # less than any level


def first_reached(level: float, course: ArrayLike, y: ArrayLike) -> float:
    """y where a course, both of shape (n,), first reaches the level; nan if it begins above it or never does."""
    x, y = np.maximum.accumulate(np.asarray(course, float)), np.asarray(y, float)
    check(len(x) == len(y), "y", len(y), f"as many as points of the course, {len(x)}", "give one for each")
    if not x[0] <= level <= x[-1]:
        return float("nan")
    i = int(np.argmax(x >= level))
    return float(y[i] if i == 0 else y[i - 1] + (y[i] - y[i - 1]) * (level - x[i - 1]) / (x[i] - x[i - 1]))


def stays_below(level: float, course: ArrayLike, x: ArrayLike) -> float:
    """x > 0 from which on a course stays below the level > 0, in logarithms of both; nan if it always or never does."""
    course, x = np.asarray(course, float), np.asarray(x, float)
    check(len(x) == len(course), "x", len(x), f"as many as points of the course, {len(course)}", "give one for each")
    above = np.flatnonzero(course >= level)
    if len(above) == 0 or above[-1] == len(x) - 1:
        return float("nan")
    two = slice(above[-1], above[-1] + 2)
    return float(np.exp(np.interp(-np.log(level), -np.log(np.maximum(course[two], TINY)), np.log(x[two]))))
