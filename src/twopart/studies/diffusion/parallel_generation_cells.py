"""The cells of the study of parallel generation. Rows of a transformer are told apart by the column `axis`:
run    bits, its code length of fresh grids
pair   of neighbours in generated grids: agree, the share that is equal
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.diffusion import parallel as law
from twopart.learners.diffusion import GridTransformer, parallel_code, train_order
from twopart.learners.diffusion import generate as decode
from twopart.studies.diffusion.parallel_generation import FITTED, PAR, TRUE, Decoding, Fit, Learned, Timed
from twopart.worlds.diffusion import neighbours

TOGETHER, RATE = 1000, 6e-3  # grids coded or generated together; the learning rate


def fit(case: Fit, cell: Cell) -> pl.DataFrame:
    """Bits of orders over those of the raster order, all of the same fitted model."""
    world, fields = case.grid.gaussian, case.grid.gaussian.sample(case.fields, stream=cell.replicate)
    covariance, bits = fields.T @ fields / case.fields, list[float]()
    for done, way in enumerate((TRUE, *FITTED)):
        bits.append(law.gaussian_bits(world.covariance, covariance, way.order(world.side)))
        cell.progress(done, len(FITTED))
    return pl.DataFrame({"way": [str(way) for way in FITTED], "bits": np.array(bits[1:]) - bits[0]})


def learn(case: Learned, cell: Cell) -> pl.DataFrame:
    """Taught the order, asked for the code of fresh grids, the same for all orders, and for grids of its own."""
    world, order, training = case.grid.ising, case.way.order(case.grid.side), case.training
    n, stream, seed = training.samples, 3 + 2 * cell.replicate, cell.generator("weights").initial_seed()
    train, test = (torch.from_numpy(world.sample(k, stream + i)).to(cell.device) for i, k in enumerate((10 * n, n)))
    width, heads = training.width, training.width // 16
    model = GridTransformer(world.side, world.values, width=width, heads=heads, seed=seed).to(cell.device)

    def told(step: int, _: float) -> None:
        cell.progress(step, training.updates)

    random = cell.generator("batches")
    train_order(model, order, train, world.values, steps=training.updates, rate=RATE, generator=random, on_step=told)
    bits, made = list[Tensor](), list[Tensor]()
    for part in torch.split(test, TOGETHER):
        bits.append(parallel_code(model, order, part, world.values).sum(1))
        made.append(decode(model, order, len(part), values=world.values, generator=random, device=cell.device))
    one, other = torch.cat(made)[:, neighbours(world.side).T].unbind(1)
    agree = (one == other).double().mean(0)
    run, pairs = long("run", {"bits": torch.cat(bits).mean()[None]}), long("pair", {"agree": agree[None]})
    return pl.concat([run, pairs], how="diagonal").drop("replicate")


def generate(case: Timed, cell: Cell) -> pl.DataFrame:
    """Passes and seconds of each order in turn, after a turn that is not timed; the weights do not matter."""
    model, rows, calls = GridTransformer(case.side, 2).to(cell.device), list[dict[str, Any]](), list[int]()
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    for turn in range(case.times + 1):
        for n in (1, 4, 16):
            calls.clear()
            order, begin = Decoding(PAR, n).order(case.side), time.perf_counter()
            decode(model, order, case.batch, values=2, generator=cell.generator("times"), device=cell.device)
            seconds = time.perf_counter() - begin if turn else None
            rows.append({"replicate": turn, "timed": turn > 0, "n": n, "passes": len(calls), "seconds": seconds})
        cell.progress(turn + 1, case.times + 1)
    return pl.DataFrame(rows)
