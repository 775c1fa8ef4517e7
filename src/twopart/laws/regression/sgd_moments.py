"""One pass of SGD over fresh data: the second moments of the error, exact at every step, direction by direction.

For independent coordinates x_i = √λ_i z_i with E z = 0, E z² = 1, E z⁴ = κ, batches of b and m_i = E (w_i - w*_i)²,

    m_i'  =  m_i [(1 - ηλ_i)² + (κ - 2) η²λ_i²/b]  +  (η²/b) λ_i (Σ_j λ_j m_j + σ²).

Diagonals close among themselves even where the error is not diagonal. κ is 3 for Gaussian inputs, 1 for random signs; for
Gaussian inputs of any covariance it holds in the eigenbasis, where off the diagonal (i ≠ j) an entry only shrinks,

    S_ij'  =  S_ij [(1 - ημ_i)(1 - ημ_j) + η²μ_iμ_j/b].

`one_pass` takes independent coordinates; `Inputs` any covariance, and `Sampled` given rows with their own fourth moments, for
laws of more than one phase. Derived in docs/laws/multi-pass-sgd.md, fresh data, and docs/laws/covariate-shift.md, recursion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart._numba import REASSOCIATE, kernel
from twopart.worlds.regression.arrays import step_sizes, steps_at, variances


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
    λ = variances("eigenvalues", eigenvalues)
    m = finite("square", square, (len(λ),), "give one squared error for each eigenvalue").copy()
    check(m.min() >= 0, "square", float(m.min()), ">= 0", "it is the mean of a square")
    noise = check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="[)")
    check_integer("batch", batch, 1, None, "1 is plain SGD")
    kurtosis = check_real("kurtosis", kurtosis, 1, np.inf, "3 is Gaussian; 1 is the least there is", closed="[)")
    η = step_sizes("rates", rates, np.size(rates))
    kept = steps_at(at, len(η), [len(η)])
    excess, moments, begin = np.empty(len(η) + 1), np.empty((len(kept), len(λ))), 0
    excess[0] = λ @ m / 2
    for k, end in enumerate((*kept, len(η))):
        descend(λ, m, η[begin:end], noise**2, 1 / batch, kurtosis - 2, excess[begin + 1 : end + 1])
        if k < len(kept):
            moments[k] = m
        begin = end
    return OnePass(tuple(kept), moments, excess)


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


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs of independent coordinates, Gaussian or of another kurtosis, in some orthogonal basis."""

    variances: Floats
    """μ, shape (d,)."""
    basis: Floats | None = None
    """U, shape (d, d), eigenvectors in columns; None: the coordinates themselves, and only the diagonal of S is kept."""
    kurtosis: float = 3.0
    """E z⁴ of a coordinate."""

    @property
    def trace(self) -> float:
        """E |x|²."""
        return float(self.variances.sum())

    def along(self, error: Floats) -> Floats:
        """U^T e, shape (d,)."""
        return error if self.basis is None else error @ self.basis

    def back(self, own: Floats) -> Floats:
        """U e, shape (d,)."""
        return own if self.basis is None else self.basis @ own

    def squares(self, moments: Floats) -> Floats:
        """The diagonal of U^T S U, shape (d,)."""
        if self.basis is None:
            return moments
        return np.asarray(np.maximum(np.einsum("ki,ki->i", self.basis, moments @ self.basis), 0))

    def shrunk(self, error: Floats, rates: Floats) -> Floats:
        """What a pass leaves of the mean error, Π (I - ηA) e."""
        return self.back(self.along(error) * mean_error(self.variances, rates))

    def descend(self, moments: Floats, rates: Floats, noise: float, batch: int) -> Floats:
        """S after a pass: shape (d,), the diagonal alone, without a basis, else (d, d)."""
        μ, diagonal = self.variances, self.squares(moments).copy()
        descend(μ, diagonal, rates, noise**2, 1 / batch, self.kurtosis - 2, np.empty(len(rates)))
        if self.basis is None:
            return diagonal
        own, sums, products = self.basis.T @ moments @ self.basis, np.add.outer(μ, μ), np.outer(μ, μ)
        for rate, count in zip(*np.unique(rates, return_counts=True), strict=True):
            own *= (1 - rate * sums + (1 + 1 / batch) * rate**2 * products) ** count
        np.fill_diagonal(own, diagonal)
        return np.asarray(self.basis @ own @ self.basis.T)


@dataclass(frozen=True, eq=False)
class Sampled(Inputs):
    """Inputs drawn with replacement from given rows: their fourth moments are the rows' own, at n d² operations a step."""

    rows: Floats = field(default_factory=lambda: np.empty((0, 0)))
    """The inputs, shape (n, d)."""

    @classmethod
    def of(cls, rows: Floats) -> Sampled:
        """With the eigenbasis of X^T X / n, about the origin: inputs are not centred."""
        return cls(*np.linalg.eigh(rows.T @ rows / len(rows)), rows=rows)

    def descend(self, moments: Floats, rates: Floats, noise: float, batch: int) -> Floats:
        """S' = (I-ηA) S (I-ηA) + (η²/b) (Σ_n (x^T S x) x x^T / n - A S A + σ² A)."""
        x, S = self.rows, moments
        A = x.T @ x / len(x)
        for rate in rates:
            AS = A @ S
            ASA = AS @ A
            fourth = (x.T * np.einsum("ni,ni->n", x @ S, x)) @ x / len(x)
            S = S - rate * (AS + AS.T) + rate**2 * (ASA + (fourth - ASA + noise**2 * A) / batch)
        return np.asarray(S)
