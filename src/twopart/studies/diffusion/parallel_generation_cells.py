"""The cells of the study of parallel generation. Rows of a transformer are told apart by the column `axis`:
run    bits, its code length of fresh grids over their own
pair   of neighbours in generated grids: agree, the share that is equal
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart import _random
from twopart.lab import Cell
from twopart.laws.diffusion import parallel as law
from twopart.learners.diffusion import GridTransformer, orders, parallel_code, train_order
from twopart.learners.diffusion import generate as decode
from twopart.studies.diffusion._parallel_lattices import DRAWS, FAMILIES, FITTED, PAR, RANDOM, RASTER, Lattice, expected
from twopart.studies.diffusion.parallel_generation import Fit, Learned, Timed
from twopart.worlds.diffusion import GaussianGrid, neighbours

TOGETHER, RATE = 1000, 6e-3  # grids coded or generated together; the learning rate


def solve(case: Lattice, cell: Cell) -> pl.DataFrame:
    """What each order loses with each group."""
    rows, ways = list[pl.DataFrame](), case.decodings
    for done, way in enumerate(ways, 1):
        for draw in range(DRAWS if way.family == RANDOM else 1):
            order = case.order(way, draw)
            found = pl.DataFrame({"group": np.arange(1, len(order) + 1), "bits": case.loss(order)})
            speed = case.side**2 / len(order)
            rows.append(found.with_columns(family=pl.lit(way.family), n=way.n, draw=draw, speed=speed))
        cell.progress(done, len(ways))
    return pl.concat(rows)


def fit(case: Fit, cell: Cell) -> pl.DataFrame:
    """Bits over those of the raster order of the same fitted model, and the law of that."""
    world, rows = GaussianGrid(case.grid.side, case.grid.parameter, case.grid.seed), []
    fields = world.sample(case.fields, stream=cell.replicate)
    bits = partial(law.gaussian_bits, world.covariance, fields.T @ fields / case.fields)
    raster = bits(orders.raster(world.side))
    for done, way in enumerate(FITTED, 1):
        order = case.grid.order(way)
        predicted = expected(case.grid, way) - law.unfitted(order, case.fields)
        rows.append({"family": way.family, "n": way.n, "bits": bits(order) - raster, "law": predicted})
        cell.progress(done, len(FITTED))
    return pl.DataFrame(rows)


def learn(case: Learned, cell: Cell) -> pl.DataFrame:
    """Taught the order, asked for the code of fresh grids, the same for all orders, and for grids of its own."""
    world, order, training = case.grid.ising, case.grid.order(case.way), case.training
    n, stream, width = training.samples, 3 + 2 * cell.replicate, training.width // 16 * 16
    train, test = (torch.from_numpy(world.sample(k, stream + i)).to(cell.device) for i, k in enumerate((10 * n, n)))
    seed, updates = int(_random.keys(cell.seed, 1, "weights")[0] >> 1), training.updates
    model = GridTransformer(case.grid.side, world.values, width=width, heads=width // 16, seed=seed).to(cell.device)

    def told(step: int, _: float) -> None:
        cell.progress(step, updates)

    random = cell.generator("batches")
    train_order(model, order, train, world.values, steps=updates, rate=RATE, generator=random, on_step=told)
    log2_q, made = list[Tensor](), list[Tensor]()
    for i in range(0, n, TOGETHER):
        log2_q.append(-parallel_code(model, order, test[i : i + TOGETHER], world.values).sum(1).cpu())
        size = len(log2_q[-1])
        made.append(decode(model, order, size, values=world.values, generator=random, device=cell.device).cpu())
    bits = world.log_probability(test.cpu().numpy()) - torch.cat(log2_q).numpy()
    one, other = neighbours(world.side).T
    grids = torch.cat(made).numpy()
    pairs = pl.DataFrame({"axis": "pair", "agree": (grids[:, one] == grids[:, other]).mean(0)})
    return pl.concat([pl.DataFrame({"axis": "run", "bits": bits.mean()}), pairs], how="diagonal")


def generate(case: Timed, cell: Cell) -> pl.DataFrame:
    """Passes and seconds of each order in turn, after a turn that is not timed; the weights do not matter."""
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
