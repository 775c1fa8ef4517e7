"""The law of feature averaging: what gradient descent makes of orthogonal clusters, and how little it takes to break it.

Setting: the orthogonal-cluster world with k clusters in R^D, q of them in the class opposite to a point's own; a two-layer
ReLU network of small initial weights. All radii are Euclidean. Derived in docs/laws/feature-averaging.md, with constants
where Li, Pan, Lyu, Li (arXiv 2410.10322) give orders; checked in tests/laws/features/test_feature_averaging.py.

    coefficient            <w, μ_j> over training time: every neuron of a class grows alike along each of its centres
    share                  what it takes off along each centre of the other class, as a fraction of that
    averaged_radius        √(D/k): the smallest perturbation that flips a centre, for the averaged network
    decoupled_radius       √(D/2): the same for a network with a neuron group per cluster, and the most anybody can reach
    summed_radius          about √(D/(1+q)): decoupled groups whose outputs are added up within a class
    averaged_accuracy, decoupled_accuracy, accuracy_bound      the share of noisy points that a radius leaves right
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from twopart._checks import check, check_integer, check_real
from twopart.worlds.features import OrthogonalClusters

Floats = NDArray[np.float64]


def coefficient(time: ArrayLike, outputs: int = 2) -> Any:
    """γ(τ), the coefficient <w, μ_j> of a neuron along a centre of its own class: the root of γ + e^γ/(C-1) = τ + 1/(C-1).

    τ = (n_j/n) (D/m) η t >= 0: learning rate η, step t, m neurons per output, n_j of the n samples in the cluster.
    C = `outputs`, at least 2, is 2 for binary labels and k for cluster labels. From the gradient flow
    γ' = (C-1)/(e^γ + C-1), γ(0) = 0.
    """
    time = np.asarray(time, float)
    check(bool(np.all((time >= 0) & np.isfinite(time))), "time", time, ">= 0 and finite", "it starts at 0")
    others = check_integer("outputs", outputs, 2, None, "a classifier has two outputs or more") - 1

    def root(tau: float) -> float:
        return float(brentq(lambda g: g + np.expm1(g) / others - tau, 0, min(tau, np.log1p(others * tau)) + 1e-12))

    values = np.array([root(tau) for tau in time.ravel()]).reshape(time.shape)
    return float(values) if values.ndim == 0 else values


def share(world: OrthogonalClusters, outputs: int = 2) -> float:
    """s, by which weights point away from a centre that is not their own: w ∝ Σ_own μ - s Σ_others μ.

    The root of (C-1) s = Φ(-s √(D/p)/σ) with C = `outputs` and p = k/C own centres: noise keeps switching a neuron on at
    points of other clusters, and each time they push it off, until it is seldom enough.
    """
    others = check_integer("outputs", outputs, 2, None, "a classifier has two outputs or more") - 1
    own = world.clusters / outputs
    if world.noise == 0:
        return 0.0
    spread = world.noise * np.sqrt(own / world.dimension)
    return float(brentq(lambda s: others * s - ndtr(-s / spread), 0, 1))


def averaged_radius(world: OrthogonalClusters) -> float:
    """√(D/k). It is also the margin of the best linear classifier of the centres."""
    return float(np.sqrt(world.dimension / world.clusters))


def decoupled_radius(world: OrthogonalClusters) -> float:
    """√(D/2), half the distance between two centres: no classifier is right about both up to a larger radius."""
    return float(np.sqrt(world.dimension / 2))


def summed_radius(world: OrthogonalClusters, share: float = 0.0) -> float:
    """√D (1 + q s)/√((1 + q s)² + q (1 - (q-2) s)² + (p-1) ((q-1) s)²): outputs of decoupled groups added up.

    For a point of the class that has more clusters against it, q, and p of its own; `share` is s, in [0, 1/k]. Without it,
    √(D/(1+q)): of the order of the averaged radius.
    """
    positive = int(world.is_positive.sum())
    p, q = sorted((positive, world.clusters - positive))
    s = check_real("share", share, 0, 1 / world.clusters, "it is that of `share(world, k)`")
    own, opposite, beside = 1 + q * s, 1 - (q - 2) * s, (q - 1) * s
    return float(np.sqrt(world.dimension) * own / np.sqrt(own**2 + q * opposite**2 + (p - 1) * beside**2))


def memorised(world: OrthogonalClusters, samples: int) -> float:
    """k/n: what the noise of the n training points adds to the square of a gradient's norm, relative to the centres' part."""
    return world.clusters / check_integer("samples", samples, 1, None, "it is the size of the training set")


def averaged_accuracy(radius: ArrayLike, world: OrthogonalClusters) -> Any:
    """Φ((√(D/k) - ε)/σ): the averaged network is linear where it is attacked, so a point's distance is normal."""
    return _step(averaged_radius(world) - np.asarray(radius, float), world.noise)


def accuracy_bound(radius: ArrayLike, world: OrthogonalClusters) -> Any:
    """Φ((√(D/2) - ε)/σ): no classifier is right on more, if the classes have equally many clusters.

    Pair each cluster with one of the other class; for a pair, the best robust classifier is the bisector (Bhagoji,
    Cullina, Mittal 2019, arXiv 1909.12272).
    """
    equal = 2 * int(world.is_positive.sum()) == world.clusters
    check(equal, "world", world, "of equally many clusters in each class", "the bound pairs them off")
    return _step(decoupled_radius(world) - np.asarray(radius, float), world.noise)


def decoupled_accuracy(radius: ArrayLike, world: OrthogonalClusters) -> Any:
    """E[Φ(z + √2 (√(D/2) - ε)/σ)^q], z ~ N(0, 1): the nearest of q opposite centres decides.

    The distance to the bisector with centre j is √(D/2) + σ (z - z_j)/√2; that another own centre may come nearer than
    both is neglected.
    """
    room = decoupled_radius(world) - np.asarray(radius, float)
    if world.noise == 0:
        return _step(room, 0.0)
    z, weights = _normal_rule()
    inside = ndtr(z + np.sqrt(2) * room[..., None] / world.noise)
    accuracy = sum(
        (world.is_positive == side).mean() * (inside**opposite) @ weights
        for side, opposite in ((True, (~world.is_positive).sum()), (False, world.is_positive.sum()))
    )
    return np.clip(accuracy, 0.0, 1.0)


def decoupled_median(world: OrthogonalClusters) -> float:
    """The radius that leaves half of the points right."""
    top = decoupled_radius(world)
    return float(brentq(lambda r: float(decoupled_accuracy(r, world)) - 0.5, top - 12 * world.noise - 1, top + 1))


@cache
def _normal_rule() -> tuple[Floats, Floats]:
    """Points and weights of an expectation over N(0, 1); found once, as they are eigenvalues."""
    z, weights = hermegauss(100)
    return z, weights / weights.sum()


def _step(room: Floats, noise: float) -> Any:
    return ndtr(room / noise) if noise > 0 else np.where(room > 0, 1.0, 0.0)
