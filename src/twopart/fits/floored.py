"""A power law above a floor that is free: y = floor + scale x^-exponent, by least squares with nothing below 0.

The exponent is tried over octaves; floor and scale of each follow by a formula. What it finds hangs on the range of x: a curve
without a floor, or with little bend, is fitted by any exponent whose floor makes up for it. An exponent at an end of what is
tried, 1/64 or 4, says that the range does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arrays import finite
from twopart._checks import check

LOW, HIGH = -6.0, 2.0  # octaves of the exponent
ZOOMS, STEPS = 3, 64


@dataclass(frozen=True)
class Floored:
    """y = floor + scale x^-exponent, in the unit of y."""

    floor: float
    scale: float
    exponent: float


def floored(x: ArrayLike, y: ArrayLike) -> Floored:
    """The curve nearest to `y` (n,) at `x` > 0 (n,), n >= 3.

    Raises `InputError` for fewer points, or x that are not positive.
    """
    x = finite("x", x, (None,), "one number for each y")
    y = finite("y", y, x.shape, "one number for each x")
    check(len(np.unique(x)) >= 3, "x", len(x), "three different ones at least", "a floor, a scale and an exponent")
    check(bool((x > 0).all()), "x", float(x.min()), "> 0", "leave out what is not")
    low, high = LOW, HIGH
    for _ in range(ZOOMS):
        tried = np.linspace(low, high, STEPS + 1)
        best = int(_fit(x, y, 2**tried)[0].argmin())
        low, high = tried[max(best - 1, 0)], tried[min(best + 1, STEPS)]
    _, floor, scale = _fit(x, y, 2 ** tried[best : best + 1])
    return Floored(float(floor[0]), float(scale[0]), float(2 ** tried[best]))


def _fit(x: NDArray[np.float64], y: NDArray[np.float64], exponents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squares left, floor and scale for each exponent (3, exponents)."""
    powers = (x / x.min()) ** -exponents[:, None]
    centred = powers - powers.mean(1, keepdims=True)
    scale = np.maximum(centred @ y / (centred**2).sum(1), 0)
    floor = y.mean() - scale * powers.mean(1)
    scale = np.where(floor < 0, np.maximum(powers @ y / (powers**2).sum(1), 0), scale)
    floor = np.maximum(floor, 0)
    left = ((y - floor[:, None] - scale[:, None] * powers) ** 2).sum(1)
    return np.stack([left, floor, scale * x.min() ** exponents])
