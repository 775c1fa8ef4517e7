"""The law of overfitting on XOR data: how often a two-layer ReLU network errs that has memorised its noise, flips and all.

Setting: points [±u, ξ] (label 1) and [±v, ξ] (label -1), ‖u‖ = ‖v‖ = `norm`, cosine c between them, ξ ~ N(0, σ²) in d
dimensions off both; n training points, a share p of their labels flipped; neurons of small initial weights, a fixed second
layer, gradient descent to the end. Let γ be the signal and ρ the own noise that an active neuron has learned, and q the share
of neurons of its side that a training point's noise activates. Then

    γ/ρ = k1 (1 - 2p)/(1 + p k1/q),      k1 = (P/ρ) n norm² (1 - c²)/(4 σ² d),
    error = P(ψ_q(Z') - ψ_q(Z) > k),     k = γ/(2 ρ τ),     τ² = (n/2d) [(1-p) + p (1 + γ/(q ρ))²],

with P/ρ of `memory_pull`, 1 to leading order, ψ_q and the `rivalry` of Z and Z' of `noise_reply`. Derived in
docs/laws/xor-benign-overfitting.md, with constants where Meng, Zou, Cao (arXiv 2310.01975) have the order
k² ~ n norm⁴/(σ⁴ d); checked in tests/laws/features/test_xor.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from twopart._arguments import like
from twopart._arrays import numbers
from twopart._checks import InputError, check, check_real
from twopart.laws.features.memory_pull import pull_over_memory, uneven_memory
from twopart.laws.features.noise_reply import reply_error, rivalry


@dataclass(frozen=True)
class XorLaw:
    """What the law says: numbers, or arrays of the arguments' common shape."""

    clean: Any
    """Share of fresh points that are classified wrongly."""
    noisy: Any
    """The same where labels are flipped as in training: p + (1 - 2p) `clean`."""
    margin: Any
    """k, the signal in units of the reply to fresh noise."""
    ratio: Any
    """γ/ρ, of unflipped points."""


def xor_error(
    n: ArrayLike,
    dimension: ArrayLike,
    norm: ArrayLike,
    noise: ArrayLike = 1.0,
    flips: ArrayLike = 0.0,
    cosine: ArrayLike = 0.0,
    active: ArrayLike = 0.5,
    late: bool = True,
    loss: ArrayLike = 0.0,
) -> XorLaw:
    """The error of a network trained to the end on n points; arrays broadcast.

    `active` is q: 1/2 if the signs of first pre-activations survive; measured 0.7 to 0.8, as the noise of other points switches
    neurons on. `late`: all margins have become equal, for which flipped points need more memory; else all points have pulled
    alike. `loss`, in [0, ln 2), is the mean training loss at which training stopped: the harder points pull, the further
    their margins lag then, to first order. Raises `InputError` for a value out of range, naming it, and where that is much.
    """
    points, d = numbers("n", n, 0, math.inf), numbers("dimension", dimension, 0, math.inf)
    size, σ = numbers("norm", norm, 0, math.inf, "[)"), numbers("noise", noise, 0, math.inf)
    p, c = numbers("flips", flips, 0, 0.5, "[)"), numbers("cosine", cosine, -1, 1, "[]")
    q, end = numbers("active", active, 0, 1), numbers("loss", loss, 0, math.log(2), "[)")
    k0 = points * size**2 * (1 - c**2) / (4 * σ**2 * d)
    ratio, more, uneven = k0 * (1 - 2 * p), 0 * q, np.asarray(uneven_memory(q)) * late
    if late:
        margin, lag, ratio = -np.log(np.expm1(np.maximum(end, 1e-300))), 0.0 * ratio, ratio / (1 + p * k0 / q)
        for _ in range(4):  # what lags by λ/M is small, and so is what that changes
            M = np.where(end > 0, (margin + np.log1p(p * np.expm1(lag))) / (1 + ratio / (2 * q)), np.inf)
            k1 = k0 * pull_over_memory(points, d, q, M)
            check(bool((k1 >= k0 / 2).all()), "loss", loss, "less: margins must be memory above all", "train on")
            lag = np.log1p(k1 * (1 - 2 * p) / (q + p * k1))
            ratio = k1 * (1 - 2 * p + p * lag / M) / (1 + p * k1 / q)
            more = ratio / q - lag / M
    reply = np.sqrt(points / (2 * d) * (1 - p + p * (1 + more) ** 2))
    k = ratio / (2 * reply)
    deviation = np.sqrt(12 * p * (1 - p) / np.maximum(points - 1, 1)) / (1 - 2 * p)  # of γ, by flips in a cluster
    nodes = {-math.sqrt(3): 1 / 6, 0.0: 2 / 3, math.sqrt(3): 1 / 6} if p.any() else {0.0: 1.0}
    clean, rival = np.zeros(()), rivalry(points, d, q)
    for at, weight in nodes.items():  # the mean over clusters, by Gauss and Hermite
        margin = k * (1 + at * deviation)
        clean = clean + weight * np.abs((margin < 0) - np.asarray(reply_error(np.abs(margin), q, rival, uneven)))
    given = (n, dimension, norm, noise, flips, cosine, active, loss)
    return XorLaw(*(like(given, part) for part in (clean, p + (1 - 2 * p) * clean, k, ratio + 0 * q + 0 * end)))


def samples_for(
    error: float,
    dimension: float,
    norm: float,
    noise: float = 1.0,
    flips: float = 0.0,
    cosine: float = 0.0,
    active: float = 0.75,
) -> float:
    """The number of training points, a real number, from which `xor_error` is no more than `error` of the clean points.

    0 < `error` < 1/2, and 1 to as many points as dimensions: beyond, training noise is not nearly orthogonal, as the law has.
    Raises `InputError` where they would not do. With flips a large n can be worse again; the least is meant.
    """
    check_real("error", error, 0, 0.5, "1/2 takes no points", closed="()")

    def above(log: Any) -> Any:
        return np.asarray(xor_error(np.exp(log), dimension, norm, noise, flips, cosine, active).clean) - error

    grid = np.linspace(0, math.log(check_real("dimension", dimension, 1, math.inf, "it counts", closed="[)")), 200)
    enough = np.flatnonzero(above(grid) <= 0)
    if not len(enough):
        raise InputError(f"`norm` must be larger for an error of {error}, got {norm!r}; {dimension} points do not do")
    return math.exp(brentq(above, grid[enough[0] - 1], grid[enough[0]])) if enough[0] else 1.0
