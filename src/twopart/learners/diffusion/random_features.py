"""Denoisers of random features: linear in what is learned, so that training has a closed form at every time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from twopart._arrays import finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.laws.diffusion.random_features import Level, Moments, regression
from twopart.learners.diffusion.denoisers import SKIPS, Skip
from twopart.learners.diffusion.distill import Weight, reach
from twopart.learners.diffusion.samplers import noised_points, step
from twopart.worlds.noise import Noise, Prediction


class RandomFeatureDenoiser(nn.Module):
    """eps = c_skip x + c_out A_k φ(x) at each of K times; φ(x) = activation(W x/√d)/√p, W (p, d) fixed, A (K, d, p) from 0.

    Without a skip it is that of Bonnaire et al. 2025, who have one time. It is called at its `times` only.
    """

    prediction: Prediction = "eps"
    W: Tensor
    times: Tensor

    def __init__(
        self,
        dimension: int,
        noise: Noise,
        times: Tensor,
        *,
        features: int = 300,
        skip: Skip = "none",
        data_std: float = 1.0,
        activation: Callable[[Tensor], Tensor] = torch.tanh,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        d = check_integer("dimension", dimension, 1, None, "it is that of the points")
        p = check_integer("features", features, 1, None, "more than points to remember them")
        self.noise, self.skip, self.activation = noise, SKIPS[check_choice("skip", skip, tuple(SKIPS))], activation
        self.data_std = check_real("data_std", data_std, 0, float("inf"), "that of a coordinate", closed="()")
        self.register_buffer("W", torch.randn(p, d, generator=generator))
        self.register_buffer("times", finite_tensor("times", times, (None,), "times of the clock").double())
        self.weights = nn.Parameter(torch.zeros(len(times), d, p))

    def features(self, x: Tensor) -> Tensor:
        """φ of points (..., d), shape (..., p)."""
        return self.activation(x @ self.W.T / self.W.shape[1] ** 0.5) / len(self.W) ** 0.5

    def coefficients(self, t: Tensor, to: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """c_skip and c_out at times, of their shape: of eps, or of one step of the ODE to the time `to`."""
        skip, out = (part + 0 * t for part in self.skip(self.noise.scale(t), self.noise.std(t), self.data_std))
        if to is None:
            return skip, out
        h = reach(self.noise, t, to)
        return self.noise.scale(to) / self.noise.scale(t) + h * skip, h * out

    def forward(self, x: Tensor, t: Tensor | float) -> Tensor:
        t = torch.as_tensor(t, dtype=torch.float64, device=x.device)
        level = (self.times - t[..., None]).abs().argmin(-1)
        known = torch.allclose(self.times[level], t, rtol=1e-5)  # times in float32 are known, too
        check(known, "t", t.reshape(-1)[:1].tolist(), f"among the {len(self.times)} times given", "add it to `times`")
        skip, out = (part.to(x)[..., None] for part in self.coefficients(t))
        φ = self.features(x)
        if t.ndim == 0:
            alone: Tensor = skip * x + out * (φ @ self.weights[level].T)
            return alone
        order, counts = level.argsort(), level.bincount(minlength=len(self.weights)).tolist()
        parts = [part @ A.T for part, A in zip(φ[order].split(counts), self.weights, strict=True)]
        return skip * x + out * torch.cat(parts)[order.argsort()]

    @torch.no_grad()
    def solve(
        self, points: Tensor, tau: float, *, samples: int = 20_000, generator: torch.Generator | None = None
    ) -> RandomFeatureDenoiser:
        """Put the weights where gradient flow from 0 has them after a time `tau` at each level, on noised points (n, d).

        Flow on E |(eps - c_skip x)/c_out - Aφ|²/2 over `samples` draws of noise: take many times as many as features.
        """
        τ = check_real("tau", tau, 0, float("inf"), "steps times rate", closed="[)")
        for k, t in enumerate(self.times):
            U, V, _ = self.moments(points, t, samples=samples, generator=generator)
            self.weights[k] = torch.from_numpy(regression(U, V, [τ])[0]).to(self.weights)
        return self

    @torch.no_grad()
    def moments(
        self,
        points: Tensor,
        t: Tensor,
        to: Tensor | None = None,
        *,
        samples: int = 20_000,
        generator: torch.Generator | None = None,
    ) -> Moments:
        """Of φ and what A is to be: for eps, or for x0 by one step to the time `to`, (it - c_skip x)/c_out."""
        x, eps, x0 = self._noised(points, t, samples, generator)
        skip, out = self.coefficients(t, to)
        aim = ((eps if to is None else x0) - skip * x) / out
        return Moments.of(*(part.double().numpy(force=True) for part in (self.features(x), aim)))

    @torch.no_grad()
    def levels(
        self, points: Tensor, *, samples: int = 20_000, weight: Weight = "eps", generator: torch.Generator | None = None
    ) -> list[Level]:
        """What a student with these features learns of this teacher, from the least noise up: what the law `chain` asks for.

        On noised points (n, d); `weight` is that of `consistency_distill`.
        """
        grid, found = self.times.sort().values, list[Level]()
        for below, t in pairwise(grid):
            x, _, _ = self._noised(points, t, samples, generator)
            before = step(self, self.noise, x, t, below)
            (skip, out), (last_skip, last_out) = (self.coefficients(time, grid[0]) for time in (t, below))
            parts = (self.features(x), self.features(before), (last_skip * before - skip * x) / out)
            φ, φ_before, y = (part.double().numpy(force=True) for part in parts)
            w = 1.0 if weight == "x0" else float(0.5 / reach(self.noise, t, grid[0]).square())
            U, V, _ = Moments.of(φ, y)
            found.append(Level(U, V, φ_before.T @ φ / len(φ), float(last_out / out), 2 * w * float(out) ** 2))
        return found

    def _noised(self, points: Tensor, t: Tensor, samples: int, generator: torch.Generator | None) -> Any:
        check_integer("samples", samples, 1, None, "draws of noise")
        x0 = finite_tensor("points", points, (None, self.W.shape[1]), "one row for each point").to(self.W)
        return noised_points(x0, self.noise, t, samples, generator)
