"""The law of SGLD and Laplacian-smoothing SGLD where the potential is quadratic: exact at every step, batch and dimension.

θ ← θ - η P g(θ) + √(2η) P^½ ξ with P = A^{-1}, A = I - σ circ(-2, 1, 0, ..., 0, 1), and g unbiased for ∇f(θ) = H (θ - μ).
With e = θ - μ, m = E e and C = Cov e,

    m ← (I - ηPH) m        C ← (I - ηPH) C (I - ηPH)^T + 2η P + η² P N(m, C) P,        N the covariance of g.

Where H is circulant, with eigenvalues h_j, all is diagonal in Fourier modes: smoothing is SGLD with its own step η / a_j in
each. Derivations: docs/laws/laplacian-smoothing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check, check_choice, check_integer, check_real

Floats = NDArray[np.float64]
Variant = Literal["langevin", "published"]
VARIANTS: tuple[Variant, ...] = ("langevin", "published")
SIGMAS = (0.0, *np.geomspace(0.01, 100, 81).tolist())


class Moments(NamedTuple):
    """Where the chain is after `steps` steps, shape (T,)."""

    steps: NDArray[np.int64]
    mean: Floats
    """E θ - μ, shape (T, d)."""
    covariance: Floats
    """Shape (T, d, d)."""


class Modes(NamedTuple):
    """The same mode by mode: means and variances, shapes (..., d)."""

    mean: Floats
    variance: Floats

    def w2(self, h: ArrayLike) -> Floats:
        """The distance W2 from the target, of mean 0 and variances 1/h, shape (...)."""
        apart = np.sqrt(self.variance) - 1 / np.sqrt(np.asarray(h, float))
        return np.asarray(np.sqrt((np.square(self.mean) + np.square(apart)).sum(-1)))


class Best(NamedTuple):
    """The best that a sampler does within a budget of steps."""

    sigma: float
    learning_rate: float
    w2: float


def smoothing_eigenvalues(dimension: int, sigma: float) -> Floats:
    """a_j = 1 + 2σ (1 - cos 2πj/d) of A, shape (d,), between 1 and 1 + 4σ; of A^p they are a_j^p."""
    check_integer("dimension", dimension, 1, None, "it is the number of coordinates")
    check_real("sigma", sigma, 0, np.inf, "0 smooths nothing", closed="[)")
    return np.asarray(1 + 2 * sigma * (1 - np.cos(2 * np.pi * np.arange(dimension) / dimension)))


def preconditioner(dimension: int, sigma: float, order: ArrayLike | None = None) -> Floats:
    """P = A^{-1}, shape (d, d); `order`, a permutation, says which coordinates are neighbours: order[i] is the i-th."""
    inverse = np.fft.ifft(1 / smoothing_eigenvalues(dimension, sigma)).real
    P = inverse[np.subtract.outer(np.arange(dimension), np.arange(dimension))]
    if order is None:
        return np.asarray(P)
    place = np.argsort(np.asarray(order))
    check(
        np.array_equal(np.sort(order), np.arange(dimension)), "order", order, f"a permutation of 0..{dimension - 1}", ""
    )
    return np.asarray(P[np.ix_(place, place)])


def _injected(η: float, variant: Variant) -> float:
    """The variance of the noise of a step, in units of P: the published code multiplies noise √(2η) by η again."""
    return 2 * η if check_choice("variant", variant, VARIANTS) == "langevin" else 2 * η**3


def linear_moments(
    hessian: ArrayLike,
    mean: ArrayLike,
    covariance: ArrayLike | None = None,
    *,
    learning_rate: float,
    steps: int,
    precondition: ArrayLike | None = None,
    noise: ArrayLike | Callable[[Floats, Floats], Floats] = 0.0,
    at: Sequence[int] | None = None,
    variant: Variant = "langevin",
) -> Moments:
    """Moments of e = θ - μ after each number of steps in `at` (rising; None: the last), exact.

    Hessian H (d, d); the start's mean (d,) and covariance (d, d), None for a point; `precondition` P, None for I; `noise` N:
    a matrix, a number times I, or a function of (m, C) such as `minibatch_noise` makes. Raises `InputError` for a learning
    rate beyond the largest stable one.
    """
    H, m = np.asarray(hessian, float), np.array(mean, float)
    check(H.shape == (len(m), len(m)), "hessian", H.shape, f"of shape {(len(m),) * 2} for that `mean`", "mind d")
    check(
        bool(np.isfinite(H).all() and np.isfinite(m).all()), "hessian", "nan or infinite", "finite, like `mean`", "see"
    )
    C = np.zeros_like(H) if covariance is None else np.array(covariance, float)
    P = np.eye(len(m)) if precondition is None else np.asarray(precondition, float)
    check_integer("steps", steps, 0, None, "it is how long the chain runs")
    at = [steps] if at is None else list(at)
    rising = all(a < b for a, b in pairwise(at)) and bool(at) and at[0] >= 0 and at[-1] <= steps
    check(rising, "at", at, f"rising steps in 0..{steps}", "leave it out for the last")
    η, most = float(learning_rate), largest_learning_rate(H, P)
    check(0 < η < most, "learning_rate", η, f"in (0, {most:.6g}), where the chain settles", "take a smaller step")
    fixed = np.asarray(0.0 if callable(noise) else noise) * (
        np.eye(len(m)) if callable(noise) or np.ndim(noise) == 0 else 1
    )
    B, injected, found = np.eye(len(m)) - η * P @ H, _injected(η, variant) * P, []
    for k in range(at[-1] + 1):
        if k in at:
            found.append((m, C))
        N = noise(m, C) if callable(noise) else fixed
        m, C = B @ m, B @ C @ B.T + injected + η**2 * P @ N @ P
    means, covariances = zip(*found, strict=True)
    return Moments(np.array(at), np.array(means), np.array(covariances))


def largest_learning_rate(hessian: ArrayLike, precondition: ArrayLike | None = None) -> float:
    """2 over the largest eigenvalue of PH: below it the mean settles."""
    H = np.asarray(hessian, float)
    P = np.eye(len(H)) if precondition is None else np.asarray(precondition, float)
    root = np.linalg.cholesky(P)
    return float(2 / np.linalg.eigvalsh(root.T @ H @ root)[-1])


def minibatch_noise(
    x: ArrayLike, y: ArrayLike, mean: ArrayLike, batch: int, noise: float = 1.0
) -> Callable[[Floats, Floats], Floats]:
    """N(m, C) of linear regression, f = Σ (x_i·θ - y_i)² / 2 noise² + a prior: `batch` examples drawn with replacement.

    x (n, d), y (n,), `mean` μ (d,). With r_i = x_i·μ - y_i, M = C + m m^T, G = x^T x / n and g = x^T r / n,
    N = (n²/b) {1/n Σ x_i x_i^T [x_i·M x_i + 2 r_i x_i·m + r_i²] - G M G - G m g^T - g m^T G - g g^T} / noise⁴: the chain need
    not be Gaussian, two moments close among themselves.
    """
    X, μ = np.asarray(x, float), np.asarray(mean, float)
    check(X.ndim == 2 and X.shape[1] == len(μ), "x", X.shape, f"of shape (n, {len(μ)}) for that `mean`", "mind d")
    check(np.shape(y) == (len(X),), "y", np.shape(y), f"of shape ({len(X)},)", "one number for each row of `x`")
    check_integer("batch", batch, 1, None, "1 is a single example")
    check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="()")
    n, r = len(X), X @ μ - np.asarray(y, float)
    G, g = X.T @ X / n, X.T @ r / n

    def covariance(m: Floats, C: Floats) -> Floats:
        M = C + np.outer(m, m)
        weight = ((X @ M) * X).sum(1) + 2 * r * (X @ m) + r**2
        drift = G @ M @ G + np.outer(G @ m, g) + np.outer(g, G @ m) + np.outer(g, g)
        return np.asarray(n**2 / batch / noise**4 * ((X.T * weight) @ X / n - drift))

    return covariance


def stationary_modes(
    h: ArrayLike, sigma: float, learning_rate: float, *, noise: ArrayLike = 0.0, variant: Variant = "langevin"
) -> Floats:
    """v_j = (1/h_j) (2 + η p_j c_j) / (2 - η p_j h_j), shape (d,), with p_j = 1/a_j and c_j the minibatch noise's variance.

    `h` (d,) are the eigenvalues of a circulant Hessian, `noise` a number or (d,). variant="published" has 2η² for the first 2.
    Raises `InputError` where η p_j h_j >= 2 for some j.
    """
    h, p = _spectrum(h), 1 / smoothing_eigenvalues(len(np.atleast_1d(h)), sigma)
    η = check_real("learning_rate", learning_rate, 0, 2 / (p * h).max(), "at the upper end chains diverge", closed="()")
    return np.asarray((_injected(η, variant) / η + η * p * np.asarray(noise)) / (h * (2 - η * p * h)))


def mode_moments(
    h: ArrayLike,
    sigma: float,
    learning_rate: float,
    steps: ArrayLike,
    *,
    noise: ArrayLike = 0.0,
    mean: ArrayLike = 1.0,
    variance: ArrayLike = 0.0,
    variant: Variant = "langevin",
) -> Modes:
    """Moments in every mode after `steps` (a number or (T,)): means (T, d) and variances (T, d), from those of the start."""
    h, k = _spectrum(h), np.asarray(steps)[..., None]
    v = stationary_modes(h, sigma, learning_rate, noise=noise, variant=variant)
    r = 1 - learning_rate * h / smoothing_eigenvalues(len(h), sigma)
    return Modes(r**k * np.asarray(mean), v + r ** (2 * k) * (np.asarray(variance) - v))


def best_learning_rate(
    h: ArrayLike, sigma: float, steps: int, *, noise: ArrayLike = 0.0, mean: ArrayLike = 1.0, variance: ArrayLike = 0.0
) -> Best:
    """The learning rate with the least W2 after `steps`, to four digits: grids of rates, each round the best of the last."""
    h = _spectrum(h)
    check_integer("steps", steps, 1, None, "a chain needs a step")
    p = 1 / smoothing_eigenvalues(len(h), sigma)
    low, high = np.log([1e-6 / steps, 2]) - np.log((p * h).max())
    for width in (0.05, 1e-3, 2e-5):
        logs = np.arange(low, high - 1e-12, width)
        η = np.exp(logs)[:, None]
        v = (2 + η * p * np.asarray(noise)) / (h * (2 - η * p * h))
        r = 1 - η * p * h
        found = Modes(r**steps * np.asarray(mean), v + r ** (2 * steps) * (np.asarray(variance) - v)).w2(h)
        i = int(np.argmin(found))
        low, high = logs[i] - width, min(logs[i] + width, high)
    return Best(float(sigma), float(η[i, 0]), float(found[i]))


def best_sigma(
    h: ArrayLike,
    noise: ArrayLike,
    steps: int,
    *,
    sigmas: Sequence[float] = SIGMAS,
    mean: ArrayLike = 1.0,
    variance: ArrayLike = 0.0,
) -> Best:
    """Smoothing and learning rate with the least W2 after `steps`; sigma = 0 says that smoothing cannot pay.

    `h` (d,) and `noise` (d,) are spectra of curvature and of minibatch noise, known, or estimated along a run:
    `twopart.learners.sampling.power_spectrum` of gradients has the mean h_j at samples of the target, and the noise's c_j.
    The chain starts at a point a unit from μ in every mode, or where `mean` and `variance` say.
    """
    check(len(sigmas) > 0, "sigmas", sigmas, "at least one", "0 is no smoothing")
    found = (best_learning_rate(h, s, steps, noise=noise, mean=mean, variance=variance) for s in sigmas)
    return min(found, key=lambda best: best.w2)


def _spectrum(h: ArrayLike) -> Floats:
    values = np.asarray(h, float)
    fine = values.ndim == 1 and len(values) > 0 and bool(np.isfinite(values).all()) and bool((values > 0).all())
    check(fine, "h", values if values.size < 4 else values.shape, "(d,) positive numbers", "they are curvatures")
    return values
