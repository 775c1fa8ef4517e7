"""Modules as features: derivatives one by one, and SGD on the features against SGD on the module."""

import numpy as np
import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.learners.regression import linearise, tangent_gram


def network(width=5, inputs=3, dtype=torch.float64):
    torch.manual_seed(0)
    return (
        nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.BatchNorm1d(width), nn.Linear(width, 1)).to(dtype).eval()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivatives_one_by_one(dtype):
    module, x = network(dtype=dtype), torch.randn(7, 3, dtype=dtype)
    module[0].bias.requires_grad_(False)
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    expected = [torch.cat([g.flatten() for g in torch.autograd.grad(module(one[None])[0, 0], weights)]) for one in x]
    found = linearise(module, x, chunk=3)
    assert found.dtype == dtype
    assert found.shape == (7, sum(weight.numel() for weight in weights))
    assert torch.allclose(found, torch.stack(expected), atol=1e-6)
    assert not found.requires_grad


def test_a_linear_module_is_its_inputs():
    x = torch.randn(4, 6)
    assert torch.equal(linearise(nn.Linear(6, 1, bias=False), x), x)


def test_inner_products():
    module, x, other = network(), torch.randn(5, 3).double(), torch.randn(8, 3).double()
    J, K = linearise(module, x), linearise(module, other)
    assert torch.allclose(tangent_gram(module, x, chunk=2), J @ J.T)
    assert torch.allclose(tangent_gram(module, x, other, chunk=3), J @ K.T)


def test_small_targets_make_training_lazy():
    """The same batches for module and features: what they part by is of second order in the targets."""
    x, batches = torch.randn(10, 3).double(), np.random.default_rng(0).integers(10, size=(40, 2))
    targets, parted = torch.randn(10).double(), []
    for size in (1e-2, 1e-3):
        module = network()
        features, before = linearise(module, x), module(x)[:, 0].detach()
        y, w = before + size * targets, torch.zeros(features.shape[1]).double()
        descent = torch.optim.SGD(module.parameters(), lr=0.05)
        for k in batches:
            descent.zero_grad()
            ((module(x[k])[:, 0] - y[k]).square().mean() / 2).backward()
            descent.step()
            w -= 0.05 / 2 * (features[k] @ w - size * targets[k]) @ features[k]
        moved = module(x)[:, 0].detach() - before
        parted.append(float((moved - features @ w).norm() / moved.norm()))
    assert parted[0] < 0.02
    assert parted[1] == pytest.approx(parted[0] / 10, rel=0.2)


def test_what_is_no_module_with_one_output():
    x = torch.randn(4, 3)
    with pytest.raises(InputError, match="`module` must be of one output for each input, got '2 outputs'"):
        linearise(nn.Linear(3, 2), x)
    with pytest.raises(
        InputError, match=r"`module` must be in evaluation mode, got 1 in training mode; call \.eval\(\)"
    ):
        linearise(nn.Sequential(nn.Linear(3, 1), nn.Dropout()).train(), x)
    with pytest.raises(InputError, match="`module` must be a module with weights to learn"):
        linearise(nn.Tanh(), x)
    with pytest.raises(InputError, match="`chunk` must be"):
        linearise(nn.Linear(3, 1), x, chunk=0)
    for bad in (x[:0], x * torch.nan, x.numpy()):
        with pytest.raises(InputError, match="`inputs` must be"):
            linearise(nn.Linear(3, 1), bad)
