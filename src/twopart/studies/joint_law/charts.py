"""The figures of the joint-law study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from twopart.findings import Chart
from twopart.report.charts import Axis, Kind, curves

MAIN_CAPTION = (
    "Bits per sentence beyond those of a reader who knows the world, of models of all sizes after all numbers of sentences, "
    "one panel for each size. Law: the exact joint law, with the bits that a parameter holds and the exposures that a fact "
    "needs fitted to all runs together."
)
SIZES_CAPTION = "The same runs by size, one panel for each number of sentences."
OPTIMUM_CAPTION = (
    "How many parameters a number of operations is best spent on: by the exact law, and by a scaling law fitted to the "
    "measured redundancy with its 95 % interval. Sentences take the rest."
)

KINDS: dict[str, Kind] = {"law": "theory", "transformer": "learner"}
BITS = Axis("bits", "redundancy per sentence", "bits")
PANELS = 4  # in a row


def figures(surface: pl.DataFrame, optimum: pl.DataFrame) -> Iterator[Chart]:
    """The charts, the main one first."""
    sentences, sizes = Axis("sentences", "sentences seen"), Axis("parameters", "parameters")
    by_size = _panels(surface, sentences, "parameters")
    yield Chart("joint-law", "The joint law: theory and transformers", by_size, MAIN_CAPTION)
    yield Chart("sizes", "The same by size", _panels(surface, sizes, "sentences"), SIZES_CAPTION)
    yield Chart("optimum", "The best number of parameters", _optimum(optimum), OPTIMUM_CAPTION)


def _panels(surface: pl.DataFrame, x: Axis, by: str) -> dict[str, Any]:
    values = surface[by].unique(maintain_order=True).sort().to_list()
    shown = values[:: max(1, -(-len(values) // PANELS))]
    some = surface.filter(pl.col(by).is_in(shown)).sort(by, x.column)
    points = pl.concat(
        some.select(by, pl.col(x.column).cast(pl.Float64), pl.col(column).alias("bits"), series=pl.lit(series))
        for column, series in (("law", "law"), ("redundancy", "transformer"))
    )
    return curves(points, x=x, y=BITS, kinds=KINDS, columns=by)


def _optimum(optimum: pl.DataFrame) -> dict[str, Any]:
    law = optimum.select("flops", pl.col("parameters, law").alias("parameters"), series=pl.lit("law"))
    fit = optimum.select(
        "flops",
        pl.col("parameters, fit").alias("parameters"),
        pl.lit("fit to the transformers").alias("series"),
        pl.col("parameters, fit, low").alias("low"),
        pl.col("parameters, fit, high").alias("high"),
    )
    points = pl.concat([law, fit], how="diagonal")
    kinds: dict[str, Kind] = {"law": "theory", "fit to the transformers": "learner"}
    x, y = Axis("flops", "floating-point operations"), Axis("parameters", "best number of parameters")
    return curves(points, x=x, y=y, kinds=kinds, band=("low", "high"))
