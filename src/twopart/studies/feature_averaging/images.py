"""The piece of work on real images: networks trained on groupings of ten classes into two, and attacked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from twopart import _random
from twopart.studies.feature_averaging.cells import (
    Supervision,
    attack,
    batch,
    network_seeds,
    per_replicate,
    radius_rows,
)
from twopart.worlds.features.images import CLASSES, Images

if TYPE_CHECKING:
    from twopart.lab import Cell


@dataclass(frozen=True)
class ImageCell:
    """Networks trained on images; each replicate groups the classes in a way of its own."""

    label: str
    dataset: str
    folder: str
    supervision: Supervision
    neurons: int
    time: float
    step: float
    initial: float
    replicates: int
    points: int
    seed: int
    """Of the division and the groupings."""

    def world(self, replicate: int) -> Images:
        """The classes in a random order, the last half of them positive."""
        order = _random.generator(self.seed, "grouping", replicate).permutation(CLASSES)
        return Images(self.dataset, tuple(sorted(order[CLASSES // 2 :].tolist())), self.folder, self.seed)


def train_on_images(config: ImageCell, cell: Cell) -> pl.DataFrame:
    """Rows of the kinds "end", with the accuracy alone, and "radius" of cells.py."""
    import torch

    from twopart.learners.features import Merge, TwoLayerConfig, certified_radius, initialise, train_two_layer

    worlds = [config.world(i) for i in range(config.replicates)]
    binary = config.supervision == "binary"
    x, labels = batch([world.train for world in worlds], "label" if binary else "cluster", cell.device)
    rate = config.step * config.neurons * CLASSES / x.shape[-1]
    settings = TwoLayerConfig(
        2 if binary else CLASSES, config.neurons, round(config.time / config.step), rate, config.initial
    )
    first = initialise(settings, x.shape[-1], network_seeds(cell, config.replicates), cell.device)
    network = train_two_layer(settings, first, x, labels, lambda step, _: cell.progress(step, settings.steps))
    members = [np.array([False, True]) if binary else world.is_positive for world in worlds]
    merge = Merge(torch.from_numpy(np.stack(members))[:, None].to(cell.device))
    x, label = batch([world.test for world in worlds], "label", cell.device)
    right = merge.of(network, label)(x) > 0
    x, label = x[:, : config.points].contiguous(), label[:, : config.points]
    radii = {"certificate": certified_radius(network, merge, x, label), **attack(network, merge, x, label)}
    end = per_replicate("end", {"accuracy": right.double().mean(1)})
    return pl.concat([end, *(radius_rows("max", name, radius) for name, radius in radii.items())], how="diagonal")
