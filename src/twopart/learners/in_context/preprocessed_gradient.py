"""Preprocess-then-optimise with scikit-learn's interface.

    from twopart.learners.in_context import PreprocessedGradient
    make_pipeline(StandardScaler(), PreprocessedGradient(steps=500, early_stop=0.2)).fit(X, y).predict(X_new)

Features with little correlation to y hardly move: sparse answers are found as by a lasso whose threshold, 1/√(η steps), spares
what is large. It is not indifferent to units: scale features alike. scikit-learn is the extra `estimators`.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check, check_integer, check_real
from twopart.learners._estimators import LinearRegressor
from twopart.learners.in_context.preprocess import preprocessed_path


@dataclass(eq=False, repr=False)
class PreprocessedGradient(LinearRegressor):
    """Linear regression by gradient descent on features that are scaled by their covariance with y.

    Fitted: coef_ (features,), path_ (steps + 1, features), after each step, intercept_, n_iter_ (steps made), n_features_in_,
    feature_names_in_.
    """

    steps: int = 100
    """Of gradient descent, the most where it stops early."""
    learning_rate: float | None = None
    """Size of a step; None is the largest that is sure not to overshoot."""
    _: KW_ONLY
    early_stop: float = 0.0
    """Share of the rows, in [0, 1), that chooses how many steps all rows make; 0 makes all."""
    fit_intercept: bool = True
    """Whether features and y are centred first."""
    random_state: Any = None
    """Seed or `RandomState` of the rows that choose."""

    def fit(self, X: Any, y: Any) -> PreprocessedGradient:
        """X (n, d), y (n,). Raises `ValueError` for bad parameters or data."""
        check_integer("steps", self.steps, 1, None, "100 are usual")
        share = check_real("early_stop", self.early_stop, 0, 1, "0.2 is usual, 0 never stops", closed="[)")
        X, y = self._given(X, y)
        y, self.n_iter_ = np.asarray(y, X.dtype), self.steps
        if share:
            held = int(np.ceil(share * len(X)))
            check(held < len(X), "early_stop", share, f"0 with {len(X)} sample", "none is left to learn from")
            order = self._random().permutation(len(X))
            path, start = self._path(X[order[held:]], y[order[held:]])
            error = np.square(X[order[:held]] @ path.T + start - y[order[:held], None]).mean(0)
            self.n_iter_ = int(np.argmin(error))
        self.path_, starts = self._path(X, y)
        self.coef_, self.intercept_ = self.path_[self.n_iter_], float(starts[self.n_iter_])
        return self

    def _path(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weights and intercepts after each step."""
        x0, y0 = (X.mean(0), y.mean()) if self.fit_intercept else (np.zeros_like(X[0]), X.dtype.type(0))
        path = preprocessed_path(X - x0, y - y0, self.steps, self.learning_rate)
        return path, y0 - path @ x0
