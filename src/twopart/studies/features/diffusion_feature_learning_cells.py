"""The networks of the study of what diffusion learns: a cell trains all replicates as one batch.

Axis "way", a row for each look: step; signal, memory, mean sizes of <w, μ> and <w, ξ> over neurons and points.
Axis "end", a row for each replicate: ratio, of these means for denoisers, of roots of mean squares for classifiers; loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn.functional import softplus

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.features import penalty_rates
from twopart.laws.features.denoising import noising
from twopart.learners.features import (
    Denoiser,
    DenoiserConfig,
    FeatureBalance,
    Moment,
    PatchNetConfig,
    expected_denoising_loss,
    feature_balance,
    initialise_denoiser,
    initialise_patches,
    stack,
    train_denoiser,
    train_patches,
)
from twopart.studies.features.diffusion_feature_learning import FITTED, GREW, Learn, Sampled
from twopart.worlds.features import PerClass, SignalNoise


class Data:
    """Points (B, n, 2, d) and labels of all replicates, seeds for first weights, and looks on the way."""

    def __init__(self, case: Learn, cell: Cell) -> None:
        self.case, self.cell, self.rows = case, cell, list[dict[str, Tensor]]()
        seeds = range(case.seed, case.seed + case.training.seeds)
        worlds = [SignalNoise(PerClass(case.norm), case.dimension, seed=seed) for seed in seeds]
        samples = [world.sample(case.points) for world in worlds]
        self.x, self.y = (part.to(cell.device) for part in stack(samples))
        both = np.stack([w.directions for w in worlds]), np.stack([s.x[s.noisy] for s in samples])
        self.signal, self.noise = (torch.from_numpy(part).to(self.x) for part in both)
        keys = [int(key >> 1) for key in _random.keys(case.seed, len(worlds), "patch-net")]
        self.drawn: dict[str, Any] = {"dimension": case.dimension, "seeds": keys, "dtype": self.x.dtype}

    def answers(self, weights: Tensor) -> FeatureBalance:
        return feature_balance(weights.flatten(1, -2), self.signal, self.noise)

    def look(self, step: int, weights: Callable[[], Tensor], often: int = 1) -> None:
        how = self.case.training
        if step % max(1, how.steps // (often * how.looks)) == 0:
            seen = self.answers(weights())
            sizes = {"signal": seen.signal.abs().mean((1, 2)), "memory": seen.noise.abs().mean((1, 2))}
            self.rows.append({"step": torch.full_like(sizes["signal"], step), **sizes})
            self.cell.progress(step, 1.01 * how.steps)

    def found(self, ratio: Tensor, loss: Tensor) -> pl.DataFrame:
        self.cell.progress(1, 1)
        way = {name: torch.stack([row[name] for row in self.rows], 1) for name in self.rows[0]}
        return pl.concat([long("way", way), long("end", {"ratio": ratio, "loss": loss})], how="diagonal")


def denoise(case: Learn, cell: Cell, until: float = math.inf) -> pl.DataFrame:
    """A denoiser until it rests; or until the weights of each have length `until`, where its ratio is read."""
    data, how = Data(case, cell), case.training
    config = DenoiserConfig(case.neurons, time=case.time, initial=case.initial)
    ratio = torch.full_like(data.y[:, 0], torch.nan)

    def watch(step: int, now: Callable[[], Denoiser]) -> bool:
        data.look(step, lambda: now().weights)
        if until < math.inf:
            w = now().weights
            grown = ratio.isnan() & (w.flatten(1).norm(dim=1) > until)
            ratio[grown] = data.answers(w).ratio[grown]
        return not bool(ratio.isnan().any())

    start = initialise_denoiser(config, **data.drawn, device=cell.device)
    end = train_denoiser(start, data.x, steps=how.steps, rate=how.rate, on_step=watch)
    return data.found(data.answers(end.weights).ratio if until == math.inf else ratio, end.loss(data.x))


def begin(case: Learn, cell: Cell) -> pl.DataFrame:
    return denoise(case, cell, GREW)


def classify(case: Learn, cell: Cell) -> pl.DataFrame:
    """A classifier until its training loss is `FITTED`, where the ratio of each replicate is read."""
    data, how = Data(case, cell), case.training
    start = initialise_patches(
        PatchNetConfig(case.neurons, "square", initial=case.initial), **data.drawn, device=cell.device
    )
    rate = how.pace / max(map(float, penalty_rates(case.points, *case.squares, case.neurons)))
    ratio = torch.full_like(data.y[:, 0], torch.nan)

    def watch(moment: Moment) -> bool:
        data.look(moment.step, lambda: moment.network().weights, often=10)
        fitted = ratio.isnan() & (softplus(-moment.outputs.to(data.y) * data.y).mean(1) < FITTED)
        if bool(fitted.any()):
            ratio[fitted] = data.answers(moment.network().weights).root_ratio[fitted]
        return not bool(ratio.isnan().any())

    end = train_patches(start, data.x, data.y, steps=how.steps, rate=rate, method="gram", on_step=watch)
    return data.found(ratio, softplus(-data.y * end(data.x)).mean(1))


def compare(case: Sampled, cell: Cell, patches: int = 5) -> pl.DataFrame:
    """The exact loss of large weights, in standard errors of one whose noise is drawn, and beside quadrature at d = 3."""
    normal = partial(torch.randn, generator=torch.Generator().manual_seed(cell.seed), dtype=torch.float64)
    (alpha, beta), config = noising(0.2), DenoiserConfig(4)
    w, x = 0.4 * normal(4, 6), normal(patches, 6)

    def losses(d: int, noise: Tensor) -> tuple[Tensor, float]:
        """In d dimensions, with noise (..., d) at each of the patches; and what it is to be on average."""
        noised = alpha * x[:, None, :d] + beta * noise
        wrong = Denoiser(config, w[:, :d])(noised) - noise
        return wrong.square().sum(-1) / 2, float(expected_denoising_loss(w[:, :d], x[:, :d], alpha, beta))

    seen, law = losses(6, normal(patches, case.draws // patches, 6))
    deviation = (seen.mean() - law) / ((seen.var(1) / seen.shape[1]).sum().sqrt() / patches)
    places, weights = np.polynomial.hermite_e.hermegauss(6)
    grid, chance = (torch.tensor(list(product(of, repeat=3))) for of in (places, weights / weights.sum()))
    values, law = losses(3, grid)
    quadrature = (values @ chance.prod(1)).mean() / law - 1
    cell.progress(1, 1)
    return long("end", {"deviation": deviation[None], "quadrature": quadrature.abs()[None]})
