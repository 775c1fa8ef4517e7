"""The samplers of the study of recursive scores; every cell is one replicate, and counts calls in the score itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from twopart._arrays import Floats
from twopart.lab import Cell
from twopart.laws.sampling import diffusion_mc as law
from twopart.laws.sampling.grids import on_grid, one_segment
from twopart.learners.sampling import AmortisedScore, RecursiveScore, Samples, annealed, chains, diffusion_monte_carlo
from twopart.learners.sampling.scores import Score
from twopart.studies.sampling import recursive_score as study
from twopart.studies.sampling.recursive_score import CENTRE, HORIZON, SEGMENT, VARIANCE, WEIGHT, Gaussian, Sampled
from twopart.worlds.noised import noised
from twopart.worlds.posteriors import breast_cancer, breast_cancer_reference
from twopart.worlds.targets import MixtureTarget


def estimate(case: Gaussian, cell: Cell) -> pl.DataFrame:
    """Mean and variance of scores at one point, half a standard deviation off the mean, and of samples, beside their laws."""
    n, m, segments = case.chains, study.LINKS, [SEGMENT] * 2
    nested: dict[str, Any] = {"segments": segments, "smoothness": 1 / VARIANCE, "chains": n, "steps": m}
    score = RecursiveScore(lambda x: (CENTRE - x) / VARIANCE, **nested, generator=cell.generator("chains"))
    rows: list[dict[str, Any]] = []
    for k, of in enumerate(study.LEVELS, 1):
        t, before = SEGMENT * k, score.calls
        std = math.sqrt(math.exp(-2 * t) * VARIANCE - math.expm1(-2 * t))
        at = math.exp(-t) * CENTRE + 0.5 * std
        slope, offset, noise = law.gaussian_score(CENTRE, VARIANCE, t=t, **nested)
        y = score(torch.full((case.estimates, 1), at, device=cell.device), t).double()
        rows.append({"of": of, "mean": float(y.mean()), "variance": float(y.var()), "exact": -0.5 / std})
        rows[-1] |= {"law_mean": float(slope * at + offset), "law": float(noise)}
        rows[-1] |= {"counted": (score.calls - before) / len(y), "calls": (n * m) ** k}
    x, calls = reverse(score, case.draws, 1, segments, study.ROUNDS, cell)
    _, variance = law.gaussian_sampler(CENTRE, VARIANCE, inner=study.ROUNDS, **nested)
    rows.append({"of": study.DRAWN, "variance": float(x.double().var()), "law": float(variance)})
    rows[-1] |= {"counted": calls / len(x), "calls": law.cost(2, n, m, study.ROUNDS)}
    return pl.DataFrame(rows)


def reverse(score: RecursiveScore, n: int, d: int, segments: ArrayLike, inner: Any, cell: Cell) -> Samples:
    """Samples of the reverse diffusion, whose noise is the score's own stream."""
    options: dict[str, Any] = {"generator": score.generator, "device": cell.device, "on_step": cell.progress}
    return diffusion_monte_carlo(score, n, d, segments=segments, inner=inner, **options)


def target(distance: float, dimension: int) -> MixtureTarget:
    return MixtureTarget([WEIGHT, 1 - WEIGHT], np.outer([distance, -distance], np.eye(1, dimension)), 1.0)


def foretell(case: Sampled, cell: Cell) -> pl.DataFrame:
    """Weight of the mode at +a and variance in it, by laws on a grid; curvatures of posteriors on another."""
    a, run, world = case.run.distance, case.run, target(case.run.distance, 1)
    x = np.linspace(-a - 5, a + 5, 2 * round(10 * (a + 5)) + 1)
    left = iter(range(run.turns))

    def exact(x: Floats, t: float = 0.0) -> Floats:
        return np.asarray(noised(world, t).score(torch.from_numpy(x)[:, None])[:, 0])

    def one(t: float) -> tuple[Floats, Floats]:
        cell.progress(next(left), run.turns)
        return one_segment(exact, x, t, study.smoothness(a, 0), chains=run.plain, steps=case.size)

    lengths, inner, _, _ = Sampled(run, study.FIT, 2).plan
    densities = {
        study.FORETOLD: on_grid(one, [HORIZON], run.turns, x),
        study.EXACT: on_grid(lambda t: (exact(x, t), 0.0), lengths, inner, x),
        study.TRUTH: world.log_density(torch.from_numpy(x)[:, None]).exp().numpy(),
    }
    rows: list[dict[str, Any]] = [{"series": name, **in_mode(x, p)} for name, p in densities.items()]
    bends = -world.hessian(torch.linspace(-a - 5, a + 5, 20_001, dtype=torch.float64)[:, None])
    for times in (1, 2):
        length = times * law.segments(study.smoothness(a, 0), HORIZON)[0]
        least, most = (1 / math.expm1(2 * length) + float(end) for end in bends.aminmax())
        rows.append({"series": f"{times} S", "least": least, "most": most})
    cell.progress(1, 1)
    return pl.DataFrame(rows)


def in_mode(x: Floats, density: Floats) -> dict[str, float]:
    """The share of x > 0, and the variance there."""
    inside = density * ((x > 0) + 0.5 * (x == 0))
    centre = inside @ x / inside.sum()
    return {"weight": float(inside.sum() / density.sum()), "variance": float(inside @ (x - centre) ** 2 / inside.sum())}


def sample(case: Sampled, cell: Cell) -> pl.DataFrame:
    """Weight of the mode at +a and variance in it; evaluations for SAMPLES samples, calls for one."""
    run, score0 = case.run, target(case.run.distance, case.dimension).score
    if case.method in study.FITS:
        x, spent = fitted(case, cell, score0)
        counts = {"evaluations": float(spent)}
    else:
        x, calls = chained(case, cell, score0, run.particles, partial(study.smoothness, run.distance))
        counts = {"evaluations": float(study.SAMPLES * case.calls), "counted": calls / len(x), "calls": case.calls}
    first = x[:, 0].double().numpy(force=True)
    return pl.DataFrame({**in_mode(first, np.ones_like(first)), **counts})


def chained(case: Sampled, cell: Cell, score0: Score, n: int, smoothness: Callable[[float], float]) -> Samples:
    """Samples by all methods but fits."""
    d, random, (lengths, inner, each, m) = case.dimension, cell.generator("chains"), case.plan
    if case.method in (study.LANGEVIN, study.ANNEALED):
        x, T = torch.randn(n, d, generator=random, device=cell.device), case.calls
        score = annealed(score0, T) if case.method == study.ANNEALED else score0
        how: dict[str, Any] = {"thin": T, "generator": random, "on_step": lambda t, _: cell.progress(t, T)}
        return Samples(chains(score, x, 0.5 / smoothness(0), T, **how)[0], n * T)
    recursive = RecursiveScore(score0, lengths, smoothness, chains=each, steps=m, generator=random)
    return reverse(recursive, n, d, lengths, inner, cell)


def fitted(case: Sampled, cell: Cell, score0: Score) -> tuple[Tensor, int]:
    """Four times the particles, as they cost little, and the evaluations that fits and SAMPLES of them take."""
    (lengths, inner, n, m), run, d, random = case.plan, case.run, case.dimension, cell.generator("fits")
    reach = run.distance + 5
    line = torch.linspace(-reach, reach, run.points, device=cell.device)[:, None]

    def broad(t: float) -> Tensor:
        """Points of a law that is broader than any on the way."""
        how: dict[str, Any] = {"size": (5 * run.points, d), "generator": random, "device": cell.device}
        start = (reach - 2) * (2 * torch.rand(**how) - 1)
        return math.exp(-t) * start + math.sqrt(-math.expm1(-2 * t)) * torch.randn(**how)

    score = AmortisedScore(
        score0, lengths, partial(study.smoothness, run.distance), chains=n, steps=m, inner=inner, step=0.2, burn=0.4,
        control=case.method == study.FIT, points=line if d == 1 else broad, generator=random, on_fit=cell.progress,
    )  # fmt: skip
    options: dict[str, Any] = {"segments": lengths, "inner": inner, "generator": random, "device": cell.device}
    spent = score.evaluations + study.SAMPLES * sum(inner)
    return diffusion_monte_carlo(score, 4 * run.particles, d, **options).x, spent


def regress(case: Sampled, cell: Cell) -> pl.DataFrame:
    """The error of the posterior's mean: root mean square over weights, in the reference's standard deviations.

    The posterior is brought to the Laplace approximation's mean and variances first, so that one scale fits all weights; half
    of the inverse of its largest curvature at the mode is the Langevin step of both methods.
    """
    posterior, reference = breast_cancer(), breast_cancer_reference()
    std = posterior.laplace.covariance.diagonal().sqrt()
    centre, scale = (part.float().to(cell.device) for part in (posterior.mode, std))
    curvature = posterior.hessian(posterior.mode).to(scale) * scale * scale[:, None]
    smoothness = float(torch.linalg.eigvalsh(curvature)[-1])

    def score0(x: Tensor) -> Tensor:
        return scale * posterior.score(centre + scale * x)

    x, _ = chained(case, cell, score0, case.run.particles // 10, lambda t: smoothness)
    error = (centre + scale * x).mean(0).cpu() - reference.mean
    return pl.DataFrame({"error": float((error / reference.covariance.diagonal().sqrt()).square().mean().sqrt())})
