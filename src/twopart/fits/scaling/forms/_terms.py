"""L = Σ_k e^(t_k) for terms t_k(θ, z) that need not be linear: from the terms' derivatives to those of ln L.

With shares p_k = e^(t_k)/L,  ∇ ln L = Σ p_k ∇t_k,  ∇² ln L = Σ p_k (∇t_k ∇t_kᵀ + ∇²t_k) - ∇ ln L (∇ ln L)ᵀ. A form
fills t (K,), its gradients J (K, p) and Hessians B (K, p(p+1)/2) for one run; only entries that are not always 0 need
be set.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twopart._numba import inlined
from twopart._simd import simd_kernel


@inlined
def at(row: int, column: int) -> int:
    """Where entry (row, column), row >= column, is in a lower triangle stored by rows."""
    return row * (row + 1) // 2 + column


@simd_kernel
def combine(t: Any, J: Any, B: Any, slope: Any, curve: Any) -> float:
    """ln L of one run; fills its gradient and the lower triangle of its Hessian."""
    K, p = J.shape
    top = t.max()
    shares = np.exp(t - top)
    total = shares.sum()
    slope[:] = 0.0
    curve[:] = 0.0
    for k in range(K):
        share = shares[k] / total
        for a in range(p):
            slope[a] += share * J[k, a]
            for b in range(a + 1):
                curve[at(a, b)] += share * (J[k, a] * J[k, b] + B[k, at(a, b)])
    for a in range(p):
        for b in range(a + 1):
            curve[at(a, b)] -= slope[a] * slope[b]
    return float(top + np.log(total))


@simd_kernel
def room(K: int, p: int) -> Any:
    """Zeros for t, J and B."""
    return np.zeros(K), np.zeros((K, p)), np.zeros((K, p * (p + 1) // 2))
