"""Concentration: how many neighbours samples have, the tail of those numbers, and how it differs from a reference's.

    tail_index_difference(samples, reference).difference    # > 0: locally more concentrated than the reference

Zhang et al. 2025 (arXiv 2508.16154) take the difference of Hill's estimators over samples and data. Radius, share and
normalisation are ours: they are not published.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.evidence.estimate import Estimate, exact, mean

NEIGHBOUR = 10  # whose median distance in the reference is the radius


class TailIndex(NamedTuple):
    """Hill's estimator of samples less that of a reference."""

    difference: Estimate
    """With an interval over batches, if there are two or more."""
    radius: float
    median: tuple[float, float]
    """Neighbours of a median point, in samples and reference: near 1 the tail says nothing."""


def hill(counts: ArrayLike, top: int) -> float:
    """Hill's estimator γ = mean over the `top` largest of ln(N_(i) / N_(top + 1)) for positive counts (n,) (Hill 1975).

    Of a Pareto law P(N > x) ~ x^-α it estimates 1/α. Raises `InputError` for counts that are not positive.
    """
    N = finite("counts", counts, (None,), "one number for each point")
    check(bool((N > 0).all()), "counts", float(N.min()), "> 0", "count a point without neighbours as 1")
    k = check_integer("top", top, 1, len(N) - 1, "how many of the largest are averaged, fewer than there are")
    largest = np.sort(N)[::-1]
    return float(np.log(largest[:k] / largest[k]).mean())


def neighbours(points: ArrayLike, radius: float) -> NDArray[np.int64]:
    """How many other points (n, d) lie within the radius of each, shape (n,)."""
    x = finite("points", points, (None, None), "one row for each point")
    r = check_real("radius", radius, 0, np.inf, "in the unit of the points", closed="()")
    if x.shape[1] == 1:  # on the line counting is two searches
        line = np.sort(x[:, 0])
        found = np.searchsorted(line, x[:, 0] + r, "right") - np.searchsorted(line, x[:, 0] - r, "left")
    else:
        found = cKDTree(x).query_ball_point(x, r, return_length=True)
    return np.asarray(found - 1)


def tail_index_difference(
    samples: ArrayLike, reference: ArrayLike, *, radius: float | None = None, top: float = 0.05, batches: int = 1
) -> TailIndex:
    """γ(samples) - γ(reference) of points (n, d), as many of each, N_i = number of neighbours within `radius`, at least 1.

    `radius` None is the median distance to the 10th neighbour in the reference; `top` is the share of points that counts as
    the tail. With two or more `batches`, each of n // batches points, the interval is over them (95 %). γ hangs on the number
    of points: compare differences at one n. Raises `InputError` for shapes that do not fit and points that are not finite.
    """
    x: Floats = finite("samples", samples, (None, None), "one row for each point")
    y: Floats = finite("reference", reference, (None, x.shape[1]), "points like those of `samples`")
    check(len(x) == len(y), "reference", len(y), f"as many points as `samples` has, {len(x)}", "draw as many")
    share = check_real("top", top, 0, 1, "0.05 is usual", closed="()")
    B = check_integer("batches", batches, 1, len(x) // (2 * NEIGHBOUR), "each needs twenty points or more")
    n = len(x) // B
    if radius is None:
        apart = cKDTree(y[: B * n : B]).query(y[: B * n : B], k=NEIGHBOUR + 1)[0][:, -1]
        radius = float(np.median(apart))
        check(radius > 0, "reference", radius, "points of which most are apart", "give `radius`")
    k, parts = max(1, round(share * n)), np.arange(B * n).reshape(n, B).T  # every B-th point
    counts = [[neighbours(points[rows], radius) for rows in parts] for points in (x, y)]
    γ = np.array([[hill(np.maximum(part, 1), k) for part in side] for side in counts])
    of = exact(float(γ[0, 0] - γ[1, 0])) if B == 1 else mean(γ[0] - γ[1], over="batches")
    low, high = (float(np.median(np.concatenate(side))) for side in counts)
    return TailIndex(of, radius, (low, high))
