"""Categorical distributions: drawn from a Dirichlet, drawn by inversion, and checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check


def inverse_cdf(cumulative: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices drawn by inversion. Without the last edge, rounding in the sum cannot push an index past the end."""
    return np.searchsorted(cumulative[:-1] / cumulative[-1], uniform, side="right")


def dirichlet(random: np.random.Generator, alpha: float, size: int) -> NDArray[np.float64]:
    """Dirichlet(α, ..., α) by log-Gammas, Γ(α) = Γ(α+1) U^(1/α), so that no weight is rounded to zero for small α."""
    logs = np.log(random.standard_gamma(alpha + 1, size)) + np.log1p(-random.random(size)) / alpha
    weights = np.exp(np.maximum(logs - logs.max(), -700.0))
    return np.asarray(weights / weights.sum())


def check_probabilities(name: str, values: tuple[float, ...], size: int, what: str) -> None:
    fine = len(values) == size and all(0 < p <= 1 for p in values) and abs(sum(values) - 1) < 1e-9
    check(fine, name, values, f"{size} numbers > 0 that sum to 1, {what}", "divide the weights by their sum")
