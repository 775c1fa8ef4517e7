"""One ReLU neuron trained sample by sample: GLM-tron, and SGD on the squared loss, which is GLM-tron behind a gate.

    w ← w - γ (relu(<x, w>) - y) x [· 1(<x, w> > 0) for SGD]          loss (y - relu(<x, w>))²,  H = E x xᵀ

    mean_weights       E w of GLM-tron: linear, exact for every symmetric input and for any labels, as relu(u) = (u + |u|)/2
    gaussian_risk      risk of both under Gaussian inputs: moments by direction, closed by self-averaging of length and angle
    noiseless_sgd      Bernoulli inputs (x = ± e_i): SGD without noise, in closed form; wrong signs never turn
    same_sign_risk     Bernoulli inputs, right signs: GLM-tron and SGD share the bias, SGD has half the variance
    sgd_floor          Bernoulli inputs: what SGD without noise keeps for ever

The chains of Bernoulli inputs with noise are in relu_chain.py. All is derived in docs/laws/relu-neuron.md; source of the
question: Wu, Zou, Chen, Braverman, Gu, Kakade 2023, arXiv 2303.02255, who prove orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twopart._checks import check, check_integer, check_real
from twopart.worlds.regression.arrays import Floats, finite, step_sizes, steps_at, variances
from twopart.worlds.regression.relu_neuron import neuron_risk


def mean_weights(
    second_moment: ArrayLike,
    cross_moment: ArrayLike,
    rates: ArrayLike,
    start: ArrayLike | None = None,
    at: Sequence[int] | None = None,
) -> Floats:
    """E w_t of GLM-tron after the steps `at` (None: before the first and after each), shape (len(at), d).

    E w_t = E w_{t-1} - γ_t (H E w_{t-1}/2 - E[x y]): exact for independent samples with x ~ -x, whatever the labels and the
    batch. `second_moment` is H, shape (d, d), or its diagonal, (d,); `cross_moment` E[x y], (d,); `rates` γ, (T,); `start`
    (d,), 0 without it. For data x, y: H = xᵀx/n and xᵀy/n, if samples are drawn with replacement and the inputs are symmetric.
    Raises `InputError` for wrong shapes, ranges and nan.
    """
    c = finite("cross_moment", cross_moment, (None,), "give E[x y], one number for each direction")
    moment = np.asarray(second_moment)
    shape = (len(c),) if moment.ndim == 1 else (len(c), len(c))
    H = finite("second_moment", moment, shape, "give E[x xᵀ], or its diagonal")
    w = np.zeros_like(c) if start is None else finite("start", start, (len(c),), "give one weight for each direction")
    γ = step_sizes("rates", rates, np.size(rates))
    kept, rows = set(steps_at(at, len(γ), range(len(γ) + 1))), []
    for t in range(len(γ) + 1):
        if t in kept:
            rows.append(w)
        if t < len(γ):
            w = w - γ[t] * ((H * w if H.ndim == 1 else H @ w) / 2 - c)
    return np.array(rows)


@dataclass(frozen=True, eq=False)
class GaussianRisk:
    """Moments and risk of one pass under Gaussian inputs."""

    risk: Floats
    """E (relu(<x, w>) - relu(<x, w*>))² before the first step and after each, shape (T + 1,)."""
    spread: Floats
    """Standard deviation over mean of ||w||²_H among runs, shape (T + 1,), which the closure takes for 0: how good it is. In
    docs/laws/relu-neuron.md, Gaussian inputs, the risk was off by at most half of the largest square."""
    mean: Floats
    """E w after the last step, shape (d,); exact for GLM-tron."""
    square: Floats
    """E w² after the last step, shape (d,)."""


def gaussian_risk(
    eigenvalues: ArrayLike,
    truth: ArrayLike,
    start: ArrayLike,
    rates: ArrayLike,
    *,
    noise: float = 0.0,
    gate: bool = False,
    batch: int = 1,
) -> GaussianRisk:
    """The risk of GLM-tron (`gate` False) or SGD (True) on samples x ~ N(0, diag λ), y = relu(<x, w*>) + noise.

    Exact for the first step; then an approximation for many directions of like weight, whose quality `spread` tells.
    `eigenvalues` λ, `truth` w*, `start` (d,), `rates` γ (T,), `noise` σ, a fresh `batch` a step.
    Raises `InputError` for wrong shapes, ranges and nan, and for SGD from 0, where the gate is shut.
    """
    λ, truth, a = _problem(eigenvalues, truth, start)
    γ = step_sizes("rates", rates, np.size(rates))
    σ2 = check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="[)") ** 2
    share = 1 / check_integer("batch", batch, 1, None, "1 is one sample a step")
    check(not gate or bool(λ @ a**2 > 0), "start", 0.0, "not 0 for SGD", "its gate is shut there; start elsewhere")
    q, along = a**2, truth**2
    risk, spread = np.empty(len(γ) + 1), np.empty(len(γ) + 1)
    for t in range(len(γ) + 1):
        step = _Gaussian.of(float(λ @ q), float(λ @ along), float(λ @ (a * truth)), gate)
        variance = np.maximum(q - a**2, 0)
        risk[t] = step.risk
        spread[t] = np.sqrt(np.square(λ) @ (2 * variance**2 + 4 * a**2 * variance)) / max(float(λ @ q), 1e-300)
        if t == len(γ):
            break
        pull = λ * (step.k1 * q + step.k2 * a * truth)  # E w_i x_i (relu(u) - relu(v)) of the gate, to be taken off
        drift2 = λ**2 * (step.k1**2 * q + 2 * step.k1 * step.k2 * a * truth + step.k2**2 * along)
        second = λ * (step.f + step.noise * σ2)
        second += λ**2 * (step.uu * q + 2 * step.uv * a * truth + step.vv * along)
        q = q - 2 * γ[t] * pull + γ[t] ** 2 * (share * second + (1 - share) * drift2)
        a = a - γ[t] * λ * (step.k1 * a + step.k2 * truth)
    return GaussianRisk(risk, spread, a, q)


@dataclass(frozen=True)
class _Gaussian:
    """Expectations over Gaussian (u, v) of lengths s, t and angle ϑ, for f = gate (relu(u) - relu(v))²."""

    risk: float
    k1: float
    """E x gate (relu(u) - relu(v)) = H (k1 w + k2 w*)."""
    k2: float
    f: float
    """E f; uu, uv, vv are E of its second derivatives (Stein): E f x_i² = λ_i E f + λ_i² Σ c c' E ∂²f."""
    uu: float
    uv: float
    vv: float
    noise: float
    """E gate: the share of samples whose noise comes in."""

    @classmethod
    def of(cls, uu: float, vv: float, uv: float, gate: bool) -> _Gaussian:
        s, t = np.sqrt(uu), np.sqrt(vv)
        cosine = min(1.0, max(-1.0, uv / (s * t))) if s * t > 0 else 0.0
        ϑ = np.arccos(cosine)
        P, S = (np.pi - ϑ) / (2 * np.pi), np.sin(ϑ)
        K = s * t * (S + (np.pi - ϑ) * cosine) / (2 * np.pi)
        risk = (uu - 2 * uv + vv) / 2 - s * t * (S - ϑ * cosine) / np.pi
        by_s, by_t = (t * S / (np.pi * s) if s > 0 else 0.0), (s * S / (np.pi * t) if t > 0 else 0.0)
        if not gate:
            return cls(risk, 0.5, -0.5, risk, 1 - by_s, -2 * P, 1 - by_t, 1.0)
        f = uu / 2 - 2 * K + vv * (P + S * cosine / (2 * np.pi))
        curvature = 1 - by_s - vv * S * cosine / (np.pi * uu)
        return cls(risk, 0.5 - by_s / 2, -P, f, curvature, -2 * P + by_s, 2 * P - by_t, 0.5)


def noiseless_sgd(eigenvalues: ArrayLike, truth: ArrayLike, start: ArrayLike, rates: ArrayLike) -> Floats:
    """Risk of SGD on Bernoulli inputs without noise, before the first step and after each, shape (T + 1,); exact.

    f = Π (1 - λ/2 + (λ/2)(1 - γ)²): λ/2 (w_0 - w*)² f from the right sign, λ/2 (w*² + w_0² f) from the wrong one, and where
    w_0 = 0 nothing moves. `rates` lie in [0, 1], so that no step crosses 0.
    """
    λ, truth, w = _problem(eigenvalues, truth, start)
    γ = step_sizes("rates", rates, np.size(rates))
    check(γ.max(initial=0) <= 1, "rates", γ.max(initial=0), "at most 1", "a longer step may cross 0")
    moves = λ * np.where(w * truth > 0, w - truth, w) ** 2 / 2
    risk = np.full(len(γ) + 1, sgd_floor(λ, truth, w))
    risk[0] += moves.sum()
    for t, rate in enumerate(γ, 1):
        moves = moves * (1 - λ / 2 * (1 - (1 - rate) ** 2))
        risk[t] += moves.sum()
    return risk


def sgd_floor(eigenvalues: ArrayLike, truth: ArrayLike, start: ArrayLike) -> float:
    """Σ λ w*²/2 over the directions that do not start with the sign of w*: what SGD keeps without noise, however long."""
    λ, truth, w = _problem(eigenvalues, truth, start)
    return float(np.where(w * truth > 0, 0.0, λ * truth**2).sum() / 2)


def same_sign_risk(
    eigenvalues: ArrayLike,
    truth: ArrayLike,
    start: ArrayLike,
    rates: ArrayLike,
    *,
    noise: float = 0.0,
    gate: bool = False,
) -> tuple[Floats, Floats]:
    """Bias and variance of the risk on Bernoulli inputs from the signs of w*, shape (T + 1,) each, if no weight crosses 0.

    m' = m (1 - λ/2 + (λ/2)(1 - γ)²) + λ γ² σ² [· 1/2 for SGD] with risk Σ λ m/2: half of the samples of an axis are on its shut
    side, where GLM-tron steps by pure noise and SGD does not step. So SGD/GLM-tron lies in [1/2, 1].
    """
    λ, truth, w = _problem(eigenvalues, truth, start)
    γ = step_sizes("rates", rates, np.size(rates))
    σ2 = check_real("noise", noise, 0, np.inf, "it is a standard deviation", closed="[)") ** 2
    check(bool(np.all(w * truth >= 0)), "start", w.tolist(), "of the signs of `truth`", "see relu_chain.bernoulli_risk")
    bias, variance = np.square(w - truth), np.zeros_like(λ)
    rows = [(λ @ bias / 2, 0.0)]
    for rate in γ:
        keep = 1 - λ / 2 + λ / 2 * (1 - rate) ** 2
        bias, variance = bias * keep, variance * keep + λ * rate**2 * σ2 * (0.5 if gate else 1.0)
        rows.append((λ @ bias / 2, λ @ variance / 2))
    return np.array(rows)[:, 0], np.array(rows)[:, 1]


def _problem(eigenvalues: Any, truth: Any, start: Any) -> tuple[Floats, Floats, Floats]:
    λ, remedy = variances("eigenvalues", eigenvalues), "give one weight for each direction"
    return λ, finite("truth", truth, λ.shape, remedy), finite("start", start, λ.shape, remedy)


__all__ = [
    "GaussianRisk",
    "gaussian_risk",
    "mean_weights",
    "neuron_risk",
    "noiseless_sgd",
    "same_sign_risk",
    "sgd_floor",
]
