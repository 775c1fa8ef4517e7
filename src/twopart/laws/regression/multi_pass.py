"""Multi-pass SGD on least squares: its expected risk given the training set, exact for every n, d, step, rate and batch.

    law = sgd_risk(x, y, x_test, y_test, learning_rate=0.1, steps=1000, batch=8)
    law.descent, law.fluctuation, law.risk      # of gradient descent, what sampling adds, their sum; at each step
    law.best()                                  # when to stop
    largest_stable_step(x, batch=8)             # beyond it the mean square of the weights grows without bound

Weights are w_t = X^T α_t. With K = X X^T = U Λ U^T, γ = U^T α, W = U Λ and residuals s = W γ - y, mean and covariance close:

    γ̄'  =  γ̄ - (η/n) g,   g = U^T s̄                                 gradient descent
    C'  =  (I - ηΛ/n) C (I - ηΛ/n) + f (η²/b) [U^T Diag(v) U/n - (g g^T + Λ C Λ)/n²],   v_i = s̄_i² + (W C W^T)_ii,   C_0 = 0,

f = 1 for batches with replacement, (n - b)/(n - 1) without. Derived in docs/laws/multi-pass-sgd.md, where the sources are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart._numba import REASSOCIATE, kernel
from twopart.worlds.regression import LeastSquares, Regression
from twopart.worlds.regression.arrays import step_sizes, steps_at, variances


class Best(NamedTuple):
    """Where a law's risk is least; `evaluations` are gradients of single points up to there, b a step."""

    step: int
    evaluations: int
    risk: float


@dataclass(frozen=True, eq=False)
class MultiPassLaw:
    """The expected risk of SGD over its sampling, after each of `steps`, shape (k,), rising. Risks are half mean squares."""

    steps: NDArray[np.int64]
    descent: Floats
    """The risk of gradient descent with the same rates: that of SGD's mean. Shape (k,)."""
    fluctuation: Floats
    """What sampling adds: 1/2 tr(H Cov w), >= 0. Shape (k,)."""
    training: Floats
    """The expected loss of SGD on the training set. Shape (k,)."""
    batch: int

    @property
    def risk(self) -> Floats:
        """descent + fluctuation, shape (k,)."""
        return self.descent + self.fluctuation

    def best(self) -> Best:
        """The step with the least expected risk: when to stop. Between laws, `min(laws, key=lambda law: law.best().risk)`."""
        k = int(np.nanargmin(self.risk))
        return Best(int(self.steps[k]), int(self.steps[k]) * self.batch, float(self.risk[k]))

    def first_below(self, risk: float) -> int | None:
        """The first of `steps` at which the expected risk is at most `risk`; None if there is none."""
        below = np.flatnonzero(self.risk <= risk)
        return int(self.steps[below[0]]) if len(below) else None


def sgd_risk(
    features: ArrayLike,
    targets: ArrayLike,
    test_features: ArrayLike,
    test_targets: ArrayLike,
    *,
    learning_rate: ArrayLike,
    steps: int,
    batch: int = 1,
    replacement: bool = True,
    at: Sequence[int] | None = None,
    start: ArrayLike | None = None,
    on_step: Callable[[int], None] = lambda step: None,
) -> MultiPassLaw:
    """The law of SGD on <x, w> over `features` (n, d) and `targets` (n,), its risk on `test_features` (m, d) and their targets.

    `learning_rate` is one number or one for each step; `replacement` whether a batch may hold a point twice; `at` the steps
    to report, rising in 0..steps (None: all); `start` the first weights (d,), 0 without it; `on_step(t)` hears of each step
    done. A rate too large makes the law grow without bound. Raises `InputError` for wrong shapes, ranges and nan.
    """
    x = finite("features", features, (None, None), "give a row for each point")
    n, d = x.shape
    y = finite("targets", targets, (n,), "give one target for each row of `features`")
    x_test = finite("test_features", test_features, (None, d), "give the same features as of the training set")
    y_test = finite("test_targets", test_targets, (len(x_test),), "give one target for each row of `test_features`")
    if start is not None:
        w = finite("start", start, (d,), "give one weight for each feature")
        y, y_test = y - x @ w, y_test - x_test @ w
    check_integer("steps", steps, 0, None, "0 is the start")
    rates, share = step_sizes("learning_rate", learning_rate, steps), _share(n, batch, replacement)
    reported = steps_at(at, steps, range(steps + 1))

    U, λ = _eigen(x)
    W, out = U * λ, x_test @ (x.T @ U)  # what γ does to the training points, and to the test points
    M = out.T @ out / len(out)
    mean, C, found, wanted = np.zeros(len(λ)), np.zeros((len(λ), len(λ))), [], set(reported)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps + 1):
            s = W @ mean - y
            v = s**2 + _diagonal(W, C) if share else s**2
            if t in wanted:
                found.append((np.square(out @ mean - y_test).mean() / 2, (M * C).sum() / 2, v.mean() / 2))
            if t < steps:
                g, η = U.T @ s, rates[t]
                mean -= η / n * g
                if share:
                    _spread(C, _weighed(U, v), g, λ, η / n, share * η**2, n)
                on_step(t + 1)
    descent, fluctuation, training = np.array(found).T
    return MultiPassLaw(np.array(reported), descent, fluctuation, training, batch)


def population(eigenvalues: ArrayLike, truth: ArrayLike) -> Regression:
    """A test set that stands for a distribution: the mean of 1/2 (<x, w> - y)² over it is 1/2 Σ λ (w - w*)²."""
    λ = variances("eigenvalues", eigenvalues)
    root = np.sqrt(λ * len(λ))
    return Regression(np.diag(root), root * finite("truth", truth, (len(λ),), "give one weight for each eigenvalue"))


def excess_risk(world: LeastSquares, data: Regression, **options: Any) -> MultiPassLaw:
    """`sgd_risk` of a sample of a world, with its options: the excess risk over that of the world's truth."""
    return sgd_risk(*data, *population(world.spectrum, world.optimum), **options)


def kernel_features(gram: ArrayLike, test_gram: ArrayLike | None = None) -> tuple[Floats, Floats | None]:
    """Features (n, r) and (m, r) whose inner products are `gram` (n, n) and `test_gram` (m, n): those of any kernel."""
    K = finite("gram", gram, (None, None), remedy := "give the inner products of the training points")
    symmetric = K.shape[0] == K.shape[1] and bool(np.allclose(K, K.T, rtol=1e-4, atol=1e-6 * np.abs(K).max()))
    check(symmetric, "gram", K.shape, "a symmetric matrix", remedy)
    U, λ = _positive(*np.linalg.eigh((K + K.T) / 2))
    rows = U * (root := np.sqrt(λ))
    if test_gram is None:
        return rows, None
    other = finite("test_gram", test_gram, (None, len(K)), "give a row for each test point, with the training points")
    return rows, other @ U / root


def largest_stable_step(features: ArrayLike, batch: int = 1, *, replacement: bool = True) -> float:
    """The learning rate beyond which E ‖w_t‖² of SGD over `features` (n, d) grows without bound.

    It lies below both 2/λ_max of X^T X/n, the edge of gradient descent, and (b = 1) 2/mean ‖x_i‖², the rule of thumb: where the
    matrix T(η) of docs/laws/multi-pass-sgd.md, stability, has spectral radius 1. Infinite if all features are 0.
    """
    x = finite("features", features, (None, None), "give a row for each point")
    n, share = len(x), _share(len(x), batch, replacement)
    U, λ = _eigen(x)
    if not len(λ):
        return float("inf")
    W, descent, less = U * λ, 2 * n / λ.max(), (1 - share) / n

    def over(η: float) -> float:  # the spectral radius, less 1
        weights = 1 / (λ[:, None] + λ - less * η * np.outer(λ, λ))
        return η * share * _radius(lambda v: _diagonal(W, _weighed(U, v) * weights), n) - 1

    edge = descent * (1 - 1e-9)  # there a denominator is 0 if every batch is full
    return float(descent) if over(edge) <= 0 else float(brentq(over, 0.0, edge, xtol=1e-12 * descent, rtol=1e-9))


def growth(
    features: ArrayLike, learning_rate: float, batch: int = 1, *, replacement: bool = True, steps: int = 1000
) -> float:
    """The factor by which a step multiplies E ‖w‖² in the long run, where targets can be met; below 1 is stable."""
    x = finite("features", features, (None, None), "give a row for each point")
    η = check_real("learning_rate", learning_rate, 0, np.inf, "descent goes down the gradient", closed="[)")
    check_integer("steps", steps, 1, None, "1000 is enough near the edge")
    n, share = len(x), _share(len(x), batch, replacement)
    U, λ = _eigen(x)
    W, C, factor, rest = U * λ, np.eye(len(λ)), 1.0, np.zeros(len(λ))
    for _ in range(steps):  # power iteration of the step's map of C
        _spread(C, _weighed(U, _diagonal(W, C)), rest, λ, η / n, share * η**2, n)
        factor = float(np.trace(C)) / len(λ)
        C /= factor
    return factor


def _share(n: int, batch: int, replacement: bool) -> float:
    """f/b."""
    check_integer("batch", batch, 1, None if replacement else n, "a batch without replacement holds no point twice")
    return 1 / batch if replacement else (n - batch) / (max(n - 1, 1) * batch)


def _eigen(x: Floats) -> tuple[Floats, Floats]:
    """U (n, r) and λ (r,) of X X^T, without its null space."""
    if len(x) <= x.shape[1]:
        return _positive(*np.linalg.eigh(x @ x.T))
    U, s, _ = np.linalg.svd(x, full_matrices=False)
    return _positive(s**2, U)


def _positive(λ: Floats, U: Floats) -> tuple[Floats, Floats]:
    """Without the directions in which there is nothing but rounding."""
    above = λ > λ.max() * max(U.shape) * np.finfo(float).eps
    return np.ascontiguousarray(U[:, above]), λ[above]


def _weighed(U: Floats, v: Floats) -> Floats:
    """U^T Diag(v) U for v >= 0: as R^T R, of which BLAS computes one half."""
    R = U * np.sqrt(v)[:, None]
    return np.asarray(R.T @ R)


def _diagonal(W: Floats, C: Floats) -> Floats:
    """Of W C W^T."""
    return np.asarray(np.einsum("ij,ij->i", W @ C, W))


def _radius(apply: Callable[[Floats], Floats], n: int) -> float:
    """The largest eigenvalue of a matrix without negative entries, by power iteration."""
    v, value = np.full(n, 1 / n), 0.0
    for _ in range(5000):
        v = apply(v)
        before, value = value, float(v.sum())
        v /= value
        if abs(value - before) <= 1e-12 * value:
            break
    return value


@partial(kernel, fastmath=REASSOCIATE)
def _spread(C: Floats, G: Floats, g: Floats, λ: Floats, rate: float, noise: float, n: int) -> None:
    """C' from C in one pass over memory: `rate` η/n, `noise` (f/b) η², G = U^T Diag(v) U."""
    drawn, less = noise / n, noise / n**2
    for a in range(len(λ)):
        own, keep, push = less * λ[a], 1 - rate * λ[a], less * g[a]
        for b in range(len(λ)):
            C[a, b] = C[a, b] * (keep * (1 - rate * λ[b]) - own * λ[b]) + drawn * G[a, b] - push * g[b]
