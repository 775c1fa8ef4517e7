"""The acquisition study: judges on learners of known verdict, a table and a cell against plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found
from twopart.fits import sharpness_after
from twopart.laws import learner_law
from twopart.studies._transformers import NATS, SPEED
from twopart.studies.knowledge import acquisition as study
from twopart.worlds import known_entities

CONFIG = replace(study.PRESETS["small"], widths=(8, 64), population=400)
NARROW, WIDE, CONTROL = (work.case for work in study.cells(CONFIG, 0))
SNAPSHOTS = WIDE.snapshots


def learner(
    case: study.Learner, seed: int, exposures: float, room: float, shuffled: bool, spread: float
) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    ranks, attribute = np.repeat(np.arange(1, 401), 5), np.tile(np.arange(5), 400)
    weights = np.full(2000, 1 / 400) if case.population else 0.3 * ranks**-2.0
    frequency = weights * case.world(0).pi[attribute]
    learned = random.gamma(exposures, size=2000) / frequency
    learned *= np.exp(spread * random.standard_normal(2000))
    learned[frequency < room] = np.inf
    learned = random.permutation(learned) if shuffled else learned
    facts = [
        pl.DataFrame({"rank": ranks, "attribute": attribute, "frequency": frequency}).with_columns(
            kind=pl.lit("fact"),
            sentences=pl.lit(n),
            told=random.poisson(n * frequency),
            gained=np.where(n >= learned, 5.5, 0.0) + 0.2 * random.standard_normal(2000),
        )
        for n in SNAPSHOTS
    ]
    edges = np.array([1, 10, 100, 1000, 10_000, 100_000, 300_001])
    syntax, value = (
        bits * np.exp(-np.sqrt(edges[:-1] * edges[1:]) / n)
        for bits, n in ((12, 300), (6, 30_000 if case.population else 2000))
    )
    seen = pl.DataFrame({"low": edges[:-1], "high": edges[1:], "syntax": syntax, "value": value})
    return pl.concat([*facts, seen.with_columns(kind=pl.lit("seen"))], how="diagonal")


def runs(
    case: study.Learner,
    exposures: float = 7.0,
    *,
    room: float = 0.0,
    shuffled: bool = False,
    spread: float = 0.0,
) -> study.Runs:
    """Three learners who know a fact from its T-th exposure on, if it is at least as frequent as `room`.

    Exposures come as they do in a natural sample, at the times of a Poisson process; `spread` makes facts differ in ln T.
    """
    frames = [
        learner(case, seed, exposures, room, shuffled, spread).with_columns(replicate=seed, parameters=20_000)
        for seed in range(3)
    ]
    return study.Runs(case, pl.concat(frames), "acquire")


NATURAL, FULL, EQUAL = runs(WIDE), runs(NARROW, room=1.5e-3), runs(CONTROL, 30.0)
NOTHING = [runs(case, 1e9) for case in (NARROW, WIDE, CONTROL)]


def found(*parts: study.Runs) -> Found:
    return Found(CONFIG, parts)


def test_a_learner_of_t_exposures_is_recognised() -> None:
    judged = list(study.claims(found(FULL, NATURAL, EQUAL)))
    assert [claim.verdict for claim in judged] == ["holds"] * 9
    assert NATURAL.exposures == pytest.approx(7, rel=0.15)
    by_unit = {claim.unit: claim for claim in judged[:5]}
    assert by_unit["log-log slope"].measured == pytest.approx(-1, abs=0.1)
    sharp = by_unit["ratio of frequencies"]
    assert sharp.predicted == pytest.approx(sharpness_after(7), rel=0.15)
    assert sharp.measured == pytest.approx(sharpness_after(7), rel=0.4)
    assert judged[7].measured == pytest.approx(sharpness_after(30), rel=0.25)


def test_learning_in_any_order_fails() -> None:
    shuffled = runs(WIDE, shuffled=True)
    assert study.learned_in_order(shuffled).verdict == "fails"
    assert study.threshold_is_sharp(shuffled).verdict != "holds"


def test_a_full_model_is_told_from_one_with_room() -> None:
    assert study.threshold_falls(FULL).verdict == "fails"
    assert study.rank_predicted(FULL).verdict == "fails"
    assert study.larger_know_rarer(NATURAL, FULL).verdict == "fails"
    assert study.small_is_full(NATURAL, FULL).verdict == "fails"


def test_a_threshold_as_wide_as_the_bayes_codes_fails() -> None:
    assert study.threshold_is_sharp(runs(WIDE, 0.4)).verdict == "fails"


def test_knowledge_before_syntax_fails() -> None:
    swapped = NATURAL.frame.rename({"syntax": "value", "value": "syntax"})
    assert study.syntax_first(study.Runs(WIDE, swapped)).verdict == "fails"


def test_the_control_is_judged() -> None:
    assert study.control_at_once(NATURAL).verdict == "inconclusive", "some facts are never learned"
    assert study.control_at_once(runs(CONTROL, 6.0, spread=1.5)).verdict == "fails"
    assert study.control_late(NATURAL, EQUAL).verdict == "fails"


def test_nothing_learned_is_inconclusive() -> None:
    nothing = found(*NOTHING)
    for judge in (study.threshold_falls, study.rank_predicted, study.threshold_is_sharp, study.learned_in_order):
        assert judge(NOTHING[1]).verdict == "inconclusive"
    frames = {table.name: table.frame for table in study.tables(nothing)}
    assert set(frames["thresholds"]["series"]) == {"learner's law"}
    assert "predicted" not in frames
    assert "too little was learned" in study.summary(nothing)


def test_tables_against_plain_loops() -> None:
    facts = NATURAL.frame.filter(kind="fact", sentences=SNAPSHOTS[-3]).with_columns(known=pl.col("gained") > 3)
    row = study.known(NATURAL).filter(sentences=SNAPSHOTS[-3]).row(5, named=True)
    inside = facts.filter(pl.col("rank").is_between(row["low"], row["high"], closed="left"))
    assert row["known"] == pytest.approx(inside["known"].mean())
    assert row["gained"] == pytest.approx(inside["gained"].mean() / 6)  # type: ignore[operator]
    assert row["from"] < SNAPSHOTS[-3] < row["to"]
    told = study.by_told(NATURAL).filter(series=f"{SNAPSHOTS[-3]:,} sentences").row(4, named=True)
    expected = SNAPSHOTS[-3] * facts["frequency"]
    near = facts.filter((expected / told["told"]).log10().abs() <= 1 / (2 * study.TOLD_PER_DECADE))
    assert (told["known"], told["facts"]) == (pytest.approx(near["known"].mean()), len(near))


def test_the_learners_line_lies_where_half_of_the_facts_are_known_by_its_law() -> None:
    line, how = study.learners_threshold(NATURAL), WIDE.training
    shown = np.isfinite(line)  # at first no fact is known by law
    assert shown[len(line) // 2 :].all()
    assert (np.diff(line[shown]) < 0).all()
    own, size = {"nats": NATS, "speed": SPEED, "steps": how.steps}, (NATURAL.frame["parameters"][0], 64)
    told = [known_entities(WIDE.world(r).sample(WIDE.sentences)) for r in range(3)]
    laws = [learner_law(WIDE.world(r), SNAPSHOTS, *size, **own, entities=told[r]) for r in range(3)]
    known = np.mean([np.diagonal(law.known(np.where(shown, line, 0))) for law in laws], axis=0)
    assert known[shown] == pytest.approx(np.full(shown.sum(), 0.5), abs=0.05)


def test_the_predicted_line_lies_at_the_rank_told_t_times() -> None:
    """All attributes are spoken of unequally, so the mean rank is that of the geometric mean of the frequencies."""
    line = study.predicted_ranks(NATURAL, "width 64")
    frequency = NATURAL.exposures / line["sentences"].to_numpy()
    pi = np.exp(np.log(WIDE.world(0).pi).mean())
    assert line["rank"].to_numpy()[3:-3] == pytest.approx(np.sqrt(0.3 * pi / frequency)[3:-3], rel=0.05)


def test_questions_and_exposures_of_a_cell() -> None:
    """The facts asked are those of the most frequent entities, and `told` counts what a loop counts."""
    from twopart.learners import Transformer
    from twopart.studies._transformers import Shape
    from twopart.studies.knowledge import acquisition_cells as cells

    world = NARROW.world(3)
    corpus = world.sample(2000)
    facts = cells.questions(world, 50, 2**16)
    assert len(facts) == 250
    p = facts["frequency"].to_numpy() / world.pi[facts["attribute"].to_numpy()]
    seen = dict(zip(corpus.entity.tolist(), corpus.probability.tolist(), strict=True))
    assert {e for e, weight in seen.items() if weight > p.min() * 1.0001} <= set(facts["entity"].to_list())
    assert all(p[i] == pytest.approx(seen[e]) for i, e in enumerate(facts["entity"].to_list()) if e in seen)
    table = cells.answers(Transformer(Shape(width=4).reading(world), seed=0), corpus[:1500], facts)
    told = [
        int(((corpus.entity[:1500] == e) & (corpus.attribute[:1500] == a)).sum())
        for e, a in facts.select("entity", "attribute").iter_rows()
    ]
    assert table["told"].to_list() == told


def test_the_control_asks_for_equally_frequent_facts() -> None:
    from twopart.studies.knowledge.acquisition_cells import questions

    facts = questions(replace(CONTROL, population=10).world(3), 10, 2**14)
    assert facts["frequency"].to_numpy() == pytest.approx(1 / 50)
    assert sorted(set(facts["entity"].to_list())) == list(range(10))


def test_all_sizes_read_the_same_worlds() -> None:
    assert [NARROW.world(r) for r in range(3)] == [WIDE.world(r) for r in range(3)]
    assert len({WIDE.world(r) for r in range(3)} | {CONTROL.world(0)}) == 4
