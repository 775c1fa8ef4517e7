"""The law of SGLD and Laplacian-smoothing SGLD where the potential is quadratic: exact at every step, batch and dimension.

θ ← θ - η P g(θ) + √(2η) P^½ ξ with P = A^{-1}, A = I - σ circ(-2, 1, 0, ..., 0, 1), and g unbiased for ∇f(θ) = H (θ - μ).
Where H is circulant, with eigenvalues h_j, smoothing is SGLD with its own step η / a_j in each Fourier mode. Formulas and
derivations: docs/laws/laplacian-smoothing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import DROP, Floats, finite, numbers
from twopart._checks import check, check_choice, check_integer, check_real

Variant = Literal["langevin", "published"]
VARIANTS: tuple[Variant, ...] = ("langevin", "published")
SETTLES = "take a smaller step, at which chains settle"
SIGMAS = (0.0, *np.geomspace(0.01, 100, 81).tolist())


class Moments(NamedTuple):
    """Where the chain is after each of T numbers of steps."""

    mean: Floats
    """E θ - μ, shape (T, d)."""
    covariance: Floats
    """Shape (T, d, d)."""


class Modes(NamedTuple):
    """The same mode by mode: means and variances, shapes (..., d)."""

    mean: Floats
    variance: Floats

    def w2(self, h: ArrayLike) -> Floats:
        """The distance W2 from the target, of mean 0 and variances 1/h for h (d,), shape (...)."""
        h = finite("h", _spectrum(h), self.mean.shape[-1:], "one for each mode")
        apart = np.sqrt(self.variance) - 1 / np.sqrt(h)
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
    whole = np.ndim(order) == 1 and np.array_equal(np.sort(order), np.arange(dimension))
    check(whole, "order", order, f"a permutation of 0..{dimension - 1}", "order[i] is the i-th coordinate")
    place = np.argsort(np.asarray(order))
    return np.asarray(P[np.ix_(place, place)])


def linear_moments(
    hessian: ArrayLike,
    mean: ArrayLike,
    covariance: ArrayLike | None = None,
    *,
    learning_rate: float,
    steps: int | Sequence[int],
    precondition: ArrayLike | None = None,
    noise: ArrayLike | Callable[[Floats, Floats], Floats] = 0.0,
    variant: Variant = "langevin",
) -> Moments:
    """Moments of e = θ - μ after each number of `steps`, one or rising, exact.

    Hessian H (d, d); the start's mean (d,) and covariance (d, d), None for a point; `precondition` P, None for I; `noise` N:
    a matrix, a number times I, or a function of (m, C) such as `minibatch_noise` makes. Raises `InputError` for a learning
    rate beyond the largest stable one.
    """
    m = finite("mean", mean, (None,), "one number for each coordinate")
    d = len(m)
    H = _positive("hessian", hessian, d)
    C = np.zeros((d, d)) if covariance is None else finite("covariance", covariance, (d, d), "mind d, that of `mean`")
    P = np.eye(d) if precondition is None else _positive("precondition", precondition, d)
    at = np.atleast_1d(steps).tolist()
    rising = all(isinstance(k, int) for k in at) and all(a < b for a, b in pairwise([-1, *at])) and len(at) > 0
    check(rising, "steps", steps, "one whole number >= 0, or several that rise", "it is how long the chain runs")
    η = check_real("learning_rate", learning_rate, 0, largest_learning_rate(H, P), SETTLES, closed="()")
    if not callable(noise) and np.ndim(noise) == 0:
        noise = numbers("noise", noise, 0, np.inf, "[)", "it is a variance") * np.eye(d)
    given, remedy = noise if callable(noise) else lambda m, C: noise, "or a number, or a function of (m, C)"
    B, injected, found = np.eye(d) - η * P @ H, η * injection(η, variant) * P, []
    for k in range(at[-1] + 1):
        if k in at:
            found.append((m, C))
        N = finite("noise", given(m, C), (d, d), remedy)
        m, C = B @ m, B @ C @ B.T + injected + η**2 * P @ N @ P
    means, covariances = zip(*found, strict=True)
    return Moments(np.array(means), np.array(covariances))


def largest_learning_rate(hessian: ArrayLike, precondition: ArrayLike | None = None) -> float:
    """2 over the largest eigenvalue of PH: below it the mean settles."""
    H = _positive("hessian", hessian)
    P = np.eye(len(H)) if precondition is None else _positive("precondition", precondition, len(H))
    check(np.linalg.eigvalsh(P)[0] > 0, "precondition", P, "positive definite", "every direction must move")
    root = np.linalg.cholesky(P)
    return float(2 / np.linalg.eigvalsh(root.T @ H @ root)[-1])


def minibatch_noise(
    x: ArrayLike, y: ArrayLike, mean: ArrayLike, batch: int, noise: float = 1.0
) -> Callable[[Floats, Floats], Floats]:
    """N(m, C) of linear regression, f = Σ (x_i·θ - y_i)² / 2 noise² + a prior: `batch` examples drawn with replacement.

    x (n, d), y (n,), `mean` μ (d,). Exact, though the chain is not Gaussian: two moments close among themselves
    (docs/laws/laplacian-smoothing.md, minibatches).
    """
    μ = finite("mean", mean, (None,), "one number for each coordinate")
    X = finite("x", x, (None, len(μ)), "mind d, that of `mean`")
    check_integer("batch", batch, 1, None, "1 is a single example")
    check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="()")
    n, r = len(X), X @ μ - finite("y", y, (len(X),), "one number for each row of `x`")
    G, g = X.T @ X / n, X.T @ r / n

    def covariance(m: Floats, C: Floats) -> Floats:
        m, C = finite("m", m, μ.shape, "mind d"), finite("C", C, G.shape, "mind d")
        M = C + np.outer(m, m)
        weight = ((X @ M) * X).sum(1) + 2 * r * (X @ m) + r**2
        drift = G @ M @ G + np.outer(G @ m, g) + np.outer(g, G @ m) + np.outer(g, g)
        return np.asarray(n**2 / batch / noise**4 * ((X.T * weight) @ X / n - drift))

    return covariance


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
    """Moments in every mode after `steps` (a number or (T,)): means (T, d) and variances (T, d), from those of the start.

    `h` (d,) are the eigenvalues of a circulant Hessian, `noise` c_j a number or (d,). With p_j = 1/a_j, variances end (steps =
    inf) at v_j = (1/h_j) (2 + η p_j c_j) / (2 - η p_j h_j); variant="published" has 2η² for the first 2. Raises `InputError`
    where η p_j h_j >= 2 for some j.
    """
    h = _spectrum(h)
    p = 1 / smoothing_eigenvalues(len(h), sigma)
    η = check_real("learning_rate", learning_rate, 0, 2 / (p * h).max(), SETTLES, closed="()")
    return _after(
        numbers("steps", steps, 0, np.inf, "[]")[..., None], h, η * p, noise, mean, variance, injection(η, variant)
    )


def injection(learning_rate: float, variant: Variant) -> float:
    """The variance of a step's noise over η P: 2; the published code multiplies noise √(2η) by η again."""
    return 2.0 if check_choice("variant", variant, VARIANTS) == "langevin" else 2 * learning_rate**2


def _after(
    k: Any, h: Floats, step: Floats, noise: ArrayLike, mean: ArrayLike, variance: ArrayLike, injected: float = 2.0
) -> Modes:
    """After k steps of SGLD with a step η p_j of its own in each mode."""
    c, start = (numbers(name, x, 0, np.inf, "[)") for name, x in (("noise", noise), ("variance", variance)))
    centre = np.asarray(mean)  # it may be complex, in Fourier modes
    check(centre.dtype.kind in "iufc" and bool(np.isfinite(centre).all()), "mean", mean, "finite", DROP)
    for name, values in (("noise", c), ("variance", start), ("mean", centre)):
        fits = values.shape in ((), h.shape)
        check(fits, name, values.shape, f"a number, or {len(h)} of them", "one for each mode")
    v, r = (injected + step * c) / (h * (2 - step * h)), 1 - step * h
    return Modes(r**k * centre, v + r ** (2 * k) * (start - v))


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
        found = _after(steps, h, η * p, noise, mean, variance).w2(h)
        i = int(np.argmin(found))
        low, high = logs[i] - width, min(logs[i] + width, high)
    return Best(float(sigma), float(η[i, 0]), float(found[i]))


def best_sigma(
    h: ArrayLike, noise: ArrayLike, steps: int, *, sigmas: Sequence[float] = SIGMAS, **start: ArrayLike
) -> Best:
    """Smoothing and learning rate with the least W2 after `steps`; sigma = 0 says that smoothing cannot pay.

    `h` (d,) and `noise` (d,) are spectra of curvature and of minibatch noise, known, or estimated along a run:
    the mean square of a gradient's Fourier modes is h_j at samples of the target, since E ∇f ∇f^T = E ∇²f, and c_j of noise.
    The chain starts at a point a unit from μ in every mode, or where `mean` and `variance` say, as for `best_learning_rate`.
    """
    several = finite("sigmas", sigmas, (None,), "one smoothing at least; 0 is none")
    return min((best_learning_rate(h, s, steps, noise=noise, **start) for s in several), key=lambda best: best.w2)


def _positive(name: str, matrix: ArrayLike, d: int | None = None) -> Floats:
    """A symmetric matrix (d, d) without negative eigenvalues."""
    M = finite(name, matrix, (d, d) if d else np.shape(matrix)[:1] * 2, "a square matrix, of the dimension of the rest")
    least, most = np.linalg.eigvalsh(M)[[0, -1]] if np.allclose(M, M.T) else (-1.0, 0.0)
    check(most > 0 and least >= -1e-9 * most, name, M, "symmetric, without negative eigenvalues", "is its sign right?")
    return M


def _spectrum(h: ArrayLike) -> Floats:
    return finite("h", numbers("h", h, 0, np.inf, "()", "they are curvatures"), (None,), "one for each mode")
