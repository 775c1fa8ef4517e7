"""Laws of preprocessed descent: against prompts, scikit-learn, closed forms of random matrices, and published simulations."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge

from twopart._checks import InputError
from twopart.laws.in_context import best_risk, heads_risk, path_risk, shrink, shrinkage_risk, sparse_regression
from twopart.laws.in_context.sparse_regression import ESTIMATORS, alike
from twopart.learners.in_context import preprocessed_path
from twopart.worlds.in_context import SparseRegression

PARAMETERS = {"preprocessed": 20, "gradient": 3, "flow": 6.0, "ridge": 0.2, "lasso": 0.1, "subset": 0.3}
AT = [1, 3, 6, 10, 20, 40, 80]


def prior(d, s):
    return {"values": [s**-0.5, 0.0], "counts": [s, d - s]}


@pytest.fixture(scope="module")
def prompts():
    return SparseRegression(4, 1, 0.5, "orthonormal").sample(20_000, 8)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_orthonormal_law_is_the_mean_over_prompts(estimator, prompts):
    z = (prompts.y[:, None] @ prompts.x)[:, 0] / 8
    risk = np.square(shrink(estimator, z, PARAMETERS[estimator], 0.3) - prompts.task).sum(1)
    (law,) = shrinkage_risk(estimator, [PARAMETERS[estimator]], [1, 0], 8, 0.5, counts=[1, 3], rate=0.3)
    error = risk.std() / np.sqrt(len(risk))
    assert error < 0.01 * law, "5 % are five errors"
    assert risk.mean() == pytest.approx(law, abs=5 * error)


def test_estimators_are_what_they_are_called(prompts):
    x, y = prompts.x[0], prompts.y[0]
    z = x.T @ y / 8
    lasso = Lasso(alpha=0.1, fit_intercept=False, tol=1e-12).fit(x, y)
    assert shrink("lasso", z, 0.1) == pytest.approx(lasso.coef_, abs=1e-6)
    assert shrink("ridge", z, 0.2) == pytest.approx(Ridge(alpha=0.2 * 8, fit_intercept=False).fit(x, y).coef_)
    for estimator, options in (("preprocessed", {}), ("gradient", {"preconditioner": alike})):
        path = preprocessed_path(x, y, 7, 0.3, **options)
        assert shrink(estimator, z, 7, 0.3) == pytest.approx(path[7])
    assert shrink("preprocessed", z, 3000, 1e-3) == pytest.approx(shrink("flow", z, 3.0), rel=1e-2)
    kept = np.abs(z) > 0.3
    assert shrink("subset", z, 0.3) == pytest.approx(np.where(kept, z, 0))


def test_quadrature_meets_closed_forms():
    """Ridge is linear, the subset's risk has incomplete moments, and thresholds far out are followed."""
    w, τ = 0.5, 0.5 / np.sqrt(32)
    assert shrinkage_risk("ridge", [0.25], [w], 32, 0.5)[0] == pytest.approx((w * 0.2) ** 2 + (0.8 * τ) ** 2, rel=1e-12)
    fine = np.linspace(-12, 12, 200_001) * τ
    density = np.exp(-((fine / τ) ** 2) / 2) * (fine[1] - fine[0]) / (np.sqrt(2 * np.pi) * τ)
    for estimator, parameter in (("subset", 0.3), ("lasso", 0.07), ("flow", 1e5)):
        plain = np.square(shrink(estimator, w + fine, parameter) - w) @ density
        assert shrinkage_risk(estimator, [parameter], [w], 32, 0.5)[0] == pytest.approx(plain, rel=1e-4)


def test_best_risks_are_those_of_the_first_computation():
    """d = 16, s = 4, n = 32, σ = 0.5, and ratios to the lasso at n = 128 and 512, d/s = 4 and 32."""
    seen = {"gradient": 0.1111, "ridge": 0.1111, "flow": 0.0523, "lasso": 0.0729, "subset": 0.0368}
    for estimator, risk in seen.items():
        assert best_risk(estimator, samples=32, noise=0.5, **prior(16, 4), rate=0.3).risk == pytest.approx(
            risk, rel=3e-3
        )
    assert best_risk("ridge", samples=32, noise=0.5, **prior(16, 4)).parameter == pytest.approx(0.125, rel=1e-2)
    for n, ratios in ((128, (0.634, 0.485, 0.409, 0.363)), (512, (0.604, 0.436, 0.337, 0.238))):
        for d, ratio in list(zip((8, 16, 32, 128), ratios, strict=True))[1::2]:
            flow, lasso = (best_risk(name, samples=n, noise=0.5, **prior(d, 4)).risk for name in ("flow", "lasso"))
            assert flow / lasso == pytest.approx(ratio, abs=2.5e-3)


@pytest.mark.parametrize(
    ("problem", "published"),
    [
        ((64, 16, 128, 0.5, 2.0), (0.704, 0.491, 0.368, 0.291, 0.212, 0.163, 0.140)),
        ((64, 16, 64, 0.5, 1.0), (0.805, 0.662, 0.577, 0.523, 0.462, 0.419, 0.397)),
        ((72, 24, 72, 0.6, 1.2), (0.818, 0.698, 0.632, 0.592, 0.551, 0.529)),
    ],
)
def test_the_mean_field_meets_simulations_of_others(problem, published):
    """Two earlier simulations of 400 prompts and more, to 2 %: their errors are near 1 %."""
    d, s, n, σ, η = problem
    law = path_risk(samples=n, noise=σ, rate=η, steps=80, **prior(d, s))
    at = AT[: len(published)]
    assert law.risk[at] == pytest.approx(np.array(published), rel=0.02)
    assert law.risk[0] == pytest.approx(1)
    assert law.carriers == pytest.approx(s)


def test_the_mean_field_meets_prompts(size):
    world = SparseRegression(128, 32)
    parts = [world.sample(50, 256, k) for k in range(size(2, 40))]
    paths = np.concatenate([preprocessed_path(p.x, p.y, 20, 4.0) - p.task[:, None] for p in parts])
    risk = np.square(paths).sum(-1)
    law = path_risk(samples=256, noise=0.5, rate=4.0, steps=20, **prior(128, 32))
    error = risk.std(0) / np.sqrt(len(risk))
    assert (np.abs(risk.mean(0) - law.risk) <= 5 * error + 0.01 * law.risk).all()


def test_plain_descent_is_that_of_marchenko_and_pastur():
    """Σ over eigenvalues λ of X'X/n of (1-ηλ)^2k |w|²/d and the noise's σ²/n (1-(1-ηλ)^k)²/λ, at d/n = 1/2."""
    q, η, σ, k = 0.5, 0.4, 0.7, np.arange(31)
    low, high = (1 - np.sqrt(q)) ** 2, (1 + np.sqrt(q)) ** 2
    angle, weight = np.polynomial.legendre.leggauss(200)
    λ = (low + high) / 2 + (high - low) / 2 * np.sin(np.pi * angle / 2)
    density = np.sqrt((high - λ) * (λ - low)) / (2 * np.pi * q * λ)
    mass = weight * density * (high - low) / 2 * np.pi / 2 * np.cos(np.pi * angle / 2)
    left = (1 - η * λ) ** k[:, None]
    exact = left**2 @ mass + σ**2 * q * ((1 - left) ** 2 / λ) @ mass
    law = path_risk(samples=128, noise=σ, rate=η, steps=30, **prior(64, 8), preconditioner=alike)
    assert law.risk == pytest.approx(exact, rel=1e-6)


def test_step_sizes_hang_on_the_first_noise(monkeypatch):
    """Without that response the law is another; with twice the points it is the same."""
    problem = {"samples": 32, "noise": 0.5, "rate": 0.5, "steps": 30, **prior(32, 8)}
    law = path_risk(**problem).risk
    blind = path_risk(**problem, preconditioner=lambda g: (g**2, np.zeros_like(g))).risk
    assert abs(blind[-1] / law[-1] - 1) > 0.05
    monkeypatch.setattr(sparse_regression, "POINTS", 97)
    assert path_risk(**problem).risk == pytest.approx(law, rel=1e-6)


def test_heads_cover_coordinates():
    """x -> diag(r) x, flattened, has d singular values 1, so that rank h leaves 1 - h/d; risks go the same way."""
    d = 5
    delta = np.einsum("ij,jk->ijk", np.eye(d), np.eye(d)).reshape(d, d * d)
    singular = np.linalg.svd(delta, compute_uv=False)
    assert singular == pytest.approx(1)
    left = [(singular[h:] ** 2).sum() / (singular**2).sum() for h in range(d + 1)]
    assert heads_risk(np.arange(d + 1), d, 0.0, 1.0) == pytest.approx(left)
    assert heads_risk([2, 5, 9], d, 0.1, 0.6) == pytest.approx([0.4, 0.1, 0.1])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: shrink("median", 1.0, 1.0), "`estimator` must be"),
        (lambda: shrink("flow", np.nan, 1.0), "`z` must be"),
        (lambda: shrink("flow", 1.0, -1.0), "`parameter` must be"),
        (lambda: shrink("gradient", 1.0, 1.5), "`parameter` must be a whole"),
        (lambda: shrink("gradient", 1.0, 1, 0.0), "`rate` must be"),
        (lambda: shrinkage_risk("flow", [np.inf], [1.0], 8, 0.5), "`parameters` must be"),
        (lambda: shrinkage_risk("flow", [1.0], [np.nan], 8, 0.5), "`values` must be"),
        (lambda: shrinkage_risk("flow", [1.0], [1.0], 8, 0.5, counts=[1, 2]), "`counts` must be"),
        (lambda: best_risk("flow", [1.0], 8, 0.0), "`noise` must be"),
        (lambda: heads_risk([-1], 4, 0.1, 0.2), "`heads` must be"),
        (lambda: heads_risk([1], 0, 0.1, 0.2), "`dimension` must be"),
        (lambda: path_risk([1.0], 0, 0.5, 1.0, 3), "`samples` must be"),
        (lambda: path_risk([1.0], 8, 0.5, -1.0, 3), "`rate` must be"),
        (lambda: path_risk([1.0], 8, 0.5, 1.0, 0), "`steps` must be"),
        (lambda: path_risk([1.0], 8, 0.5, 1.0, 3, counts=[-1.0]), "`counts` must be"),
        (lambda: path_risk([1.0], 8, 0.5, 1.0, 3, preconditioner=lambda g: (1 / (g - g), g)), "`preconditioner` must"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
