"""Training denoisers by denoising score matching, many of one shape at once.

    trained = train_denoisers([MLPDenoiser(2, noise) for _ in range(8)], points, noise, steps=2000, seed=0)
    x = sample(trained.denoisers[0], noise, times, start)

The loss is E w |epŝ - eps|² over log SNR: w = 1 ("eps"), (σ² + σ_d²)/σ_d² ("edm": Karras et al. 2022 have it as a weight on
x0, σ = s/a), or any function of log SNR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from twopart import _random
from twopart._arrays import Floats, finite, finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.laws.diffusion.denoising import Nats, nats
from twopart.learners.diffusion.samplers import answer, noised_points, single
from twopart.learners.ensemble import Ensemble
from twopart.learners.schedules import Cosine, Schedule
from twopart.worlds.noise import PREDICTIONS, Noise, Prediction, as_eps
from twopart.worlds.noised import Oracle
from twopart.worlds.targets import Target

Weight = Callable[[Tensor], Tensor]
BINS = 12


@dataclass(frozen=True, eq=False)
class Denoised:
    """What training left."""

    denoisers: tuple[nn.Module, ...]
    """The B networks with their (averaged) weights: those that were given, in evaluation mode."""
    log_snr: Floats
    """Edges of bins, shape (13,)."""
    loss: Floats
    """E |epŝ - eps|² a coordinate in each bin over the last quarter of training, shape (B, 12); nan where none fell."""


def train_denoisers(
    denoisers: Sequence[nn.Module],
    data: Tensor | Target | Sequence[Tensor],
    noise: Noise,
    *,
    steps: int,
    batch: int = 128,
    rate: float = 1e-3,
    schedule: Schedule | None = None,
    log_snr: tuple[float, float] = (-8.0, 8.0),
    weight: Literal["eps", "edm"] | Weight = "eps",
    ema: float = 0.0,
    data_std: float = 1.0,
    seed: int = 0,
    on_step: Callable[[int, Tensor], None] | None = None,
) -> Denoised:
    """Adam on `batch` fresh pairs of points and noise a step, log SNR uniform; the same modules are changed and returned.

    `denoisers`: B modules of one architecture, called (x, t), with `.prediction` ("eps" without). `data`: points (n, ...), one
    set for all or a sequence of B of one shape; or a world that draws fresh ones. Each network has draws of its own, addressed
    by `seed`. `schedule` of the rate: along a cosine to a hundredth if None. `on_step(i, losses (B,))` after each, when the
    modules have the weights so far, not averaged, and may be asked. Raises
    `InputError` for arguments out of range and a loss that is not finite.
    """
    fits = isinstance(denoisers, list | tuple | nn.ModuleList) and len(denoisers) > 0
    check(fits, "denoisers", denoisers, "a list of one or more modules", "[model] is one")
    check(len(log_snr) == 2 and log_snr[0] < log_snr[1], "log_snr", log_snr, "two levels, rising", "swap them")
    B, (low, high) = len(denoisers), log_snr
    for name, value in (("steps", steps), ("batch", batch)):
        check_integer(name, value, 1, None, "how many to take")
    η = check_real("rate", rate, 0, 1, "1e-3 is usual for Adam", closed="(]")
    τ = check_real("ema", ema, 0, 1, "0 takes the last weights", closed="[)")
    σ = check_real("data_std", data_std, 0, float("inf"), "that of a coordinate of the data", closed="()")
    weigh = weight if callable(weight) else {"eps": torch.ones_like, "edm": lambda log: 1 + (-log).exp() / σ**2}[
        check_choice("weight", weight, ("eps", "edm"))
    ]  # fmt: skip
    first, fall = next(denoisers[0].parameters(), torch.empty(0)), schedule or Cosine(warmup=0, final=0.01)
    check(first.numel() > 0, "denoisers", denoisers[0], "modules with parameters", "else nothing is learned")
    draw = _Draws(data, B, batch, seed, first)
    prediction: Prediction = getattr(denoisers[0], "prediction", "eps")
    ensemble = Ensemble(denoisers)
    weights = ensemble.parameters()
    optimiser = torch.optim.Adam(weights, lr=η)
    mean = [weight.detach().clone() for weight in weights]
    edges = torch.linspace(low, high, BINS + 1)
    sums, counts = torch.zeros(2, B, BINS, dtype=torch.float64)

    for i in range(steps):
        x0, eps, u = draw(i)
        at = low + (high - low) * u
        t = noise.time(at.double())
        a, s = (part(t).to(x0).reshape(B, batch, *[1] * (x0.ndim - 2)) for part in (noise.scale, noise.std))
        x = a * x0 + s * eps
        found = as_eps(answer(ensemble, x, t.to(x0)), x, a, s, prediction)
        square = (found - eps).square().flatten(2).mean(2)
        losses = (weigh(at) * square).mean(1)
        check(
            bool(losses.isfinite().all()),
            "rate",
            rate,
            f"small enough to train (lost at step {i})",
            "take a smaller one",
        )
        for group in optimiser.param_groups:
            group["lr"] = η * fall.factor(i, steps)
        ensemble.step(losses, optimiser)
        torch._foreach_lerp_(mean, [weight.detach() for weight in weights], 1 - τ)
        if 4 * i >= 3 * (steps - 1):
            place = (torch.bucketize(at.cpu(), edges) - 1).clamp(0, BINS - 1)
            sums.scatter_add_(1, place, square.detach().double().cpu())
            counts.scatter_add_(1, place, torch.ones_like(square, dtype=torch.float64, device="cpu"))
        if on_step is not None:
            ensemble.members()
            on_step(i, losses.detach())
    with torch.no_grad():
        for own, averaged in zip(weights, mean, strict=True):
            own.copy_(averaged)
    ensemble.members()
    ensemble.train(False)
    return Denoised(tuple(denoisers), edges.double().numpy(), (sums / counts).numpy())


def error_by_noise(
    predict: Oracle | nn.Module,
    truth: Oracle | None,
    target: Target | Tensor,
    noise: Noise,
    log_snr: Tensor,
    *,
    count: int = 4096,
    seed: int = 0,
) -> Tensor:
    """E |epŝ - eps*|² a coordinate at each log SNR, shape (L,), float64: what a denoiser lacks of the perfect one, `truth`.

    Both predict eps; the points are `count` of the noised `target`, a world or points (n, ...). Without a truth it is the loss
    E |epŝ - eps|², at the same points and noise for every denoiser of one seed.
    """
    random, found = torch.Generator().manual_seed(seed), []
    check_integer("count", count, 1, None, "points at each level")
    levels = torch.from_numpy(finite("log_snr", log_snr, (None,), "levels of noise"))
    if isinstance(target, Target):
        x0 = target.sample(count, seed)
    else:
        x0 = finite_tensor("target", target, (None,) * target.ndim, "points (n, ...)").double()
        x0 = x0[torch.randint(len(x0), (count,), generator=random)]
    for t in noise.time(levels):
        eps = torch.randn(x0.shape, generator=random, dtype=x0.dtype)
        x = noise.scale(t) * x0 + noise.std(t) * eps
        like = next(predict.parameters(), x).dtype if isinstance(predict, nn.Module) else x.dtype
        with torch.no_grad():
            aim = eps if truth is None else answer(truth, x, t)
            found.append((answer(predict, x.to(like), t).double() - aim).square().mean())
    return torch.stack(found)


class Gap(NamedTuple):
    """Mean square errors a coordinate at noised points."""

    train: float
    test: float

    @property
    def gap(self) -> float:
        """What is memorised, without a threshold."""
        return self.test - self.train


@torch.no_grad()
def train_test_gap(
    predict: Oracle | nn.Module,
    train: Tensor,
    held_out: Tensor,
    noise: Noise,
    t: Tensor | float,
    *,
    prediction: Prediction = "x0",
    samples: int = 4096,
    generator: torch.Generator | None = None,
) -> Gap:
    """Errors at time t of what predicts x0, such as a `Consistency`, or eps, score or v, on points (n, ...) and on others.

    Each in turn with fresh noise, `samples` in all, and more than points.
    """
    check_choice("prediction", prediction, PREDICTIONS)
    most = max(len(train), len(held_out))
    check_integer("samples", samples, most, None, f"each of {most} points once or more")
    time, errors = single(noise, t), []
    for name, part in (("train", train), ("held_out", held_out)):
        points = finite_tensor(name, part, (None, *train.shape[1:]), "points (n, ...) of one shape")
        x, eps, x0 = noised_points(points, noise, time, samples, generator)
        a, s = float(noise.scale(time)), float(noise.std(time))
        truth = {"x0": x0, "eps": eps, "score": -eps / s, "v": a * eps - s * x0}[prediction]
        errors.append(float((answer(predict, x, time) - truth).square().mean()))
    return Gap(*errors)


def rule_budget(
    denoiser: Any, reference: Any, data: Tensor | Target, noise: Noise, log_snr: Tensor, *,
    perfect: bool = False, count: int = 4096, seed: int = 0,
) -> Nats:  # fmt: skip
    """Excess nats of a denoiser over a reference by noise level, both (x, t) -> eps: ½ ∫ (L - L_reference) dλ on `data`.

    With denoisers of the marginals over those of the joint law it is I(a; b), for learned ones too. `perfect`: the reference
    is the data's own oracle, and |epŝ - eps*|², which has less noise, takes the place of the difference of losses.
    """
    size = data.dimension if isinstance(data, Target) else data[0].numel()
    at: dict[str, Any] = {"target": data, "noise": noise, "log_snr": log_snr, "count": count, "seed": seed}
    gap = error_by_noise(denoiser, reference if perfect else None, **at)
    return nats(log_snr, size * (gap if perfect else gap - error_by_noise(reference, None, **at)))


class _Draws:
    """Points, noise and places on the clock for each network and step, of a stream of its own."""

    def __init__(self, data: Any, count: int, batch: int, seed: int, like: Tensor) -> None:
        self.batch, self.like = batch, like
        keys = [int(key >> 1) for key in _random.keys(seed, count, "denoising")]
        self.random = [torch.Generator().manual_seed(key) for key in keys]
        self.keys = keys
        self.world: Target | None = data if isinstance(data, Target) else None
        if self.world is None:
            sets = [data] * count if hasattr(data, "shape") else list(data)
            check(len(sets) == count, "data", len(sets), f"one set, or {count} of them", "one for each denoiser")
            shape = (None, *sets[0].shape[1:])
            self.sets = [finite_tensor("data", part, shape, "points (n, ...)").to(like) for part in sets]

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """x0 and eps (B, batch, ...), and uniforms (B, batch)."""
        rows = []
        for b, random in enumerate(self.random):
            if self.world is not None:
                x0 = self.world.sample(self.batch, self.keys[b], stream=step).to(self.like)
            else:
                x0 = self.sets[b][
                    torch.randint(len(self.sets[b]), (self.batch,), generator=random).to(self.like.device)
                ]
            eps, u = torch.randn(x0.shape, generator=random), torch.rand(self.batch, generator=random)
            rows.append((x0, eps.to(self.like), u.to(self.like)))
        x0s, noises, places = zip(*rows, strict=True)
        return torch.stack(x0s), torch.stack(noises), torch.stack(places)
