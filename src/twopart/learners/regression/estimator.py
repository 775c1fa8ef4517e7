"""What the estimators of this room share of scikit-learn's interface: checked data, and a constant as long as a row is.

scikit-learn is the extra `estimators`; the rest of the package does without.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
except ImportError as error:
    remedy = "install it with `pip install 'twopart[estimators]'`"
    raise ImportError(f"estimators need scikit-learn >= 1.6, which is not installed; {remedy}") from error

FLOATS = (np.float64, np.float32)


class RowsRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor on rows that get a constant coordinate with `fit_intercept`, so that one learning rate or law suits all."""

    fit_intercept: bool
    random_state: Any

    def learn(self, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any], np.random.RandomState]:
        """Rows (n, d or d + 1), answers (n,) and what draws. Raises `ValueError` for bad data."""
        X, y = validate_data(self, X, y, y_numeric=True, dtype=FLOATS)
        self.scale_ = float(np.sqrt(np.square(X).sum(1).mean())) or 1.0
        return self._rows(X), y, check_random_state(self.random_state)

    def rows(self, X: Any) -> NDArray[Any]:
        """The same of inputs to answer."""
        check_is_fitted(self)
        return self._rows(validate_data(self, X, reset=False, dtype=FLOATS))

    def _rows(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack([X, np.full(len(X), self.scale_, X.dtype)]) if self.fit_intercept else X
