"""Pretraining on tasks: moments, recursion and stability by exact quadrature; runs, scikit-learn and published values.

Everything that a step of SGD sees is a polynomial in independent Gaussians: inputs, noises, task. Gauss-Hermite nodes integrate
it exactly, without Isserlis' theorem and without the signs that let the recursion close.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2
from sklearn.linear_model import Ridge

from twopart._checks import InputError
from twopart.laws.in_context import (
    Geometric,
    bayes,
    moments,
    optimum,
    paper_bound,
    risk,
    second_moment,
    stable_step,
    trajectory,
)
from twopart.learners.in_context import descend
from twopart.worlds.in_context import InContextRegression

PAGE = Path(__file__).parents[3] / "docs/laws/icl-tasks.md"
SMALL = InContextRegression((1.0, 0.3), prior=0.7, noise=0.4)


def integrate(nodes):
    """Points (n, k) and weights of a product of Gauss-Hermite rules with so many nodes each, for independent N(0, 1)."""
    rules = [np.polynomial.hermite_e.hermegauss(n) for n in nodes]
    grids = np.meshgrid(*(x for x, _ in rules), indexing="ij")
    weights = np.prod(np.meshgrid(*(w / w.sum() for _, w in rules), indexing="ij"), axis=0)
    return np.stack([grid.ravel() for grid in grids], 1), weights.ravel()


@pytest.fixture(scope="module")
def drawn():
    """z, the task and weights for two examples in two dimensions, exact up to fourth moments of z."""
    points, weights = integrate([5] * 4 + [3] * 4)  # degree 8 in inputs, 4 in tasks and noises
    x, β, ε = points[:, :4].reshape(-1, 2, 2) * np.sqrt(SMALL.λ), points[:, 4:6], points[:, 6:]
    β = β * np.sqrt(SMALL.prior)
    y = np.einsum("pnd,pd->pn", x, β) + np.sqrt(SMALL.noise) * ε
    return np.einsum("pn,pnd->pd", y, x) / 2, β, weights


@pytest.fixture(scope="module")
def step(drawn):
    """A step is (Γ, 1) ← (I + γ D)(Γ, 1), D = g h', g = (x ⊗ z, 0), h = (-x ⊗ z, y_q): E D and E D ⊗ D, in full."""
    (z, β, w), once, twice = drawn, np.zeros((5, 5)), np.zeros((5, 5, 5, 5))
    for x, v in zip(*integrate([3, 3]), strict=True):
        x = x * np.sqrt(SMALL.λ)
        g = np.concatenate([np.einsum("i,pj->pij", x, z).reshape(-1, 4), np.zeros((len(z), 1))], 1)
        h = -g + (β @ x)[:, None] * np.eye(5)[4]
        D = np.einsum("pa,pb->pab", g, h).reshape(-1, 25)
        once += v * (w @ D).reshape(5, 5)
        twice += v * ((w[:, None] * D).T @ D).reshape(5, 5, 5, 5)
        twice[:, 4, :, 4] += v * SMALL.noise * (w[:, None] * g).T @ g  # of y_q
    return once, twice.transpose(0, 2, 1, 3).reshape(25, 25)


def second(step, γ, B):
    """E (I + γ D̄) ⊗ (I + γ D̄), D̄ the mean of B."""
    (once, twice), I = step, np.eye(5)
    return (
        np.eye(25) + γ * (np.kron(once, I) + np.kron(I, once)) + γ**2 * (twice / B + (1 - 1 / B) * np.kron(once, once))
    )


def test_moments_are_exact(drawn):
    (z, β, w), found = drawn, moments(SMALL, 2)
    expected = {
        "s": w @ z**2,
        "q": w @ (β * z),
        "Z": np.einsum("p,pk,pj->kj", w, z**2, z**2),
        "R": np.einsum("p,pk,pj->kj", w, β**2, z**2),
        "Q": np.einsum("p,pk,pj->kj", w, β * z, z**2),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("B", [1, 4])
def test_the_recursion_is_exact(step, B):
    rates, contexts, S, found = np.array([0.3, 0.1, 0.5, 0.05, 0.2]), (1, 2, 9), np.eye(25)[-1], []
    for γ in rates:
        S = second(step, γ, B) @ S
        moment = S.reshape(5, 5)
        V, m = np.diag(moment)[:4].reshape(2, 2), moment[[0, 3], 4]
        linear = SMALL.null - 2 * (SMALL.prior * SMALL.λ**2) @ m
        found.append([linear + SMALL.λ @ V @ second_moment(SMALL, M) for M in contexts])
    np.testing.assert_allclose(trajectory(SMALL, 2, rates, contexts, B), found, rtol=1e-10)


@pytest.mark.parametrize("B", [1, 4])
def test_the_largest_stable_step(step, B):
    """Of all second moments of Γ, its spectral radius is 1 at the step, below it before and above it beyond."""
    kept = [5 * a + b for a in range(4) for b in range(4)]
    γ = stable_step(SMALL, 2, B)
    radii = [np.abs(np.linalg.eigvals(second(step, by * γ, B)[np.ix_(kept, kept)])).max() for by in (0.99, 1, 1.01)]
    assert radii[1] == pytest.approx(1, abs=1e-9)
    assert radii[0] < 1 < radii[2]


def test_published_values(size):
    """Of the derivation's first computation, by other code: laws, and 1.2544 ± 0.0004 of 200,000 runs."""
    world, rates = InContextRegression((1.0, 0.4, 0.2), noise=0.3), np.full(20, 0.05)
    law = trajectory(world, 6, rates, tasks_per_step=4)[-1, 0]
    assert law == pytest.approx(1.2541, abs=5e-5)
    assert abs(law - 1.2544) < 5 * 0.0004
    assert trajectory(world, 6, rates)[-1, 0] == pytest.approx(1.607, abs=5e-4)
    steps = Geometric(0.06, 7).rates(800)
    worlds = [InContextRegression.power(d, 2.0) for d in (10, 20, size(20, 40))]
    excess = [trajectory(w, 20, steps)[-1, 0] - optimum(w, 20).risk for w in worlds]
    assert excess == pytest.approx([0.2294, 0.2301, size(0.2301, 0.2295)], abs=5e-5)
    for (d, a, N), ratio in {(8, 1, 10): 0.41, (20, 2, 20): 0.26, (5, 0, 20): 0.75, (10, 0, 10): 0.89}.items():
        w = InContextRegression.power(d, float(a))
        assert stable_step(w, N) * w.λ.sum() * second_moment(w, N).sum() == pytest.approx(ratio, abs=0.005)
    w = InContextRegression.power(8)
    assert trajectory(w, 10, np.full(300, 0.5 * stable_step(w, 10)))[-1, 0] == pytest.approx(2.189, abs=5e-4)
    assert optimum(w, 10).risk == pytest.approx(1.46, abs=0.005)
    assert bayes(w, 10).risk == pytest.approx(0.70, abs=0.005)


def test_runs_are_where_the_law_says(size):
    """Several tasks a step, at training's length and at others."""
    world, N, M = InContextRegression((1.0, 0.5, 0.2, 0.1), prior=0.8, noise=0.2, seed=5), 8, (2, 8, 40)
    rates, runs = Geometric(0.5 * stable_step(world, N)).rates(40), size(1500, 200_000)
    Γ = descend(world, N, rates, runs=runs, tasks_per_step=3)
    for at, expected in zip(M, trajectory(world, N, rates, M, 3)[-1], strict=True):
        found = risk(world, Γ, at)
        assert abs(found.mean() - expected) < 5 * found.std() / np.sqrt(runs)


def test_the_best_step():
    for N in (1, 7):
        γ, least = optimum(SMALL, N)
        closed = 1 / ((SMALL.λ.sum() + SMALL.noise / SMALL.prior) / N + (N + 1) / N * SMALL.λ)
        np.testing.assert_allclose(γ, closed, rtol=1e-12)
        shrunk = (SMALL.λ.sum() + SMALL.noise / SMALL.prior) / N + SMALL.λ / N
        assert least == pytest.approx(SMALL.noise + SMALL.prior * (SMALL.λ * shrunk * closed).sum(), rel=1e-12)
        assert risk(SMALL, np.diag(γ), N) == pytest.approx(least, rel=1e-12)
        off = np.random.default_rng(0).normal(size=(20, 2, 2)) * 0.01
        gap = np.einsum("i,tij,j->t", SMALL.λ, off**2, second_moment(SMALL, N))
        np.testing.assert_allclose(risk(SMALL, np.diag(γ) + off, N) - least, gap, rtol=1e-8)


def test_ridge_in_one_dimension():
    world = InContextRegression((0.8,), prior=1.5, noise=0.5)
    for N in (1, 6):
        exact = 0.5 + quad(lambda w: chi2.pdf(w, N) * 0.8 / (0.8 * w / 0.5 + 1 / 1.5), 0, np.inf)[0]  # noqa: B023
        found = bayes(world, N, relative_error=1e-3)
        assert abs(found.risk - exact) < 5 * found.error
        assert found.error <= 1e-3 * found.risk


def test_ridge_is_scikit_learns(size):
    world, count = InContextRegression.power(4, noise=0.3, seed=2), size(150, 20_000)
    tasks, ridge = world.sample(count, 6), Ridge(alpha=0.3, fit_intercept=False)
    fits = np.array([ridge.fit(x, y).coef_ for x, y in zip(tasks.x, tasks.y, strict=True)])
    found = 0.3 + np.square(fits - tasks.task) @ world.λ
    assert abs(found.mean() - bayes(world, 6).risk) < 5 * found.std() / np.sqrt(count)


def test_the_papers_order():
    first, T, N = 0.2, 64, 5
    found, rates = paper_bound(SMALL, N, T, first), Geometric(first).rates(T)
    s, m = second_moment(SMALL, N), np.zeros(2)
    for γ in rates:
        m = m - γ * SMALL.λ * (s * m - SMALL.prior * SMALL.λ)
    assert found.bias == pytest.approx(risk(SMALL, np.diag(m), N) - optimum(SMALL, N).risk)
    kept = [min(1.0, (T / 6 * first * λ * other) ** 2) for λ, other in product(SMALL.λ, s)]
    assert found.dimension == pytest.approx(sum(kept))
    assert found.variance == pytest.approx(SMALL.null * sum(kept) / (T / 6))


def test_steps_are_halved():
    np.testing.assert_array_equal(Geometric(1.0, 1).rates(5), [1, 1, 1, 0.5, 0.5])
    np.testing.assert_array_equal(Geometric(0.3, 0).rates(3), [0.3, 0.3, 0.3])
    rates = Geometric(1.0).rates(64)
    assert rates[[0, 10, 11, 63]].tolist() == [1, 1, 0.5, 2.0**-5], "64/6 steps each"
    assert Geometric(1.0).rates(1).tolist() == [1.0]


def test_a_mean_beyond_all_numbers_is_infinite():
    found = trajectory(SMALL, 2, np.full(300, 500.0))[:, 0]
    assert np.isinf(found[-1])
    assert not np.isnan(found).any()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: second_moment(SMALL, 0), r"`context` must be a whole number >= 1, got 0; "),
        (lambda: moments(SMALL, 1.5), r"`context` must be a whole number >= 1, got 1.5; "),
        (lambda: optimum(SMALL, -1), r"`context` must be"),
        (lambda: stable_step(SMALL, 3, 0), r"`tasks_per_step` must be a whole number >= 1, got 0; "),
        (lambda: trajectory(SMALL, 3, [0.1, -0.1]), r"`rates` must be >= 0, got -0.1; "),
        (lambda: trajectory(SMALL, 3, [0.1, np.nan]), r"`rates` must be finite"),
        (lambda: trajectory(SMALL, 3, 0.1), r"`rates` must be of shape \(any,\), got \(\); .*Geometric"),
        (lambda: trajectory(SMALL, 3, [0.1], ()), r"`contexts` must be at least one length"),
        (lambda: trajectory(SMALL, 3, [0.1], (0,)), r"`context` must be"),
        (lambda: trajectory(SMALL, 3, [0.1], None, 0), r"`tasks_per_step` must be"),
        (lambda: risk(SMALL, np.ones((2, 3)), 3), r"`gamma` must be of shape \(2, 2\), got \(2, 3\); "),
        (
            lambda: risk(SMALL, np.full((2, 2), np.nan), 3),
            r"`gamma` must be finite, got '4 of 4 that are nan or infinite'; ",
        ),
        (lambda: paper_bound(SMALL, 3, 0, 0.1), r"`steps` must be a whole number >= 1, got 0; "),
        (lambda: paper_bound(SMALL, 3, 9, 0.0), r"`first` must be a number in \(0, inf\), got 0.0; "),
        (lambda: Geometric(0.1, -1), r"`halvings` must be a whole number >= 0, got -1; "),
        (lambda: bayes(SMALL, 3, 0.0), r"`relative_error` must be a number in \[1e-05, 1\], got 0.0; "),
        (lambda: bayes(SMALL, 3, seed=-1), r"`seed` must be"),
        (lambda: bayes(InContextRegression((1.0,), noise=0), 3), r"`noise` must be > 0 in the world, got 0; "),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
