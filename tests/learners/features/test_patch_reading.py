"""What patch networks know: readings against plain products, errors on fresh points against points drawn in d dimensions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.learners.features import (
    PatchNetConfig,
    active_share,
    fresh_error,
    initialise_patches,
    memory,
    signal,
    stack,
    train_patches,
)
from twopart.worlds.features import CommonRare, SignalNoise, Signed, StrongWeak, Xor

WORLDS = [
    SignalNoise(Xor(1.6, 0.3), dimension=30, noise=0.5, flips=0.1),
    SignalNoise(Signed(0.6), dimension=30, noise=0.5, noise_on="all"),
    SignalNoise(CommonRare(1.0, 1.0, 0.2, 0.5), dimension=30, noise=0.5, patches=3, slots="apart"),
    SignalNoise(StrongWeak(1.0, 0.5, 0.3), dimension=30, noise=0.5).without("strong"),
]


def trained(world, **changes):
    """Two networks, each of its own world."""
    worlds = [replace(world, seed=seed) for seed in (1, 2)]
    samples = [w.sample(20) for w in worlds]
    x, y = stack(samples)
    config = PatchNetConfig(**({"neurons": 4, "initial": 0.1} | changes))
    network = initialise_patches(config, 30, [1, 2], patches=world.patches, dtype=torch.float64)
    return worlds, samples, train_patches(network, x, y, steps=100, rate=0.5)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world.features).__name__)
@pytest.mark.parametrize("output", ["fixed", "per-patch"])
def test_error_on_fresh_points_is_that_on_a_sample(world, output):
    worlds, _, network = trained(world, output=output)
    points = 20_000
    found = fresh_error(network, worlds, points, seed=3)
    for i, own in enumerate(worlds):
        sample = own.sample(points, stream=9)
        one = replace(network, weights=network.weights[i : i + 1], second=network.second[i : i + 1])
        wrong = one(torch.from_numpy(sample.x[None]).double())[0].sign().numpy() != sample.clean
        error = wrong.mean()
        assert 0.001 < error < 0.6
        assert float(found[i]) == pytest.approx(error, abs=5 * np.sqrt(2 * max(error, 0.01) / points))


def test_readings_are_inner_products():
    worlds, samples, network = trained(WORLDS[0])
    for i, (world, sample) in enumerate(zip(worlds, samples, strict=True)):
        assert signal(network, worlds)[i].numpy() == pytest.approx(network.weights[i].numpy() @ world.directions.T)
        products = network.weights[i].numpy() @ sample.x[:, 1].T
        assert memory(network, samples)[i].numpy() == pytest.approx(products, abs=1e-5)
        positive = [products[0][:, sample.label == 1] > 0, products[1][:, sample.label == -1] > 0]
        assert float(active_share(network, samples)[i]) == pytest.approx(np.concatenate(positive, 1).mean())


def test_a_network_without_an_answer_errs_half_the_time():
    world = WORLDS[0]
    network = initialise_patches(PatchNetConfig(2), 30, [0])
    silent = replace(network, weights=network.weights * 0)
    assert float(fresh_error(silent, world, 1000)[0]) == pytest.approx(0.5)


def test_bad_questions():
    worlds, samples, network = trained(WORLDS[0])
    wrong = (worlds[:1], replace(worlds[0], dimension=40), [worlds[0], replace(worlds[1], features=Xor(2.0))])
    for each in wrong:
        with pytest.raises(InputError, match="`worlds` must be"):
            signal(network, each)
    with pytest.raises(InputError, match="`points` must be"):
        fresh_error(network, worlds, 0)
    with pytest.raises(InputError, match="`samples` must be"):
        stack([samples[0], worlds[1].sample(3)])
    shuffled = replace(WORLDS[0], slots="random")
    with pytest.raises(InputError, match="`slots` must be"):
        fresh_error(trained(WORLDS[0], output="per-patch")[2], shuffled)
    some = SignalNoise(StrongWeak(), dimension=30)
    with pytest.raises(InputError, match="`samples` must be"):
        memory(network, [some.sample(10), some.sample(20)])
