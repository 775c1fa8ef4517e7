"""Reports of shifts: against tuning in random subspaces, and against networks tuned in full."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from twopart._checks import InputError
from twopart.laws.regression import width_law
from twopart.learners.regression import linearise, shift_report

SIGMAS = 5.0


@pytest.fixture(scope="module")
def setting():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 1)).double()
    x, z = torch.randn(6, 4).double(), 2 * torch.randn(8, 4).double()
    return network, x, z, torch.randn(6).double()


def test_a_linear_module_is_its_inputs():
    x, z = torch.randn(5, 9), torch.randn(7, 9)
    report = shift_report(nn.Linear(9, 1, bias=False), x, z)
    law = width_law(x.numpy(), z.numpy(), kernel=lambda a, b: a @ b.T)
    assert report.outside.doubt == pytest.approx(law.doubt, rel=1e-5)
    assert report.outside.response == pytest.approx(law.response, rel=1e-5)
    assert report.inside.points == 4
    assert report.amplified == pytest.approx(
        law.doubt.mean() * law.trace / (report.inside.doubt * report.inside.trace).mean(), rel=1e-5
    )
    assert report.lasting == pytest.approx(law.variance(np.inf) / report.inside.variance(np.inf), rel=1e-5)


def test_tuning_in_random_directions(setting, size):
    """Least-norm tuning in m Gaussian directions of the weights, of the linearised network: the law to sampling error."""
    network, x, z, y = setting
    report, m, R = shift_report(network, x, z, y), 30, size(6000, 60_000)
    J, K = linearise(network, x), linearise(network, z)
    left = y - network(x)[:, 0].detach()
    directions = torch.randn(R, J.shape[1], m, generator=torch.Generator().manual_seed(1)).double()
    inside, outside = J @ directions, K @ directions
    maps = outside @ inside.mT @ torch.linalg.inv(inside @ inside.mT)  # (R, 8, 6)
    variance = maps.square().sum(2).mean(1).numpy()
    cost = (maps @ left - torch.from_numpy(report.outside.answers)).square().mean(1).numpy()
    for samples, found in ((variance, report.outside.variance(m)), (cost, report.outside.cost(m))):
        error = SIGMAS * samples.std() / np.sqrt(R)
        assert abs(samples.mean() - found) < error < 0.055 * found


def test_a_network_tuned_in_full(setting):
    """Each label moved a little and all weights tuned by descent with momentum: squared moves of answers are the report's."""
    network, x, z = setting[0], setting[1][:4], setting[2]
    rate = 0.5 / float(torch.linalg.eigvalsh(linearise(network, x) @ linearise(network, x).T)[-1])
    moved, start = [], network(x)[:, 0].detach()
    for move in 1e-3 * torch.eye(4).double():
        copy = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 1)).double()
        copy.load_state_dict(network.state_dict())
        descent = torch.optim.SGD(copy.parameters(), lr=rate, momentum=0.9)
        for _ in range(150):
            descent.zero_grad()
            ((copy(x)[:, 0] - start - move).square().sum() / 2).backward()
            descent.step()
        with torch.no_grad():
            assert float((copy(x)[:, 0] - start - move).norm()) < 0.02 * 1e-3
            moved.append((copy(z) - network(z))[:, 0] / 1e-3)
    assert torch.stack(moved).square().sum(0).numpy() == pytest.approx(
        shift_report(network, x, z).outside.response, rel=0.02
    )


@pytest.mark.parametrize("chunk", [2, 256])
def test_types_and_batches(setting, chunk):
    network, x, z, y = setting
    whole, single = shift_report(network, x, z, y), shift_report(network.float(), x.float(), z.float(), y, chunk=chunk)
    assert network[0].weight.dtype == torch.float32, "the user's module is left alone"
    network.double()
    for name in ("doubt", "response", "answers"):
        assert getattr(single.outside, name) == pytest.approx(getattr(whole.outside, name), rel=1e-3, abs=1e-4)
    tokens = nn.Sequential(nn.Embedding(9, 3), nn.Flatten(), nn.Linear(6, 1))
    ids = torch.tensor([[0, 1], [2, 3], [4, 5], [6, 7]])
    assert shift_report(tokens, ids, ids.flip(1)).outside.doubt.shape == (4,)


def test_what_is_refused(setting):
    network, x, z, y = setting
    for call, said in (
        (lambda: shift_report(network, x[:2], z), "`x_in` must be at least 3 inputs"),
        (lambda: shift_report(network, x, z * torch.nan), "`x_out` must be finite"),
        (lambda: shift_report(network, x, z, y[:3]), "`y` must be of shape"),
        (lambda: shift_report(network, torch.cat([x, x]), z), "`gram` must be of an inverse condition"),
        (lambda: shift_report(nn.Linear(4, 2), x, z), "`module` must be of one output"),
        (lambda: shift_report(network, x, z, chunk=0), "`chunk` must be"),
    ):
        with pytest.raises(InputError, match=said):
            call()


def test_the_page_opens_with_what_it_says():
    """The blocks of docs/laws/ood-overparameterization.md."""
    page = (Path(__file__).parents[3] / "docs/laws/ood-overparameterization.md").read_text()
    blocks, names = re.findall(r"```python\n(.*?)```", page, flags=re.S), {}
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    assert names["law"].variance(np.inf) > 0
    assert names["report"].lasting > 1
