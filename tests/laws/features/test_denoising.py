"""The law of denoisers: the ansatz against weights that are as it says, the early slope, and the race against descent."""

import math

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.features import denoising as law
from twopart.laws.features import penalty_rates
from twopart.learners.features import (
    DenoiserConfig,
    PatchNet,
    PatchNetConfig,
    expected_denoising_loss,
    initialise_denoiser,
    train_denoiser,
    train_patches,
)

N, M, X, NEURONS, TIME = 6, 5.0, 9.0, 4, 0.3


def orthogonal(d=16):
    """Two signals of square length M and N noises of X, all orthogonal; points (1, N, 2, d), labels."""
    basis = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(2), dtype=torch.float64))[0].mT
    signals, noise, rests = math.sqrt(M) * basis[:2], math.sqrt(X) * basis[2 : 2 + N], basis[2 + N :]
    y = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(N // 2)
    return torch.stack([signals[(y < 0).long()], noise], 1)[None], y[None], signals, noise, rests


def as_the_ansatz_has_it(found, rests, factor=(1.0, 1.0, 1.0)):
    """The loss of weights with these answers, up to factors of U, V and size."""
    x, _, signals, noise, free = orthogonal()
    alpha, beta = law.noising(TIME)
    u, v = found.signal * factor[0] / alpha, found.memory * factor[1] / alpha
    data = u / M * signals.sum(0) + v / X * noise.sum(0)
    own = torch.eye(NEURONS, dtype=torch.float64)
    if rests == "opposed":
        own = (own - 1 / NEURONS) / math.sqrt(1 - 1 / NEURONS)
    w = found.size * factor[2] * (data + math.sqrt(1 - float(data @ data)) * own @ free[:NEURONS])
    return 2 * float(expected_denoising_loss(w, x[0].flatten(0, 1), alpha, beta))


@pytest.mark.parametrize("rests", law.RESTS)
def test_weights_as_the_ansatz_has_them_lose_what_it_says_and_none_near_lose_less(rests):
    found = law.stationary_ratio(N, M, X, TIME, NEURONS, rests=rests)
    assert as_the_ansatz_has_it(found, rests) == pytest.approx(16 - found.gain, abs=1e-6)
    for factor in np.vstack([1 + 0.05 * np.eye(3), 1 - 0.05 * np.eye(3)]):
        assert as_the_ansatz_has_it(found, rests, factor) > 16 - found.gain + 1e-5


@pytest.mark.parametrize("drawn", [False, True])
def test_training_ends_below_the_ansatz_and_opposed_rests_are_nearer(drawn):
    """Drawn noise is neither orthogonal nor equal: what an answer of 1 to all of it costs takes the place of n/X."""
    x, _, _, noise, rests = orthogonal()
    if drawn:
        mixed = torch.randn(N, 12, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        noise = mixed @ torch.cat([noise / math.sqrt(X), rests[:6]])
        x[0, :, 1] = noise
    square = N / float((noise @ noise.mT).inverse().sum())
    gains = [law.stationary_ratio(N, M, square, TIME, NEURONS, rests=rests).gain for rests in law.RESTS]
    start = initialise_denoiser(DenoiserConfig(NEURONS, time=TIME, initial=0.01), 16, [3], dtype=torch.float64)
    trained = 16 - float(train_denoiser(start, x, steps=400, rate=0.06).loss(x))
    assert gains[0] < gains[1] < trained * 1.001
    assert trained == pytest.approx(gains[1], rel=0.25 if drawn else 0.05)


def test_published_values():
    """Computed beforehand, elsewhere, at n SNR² = 0.27, 2, 5.4, and 4 with n = 40: losses at d = 300, and ratios."""
    places = (20, 4.0, 0.569, 297.7), (20, 30.0, 1.002, 296.8), (20, 81.0, 1.109, 296.6), (40, 30.25, 1.119, 297.1)
    for n, signal, ratio, loss in places:
        found = law.stationary_ratio(n, signal, 298.0, 0.2, 10, rests="orthogonal")
        assert found.ratio == pytest.approx(ratio, rel=0.02)
        assert 300 - found.gain == pytest.approx(loss, abs=0.051)


def test_limits():
    """Small answers: the early ratio; a tie of both: 1; a large denoiser's ratio saturates."""
    assert law.stationary_ratio(20, 0.02, 0.04, 2.0, 1).ratio == pytest.approx(
        law.early_ratio(20, 0.02, 0.04), rel=1e-3
    )
    assert law.stationary_ratio(20, 30.0, 300.0).ratio == pytest.approx(1.0, abs=1e-5)
    assert law.stationary_ratio(20, 600.0, 300.0).ratio < law.early_ratio(20, 600.0, 300.0) / 10


def test_small_weights_turn_to_the_mean_point():
    """The slope of tiny weights is -(2 s α β/√m)(q x̄ + 2 <w, x̄> w), whose first part answers with n M/(2X)."""
    x, _, signals, noise, _ = orthogonal()
    alpha, beta = law.noising(TIME)
    w = 1e-6 * torch.randn(NEURONS, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    w.requires_grad_()
    (slope,) = torch.autograd.grad(2 * expected_denoising_loss(w, x[0].flatten(0, 1), alpha, beta, 1.3), w)
    mean, own = x[0].sum(1).mean(0), w.detach()
    q = own.square().sum(1, keepdim=True)
    expected = -2 * 1.3 * alpha * beta / 2 * (q * mean + 2 * (own @ mean)[:, None] * own)
    assert torch.allclose(slope, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()))
    assert float((signals @ mean).mean() / (noise @ mean).mean()) == pytest.approx(law.early_ratio(N, M, X))


@pytest.fixture(scope="module")
def descended():
    """A classifier whose first weights answer ±1e-4 times the length to every patch, up to a margin of 3."""
    x, y, signals, noise, _ = orthogonal()
    unit = torch.cat([signals / math.sqrt(M), noise / math.sqrt(X)])
    signs = 2 * torch.randint(2, (1, 2, 8, len(unit)), generator=torch.Generator().manual_seed(1)).double() - 1
    start = PatchNet(PatchNetConfig(8, "square"), 1e-4 * signs @ unit, torch.ones(1, 2, 8, 1, dtype=torch.float64))
    looks, steps = [], []

    def watch(moment):
        w = moment.network().weights
        looks.append([(w @ part.mT).square().mean().sqrt() for part in (signals, noise)])
        steps.append(moment.step)
        return bool((moment.outputs * y).mean() > 3)

    train_patches(start, x, y, steps=2000, rate=0.1, method="gram", on_step=watch)
    return np.array(steps), np.array(looks, float)


def test_the_race_ends_where_descent_does(descended):
    _, looks = descended
    assert looks[-1, 0] / looks[-1, 1] == pytest.approx(law.race_end(N, M, X, 1e-4), rel=0.04)
    assert law.race_end(N, M, X, 1e-4) > 20 * math.sqrt(M / X)


def test_rates_are_the_slopes_of_growth(descended):
    steps, looks = descended
    a, b = len(steps) // 4, len(steps) // 2
    slopes = np.log(looks[b] / looks[a]) / (0.1 * (steps[b] - steps[a]))
    assert slopes == pytest.approx(penalty_rates(N, M, X, 8), rel=0.02)


def test_equal_rates_leave_the_ratio_and_smaller_first_weights_sharpen_it():
    assert law.race_end(20, 30.0, 300.0, [1e-4, 1e-2]) == pytest.approx(math.sqrt(0.1))
    ends = law.race_end(20, np.array([[15.0], [60.0]]), 300.0, [1e-4, 1e-2])
    assert ends[0, 0] < ends[0, 1] < 1 < ends[1, 1] < ends[1, 0]
    assert law.race(20, 30.0, 300.0) == 1


BAD = [
    (lambda: law.noising(0.0), "time"),
    (lambda: law.noising(math.nan), "time"),
    (lambda: law.early_ratio(0, 1.0, 1.0), "n"),
    (lambda: law.race(2, -1.0, 1.0), "signal"),
    (lambda: law.early_ratio(2, 1.0, math.nan), "noise"),
    (lambda: law.race_end(2, 1.0, 1.0, 0.0), "initial"),
    (lambda: law.race_end(2, 1.0, 1.0, 1e-3, math.inf), "margin"),
    (lambda: law.stationary_ratio(2.5, 1.0, 1.0), "n"),
    (lambda: law.stationary_ratio(2, 0.0, 1.0), "signal"),
    (lambda: law.stationary_ratio(2, 1.0, math.inf), "noise"),
    (lambda: law.stationary_ratio(2, 1.0, 1.0, -1.0), "time"),
    (lambda: law.stationary_ratio(2, 1.0, 1.0, neurons=0), "neurons"),
    (lambda: law.stationary_ratio(2, 1.0, 1.0, rests="free"), "rests"),
]


@pytest.mark.parametrize(("call", "name"), BAD)
def test_refusals(call, name):
    with pytest.raises(InputError, match=rf"^`{name}` must be .+, got .+; .+"):
        call()
