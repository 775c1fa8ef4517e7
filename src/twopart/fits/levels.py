"""Where a measured course comes to a level, between its points by interpolation.

first_reached  the first time that it is up there
stays_below    from where on it is down there for good
clocks         when training has learned what is general, and when what is particular
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import finite
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


class Clocks(NamedTuple):
    """When training has learned what is general, and when what is particular."""

    generalises: float
    """τ_gen: the test loss is first within 5 % of its least; the first time where it begins there."""
    memorises: float
    """τ_mem: the gap of test and train loss first is half of the last one. nan where it never opens."""


def clocks(times: ArrayLike, train: ArrayLike, test: ArrayLike) -> Clocks:
    """Of losses (T,) at rising times (T,), between which they are linear in log time (after Bonnaire et al. 2025)."""
    τ = finite("times", times, (None,), "rising and positive")
    check(len(τ) > 1 and τ[0] > 0 and bool((np.diff(τ) > 0).all()), "times", τ, "two or more, rising, > 0", "sort them")
    losses = [finite(n, v, (len(τ),), "one for each time") for n, v in (("train", train), ("test", test))]
    gap, lacks = losses[1] - losses[0], 1.05 * losses[1].min() - losses[1]
    half = gap[-1] / 2 if gap[-1] > 0 else inf
    came = ((max(level, course[0]), course) for level, course in ((0.0, lacks), (half, gap)))
    return Clocks(*(float(np.exp(first_reached(level, course, np.log(τ)))) for level, course in came))
