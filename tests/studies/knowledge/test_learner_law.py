"""The learner-law study: every claim on rows that keep to the law and on rows that do not, and a cell against a slow exam."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twopart.lab import Cell
from twopart.learners.knowledge import fact_ids
from twopart.studies._transformers import NATS, SPEED
from twopart.studies.knowledge import learner_law as study
from twopart.studies.knowledge.learner_law_cells import exam, learn_facts, taught

CONFIG = replace(
    study.PRESETS["tiny"], discounts=(0.5, 0.7), least=2000, taught=4000, sentences=4000, widths=(4, 16, 64)
)
CASES = [work.case for work in study.cells(CONFIG, 5)]


def arm(case, by=lambda runs, law: law.value, scale=1.0):
    """Rows of two replicates on the law, value bits times `scale`, which may be one for each size."""
    sizes = (
        {width: width * 64 for width in case.widths} if case.learner != "transformer" else {4: 836, 16: 5648, 64: 59456}
    )
    cells = [(width, P, n) for width, P in sizes.items() for n in case.moments]
    columns = dict(zip(("width", "params", "sentences"), np.array(cells).T, strict=True))
    frames = [pl.DataFrame({**columns, "replicate": r, "value": 1.0}) for r in range(2)]
    bare = study.Arm(case, pl.concat(frames))
    parts = []
    for frame, runs in zip(frames, bare.runs, strict=True):
        law = runs.law(0.25, 8.0)
        if case.learner == "sgd":
            law = study.memory_law(runs.facts, runs.sentences, runs.params, nats=case.training.learning_rate)
        noisy = np.exp(0.01 * np.random.default_rng(1).standard_normal(len(cells)))
        told = {"value": law.value * scale * noisy, "half": law.half() * scale, "noise": law.noise * scale}
        parts.append(frame.with_columns(**{name: pl.Series(values) for name, values in told.items()}))
    return study.Arm(case, pl.concat(parts))


def case_of(learner, **where):
    return next(c for c in CASES if c.learner == learner and all(getattr(c.place, k) == v for k, v in where.items()))


def test_memories_are_judged():
    case = case_of("sgd")
    right, wrong = arm(case), arm(case, scale=1.3)
    for judged in (study.memory_is_solved, study.strangers_of_memories):
        assert [judged(right).verdict, judged(wrong).verdict] == ["holds", "fails"]
    assert study.memory_is_solved(wrong).measured == pytest.approx(np.log2(1.3), abs=0.03)


def test_transformers_are_judged():
    first, other = case_of("transformer", discount=0.5, zipf=False), case_of("transformer", discount=0.7)
    bent = np.repeat([1.0, 1.0, 3.0], len(first.moments))  # larger models pay three times as much
    right, wrong = arm(first), arm(first, scale=bent)
    for judged in (study.left_out, study.thresholds):
        assert [judged(right).verdict, judged(wrong).verdict] == ["holds", "fails"], judged
    assert study.two_numbers(right).verdict == "holds"
    assert right.numbers == (pytest.approx(0.25, rel=0.1), pytest.approx(8.0, rel=0.3))
    late = replace(other, moments=(59_000, 64_000, 70_000))
    assert [study.transfer(arm(late, scale=scale), right).verdict for scale in (1.0, 2.0)] == ["holds", "fails"]
    early = arm(late, scale=np.tile([9.0, 1.0, 1.0], 3))
    assert study.transfer(early, right).verdict == "holds", "the start is not judged"


def test_two_numbers_can_fail():
    case = case_of("adam")
    zigzag = np.tile([1.0, 3.0, 1.0], len(case.widths))
    assert [study.two_numbers(arm(case)).verdict, study.two_numbers(arm(case, scale=zigzag)).verdict] == [
        "holds",
        "fails",
    ]


def test_an_exam_asks_for_every_fact(tmp_path):
    case = replace(case_of("sgd"), widths=(16,), moments=(500, 1000))
    world = case.world(0)
    corpus = world.sample(1000)
    _, models = taught(case, corpus, 16, Cell(tmp_path, seed=2))
    found, memory, facts = exam(models[1000], corpus), models[1000], corpus.facts()
    total = 0.0
    for entity, attribute, q in facts.select("entity", "attribute", "frequency").iter_rows():
        logits = memory.logits(fact_ids([entity], [attribute]))[0].astype(float)
        total += q * (np.log2(np.exp(logits).sum()) - logits[world.value(entity, attribute)] / np.log(2))
    rest = 1 - facts["frequency"].sum()
    assert found["value"] == pytest.approx(total + rest * found["stranger"], rel=1e-5)
    assert found["noise"] == memory.noise
    rows = learn_facts(case, Cell(tmp_path, seed=2))
    assert rows["value"].to_list()[1] == pytest.approx(found["value"])
    assert rows["params"].to_list() == [16 * 64] * 2


def test_other_studies_predict_with_the_published_numbers():
    numbers = pl.read_parquet(Path(__file__).parents[3] / "docs/results/learner-law/tables/numbers.parquet")
    row = numbers.filter(pl.col("arm").str.starts_with("transformers, d = 0.5, rate 0.01"), noise=0.0).row(
        0, named=True
    )
    assert pytest.approx((row["nats"], row["speed"]), abs=5e-4) == (NATS, SPEED)
