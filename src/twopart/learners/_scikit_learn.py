"""What estimators with scikit-learn's interface are made of; where it is missing or old, what to install."""

from __future__ import annotations

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils import validation
    from sklearn.utils.validation import validate_data  # of 1.6, as is much of the interface
except ImportError as error:
    remedy = "install it with `pip install 'twopart[estimators]'`"
    raise ImportError(f"this estimator needs scikit-learn >= 1.6, which is not installed; {remedy}") from error

__all__ = ["Regressor", "validate_data", "validation"]


class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The base of estimators with `fit(X, y)` and `predict(X)`."""
