"""The largest singular value of C(n), between an estimate that is too low and one that is too high.

    found = operator_norms(tokens, lags, documents=starts)
    found.cross     # singular vectors of one half of the blocks, the value of the other: too low
    found.plug_in   # of all pairs: too high, and at least about 0.6 of `bound` where there is nothing

Counts are sparse, p p^T is never made: C is what it does to a vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import LinearOperator, svds

from twopart._checks import check
from twopart.tools.measure.correlations import Blocks, cut, rising

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OperatorNorms:
    """||C(n)||_op at the lags n."""

    lags: NDArray[np.int64]
    cross: Floats
    """(lags,); by chance below 0 where there is nothing."""
    plug_in: Floats
    """(lags,)."""
    bound: Floats
    """Independent tokens' noise is below it: 2 sqrt(lambda_1 (1 - S)/T), lambda_1 of diag p - p p^T (Chevet) (lags,)."""


def operator_norms(
    tokens: ArrayLike, lags: ArrayLike, blocks: int = 32, documents: ArrayLike | None = None
) -> OperatorNorms:
    """Of whole numbers (T,) at the rising lags n >= 1 (L,); `blocks` and `documents` as in `correlations`."""
    parts, asked = cut(tokens, blocks, documents), rising(lags)
    check(parts.types > 2, "tokens", parts.types, "of more than two types", "one number tells all of two")
    half = (parts.number % 2)[parts.document]
    p = np.bincount(parts.tokens) / len(parts.tokens)
    noise = 2 * np.sqrt(_largest(_minus(None, p, p))[1] * (1 - p @ p))
    cross, plug_in, bound = [], [], []
    for lag in asked.tolist():
        first, second = (_covariance(parts, lag, half == side) for side in (0, 1))
        sides = [(_largest(one)[::2], other) for one, other in ((first, second), (second, first))]
        cross.append(np.mean([u @ (other @ v) for (u, v), other in sides]))
        every = np.ones(len(half), bool)
        plug_in.append(_largest(_covariance(parts, lag, every))[1])
        bound.append(noise / np.sqrt(_pairs(parts, lag, every).sum()))
    return OperatorNorms(asked, *map(np.array, (cross, plug_in, bound)))


def _pairs(parts: Blocks, lag: int, taken: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which tokens begin a pair (T - lag,)."""
    pairs = taken[:-lag] & (parts.document[:-lag] == parts.document[lag:])
    check(bool(pairs.any()), "lags", lag, "shorter than some document in every half", "take smaller lags")
    return np.asarray(pairs)


def _covariance(parts: Blocks, lag: int, taken: NDArray[np.bool_]) -> Any:
    pairs, V = np.flatnonzero(_pairs(parts, lag, taken)), parts.types
    x, y = parts.tokens[pairs], parts.tokens[pairs + lag]
    joint = coo_array((np.full(len(x), 1 / len(x)), (x, y)), (V, V)).tocsr()
    p = np.bincount(parts.tokens[taken], minlength=V) / taken.sum()
    return _minus(joint, p, p)


def _minus(joint: Any, p: Floats, q: Floats) -> Any:
    """joint - p q^T, or diag p - p q^T, as an operator."""
    return LinearOperator(
        (len(p), len(p)),
        matvec=lambda v: (p * v.ravel() if joint is None else joint @ v.ravel()) - p * (q @ v.ravel()),
        rmatvec=lambda u: (p * u.ravel() if joint is None else joint.T @ u.ravel()) - q * (p @ u.ravel()),
        dtype=np.float64,
    )


def _largest(operator: Any) -> tuple[Floats, float, Floats]:
    u, s, v = svds(operator, 1, v0=np.random.default_rng(0).normal(size=operator.shape[0]))
    return u[:, 0], float(s[0]), v[0]
