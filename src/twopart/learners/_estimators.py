"""What regressors with scikit-learn's interface share: both float types, and the remedy where it is not installed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
except ImportError as error:
    remedy = "install it with `pip install 'twopart[estimators]'`"
    raise ImportError(f"regressors need scikit-learn >= 1.6, which is not installed; {remedy}") from error

FLOATS = np.float64, np.float32


class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor of `Pipeline`, `GridSearchCV` and their kin."""

    random_state: Any

    def _given(self, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """What it is fitted to, (n, d) and (n,), as arrays. Raises `ValueError` for bad data."""
        arrays: tuple[NDArray[Any], NDArray[Any]] = validate_data(self, X, y, y_numeric=True, dtype=FLOATS)
        return arrays

    def _asked(self, X: Any) -> NDArray[Any]:
        """What a fitted one is asked about, (n, d). Raises `ValueError` for bad data, and before `fit`."""
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, reset=False, dtype=FLOATS))

    def _random(self) -> np.random.RandomState:
        """What `random_state` stands for."""
        random: np.random.RandomState = check_random_state(self.random_state)
        return random


class LinearRegressor(Regressor):
    """One that answers <x, coef_> + intercept_."""

    coef_: NDArray[Any]
    intercept_: float

    def predict(self, X: Any) -> NDArray[Any]:
        """Shape (n,)."""
        return np.asarray(self._asked(X) @ self.coef_ + self.intercept_)
