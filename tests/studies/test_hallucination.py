"""The hallucination study: its statistics against plain loops, its judges on answers of known verdict, real runs killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.studies.resuming import ends_as_undisturbed
from twopart.cli import main
from twopart.laws import hallucination_law
from twopart.studies.hallucination import PRESETS, Config, cells, charts, claims, plan, study, tables
from twopart.studies.hallucination.answers import BINS, Answers
from twopart.studies.hallucination.evidence import Evidence, World
from twopart.worlds import known_entities

CONFIG = replace(PRESETS["small"], sentences=40_000, questions=40_000)
PARAMETERS, BITS, EXPOSURES = (1000, 4000, 20_000), 0.5, 6.0
LABELS = tuple(f"{parameters} parameters" for parameters in PARAMETERS)
LAST = len(PARAMETERS) - 1


def replicate(seed: int, *, sure: float = 0.0, flat: bool = False, knows: float = 1.0) -> World:
    """A world whose learners do as the law says: they hold `BITS` bits per parameter and need `EXPOSURES` exposures.

    What they do not know they answer from the base distribution, or a `flat` one; `sure` moves their confidence up; `knows`
    scales what their redundancy says, not their answers.
    """
    world = CONFIG.world(seed)
    corpus = world.sample(CONFIG.sentences)
    entities = known_entities(corpus)
    facts = cells.questions(world.sample(CONFIG.questions, stream=1))
    base = np.sort(world.attributes[0].value_probabilities())[::-1]
    place = cells.places(world)[facts["attribute"].to_numpy(), world.value(facts["entity"], facts["attribute"])]
    random = np.random.default_rng(seed)
    luck = random.random(len(facts))

    def table(parameters: int, n: int) -> pl.DataFrame:
        law = hallucination_law(world, n, BITS * parameters, entities, EXPOSURES)
        known = luck < law.known(facts["frequency"].to_numpy())
        told = facts.join(cells.told_counts(corpus[:n]), on=["entity", "attribute"], how="left", maintain_order="left")
        known &= told["told"].fill_null(0).to_numpy() > 0
        answers = np.full(len(base), 1 / len(base)) if flat else base
        drawn = random.choice(len(base), len(facts), p=answers)
        return facts.select(
            pl.lit(n, pl.Int64).alias("sentences"),
            "attribute",
            "frequency",
            told["told"].fill_null(0),
            "asked",
            pl.Series("correct", np.where(known, 1.0, answers[place])),
            pl.Series("confidence", np.where(known, 1.0, base[0] + sure)),
            pl.Series("guessed", np.where(known, place, drawn if flat else 0)),
            pl.Series("sampled", np.where(known, place, drawn)),
            pl.Series("truth", place),
            pl.lit(float(law.joint.value) * knows).alias("redundancy"),
        )

    moments = CONFIG.moments
    each = tuple(pl.concat([table(parameters, n) for n in moments]) for parameters in PARAMETERS)
    return World(world, moments, PARAMETERS, each)


def evidence(**how: object) -> Evidence:
    return Evidence(LABELS, tuple(replicate(seed, **how) for seed in (5, 6)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def lawful() -> Evidence:
    return evidence()


@pytest.fixture(scope="module")
def astray() -> Evidence:
    """Learners who answer from another distribution, too sure of it, and whose redundancy tells too little."""
    return evidence(sure=0.5, flat=True, knows=0.5)


def test_both_numbers_are_recovered_from_redundancy(lawful: Evidence) -> None:
    """The widest, with 10 kbit, has nearly all the room it can use, so T comes out a little high."""
    for world in lawful.worlds:
        assert world.exposures == pytest.approx(EXPOSURES, rel=0.05)
        assert world.bits_per_parameter == pytest.approx(BITS, rel=0.05)


def test_lawful_answers_hold(lawful: Evidence) -> None:
    judged = [claims.not_below_missing_mass(lawful, size) for size in range(len(LABELS))]
    judged += [claims.rate_predicted(lawful, way) for way in ("sampled", "best")]
    judged += [claims.larger_hallucinate_less(lawful)]
    for size in (0, LAST):
        judged += [claims.drawn_from_base(lawful, size), claims.guesses_the_mode(lawful, size)]
        judged += [claims.doubts_what_it_was_not_told(lawful, size), claims.calibrated(lawful, size)]
        judged += [claims.doubt_avoids_error(lawful, size)]
    assert {claim.statement: claim.verdict for claim in judged if claim.verdict != "holds"} == {}


@pytest.mark.parametrize(
    "judge",
    [
        claims.drawn_from_base,
        claims.guesses_the_mode,
        claims.doubts_what_it_was_not_told,
        claims.calibrated,
    ],
)
def test_answers_led_astray_fail(astray: Evidence, judge: object) -> None:
    assert judge(astray, 0).verdict == "fails"  # type: ignore[operator]


def test_rates_that_redundancy_does_not_foretell_fail(astray: Evidence) -> None:
    assert claims.rate_predicted(astray, "best").verdict == "fails"


def test_wrong_answers_given_with_confidence_are_not_avoided(lawful: Evidence) -> None:
    """Unknown facts answered as surely as known ones."""
    worlds = tuple(
        replace(world, tables=tuple(t.with_columns(confidence=1 - pl.col("correct")) for t in world.tables))
        for world in lawful.worlds
    )
    assert claims.doubt_avoids_error(replace(lawful, worlds=worlds), 0).verdict == "fails"


def test_smaller_that_know_more_fail(lawful: Evidence) -> None:
    worlds = tuple(replace(world, tables=world.tables[::-1]) for world in lawful.worlds)
    assert claims.larger_hallucinate_less(replace(lawful, worlds=worlds)).verdict == "fails"


def test_who_knows_what_nobody_told_is_caught(lawful: Evidence) -> None:
    right = [pl.col("truth").alias("guessed"), pl.lit(1.0).alias("correct")]
    worlds = tuple(replace(w, tables=tuple(t.with_columns(*right) for t in w.tables)) for w in lawful.worlds)
    assert claims.not_below_missing_mass(replace(lawful, worlds=worlds), 0).verdict == "fails"


def test_without_a_prediction_nothing_is_judged(lawful: Evidence) -> None:
    """A redundancy above what the law starts with gives no T."""
    worlds = tuple(
        replace(w, tables=tuple(t.with_columns(redundancy=pl.lit(99.0)) for t in w.tables)) for w in lawful.worlds
    )
    lost = replace(lawful, worlds=worlds)
    assert claims.rate_predicted(lost, "sampled").verdict == "inconclusive"
    assert claims.doubt_avoids_error(lost, 0).verdict == "inconclusive"
    assert claims.larger_hallucinate_less(lost).predicted is None
    assert "nothing is predicted" in study._findings(lost).summary


def test_few_facts_are_not_enough(lawful: Evidence) -> None:
    few = tuple(
        replace(w, tables=tuple(t.filter((pl.col("told") > 0) | (pl.int_range(pl.len()) < 50)) for t in w.tables))
        for w in lawful.worlds
    )
    for judge in (claims.drawn_from_base, claims.guesses_the_mode, claims.doubts_what_it_was_not_told):
        assert judge(replace(lawful, worlds=few), 0).verdict == "inconclusive"


def test_the_g_test_raises_no_false_alarms() -> None:
    """Under the base distribution its probability is uniform: the mean of 400 of them is 1/2 within 5 standard errors."""
    base = np.sort(CONFIG.world(0).attributes[0].value_probabilities())[::-1]
    random = np.random.default_rng(4)
    chances = [claims._g_test(random.multinomial(2000, base).astype(float), base * 2000) for _ in range(400)]
    assert abs(np.mean(chances) - 0.5) < 5 / np.sqrt(12 * 400) + 0.02
    distances = [np.abs(random.multinomial(2000, base) / 2000 - base).sum() / 2 for _ in range(200)]
    assert np.mean(distances) == pytest.approx(claims._expected_distance(base, 2000), rel=0.05)


def some_answers() -> tuple[Answers, pl.DataFrame]:
    random = np.random.default_rng(2)
    frame = pl.DataFrame(
        {
            "asked": random.integers(1, 9, 300),
            "confidence": 0.99 * random.random(300).round(2) + 0.003,
            "guessed": random.integers(0, 3, 300),
            "truth": random.integers(0, 3, 300),
        }
    )
    one_each = frame.select(pl.all().repeat_by("asked").explode())
    return Answers(frame), one_each


def test_risk_and_calibration_against_plain_loops() -> None:
    """Every question a row of its own; at coverages where no fact is cut and no two confidences tie."""
    answers, each = some_answers()
    right = (each["guessed"] == each["truth"]).to_numpy()
    confidence = each["confidence"].to_numpy()
    for level in (0.2, 0.5, 0.9):
        taken = confidence > level
        assert answers.risk(taken.mean()) == pytest.approx(1 - right[taken].mean())
    error = 0.0
    for low in np.arange(BINS) / BINS:
        inside = (confidence >= low) & (confidence < low + 1 / BINS)
        error += inside.sum() * abs(right[inside].mean() - confidence[inside].mean()) if inside.any() else 0.0
    assert answers.calibration_error == pytest.approx(error / len(each), rel=1e-6)
    assert answers.wrong_best == pytest.approx(1 - right.mean())


def test_cells_ask_what_a_sample_tells() -> None:
    from twopart.studies._ladder import shape

    from twopart.learners import Transformer

    world = PRESETS["tiny"].world(3)
    sample, read = world.sample(800, stream=1), world.sample(1000)
    facts = cells.questions(sample)
    assert facts["asked"].sum() == 800
    table = cells.answered(Transformer(shape(world, 4), seed=0), read, facts, np.random.default_rng(0))
    for i in (0, 7, len(facts) - 1):
        entity, attribute = facts["entity"][i], facts["attribute"][i]
        told = ((read.entity == entity) & (read.attribute == attribute)).sum()
        base = world.attributes[attribute].value_probabilities()
        assert table["told"][i] == told
        truth = int(world.value(entity, attribute))
        assert table["truth"][i] == (base > base[truth]).sum()
    assert 0 < table["redundancy"][0] < 20


def test_draws_follow_their_shares() -> None:
    shares = np.array([[0.5, 0.3, 0.2]])
    drawn = cells.draw(np.repeat(shares, 20_000, axis=0), np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=3) / 20_000
    assert np.all(np.abs(counts - shares[0]) < 5 * np.sqrt(shares[0] * (1 - shares[0]) / 20_000))


def test_attributes_have_the_same_shares_in_other_orders() -> None:
    bases = [a.value_probabilities() for a in PRESETS["small"].world(0).attributes]
    assert len({int(base.argmax()) for base in bases}) == len(bases)
    for base in bases:
        assert np.sort(base) == pytest.approx(np.sort(bases[0]))


def test_tables_and_figures_of_lawful_answers(lawful: Evidence) -> None:
    rates = tables.rates(lawful)
    assert len(rates) == 2 * len(LABELS) * 2
    assert (rates["wrong"] - rates["law"]).abs().max() < 0.05  # type: ignore[operator]
    frequency = tables.by_frequency(lawful).filter((pl.col("model") == LABELS[-1]) & (pl.col("questions") > 1000))
    assert (frequency["wrong, best"] - frequency["law, best"]).abs().max() < 0.1  # type: ignore[operator]
    assert tables.reliability(lawful).group_by("model").agg(pl.col("share").sum())["share"].to_list() == pytest.approx(
        [1.0] * len(LABELS)
    )
    names = [chart.name for chart in charts.figures(lawful)]
    assert names == ["hallucination", "risk", "reliability", "frequency", "unseen"]


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_name_every_cell(preset: str) -> None:
    config = PRESETS[preset]
    assert sum(row.cells for row in plan(config)) == config.seeds * len(config.widths)


@pytest.mark.parametrize(
    "change",
    [
        {"widths": (8,)},
        {"widths": (8, 33)},
        {"sentences": 10},
        {"seeds": 1},
        {"questions": 10},
        {"discount": 1.0},
        {"base_exponent": -1.0},
        {"values": 3},
        {"templates": 0},
        {"names": 10},
        {"layers": 0},
        {"batch": 10**6},
        {"learning_rate": 2.0},
        {"warmup": -1},
        {"hold": 10},
    ],
)
def test_bad_settings(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        replace(Config(), **change)  # type: ignore[arg-type]


def test_bad_settings_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "hallucination", "--preset", "tiny", "--values", "2"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "values" in said


@pytest.mark.slow
def test_a_study_that_lost_cells_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    ends_as_undisturbed("hallucination", ["--sentences", "4000"], tmp_path)
