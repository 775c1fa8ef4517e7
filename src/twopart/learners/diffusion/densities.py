"""What the ODE of a diffusion model takes the density to be: the change of variables along its path.

log p̂(x) = log N(x_T; 0, s_T²) + ∫ div(dx/dt) dt, from x along the ODE to noise (Song et al. 2021, equation 39). Exact for any
model, in the limit of small steps; on the line `line_density` is exact for the sampler's own steps.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from twopart._arrays import Floats, finite_tensor
from twopart._checks import check, check_choice, check_integer
from twopart.learners.diffusion.samplers import Moment, Predict, Solver, answer, moments, sample
from twopart.worlds.noise import PREDICTIONS, Noise, Prediction, as_eps

MOST = 64  # dimensions up to which a divergence is summed exactly


class Line(NamedTuple):
    """A sampler's law on the line: mass between neighbouring places."""

    places: Floats
    """Rising, shape (K + 1,)."""
    mass: Floats
    """Between them, shape (K,): all but the tails beyond 6 deviations of the noise."""

    @property
    def log_density(self) -> Floats:
        """In each interval, shape (K,)."""
        import numpy as np

        return np.asarray(np.log(self.mass / np.diff(self.places)))


def log_density(
    predict: Predict,
    noise: Noise,
    times: Tensor,
    x: Tensor,
    *,
    prediction: Prediction = "eps",
    divergence: Literal["exact", "hutchinson"] = "exact",
    generator: torch.Generator | None = None,
) -> Tensor:
    """log p̂ of points x (n, ...) at the first of the rising `times`, shape (n,), float64, by Heun's method.

    "exact" sums the divergence over coordinates, at most 64; "hutchinson" takes one random direction of signs for each point,
    without bias. Raises `InputError` for falling times and more coordinates.
    """
    check_choice("prediction", prediction, PREDICTIONS)
    check_choice("divergence", divergence, ("exact", "hutchinson"))
    x = finite_tensor("x", x, (None,) * getattr(x, "ndim", 1), "points (n, ...)")
    d, at = x[0].numel(), moments(noise, times)
    check(bool(times[0] < times[-1]), "times", "falling", "rising", "from data to noise: flip them")
    check(
        divergence != "exact" or d <= MOST, "x", f"{d} coordinates", f"at most {MOST}", "take divergence='hutchinson'"
    )
    signs = None
    if divergence == "hutchinson":
        signs = torch.randint(0, 2, x.shape, generator=generator, device=x.device).to(x) * 2 - 1
    total, point = x.new_zeros(len(x), dtype=torch.float64), x.detach()
    slope, spread = _slope(predict, point, at[0], prediction, signs)
    for now, then in pairwise(at):
        h = float(then.time - now.time)
        further, wider = _slope(predict, point + h * slope, then, prediction, signs)
        point, total = point + h / 2 * (slope + further), total + h / 2 * (spread + wider).double()
        slope, spread = _slope(predict, point, then, prediction, signs)
    s = at[-1].s
    return total - point.double().flatten(1).square().sum(1) / (2 * s**2) - d / 2 * math.log(2 * math.pi * s**2)


def line_density(
    predict: Predict,
    noise: Noise,
    times: Tensor,
    *,
    prediction: Prediction = "eps",
    solver: Solver = "heun",
    points: int = 20_001,
    dtype: torch.dtype = torch.float32,
) -> Line:
    """The law of `sample(..., churn=0)` in one dimension, exact but for the grid: its map of noise to data is monotone.

    Raises `InputError` where steps are so long that the map folds.
    """
    K = check_integer("points", points, 3, None, "more are finer")
    z = torch.linspace(-6, 6, K, dtype=torch.float64)
    start = (moments(noise, times)[0].s * z).to(dtype)[:, None]
    places = sample(predict, noise, times, start, prediction=prediction, solver=solver)[:, 0].double()
    folds = int((places.diff() <= 0).sum())
    check(
        folds == 0, "times", f"steps that fold the line {folds} times", "short enough to keep order", "take more steps"
    )
    return Line(places.numpy(), torch.special.ndtr(z).diff().numpy())


def _slope(
    predict: Predict, x: Tensor, now: Moment, prediction: Prediction, signs: Tensor | None
) -> tuple[Tensor, Tensor]:
    """dx/dt of the ODE and its divergence, shape (n,)."""
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        eps = as_eps(answer(predict, point, now.time), point, now.a, now.s, prediction)
        check(eps.requires_grad, "predict", "no gradient", "differentiable", "see no_grad and detach")
        flat = eps.flatten(1)
        if signs is None:
            columns = [_grad(flat[:, i], point)[:, i] for i in range(flat.shape[1])]
            spread = torch.stack(columns).sum(0)
        else:
            spread = (_grad((eps * signs).flatten(1).sum(1), point) * signs.flatten(1)).sum(1)
    return now.x * x + now.eps * eps.detach(), now.x * x[0].numel() + now.eps * spread


def _grad(values: Tensor, at: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(values.sum(), at, retain_graph=True)
    return found.flatten(1)
