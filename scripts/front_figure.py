"""Draws the figure of the README, docs/figures/front.svg, from a published run of the data law: its facts only, in plain words.

python scripts/front_figure.py
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from twopart.report import Axis, Figure
from twopart.report._figures import figure_files

DOCS = Path(__file__).parents[1] / "docs"
TABLE = DOCS / "results" / "data-law" / "tables" / "curves.parquet"
PANELS = {"d = 0.3": "few rare facts", "d = 0.45": "more", "d = 0.6": "many rare facts"}
SERIES = {
    "law, exact": "predicted",
    "Bayes code, simulated": "the best possible learner, simulated",
    "transformer": "a transformer",
}
FIGURE = Figure(
    "front",
    "What is still paid for facts not known",
    table="facts",
    x=Axis("sentences", "sentences read"),
    y=Axis("bits", "paid for unknown facts", "bits per sentence"),
    kinds=dict(zip(SERIES.values(), ("theory", "simulation", "learner"), strict=True)),
    columns="world",
)


def facts(published: pl.DataFrame) -> pl.DataFrame:
    """The value bits of the symbol worlds, under the names of `PANELS` and `SERIES`."""
    shown = published.filter(pl.col("role") == "value", pl.col("world").is_in(list(PANELS)))
    parts = [_series(shown, series).select("world", "series", "sentences", "bits", "low", "high") for series in SERIES]
    return pl.concat(parts).with_columns(pl.col("world").replace(PANELS), pl.col("series").replace(SERIES))


def _series(shown: pl.DataFrame, series: str) -> pl.DataFrame:
    """One of the curves; tables published before figures were declared have a column for each."""
    if "series" in shown.columns:
        return shown.filter(pl.col("series") == series)
    bits, low, high = {
        "law, exact": ("law", None, None),
        "Bayes code, simulated": (
            "bayes",
            pl.col("bayes") - pl.col("bayes_error"),
            pl.col("bayes") + pl.col("bayes_error"),
        ),
        "transformer": ("transformer", pl.col("transformer_low"), pl.col("transformer_high")),
    }[series]
    ends = {
        "low": pl.lit(None, pl.Float64) if low is None else low,
        "high": pl.lit(None, pl.Float64) if high is None else high,
    }
    return shown.with_columns(pl.lit(series).alias("series"), pl.col(bits).alias("bits"), **ends)


if __name__ == "__main__":
    chart = FIGURE.draw({"facts": facts(pl.read_parquet(TABLE))})
    assert chart is not None
    (DOCS / "figures" / "front.svg").write_bytes(figure_files(chart)["figures/front.svg"])
