"""Distances between distributions: W2 of Gaussians and of samples on the line."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._checks import check

Floats = NDArray[np.float64]


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
