"""How hard training points pull for what is remembered of them: P/ρ, their pull over the memory of an active neuron.

Signal is made of pulls P_i, margins of memory ρ. Were each point remembered by a share q of its side's neurons, and its noise
orthogonal to the others', P/ρ were 1. But point i has a share q_i = q (1 + ε_i) of its own, and cross-talk with all. Margins
become equal: P = K^{-1} 1, K_ij = q_i δ_ij + E(b_ir b_jr) <ξ_i, ξ_j>/(σ² d), b_ir = 1 where neuron r is active on i, else 0.
Derived in docs/laws/xor-benign-overfitting.md; checked in tests/laws/features/test_xor.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from twopart._arguments import like
from twopart._arrays import Floats, numbers
from twopart.laws.features.noise_reply import WEIGHTS, Z


def uneven_memory(active: ArrayLike = 0.5) -> Any:
    """J = q E(1/q_i) - 1 >= 0: by how much more points pull than the mean share q of neurons that remember one would tell.

    Half of a side's neurons are active on point i at first, and then those of the others that cross-talk drives far enough:

        q_i = 1/2 + Φ((√b Z_i - θ)/√(1-b))/2,        Φ(-θ) = 2q - 1,        b = (q + 1/2)/2,

    Z_i normal. A share b of the cross-talk's variance is common to all neurons: the share of them that is active, which goes
    from 1/2 to q while they are driven. 0 at q <= 1/2, where none is.
    """
    return like((active,), _moments(numbers("active", active, 0, 1))[0])


def pull_over_memory(n: ArrayLike, dimension: ArrayLike, active: ArrayLike = 0.5, margin: ArrayLike = math.inf) -> Any:
    """P/ρ = 1 + J + (1/2 + q²) t - (1-q) s/q - (V + q² t + s)/M, t = n/2d, V = var q_i/q², s = √(b t) φ(θ); arrays broadcast.

    J: uneven memory. t: a point whose noise agrees with others' pulls less, and silent neurons take away from memory. s: those
    neurons are active on two points that agree with both. M = q ρ, the part of a `margin` that is memory: margins are equal but
    for the logarithms of pulls.
    """
    t = numbers("n", n, 0, math.inf) / (2 * numbers("dimension", dimension, 0, math.inf))
    q, M = numbers("active", active, 0, 1), numbers("margin", margin, 0, math.inf, "(]")
    J, V, s = _moments(q)
    s = s * np.sqrt(t)
    pull = 1 + J + (0.5 + q**2) * t - (1 - q) * s / q - (V + q**2 * t + s) / M
    return like((n, dimension, active, margin), pull)


def _moments(q: Floats) -> tuple[Floats, Floats, Floats]:
    """J, V, and s/√t."""
    q = np.maximum(q, 0.5)
    b, drive = (q + 0.5) / 2, ndtri(2 * q - 1)
    each = 0.5 + ndtr((np.sqrt(b)[..., None] * Z + drive[..., None]) / np.sqrt(1 - b)[..., None]) / 2
    density = np.exp(-(drive**2) / 2) / math.sqrt(2 * math.pi)
    return q * ((1 / each) @ WEIGHTS) - 1, each**2 @ WEIGHTS / q**2 - 1, np.sqrt(b) * density
