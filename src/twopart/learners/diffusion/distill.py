"""Consistency distillation (Song et al. 2023): a student that does in one call what a teacher's ODE does in many.

    times = grid(noise, 12, (-5.0, 4.0))                                                 # from much noise to little
    student = consistency_distill(teacher, network, points, noise, times, steps=2000)    # any networks called (x, t)
    x = student.sample((1000, 2))

The student is a denoiser like any other, and f(x, t) its one step of the ODE to the last time t_0: f(x, t_0) = x, and it may
start from its teacher's weights. It learns f(x_k, t_k) = f(x̂, t_{k-1}), x̂ the *teacher's* step from x_k; consistency
training, without a teacher, takes x̂ by the same noise.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from twopart._arrays import finite_tensor
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.laws.diffusion.random_features import Level, Moments
from twopart.learners.diffusion.denoisers import RandomFeatureDenoiser
from twopart.learners.diffusion.samplers import Predict, Weight, moments, noised_points, pure_noise, step, weigh
from twopart.learners.schedules import Cosine, Schedule
from twopart.worlds.noise import Noise

Draw = Callable[[int, torch.Generator | None], Tensor]


class Consistency:
    """A student and its clock: `student(x, t)` is the point at the last time, of points x (n, ...) and t, () or (n,)."""

    def __init__(self, module: Predict, noise: Noise, times: Tensor) -> None:
        """`times` (N + 1,) fall, as `grid` gives them."""
        moments(noise, times)
        check(bool(times[0] > times[-1]), "times", "rising", "falling", "from much noise to little: flip them")
        self.module, self.noise, self.times = module, noise, torch.as_tensor(times).double()

    def __call__(self, x: Tensor, t: Tensor | float) -> Tensor:
        return step(self.module, self.noise, x, torch.as_tensor(t, dtype=torch.float64), self.times[-1])

    @torch.no_grad()
    def sample(
        self, shape: tuple[int, ...], steps: int = 1, *, generator: torch.Generator | None = None, **kind: Any
    ) -> Tensor:
        """Points of that shape (n, ...) at the last time, from noise; `kind` is dtype and device.

        With more steps, at most N, each is noised again to a time further down, evenly along the grid, and sent back.
        """
        n = check_integer("steps", steps, 1, len(self.times) - 1, "1 is one call")
        x = self(pure_noise(self.noise, self.times, shape, generator=generator, **kind), self.times[0])
        for i in range(1, n):
            t = self.times[i * (len(self.times) - 1) // n]
            kept = float(self.noise.scale(t) / self.noise.scale(self.times[-1]))
            fresh = float(self.noise.std(t).square() - (kept * self.noise.std(self.times[-1])).square()) ** 0.5
            x = self(kept * x + fresh * torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device), t)
        return x


def consistency_distill(
    teacher: Predict,
    student: nn.Module,
    data: Tensor | Draw,
    noise: Noise,
    times: Tensor,
    *,
    steps: int,
    ema: float = 0.95,
    metric: Literal["l2", "pseudo-huber"] = "l2",
    weight: Weight = "x0",
    teacher_solver: Literal["ddim", "heun"] = "ddim",
    init: Literal["fresh", "teacher"] = "fresh",
    batch: int = 128,
    rate: float = 1e-3,
    schedule: Schedule | None = None,
    optimiser: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    generator: torch.Generator | None = None,
    on_step: Callable[[int, Tensor], None] | None = None,
) -> Consistency:
    """Teach `student` the teacher's map from each of the falling `times` (N + 1,) to the last; it is changed and kept.

    Both are called (x, t) with t (n,) and predict eps, or what their `.prediction` names. `data`: points (n, ...), or a
    function (count, generator) of fresh ones; each step takes `batch` of them with fresh noise, all levels alike.
    `ema`: decay of the target network's weights; 0: the student itself. `metric`: w |f - target|², summed over coordinates, or
    √(w |·|² + c²) - c, c = .00054 √D (Song & Dhariwal 2023). `weight`: w = 1; "eps": half over the `reach` squared, half of the
    error of eps; or any w(t). `init`: the student as it is, or with the teacher's weights. `schedule` of the rate: a cosine to
    a hundredth if None. By plain SGD random features follow the law `chain`, τ = rate steps / N, γ = -ln(ema) N / rate. Raises
    `InputError` for arguments out of range and a loss that is not finite.
    """
    check_choice("metric", metric, ("l2", "pseudo-huber"))
    check_choice("init", init, ("fresh", "teacher"))
    check_choice("teacher_solver", teacher_solver, ("ddim", "heun"))
    check_integer("steps", steps, 1, None, "how many to take")
    check_integer("batch", batch, 1, None, "points of a step")
    decay = check_real("ema", ema, 0, 1, "0 takes the student as it is", closed="[)")
    η = check_real("rate", rate, 0, float("inf"), "1e-3 is usual for Adam", closed="()")
    if init == "teacher":
        _copy(teacher, student)
    own, goal = Consistency(student, noise, times), copy.deepcopy(student).eval() if decay else student
    target, draw = Consistency(goal, noise, times), data if callable(data) else _draws(data)
    grid, N, fall = own.times.flip(0), len(times) - 1, schedule or Cosine(warmup=0, final=0.01)
    descent, like = optimiser(student.parameters(), lr=η), next(student.parameters())
    for i in range(steps):
        k = 1 + (torch.arange(batch) + int(torch.randint(N, (), generator=generator, device=like.device))) % N
        t, below = grid[k].to(like.device), grid[k - 1].to(like.device)
        x, _, _ = noised_points(draw(batch, generator).to(like), noise, t, batch, generator)
        with torch.no_grad():
            aim = target(step(teacher, noise, x, t, below, teacher_solver), below)
        square = weigh(weight, noise, t, grid[0]).to(x) * (own(x, t) - aim).square().flatten(1).sum(1)
        c = 0.00054 * x[0].numel() ** 0.5
        loss = (square if metric == "l2" else (square + c**2).sqrt() - c).mean()
        check(bool(loss.isfinite()), "rate", rate, f"small enough to train (lost at step {i})", "take a smaller one")
        for group in descent.param_groups:
            group["lr"] = η * fall.factor(i, steps)
        descent.zero_grad(set_to_none=True)
        loss.backward()
        descent.step()
        if decay:
            means, parts = ([part.detach() for part in module.parameters()] for module in (goal, student))
            torch._foreach_lerp_(means, parts, 1 - decay)
        if on_step is not None:
            on_step(i, loss.detach())
    student.eval()
    return own


@torch.no_grad()
def levels(
    teacher: RandomFeatureDenoiser,
    points: Tensor,
    *,
    samples: int = 20_000,
    weight: Weight = "eps",
    generator: torch.Generator | None = None,
) -> list[Level]:
    """What a student of the same features learns of its teacher on noised points (n, d): what the law `chain` asks for.

    From the least noise up, all but the last of the teacher's times; `weight` is that of `consistency_distill`.
    """
    own = isinstance(teacher, RandomFeatureDenoiser)
    check(own, "teacher", type(teacher).__name__, "a RandomFeatureDenoiser", "the law is that of fixed features")
    x0 = finite_tensor("points", points, (None, teacher.W.shape[1]), "one row for each point").to(teacher.W)
    grid, noise, found = teacher.times.double().sort().values, teacher.noise, list[Level]()
    for below, t in pairwise(grid):
        x, _, _ = noised_points(x0, noise, t, samples, generator)
        before = step(teacher, noise, x, t, below)
        (skip, out), (last_skip, last_out) = (teacher.coefficients(time, grid[0]) for time in (t, below))
        parts = (teacher.features(x), teacher.features(before), (last_skip * before - skip * x) / out)
        φ, φ_before, y = (part.double().numpy(force=True) for part in parts)
        rate = float(2 * weigh(weight, noise, t, grid[0]) * out**2)
        U, V, _ = Moments.of(φ, y)
        found.append(Level(U, V, φ_before.T @ φ / len(φ), float(last_out / out), rate))
    return found


def _copy(teacher: Any, student: nn.Module) -> None:
    parts = [dict(getattr(module, "state_dict", dict)()) for module in (teacher, student)]
    kin = {name: part.shape for name, part in parts[0].items()} == {name: part.shape for name, part in parts[1].items()}
    check(kin, "teacher", type(teacher).__name__, "a module of the student's shape for init='teacher'", "take 'fresh'")
    student.load_state_dict(parts[0])


def _draws(data: Tensor) -> Draw:
    points = finite_tensor("data", data, (None,) * getattr(data, "ndim", 1), "points (n, ...)")
    return lambda n, generator: points[torch.randint(len(points), (n,), generator=generator, device=points.device)]
