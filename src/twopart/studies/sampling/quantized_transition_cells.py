"""The cells of the study of quantised transitions: samples with exact and with learned scores, and laws of whole arrays.

Rows are told apart by the column `axis`:
    run          of a replicate: evaluations, flips, truncated, how far its samples are from a law, and that law from the data
    band         of a network: remaining, and the least and the greatest ratio over all states
    theorem, code  of one axis: what the theorem's cells generate by ε, and what codes cost
    a name       of a race: evaluations, tv
"""

from __future__ import annotations

import math
from itertools import pairwise, product
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart import _random
from twopart._arrays import Floats
from twopart.lab import Cell
from twopart.laws.sampling import bit_diffusion as law
from twopart.learners.sampling import bit_diffusion as learner
from twopart.learners.sampling.bit_diffusion import BitDenoiser, Quantizer, Ratios, Trajectory
from twopart.studies.sampling import quantized_transition as study
from twopart.studies.sampling.quantized_transition import Foretold, Raced, Sampled, Trained
from twopart.worlds.noise import OU
from twopart.worlds.noised import oracle
from twopart.worlds.quantized import CODES, QuantizedTarget, words
from twopart.worlds.targets import MixtureTarget

WEIGHTS, MODES, SCALE, RADIUS = (0.6, 0.4), (-1.0, 1.5), 0.5, 4.0
"""The mixture, of mean 0; every second axis is mirrored. A cube of this radius holds all but 1e-7 of an axis."""
DRAWS = 200
"""Exact draws of as many samples, for the noise of a histogram."""
TIMES = list(product((0.7, 1.0, 1.5, 2.0, 3.0), np.geomspace(0.0005, 0.3, 12)))
"""Horizons and stops among which samplers with times of their own choose."""


def mixture(dimension: int) -> MixtureTarget:
    return MixtureTarget(WEIGHTS, np.outer(MODES, (-1.0) ** np.arange(dimension)), scales=SCALE)


def world(case: Sampled) -> QuantizedTarget:
    return QuantizedTarget(mixture(case.dimension), case.bits, RADIUS)


def sample(case: Sampled, cell: Cell) -> pl.DataFrame:
    """Samples with exact scores, how far from their law as many exact draws are, and how far the law is from the data's."""
    truth, n = world(case), case.samples
    run = reverse(truth.ratios, case, cell)
    found = counted(run)
    if case.dimension <= study.FLAT:
        random, q, at = _random.generator(cell.seed, "floor"), truth.mass, histogram(run.bits)
        p, made = law.generated(q, *case.segments.times), law.errors(q, *case.segments.times)
        floor = [law.tv(draw / n, p) for draw in random.multinomial(n, p / p.sum(), DRAWS)]
        found |= {"tv": law.tv(at, p), "tv_data": law.tv(at, q), "floor": np.mean(floor)}
        found |= {
            "spread": np.std(floor, ddof=1),
            "total": made.total,
            "early stop": made.early_stop,
            "start": made.start,
        }
    return pl.DataFrame({"axis": "run", **found})


def foretell(case: Foretold, cell: Cell) -> pl.DataFrame:
    """What the theorem's cells and times generate at each ε, and what the early stop and the start cost under each code."""
    rows: list[dict[str, Any]] = []
    target = mixture(1)
    constants = {
        "hessian": max(abs(float(bound)) for bound in target.hessian_bounds()),
        "sigma": math.hypot(SCALE, (MODES[1] - MODES[0]) / 2),  # Hoeffding: a mean in an interval, and a Gaussian
        "second_moment": float(target.covariance + target.mean.square()),
    }
    for eps in case.eps:
        radius, bits = law.theorem(1, eps, **constants)
        truth, times = QuantizedTarget(target, bits, radius), law.schedule(bits, *law.theorem_times(bits, eps)).times
        rows.append({"axis": "theorem", "eps": eps, "density": density_tv(truth, law.generated(truth.mass, *times))})
    for code in CODES:
        q = QuantizedTarget(target, case.bits, RADIUS, code, case.seed).mass
        found, single = law.errors(q, study.HORIZON, study.STOP), math.exp(-4 * study.HORIZON) * law.start_rate(q)
        rows.append({"axis": "code", "code": code, "early_stop": found.early_stop, "start_kl": found.start_kl})
        rows[-1] |= {"first_order": study.STOP * law.early_stop_rate(q), "single_bits": single}
    cell.progress(1, 1)
    return pl.DataFrame(rows)


def density_tv(truth: QuantizedTarget, made: Floats) -> float:
    """TV of a mixture on the line from masses spread evenly over cells, by the masses of cells halved six times at most."""
    finer = min(6, law.LARGEST - truth.bits)
    fine = QuantizedTarget(truth.target, truth.bits + finer, truth.radius)
    inside = np.abs(fine.mass * fine.inside - np.repeat(made, 2**finer) / 2**finer).sum()
    return float(inside + 1 - fine.inside) / 2


def race(case: Raced, cell: Cell) -> pl.DataFrame:
    """Uniformisation and Euler steps of the same chain, all by exact laws, and a continuous diffusion by samples."""
    q, budget, ends = world(case).mass, case.evaluations, case.segments.times
    rows: list[tuple[str, float, float]] = [("QTD, same times", budget, law.errors(q, *ends).total)]
    spacings: list[Any] = [np.linspace, np.geomspace]
    for share, spaced, at_once in product((0.25, 0.5, 1, 2, 4), spacings, (False, True)):
        n = round(share * budget)
        rows.append(("Euler, same times", n, law.tv(q, law.euler(q, spaced(*ends, n + 1), at_once))))
    grids = [law.schedule(case.total, *times) for times in TIMES]
    best = math.inf
    for cost, tv in sorted((law.evaluations(grid), law.errors(q, *grid.times).total) for grid in grids):
        if tv < 0.95 * best:
            best = tv
            rows.append(("QTD, best times", cost, tv))
    steps = [5 * 2**i for i in range(1 + int(math.log2(case.most_steps / 5)))]
    for i, n in enumerate(steps, 1):
        laws = (law.euler(q, np.geomspace(*times, n + 1)) for times in TIMES)
        rows.append(("Euler, best times", n, min(law.tv(q, p) for p in laws)))
        rows.append(("reverse SDE", n, law.tv(q, continuous(case, n, cell))))
        cell.progress(i, len(steps))
    return pl.DataFrame(rows, schema=["axis", "evaluations", "tv"], orient="row").cast({"evaluations": pl.Float64})


def continuous(case: Raced, steps: int, cell: Cell) -> Floats:
    """The histogram of Euler-Maruyama on the reverse of dx = -x dt + √2 dw, in geometric steps from time 4 to 1e-3."""
    score, random = oracle(mixture(case.dimension), OU()), cell.generator("sde")
    x = torch.randn(case.samples, case.dimension, generator=random, dtype=torch.float64)
    for t, after in pairwise(np.geomspace(4.0, 1e-3, steps + 1)):
        noise = torch.randn(x.shape, generator=random, dtype=x.dtype)
        x = x + (t - after) * (x + 2 * score(x, t)) + math.sqrt(2 * (t - after)) * noise
    return histogram(Quantizer.fit(x, case.bits, RADIUS).encode(x))


def train(case: Trained, cell: Cell) -> pl.DataFrame:
    """A network and samples of it; of the mixture the exact law of what it generates, and the range of its ratios by time."""
    bits = world(case).sample(case.samples, cell.seed) if case.data == study.MIXTURE else load(case.data)
    torch.manual_seed(cell.seed % 2**32)
    model, (T, stop) = BitDenoiser(case.total, case.width).to(cell.device), case.segments.times
    options: dict[str, Any] = {"horizon": T, "stop": stop, "generator": cell.generator("batches")}
    learner.train_bits(model, bits, case.steps, on_step=lambda k, _: cell.progress(k, 2 * case.steps), **options)
    ratios = learner.posterior_ratios(model.cpu())
    run = pl.DataFrame({"axis": "run", **counted(reverse(ratios, case, cell, after=1))})
    if case.data != study.MIXTURE:
        return run
    q, at, times = world(case).mass, learner.on_all_states(ratios, case.total), np.geomspace(T, stop, 25)
    made = law.learned(at, q, T, stop)
    ends = np.array([[f(r) for r in (law.ratios(q, u), at(u)) for f in (np.min, np.max)] for u in times])
    band = pl.DataFrame({"axis": "band", "remaining": times, **dict(zip(study.BAND, ends.T, strict=True))})
    return pl.concat([run.with_columns(kl=made.kl, bound=made.bound), band], how="diagonal_relaxed")


def load(name: str) -> Tensor:
    """178 wines by 13 measurements, or 1797 images of 64 pixels, of whose 17 grey levels the two brightest become one."""
    from sklearn import datasets

    if name == "wine":
        x = datasets.load_wine().data
        return Quantizer.fit(x, 4).encode(x)
    return Quantizer.levels(64, 4).encode(np.minimum(datasets.load_digits().data, 15))


def reverse(ratios: Ratios, case: Sampled, cell: Cell, after: int = 0) -> Trajectory:
    """Uniformisation as the case has it; `after` as much work again."""

    def told(done: int, total: int) -> None:
        cell.progress(after + done / total, after + 1)

    events = cell.generator("events")
    return learner.uniformize(ratios, case.total, case.samples, case.segments, events, on_segment=told)


def counted(run: Trajectory) -> dict[str, Any]:
    """Means over samples, and the number of truncated events."""
    counts = {"evaluations": run.evaluations, "flips": run.jumps}
    return {name: float(x.double().mean()) for name, x in counts.items()} | {"truncated": int(run.truncated.sum())}


def histogram(bits: Tensor) -> Floats:
    """Shares of all states, shape (2^B,)."""
    return np.asarray(np.bincount(words(bits).numpy(), minlength=2 ** bits.shape[1]) / len(bits))
