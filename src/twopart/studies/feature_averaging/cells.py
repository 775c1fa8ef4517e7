"""The pieces of work on clusters: each trains a batch of networks, one for each replicate, and returns one long table.

Its rows are of four kinds, told apart by the column `axis`:
    time     coefficients along the training: time, own (mean), low and high (least and largest of a neuron, mean over
             neurons), other
    end      of the trained network: ratio, cosine, share, accuracy (see `_end`)
    weights  of the first replicate: output, neuron, cluster, cosine between weights and centre
    radius   of a test point: merge, attack, radius
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from twopart import _random
from twopart.laws.features import feature_averaging as law
from twopart.worlds.features import OrthogonalClusters, Points

if TYPE_CHECKING:
    from torch import Tensor

    from twopart.lab import Cell
    from twopart.learners.features import Merge, TwoLayer, TwoLayerConfig

Supervision = Literal["binary", "cluster"]
MOMENTS = 48  # along the training, at which coefficients are recorded
LEAK = 0.1


@dataclass(frozen=True)
class ClusterCell:
    """Networks trained on samples of orthogonal-cluster worlds, alike but for their seeds."""

    label: str
    world: OrthogonalClusters
    """The world of the first replicate; the others count its seed up."""
    supervision: Supervision
    """binary: two outputs learn the classes; cluster: k outputs learn the clusters, and are merged to classes."""
    samples: int
    neurons: int
    time: float
    step: float
    initial: float
    replicates: int
    points: int
    attacked: bool
    """Whether FGSM and PGD are run beside the theory's perturbation."""

    @property
    def outputs(self) -> int:
        return 2 if self.supervision == "binary" else self.world.clusters

    def training(self) -> TwoLayerConfig:
        """One step raises a coefficient by up to `step`, whatever k, D and m are: time is that of the law."""
        from twopart.learners.features import TwoLayerConfig

        rate = self.step * self.neurons * self.world.clusters / self.world.dimension
        return TwoLayerConfig(self.outputs, self.neurons, round(self.time / self.step), rate, self.initial)


def train_on_clusters(config: ClusterCell, cell: Cell) -> pl.DataFrame:
    """Train, look, attack."""
    from twopart.learners.features import initialise, train_two_layer

    worlds = [replace(config.world, seed=config.world.seed + i) for i in range(config.replicates)]
    centres = _stack([world.centres.astype(np.float32) for world in worlds], cell.device)
    train = [world.sample(config.samples * world.clusters) for world in worlds]
    x, labels = batch(train, "label" if config.supervision == "binary" else "cluster", cell.device)
    settings = config.training()
    record = _Record(config, centres, settings.steps, cell)
    seeds = network_seeds(cell, config.replicates)
    network = train_two_layer(
        settings, initialise(settings, config.world.dimension, seeds, cell.device), x, labels, record
    )
    test = [world.sample(config.points, stream=1) for world in worlds]
    frames = [
        *record.rows,
        _end(config, network, centres, test),
        _weights(network, centres),
        *_radii(config, network, centres, test, cell),
    ]
    return pl.concat(frames, how="diagonal")


def network_seeds(cell: Cell, count: int) -> list[int]:
    """Seeds of the initial weights, one for each replicate."""
    return [int(key >> 1) for key in _random.keys(cell.seed, count, "two-layer")]


def batch(samples: list[Points], label: str, device: str) -> tuple[Tensor, Tensor]:
    """Points (B, n, D) and one of their labels (B, n) as tensors."""
    labels = [getattr(sample, label) for sample in samples]
    return _stack([sample.x for sample in samples], device), _stack(labels, device)


def _stack(arrays: list[np.ndarray], device: str) -> Tensor:
    import torch

    return torch.from_numpy(np.stack(arrays)).to(device)


class _Record:
    """Coefficients at moments spaced evenly in the logarithm of time."""

    def __init__(self, config: ClusterCell, centres: Tensor, steps: int, cell: Cell) -> None:
        self.rows: list[pl.DataFrame] = []
        self._config, self._centres, self._cell, self._steps = config, centres, cell, steps
        self._moments = set(np.unique(np.geomspace(1, steps, MOMENTS).round().astype(int)).tolist())

    def __call__(self, step: int, network: TwoLayer) -> None:
        if step not in self._moments:
            return
        own, other = own_and_other(self._config, coefficients(network, self._centres))
        means = {"own": own.mean((1, 2, 3)), "other": other.mean((1, 2, 3))}
        range_of_neuron = {"low": own.amin(3).mean((1, 2)), "high": own.amax(3).mean((1, 2))}
        frame = per_replicate("time", {**means, **range_of_neuron})
        self.rows.append(frame.with_columns(time=pl.lit(step * self._config.step)))
        self._cell.progress(step, self._steps, f"coefficients {float(own.mean()):.2f}")


def per_replicate(axis: str, columns: dict[str, Tensor]) -> pl.DataFrame:
    """One row per replicate, from columns of shape (B,)."""
    values = {name: column.cpu().numpy().astype(float) for name, column in columns.items()}
    frame = pl.DataFrame(values).with_row_index("replicate")
    return frame.select(pl.lit(axis).alias("axis"), pl.col("replicate").cast(pl.Int64), *values)


def coefficients(network: TwoLayer, centres: Tensor) -> Tensor:
    """<w, μ_j> of every neuron and cluster, shape (B, C, m, k)."""
    return network.weights @ centres.mT[:, None]


def own_and_other(config: ClusterCell, values: Tensor) -> tuple[Tensor, Tensor]:
    """Those along the clusters that an output stands for, (B, C, m, own clusters), and along all others."""
    import torch

    parts = list(zip(values.unbind(1), torch.from_numpy(membership(config)).to(values.device), strict=True))
    own = torch.stack([part[..., mine] for part, mine in parts], 1)
    return own, torch.stack([part[..., ~mine] for part, mine in parts], 1)


def membership(config: ClusterCell) -> np.ndarray:
    """Which clusters an output stands for, shape (C, k)."""
    positive = config.world.is_positive
    return np.stack([~positive, positive]) if config.supervision == "binary" else np.eye(len(positive), dtype=bool)


def _end(config: ClusterCell, network: TwoLayer, centres: Tensor, test: list[Points]) -> pl.DataFrame:
    """Of each replicate, means over neurons and the accuracy on noisy test points.

    ratio: the largest over the least coefficient along its own clusters, nan where one is not positive; cosine: with the
    law's direction; share: the mean coefficient along other clusters over minus that along own ones.
    """
    import torch

    own, other = own_and_other(config, coefficients(network, centres))
    low, high = own.amin(3), own.amax(3)
    ratio = torch.where(low > 0, high / low, torch.nan).mean((1, 2))
    mine = torch.from_numpy(membership(config)).to(centres)
    signs = mine - law.share(config.world, config.outputs) * (1 - mine)
    cosine = torch.cosine_similarity(network.weights, (signs @ centres)[:, :, None], dim=-1).mean((1, 2))
    share = -other.mean((1, 2, 3)) / own.mean((1, 2, 3))
    x, label = batch(test, "label", str(centres.device))
    right = merge(config, centres).of(network, label)(x) > 0
    columns = {"ratio": ratio, "cosine": cosine, "share": share, "accuracy": right.double().mean(1)}
    return per_replicate("end", columns)


def _weights(network: TwoLayer, centres: Tensor) -> pl.DataFrame:
    """The cosines of the first replicate."""
    import torch

    cosine = torch.cosine_similarity(network.weights[0, :, :, None], centres[0], dim=-1).cpu().numpy()
    output, neuron, cluster = (index.ravel() for index in np.indices(cosine.shape))
    columns = {"output": output, "neuron": neuron, "cluster": cluster, "cosine": cosine.ravel().astype(float)}
    return pl.DataFrame({"axis": ["weights"] * cosine.size, "replicate": [0] * cosine.size, **columns})


def merge(config: ClusterCell, centres: Tensor, by: Literal["max", "sum"] = "max") -> Merge:
    """How outputs become two classes."""
    import torch

    from twopart.learners.features import Merge

    positive = np.array([False, True]) if config.supervision == "binary" else config.world.is_positive
    return Merge(torch.from_numpy(positive).to(centres.device), by)


def _radii(
    config: ClusterCell, network: TwoLayer, centres: Tensor, test: list[Points], cell: Cell
) -> list[pl.DataFrame]:
    from twopart.learners.features import certified_radius

    x, label = batch(test, "label", cell.device)
    largest = merge(config, centres)
    found = {("max", "certificate"): certified_radius(network, largest, x, label)}
    if config.supervision == "binary":
        found["max", "theory"] = along_classes(network, largest, x, label, centres, config.world)
    else:
        cluster = batch(test, "cluster", cell.device)[1]
        found["max", "theory"] = along_pairs(network, largest, x, label, centres, cluster, config.world)
        summed = merge(config, centres, "sum")
        found["sum", "theory"] = along_class(network, summed, x, label, centres, cluster, config.world)
    if config.attacked:
        found |= {("max", name): radius for name, radius in attack(network, largest, x, label).items()}
    return [radius_rows(by, name, radius) for (by, name), radius in found.items()]


def radius_rows(by: str, name: str, radius: Tensor) -> pl.DataFrame:
    """One row per point, radii of shape (B, n)."""
    B, n = radius.shape
    columns = {"replicate": np.repeat(np.arange(B), n), "radius": radius.cpu().numpy().ravel().astype(float)}
    return pl.DataFrame({"axis": ["radius"] * B * n, "merge": [by] * B * n, "attack": [name] * B * n, **columns})


def attack(network: TwoLayer, merge: Merge, x: Tensor, label: Tensor) -> dict[str, Tensor]:
    """Radii of FGSM, exact, and PGD, the better of the network itself and a copy whose ReLUs leak."""
    import torch

    from twopart.learners.features import gradient, projected_gradient, radius_along, smallest_radius, through_a_leak

    margin, upper = merge.of(network, label), farthest(x)
    leaky = through_a_leak(projected_gradient, merge.of(network, label, LEAK))
    pgd = torch.minimum(smallest_radius(projected_gradient, margin, x, upper), smallest_radius(leaky, margin, x, upper))
    return {"FGSM": radius_along(network, merge, x, label, -gradient(margin, x), upper), "PGD": pgd}


def farthest(x: Tensor) -> float:
    """2√D, twice the distance of a centre from the origin: beyond what any radius here should be."""
    return float(2 * x.shape[-1] ** 0.5)


def along_classes(
    network: TwoLayer, merge: Merge, x: Tensor, label: Tensor, centres: Tensor, world: OrthogonalClusters
) -> Tensor:
    """Radii along -(Σ_own μ - Σ_opposite μ), the perturbation that theory names."""
    import torch

    from twopart.learners.features import radius_along

    signs = torch.from_numpy(np.where(world.is_positive, 1.0, -1.0)).to(centres)
    towards = (signs @ centres)[:, None] * (1 - 2 * label)[..., None]
    return radius_along(network, merge, x, label, towards, farthest(x))


def along_pairs(
    network: TwoLayer,
    merge: Merge,
    x: Tensor,
    label: Tensor,
    centres: Tensor,
    cluster: Tensor,
    world: OrthogonalClusters,
) -> Tensor:
    """Least radii along μ_j - μ_own, over the centres j of the opposite class."""
    import torch

    from twopart.learners.features import radius_along

    own = centres.gather(1, cluster[..., None].expand(-1, -1, centres.shape[-1]))
    least = torch.full(x.shape[:2], torch.inf, device=x.device)
    for j, positive in enumerate(world.is_positive.tolist()):
        radius = radius_along(network, merge, x, label, centres[:, j : j + 1] - own, farthest(x))
        least = torch.where(label.bool() != positive, torch.minimum(least, radius), least)
    return least


def along_class(
    network: TwoLayer,
    merge: Merge,
    x: Tensor,
    label: Tensor,
    centres: Tensor,
    cluster: Tensor,
    world: OrthogonalClusters,
) -> Tensor:
    """Radii along Σ_opposite μ - μ_own: against outputs that are summed, every opposite cluster helps."""
    import torch

    from twopart.learners.features import radius_along

    own = centres.gather(1, cluster[..., None].expand(-1, -1, centres.shape[-1]))
    positive = torch.from_numpy(world.is_positive).to(centres)
    sums = torch.stack([positive @ centres, (1 - positive) @ centres], 1)  # opposite to label 0, opposite to label 1
    opposite = sums.gather(1, label[..., None].expand(-1, -1, centres.shape[-1]))
    return radius_along(network, merge, x, label, opposite - own, farthest(x))
