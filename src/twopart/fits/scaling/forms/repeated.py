"""Data that runs out: repeated tokens, and parameters beyond what the distinct tokens can fill, count for less and less.

    L(N, D, U) = E + A / N'^alpha + B / D'^beta
    D' = U_D + U_D R_D (1 - e^(-(D/U_D - 1)/R_D)),      U_D = min(U, D) distinct tokens
    N' = U_N + U_N R_N (1 - e^(-(N/U_N - 1)/R_N)),      U_N = min(N, N_U)

N_U is the size that `chinchilla` calls compute-optimal for U_D tokens: alpha A / N_U^alpha = beta B / U_D^beta.
Source: Muennighoff et al. 2023, "Scaling Data-Constrained Language Models" (arXiv 2305.16264), equations 5 and 6. They
fit the first five parameters on runs without repeats and tie alpha = beta; here all seven are fitted at once, and
nothing is tied.
Limits: `chinchilla` without repeats and N <= N_U; D' -> U_D (1 + R_D) for endless repeats.
Gradient: with q the excess, e = e^(-q/R), S = R (1 - e):  ∂S/∂q = e,  ∂S/∂ ln R = S - q e;  q depends on θ through ln
U_N.
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

E_, A_, B_, ALPHA, BETA, RD, RN = range(7)


@simd_kernel
def saturation(q: float, R: float) -> tuple[float, float, float, float, float, float]:
    """w = ln(1 + S), S = R (1 - e^(-q/R)), and its derivatives by q, ln R, q q, q ln R, ln R ln R."""
    e = np.exp(-q / R)
    S = -R * np.expm1(-q / R)
    by_q, by_R = e / (1 + S), (S - q * e) / (1 + S)
    qq, qR = -e / R / (1 + S) - by_q**2, e * q / R / (1 + S) - by_q * by_R
    RR = (S - q * e - e * q * q / R) / (1 + S) - by_R**2
    return np.log1p(S), by_q, by_R, qq, qR, RR


@simd_kernel
def fitting_size(theta: Any, u: float, v_slope: Any, v_curve: Any) -> float:
    """v = ln N_U for ln U_D = u, with its derivatives: v = (ln alpha - ln beta + ln A - ln B + beta u)/alpha."""
    alpha, beta = theta[ALPHA], theta[BETA]
    v = (np.log(alpha) - np.log(beta) + theta[A_] - theta[B_] + beta * u) / alpha
    v_slope[A_], v_slope[B_] = 1 / alpha, -1 / alpha
    v_slope[ALPHA], v_slope[BETA] = (1 / alpha - v) / alpha, (u - 1 / beta) / alpha
    v_curve[at(ALPHA, A_)], v_curve[at(ALPHA, B_)] = -1 / alpha**2, 1 / alpha**2
    v_curve[at(ALPHA, ALPHA)] = -(1 / alpha**2 + 2 * v_slope[ALPHA]) / alpha
    v_curve[at(BETA, ALPHA)], v_curve[at(BETA, BETA)] = -v_slope[BETA] / alpha, 1 / (alpha * beta**2)
    return float(v)


@simd_kernel
def effective_size(theta: Any, x: float, u: float, X_slope: Any, X_curve: Any) -> float:
    """X = ln N', with its derivatives. Where N <= N_U nothing is in excess; the two sides meet with one slope."""
    X_slope[:] = 0.0
    X_curve[:] = 0.0
    if not (theta[ALPHA] > 0 and theta[BETA] > 0):
        return np.nan
    v_slope, v_curve = np.zeros(7), np.zeros(28)
    v = fitting_size(theta, u, v_slope, v_curve)
    if x <= v:
        return x
    q = np.expm1(x - v)
    w, by_q, by_R, qq, qR, RR = saturation(q, np.exp(theta[RN]))
    by_v, vv, vR = 1 - by_q * (1 + q), qq * (1 + q) ** 2 + by_q * (1 + q), -qR * (1 + q)
    for a in range(5):
        X_slope[a] = by_v * v_slope[a]
        X_curve[at(RN, a)] = vR * v_slope[a]
        for b in range(a + 1):
            X_curve[at(a, b)] = vv * v_slope[a] * v_slope[b] + by_v * v_curve[at(a, b)]
    X_slope[RN], X_curve[at(RN, RN)] = by_R, RR
    return float(v + w)


@simd_kernel
def repeated(theta: Any, z: Any, value: Any, slopes: Any, curves: Any) -> None:
    """θ = (ln E, ln A, ln B, alpha, beta, ln R_D, ln R_N)."""
    t, J, B = room(3, 7)
    X_slope, X_curve = np.zeros(7), np.zeros(28)
    J[0, E_] = J[2, B_] = 1.0
    alpha, beta = theta[ALPHA], theta[BETA]
    for i in range(z.shape[1]):
        u = min(z[2, i], z[1, i])
        w, _, by_R, _, _, RR = saturation(np.expm1(z[1, i] - u), np.exp(theta[RD]))
        X, Y = effective_size(theta, z[0, i], u, X_slope, X_curve), u + w
        t[0], t[1], t[2] = theta[E_], theta[A_] - alpha * X, theta[B_] - beta * Y
        J[1] = -alpha * X_slope
        J[1, A_] += 1.0
        J[1, ALPHA] -= X
        B[1] = -alpha * X_curve
        for a in range(7):
            B[1, at(max(a, ALPHA), min(a, ALPHA))] -= X_slope[a] * (2.0 if a == ALPHA else 1.0)
        J[2, BETA], J[2, RD] = -Y, -beta * by_R
        B[2, at(RD, BETA)], B[2, at(RD, RD)] = -by_R, -beta * RR
        value[i] = combine(t, J, B, slopes[i], curves[i])


def starts(z: Floats, loss: Floats) -> Iterator[Floats]:
    """The grid takes N_U in proportion to U, at the runs' own mean ratio; the solver then moves it."""
    x, y = z[:, 0], z[:, 1]
    u = np.minimum(z[:, 2], y)
    v = np.minimum(x, u + np.mean(x - u))
    for alpha, beta, R_D, R_N in product((0.25, 0.5), (0.25, 0.5), (2.0, 8.0, 32.0), (2.0, 8.0, 32.0)):
        N = v + np.log1p(-R_N * np.expm1(-np.expm1(x - v) / R_N))
        D = u + np.log1p(-R_D * np.expm1(-np.expm1(y - u) / R_D))
        terms = np.c_[np.ones(len(z)), np.exp(-alpha * N), np.exp(-beta * D)]
        yield np.r_[projected(terms, loss), alpha, beta, np.log(R_D), np.log(R_N)]


def excess(theta: Floats, fixed: Mapping[str, float]) -> Split:
    floor, a, b, alpha, beta = theta[:5]
    R_D, R_N = np.exp(np.clip(theta[5:], -30, 100))
    return Split(floor, a, falling(alpha), b, falling(beta), fixed["unique_tokens"], (R_N, R_D))


REPEATED = Form(
    name="repeated",
    formula="L = E + A / N'^alpha + B / D'^beta, D' = U_D (1 + R_D (1 - e^(-(D/U_D - 1)/R_D))), N' alike with R_N",
    source="Muennighoff et al. 2023, arXiv 2305.16264, equations 5 and 6",
    inputs=("params", "tokens", "unique_tokens"),
    parameters=("E", "A", "B", "alpha", "beta", "R_D", "R_N"),
    positive=("E", "A", "B", "R_D", "R_N"),
    limits={"alpha": EXPONENT, "beta": EXPONENT, "R_D": (0.05, 1e4), "R_N": (0.05, 1e4)},
    code=5,
    starts=starts,
    excess=excess,
)
