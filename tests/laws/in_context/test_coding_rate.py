"""The law of singular values against matrices written in other words, its theorem on random spectra, and its refusals."""

import numpy as np
import pytest
from scipy.special import softmax

from twopart._checks import InputError
from twopart.laws.in_context.coding_rate import (
    MAPS,
    direction,
    layer,
    rate,
    rate_by_layer,
    softmax_series,
)

D, K, N, BETA = 15, 5, 20, 0.4
P = D // K


@pytest.fixture(scope="module")
def tokens():
    """Z as columns (d, n), and the subspaces, K matrices (d, p) that fill the space."""
    random = np.random.default_rng(0)
    frame = np.linalg.qr(random.standard_normal((D, D)))[0]
    return random.standard_normal((D, N)) / np.sqrt(D), [frame[:, k * P : (k + 1) * P] for k in range(K)]


def compression(Z, U):
    """R^c by the determinant of the larger side."""
    return sum(np.linalg.slogdet(np.eye(N) + BETA * Z.T @ u @ u.T @ Z)[1] / 2 for u in U)


def gradient(Z, U):
    """Of R^c: β Σ U (I + βVV')^-1 V, V = U'Z."""
    return BETA * sum(u @ np.linalg.inv(np.eye(P) + BETA * u.T @ Z @ Z.T @ u) @ u.T @ Z for u in U)


def stepped(Z, U, how, κ):
    cubic = sum(u @ (u.T @ Z) @ (Z.T @ u) @ (u.T @ Z) for u in U)
    whole = sum(u @ u.T @ Z for u in U)
    return {
        "plus": lambda: Z + κ * cubic,
        "negative": lambda: Z - κ * cubic,
        "gradient": lambda: Z - κ * gradient(Z, U),
        "second": lambda: Z - κ * (BETA * whole - BETA**2 * cubic),
    }[how]()


@pytest.mark.parametrize("keep_norm", [False, True])
@pytest.mark.parametrize("how", MAPS)
def test_six_layers_agree_with_matrices(tokens, how, keep_norm):
    Z, U = tokens
    s = np.concatenate([np.linalg.svd(u.T @ Z, compute_uv=False) for u in U])
    law = rate_by_layer(s, how, 0.03, beta=BETA, layers=6, keep_norm=keep_norm)
    norm = np.linalg.norm(Z)
    for expected in law:
        assert compression(Z, U) == pytest.approx(expected, rel=1e-9)
        Z = stepped(Z, U, how, 0.03)
        Z = Z * norm / np.linalg.norm(Z) if keep_norm else Z


def test_the_gradient_is_that_of_the_rate(tokens):
    Z, U = tokens
    random, h = np.random.default_rng(1), 1e-5
    for _ in range(3):
        way = random.standard_normal(Z.shape)
        slope = (compression(Z + h * way, U) - compression(Z - h * way, U)) / (2 * h)
        assert slope == pytest.approx((gradient(Z, U) * way).sum(), rel=1e-8)


def test_the_series_of_second_order_rises_beyond_where_it_is_valid():
    below, beyond = 0.9 / np.sqrt(BETA), 1.1 / np.sqrt(BETA)
    assert layer(below, "second", 0.1, beta=BETA)[0] < below
    assert layer(beyond, "second", 0.1, beta=BETA)[0] > beyond
    assert layer(beyond, "gradient", 0.1, beta=BETA)[0] < beyond
    κ = 0.5
    for s, falls in ((np.sqrt(1.99 / κ), True), (np.sqrt(2.01 / κ), False)):
        assert (abs(layer(s, "negative", κ, beta=BETA)[0]) < s) == falls


def test_at_fixed_norm_the_theorem_holds_on_random_spectra(size):
    count = size(1000, 100_000)
    s = np.random.default_rng(2).gamma(2.0, 0.5, (count, 8))
    for how, sign in (("plus", -1), ("gradient", -1), ("negative", 1)):
        told = direction(s, how, 0.05, beta=BETA)
        first, second = rate_by_layer(s, how, 0.05, beta=BETA, layers=1, keep_norm=True)
        known = told != 0
        assert known.mean() > 0.4
        assert (told[known] == sign).all()
        assert (np.sign(second - first)[known] == sign).all()
    crossing = np.array([1.0, 4.0])  # the larger is turned below the smaller
    assert direction(crossing, "negative", 0.05, beta=BETA) == 0
    assert direction([0.0, 1.0, 2.0], "plus", 0.05, beta=BETA) == -1


def test_softmax_is_linear_attention_less_a_mean_to_first_order():
    V = np.random.default_rng(3).standard_normal((2, 3, 7))
    gram = V.swapaxes(1, 2) @ V
    errors = [np.abs(softmax(τ * gram, axis=-2) - softmax_series(gram, τ)).max() for τ in (1e-2, 1e-3)]
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.1)


def test_a_rate_that_overflows_stays_a_number():
    assert np.isfinite(rate_by_layer([2.0], "plus", 5.0, beta=BETA, layers=20)).all()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: rate([1.0, np.nan], beta=1.0),
        lambda: rate([1.0], beta=0.0),
        lambda: layer([1.0], "up", 0.1, beta=1.0),
        lambda: layer([1.0], "plus", -0.1, beta=1.0),
        lambda: rate_by_layer([1.0], "plus", 0.1, beta=1.0, layers=-1),
        lambda: softmax_series(np.ones((2, 3)), 0.1),
        lambda: softmax_series(np.eye(2), -1),
    ],
)
def test_bad_arguments(ask):
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        ask()
