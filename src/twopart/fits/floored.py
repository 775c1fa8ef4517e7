"""A power law above a floor that is free: y = floor + scale x^-exponent, by least squares with nothing below 0.

The exponent is tried over octaves; floor and scale of each follow by a formula. What it finds hangs on the range of x: a curve
without a floor, or with little bend, is fitted by any exponent whose floor makes up for it. An exponent at an end of what is
tried, 1/64 or 4, says that the range does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arrays import finite
from twopart._checks import check

Floats: TypeAlias = NDArray[np.float64]
LOW, HIGH = -6.0, 2.0  # octaves of the exponent
ZOOMS, STEPS = 3, 64


@dataclass(frozen=True)
class Floored:
    """y = floor + scale x^-exponent, in the unit of y: numbers, or for several curves arrays of them."""

    floor: Any
    scale: Any
    exponent: Any


def floored(x: ArrayLike, y: ArrayLike) -> Floored:
    """The curve nearest to `y` (n,) at `x` > 0 (n,), n >= 3, or of each row of `y` (curves, n).

    Raises `InputError` for fewer points, or x that are not positive.
    """
    x = finite("x", x, (None,), "one number for each y")
    shape = (None, *x.shape) if np.ndim(y) == 2 else x.shape
    rows = finite("y", y, shape, "one number for each x")
    check(len(np.unique(x)) >= 3, "x", len(x), "three different ones at least", "a floor, a scale and an exponent")
    check(bool((x > 0).all()), "x", float(x.min()), "> 0", "leave out what is not")
    curves = rows.reshape(-1, len(x))
    low, high = np.full(len(curves), LOW), np.full(len(curves), HIGH)
    for _ in range(ZOOMS):
        tried = np.linspace(low, high, STEPS + 1, axis=1)
        best = _fit(x, curves, 2**tried)[0].argmin(1)
        at, low, high = (np.take_along_axis(tried, np.clip(best + k, 0, STEPS)[:, None], 1) for k in (0, -1, 1))
        low, high = low[:, 0], high[:, 0]
    _, floor, scale = _fit(x, curves, 2**at)[:, :, 0]
    found = floor, scale, 2 ** at[:, 0]
    return Floored(*(found if rows.ndim == 2 else (float(one[0]) for one in found)))


def _fit(x: Floats, y: Floats, exponents: Floats) -> Floats:
    """Squares left, floor and scale for each exponent that is tried for each curve (3, curves, exponents)."""
    powers = (x / x.min()) ** -exponents[:, :, None]
    centred = powers - powers.mean(2, keepdims=True)
    each = y[:, None]
    scale = np.maximum((centred * each).sum(2) / (centred**2).sum(2), 0)
    floor = each.mean(2) - scale * powers.mean(2)
    scale = np.where(floor < 0, np.maximum((powers * each).sum(2) / (powers**2).sum(2), 0), scale)
    floor = np.maximum(floor, 0)
    left = ((each - floor[:, :, None] - scale[:, :, None] * powers) ** 2).sum(2)
    return np.stack([left, floor, scale * x.min() ** exponents])
