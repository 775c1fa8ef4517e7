"""Measures of complexity against enumeration, closed forms and plain readings; the model is left as it was."""

from importlib import import_module
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.learners.in_context import Crate, complexity, path_norm


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()


DATA = torch.randn(20, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1)), torch.arange(20) % 2


def test_path_norm_is_the_sum_over_paths(small):
    first, second = small[0].weight.detach().numpy(), small[2].weight.detach().numpy()
    paths = [(first[j, i] * second[k, j]) ** 2 for i, j, k in product(range(3), range(4), range(2))]
    paths += [(small[0].bias[j].item() * second[k, j]) ** 2 for j, k in product(range(4), range(2))]
    paths += [small[2].bias[k].item() ** 2 for k in range(2)]
    assert path_norm(small, (3,)) == pytest.approx(np.sqrt(sum(paths)), rel=1e-12)


@pytest.mark.parametrize("output", ["learned", "negative"])
def test_path_norm_of_a_transformer_is_of_its_matrices(output):
    """One token, so that attention's shares are 1, and no norm: two maps one after the other."""
    from twopart.learners.in_context import CrateBlock

    block = CrateBlock(4, 2, output).double()
    U, M = block.attention.projection.weight.detach(), block.ista.map.detach()
    out = block.attention.out.weight.detach() if output == "learned" else U.T
    bias = block.attention.out.bias.detach().square() if output == "learned" else 0.0
    through = M.square() @ (torch.ones(4).double() + out.square() @ U.square() @ torch.ones(4).double() + bias)
    assert path_norm(block, (1, 4)) == pytest.approx(float(through.sum().sqrt()), rel=1e-12)


def test_norms_and_margin_are_what_they_say(small):
    found = complexity(small, DATA)
    assert found["parameter norm"] == pytest.approx(sum(float(p.detach().square().sum()) for p in small.parameters()))
    spectra = [np.linalg.norm(small[i].weight.detach().numpy(), 2) ** 2 for i in (0, 2)]
    assert found["spectral product"] == pytest.approx(np.log(np.prod(spectra)))
    assert found["spectral sum"] == pytest.approx(sum(spectra))
    assert found["inverse margin"] == np.inf, "it is not trained"
    sure = nn.Linear(1, 2, bias=False).double()
    with torch.no_grad():
        sure.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    x = torch.linspace(1, 3, 21, dtype=torch.double)[:, None]
    assert complexity(sure, (x, torch.zeros(21, dtype=torch.long)))["inverse margin"] == pytest.approx(1 / 2.4)


def test_sharpness_is_where_noise_adds_a_tenth(small, monkeypatch):
    """With many draws and halvings: a plain estimate of the rise at that σ."""
    module = import_module("twopart.learners.in_context.complexity")  # the room has its function under that name
    monkeypatch.setattr(module, "DRAWS", 150)
    monkeypatch.setattr(module, "HALVINGS", 10)
    sigma = complexity(small, DATA)["sharpness"] ** -0.5
    random, losses, own = torch.Generator().manual_seed(5), [], [p.detach().clone() for p in small.parameters()]
    with torch.no_grad():
        first = float(nn.functional.cross_entropy(small(DATA[0]), DATA[1]))
        for _ in range(150):
            moved = [p + sigma * torch.randn(p.shape, generator=random, dtype=p.dtype) for p in own]
            hidden = torch.relu(DATA[0] @ moved[0].T + moved[1])
            losses.append(float(nn.functional.cross_entropy(hidden @ moved[2].T + moved[3], DATA[1])))
    error = np.std(losses) / np.sqrt(150)
    assert np.mean(losses) - first == pytest.approx(0.1, abs=5 * np.sqrt(2) * error)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_classifier_is_read_and_left_as_it_was(dtype):
    model = Crate(8, 4, 3, 8, 1, 2, dropout=0.5).to(dtype).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x, y = torch.randn(6, 1, 8, 8, dtype=dtype), torch.arange(6) % 3
    found = complexity(model, (x, y))
    assert found == complexity(model, (x, y)), "its draws are its own"
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert len(found) == 6
    assert np.isfinite([value for name, value in found.items() if name != "inverse margin"]).all()


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: complexity(m, (DATA[0],)),
        lambda m: complexity(m, (DATA[0], DATA[1][:5])),
        lambda m: complexity(m, (DATA[0], DATA[1].double())),
        lambda m: complexity(m, (DATA[0] * torch.nan, DATA[1])),
    ],
)
def test_bad_arguments(small, ask):
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        ask(small)
