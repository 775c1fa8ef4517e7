"""The figures of the capacity-law study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from twopart.findings import Chart
from twopart.report.charts import Axis, Kind, curves

MAIN_CAPTION = (
    "Bits per sentence that models of each size pay beyond a reader who knows the world. Law: the best model of (bits per "
    "parameter) x parameters bits, the only number fitted. Transformer: trained to convergence; every fact and every sentence "
    "was asked."
)
BITS_CAPTION = (
    "Bits of facts that a parameter holds: counted fact by fact, h + log2 p(correct value) and at least 0. A model that knows "
    "nothing scores by chance too; 'less chance' subtracts the same for a wrong value. Law: what the best model spends on "
    "facts."
)
RANKS_CAPTION = (
    "Part of the bits of an entity's facts that is held, less chance, by how frequent the entity is: rank 1 is the most "
    "frequent. The law holds everything down to a rank and nothing beyond it. One panel for each size."
)

KINDS: dict[str, Kind] = {"law": "theory", "transformer": "learner"}
BITS_KINDS: dict[str, Kind] = {
    "law": "theory",
    "transformer, less chance": "learner",
    "transformer, as counted": "simulation",
}
SIZE = Axis("parameters", "parameters")
PANELS = 5  # sizes shown by rank


def figures(models: pl.DataFrame, law: pl.DataFrame, ranks: pl.DataFrame) -> Iterator[Chart]:
    """The charts, the main one first."""
    yield Chart("capacity-law", "The capacity law: theory and transformers", _redundancy(models, law), MAIN_CAPTION)
    yield Chart("bits-per-parameter", "Bits that a parameter holds", _bits(models, law), BITS_CAPTION)
    yield Chart("ranks", "Which facts are held", _ranks(ranks), RANKS_CAPTION)


def _redundancy(models: pl.DataFrame, law: pl.DataFrame) -> dict[str, Any]:
    points = pl.concat(
        _points(frame, "redundancy", "redundancy", name) for frame, name in ((law, "law"), (models, "transformer"))
    )
    y = Axis("redundancy", "redundancy per sentence", "bits")
    return curves(points, x=SIZE, y=y, kinds=KINDS, columns="world")


def _bits(models: pl.DataFrame, law: pl.DataFrame) -> dict[str, Any]:
    each = pl.col("parameters")
    known = models.with_columns(bits=(pl.col("stored") - pl.col("stored by chance")) / each)
    counted = models.with_columns(bits=pl.col("stored") / each)
    curve = law.with_columns(bits=pl.col("bits of facts") / each)
    sources = ((curve, "law"), (known, "transformer, less chance"), (counted, "transformer, as counted"))
    points = pl.concat(_points(frame, "bits", "bits", name) for frame, name in sources)
    return curves(points, x=SIZE, y=Axis("bits", "bits per parameter"), kinds=BITS_KINDS, columns="world")


def _points(frame: pl.DataFrame, column: str, name: str, series: str) -> pl.DataFrame:
    """One row per point; replicates of one size are averaged."""
    x = pl.col("parameters").cast(pl.Float64)
    mean = frame.group_by("world", x, maintain_order=True).agg(pl.col(column).mean().alias(name))
    return mean.with_columns(series=pl.lit(series))


def _ranks(ranks: pl.DataFrame) -> dict[str, Any]:
    """The main world's models, a panel each, as many as fit."""
    main = ranks.filter(pl.col("world") == ranks["world"][0])
    sizes = main["parameters"].unique(maintain_order=True).to_list()
    shown = sizes[:: -(-len(sizes) // PANELS)]
    points = pl.concat(
        main.filter(pl.col("parameters").is_in(shown)).select(
            "parameters",
            (pl.col("low") * pl.col("high") - pl.col("low")).sqrt().alias("rank"),
            pl.col(column).alias("held"),
            pl.lit(series).alias("series"),
        )
        for column, series in (("law", "law"), ("held", "transformer"))
    )
    x, y = Axis("rank", "rank of the entity"), Axis("held", "part of the bits held", log=False)
    return curves(points, x=x, y=y, kinds=KINDS, columns="parameters")
