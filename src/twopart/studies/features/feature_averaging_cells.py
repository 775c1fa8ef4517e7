"""The networks of the feature-averaging study: a cell trains all replicates as one batch, looks at them, and attacks them.

B replicates, C outputs, m neurons per output, k clusters, n points, D dimensions. Rows are told apart by the column `axis`:
    time     coefficients along the training: time, own (mean), low and high (least and largest of a neuron, mean over
             neurons), other
    end      of the trained network: ratio, cosine, share, accuracy; of one trained on images the accuracy alone
    weights  of the first replicate: output, neuron (counted through all outputs), cluster, cosine of weights and centre
    radius   of a test point: attack, radius
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart import _random
from twopart.evidence import long
from twopart.lab import Cell
from twopart.learners.features import TwoLayer, TwoLayerConfig, attacks, coefficients, initialise, train_two_layer
from twopart.studies.features.feature_averaging import CERTIFIED, SUMMED, THEORY, Clusters, Pictures
from twopart.worlds.features import Images, OrthogonalClusters, Points

MOMENTS = 48  # along the training, at which coefficients are recorded


def train_on_clusters(case: Clusters, cell: Cell) -> pl.DataFrame:
    """Train, look, attack."""
    moments = set(np.geomspace(1, case.steps, MOMENTS).round().astype(int).tolist())
    centres, own, rows = centres_of(case, cell), torch.from_numpy(case.own).to(cell.device), []

    def look(step: int, network: TwoLayer) -> None:
        if step in moments:
            found = coefficients(network, centres, own).means()
            rows.append(long("time", found, time=step * case.networks.step))

    train = [world.sample(case.training_points) for world in case.worlds]
    bench = Bench(case, cell, case.worlds, train, [w.sample(case.networks.points, stream=1) for w in case.worlds])
    network = bench.descend(look)
    return pl.concat([*rows, *examined(bench, network, case)], how="diagonal")


def train_on_images(case: Pictures, cell: Cell) -> pl.DataFrame:
    """Train, attack; each replicate groups the ten classes in a way of its own."""
    worlds = [case.world(replicate) for replicate in range(case.networks.seeds)]
    bench = Bench(case, cell, worlds, [world.train for world in worlds], [world.test for world in worlds])
    network = bench.descend()
    x, label, _ = (part[:, : case.networks.points].contiguous() for part in bench.batch(bench.test))
    rows = [long("radius", {"radius": r}, attack=a) for a, r in bench.attack(network, x, label).items()]
    return pl.concat([long("end", {"accuracy": bench.accuracy(network)}), *rows], how="diagonal")


@dataclass(frozen=True, eq=False)
class Bench:
    """Where the networks of a cell are trained and attacked, each replicate on points of its own world."""

    case: Clusters | Pictures
    cell: Cell
    worlds: Sequence[OrthogonalClusters] | Sequence[Images]
    train: list[Points]
    test: list[Points]

    def descend(self, look: Callable[[int, TwoLayer], None] = lambda step, network: None) -> TwoLayer:
        """The networks trained; one step raises a coefficient by up to `step`, whatever k, D and m are."""
        case, (x, label, fine) = self.case, self.batch(self.train)
        rate = case.networks.step * case.networks.neurons * case.groups / x.shape[-1]
        config = TwoLayerConfig(case.outputs, case.networks.neurons, case.steps, rate, case.networks.initial)
        seeds = [int(key >> 1) for key in _random.keys(self.cell.seed, len(x), "two-layer")]
        start = initialise(config, x.shape[-1], seeds, self.cell.device)

        def on_step(step: int, network: TwoLayer) -> None:
            look(step, network)
            self.cell.progress(step, case.steps + self.effort)

        return train_two_layer(config, start, x, label if case.labels == "binary" else fine, on_step)

    @property
    def effort(self) -> float:
        """What PGD takes, in steps of gradient descent: 22 runs of 20 steps.

        Each takes two products, and passes over the points as dear as 50 neurons, measured.
        """
        if not self.case.attacked:
            return 0.0
        neurons = self.case.outputs * self.case.networks.neurons
        return 22 * 20 * (1 + 50 / neurons) * self.case.networks.points / len(self.train[0])

    def batch(self, samples: list[Points]) -> tuple[Tensor, ...]:
        """Points (B, n, D), their classes (B, n), of two, and their groups (B, n)."""
        parts = ([getattr(s, part) for s in samples] for part in ("x", "label", "cluster"))
        return tuple(torch.from_numpy(np.stack(part)).to(self.cell.device) for part in parts)

    def merge(self, by: Literal["max", "sum"] = "max") -> attacks.Merge:
        """How outputs become two classes."""
        two = np.array([False, True])
        positive = np.stack([two if self.case.labels == "binary" else world.is_positive for world in self.worlds])
        return attacks.Merge(torch.from_numpy(positive)[:, None].to(self.cell.device), by)

    def accuracy(self, network: TwoLayer) -> Tensor:
        """Share of test points classified rightly into two classes, shape (B,)."""
        x, label, _ = self.batch(self.test)
        return (self.merge().of(network, label)(x) > 0).double().mean(1)

    def attack(self, network: TwoLayer, x: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Radii under FGSM and PGD, and certified ones."""

        def report(share: float) -> None:
            self.cell.progress(self.case.steps + share * self.effort, self.case.steps + self.effort, "attacks")

        return attacks.radii_by_attack(network, self.merge(), x, label, farthest(x), on_progress=report)


def farthest(x: Tensor) -> float:
    """2√D, twice the distance of a centre from the origin: beyond what any radius here should be."""
    return float(2 * x.shape[-1] ** 0.5)


def centres_of(case: Clusters, cell: Cell) -> Tensor:
    """Shape (B, k, D)."""
    return torch.from_numpy(np.stack([world.centres.astype(np.float32) for world in case.worlds])).to(cell.device)


def examined(bench: Bench, network: TwoLayer, case: Clusters) -> Iterator[pl.DataFrame]:
    """Where the neurons of trained networks point, the cosines of the first replicate, and the radii of all test points."""
    centres = centres_of(case, bench.cell)
    own = torch.from_numpy(case.own).to(centres.device)
    learned, lawful = coefficients(network, centres, own), torch.where(own, 1.0, -case.share) @ centres
    cosine = torch.cosine_similarity(network.weights, lawful[:, :, None], dim=-1).mean((1, 2))
    end = {"ratio": learned.ratio(), "cosine": cosine, "share": learned.share(), "accuracy": bench.accuracy(network)}
    yield long("end", end)
    first = torch.cosine_similarity(network.weights[:1, :, :, None], centres[:1, None, None], dim=-1)
    output, neuron, cluster = (index.ravel() for index in np.indices(first.shape[1:]))
    number = output * first.shape[2] + neuron
    yield long("weights", {"cosine": first}).with_columns(output=output, neuron=number, cluster=cluster)
    for attack, radius in cluster_radii(bench, network, centres).items():
        yield long("radius", {"radius": radius}, attack=attack)


def cluster_radii(bench: Bench, network: TwoLayer, centres: Tensor) -> dict[str, Tensor]:
    """Radii (B, n) along the perturbations that theory names, certified, and of attacks at the reference.

    Binary labels: Σ_opposite μ - Σ_own μ. Cluster labels: the least along μ_j - μ_own over the centres j of the opposite
    class; merged by sum, along Σ_opposite μ - μ_own, as every opposite cluster helps.
    """
    x, label, cluster = bench.batch(bench.test)
    positive, each = torch.from_numpy(bench.worlds[0].is_positive).to(centres), torch.arange(len(x))[:, None]
    sums = torch.stack([1 - positive, positive]) @ centres  # of each class

    def along(direction: Tensor, by: Literal["max", "sum"] = "max") -> Tensor:
        return attacks.radius_along(network, bench.merge(by), x, label, direction, farthest(x))

    if bench.case.labels == "binary":
        found = {THEORY: along(sums[each, 1 - label] - sums[each, label])}
    else:
        own = centres[each, cluster]
        pairs = [along(centres[:, j : j + 1] - own).where(label != side, torch.inf) for j, side in enumerate(positive)]
        found = {THEORY: torch.stack(pairs).amin(0), SUMMED: along(sums[each, 1 - label] - own, "sum")}
    if bench.case.attacked:
        return found | bench.attack(network, x, label)
    return found | {CERTIFIED: attacks.certified_radius(network, bench.merge(), x, label)}
