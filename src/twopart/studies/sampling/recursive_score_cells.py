"""The samplers of the study of recursive scores; every cell runs all its replicates, and counts calls in the score itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart._arrays import Floats
from twopart.lab import Cell
from twopart.laws.sampling import diffusion_mc as law
from twopart.laws.sampling.grids import on_grid, one_segment
from twopart.learners.sampling.diffusion_mc import AmortisedScore, RecursiveScore, annealed, diffusion_monte_carlo
from twopart.learners.sampling.langevin_chains import chains
from twopart.learners.sampling.scores import Score
from twopart.studies.sampling import recursive_score as study
from twopart.studies.sampling.recursive_score import Estimates, Modes, Sampled
from twopart.worlds.posteriors import breast_cancer, breast_cancer_reference
from twopart.worlds.targets import MixtureTarget


def recursion(case: Estimates, cell: Cell) -> tuple[RecursiveScore, dict[str, Any]]:
    """The score, and the arguments that it shares with its laws."""
    g = case.gaussian
    nested: dict[str, Any] = {
        "segments": [g.segment] * 2,
        "smoothness": 1 / g.variance,
        "chains": case.chains,
        "steps": g.links,
    }
    return RecursiveScore(lambda x: (g.centre - x) / g.variance, **nested, generator=cell.generator("chains")), nested


def estimate(case: Estimates, cell: Cell) -> pl.DataFrame:
    """Mean and variance over estimates of the score at one point, half a standard deviation off the mean, and by the law."""
    (score, nested), g, t = recursion(case, cell), case.gaussian, case.gaussian.segment * case.level
    std = math.sqrt(math.exp(-t) ** 2 * g.variance - math.expm1(-2 * t))
    at, foretold = math.exp(-t) * g.centre + 0.5 * std, law.gaussian_score(g.centre, g.variance, t=t, **nested)
    x, rows = torch.full((g.estimates, 1), at, device=cell.device), []
    for replicate in range(case.replicates):
        y = score(x, t).double()
        rows.append({"replicate": replicate, "mean": float(y.mean()), "variance": float(y.var())})
        cell.progress(replicate + 1, case.replicates)
    laws = {"law_mean": float(foretold.slope * at + foretold.offset), "law": float(foretold.noise), "exact": -0.5 / std}
    calls = {"counted": score.calls / (case.replicates * len(x)), "calls": (case.chains * g.links) ** case.level}
    return pl.DataFrame(rows).with_columns(**{name: pl.lit(value) for name, value in (laws | calls).items()})


def draw(case: Estimates, cell: Cell) -> pl.DataFrame:
    """Mean and variance of samples, and by the law; calls for one of them."""
    (score, nested), g, R = recursion(case, cell), case.gaussian, case.replicates
    x = reverse(score, R * g.draws, 1, (nested["segments"], g.rounds), cell, cell.progress).double().view(R, g.draws)
    foretold = law.gaussian_sampler(g.centre, g.variance, inner=g.rounds, **nested)
    columns = {"replicate": np.arange(R), "mean": x.mean(1).numpy(force=True), "variance": x.var(1).numpy(force=True)}
    calls = {"counted": score.calls / (R * g.draws), "calls": law.cost(2, case.chains, g.links, g.rounds)}
    return pl.DataFrame(columns | {"law": float(foretold[1])} | calls)


def reverse(
    score: Any, n: int, d: int, plan: tuple[Any, Any], cell: Cell, on_step: Callable[[int, int], None]
) -> Tensor:
    """Samples of the reverse diffusion, whose noise is the score's own stream."""
    options = {"segments": plan[0], "inner": plan[1], "generator": score.generator, "device": cell.device}
    return diffusion_monte_carlo(score, n, d, **options, budget=math.inf, on_step=on_step).x


def target(modes: Modes, dimension: int) -> MixtureTarget:
    means = torch.zeros(2, dimension)
    means[:, 0] = torch.tensor([modes.distance, -modes.distance])
    return MixtureTarget([modes.weight, 1 - modes.weight], means, 1.0)


def foretell(case: Sampled, cell: Cell) -> pl.DataFrame:
    """Weight of the mode at +a and variance in it, by laws on a grid."""
    modes, run, m = case.modes, case.run, case.size
    wide = modes.distance + 5
    x = np.linspace(-wide, wide, 2 * round(10 * wide) + 1)
    left = iter(range(run.turns))

    def one(t: float) -> tuple[Floats, Floats]:
        cell.progress(next(left), run.turns)
        return one_segment(modes.score, x, t, modes.smoothness(0), chains=run.plain, steps=m)

    lengths, inner, _, _ = replace(case, method=study.FIT).plan
    found = {
        study.FORETOLD: on_grid(one, [modes.horizon], run.turns, x),
        study.EXACT: on_grid(lambda t: (modes.score(x, t), np.zeros_like(x)), lengths, inner, x),
        study.TRUTH: np.exp(modes.log_density(x)),
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
    score0, N, rows = target(case.modes, case.dimension).score, case.run.particles, []
    if case.method in study.FITS:
        samples, spent = fitted(case, cell, score0)
        counts = {"evaluations": float(spent)}
    else:
        x, calls = together(case, cell, score0, N, case.modes.smoothness)
        samples = list(torch.split(x, N))
        counts = {"evaluations": float(study.SAMPLES * case.calls), "counted": calls / len(x), "calls": case.calls}
    for replicate, x in enumerate(samples):
        inside = x[x[:, 0] > 0, 0].double()
        seen = {"weight": len(inside) / len(x), "variance": float(inside.var()) if len(inside) > 1 else math.nan}
        rows.append({"replicate": replicate, **seen, **counts})
    return pl.DataFrame(rows)


def together(
    case: Sampled, cell: Cell, score0: Score, particles: int, smoothness: Callable[[float], float]
) -> tuple[Tensor, int]:
    """All replicates' particles at once, as they are independent, and the calls of the score that they take."""
    N, d, random, (lengths, inner, n, m) = (
        case.replicates * particles,
        case.dimension,
        cell.generator("chains"),
        case.plan,
    )
    if case.method in (study.LANGEVIN, study.ANNEALED):
        x, T = torch.randn(N, d, generator=random, device=cell.device), case.calls
        score = annealed(score0, T) if case.method == study.ANNEALED else score0
        how: dict[str, Any] = {"thin": T, "generator": random, "on_step": lambda t, _: cell.progress(t, T)}
        return chains(score, x, 0.5 / smoothness(0), T, **how)[0], N * T
    recursive = RecursiveScore(score0, lengths, smoothness, chains=n, steps=m, generator=random)
    return reverse(recursive, N, d, (lengths, inner), cell, cell.progress), recursive.calls


def fitted(case: Sampled, cell: Cell, score0: Score) -> tuple[list[Tensor], int]:
    """Fits of its own for each replicate; four times the particles, as they cost little."""
    (lengths, inner, n, m), run, flat = case.plan, case.run, case.dimension == 1
    reach, found, spent = case.modes.distance + 5, [], 0
    line = torch.linspace(-reach, reach, run.points, device=cell.device)[:, None]

    def report(replicate: int, done: int, total: int) -> None:
        cell.progress(replicate + done / total, case.replicates)

    def broad(random: torch.Generator, t: float) -> Tensor:
        """Points of a law that is broader than any on the way."""
        how: dict[str, Any] = {"size": (5 * run.points, case.dimension), "generator": random, "device": cell.device}
        start = (reach - 2) * (2 * torch.rand(**how) - 1)
        return math.exp(-t) * start + math.sqrt(-math.expm1(-2 * t)) * torch.randn(**how)

    for replicate in range(case.replicates):
        random = cell.generator("fits", replicate)
        score = AmortisedScore(
            score0, lengths, case.modes.smoothness, chains=n, steps=m, inner=inner, generator=random, step=run.stride,
            burn=run.burn, points=line if flat else partial(broad, random), regression="table" if flat else "features",
            control=case.method == study.FIT, on_fit=partial(report, replicate),
        )  # fmt: skip
        spent = score.evaluations + study.SAMPLES * sum(inner)
        found.append(
            reverse(score, 4 * run.particles, case.dimension, (lengths, inner), cell, lambda done, total: None)
        )
    return found, spent


def regress(case: Sampled, cell: Cell) -> pl.DataFrame:
    """Errors of the posterior's mean: root mean square over weights, in the reference's standard deviations.

    The posterior is brought to the Laplace approximation's mean and variances first, so that one scale fits all weights; half
    of the inverse of its largest curvature at the mode is the Langevin step of both methods.
    """
    posterior, reference, R = breast_cancer(), breast_cancer_reference(), case.replicates
    std = posterior.laplace.covariance.diagonal().sqrt()
    centre, scale = (part.float().to(cell.device) for part in (posterior.mode, std))
    curvature = posterior.hessian(posterior.mode).to(scale) * scale * scale[:, None]
    smoothness = float(torch.linalg.eigvalsh(curvature)[-1])

    def score0(x: Tensor) -> Tensor:
        return scale * posterior.score(centre + scale * x)

    x, _ = together(case, cell, score0, case.run.particles // 10, lambda t: smoothness)
    error = (centre + scale * x).view(R, -1, len(centre)).mean(1).cpu() - reference.mean
    error = (error / reference.covariance.diagonal().sqrt()).square().mean(1).sqrt()
    return pl.DataFrame({"replicate": np.arange(R), "error": error.numpy()})
