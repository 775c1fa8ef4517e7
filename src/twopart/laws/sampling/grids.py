"""Samplers of any target in one dimension, on an even grid: a step is a matrix of Gaussian rows.

    ula_density      where unadjusted Langevin chains settle;  langevin_gap  how fast the diffusion forgets
    one_segment      mean and variance of a score estimated by chains;  on_grid  density of a reverse diffusion's samples

Grids must be finer than a step's noise and so wide that the density vanishes at their ends; then only rounding is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh_tridiagonal

from twopart._arrays import Floats, finite, numbers, together
from twopart._checks import check, check_function, check_integer, check_real
from twopart.laws.sampling.diffusion_mc import Recursion, reverse_times, step_size


def _moves(x: Floats, to: Floats, variance: ArrayLike) -> Floats:
    """Chances of landing at points `x` (G,) from places `to` (...) with Gaussian noise: shape (..., G), rows of sum 1."""
    kernel = np.exp(-np.square(x - to[..., None]) / (2 * np.asarray(variance)))
    return np.asarray(kernel / kernel.sum(-1, keepdims=True).clip(1e-300))


def _even(name: str, grid: ArrayLike, spread: float) -> Floats:
    """The grid, if it is even and finer than the noise of a step."""
    x = finite(name, grid, (None,), "points on the line")
    even = len(x) > 2 and bool(np.allclose(np.diff(x), x[1] - x[0])) and x[1] > x[0]
    check(even, name, x.shape, "uniform and rising", "use numpy.linspace")
    check(x[1] - x[0] < spread, name, x[1] - x[0], f"finer than {spread:.3g}, a step's noise", "take more points")
    return x


def _at(x: Floats, name: str, function: Callable[[Floats], Floats]) -> Floats:
    """The function's values at points (G,)."""
    check_function(name, function, "points (G,)")
    return finite(name, function(x), x.shape, "one number for each point")


def ula_density(score: Callable[[Floats], Floats], grid: ArrayLike, learning_rate: float) -> Floats:
    """The stationary density of x ← x + η score(x) + √(2η) ξ on `grid`, shape (n,). It solves the transfer operator's sums."""
    η = check_real("learning_rate", learning_rate, 0, np.inf, "it is a step", closed="()")
    x = _even("grid", grid, math.sqrt(2 * η))
    stays = _moves(x, x + η * _at(x, "score", score), 2 * η).T - np.eye(len(x))
    stays[-1] = x[1] - x[0]  # the last equation follows from the others; in its place, that all mass is one
    return np.asarray(np.linalg.solve(stays, np.eye(len(x))[-1]).clip(0))


def langevin_gap(log_density: Callable[[Floats], Floats], low: float, high: float, points: int = 2000) -> float:
    """The spectral gap of dX = ∇ln p dt + √2 dB on [low, high]: means forget their start as e^(-gap t).

    Second eigenvalue of the reversible chain on a grid whose rates are √(p'/p)/h², tridiagonal; exact to O(h²) of itself, and
    to about 1e-12/h² absolutely.
    """
    check_real("low", low, -math.inf, math.inf, "take it finite: the density vanishes there", closed="()")
    check_real("high", high, low, math.inf, "`low` to `high` hold the density", closed="()")
    x, h = np.linspace(low, high, check_integer("points", points, 3, None, "2000 do for unit modes"), retstep=True)
    up = np.exp(np.diff(_at(x, "log_density", log_density)) / 2) / h**2
    leave = np.append(up, 0) + np.append(0, 1 / up / h**4)
    off = np.full(len(up), -1 / h**2)
    return float(eigh_tridiagonal(leave, off, eigvals_only=True, select="i", select_range=(1, 1))[0])


def one_segment(
    score: Callable[[Floats], Floats],
    x: Floats,
    s: float,
    smoothness: float,
    *,
    chains: int,
    steps: int,
    step: float = 0.5,
    grid: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Mean and variance of the estimate by `learners.sampling.RecursiveScore` at points `x` (X,), s into its first segment.

    The chains' kernel N(y + τ (score(y) + e^-s (x - e^-s y)/(1 - e^-2s)), 2τ) is raised to the m-th power on a grid (G,),
    by default `x` itself.
    """
    plan = Recursion([s], smoothness, chains=chains, steps=steps, step=step)  # refuses what is out of range
    e, D, τ = math.exp(-s), -math.expm1(-2 * s), step_size(plan.smoothness[0], s, plan.step)
    x = finite("x", x, (None,), "points on the line")
    y = _even("grid", x if grid is None else grid, math.sqrt(2 * τ))
    to = y + τ * (_at(y, "score", score) + e * (x[:, None] - e * y) / D)
    kernel = _moves(y, to, 2 * τ).astype(np.float32)  # (X, G, G)
    f = np.broadcast_to(np.stack([y, y**2], -1), (len(x), len(y), 2)).astype(np.float32)
    for _ in range(steps - 1):
        f = kernel @ f
    first = _moves(y, x + τ * (_at(x, "score", score) + e * x * (1 - e) / D), 2 * τ)
    mean, square = np.einsum("xg,xgf->fx", first, f.astype(float))
    return (e * mean - x) / D, (e / D) ** 2 * (square - mean**2) / chains


def on_grid(
    estimate: Callable[[float], tuple[Floats, ArrayLike]], segments: ArrayLike, inner: int | Sequence[int], x: Floats
) -> Floats:
    """Density on an even grid `x` of the sampler's results: `estimate(t)` gives mean and variance of the score at `x`.

    An exact score has variance 0. The noise of the score is taken as Gaussian: it is the mean of many chains.
    """
    plan = reverse_times(segments, inner)
    check_function("estimate", estimate, "the time")
    x = _even("x", x, math.sqrt(math.expm1(2 * min(h for _, h in plan))))
    p = np.exp(-(x**2) / 2)
    for t, h in plan:
        found = estimate(t)
        check(isinstance(found, tuple) and len(found) == 2, "estimate", found, "mean and variance", "see `one_segment`")
        mean, push = finite("estimate", found[0], x.shape, "one score for each point"), 2 * math.expm1(h)
        noise = numbers("estimate", found[1], 0, math.inf, "[)")
        together(mean=mean, estimate=noise)
        variance = math.expm1(2 * h) + push**2 * np.broadcast_to(noise, x.shape)
        p = p @ _moves(x, math.exp(h) * x + push * mean, variance[:, None])
    return np.asarray(p / (p.sum() * (x[1] - x[0])))
