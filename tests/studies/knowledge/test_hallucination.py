"""The hallucination study: judges on answers of known verdict, tables and a cell against plain loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows
from twopart.laws import hallucination_law
from twopart.studies.knowledge import hallucination as study
from twopart.worlds import Biographies, known_entities

CONFIG = study.Config(
    widths=(8, 16, 32), sentences=40_000, questions=40_000, seeds=2, people=Biographies(values=32, templates=2)
)
PARAMETERS, BITS, EXPOSURES = (200, 2000, 20_000), 0.4, 8.0
LEARNERS = [work.case for work in study.cells(CONFIG, 1)]
RIGHT = {"guessed": pl.col("truth"), "correct": pl.lit(1.0)}


def planted(replicate: int) -> list[pl.DataFrame]:
    """A table for each size of learners who do as the law says: they hold `BITS` bits per parameter and need `EXPOSURES`
    exposures. What they do not know they answer from the base distribution."""
    sample = LEARNERS[0].sample
    world = sample.world(replicate)
    corpus, asked = world.sample(sample.sentences), world.sample(sample.questions, stream=1).facts()
    moments, bits = np.array(sample.moments)[:, None], BITS * np.array(PARAMETERS)
    law = hallucination_law(world, moments, bits, known_entities(corpus), EXPOSURES)
    chances = law.known(asked["frequency"].to_numpy())
    base = np.sort(world.attributes[0].value_probabilities())[::-1]
    bases = np.array([a.value_probabilities() for a in world.attributes])[asked["attribute"].to_numpy()]
    truth = world.value(asked["entity"], asked["attribute"])
    place = (bases > bases[np.arange(len(truth)), truth][:, None]).sum(1)
    random = np.random.default_rng(replicate)
    luck = (
        np.argsort(np.argsort(asked["frequency"])) * (5**0.5 - 1) / 2 % 1
    )  # evenly spread among facts alike in frequency
    tables = []
    for m, n in enumerate(sample.moments):
        counts = corpus[:n].facts().select("entity", "attribute", "told")
        told = asked.rename({"told": "asked"}).join(
            counts, on=["entity", "attribute"], how="left", maintain_order="left"
        )
        told = told.with_columns(pl.col("told").fill_null(0), sentences=pl.lit(n), truth=place, replicate=replicate)
        for s, parameters in enumerate(PARAMETERS):
            known = (luck < chances[m, s]) & (told["told"].to_numpy() > 0)
            drawn = random.choice(len(base), len(asked), p=base)
            columns = {
                "known": known,
                "correct": np.where(known, 1.0, base[place]),
                "confidence": np.where(known, 1.0, base[0]),
                "guessed": np.where(known, place, 0),
                "sampled": np.where(known, place, drawn),
            }
            same = {"redundancy": pl.lit(float(law.joint.value[m, s])), "parameters": pl.lit(parameters)}
            tables.append(told.with_columns(**columns, **same))
    return [pl.concat(tables[s :: len(PARAMETERS)]) for s in range(len(PARAMETERS))]


FRAMES = [pl.concat(frames) for frames in zip(planted(0), planted(1), strict=True)]


def found(frames: Sequence[pl.DataFrame] = FRAMES, columns: Mapping[str, Any] = {}) -> Found:
    """Those frames, or the lawful ones, with other columns."""
    parts = [Rows(case, frame.with_columns(**columns)) for case, frame in zip(LEARNERS, frames, strict=True)]
    return Found(CONFIG, tuple(parts))


def verdicts(judge: Callable[..., Any], of: Found) -> list[str]:
    return [judge(model).verdict for model in study.evidence_of(of).models]


LAWFUL = found()


def test_both_numbers_are_recovered_from_redundancy() -> None:
    for world in study.evidence_of(LAWFUL).worlds:
        assert world.exposures == pytest.approx(EXPOSURES, rel=0.05)
        assert world.bits_per_parameter == pytest.approx(BITS, rel=0.05)


def test_lawful_answers_hold() -> None:
    every_claim = list(study.claims(LAWFUL))
    judged = [claim for claim in every_claim if claim.source != study.LEARNER]
    assert (len(judged), len(every_claim)) == (3 + 2 + 1 + 2 * 5, 16 + 2 + 2 * 3)
    assert {claim.statement: claim.measured for claim in judged if claim.verdict != "holds"} == {}
    assert "T = 8" in study.summary(LAWFUL)


def test_answers_led_astray_fail() -> None:
    """Answers from another distribution, too sure of it, and a redundancy that tells too little."""
    random, unknown = np.random.default_rng(1), ~pl.col("known")
    flat = pl.Series(random.integers(0, 32, len(FRAMES[0])))
    columns = {
        "guessed": pl.when(unknown).then(flat).otherwise("guessed"),
        "sampled": pl.when(unknown).then(flat).otherwise("sampled"),
        "confidence": pl.when(unknown).then(pl.col("confidence") + 0.7).otherwise("confidence"),
        "redundancy": pl.col("redundancy") / 2,
    }
    astray = found(columns=columns)
    judges = study.drawn_from_base, study.guesses_the_mode, study.doubts_what_it_was_not_told, study.calibrated
    assert [verdicts(judge, astray)[0] for judge in judges] == ["fails"] * 4
    assert [study.rate_predicted(study.evidence_of(astray), way).verdict for way in study.WAYS] == ["fails"] * 2


def test_who_answers_strangers_as_a_crowded_memory_is_no_best_learner() -> None:
    """Answers about facts never told that are drawn from the learner's law, with its confidence."""
    model, random, never = study.evidence_of(LAWFUL).models[0], np.random.default_rng(2), pl.col("told") == 0
    size, (drawn, best) = len(FRAMES[0]), model.strangers
    sure = float(np.mean([world.learner.stranger_confidence[0, -1] for world in model.evidence.worlds]))
    said = {name: pl.Series(random.choice(32, size, p=p)) for name, p in (("sampled", drawn), ("guessed", best))}
    columns = {
        name: pl.when(never).then(x).otherwise(name) for name, x in (said | {"confidence": pl.lit(sure)}).items()
    }
    crowded = study.evidence_of(found(columns=columns)).models[0]
    for judge in (study.guesses_the_mode, study.doubts_what_it_was_not_told):
        assert [judge(crowded, law).verdict for law in (study.IDEAL, study.OWN)] == ["fails", "holds"]
    ideal, own = (study.drawn_from_base(crowded, law) for law in (study.IDEAL, study.OWN))
    assert own.verdict == "holds"
    assert own.measured < ideal.measured


def test_wrong_answers_are_counted_as_the_learners_law_has_them() -> None:
    """Rates 0.85 times as large hold within a factor of 1.25, 1.4 times as large do not."""
    evidence = study.evidence_of(LAWFUL)
    law = evidence.predicted("best", study.OWN)
    assert law.shape == (2, 3, 2)
    assert (np.diff(law, axis=2) < 0).all()
    for factor, verdict in ((0.85, "holds"), (1.4, "fails")):
        own = study.Evidence(evidence.sizes)
        own.__dict__.update(worlds=evidence.worlds, wrong={"best": factor * law})
        assert study.rate_predicted(own, "best", study.OWN).verdict == verdict


def test_wrong_answers_given_with_confidence_are_not_avoided() -> None:
    assert verdicts(study.doubt_avoids_error, found(columns={"confidence": 1 - pl.col("correct")}))[0] == "fails"


def test_smaller_that_know_more_fail() -> None:
    assert study.larger_hallucinate_less(study.evidence_of(found(FRAMES[::-1]))).verdict == "fails"


def test_who_knows_what_nobody_told_is_caught() -> None:
    assert verdicts(study.not_below_missing_mass, found(columns=RIGHT)) == ["fails"] * 3


def test_without_a_prediction_nothing_is_judged() -> None:
    """A redundancy above what the law starts with gives no T."""
    lost = found(columns={"redundancy": pl.lit(99.0)})
    evidence = study.evidence_of(lost)
    assert study.rate_predicted(evidence, "sampled").verdict == "inconclusive"
    assert study.larger_hallucinate_less(evidence).predicted is None
    assert verdicts(study.doubt_avoids_error, lost) == ["inconclusive"] * 3
    assert "nothing is predicted" in study.summary(lost)
    for table in study.tables(lost):
        assert study.IDEAL not in (table.frame["series"] if "series" in table.frame.columns else [])


def test_few_facts_are_not_enough() -> None:
    few = found([frame.filter((pl.col("told") > 0) | (pl.int_range(pl.len()) < 50)) for frame in FRAMES])
    for judge in (study.drawn_from_base, study.guesses_the_mode, study.doubts_what_it_was_not_told):
        assert verdicts(judge, few) == ["inconclusive"] * 3


def test_rates_are_the_laws_and_each_replicate_counts_once() -> None:
    rates = study.rates(study.evidence_of(LAWFUL))
    measured, law = (rates.filter(series=series) for series in ("measured", "law"))
    both = measured.join(law, on=["moment", "answers", "parameters"])
    assert len(both) == len(measured) == 2 * 2 * 3
    assert (both["wrong"] - both["wrong_right"]).abs().max() < 0.05  # type: ignore[operator]
    end = FRAMES[1].filter(sentences=40_000)
    wrong = [
        sum(row["asked"] * (row["guessed"] != row["truth"]) for row in each.iter_rows(named=True)) / each["asked"].sum()
        for each in end.partition_by("replicate")
    ]
    row = measured.filter(answers="best", moment="40,000 sentences", parameters=2000).row(0, named=True)
    assert (row["wrong"], row["low"], row["high"]) == pytest.approx((np.mean(wrong), min(wrong), max(wrong)))


def test_frequencies_against_a_plain_loop() -> None:
    model = study.evidence_of(LAWFUL).models[2]
    table = study.by_frequency(model)
    edges = sorted({*table["from"], *table["below"]})
    end = FRAMES[2].filter(sentences=40_000)
    doubts: dict[int, list[float]] = {}
    for row in end.iter_rows(named=True):
        low = next(a for a, b in pairwise(edges) if a <= min(int(1 / row["frequency"]), study.RAREST - 1) < b)
        doubts.setdefault(low, []).extend([1 - row["confidence"]] * row["asked"])
    doubt = table.filter(series="doubt").sort("from")
    assert doubt["questions"].to_list() == [len(doubts[low]) for low in sorted(doubts)]
    assert doubt["share"].to_list() == pytest.approx([np.mean(doubts[low]) for low in sorted(doubts)])
    common = table.filter(pl.col("questions") > 1000)
    law, wrong = (common.filter(series=series)["share"] for series in ("law", "wrong, best"))
    assert (law - wrong).abs().max() < 0.1  # type: ignore[operator]


def test_a_cell_asks_what_a_sample_tells() -> None:
    from twopart.learners import Transformer
    from twopart.studies._transformers import Shape
    from twopart.studies.knowledge import hallucination_cells as cells

    world = LEARNERS[0].sample.world(3)
    sample, read = world.sample(800, stream=1), world.sample(1000)
    asked = sample.facts()
    assert asked["told"].sum() == 800
    model = Transformer(Shape(width=4).reading(world), seed=0)
    table = cells.answered(model, read, asked, np.random.default_rng(0))
    for i in (0, 7, len(asked) - 1):
        entity, attribute = asked["entity"][i], asked["attribute"][i]
        one = sample.entity == entity
        assert asked["frequency"][i] == sample.probability[one][0] * world.pi[attribute]
        assert table["asked"][i] == (one & (sample.attribute == attribute)).sum()
        assert table["told"][i] == ((read.entity == entity) & (read.attribute == attribute)).sum()
        base = world.attributes[attribute].value_probabilities()
        assert table["truth"][i] == (base > base[int(world.value(entity, attribute))]).sum()


def test_attributes_have_the_same_shares_in_other_orders() -> None:
    bases = [a.value_probabilities() for a in LEARNERS[0].sample.world(0).attributes]
    assert len({int(base.argmax()) for base in bases}) == len(bases)
    for base in bases:
        assert np.sort(base) == pytest.approx(np.sort(bases[0]))
