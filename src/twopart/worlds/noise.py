"""Noise: the clocks of a diffusion, x_t = a(t) x_0 + s(t) z, and what a network may predict at a time.

    OU()  a = e^{-t}, s² = 1 - e^{-2t}      VE()  a = 1, s = t      Flow()  a = 1 - t, s = t      DDPM(betas)  a² = Π (1 - β)

Up to scale all depend on the signal-to-noise ratio a²/s² alone: `noise.time(log_snr)` says when it is reached. Functions take
and give tensors of any shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from twopart._arrays import finite, finite_tensor, reals
from twopart._checks import check, check_choice, check_integer, check_real

Prediction = Literal["score", "eps", "x0", "v"]
PREDICTIONS: tuple[Prediction, ...] = ("score", "eps", "x0", "v")


class Noise(Protocol):
    """a and s at a time, and the equation dx = drift(t) x dt + √diffusion(t) dw that makes them."""

    def scale(self, t: Tensor) -> Tensor:
        """a."""

    def std(self, t: Tensor) -> Tensor:
        """s."""

    def drift(self, t: Tensor) -> Tensor:
        """d log a / dt."""

    def diffusion(self, t: Tensor) -> Tensor:
        """d s² / dt - 2 drift s²."""

    def time(self, log_snr: Tensor) -> Tensor:
        """The t at which log(a²/s²) has that value."""


@dataclass(frozen=True)
class OU:
    """The Ornstein-Uhlenbeck process dx = -x dt + √2 dw, t >= 0."""

    def scale(self, t: Tensor) -> Tensor:
        return (-t).exp()

    def std(self, t: Tensor) -> Tensor:
        return (-torch.expm1(-2 * t)).sqrt()

    def drift(self, t: Tensor) -> Tensor:
        return -torch.ones_like(t)

    def diffusion(self, t: Tensor) -> Tensor:
        return torch.full_like(t, 2.0)

    def time(self, log_snr: Tensor) -> Tensor:
        return torch.logaddexp(-log_snr, torch.zeros_like(log_snr)) / 2


@dataclass(frozen=True)
class VE:
    """Variance exploding, in the convention of Karras et al. 2022: t is the noise's standard deviation."""

    def scale(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def std(self, t: Tensor) -> Tensor:
        return t

    def drift(self, t: Tensor) -> Tensor:
        return torch.zeros_like(t)

    def diffusion(self, t: Tensor) -> Tensor:
        return 2 * t

    def time(self, log_snr: Tensor) -> Tensor:
        return (-log_snr / 2).exp()


@dataclass(frozen=True)
class Flow:
    """Straight paths from data at t = 0 to noise at t = 1 (Lipman et al. 2023, with time turned round)."""

    def scale(self, t: Tensor) -> Tensor:
        return 1 - t

    def std(self, t: Tensor) -> Tensor:
        return t

    def drift(self, t: Tensor) -> Tensor:
        return -1 / (1 - t)

    def diffusion(self, t: Tensor) -> Tensor:
        return 2 * t / (1 - t)

    def time(self, log_snr: Tensor) -> Tensor:
        return (-log_snr / 2).sigmoid()


@dataclass(frozen=True)
class DDPM:
    """a² = Π_{i <= t} (1 - β_i), s² = 1 - a² after t steps; between steps log a² is linear."""

    betas: tuple[float, ...]
    """Each in (0, 1)."""

    def __post_init__(self) -> None:
        check(len(self.betas) > 0, "betas", self.betas, "at least one number", "linear from 1e-4 to 0.02 is usual")
        for beta in (min(self.betas), max(self.betas)):
            check_real("betas", beta, 0, 1, "linear from 1e-4 to 0.02 is usual", closed="()")

    @cached_property
    def _logs(self) -> Tensor:
        """log a² after 0, 1, ... steps."""
        return torch.cat([torch.zeros(1).double(), torch.log1p(-torch.tensor(self.betas).double()).cumsum(0)])

    def _log(self, t: Tensor) -> Tensor:
        logs = self._logs.to(t)
        i = t.floor().long().clamp(0, len(self.betas) - 1)
        return logs[i] + (t - i) * (logs[i + 1] - logs[i])

    def scale(self, t: Tensor) -> Tensor:
        return (self._log(t) / 2).exp()

    def std(self, t: Tensor) -> Tensor:
        return (-torch.expm1(self._log(t))).sqrt()

    def drift(self, t: Tensor) -> Tensor:
        return self._logs.diff().to(t)[t.floor().long().clamp(0, len(self.betas) - 1)] / 2

    def diffusion(self, t: Tensor) -> Tensor:
        return -2 * self.drift(t)

    def time(self, log_snr: Tensor) -> Tensor:
        wanted, logs = torch.nn.functional.logsigmoid(log_snr), self._logs.to(log_snr)  # log a², as a² + s² = 1
        i = (torch.searchsorted(-logs, -wanted.contiguous()) - 1).clamp(0, len(self.betas) - 1)
        return i + (wanted - logs[i]) / (logs[i + 1] - logs[i])


def grid(
    noise: Noise, steps: int, log_snr: tuple[float, float], kind: Literal["log-snr", "time"] = "log-snr"
) -> Tensor:
    """steps + 1 times, shape (steps + 1,), float64, from much noise to little: `log_snr` is (first, last), rising.

    Equal steps in log SNR, or in time.
    """
    check_integer("steps", steps, 1, None, "1 jumps from end to end")
    check_choice("kind", kind, ("log-snr", "time"))
    first, last = finite("log_snr", log_snr, (2,), "the first and the last").tolist()
    check(first < last, "log_snr", log_snr, "rising", "swap them")
    if kind == "log-snr":
        return noise.time(torch.linspace(first, last, steps + 1, dtype=torch.float64))
    start, end = noise.time(torch.tensor([first, last], dtype=torch.float64))
    return torch.linspace(float(start), float(end), steps + 1, dtype=torch.float64)


def times(t: Tensor | float, x: Tensor | None = None) -> Tensor:
    """Times as float64: finite, a number, or one for each point where there are points x (..., d)."""
    t = reals("t", t)
    have = tuple(t.shape[::-1])
    fits = x is None or (t.ndim < x.ndim and all(n in (1, m) for n, m in zip(have, x.shape[-2::-1], strict=False)))
    bound = "a number, or of the shape of `x` without its last dimension"
    check(fits, "t", tuple(t.shape), bound, "a time for each point")
    return t


def convert(value: Tensor, x: Tensor, t: Tensor | float, noise: Noise, *, source: Prediction, to: Prediction) -> Tensor:
    """One prediction at (x, t) as another, exactly; `value` and x have shape (..., d), t is a number or has shape (...).

    With x = a x0 + s eps: score = -eps / s, v = a eps - s x0 (Salimans & Ho 2022).
    """
    for name, kind in (("source", source), ("to", to)):
        check_choice(name, kind, PREDICTIONS)
    if source == to:
        return value
    for name, part in (("x", x), ("value", value)):
        finite_tensor(name, part, tuple(x.shape) if isinstance(x, Tensor) else (), "both are (..., d)")
    t = times(t, x)
    a, s = (part(t).to(x) for part in (noise.scale, noise.std))
    fits = (
        a.isfinite()
        & s.isfinite()
        & ((a > 0) | (to not in ("x0", "v")))
        & ((s > 0) | (source != "x0" and to != "score"))
    )
    check(bool(fits.all()), "t", t, "where the noise has what is divided by, a or s", "stay inside its ends")
    a, s = (part[..., None] if part.ndim else part for part in (a, s))
    eps = as_eps(value, x, a, s, source)
    if to == "score":
        return -eps / s
    x0 = (x - s * eps) / a
    return {"eps": eps, "x0": x0}.get(to, a * eps - s * x0)


def as_eps(value: Tensor, x: Tensor, a: Tensor | float, s: Tensor | float, source: Prediction) -> Tensor:
    """A prediction at x = a x0 + s eps as the noise eps; a and s are numbers, or broadcast with x."""
    if source == "eps":
        return value
    if source == "score":
        return -s * value
    return (x - a * value) / s if source == "x0" else (s * x + a * value) / (a**2 + s**2)
