"""Distances between distributions: W2 of Gaussians, on the line and sliced; energy distance; Fréchet's of features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer


def gaussian_w2(mean: ArrayLike, covariance: ArrayLike, to_mean: ArrayLike, to_covariance: ArrayLike) -> Floats:
    """The Wasserstein distance of order 2 between Gaussians, shape (...), of means (..., d) and covariances (..., d, d).

    W2² = |m - m'|² + tr(C + S - 2 (S^½ C S^½)^½) (Gelbrich 1990). Of other laws with these moments it is a lower bound.
    Raises `InputError` for shapes that do not fit and values that are not finite.
    """
    m, C, n, S = (np.asarray(v, float) for v in (mean, covariance, to_mean, to_covariance))
    for name, matrix, centre in (("covariance", C, m), ("to_covariance", S, n)):
        square = matrix.ndim >= 2 and matrix.shape[-1] == matrix.shape[-2] == (centre.shape or (0,))[-1]
        check(square, name, matrix.shape, f"of shape (..., d, d) for means of shape {centre.shape}", "mind d")
        fine = bool(np.isfinite(matrix).all() and np.isfinite(centre).all())
        check(fine, name, "nan or infinite entries", "finite, like its mean", "a chain may have diverged")
    values, vectors = np.linalg.eigh(S)
    root = (vectors * np.sqrt(values.clip(0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    cross = np.sqrt(np.linalg.eigvalsh(root @ C @ root).clip(0)).sum(-1)
    spread = np.trace(C, axis1=-2, axis2=-1) + np.trace(S, axis1=-2, axis2=-1) - 2 * cross
    return np.asarray(np.sqrt(np.square(m - n).sum(-1) + spread.clip(0)))


def quantile_w2(values: ArrayLike, to: ArrayLike) -> float:
    """W2 between two samples of one size on the line, (n,): the root mean square difference of the sorted values."""
    a, b = (np.sort(np.asarray(v, float)) for v in (values, to))
    check(a.shape == b.shape and a.ndim == 1 and len(a) > 0, "to", b.shape, f"of shape {a.shape}", "draw as many")
    return float(np.sqrt(np.mean((a - b) ** 2)))


def sliced_w2(x: ArrayLike, to: ArrayLike, *, directions: int = 200, seed: int = 0) -> float:
    """The root mean square of `quantile_w2` over random directions, for samples (n, d) of one size (Bonneel et al. 2015)."""
    a, b = _both(x, to)
    check(len(a) == len(b), "to", len(b), f"as many points as `x` has, {len(a)}", "draw as many")
    random = np.random.default_rng(seed)
    ways = random.standard_normal((check_integer("directions", directions, 1, None, "more are finer"), a.shape[1]))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return float(np.sqrt(np.mean([np.mean((np.sort(a @ way) - np.sort(b @ way)) ** 2) for way in ways])))


class TwoSample(NamedTuple):
    """A distance between two samples, and what it would be if both had one law."""

    value: float
    p: float
    """Share of permutations (the given split is one) with a distance at least as large."""
    null: Floats
    """The distances under random permutations."""


def energy_distance(x: ArrayLike, to: ArrayLike, *, permutations: int = 0, seed: int = 0) -> TwoSample:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| of samples (n, d) and (m, d) (Székely & Rizzo 2013), 0 for equal laws alone.

    Of the points as they are (V-statistic, never negative; scipy's on the line is its root). All distances are held at once.
    """
    a, b = _both(x, to)
    n, whole = len(a), np.concatenate([a, b])
    apart = cdist(whole, whole)
    count = check_integer("permutations", permutations, 0, None, "0 gives the distance alone")
    random = np.random.default_rng(seed)

    def of(order: NDArray[np.int64]) -> float:
        side = np.full(len(whole), -1 / (len(whole) - n))
        side[order[:n]] = 1 / n
        return float(-side @ apart @ side)

    value = of(np.arange(len(whole)))
    null = np.array([of(random.permutation(len(whole))) for _ in range(count)])
    return TwoSample(value, float((1 + np.sum(null >= value * (1 - 1e-9))) / (1 + count)), null)


def frechet_distance(features: ArrayLike, to: ArrayLike) -> float:
    """W2² of the Gaussians with the moments of two samples of features (n, d), as of FID (Heusel et al. 2017)."""
    a, b = _both(features, to)
    moments = [(part.mean(0), np.atleast_2d(np.cov(part.T, bias=True))) for part in (a, b)]
    return float(gaussian_w2(*moments[0], *moments[1]) ** 2)


def _both(x: ArrayLike, to: ArrayLike) -> tuple[Floats, Floats]:
    a: Floats = finite("x", x, (None, None), "one row for each point")
    b: Floats = finite("to", to, (None, a.shape[1]), "points like those of `x`")
    return a, b
