"""The law against integrals over known spectra, free probability, closed forms, and simulations in plain NumPy."""

from functools import cache

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from twopart._checks import InputError
from twopart.laws.in_context import activation_report, feature_power, memorization_law, ridge_law


def even(t):
    return (t**2 - 1) / np.sqrt(2)


def over_spectrum(of, λ):
    """The mean of a function of the eigenvalues of Z'Z/p, (n, n), n/p = λ: Marchenko and Pastur's density, zeros with it."""
    low, high = (1 - np.sqrt(λ)) ** 2, (1 + np.sqrt(λ)) ** 2

    def density(angle):  # s = middle + reach sin(angle): the square roots at both ends go away
        s = (low + high) / 2 + (high - low) / 2 * np.sin(angle)
        return of(s) * ((high - low) / 2 * np.cos(angle)) ** 2 / (2 * np.pi * λ * s)

    return quad(density, -np.pi / 2, np.pi / 2, epsabs=1e-11)[0] + max(0, 1 - 1 / λ) * of(0.0)


@pytest.mark.parametrize(("c", "γ", "a"), [(0.5, 0.1, 1.0), (2.0, 0.1, 0.3), (2.0, 0.5, 1.0)])
def test_linear_attention_is_an_integral(c, γ, a):
    removed = over_spectrum(lambda s: (γ / (γ + (a * (s - 1)) ** 2 * s * c)) ** 2, 1 / c)
    assert memorization_law(lambda t: a * t, c, γ).memorization == pytest.approx(removed, abs=1e-8)
    kept = over_spectrum(lambda s: (γ / (γ + (a * s) ** 2 * s * c)) ** 2, 1 / c)
    found = memorization_law(lambda t: a * t, c, γ, diagonal="kept", dimension=400)
    assert found.memorization == pytest.approx(kept, abs=1e-8)


@pytest.mark.parametrize("c", [0.5, 2.0])
def test_without_a_linear_part_spectra_multiply_freely(c):
    """K'DK is a free product of squared semicircle and D: S-transforms multiply, and g(γ) = (1 + z)/γ solves a cubic."""
    b2, γ = 1 / c, np.array([0.1, 1.0])

    def trace(γ):
        roots = np.roots([b2, b2 * (2 + c), b2 * (1 + 2 * c) + γ, b2 * c])  # z γ + b² (1 + z)² (c + z) = 0
        real = roots[np.abs(roots.imag) < 1e-9].real
        return (1 + real[(real > -1) & (real < 0) & (real > -c)].max()) / γ

    slope = [(trace(g * 1.0001) - trace(g / 1.0001)) / (g * (1.0001 - 1 / 1.0001)) for g in γ]
    assert memorization_law(even, c, γ).memorization == pytest.approx(-(γ**2) * slope, rel=1e-6)


def resolvent(c, z, μ2):
    """y'(X'X/n - z)^-1 y/n: G = 1/(c/(1 + G) - z), and the signal by two-by-two matrices, other equations than the law's."""
    roots = np.roots([-z, c - 1 - z, -1])
    G = roots.real.max() if np.isreal(z) else roots[(roots.imag * np.imag(z) > 0).argmax()]
    T, C = np.diag([G, G / (1 + G) * μ2]), np.array([[μ2, 1], [1, 0]])
    return (T @ np.linalg.inv(np.eye(2) + C @ T))[0, 0]


def minus_slope(of, γ):
    return -(γ**2) * (of(γ * 1.0001) - of(γ / 1.0001)) / (γ * (1.0001 - 1 / 1.0001))


SETTINGS = ((0.5, 0.1, 0.0), (2.0, 0.5, 1.0), (0.5, 0.5, 3.0))


@pytest.mark.parametrize(("c", "γ", "μ"), SETTINGS)
def test_ridge_on_tokens_in_closed_form(c, γ, μ):
    by_hand = minus_slope(lambda γ: resolvent(c, -γ, μ**2), γ)
    assert ridge_law(c, γ, μ) == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(("c", "γ", "μ"), SETTINGS)
def test_linear_attention_with_a_signal_is_a_sum_of_resolvents(c, γ, μ):
    """With W = I and its diagonal K is a X'X/p, so that 1/(γ + (a/c)² D³), D = X'X/n, falls apart into three 1/(D - z)."""
    a = 0.8

    def whole(γ):
        cube = np.roots([(a / c) ** 2, 0, 0, γ])
        return sum(
            resolvent(c, z, μ**2) / (3 * (a / c) ** 2 * z**2) for z in np.where(abs(cube.imag) < 1e-12, cube.real, cube)
        ).real

    law = memorization_law(lambda t: a * t, c, γ, μ, diagonal="kept", dimension=300)
    assert law.memorization == pytest.approx(minus_slope(whole, γ), rel=1e-6)
    off = memorization_law(lambda t: 1.05 * a * t, c, γ, μ, diagonal="kept", dimension=300)
    assert off.memorization != pytest.approx(minus_slope(whole, γ), rel=1e-3)


def test_published_numbers_and_limits():
    law = memorization_law(np.tanh, 0.5, [0.1, 1.0, 1e7])
    assert law.memorization == pytest.approx([0.64734, 0.78274, 1.0], abs=1e-5)
    assert memorization_law(np.tanh, 0.5, 1e-4).memorization == pytest.approx(0.5, abs=1e-4)  # 1 - c: no probe has more
    V = np.array([[3.0], [1.0], [0.7]])
    strong = memorization_law(np.tanh, 0.5, 0.5, gram=V @ V.T, dimension=256)
    assert strong.memorization == pytest.approx(0.0493, abs=1e-4)
    assert ridge_law(0.5, 0.5, 3.0) == pytest.approx(0.063, abs=5e-4)
    assert strong.saturation == pytest.approx((9 + 3 * 2.1) / 16)


@cache
def simulated(kind, p, n, μ, key, query, across, γ, draws, labels="true"):
    """Errors in plain NumPy, shape (draws,)."""
    f = {"tanh": np.tanh, "even": even, "relu": lambda t: np.maximum(t, 0) - 1 / np.sqrt(2 * np.pi)}[kind]
    random, rows = np.random.default_rng(7), []
    signal, w_K, w_Q = (np.zeros(p) for _ in range(3))
    signal[0], w_K[int(across)], w_Q[int(across)] = μ, key, query
    W = np.eye(p) + np.outer(w_K, w_Q)
    for _ in range(draws):
        y = random.choice([-1.0, 1.0], n)
        X = np.outer(signal, y) + random.standard_normal((p, n))
        K = f(X.T @ W @ X / np.sqrt(p)) / np.sqrt(p)
        A = X @ (K - np.diag(np.diag(K)))
        if labels == "random":
            s = np.linalg.eigvalsh(A @ A.T / n)
            rows.append((np.square(γ / (γ + s)).sum() + n - p) / n)
            continue
        w = np.linalg.solve(A @ A.T + n * γ * np.eye(p), A @ y)
        rows.append(np.square(y - A.T @ w).mean())
    return np.array(rows)


def near(values, law, share):
    error = values.std(0, ddof=1) / np.sqrt(len(values))
    return bool(np.all(np.abs(values.mean(0) - law) < 5 * error + share * law))


def test_random_labels_by_simulation(size):
    p = size(96, 256)
    found = simulated("tanh", p, 2 * p, 0.0, 0.0, 0.0, False, 0.1, 24, "random")
    law = memorization_law(np.tanh, 0.5, 0.1).memorization
    assert near(found, law, 0.003)
    wrong = memorization_law(lambda t: 1.05 * np.tanh(t), 0.5, 0.1).memorization  # a constant 5 % off
    assert not near(found, wrong, 0.003)
    saturated = simulated("tanh", p, 2 * p, 4.0, 0.0, 0.0, False, 0.1, 24, "random")
    assert near(saturated, memorization_law(np.tanh, 0.5, 0.1, 4.0, dimension=p, labels="random").memorization, 0.01)
    assert not near(saturated, law, 0.01)


@pytest.mark.parametrize(
    ("kind", "μ", "key", "query", "across"),
    [
        ("tanh", 2.0, 1.0, 0.7, False),
        ("tanh", 1.0, 1.0, -1.0, False),
        ("relu", 1.5, 1.0, 0.7, True),
        ("even", 1.5, 0, 0, False),
    ],
)
def test_a_signal_by_simulation(kind, μ, key, query, across, size):
    """Aligned, anti-aligned and orthogonal weights, odd f and others."""
    p = size(80, 256)
    found = simulated(kind, p, 2 * p, μ, key, query, across, 0.5, size(24, 60))
    along, other = (0.0, 1.0) if across else (1.0, 0.0)
    V = np.array([[μ, 0], [key * along, key * other], [query * along, query * other]])
    f = {"tanh": np.tanh, "even": even, "relu": lambda t: np.maximum(t, 0)}[kind]
    law = memorization_law(f, 0.5, 0.5, gram=V @ V.T, dimension=p)
    assert near(found, law.memorization, 0.04)
    if kind == "tanh" and μ == 2:
        limit = memorization_law(f, 0.5, 0.5, gram=V @ V.T)
        assert not near(found, limit.memorization, 0.04)


def test_arguments_broadcast_and_means_are_taken_off():
    whole = memorization_law(np.tanh, [[0.5], [2.0]], [0.1, 0.5, 1.0], 1.0, dimension=200)
    assert whole.memorization.shape == whole.saturation.shape == (2, 3)
    one = memorization_law(np.tanh, 2.0, 0.5, 1.0, dimension=200)
    assert [float(v) for v in one] == pytest.approx([float(v[1, 1]) for v in whole], rel=1e-9)
    for f in (lambda t: np.tanh(t) + 3, torch.nn.Tanh(), lambda t: 2 / (1 + np.exp(-2 * t))):  # the last is tanh + 1
        assert memorization_law(f, 2.0, 0.5, 1.0, dimension=200).memorization == pytest.approx(float(one[0]), rel=1e-9)
    V = np.array([[1.0], [0], [0]])
    assert float(memorization_law(np.tanh, 2.0, 0.5, gram=V @ V.T, dimension=200)[0]) == pytest.approx(float(one[0]))
    hard = memorization_law(np.exp, [0.02, 50.0], [[1e-3], [100.0]], 2.0).memorization
    assert ((hard > 0) & (hard < 1)).all()


def test_the_report_and_equal_power():
    x = np.random.default_rng(0).standard_normal((300, 600))
    K = np.maximum(x.T @ x / np.sqrt(300), 0) - 1 / np.sqrt(2 * np.pi)
    np.fill_diagonal(K, 0)
    power = feature_power(torch.nn.ReLU(), 0.5)
    assert np.square(x @ K / np.sqrt(300)).sum() / 600**2 == pytest.approx(power, rel=0.02)
    report = activation_report(torch.nn.ReLU(), signal=1.0)
    assert report.linear_share == pytest.approx(0.25 / (0.5 - 0.5 / np.pi))
    assert report.moments.coefficients.shape == (5,)
    assert report.law == pytest.approx(tuple(map(float, memorization_law(torch.nn.ReLU(), 0.5, 0.1, 1.0))), rel=1e-9)
    equal = memorization_law(torch.nn.ReLU(), 0.5, 0.2 * power, 1.0)
    assert report.equal_power.memorization == pytest.approx(float(equal.memorization), rel=1e-9)
    assert report.ridge == ridge_law(0.5, 0.1, 1.0)
    assert report.ridge < report.law.memorization < report.equal_power.memorization
    s = report.linear_share
    other = activation_report(lambda t: np.sqrt(s) * t + np.sqrt(1 - s) * even(t)).equal_power
    same = activation_report(torch.nn.ReLU()).equal_power
    assert float(other.memorization) == pytest.approx(float(same.memorization), rel=1e-9)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ratio": 0.0}, "`ratio` must be in"),
        ({"ratio": np.nan}, "`ratio` must be in"),
        ({"ridge": 0.0}, "`ridge` must be in"),
        ({"ridge": [0.1, -1.0]}, "`ridge` must be in"),
        ({"signal": -1.0}, "`signal` must be in"),
        ({"gram": np.eye(2)}, "`gram` must be of shape"),
        ({"gram": -np.eye(3)}, "`gram` must be symmetric"),
        ({"gram": np.full((3, 3), np.nan)}, "`gram` must be finite"),
        ({"gram": np.eye(3), "signal": 1.0}, "`signal` must be left out"),
        ({"dimension": 0}, "`dimension` must be"),
        ({"saturated": True}, "`dimension` must be given here"),
        ({"diagonal": "kept"}, "`dimension` must be given here"),
        ({"diagonal": "some"}, "`diagonal` must be one of"),
        ({"labels": "none"}, "`labels` must be one of"),
        ({"f": np.exp, "saturated": True, "dimension": 100}, "`saturated` must be False"),
    ],
)
def test_wrong_arguments_are_refused(wrong, words):
    with pytest.raises(InputError, match=words):
        memorization_law(**{"f": np.tanh, "ratio": 0.5, "ridge": 0.1, **wrong})


def test_the_other_functions_refuse_too():
    for call in (lambda: ridge_law(0.5, 0.0), lambda: ridge_law(0.5, 0.1, np.nan)):
        with pytest.raises(InputError, match=r"`(ridge|signal)` must be"):
            call()
    for call in (lambda: feature_power(np.tanh, 0.0), lambda: activation_report(np.tanh, -1.0)):
        with pytest.raises(InputError, match="`ratio` must be in"):
            call()
    with pytest.raises(InputError, match="`ridge` must be"):
        activation_report(np.tanh, 0.5, np.nan)
