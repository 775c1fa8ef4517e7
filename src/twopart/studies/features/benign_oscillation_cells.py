"""The networks of the study of benign oscillation: a cell trains all replicates as one batch, in inner products.

Rows are told apart by the column `axis`:
    course  step, and what the side of the right label answers to each feature before it: weak (c²), strong (a²)
    orbit   output: y f of the last steps, on single points
    end     weak, strong; residual, the mean of 1 - y f over the middle half of training; error, on fresh points without the
            strong feature, on whole samples
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.learners.features import (
    Moment,
    PatchNet,
    PatchNetConfig,
    fresh_error,
    initialise_patches,
    stack,
    train_patches,
)
from twopart.studies.features.benign_oscillation import Descent
from twopart.worlds.features import SignalNoise, Signed, StrongWeak

MOMENTS, LAST = 120, 64


def descend(case: Descent, cell: Cell) -> pl.DataFrame:
    """Train a point a step, and keep the account."""
    features = StrongWeak(1.0, case.weak, case.missing) if case.weak else Signed(1.0)
    size = {"dimension": case.dimension, "patches": case.patches, "noise": np.sqrt(case.noise / case.dimension)}
    worlds = [SignalNoise(features, seed=case.seed + i, **size) for i in range(case.networks.seeds)]
    x, y = (part.to(cell.device) for part in stack([world.sample(case.points) for world in worlds]))
    fs, every = np.empty((case.steps + 1, len(worlds))), max(1, case.steps // MOMENTS)
    course: list[dict[str, Tensor]] = []

    def watch(moment: Moment) -> None:
        labels = y if moment.rows is None else y[:, moment.rows]
        fs[moment.step] = (moment.outputs * labels)[:, 0].numpy(force=True)
        if moment.step % every == 0:
            course.append(known(moment.network(), worlds, y) | {"step": torch.full((len(worlds),), moment.step)})
            cell.progress(moment.step, 1.1 * case.steps)

    config = PatchNetConfig(case.networks.neurons, case.activation, initial=case.networks.initial)
    keys = [int(key >> 1) for key in _random.keys(cell.seed, len(worlds), "patch-net")]
    start = initialise_patches(config, case.dimension, keys, patches=case.patches, dtype=x.dtype, device=cell.device)
    network = train_patches(
        start, x, y, steps=case.steps, rate=case.rate, loss="square", batch=1, method="gram", seed=cell.seed, on_step=watch
    )  # fmt: skip
    rows = [long("course", {name: torch.stack([now[name] for now in course], 1) for name in course[0]})]
    found = known(network, worlds, y) | {"residual": torch.from_numpy(middle(1 - fs))}
    if case.points > 1:
        shifted = [world.without("strong") for world in worlds]
        found["error"] = fresh_error(network, shifted, case.networks.tests, seed=cell.seed)
    else:
        rows.append(long("orbit", {"output": fs[-LAST:].T}))
    cell.progress(case.steps, case.steps)
    return pl.concat([*rows, long("end", found)], how="diagonal")


def middle(values: np.ndarray) -> np.ndarray:
    """Mean over the middle half of the first axis, an even number of steps."""
    quarter = len(values) // 4
    return np.asarray(values[quarter : 3 * quarter].mean(0))


def known(network: PatchNet, worlds: Sequence[SignalNoise], labels: Tensor) -> dict[str, Tensor]:
    """What the side of each label answers to each feature alone, the mean over the labels of the sample, shapes (B,)."""
    names = ("weak", "strong")[-len(worlds[0].directions) :]
    directions = torch.from_numpy(np.stack([world.directions for world in worlds])).to(network.weights)
    sides = [network.sides((y * directions)[:, :, None])[..., j] for j, y in enumerate((1, -1))]  # (B, K)
    share = (labels > 0).double().mean(1, keepdim=True)
    amount = share * sides[0] + (1 - share) * sides[1]
    return {name: amount[:, k] for k, name in enumerate(names)}
