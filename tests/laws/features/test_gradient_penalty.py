"""The penalty's law: rates against the flow itself, thresholds where rates cross, slopes against autograd."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.features import (
    Penalised,
    Step,
    penalty_cap,
    penalty_rates,
    penalty_window,
    race_threshold,
)
from twopart.learners.features import PatchNetConfig, initialise_patches, stack, train_patches
from twopart.worlds.features import SignalNoise, Signed

WEIGHT = 0.7


def problem(activation="relu2", n=6, d=12):
    worlds = [SignalNoise(Signed(1.5), dimension=d, noise=0.5, seed=seed) for seed in (0, 1)]
    x, y = stack([world.sample(n) for world in worlds])
    x = x + 0.1 * torch.randn(
        x.shape, generator=torch.Generator().manual_seed(3), dtype=x.dtype
    )  # patches not orthogonal
    return initialise_patches(PatchNetConfig(3, activation, initial=0.4), d, [0, 1], dtype=x.dtype), x, y


def penalised(w, network, x, y, groups):
    """Mean loss and penalty by autograd, group by group, of one network."""

    def loss(part, labels):
        f = replace(network, weights=w[None])(part[None])[0]
        return torch.nn.functional.softplus(-labels * f)

    parts = zip(x.chunk(groups), y.chunk(groups), strict=True)
    grads = [torch.autograd.grad(loss(a, b).mean(), w, create_graph=True)[0].square().sum() for a, b in parts]
    return loss(x, y).mean() + WEIGHT / 2 * sum(grads) / groups


@pytest.mark.parametrize(
    ("activation", "groups"), [("relu2", 6), ("relu2", 1), ("relu2", 3), ("relu3", 6), ("square", 6)]
)
def test_the_step_is_that_of_autograd(activation, groups):
    network, x, y = problem(activation)
    step = Penalised.of(x, WEIGHT, groups, activation=activation)
    ours = [train_patches(network, x, y, steps=1, rate=1.0, step=step, method=m).weights for m in ("weights", "gram")]
    for b in range(2):
        w = network.weights[b].clone().requires_grad_()
        one = replace(network, weights=network.weights[b : b + 1], second=network.second[b : b + 1])
        (slope,) = torch.autograd.grad(penalised(w, one, x[b], y[b], groups), w)
        for found in ours:
            assert torch.allclose(found[b], network.weights[b] - slope, atol=1e-10)


def test_weight_zero_changes_no_bit_and_methods_agree_over_many_steps():
    network, x, y = problem()
    run = partial(train_patches, network, x, y, steps=60, rate=0.1)
    plain, none = (run(step=step, method="gram").weights for step in (Step("relu2"), Penalised.of(x, 0.0)))
    assert torch.equal(plain, none)
    step = Penalised.of(x, WEIGHT)
    assert torch.allclose(run(step=step).weights, run(step=step, method="gram").weights, atol=1e-9)
    assert not torch.allclose(run(step=step).weights, plain, atol=1e-2)


def test_square_loss_against_autograd():
    network, x, y = problem("relu3")
    step = Penalised.of(x, WEIGHT, activation="relu3", loss="square")
    ours = train_patches(network, x, y, steps=1, rate=1.0, step=step).weights[0]
    w = network.weights[0].clone().requires_grad_()
    one = replace(network, weights=network.weights[:1], second=network.second[:1])
    losses = [(replace(one, weights=w[None])(x[:1, i : i + 1])[0, 0] - y[0, i]) ** 2 / 2 for i in range(6)]
    squares = [torch.autograd.grad(loss, w, create_graph=True)[0].square().sum() for loss in losses]
    (slope,) = torch.autograd.grad((sum(losses) + WEIGHT / 2 * sum(squares)) / 6, w)
    assert torch.allclose(ours, network.weights[0] - slope, atol=1e-10)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 3.0])
def test_rates_are_those_of_one_small_step_by_autograd(share):
    """Orthogonal noise of equal lengths: growth of tiny inner products is the law's exactly."""
    n, d, m, length, norm = 4, 5, 3, 2.0, 1.3
    x = torch.zeros(n, 2, d, dtype=torch.float64)
    y = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=x.dtype)
    x[:, 0, 0], x[range(n), 1, range(1, 5)] = norm * y, length
    weight = share * m / length**2
    w = torch.full((2, m, d), 1e-4, dtype=x.dtype)
    w[1, :, 0] *= -1
    network = initialise_patches(PatchNetConfig(m, "relu2"), d, [0], dtype=x.dtype)
    network = replace(network, weights=w[None])
    rate = 1e-3
    after = train_patches(network, x[None], y[None], steps=1, rate=rate, step=Penalised.of(x[None], weight)).weights[0]
    law = penalty_rates(n, norm**2, length**2, m, weight)
    assert float(after[0, 0, 0] / 1e-4 - 1) / rate == pytest.approx(float(law.signal), rel=1e-3)
    assert float(after[0, 0, 1] / 1e-4 - 1) / rate == pytest.approx(float(law.memory), rel=1e-3, abs=1e-6)


def test_thresholds_are_where_rates_cross():
    n, M, X, m = 20, np.array([9.0, 20.25]), 400.0, 10
    rates = penalty_rates(n, M, X, m, race_threshold(n, M, X, m))
    assert rates.signal == pytest.approx(rates.memory)
    assert race_threshold(n, M, X, m) == pytest.approx([0.01954, 0.0127], abs=1e-4)
    low, high = penalty_window(M, X, m)
    assert penalty_rates(n, M, X, m, low).memory == pytest.approx(0, abs=1e-12)
    assert penalty_rates(n, M, X, m, high).signal == pytest.approx(0, abs=1e-12)
    assert race_threshold(n, 50.0, X, m) == 0, "the signal wins anyway"
    cap = penalty_cap(X, m, 0.0375)
    assert cap == pytest.approx(2 / 9)
    assert 6 * cap * X * 0.0375 == pytest.approx(2 * m), "the bracket 1 - λ act'' X/(2m) is 0"


def test_what_is_refused():
    for arguments in ((20, -1.0, 4.0, 3), (20, 1.0, float("nan"), 3), (0, 1.0, 4.0, 3), (20, 1.0, 4.0, float("inf"))):
        with pytest.raises(InputError, match="finite and > 0"):
            race_threshold(*arguments)
    with pytest.raises(InputError, match="`signal`"):
        race_threshold(1, 3.0, 2.0, 3)
    with pytest.raises(InputError, match="`weight`"):
        penalty_rates(20, 1.0, 4.0, 3, -0.1)
    with pytest.raises(InputError, match="`power`"):
        penalty_cap(4.0, 3, 0.1, 2)
    with pytest.raises(InputError, match="`noise`"):
        penalty_window(1.0, 0.0, 3)
    network, x, y = problem()
    for options, word in (({"groups": 4}, "`groups`"), ({"weight": float("nan")}, "`weight`")):
        with pytest.raises(InputError, match=word):
            Penalised.of(x, **({"weight": 1.0} | options))
    with pytest.raises(InputError, match="`x`"):
        Penalised.of(x[0], 1.0)
    with pytest.raises(InputError, match="all points a step"):
        train_patches(network, x, y, steps=1, rate=0.1, batch=3, step=Penalised.of(x, 1.0))
    shared = initialise_patches(PatchNetConfig(3, "relu2", "shared"), 12, [0, 1], dtype=x.dtype)
    with pytest.raises(InputError, match="second layer"):
        train_patches(shared, x, y, steps=1, rate=0.1, step=Penalised.of(x, 1.0))
