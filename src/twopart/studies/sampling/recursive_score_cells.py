"""The samplers of the study of recursive scores; every cell runs all its replicates, and counts calls in the score itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart.lab import Cell
from twopart.laws.sampling.grids import on_grid, one_segment
from twopart.learners.sampling.diffusion_mc import AmortisedScore, RecursiveScore, annealed, diffusion_monte_carlo
from twopart.learners.sampling.langevin_chains import chains
from twopart.studies.sampling.recursive_score import (
    ANNEALED,
    EXACT,
    FIT,
    FITS,
    FORETOLD,
    LANGEVIN,
    ONE,
    SAMPLES,
    TRUTH,
    Curvature,
    Draws,
    Estimates,
    Floats,
    Foretold,
    Modes,
    Posterior,
    Sampled,
)
from twopart.worlds.posteriors import breast_cancer, breast_cancer_reference
from twopart.worlds.targets import MixtureTarget


@dataclass
class Counted:
    """A score that counts the points at which it is asked."""

    score: Callable[[Tensor], Tensor]
    calls: int = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += len(x)
        return self.score(x)


def recursion(case: Estimates, cell: Cell) -> tuple[RecursiveScore, Counted]:
    g = case.gaussian
    score0 = Counted(lambda x: (g.centre - x) / g.variance)
    random = cell.generator("chains")
    return RecursiveScore(score0, case.lengths, 1 / g.variance, **case.nested, generator=random), score0


def estimate(case: Estimates, cell: Cell) -> pl.DataFrame:
    """Mean and variance over estimates of the score at one point; calls for one of them."""
    score, score0 = recursion(case, cell)
    x = torch.full((case.gaussian.estimates, 1), case.where, device=cell.device)
    rows = []
    for replicate in range(case.replicates):
        y = score(x, case.time).double()
        rows.append({"replicate": replicate, "mean": float(y.mean()), "variance": float(y.var())})
        cell.progress(replicate + 1, case.replicates)
    return pl.DataFrame(rows).with_columns(counted=score0.calls / (case.replicates * len(x)))


def draw(case: Draws, cell: Cell) -> pl.DataFrame:
    """Mean and variance of samples; calls for one of them."""
    score, score0 = recursion(case, cell)
    R, n = case.replicates, case.gaussian.draws
    found = diffusion_monte_carlo(
        score, R * n, 1, segments=case.lengths, inner=case.gaussian.rounds, generator=score.generator, budget=math.inf,
        device=cell.device, on_step=cell.progress,
    )  # fmt: skip
    x = found.x.double().view(R, n)
    columns = {"replicate": np.arange(R), "mean": x.mean(1).numpy(force=True), "variance": x.var(1).numpy(force=True)}
    return pl.DataFrame(columns).with_columns(counted=score0.calls / (R * n))


def bend(case: Curvature, cell: Cell) -> pl.DataFrame:
    """Least and largest curvature of the posterior on a grid, by the exact Hessian."""
    a = case.modes.distance
    x = torch.linspace(-a - 5, a + 5, 20_001, dtype=torch.float64)[:, None]
    bend = 1 / math.expm1(2 * case.length) - target(case.modes, 1).hessian(x)[:, 0, 0]
    cell.progress(1, 1)
    return pl.DataFrame({"replicate": 0, "least": float(bend.min()), "most": float(bend.max())})


def target(modes: Modes, dimension: int) -> MixtureTarget:
    means = torch.zeros(2, dimension)
    means[:, 0] = torch.tensor([modes.distance, -modes.distance])
    return MixtureTarget([modes.weight, 1 - modes.weight], means, 1.0)


def foretell(case: Foretold, cell: Cell) -> pl.DataFrame:
    """Weight of the mode at +a and variance in it, by laws on a grid."""
    modes, run, m = case.modes, case.run, case.run.lengths[-1]
    wide = modes.distance + 5
    x = np.linspace(-wide, wide, 2 * round(10 * wide) + 1)
    left = iter(range(run.turns))

    def one(t: float) -> tuple[Floats, Floats]:
        cell.progress(next(left), run.turns)
        return one_segment(modes.score, x, t, modes.smoothness(0), chains=run.plain, steps=m)

    fits, p = Sampled(modes, run, FIT, m, 2), target(modes, 1).log_density(torch.from_numpy(x)[:, None]).exp().numpy()
    found = {
        FORETOLD: on_grid(one, [modes.horizon], run.turns, x),
        EXACT: on_grid(lambda t: (modes.score(x, t), np.zeros_like(x)), fits.lengths, fits.inner, x),
        TRUTH: p,
    }
    cell.progress(1, 1)
    return pl.DataFrame([{"replicate": 0, "series": name, **in_mode(x, p)} for name, p in found.items()])


def in_mode(x: Floats, density: Floats) -> dict[str, float]:
    """The share of x > 0, and the variance there."""
    inside = density * ((x > 0) + 0.5 * (x == 0))
    centre = inside @ x / inside.sum()
    return {"weight": float(inside.sum() / density.sum()), "variance": float(inside @ (x - centre) ** 2 / inside.sum())}


def sample(case: Sampled, cell: Cell) -> pl.DataFrame:
    """Weight of the mode at +a and variance in it; evaluations for SAMPLES samples, calls for one."""
    score0 = Counted(target(case.modes, case.dimension).score)
    make = fitted if case.method in FITS else together
    samples, evaluations = make(case, cell, score0)
    rows = []
    for replicate, x in enumerate(samples):
        inside = x[x[:, 0] > 0, 0].double()
        seen = {"weight": len(inside) / len(x), "variance": float(inside.var()) if len(inside) > 1 else math.nan}
        rows.append({"replicate": replicate, **seen, "evaluations": evaluations})
    count = sum(len(x) for x in samples)
    return pl.DataFrame(rows).with_columns(counted=score0.calls / count)


def together(case: Sampled, cell: Cell, score0: Counted) -> tuple[list[Tensor], float]:
    """All replicates' particles at once: they are independent."""
    N, random, modes = case.run.particles, cell.generator("chains"), case.modes
    n, m = case.nested
    if case.method in (LANGEVIN, ANNEALED):
        x = torch.randn(case.replicates * N, case.dimension, generator=random, device=cell.device)
        T, lr = case.calls, 0.5 / modes.smoothness(0)
        score = annealed(score0, T) if case.method == ANNEALED else score0
        x = chains(score, x, lr, T, thin=T, generator=random, on_step=lambda t, _: cell.progress(t, T))[0]
    else:
        recursive = RecursiveScore(score0, case.lengths, modes.smoothness, chains=n, steps=m, generator=random)
        x = diffusion_monte_carlo(
            recursive, case.replicates * N, case.dimension, segments=case.lengths, inner=case.inner, generator=random,
            budget=math.inf, device=cell.device, on_step=cell.progress,
        ).x  # fmt: skip
    return list(torch.split(x, N)), SAMPLES * case.calls


def fitted(case: Sampled, cell: Cell, score0: Counted) -> tuple[list[Tensor], float]:
    """Fits of its own for each replicate; four times the particles, as they cost little."""
    n, m = case.nested
    rounds, reach, found, spent = sum(case.inner), case.modes.distance + 5, [], 0.0

    def report(replicate: int, done: int, total: int) -> None:
        cell.progress(replicate + done / total, case.replicates)

    for replicate in range(case.replicates):
        random = cell.generator("fits", replicate)

        def broad(t: float, random: torch.Generator = random) -> Tensor:
            """Points of a law that is broader than any on the way."""
            shape, device = (5 * case.run.points, case.dimension), cell.device
            start = (reach - 2) * (2 * torch.rand(shape, generator=random, device=device) - 1)
            return math.exp(-t) * start + math.sqrt(-math.expm1(-2 * t)) * torch.randn(
                shape, generator=random, device=device
            )

        flat, line = case.dimension == 1, torch.linspace(-reach, reach, case.run.points, device=cell.device)[:, None]
        score = AmortisedScore(
            score0, case.lengths, case.modes.smoothness, chains=n, steps=m, inner=case.inner, generator=random,
            step=case.run.stride, burn=case.run.burn, points=line if flat else broad,
            regression="table" if flat else "features", control=case.method == FIT,
            on_fit=partial(report, replicate),
        )  # fmt: skip
        spent = score.evaluations + SAMPLES * rounds
        found.append(
            diffusion_monte_carlo(
                score, 4 * case.run.particles, case.dimension, segments=case.lengths, inner=case.inner, generator=random,
                device=cell.device,
            ).x
        )  # fmt: skip
    return found, float(spent)


def regress(case: Posterior, cell: Cell) -> pl.DataFrame:
    """Errors of the posterior's mean: root mean square over weights, in the reference's standard deviations.

    The posterior is brought to the Laplace approximation's mean and variances first, so that one scale fits all weights; half
    of the inverse of its largest curvature at the mode is the Langevin step of both methods.
    """
    posterior, reference = breast_cancer(), breast_cancer_reference()
    centre, scale = (
        posterior.mode.float().to(cell.device),
        posterior.laplace.covariance.diagonal().sqrt().float().to(cell.device),
    )
    d, N, run, random = len(centre), case.run.particles // 10, case.run, cell.generator("chains")
    curvature = posterior.hessian(posterior.mode).to(scale) * scale * scale[:, None]
    smoothness = float(torch.linalg.eigvalsh(curvature)[-1])

    def score0(x: Tensor) -> Tensor:
        return scale * posterior.score(centre + scale * x)

    m, T = run.lengths[0], 3.0
    if case.method == ONE:
        score = RecursiveScore(score0, [T], smoothness, chains=run.plain, steps=m, generator=random)
        x = diffusion_monte_carlo(
            score, case.replicates * N, d, segments=[T], inner=run.turns, generator=random, device=cell.device,
            on_step=cell.progress,
        ).x  # fmt: skip
    else:
        calls = run.turns * run.plain * m
        start = torch.randn(case.replicates * N, d, generator=random, device=cell.device)
        x = chains(
            score0,
            start,
            0.5 / smoothness,
            calls,
            thin=calls,
            generator=random,
            on_step=lambda t, _: cell.progress(t, calls),
        )[0]
    error = (centre + scale * x).view(case.replicates, N, d).mean(1).cpu() - reference.mean
    error = (error / reference.covariance.diagonal().sqrt()).square().mean(1).sqrt()
    return pl.DataFrame({"replicate": np.arange(case.replicates), "error": error.numpy()})
