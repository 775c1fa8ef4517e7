"""Pretraining and fine-tuning against plain loops, torch's own optimizer and the law."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from twopart._checks import InputError
from twopart.laws.regression import Domains, geometric
from twopart.learners.regression import GeometricLR, linearise, pretrain_finetune, pretrain_finetune_module
from twopart.worlds.regression import CovariateShift

WORLD = CovariateShift.power(6, source_decay=2.0, noise=0.3).rotated(0.5)


@pytest.fixture(scope="module")
def data():
    return WORLD.sample(40, "source"), WORLD.sample(13, "target")


def by_hand(x, y, rates, w, batch=1):
    for step, rate in enumerate(rates):
        rows = slice(step * batch, (step + 1) * batch)
        w = w - rate * (x[rows] @ w - y[rows]) @ x[rows] / len(x[rows])
    return w


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tensors", [False, True])
def test_a_stream_of_batches_against_a_plain_loop(data, dtype, tensors):
    (x, y), (v, u) = data
    kind = (lambda a: torch.from_numpy(a.astype(dtype))) if tensors else (lambda a: a.astype(dtype))
    source = [(kind(x[i : i + 4]), kind(y[i : i + 4])) for i in range(0, 40, 4)]
    target = [(kind(v[i : i + 1]), kind(u[i : i + 1])) for i in range(13)]
    runs = pretrain_finetune(source, target, rates=(0.5, np.full(10, 0.1)), start=np.ones(6, dtype), replicates=2)
    first = by_hand(x, y, geometric(10, 0.5), np.ones(6), batch=4)
    then = by_hand(v, u, np.full(10, 0.1), first)  # ten rates: ten of 13 batches
    for found, expected in ((runs.pretrained, first), (runs.tuned, then)):
        assert found.shape == (2, 6)
        assert np.asarray(found) == pytest.approx(np.stack([expected] * 2), rel=1e-4 if dtype == np.float32 else 1e-10)
        assert found.dtype == (torch.from_numpy(np.zeros(1, dtype)).dtype if tensors else dtype)
        assert isinstance(found, torch.Tensor if tensors else np.ndarray)


def test_rows_of_its_own_for_each_run(data):
    (x, y), (v, u) = data
    source = [(x.reshape(2, 20, 6)[:, i : i + 1], y.reshape(2, 20)[:, i : i + 1]) for i in range(20)]
    runs = pretrain_finetune(source, (v, u), rates=(0.4, 0.0), replicates=2)
    for r in range(2):
        expected = by_hand(x[20 * r : 20 * r + 20], y[20 * r : 20 * r + 20], geometric(20, 0.4), np.zeros(6))
        assert runs.pretrained[r] == pytest.approx(expected)
    assert runs.tuned == pytest.approx(runs.pretrained)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_are_read_once_in_orders_of_their_own(data, dtype):
    (x, y), (v, u) = data
    x, y, v, u = (a.astype(dtype) for a in (x, y, v, u))
    runs = pretrain_finetune((x, y), (v, u), rates=(0.3, 0.2), replicates=50, seed=3)
    assert runs.tuned.shape == (50, 6)
    assert runs.tuned.dtype == dtype
    assert len(np.unique(runs.pretrained[:, 0])) == 50
    assert np.array_equal(pretrain_finetune((x, y), (v, u), rates=(0.3, 0.2), replicates=50, seed=3).tuned, runs.tuned)
    tiled = np.tile(x[:1], (9, 1)), np.tile(y[:1], 9)  # rows that are all alike: the order does not matter
    runs = pretrain_finetune(tiled, (v[:1], u[:1]), rates=(0.3, 0.2))
    first = by_hand(*tiled, geometric(9, 0.3), np.zeros(6))
    assert runs.pretrained[0] == pytest.approx(first, rel=1e-4)
    assert runs.tuned[0] == pytest.approx(by_hand(v[:1], u[:1], [0.2], first), rel=1e-4)
    before, after = runs.risk(v, u)
    assert before == pytest.approx(np.mean((v @ runs.pretrained[0] - u) ** 2), rel=1e-4)
    assert after.shape == (1,)


def test_fresh_data_end_where_the_law_says(size):
    """False alarm one in a million."""
    runs, steps = size(4000, 40_000), (40, 15)
    generator = torch.Generator().manual_seed(5)

    def stream(domain):
        while True:
            x = WORLD.coloured(torch.randn(runs, 1, 6, generator=generator, dtype=torch.float64), domain)
            yield x, x.sum(-1) + WORLD.noise * torch.randn(runs, 1, generator=generator, dtype=torch.float64)

    rates = geometric(steps[0], 0.4), geometric(steps[1], 0.2)
    found = pretrain_finetune(stream("source"), stream("target"), rates=rates, replicates=runs)
    law = Domains.of_world(WORLD).risk(*rates)
    for weights, expected in ((found.pretrained, law.pretrained), (found.tuned, law.tuned)):
        risks = WORLD.risk(weights.numpy())
        assert abs(risks.mean() - expected) < 5 * risks.std() / np.sqrt(runs)


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_the_scheduler_of_torch_gives_the_same_rates(steps):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule, rates = GeometricLR(optimizer, steps), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(geometric(steps, 0.3).tolist())


def test_a_linear_module_does_what_arrays_do(data):
    loaders = [DataLoader(TensorDataset(*map(torch.from_numpy, part)), batch_size=3) for part in data]
    module = nn.Linear(6, 1, bias=False, dtype=torch.float64)
    before = module.weight.detach().clone()
    found = pretrain_finetune_module(module, *loaders, rates=(0.4, 0.1))
    same = pretrain_finetune(*loaders, rates=(0.4, 0.1), start=before[0])
    assert found.pretrained.weight.detach().numpy() == pytest.approx(same.pretrained.numpy())
    assert found.tuned.weight.detach().numpy() == pytest.approx(same.tuned.numpy())
    assert torch.equal(module.weight, before), "the module given is left as it is"
    x, y = map(torch.from_numpy, data[1])
    assert found.risk(x, y)[1] == pytest.approx(float(same.risk(x, y)[1]))
    assert found.risk(x, y[:, None]) == found.risk(x, y), "a column of answers is as good"
    assert float(same.risk(*data[1])[1]) == float(same.risk(x, y)[1])
    for bad, said in (((x, y[:3]), "`y` must be of shape"), ((x[:, :2], y), "`x` must be"), ((x * np.nan, y), "`x`")):
        with pytest.raises(InputError, match=said):
            same.risk(*bad)
    with pytest.raises(InputError, match="`y` must be of shape"):
        found.risk(x, y[:3])


def test_a_lazy_network_does_what_its_linearisation_does(data):
    """Small steps on a network of width 256, and the same steps on its Jacobian: so laws of features foretell it."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 256), nn.Tanh(), nn.Linear(256, 1)).double()
    pairs = [tuple(map(torch.from_numpy, part)) for part in data]
    features = [linearise(network, x) for x, _ in pairs]
    with torch.no_grad():
        left = [y - network(x).flatten() for x, y in pairs]
    loaders, streams = (
        [[(x[i : i + 1], y[i : i + 1]) for i in range(len(y))] for x, y in parts]
        for parts in (pairs, zip(features, left, strict=True))
    )
    found = pretrain_finetune_module(network, *loaders, rates=(2e-3, 1e-3))
    same = pretrain_finetune(*streams, rates=(2e-3, 1e-3))
    with torch.no_grad():
        moved = found.tuned(pairs[1][0]).flatten() - network(pairs[1][0]).flatten()
    assert moved.numpy() == pytest.approx((features[1] @ same.tuned[0]).numpy(), abs=0.03 * float(moved.abs().max()))
    assert float(moved.abs().max()) > 0.1


def test_what_cannot_be_is_refused(data):
    source, target = data
    for change, message in (
        ({"rates": 0.1}, "`rates` must be two"),
        ({"rates": (0.1, -1.0)}, "`rate` must be"),
        ({"rates": (np.full(3, 0.1), 0.1)}, "`rates` must be of shape"),
        ({"replicates": 0}, "`replicates`"),
        ({"start": np.zeros(5)}, "`start`"),
        ({"source": (source.x[0], source.y)}, r"`x` must be of shape \(any, any\)"),
        ({"source": (source.x * np.nan, source.y)}, "`x` must be finite"),
        ({"source": iter([(source.x, source.y)])}, "`source` must be with a length"),
        ({"source": [(source.x, source.y[:3])]}, "`source` must be batches"),
        (
            {"target": iter([(source.x, source.y)]), "rates": (0.1, np.ones(2))},
            "`target` must be at least 2 batches, got 1",
        ),
    ):
        arguments = {"source": source, "target": target, "rates": (0.1, 0.1), **change}
        with pytest.raises(InputError, match=message):
            pretrain_finetune(arguments.pop("source"), arguments.pop("target"), **arguments)
    with pytest.raises(InputError, match="`rates` must be two"):
        pretrain_finetune_module(nn.Linear(6, 1), [], [], rates=(0.1,))
    two = [(torch.zeros(3, 6), torch.zeros(3, 2))]
    with pytest.raises(InputError, match="`source` must be 3 answers"):
        pretrain_finetune_module(nn.Linear(6, 1), two, two, rates=(0.1, 0.1))
    large = [(1e20 * torch.ones(3, 6), torch.zeros(3))] * 9
    with pytest.raises(InputError, match="`rates` must be small enough"):
        pretrain_finetune_module(nn.Linear(6, 1), large, large, rates=(1.0, 0.1))
