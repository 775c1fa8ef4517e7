"""The figures of the structure-function study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import numpy as np
import polars as pl
from scipy.optimize import isotonic_regression

from twopart.findings import Chart
from twopart.report import theme
from twopart.report.charts import Axis, Kind, curves, finish
from twopart.studies.structure_function.evidence import TOLD

FRONTIER_CAPTION = (
    "The structure function of a corpus whose truth is known: bits of data beyond the oracle's against bits of model, "
    "on the frontier of each family of real codes. Law: N times the capacity law's redundancy. Names are known to "
    "both sides."
)
TOTAL_CAPTION = (
    "The same codes by their whole length beyond the oracle's bits. It is least where the next bit of model saves one "
    "bit of data: there structure ends and noise begins. Bayes code: it sends no model."
)
TEXT_CAPTION = (
    "Real text: data bits against model bits, both per byte of the text, on the frontiers of two-part codes; at 0 "
    "those that send no model. Dashed: all codes as long as the shortest two-part code."
)

MODEL = Axis("model bits", "model bits")
KINDS: dict[str, Kind] = {
    "law": "theory",
    "Bayes code": "asymptote",
    "ideal": "simulation",
    "counts": "learner",
    "transformer": "learner",
}


def figures(law: pl.DataFrame, codes: pl.DataFrame, bayes: float) -> Iterator[Chart]:
    """The charts of the world."""
    yield Chart("frontier", "The structure function: theory and codes", _against(law, codes, "data"), FRONTIER_CAPTION)
    flat = law.select("model bits", pl.lit(bayes).alias("total beyond the oracle"), series=pl.lit("Bayes code"))
    yield Chart("total", "Where the shortest code is", _against(law, codes, "total", flat), TOTAL_CAPTION)


def _against(law: pl.DataFrame, codes: pl.DataFrame, what: str, *more: pl.DataFrame) -> dict[str, Any]:
    column = "data bits beyond the oracle" if what == "data" else "total beyond the oracle"
    theory = law.select("model bits", column, series=pl.lit("law"))
    found = codes.select("model bits", column, pl.col("family").alias("series"))
    values = pl.concat([theory, *more, found])[column]
    high, low = float(max(values)), float(min(values.filter(values > 0))) if what == "total" else TOLD / 4
    title = "data beyond the oracle" if what == "data" else "model and data beyond the oracle"
    return curves(
        pl.concat([theory, *more, found]),
        x=MODEL,
        y=Axis(column, title, "bits", domain=(0.8 * low, 1.25 * high)),
        kinds=KINDS,
    )


def text(two_part: pl.DataFrame, one_part: pl.DataFrame, size: int) -> Chart:
    """Everything that codes the text, on one plot."""
    return Chart("text", "The structure function of real text", _text(two_part, one_part, size), TEXT_CAPTION)


def _text(two_part: pl.DataFrame, one_part: pl.DataFrame, size: int) -> dict[str, Any]:
    best, least = float(min(two_part["total"])) / size, float(min(one_part["bits per byte"].drop_nulls()))
    top, gap = 2.0 * best, 0.06 * best
    points = two_part.select(
        pl.col("model bits") / size, pl.col("data bits") / size, pl.col("total") / size, series="family"
    ).filter(pl.col("model bits") < 0.6 * best)
    ones = one_part.filter(pl.col("bits per byte").is_not_null()).select(
        "code", "kind", pl.col("bits per byte").alias("data bits"), pl.lit(0.0).alias("model bits")
    )
    named = _spread(ones, gap, -0.05 * best)
    bottom = min(0.8 * least, float(min(named["height"])) - gap)
    x = alt.X(
        "model bits:Q",
        title="model bits per byte of text",
        scale=alt.Scale(domain=[-0.25 * best, 0.6 * best], nice=False),
        axis=alt.Axis(labelExpr="datum.value < 0 ? '' : datum.label"),
    )
    y = alt.Y("data bits:Q", title="data bits per byte of text", scale=alt.Scale(domain=[bottom, top], nice=False))
    names = points["series"].unique(maintain_order=True).to_list()
    palette = [colour.light for colour in theme.PALETTE.values()]
    colour = alt.Color("series:N", scale=alt.Scale(domain=names, range=palette[: len(names)]), title=None)
    tips = [alt.Tooltip(f"{name}:Q", format=".4~r") for name in ("model bits", "data bits", "total")]
    two = alt.Chart(points).encode(x=x, y=y, color=colour)
    one = alt.Chart(ones).encode(
        x=x, y=y, tooltip=["code", alt.Tooltip("data bits:Q", title="bits per byte", format=".4~r")]
    )
    label = alt.Chart(named).encode(x=x, y=y)
    line = alt.Chart(pl.DataFrame({"model bits": [0.0, 0.6 * best], "data bits": [best, 0.4 * best]})).encode(x=x, y=y)
    ours = alt.FieldEqualPredicate("prequential", "kind")
    ink, soft = alt.value(theme.light("ink")), alt.value(theme.light("soft"))
    shade = alt.when(ours).then(ink).otherwise(soft)
    layers = alt.layer(
        line.mark_line(clip=True, strokeDash=[4, 3], strokeWidth=1.25).encode(color=soft),
        two.mark_line(clip=True, strokeWidth=2.25),
        two.mark_point(clip=True, size=32).encode(tooltip=["series", *tips]),
        one.mark_point(clip=True, size=40, filled=True).encode(color=shade),
        label.mark_rule(clip=True, strokeWidth=0.75).encode(x2="end:Q", y2="height:Q", color=soft),
        label.mark_text(clip=True, align="right", dx=-4).encode(x="end:Q", y="height:Q", text="code", color=shade),
    ).properties(width=560, height=420)
    return finish(layers, description="Data bits against model bits of codes of a text, and codes without a model")


def _spread(points: pl.DataFrame, gap: float, end: float) -> pl.DataFrame:
    """Heights of labels, at least `gap` apart, as near their points as the order allows; they end at `end`."""
    wanted = points.sort("data bits")
    steps = np.arange(len(wanted)) * gap
    apart = isotonic_regression(wanted["data bits"].to_numpy() - steps).x + steps
    return wanted.with_columns(pl.Series("height", apart), end=pl.lit(end))
