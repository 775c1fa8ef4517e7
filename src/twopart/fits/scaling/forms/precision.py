"""Training in few bits: b-bit weights make a model count as fewer parameters.

    L(N, D, b) = E + A / N_eff^alpha + B / D^beta,     N_eff = N (1 - e^(-b/gamma))

Source: Kumar et al. 2024, "Scaling Laws for Precision" (arXiv 2411.04330), effective parameters for weights of b bits,
with their sensitivity gamma in bits. Activations and the attention cache have factors of their own there; give the bits
of what was varied.
Limits: `chinchilla` as b grows; N_eff = N b/gamma for few bits.
Gradient: with s = b/gamma, v = 1/(e^s - 1):  ∂ ln N_eff/∂ ln gamma = -s v.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from twopart._simd import simd_kernel
from twopart.fits.scaling.forms._excess import Split, falling
from twopart.fits.scaling.forms._form import EXPONENT, Floats, Form, projected
from twopart.fits.scaling.forms._terms import at, combine, room


@simd_kernel
def precision(theta: Any, z: Any, value: Any, slopes: Any, curves: Any) -> None:
    """θ = (ln E, ln A, ln B, alpha, beta, ln gamma)."""
    t, J, B = room(3, 6)
    alpha, beta = theta[3], theta[4]
    J[0, 0] = J[1, 1] = J[2, 2] = 1.0
    for i in range(z.shape[1]):
        s = np.exp(z[2, i] - theta[5])
        v = 1 / np.expm1(s) if s < 700 else 0.0
        size = z[0, i] + np.log(-np.expm1(-s))
        by_gamma, twice = -s * v, s * v * (1 - s * (1 + v))
        t[0], t[1], t[2] = theta[0], theta[1] - alpha * size, theta[2] - beta * z[1, i]
        J[1, 3], J[1, 5], J[2, 4] = -size, -alpha * by_gamma, -z[1, i]
        B[1, at(5, 3)], B[1, at(5, 5)] = -by_gamma, -alpha * twice
        value[i] = combine(t, J, B, slopes[i], curves[i])


def starts(z: Floats, loss: Floats) -> Iterator[Floats]:
    bits = np.exp(z[:, 2])
    for alpha, beta, gamma in product((0.2, 0.4, 0.8), (0.2, 0.4, 0.8), np.geomspace(0.3, 1.5, 4) * np.median(bits)):
        size = z[:, 0] + np.log(-np.expm1(-bits / gamma))
        terms = np.c_[np.ones(len(z)), np.exp(-alpha * size), np.exp(-beta * z[:, 1])]
        yield np.r_[projected(terms, loss), alpha, beta, np.log(gamma)]


def excess(theta: Floats, fixed: Mapping[str, float]) -> Split:
    """Few bits are a greater A."""
    floor, a, b, alpha, beta, gamma = theta
    s = fixed["bits"] - gamma
    counted = np.where(s < -30, s, np.log(-np.expm1(-np.exp(np.clip(s, -30, 30)))))
    return Split(floor, a - alpha * counted, falling(alpha), b, falling(beta))


PRECISION = Form(
    name="precision",
    formula="L = E + A / (N (1 - e^(-b/gamma)))^alpha + B / D^beta",
    source="Kumar et al. 2024, arXiv 2411.04330, section 4",
    inputs=("params", "tokens", "bits"),
    parameters=("E", "A", "B", "alpha", "beta", "gamma"),
    positive=("E", "A", "B", "gamma"),
    limits={"alpha": EXPONENT, "beta": EXPONENT, "gamma": (0.05, 50.0)},
    code=3,
    starts=starts,
    excess=excess,
)
