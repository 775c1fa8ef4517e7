"""Classes that a linear map tells apart, and the largest margin in the max norm, by linear programming.

    x, y = SeparableClasses().data       # features (n, d), labels (n,) in 0..k-1
    programme(x, y, "inf")               # margin, weights (k, d), and the weights of the pairs that prove it

The margin of weights W, (k, d), is min over i and j ≠ y_i of <W_y_i - W_j, x_i>, over ‖W‖.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.worlds.regression.digits import digits


class Classified(NamedTuple):
    """Points in classes: features (n, d), and classes (n,) in 0..k-1."""

    x: Floats
    y: NDArray[np.int64]


@dataclass(frozen=True)
class SeparableClasses:
    """Points around class centres, so few in so many dimensions that they are separable; some are much larger than others.

    Centres are N(0, 0.81 I); points centre + spread N(0, I), each times exp(skew N(0, 1)), then all scaled to a largest
    ‖x‖₁ of 4; classes in turn. Raises `InputError` for arguments out of range, and if no linear map separates the points.
    """

    samples: int = 12
    dimension: int = 8
    classes: int = 3
    spread: float = 1.0
    skew: float = 0.5
    """How unequal points are in size, and so how far single samples lead from the largest margin."""
    seed: int = 3
    """Of NumPy's default generator, so that anyone can make the same points in three lines."""

    def __post_init__(self) -> None:
        check_integer("classes", self.classes, 2, None, "one class has no margin")
        check_integer("samples", self.samples, self.classes, None, "each class needs a point")
        check_integer("dimension", self.dimension, 1, None, "it is the number of features")
        check_real("spread", self.spread, 0, np.inf, "1 is about the distance of the centres", closed="()")
        check_real("skew", self.skew, 0, 5, "0 is none")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another world")
        margin = programme(*self.data, "inf")[0]
        check(margin > 1e-9, "samples", self.samples, "few enough to be separable", "take fewer, or more dimensions")

    @cached_property
    def data(self) -> Classified:
        random, y = np.random.default_rng(self.seed), np.arange(self.samples) % self.classes
        centres = 0.9 * random.standard_normal((self.classes, self.dimension))
        x = centres[y] + self.spread * random.standard_normal((self.samples, self.dimension))
        x *= np.exp(self.skew * random.standard_normal((self.samples, 1)))
        return Classified(4 * x / np.abs(x).sum(1).max(), y)


@dataclass(frozen=True)
class DigitClasses:
    """Real data: the handwritten digits 0..classes-1 that come with scikit-learn, 64 pixels from 0 to 1."""

    classes: int = 3

    def __post_init__(self) -> None:
        check_integer("classes", self.classes, 2, 10, "there are ten digits")

    @cached_property
    def data(self) -> Classified:
        x, y = digits()
        return Classified(x[y < self.classes] / 16, y[y < self.classes])


def classified(features: ArrayLike, labels: ArrayLike) -> Classified:
    """A user's own points: features (n, d), finite, and labels (n,) of at least two kinds, numbered in sorted order."""
    x: Floats = finite("features", features, (None, None), "give one row for each point")
    given = np.asarray(labels)
    check(given.shape == (len(x),), "labels", given.shape, f"of shape ({len(x)},)", "give one label for each row")
    check(given.dtype.kind != "f" or bool(np.isfinite(given).all()), "labels", given, "finite", "drop those rows")
    kinds, y = np.unique(given, return_inverse=True)
    check(len(kinds) >= 2, "labels", len(kinds), "of at least two kinds", "one class has no margin")
    return Classified(x, y.astype(np.int64))


def pairs(x: Floats, y: NDArray[Any]) -> Floats:
    """(e_y - e_j) x^T for each point and each other class j: shape (n (k - 1), k, d)."""
    k = int(y.max()) + 1
    against = (np.eye(k)[y][:, None] - np.eye(k))[:, :, :, None] * x[:, None, None]
    return np.asarray(against[np.arange(k) != y[:, None]])


def programme(x: Floats, y: NDArray[Any], norm: str) -> tuple[float, Floats, Floats]:
    """The largest margin in the norm "inf" of all entries, or in "1", their sum of sizes, by HiGHS.

    With its weights (k, d) and the dual weights of the pairs (n (k - 1),): >= 0, of sum 1 where the margin is above 0.
    """
    A = (of_pairs := pairs(x, y)).reshape(-1, x.shape[1] * (int(y.max()) + 1))
    rows = np.hstack([-A, A, np.ones((len(A), 1))])  # of what is above zero, what is below, and the margin
    limits, sizes = np.zeros(len(A)), 2 * A.shape[1]
    if norm == "1":
        rows, limits = np.vstack([rows, np.arange(sizes + 1) < sizes]), np.append(limits, 1.0)
    ends = [(0.0, 1.0)] * sizes + [(0.0, None)]
    found = linprog(np.append(np.zeros(sizes), -1.0), A_ub=rows, b_ub=limits, bounds=ends, method="highs")
    above, below = found.x[:-1].reshape(2, *of_pairs.shape[1:])
    return float(found.x[-1]), above - below, -found.ineqlin.marginals[: len(A)]
