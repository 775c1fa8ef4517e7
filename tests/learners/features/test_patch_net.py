"""Patch networks: descent against PyTorch's own, weights against inner products, batches against single networks."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.laws.features.gram import PatchGram, gram_descent, visits
from twopart.laws.features.patch_step import ACTIVATIONS, Step
from twopart.learners.features import PatchNetConfig, initialise_patches, stack, train_patches
from twopart.worlds.features import SignalNoise, Xor

WORLD = SignalNoise(Xor(2.0, 0.3), dimension=30, noise=0.4, flips=0.1)


def near(a, b, abs=1e-12):
    return torch.allclose(a.double(), b.double(), rtol=0, atol=abs)


def data(networks=2, n=10, world=WORLD):
    return stack([replace(world, seed=seed).sample(n) for seed in range(networks)])


def start(networks=2, dimension=30, **changes):
    config = PatchNetConfig(**({"neurons": 3, "initial": 0.2, "output_initial": 0.7} | changes))
    return initialise_patches(config, dimension, list(range(networks)), dtype=torch.float64)


class Reference(torch.nn.Module):
    """The formula of the module's doc string, for one network, in PyTorch's words."""

    def __init__(self, network):
        super().__init__()
        self.config = network.config
        self.w, self.v = torch.nn.Parameter(network.weights[0].clone()), torch.nn.Parameter(network.second[0].clone())

    def forward(self, x):
        h = torch.einsum("npd,jrd->npjr", x, self.w)
        if self.config.normalise:
            h = h / h.square().mean((0, 1)).sqrt()
        name = self.config.activation
        power = int(name[-1]) if name[-1].isdigit() else {"square": 2}.get(name, 1)
        a = (h.relu() if name.startswith("relu") else h) ** power
        sides = torch.einsum("npjr,jrp->nj", a, self.v.expand(-1, -1, x.shape[1]))
        sides = sides / (self.config.neurons if self.config.scale == "mean" else 1)
        return sides[:, 0] - sides[:, 1] if self.config.sides == 2 else sides[:, 0]


SETTINGS = [
    *(
        {"activation": name, "output": output}
        for name, output in product(ACTIVATIONS, ("fixed", "shared", "per-patch"))
    ),
    {"scale": "sum", "output": "shared"},
    {"normalise": True, "activation": "identity", "output": "shared", "sides": 1, "neurons": 1},
    {"normalise": True, "output": "per-patch"},
]


@pytest.mark.parametrize("changes", SETTINGS, ids=lambda changes: "-".join(map(str, changes.values())))
@pytest.mark.parametrize("loss", ["logistic", "square"])
def test_training_is_sgd_of_the_same_network_in_torch(changes, loss):
    network, (x, y) = start(1, **changes), data(1)
    reference = Reference(network)
    learned = reference.parameters() if network.config.output != "fixed" else [reference.w]
    optimizer = torch.optim.SGD(learned, lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        f = reference(x[0])
        each = torch.nn.functional.softplus(-y[0] * f) if loss == "logistic" else (y[0] - f) ** 2 / 2
        each.mean().backward()
        optimizer.step()
    for method in ("weights", "gram"):
        trained = train_patches(network, x, y, steps=20, rate=0.1, loss=loss, method=method)
        assert near(trained.weights[0], reference.w.detach(), 1e-10)
        assert near(trained.second[0], reference.v.detach(), 1e-10)
        assert near(trained(x)[0], reference(x[0]).detach(), 1e-10)


@pytest.mark.parametrize(
    ("changes", "batch"), [({}, None), ({"activation": "relu2", "output": "per-patch"}, 4), ({"output": "shared"}, 1)]
)
def test_weights_and_inner_products_agree_over_a_thousand_steps(changes, batch):
    network, (x, y) = start(**changes), data()
    both = [train_patches(network, x, y, steps=1000, rate=0.1, batch=batch, method=m) for m in ("weights", "gram")]
    moved = (both[0].weights - network.weights).abs().max()
    assert moved > 0.1
    assert near(both[0].weights, both[1].weights, 1e-8)
    assert near(both[0].second, both[1].second, 1e-8)


def test_a_batch_is_its_networks_one_by_one_and_float32_is_near():
    network, (x, y) = start(output="shared"), data()
    for method in ("weights", "gram"):
        together = train_patches(network, x, y, steps=30, rate=0.1, method=method)
        for i in range(2):
            one = replace(network, weights=network.weights[i : i + 1], second=network.second[i : i + 1])
            alone = train_patches(one, x[i : i + 1], y[i : i + 1], steps=30, rate=0.1, method=method)
            assert near(alone.weights[0], together.weights[i], 1e-12)
        single = replace(network, weights=network.weights.float(), second=network.second.float())
        found = train_patches(single, x.float(), y, steps=30, rate=0.1, method=method)
        assert found.weights.dtype == found(x.float()).dtype == torch.float32
        assert near(found.weights, together.weights, 1e-5)


def test_samples_with_other_numbers_of_distinct_patches_go_together():
    x, y = data()
    x[1, 3] = x[1, 4]
    network = start()
    both = [train_patches(network, x, y, steps=30, rate=0.1, method=m).weights for m in ("weights", "gram")]
    assert near(both[0], both[1], 1e-12)
    assert PatchGram.of(x.numpy()).products.shape == (2, 14, 20), "ten noise patches, four centres"


def test_a_penalty_is_part_of_the_loss_and_a_mix_of_the_points():
    """Weight decay shrinks what is not taught; labels mixed evenly teach nothing to a network of zero output."""
    network, (x, y) = start(output="shared"), data()
    decay = lambda net, x, y: 0.5 * net.weights.square().sum()  # noqa: E731
    plain = train_patches(network, x, y, steps=1, rate=0.1).weights
    decayed = train_patches(network, x, y, steps=1, rate=0.1, penalty=decay)
    assert near(decayed.weights, plain - 0.1 * network.weights, 1e-12)
    mixed = train_patches(network, x, y, steps=5, rate=0.1, mix=lambda x, y, generator: (x * 0, y * 0))
    assert torch.equal(mixed.weights, network.weights)
    with pytest.raises(InputError, match="`method` must be"):
        train_patches(network, x, y, steps=1, rate=0.1, penalty=decay, method="gram")


class Doubled(Step):
    """Slopes twice as large."""

    def __call__(self, h, v, y, trained=True):
        f, dh, dv = super().__call__(h, v, y, trained)
        return f, 2 * dh, dv


def test_a_step_may_be_replaced_in_both_ways_of_training():
    network, (x, y) = start(), data()
    twice = train_patches(network, x, y, steps=20, rate=0.2).weights
    for method in ("weights", "gram"):
        doubled = train_patches(network, x, y, steps=20, rate=0.1, step=Doubled(), method=method).weights
        assert near(doubled, twice, 1e-12)


@pytest.mark.parametrize("method", ["weights", "gram"])
def test_moments_show_networks_and_may_stop(method):
    network, (x, y), seen = start(normalise=True), data(), []

    def watch(moment):
        now = moment.network()
        assert near(moment.outputs, now(x if moment.rows is None else x[:, moment.rows]), 1e-10)
        seen.append((moment.step, now.weights.clone()))
        return moment.step == 3

    found = train_patches(network, x, y, steps=10, rate=0.1, method=method, on_step=watch)
    assert [step for step, _ in seen] == [0, 1, 2, 3]
    assert torch.equal(seen[-1][1], found.weights)
    assert near(seen[0][1], network.weights)
    steps = []
    train_patches(start(), x, y, steps=4, rate=0.1, batch=3, method=method, on_step=lambda m: steps.append(len(m.rows)))
    assert steps == [3] * 5


def test_every_epoch_visits_every_point():
    for n, batch in ((12, 4), (10, 4), (7, 7), (5, 1)):
        order = visits(n, 40, batch, seed=1)
        assert order.shape == (40, batch)
        assert all(len(set(step)) == batch for step in order.tolist())
        counts = np.bincount(order.ravel(), minlength=n)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(visits(12, 4, 4, seed=1), visits(12, 4, 4, seed=2))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"x": torch.ones(2, 10, 2, 29, dtype=torch.float64)}, "x"),
        ({"x": torch.ones(2, 10, 2, 30)}, "x"),
        ({"x": torch.full((2, 10, 2, 30), torch.nan, dtype=torch.float64)}, "x"),
        ({"y": torch.zeros(2, 10)}, "y"),
        ({"rate": 0.0}, "rate"),
        ({"rate": 1e200, "loss": "square", "steps": 50}, "rate"),
        ({"steps": 0}, "steps"),
        ({"batch": 11}, "batch"),
        ({"loss": "hinge"}, "loss"),
        ({"method": "kernel"}, "method"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@pytest.mark.parametrize("way", ["weights", "gram"])
def test_bad_training(changes, name, way):
    x, y = data()
    arguments = {"x": x, "y": y, "steps": 2, "rate": 0.1, "method": way} | changes
    with pytest.raises(InputError, match=rf"`{name}` must be .*, got .*; "):
        train_patches(start(activation="relu2"), **arguments)


@pytest.mark.parametrize(
    "changes",
    [
        {"start": np.zeros((1, 4, 2))},
        {"y": np.full((1, 4), 2.0)},
        {"second": np.ones((1, 3, 5))},
        {"rate": -1.0},
        {"steps": -1},
    ],
)
def test_bad_recursions(changes):
    patches = PatchGram.of(np.eye(8).reshape(1, 4, 2, 8))
    arguments = {
        "y": np.ones((1, 4)),
        "start": np.zeros((1, 4, 2, 5)),
        "second": np.ones((1, 1, 5)),
        "rate": 1.0,
        "steps": 1,
    }
    gram_descent(patches, **arguments)
    with pytest.raises(InputError, match=r"must be .*, got .*; "):
        gram_descent(patches, **(arguments | changes))
    for x in (np.zeros((4, 2, 8)), np.full((1, 4, 2, 8), np.nan)):
        with pytest.raises(InputError, match="`x` must be"):
            PatchGram.of(x)
