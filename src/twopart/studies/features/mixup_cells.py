"""The networks of the study of Mixup: a cell trains all replicates as one batch, in inner products.

Axis "way", a row for each look, the first before training: part, how many of 15 parts of training are over; step; common, rare
and memory, the sums of squared inner products of a side's filters with its features, means over both classes, and with the
noise patches of its points, the mean over patches; logit, f of the common feature alone, mean over both classes; accuracy and
common_accuracy on fresh rare and common points.
Axis "start", a row for each replicate, with Mixup: identity, the largest deviation of the early matrix from the sum over pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.laws.features import MixedStep, early_matrix
from twopart.learners.features import (
    Mixup,
    PatchNet,
    PatchNetConfig,
    fresh_error,
    initialise_patches,
    memory,
    signal,
    stack,
    train_patches,
)
from twopart.learners.features.patch_reading import own_label
from twopart.studies.features.mixup import LOOKS, WHOLE, Train
from twopart.worlds.features import CommonRare, Patches, SignalNoise

BLOCK = 64  # coordinates of the early matrix that are compared


def train(case: Train, cell: Cell) -> pl.DataFrame:
    """Train on mixed points up to the stop, then on points as they are, and look at what is known on the way."""
    net, every = case.networks, case.networks.steps // WHOLE
    features, noise = CommonRare(rare=net.rare), float(np.sqrt(net.noise / net.dimension))
    seeds = range(case.seed, case.seed + net.seeds)
    worlds = [SignalNoise(features, net.dimension, noise, net.patches, slots=case.slots, seed=seed) for seed in seeds]
    samples = [world.sample(net.points) for world in worlds]
    x, y = (part.to(cell.device) for part in stack(samples))
    config = PatchNetConfig(net.neurons, case.activation, scale="sum", initial=net.initial)
    keys = [int(key >> 1) for key in _random.keys(case.seed, net.seeds, "patch-net")]
    now = initialise_patches(config, net.dimension, keys, dtype=x.dtype, device=cell.device)
    kinds = {"accuracy": "common", "common_accuracy": "rare"}
    tests = {column: [world.without(other) for world in worlds] for column, other in kinds.items()}
    rows = [look(now, worlds, samples) | accuracies(now, tests, net.tests)]
    parts = sorted({*(part for part in LOOKS if part <= case.length), min(case.stop, case.length)})
    for done, part in pairwise(parts):
        cell.progress(done, case.length)
        weights = (case.weight, case.label_weight) if done < case.stop else (1.0, None)
        step = None if weights == (1.0, None) else MixedStep(case.activation, "logistic", False, *weights)
        now = train_patches(now, x, y, steps=every * (part - done), rate=net.rate, method="gram", step=step)
        rows.append(look(now, worlds, samples) | accuracies(now, tests, net.tests))
    cell.progress(case.length, case.length)
    way = {name: torch.stack([row[name].cpu() for row in rows], 1) for name in rows[0]}
    when = np.tile(parts, (net.seeds, 1))
    found = [long("way", way | {"part": when, "step": every * when})]
    if case.weight < 1:
        worst = [deviation(case, *pair) for pair in zip(x[..., :BLOCK].cpu(), y.cpu(), strict=True)]
        found.append(long("start", {"identity": np.array(worst)}))
    return pl.concat(found, how="diagonal")


def look(now: PatchNet, worlds: Sequence[SignalNoise], samples: Sequence[Patches]) -> dict[str, Tensor]:
    """What networks know, shapes (B,)."""
    known = signal(now, worlds).square().sum(2)  # (B, side, direction): v_1, v_-1, u_1, u_-1
    noise, own = memory(now, samples).square().sum(2), own_label(samples)[:, :, 0].to(now.weights)
    common, rare = ((known[:, 0, k] + known[:, 1, k + 1]) / 2 for k in (0, 2))
    found = {"common": common, "rare": rare, "memory": (noise * own).sum((1, 2)) / own.sum((1, 2))}
    return found | {"logit": common - (known[:, 1, 0] + known[:, 0, 1]) / 2}


def accuracies(now: PatchNet, tests: dict[str, list[SignalNoise]], points: int) -> dict[str, Tensor]:
    """On so many fresh points of each kind of worlds, shapes (B,)."""
    return {column: 1 - fresh_error(now, worlds, points) for column, worlds in tests.items()}


def deviation(case: Train, x: Tensor, y: Tensor) -> float:
    """Of the law's matrix from the mean over all pairs, as the method mixes them: slopes at outputs 0 are half the labels."""
    law = early_matrix(x.numpy(), y.numpy(), case.weight, case.label_weight)
    mixed = Mixup(case.weight, case.label_weight, "all").batch(x, y)
    pairs = torch.einsum("ipd,i,ipe->de", mixed.x, mixed.y / 2, mixed.x) / len(mixed.x)
    return float((pairs - torch.from_numpy(law)).abs().max())
