"""The older form: size and data limit each other, and nothing is irreducible.

    L(N, D) = [ (N_c / N)^(alpha_N / alpha_D) + D_c / D ]^alpha_D

Source: Kaplan et al. 2020, "Scaling Laws for Neural Language Models" (arXiv 2001.08361), equation 1.5.
Limits: (D_c/D)^alpha_D as N grows, (N_c/N)^alpha_N as D grows, 0 as both do.
Gradient: ln L = alpha_D ℓ, ℓ the logarithm of a sum of two terms; ∂ ln L/∂alpha_D has an extra ℓ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from twopart._simd import simd_kernel
from twopart.fits.scaling.forms._excess import Split, falling
from twopart.fits.scaling.forms._form import EXPONENT, Floats, Form, projected
from twopart.fits.scaling.forms._terms import at, combine, room


@simd_kernel
def kaplan(theta: Any, z: Any, value: Any, slopes: Any, curves: Any) -> None:
    """θ = (ln N_c, ln D_c, alpha_N, alpha_D)."""
    t, J, B = room(2, 4)
    size, data, a, b = theta
    ratio, by_b = a / b, -a / b**2
    J[0, 0], J[1, 1] = ratio, 1.0
    B[0, at(2, 0)], B[0, at(3, 0)] = 1 / b, by_b
    for i in range(z.shape[1]):
        gap = size - z[0, i]
        t[0], t[1] = ratio * gap, data - z[1, i]
        J[0, 2], J[0, 3] = gap / b, gap * by_b
        B[0, at(3, 2)], B[0, at(3, 3)] = -gap / b**2, 2 * gap * a / b**3
        slope, curve = slopes[i], curves[i]
        inner = combine(t, J, B, slope, curve)
        curve *= b
        for k in range(4):
            curve[at(3, k)] += slope[k]
        curve[at(3, 3)] += slope[3]
        slope *= b
        slope[3] += inner
        value[i] = b * inner


def starts(z: Floats, loss: Floats) -> Iterator[Floats]:
    for a, b in product(np.geomspace(0.03, 1.0, 6), repeat=2):
        terms = np.exp(-np.array([a / b, 1.0]) * (z - z.mean(0)))
        size, data = projected(terms, loss ** (1 / b)) + np.array([a / b, 1.0]) * z.mean(0)
        yield np.array([size / (a / b), data, a, b])


def excess(theta: Floats, fixed: Mapping[str, float]) -> Split:
    """L^(1/alpha_D) is a sum of two powers, without a floor."""
    size, data, a, b = theta
    b = falling(b)
    ratio = falling(a / b)
    return Split(np.full_like(size, -np.inf), ratio * size, ratio, data, np.ones_like(size), power=b)


KAPLAN = Form(
    name="kaplan",
    formula="L = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D",
    source="Kaplan et al. 2020, arXiv 2001.08361, equation 1.5",
    inputs=("params", "tokens"),
    parameters=("N_c", "D_c", "alpha_N", "alpha_D"),
    positive=("N_c", "D_c"),
    limits={"alpha_N": EXPONENT, "alpha_D": EXPONENT},
    code=2,
    starts=starts,
    excess=excess,
)
