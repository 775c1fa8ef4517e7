"""Linear attention is gradient descent, by autograd; what it knows of its own residual; and its training."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.in_context import optimal_steps
from twopart.learners.in_context import GradientTransformer, answers, train_in_context
from twopart.worlds.in_context import HijackedClassification

WORLD = HijackedClassification(5)


def made(layers, dtype=torch.float64, **options):
    model, random = GradientTransformer(layers, 5, **options).to(dtype), torch.Generator().manual_seed(layers)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.05 * torch.randn(parameter.shape, generator=random))
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("isotropic", [False, True])
def test_its_layers_descend_by_autograd(isotropic, tied, dtype):
    model, prompts = made(3, dtype, tied=tied, isotropic=isotropic), WORLD.sample(4, 7)
    steps = torch.from_numpy(model.step_sizes()).to(dtype)
    assert len(steps) == 3
    assert len(model.steps) == (1 if tied else 3)
    for t, said in enumerate(answers(model, prompts)):
        x, y, query = (torch.tensor(part[t], dtype=dtype) for part in (prompts.x, prompts.y, prompts.query))
        β = model.initial.detach().clone()
        for Γ in steps:
            β.requires_grad_()
            (slope,) = torch.autograd.grad((y - x @ β).square().sum() / 2, β)
            β = β.detach() - (Γ @ slope if Γ.dim() else Γ * slope)
        assert said == pytest.approx(float(β @ query), rel=1e-4 if dtype == torch.float32 else 1e-12)


def test_no_context_leaves_the_initial_point():
    model, query = made(2), torch.randn(3, 5, dtype=torch.float64)
    assert torch.equal(model(torch.zeros(3, 0, 5).double(), torch.zeros(3, 0).double(), query), query @ model.initial)


def test_growth_of_equal_tokens_is_that_of_the_law():
    model, prompts = GradientTransformer(2, 5, isotropic=True).double(), WORLD.hijacked(6, 9)
    model.set(torch.zeros(5).double(), 0.04)
    x, y = torch.tensor(prompts.x), torch.tensor(prompts.y)
    expected = (1 - 0.04 * 9 * x[:, 0].square().sum(1)).abs()
    np.testing.assert_allclose(model.growth(x, y).detach(), expected.expand(2, 6))
    assert (expected > 1).any()


def test_a_clip_stops_at_the_least_residual_and_nowhere_else():
    model, pairs = made(3), WORLD.pairs(20)
    with torch.no_grad():
        model.steps.copy_(model.steps + 0.1 * torch.eye(5))
    model.clip, β = True, model.initial.detach()
    for n in (1, 30):
        for x, query, said in zip(pairs.hijacker, pairs.query, answers(model, pairs.prompts(n)), strict=True):
            weights = β.numpy().copy()
            for Γ in model.step_sizes():  # N equal tokens leave nothing after a step of 1 / (N x'Γx)
                step = np.clip(1 / (n * x @ Γ @ x), 0, 1)
                weights += step * n * (-1 - weights @ x) * (Γ @ x)
            assert said == pytest.approx(weights @ query, rel=1e-9, abs=1e-12)
    prompts = WORLD.sample(50, 12)
    x, y = torch.tensor(prompts.x), torch.tensor(prompts.y)
    clipped = model.growth(x, y)
    model.clip = False
    assert (clipped <= 1 + 1e-12).all()
    assert (model.growth(x, y) > 1).any()


def test_training_finds_the_best_step():
    best = optimal_steps(12, 1, dimension=5)
    model = GradientTransformer(1, 5, isotropic=True)
    train_in_context(model, lambda step: WORLD.sample(128, 12, step), steps=200)
    assert not model.training
    assert model.steps.item() == pytest.approx(best.step, rel=0.1)
    initial = model.initial.detach().double().numpy()
    assert initial @ WORLD.prior == pytest.approx(best.scale, rel=0.1)
    assert initial @ WORLD.prior > 0.98 * np.linalg.norm(initial)


@pytest.mark.parametrize(("name", "call"), [
    ("layers", lambda: GradientTransformer(0, 5)),
    ("dimension", lambda: GradientTransformer(1, 0)),
    ("initial", lambda: made(1).set(torch.zeros(4), 0.1)),
    ("step", lambda: made(1).set(torch.zeros(5), np.nan)),
    ("x", lambda: made(1)(torch.zeros(2, 3, 4), torch.zeros(2, 3), torch.zeros(2, 5))),
    ("y", lambda: made(1)(torch.zeros(2, 3, 5), torch.zeros(2, 4), torch.zeros(2, 5))),
    ("query", lambda: made(1)(torch.zeros(2, 3, 5), torch.zeros(2, 3), torch.zeros(2, 4))),
    ("steps", lambda: train_in_context(made(1), lambda step: WORLD.sample(4, 4), steps=0)),
    ("learning_rate", lambda: train_in_context(made(1), lambda step: WORLD.sample(4, 4), learning_rate=-1.0)),
    ("learning_rate", lambda: train_in_context(made(9), lambda step: WORLD.sample(4, 4), steps=99, learning_rate=1e60)),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(name, call):
    with pytest.raises(InputError, match=rf"`{name}` must be .+, got .+; .+"):
        call()
