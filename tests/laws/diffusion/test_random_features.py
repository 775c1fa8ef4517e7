"""Random features: regression against descent, the chain against the exponential of its matrix, clocks, bulks, copies."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from scipy.stats import norm

from twopart._checks import InputError
from twopart.fits.levels import clocks
from twopart.laws.diffusion.random_features import Level, Moments, chain, regression, rounded_share
from twopart.learners.diffusion import RandomFeatureDenoiser
from twopart.worlds.noise import OU
from twopart.worlds.targets import GaussianTarget

RANDOM = np.random.default_rng(0)
D, P, S, N = 3, 7, 50, 3
SAMPLES = [(RANDOM.normal(size=(S, P)), RANDOM.normal(size=(S, P)), RANDOM.normal(size=(S, D))) for _ in range(N)]
T = torch.tensor(0.1).double()
START = RANDOM.normal(size=(N, D, P))


def level(k, ratio, rate=1.0):
    φ, before, y = SAMPLES[k]
    return Level(φ.T @ φ / S, y.T @ φ / S, before.T @ φ / S, ratio, rate)


LEVELS = [level(0, 0.0), level(1, 0.6, 0.5), level(2, 0.8, 2.0)]


def test_regression_is_gradient_descent_on_stored_noise():
    φ, _, y = SAMPLES[0]
    found = Moments.of(φ, y)
    η, steps, A = 0.2, 37, START[0]
    for _ in range(steps):
        A = A - η * (A @ φ.T - y.T) @ φ / S
    law = regression(found.gram, found.cross, [η * steps], start=START[0], rate=η)[0]
    assert np.allclose(law, A, atol=1e-8)
    assert found.error(A) == pytest.approx(np.square(y - φ @ A.T).sum(1).mean() / D)
    assert not np.allclose(
        regression(1.05 * found.gram, found.cross, [η * steps], start=START[0], rate=η)[0], A, atol=1e-3
    )


def test_flow_is_the_limit_of_descent_and_nearly_singular_grams_keep_their_digits():
    U, V, _ = Moments.of(SAMPLES[0][0], SAMPLES[0][2])
    times = [0.3, 2.0, 1e9]
    A = regression(U, V, times)
    inverse = np.linalg.inv(U)
    assert np.allclose(A, [V @ (np.eye(P) - expm(-U * τ)) @ inverse for τ in times], atol=1e-9)
    assert np.allclose(A[:2], regression(U, V, times[:2], rate=1e-6), atol=1e-5)
    flat = regression(np.diag([1.0, 1e-18]), np.ones((1, 2)), [5.0])[0, 0]
    assert flat == pytest.approx([1 - math.exp(-5), 5.0], rel=1e-12)


@pytest.mark.parametrize("ema", [None, 0.3])
def test_the_chain_is_the_exponential_of_its_matrix(ema):
    """All levels, and means of weights, side by side in one row; a one stands for what drives the first."""
    blocks = N if ema is None else 2 * N
    G, drive = np.zeros((blocks * P, blocks * P)), np.zeros((D, blocks * P))
    for k, (U, V, M, ρ, rate) in enumerate(LEVELS):
        own, mean = slice(k * P, (k + 1) * P), slice((N + k) * P, (N + k + 1) * P)
        G[own, own], drive[:, own] = -rate * U, rate * V
        if k:
            below = slice((k - 1) * P, k * P) if ema is None else slice((N + k - 1) * P, (N + k) * P)
            G[below, own] = rate * ρ * M
        if ema is not None:
            G[own, mean], G[mean, mean] = ema * np.eye(P), -ema * np.eye(P)
    whole = np.block([[G, np.zeros((blocks * P, D))], [drive, np.zeros((D, D))]])
    begin = np.hstack(START) if ema is None else np.hstack([*START, *START])
    times = [0.1, 1.0, 30.0, 1e3]
    found = chain(LEVELS, times, start=START, ema=ema)
    for i, τ in enumerate(times):
        exact = (np.hstack([begin, np.eye(D)]) @ expm(whole * τ))[:, : N * P].reshape(D, N, P).swapaxes(0, 1)
        assert np.allclose(found[:, i], exact, atol=1e-3 * np.abs(exact).max())
        wrong = chain([LEVELS[0], LEVELS[1]._replace(ratio=1.05 * 0.6), LEVELS[2]], [τ], start=START, ema=ema)
        assert τ < 1 or not np.allclose(wrong[:, 0], exact, atol=1e-3 * np.abs(exact).max())


def test_levels_in_turn_are_one_regression_after_the_other():
    found, below = chain(LEVELS, [0.7, 5.0], in_turn=True, start=START), np.zeros((D, P))
    for k, (U, V, M, ρ, rate) in enumerate(LEVELS):
        below = regression(rate * U, rate * (V + ρ * below @ M), [5.0], start=START[k])[0]
        assert np.allclose(found[k, 1], below, atol=1e-9)
    at_once = chain(LEVELS, [1e6])[:, 0]
    assert np.allclose(at_once, chain(LEVELS, [1e6], in_turn=True)[:, 0], atol=1e-6)


def test_clocks_of_planted_curves():
    τ = np.geomspace(1, 1e6, 601)
    shown, fall = τ / (τ + 1e4), 1 / (1 + τ / 10)
    found = clocks(τ, fall - 0.3 * shown, fall + 0.2 * shown)
    assert found.memorises == pytest.approx(1e4 / (1 + 2e-2), rel=1e-2)  # half of what it is at 1e6
    test = fall + 0.2 * shown
    assert found.generalises == pytest.approx(τ[np.argmax(test <= 1.05 * test.min())], rel=0.03)
    flat = clocks(τ, np.ones(601), 1 + 0.1 * τ / (τ + 1e3))
    assert flat.memorises == pytest.approx(1e3, rel=1e-2)
    assert flat.generalises == 1
    assert math.isnan(clocks(τ, np.ones(601), np.ones(601)).memorises)
    fall = clocks(τ, np.zeros(601), np.where(τ < 100, 2.0, 1.0))
    assert fall.generalises == pytest.approx(100, rel=0.03)


def test_moments_of_tanh_are_those_of_quadrature():
    """Of Gaussian points with given W: pairs of entries in two dimensions, against draws with fresh noise."""
    d, p, n = 4, 6, 40_000
    model = RandomFeatureDenoiser(
        d, OU(), torch.tensor([0.4]), features=p, generator=torch.Generator().manual_seed(1)
    ).double()
    target, t = GaussianTarget([1 / 1.5, 1 / 1.5, 2.0, 2.0]), torch.tensor(0.4).double()
    U, V, square = model.moments(target.sample(n), t, samples=n, generator=torch.Generator().manual_seed(2))
    a, s = float(OU().scale(t)), float(OU().std(t))
    W = model.W.numpy() / d**0.5
    C = W @ (a**2 * target.covariance.numpy() + s**2 * np.eye(d)) @ W.T
    x, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()
    for i, j in ((0, 0), (0, 3), (2, 5)):
        root = np.linalg.cholesky(C[np.ix_([i, j], [i, j])] + (1e-12 if i == j else 0) * np.diag([0, 1]))
        one, two = root[0, 0] * x[:, None] + 0 * x, root[1, 0] * x[:, None] + root[1, 1] * x
        exact = w @ (np.tanh(one) * np.tanh(two)) @ w / p
        spread = np.sqrt(w @ np.square(np.tanh(one) * np.tanh(two)) @ w) / p / n**0.5
        assert U[i, j] == pytest.approx(exact, abs=5 * spread)
    slopes = [w @ (1 - np.tanh(np.sqrt(C[i, i]) * x) ** 2) for i in range(p)]
    assert np.allclose(V, s * (W * np.array(slopes)[:, None]).T / p**0.5, atol=5 / (p * n) ** 0.5)  # Stein's lemma
    assert square == pytest.approx(d, abs=5 * (2 * d / n) ** 0.5)


def test_bulks_of_memory_are_those_of_the_gaussian_equivalent(size):
    """Bonnaire et al. 2025, theorem 3.1: σ(g) has parts linear in data and noise, one of variance v² that is not and outlives
    the noise, and a rest. Below d eigenvalues of the population n hold single points, up to (rest + v² (√(p - d) + √n)²/n)/p:
    they fall as 1/n while n is below p v²/rest. In the limit of large d; within 15 % at 60, and smeared at the lower edge.
    """
    d, p, n = size((60, 600, 100), (120, 1200, 200))
    model = RandomFeatureDenoiser(d, OU(), T[None], features=p, generator=torch.Generator().manual_seed(0)).double()
    points = torch.randn(n, d, generator=torch.Generator().manual_seed(1)).double()
    u = np.linalg.eigvalsh(model.moments(points, T, samples=15 * p, generator=torch.Generator().manual_seed(2)).gram)
    a, s = float(OU().scale(T)), float(OU().std(T))
    x, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()
    σ = np.tanh(a * x[:, None] + s * x)
    data, noise, shared = w * x @ σ @ w, w @ σ @ (w * x), w @ np.square(σ @ w)
    particular = shared - data**2
    rest = w @ np.square(σ) @ w - shared - noise**2
    edge = (rest + particular * (math.sqrt(p - d) + math.sqrt(n)) ** 2 / n) / p
    assert u[-d - 1] == pytest.approx(edge, rel=0.15)
    assert u[-d] > 3 * edge


def test_rounded_steps():
    x = np.random.default_rng(0).normal(size=10**5) * 1.3
    f = np.array([math.erf(v / (math.sqrt(2) * 0.8)) for v in x[:20_000]])
    for ratio in (1 / 3, 0.5):
        near, far = np.minimum(abs(f - 1), abs(f + 1)), np.maximum(abs(f - 1), abs(f + 1))
        share = rounded_share(0.8, 1.69, ratio)
        assert np.mean(near / far < ratio) == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / 20_000))
    assert rounded_share(1.0, 1.0) == pytest.approx(2 * norm.cdf(-0.6745), abs=1e-4)
    assert rounded_share(np.array([0.0, 1.0]), 1.0).shape == (2,)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Moments.of(np.ones((3, 2)), np.ones((4, 1))), "`targets` must be of shape"),
        (lambda: Moments.of(np.full((3, 2), np.nan), np.ones((3, 1))), "`features` must be finite"),
        (lambda: Moments.of(*SAMPLES[0][::2]).error(np.ones(3)), "`weights` must be"),
        (lambda: regression(np.ones((2, 3)), np.ones((1, 3)), [1]), "`gram` must be of shape"),
        (lambda: regression(-np.eye(2), np.ones((1, 2)), [1]), "`gram` must be symmetric"),
        (lambda: regression(np.eye(2), np.ones((1, 2)), [2, 1]), "`times` must be rising"),
        (lambda: regression(np.eye(2), np.ones((1, 2)), [1], rate=1.0), "`rate` must be"),
        (lambda: regression(np.eye(2), np.ones((1, 2)), [1], start=np.ones((2, 2))), "`start` must be"),
        (lambda: chain([], [1]), "`levels` must be one or more"),
        (lambda: chain(LEVELS[1:], [1]), "`levels` must be with ratio 0"),
        (lambda: chain(LEVELS, [1], ema=0.0), "`ema` must be"),
        (lambda: chain(LEVELS, [1], ema=1.0, in_turn=True), "`ema` must be None"),
        (lambda: chain([LEVELS[0], LEVELS[1]._replace(carried=np.ones((2, 2)))], [1]), "`carried` must be"),
        (lambda: chain([LEVELS[0], LEVELS[1]._replace(ratio=np.nan)], [1]), "`ratio` must be"),
        (lambda: chain([LEVELS[0]._replace(rate=-1.0)], [1]), "`rate` must be"),
        (lambda: clocks([2, 1], [1, 1], [1, 1]), "`times` must be"),
        (lambda: clocks([1, 2], [1, 1], [1, np.inf]), "`test` must be finite"),
        (lambda: rounded_share(-1.0, 1.0), "`width` must be"),
        (lambda: rounded_share(1.0, 1.0, 1.0), "`ratio` must be"),
    ],
)
def test_refusals(call, said):
    with pytest.raises(InputError, match=said):
        call()
