"""The law of Langevin dynamics against enumeration, simulation, Lyapunov's equation and the values that were published."""

from itertools import product

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov, sqrtm

from twopart._checks import InputError
from twopart.fits.distances import gaussian_w2, quantile_w2
from twopart.laws.sampling import (
    Modes,
    best_learning_rate,
    best_sigma,
    largest_learning_rate,
    linear_moments,
    minibatch_noise,
    mode_moments,
    preconditioner,
    smoothing_eigenvalues,
    ula_density,
)
from twopart.worlds.spectra import spectrum

FIELD, BACK, FLAT = spectrum("field", 32), spectrum("reversed", 32), spectrum("isotropic", 32, mass=3)


def dense(d, sigma):
    """A, written out."""
    L = -2 * np.eye(d)
    for i in range(d):
        L[i, (i + 1) % d] += 1
        L[i, (i - 1) % d] += 1
    return np.eye(d) - sigma * L


@pytest.mark.parametrize("d", [3, 8, 9])
def test_the_preconditioner_is_the_inverse(d):
    assert np.sort(smoothing_eigenvalues(d, 0.7)) == pytest.approx(np.linalg.eigvalsh(dense(d, 0.7)))
    assert preconditioner(d, 0.7) == pytest.approx(np.linalg.inv(dense(d, 0.7)))
    order = np.random.default_rng(0).permutation(d)
    P = preconditioner(d, 0.7, order)
    assert P[np.ix_(order, order)] == pytest.approx(np.linalg.inv(dense(d, 0.7)))
    σ, α = 0.7, (1.4 + 1 - np.sqrt(3.8)) / 1.4
    assert np.mean(1 / smoothing_eigenvalues(d, σ)) == pytest.approx(
        (1 + α**d) / ((1 - α**d) * np.sqrt(4 * σ + 1)), rel=1e-12
    )


def test_published_values():
    """W2 at the best step for k = 100, at sigma 0, 1, 4, 16, and at one step, from a prototype in other words."""
    rows = [(FLAT, 0, (0.0499, 0.0996, 0.2140, 0.6052)), (FIELD, 0, (0.1592, 0.0623, 0.0436, 0.0824)),
            (BACK, 0, (0.1592, 0.4988, 1.2483, 2.4920)), (FIELD, 50, (0.6229, 0.5238, 0.6476, 1.2082))]  # fmt: skip
    for h, c, expected in rows:
        found = [best_learning_rate(h, sigma, 100, noise=c).w2 for sigma in (0, 1, 4, 16)]
        assert found == pytest.approx(expected, rel=1e-3)
    once = [mode_moments(FIELD, sigma, 0.1, 60, noise=50).w2(FIELD) for sigma in (0, 1, 4)]
    assert once == pytest.approx((3.8753, 2.1195, 1.6981), abs=1e-4)


@pytest.mark.parametrize("variant", ["langevin", "published"])
def test_modes_are_the_matrices(variant):
    """In the Fourier basis, and where they settle Lyapunov's equation."""
    d, sigma, η, c = 6, 0.8, 0.05, 7.0
    h = spectrum("field", d)
    H, P = preconditioner_of(h), preconditioner(d, sigma)
    start, wide = np.arange(d) / 3, 0.3 * np.eye(d)
    full = linear_moments(H, start, wide, learning_rate=η, steps=[0, 3, 9], precondition=P, noise=c, variant=variant)
    F = np.fft.fft(np.eye(d), norm="ortho")
    ours = mode_moments(h, sigma, η, [0, 3, 9], noise=c, mean=F @ start, variance=0.3, variant=variant)
    assert full.mean @ F.T == pytest.approx(ours.mean)
    assert np.einsum("ij,tjk,ik->ti", F, full.covariance, F.conj()).real == pytest.approx(ours.variance)
    injected = 2 * η if variant == "langevin" else 2 * η**3
    lyapunov = solve_discrete_lyapunov(np.eye(d) - η * P @ H, injected * P + η**2 * c * P @ P)
    settled = mode_moments(h, sigma, η, np.inf, noise=c, variant=variant).variance
    assert np.einsum("ij,jk,ik->i", F, lyapunov, F.conj()).real == pytest.approx(settled)


def preconditioner_of(h):
    """The circulant matrix with these eigenvalues."""
    d = len(h)
    return np.fft.ifft(h).real[np.subtract.outer(np.arange(d), np.arange(d))]


def test_every_batch_by_enumeration():
    """All 4² batches of each of two steps: means and second moments, exactly."""
    random = np.random.default_rng(2)
    X, y, η, b, s, prior = random.standard_normal((4, 3)), random.standard_normal(4), 0.03, 2, 0.7, 0.5
    H = X.T @ X / s**2 + prior * np.eye(3)
    μ, P = np.linalg.solve(H, X.T @ y / s**2), preconditioner(3, 0.6)
    θ = random.standard_normal(3)
    law = linear_moments(H, θ - μ, learning_rate=η, steps=2, precondition=P, noise=minibatch_noise(X, y, μ, b, s))
    states = [(1.0, θ, np.zeros((3, 3)))]  # weight, conditional mean, and the injected noise's covariance
    for _ in range(2):
        states = [
            (w / 16, t - η * P @ g, B @ C @ B.T + 2 * η * P)
            for w, t, C in states
            for batch in product(range(4), repeat=b)
            for k in [list(batch)]
            for B in [np.eye(3) - η * P @ (4 / b / s**2 * X[k].T @ X[k] + prior * np.eye(3))]
            for g in [4 / b / s**2 * X[k].T @ (X[k] @ t - y[k]) + prior * t]
        ]
    mean = sum(w * t for w, t, _ in states)
    covariance = sum(w * (C + np.outer(t - mean, t - mean)) for w, t, C in states)
    assert law.mean[-1] == pytest.approx(mean - μ, rel=1e-12)
    assert law.covariance[-1] == pytest.approx(covariance, rel=1e-12)


def test_the_best_rate_and_smoothing_are_the_best():
    for h, c in ((FIELD, 0.0), (BACK, 5.0)):
        best = best_learning_rate(h, 1.0, 40, noise=c)
        most = 2 / (h / smoothing_eigenvalues(32, 1.0)).max()
        others = [float(mode_moments(h, 1.0, η, 40, noise=c).w2(h)) for η in np.linspace(0.001, 0.999, 400) * most]
        assert best.w2 <= min(others) * (1 + 1e-9)
        assert best.w2 == pytest.approx(float(mode_moments(h, 1.0, best.learning_rate, 40, noise=c).w2(h)))
    some = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 16.0)
    assert best_sigma(FLAT, 0.0, 100, sigmas=some).sigma == 0
    assert best_sigma(BACK, 50.0, 100, sigmas=some).sigma == 0
    chosen = best_sigma(FIELD, 0.0, 100, sigmas=some)
    assert 2 < chosen.sigma < 4.5
    assert chosen.w2 < 0.0436


def test_distances():
    random = np.random.default_rng(1)
    m, n = random.standard_normal((2, 4))
    C, S = (a @ a.T + 0.1 * np.eye(4) for a in random.standard_normal((2, 4, 4)))
    root = sqrtm(S)
    expected = np.sqrt(np.sum((m - n) ** 2) + np.trace(C + S - 2 * sqrtm(root @ C @ root).real))
    assert gaussian_w2(m, C, n, S) == pytest.approx(expected)
    assert gaussian_w2(n, S, m, C) == pytest.approx(expected)
    assert gaussian_w2([m, n], [C, S], n, S) == pytest.approx([expected, 0], abs=1e-6)
    v = np.array([0.5, 2.0])
    assert Modes(np.array([1.0, 0.0]), v).w2([1.0, 1.0]) == pytest.approx(
        gaussian_w2([1, 0], np.diag(v), [0, 0], np.eye(2))
    )
    x = random.standard_normal(1000)
    assert quantile_w2(x, 2 * x[::-1] + 1) == pytest.approx(np.sqrt(np.mean((x + 1) ** 2)))


@pytest.mark.parametrize("grid", [401, 801])
def test_a_stationary_density_in_one_dimension(grid):
    """Of a normal it is the law's normal; of a double well simulation agrees."""
    x = np.linspace(-8, 8, grid)
    density = ula_density(lambda x: -2 * x, x, 0.3)
    v = 2 / (2 * (2 - 0.3 * 2))
    assert v == pytest.approx(float(mode_moments([2.0], 0.0, 0.3, np.inf).variance[0]))
    assert density == pytest.approx(np.exp(-(x**2) / 2 / v) / np.sqrt(2 * np.pi * v), abs=1e-6)


def test_a_double_well_is_not_gaussian(size):
    random, η, n, x = np.random.default_rng(0), 0.02, size(20_000, 400_000), np.linspace(-2.8, 2.8, 801)

    def score(x):
        return -8 * x * (x**2 - 1) - 0.5

    density = ula_density(score, x, η)
    θ = random.choice(x, n, p=density / density.sum())
    for _ in range(30):
        θ = θ + η * score(θ) + np.sqrt(2 * η) * random.standard_normal(n)
    for power in (1, 2, 4):
        values, expected = θ**power, (x**power * density).sum() * (x[1] - x[0])
        assert abs(values.mean() - expected) < 5.5 * values.std() / np.sqrt(n)
    exact = np.exp(-2 * (x**2 - 1) ** 2 - 0.5 * x)
    biased, true = ((x**2 * p).sum() / p.sum() for p in (density, exact))
    assert abs(biased / true - 1) > 0.02  # what a finite step does


GOOD = {"hessian": np.eye(2), "mean": np.ones(2), "learning_rate": 0.1, "steps": 3}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: linear_moments(**{**GOOD, "learning_rate": 2.0}), r"`learning_rate` must be a number in \(0, 2\)"),
        (lambda: linear_moments(**{**GOOD, "hessian": np.eye(3)}), "`hessian` must be of shape"),
        (lambda: linear_moments(**{**GOOD, "mean": [1.0, np.nan]}), "`mean` must be finite"),
        (lambda: linear_moments(**{**GOOD, "steps": [4, 2]}), "`steps` must be one whole number"),
        (lambda: linear_moments(**GOOD, variant="other"), "`variant` must be one of"),
        (lambda: mode_moments([1.0, -1.0], 0.0, 0.1, 1), "`h` must be"),
        (lambda: mode_moments([4.0], 0.0, 0.5, np.inf), r"`learning_rate` must be a number in \(0, 0.5\), got 0.5"),
        (lambda: linear_moments(**GOOD, noise=[1.0]), r"`noise` must be of shape \(2, 2\)"),
        (lambda: linear_moments(**GOOD, noise=np.nan), r"`noise` must be in \[0, inf\)"),
        (lambda: linear_moments(**GOOD, noise=lambda m, C: C * np.nan), "`noise` must be finite"),
        (lambda: linear_moments(**GOOD, noise=lambda m, C: m), r"`noise` must be of shape \(2, 2\)"),
        (lambda: linear_moments(**{**GOOD, "steps": []}), "`steps` must be one whole number"),
        (lambda: linear_moments(**{**GOOD, "hessian": -np.eye(2)}), "`hessian` must be symmetric, without negative"),
        (lambda: linear_moments(**GOOD, precondition=-np.eye(2)), "`precondition` must be symmetric, without"),
        (lambda: minibatch_noise(np.eye(2), np.ones(2), np.ones(2), 1)(np.ones(3), np.eye(2)), "`m` must be of shape"),
        (lambda: Modes(np.ones(2), np.ones(2)).w2([1.0, 1.0, 1.0]), r"`h` must be of shape \(2,\)"),
        (lambda: mode_moments([4.0], 0.0, 0.1, 1, mean=None), "`mean` must be finite"),
        (lambda: preconditioner(3, 1.0, [[0, 1, 2]]), "`order` must be a permutation"),
        (lambda: best_sigma([1.0], 0.0, 10, sigmas=None), "`sigmas` must be"),
        (lambda: largest_learning_rate(np.eye(2), np.diag([1.0, 0.0])), "`precondition` must be positive definite"),
        (lambda: largest_learning_rate([[np.nan]]), "`hessian` must be finite"),
        (lambda: largest_learning_rate(np.ones((2, 3))), "`hessian` must be of shape"),
        (lambda: mode_moments([4.0], 0.0, 0.1, -1), "`steps` must be"),
        (lambda: mode_moments([4.0], 0.0, 0.1, 1, noise=-1.0), "`noise` must be"),
        (lambda: mode_moments([4.0], 0.0, 0.1, 1, mean=[1.0, 2.0]), "`mean` must be a number, or 1 of them"),
        (lambda: best_sigma([4.0], np.nan, 10), "`noise` must be"),
        (lambda: ula_density(lambda x: x * np.nan, np.linspace(-1, 1, 30), 0.1), "`score` must be finite"),
        (lambda: preconditioner(3, -1.0), "`sigma` must be"),
        (lambda: preconditioner(3, 1.0, [0, 0, 1]), "`order` must be a permutation"),
        (lambda: minibatch_noise(np.ones((4, 2)), np.ones(3), np.ones(2), 1), "`y` must be of shape"),
        (lambda: best_learning_rate([1.0], 0.0, 0), "`steps` must be"),
        (lambda: best_sigma([1.0], 0.0, 10, sigmas=()), "`sigmas` must be"),
        (lambda: ula_density(lambda x: -x, [0.0, 1.0, 3.0], 0.1), "`grid` must be uniform"),
        (lambda: gaussian_w2([0.0], [[np.nan]], [0.0], [[1.0]]), "`covariance` must be finite"),
        (lambda: gaussian_w2([0.0], [[1.0]], [0.0, 0.0], [[1.0]]), "`to_covariance` must be"),
        (lambda: quantile_w2([0.0], [1.0, 2.0]), "`to` must be"),
    ],
)  # fmt: skip
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_largest_rate():
    H, P = preconditioner_of(FIELD), preconditioner(32, 4.0)
    assert largest_learning_rate(H, P) == pytest.approx(2 / (FIELD / smoothing_eigenvalues(32, 4.0)).max())
