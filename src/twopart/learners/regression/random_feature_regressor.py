"""Random features of least norm, alone or as an ensemble, with scikit-learn's interface.

from twopart.learners.regression import RandomFeatureRegressor
RandomFeatureRegressor(width=2000, ensemble=4, random_state=0).fit(X, y).predict(X_shifted)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check_integer
from twopart.learners._estimators import Regressor
from twopart.learners.regression.random_features import Activation, MinNorm, feature_weights, random_features


class RandomFeatureRegressor(Regressor):
    """The mean answer of models on random features, each of least norm.

    Parameters
    ----------
    width : features of each model, m; the law of `width_law` wants m > n + 1.
    ensemble : models, each with weights of its own.
    ridge : penalty on the squared norm, in units of features divided by √m; 0 meets the labels.
    activation : "relu" or a function of arrays that works element by element.
    random_state : seed or `RandomState` of the weights.

    Attributes
    ----------
    weights_ : (ensemble, width, features), fits_ : a `MinNorm` for each, n_features_in_, feature_names_in_ : as everywhere.
    """

    def __init__(
        self,
        width: int = 1000,
        *,
        ensemble: int = 1,
        ridge: float = 0.0,
        activation: Activation = "relu",
        random_state: Any = None,
    ) -> None:
        self.width = width
        self.ensemble = ensemble
        self.ridge = ridge
        self.activation = activation
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> RandomFeatureRegressor:
        """X (n, d), y (n,). Raises `ValueError` for bad parameters or data."""
        check_integer("ensemble", self.ensemble, 1, None, "1 is a single model")
        X, y = self._given(X, y)
        seeds = self._random().randint(2**31 - 1, size=self.ensemble)
        self.weights_ = np.stack([feature_weights(self.width, X.shape[1], seed=int(s)) for s in seeds])
        self.fits_ = [MinNorm.fit(random_features(X, w, self.activation), y, self.ridge) for w in self.weights_]
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Shape (n,)."""
        X = self._asked(X)
        features = (random_features(X, w, self.activation) for w in self.weights_)
        return np.asarray(np.mean([fit.predict(φ) for fit, φ in zip(self.fits_, features, strict=True)], axis=0))
