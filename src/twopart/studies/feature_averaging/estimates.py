"""What the cells of the feature-averaging study would take, for a dry run: nothing is trained."""

from __future__ import annotations

from twopart.studies._study import Planned
from twopart.studies.feature_averaging.cells import ClusterCell
from twopart.studies.feature_averaging.images import ImageCell
from twopart.worlds.features.images import CLASSES

FLOPS_PER_SECOND = 40e9
"""Of the products of training and attacks, per core."""
SHAPES = {"digits": (1198, 64), "mnist": (60_000, 784), "cifar10": (50_000, 3072)}
"""Training points and dimension of the images."""
ATTACKED = 11 * (1 + 2 * 20) + 80
"""Evaluations of the margin and its gradient at each attacked point: a bisection of FGSM and two of PGD."""


def training_flops(cell: ClusterCell | ImageCell) -> float:
    """Two products a step, of two operations each."""
    if isinstance(cell, ClusterCell):
        n, dimension, outputs = cell.samples * cell.world.clusters, cell.world.dimension, cell.outputs
    else:
        (n, dimension), outputs = SHAPES[cell.dataset], 2 if cell.supervision == "binary" else CLASSES
    width = outputs * cell.neurons * dimension * cell.replicates
    attacks = ATTACKED * cell.points if isinstance(cell, ImageCell) or cell.attacked else cell.points * outputs
    return 4.0 * width * (cell.time / cell.step * n + attacks)


def estimate(what: str, cells: list[ClusterCell] | list[ImageCell]) -> Planned:
    """The cells of one kind, each at their mean."""
    flops = sum(map(training_flops, cells)) / len(cells)
    memory = max(map(_memory, cells))
    return Planned(what, len(cells), flops / FLOPS_PER_SECOND + 1.0, memory, flops)


def _memory(cell: ClusterCell | ImageCell) -> float:
    """Bytes: training points, and four numbers for each point and neuron."""
    if isinstance(cell, ClusterCell):
        n, dimension, outputs = cell.samples * cell.world.clusters, cell.world.dimension, cell.outputs
    else:
        (n, dimension), outputs = SHAPES[cell.dataset], 2 if cell.supervision == "binary" else CLASSES
    return 4.0 * cell.replicates * n * (2 * dimension + 4 * outputs * cell.neurons) + 2e8
