"""Preprocess, then optimise: features scaled by r = X'y/n, then gradient descent on them; its risk |w - w*|² against its kin.

    shrinkage_risk("flow", [20.0], [0.5] * 4 + [0.0] * 12, samples=32, noise=0.5)   # orthonormal design: exact at every size
    best_risk("lasso", values, samples, noise)                                       # at its best parameter
    path_risk(w, samples=128, noise=0.5, rate=2.0, steps=40)                         # Gaussian design: exact as n and d grow
    heads_risk([1, 2, 4], dimension, preprocessed, plain)                            # what heads of the first layer buy

Tasks are told by the values of their coordinates and, if `counts` are given, how many coordinates have each; signs do not matter.
`noise` is a standard deviation. Source: the algorithm of Chen, Zhao, Zou 2024, arXiv 2408.04532; the laws are derived in
docs/laws/multi-head-sparse.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_choice, check_integer, check_real

STEPS = {
    "gradient": lambda z, t, η: z * (1 - (1 - η) ** t),
    "preprocessed": lambda z, t, η: z * (1 - (1 - η * z**2) ** t),
}
TUNED = {
    "ridge": lambda z, λ: z / (1 + λ),
    "flow": lambda z, T: -z * np.expm1(-T * z**2),
    "lasso": lambda z, λ: np.sign(z) * np.maximum(np.abs(z) - λ, 0),
    "subset": lambda z, λ: z * (np.abs(z) > λ),
}
ESTIMATORS = (*STEPS, *TUNED)
NODE, WEIGHT = np.polynomial.legendre.leggauss(16)
FAR, PANELS = 10.0, 40  # standard deviations to which quadrature goes, and its panels


class Best(NamedTuple):
    """An estimator at its best."""

    parameter: float
    """Steps of "gradient" and "preprocessed", T of "flow", λ of the others."""
    risk: float


def shrink(estimator: str, z: ArrayLike, parameter: float, rate: float = 1.0) -> Floats:
    """What the estimator makes of z = X'y/n, coordinate by coordinate, where X'X = nI; shape of z.

    "gradient" z(1 - (1-η)^t), "preprocessed" z(1 - (1-ηz²)^t): t = `parameter` steps of size η = `rate`; "flow" z(1 - e^(-Tz²)),
    "ridge" z/(1+λ), "lasso" (|z|-λ)₊ with the sign of z, "subset" z where |z| > λ.
    """
    check_choice("estimator", estimator, ESTIMATORS)
    z = numbers("z", z, -np.inf, np.inf)
    η = check_real("rate", rate, 0, np.inf, "it is a step size", closed="()")
    p = check_real("parameter", parameter, 0, np.inf, "steps, time or penalty", closed="[)")
    if estimator in TUNED:
        return np.asarray(TUNED[estimator](z, p))
    check(p == int(p), "parameter", p, "a whole number of steps", "the flow has times between them")
    with np.errstate(over="ignore"):  # where ηz² > 2 steps diverge
        return np.asarray(STEPS[estimator](z, p, η))


def shrinkage_risk(
    estimator: str,
    parameters: ArrayLike,
    values: ArrayLike,
    samples: int,
    noise: float,
    *,
    counts: ArrayLike | None = None,
    rate: float = 1.0,
) -> Floats:
    """Expected |w - w*|² for an orthonormal design, X'X = nI, by parameter, shape (P,): Σ_j E (f(w_j + σ g/√n) - w_j)².

    Exact at every n, d, s: one quadrature for each of `values`, (V,), with edges where f has them.
    """
    w, count, n, σ = _problem(values, counts, samples, noise)
    τ = σ / np.sqrt(n)
    if τ == 0:
        square = [np.square(shrink(estimator, w, p, rate) - w) for p in np.atleast_1d(parameters)]
        return np.array([count @ one for one in square])
    found = []
    for p in numbers("parameters", np.atleast_1d(parameters), 0, np.inf, "[)"):
        edges = np.concatenate([w[:, None] + τ * np.linspace(-FAR, FAR, PANELS + 1), _edges(estimator, p, rate, w)], 1)
        low, high = (np.sort(np.clip(edges, (w - FAR * τ)[:, None], (w + FAR * τ)[:, None]))[:, s] for s in ENDS)
        z = (low + high)[..., None] / 2 + (high - low)[..., None] / 2 * NODE
        density = np.exp(-np.square((z - w[:, None, None]) / τ) / 2) / (np.sqrt(2 * np.pi) * τ)
        square = np.square(shrink(estimator, z, p, rate) - w[:, None, None])
        found.append(count @ ((square * density) @ WEIGHT * (high - low) / 2).sum(1))
    return np.array(found)


ENDS = (slice(None, -1), slice(1, None))


def _edges(estimator: str, p: float, rate: float, w: Floats) -> Floats:
    """Where f is not smooth, or turns fast: ± so many thresholds, (V, E)."""
    if estimator in ("lasso", "subset"):
        at = np.array([p])
    else:
        turns = p if estimator == "flow" else p * rate if estimator == "preprocessed" else 0
        at = np.array([0.5, 1, 2, 4]) / np.sqrt(turns) if turns else np.array([0.0])
    return np.broadcast_to(np.concatenate([-at, at]), (len(w), 2 * len(at)))


def best_risk(
    estimator: str,
    values: ArrayLike,
    samples: int,
    noise: float,
    *,
    counts: ArrayLike | None = None,
    rate: float = 1.0,
    most: int = 200,
) -> Best:
    """The least risk for an orthonormal design over the parameter; steps are tried from 0 to `most`. `noise` > 0."""
    w, _, n, σ = _problem(
        values, counts, samples, check_real("noise", noise, 0, np.inf, "0 needs no care", closed="()")
    )

    def risk(parameters: ArrayLike) -> Floats:
        return shrinkage_risk(estimator, parameters, values, samples, noise, counts=counts, rate=rate)

    if estimator in STEPS:
        tried = np.arange(1 + check_integer("most", most, 1, None, "it bounds the steps"))
        return Best(float(np.argmin(found := risk(tried))), float(found.min()))
    τ = σ / np.sqrt(n)
    θ = np.geomspace(τ / 100, FAR * max(τ, np.abs(w).max()), 60)  # thresholds, among which the flow has 1/√T
    grid = np.sort(θ**-2.0) if estimator == "flow" else np.geomspace(1e-4, 1e4, 60) if estimator == "ridge" else θ
    at = min(max(int(np.argmin(risk(grid))), 1), 58)
    ends = np.log(grid[[at - 1, at + 1]])
    found = minimize_scalar(lambda x: float(risk([np.exp(x)])[0]), bounds=ends, method="bounded")
    return Best(float(np.exp(found.x)), float(found.fun))


def heads_risk(heads: ArrayLike, dimension: int, preprocessed: float, plain: float) -> Floats:
    """Risk by heads h of the first layer, whose values read labels only: h/d of it preprocessed, the rest plain, up to h = d.

    x -> diag(r) x is a tensor of d singular values 1, so that h < d heads leave a squared relative error of 1 - h/d (Eckart-
    Young). `preprocessed` and `plain` are the risks with all coordinates so; orthonormal design, coordinates alike by prior.
    """
    d = check_integer("dimension", dimension, 1, None, "a head for each covers all")
    share = np.minimum(numbers("heads", heads, 0, np.inf, "[)") / d, 1)
    ends = (
        check_real(k, v, 0, np.inf, "a risk", closed="[)")
        for k, v in (("preprocessed", preprocessed), ("plain", plain))
    )
    all_of, none_of = ends
    return np.asarray(share * all_of + (1 - share) * none_of)


Preconditioner = Callable[[Floats], tuple[Floats, Floats]]
"""Step sizes a(g) for coordinates whose first gradient is g, and the slopes a'(g), of the same shape."""
REACH, POINTS = 6.0, 49  # of the first gradient's noise: standard deviations, and points between


def squares(g: Floats) -> tuple[Floats, Floats]:
    """a(g) = g²: preprocessing by r = g."""
    return g**2, 2 * g


def alike(g: Floats) -> tuple[Floats, Floats]:
    """a(g) = 1: plain gradient descent."""
    return np.ones_like(g), np.zeros_like(g)


class PathRisk(NamedTuple):
    """The risk along gradient descent, and whether rare problems carry its mean."""

    risk: Floats
    """|w^k - w*|² at steps k = 0..K, shape (K + 1,)."""
    rare: float
    """Expected number of coordinates whose own step η a(g) is above 2, out to six standard deviations: where it is not far
    below 1 in the problems that are run, some diverge, and the mean over problems is theirs."""


def path_risk(
    values: ArrayLike,
    samples: int,
    noise: float,
    rate: float,
    steps: int,
    *,
    counts: ArrayLike | None = None,
    preconditioner: Preconditioner = squares,
) -> PathRisk:
    """Risk of w <- w + η a(g⁰)∘g, g = X'(y - Xw)/n, from w = 0 for Gaussian X, at every step; exact as n, d grow, d/n fixed.

    Dynamical mean field, solved without fixed point or sampling. Given the noise h⁰ of its first gradient a coordinate's path
    is linear in Gaussians, so that h⁰ alone is integrated (to `REACH`), and step k follows from those before it. Errors are
    of order 1/d. Cost: V POINTS K³. Raises `InputError` for bad numbers, and where the risk overflows.
    """
    w, count, n, σ = _problem(values, counts, samples, noise)
    η, K = (
        check_real("rate", rate, 0, np.inf, "it is a step size", closed="()"),
        check_integer("steps", steps, 1, None, ""),
    )
    z = np.tile(np.linspace(-REACH, REACH, POINTS), len(w))
    weight = np.exp(-(z**2) / 2).reshape(len(w), POINTS)
    weight = (
        count[:, None] * weight / weight.sum(1, keepdims=True)
    ).ravel()  # (N,): coordinates at this value and noise
    first = np.sqrt((count @ w**2 + σ**2) / n)
    w, h = np.repeat(w, POINTS), first * z
    a, slope = (η * np.asarray(part, float) for part in preconditioner(w + h))
    check(
        bool(np.isfinite(a).all() and a.shape == h.shape),
        "preconditioner",
        "others",
        "finite sizes of g's shape",
        "see g = 0",
    )
    N, R, C, told = len(w), np.eye(K + 1), np.zeros((K + 1, K + 1)), np.zeros((0, 0))
    M, A = (
        np.zeros((K + 1, K + 1, N)),
        np.zeros((K + 1, K + 1, N)),
    )  # of g^k, and of all gradients before it, by noise h^l
    mean, b = np.zeros((K + 1, N)), np.zeros((K + 1, N))  # of g^k and of w* - w^k, given h⁰
    for k in range(K + 1):
        b[k] = w - a * mean[:k].sum(0)
        spread, before = a * A[k, :k], A[: k + 1, :k].reshape(k + 1, k * N)  # of w^k by noise
        covary = before @ (weight * a * (told @ spread)).ravel()
        C[k, : k + 1] = C[: k + 1, k] = b[: k + 1] @ (weight * b[k]) + covary
        Γ = spread @ weight / n
        Γ[:1] += (A[k, :k] * mean[:k]).sum(0) @ (weight * slope) / n  # h⁰ sets the step sizes too
        R[k, :k] = -Γ @ R[:k, :k]
        E = R[: k + 1, : k + 1] @ (C[: k + 1, : k + 1] + σ**2) @ R[: k + 1, : k + 1].T / n  # covariance of the noise
        told = E - np.outer(E[0], E[0]) / E[0, 0]  # given h⁰
        back = R[k, k:0:-1].cumsum()[::-1]  # of g^k by the gradients before it
        M[k, k], M[k, :k] = 1, -a * (back @ M[:k, :k].reshape(k, k * N)).reshape(k, N)
        mean[k] = h * E[k, 0] / E[0, 0] + w * R[k].sum() - a * (back @ mean[:k])
        if k < K:
            A[k + 1] = A[k] + M[k]
    check(bool(np.isfinite(C).all()), "rate", rate, "small enough for the risk to be a number", "take a smaller one")
    return PathRisk(np.diag(C).copy(), float(weight[a > 2].sum()))


def _problem(
    values: ArrayLike, counts: ArrayLike | None, samples: int, noise: float
) -> tuple[Floats, Floats, int, float]:
    w = finite("values", values, (None,), "give the task's coordinates, or its distinct values")
    count = np.ones(len(w)) if counts is None else finite("counts", counts, w.shape, "give one for each value")
    check(bool((count >= 0).all()), "counts", float(count.min()), ">= 0", "they count coordinates")
    n = check_integer("samples", samples, 1, None, "it is the number of examples")
    return w, count, n, check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="[)")
