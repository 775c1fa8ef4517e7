"""The cells of the precision study.

`train`: all runs of every way to round, on the same fresh samples at every step; `replicate` is a group of runs. By target,
kind and level: mean risk on exact inputs (clean), the law's, another law's for contrast, and ε, the mean variance of the data's
error in units of a feature's.

`fit`: least squares on chunks of rounded samples, a row for each pair of chunks: `floor`, the mean squared residual on rounded
inputs, unbiased, and `worth`, the features of full precision that do as well on exact inputs as v and v', the pair's fits:
there, after the best factor, E y² - (c·v)²/(v·H v') is left. The law's of both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch

from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.regression import Noise, equivalent_features, geometric, precision_risk
from twopart.learners.regression import (
    Dither,
    FloatRounding,
    Quantisation,
    Quantiser,
    ScalarNoise,
    StochasticRounding,
    quantised_sgd_step,
)
from twopart.studies.regression.precision_scaling import RATE, Fit, Train, Way
from twopart.worlds.regression import SecondMoments

OFTEN = 16  # steps between reports
PAIRS = 10


def few_bits(way: Way, moments: SecondMoments) -> Quantisation:
    """Steps are in units of the root mean square of what is rounded: features, labels, weights, outputs, residuals."""
    target, kind, level = way
    if kind == "full":
        return Quantisation()
    if kind == "float":
        return Quantisation(data=FloatRounding(round(level)))
    step = level * float(np.mean(moments.squares[target])) ** 0.5
    return Quantisation(**{target: Dither(step) if kind == "dither" else StochasticRounding(step)})


def laws(case: Train, way: Way, quantisation: Quantisation) -> dict[str, float]:
    """The law's risk, that with a usual stand-in for the noise, and ε."""
    moments, (_, kind, level) = case.world.moments, way
    noise, size = quantisation.noise(moments), float(np.mean(moments.squares["data"]))
    eps = float(np.mean(noise.additive if noise.covariance is None else noise.covariance)) / size  # type: ignore[arg-type]
    usual = {"float": Noise(scalar=eps), "stochastic": Noise(additive=size * level**2 / 6)}.get(kind, noise)
    given: Any = {"rate": RATE, "steps": case.steps, "batch": case.batch}
    law, other = (float(precision_risk(moments, one, **given).clean) for one in (noise, usual))
    return {"law": law, "other": other, "eps": eps}


def train(case: Train, cell: Cell) -> pl.DataFrame:
    moments, R = case.world.moments, case.groups * case.runs
    few = [few_bits(way, moments) for way in case.ways]
    random = torch.Generator(cell.device).manual_seed(cell.seed)
    root = torch.as_tensor(moments.root.T, dtype=torch.float32, device=cell.device)
    weights = torch.zeros(len(few), R, case.world.features, device=cell.device)
    for step, rate in enumerate(geometric(case.steps, RATE).tolist(), 1):
        both = torch.randn(R, case.batch, len(root), generator=random, device=cell.device) @ root
        for w, quantisation in zip(weights, few, strict=True):
            quantised_sgd_step(w, both[..., :-1], both[..., -1], rate, quantisation, random)
        if step % OFTEN == 0 or step == case.steps:
            cell.progress(step, case.steps)
    rows = []
    for way, quantisation, w in zip(case.ways, few, weights.double().cpu().numpy(), strict=True):
        risk = moments.power - 2 * w @ moments.cross + ((w @ moments.covariance) * w).sum(1)
        labels = dict(zip(("target", "kind", "level"), way, strict=True))
        clean = risk.reshape(case.groups, -1).mean(1)
        rows.append(long("end", {"clean": clean}, **labels, **laws(case, way, quantisation)))
    return pl.concat(rows)


def fit(case: Fit, cell: Cell) -> pl.DataFrame:
    moments, ε, n = case.world.moments, case.level, case.samples // (2 * PAIRS)
    made: dict[str, Quantiser] = {"scalar": ScalarNoise(ε), "float": FloatRounding(0)}
    quantiser = made.get(case.kind) or Dither(2 * ε**0.5)
    noise = Noise(**{"covariance": ε * np.diag(moments.covariance)} if case.kind == "float" else {case.kind: ε})
    random = torch.Generator(cell.device).manual_seed(cell.seed)
    root, fits, squares = torch.as_tensor(moments.root.T, dtype=torch.float32, device=cell.device), [], []
    for chunk in range(2 * PAIRS):
        both = torch.randn(n, len(root), generator=random, device=cell.device) @ root
        x, y = quantiser(both[:, :-1], random), both[:, -1]
        v = torch.linalg.solve((x.T @ x).double(), (x.T @ y).double())
        squares.append(float((y - x @ v.float()).double().square().sum()) / (n - len(v)))
        fits.append(v.cpu().numpy())
        cell.progress(chunk + 1, 2 * PAIRS)
    one, two = np.array(fits[::2]), np.array(fits[1::2])
    square = np.einsum("ki,ij,kj->k", one, moments.covariance, two)
    left = moments.power - ((one + two) @ moments.cross / 2) ** 2 / square
    law = precision_risk(moments, noise, rate=0.0, steps=0)
    found = {"floor": np.reshape(squares, (PAIRS, 2)).mean(1), "law_floor": law.floor}
    if case.world.kind == "gaussian":
        larger = replace(case.world, features=2 * case.world.features).moments
        *worth, law_worth = equivalent_features(larger, np.append(left, law.scaled_floor))
        found |= {"worth": np.array(worth), "law_worth": law_worth}
    return long("fit", found)
