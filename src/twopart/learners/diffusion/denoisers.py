"""Denoisers: small networks that see points and the clock's log SNR, and anybody's network in the same place.

MLPDenoiser(d, noise)                     points on R^d
ConvDenoiser(channels, noise)             images of 8 x 8 to 32 x 32 pixels
RandomFeatureDenoiser(d, noise, times)    points on R^d, linear in what is learned: trained for any time in closed form
wrap(module, prediction=..., time=...)    a user's module, such as diffusers' UNet2DModel
from_diffusers(pipeline)                  a pipeline's network, its clock, and what it predicts

All are called (x, t) with x (n, ...) and t a number, () or (n,), and say in `.prediction` what they predict.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from twopart._arrays import finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.laws.diffusion.random_features import Moments, regression
from twopart.learners.diffusion.samplers import noised_points, reach
from twopart.worlds.noise import DDPM, PREDICTIONS, Noise, Prediction

Skip = Literal["none", "residual", "edm"]
SKIPS: dict[str, Callable[[Tensor, Tensor, float], tuple[Any, Any]]] = {
    "none": lambda a, s, σ: (0.0, 1.0),
    "residual": lambda a, s, σ: (1.0, 1.0),
    "edm": lambda a, s, σ: (s / (a.square() * σ**2 + s.square()), a * σ / (a.square() * σ**2 + s.square()).sqrt()),
}
"""c_skip and c_out in eps = c_skip x + c_out F(x / √(a²σ² + s²)), σ the data's deviation. "edm" is Karras et al. 2022 in eps:
the best linear denoiser of isotropic data is the skip, and what is left has variance one."""
WAVES = 6  # of log SNR, from a period of 64 down


class MLPDenoiser(nn.Module):
    """eps from points (n, d): `depth` hidden layers of `width` SiLU units on the scaled point and waves of log SNR."""

    prediction: Prediction = "eps"

    def __init__(
        self,
        dimension: int,
        noise: Noise,
        *,
        width: int = 64,
        depth: int = 3,
        skip: Skip = "none",
        data_std: float = 1.0,
    ) -> None:
        super().__init__()
        d = check_integer("dimension", dimension, 1, None, "it is that of the points")
        check_integer("width", width, 1, None, "units of a hidden layer")
        check_integer("depth", depth, 1, None, "hidden layers")
        self.scaling = _Scaling(noise, skip, data_std)
        self.dimension, sizes = d, [d + 1 + 2 * WAVES, *[width] * depth]
        hidden = [part for into, out in pairwise(sizes) for part in (nn.Linear(into, out), nn.SiLU())]
        self.network = nn.Sequential(*hidden, nn.Linear(width, d))

    def forward(self, x: Tensor, t: Tensor | float) -> Tensor:
        d = self.dimension
        check(x.shape[-1:] == (d,), "x", tuple(x.shape), f"points (n, {d})", "see `dimension`")
        at = self.scaling(x, t)
        inputs = torch.cat([x / at.size, at.waves.expand(*x.shape[:-1], -1)], -1)
        out: Tensor = at.skip * x + at.out * self.network(inputs)
        return out


class ConvDenoiser(nn.Module):
    """eps from images (n, channels, height, width) of even sides: `width` channels, twice as many at half resolution."""

    prediction: Prediction = "eps"

    def __init__(
        self, channels: int, noise: Noise, *, width: int = 16, skip: Skip = "none", data_std: float = 1.0
    ) -> None:
        super().__init__()
        c = check_integer("channels", channels, 1, None, "1 for grey images")
        w = check_integer("width", width, 1, None, "channels of the finer resolution")
        self.scaling = _Scaling(noise, skip, data_std)
        self.first, self.last = nn.Conv2d(c, w, 3, padding=1), nn.Conv2d(w, c, 3, padding=1)
        self.down, self.up = nn.Conv2d(w, 2 * w, 2, stride=2), nn.ConvTranspose2d(2 * w, w, 2, stride=2)
        self.fine, self.coarse, self.merged = (_Block(size) for size in (w, 2 * w, w))

    def forward(self, x: Tensor, t: Tensor | float) -> Tensor:
        c = self.first.in_channels
        fits = x.ndim == 4 and x.shape[1] == c and x.shape[-1] % 2 == x.shape[-2] % 2 == 0
        check(fits, "x", tuple(x.shape), f"images (n, {c}, height, width) of even sides", "pad them, see `channels`")
        at = self.scaling(x, t)
        waves = at.waves.reshape(-1, at.waves.shape[-1]).expand(len(x), -1)
        fine = self.fine(self.first(x / at.size), waves)
        coarse = self.coarse(self.down(fine), waves)
        out: Tensor = at.skip * x + at.out * self.last(self.merged(fine + self.up(coarse), waves))
        return out


class RandomFeatureDenoiser(nn.Module):
    """eps = c_skip x + c_out A_k φ(x), φ(x) = activation(W x/√d)/√p, at each of K `times`, at which alone it is called.

    W (p, d) is fixed and A (K, d, p) learned, so that training has a closed form at every time. Bonnaire et al. 2025 have one
    time and no skip.
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
        φ: Tensor = self.activation(x @ self.W.T / self.W.shape[1] ** 0.5) / len(self.W) ** 0.5
        return φ

    def coefficients(self, t: Tensor, to: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """c_skip and c_out at times, of their shape: of eps, or of one step of the ODE to the time `to`."""
        skip, out = (part + 0 * t for part in self.skip(self.noise.scale(t), self.noise.std(t), self.data_std))
        if to is None:
            return skip, out
        h = reach(self.noise, t, to)
        return self.noise.scale(to) / self.noise.scale(t) + h * skip, h * out

    def forward(self, x: Tensor, t: Tensor | float) -> Tensor:
        t = torch.as_tensor(t, dtype=torch.float64, device=x.device)
        times = self.times.double()  # in a module of float32, too
        level = (times - t[..., None]).abs().argmin(-1)
        known = torch.allclose(times[level], t, rtol=1e-5)
        check(known, "t", t.reshape(-1)[:1].tolist(), f"among the {len(self.times)} times given", "add it to `times`")
        skip, out = (part.to(x)[..., None] for part in self.coefficients(t))
        φ = self.features(x)
        if t.ndim == 0:
            alone: Tensor = skip * x + out * (φ @ self.weights[level].T)
            return alone
        order, counts = level.argsort(), level.bincount(minlength=len(self.weights)).tolist()
        parts = [part @ A.T for part, A in zip(torch.split(φ[order], counts), self.weights, strict=True)]
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
        x0 = finite_tensor("points", points, (None, self.W.shape[1]), "one row for each point").to(self.W)
        x, eps, x0 = noised_points(x0, self.noise, t, samples, generator)
        skip, out = self.coefficients(t, to)
        aim = ((eps if to is None else x0) - skip * x) / out
        return Moments.of(*(part.double().numpy(force=True) for part in (self.features(x), aim)))


class Wrapped(nn.Module):
    """A user's module as a denoiser; `module`, `prediction` and `time` are as `wrap` was given them."""

    def __init__(self, module: nn.Module, prediction: Prediction, time: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.module, self.prediction, self.time = module, prediction, time

    def forward(self, x: Tensor, t: Tensor | float) -> Tensor:
        found = self.module(x, self.time(torch.as_tensor(t, device=x.device).to(x.dtype).expand(len(x))))
        out: Any = found[0] if isinstance(found, tuple) else getattr(found, "sample", found)
        said, shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__, tuple(x.shape)
        check(said == shape, "module", said, f"one that answers in the shape {shape}", "split off a variance, say")
        answer: Tensor = out
        return answer


def wrap(
    module: nn.Module, *, prediction: Prediction = "eps", time: Callable[[Tensor], Tensor] = lambda t: t
) -> Wrapped:
    """A module that is called (x, times (n,)) and answers with a tensor, a tuple, or an object with `.sample`.

    `time` turns the clock's t into what the module expects, such as `lambda t: t - 1` for the step indices of diffusers.
    """
    check_choice("prediction", prediction, PREDICTIONS)
    return Wrapped(module, prediction, time)


def from_diffusers(pipeline: Any, *, unet: nn.Module | None = None) -> tuple[Wrapped, DDPM]:
    """The denoiser of a diffusers pipeline with a `unet` and a `scheduler`, and its clock; or of a scheduler with `unet`.

    Raises `InputError` for schedulers without betas and for what they predict if it is not known here.
    """
    scheduler = getattr(pipeline, "scheduler", pipeline)
    betas, config = getattr(scheduler, "betas", None), getattr(scheduler, "config", {})
    check(
        isinstance(betas, Tensor),
        "pipeline",
        type(scheduler).__name__,
        "a scheduler with `betas`",
        "DDPMScheduler has them",
    )
    names: dict[str, Prediction] = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
    said = config.get("prediction_type", "epsilon")
    check(said in names, "prediction_type", said, f"one of {', '.join(names)}", "wrap the module by hand")
    module = unet if unet is not None else getattr(pipeline, "unet", None)
    check(isinstance(module, nn.Module), "unet", type(module).__name__, "a torch module", "give the network as `unet`")
    assert isinstance(module, nn.Module)
    return wrap(module, prediction=names[said], time=lambda t: t - 1), DDPM(
        tuple(torch.as_tensor(betas).double().tolist())
    )


class _At(NamedTuple):
    """What the clock says, with as many dimensions as x."""

    size: Tensor
    skip: Any
    out: Any
    waves: Tensor
    """(..., 1 + 2 WAVES)."""


class _Scaling:
    """Inputs of variance one, and the waves by which a network tells the noise."""

    def __init__(self, noise: Noise, skip: Skip, data_std: float) -> None:
        self.noise, self.skip = noise, SKIPS[check_choice("skip", skip, tuple(SKIPS))]
        self.std = check_real("data_std", data_std, 0, float("inf"), "that of a coordinate of the data", closed="()")

    def __call__(self, x: Tensor, t: Tensor | float) -> _At:
        time = torch.as_tensor(t, dtype=torch.float64, device=x.device)
        time = time.reshape(-1, *[1] * (x.ndim - 1)) if time.ndim else time
        a, s = self.noise.scale(time), self.noise.std(time)
        log_snr = (2 * (a / s).log()).to(x.dtype)
        a, s = a.to(x.dtype), s.to(x.dtype)
        turns = log_snr[..., None] * (torch.pi / 32) * 2.0 ** torch.arange(WAVES, device=x.device).to(x.dtype)
        waves = torch.cat([log_snr[..., None] / 8, turns.sin(), turns.cos()], -1)
        waves = waves.reshape(*time.shape[:1], waves.shape[-1])
        return _At((a.square() * self.std**2 + s.square()).sqrt(), *self.skip(a, s, self.std), waves)


class _Block(nn.Module):
    """Two convolutions with a residual, shifted by the waves."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.shift = nn.Linear(1 + 2 * WAVES, width)

    def forward(self, x: Tensor, waves: Tensor) -> Tensor:
        inner = self.one(nn.functional.silu(x)) + self.shift(waves)[:, :, None, None]
        out: Tensor = x + self.two(nn.functional.silu(inner))
        return out
