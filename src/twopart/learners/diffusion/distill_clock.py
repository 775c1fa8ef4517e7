"""How long to distil: between the time at which a student has learned what is general, and that at which it copies.

    print(distillation_clock(teacher, student, points, held_out, noise, times))    # general from 120, half of the memory at 9e3

Near its weights a student's f is linear in them: gradient flow filters the spectrum of its tangent kernel K = JJ' (Jacot et al.
2018), f(τ) = f(0) + (1 - e^{-Kτ}) (teacher's map - f(0)), which Lanczos' method has in few products with K.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from twopart._arrays import Floats, finite_tensor
from twopart._checks import check_integer
from twopart.fits.levels import clocks
from twopart.learners.diffusion.distill import Consistency
from twopart.learners.diffusion.samplers import Predict, Weight, noised_points, sample, step, weigh
from twopart.worlds.noise import Noise, Prediction


class DistillationClock(NamedTuple):
    """Foretold errors of a student by its time of distillation, τ = steps times rate of plain gradient descent."""

    times: Floats
    """Shape (T,), as far as `products` reach."""
    train: Floats
    """E |f - x0|² a coordinate, at fresh noise on training points, shape (T,)."""
    test: Floats
    """The same on points held out."""
    generalises: float
    """τ_gen: the test error is within 5 % of its least."""
    memorises: float
    """τ_mem: the gap is half of what it comes to; nan where it does not open within `times`."""

    def __str__(self) -> str:
        return f"general from {self.generalises:.3g}, half of the memory at {self.memorises:.3g}; steps times rate"


def distillation_clock(
    teacher: Predict,
    student: nn.Module,
    data: Tensor,
    held_out: Tensor,
    noise: Noise,
    times: Tensor,
    *,
    weight: Weight = "x0",
    samples: int = 512,
    products: int = 40,
    generator: torch.Generator | None = None,
) -> DistillationClock:
    """For a student about to be distilled along the falling `times` (N + 1,) on points (n, ...); others are held out.

    `samples` noised points at random levels stand for each set: many more than points, or noise counts as memory. With m
    products of the tangent kernel and a vector, times reach to about m²/u_max. Exact for students linear in their weights; for
    others a forecast from where they stand: ask again on the way. `weight` is that of `consistency_distill`.
    """
    m, S = (check_integer(n, v, 2, None, "more are finer") for n, v in (("products", products), ("samples", samples)))
    shown = finite_tensor("data", data, (None,) * data.ndim, "points (n, ...)")
    other = finite_tensor("held_out", held_out, (None, *data.shape[1:]), "points like `data`")
    grid = Consistency(student, noise, times).times.flip(0)
    k = torch.randint(1, len(grid), (S,), generator=generator)
    drawn = [noised_points(part, noise, grid[k], S, generator) for part in (shown, shown, other)]
    x, x0, t = torch.cat([part[0] for part in drawn]), torch.cat([part[2] for part in drawn]), grid[k].repeat(3)
    aim = torch.empty_like(x[:S])
    kind: Prediction = getattr(teacher, "prediction", "eps")
    for level in range(1, len(grid)):
        down, here = grid[: level + 1].flip(0), k == level
        aim[here] = sample(teacher, noise, down, x[:S][here], prediction=kind, solver="ddim")
    root = (2 * weigh(weight, noise, t[:S], grid[0])).sqrt().to(x).reshape(-1, *[1] * (x.ndim - 1))
    own = {name: part.detach() for name, part in student.named_parameters()}

    def f(weights: dict[str, Tensor]) -> Tensor:
        kind: Prediction = getattr(student, "prediction", "eps")
        return step(lambda *at: torch.func.functional_call(student, weights, at), noise, x, t, grid[0], prediction=kind)

    begin, pull = torch.func.vjp(f, own)[:2]  # J'u; the pull of that, linear in u, is J v
    push = torch.func.vjp(lambda u: torch.func.vjp(f, own)[1](u)[0], torch.zeros_like(x))[1]
    rest = (root * (aim - begin[:S])).flatten().double()
    basis, columns, T = (rest / rest.norm())[None], list[Tensor](), np.zeros((m, m))
    for j in range(m):
        (slope,) = pull(torch.cat([root * basis[j].reshape(aim.shape).to(x) / S, torch.zeros_like(x[S:])]))
        moved = push(slope)[0].detach().double()
        columns.append(moved[S:])
        v = (root * moved[:S]).flatten()
        for _ in range(2):  # twice is enough
            along = basis @ v
            v = v - along @ basis
            T[: j + 1, j] += along.numpy(force=True)
        if v.norm() < 1e-10 * T[0, 0]:
            break
        basis = torch.cat([basis, (v / v.norm())[None]])
    u, Q = np.linalg.eigh(T[: j + 1, : j + 1], UPLO="U")
    u, τ = np.maximum(u, 1e-30), np.geomspace(0.1 / u[-1], m**2 / u[-1], 100)
    moves = -np.expm1(-u * τ[:, None]) / u * Q[0] * float(rest.norm()) @ Q.T
    missed = (begin - x0)[S:].detach().numpy(force=True) + np.tensordot(
        moves, torch.stack(columns).numpy(force=True), 1
    )
    train, test = np.square(missed).reshape(len(τ), 2, -1).mean(2).T
    return DistillationClock(τ, train, test, *clocks(τ, train, test))
