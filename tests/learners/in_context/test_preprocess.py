"""Preprocess, then optimise: the path and the flow against plain loops, and the estimator among scikit-learn's."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, make_regression
from sklearn.linear_model import LassoCV, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from twopart._checks import InputError
from twopart.learners.in_context import PreprocessedGradient, preprocessed_flow, preprocessed_path

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.standard_normal((3, 2, 7, 4)), RANDOM.standard_normal((3, 2, 7))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_are_descent_on_scaled_features(dtype):
    path = preprocessed_path(X.astype(dtype), Y.astype(dtype), 5, 0.3)
    assert path.dtype == dtype
    x, y = X[2, 1], Y[2, 1]
    r, u = x.T @ y / 7, np.zeros(4)
    for k in range(6):
        assert path[2, 1, k] == pytest.approx(r * u, rel=1e-4 if dtype == np.float32 else 1e-10, abs=1e-6)
        u = u - 0.3 * (x * r).T @ (x * r @ u - y) / 7
    assert preprocessed_flow(X.astype(dtype), Y.astype(dtype), [1.0]).dtype == dtype


def test_the_flow_is_euler_with_many_steps():
    """1e5 steps of u <- u - h (A u - b), by powers of the affine map."""
    x, y, steps, time = X[0, 0], Y[0, 0], 100_000, 30.0
    r = x.T @ y / 7
    A, b = (x * r).T @ (x * r) / 7, (x * r).T @ y / 7
    affine = np.block([[np.eye(4) - time / steps * A, time / steps * b[:, None]], [np.zeros((1, 4)), np.ones((1, 1))]])
    u = np.linalg.matrix_power(affine, steps)[:4, 4]
    found = preprocessed_flow(X, Y, [0.0, time])
    assert found[0, 0, 0] == pytest.approx(0)
    assert found[0, 0, 1] == pytest.approx(r * u, rel=1e-4)


def test_without_a_rate_nothing_overshoots():
    path = preprocessed_path(1e3 * X, Y, 400)
    error = np.square((1e3 * X[..., None, :, :] @ path[..., None])[..., 0] - Y[..., None, :]).sum(-1)
    assert (np.diff(error, axis=-1) <= 1e-12 * error[..., :1]).all()
    assert (preprocessed_path(X, 0 * Y, 3) == 0).all()


def test_the_estimator_is_one_of_scikit_learns():
    check_estimator(PreprocessedGradient(), on_skip=None)


def test_stopping_early_chooses_among_the_path():
    """The best of the path for held-out rows, then all rows for as many steps; alike with the same seed."""
    random = np.random.default_rng(1)
    x = random.standard_normal((60, 40))
    y = 3 + x[:, 0] - x[:, 1] + random.standard_normal(60)
    early = PreprocessedGradient(300, 0.3, early_stop=0.25, random_state=0).fit(x, y)
    order = np.random.RandomState(0).permutation(60)
    held, rest = order[:15], order[15:]
    path = PreprocessedGradient(300, 0.3).fit(x[rest], y[rest])
    intercepts = y[rest].mean() - path.path_ @ x[rest].mean(0)
    errors = np.square(path.path_ @ x[held].T + intercepts[:, None] - y[held]).mean(1)
    assert early.n_iter_ == errors.argmin()
    assert 0 < early.n_iter_ < 300
    whole = PreprocessedGradient(early.n_iter_, 0.3).fit(x, y)
    assert early.coef_ == pytest.approx(whole.coef_)
    assert early.predict(x) == pytest.approx(whole.predict(x))
    assert early.intercept_ == pytest.approx(y.mean() - early.coef_ @ x.mean(0))
    assert PreprocessedGradient(5, fit_intercept=False).fit(x, y).intercept_ == 0
    assert PreprocessedGradient(5).fit(x.astype(np.float32), y).coef_.dtype == np.float32


def test_on_diabetes_with_quadratic_features_it_is_as_good_as_its_peers():
    """Ten columns, their squares and products: 64 features that are not constant alike. R² beside LassoCV and RidgeCV."""
    x, y = load_diabetes(return_X_y=True)
    x = PolynomialFeatures(include_bias=False).fit_transform(StandardScaler().fit_transform(x))
    x = x[:, [k for k in range(x.shape[1]) if len(np.unique(x[:, k])) > 2]]
    assert x.shape[1] == 63, "sex, and its square, have two values"
    ours = PreprocessedGradient(300, early_stop=0.25, random_state=0)
    scores = {
        type(model).__name__: cross_val_score(make_pipeline(StandardScaler(), model), x, y, cv=3).mean()
        for model in (
            ours,
            LassoCV(alphas=np.logspace(-0.5, 1.5, 8), cv=3, max_iter=10_000),
            RidgeCV(np.logspace(0, 4, 8)),
        )
    }
    assert scores["PreprocessedGradient"] > 0.42
    assert scores["PreprocessedGradient"] > max(scores.values()) - 0.04
    search = GridSearchCV(
        make_pipeline(StandardScaler(), PreprocessedGradient()), {"preprocessedgradient__steps": [1, 50]}, cv=2
    )
    assert search.fit(x, y).best_params_ == {"preprocessedgradient__steps": 50}


def test_its_kin_find_the_same_sparse_answer():
    """Of five columns in sixty: adaptive lasso, weights 1/|r|, and descent of w = u∘u - v∘v, R² by threefold validation."""
    x, y = make_regression(120, 60, n_informative=5, noise=60.0, random_state=0)
    x, y, scores = x - x.mean(0), (y - y.mean()) / y.std(), []
    for rest, held in KFold(3).split(x):
        ours = PreprocessedGradient(300, early_stop=0.25, random_state=0).fit(x[rest], y[rest]).predict(x[held])
        r = np.abs(x[rest].T @ y[rest])
        lasso = LassoCV(cv=3, max_iter=10_000).fit(x[rest] * r, y[rest]).predict(x[held] * r)
        u = v = np.full(60, 0.03)
        for _ in range(150):
            g = x[rest].T @ (x[rest] @ (u * u - v * v) - y[rest]) / len(rest)
            u, v = u - 0.1 * g * u, v + 0.1 * g * v
        scores.append([r2_score(y[held], said) for said in (ours, lasso, x[held] @ (u * u - v * v))])
    found = np.mean(scores, 0)
    assert found[0] > 0.75
    assert found[1:] == pytest.approx(found[0], abs=0.05)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: preprocessed_path(X[0, 0], Y[0, 0, :3], 3), "`y` must be of shape"),
        (lambda: preprocessed_path(X * np.nan, Y, 3), "`X` must be finite"),
        (lambda: preprocessed_path(X, Y, -1), "`steps` must be"),
        (lambda: preprocessed_path(X, Y, 3, 0.0), "`rate` must be"),
        (lambda: preprocessed_path(100 * X, Y, 1000, 10.0), "`rate` must be small enough"),
        (lambda: preprocessed_flow(X, Y, [-1.0]), "`times` must be"),
        (lambda: PreprocessedGradient(0).fit(X[0, 0], Y[0, 0]), "`steps` must be"),
        (lambda: PreprocessedGradient(early_stop=1.0).fit(X[0, 0], Y[0, 0]), "`early_stop` must be"),
        (lambda: PreprocessedGradient(early_stop=0.99).fit(X[0, 0], Y[0, 0]), "`early_stop` must be 0"),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
