"""The optimum against SciPy's minimisers, a dense multi-start, and a loop over resamples."""

import numpy as np
import pytest
from scipy.optimize import least_squares, linprog, minimize

from tests.fits.scaling.planted import chinchilla_design, columns, losses
from twopart.fits.scaling import FORMS, scaling_law
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.resampling import draw_weights, resample
from twopart.fits.scaling.solver import derivatives, minimise

FORM = FORMS["chinchilla"]


def _data(n=60, noise=0.005):
    inputs = chinchilla_design(n)
    loss = losses("chinchilla", inputs, noise)
    return np.log(np.stack([inputs["params"], inputs["tokens"]], 1)), loss


def test_objectives_are_sums():
    """Each run twice, told apart by 1e-12: the same point, twice the objective."""
    z, loss = _data()
    inputs = {"params": np.exp(z[:, 0]), "tokens": np.exp(z[:, 1])}
    once = scaling_law(loss=loss, resamples=0, **inputs)
    twice = scaling_law(
        loss=np.r_[loss, loss * (1 + 1e-12)], resamples=0, **{k: np.r_[v, v] for k, v in inputs.items()}
    )
    assert twice.optimum.objective == pytest.approx(2 * once.optimum.objective, rel=1e-6)
    assert twice.theta == pytest.approx(once.theta, rel=1e-5)


@pytest.mark.parametrize("delta", [1e-3, 1e-2])
def test_huber_is_no_worse_than_scipy(delta):
    """SciPy's own minimiser of the same sum, written out here, from the same optimum and from the truth."""
    z, loss = _data()
    fit = scaling_law(np.exp(z[:, 0]), np.exp(z[:, 1]), loss, delta=delta, resamples=0)

    def objective(theta):
        e, a, b, alpha, beta = theta
        r = np.abs(np.log(loss) - np.log(np.exp(e) + np.exp(a - alpha * z[:, 0]) + np.exp(b - beta * z[:, 1])))
        return np.sum(np.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta)))

    assert fit.optimum.objective == pytest.approx(objective(fit.theta), rel=1e-9)
    truth = FORM.coordinates(np.array([1.8, 480, 2000, 0.35, 0.37]))
    options = {"maxiter": 4000, "maxfev": 8000, "xatol": 1e-10, "fatol": 1e-14}
    for start in (fit.theta, truth):
        theirs = minimize(objective, start, method="Nelder-Mead", options=options).fun
        assert fit.optimum.objective <= theirs * (1 + 1e-9)


def test_squares_are_scipys_least_squares():
    z, loss = _data()
    fit = scaling_law(np.exp(z[:, 0]), np.exp(z[:, 1]), loss, objective="squares", resamples=0)
    theirs = least_squares(
        lambda theta: np.log(loss) - derivatives(FORM, theta, z)[0],
        fit.theta + 0.01,
        jac=lambda theta: -derivatives(FORM, theta, z)[1],
        xtol=1e-14, ftol=1e-14, gtol=1e-14,
    )  # fmt: skip
    assert fit.optimum.objective == pytest.approx(theirs.cost, rel=1e-9)
    assert fit.theta == pytest.approx(theirs.x, rel=1e-4)


def test_lad_cannot_be_bettered_along_any_line():
    """At a least-absolute optimum the linear programme of the tangent has no descent direction."""
    z, loss = _data()
    fit = scaling_law(np.exp(z[:, 0]), np.exp(z[:, 1]), loss, objective="lad", resamples=0)
    value, slopes, _ = derivatives(FORM, fit.theta, z)
    residuals, n, p = np.log(loss) - value, len(loss), 5
    # min Σ t, t >= ±(r - J s), |s| <= 1e-3 in each direction scaled by its gradient
    scale = np.linalg.norm(slopes, axis=0)
    J = slopes / scale
    bounds = [(-1e-3, 1e-3)] * p + [(0, None)] * n
    left = np.block([[-J, -np.eye(n)], [J, -np.eye(n)]])
    best = linprog(np.r_[np.zeros(p), np.ones(n)], A_ub=left, b_ub=np.r_[-residuals, residuals], bounds=bounds)
    assert best.fun >= np.abs(residuals).sum() * (1 - 1e-4)


def test_resamples_reach_the_best_of_a_dense_multistart():
    z, loss = _data(100)
    fit = scaling_law(np.exp(z[:, 0]), np.exp(z[:, 1]), loss, resamples=0)
    weights = draw_weights(100, 60, seed=3)
    ends = resample(FORM, z, loss, fit.objective, fit.theta, weights)
    assert ends.converged.all()
    grid = np.array(list(FORM.starts(z, loss)))
    for b in range(60):
        theta = grid
        for knee in (5e-2, 2e-2, 5e-3, 1e-3):
            dense = minimise(FORM, theta, z, np.log(loss), np.repeat(weights[b][None], len(grid), 0), knee)
            theta = dense.theta
        assert ends.objective[b] <= dense.objective.min() * (1 + 1e-6)


def test_a_weight_is_a_repeat():
    z, loss = _data(40)
    weights = draw_weights(40, 5, seed=1)
    start = FORM.coordinates(np.array([[1.8, 480, 2000, 0.35, 0.37]]))
    for w in weights:
        rows = np.repeat(np.arange(40), w.astype(int))
        one = minimise(FORM, start, z, np.log(loss), w[None], 1e-2)
        same = minimise(FORM, start, z[rows], np.log(loss[rows]), np.ones((1, len(rows))), 1e-2)
        assert one.objective == pytest.approx(same.objective, rel=1e-8)


@pytest.mark.parametrize("k", range(5))
def test_a_coordinate_that_is_held_stays(k):
    """Whatever the damping, and the others reach what SciPy finds with it held."""
    z, loss = _data()
    starts = FORM.coordinates(np.array([[1.8, 480, 2000, 0.35, 0.37]])) + 0.3 * np.eye(5)[k]
    ends = minimise(FORM, starts, z, np.log(loss), np.ones((1, len(loss))), np.inf, fixed=k)
    assert ends.theta[0, k] == starts[0, k]
    free = np.arange(5) != k

    def miss(p):
        return np.log(loss) - derivatives(FORM, np.where(free, np.insert(p, k, 0.0), starts[0]), z)[0]

    theirs = least_squares(miss, ends.theta[0, free], x_scale="jac", xtol=1e-12, ftol=1e-12)
    assert ends.objective[0] <= theirs.cost * (1 + 1e-6)


def test_units_of_the_inputs_do_not_matter():
    inputs = columns(80)
    loss = losses("repeated", inputs, 0.002)
    given = {name: inputs[name] for name in ("params", "tokens", "unique_tokens")}
    plain = scaling_law(loss=loss, form="repeated", resamples=0, **given)
    millions = scaling_law(loss=loss, form="repeated", resamples=0, **{k: v / 1e6 for k, v in given.items()})
    assert millions.optimum.objective == pytest.approx(plain.optimum.objective, rel=1e-6)
    assert (millions.alpha, millions.R_D) == pytest.approx((plain.alpha, plain.R_D), rel=1e-3)


def test_seeds():
    z, loss = _data()
    one, same, other = (
        scaling_law(np.exp(z[:, 0]), np.exp(z[:, 1]), loss, resamples=20, seed=seed).draws for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_paths_end_at_the_knee():
    assert Objective("squares").path(2e-2) == (np.inf,)
    assert Objective("huber", 0.1).path(2e-2) == (0.1,)
    for objective in (Objective(), Objective("lad")):
        path = objective.path(2e-2)
        assert path[0] == pytest.approx(2e-2)
        assert path[-1] == pytest.approx(objective.knee)
