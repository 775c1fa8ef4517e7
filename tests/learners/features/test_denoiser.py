"""Denoisers: the exact loss against drawn noise and quadrature, slopes against autograd, training against a plain loop."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.features.denoising import noising
from twopart.learners.features import (
    Denoiser,
    DenoiserConfig,
    expected_denoising_loss,
    initialise_denoiser,
    train_denoiser,
)

ALPHA, BETA = noising(0.4)
POWERS = {"identity": 1, "square": 2, "cube": 3}


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def wrong(w, x, noise, power, scale=1.3):
    """‖s f - ε‖²/2 for patches x (N, d) and noise (K, d), shape (N, K), in plain words."""
    seen = (ALPHA * x[:, None] + BETA * noise) @ w.T
    return (scale * (seen**power @ w) / math.sqrt(len(w)) - noise).square().sum(-1) / 2


@pytest.mark.parametrize("activation", POWERS)
def test_loss_is_the_mean_over_noise_by_drawing_and_by_quadrature(activation, size):
    w, x, power = 0.4 * random(4, 3), random(2, 3, seed=1), POWERS[activation]
    exact = float(expected_denoising_loss(w, x, ALPHA, BETA, 1.3, activation=activation))
    drawn = wrong(w, x, random(size(100_000, 1_000_000), 3, seed=2), power).mean(0)
    assert abs(float(drawn.mean()) - exact) < 5 * float(drawn.std()) / math.sqrt(len(drawn))
    places, weights = np.polynomial.hermite_e.hermegauss(5)
    grid = torch.tensor(list(product(places, repeat=3)))
    chance = torch.tensor(list(product(weights / weights.sum(), repeat=3))).prod(1)
    assert float((wrong(w, x, grid, power) @ chance).mean()) == pytest.approx(exact, rel=1e-10)


def test_the_square_in_the_words_of_the_page():
    w, x = random(3, 5), random(4, 5, seed=1)
    a, G, b = ALPHA * x @ w.T, w @ w.T, BETA**2
    q = G.diagonal()
    A = a**2 + b * q
    tied = (
        torch.einsum("ir,rk,ik->i", A, G, A) + 4 * b * torch.einsum("ir,rk,ik->i", a, G**2, a) + 2 * b**2 * (G**3).sum()
    )
    expected = (tied / 3 - 4 * BETA / math.sqrt(3) * (a * q).sum(1) + 5).mean() / 2
    assert float(expected_denoising_loss(w, x, ALPHA, BETA)) == pytest.approx(float(expected), rel=1e-12)


def test_batches_float32_and_predictions():
    w, x = random(2, 3, 5), random(2, 4, 5, seed=1)
    both = expected_denoising_loss(w, x, ALPHA, BETA)
    assert torch.allclose(
        both, torch.stack([expected_denoising_loss(*one, ALPHA, BETA) for one in zip(w, x, strict=True)])
    )
    assert torch.allclose(expected_denoising_loss(w.float(), x.float(), ALPHA, BETA), both.float(), rtol=1e-4)
    denoiser = Denoiser(DenoiserConfig(3, time=0.4, scale=1.3), w)
    assert torch.allclose(denoiser(x)[1], 1.3 * (x[1] @ w[1].T) ** 2 @ w[1] / math.sqrt(3))
    points = x.view(2, 2, 2, 5)
    assert torch.allclose(denoiser.loss(points), 2 * expected_denoising_loss(w, x, ALPHA, BETA, 1.3))


@pytest.mark.parametrize(("activation", "d"), [("identity", 30), ("square", 30), ("square", 6), ("cube", 30)])
def test_training_in_the_span_is_descent_in_all_dimensions(activation, d):
    config = DenoiserConfig(3, activation, 0.4, 1.3, 0.2)
    start, x = initialise_denoiser(config, d, [0, 1], dtype=torch.float64), random(2, 4, 2, d)
    w = start.weights.clone().requires_grad_()
    for step in range(4):
        (slope,) = torch.autograd.grad(Denoiser(config, w).loss(x).sum(), w)
        share = 0.1 * (1 - step / 4) * (w.flatten(1).norm(dim=1) / slope.flatten(1).norm(dim=1)).detach()
        w = (w.detach() - share[:, None, None] * slope).requires_grad_()
    found = train_denoiser(start, x, steps=4, rate=0.1)
    assert torch.allclose(found.weights, w, atol=1e-10)
    low = train_denoiser(Denoiser(config, start.weights.float()), x.float(), steps=4, rate=0.1)
    assert low.weights.dtype == torch.float32
    assert torch.allclose(low.weights.double(), w, atol=1e-5)


def test_descent_is_seen_and_stopped_and_follows_seeds():
    config, x, seen = DenoiserConfig(3), random(1, 4, 2, 20), []

    def watch(step, now):
        seen.append((step, float(now().loss(x))))
        return step == 20

    start = initialise_denoiser(config, 20, [5], dtype=torch.float64)
    train_denoiser(start, x, steps=100, rate=0.05, on_step=watch)
    assert [step for step, _ in seen] == list(range(21))
    assert seen[-1][1] < seen[0][1]
    assert torch.equal(start.weights, initialise_denoiser(config, 20, [5], dtype=torch.float64).weights)
    assert float(initialise_denoiser(DenoiserConfig(50, initial=0.3), 400, [1]).weights.std()) == pytest.approx(
        0.3, rel=0.05
    )


W, P = random(3, 5), random(4, 5)
BAD = [
    (lambda: expected_denoising_loss(W[0], P, 0.8, 0.6), "weights"),
    (lambda: expected_denoising_loss(W.numpy(), P, 0.8, 0.6), "weights"),
    (lambda: expected_denoising_loss(W * math.nan, P, 0.8, 0.6), "weights"),
    (lambda: expected_denoising_loss(W, P[:, :4], 0.8, 0.6), "patches"),
    (lambda: expected_denoising_loss(W, P.float(), 0.8, 0.6), "patches"),
    (lambda: expected_denoising_loss(W, P, -0.1, 0.6), "alpha"),
    (lambda: expected_denoising_loss(W, P, 0.8, math.nan), "beta"),
    (lambda: expected_denoising_loss(W, P, 0.8, 0.6, math.inf), "scale"),
    (lambda: expected_denoising_loss(W, P, 0.8, 0.6, activation="relu"), "activation"),
    (lambda: DenoiserConfig(0), "neurons"),
    (lambda: DenoiserConfig(time=0.0), "time"),
    (lambda: initialise_denoiser(DenoiserConfig(), 0, [0]), "dimension"),
    (lambda: initialise_denoiser(DenoiserConfig(), 3, []), "seeds"),
    (lambda: initialise_denoiser(DenoiserConfig(), 3, [0.5]), "seeds"),
    (lambda: Denoiser(DenoiserConfig(3), W[None])(P[None, :, :4]), "x"),
    (lambda: Denoiser(DenoiserConfig(3), W[None])(P[None].float()), "x"),
    (lambda: Denoiser(DenoiserConfig(3), W[None])(P[None] * math.nan), "x"),
    (lambda: Denoiser(DenoiserConfig(3), W[None]).loss(P), "x"),
    (
        lambda: train_denoiser(Denoiser(DenoiserConfig(3), W[None] / 0), P.view(1, 2, 2, 5), steps=1, rate=0.1),
        "weights",
    ),
    (lambda: train_denoiser(Denoiser(DenoiserConfig(3), W[None]), P, steps=1, rate=0.1), "x"),
    (lambda: train_denoiser(Denoiser(DenoiserConfig(3), W[None]), P.view(1, 2, 2, 5).float(), steps=1, rate=0.1), "x"),
    (lambda: train_denoiser(Denoiser(DenoiserConfig(3), W[None]), P.view(1, 2, 2, 5), steps=0, rate=0.1), "steps"),
    (lambda: train_denoiser(Denoiser(DenoiserConfig(3), W[None]), P.view(1, 2, 2, 5), steps=1, rate=1.0), "rate"),
    (lambda: train_denoiser(Denoiser(DenoiserConfig(3), 0 * W[None]), P.view(1, 2, 2, 5), steps=2, rate=0.1), "x"),
]


@pytest.mark.parametrize(("call", "name"), BAD)
def test_refusals(call, name):
    with pytest.raises(InputError, match=rf"^`{name}` must be .+, got .+; .+"):
        call()
