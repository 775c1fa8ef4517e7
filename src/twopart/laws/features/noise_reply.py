"""What a ReLU network that has memorised noise replies to fresh noise, and how often that drowns its signal.

Each of n/2 training points of a side is remembered by a random share q of the side's neurons, which have grown by ρ along its
noise. Fresh noise meets them at ρ τ (q z + √(q(1-q)) N), z the same for all neurons of a side and N their own, τ² = n/(2d). So

    F_+ - F_- = ρ τ [ψ_q(Z) - ψ_q(Z')],        ψ_q(z) = E(q z + √(q(1-q)) N)_+,        Z, Z', N ~ N(0, 1),

beside the signal. Derived in docs/laws/xor-benign-overfitting.md; checked in tests/laws/features/test_xor.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx, log_ndtr, ndtr

from twopart._arguments import like
from twopart._arrays import Floats, numbers

Z = np.linspace(-9.0, 9.0, 121)
WEIGHTS = np.exp(-(Z**2) / 2) * (Z[1] - Z[0]) / math.sqrt(2 * math.pi)  # trapezoids: to all digits for what is smooth


def memory_spread(z: ArrayLike, active: ArrayLike = 0.5) -> Any:
    """ψ_q(z) = s [(q z/s) Φ(q z/s) + φ(q z/s)], s = √(q(1-q)): a side's reply, in units of ρ τ; q = `active` in (0, 1)."""
    t, q = numbers("z", z, -math.inf, math.inf), numbers("active", active, 0, 1)
    s = np.sqrt(q * (1 - q))
    return like((z, active), s * np.exp(_log_ramp(q * t / s)))


def reply_spread(active: ArrayLike = 0.5) -> Any:
    """Standard deviation of ψ_q(Z) - ψ_q(Z'): of the reply, in units of ρ τ."""
    q = numbers("active", active, 0, 1)
    ψ = np.asarray(memory_spread(Z, q[..., None]))
    return like((active,), np.sqrt(2 * (np.square(ψ) @ WEIGHTS - np.square(ψ @ WEIGHTS))))


def rivalry(n: ArrayLike, dimension: ArrayLike, active: ArrayLike = 0.5) -> Any:
    """r, the correlation of Z and Z' that n training points in d dimensions leave, in (-1, 0]; it vanishes with n/d.

    A side's neurons are pushed off the noise of the other label's points until they are silent there: of cross-talk s N,
    s = ρ √(q n/2d), the positive part is taken away, φ(0) s = ε ρ on average. So the side is at q Z - ε Z', and the other at
    q Z' - ε Z: r = -2 e/(1 + e²), e = ε/q.
    """
    q = numbers("active", active, 0, 1)
    e = np.sqrt(numbers("n", n, 0, math.inf) / (4 * math.pi * numbers("dimension", dimension, 0, math.inf) * q))
    return like((n, dimension, active), -2 * e / (1 + e**2))


def reply_error(
    margin: ArrayLike, active: ArrayLike = 0.5, correlation: ArrayLike = 0.0, uneven: ArrayLike = 0.0
) -> Any:
    """P(ψ_q(Z') - ψ_q(Z) > k): how often a signal k >= 0, in units of ρ τ, is drowned; 1/2 at k = 0.

    As ψ_q rises, this is ∫ φ(z) Φ((r z - ψ_q^{-1}(ψ_q(z) + k))/√(1-r²)) dz, r in (-1, 1) the `correlation` of Z and Z'.
    `uneven`, J >= 0 as `uneven_memory` has it, widens the neurons' own part of a reply: s² = q(1+J) - q². Arrays broadcast.
    """
    k, q, r, J = np.broadcast_arrays(
        numbers("margin", margin, 0, math.inf, "[)"),
        numbers("active", active, 0, 1),
        numbers("correlation", correlation, -1, 1),
        numbers("uneven", uneven, 0, math.inf, "[)"),
    )
    s = np.sqrt(q * (1 + J - q))
    slope = (q / s)[..., None]  # of t = q z/s by z
    t = slope * Z
    with np.errstate(divide="ignore"):
        target = np.logaddexp(_log_ramp(t), np.log(k / s)[..., None])
    for _ in range(60):  # Newton's steps from the left at the root of a concave function stay on the left
        ramp = _log_ramp(t)
        step = (target - ramp) * np.exp(ramp - log_ndtr(t))
        t = t + step
        if np.all(np.abs(step) < 1e-12 * (1 + np.abs(t))):
            break
    r = r[..., None]
    return like((margin, active, correlation, uneven), ndtr((r * Z - t / slope) / np.sqrt(1 - r**2)) @ WEIGHTS)


def _log_ramp(t: Any) -> Floats:
    """ln(t Φ(t) + φ(t)), the logarithm of the mean of (t + N)_+, without cancelling on either side."""
    left, right, root = np.minimum(t, 0), np.maximum(t, 0), math.sqrt(2 * math.pi)
    below = np.log(1 / root + left / 2 * erfcx(-left / math.sqrt(2))) - np.square(left) / 2
    return np.asarray(np.where(t < 0, below, np.log(right * ndtr(right) + np.exp(-np.square(right) / 2) / root)))
