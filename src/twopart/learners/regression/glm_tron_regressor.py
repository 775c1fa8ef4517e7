"""GLM-tron with scikit-learn's interface: a ReLU (or other) neuron for `Pipeline`, `GridSearchCV` and their kin.

    from twopart.learners.regression import GLMTronRegressor
    make_pipeline(StandardScaler(), GLMTronRegressor(link="relu")).fit(X, y).predict(X)

scikit-learn is the extra `estimators`; the rest of the package does without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twopart._checks import check_integer, check_real
from twopart.learners._estimators import LinearRegressor
from twopart.learners.regression.glm_tron import Link, _link, glm_tron


@dataclass(eq=False, repr=False, kw_only=True)
class GLMTronRegressor(LinearRegressor):
    """y ≈ link(<x, coef_> + intercept_), by GLM-tron over reshuffled epochs.

    A ReLU answers nothing below 0: where half of the targets are negative its R² stays near a half. Fitted: coef_ (d,),
    intercept_, n_iter_ (epochs), n_features_in_, feature_names_in_.
    """

    link: Link = "relu"
    """Or "identity", "sigmoid", or a function of torch tensors that works element by element."""
    fit_intercept: bool = True
    """Whether a constant is learned."""
    epochs: int = 100
    """Passes over the data."""
    learning_rate: float | None = None
    """The first; it is halved every steps / log2(steps) steps. None: 1/(λ + m/b), λ the largest eigenvalue of E x xᵀ and m the
    largest ‖x‖², half of what is stable for any link of slope up to 1."""
    batch_size: int = 32
    """Samples a step."""
    random_state: Any = None
    """Seed or `RandomState` of the order."""

    def fit(self, X: Any, y: Any) -> GLMTronRegressor:
        """X (n, d), y (n,). Raises `ValueError` for bad parameters or data."""
        check_integer("epochs", self.epochs, 1, None, "passes over the data")
        check_integer("batch_size", self.batch_size, 1, None, "samples a step")
        X, y = self._given(X, y)
        scale = float(np.sqrt(np.square(X).sum(1).mean())) or 1.0  # a constant as long as a row: one rate suits both
        rows = np.column_stack([X, np.full(len(X), scale, X.dtype)]) if self.fit_intercept else X
        batch = min(self.batch_size, len(rows))
        if (rate := self.learning_rate) is None:
            largest = float(np.linalg.norm(rows, 2)) ** 2 / len(rows)
            rate = 1 / max(largest + float(np.square(rows).sum(1).max()) / batch, 1e-12)
        check_real("learning_rate", rate, 0, np.inf, "it is the size of a step", closed="()")
        steps, seed = self.epochs * -(-len(rows) // batch), int(self._random().randint(2**31 - 1))
        w = glm_tron(rows, y, link=self.link, schedule=rate, steps=steps, batch=batch, seed=seed)[0]
        self.coef_, self.intercept_ = (w[:-1], float(w[-1] * scale)) if self.fit_intercept else (w, 0.0)
        self.n_iter_ = self.epochs
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Shape (n,)."""
        return np.asarray(_link(self.link)(torch.from_numpy(super().predict(X))))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = self.link != "identity"  # the common test's targets are half negative
        return tags
