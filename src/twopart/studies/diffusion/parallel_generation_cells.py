"""The transformers of the study of parallel generation. Rows are told apart by the column `axis`:
run    of a transformer: bits, its code length of fresh grids over their own
pair   of neighbours in generated grids: agree, the share that is equal
"""

from __future__ import annotations

import time

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart import _random
from twopart.lab import Cell
from twopart.laws.diffusion.parallel import Order
from twopart.learners.diffusion import Dependence, GridTransformer, parallel_code, train_order
from twopart.learners.diffusion import generate as decode
from twopart.studies.diffusion.parallel_generation import FAMILIES, PAR, RASTER, Learned, Timed
from twopart.worlds.diffusion import TokenGrid, neighbours

TOGETHER, RATE = 1000, 6e-3  # grids coded or generated together; the learning rate


def learn(case: Learned, cell: Cell) -> pl.DataFrame:
    """Taught the order, asked for the code of fresh grids, the same for all orders, and for grids."""
    world, n = case.world.ising, case.training.samples
    order, stream = case.world.order(case.decoding), 3 + 2 * cell.replicate
    train, test = (torch.from_numpy(world.sample(k, stream + i)) for i, k in enumerate((10 * n, n)))
    model = taught(case, cell, order, train, world.values)
    bits = coded(model, order, test, world.values).sum(1).numpy() + world.log_probability(test.numpy())
    sizes, random = [len(part) for part in test.split(TOGETHER)], cell.generator("grids")
    options = {"values": world.values, "generator": random, "device": cell.device}
    made = torch.cat([decode(model, order, k, **options) for k in sizes]).cpu().numpy()
    one, other = neighbours(world.side).T
    run = pl.DataFrame({"axis": "run", "bits": bits.mean()})
    pairs = pl.DataFrame({"axis": "pair", "agree": (made[:, one] == made[:, other]).mean(0)})
    return pl.concat([run, pairs], how="diagonal")


def learn_data(case: Learned, cell: Cell) -> pl.DataFrame:
    """Taught on four fifths of the grids; bits of the others, and what their dependence lets expect."""
    grids = TokenGrid.digits() if case.world == "digits" else TokenGrid.load(str(case.world))
    order = FAMILIES[case.decoding.family](grids.side, case.decoding.n, 0)
    mixed = _random.generator(cell.replicate, "held out").permutation(len(grids.flat))
    test, train = (torch.from_numpy(grids.flat[rows]) for rows in np.split(mixed, [len(mixed) // 5]))
    bits = coded(taught(case, cell, order, train, grids.values), order, test, grids.values).sum(1).mean().item()
    estimate = Dependence.of(grids.tokens).loss(order)
    return pl.DataFrame({"bits": bits, "estimate": estimate, "speed": grids.side**2 / len(order)})


def generate(case: Timed, cell: Cell) -> pl.DataFrame:
    """Passes and seconds of each order in turn; the weights do not matter, and times begin after a first turn."""
    model, rows, calls = GridTransformer(case.side, 2).to(cell.device), list[dict[str, float | None]](), [0]

    def counted(*given: Tensor, **kept: dict[object, Tensor]) -> Tensor:
        calls[0] += 1
        logits: Tensor = model(*given, **kept)
        return logits

    for turn in range(case.times + 1):
        for n in (1, 4, 16):
            order = FAMILIES[PAR if n > 1 else RASTER](case.side, n, 0)
            calls[0], begin = 0, time.perf_counter()
            decode(counted, order, case.batch, values=2, generator=cell.generator("times"), device=cell.device)
            seconds = time.perf_counter() - begin
            if turn or not case.times:
                timed = seconds if case.times else None
                rows.append({"replicate": max(0, turn - 1), "n": n, "passes": calls[0], "seconds": timed})
        cell.progress(turn + 1, case.times + 1)
    return pl.DataFrame(rows, schema_overrides={"seconds": pl.Float64})


def taught(case: Learned, cell: Cell, order: Order, tokens: Tensor, values: int) -> GridTransformer:
    side, training, random = round(tokens.shape[1] ** 0.5), case.training, cell.generator("batches")
    width, seed = training.width // 16 * 16, int(_random.keys(cell.seed, 1, "weights")[0] >> 1)
    model = GridTransformer(side, values, width=width, heads=width // 16, seed=seed).to(cell.device)
    tokens = tokens.to(cell.device)

    def told(step: int, loss: float) -> None:
        cell.progress(step, training.steps)

    train_order(model, order, tokens, values, steps=training.steps, rate=RATE, generator=random, on_step=told)
    return model


def coded(model: GridTransformer, order: Order, tokens: Tensor, values: int) -> Tensor:
    """Bits of every token, grids (n, N)."""
    parts = tokens.to(model.aims.device).split(TOGETHER)
    return torch.cat([parallel_code(model, order, part, values) for part in parts]).cpu()
