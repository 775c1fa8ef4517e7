"""Samplers of diffusion models: along a grid of times from noise to data, or back, with anybody's network.

    times = grid(noise, 50, (-8.0, 8.0))                                   # worlds.noise: from much noise to little
    x = sample(predict, noise, times, pure_noise(noise, times, (1000, 2), generator=generator))

`predict(x, t)` is a network or an oracle: of points x (n, ...) and a time t, a tensor (), it says what `prediction` names, in
the shape of x. Samplers go along

    dx = [drift x - (1 + λ²)/2 g² score] dt + λ g dw,       g² = diffusion,       λ = churn: 0 the ODE, 1 the reverse SDE.

"euler"  one call a step
"heun"   two calls a step, of second order for the ODE (Karras et al. 2022)
"ddim"   one call a step, exact where eps is constant: the exponential integrator of first order, in log SNR; with churn 1 it is
         ancestral sampling (Song, Meng, Ermon 2021, equation 12; η is the churn)

On Gaussian data their moments are `laws.gaussian_flow`, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from twopart._arrays import finite, finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.worlds.noise import PREDICTIONS, Noise, Prediction, as_eps

Predict = Callable[[Tensor, Tensor], Tensor]
Solver = Literal["euler", "heun", "ddim"]
Weight = Literal["x0", "eps"] | Callable[[Tensor], Tensor]
SOLVERS: tuple[Solver, ...] = ("euler", "heun", "ddim")


class Moment(NamedTuple):
    """The clock at a time, and the ODE or SDE there: dx/dt = x-coefficient x + eps-coefficient eps."""

    time: Tensor
    a: float
    s: float
    x: float
    eps: float
    g: float


def pure_noise(
    noise: Noise,
    times: Tensor,
    shape: tuple[int, ...],
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """N(0, s²) at the first time: where samplers start."""
    s = float(noise.std(_checked(times)[0]))
    return s * torch.randn(shape, generator=generator, dtype=dtype, device=device)


@torch.no_grad()
def sample(
    predict: Predict,
    noise: Noise,
    times: Tensor,
    start: Tensor,
    *,
    prediction: Prediction = "eps",
    solver: Solver = "heun",
    churn: float = 0.0,
    generator: torch.Generator | None = None,
    on_step: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """Points at the last time, in the shape and type of `start` (n, ...), which are at the first.

    `times` (T,) fall, or rise for the ODE back to noise. `on_step(i, x)` sees the points after step i = 1..T-1. Raises
    `InputError` for grids that touch a time without noise or without signal, arguments out of range and other shapes.
    """
    check_choice("solver", solver, SOLVERS)
    check_choice("prediction", prediction, PREDICTIONS)
    λ = check_real("churn", churn, 0, 1 if solver == "ddim" else float("inf"), "0 is the ODE, 1 the reverse SDE")
    falling = bool(_checked(times)[0] > times[-1])
    check(falling or λ == 0, "churn", churn, "0 where times rise", "only the ODE runs back to noise")
    x = finite_tensor("start", start, (None,) * max(1, getattr(start, "ndim", 1)), "points (n, ...)")
    at = moments(noise, times, λ)

    def eps(x: Tensor, now: Moment) -> Tensor:
        return as_eps(answer(predict, x, now.time), x, now.a, now.s, prediction)

    for i, (now, then) in enumerate(pairwise(at), 1):
        h, first = float(now.time - then.time), eps(x, now)
        if solver == "ddim":
            fresh = (λ * then.s / now.s) ** 2 * (now.s**2 - (now.a / then.a * then.s) ** 2)
            kept = max(then.s**2 - fresh, 0) ** 0.5 - then.a / now.a * now.s
            x = then.a / now.a * x + kept * first
            x = x + max(fresh, 0) ** 0.5 * _like(x, generator) if λ else x
        else:
            dw = λ * now.g * h**0.5 * _like(x, generator) if λ else 0.0
            once = (1 - h * now.x) * x - h * now.eps * first + dw
            if solver == "heun":
                last = then.x * once + then.eps * eps(once, then)
                once = (1 - h / 2 * now.x) * x - h / 2 * (now.eps * first + last) + dw
            x = once
        if on_step is not None:
            on_step(i, x)
    check(bool(x.isfinite().all()), "predict", "samples that are not", "finite to the end", "take more steps, or look")
    return x


def answer(predict: Predict, x: Tensor, t: Tensor) -> Tensor:
    """What a predictor says of points, a tensor of their shape."""
    found = predict(x, t)
    if not isinstance(found, Tensor) or found.shape != x.shape:
        said = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        check(False, "predict", said, f"one that answers with a tensor of shape {tuple(x.shape)}", "see `wrap`")
    return found


def guided(
    predict: Predict,
    noise: Noise,
    log_prob: Callable[[Tensor, Tensor], Tensor],
    scale: float = 1.0,
    *,
    prediction: Prediction = "eps",
) -> Predict:
    """A predictor of eps whose score is that of `predict` plus `scale` times ∇ log p(y | x_t) (Dhariwal & Nichol 2021).

    `log_prob(x, t)` -> (n,) of any differentiable classifier of noised points. The exact one at scale 1 gives p(x | y).
    """
    w = check_real("scale", scale, -float("inf"), float("inf"), "1 is Bayes' rule", closed="()")
    check_choice("prediction", prediction, PREDICTIONS)

    def eps(x: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            value = log_prob(point, t).sum()
            check(value.requires_grad, "log_prob", "no gradient", "differentiable", "see no_grad and detach")
            (slope,) = torch.autograd.grad(value, point)
        a, s = float(noise.scale(t)), float(noise.std(t))
        return as_eps(answer(predict, x, t), x, a, s, prediction) - w * s * slope

    return eps


def step(
    predict: Predict,
    noise: Noise,
    x: Tensor,
    t: Tensor,
    to: Tensor,
    solver: Literal["ddim", "heun"] = "ddim",
    prediction: Prediction | None = None,
) -> Tensor:
    """One step of the ODE from times t to others, () or a time for each of the points x (n, ...), as training needs it.

    In y = x/a and σ = s/a the ODE is dy/dσ = eps: Euler's step is DDIM's, Heun's that of Karras et al. 2022. The predictor says
    in `.prediction` what it predicts, eps without; `prediction` overrules that.
    """
    (a, s), (b, r) = (_at(noise, time, x) for time in (t, to))
    kind: Prediction = prediction if prediction is not None else getattr(predict, "prediction", "eps")
    eps, move = as_eps(answer(predict, x, t), x, a, s, kind), r - b / a * s
    there = b / a * x + move * eps
    if solver == "ddim":
        return there
    return there + move / 2 * (as_eps(answer(predict, there, to), there, b, r, kind) - eps)


def reach(noise: Noise, t: Tensor, to: Tensor) -> Tensor:
    """By how much such a step moves with eps, of the shape of t: c_out of a student that takes it."""
    return noise.std(to) - noise.scale(to) / noise.scale(t) * noise.std(t)


def weigh(weight: Weight, noise: Noise, t: Tensor, to: Tensor) -> Tensor:
    """w of the loss at times t, of their shape, of maps to the time `to`."""
    if callable(weight):
        return weight(t)
    check_choice("weight", weight, ("x0", "eps"), "or give a function of times")
    return torch.ones_like(t) if weight == "x0" else 0.5 / reach(noise, t, to).square()


def noised_points(
    points: Tensor, noise: Noise, t: Tensor, samples: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """x = a x0 + s eps, eps and x0, each (samples, ...): of the points (n, ...) in turn; t is () or of shape (samples,)."""
    check_integer("samples", samples, 1, None, "draws of noise")
    x0 = points[torch.arange(samples, device=points.device) % len(points)]
    eps = _like(x0, generator)
    a, s = _at(noise, t, x0)
    return a * x0 + s * eps, eps, x0


def single(noise: Noise, t: Tensor | float) -> Tensor:
    """A time as a tensor (), refused where there is no noise or no signal."""
    time = torch.as_tensor(t, dtype=torch.float64)
    good = bool((noise.std(time) > 0) & (noise.scale(time) > 0))
    check(good, "t", t, "where there is signal and noise", "`noise.time(log_snr)` is")
    return time


def moments(noise: Noise, times: Tensor, churn: float = 0.0) -> list[Moment]:
    """What a sampler needs to know at each time; raises `InputError` where a step would be infinite."""
    t = _checked(times)
    a, s, drift, g2 = (part(t) for part in (noise.scale, noise.std, noise.drift, noise.diffusion))
    slope = (1 + churn**2) / 2 * g2 / s
    good = bool(((s > 0) & (a > 0) & slope.isfinite() & drift.isfinite()).all())
    check(
        good,
        "times",
        [float(t[0]), float(t[-1])],
        "where there is signal and noise",
        "`grid` by log SNR has such times",
    )
    rows = zip(t, a.tolist(), s.tolist(), drift.tolist(), slope.tolist(), g2.sqrt().tolist(), strict=True)
    return [Moment(*row) for row in rows]


def _checked(times: Tensor) -> Tensor:
    t = torch.from_numpy(finite("times", times, (None,), "`grid` makes them"))
    steps = t.diff()
    check(
        len(t) > 1 and bool((steps > 0).all() or (steps < 0).all()),
        "times",
        tuple(t.shape),
        "falling, or rising, and two or more",
        "sort them",
    )
    return t


def _at(noise: Noise, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """a and s at times, () or (n,), to stand before points (n, ...)."""
    shape = (-1, *[1] * (x.ndim - 1)) if t.ndim else ()
    a, s = (part(t).to(x).reshape(shape) for part in (noise.scale, noise.std))
    return a, s


def _like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
