"""Where a denoiser errs, and two denoisers in place of one.

TwoStage(low, high, at=0.0, noise=noise)    one denoiser at low noise, another at high noise: a denoiser again
strength(predict, points, noise, levels)    by what factor a score is too strong, level by level, without knowing the truth
concentration(predict, noise, times, data)  whether a model's own samples are denser, by the model, than data
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from twopart._arrays import finite, finite_tensor
from twopart._checks import check, check_choice, check_real
from twopart.learners.diffusion.densities import log_density
from twopart.learners.diffusion.samplers import Predict, Solver, answer, pure_noise, sample
from twopart.worlds.noise import PREDICTIONS, Noise, Prediction, as_eps


class TwoStage(nn.Module):
    """The denoiser `low` where log SNR is at least `at`, `high` below: both called (x, t), predicting the same.

    t is a number, (), or (n,); then each network sees its own points alone.
    """

    def __init__(self, low: Predict, high: Predict, at: float, noise: Noise) -> None:
        super().__init__()
        kinds = [getattr(part, "prediction", "eps") for part in (low, high)]
        check(kinds[0] == kinds[1], "high", kinds[1], f"one that predicts {kinds[0]}", "convert it")
        level = check_real("at", at, -float("inf"), float("inf"), "a log SNR", closed="()")
        self.low, self.high, self.prediction = low, high, kinds[0]
        self.until = float(noise.time(torch.tensor(level, dtype=torch.float64)))

    def forward(self, x: Tensor, t: Tensor | float) -> Tensor:
        time = torch.as_tensor(t, dtype=torch.float64, device=x.device)
        if time.ndim == 0:
            out: Tensor = (self.low if float(time) <= self.until else self.high)(x, time)
            return out
        out = torch.empty_like(x)
        for network, rows in ((self.low, time <= self.until), (self.high, time > self.until)):
            if bool(rows.any()):
                out[rows] = network(x[rows], time[rows])
        return out


@torch.no_grad()
def strength(
    predict: Predict, points: Tensor, noise: Noise, log_snr: Tensor,
    *, prediction: Prediction = "eps", generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """κ at each level along each coordinate, shape (L, d), float64: the score is 1 + κ times the best linear one.

    From data (n, d) that training has not seen, by one draw of noise for each point: for the best denoiser of any data
    E[eps (x - E x)] = s, so κ = E[(epŝ - eps)(x - E x)] / s. `laws.diffusion.variance_ratio` says what it does to samples.
    Rotate the points to see other directions.
    """
    x0 = finite_tensor("points", points, (None, None), "one row for each point")
    levels = torch.from_numpy(finite("log_snr", log_snr, (None,), "levels of noise"))
    check_choice("prediction", prediction, PREDICTIONS)
    found = []
    for t in noise.time(levels):
        a, s = float(noise.scale(t)), float(noise.std(t))
        eps = torch.randn(x0.shape, generator=generator, dtype=x0.dtype, device=x0.device)
        x = a * x0 + s * eps
        wrong = as_eps(answer(predict, x, t), x, a, s, prediction) - eps
        found.append((wrong.double() * (x - a * x0.mean(0)).double()).mean(0) / s)
    return torch.stack(found)


class Concentration(NamedTuple):
    """Mean log densities that a model gives to points, in nats."""

    samples: float
    """E ln p̂ of its own samples."""
    data: float
    """E ln p̂ of data."""
    difference: float
    """The first less the second; 0 if the model's law is the data's."""
    error: float
    """Its standard error."""


def concentration(
    predict: Predict, noise: Noise, times: Tensor, data: Tensor,
    *, prediction: Prediction = "eps", solver: Solver = "heun", generator: torch.Generator | None = None,
) -> Concentration:  # fmt: skip
    """Whether the ODE's samples, as many as `data` (n, ...) along falling `times`, are denser by the model than the data.

    `data` are as at the last time: noise them to it. Densities are by the change of variables, exact up to 64 coordinates, so
    that there is no radius to choose.
    """
    check(len(data) > 1, "data", len(data), "two or more points", "an error needs a spread")
    x = finite_tensor("data", data, (None,) * data.ndim, "points (n, ...)")
    start = pure_noise(noise, times, tuple(x.shape), generator=generator, dtype=x.dtype, device=x.device)
    drawn = sample(predict, noise, times, start, prediction=prediction, solver=solver)
    up = torch.as_tensor(times).flip(0)
    own, other = (log_density(predict, noise, up, part, prediction=prediction) for part in (drawn, x))
    error = float(((own.var() + other.var()) / len(x)).sqrt())
    return Concentration(float(own.mean()), float(other.mean()), float(own.mean() - other.mean()), error)
