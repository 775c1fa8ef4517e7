"""One pass of SGD over fresh data: the second moments of the error, exact at every step, direction by direction.

For independent coordinates x_i = √λ_i z_i with E z = 0, E z² = 1, E z⁴ = κ, batches of b and m_i = E (w_i - w*_i)²,

    m_i'  =  m_i [(1 - ηλ_i)² + (κ - 2) η²λ_i²/b]  +  (η²/b) λ_i (Σ_j λ_j m_j + σ²).

Diagonals close among themselves even where the error is not diagonal. κ is 3 for Gaussian inputs, 1 for random signs; for
Gaussian inputs of any covariance it holds in the eigenbasis. Derived in docs/laws/multi-pass-sgd.md, fresh data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from twopart._checks import check, check_integer, check_real
from twopart._numba import REASSOCIATE, kernel
from twopart.worlds.regression.arrays import Floats, finite, step_sizes


@dataclass(frozen=True, eq=False)
class OnePass:
    """What one pass leaves of the error."""

    at: tuple[int, ...]
    """The steps at which moments were kept."""
    moments: Floats
    """E (w_i - w*_i)² after those steps, shape (len(at), d)."""
    excess: Floats
    """1/2 Σ λ m before the first step and after each, shape (T + 1,)."""


def one_pass(
    eigenvalues: ArrayLike,
    square: ArrayLike,
    *,
    rates: ArrayLike,
    noise: float = 0.0,
    batch: int = 1,
    kurtosis: float = 3.0,
    at: Sequence[int] | None = None,
) -> OnePass:
    """The moments of SGD with the learning rates `rates`, shape (T,), a fresh batch at each step.

    `eigenvalues` λ, shape (d,), each >= 0; `square` E (w_0 - w*)_i², shape (d,); `noise` σ; `kurtosis` κ >= 1; `at` steps in
    0..T, rising, whose moments are kept (None: the last). A rate too large lets the result grow, to infinity.
    Raises `InputError` for wrong shapes, ranges and nan.
    """
    λ = finite("eigenvalues", eigenvalues, (None,), "give one variance for each direction")
    m = finite("square", square, (len(λ),), "give one squared error for each eigenvalue").copy()
    check(λ.min() >= 0, "eigenvalues", float(λ.min()), ">= 0", "they are variances")
    check(m.min() >= 0, "square", float(m.min()), ">= 0", "it is the mean of a square")
    check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="[)")
    check_integer("batch", batch, 1, None, "1 is plain SGD")
    check_real("kurtosis", kurtosis, 1, np.inf, "3 is Gaussian; no distribution has less than 1", closed="[)")
    η = step_sizes("rates", rates, np.size(rates))
    kept = (len(η),) if at is None else tuple(at)
    rising = all(0 <= step <= len(η) for step in kept) and list(kept) == sorted(set(kept))
    check(rising and bool(kept), "at", at, f"rising steps in 0..{len(η)}", "choose among the steps that are done")
    excess, moments, begin = np.empty(len(η) + 1), np.empty((len(kept), len(λ))), 0
    excess[0] = λ @ m / 2
    for k, end in enumerate((*kept, len(η))):
        descend(λ, m, η[begin:end], noise**2, 1 / batch, kurtosis - 2, excess[begin + 1 : end + 1])
        if k < len(kept):
            moments[k] = m
        begin = end
    return OnePass(kept, moments, excess)


def mean_error(eigenvalues: ArrayLike, rates: ArrayLike) -> Floats:
    """Π_t (1 - η_t λ_i), shape (d,): what is left of the mean error, whatever the batch; its risk is the bias."""
    λ, left = finite("eigenvalues", eigenvalues, (None,), "give one variance for each direction"), 1.0
    for rate in step_sizes("rates", rates, np.size(rates)):
        left = left * (1 - rate * λ)
    return np.broadcast_to(left, λ.shape).copy()


@partial(kernel, fastmath=REASSOCIATE, error_model="numpy")
def descend(λ: Floats, m: Floats, rates: Floats, variance: float, share: float, beyond: float, excess: Floats) -> None:
    """`m` after the steps, in place, and `excess` after each, unchecked: noise σ² `variance`, `share` 1/b, `beyond` κ - 2."""
    risk = 0.0
    for i in range(len(λ)):
        risk += λ[i] * m[i]
    for t in range(len(rates)):
        push, after = rates[t] ** 2 * share * (risk + variance), 0.0
        spread = rates[t] ** 2 * share * beyond
        for i in range(len(λ)):
            l, keep = λ[i], 1 - rates[t] * λ[i]
            m[i] = m[i] * (keep * keep + spread * l * l) + push * l
            after += l * m[i]
        risk = after
        excess[t] = risk / 2
