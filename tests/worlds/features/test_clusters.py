"""Orthogonal clusters: centres, moments of the samples, streams, refused input."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

import twopart as tp
from twopart._checks import InputError
from twopart.worlds.features import OrthogonalClusters

ALARM = 1e-6


@given(st.integers(2, 40), st.integers(0, 30), st.integers(0, 2**63 - 1))
def test_centres_are_orthogonal_and_as_long_as_the_root_of_the_dimension(clusters, more, seed):
    world = OrthogonalClusters(clusters, clusters + more, positive=1, seed=seed)
    gram = world.centres @ world.centres.T
    assert gram == pytest.approx(np.eye(clusters) * (clusters + more), abs=1e-9 * (clusters + more))


def test_points_are_centres_with_normal_noise_and_clusters_uniform():
    world = OrthogonalClusters(6, 50, noise=0.5, seed=3)
    points = world.sample(40_000)
    noise = (points.x - world.centres[points.cluster]) / 0.5
    low, high = chi2.ppf([ALARM / 2, 1 - ALARM / 2], noise.size)
    assert low < np.square(noise).sum() < high
    counts = np.bincount(points.cluster, minlength=6)
    assert np.square(counts - 40_000 / 6).sum() / (40_000 / 6) < chi2.isf(ALARM, 5)
    assert np.abs(np.corrcoef(noise[:, :8].T) - np.eye(8)).max() < 6 / np.sqrt(40_000)


def test_points_have_their_density():
    """As a target: the density as a plain sum, and which cluster a point is of."""
    world = OrthogonalClusters(2, 3, noise=0.5, seed=3)
    points, target = world.sample(50), world.target()
    x = torch.from_numpy(points.x).double()
    apart = np.square(points.x[:, None] - world.centres).sum(2)
    density = np.exp(-apart / 0.5).mean(1) / (np.pi / 2) ** 1.5
    assert target.log_density(x).exp().numpy() == pytest.approx(density, rel=1e-4)
    assert (target.responsibilities(x).argmax(1).numpy() == points.cluster).mean() > 0.9


def test_labels_follow_clusters_and_the_last_ones_are_positive():
    world = OrthogonalClusters(5, 8, positive=2, seed=1)
    points = world.sample(300)
    assert world.is_positive.tolist() == [False, False, False, True, True]
    assert np.array_equal(points.label, points.cluster >= 3)
    assert len(points) == 300
    assert points.x.dtype == np.float32


def test_directions_of_centres_are_uniform():
    """The first coordinate of the first centre over worlds: mean 0, variance 1."""
    first = np.array([OrthogonalClusters(2, 4, seed=seed).centres[0, 0] for seed in range(2000)])
    assert abs(first.mean()) < 5 / np.sqrt(2000)
    assert np.var(first) == pytest.approx(1, abs=5 * np.sqrt(2 / 2000))


def test_a_stream_is_repeated_and_differs_from_the_next():
    world = OrthogonalClusters(4, 10, seed=9)
    assert np.array_equal(world.sample(20, stream=1).x, world.sample(20, stream=1).x)
    assert not np.array_equal(world.sample(20, stream=1).x, world.sample(20, stream=2).x)
    assert not np.array_equal(world.sample(20).x, OrthogonalClusters(4, 10, seed=8).sample(20).x)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"clusters": 20, "dimension": 10}, "clusters"),
        ({"clusters": 1, "dimension": 10}, "clusters"),
        ({"clusters": 5, "dimension": 10}, "clusters"),
        ({"clusters": 4, "dimension": 1}, "dimension"),
        ({"clusters": 4, "dimension": 8, "positive": 0}, "positive"),
        ({"clusters": 4, "dimension": 8, "positive": 4}, "positive"),
        ({"clusters": 4, "dimension": 8, "noise": -1.0}, "noise"),
        ({"clusters": 4, "dimension": 8, "noise": float("inf")}, "noise"),
        ({"clusters": 4, "dimension": 8, "seed": -1}, "seed"),
        ({"clusters": 4.0, "dimension": 8}, "clusters"),
    ],
)
def test_bad_worlds(arguments, name):
    with pytest.raises(InputError, match=rf"`{name}` must be .*, got .*; "):
        OrthogonalClusters(**arguments)


def test_bad_samples():
    world = tp.worlds.features.OrthogonalClusters(2, 4)
    with pytest.raises(InputError, match="`n` must be"):
        world.sample(0)
    with pytest.raises(InputError, match="`stream` must be"):
        world.sample(3, stream=-1)
