"""The figures of the acquisition study."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from twopart.findings import Chart
from twopart.report.charts import Axis, Kind, curves
from twopart.report.heat_map import heat_map
from twopart.studies.acquisition import tables
from twopart.studies.acquisition.evidence import Evidence

MAP_CAPTION = (
    "Share of facts known, by the rank of their entity (1: the most frequent) and the sentences seen. Line: the rank at which "
    "a fact has been told T times, geometric mean over attributes, T measured on the widest transformer over the first half "
    "of the last tenfold and the same in all panels; a model without room falls behind it. Control: all facts equally "
    "frequent, ranks mean nothing, and everything is learned at once."
)
THRESHOLD_CAPTION = (
    "Frequency p π at which half of the facts are known, mean over replicates with lowest and highest. Theory: T/n, T measured "
    "on the widest transformer over the first half of the last tenfold."
)
TOLD_CAPTION = (
    "Share of facts known against how often they are expected to have been told, n p π, at moments of the last tenfold. "
    "If exposures alone decide, the curves lie on one another. Bayes code: known once told, 1 - exp(-n p π)."
)
CONTROL_CAPTION = (
    "Share of all facts asked that are known for good. Equal frequencies: nothing for long, then everything. "
    "Pitman-Yor frequencies: from the most frequent fact to ever rarer ones."
)

SENTENCES = Axis("sentences", "sentences seen")
KNOWN = Axis("known", "share of facts known", log=False, domain=(0.0, 1.0))


def figures(evidence: dict[str, Evidence], known: pl.DataFrame, thresholds: pl.DataFrame) -> Iterator[Chart]:
    """The charts, the main one first."""
    sizes = [group for label, group in evidence.items() if label != "control"]
    wide = sizes[-1]
    predicted = np.isfinite(wide.exposures)
    line = pl.concat([_line(wide, group.label) for group in sizes]) if predicted else None
    yield Chart("acquisition", "Which fact is known when", _map(known, line), MAP_CAPTION)
    if thresholds["threshold"].count():
        yield Chart("threshold", "The threshold falls with data", _thresholds(thresholds, wide), THRESHOLD_CAPTION)
    yield Chart("exposures", "Known by how often it was told", _told(sizes), TOLD_CAPTION)
    yield Chart("control", "All at once, or one after the other", _shares(evidence), CONTROL_CAPTION)


def _map(known: pl.DataFrame, line: pl.DataFrame | None) -> dict[str, object]:
    moments = known["sentences"].unique().sort().to_numpy().astype(float)
    edges = np.sqrt(moments[1:] * moments[:-1])
    edges = np.r_[moments[0] ** 2 / edges[0], edges, moments[-1] ** 2 / edges[-1]]
    spans = pl.DataFrame({"sentences": moments.astype(np.int64), "from": edges[:-1], "to": edges[1:]})
    return heat_map(
        known.join(spans, on="sentences", maintain_order="left"),
        x=SENTENCES,
        x_ends=("from", "to"),
        y=Axis("rank", "rank of the entity"),
        y_ends=("low", "high"),
        colour=KNOWN,
        columns="model",
        line=line,
    )


def _line(wide: Evidence, label: str) -> pl.DataFrame:
    """The rank at which a fact has been told T times, over the sentences at which it is among those asked."""
    run, n = wide.runs[0], wide.sentences
    last = int(run.rank.max())
    ranks = np.array(
        [[[r.rank_at(a, wide.exposures / k) for a in range(len(r.world.attributes))] for r in wide.runs] for k in n]
    )
    rank = np.exp(np.log(ranks).mean((1, 2)))
    frame = pl.DataFrame({"model": [label] * len(n), "sentences": n, "rank": rank})
    return frame.filter(pl.col("rank").is_between(1.001, last * 0.999))


def _thresholds(table: pl.DataFrame, wide: Evidence) -> dict[str, object]:
    columns = {"threshold": "frequency", "threshold_low": "low", "threshold_high": "high", "model": "series"}
    points = table.rename(columns).select("sentences", "series", "frequency", "low", "high")
    kinds: dict[str, Kind] = dict.fromkeys(points.drop_nulls()["series"].unique(maintain_order=True), "learner")
    if np.isfinite(wide.exposures):
        n = pl.Series("sentences", wide.sentences)
        law = pl.DataFrame(
            {"sentences": n, "series": f"T/n, T = {wide.exposures:.2g}", "frequency": wide.exposures / n}
        )
        points, kinds = pl.concat([law, points], how="diagonal"), {str(law["series"][0]): "theory", **kinds}
    y = Axis("frequency", "frequency at which half of the facts are known", "per sentence")
    return curves(points, x=SENTENCES, y=y, kinds=kinds, band=("low", "high"))


def _told(sizes: list[Evidence]) -> dict[str, object]:
    """Panels: the narrowest and the widest."""
    points = pl.concat([tables.by_told(group) for group in (sizes[0], sizes[-1])])
    kinds: dict[str, Kind] = dict.fromkeys(points["series"].unique(maintain_order=True), "learner")
    ends = points["told"].sort().to_numpy()[[0, -1]]
    told = np.geomspace(ends[0], ends[1], 60)
    law = {"series": "Bayes code", "told": told, "known": -np.expm1(-told)}
    bayes = [pl.DataFrame({"model": group.label, **law}) for group in (sizes[0], sizes[-1])]
    x = Axis("told", "times the fact is expected to have been told")
    kinds = {"Bayes code": "theory", **kinds}
    return curves(pl.concat([*bayes, points], how="diagonal"), x=x, y=KNOWN, kinds=kinds, columns="model")


def _shares(evidence: dict[str, Evidence]) -> dict[str, object]:
    labels = list(evidence)
    points = pl.concat(
        pl.DataFrame(
            {
                "model": label,
                "sentences": group.sentences,
                "known": np.mean([run.share_known() for run in group.runs], axis=0),
            }
        )
        for label, group in ((label, evidence[label]) for label in (labels[0], labels[-2], labels[-1]))
    )
    kinds: dict[str, Kind] = dict.fromkeys(points["model"].unique(maintain_order=True), "learner")
    return curves(points, x=SENTENCES, y=KNOWN, kinds=kinds, series="model")
