"""Langevin steps, plain or with Laplacian smoothing, and many chains of them at once, on any score.

chains(score, x0, lr, steps)     x ← x + η A^{-1} score(x) + √(2 η T) A^{-½} ξ,  A = I - σ circ(-2, 1, 0, ..., 0, 1)
smooth(x, sigma)                 A^{-1} x, by FFT in O(d log d); sigma = 0 is plain
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from twopart._checks import check, check_choice, check_integer, check_real
from twopart.laws.sampling.langevin import VARIANTS, Variant
from twopart.learners.sampling.scores import Score, answer, check_points, noise

STEP = "the largest stable step is 2 over the largest eigenvalue of A^{-1} H, see twopart.laws.sampling"


def chains(
    score: Score,
    x0: Tensor,
    lr: float,
    steps: int,
    sigma: float = 0.0,
    thin: int = 1,
    generator: torch.Generator | None = None,
    *,
    temperature: float = 1.0,
    variant: Variant = "langevin",
    on_step: Callable[[int, Tensor], None] = lambda k, x: None,
) -> Tensor:
    """Every `thin`-th state of C chains, shape (steps // thin, C, d), from x0 (C, d), all moved at once.

    `score` maps (C, d) to ∇ log p, exact or an unbiased estimate such as a minibatch gives; `sigma` smooths along the last
    dimension. `on_step(k, x)` sees every state. Raises `InputError` for arguments out of range, and where chains have diverged.
    """
    x = check_points(x0, "x0")
    check_step(lr, sigma, temperature, variant)
    check_integer("steps", steps, 1, None, "a chain needs a step")
    check_integer("thin", thin, 1, steps, "every how many steps a state is kept")
    std = math.sqrt(2 * lr * temperature) * (lr if variant == "published" else 1.0)
    kept = x.new_empty((steps // thin, *x.shape))
    for k in range(1, steps + 1):
        ξ = noise(x, generator)
        x = x + noisy_step(-answer(score, x), ξ, sigma, lr, std)
        if k % thin == 0:
            kept[k // thin - 1] = x
        on_step(k, x)
    check(bool(torch.isfinite(x.sum())), "lr", lr, "small enough for chains to stay finite", STEP)
    return kept


def check_step(lr: float, sigma: float, temperature: float, variant: str) -> None:
    """What every sampler asks of its step."""
    check_real("lr", lr, 0, math.inf, STEP, closed="()")
    check_real("sigma", sigma, 0, math.inf, "0 is SGLD", closed="[)")
    check_real("temperature", temperature, 0, math.inf, "1 samples the posterior, 0 descends", closed="[)")
    check_choice("variant", variant, VARIANTS)


def smooth(x: Tensor, sigma: float, power: float = 1.0, dim: int = -1) -> Tensor:
    """A^{-power} x along `dim`, for A = I - σ circ(-2, 1, 0, ..., 0, 1): of the shape, type and device of x.

    Fourier modes are divided by a_j^power, a_j = 1 + 2σ (1 - cos 2πj/d): O(d log d). Half precision is computed in single.
    Raises `InputError` for a tensor that is not of finite floats or lacks the dimension, and for sigma < 0.
    """
    check_floats("x", x)
    there = isinstance(dim, int) and -x.ndim <= dim < x.ndim
    check(there, "x", tuple(x.shape), f"a tensor with a dimension {dim}", "`x[None]` adds one")
    check(bool(x.isfinite().all()), "x", "nan or infinity", "finite", "drop or fill those entries")
    check_real("sigma", sigma, 0, math.inf, "0 leaves x as it is", closed="[)")
    check_real("power", power, -math.inf, math.inf, "1 is A^{-1}")
    if sigma == 0 or x.numel() == 0:
        return x.clone()
    return _from_modes(_modes(x, dim) * _factors(x, sigma, -power, dim), x, dim)


def _modes(x: Tensor, dim: int) -> Tensor:
    modes: Tensor = torch.fft.rfft(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x, dim=dim)
    return modes


def _from_modes(modes: Tensor, like: Tensor, dim: int) -> Tensor:
    values: Tensor = torch.fft.irfft(modes, n=like.shape[dim], dim=dim)
    return values.to(like.dtype)


def _factors(x: Tensor, sigma: float, power: float, dim: int) -> Tensor:
    """a_j^power of the modes that rfft has, shaped to stand along `dim`."""
    d = x.shape[dim]
    j = torch.arange(d // 2 + 1, device=x.device, dtype=torch.float64)
    a = (1 + 2 * sigma * (1 - torch.cos(2 * math.pi * j / d))) ** power
    shape = [1] * x.ndim
    shape[dim] = -1
    return a.to(torch.float64 if x.dtype == torch.float64 else torch.float32).reshape(shape)


def noisy_step(g: Tensor, noise: Tensor, sigma: float, lr: float, std: float) -> Tensor:
    """-lr A^{-1} g + std A^{-½} noise along the last dimension, through one way back."""
    if sigma == 0:
        return std * noise - lr * g
    half = _factors(g, sigma, -0.5, -1)
    return _from_modes(half * (std * _modes(noise, -1) - lr * half * _modes(g, -1)), g, -1)


def check_floats(name: str, x: Any) -> None:
    """A tensor of floats."""
    got = str(x.dtype) if isinstance(x, Tensor) else type(x).__name__
    fits = isinstance(x, Tensor) and x.is_floating_point()
    check(fits, name, got, "a tensor of floats", "convert it with `.float()`")
