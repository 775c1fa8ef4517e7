"""The figures of the hallucination study."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from twopart.findings import Chart
from twopart.report.charts import Axis, Kind, curves
from twopart.studies.hallucination import tables
from twopart.studies.hallucination.evidence import Evidence

RATES_CAPTION = (
    "Share of questions answered wrongly against size. Measured: mean over replicates with lowest and highest. Law: the best "
    "model of so many bits, T and bits per parameter from the held-out redundancy, not from answers. Bound: the Good-Turing "
    "missing mass of facts, times the probability that the best guess is wrong; no learner passes it."
)
RISK_CAPTION = (
    "Share of wrong best guesses if only part of the questions is answered, the surest first, at the end. Law: right about "
    "what is known, and for the rest the most probable value."
)
RELIABILITY_CAPTION = (
    "How often the best guess is right against how confident it is, at the end, in 15 bins of confidence. On the line it is "
    "calibrated; below it is over-confident."
)
FREQUENCY_CAPTION = (
    "Share of wrong best guesses, and doubt (one less confidence), by how rare the fact is, at the end. Law: nothing wrong "
    "above the threshold, guesses from the base distribution below."
)
UNSEEN_CAPTION = (
    "What is answered about facts that nobody told, at the end: how often each place in the base distribution was drawn, "
    "with the standard error that draws from the base distribution have."
)

PARAMETERS = Axis("parameters", "parameters")
POINTS = 40
WAYS = ("sampled", "best")


def figures(evidence: Evidence) -> Iterator[Chart]:
    """The charts, the main one first."""
    yield Chart("hallucination", "How often a model is wrong", _rates(evidence), RATES_CAPTION)
    yield Chart("risk", "Abstaining: risk against coverage", _risk(evidence), RISK_CAPTION)
    yield Chart("reliability", "Confidence and accuracy", _reliability(evidence), RELIABILITY_CAPTION)
    yield Chart("frequency", "Wrong, and in doubt, by how rare a fact is", _frequency(evidence), FREQUENCY_CAPTION)
    if any(len(world.answers(0, -1).never_told) for world in evidence.worlds):
        yield Chart("unseen", "Answers about facts never told", _unseen(evidence), UNSEEN_CAPTION)


def _rates(evidence: Evidence) -> dict[str, object]:
    """Panels: the two ways to answer and the two moments."""
    measured = tables.rates(evidence).select(
        pl.concat_str(pl.col("sentences").map_elements("{:,}".format, pl.String), pl.lit(" sentences")).alias("moment"),
        "answers",
        pl.lit("measured").alias("series"),
        pl.col("parameters").cast(pl.Float64),
        "wrong",
        "low",
        "high",
    )
    law = [_law(evidence, way, moment) for way in WAYS for moment in range(len(evidence.moments))]
    points = pl.concat([measured, *law], how="diagonal")
    kinds: dict[str, Kind] = {"law": "theory", "Good-Turing bound": "asymptote", "measured": "learner"}
    present = {s: kind for s, kind in kinds.items() if s in points["series"]}
    y = Axis("wrong", "wrong answers", "share of questions", domain=(float(evidence.bound.min()) * 0.7, 1.0))
    return curves(points, x=PARAMETERS, y=y, kinds=present, band=("low", "high"), columns="moment", rows="answers")


def _law(evidence: Evidence, way: str, moment: int) -> pl.DataFrame:
    """The law and the bound over sizes between the narrowest and the widest."""
    size = np.geomspace(evidence.parameters[0], evidence.parameters[-1], POINTS)
    rows = {"Good-Turing bound": np.full(POINTS, evidence.bound[:, moment].mean())}
    if all(world.predictable for world in evidence.worlds):
        laws = [world.law(size, moment) for world in evidence.worlds]
        wrong = [law.wrong_sampled if way == "sampled" else law.wrong_best for law in laws]
        rows["law"] = np.mean(wrong, axis=0)
    panel = {"moment": f"{evidence.moments[moment]:,} sentences", "answers": way}
    return pl.concat(
        pl.DataFrame({"parameters": size, "wrong": wrong}).with_columns(series=pl.lit(name), **_words(panel))
        for name, wrong in rows.items()
    )


def _words(columns: dict[str, str]) -> dict[str, pl.Expr]:
    return {name: pl.lit(word) for name, word in columns.items()}


def _risk(evidence: Evidence) -> dict[str, object]:
    """Panels: sizes."""
    coverage = np.linspace(0.02, 1, 50)
    frames = []
    for size, label in enumerate(evidence.labels):
        risks = np.array([world.answers(size, -1).risk(coverage) for world in evidence.worlds])
        ends = {"low": risks.min(0), "high": risks.max(0)}
        frames.append(_curve(label, "measured", coverage, risks.mean(0)).with_columns(**_series(ends)))
        if all(world.predictable for world in evidence.worlds):
            law = np.mean([world.laws[-1].risk(coverage)[size] for world in evidence.worlds], axis=0)
            frames.append(_curve(label, "law", coverage, law))
    points = pl.concat(frames, how="diagonal")
    kinds: dict[str, Kind] = {"law": "theory", "measured": "learner"}
    x = Axis("coverage", "share of questions answered", log=False, domain=(0.0, 1.0))
    y = Axis("risk", "wrong answers", "share of those given", log=False)
    present = {s: kind for s, kind in kinds.items() if s in points["series"]}
    return curves(points, x=x, y=y, kinds=present, band=("low", "high"), columns="panel")


def _curve(
    panel: str, series: str, coverage: np.ndarray[tuple[int], np.dtype[np.float64]], risk: object
) -> pl.DataFrame:
    size = len(coverage)
    return pl.DataFrame({"panel": [panel] * size, "series": [series] * size, "coverage": coverage, "risk": risk})


def _series(columns: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]) -> dict[str, pl.Series]:
    return {name: pl.Series(name, values) for name, values in columns.items()}


def _reliability(evidence: Evidence) -> dict[str, object]:
    measured = tables.reliability(evidence).rename({"model": "series"})
    line = pl.DataFrame({"series": ["calibrated"] * 2, "confidence": [0.0, 1.0], "right": [0.0, 1.0]})
    kinds: dict[str, Kind] = {"calibrated": "theory"}
    kinds |= dict.fromkeys(evidence.labels, "learner")
    x = Axis("confidence", "confidence in the best guess", log=False, domain=(0.0, 1.0))
    y = Axis("right", "best guess right", "share of questions", log=False, domain=(0.0, 1.0))
    return curves(pl.concat([line, measured], how="diagonal"), x=x, y=y, kinds=kinds)


def _frequency(evidence: Evidence) -> dict[str, object]:
    """Panels: sizes; bins with at least 30 questions."""
    table = tables.by_frequency(evidence).filter(pl.col("questions") >= 30)
    columns = {"law": pl.col("law, best"), "wrong": pl.col("wrong, best"), "doubt": 1 - pl.col("confidence")}
    kinds: dict[str, Kind] = {"law": "theory", "wrong": "learner", "doubt": "learner"}
    middle = (pl.col("low") * (pl.col("high") - 1)).sqrt().alias("rarity")
    points = pl.concat(
        table.select("model", middle, pl.lit(name).alias("series"), column.alias("share"))
        for name, column in columns.items()
    )
    x, y = (
        Axis("rarity", "rarity of the fact, 1/(p π)"),
        Axis("share", "share of questions", log=False, domain=(0.0, 1.0)),
    )
    present = {s: kind for s, kind in kinds.items() if points.filter(series=s)["share"].count()}
    return curves(points, x=x, y=y, kinds=present, columns="model")


def _unseen(evidence: Evidence) -> dict[str, object]:
    """Panels: the narrowest and the widest."""
    table = tables.unseen(evidence).filter(pl.col("facts") > 0)
    low, high = pl.col("drawn") - pl.col("drawn_error"), pl.col("drawn") + pl.col("drawn_error")
    empty = pl.lit(None, pl.Float64)
    series = [
        ("base distribution", "base", empty, empty),
        ("drawn", "drawn", low, high),
        ("best guess", "guessed", empty, empty),
    ]
    points = pl.concat(
        table.select(
            "model",
            "place",
            pl.lit(name).alias("series"),
            pl.col(column).alias("share"),
            a.alias("low"),
            b.alias("high"),
        )
        for name, column, a, b in series
    )
    kinds: dict[str, Kind] = {"base distribution": "theory", "drawn": "simulation", "best guess": "learner"}
    x, y = Axis("place", "place of the value in the base distribution"), Axis("share", "share of answers")
    return curves(points, x=x, y=y, kinds=kinds, band=("low", "high"), columns="model")
