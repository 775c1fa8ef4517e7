"""Norms of matrices, and the direction of steepest descent in each: of NumPy arrays or torch tensors, over the last two axes.

    norm                  its direction, argmax <D, M> over ‖D‖ <= 1           the optimiser
    "inf"                 sign(M)                                              SignSGD
    "2"                   M / ‖M‖                                              normalised SGD
    "spectral"            U V^T of the singular vectors in the support         Muon, without Newton-Schulz
    ("entrywise", p)      sign(m) |m|^(q-1) / ‖m‖_q^(q-1), 1/p + 1/q = 1
    ("schatten", p)       the same on singular values

`dual` is what the direction gains: <direction(M), M> = length(M, dual(norm)). Ties of p = 1 share, as they do for p -> 1.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from twopart._checks import check, check_real

Norm: TypeAlias = str | tuple[str, float]
NAMED = {"inf": ("entrywise", math.inf), "2": ("entrywise", 2.0), "spectral": ("schatten", math.inf)}
KINDS = ("entrywise", "schatten")


def parsed(norm: Norm) -> tuple[str, float]:
    """Kind and p. Raises `InputError` for anything that is no norm of the list above."""
    pair: Any = NAMED.get(norm) if isinstance(norm, str) else norm
    fits = isinstance(pair, tuple | list) and len(pair) == 2 and pair[0] in KINDS
    remedy = 'as in ("schatten", 4)'
    check(fits, "norm", norm, "'inf', '2', 'spectral', ('entrywise', p) or ('schatten', p)", remedy)
    return pair[0], check_real("p of `norm`", pair[1], 1, math.inf, remedy)


def dual(norm: Norm) -> Norm:
    """The dual norm: 1/p + 1/q = 1."""
    kind, p = parsed(norm)
    return kind, math.inf if p == 1 else 1.0 if p == math.inf else p / (p - 1)


def length(M: Any, norm: Norm) -> Any:
    """‖M‖ of matrices (..., m, n): shape (...)."""
    kind, p = parsed(norm)
    if kind == "entrywise":
        return _size(M.reshape(*M.shape[:-2], -1), p)
    return _size(_space(M).linalg.svd(M, full_matrices=False)[1], p)


def direction(M: Any, norm: Norm) -> Any:
    """The matrix of unit norm with the largest product with M, (..., m, n), and 0 for M = 0: same shape and type.

    Scales do not matter: gradients of 1e-200 have directions. Singular values below max(m, n) ε of the largest are none.
    Source: the linear maximisation oracle of Li, Tang, Zou 2026, arXiv 2602.11557; docs/laws/steepest-descent.md.
    """
    (kind, p), q, space = parsed(norm), dual(norm)[1], _space(M)
    flat = M.reshape(*M.shape[:-2], -1)
    if kind == "entrywise" and p == math.inf:
        return space.sign(M)
    if kind == "entrywise" or p == 2:
        return _along(flat, float(q), 0.0).reshape(M.shape)
    left, values, right = space.linalg.svd(M / _above_zero(_top(flat))[..., None], full_matrices=False)
    return (left * _along(values, float(q), max(M.shape[-2:]) * space.finfo(M.dtype).eps)[..., None, :]) @ right


def _along(v: Any, q: float, least: float) -> Any:
    """Of vectors (..., n) sign(v) |v|^(q-1) / ‖v‖_q^(q-1); entries up to `least` of the largest count as zeros."""
    v = v / _above_zero(_top(v))
    size = abs(v) * (abs(v) > least)
    if q == math.inf:
        size = size * (size == 1)
        return _space(v).sign(v) * size / _above_zero(size.sum(-1)[..., None])
    return _space(v).sign(v) * (size > 0) * (size / _above_zero(_size(size, q)[..., None])) ** (q - 1)


def _size(v: Any, p: float) -> Any:
    """The p-norm of vectors (..., n), without overflow or underflow: shape (...)."""
    top = _top(v)
    return top[..., 0] * (1 if p == math.inf else ((abs(v) / _above_zero(top)) ** p).sum(-1) ** (1 / p))


def _top(v: Any) -> Any:
    """The largest size of an entry, (..., 1)."""
    return abs(v).max(-1, keepdims=True) if isinstance(v, np.ndarray) else v.abs().amax(-1, keepdim=True)


def _above_zero(size: Any) -> Any:
    """1 for 0: what is 0 is divided by it."""
    return size + (size == 0)


def _space(v: Any) -> Any:
    """NumPy or torch, whichever made `v`; torch is not loaded for arrays."""
    if isinstance(v, np.ndarray):
        return np
    import torch

    return torch
