"""Linear attention against its formula token by token; pretraining against the step by hand, in any basis."""

import numpy as np
import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.laws.in_context import Geometric, optimum
from twopart.learners.in_context import LinearAttention, OneStepAttention, descend, fit_gamma, pretrain
from twopart.worlds.in_context import InContextRegression, Prompts

WORLD = InContextRegression((1.0, 0.5, 0.2), noise=0.2, seed=4)


def tensors(prompts, dtype=torch.float64):
    return tuple(torch.as_tensor(part, dtype=dtype) for part in (prompts.x, prompts.y, prompts.query))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_step_is_gradient_descent(dtype):
    model = OneStepAttention(3).to(dtype)
    nn.init.normal_(model.gamma, generator=torch.Generator().manual_seed(0))
    x, y, query = tensors(WORLD.sample(5, 4), dtype)
    w = torch.zeros(3, dtype=dtype, requires_grad=True)
    for b in range(5):
        loss = (x[b] @ w - y[b]).square().mean() / 2
        step = -model.gamma @ torch.autograd.grad(loss, w)[0]
        assert model(x, y, query)[b].item() == pytest.approx((query[b] @ step).item(), rel=1e-4)
    assert model(x, y, query).dtype == dtype


def test_a_full_layer_token_by_token():
    model = LinearAttention(3, generator=torch.Generator().manual_seed(1)).double()
    x, y, query = tensors(WORLD.sample(4, 5))
    for b, answer in enumerate(model(x, y, query)):
        total, asked = torch.zeros(4, dtype=torch.float64), torch.cat([query[b], torch.zeros(1)]) @ model.query
        for n in range(5):
            token = torch.cat([x[b, n], y[b, n : n + 1]])
            total += (asked @ (token @ model.key)) * (token @ model.value) / 5
        assert answer.item() == pytest.approx((total @ model.projection)[-1].item())


@pytest.mark.parametrize("per_step", [1, 2])
def test_pretraining_is_the_step_by_hand_and_the_many_runs(per_step):
    rates, batches = [0.1, 0.2, 0.05], [WORLD.sample(per_step, 4, stream=t) for t in range(3)]
    model = OneStepAttention(3).double()
    losses, Γ = pretrain(model, batches, rates, tasks_per_step=per_step), np.zeros((3, 3))
    for γ, p, loss in zip(rates, batches, losses, strict=True):
        z = np.einsum("tn,tnd->td", p.y, p.x) / 4
        error = np.einsum("ti,ij,tj->t", p.query, Γ, z) - p.label
        assert loss == pytest.approx(np.square(error).mean())
        Γ = Γ - γ * np.einsum("t,ti,tj->ij", error, p.query, z) / per_step
    np.testing.assert_allclose(model.gamma.detach(), Γ, rtol=1e-12)
    seen = []
    np.testing.assert_allclose(
        descend(WORLD, 4, rates, tasks_per_step=per_step, on_step=lambda t, _: seen.append(t))[0], Γ, rtol=1e-12
    )
    assert seen == [1, 2, 3]


def test_no_basis_is_preferred():
    turn, p = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0], WORLD.sample(50, 4)
    found = []
    for Q in (np.eye(3), turn):
        model = OneStepAttention(3).double()
        pretrain(model, Prompts(p.x @ Q, p.y, p.query @ Q, p.label, p.task @ Q), np.full(50, 0.1))
        found.append(model.gamma.detach().numpy())
    np.testing.assert_allclose(turn.T @ found[0] @ turn, found[1], atol=1e-12)


def test_adam_finds_the_best_step():
    """A full layer in two dimensions: its fitted Γ is the law's within a tenth."""
    world, N, steps = InContextRegression((1.0, 0.5), noise=0.1, seed=1), 10, 200
    model = LinearAttention(2, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters())
    batches = (world.sample(64, N, stream=t) for t in range(steps))
    rates = 0.02 * (1 - np.arange(steps) / steps)
    losses = pretrain(model, batches, rates, tasks_per_step=64, optimizer=optimizer)
    assert losses[-50:].mean() < 0.7 * losses[:5].mean()
    best = np.diag(optimum(world, N).gamma)
    found = fit_gamma(model, world, N)
    assert np.linalg.norm(found.gamma - best) < 0.1 * np.linalg.norm(best)
    assert found.r2 > 0.99


def test_pretraining_trains_anybodys_module():
    class Ours(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.frozen = nn.Linear(3, 3, bias=False), nn.Parameter(torch.ones(()), requires_grad=False)

        def forward(self, x, y, query):
            return (self.weight(query) * (y[..., None] * x).mean(1)).sum(-1) * self.frozen

    torch.manual_seed(0)
    losses = pretrain(Ours(), WORLD.sample(4096, 8), Geometric(0.2).rates(64), tasks_per_step=64)
    assert losses.shape == (64,)
    assert losses[-16:].mean() < 0.8 * WORLD.null


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: OneStepAttention(0), r"`dimension` must be a whole number >= 1, got 0; "),
        (lambda: LinearAttention(2, scale=0.0), r"`scale` must be a number in \(0, inf\), got 0.0; "),
        (
            lambda: OneStepAttention(2)(*tensors(WORLD.sample(2, 3))),
            r"`context and labels` must be \(B, N, 2\) and \(B, N\), got",
        ),
        (
            lambda: OneStepAttention(3)(*tensors(WORLD.sample(2, 3))[:2], torch.ones(2)),
            r"`query` must be of shape \(2, 3\), got",
        ),
        (lambda: pretrain(OneStepAttention(3), WORLD.sample(4, 3), [0.1, -1.0]), r"`rates` must be >= 0, got -1.0; "),
        (lambda: pretrain(OneStepAttention(3), WORLD.sample(4, 3), [np.nan]), r"`rates` must be finite"),
        (
            lambda: pretrain(OneStepAttention(3), WORLD.sample(4, 3), [0.1] * 5),
            r"`batches` must be enough for 5, got 'tasks for 4 steps'; ",
        ),
        (
            lambda: pretrain(OneStepAttention(3), WORLD.sample(4, 3), [0.1], tasks_per_step=0),
            r"`tasks_per_step` must be",
        ),
        (lambda: descend(WORLD, 3, [np.inf]), r"`rates` must be finite"),
        (lambda: descend(WORLD, 0, [0.1]), r"`context` must be a whole number >= 1, got 0; "),
        (lambda: descend(WORLD, 3, [0.1], runs=0), r"`runs` must be a whole number >= 1, got 0; "),
    ],
)
def test_bad_arguments_are_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
