"""Attention over labelled tokens, read by a ridge probe: how much of the labels it memorises, how much it generalises.

    A = features(x, W, Entrywise(np.tanh))             # tokens x (..., p, n) are columns; W (p, p), None: the identity
    memorization_error(A, y, 0.1)                      # |y - A' w|²/n of w = (A A' + nγ)^-1 A y
    memorization_curve(A, y, ridges)                   # by one singular value decomposition; y None: random labels' mean
    generalization_error(A, y, features(x, W, Entrywise(np.tanh), fresh=z), y_fresh, 0.1)   # tokens z attend to x

A are features of any kind, such as a layer's of a user's own model: (..., p, n), arrays or tensors, float32 or float64, with
batches in front; tensors keep device and graph. `InputError` is raised for wrong shapes, ranges and nan.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike

from twopart._arrays import alike, either, finite, numbers
from twopart._checks import check, check_choice, check_real
from twopart.laws.in_context.hermite import Function, applied, hermite

Array: TypeAlias = Any
"""An array of NumPy or a tensor of torch."""
COLUMNS = "tokens are columns: give (..., p, n)"
LABELS, RIDGE = "give one label for each token", "without it the probe may have no answer"


@dataclass(frozen=True, eq=False)
class Entrywise:
    """K = f(scores)/√p, entry by entry."""

    f: Function
    """Of arrays or tensors, whichever the tokens are; NumPy functions take no tensors on a GPU."""
    centred: bool = True
    """Whether E f(ξ), ξ ~ N(0, 1), is taken off."""

    @cached_property
    def mean(self) -> float:
        return float(hermite(self.f, 1).coefficients[0]) if self.centred else 0.0

    def weights(self, scores: Array, keep: Array, dimension: int) -> Array:
        """K of scores (..., n, m); `keep` is 0 where there is no attention."""
        found = self.f(scores) if isinstance(scores, torch.Tensor) else applied(self.f, scores)
        fits = isinstance(found, type(scores)) and found.shape == scores.shape
        kept = f"one that keeps type and shape {tuple(scores.shape)}"
        check(fits, "f", type(found).__name__, kept, "of tensors, too")
        return (found - self.mean) * keep / dimension**0.5


@dataclass(frozen=True)
class RowSoftmax:
    """Attention as transformers have it: over the keys of each query exp(score/temperature), their sum being 1."""

    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_real("temperature", self.temperature, 0, np.inf, "1 leaves the scores", closed="()")

    def weights(self, scores: Array, keep: Array, dimension: int) -> Array:
        """K of scores (..., n, m); `keep` is 0 where there is no attention."""
        scores = scores / self.temperature - (1 - keep) * 1e30
        raised = _space(scores).exp(scores - _space(scores).amax(scores, -2, keepdims=True))
        return raised / raised.sum(-2)[..., None, :]

    def surrogate(self, scores: Any) -> Any:
        """The function exp(t/τ)/E exp(ξ/τ) entry by entry, whose features are these times n/√p as sums concentrate."""
        rate = 1 / self.temperature
        return _space(scores).exp(rate * scores - rate**2 / 2)


def features(
    x: Array, W: Array | None = None, kind: Entrywise | RowSoftmax | None = None,
    diagonal: Literal["removed", "kept"] = "removed", *, fresh: Array | None = None,
) -> Array:  # fmt: skip
    """A = X K, shape (..., p, n): what each token takes from the others, K of the scores x_i' W x_j/√p (key i, query j).

    Without `W` it is the identity, without `kind` it is `RowSoftmax()`. Tokens `fresh` (..., p, m) attend to all of x, and give
    (..., p, m). A `diagonal` that is kept lets a token attend to itself.
    """
    check_choice("diagonal", diagonal, ("removed", "kept"))
    kind = RowSoftmax() if kind is None else kind
    check(hasattr(kind, "weights"), "kind", kind, "Entrywise(f) or RowSoftmax()", "Entrywise(np.tanh) is one")
    x = either("x", x, (..., None, None), COLUMNS)
    p, n = x.shape[-2:]
    queries = x if fresh is None else either("fresh", fresh, (..., p, None), "columns as long as those of `x`", x)
    if W is not None:
        queries = either("W", W, (..., p, p), "it takes queries to keys", x) @ queries
    keep: Array = 1.0
    if fresh is None and diagonal == "removed":
        check(n > 1, "x", tuple(x.shape), "of two tokens or more", "alone a token has nobody to attend to")
        keep = 1 - (np.eye(n, dtype=x.dtype) if isinstance(x, np.ndarray) else torch.eye(n).to(x))
    with np.errstate(over="ignore", invalid="ignore"):
        K = kind.weights(x.mT @ queries / p**0.5 * keep, keep, p)
    check(bool((abs(K) < np.inf).all()), "kind", kind, "one whose weights are finite", "clip f where it is large")
    return x @ K


def probe_spectrum(A: Array) -> Array:
    """The eigenvalues of A'A/n, falling, shape (..., n): label directions of eigenvalue s are missed by (γ/(γ + s))²."""
    A = either("A", A, (..., None, None), COLUMNS)
    space, n = _space(A), A.shape[-1]
    values = np.linalg.svd(A, compute_uv=False) if space is np else torch.linalg.svdvals(A)
    none = space.zeros_like(A[..., 0, :])[..., : n - values.shape[-1]]
    return space.concatenate([values**2 / n, none], -1)


def memorization_curve(A: Array, y: Array | None, ridges: ArrayLike) -> Array:
    """|y - A' w|²/n of w = (A A' + nγ)^-1 A y for each γ of `ridges` (R,): shape (..., R).

    `y` are labels (..., n), real or ±1; None: the mean over independent labels ±1, which hears no noise of theirs.
    """
    A = either("A", A, (..., None, None), COLUMNS)
    n = A.shape[-1]
    γ = numbers("ridges", finite("ridges", ridges, (None,), "give several γ"), 0, np.inf, remedy=RIDGE)
    γ = alike(A, γ)[:, None]
    if y is None:
        return ((γ / (γ + probe_spectrum(A)[..., None, :])) ** 2).mean(-1)
    y = either("y", y, (..., n), LABELS, A)
    _, values, right = _space(A).linalg.svd(A, full_matrices=False)
    part = (right @ y[..., None])[..., 0]
    beyond = ((y - (right.mT @ part[..., None])[..., 0]) ** 2).sum(-1)  # what no probe can say
    missed = (γ / (γ + (values**2 / n)[..., None, :]) * part[..., None, :]) ** 2
    return (missed.sum(-1) + beyond[..., None]) / n


def memorization_error(A: Array, y: Array | None, ridge: float) -> Array:
    """`memorization_curve` at one γ: a number for one context, shape (...) for a batch."""
    return memorization_curve(A, y, [check_real("ridge", ridge, 0, np.inf, RIDGE, closed="()")])[..., 0]


def generalization_error(A: Array, y: Array, fresh: Array, fresh_y: Array, ridge: float) -> Array:
    """Mean squared error on tokens with features `fresh` (..., p, m) and labels (..., m) of the probe fitted to A and y."""
    A = either("A", A, (..., None, None), COLUMNS)
    p, n = A.shape[-2:]
    y = either("y", y, (..., n), LABELS, A)
    Z = either("fresh", fresh, (..., p, None), "columns as long as those of `A`", A)
    truth = either("fresh_y", fresh_y, (..., Z.shape[-1]), LABELS, A)
    γ = check_real("ridge", ridge, 0, np.inf, RIDGE, closed="()")
    left, values, right = _space(A).linalg.svd(A, full_matrices=False)
    w = left @ (values / (values**2 + n * γ) * (right @ y[..., None])[..., 0])[..., None]
    return ((truth - (Z.mT @ w)[..., 0]) ** 2).mean(-1)


def _space(A: Array) -> Any:
    return np if isinstance(A, np.ndarray) else torch
