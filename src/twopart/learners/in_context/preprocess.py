"""Preprocess, then optimise: features scaled by r = X'y/n, then gradient descent on them, one problem or many at once.

    path = preprocessed_path(X, y, steps=100)                   # weights after 0, ..., 100 steps, for the features as they are
    at = preprocessed_flow(X, y, times=[1, 10, 100])            # steps so small that only their sum counts, in closed form

X (..., n, d) and y (..., n), both float types. Steps of u <- u - η ∇ (1/2n) Σ (<u, r∘x_i> - y_i)² from u = 0 are steps of
w = r∘u with sizes η r²; other sizes by `preconditioner`. Source: Chen, Zhao, Zou 2024, arXiv 2408.04532.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arrays import finite, numbers
from twopart._checks import check, check_integer, check_real
from twopart.laws.in_context.sparse_regression import Preconditioner, squares


def preprocessed_path(
    X: ArrayLike, y: ArrayLike, steps: int, rate: float | None = None, preconditioner: Preconditioner = squares
) -> NDArray[Any]:
    """Weights (..., steps + 1, d) along w <- w + η a(r)∘X'(y - Xw)/n from 0, r = X'y/n, by default a(r) = r².

    `rate` None takes η = 1/λ, sure not to overshoot, λ the largest eigenvalue of √a∘X'X∘√a/n of each problem.
    Raises `InputError` for shapes, numbers, and steps so large that weights overflow.
    """
    x, z = _problem(X, y)
    a, K = np.asarray(preconditioner(z)[0], x.dtype), check_integer("steps", steps, 0, None, "0 is the weights 0")
    gram = np.swapaxes(x, -1, -2) @ x / x.shape[-2]
    η = 1.0 if rate is None else check_real("rate", rate, 0, np.inf, "or None", closed="()")
    if rate is None:
        top = np.linalg.eigvalsh(np.sqrt(a)[..., None] * gram * np.sqrt(a)[..., None, :])[..., -1:]
        a = a / np.where(top > 0, top, 1)
    path = np.zeros((*z.shape[:-1], K + 1, z.shape[-1]), x.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(K):
            w = path[..., k, :]
            path[..., k + 1, :] = w + x.dtype.type(η) * a * (z - (gram @ w[..., None])[..., 0])
    check(bool(np.isfinite(path).all()), "rate", rate, "small enough to converge", "None takes one that is")
    return path


def preprocessed_flow(X: ArrayLike, y: ArrayLike, times: ArrayLike) -> NDArray[Any]:
    """Weights (..., T, d) at `times` >= 0 of the flow, whose time is steps times rate: by the eigenvectors of R X'X R/n."""
    x, z = _problem(X, y)
    t, scaled = numbers("times", np.atleast_1d(times), 0, np.inf, "[)").astype(x.dtype), x * z[..., None, :]
    λ, Q = np.linalg.eigh(np.swapaxes(scaled, -1, -2) @ scaled / x.shape[-2])
    λ = np.maximum(λ, np.finfo(x.dtype).tiny)[..., None, :]
    along = (np.square(z)[..., None, :] @ Q) * -np.expm1(-t[:, None] * λ) / λ
    return np.asarray(z[..., None, :] * (along @ np.swapaxes(Q, -1, -2)))


def _problem(X: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """X and X'y/n, of one type."""
    x = finite("X", X, (None,) * max(np.ndim(X), 2), "samples and features, after any batches", None)
    labels = finite("y", y, x.shape[:-1], "a number for each sample", None).astype(x.dtype)
    return x, (labels[..., None, :] @ x)[..., 0, :] / x.shape[-2]
