"""What laws and learners of regression ask of a user's own arrays; every refusal names argument, value, bound and remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check


def variances(name: str, values: ArrayLike) -> Floats:
    """Of independent coordinates: shape (d,), each >= 0."""
    λ: Floats = finite(name, values, (None,), "give one variance for each direction")
    check(λ.min() >= 0, name, float(λ.min()), ">= 0", "they are variances")
    return λ


def weights_of(values: ArrayLike, dimension: int) -> Floats:
    """Weights (..., d) as floats."""
    w = np.asarray(values, float)
    check(w.shape[-1:] == (dimension,), "weights", w.shape, f"(..., {dimension})", "one for each direction")
    return w


def steps_at(at: Sequence[int] | None, steps: int, default: Sequence[int]) -> list[int]:
    """The steps that are asked for, rising in 0..steps; `default` where none are named."""
    kept = list(default if at is None else at)
    rising = kept == sorted(set(kept)) and len(kept) > 0 and kept[0] >= 0 and kept[-1] <= steps
    check(rising, "at", at, f"rising steps in 0..{steps}", "choose among the steps that are done")
    return kept


def step_sizes(name: str, learning_rate: ArrayLike, steps: int) -> Floats:
    """The learning rate of each step, shape (steps,), from one number for all or one for each."""
    rates = np.asarray(learning_rate)
    rates = np.full(steps, learning_rate) if rates.ndim == 0 else rates
    if steps:
        rates = finite(name, rates, (steps,), "give one number, or one for each step")
    least = rates.min(initial=0.0)
    check(least >= 0, name, least, ">= 0", "descent goes down the gradient")
    return rates.astype(np.float64)


def covariance(name: str, values: Any, dimension: int) -> Floats:
    """A covariance as variances of independent coordinates, shape (d,), each >= 0, or as a PSD matrix, (d, d)."""
    square = np.ndim(values) == 2
    array: Floats = finite(name, values, (dimension,) * (2 if square else 1), f"variances ({dimension},) or a matrix")
    if square:
        gap, size = float(np.abs(array - array.T).max()), float(np.abs(array).max())
        check(gap <= 1e-8 * size, name, gap, "symmetric, but for rounding", "take (A + A.T) / 2 if it should be")
        array = (array + array.T) / 2
    least = float(np.linalg.eigvalsh(array)[0] if square else array.min())
    floor = -1e-8 * float(np.abs(array).max()) if square else 0.0
    check(least >= floor, name, least, "without negative variances", "it is a covariance")
    return array
