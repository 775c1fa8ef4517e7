"""One ReLU neuron trained sample by sample: GLM-tron, and SGD on the squared loss, which is GLM-tron behind a gate.

    w ← w - γ (relu(<x, w>) - y) x [· 1(<x, w> > 0) for SGD]          loss (y - relu(<x, w>))²,  H = E x xᵀ

All is derived in docs/laws/relu-neuron.md; Bernoulli inputs are x = ± e_i, axis i with probability λ_i, and with noise their
chains are in relu_chain.py. Source of the question: Wu et al. 2023, arXiv 2303.02255, who prove orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.worlds.regression.arrays import covariance, step_sizes, steps_at, variances
from twopart.worlds.regression.covariances import times


@dataclass(frozen=True, eq=False)
class NeuronPass:
    """One pass over samples of one neuron, as the laws of its risk are given it. `InputError` for wrong shapes and nan."""

    eigenvalues: Any
    """λ, shape (d,), each >= 0."""
    truth: Any
    """w*, shape (d,)."""
    start: Any
    """w_0, shape (d,)."""
    rates: Any = ()
    """γ, that of each sample, shape (T,)."""
    noise: float = 0.0
    """σ >= 0."""
    gate: bool = False
    """False: GLM-tron; True: SGD."""

    def __post_init__(self) -> None:
        λ, remedy = variances("eigenvalues", self.eigenvalues), "give one weight for each direction"
        checked = {"eigenvalues": λ, "rates": step_sizes("rates", self.rates, np.size(self.rates))}
        checked |= {name: finite(name, getattr(self, name), λ.shape, remedy) for name in ("truth", "start")}
        check_real("noise", self.noise, 0, np.inf, "it is a standard deviation", closed="[)")
        for name, array in checked.items():
            object.__setattr__(self, name, array)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which weights start with the sign of w*, shape (d,)."""
        return np.asarray(self.start * self.truth > 0)

    @property
    def kept(self) -> Floats:
        """What each step keeps of a squared error on Bernoulli inputs, shape (T, d): half of the hits move a weight."""
        return np.asarray(1 - self.eigenvalues / 2 * (1 - (1 - self.rates[:, None]) ** 2))


def mean_weights(
    second_moment: ArrayLike,
    cross_moment: ArrayLike,
    rates: ArrayLike,
    start: ArrayLike | None = None,
    at: Sequence[int] | None = None,
) -> Floats:
    """E w_t of GLM-tron after the steps `at` (None: before the first and after each), shape (len(at), d).

    E w_t = E w_{t-1} - γ_t (H E w_{t-1}/2 - E[x y]): exact for independent samples with x ~ -x, whatever the labels and the
    batch. `second_moment` is H, shape (d, d), or its diagonal, (d,); `cross_moment` E[x y], (d,); `start` is 0 without it.
    """
    c = finite("cross_moment", cross_moment, (None,), "give E[x y], one number for each direction")
    H, γ = covariance("second_moment", second_moment, len(c)), step_sizes("rates", rates, np.size(rates))
    w = np.zeros_like(c) if start is None else finite("start", start, c.shape, "give one weight for each direction")
    path = [w]
    for rate in γ:
        path.append(path[-1] - rate * (times(path[-1], H) / 2 - c))
    return np.array(path)[steps_at(at, len(γ), range(len(γ) + 1))]


@dataclass(frozen=True, eq=False)
class GaussianRisk:
    """Moments and risk of one pass under Gaussian inputs."""

    risk: Floats
    """E (relu(<x, w>) - relu(<x, w*>))² before the first step and after each, shape (T + 1,)."""
    spread: Floats
    """Standard deviation over mean of ||w||²_H among runs, shape (T + 1,), which the closure takes for 0: how good it is."""
    mean: Floats
    """E w after the last step, shape (d,); exact for GLM-tron."""
    square: Floats
    """E w² after the last step, shape (d,)."""


def gaussian_risk(given: NeuronPass, batch: int = 1) -> GaussianRisk:
    """The risk on samples x ~ N(0, diag λ), y = relu(<x, w*>) + noise, a fresh `batch` at each step.

    Exact for the first step; then an approximation for many directions of like weight, whose quality `spread` tells. SGD from 0
    is refused, as its gate is shut there.
    """
    λ, truth, a, γ = given.eigenvalues, given.truth, given.start, given.rates
    share = 1 / check_integer("batch", batch, 1, None, "1 is one sample a step")
    check(
        not given.gate or bool(λ @ a**2 > 0), "start", 0.0, "not 0 for SGD", "its gate is shut there; start elsewhere"
    )
    q, along = a**2, truth**2
    risk, spread = np.empty(len(γ) + 1), np.empty(len(γ) + 1)
    for t, rate in enumerate([*γ, 0.0]):
        lengths = float(λ @ q), float(λ @ along), float(λ @ (a * truth))
        risk[t], (k1, k2), (f, uu, uv, vv), heard = _gaussian(*lengths, given.gate)
        variance = np.maximum(q - a**2, 0)
        spread[t] = np.sqrt(np.square(λ) @ (2 * variance**2 + 4 * a**2 * variance)) / max(lengths[0], 1e-300)
        pull = λ * (k1 * q + k2 * a * truth)  # E w_i x_i (relu(u) - relu(v)) of the gate, to be taken off
        drift2 = λ**2 * (k1**2 * q + 2 * k1 * k2 * a * truth + k2**2 * along)
        second = λ * (f + heard * given.noise**2) + λ**2 * (uu * q + 2 * uv * a * truth + vv * along)
        q = q - 2 * rate * pull + rate**2 * (share * second + (1 - share) * drift2)
        a = a - rate * λ * (k1 * a + k2 * truth)
    return GaussianRisk(risk, spread, a, q)


def _gaussian(uu: float, vv: float, uv: float, gate: bool) -> tuple[float, tuple[float, ...], tuple[float, ...], float]:
    """Expectations over Gaussian (u, v) of these second moments: risk, (κ₁, κ₂), (E f, f_uu, f_uv, f_vv), E gate."""
    s, t = np.sqrt(uu), np.sqrt(vv)
    cosine = min(1.0, max(-1.0, uv / (s * t))) if s * t > 0 else 0.0
    ϑ = np.arccos(cosine)
    P, S = (np.pi - ϑ) / (2 * np.pi), np.sin(ϑ)
    risk = (uu - 2 * uv + vv) / 2 - s * t * (S - ϑ * cosine) / np.pi
    by_s, by_t = (t * S / (np.pi * s) if s > 0 else 0.0), (s * S / (np.pi * t) if t > 0 else 0.0)
    if not gate:
        return risk, (0.5, -0.5), (risk, 1 - by_s, -2 * P, 1 - by_t), 1.0
    K = s * t * (S + (np.pi - ϑ) * cosine) / (2 * np.pi)
    f = uu / 2 - 2 * K + vv * (P + S * cosine / (2 * np.pi))
    curvature = 1 - by_s - vv * S * cosine / (np.pi * uu)
    return risk, (0.5 - by_s / 2, -P), (f, curvature, -2 * P + by_s, 2 * P - by_t), 0.5


def noiseless_sgd(given: NeuronPass) -> Floats:
    """Risk of SGD on Bernoulli inputs without noise, before the first step and after each, shape (T + 1,); exact.

    Wrong signs never turn, and where w_0 = 0 nothing moves. Rates lie in [0, 1], so that no step crosses 0.
    """
    fastest = given.rates.max(initial=0)
    check(fastest <= 1, "rates", fastest, "at most 1", "a longer step may cross 0")
    moves = given.eigenvalues * np.where(given.right, given.start - given.truth, given.start) ** 2 / 2
    return np.asarray(sgd_floor(given) + np.cumprod([moves, *given.kept], axis=0).sum(1))


def sgd_floor(given: NeuronPass) -> float:
    """Σ λ w*²/2 over the directions that do not start with the sign of w*: what SGD keeps without noise, however long."""
    return float(np.where(given.right, 0.0, given.eigenvalues * given.truth**2).sum() / 2)


def same_sign_risk(given: NeuronPass) -> tuple[Floats, Floats]:
    """Bias and variance of the risk on Bernoulli inputs from the signs of w*, shape (T + 1,) each, if no weight crosses 0.

    GLM-tron and SGD share the bias, and SGD has half the variance.
    """
    right, remedy = given.start * given.truth >= 0, "see relu_chain.bernoulli_risk"
    check(bool(np.all(right)), "start", given.start.tolist(), "of the signs of `truth`", remedy)
    kept, λ, variance = given.kept, given.eigenvalues, [0 * given.eigenvalues]
    for rate, keep in zip(given.rates, kept, strict=True):
        variance.append(variance[-1] * keep + λ * (rate * given.noise) ** 2 * (0.5 if given.gate else 1.0))
    return np.cumprod([np.square(given.start - given.truth), *kept], axis=0) @ λ / 2, np.array(variance) @ λ / 2
