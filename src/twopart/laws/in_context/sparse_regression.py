"""Preprocess, then optimise: features scaled by r = X'y/n, then gradient descent on them; its risk |w - w*|², and its kin's.

    shrinkage_risk("flow", [20.0], [0.5] * 4 + [0.0] * 12, samples=32, noise=0.5)    # orthonormal design: exact at any size
    best_risk("lasso", values, samples, noise)                                       # at its best parameter
    path_risk(values, samples=128, noise=0.5, rate=2.0, steps=40)                    # Gaussian design: exact as n, d grow

A task is told by `values` of its coordinates, (V,), signs do not matter, and by `counts`, how many have each, by default one.
`noise` is a standard deviation. Source: the algorithm of Chen, Zhao, Zou 2024, arXiv 2408.04532; laws derived in
docs/laws/multi-head-sparse.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_choice, check_integer, check_real

ESTIMATORS = ("preprocessed", "gradient", "flow", "ridge", "lasso", "subset")
NODE, WEIGHT = np.polynomial.legendre.leggauss(16)
FAR, PANELS = 8.0, 12  # standard deviations to which quadrature goes, and its panels
MOST = 200  # steps that are tried for the best


class Best(NamedTuple):
    """An estimator at its best."""

    parameter: float
    """Steps of "gradient" and "preprocessed", T of "flow", λ of the others."""
    risk: float


def shrink(estimator: str, z: ArrayLike, parameter: ArrayLike, rate: float = 1.0) -> Floats:
    """What the estimator makes of z = X'y/n, coordinate by coordinate, where X'X = nI; parameters have z's shape, or are one.

    "gradient" z(1 - (1-η)^t), "preprocessed" z(1 - (1-ηz²)^t): t = `parameter` steps of size η = `rate`; "flow"
    z(1 - e^(-Tz²)), "ridge" z/(1+λ), "lasso" (|z|-λ)₊ with the sign of z, "subset" z where |z| > λ.
    """
    check_choice("estimator", estimator, ESTIMATORS)
    z, p = numbers("z", z, -np.inf, np.inf), numbers("parameter", parameter, 0, np.inf, "[)", "none is 0")
    if estimator in ESTIMATORS[:2]:
        η = check_real("rate", rate, 0, np.inf, "it is a step size", closed="()")
        check(bool((p % 1 == 0).all()), "parameter", p, "a whole number of steps", "the flow has times between them")
        with np.errstate(over="ignore"):
            return np.asarray(z * (1 - (1 - η * (z**2 if estimator == "preprocessed" else 1)) ** p))
    if estimator == "flow":
        return np.asarray(-z * np.expm1(-p * z**2))
    if estimator == "lasso":
        return np.asarray(np.sign(z) * np.maximum(np.abs(z) - p, 0))
    return np.asarray(z / (1 + p) if estimator == "ridge" else z * (np.abs(z) > p))


def shrinkage_risk(
    estimator: str, parameters: ArrayLike, values: ArrayLike, samples: int, noise: float, *,
    counts: ArrayLike | None = None, rate: float = 1.0,
) -> Floats:  # fmt: skip
    """Expected |w - w*|² for an orthonormal design, X'X = nI, by parameter, (P,): Σ_j E (f(w_j + σ g/√n) - w_j)².

    Exact at every n, d and s: a quadrature for each of `values`, whose panels end where f turns.
    """
    w, count, n, σ = _problem(values, counts, samples, noise)
    w, τ = w[:, None], σ / np.sqrt(n)
    p = numbers("parameters", np.atleast_1d(parameters), 0, np.inf, "[)")[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = {"flow": p**-0.5, "preprocessed": (p * rate) ** -0.5, "lasso": p, "subset": p}.get(estimator, 0 * p)
    turns = np.where(np.isfinite(turn), turn, 0) * [0.5, 1, 2, 4, -0.5, -1, -2, -4]
    far, even = FAR * τ, w + τ * np.linspace(-FAR, FAR, PANELS + 1)
    edges = np.sort(np.concatenate([even + 0 * p, np.clip(turns, w - far, w + far)], 2), 2)  # (P, V, of panels)
    half, middle = np.diff(edges) / 2, (edges[..., 1:] + edges[..., :-1]) / 2
    z, w = middle[..., None] + half[..., None] * NODE, w[..., None]
    density = np.exp(-np.square((z - w) / τ) / 2) / (np.sqrt(2 * np.pi) * τ)
    with np.errstate(over="ignore"):  # where ηz² > 2 steps diverge
        square = np.minimum(np.square(shrink(estimator, z, p[..., None], rate) - w), 1e250)
    return np.asarray((square * density @ WEIGHT * half).sum(2) @ count)


def best_risk(
    estimator: str, values: ArrayLike, samples: int, noise: float, *, counts: ArrayLike | None = None, rate: float = 1.0
) -> Best:
    """The least risk for an orthonormal design over the parameter; steps are tried from 0 to `MOST`."""
    w, _, n, σ = _problem(values, counts, samples, noise)
    task: dict[str, Any] = {"values": values, "samples": samples, "noise": noise, "counts": counts}
    τ, whole = σ / np.sqrt(n), estimator in ESTIMATORS[:2]
    θ = np.geomspace(τ / 100, 10 * max(τ, np.abs(w).max()), 24)  # thresholds; the flow's is 1/√T
    steps = np.append(0, np.geomspace(1, MOST, 24).round())
    grid = steps if whole else {"flow": np.sort(θ**-2.0), "ridge": np.geomspace(1e-4, 1e4, 24)}.get(estimator, θ)
    for _ in range(4):  # closer around the least
        grid = np.unique(grid)
        found = shrinkage_risk(estimator, grid, **task, rate=rate)
        at = int(found.argmin())
        low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
        best = Best(float(grid[at]), float(found[at]))
        grid = np.linspace(low, high, 13).round() if whole else np.geomspace(low, high, 13)
    return best


def heads_risk(heads: ArrayLike, dimension: int, preprocessed: float, plain: float) -> Floats:
    """Risk by heads h of a first layer whose values read labels alone: h/d of `preprocessed` and the rest of `plain`, to h = d.

    x -> diag(r) x is a tensor with d singular values 1: h heads leave a squared relative error 1 - h/d (Eckart-Young). For
    orthonormal designs and coordinates that are alike by prior.
    """
    d, h = check_integer("dimension", dimension, 1, None, "of x"), numbers("heads", heads, 0, np.inf, "[)")
    ends = numbers("preprocessed", preprocessed, 0, np.inf, "[)"), numbers("plain", plain, 0, np.inf, "[)")
    return np.asarray(ends[1] + np.minimum(h / d, 1) * (ends[0] - ends[1]))


Preconditioner = Callable[[Floats], tuple[Floats, Floats]]
"""Step sizes a(g) of coordinates whose first gradient is g, and slopes a'(g), in its shape."""
REACH, POINTS = 6.0, 49  # of the first gradient's noise: standard deviations, and points between


def squares(g: Floats) -> tuple[Floats, Floats]:
    """a(g) = g²: preprocessing by r = g."""
    return g**2, 2 * g


def alike(g: Floats) -> tuple[Floats, Floats]:
    """a(g) = 1: plain gradient descent."""
    return np.ones_like(g), np.zeros_like(g)


class PathRisk(NamedTuple):
    """The risk along gradient descent, and how far the limit is from problems of this size."""

    risk: Floats
    """|w^k - w*|² at steps k = 0..K, shape (K + 1,)."""
    carriers: float
    """(Σ w²)²/Σ w⁴, coordinates that carry the signal: sizes at which risks were measured are off by up to 0.5/carriers."""


def path_risk(
    values: ArrayLike, samples: int, noise: float, rate: float, steps: int, *,
    counts: ArrayLike | None = None, preconditioner: Preconditioner = squares,
) -> PathRisk:  # fmt: skip
    """Risk of w <- w + η a(g⁰)∘g, g = X'(y - Xw)/n, from w = 0 for Gaussian X, at every step; exact as n, d grow, d/n fixed.

    Dynamical mean field, solved without fixed point or sampling: given the noise h⁰ of its first gradient a coordinate's path
    is linear in Gaussians, so that h⁰ alone is integrated (to `REACH`), and step k follows from those before it. It takes of
    order V K³. Raises `InputError` for bad numbers, and where the risk overflows.
    """
    w, count, n, σ = _problem(values, counts, samples, noise)
    η = check_real("rate", rate, 0, np.inf, "it is a step size", closed="()")
    K, carriers = check_integer("steps", steps, 1, None, "of descent"), (count @ w**2) ** 2 / (count @ w**4 or np.inf)
    z = np.linspace(-REACH, REACH, POINTS)  # of h⁰ in its standard deviations, for each value
    weight = np.outer(count, np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()).ravel()  # (N,), coordinates there
    h = np.tile(z, len(w)) * np.sqrt((count @ w**2 + σ**2) / n)
    w, N = np.repeat(w, POINTS), len(h)
    a, slope = (η * finite("preconditioner", part, (N,), "a size for each") for part in preconditioner(w + h))
    R, C, told = np.eye(K + 1), np.zeros((K + 1, K + 1)), np.zeros((0, 0))  # responses, covariances of b and of noise
    M, A = np.zeros((2, K + 1, K + 1, N))  # of g^k, and of the gradients before it together, by noise h^l
    mean, b = np.zeros((2, K + 1, N))  # of g^k and of w* - w^k, given h⁰
    for k in range(K + 1):
        b[k] = w - a * mean[:k].sum(0)
        spread, before = a * A[k, :k], A[: k + 1, :k].reshape(k + 1, k * N)  # of w^k by noise
        covary = before @ (weight * a * (told @ spread)).ravel()
        C[k, : k + 1] = C[: k + 1, k] = b[: k + 1] @ (weight * b[k]) + covary
        Γ = spread @ weight / n
        Γ[:1] += (A[k, :k] * mean[:k]).sum(0) @ (weight * slope) / n  # h⁰ sets the step sizes too
        R[k, :k] = -Γ @ R[:k, :k]
        E = R[: k + 1, : k + 1] @ (C[: k + 1, : k + 1] + σ**2) @ R[: k + 1, : k + 1].T / n
        told = E - np.outer(E[0], E[0]) / E[0, 0]  # of the noise, given h⁰
        back = R[k, k:0:-1].cumsum()[::-1]  # of g^k by the gradients before it
        M[k, k], M[k, :k] = 1, -a * (back @ M[:k, :k].reshape(k, k * N)).reshape(k, N)
        mean[k] = h * E[k, 0] / E[0, 0] + w * R[k].sum() - a * (back @ mean[:k])
        if k < K:
            A[k + 1] = A[k] + M[k]
    check(bool(np.isfinite(C).all()), "rate", rate, "small enough for the risk to be a number", "take a smaller one")
    return PathRisk(np.diag(C).copy(), float(carriers))


def _problem(values: Any, counts: Any, samples: int, noise: float) -> tuple[Floats, Floats, int, float]:
    w = finite("values", values, (None,), "the task's coordinates, or their distinct values")
    count = np.ones(len(w)) if counts is None else finite("counts", counts, w.shape, "one for each value")
    n = check_integer("samples", samples, 1, None, "of examples")
    σ = check_real("noise", noise, 0, np.inf, "a standard deviation, tiny if there is none", closed="()")
    return w, numbers("counts", count, 0, np.inf, "[)", "they count coordinates"), n, σ
