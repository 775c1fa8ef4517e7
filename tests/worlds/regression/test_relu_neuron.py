"""The ReLU-neuron world against integration on a grid of angles, plain sums over axes, and its own samples."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy.integrate import dblquad

from twopart._checks import InputError
from twopart.worlds.regression import ReluNeuron
from twopart.worlds.regression.relu_neuron import Kind

SIGMAS = 5.0  # a false alarm in two million


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.5, 2.9, np.pi])
def test_the_overlap_is_the_integral(angle):
    """E relu(u) relu(v) over the plane that two neurons span, in polar coordinates: ∫ r³ e^(-r²/2) dr = 2."""
    λ, a, b = np.array([2.0, 0.5]), np.array([1.0, 0.0]), np.array([np.cos(angle), 2 * np.sin(angle)])
    found = dblquad(
        lambda r, t: r**3 * np.exp(-r * r / 2) * max(np.cos(t), 0) * max(np.cos(t - angle), 0) / (2 * np.pi),
        -np.pi / 2,
        np.pi / 2,
        0,
        12,
        epsabs=1e-8,
    )[0]
    assert ReluNeuron(λ, b).overlap(a, b) == pytest.approx(2 * found, abs=1e-7)
    assert ReluNeuron(λ, b).excess(a) == pytest.approx(1 + 1 - 4 * found, abs=1e-7)


def test_limits_of_the_risk():
    λ, w = np.array([1.0, 0.25]), np.array([1.0, -2.0])
    world = ReluNeuron(λ, w)
    assert world.excess(w) == pytest.approx(0, abs=1e-15)
    assert world.excess(-w) == pytest.approx(λ @ w**2)
    assert world.excess(0 * w) == pytest.approx(λ @ w**2 / 2)
    near = w * (1 + 1e-4)
    assert world.excess(near) == pytest.approx(λ @ (near - w) ** 2 / 2, rel=1e-6)
    assert ReluNeuron([0.3, 0.7], [1.0, -1.0], inputs="bernoulli").excess([2.0, 1.0]) == pytest.approx(0.15 + 0.7)


@pytest.mark.parametrize("inputs", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("kind", get_args(Kind))
def test_loss_excess_and_moments_are_those_of_samples(inputs, kind):
    world = ReluNeuron.power(3, decay=1.0, noise=0.3, inputs=inputs, kind=kind, share=0.2, seed=5)
    x, y = world.sample(40_000)
    for w in (world.best, np.array([0.5, 0.4, -1.0])):
        loss = np.square(y - np.maximum(x @ w, 0))
        error = SIGMAS * loss.std() / np.sqrt(len(x))
        assert loss.mean() == pytest.approx(world.optimal_loss + world.excess(w), abs=error)
    products = x * y[:, None]
    z = (products.mean(0) - world.cross_moment) / (products.std(0) / np.sqrt(len(x)))
    assert np.abs(z).max() < SIGMAS
    square = np.square(x)
    assert np.abs((square.mean(0) - world.spectrum) / (square.std(0) / np.sqrt(len(x)))).max() < SIGMAS
    assert world.excess(np.stack([world.best, -world.best])).shape == (2,)


def test_the_best_neuron_is_the_best():
    """With mirrored labels; by descent in the excess itself."""
    world = ReluNeuron.power(3, kind="mirrored", share=0.3)
    tries = world.best + np.random.default_rng(0).normal(size=(2000, 3)) * 0.2
    assert world.excess(world.best) == pytest.approx(0)
    assert world.excess(tries).min() > 0
    assert world.excess(0.4 * world.optimum) == pytest.approx(0.3**2 / 2), "where GLM-tron ends"


def test_samples_are_addressable():
    world = ReluNeuron.power(4, inputs="bernoulli")
    x, y = world.sample(50, stream=3, dtype=np.float32)
    assert (x.dtype, y.dtype) == (np.float32, np.float32)
    assert set(np.abs(x).sum(1)) == {1.0}
    assert np.array_equal(x, world.sample(50, stream=3)[0])
    assert not np.array_equal(x, world.sample(50, stream=4)[0])
    assert not np.array_equal(x, replace(world, seed=1).sample(50, stream=3)[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"eigenvalues": [0.5, -0.1]}, "`eigenvalues` must be >= 0, got -0.1"),
        ({"eigenvalues": [0.5, np.nan]}, "`eigenvalues` must be finite"),
        ({"truth": [1.0]}, "`truth` must be of shape \\(2,\\)"),
        ({"noise": -1}, "`noise` must be"),
        ({"share": 0.5}, "`share` must be"),
        ({"kind": "noisy"}, "`kind` must be one of"),
        ({"inputs": "uniform"}, "`inputs` must be one of"),
        ({"inputs": "bernoulli", "eigenvalues": [0.5, 0.4]}, "`eigenvalues` must be of sum 1"),
    ],
)
def test_bad_worlds_are_refused(change, said):
    with pytest.raises(InputError, match=said):
        replace(ReluNeuron([0.5, 0.5], [1.0, -1.0]), **change)
    with pytest.raises(InputError, match="`weights` must be"):
        ReluNeuron([0.5, 0.5], [1.0, -1.0]).excess([1.0])
