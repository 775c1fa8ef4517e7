"""Distances between distributions: W2 of Gaussians, on the line and sliced; energy distance; Fréchet's of features.

And of samples to the points that a model was trained on: `memorisation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real

BLOCK = 2**18  # distances held at once: more leave the cache


def gaussian_w2(mean: ArrayLike, covariance: ArrayLike, to_mean: ArrayLike, to_covariance: ArrayLike) -> Floats:
    """The Wasserstein distance of order 2 between Gaussians, shape (...), of means (..., d) and covariances (..., d, d).

    W2² = |m - m'|² + tr(C + S - 2 (S^½ C S^½)^½) (Gelbrich 1990). Of other laws with these moments it is a lower bound.
    Raises `InputError` for shapes that do not fit and values that are not finite.
    """
    m, C, n, S = (np.asarray(v, float) for v in (mean, covariance, to_mean, to_covariance))
    for name, matrix, centre in (("covariance", C, m), ("to_covariance", S, n)):
        square = matrix.ndim >= 2 and matrix.shape[-1] == matrix.shape[-2] == (centre.shape or (0,))[-1]
        check(square, name, matrix.shape, f"of shape (..., d, d) for means of shape {centre.shape}", "mind d")
        fine = bool(np.isfinite(matrix).all() and np.isfinite(centre).all())
        check(fine, name, "nan or infinite entries", "finite, like its mean", "a chain may have diverged")
    values, vectors = np.linalg.eigh(S)
    root = (vectors * np.sqrt(values.clip(0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    cross = np.sqrt(np.linalg.eigvalsh(root @ C @ root).clip(0)).sum(-1)
    spread = np.trace(C, axis1=-2, axis2=-1) + np.trace(S, axis1=-2, axis2=-1) - 2 * cross
    return np.asarray(np.sqrt(np.square(m - n).sum(-1) + spread.clip(0)))


def quantile_w2(values: ArrayLike, to: ArrayLike) -> float:
    """W2 between two samples of one size on the line, (n,): the root mean square difference of the sorted values."""
    a, b = (np.sort(np.asarray(v, float)) for v in (values, to))
    check(a.shape == b.shape and a.ndim == 1 and len(a) > 0, "to", b.shape, f"of shape {a.shape}", "draw as many")
    return float(np.sqrt(np.mean((a - b) ** 2)))


def sliced_w2(x: ArrayLike, to: ArrayLike, *, directions: int = 200, seed: int = 0) -> float:
    """The root mean square of `quantile_w2` over random directions, for samples (n, d) of one size (Bonneel et al. 2015)."""
    a, b = _both(x, to)
    check(len(a) == len(b), "to", len(b), f"as many points as `x` has, {len(a)}", "draw as many")
    random = np.random.default_rng(seed)
    ways = random.standard_normal((check_integer("directions", directions, 1, None, "more are finer"), a.shape[1]))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return float(np.sqrt(np.mean([np.mean((np.sort(a @ way) - np.sort(b @ way)) ** 2) for way in ways])))


class TwoSample(NamedTuple):
    """A distance between two samples, and what it would be if both had one law."""

    value: float
    p: float
    """Share of permutations (the given split is one) with a distance at least as large."""
    null: Floats
    """The distances under random permutations."""


def energy_distance(x: ArrayLike, to: ArrayLike, *, permutations: int = 0, seed: int = 0) -> TwoSample:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| of samples (n, d) and (m, d) (Székely & Rizzo 2013), 0 for equal laws alone.

    Of the points as they are (V-statistic, never negative; scipy's on the line is its root). All distances are held at once.
    """
    a, b = _both(x, to)
    n, whole = len(a), np.concatenate([a, b])
    apart = cdist(whole, whole)
    count = check_integer("permutations", permutations, 0, None, "0 gives the distance alone")
    random = np.random.default_rng(seed)

    def of(order: NDArray[np.int64]) -> float:
        side = np.full(len(whole), -1 / (len(whole) - n))
        side[order[:n]] = 1 / n
        return float(-side @ apart @ side)

    value = of(np.arange(len(whole)))
    null = np.array([of(random.permutation(len(whole))) for _ in range(count)])
    return TwoSample(value, float((1 + np.sum(null >= value * (1 - 1e-9))) / (1 + count)), null)


def frechet_distance(features: ArrayLike, to: ArrayLike) -> float:
    """W2² of the Gaussians with the moments of two samples of features (n, d), as of FID (Heusel et al. 2017)."""
    a, b = _both(features, to)
    moments = [(part.mean(0), np.atleast_2d(np.cov(part.T, bias=True))) for part in (a, b)]
    return float(gaussian_w2(*moments[0], *moments[1]) ** 2)


class Memorised(NamedTuple):
    """Which samples are copies of training points."""

    share: float
    """Of samples whose ratio is below the threshold."""
    ratios: Floats
    """Distance to the nearest training point over that to the second nearest, shape (n,)."""
    nearest: NDArray[np.int64]
    """Row of the nearest training point, shape (n,); of equal ones the first."""


def memorisation(
    samples: ArrayLike, training: ArrayLike, *, ratio: float = 1 / 3, features: Callable[[Any], ArrayLike] | None = None
) -> Memorised:
    """Samples (n, ...) that lie `ratio` times as far from one training point (m, ...) as from any other one, or nearer.

    `features` maps each set to (n, ...) before distances are taken. Equal training points count as one. The ratio tells copies
    in few dimensions, or where samples collapse onto points; elsewhere see `learners.diffusion.train_test_gap`. Block by block,
    so that sets may be large. Source: Bonnaire et al. 2025, arXiv 2505.17638; after Yoon et al. 2023. Raises `InputError` for
    shapes that do not fit and fewer than two different training points.
    """
    below = check_real("ratio", ratio, 0, 1, "1/3 is usual", closed="(]")
    sets = (np.asarray(part if features is None else features(part)) for part in (samples, training))
    flat, known = (part.reshape(len(part), -1) for part in sets)
    x: Floats = finite("samples", flat, (None, None), "one row for each sample")
    y: Floats = finite("training", known, (None, x.shape[1]), "points like `samples`")
    y, first = np.unique(y, axis=0, return_index=True)
    check(len(y) > 1, "training", len(y), "two or more different points", "a ratio needs a second nearest")
    found, sizes = [], np.square(y).sum(1)
    for rows in np.array_split(x, range(BLOCK // len(y) + 1, len(x), BLOCK // len(y) + 1)):
        square = sizes - 2 * rows @ y.T
        closest = square.argmin(1)
        np.put_along_axis(square, closest[:, None], np.inf, 1)
        two = np.stack([closest, square.argmin(1)], 1)
        apart = np.linalg.norm(rows[:, None] - y[two], axis=2)  # exact: products cancel where samples are copies
        near = apart.argmin(1)
        found.append((apart.min(1) / apart.max(1), first[np.take_along_axis(two, near[:, None], 1)[:, 0]]))
    ratios, nearest = (np.concatenate(part) for part in zip(*found, strict=True))
    return Memorised(float(np.mean(ratios < below)), ratios, nearest)


def _both(x: ArrayLike, to: ArrayLike) -> tuple[Floats, Floats]:
    a: Floats = finite("x", x, (None, None), "one row for each point")
    b: Floats = finite("to", to, (None, a.shape[1]), "points like those of `x`")
    return a, b
