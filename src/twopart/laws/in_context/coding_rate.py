"""What attention without softmax does to the coding rate: each layer acts on singular values alone.

rate_by_layer(s, "plus", 0.05, beta=0.3, layers=8)                     # R^c after 0, 1, ..., 8 layers, exact
rate_by_layer(s, "plus", 0.05, beta=0.3, layers=8, keep_norm=True)     # the same, tokens scaled back to their norm
direction(s, "negative", 0.05, beta=0.3)                               # 1: at fixed norm R^c rises for certain

s, in the last axis, are the singular values of the tokens in each of K orthonormal subspaces that fill the space, of all heads
together. Derived in docs/laws/sparse-rate-reduction.md; the maps are those of Hu, Zou, Xu 2024, arXiv 2411.17182.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check_choice, check_integer, check_real

MAPS = ("plus", "negative", "gradient", "second")
"""s(1 + κs²), attention as published; the other sign; a step down the exact gradient of R^c; its second-order series."""
MOST = 1e150  # of s: its square is still a number


def rate(singular_values: ArrayLike, *, beta: float) -> Floats:
    """R^c = Σ ½ log(1 + β s²) in nats, β = p/(n ε²), shape (...,)."""
    s, β = _checked(singular_values, beta)
    return np.asarray(np.log1p(β * s**2).sum(-1) / 2)


def layer(singular_values: ArrayLike, how: str, step: float, *, beta: float) -> Floats:
    """s after a layer, of the shape of s: negative where a layer turns a direction round, which no rate sees."""
    (s, β), κ = _checked(singular_values, beta), check_real("step", step, 0, np.inf, "0 moves nothing", closed="[)")
    check_choice("how", how, MAPS)
    if how == "gradient":
        return np.asarray(s * (1 - κ * β / (1 + β * s**2)))
    start, slope = {"plus": (1.0, κ), "negative": (1.0, -κ), "second": (1 - κ * β, κ * β**2)}[how]
    return np.asarray(s * (start + slope * s**2))


def rate_by_layer(
    singular_values: ArrayLike, how: str, step: float, *, beta: float, layers: int, keep_norm: bool = False
) -> Floats:
    """R^c after 0, 1, ..., `layers` layers, shape (layers + 1, ...); s is held below 1e150.

    `keep_norm` scales all heads by one number after each layer, so that Σ s² stays.
    """
    s, _ = _checked(singular_values, beta)
    norm, rates = np.linalg.norm(s, axis=-1, keepdims=True), [rate(s, beta=beta)]
    for _ in range(check_integer("layers", layers, 0, None, "0 gives the rate as it is")):
        with np.errstate(over="ignore"):
            s = np.minimum(np.abs(layer(s, how, step, beta=beta)), MOST)
        s = s * norm / np.maximum(np.linalg.norm(s, axis=-1, keepdims=True), 1 / MOST) if keep_norm else s
        rates.append(rate(s, beta=beta))
    return np.stack(rates)


def direction(singular_values: ArrayLike, how: str, step: float, *, beta: float) -> Floats:
    """At fixed norm: -1 where a layer is sure not to raise R^c, 1 where it is sure not to lower it, 0 where neither is proved.

    If it keeps the order of all s and its factor g(s) rises with s, the normalised squares after it majorise those before, and
    Σ log(1 + βs²) is Schur-concave; if g falls, the other way round. Shape (...,).
    """
    s = np.sort(_checked(singular_values, beta)[0], -1)
    after = layer(s, how, step, beta=beta)
    g = after / np.where(s > 0, s, np.inf)
    slope, ordered = np.diff(g) * (s[..., :-1] > 0), (np.diff(after, prepend=0.0) >= 0).all(-1)
    return np.asarray(ordered * np.where((slope >= 0).all(-1), -1.0, (slope <= 0).all(-1)))


def softmax_series(gram: ArrayLike, temperature: float) -> Floats:
    """Softmax over columns of τG, (..., n, n), to first order: (11' + τ (G - its columns' means))/n, which errs by O(τ²).

    So attention at small τ is linear attention with a mean taken off; beyond there is no closed form.
    """
    square = (np.shape(gram)[-1:] or (None,)) * 2
    G = finite("gram", gram, (None,) * max(np.ndim(gram) - 2, 0) + square, "give V'V")
    τ = check_real("temperature", temperature, 0, np.inf, "p^-1/2 is usual", closed="[)")
    return np.asarray((1 + τ * (G - G.mean(-2, keepdims=True))) / G.shape[-2])


def _checked(singular_values: ArrayLike, beta: float) -> tuple[Floats, float]:
    s = np.atleast_1d(singular_values)
    s = np.abs(finite("singular_values", s, (None,) * s.ndim, "give those of all heads"))
    return s, check_real("beta", beta, 0, np.inf, "it is p/(n ε²)", closed="()")
