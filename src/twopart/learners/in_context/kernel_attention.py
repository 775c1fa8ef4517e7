"""Attention over labelled tokens, read by a ridge probe: how much of the labels it memorises, how much it generalises.

    A = features(x, W, Entrywise(np.tanh))             # x (..., p, n): a column for each token; W (p, p), None: identity
    memorization_error(A, y, 0.1)                      # |y - A' w|²/n of w = (A A' + nγ)^-1 A y
    memorization_curve(A, y, ridges)                   # by one singular value decomposition; y None: the mean over random labels
    Z = features(x, W, Entrywise(np.tanh), fresh=z)    # tokens (..., p, m) that attend to the context x
    generalization_error(A, y, Z, y_fresh, 0.1)

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

from twopart._arrays import finite, finite_tensor, numbers
from twopart._checks import check, check_choice, check_real
from twopart.laws.in_context.hermite import Function, applied, hermite

Array: TypeAlias = Any
"""An array of NumPy or a tensor of torch."""
COLUMNS = "tokens are columns: give (..., p, n)"


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
        check(fits, "f", type(found).__name__, f"one that keeps type and shape {tuple(scores.shape)}", "see `Entrywise`")
        return (found - self.mean) * keep / dimension**0.5


@dataclass(frozen=True)
class RowSoftmax:
    """Attention as transformers have it: over the keys of each query exp(score/temperature), their sum being 1."""

    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_real("temperature", self.temperature, 0, np.inf, "1 leaves the scores", closed="()")

    def weights(self, scores: Array, keep: Array, dimension: int) -> Array:
        """K of scores (..., n, m); `keep` is 0 where there is no attention."""
        scores = scores / self.temperature
        top = scores.max(-2, keepdims=True) if isinstance(scores, np.ndarray) else scores.amax(-2, keepdim=True)
        raised = (np if isinstance(scores, np.ndarray) else torch).exp(scores - top) * keep
        return raised / raised.sum(-2)[..., None, :]

    def surrogate(self, scores: Any) -> Any:
        """The function exp(t/τ)/E exp(ξ/τ) entry by entry, whose features are these times n/√p as sums concentrate."""
        rate = 1 / self.temperature
        return (np if isinstance(scores, np.ndarray) else torch).exp(rate * scores - rate**2 / 2)


def features(
    x: Array,
    W: Array | None = None,
    kind: Entrywise | RowSoftmax | None = None,
    diagonal: Literal["removed", "kept"] = "removed",
    *,
    fresh: Array | None = None,
) -> Array:
    """A = X K, shape (..., p, n): what each token takes from the others, K of the scores x_i' W x_j/√p (key i, query j).

    Without `W` it is the identity, without `kind` it is `RowSoftmax()`. Tokens `fresh` (..., p, m) attend to all of x, and give
    (..., p, m). A `diagonal` that is kept lets a token attend to itself.
    """
    check_choice("diagonal", diagonal, ("removed", "kept"))
    kind = RowSoftmax() if kind is None else kind
    fits = isinstance(kind, Entrywise | RowSoftmax)
    check(fits, "kind", kind, "Entrywise(f) or RowSoftmax()", "Entrywise(np.tanh) is one")
    x = _array("x", x, (None, None), COLUMNS)
    p, n = x.shape[-2:]
    queries = x if fresh is None else _array("fresh", fresh, (p, None), "columns as long as those of `x`", x)
    if W is not None:
        queries = _array("W", W, (p, p), "it takes queries to keys", x) @ queries
    keep = 1.0
    if fresh is None and diagonal == "removed":
        check(n > 1, "x", tuple(x.shape), "of two tokens or more", "alone a token has nobody to attend to")
        keep = 1 - (np.eye(n, dtype=x.dtype) if isinstance(x, np.ndarray) else torch.eye(n).to(x))
    A = x @ kind.weights(x.mT @ queries / p**0.5 * keep, keep, p)
    check(bool((abs(A) < np.inf).all()), "kind", kind, "one whose features are finite", "remove the diagonal, or clip f")
    return A


def probe_spectrum(A: Array) -> Array:
    """The eigenvalues of A'A/n, falling, shape (..., n): label directions of eigenvalue s are missed by (γ/(γ + s))²."""
    A = _array("A", A, (None, None), COLUMNS)
    return _spectrum(A, A.shape[-1])


def memorization_curve(A: Array, y: Array | None, ridges: ArrayLike) -> Array:
    """|y - A' w|²/n of w = (A A' + nγ)^-1 A y for each γ of `ridges` (R,): shape (..., R).

    `y` are labels (..., n), real or ±1; None: the mean over independent labels ±1, which hears no noise of theirs.
    """
    A = _array("A", A, (None, None), COLUMNS)
    n, space = A.shape[-1], np if isinstance(A, np.ndarray) else torch
    γ = _like(A, numbers("ridges", np.atleast_1d(np.asarray(ridges)), 0, np.inf, remedy="it makes the probe's answer one"))
    if y is None:
        s = _spectrum(A, n)[..., None, :]
        return ((γ[:, None] / (γ[:, None] + s)) ** 2).mean(-1)
    y = _array("y", y, (n,), "give one label for each token", A)
    _, values, right = space.linalg.svd(A, full_matrices=False)
    part = (right @ y[..., None])[..., 0]
    s = (values**2 / n)[..., None, :]
    missed = ((γ[:, None] / (γ[:, None] + s)) ** 2 * part[..., None, :] ** 2).sum(-1)
    beyond = (y - (right.mT @ part[..., None])[..., 0]) if n > A.shape[-2] else 0 * y  # what no probe can say
    return (missed + (beyond**2).sum(-1)[..., None]) / n


def memorization_error(A: Array, y: Array | None, ridge: float) -> Array:
    """`memorization_curve` at one γ: a number for one context, shape (...) for a batch."""
    return memorization_curve(A, y, [check_real("ridge", ridge, 0, np.inf, "it is γ", closed="()")])[..., 0]


def generalization_error(A: Array, y: Array, fresh: Array, fresh_y: Array, ridge: float) -> Array:
    """Mean squared error on tokens with features `fresh` (..., p, m) and labels (..., m) of the probe fitted to A and y."""
    A = _array("A", A, (None, None), COLUMNS)
    p, n = A.shape[-2:]
    y = _array("y", y, (n,), "give one label for each token", A)
    Z = _array("fresh", fresh, (p, None), "columns as long as those of `A`", A)
    truth = _array("fresh_y", fresh_y, (Z.shape[-1],), "give one label for each fresh token", A)
    γ = check_real("ridge", ridge, 0, np.inf, "it makes the probe's answer one", closed="()")
    left, values, right = (np if isinstance(A, np.ndarray) else torch).linalg.svd(A, full_matrices=False)
    w = left @ (values / (values**2 + n * γ) * (right @ y[..., None])[..., 0])[..., None]
    return ((truth - (Z.mT @ w)[..., 0]) ** 2).mean(-1)


def _spectrum(A: Array, n: int) -> Array:
    space = np if isinstance(A, np.ndarray) else torch
    svd = np.linalg.svd(A, compute_uv=False) if isinstance(A, np.ndarray) else torch.linalg.svdvals(A)
    none = space.zeros_like(A[..., 0, :])[..., : n - svd.shape[-1]]
    return space.concatenate([svd**2 / n, none], -1)


def _like(A: Array, values: Any) -> Array:
    return np.asarray(values, A.dtype) if isinstance(A, np.ndarray) else torch.as_tensor(values).to(A)


def _array(name: str, values: Array, core: tuple[int | None, ...], remedy: str, like: Array | None = None) -> Array:
    """A user's array or tensor (..., *core), in the type of `like`, checked."""
    shape = (*tuple(np.shape(values))[: -len(core)], *core)
    found = finite_tensor(name, values, shape, remedy) if torch.is_tensor(values) else finite(name, values, shape, remedy, None)
    return found if like is None else _like(like, found)
