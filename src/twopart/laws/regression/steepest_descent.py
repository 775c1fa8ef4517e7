"""Where steepest descent on separable classes leads, by norm, batch and momentum, and how far that is from the largest margin.

    margin(weights, x, y, norm)         min over i and j ≠ y_i of <W_y_i - W_j, x_i>, over ‖W‖
    max_margin(x, y, norm)              the largest, with bounds from both sides
    certificate(weights, x, y, norm)    such bounds for any weights, as training goes
    class_mean(x, y, norm)              where batches of one lead, exactly
    mean_field(x, y, norm, batch, ...)  the course of the mean over batches: the steps of a run, without its noise

n points, d features, k classes, weights (k, d), cross-entropy. Formulas: docs/laws/steepest-descent.md, after Li, Tang, Zou
2026, arXiv 2602.11557, version 2. All raise `InputError` for wrong shapes and ranges, nan, and norms that are none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real, check_sizes
from twopart.laws.regression.steepest_norms import Norm, direction, dual, length, parsed
from twopart.worlds.regression.arrays import step_sizes
from twopart.worlds.regression.separable import classified, pairs, programme

TEMPERATURES = np.geomspace(1, 1e6, 49)  # by which weights of norm 1/max ‖x‖₁ are multiplied in search of a bound


class MaxMargin(NamedTuple):
    """The largest margin γ* in a norm, from both sides."""

    lower: float
    """The margin of `weights`."""
    upper: float
    """No weights have more; where the bounds differ this is far the closer of the two."""
    weights: Floats
    """(k, d), as given or found."""


class ClassMean(NamedTuple):
    """Single samples: W_T = W_0 + Σ η_t U_i, i drawn anew each step, and so (W_T - W_0)/Σ η = `mean` ± √Σ η²/Σ η `spread`."""

    mean: Floats
    """Ū, the mean over samples of U_i, shape (k, d)."""
    spread: Floats
    """The standard deviation over samples of each entry."""


def margin(weights: ArrayLike, features: ArrayLike, labels: ArrayLike, norm: Norm = "inf") -> Any:
    """Normalised margins of weights (..., k, d): shape (...), a float for one matrix; 0 for weights of 0."""
    x, y = classified(features, labels)
    k, given = int(y.max()) + 1, np.asarray(weights)
    W = finite("weights", given, (*given.shape[:-2], k, x.shape[1]), f"give rows for {k} classes, columns for features")
    size = length(W, norm)
    found = gaps(x @ W.swapaxes(-1, -2), y).min((-2, -1)) / (size + (size == 0))
    return float(found) if found.ndim == 0 else found


def gaps(outputs: Floats, y: Any) -> Floats:
    """The own output less each other: of outputs (..., n, k) for classes y (n,), shape (..., n, k - 1)."""
    own = np.take_along_axis(outputs, np.broadcast_to(y[:, None], (*outputs.shape[:-1], 1)), -1)
    others = np.arange(outputs.shape[-1]) != y[:, None]
    return np.asarray((own - outputs)[..., others].reshape(*outputs.shape[:-1], -1))


def certificate(weights: ArrayLike, features: ArrayLike, labels: ArrayLike, norm: Norm = "inf") -> MaxMargin:
    """How far weights (k, d) can be from the largest margin: their own, and a bound by the pairs that they hardly separate.

    γ* = min over q of ‖Σ q_ij (e_y_i - e_j) x_i^T‖_*, q >= 0 of sum 1. Any q bounds it; here the softmax of the gaps is tried
    at several temperatures. Cheap enough to be logged during training.
    """
    own, W = margin(weights, features, labels, norm), np.asarray(weights, float)
    check(W.ndim == 2, "weights", W.shape, "one matrix (k, d)", "call it for each")
    x, y = classified(features, labels)
    hardly = gaps(x @ W.T, y).ravel()
    unit = float(length(W, norm) * np.abs(x).sum(1).max()) or 1.0
    q = np.exp(-TEMPERATURES[:, None] * (hardly - hardly.min()) / unit)
    return MaxMargin(own, float(_bounds(q, pairs(x, y), norm).min()), W)


def max_margin(features: ArrayLike, labels: ArrayLike, norm: Norm = "inf", *, steps: int = 20_000) -> MaxMargin:
    """The largest margin in any norm, with its certificate.

    "inf" and ("entrywise", 1) by linear programme and "2" by non-negative least squares, exact but for rounding; other norms
    by full-batch steepest descent, step sizes 0.3/√t where the largest ‖x‖₁ is 4. Points that are not separable have 0.
    """
    x, y = classified(features, labels)
    kind, p = parsed(norm)
    if kind == "entrywise" and p in (1, math.inf):
        _, W, q = programme(x, y, "1" if p == 1 else "inf")
    elif p == 2:
        A = pairs(x, y).reshape(-1, x.shape[1] * (int(y.max()) + 1)) / np.abs(x).max()
        q, _ = nnls(np.vstack([A.T, np.ones(len(A))]), np.append(np.zeros(A.shape[1]), 1.0))
        W = (q @ A).reshape(-1, x.shape[1])
    else:
        course = mean_field(x * (4 / np.abs(x).sum(1).max()), y, norm, len(x), rates=decaying(0.3, steps))
        looks = set(np.geomspace(1, steps, 40).round().astype(int).tolist())
        tried = [certificate(W, x, y, norm) for t, W in enumerate(course, 1) if t in looks]
        best = max(tried, key=lambda found: found.lower)
        return best._replace(upper=min(found.upper for found in tried))
    return MaxMargin(margin(W, x, y, norm), float(_bounds(q[None], pairs(x, y), norm)[0]), W)


def class_mean(features: ArrayLike, labels: ArrayLike, norm: Norm = "inf") -> ClassMean:
    """Where batches of one lead without momentum: U_i = direction((2 e_y_i - 1) x_i^T), whatever the loss does.

    For "inf" U_i = (2 e_y_i - 1) sign(x_i)^T, exactly, at any weights; for two classes any norm will do. Of more classes in
    other norms the direction hangs on the weights: `mean_field` has them, and this refuses them.
    """
    x, y = classified(features, labels)
    k = int(y.max()) + 1
    check(k == 2 or parsed(norm) == parsed("inf"), "norm", norm, "'inf' for more than two classes", "see `mean_field`")
    U = direction((2 * np.eye(k)[y] - 1)[:, :, None] * x[:, None, :], norm)
    return ClassMean(U.mean(0), U.std(0))


def decaying(rate: float, steps: int) -> Floats:
    """Step sizes rate/√t, t = 1..steps."""
    check_real("rate", rate, 0, math.inf, "it is the first step", closed="()")
    return np.asarray(rate / np.sqrt(np.arange(1.0, check_integer("steps", steps, 1, None, "take some") + 1)))


def mean_field(
    features: ArrayLike,
    labels: ArrayLike,
    norm: Norm = "inf",
    batch: int = 1,
    *,
    rates: ArrayLike,
    momentum: float = 0.0,
    replicas: int = 128,
    batches: int = 1000,
    seed: int = 0,
) -> Iterator[Floats]:
    """The weights (k, d) after each step, from 0, by the mean direction over batches; `rates` are the step sizes, (steps,).

    W ← W - η E_B direction(G_B(W)) over all batches of so many points, or over `batches` of them at random if there are more:
    exact as η -> 0, and at any η for the full batch. With momentum β, W ← W - η mean_r direction(M_r) over `replicas` of the
    buffer, M_r ← β M_r + (1 - β) G_B_r(W), each with batches of its own but all at one W; single runs come to a margin up to
    8 % less than that, the more the larger η/(1 - β).
    """
    (x, y), η = classified(features, labels), step_sizes("rates", rates, np.size(rates))
    n, W = len(x), np.zeros((int(y.max()) + 1, x.shape[1]))
    check_integer("batch", batch, 1, n, f"there are {n} points")
    check_sizes(replicas=replicas, batches=batches)
    β = check_real("momentum", momentum, 0, 1, "0 is none", closed="[)")
    random, count = _random.generator(seed, "mean field", batch), 1 if batch == n else replicas
    if math.comb(n, batch) <= batches:
        chosen = _shares(np.array(list(combinations(range(n), batch))), n)
    else:
        chosen = _drawn(n, batch, batches, random)
    M = np.zeros((count, *W.shape))
    for step in η.tolist():
        chosen = _drawn(n, batch, count, random) if β else chosen
        each = _residuals(x @ W.T, y)[:, :, None] * x[:, None, :]
        G = (chosen @ each.reshape(n, -1)).reshape(-1, *W.shape)
        M = β * M + (1 - β) * G if β else G
        W = W - step * direction(M, norm).mean(0)
        yield W


def _bounds(q: Floats, of_pairs: Floats, norm: Norm) -> Floats:
    """‖Σ q pair‖_* of weights (m, pairs): shape (m,)."""
    return np.asarray(length(np.tensordot(q / q.sum(1, keepdims=True), of_pairs, 1), dual(norm)))


def _residuals(z: Floats, y: Any) -> Floats:
    """softmax(z) - e_y of logits (n, k). That of y is less the others' sum: p_y - 1 is 0 once the margin passes 36."""
    p, each = np.exp(z - z.max(1, keepdims=True)), np.arange(len(y))
    p /= p.sum(1, keepdims=True)
    p[each, y] = 0
    p[each, y] = -p.sum(1)
    resolved = bool(p[each, y].max() < 0)
    check(resolved, "features", float(z.max()), "so small that no margin passes 745", "scale them down")
    return np.asarray(p)


def _drawn(n: int, batch: int, count: int, random: np.random.Generator) -> Floats:
    one = batch == 1
    points = random.integers(n, size=(count, 1)) if one else random.random((count, n)).argpartition(batch - 1, 1)
    return _shares(points[:, :batch], n)


def _shares(points: Any, n: int) -> Floats:
    """Of each point in the mean of a batch: from points (B, b) to (B, n)."""
    shares = np.zeros((len(points), n))
    np.put_along_axis(shares, points, 1 / points.shape[1], 1)
    return shares
