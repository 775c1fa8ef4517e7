"""The two-layer network: its gradient descent against PyTorch's own, batches against single networks, refused input."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners.features import TwoLayer, TwoLayerConfig, initialise, train_two_layer


def data(B, n, D, C, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, n, D, generator=generator), torch.randint(C, (B, n), generator=generator)


class Reference(torch.nn.Module):
    """F_c(x) = (1/m) Σ_r ReLU(<w_cr, x> + b_cr), written with PyTorch's layers."""

    def __init__(self, weights, biases):
        super().__init__()
        C, m, D = weights.shape
        self.first = torch.nn.Linear(D, C * m)
        self.first.weight.data, self.first.bias.data = weights.reshape(C * m, D).clone(), biases.reshape(-1).clone()
        self.C = C

    def forward(self, x):
        return self.first(x).relu().unflatten(1, (self.C, -1)).mean(2)


@pytest.mark.parametrize(("outputs", "neurons"), [(2, 1), (2, 5), (7, 3)])
def test_training_is_sgd_on_the_cross_entropy(outputs, neurons):
    config = TwoLayerConfig(outputs, neurons, steps=25, learning_rate=0.7, initial=0.1)
    x, labels = data(1, 40, 6, outputs)
    start = initialise(config, 6, [3])
    reference = Reference(start.weights[0], start.biases[0])
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.7)
    for _ in range(25):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(reference(x[0]), labels[0]).backward()
        optimizer.step()
    trained = train_two_layer(config, start, x, labels)
    assert torch.allclose(trained.weights[0].flatten(0, 1), reference.first.weight, atol=1e-5)
    assert torch.allclose(trained.biases.flatten(), reference.first.bias, atol=1e-5)
    assert torch.allclose(trained.outputs(x)[0], reference(x[0]), atol=1e-5)


def test_two_outputs_are_the_logistic_loss_of_their_difference():
    x, labels = data(1, 30, 4, 2)
    network = initialise(TwoLayerConfig(2, 3, 1, 1.0, 1.0), 4, [1])
    scores = network.outputs(x)[0]
    difference = scores[:, 1] - scores[:, 0]
    logistic = torch.log1p(torch.exp(-(2 * labels[0] - 1) * difference)).mean()
    assert float(torch.nn.functional.cross_entropy(scores, labels[0])) == pytest.approx(float(logistic), rel=1e-5)


def test_a_batch_is_its_networks_one_by_one():
    config = TwoLayerConfig(3, 4, steps=10, learning_rate=0.5, initial=0.1)
    x, labels = data(4, 20, 5, 3)
    together = train_two_layer(config, initialise(config, 5, [1, 2, 3, 4]), x, labels)
    for i in range(4):
        alone = train_two_layer(config, initialise(config, 5, [i + 1]), x[i : i + 1], labels[i : i + 1])
        assert torch.allclose(alone.weights[0], together.weights[i], atol=1e-6)


def test_training_leaves_the_start_as_it_is_and_reports_every_step():
    config = TwoLayerConfig(2, 2, steps=3, learning_rate=0.5)
    x, labels = data(1, 10, 3, 2)
    start = initialise(config, 3, [0])
    kept, seen = start.weights.clone(), []
    train_two_layer(config, start, x, labels, lambda step, network: seen.append((step, network.weights.clone())))
    assert torch.equal(start.weights, kept)
    assert [step for step, _ in seen] == [0, 1, 2, 3]
    assert torch.equal(seen[0][1], kept)
    assert not torch.equal(seen[1][1], kept)


def test_initial_weights_are_small_and_differ_by_seed():
    network = initialise(TwoLayerConfig(2, 50, 1, 1.0, 0.01), 100, [5, 6])
    assert float(network.weights.std()) == pytest.approx(0.01, rel=5 / np.sqrt(2 * network.weights.numel()))
    assert not torch.equal(network.weights[0], network.weights[1])
    again = initialise(TwoLayerConfig(2, 50, 1, 1.0, 0.01), 100, [6])
    assert torch.equal(again.weights[0], network.weights[1])


def test_a_leak_lets_a_part_through():
    network = TwoLayer(torch.tensor([[[[1.0]], [[-1.0]]]]), torch.zeros(1, 2, 1))
    assert network.outputs(torch.tensor([[[2.0]]]))[0, 0].tolist() == [2.0, 0.0]
    assert network.outputs(torch.tensor([[[2.0]]]), leak=0.25)[0, 0].tolist() == [2.0, -0.5]


@pytest.mark.parametrize(
    "change",
    [{"outputs": 1}, {"neurons": 0}, {"steps": 0}, {"learning_rate": 0.0}, {"initial": 0.0}, {"neurons": 2.5}],
)
def test_bad_settings(change):
    with pytest.raises(InputError, match=r"`\w+` must be .*, got .*; "):
        TwoLayerConfig(**{"outputs": 2, "neurons": 3, "steps": 4, "learning_rate": 0.1} | change)


def test_data_that_do_not_fit_and_rates_that_diverge_are_refused():
    config = TwoLayerConfig(2, 2, steps=5, learning_rate=1e30)
    x, labels = data(1, 10, 3, 2)
    with pytest.raises(InputError, match="`x` must be"):
        train_two_layer(config, initialise(config, 4, [0]), x, labels)
    with pytest.raises(InputError, match="`network` must be"):
        train_two_layer(config, initialise(TwoLayerConfig(3, 2, 5, 0.1), 3, [0]), x, labels)
    with pytest.raises(InputError, match="`learning_rate` must be"):
        train_two_layer(config, initialise(config, 3, [0]), x * 1e20, labels)
