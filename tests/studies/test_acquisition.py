"""The acquisition study: its estimators against brute force, its judges on learners of known verdict, real runs killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.studies.resuming import ends_as_undisturbed
from twopart.cli import main
from twopart.studies.acquisition import PRESETS, Config, cells, charts, claims, plan, study, tables
from twopart.studies.acquisition.evidence import Evidence, Run
from twopart.studies.acquisition.thresholds import agreement, crossing, learning_times, sharpness_after

SNAPSHOTS = np.geomspace(1000, 300_000, 16).round().astype(int)
CONFIG = replace(PRESETS["small"], asked=400)


def learner(
    seed: int,
    exposures: float,
    *,
    room: float = 0.0,
    control: bool = False,
    shuffled: bool = False,
    spread: float = 0.0,
) -> Run:
    """A run of a learner who knows a fact from its T-th exposure on, if it is at least as frequent as `room`.

    Exposures come as they do in a natural sample, at the times of a Poisson process; `spread` makes facts differ in ln T.
    """
    random = np.random.default_rng(seed)
    ranks = np.repeat(np.arange(1, 401), 5)
    world = CONFIG.world(seed, control=control)
    attribute = np.tile(np.arange(5), 400)
    weights = np.full(2000, 1 / 400) if control else 0.3 * ranks**-2.0
    frequency = weights * world.pi[attribute]
    learned = random.gamma(exposures, size=2000) / frequency
    learned *= np.exp(spread * random.standard_normal(2000))
    learned[frequency < room] = np.inf
    if shuffled:
        learned = random.permutation(learned)
    known = SNAPSHOTS[:, None] >= learned
    told = random.poisson(SNAPSHOTS[:, None] * frequency)
    bins = np.array([1, 10, 100, 1000, 10_000, 100_000, 300_001])
    left = 6 * np.exp(-np.sqrt(bins[:-1] * bins[1:]) / (30_000 if control else 2000))
    syntax = 12 * np.exp(-np.sqrt(bins[:-1] * bins[1:]) / 300)
    seen = pl.DataFrame({"low": bins[:-1], "high": bins[1:], "syntax": syntax, "value": left})
    noise = 0.2 * random.standard_normal((len(SNAPSHOTS), 2000))
    return Run(world, SNAPSHOTS, ranks, attribute, frequency, np.where(known, 5.5, 0.0) + noise, told, seen)


def evidence(exposures: float = 7.0, label: str = "width 64", first: int = 0, **more: object) -> Evidence:
    runs = tuple(learner(first + seed, exposures, **more) for seed in range(3))  # type: ignore[arg-type]
    return Evidence(label, 50_000, runs)


@pytest.fixture(scope="module")
def natural() -> Evidence:
    return evidence()


@given(arrays.arrays(bool, st.tuples(st.integers(2, 6), st.integers(1, 5))))
def test_learning_times_against_a_plain_loop(known: np.ndarray) -> None:
    moments = 10.0 ** np.arange(1, len(known) + 1)
    times = learning_times(moments, np.where(known, 1.0, -1.0))
    for fact in range(known.shape[1]):
        first = next((i for i in range(len(known)) if known[i:, fact].all()), None)
        between = np.inf if first is None else moments[0] if first == 0 else moments[first] / np.sqrt(10)
        assert times[fact] == pytest.approx(between)


def test_learning_times_are_interpolated() -> None:
    assert learning_times([10.0, 1000.0], np.array([[-1.0], [3.0]])) == pytest.approx(10 * 100**0.25)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_crossings_of_a_known_curve(share: float) -> None:
    """A logistic curve in ln(frequency), known exactly; the estimate comes within 5 standard errors found by repetition."""
    truth = 1e-3 * np.exp(np.log(share / (1 - share)) / 4)
    found = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        frequency = np.exp(random.uniform(np.log(1e-5), np.log(1e-1), 3000))
        chance = 1 / (1 + (frequency / 1e-3) ** -4)
        found.append(np.log(crossing(frequency, random.random(3000) < chance, share)))
    assert abs(np.mean(found) - np.log(truth)) < 5 * np.std(found) / np.sqrt(20) + 0.03


def test_crossings_that_do_not_exist() -> None:
    frequency = np.geomspace(1e-4, 1e-1, 50)
    assert np.isnan(crossing(frequency, np.zeros(50)))
    assert np.isnan(crossing(frequency, np.ones(50)))
    assert crossing(frequency, frequency > 1e-2) == pytest.approx(1e-2, rel=0.95)


def test_equal_frequencies_share_a_block() -> None:
    assert np.isnan(crossing(np.full(10, 0.1), np.arange(10) >= 5))


def test_agreement_by_counting_pairs() -> None:
    random = np.random.default_rng(1)
    frequency, times = random.random(60), np.where(random.random(60) < 0.3, np.inf, random.integers(1, 9, 60))
    signs = [
        (np.sign(frequency[j] - frequency[i]), np.sign(float(times[i] > times[j]) - float(times[i] < times[j])))
        for i in range(60)
        for j in range(i)
    ]
    score = sum(a * b for a, b in signs)
    assert agreement(frequency, times) == pytest.approx(score / sum(b != 0 for _, b in signs))


def test_facts_never_learned_do_not_disturb_the_order() -> None:
    frequency = np.geomspace(1, 1e-3, 100)
    times = np.where(np.arange(100) < 20, 1 / frequency, np.inf)
    assert agreement(frequency, times) == pytest.approx(1)
    assert agreement(frequency[::-1], times) == pytest.approx(-1)
    assert np.isnan(agreement(frequency, np.full(100, np.inf)))


def test_sharpness_of_the_bayes_code() -> None:
    assert sharpness_after(1.0) == pytest.approx(np.log(10) / np.log(10 / 9))
    assert sharpness_after(100.0) < 1.5


def test_a_learner_of_t_exposures_is_recognised(natural: Evidence) -> None:
    assert natural.exposures == pytest.approx(7, rel=0.15)
    assert natural.expected_sharpness == pytest.approx(sharpness_after(7), rel=0.15)
    judged = [
        claims.learned_in_order(natural),
        claims.threshold_falls(natural),
        claims.rank_predicted(natural),
        claims.threshold_is_sharp(natural),
        claims.syntax_first(natural),
    ]
    assert [claim.verdict for claim in judged] == ["holds"] * 5
    assert judged[1].measured == pytest.approx(-1, abs=0.1)
    assert judged[3].measured == pytest.approx(sharpness_after(7), rel=0.4)


def test_learning_in_any_order_fails() -> None:
    found = evidence(shuffled=True)
    assert claims.learned_in_order(found).verdict == "fails"
    assert claims.threshold_is_sharp(found).verdict != "holds"


def test_a_full_model_is_told_from_one_with_room(natural: Evidence) -> None:
    full = evidence(room=1.5e-3, label="width 8")
    assert claims.threshold_falls(full).verdict == "fails"
    assert claims.rank_predicted(full).verdict == "fails"
    assert claims.larger_know_rarer(full, natural).verdict == "holds"
    assert claims.larger_know_rarer(natural, full).verdict == "fails"
    assert claims.small_is_full(full, natural).verdict == "holds"
    assert claims.small_is_full(natural, full).verdict == "fails"


def test_a_threshold_as_wide_as_the_bayes_codes_fails() -> None:
    assert claims.threshold_is_sharp(evidence(0.4)).verdict == "fails"


def test_knowledge_before_syntax_fails(natural: Evidence) -> None:
    swapped = [replace(run, seen=run.seen.rename({"syntax": "value", "value": "syntax"})) for run in natural.runs]
    assert claims.syntax_first(replace(natural, runs=tuple(swapped))).verdict == "fails"


def test_the_control_is_judged(natural: Evidence) -> None:
    control = evidence(30.0, "control", control=True)
    at_once, late = claims.control_at_once(control), claims.control_late(control, natural)
    assert (at_once.verdict, late.verdict) == ("holds", "holds")
    assert at_once.measured == pytest.approx(sharpness_after(30), rel=0.25)
    assert claims.control_at_once(natural).verdict == "inconclusive", "some facts are never learned"
    slow = evidence(6.0, "control", control=True, spread=1.5)
    assert claims.control_at_once(slow).verdict == "fails"
    assert claims.control_late(natural, control).verdict == "fails"


def test_nothing_learned_is_inconclusive() -> None:
    found = evidence(1e9)
    for judge in (claims.threshold_falls, claims.rank_predicted, claims.threshold_is_sharp, claims.learned_in_order):
        assert judge(found).verdict == "inconclusive"
    table = tables.thresholds({"width 8": found})
    assert table["threshold"].null_count() == len(table)
    drawn = list(charts.figures({"width 8": found, "control": found}, tables.known({"width 8": found}), table))
    assert "threshold" not in [chart.name for chart in drawn]


def test_tables_against_plain_loops(natural: Evidence) -> None:
    table = tables.known({"width 64": natural})
    row = table.filter(sentences=int(SNAPSHOTS[-3])).row(5, named=True)
    shares = [run.known[-3][(run.rank >= row["low"]) & (run.rank < row["high"])].mean() for run in natural.runs]
    assert row["known"] == pytest.approx(np.mean(shares))


def test_questions_and_exposures_of_a_cell() -> None:
    """The facts asked are those of the most frequent entities, and `told` counts what a loop counts."""
    from twopart.studies._ladder import shape

    from twopart.learners import Transformer

    world = PRESETS["tiny"].world(3)
    corpus = world.sample(2000)
    facts = cells.questions(world, 50)
    assert len(facts) == 250
    p = facts["frequency"].to_numpy() / world.pi[facts["attribute"].to_numpy()]
    seen = dict(zip(corpus.entity.tolist(), corpus.probability.tolist(), strict=True))
    rarest = p.min()
    assert {e for e, weight in seen.items() if weight > rarest * 1.0001} <= set(facts["entity"].to_list())
    assert all(p[i] == pytest.approx(seen[e]) for i, e in enumerate(facts["entity"].to_list()) if e in seen)
    table = cells.answers(Transformer(shape(world, 4), seed=0), corpus, facts, 1500)
    told = [
        int(((corpus.entity[:1500] == e) & (corpus.attribute[:1500] == a)).sum())
        for e, a in facts.select("entity", "attribute").iter_rows()
    ]
    assert table["told"].to_list() == told


def test_the_control_asks_for_equally_frequent_facts() -> None:
    world = PRESETS["tiny"].world(3, control=True)
    facts = cells.questions(world, 10)
    assert facts["frequency"].to_numpy() == pytest.approx(1 / 50)
    assert sorted(set(facts["entity"].to_list())) == list(range(10))


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_name_every_cell(preset: str) -> None:
    config = PRESETS[preset]
    assert sum(row.cells for row in plan(config)) == config.seeds * (len(config.widths) + 1)


def test_all_sizes_read_the_same_worlds() -> None:
    groups = study._groups(PRESETS["small"], 3)
    worlds = {tuple(cell.world for cell in group) for label, group in groups.items() if label != "control"}
    assert len(worlds) == 1
    assert len(set(next(iter(worlds)))) == PRESETS["small"].seeds


@pytest.mark.parametrize(
    "change",
    [
        {"widths": (8,)},
        {"widths": (16, 8)},
        {"widths": (8, 33)},
        {"sentences": 10},
        {"seeds": 1},
        {"discount": 0.0},
        {"population": 1},
        {"asked": 5},
        {"skew": 0.5},
        {"per_decade": 1},
        {"values": 5000},
        {"templates": 1},
        {"names": 10},
        {"layers": 0},
        {"batch": 5000},
        {"learning_rate": 0.0},
        {"warmup": -1},
        {"hold": 10},
    ],
)
def test_bad_settings(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        replace(Config(), **change)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_study_that_lost_cells_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    ends_as_undisturbed("acquisition", ["--sentences", "4000"], tmp_path)


def test_bad_settings_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "acquisition", "--preset", "tiny", "--asked", "3"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "asked" in said
