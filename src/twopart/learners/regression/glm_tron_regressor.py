"""GLM-tron with scikit-learn's interface: a ReLU (or other) neuron for `Pipeline`, `GridSearchCV` and their kin.

    from twopart.learners.regression import GLMTronRegressor
    make_pipeline(StandardScaler(), GLMTronRegressor(link="relu")).fit(X, y).predict(X)

scikit-learn is the extra `estimators`; the rest of the package does without.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twopart._checks import check_integer, check_real
from twopart.learners._estimators import Regressor
from twopart.learners.regression.glm_tron import Link, _link, glm_tron


class GLMTronRegressor(Regressor):
    """y ≈ link(<x, coef_> + intercept_), by GLM-tron over reshuffled epochs.

    A ReLU answers nothing below 0: where half of the targets are negative its R² stays near a half.

    Parameters
    ----------
    link : "relu" (default), "identity", "sigmoid" or a function of torch tensors that works element by element.
    fit_intercept : whether a constant is learned.
    epochs : passes over the data.
    learning_rate : the first; it is halved every steps / log2(steps) steps. None: 1/(λ + m/b), λ the largest eigenvalue of
        E x xᵀ and m the largest ‖x‖², half of what is stable for any link of slope up to 1.
    batch_size : samples a step.
    gate : whether the link's slope is in the step: SGD on half the squared loss. A ReLU must then not start shut: weights
        start at random, of standard deviation 1e-3.
    random_state : seed or `RandomState` of the order.

    Attributes
    ----------
    coef_ : (n_features,), intercept_ : float, n_iter_ : epochs done, n_features_in_, feature_names_in_ : as everywhere.
    """

    def __init__(
        self,
        *,
        link: Link = "relu",
        fit_intercept: bool = True,
        epochs: int = 100,
        learning_rate: float | None = None,
        batch_size: int = 32,
        gate: bool = False,
        random_state: Any = None,
    ) -> None:
        self.link = link
        self.fit_intercept = fit_intercept
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.gate = gate
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> GLMTronRegressor:
        """X (n, d), y (n,). Raises `ValueError` for bad parameters or data."""
        check_integer("epochs", self.epochs, 1, None, "passes over the data")
        check_integer("batch_size", self.batch_size, 1, None, "samples a step")
        X, y = self._given(X, y)
        # the constant is as long as inputs are, so that one rate suits both
        scale = float(np.sqrt(np.square(X).sum(1).mean())) or 1.0
        rows = np.column_stack([X, np.full(len(X), scale, X.dtype)]) if self.fit_intercept else X
        batch = min(self.batch_size, len(X))
        if (rate := self.learning_rate) is None:
            largest = float(np.linalg.norm(rows, 2)) ** 2 / len(rows)
            rate = 1 / max(largest + float(np.square(rows).sum(1).max()) / batch, 1e-12)
        check_real("learning_rate", rate, 0, np.inf, "it is the size of a step", closed="()")
        random = self._random()
        seed = int(random.randint(2**31 - 1))
        start = 1e-3 * random.standard_normal(rows.shape[1]) if self.gate else None
        given: dict[str, Any] = {"schedule": rate, "steps": self.epochs * -(-len(X) // batch), "batch": batch}
        w = glm_tron(rows, y, link=self.link, gate=self.gate, start=start, seed=seed, **given)[0]
        self.coef_, self.intercept_ = (w[:-1], float(w[-1] * scale)) if self.fit_intercept else (w, 0.0)
        self.n_iter_ = self.epochs
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Shape (n,)."""
        X = self._asked(X)
        answers: NDArray[Any] = _link(self.link)(torch.from_numpy(X @ self.coef_ + self.intercept_)).numpy()
        return answers

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = self.link != "identity"  # the common test's targets are half negative
        return tags
