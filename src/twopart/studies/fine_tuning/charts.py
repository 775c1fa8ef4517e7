"""The figures of the fine-tuning study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from twopart.findings import Chart
from twopart.report.charts import Axis, Kind, curves
from twopart.studies.fine_tuning.tables import ALL, LAW

FORGETTING_CAPTION = (
    "Share of the old facts that is known, by how frequent their entity was in pretraining (rank 1: the most frequent), before "
    "fine-tuning and after so many sentences about new entities only."
)
FRONTIER_CAPTION = (
    "What fine-tuning on new facts gives and what it takes, after the same number of sentences for every share of replay "
    "(0 at the bottom, 50 % at the top). Circles: the law, the best model of the same capacity, trained to the end, for the "
    "same shares above 0, all close together; without replay it promises nothing."
)
REPLAY_CAPTION = (
    "Old facts that are kept, of those known before, and new facts that are known, by the share of replayed sentences. "
    "Law: the best model of the same capacity."
)
RECOVERY_CAPTION = (
    "Old facts known while the old sentences are read again, after fine-tuning without replay (the first point). "
    "Dashed: before fine-tuning."
)
FORMAT_CAPTION = (
    "Bits that the templates of a new format cost beyond their entropy, per sentence about entities of which no example "
    "speaks. Bayes code: the best learner, about (templates - 1) / (2 n ln 2) for each attribute."
)
TRANSFER_CAPTION = (
    "Share of facts known in the new format. Practised: examples speak of the entity; others: they do not, so that the model "
    "has to put together the new format and a fact that it was told in the old one. One row for each share of replay."
)
DOSES_CAPTION = "Share of new facts known at the end against how often each was told."
LORA_CAPTION = (
    "Old facts kept against new facts known, on the way: each curve begins at the top left, before fine-tuning, and every "
    "point is twice as many sentences. No replay; all at one learning rate."
)
WRONG_CAPTION = (
    "Share of questions answered wrongly with a confidence above 0.5, after fine-tuning, by the share of replayed sentences. "
    "Stranger: an entity that nobody ever told of; a calibrated model would never be sure."
)

WHOLE = (-0.02, 1.02)
"""All shares, with room for points at the ends."""
KNOWN = Axis("known", "share of old facts known", log=False, domain=WHOLE)
EXAMPLES = Axis("sentences", "sentences of fine-tuning")
REPLAY = Axis("replay", "share of replayed sentences", log=False, domain=WHOLE)
MOMENTS = 4  # of forgetting that are drawn


def figures(
    forgetting: pl.DataFrame,
    recovery: pl.DataFrame,
    frontier: pl.DataFrame,
    formats: pl.DataFrame,
    doses: pl.DataFrame,
    wrong: pl.DataFrame,
) -> Iterator[Chart]:
    """The charts, the main one first."""
    yield Chart("forgetting", "What is forgotten, by frequency", _forgetting(forgetting), FORGETTING_CAPTION)
    yield Chart("frontier", "The replay frontier", _frontier(frontier), FRONTIER_CAPTION)
    yield Chart("replay", "What a share of replay keeps", _replay(frontier), REPLAY_CAPTION)
    yield Chart("recovery", "What comes back", _recovery(recovery), RECOVERY_CAPTION)
    yield Chart("format", "The price of a format", _format(formats), FORMAT_CAPTION)
    yield Chart("transfer", "Old facts in the new format", _transfer(formats), TRANSFER_CAPTION)
    yield Chart("doses", "New facts by exposures", _doses(doses), DOSES_CAPTION)
    yield Chart("lora", "All weights or LoRA", _lora(frontier), LORA_CAPTION)
    yield Chart("wrong", "Confident and wrong", _wrong(wrong), WRONG_CAPTION)


def _forgetting(table: pl.DataFrame) -> dict[str, Any]:
    moments = table["sentences"].unique().sort().to_list()
    shown = [0, *moments[1:][:: max(1, (len(moments) - 1) // (MOMENTS - 1))]]
    label = pl.when(pl.col("sentences") == 0).then(pl.lit("before")).otherwise(pl.format("{} sentences", "sentences"))
    points = table.filter(pl.col("sentences").is_in(shown)).with_columns(
        ((pl.col("low") * (pl.col("high") - 1)).sqrt()).alias("rank"), label.alias("series")
    )
    return curves(points, x=Axis("rank", "rank of the entity"), y=KNOWN, kinds=_learners(points), columns="model")


def _frontier(table: pl.DataFrame) -> dict[str, Any]:
    """At the end of fine-tuning, by rising share of replay; all of it would leave nothing new to learn."""
    end = table["sentences"].max()
    points = table.filter((pl.col("way") == LAW) | ((pl.col("way") == ALL) & (pl.col("sentences") == end)))
    points = points.filter(pl.col("replay") < 1).sort("model", "replay").with_columns(series=_series())
    y = Axis("kept", "old facts kept", log=False, domain=WHOLE)
    x = Axis("new", "new facts known", log=False, domain=WHOLE)
    # A line through equal points could not be seen: the law is drawn as circles.
    kinds: dict[str, Kind] = {"law": "simulation", "transformer": "learner"}
    return curves(_in_order(points, table), x=x, y=y, kinds=kinds, columns="model")


def _replay(table: pl.DataFrame) -> dict[str, Any]:
    end = table["sentences"].max()
    points = table.filter((pl.col("way") == LAW) | ((pl.col("way") == ALL) & (pl.col("sentences") == end)))
    both = pl.concat(
        points.select("model", "replay", pl.lit(name).alias("facts"), pl.col(column).alias("known"), _series())
        for name, column in (("old facts kept", "kept"), ("new facts known", "new"))
    )
    y = Axis("known", "share of facts", log=False, domain=WHOLE)
    kinds: dict[str, Kind] = {"law": "theory", "transformer": "learner"}
    return curves(_in_order(both, table), x=REPLAY, y=y, kinds=kinds, columns="model", rows="facts")


def _recovery(table: pl.DataFrame) -> dict[str, Any]:
    """Sentence 0 has no place on a log axis; it is drawn at half of the first moment."""
    first = table.filter(pl.col("sentences") > 0)["sentences"].min()
    n = pl.col("sentences").cast(pl.Float64)
    points = table.with_columns(sentences=pl.when(n == 0).then(pl.lit(first) / 2).otherwise(n))
    series = pl.concat(
        points.select("model", "sentences", pl.col(column).alias("known"), pl.lit(name).alias("series"))
        for column, name in (("before", "before fine-tuning"), ("known", "read again"))
    )
    x = Axis("sentences", "old sentences read again")
    kinds: dict[str, Kind] = {"before fine-tuning": "asymptote", "read again": "learner"}
    return curves(_in_order(series, table), x=x, y=KNOWN, kinds=kinds, columns="model")


def _format(table: pl.DataFrame) -> dict[str, Any]:
    alone = table.filter((pl.col("replay") == 0) & (pl.col("sentences") > 0))
    law = alone.filter(pl.col("model") == alone["model"][0]).select(
        "sentences", pl.col("Bayes code").alias("redundancy"), pl.lit("Bayes code").alias("series")
    )
    points = alone.select("sentences", "redundancy", pl.col("model").alias("series"))
    kinds: dict[str, Kind] = {"Bayes code": "theory", **_learners(points)}
    y = Axis("redundancy", "redundancy of the new templates per sentence", "bits")
    return curves(pl.concat([law, points]), x=EXAMPLES, y=y, kinds=kinds)


def _transfer(table: pl.DataFrame) -> dict[str, Any]:
    there = table.filter(pl.col("sentences") > 0).with_columns(
        pl.format("{} % replay", (pl.col("replay") * 100).cast(int)).alias("share")
    )
    points = pl.concat(
        there.select(
            "model", "share", "sentences", pl.col(f"reworded, {name}").alias("known"), pl.lit(name).alias("series")
        )
        for name in ("practised", "others")
    )
    y = Axis("known", "share known in the new format", log=False, domain=WHOLE)
    return curves(_in_order(points, table), x=EXAMPLES, y=y, kinds=_learners(points), columns="model", rows="share")


def _doses(table: pl.DataFrame) -> dict[str, Any]:
    y = Axis("known", "share of new facts known", log=False, domain=WHOLE)
    points = table.rename({"model": "series"})
    return curves(points, x=Axis("told", "times told"), y=y, kinds=_learners(points), band=("low", "high"))


def _lora(table: pl.DataFrame) -> dict[str, Any]:
    points = table.filter((pl.col("replay") == 0) & (pl.col("way") != LAW)).rename({"way": "series"})
    y = Axis("kept", "old facts kept", log=False, domain=WHOLE)
    x = Axis("new", "new facts known", log=False, domain=WHOLE)
    return curves(points, x=x, y=y, kinds=_learners(points), columns="model")


def _wrong(table: pl.DataFrame) -> dict[str, Any]:
    points = pl.concat(
        table.select("model", "replay", "asked", pl.col(column).alias("wrong"), pl.lit(name).alias("series"))
        for column, name in (("before", "before fine-tuning"), ("after", "after"))
    ).with_columns(pl.col("asked").replace_strict({"stranger": "asked about strangers", "old": "asked for old facts"}))
    kinds: dict[str, Kind] = {"before fine-tuning": "asymptote", "after": "learner"}
    y = Axis("wrong", "share confidently wrong", log=False, domain=WHOLE)
    return curves(_in_order(points, table), x=REPLAY, y=y, kinds=kinds, columns="model", rows="asked")


def _learners(points: pl.DataFrame) -> dict[str, Kind]:
    return dict.fromkeys(points["series"].unique(maintain_order=True), "learner")


def _series() -> pl.Expr:
    return pl.when(pl.col("way") == LAW).then(pl.lit("law")).otherwise(pl.lit("transformer")).alias("series")


def _in_order(points: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Models in the order of the table."""
    order = {model: i for i, model in enumerate(table["model"].unique(maintain_order=True))}
    return points.sort(pl.col("model").replace_strict(order), maintain_order=True)
