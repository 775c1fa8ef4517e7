"""Balance: plain sums over neurons, what a step changes of it, networks that have no pair, the page's example."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.learners.features import balance

PAGE = Path(__file__).parents[3] / "docs" / "laws" / "initialization.md"


class Functional(nn.Module):
    """Filters shared by patches, one output weight for each patch, activations as functions."""

    def __init__(self, m=6, patches=3, d=5):
        super().__init__()
        self.filters, self.out = nn.Linear(d, m, bias=False), nn.Linear(patches * m, 1, bias=False)

    def forward(self, x):
        return self.out(torch.flatten(torch.relu(self.filters(x)), 1))[:, 0]


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.out = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 3), nn.Linear(4 * 4, 2)

    def forward(self, x):
        x = nn.functional.leaky_relu(self.second(self.first(x).relu()))
        return self.out(nn.functional.max_pool2d(x, 2).view(x.size(0), -1))


def mlp(activation=None, dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(15, 8),
        activation or nn.ReLU(),
        nn.Dropout(0.0),
        nn.Linear(8, 7),
        nn.ReLU(),
        nn.Linear(7, 1),
    ).to(dtype)


def steps(module, x, rate, count):
    y = torch.where(torch.arange(len(x)) % 2 == 0, 1.0, -1.0).to(x)
    for _ in range(count):
        module.zero_grad()
        nn.functional.softplus(-y * module(x).reshape(len(x), -1).sum(1)).mean().backward()
        with torch.no_grad():
            for p in module.parameters():
                p -= rate * p.grad
    return module


def test_squares_against_plain_sums():
    module = mlp()
    found = balance(module)
    assert list(found.differences) == ["1 -> 4", "4 -> 6"]
    for r in range(8):
        incoming = sum(w**2 for w in module[1].weight[r].tolist()) + module[1].bias[r].item() ** 2
        outgoing = sum(v**2 for v in module[4].weight[:, r].tolist())
        assert float(found.differences["1 -> 4"][r]) == pytest.approx(outgoing - incoming)
        assert float(found.ratios["1 -> 4"][r]) == pytest.approx((incoming / outgoing) ** 0.5)
    patches = Functional()
    columns = patches.out.weight.detach().reshape(3, 6)
    assert balance(patches).outgoing["filters -> out"].numpy() == pytest.approx(columns.square().sum(0).numpy())
    images = Convolutional()
    found = balance(images)
    assert list(found.incoming) == ["first -> second", "second -> out"]
    channel = images.second.weight.detach()[:, 1].square().sum()
    assert float(found.outgoing["first -> second"][1]) == pytest.approx(float(channel))
    columns = images.out.weight.detach().reshape(2, 4, 4)
    assert found.outgoing["second -> out"].numpy() == pytest.approx(columns.square().sum((0, 2)).numpy())


@pytest.mark.parametrize(
    ("make", "shape"), [(mlp, (12, 3, 5)), (Functional, (12, 3, 5)), (Convolutional, (6, 1, 8, 8))]
)
def test_half_the_step_drifts_half_as_far(make, shape):
    """Conserved by the flow: over a given time the drift is of first order in the step. In float64, as float32 would round."""
    drifts, x = [], torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for half in range(3):
        torch.manual_seed(2)
        module = make().double()
        before = balance(module)
        steps(module, x, 0.04 / 2**half, 15 * 2**half)
        drifts.append(balance(module).drift(before))
    for coarse, fine in pairwise(drifts):
        for name in coarse:
            assert coarse[name] / fine[name] == pytest.approx(2, rel=0.15)
    assert max(drifts[-1].values()) < 0.01


def test_one_step_changes_it_by_the_squares_of_the_gradients():
    module, x = Functional().double(), torch.randn(10, 3, 5, dtype=torch.float64)
    before, rate = balance(module), 0.3
    steps(module, x, rate, 1)
    change = balance(module).differences["filters -> out"] - before.differences["filters -> out"]
    hidden = module.filters.weight.grad.square().sum(1)
    output = module.out.weight.grad.reshape(3, 6).square().sum(0)
    assert change.numpy() == pytest.approx((rate**2 * (output - hidden)).numpy(), abs=1e-12)


def test_float32_and_float64_agree_and_nothing_is_changed():
    single, double = balance(mlp()), balance(mlp(dtype=torch.float64))
    for name, value in single.differences.items():
        assert value.dtype == torch.float64
        assert value.numpy() == pytest.approx(double.differences[name].numpy(), abs=1e-5)
    module = mlp().eval()
    module[1].weight.grad = None
    balance(module)
    assert module[1].weight.grad is None
    assert module[1].weight.requires_grad


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        h = self.a(x).relu()
        return self.b(h) + h


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.b(self.a(x).relu()) if x.sum() > 0 else self.b(x)


def frozen():
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
    module[2].weight.requires_grad_(False)
    return module


def tied():
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    module[2].weight = module[0].weight
    return module


def twice():
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer)


@pytest.mark.parametrize("make", [Residual, frozen, tied, twice, lambda: nn.Linear(3, 2), lambda: mlp(nn.GELU())[:5]])
def test_networks_that_conserve_nothing_have_no_pair(make):
    with pytest.raises(InputError, match=r"`module` must be two layers that train .*, got '\w+'; name `pairs`"):
        balance(make())


def test_only_homogeneous_activations_count():
    assert list(balance(mlp(nn.GELU())).incoming) == ["4 -> 6"]
    assert list(balance(mlp(nn.BatchNorm1d(8))).incoming) == ["4 -> 6"]


def test_what_cannot_be_traced_is_named():
    with pytest.raises(InputError, match=r"`module` must be one that torch.fx can trace, got .*; name `pairs`"):
        balance(Branching())
    assert list(balance(Branching(), [("a", "b")]).incoming) == ["a -> b"]
    with pytest.raises(InputError, match=r"`pairs` must be of names in .*, got \('a', 'c'\)"):
        balance(Branching(), [("a", "c")])
    with pytest.raises(InputError, match="`pairs` must be a second layer that reads the 8 neurons"):
        balance(mlp(), [("1", "6")])


def test_bad_weights_and_other_modules():
    module = mlp()
    before = balance(module)
    with pytest.raises(InputError, match="`before` must be of the same layers"):
        balance(Functional()).drift(before)
    with torch.no_grad():
        module[1].weight[0, 0] = torch.nan
    with pytest.raises(InputError, match="`module` must be of finite weights, got 'weights nan or infinite in 1 -> 4'"):
        balance(module)


def test_the_examples_of_the_page(capsys):
    for code in re.findall(r"```python\n(.+?)```", PAGE.read_text(), flags=re.S):
        exec(code, {})
    lines = capsys.readouterr().out.split("\n")
    small, large = ([float(number) for number in re.findall(r"-?\d+\.\d+(?:e-\d+)?", line)] for line in lines[:2])
    assert small[1] > 2 * large[1], "a small output layer is caught up with"
    assert max(small[2], large[2]) < 0.05
    assert small[3] > large[3] + 0.1, "and harms"
