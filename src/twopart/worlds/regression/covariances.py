"""Covariances as they are given: variances of independent coordinates, shape (d,), or a matrix, shape (d, d).

What both forms can do, so that worlds and laws say it once; `arrays.covariance` checks them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twopart._arrays import Floats


def matrix(covariance: Floats) -> Floats:
    """Shape (d, d)."""
    return np.diag(covariance) if covariance.ndim == 1 else covariance


def trace(covariance: Floats) -> float:
    """E |x|²."""
    return float(covariance.sum() if covariance.ndim == 1 else np.trace(covariance))


def times(vectors: Any, covariance: Floats) -> Any:
    """A v for vectors (..., d)."""
    return vectors * covariance if covariance.ndim == 1 else vectors @ covariance


def eigen(covariance: Floats) -> tuple[Floats, Floats]:
    """Variances (d,), rising and >= 0, and their directions in columns, (d, d)."""
    variances, basis = np.linalg.eigh(matrix(covariance))
    return np.maximum(variances, 0), basis


def root(covariance: Floats) -> Floats:
    """R with R R^T = A: x = R z for standard normal z; of variances their square roots, shape (d,)."""
    if covariance.ndim == 1:
        return np.sqrt(covariance)
    variances, basis = eigen(covariance)
    return np.asarray(basis * np.sqrt(variances))


def scaled(covariance: Floats, by: Floats) -> Floats:
    """That of D x, D = diag(by)."""
    return np.asarray(covariance * (by**2 if covariance.ndim == 1 else np.outer(by, by)))
