"""The cells of the precision study.

`train`: all runs of every way to round, on the same fresh samples at every step. Rows are told apart by target, kind and level;
`replicate` is a group of runs: mean risk on exact inputs (clean), the law's, another law's for contrast, and ε, the mean
variance of the data's error in units of a feature's.

`fit`: least squares on chunks of rounded samples, a row for each pair of chunks: `floor`, the mean squared residual on rounded
inputs, unbiased, and `worth`, the features of full precision that do as well on exact inputs as v and v', the pair's fits:
there, after the best factor, E y² - (c·v)²/(v·H v') is left. The law's of both.
"""

from __future__ import annotations

from dataclasses import replace

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
    H, c, power = moments.covariance, moments.cross, moments.power
    v = np.linalg.solve(H, c)
    squares = {"data": np.trace(H) / len(c), "label": power, "parameter": v @ v / len(c), "activation": c @ v}
    step = level * float(squares.get(target, power - c @ v)) ** 0.5
    return Quantisation(**{target: Dither(step) if kind == "dither" else StochasticRounding(step)})


def laws(case: Train, way: Way, quantisation: Quantisation) -> dict[str, float]:
    """The law's risk, that with a usual stand-in for the noise, and ε."""
    moments, (_, kind, level), risk = case.world.moments, way, {}
    size = float(np.trace(moments.covariance)) / case.world.features
    noise = quantisation.noise(moments)
    eps = float(np.mean(noise.additive if noise.covariance is None else noise.covariance)) / size  # type: ignore[arg-type]
    usual = {"float": Noise(scalar=eps), "stochastic": Noise(additive=size * level**2 / 6)}
    for name, one in {"law": noise, "other": usual.get(kind, noise)}.items():
        risk[name] = float(precision_risk(moments, one, rate=RATE, steps=case.steps, batch=case.batch).clean)
    return {**risk, "eps": eps}


def train(case: Train, cell: Cell) -> pl.DataFrame:
    moments, M = case.world.moments, case.world.features
    few, R = [few_bits(way, moments) for way in case.ways], case.groups * case.runs
    random = torch.Generator(cell.device).manual_seed(cell.seed)
    root = torch.as_tensor(moments.root.T, dtype=torch.float32, device=cell.device)
    weights = torch.zeros(len(few), R, M, device=cell.device)
    for step, rate in enumerate(geometric(case.steps, RATE).tolist(), 1):
        both = torch.randn(R, case.batch, M + 1, generator=random, device=cell.device) @ root
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
    moments, M, n = case.world.moments, case.world.features, case.samples // (2 * PAIRS)
    made: dict[str, Quantiser] = {"scalar": ScalarNoise(case.level), "float": FloatRounding(0)}
    quantiser = Dither(2 * case.level**0.5) if case.kind == "additive" else made.get(case.kind)
    random = torch.Generator(cell.device).manual_seed(cell.seed)
    root, fits, squares = torch.as_tensor(moments.root.T, dtype=torch.float32, device=cell.device), [], []
    for chunk in range(2 * PAIRS):
        both = torch.randn(n, M + 1, generator=random, device=cell.device) @ root
        x, y = both[:, :-1], both[:, -1]
        x = quantiser(x, random) if quantiser else x
        v = torch.linalg.solve((x.T @ x).double(), (x.T @ y).double())
        squares.append(float((y - x @ v.float()).double().square().sum()) / (n - M))
        fits.append(v.cpu().numpy())
        cell.progress(chunk + 1, 2 * PAIRS)
    one, two = np.array(fits[::2]), np.array(fits[1::2])
    square = np.einsum("ki,ij,kj->k", one, moments.covariance, two)
    left = moments.power - ((one + two) @ moments.cross / 2) ** 2 / square
    law, larger = precision_risk(moments, case.noise, rate=0.0, steps=0), replace(case.world, features=2 * M)
    found = {"floor": np.reshape(squares, (PAIRS, 2)).mean(1), "law_floor": law.floor}
    if case.world.kind == "gaussian":
        worth = equivalent_features(larger.moments, np.append(left, law.scaled_floor))
        found |= {"worth": worth[:-1], "law_worth": worth[-1]}
    return long("fit", found)
