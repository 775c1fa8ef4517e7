"""The feature-averaging study: cells out, evidence in, findings back."""

from __future__ import annotations

import numpy as np

from twopart import _random
from twopart.findings import Findings
from twopart.lab import Lab
from twopart.studies._study import Planned
from twopart.studies.feature_averaging import claims
from twopart.studies.feature_averaging.cells import ClusterCell, Supervision, train_on_clusters
from twopart.studies.feature_averaging.charts import figures
from twopart.studies.feature_averaging.config import Config
from twopart.studies.feature_averaging.estimates import estimate, training_flops
from twopart.studies.feature_averaging.evidence import Evidence, Measured, Trained
from twopart.studies.feature_averaging.images import ImageCell, train_on_images
from twopart.studies.feature_averaging.tables import tables
from twopart.worlds.features import OrthogonalClusters
from twopart.worlds.features.images import require

SUPERVISIONS: tuple[Supervision, ...] = ("binary", "cluster")


def run(config: Config, lab: Lab) -> Findings:
    """Train, attack, compare."""
    if config.images != "none":
        require(config.images, config.folder)
    cells, pictures = _cluster_cells(config, lab.seed), _image_cells(config, lab.seed)
    tables = lab.map(train_on_clusters, cells, label="clusters", cost=training_flops)
    seen = lab.map(train_on_images, pictures, label="images", cost=training_flops) if pictures else []
    trained = tuple(Trained(table, cell) for cell, table in zip(cells, tables, strict=True))
    images = {cell.supervision: Measured(table) for cell, table in zip(pictures, seen, strict=True)}
    return _findings(Evidence(trained, images, config.images))


def plan(config: Config) -> list[Planned]:
    """The cells of a run, with estimates."""
    cells, pictures = _cluster_cells(config, seed=0), _image_cells(config, seed=0)
    planned = [
        estimate(f"clusters, {kind} labels", [c for c in cells if c.supervision == kind]) for kind in SUPERVISIONS
    ]
    return planned + ([estimate(config.images, pictures)] if pictures else [])


def _cluster_cells(config: Config, seed: int) -> list[ClusterCell]:
    return [
        ClusterCell(
            label=f"k = {k}, D = {dimension}, {kind} labels",
            world=OrthogonalClusters(k, dimension, seed=_world_seed(seed, k, dimension)),
            supervision=kind,
            samples=config.samples,
            neurons=config.neurons,
            time=config.time,
            step=config.step,
            initial=config.initial,
            replicates=config.seeds,
            points=config.points,
            attacked=(k, dimension) == config.sizes()[0],
        )
        for kind in SUPERVISIONS
        for k, dimension in config.sizes()
    ]


def _image_cells(config: Config, seed: int) -> list[ImageCell]:
    if config.images == "none":
        return []
    return [
        ImageCell(
            label=f"{config.images}, {kind} labels",
            dataset=config.images,
            folder=config.folder,
            supervision=kind,
            neurons=config.neurons,
            time=config.image_time,
            step=config.step,
            initial=config.initial,
            replicates=config.seeds,
            points=config.points,
            seed=_random_seed(seed, "images"),
        )
        for kind in SUPERVISIONS
    ]


def _world_seed(seed: int, k: int, dimension: int) -> int:
    """Alike for both kinds of labels, which are so compared on the same points."""
    return _random_seed(seed, "clusters", k, dimension)


def _random_seed(seed: int, *purpose: str | int) -> int:
    """32 bits, so that seeds counted up from here do not meet."""
    return int(_random.keys(seed, 1, "feature-averaging", *purpose)[0] >> 32)


def _findings(evidence: Evidence) -> Findings:
    found = tables(evidence)
    return Findings(
        title="Feature averaging",
        summary=_summary(evidence),
        claims=tuple(claims.all_claims(evidence)),
        tables=found,
        charts=tuple(figures({table.name: table.frame for table in found})),
    )


def _summary(evidence: Evidence) -> str:
    binary, cluster = evidence.reference("binary"), evidence.reference("cluster")
    gained = float(np.mean(cluster.median("theory") / binary.median("theory")))
    return (
        "Two-layer ReLU networks are trained by gradient descent on points around orthogonal centres, each cluster in one "
        "of two classes. Theory says that each neuron learns the average of its class's centres, and that such a network, "
        "though right on nearly all points, is broken by a perturbation √(k/2) times smaller than need be; the same "
        "network taught which cluster a point is from does not average. Predictions are for finite k and D, noise "
        "included; none has a fitted constant.\n\n"
        f"At k = {binary.world.clusters} clusters in D = {binary.world.dimension} dimensions, "
        f"{binary.cell.replicates} replicates, cluster labels raise the radius {gained:.2f} times."
    )
