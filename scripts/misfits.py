"""How far the best possible learner's law and the learner's law are from what was measured, study by study.

    python scripts/misfits.py

Root mean squares in octaves over the published tables, printed as the table of docs/laws/learner-law.md. The learner's law has
the two numbers of the study learner-law; nothing is fitted to the other studies' runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from twopart.laws.knowledge import Facts, memory_law
from twopart.studies._transformers import NATS, SPEED, learners_law
from twopart.studies.knowledge import capacity_law, data_law
from twopart.worlds import Excerpt

RESULTS = Path(__file__).parents[1] / "docs" / "results"
IDEAL, LEARNER = "law", "learner's law"
Row = tuple[str, str, float, float]


def table(study: str, name: str) -> pl.DataFrame:
    return pl.read_parquet(RESULTS / study / "tables" / f"{name}.parquet")


def octaves(measured: pl.Series, predicted: pl.Series) -> float:
    """Root mean square of log2(measured / predicted), where both are above 0."""
    a, b = measured.to_numpy().astype(float), predicted.to_numpy().astype(float)
    seen = (a > 0) & (b > 0)
    return float(np.sqrt(np.mean(np.log2(a[seen] / b[seen]) ** 2)))


def by_series(frame: pl.DataFrame, measured: str, ideal: str, keys: list[str], value: str) -> tuple[float, float]:
    """Misfits of both laws where all three series of a table stand side by side."""
    wide = frame.pivot("series", index=keys, values=value, aggregate_function="mean").drop_nulls()
    return octaves(wide[measured], wide[ideal]), octaves(wide[measured], wide[LEARNER])


def exposures() -> Iterator[Row]:
    """Bits of values over the last tenfold of a transformer's run, in worlds of three discounts."""
    config = data_law.PRESETS["small"]
    curves = table("data-law", "curves").filter(kind="symbols", role="value")
    wide = curves.pivot("series", index=["world", "sentences"], values="bits")
    late = wide.filter(pl.col("sentences") > config.sentences / 10)
    learner = []
    for reading in (work.case for work in data_law.cells(config, 0) if isinstance(work.case, data_law.Reading)):
        if reading.kind == "symbols":
            n = late.filter(world=str(reading))["sentences"].to_numpy()
            params = reading.shape.reading(reading.world()).parameters
            learner.append(learners_law(reading.training, reading.world(), n, params, reading.shape.width, None).value)
    both = (
        octaves(late["transformer"], late["law, exact"]),
        octaves(late["transformer"], pl.Series(np.concatenate(learner))),
    )
    yield "data-law", "bits of values, last tenfold", *both


def capacity() -> Iterator[Row]:
    """Bits of values of models trained to convergence on tempered frequencies, asked by the true ones; d = 0.5."""
    models = table("capacity-law", "models").filter(world="d = 0.5")
    works = (work.case for work in capacity_law.cells(capacity_law.PRESETS["small"], 0))
    cases = {work.width: work for work in works if not work.halved and work.discount == 0.5}
    learner = []
    for model in models.iter_rows(named=True):
        case = cases[model["width"]]
        excerpt = Excerpt(case.world(model["replicate"]), case.lesson.entities)
        drawn = excerpt.weights**case.lesson.temper
        asked = np.outer(excerpt.world.pi, drawn / drawn.sum())
        facts = Facts(asked.ravel(), np.ones(asked.size), excerpt.world.attributes[0].values)
        limit = SPEED * model["width"] * float(case.training.steps(model["sentences"]))
        law = memory_law(facts, model["sentences"], model["parameters"], nats=NATS, limit=limit)
        learner.append(float(np.sum(law.bits(asked) * np.outer(excerpt.world.pi, excerpt.weights))))
    both = octaves(models["value"], models["value, law"]), octaves(models["value"], pl.Series(learner))
    yield "capacity-law, d = 0.5", "bits of values, converged", *both


def shown() -> Iterator[Row]:
    """Studies whose tables have both laws beside what was measured."""
    surface = by_series(table("joint-law", "surface"), "transformer", IDEAL, ["parameters", "sentences"], "redundancy")
    yield "joint-law", "redundancy (the best learner's law with two numbers fitted here)", *surface
    thresholds = table("acquisition", "thresholds")
    frequencies = by_series(thresholds, "transformers", "T/n", ["model", "sentences"], "frequency")
    yield "acquisition", "frequency of facts just known (the best learner's with T fitted here)", *frequencies
    for kind in ("best", "sampled"):
        rates = table("hallucination", "rates").filter(pl.col("answers").str.contains(kind))
        wrong = by_series(rates, "measured", IDEAL, ["moment", "parameters"], "wrong")
        yield "hallucination", f"share of wrong answers, {kind}", *wrong
    for kind in ("old facts kept", "new facts known"):
        replay = table("fine-tuning", "replay").filter(facts=kind)
        known = by_series(replay, "transformer", IDEAL, ["model", "replay"], "known")
        yield "fine-tuning", f"share of {kind}, by replay", *known


if __name__ == "__main__":
    print("| study | what | the best possible learner's law | the learner's law |\n|---|---|---|---|")
    for study, what, ideal, learner in (*exposures(), *capacity(), *shown()):
        print(f"| {study} | {what} | {ideal:.2f} | {learner:.2f} |")
