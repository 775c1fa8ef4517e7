"""A power law that changes its exponent, smoothly, once.

    L(D) = E + B D^-c0 (1 + (D / D_1)^(1/f))^(-c1 f)

Source: Caballero et al. 2022, "Broken Neural Scaling Laws" (arXiv 2210.14891), equation 1 with one break.
Limits: exponent c0 far below the break D_1, c0 + c1 far above it; f is the width of the bend in ln D, and f -> 0 a
corner.
Gradient: with s = (ln D - ln D_1)/f, F = f ln(1 + e^s), σ = 1/(1 + e^-s):
    ∂F/∂ ln D_1 = -σ,  ∂F/∂ ln f = F - f s σ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from twopart._simd import simd_kernel
from twopart.fits.scaling.forms._excess import Fall, falling
from twopart.fits.scaling.forms._form import EXPONENT, Floats, Form, projected
from twopart.fits.scaling.forms._terms import at, combine, room


@simd_kernel
def broken(theta: Any, z: Any, value: Any, slopes: Any, curves: Any) -> None:
    """θ = (ln E, ln B, c0, c1, ln D_1, ln f)."""
    t, J, B = room(2, 6)
    c1, width = theta[3], np.exp(theta[5])
    J[0, 0] = J[1, 1] = 1.0
    for i in range(z.shape[1]):
        y = z[0, i]
        s = (y - theta[4]) / width
        bend = width * (max(s, 0.0) + np.log1p(np.exp(-abs(s))))
        sigma = 0.5 * (1 + np.tanh(0.5 * s))
        turn = sigma * (1 - sigma)
        by_width = bend - width * s * sigma
        t[0], t[1] = theta[0], theta[1] - theta[2] * y - c1 * bend
        J[1, 2], J[1, 3], J[1, 4], J[1, 5] = -y, -bend, c1 * sigma, -c1 * by_width
        B[1, at(4, 3)], B[1, at(5, 3)] = sigma, -by_width
        B[1, at(4, 4)], B[1, at(5, 4)] = -c1 * turn / width, -c1 * s * turn
        B[1, at(5, 5)] = -c1 * (by_width + width * s * s * turn)
        value[i] = combine(t, J, B, slopes[i], curves[i])


def starts(z: Floats, loss: Floats) -> Iterator[Floats]:
    y = z[:, 0]
    for c0, c1, place, width in product((0.05, 0.2, 0.5), (-0.3, 0.3, 0.8), (0.25, 0.5, 0.75), (0.2, 1.0)):
        turn = y.min() + place * np.ptp(y)
        terms = np.c_[np.ones(len(y)), np.exp(-c0 * y - c1 * width * np.logaddexp(0, (y - turn) / width))]
        yield np.r_[projected(terms, loss), c0, c1, turn, np.log(width)]


def excess(theta: Floats, fixed: Mapping[str, float]) -> Fall:
    floor, b, c0, c1, place, width = theta
    return Fall(floor, b, falling(c0), c1, place, np.exp(np.clip(width, -100, 100)))


BROKEN = Form(
    name="broken",
    formula="L = E + B D^-c0 (1 + (D / D_1)^(1/f))^(-c1 f)",
    source="Caballero et al. 2022, arXiv 2210.14891, equation 1, one break",
    inputs=("tokens",),
    parameters=("E", "B", "c0", "c1", "D_1", "f"),
    positive=("E", "B", "D_1", "f"),
    limits={"c0": EXPONENT, "c1": (-10.0, 10.0), "f": (0.01, 10.0)},
    scales={"D_1": "tokens"},
    code=4,
    starts=starts,
    excess=excess,
)
