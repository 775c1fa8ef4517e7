"""The figures of the data-law study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from twopart.findings import Chart
from twopart.report.charts import Axis, Kind, curves

CURVES_CAPTION = (
    "Redundancy: bits per sentence beyond those of a reader who knows the world, averaged over bins of sentences. "
    "Law: the exact expectation for the Bayes code. Bayes: its simulation, with standard errors over worlds. "
    "Transformer: mean over replicates, lowest and highest replicate."
)
EXPOSURES_CAPTION = (
    "Bits that a transformer still pays for a fact, by how often the fact was stated before, over the last nine tenths of "
    "its run. The Bayes code pays all bits at exposure 0 and none after. Low and high bound the bin, one added: "
    "1 is a fact not stated before."
)
RARITY_CAPTION = (
    "Bits that a transformer still pays for a fact, by how rare its entity is: one over its probability, over the last "
    "nine tenths of the run."
)
CONTROL_CAPTION = (
    "Control: all entities equally frequent; the law bends down instead of going straight. English: the world of the main "
    "figure in biography sentences, read through a byte-pair tokenizer."
)

KINDS: dict[str, Kind] = {
    "law, exact": "theory",
    "law, asymptote": "asymptote",
    "Bayes code, simulated": "simulation",
    "transformer": "learner",
}
SENTENCES = Axis("sentences", "sentences seen")
BITS = Axis("bits", "redundancy per sentence", "bits")


def figures(curve_table: pl.DataFrame, exposures: pl.DataFrame, rarity: pl.DataFrame) -> Iterator[Chart]:
    """The charts, the main one first."""
    points = _points(curve_table)
    discounts = points.filter(pl.col("world").str.starts_with("d = "))
    yield Chart("data-law", "The data law: theory, Bayes code, transformer", _panels(discounts), CURVES_CAPTION)
    others = points.filter(~pl.col("world").str.starts_with("d = ") & (pl.col("role") == "value"))
    if len(others):
        title = "Value bits: equally frequent entities, and English"
        yield Chart("control-and-english", title, _panels(others), CONTROL_CAPTION)
    exposed = Axis("low", "times the fact was stated before, plus one")
    yield Chart("exposures", "What a fact still costs after each exposure", _by(exposures, exposed), EXPOSURES_CAPTION)
    rare = Axis("low", "rarity of the entity, 1/p")
    yield Chart("rarity", "What a fact costs by how rare its entity is", _by(rarity, rare), RARITY_CAPTION)


def _points(table: pl.DataFrame) -> pl.DataFrame:
    """One row per point: the columns of the table become series."""
    error = pl.col("bayes_error")
    series = [
        ("law, exact", "law", None, None),
        ("law, asymptote", "asymptote", None, None),
        ("Bayes code, simulated", "bayes", pl.col("bayes") - error, pl.col("bayes") + error),
        ("transformer", "transformer", pl.col("transformer_low"), pl.col("transformer_high")),
    ]
    empty = pl.lit(None, pl.Float64)
    return pl.concat(
        table.select(
            "world",
            "role",
            "sentences",
            pl.lit(name).alias("series"),
            pl.col(column).alias("bits"),
            (empty if low is None else low).alias("low"),
            (empty if high is None else high).alias("high"),
        )
        for name, column, low, high in series
    )


def _panels(points: pl.DataFrame) -> dict[str, object]:
    kinds = {name: kind for name, kind in KINDS.items() if points.filter(pl.col("series") == name)["bits"].count()}
    return curves(
        points.filter(pl.col("series").is_in(list(kinds))),
        x=SENTENCES,
        y=BITS,
        kinds=kinds,
        band=("low", "high"),
        columns="world",
        rows="role" if points["role"].n_unique() > 1 else None,
    )


def _by(table: pl.DataFrame, x: Axis) -> dict[str, object]:
    """Value bits of each kind of world, bins with at least 30 sentences."""
    learner: Kind = "learner"
    kinds = dict.fromkeys(_in_order(table["world"]), learner)
    y = Axis("value", "value bits of the transformer", "bits per sentence")
    return curves(table.filter(pl.col("sentences") >= 30), x=x, y=y, kinds=kinds, series="world")


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
