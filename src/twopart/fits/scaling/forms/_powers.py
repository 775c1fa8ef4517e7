"""L = E + Σ_k A_k x_k^-α_k: the sum of powers that most forms are, and one step of it through inner functions.

θ = (ln E, ln A_1, .., ln A_m, α_1, .., α_m). With t_k = ln A_k - α_k ln x_k and shares p_k = e^(t_k)/L,
    ∇ ln L = Σ p_k ∇t_k,     ∇² ln L = Σ p_k ∇t_k ∇t_kᵀ - ∇ ln L (∇ ln L)ᵀ        (+ Σ p_k ∇²t_k where a t_k is not linear).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from twopart._numba import inlined
from twopart.fits.scaling.forms._form import Floats, projected

GRID = np.linspace(0.1, 1.0, 6)


@inlined
def powers(theta: Any, z: Any, gradient: Any, hessian: Any) -> float:
    """ln L at one run; fills its gradient and the lower triangle of its Hessian."""
    m = len(z)
    constant = np.exp(theta[0])
    total = constant
    for k in range(m):
        gradient[1 + k] = np.exp(theta[1 + k] - theta[1 + m + k] * z[k])
        total += gradient[1 + k]
    gradient[0] = constant / total
    for k in range(m):
        gradient[1 + k] /= total
        gradient[1 + m + k] = -z[k] * gradient[1 + k]
    for i in range(1 + 2 * m):
        for j in range(i + 1):
            hessian[i, j] = -gradient[i] * gradient[j]
        if i <= m:
            hessian[i, i] += gradient[i]
    for k in range(m):
        hessian[1 + m + k, 1 + k] += gradient[1 + m + k]
        hessian[1 + m + k, 1 + m + k] -= z[k] * gradient[1 + m + k]
    return float(np.log(total))


def power_starts(z: Floats, loss: Floats, grid: Floats = GRID) -> Iterator[Floats]:
    """Every combination of exponents on the grid, with the amplitudes that fit best."""
    for exponents in product(grid, repeat=z.shape[1]):
        terms = np.c_[np.ones(len(z)), np.exp(-np.array(exponents) * z)]
        yield np.r_[projected(terms, loss), exponents]
