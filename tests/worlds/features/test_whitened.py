"""Regression of exact covariance: what is promised holds in the sample itself."""

import math

import numpy as np
import pytest

from twopart.worlds.features import Whitened


@pytest.mark.parametrize("covariance", [None, [[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 0.3]]])
def test_covariance_solution_and_noise_are_exact(covariance):
    x, y, w = Whitened(12, 3, 1.5, 0.4, covariance).sample()
    Σ = np.eye(3) if covariance is None else np.array(covariance)
    assert x.T @ x / 12 == pytest.approx(Σ, abs=1e-12)
    assert np.linalg.lstsq(x, y, rcond=None)[0] == pytest.approx(w, abs=1e-12)
    assert math.sqrt(w @ Σ @ w) == pytest.approx(1.5)
    assert np.square(y - x @ w).mean() == pytest.approx(0.16)


def test_streams_and_seeds_differ_and_repeat():
    world = Whitened(12, 3)
    assert all(np.array_equal(a, b) for a, b in zip(world.sample(1), Whitened(12, 3).sample(1), strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(world.sample(), world.sample(1), strict=True))
    assert not np.array_equal(world.sample()[0], Whitened(12, 3, seed=1).sample()[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dimension": 1}, "`dimension`"),
        ({"points": 3}, "`points` must be a whole number >= 4"),
        ({"target_norm": 0.0}, "`target_norm`"),
        ({"noise": math.nan}, "`noise`"),
        ({"covariance": np.eye(2)}, "`covariance` must be of shape"),
        ({"covariance": [[1, 2, 0], [2, 1, 0], [0, 0, 1]]}, "`covariance` must be symmetric, with eigenvalues > 0"),
        ({"covariance": [[1, 1, 0], [0, 1, 0], [0, 0, 1]]}, "`covariance` must be symmetric"),
        ({"covariance": np.full((3, 3), math.nan)}, "`covariance` must be finite"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        Whitened(**{"points": 12, "dimension": 3, **arguments})
