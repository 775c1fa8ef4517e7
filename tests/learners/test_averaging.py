"""Averages of weights against plain sums, and torch's own."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from twopart._checks import InputError
from twopart.learners import WeightAverage


def moved(model, seed):
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=random, dtype=torch.float64).to(p))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_several_averages_are_plain_sums_and_torchs_own(dtype):
    model = nn.Linear(3, 2, dtype=dtype)
    first = model.weight.detach().clone()
    average, plain = WeightAverage(model, (0.0, 0.9, 0.99)), WeightAverage(model, 0.9, bias_correction=False)
    torchs = AveragedModel(copy.deepcopy(model), multi_avg_fn=get_ema_multi_avg_fn(0.9))
    torchs.update_parameters(model)  # copies the first weights
    seen = []
    for t in range(7):
        moved(model, t)
        for one in (average, plain):
            one.update()
        torchs.update_parameters(model)
        seen.append(model.weight.detach().clone())
    for τ in (0.0, 0.9, 0.99):
        weights = torch.tensor([(1 - τ) * τ ** (6 - t) for t in range(7)], dtype=dtype)
        expected = (weights[:, None, None] * torch.stack(seen)).sum(0) / (1 - τ**7)
        with average.swap(τ) as swapped:
            assert swapped is model
            torch.testing.assert_close(model.weight.detach(), expected)
        torch.testing.assert_close(model.weight.detach(), seen[-1], rtol=0, atol=0)
    with plain.swap():
        torch.testing.assert_close(model.weight, torchs.module.weight)
    with average.swap(0.9):
        torch.testing.assert_close(model.weight, (torchs.module.weight - 0.9**7 * first) / (1 - 0.9**7))


def test_weights_and_buffers_come_back_whatever_happens():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average, data = WeightAverage(model, 0.5), torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    moved(model, 1)
    average.update()
    moved(model, 2)
    average.update()
    before = copy.deepcopy(model.state_dict())

    def fail_within() -> None:
        with average.swap():
            update_bn([data], model)
            assert not torch.equal(model[1].running_mean, before["1.running_mean"])
            assert not torch.equal(model[0].weight, before["0.weight"])
            raise KeyError

    with pytest.raises(KeyError):
        fail_within()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_run_goes_on_from_its_state():
    model = nn.Linear(2, 2)
    whole, part = (WeightAverage(model, (0.9, 0.5)) for _ in range(2))
    assert not list(whole.parameters())
    for t in range(4):
        moved(model, t)
        whole.update()
        part.update()
        if t == 1:
            state, part = copy.deepcopy(part.state_dict()), WeightAverage(model, (0.9, 0.5))
            part.load_state_dict(state)
    for (name, one), other in zip(whole.state_dict().items(), part.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: WeightAverage(nn.Linear(1, 1), 1.0), "`decay` must be a number in"),
        (lambda: WeightAverage(nn.Linear(1, 1), (0.5, 0.5)), "`decay` must be one or more distinct"),
        (lambda: WeightAverage(nn.Linear(1, 1), ()), "`decay` must be one or more distinct"),
        (lambda: WeightAverage(nn.ReLU()), "`module` must be one with parameters"),
        (lambda: WeightAverage(nn.Linear(1, 1)).swap().__enter__(), "`update` must be called"),
        (lambda: WeightAverage(nn.Linear(1, 1), (0.5, 0.9)).swap().__enter__(), "`decay` must be one of"),
        (lambda: WeightAverage(nn.Linear(1, 1), 0.5).swap(0.9).__enter__(), "`decay` must be one of"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(InputError, match=words):
        call()
