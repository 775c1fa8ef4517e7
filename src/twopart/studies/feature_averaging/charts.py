"""The figures of the feature-averaging study, drawn from its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import polars as pl

from twopart.findings import Chart
from twopart.report import theme
from twopart.report.charts import Axis, Kind, curves, finish
from twopart.studies.feature_averaging import tables

BAND = ("low", "high")
RADIUS = Axis("radius", "radius ε", log=False)
ACCURACY = Axis("accuracy", "robust accuracy", log=False, domain=(0, 1.02))
HALF = Axis("radius", "radius at which half of the points are wrong")
ROBUST_KINDS: dict[str, Kind] = {
    "law": "theory",
    "any classifier": "asymptote",
    **dict.fromkeys(tables.ATTACKS.values(), "learner"),
}
GROWTH_KINDS: dict[str, Kind] = {
    "law": "theory",
    "law, others": "asymptote",
    "own centres": "learner",
    "other centres": "learner",
}


def figures(frames: dict[str, pl.DataFrame]) -> Iterator[Chart]:
    """The charts, the main one first."""
    robust = curves(frames["robust-accuracy"], x=RADIUS, y=ACCURACY, kinds=ROBUST_KINDS, band=BAND, columns="labels")
    yield Chart("feature-averaging", "How far a point must move before the network errs", robust, tables.ROBUST)
    for name, axis, other in (("clusters", "clusters k", "dimension"), ("dimension", "dimension D", "clusters")):
        title = f"The radius by {axis}"
        yield Chart(f"radius-by-{name}", title, _radii(frames["radii"], Axis(name, axis), other), tables.RADII)
    time, coefficient = Axis("time", "training time τ"), Axis("coefficient", "coefficient <w, μ>", log=False)
    growth = curves(frames["coefficients"], x=time, y=coefficient, kinds=GROWTH_KINDS, band=BAND, columns="labels")
    yield Chart("coefficients", "How coefficients grow", growth, tables.GROWTH)
    yield Chart("cosines", "Neurons and centres", _heat_map(frames["cosines"]), tables.COSINES)
    if "images" in frames:
        kinds: dict[str, Kind] = dict.fromkeys(tables.LABELS.values(), "learner")
        images = curves(frames["images"], x=RADIUS, y=ACCURACY, kinds=kinds, band=BAND, series="labels")
        yield Chart("images", "The same on real images", images, tables.IMAGES)


def _radii(table: pl.DataFrame, x: Axis, other: str) -> dict[str, Any]:
    """Against one size, the other as it is in the first row, the reference's."""
    shown = table.filter(pl.col(other) == table[other][0]).sort(x.column)
    law = shown.with_columns(radius="law", low=None, high=None, series=pl.lit("law"))
    points = pl.concat([law, shown.with_columns(series=pl.lit("measured"))], how="vertical_relaxed")
    kinds: dict[str, Kind] = {"law": "theory", "measured": "simulation"}
    return curves(points, x=x, y=HALF, kinds=kinds, band=BAND, colour="labels")


def _heat_map(table: pl.DataFrame) -> dict[str, Any]:
    """Neurons down, centres across; blue along, vermillion against."""
    colours = [theme.light("vermillion"), theme.light("paper"), theme.light("blue")]
    scale = alt.Scale(domain=[-1, 0, 1], range=colours, interpolate="rgb")
    cells = alt.Chart(table.with_columns(pl.col("cosine").round(3))).mark_rect()
    cells = cells.encode(
        x=alt.X("cluster:O", title="centre", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("neuron:O", title="neuron", axis=alt.Axis(labelOverlap=True)),
        color=alt.Color("cosine:Q", scale=scale, title="cosine"),
        tooltip=["neuron:O", "cluster:O", "cosine:Q"],
    ).properties(width=330, height=260)
    panels = cells.facet(column=alt.Column("labels:N", header=alt.Header(title=None))).resolve_scale(y="independent")
    words = "cosine between the weights of each neuron and each centre, a panel for each kind of labels"
    return finish(panels, description=words)
