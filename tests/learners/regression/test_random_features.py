"""Fits by random features against linear algebra, the estimator against scikit-learn's own tests."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from twopart._checks import InputError
from twopart.laws.regression import width_law
from twopart.learners.regression import MinNorm, RandomFeatureRegressor, feature_weights, random_features


def test_features_are_what_they_say():
    x, weights = np.random.default_rng(0).standard_normal((4, 3)), feature_weights(5, 3, seed=2)
    for dtype, places in ((np.float64, 1e-12), (np.float32, 1e-6)):
        found = random_features(x.astype(dtype), weights)
        assert found.dtype == dtype
        for i, j in np.ndindex(4, 5):
            assert found[i, j] == pytest.approx(max(x[i] @ weights[j], 0) / 5**0.5, abs=places)
    assert random_features(x, weights, np.cos) == pytest.approx(np.cos(x @ weights.T) / 5**0.5)
    assert np.array_equal(feature_weights(3, 3, seed=2), weights[:3])
    assert not np.array_equal(feature_weights(5, 3, seed=3), weights)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m", [4, 30])
def test_fits_are_of_least_norm(m, dtype):
    """More points than features: least squares; fewer: the pseudo-inverse; alike points: the same. A ridge: its equations."""
    random = np.random.default_rng(1)
    features, y = random.standard_normal((8, m)).astype(dtype), random.standard_normal((8, 2))
    inverse = np.linalg.pinv(features.astype(float))
    assert MinNorm.fit(features, y).weights == pytest.approx(inverse @ y, abs=1e-6)
    assert MinNorm.fit(features, y[:, 0]).predict(features) == pytest.approx(features @ inverse @ y[:, 0], abs=1e-6)
    assert MinNorm.fit(features, np.eye(8)).weights == pytest.approx(inverse, abs=1e-6)
    φ = features.astype(float)
    ridged = np.linalg.solve(φ.T @ φ + 0.3 * np.eye(m), φ.T @ y)
    assert MinNorm.fit(features, y, 0.3).weights == pytest.approx(ridged, abs=1e-6)
    twins = np.concatenate([features[:2], features[:2]])
    assert MinNorm.fit(twins, y[:4]).weights == pytest.approx(np.linalg.pinv(twins.astype(float)) @ y[:4], abs=1e-5)


ONES = np.ones((4, 3))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: feature_weights(0, 3), "`width` must be"),
        (lambda: feature_weights(3, 0), "`dimension` must be"),
        (lambda: random_features(np.ones(3), ONES), "`x` must be of shape"),
        (lambda: random_features(ONES, np.ones((2, 2))), "`weights` must be of shape"),
        (lambda: random_features(ONES, ONES, "tanh"), '`activation` must be "relu" or a function'),
        (lambda: random_features(ONES * np.nan, ONES), "`x` must be finite"),
        (lambda: MinNorm.fit(ONES, np.ones(3)), "`y` must be of shape"),
        (lambda: MinNorm.fit(ONES * np.inf, np.ones(4)), "`features` must be finite"),
        (lambda: MinNorm.fit(ONES, np.ones(4), -1.0), "`ridge` must be"),
        (lambda: MinNorm.fit(ONES, np.ones(4)).predict(np.ones((2, 2))), "`features` must be of shape"),
        (lambda: RandomFeatureRegressor(ensemble=0).fit(ONES, np.ones(4)), "`ensemble` must be"),
        (lambda: RandomFeatureRegressor(ridge=np.nan).fit(ONES, np.ones(4)), "`ridge` must be"),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_the_estimator_is_one_of_scikit_learns():
    check_estimator(RandomFeatureRegressor(50, ensemble=2, random_state=0), on_skip=None)


def test_the_estimator_on_shifted_diabetes():
    """In a pipeline and a search; and what its answers owe to its weights is the law's, on inputs that have shifted."""
    x, y = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), RandomFeatureRegressor(300, random_state=0))
    search = GridSearchCV(pipeline, {"randomfeatureregressor__ridge": [0.0, 10.0]}, cv=2).fit(x, y)
    assert search.best_params_ == {"randomfeatureregressor__ridge": 10.0}
    assert search.best_score_ > 0.35
    random = np.random.default_rng(0)
    x, n = StandardScaler().fit_transform(x), 40
    z = x[n : n + 60] + np.sqrt(0.5) * random.standard_normal((60, 10))
    model = RandomFeatureRegressor(4 * n, ensemble=20, random_state=1).fit(x[:n], y[:n])
    each = np.stack([
        fit.predict(random_features(z, w)) for fit, w in zip(model.fits_, model.weights_, strict=True)
    ])  # fmt: skip
    assert model.predict(z) == pytest.approx(each.mean(0))
    law, spread = width_law(x[:n], z, y[:n]), each.var(0, ddof=1).mean()
    assert spread == pytest.approx(law.cost(4 * n), rel=0.25)
