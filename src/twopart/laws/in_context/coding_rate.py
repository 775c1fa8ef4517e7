"""What attention without softmax does to the coding rate: each layer acts on singular values alone.

rate_by_layer(s, "plus", 0.05, beta=0.3, layers=8)                     # R^c after 0, 1, ..., 8 layers, exact
rate_by_layer(s, "plus", 0.05, beta=0.3, layers=8, keep_norm=True)     # the same, tokens scaled back to their norm
direction(s, "negative", 0.05, beta=0.3)                               # +1: at fixed norm R^c rises for certain
compressing_step(s, 0.1, beta=0.3)                                     # the step by which R^c falls by a tenth

s are the singular values of the tokens in each of K orthonormal subspaces that fill the space, of all heads together;
R^c = Σ ½ log(1 + β s²). Derived in docs/laws/sparse-rate-reduction.md; the maps are those of Hu, Zou, Xu 2024, arXiv 2411.17182.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_choice, check_integer, check_real

MAPS = ("plus", "negative", "gradient", "second")
"""Attention as published, s (1 + κs²); with the other sign; a step down the exact gradient of R^c; its second-order series."""


def rate(singular_values: ArrayLike, *, beta: float) -> Floats:
    """R^c = Σ ½ log(1 + β s²) over the last axis, in nats."""
    return np.asarray(np.log1p(_beta(beta) * _singular(singular_values) ** 2).sum(-1) / 2)


def layer(singular_values: ArrayLike, how: str, step: float, *, beta: float) -> Floats:
    """s after a layer, of the shape of s: negative where a layer turns a direction round, which no rate sees."""
    check_choice("how", how, MAPS)
    κ, β, s = (
        check_real("step", step, 0, np.inf, "0 moves nothing", closed="[)"),
        _beta(beta),
        _singular(singular_values),
    )
    factors = {
        "plus": 1 + κ * s**2,
        "negative": 1 - κ * s**2,
        "gradient": 1 - κ * β / (1 + β * s**2),
        "second": 1 - κ * β + κ * β**2 * s**2,
    }
    return np.asarray(s * factors[how])


def rate_by_layer(
    singular_values: ArrayLike, how: str, step: float, *, beta: float, layers: int, keep_norm: bool = False
) -> Floats:
    """R^c after 0, 1, ..., `layers` layers, shape (layers + 1, ...); inf from where s leaves the floats.

    `keep_norm` scales all heads by one number after each layer, so that Σ s² stays.
    """
    s, found = _singular(singular_values), []
    norm = np.linalg.norm(s, axis=-1, keepdims=True)
    for _ in range(check_integer("layers", layers, 0, None, "0 gives the rate as it is")):
        found.append(rate(s, beta=beta))
        with np.errstate(over="ignore"):
            s = layer(s, how, step, beta=beta)
        s = np.minimum(np.abs(s), 1e150)  # its square is still a number
        s = s * norm / np.maximum(np.linalg.norm(s, axis=-1, keepdims=True), 1e-300) if keep_norm else s
    return np.stack([*found, rate(s, beta=beta)])


def direction(singular_values: ArrayLike, how: str, step: float, *, beta: float) -> Floats:
    """At fixed norm: -1 where R^c is sure not to rise in a layer, +1 where it is sure not to fall, 0 where neither is proved.

    If the layer keeps the order of all s, and its factor g(s) rises with s, normalised squares after it majorise those before,
    and Σ log(1 + βs²) is Schur-concave; if g falls, the other way round. Shape (...,), of s without its last axis.
    """
    s = np.sort(_singular(singular_values), -1)
    after = layer(s, how, step, beta=beta)
    g = np.divide(after, s, out=np.ones_like(s), where=s > 0)
    ordered = (after >= 0).all(-1) & (np.diff(after) >= 0).all(-1)
    slope = np.diff(g) * (s[..., :-1] > 0)
    return np.where(ordered & (slope >= 0).all(-1), -1, np.where(ordered & (slope <= 0).all(-1), 1, 0)).astype(float)


def compressing_step(singular_values: ArrayLike, share: float, *, beta: float) -> float:
    """The step κ of attention by which R^c at fixed norm falls by that share in one layer; s of shape (r,).

    The larger κ, the lower R^c, down to that of s³. Raises `InputError` where no step compresses as much, with the most.
    """
    s = finite("singular_values", _singular(singular_values), (None,), "give those of one context")
    wanted, now = check_real("share", share, 0, 1, "0.1 is a tenth", closed="()"), float(rate(s, beta=beta))

    def left(log_step: float) -> float:
        return (
            float(rate_by_layer(s, "plus", np.exp(log_step), beta=beta, layers=1, keep_norm=True)[1]) / now - 1 + wanted
        )

    scale = -2 * np.log(s.max())
    most = wanted - left(scale + 20)
    check(left(scale + 20) < 0, "share", wanted, f"below {most:.3g}, what one layer can do", "take more layers")
    return float(np.exp(brentq(left, scale - 30, scale + 20, xtol=1e-12)))


def softmax_series(gram: ArrayLike, temperature: float) -> Floats:
    """Softmax over columns of τG to first order: (11' + τ (G - its columns' means))/n, which errs by O(τ²); (..., n, n).

    So attention at small τ is linear attention with a mean taken off; beyond there is no closed form.
    """
    G = np.asarray(gram)
    G = finite("gram", gram, (*(None,) * (G.ndim - 1), G.shape[-1] if G.ndim else None), "give V'V")
    τ = check_real("temperature", temperature, 0, np.inf, "p^-1/2 is usual", closed="[)")
    return np.asarray((1 + τ * (G - G.mean(-2, keepdims=True))) / G.shape[-2])


def _singular(s: ArrayLike) -> Floats:
    one = np.atleast_1d(s)
    return np.asarray(np.abs(finite("singular_values", one, (None,) * one.ndim, "give those of all heads")))


def _beta(beta: float) -> float:
    return check_real("beta", beta, 0, np.inf, "it is p/(n ε²)", closed="()")
