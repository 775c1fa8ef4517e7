"""Fits by random features of least norm: any labels are met while there are more features than points.

    weights = feature_weights(512, x.shape[1], seed=0)
    fit = MinNorm.fit(random_features(x, weights), y)
    fit.predict(random_features(x_test, weights))

`laws.regression.width_law` says what a fit of that width, or an ensemble, costs on shifted inputs; `RandomFeatureRegressor` is
the same with scikit-learn's interface. Source: Hao, Lin, Zou, Zhang 2024, arXiv 2403.17592.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real

Activation = str | Callable[[Any], Any]


def feature_weights(width: int, dimension: int, *, seed: int = 0) -> Floats:
    """Weights of features, independent N(0, 1), shape (width, dimension); the first rows are those of a smaller width."""
    check_integer("width", width, 1, None, "it is the number of features")
    check_integer("dimension", dimension, 1, None, "it is that of the inputs")
    return _random.generator(seed, "feature weights").standard_normal((width, dimension))


def random_features(x: ArrayLike, weights: ArrayLike, activation: Activation = "relu") -> NDArray[Any]:
    """activation(<w, x>)/√m for inputs (n, d) and weights (m, d): shape (n, m), floats of the type of `x`.

    `activation` is "relu" or a function of arrays that works element by element, such as `numpy.tanh`. Raises
    `InputError` for wrong shapes and nan.
    """
    rows = finite("x", x, (None, None), "give a row for each input", None)
    w = finite("weights", weights, (None, rows.shape[1]), "give a row for each feature", rows.dtype)
    known = activation == "relu" or callable(activation)
    check(known, "activation", activation, '"relu" or a function', "try numpy.tanh")
    z = rows @ w.T
    found = activation(z) if callable(activation) else np.maximum(z, 0)
    return np.asarray(found / np.sqrt(rows.dtype.type(len(w))))


@dataclass(frozen=True, eq=False)
class MinNorm:
    """The weights of least norm among those with the least squared error."""

    weights: Floats
    """Shape (m,), or (m, k) for k targets at once."""

    @classmethod
    def fit(cls, features: ArrayLike, y: ArrayLike, ridge: float = 0.0) -> MinNorm:
        """By the inner products of the points, K + ridge I, in float64: features (n, m), y (n,) or (n, k).

        Without a ridge labels are met wherever m >= n features allow it; else the fit is that of least squares. The labels I
        give P, which takes any y to the weights P y. Raises `InputError` for wrong shapes, ranges and nan.
        """
        φ: Floats = finite("features", features, (None, None), "give a row for each point")
        shape = (len(φ), *(None,) * (np.ndim(y) == 2))
        labels = finite("y", y, shape, "give one for each row of `features`")
        λ = check_real("ridge", ridge, 0, np.inf, "0 meets the labels", closed="[)")
        if λ > 0 or len(φ) <= φ.shape[1]:
            with suppress(LinAlgError):  # of points that features cannot tell apart
                return cls(φ.T @ cho_solve(cho_factor(φ @ φ.T + λ * np.eye(len(φ))), labels))
        return cls(np.linalg.lstsq(φ, labels)[0])

    def predict(self, features: ArrayLike) -> Floats:
        """Answers (n,) or (n, k) for features (n, m)."""
        φ: Floats = finite("features", features, (None, len(self.weights)), "give those that were fitted")
        return np.asarray(φ @ self.weights)
