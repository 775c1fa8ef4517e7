"""The tables of the feature-averaging study: what was measured beside what the law says, with captions that say so."""

from __future__ import annotations

import numpy as np
import polars as pl

from twopart.findings import Table
from twopart.laws.features import feature_averaging as law
from twopart.studies.feature_averaging.evidence import Evidence, Floats, Trained

LABELS = {"binary": "binary labels", "cluster": "cluster labels"}
SUMMED = "cluster labels, summed"
ATTACKS = {
    ("max", "theory"): "theory's perturbation",
    ("max", "FGSM"): "FGSM",
    ("max", "PGD"): "PGD",
    ("max", "certificate"): "certified",
    ("sum", "theory"): "merged by sum",
}
GRID = 61  # radii at which accuracy is tabulated

ROBUST = (
    "Share of test points still classified rightly when each may be moved by a Euclidean radius. Law: of the averaged "
    "network, Φ(√(D/k) - ε), and of the nearest centre. No classifier at all lies above the dashed line. Certified: no "
    "perturbation whatever does more. Bands: lowest and highest replicate. Merged by sum: outputs of a class added up, "
    "along the opposite centres less the own one."
)
RADII = (
    "Median over test points of the radius along the theory's perturbation: against binary labels the difference of the "
    "classes' centres, against cluster labels the nearest opposite centre. Mean, least and greatest replicate. Lines: the "
    "law, √(D/k) of the averaged network, near √(D/2) of the nearest centre, near √(D/(1+k/2)) of outputs summed."
)
GROWTH = (
    "Coefficients <w, μ> of neurons along centres over training time τ. Own: the centres that a neuron's output stands "
    "for; band: its least and largest, mean over neurons. Others: all other centres. The law of the others is minus the "
    "share s times the law of the own."
)
COSINES = (
    "Cosine between each neuron's weights and each centre, in one replicate. Binary labels: every neuron points along all "
    "centres of its class, with cosine near √(2/k). Cluster labels: along one centre."
)
IMAGES = (
    "Share of test images still classified rightly into two classes, under the best of FGSM and PGD, by Euclidean radius; "
    "pixels are scaled so that ‖x‖² is D on average. Every replicate groups the ten classes in another way. Bands: lowest "
    "and highest replicate."
)


def tables(evidence: Evidence) -> tuple[Table, ...]:
    """Accuracy by radius, radii by size, coefficients over time, cosines, and accuracy on images if there are any."""
    both = [evidence.reference("binary"), evidence.reference("cluster")]
    found = [
        Table("robust-accuracy", "Accuracy by radius", pl.concat(map(_robust, both)), ROBUST),
        Table("radii", "Radius by clusters and dimension", pl.concat(map(_radius, evidence.clusters)), RADII),
        Table("coefficients", "Coefficients over time", pl.concat(map(_growth, both)), GROWTH),
        Table("cosines", "Neurons and centres", pl.concat(map(_cosines, both)), COSINES),
    ]
    if evidence.images:
        found.append(Table("images", f"Accuracy by radius: {evidence.dataset}", _images(evidence), IMAGES))
    return tuple(found)


def _robust(trained: Trained) -> pl.DataFrame:
    """Accuracy by radius: law, bound, and each attack."""
    world, labels = trained.world, LABELS[trained.cell.supervision]
    grid = np.linspace(0, 1.25 * law.decoupled_radius(world), GRID)
    expected = law.averaged_accuracy if trained.cell.supervision == "binary" else law.decoupled_accuracy
    frames = [_series(labels, "law", grid, expected(grid, world)[None])]
    frames.append(_series(labels, "any classifier", grid, law.accuracy_bound(grid, world)[None]))
    for merge, attack in trained.attacks:
        curves = trained.accuracy(trained.radii(attack, merge), grid)
        frames.append(_series(labels, ATTACKS[merge, attack], grid, curves))
    return pl.concat(frames)


def _images(evidence: Evidence) -> pl.DataFrame:
    """Accuracy by radius for both kinds of labels."""
    radii = {LABELS[kind]: measured.smallest() for kind, measured in evidence.images.items()}
    found = np.concatenate([part.ravel() for part in radii.values()])
    grid = np.linspace(0, float(np.quantile(found[np.isfinite(found)], 0.99)), GRID)
    return pl.concat(
        _series(labels, "best attack", grid, Trained.accuracy(part, grid)) for labels, part in radii.items()
    )


def _series(labels: str, series: str, grid: Floats, curves: Floats) -> pl.DataFrame:
    """Mean, least and greatest of curves of shape (R, len(grid))."""
    columns = {"radius": grid, "accuracy": curves.mean(0), "low": curves.min(0), "high": curves.max(0)}
    return pl.DataFrame({"labels": [labels] * len(grid), "series": [series] * len(grid), **columns})


def _radius(trained: Trained) -> pl.DataFrame:
    """One row for each merge: its radius along the theory's perturbation beside the law's."""
    world, labels = trained.world, LABELS[trained.cell.supervision]
    if trained.cell.supervision == "binary":
        return _size(trained, labels, "max", law.averaged_radius(world))
    summed = law.summed_radius(world, law.share(world, trained.cell.outputs))
    rows = [_size(trained, labels, "max", law.decoupled_median(world)), _size(trained, SUMMED, "sum", summed)]
    return pl.concat(rows)


def _size(trained: Trained, labels: str, merge: str, expected: float) -> pl.DataFrame:
    median = trained.median("theory", merge)
    row = {
        "labels": labels,
        "clusters": trained.world.clusters,
        "dimension": trained.world.dimension,
        "law": expected,
        "radius": float(median.mean()),
        "low": float(median.min()),
        "high": float(median.max()),
        "certified": float(trained.median("certificate").mean()) if merge == "max" else None,
        "clean accuracy": float(trained.end("accuracy").mean()),
    }
    return pl.DataFrame(row, schema_overrides={"certified": pl.Float64})


def _growth(trained: Trained) -> pl.DataFrame:
    """Own and other coefficients over time beside the law."""
    times, outputs = trained.moments, trained.cell.outputs
    expected = np.asarray(law.coefficient(times, outputs))
    away = -law.share(trained.world, outputs) * expected
    own, other = trained.along("own").mean(0), trained.along("other")
    parts = [
        ("law", expected, expected, expected),
        ("law, others", away, away, away),
        ("own centres", own, trained.along("low").mean(0), trained.along("high").mean(0)),
        ("other centres", other.mean(0), other.min(0), other.max(0)),
    ]
    labels = LABELS[trained.cell.supervision]
    return pl.concat(
        pl.DataFrame({"time": times, "coefficient": mean, "low": low, "high": high}).select(
            pl.lit(labels).alias("labels"), pl.lit(name).alias("series"), pl.all()
        )
        for name, mean, low, high in parts
    )


def _cosines(trained: Trained) -> pl.DataFrame:
    rows = trained.rows("weights").sort("output", "neuron", "cluster")
    number = pl.col("output") * trained.cell.neurons + pl.col("neuron")
    labels = pl.lit(LABELS[trained.cell.supervision]).alias("labels")
    return rows.select(labels, "output", number.alias("neuron"), "cluster", "cosine")
