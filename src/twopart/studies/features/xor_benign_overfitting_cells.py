"""The networks of the study of benign overfitting on XOR data: a cell trains all replicates as one batch, in inner products.

One row for each replicate: error on fresh points by their clean labels; train_error and loss on the training labels; flips,
the share of these that were flipped; active, the share of neurons that a training point's noise activates on its side; signal,
γ, the mean of |<w, u>| over neurons of F_+ and |<w, v>| over those of F_-; memory, ρ, the mean positive pre-activation of
neurons at the noise of unflipped points of their label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn.functional import softplus

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.learners.features import (
    Moment,
    PatchNet,
    PatchNetConfig,
    active_share,
    fresh_error,
    initialise_patches,
    memory,
    signal,
    stack,
    train_patches,
)
from twopart.learners.features.patch_reading import own_label
from twopart.studies.features.xor_benign_overfitting import Overfit
from twopart.worlds.features import Patches, SignalNoise, Xor


def overfit(case: Overfit, cell: Cell) -> pl.DataFrame:
    """Train to the end, and see what was learned."""
    features, seeds = Xor(case.norm, case.cosine), range(case.networks.seeds)
    worlds = [SignalNoise(features, case.dimension, flips=case.flips, seed=case.seed + i) for i in seeds]
    samples = [world.sample(case.points) for world in worlds]
    x, y = (part.to(cell.device) for part in stack(samples))
    total = 1.1 * case.steps

    def watch(moment: Moment) -> None:
        if moment.step % 50 == 0:
            cell.progress(moment.step, total)

    config = PatchNetConfig(case.networks.neurons, initial=case.networks.initial)
    keys = [int(key >> 1) for key in _random.keys(cell.seed, len(seeds), "patch-net")]
    start = initialise_patches(config, case.dimension, keys, dtype=x.dtype, device=cell.device)
    rate = case.networks.step * case.points * case.networks.neurons / case.dimension
    network = train_patches(start, x, y, steps=case.steps, rate=rate, method="gram", on_step=watch)
    found = read(network, worlds, samples) | on_training(network(x) * y)
    found["error"] = fresh_error(network, worlds, case.networks.tests, seed=cell.seed)
    cell.progress(total, total)
    return long("end", found)


def on_training(margins: Tensor) -> dict[str, Tensor]:
    """Of margins y f (B, n)."""
    return {"train_error": (margins <= 0).double().mean(1), "loss": softplus(-margins).mean(1)}


def read(network: PatchNet, worlds: Sequence[SignalNoise], samples: Sequence[Patches]) -> dict[str, Tensor]:
    """What neurons know, shapes (B,)."""
    kept = torch.from_numpy(np.stack([sample.label == sample.clean for sample in samples])).to(network.weights.device)
    known, along = memory(network, samples), signal(network, worlds).abs()
    counted = (known > 0) & own_label(samples).to(known.device) & kept[:, None, None]
    return {
        "flips": 1 - kept.double().mean(1),
        "active": active_share(network, samples),
        "signal": (along[:, 0, :, 0].mean(1) + along[:, 1, :, 1].mean(1)) / 2,
        "memory": (known * counted).sum((1, 2, 3)) / counted.sum((1, 2, 3)),
    }
