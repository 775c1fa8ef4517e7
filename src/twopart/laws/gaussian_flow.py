"""The law of diffusion samplers on Gaussian data with linear scores: exact at any number of steps, and in their limit.

Data are N(μ, v) in each coordinate, so that p_t = N(a μ, a² v + s²), and the score is that of p_t times 1 + κ(t), κ its error:
-(1 + κ) (x - a μ) / (a² v + s²). Samplers go down in time along

    dx = [drift x - (1 + λ²)/2 g² score] dt + λ g dw          (λ = 0: the ODE; λ = 1: the reverse SDE; g² = diffusion).

Every step of every solver is affine, x ← A x + B + √W z, so that m ← A m + B and V ← A² V + W.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from twopart._checks import check, check_choice, check_real
from twopart.worlds.noise import Noise

Floats = NDArray[np.float64]
Solver = Literal["euler", "heun", "ddim"]
SOLVERS: tuple[Solver, ...] = ("euler", "heun", "ddim")


class Flow(NamedTuple):
    """Moments along the way."""

    times: Floats
    """Falling, shape (T,)."""
    mean: Floats
    """Shape (T, d)."""
    variance: Floats


class _At(NamedTuple):
    """What a clock and a score are at a time: drift of the sampler P x + Q, and the score's slope w."""

    a: float
    s: float
    g2: float
    w: Floats
    P: Floats
    Q: Floats


def gaussian_flow(
    mean: ArrayLike,
    variance: ArrayLike,
    times: ArrayLike,
    noise: Noise,
    *,
    solver: Solver = "euler",
    churn: float = 0.0,
    bias: float | Callable[[float], ArrayLike] = 0.0,
    start: tuple[ArrayLike, ArrayLike] | None = None,
) -> Flow:
    """Mean and variance of the sampler at each of `times` (falling, (T,)), for data of `mean` and `variance`, numbers or (d,).

    `churn` is λ >= 0 (of "ddim" at most 1, which is ancestral sampling: Song, Meng, Ermon 2021, equation 12); `bias` is κ, a
    number or a function of t; `start` are moments at the first time, None for the noise alone, N(0, s²).
    Raises `InputError` for times that do not fall and arguments out of range.
    """
    check_choice("solver", solver, SOLVERS)
    λ = check_real("churn", churn, 0, 1 if solver == "ddim" else np.inf, "0 is the ODE, 1 the reverse SDE")
    t, μ, v = _arguments(mean, variance, times)
    at = [_at(float(time), μ, v, noise, λ, bias) for time in t]
    m, V = (np.zeros_like(μ), np.full_like(μ, at[0].s ** 2)) if start is None else _both(*start, μ)
    found = [(m, V)]
    for (now, then), h in zip(pairwise(at), -np.diff(t), strict=True):
        A, B, W = _ddim(now, then, μ, λ) if solver == "ddim" else _euler(now, then, h, λ, solver == "heun")
        m, V = A * m + B, A**2 * V + W
        found.append((m, V))
    means, variances = zip(*found, strict=True)
    return Flow(t, np.array(means), np.array(variances))


def continuous_flow(
    mean: ArrayLike,
    variance: ArrayLike,
    times: ArrayLike,
    noise: Noise,
    *,
    churn: float = 0.0,
    bias: float | Callable[[float], ArrayLike] = 0.0,
    start: tuple[ArrayLike, ArrayLike] | None = None,
) -> Flow:
    """The limit of many steps: m' = P m + Q and V' = 2 P V - λ² g², integrated to a relative error of 1e-9."""
    λ = check_real("churn", churn, 0, np.inf, "0 is the ODE, 1 the reverse SDE", closed="[)")
    t, μ, v = _arguments(mean, variance, times)
    first = _at(float(t[0]), μ, v, noise, λ, bias)
    m, V = (np.zeros_like(μ), np.full_like(μ, first.s**2)) if start is None else _both(*start, μ)

    def slope(time: float, y: Floats) -> Floats:
        here, (m, V) = _at(time, μ, v, noise, λ, bias), y.reshape(2, -1)
        return np.concatenate([here.P * m + here.Q, 2 * here.P * V - λ**2 * here.g2])

    y = solve_ivp(slope, (t[0], t[-1]), np.concatenate([m, V]), t_eval=t, rtol=1e-9, atol=1e-12, method="LSODA").y
    return Flow(t, y[: len(μ)].T, y[len(μ) :].T)


def _at(t: float, μ: Floats, v: Floats, noise: Noise, λ: float, bias: Any) -> _At:
    time = torch.tensor(t, dtype=torch.float64)
    a, s, f, g2 = (float(part(time)) for part in (noise.scale, noise.std, noise.drift, noise.diffusion))
    w = (1 + np.asarray(bias(t) if callable(bias) else bias)) / (a**2 * v + s**2)
    pull = (1 + λ**2) / 2 * g2 * w
    return _At(a, s, g2, w, f + pull, -pull * a * μ)


def _euler(now: _At, then: _At, h: float, λ: float, heun: bool) -> tuple[Floats, Floats, Floats]:
    """x - h (P x + Q) + λ g √h z; Heun's method takes the mean of the drifts at both ends, with the same z."""
    A, B, W = 1 - h * now.P, -h * now.Q, np.full_like(now.P, λ**2 * now.g2 * h)
    if heun:
        W = W * (1 - h / 2 * then.P) ** 2
        A, B = 1 - h / 2 * (now.P + then.P * A), -h / 2 * (now.Q + then.P * B + then.Q)
    return A, B, W


def _ddim(now: _At, then: _At, μ: Floats, λ: float) -> tuple[Floats, Floats, Floats]:
    """a' x̂_0 + √(s'² - W) ε̂ + √W z, with W = λ² s'²/s² (s² - (a/a')² s'²) and ε̂ = s w (x - a μ)."""
    W = (λ * then.s / now.s) ** 2 * (now.s**2 - (now.a / then.a * then.s) ** 2)
    ε = now.s * now.w
    along = np.sqrt(max(then.s**2 - W, 0)) - then.a / now.a * now.s
    return then.a / now.a + along * ε, -along * ε * now.a * μ, np.full_like(μ, W)


def _arguments(mean: ArrayLike, variance: ArrayLike, times: ArrayLike) -> tuple[Floats, Floats, Floats]:
    t = np.asarray(times, float)
    fine = t.ndim == 1 and len(t) > 1 and bool(np.isfinite(t).all()) and bool((np.diff(t) < 0).all())
    check(fine, "times", t.shape, "(T,) falling numbers, T >= 2", "samplers go from noise to data")
    μ, v = _both(mean, variance, np.atleast_1d(np.zeros(np.broadcast(mean, variance).shape)))
    return t, μ, v


def _both(mean: ArrayLike, variance: ArrayLike, like: Floats) -> tuple[Floats, Floats]:
    m, V = (np.broadcast_to(np.asarray(part, float), like.shape) for part in (mean, variance))
    fine = bool(np.isfinite(m).all() and np.isfinite(V).all() and (V >= 0).all())
    check(fine, "variance", V, "finite and >= 0, and means finite", "look at the data")
    return m, V
