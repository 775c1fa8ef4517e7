"""L = E + Σ_k A_k x_k^-α_k: the sum of powers that most forms are, and one step of it through inner functions.

θ = (ln E, ln A_1, .., ln A_m, α_1, .., α_m). With t_k = ln A_k - α_k ln x_k and shares p_k = e^(t_k)/L,
    ∇ ln L = Σ p_k ∇t_k,     ∇² ln L = Σ p_k ∇t_k ∇t_kᵀ - ∇ ln L (∇ ln L)ᵀ        (+ Σ p_k ∇²t_k where a t_k is not linear).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from twopart._numba import inlined
from twopart._simd import exp, log, simd_kernel
from twopart.fits.scaling.forms._excess import Excess, Fall, Split, falling
from twopart.fits.scaling.forms._form import Floats, projected

GRID = np.linspace(0.1, 1.0, 6)


@simd_kernel
def powers(theta: Any, z: Any, value: Any, slopes: Any, curves: Any) -> None:
    """ln L at n runs z, shape (m, n), into `value` (n,), its gradients into `slopes`, Hessians into `curves` (_terms.py)."""
    m, n = z.shape
    shares = np.empty((m, n))
    constant = np.exp(theta[0])
    value[:] = constant
    for k in range(m):
        amplitude, exponent, logs, share = theta[1 + k], theta[1 + m + k], z[k], shares[k]
        for i in range(n):
            share[i] = exp(amplitude - exponent * logs[i])
            value[i] += share[i]
    for i in range(n):
        inverse = 1.0 / value[i]
        slope, curve = slopes[i], curves[i]
        slope[0] = constant * inverse
        for k in range(m):
            share_k = shares[k, i] * inverse
            slope[1 + k] = share_k
            slope[1 + m + k] = -z[k, i] * share_k
        outer(slope, curve)
        curve[0] += slope[0]
        for k in range(m):
            a, b = 1 + k, 1 + m + k
            curve[a * (a + 1) // 2 + a] += slope[a]
            curve[b * (b + 1) // 2 + a] += slope[b]
            curve[b * (b + 1) // 2 + b] -= z[k, i] * slope[b]
    for i in range(n):
        value[i] = log(value[i])


@inlined
def outer(slope: Any, curve: Any) -> None:
    """curve = -slope slopeᵀ, the lower triangle by rows."""
    k = 0
    for a in range(len(slope)):
        for b in range(a + 1):
            curve[k] = -slope[a] * slope[b]
            k += 1


def power_starts(z: Floats, loss: Floats, grid: Floats = GRID) -> Iterator[Floats]:
    """Every combination of exponents on the grid, with the amplitudes that fit best."""
    for exponents in product(grid, repeat=z.shape[1]):
        terms = np.c_[np.ones(len(z)), np.exp(-np.array(exponents) * z)]
        yield np.r_[projected(terms, loss), exponents]


def power_excess(theta: Floats, fixed: Mapping[str, float]) -> Excess:
    """One power or two."""
    if len(theta) == 3:
        floor, b, beta = theta
        return Fall(floor, b, falling(beta))
    floor, a, b, alpha, beta = theta
    return Split(floor, a, falling(alpha), b, falling(beta))
