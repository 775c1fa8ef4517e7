"""The tables and figures of the feature-averaging study: what was measured beside what the law says."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt
import numpy as np
import polars as pl

from twopart.findings import Chart
from twopart.laws import feature_averaging as law
from twopart.report import theme
from twopart.report.charts import Axis, Kind, curves, finish
from twopart.studies.feature_averaging.evidence import Evidence, Floats, Measured, Trained

LABELS = {"binary": "binary labels", "cluster": "cluster labels"}
NAMES = {
    ("max", "theory"): "theory's perturbation",
    ("max", "FGSM"): "FGSM",
    ("max", "PGD"): "PGD",
    ("max", "certificate"): "certified",
    ("sum", "theory"): "merged by sum",
}
GRID = 61  # radii at which accuracy is tabulated

ROBUST_CAPTION = (
    "Share of test points still classified rightly when each may be moved by a Euclidean radius. Law: of the averaged "
    "network, Φ(√(D/k) - ε), and of the nearest centre. No classifier at all lies above the dashed line. Certified: no "
    "perturbation whatever does more. Bands: lowest and highest replicate. Merged by sum: outputs of a class added up, "
    "along the opposite centres less the own one."
)
RADII_CAPTION = (
    "Median over test points of the radius along the theory's perturbation: against binary labels the difference of the "
    "classes' centres, against cluster labels the nearest opposite centre. Mean, least and greatest replicate. Lines: the "
    "law, √(D/k) of the averaged network, near √(D/2) of the nearest centre, near √(D/(1+k/2)) of outputs summed."
)
GROWTH_CAPTION = (
    "Coefficients <w, μ> of neurons along centres over training time τ. Own: the centres that a neuron's output stands "
    "for; band: its least and largest, mean over neurons. Others: all other centres. The law of the others is minus the "
    "share s times the law of the own."
)
COSINE_CAPTION = (
    "Cosine between each neuron's weights and each centre, in one replicate. Binary labels: every neuron points along all "
    "centres of its class, with cosine near √(2/k). Cluster labels: along one centre."
)
IMAGES_CAPTION = (
    "Share of test images still classified rightly into two classes, under the best of FGSM and PGD, by Euclidean radius; "
    "pixels are scaled so that ‖x‖² is D on average. Every replicate groups the ten classes in another way. Bands: lowest "
    "and highest replicate."
)

Entry = tuple[str, pl.DataFrame, str]


def tables(evidence: Evidence) -> dict[str, Entry]:
    """By name: title, rows, caption."""
    both = [evidence.reference("binary"), evidence.reference("cluster")]
    found: dict[str, Entry] = {
        "robust-accuracy": ("Accuracy by radius", pl.concat(map(_robust, both)), ROBUST_CAPTION),
        "radii": ("Radius by clusters and dimension", pl.concat(map(_radius, evidence.clusters)), RADII_CAPTION),
        "coefficients": ("Coefficients over time", pl.concat(map(_growth, both)), GROWTH_CAPTION),
        "cosines": ("Neurons and centres", pl.concat(map(_cosines, both)), COSINE_CAPTION),
    }
    if evidence.images:
        frames = [_image_curve(LABELS[kind], measured) for kind, measured in evidence.images.items()]
        found["images"] = (f"Accuracy by radius: {evidence.dataset}", pl.concat(frames), IMAGES_CAPTION)
    return found


def figures(frames: dict[str, pl.DataFrame]) -> Iterator[Chart]:
    """The charts, the main one first."""
    radius, accuracy = (
        Axis("radius", "radius ε", log=False),
        Axis("accuracy", "robust accuracy", log=False, domain=(0, 1.02)),
    )
    robust = frames["robust-accuracy"]
    kinds: dict[str, Kind] = {"law": "theory", "any classifier": "asymptote"}
    kinds.update(dict.fromkeys(NAMES.values(), "learner"))
    band = ("low", "high")
    spec = curves(robust, x=radius, y=accuracy, kinds=_present(kinds, robust), band=band, columns="labels")
    yield Chart("feature-averaging", "How far a point must move before the network errs", spec, ROBUST_CAPTION)
    yield Chart(
        "feature-averaging-radii",
        "The radius by number of clusters and by dimension",
        _radii(frames["radii"]),
        RADII_CAPTION,
    )
    yield Chart(
        "feature-averaging-coefficients", "How coefficients grow", _coefficients(frames["coefficients"]), GROWTH_CAPTION
    )
    yield Chart("feature-averaging-cosines", "Neurons and centres", _heat_map(frames["cosines"]), COSINE_CAPTION)
    if "images" in frames:
        labels: dict[str, Kind] = dict.fromkeys(LABELS.values(), "learner")
        spec = curves(frames["images"], x=radius, y=accuracy, kinds=labels, band=band, series="labels")
        yield Chart("feature-averaging-images", "The same on real images", spec, IMAGES_CAPTION)


def _robust(trained: Trained) -> pl.DataFrame:
    """Accuracy by radius: law, bound, and each attack."""
    world, labels = trained.world, LABELS[trained.cell.supervision]
    grid = np.linspace(0, 1.25 * law.decoupled_radius(world), GRID)
    expected = law.averaged_accuracy if trained.cell.supervision == "binary" else law.decoupled_accuracy
    frames = [_series(labels, "law", grid, expected(grid, world)[None])]
    frames.append(_series(labels, "any classifier", grid, law.accuracy_bound(grid, world)[None]))
    for merge, attack in trained.attacks:
        frames.append(_series(labels, NAMES[merge, attack], grid, trained.accuracy(trained.radii(attack, merge), grid)))
    return pl.concat(frames)


def _series(labels: str, series: str, grid: Floats, curves: Floats) -> pl.DataFrame:
    """Mean, least and greatest of curves of shape (R, len(grid))."""
    columns = {"radius": grid, "accuracy": curves.mean(0), "low": curves.min(0), "high": curves.max(0)}
    return pl.DataFrame({"labels": [labels] * len(grid), "series": [series] * len(grid), **columns})


def _image_curve(labels: str, measured: Measured) -> pl.DataFrame:
    radii = measured.smallest()
    grid = np.linspace(0, float(np.quantile(radii[np.isfinite(radii)], 0.99)), GRID)
    return _series(labels, "smallest", grid, measured.accuracy(radii, grid))


def _radius(trained: Trained) -> pl.DataFrame:
    """One row for each merge: its radius along the theory's perturbation beside the law's."""
    world, binary = trained.world, trained.cell.supervision == "binary"
    s = law.share(world, trained.cell.outputs)
    expected = {
        "max": law.averaged_radius(world) if binary else law.decoupled_median(world),
        "sum": law.summed_radius(world, s),
    }
    rows = []
    for merge in ("max",) if binary else ("max", "sum"):
        median = trained.median("theory", merge)
        rows.append(
            {
                "labels": LABELS[trained.cell.supervision] + (", summed" if merge == "sum" else ""),
                "clusters": world.clusters,
                "dimension": world.dimension,
                "law": expected[merge],
                "radius": float(median.mean()),
                "low": float(median.min()),
                "high": float(median.max()),
                "certified": float(trained.median("certificate").mean()) if merge == "max" else None,
                "clean accuracy": float(trained.end("accuracy").mean()),
            }
        )
    return pl.DataFrame(rows, schema_overrides={"certified": pl.Float64})


def _radii(table: pl.DataFrame) -> dict[str, object]:
    """Against k at the reference dimension (and, in a grid, at every dimension, a column each)."""
    most = table.group_by("dimension").agg(pl.col("clusters").n_unique()).filter(pl.col("clusters") > 1)["dimension"]
    shown = table.filter(pl.col("dimension").is_in(most.implode())).sort("dimension", "clusters")
    x, y = Axis("clusters", "clusters k"), Axis("radius", "radius ε at which half of the points are wrong")
    empty = pl.lit(None, pl.Float64)
    theory = shown.with_columns(radius=pl.col("law"), low=empty, high=empty, series="law, " + pl.col("labels"))
    points = pl.concat([theory, shown.with_columns(series=pl.col("labels"))], how="diagonal")
    kinds: dict[str, Kind] = {}
    for labels in shown["labels"].unique(maintain_order=True):
        kinds["law, " + labels] = "theory"
        kinds[labels] = "simulation"
    columns = "dimension" if most.len() > 1 else None
    return curves(points, x=x, y=y, kinds=kinds, band=("low", "high"), columns=columns)


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
    labels = [LABELS[trained.cell.supervision]] * len(times)
    return pl.concat(
        pl.DataFrame(
            {
                "labels": labels,
                "series": [name] * len(times),
                "time": times,
                "coefficient": mean,
                "low": low,
                "high": high,
            }
        )
        for name, mean, low, high in parts
    )


def _coefficients(table: pl.DataFrame) -> dict[str, object]:
    x, y = Axis("time", "training time τ"), Axis("coefficient", "coefficient <w, μ>", log=False)
    kinds: dict[str, Kind] = {
        "law": "theory",
        "law, others": "asymptote",
        "own centres": "learner",
        "other centres": "learner",
    }
    return curves(table, x=x, y=y, kinds=kinds, band=("low", "high"), columns="labels")


def _cosines(trained: Trained) -> pl.DataFrame:
    rows = trained.rows("weights").sort("output", "neuron", "cluster")
    number = pl.col("output") * trained.cell.neurons + pl.col("neuron")
    return rows.select(
        pl.lit(LABELS[trained.cell.supervision]).alias("labels"), "output", number.alias("neuron"), "cluster", "cosine"
    )


def _heat_map(table: pl.DataFrame) -> dict[str, object]:
    """Neurons down, centres across; blue along, vermillion against."""
    blue, red, paper = theme.light("blue"), theme.light("vermillion"), theme.light("paper")
    colour = alt.Scale(domain=[-1, 0, 1], range=[red, paper, blue])
    cells = alt.Chart(table.with_columns(pl.col("cosine").round(3))).mark_rect()
    cells = cells.encode(
        x=alt.X("cluster:O", title="centre", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("neuron:O", title="neuron", axis=alt.Axis(labelOverlap=True)),
        color=alt.Color("cosine:Q", scale=colour, title="cosine"),
        tooltip=["neuron:O", "cluster:O", "cosine:Q"],
    ).properties(width=330, height=260)
    panels = cells.facet(column=alt.Column("labels:N", header=alt.Header(title=None))).resolve_scale(y="independent")
    return finish(
        panels, description="cosine between the weights of each neuron and each centre, a panel for each kind of labels"
    )


def _present(kinds: dict[str, Kind], table: pl.DataFrame) -> dict[str, Kind]:
    there = set(table["series"])
    return {name: kind for name, kind in kinds.items() if name in there}
