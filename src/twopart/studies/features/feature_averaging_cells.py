"""The networks of the feature-averaging study: a cell trains all replicates as one batch, looks at them, and attacks them.

B replicates, C outputs, m neurons per output, k clusters, n points, D dimensions. Rows are told apart by the column `axis`:
    time     coefficients along the training: time, own (mean), low and high (least and largest of a neuron, mean over
             neurons), other
    end      of the trained network: ratio, cosine, share, accuracy; of one trained on images the accuracy alone
    weights  of the first replicate: output, neuron (counted through all outputs), cluster, cosine of weights and centre
    radius   of a test point: attack, radius
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twopart import _random
from twopart.lab import Cell
from twopart.learners.features import Merge, TwoLayer, TwoLayerConfig, attacks, initialise, train_two_layer
from twopart.studies.features.feature_averaging import CERTIFIED, SUMMED, THEORY, Clusters, Pictures
from twopart.worlds.features import Images, OrthogonalClusters, Points

MOMENTS = 48  # along the training, at which coefficients are recorded
LEAK = 0.1
ROUNDS = 2 * 11  # PGD runs: a bisection of the network, one of its leaky copy


def train_on_clusters(case: Clusters, cell: Cell) -> pl.DataFrame:
    """Train, look, attack."""
    moments = set(np.geomspace(1, case.steps, MOMENTS).round().astype(int).tolist())
    centres = _stack([world.centres.astype(np.float32) for world in case.worlds], cell.device)
    rows: list[pl.DataFrame] = []

    def look(step: int, network: TwoLayer) -> None:
        if step in moments:
            rows.append(long("time", growth(case, network, centres), time=step * case.networks.step))

    train = [world.sample(case.training_points) for world in case.worlds]
    bench = Bench(case, cell, case.worlds, train, [w.sample(case.networks.points, stream=1) for w in case.worlds])
    network = bench.descend(look)
    end = {**directions(case, network, centres), "accuracy": bench.accuracy(network)}
    found = [long("end", end), weights(network, centres), *radius_rows(cluster_radii(bench, network, centres))]
    return pl.concat([*rows, *found], how="diagonal")


def train_on_images(case: Pictures, cell: Cell) -> pl.DataFrame:
    """Train, attack; each replicate groups the ten classes in a way of its own."""
    worlds = [case.world(replicate) for replicate in range(case.networks.seeds)]
    bench = Bench(case, cell, worlds, [world.train for world in worlds], [world.test for world in worlds])
    network = bench.descend()
    end = long("end", {"accuracy": bench.accuracy(network)})
    x, label, _ = (part[:, : case.networks.points].contiguous() for part in bench.batch(bench.test))
    return pl.concat([end, *radius_rows(bench.attack(network, x, label))], how="diagonal")


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
            self.cell.progress(step, self.effort)

        return train_two_layer(config, start, x, label if case.labels == "binary" else fine, on_step)

    @property
    def effort(self) -> float:
        """All that the cell does, in steps of gradient descent."""
        return self.case.steps + (ROUNDS * self._round if self.case.attacked else 0.0)

    @property
    def _round(self) -> float:
        """A run of PGD: 20 steps of two products, and passes over the points that take as long as 50 neurons, measured."""
        case = self.case
        return 20 * (1 + 50 / (case.outputs * case.networks.neurons)) * case.networks.points / len(self.train[0])

    def batch(self, samples: list[Points]) -> tuple[Tensor, Tensor, Tensor]:
        """Points (B, n, D), their classes (B, n), of two, and their groups (B, n)."""
        x, label, fine = ([getattr(s, part) for s in samples] for part in ("x", "label", "cluster"))
        return _stack(x, self.cell.device), _stack(label, self.cell.device), _stack(fine, self.cell.device)

    def merge(self, by: Literal["max", "sum"] = "max") -> Merge:
        """How outputs become two classes."""
        two = np.array([False, True])
        positive = np.stack([two if self.case.labels == "binary" else world.is_positive for world in self.worlds])
        return Merge(torch.from_numpy(positive)[:, None].to(self.cell.device), by)

    def accuracy(self, network: TwoLayer) -> Tensor:
        """Share of test points classified rightly into two classes, shape (B,)."""
        x, label, _ = self.batch(self.test)
        return (self.merge().of(network, label)(x) > 0).double().mean(1)

    def attack(self, network: TwoLayer, x: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Radii of FGSM, exact; of PGD, the better of the network itself and a copy whose ReLUs leak; and certified ones."""
        merge, upper, rounds = self.merge(), farthest(x), count(1)
        margin, leaky = merge.of(network, label), merge.of(network, label, LEAK)

        def pgd(margin: attacks.Margin, x: Tensor, radius: Tensor) -> Tensor:
            moved = attacks.projected_gradient(margin, x, radius)
            self.cell.progress(self.case.steps + next(rounds) * self._round, self.effort, "attacks")
            return moved

        tries = pgd, attacks.through_a_leak(pgd, leaky)
        return {
            "FGSM": attacks.radius_along(network, merge, x, label, -attacks.gradient(margin, x), upper),
            "PGD": torch.minimum(*(attacks.smallest_radius(attack, margin, x, upper) for attack in tries)),
            CERTIFIED: attacks.certified_radius(network, merge, x, label),
        }


def cluster_radii(bench: Bench, network: TwoLayer, centres: Tensor) -> dict[str, Tensor]:
    """Radii (B, n) along the perturbations that theory names, certified, and of attacks at the reference.

    Binary labels: Σ_opposite μ - Σ_own μ. Cluster labels: the least along μ_j - μ_own over the centres j of the opposite
    class; merged by sum, along Σ_opposite μ - μ_own, as every opposite cluster helps.
    """
    x, label, cluster = bench.batch(bench.test)
    positive = torch.from_numpy(bench.worlds[0].is_positive).to(centres)
    sums = torch.stack([1 - positive, positive]) @ centres  # of each class

    def along(direction: Tensor, by: Literal["max", "sum"] = "max") -> Tensor:
        return attacks.radius_along(network, bench.merge(by), x, label, direction, farthest(x))

    if bench.case.labels == "binary":
        found = {THEORY: along(_picked(sums, 1 - label) - _picked(sums, label))}
    else:
        own = _picked(centres, cluster)
        pairs = [along(centres[:, j : j + 1] - own).where(label != side, torch.inf) for j, side in enumerate(positive)]
        found = {THEORY: torch.stack(pairs).amin(0), SUMMED: along(_picked(sums, 1 - label) - own, "sum")}
    if bench.case.attacked:
        return found | bench.attack(network, x, label)
    return found | {CERTIFIED: attacks.certified_radius(network, bench.merge(), x, label)}


def farthest(x: Tensor) -> float:
    """2√D, twice the distance of a centre from the origin: beyond what any radius here should be."""
    return float(2 * x.shape[-1] ** 0.5)


def coefficients(case: Clusters, network: TwoLayer, centres: Tensor) -> tuple[Tensor, Tensor]:
    """<w, μ> along the clusters that an output stands for, (B, C, own clusters, m), and along all others."""
    along, own = (network.weights @ centres.mT[:, None]).mT, torch.from_numpy(case.own).to(centres.device)
    B, C, _, m = along.shape
    return along[:, own].view(B, C, -1, m), along[:, ~own].view(B, C, -1, m)


def growth(case: Clusters, network: TwoLayer, centres: Tensor) -> dict[str, Tensor]:
    """Means over neurons."""
    own, other = coefficients(case, network, centres)
    ends = {"low": own.amin(2).mean((1, 2)), "high": own.amax(2).mean((1, 2))}
    return {"own": own.mean((1, 2, 3)), "other": other.mean((1, 2, 3)), **ends}


def directions(case: Clusters, network: TwoLayer, centres: Tensor) -> dict[str, Tensor]:
    """Where the weights point, means over neurons.

    ratio: the largest over the least coefficient along its own clusters, nan where one is not positive; cosine: with the
    law's direction; share: the mean coefficient along other clusters over minus that along own ones.
    """
    own, other = coefficients(case, network, centres)
    low, high = own.amin(2), own.amax(2)
    mine = torch.from_numpy(case.own).to(centres)
    expected = (mine - case.share * (1 - mine)) @ centres
    return {
        "ratio": torch.where(low > 0, high / low, torch.nan).mean((1, 2)),
        "cosine": torch.cosine_similarity(network.weights, expected[:, :, None], dim=-1).mean((1, 2)),
        "share": -other.mean((1, 2, 3)) / own.mean((1, 2, 3)),
    }


def weights(network: TwoLayer, centres: Tensor) -> pl.DataFrame:
    """The cosines of the first replicate."""
    cosine = torch.cosine_similarity(network.weights[:1, :, :, None], centres[:1, None, None], dim=-1)
    output, neuron, cluster = (index.ravel() for index in np.indices(cosine.shape[1:]))
    number = output * cosine.shape[2] + neuron
    return long("weights", {"cosine": cosine}).with_columns(output=output, neuron=number, cluster=cluster)


def radius_rows(found: dict[str, Tensor]) -> list[pl.DataFrame]:
    return [long("radius", {"radius": radius}, attack=attack) for attack, radius in found.items()]


def long(axis: str, columns: dict[str, Tensor], **labels: str | float) -> pl.DataFrame:
    """A row for each number, from columns of shape (B, ...)."""
    values = {name: column.cpu().numpy().astype(float) for name, column in columns.items()}
    first = next(iter(values.values()))
    replicate = np.repeat(np.arange(len(first)), first[0].size)
    flat = {name: column.ravel() for name, column in values.items()}
    return pl.DataFrame({"replicate": replicate, "axis": axis, **labels, **flat})


def _picked(vectors: Tensor, which: Tensor) -> Tensor:
    """Of each replicate's vectors (B, ., D) those of the numbers `which` (B, n), shape (B, n, D)."""
    return vectors.gather(1, which[..., None].expand(-1, -1, vectors.shape[-1]))


def _stack(arrays: list[np.ndarray], device: str) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).to(device)
