"""Which samples are copies: against all distances, with equal points, images and features."""

import numpy as np
import pytest
import torch

from twopart._checks import InputError
from twopart.fits import distances
from twopart.fits.distances import memorisation


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memorised_samples_are_those_of_brute_force(dtype, monkeypatch):
    """Against all distances, in blocks of a few rows; copies, and images through features."""
    random = np.random.default_rng(0)
    training = random.normal(size=(30, 2, 3)).astype(dtype)
    samples = np.concatenate([random.normal(size=(40, 2, 3)), training[:5], training[7:9] + 1e-4]).astype(dtype)
    monkeypatch.setattr(distances, "BLOCK", 200)
    found = memorisation(samples, training, ratio=0.6)
    apart = np.linalg.norm((samples[:, None] - training).astype(float).reshape(len(samples), 30, -1), axis=2)
    rows = np.sort(apart, 1)
    assert np.allclose(found.ratios, rows[:, 0] / rows[:, 1], atol=1e-6)
    assert found.share == np.mean(rows[:, 0] < 0.6 * rows[:, 1])
    assert np.array_equal(found.nearest, apart.argmin(1))
    assert memorisation(samples[40:], training).share == 1
    first = memorisation(samples, training, features=lambda x: x[:, 0])
    assert np.allclose(first.ratios, memorisation(samples[:, 0], training[:, 0]).ratios)
    x = torch.from_numpy(samples)
    assert np.allclose(memorisation(x, torch.from_numpy(training)).ratios, found.ratios)


def test_equal_training_points_are_one():
    training = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    found = memorisation([[0.0, 0.0], [0.9, 0.0], [0.4, 0.0]], training)
    assert np.allclose(found.ratios, [0, 1 / 9, 2 / 3])
    assert found.nearest.tolist() == [0, 1, 0]
    assert found.share == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: memorisation(np.ones((2, 3)), np.ones((4, 2))), "`training` must be of shape"),
        (lambda: memorisation(np.full((2, 2), np.nan), np.ones((4, 2))), "`samples` must be finite"),
        (lambda: memorisation(np.ones((2, 2)), np.ones((4, 2))), "`training` must be two or more different"),
        (lambda: memorisation(np.ones((2, 2)), np.eye(2), ratio=0.0), "`ratio` must be"),
    ],
)
def test_memorisation_refuses(call, said):
    with pytest.raises(InputError, match=said):
        call()
