"""This project's own: one discount sets both exponents.

    L(N, D) = E + A / N^(1/d - 1) + B / D^(1 - d),     0 < d < 1

Where facts have a Pitman-Yor tail p_(k) ~ k^(-1/d), the mass not met in D draws falls as D^-(1-d) and the mass that a
model of N parameters has no room for as N^-(1/d-1). Source: Pan, Wang, Li 2025 (arXiv 2504.09597), data law and
capacity law; docs/laws/data.md.
Limits: E as both grow; `chinchilla` with alpha = 1/d - 1 and beta = 1 - d.
Gradient: ∂t_A/∂d = ln N / d², ∂t_B/∂d = ln D.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from twopart._simd import simd_kernel
from twopart.fits.scaling.forms._excess import Split, falling
from twopart.fits.scaling.forms._form import Floats, Form, projected
from twopart.fits.scaling.forms._terms import at, combine, room


@simd_kernel
def knowledge(theta: Any, z: Any, value: Any, slopes: Any, curves: Any) -> None:
    """θ = (ln E, ln A, ln B, d)."""
    t, J, B = room(3, 4)
    d = theta[3]
    J[0, 0] = J[1, 1] = J[2, 2] = 1.0
    for i in range(z.shape[1]):
        x, y = z[0, i], z[1, i]
        t[0], t[1], t[2] = theta[0], theta[1] - (1 / d - 1) * x, theta[2] - (1 - d) * y
        J[1, 3], J[2, 3] = x / d**2, y
        B[1, at(3, 3)] = -2 * x / d**3
        value[i] = combine(t, J, B, slopes[i], curves[i])


def starts(z: Floats, loss: Floats) -> Iterator[Floats]:
    for d in np.linspace(0.2, 0.9, 8):
        terms = np.c_[np.ones(len(z)), np.exp(-(1 / d - 1) * z[:, 0]), np.exp(-(1 - d) * z[:, 1])]
        yield np.r_[projected(terms, loss), d]


def excess(theta: Floats, fixed: Mapping[str, float]) -> Split:
    floor, a, b, d = theta
    d = falling(d)
    return Split(floor, a, falling(1 / d - 1), b, falling(1 - d))


KNOWLEDGE = Form(
    name="knowledge",
    formula="L = E + A / N^(1/d - 1) + B / D^(1 - d)",
    source="Pan, Wang, Li 2025, arXiv 2504.09597; docs/laws/data.md",
    inputs=("params", "tokens"),
    parameters=("E", "A", "B", "d"),
    positive=("E", "A", "B"),
    limits={"d": (0.05, 0.99)},
    code=1,
    starts=starts,
    excess=excess,
)
