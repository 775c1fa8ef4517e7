"""The fine-tuning study: its judges on planted runs, its tables against loops, its lessons against counting."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from twopart.evidence import Found, Rows
from twopart.fits import first_reached
from twopart.lab import Cell
from twopart.laws import bits_holding, finetuning_law, forgetting_law, memory_law, retention_law
from twopart.laws.knowledge import Facts
from twopart.studies.knowledge import fine_tuning as study
from twopart.studies.knowledge.fine_tuning import PRESETS, Pretraining, Size, Tuning
from twopart.worlds import Biographies

PAST = replace(PRESETS["tiny"].past, entities=60, people=Biographies())
CONFIG = replace(
    PRESETS["tiny"], widths=(8, 16), format_examples=8192, new=20, doses=(1, 4, 16), each=10, strangers=20, past=PAST
)
WORKS = {(work.case.start.shape.width, str(work.case)): work for work in study.cells(CONFIG, 5) if work.after}
START: Pretraining = next(iter(WORKS.values())).case.start
ATTRIBUTES = 5
COLUMNS = ("asked", "stage", "sentences", "rank", "told", "right", "confidence", "syntax")


def case(width: int, tells: str, replay: float = 0.0, rank: int = 0) -> Tuning:
    ways = (w.case for w in WORKS.values() if w.case.start.shape.width == width)
    return next(c for c in ways if (c.tells, c.replay, c.rank) == (tells, replay, rank))


@cache
def planted(
    case: Tuning,
    known: int,
    *,
    kept: float = 1.0,
    new: float = 1.0,
    others: float = 1.0,
    recovered: float = 1.0,
    wrong: float = 0.0,
    course=lambda n: 900 / np.maximum(n, 1),
    learned=lambda told: told >= 4,
    rarest: bool = True,
) -> Rows[Tuning]:
    """Two replicates alike: `known` old entities, the most frequent, are known before; at the end the share `kept` of them,
    the rarest gone first, and the share `new` of new facts; between moments in a straight line."""
    size, columns = case.start.past.entities, {name: [] for name in COLUMNS}

    def add(asked, entities, of, stage, n, told=0):
        right = np.repeat(np.arange(of) < entities if np.ndim(entities) == 0 else entities, ATTRIBUTES)
        rank = np.repeat(np.arange(1, of + 1), ATTRIBUTES)
        confidence = np.where(right | (np.arange(len(right)) < wrong * len(right)), 0.9, 0.1)
        for name, column in zip(COLUMNS, (asked, stage, n, rank, told, right, confidence, np.nan), strict=True):
            columns[name].append(np.broadcast_to(column, len(right)))

    for i, n in enumerate(case.moments):
        part = i / (len(case.moments) - 1)
        left = round(known * (1 - part * (1 - kept)))
        entity = np.arange(size)
        add("old", left if rarest else (entity >= known - left) & (entity < known), size, "tuning", n)
        add("stranger", 0, case.strangers, "tuning", n)
        if case.tells == "format":
            heard = (entity < round(known * part)) & ((entity % 2 == 0) | (entity < known * others))
            add("reworded", heard, size, "tuning", n)
            for name, value in zip(COLUMNS, ("format", "tuning", n, 0, 0, False, np.nan, course(n)), strict=True):
                columns[name].append([value])
        elif case.tells == "doses":
            told = np.repeat(case.doses, case.new)
            add("new", learned(told) & (part > 0), case.news, "tuning", n, np.repeat(told, ATTRIBUTES))
        else:
            add("new", round(case.new * part * new), case.new, "tuning", n)
    for n in case.recovery:
        add("old", round(known * recovered), size, "recovery", n)
    frame = pl.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()})
    return Rows(case, pl.concat([frame.with_columns(replicate=pl.lit(i, pl.Int64)) for i in (0, 1)]), "tune")


@cache
def capacity(known: float, replicate: int = 0) -> float:
    return bits_holding(START.enlarged(replicate, 1), known, START.excerpt(replicate).entities)


def size(width: int = 16, known: int = 40, facts=lambda replay, rank: {}, **more) -> Size:
    """What is planted in fine-tuning on facts, by replay and rank; `format` and `doses` likewise."""
    tunings = [case for (of, _), work in WORKS.items() if of == width for case in [work.case]]
    how = [facts(c.replay, c.rank) if c.tells == "facts" else more.get(c.tells, {}) for c in tunings]
    rows = [planted(c, known, **kind) for c, kind in zip(tunings, how, strict=True)]
    return Size(tunings[0].start, rows, np.full(2, capacity(known * ATTRIBUTES)), 2000)


@cache
def good() -> Size:
    """A model that keeps all, learns all and puts all together."""
    return size()


def verdicts(judged, good, bad, *more):
    return judged(*good, *more).verdict, judged(*bad, *more).verdict


BOTH = ("holds", "fails")


def test_a_format_at_one_over_n() -> None:
    slow = size(format={"course": lambda n: 900 * max(n, 1) ** -0.5})
    assert study.format_falls_as_one_over_n(good()).measured == pytest.approx(-1.0)
    assert verdicts(study.format_falls_as_one_over_n, [good()], [slow]) == BOTH
    assert study.format_price_predicted(slow).verdict == "inconclusive"  # never below 0.05 bits


def test_the_price_of_a_format_is_that_of_a_learner_who_lags() -> None:
    """A learner whose redundancy is the law's at n/4 has its price predicted; one who then leaps ahead has not."""

    def lagging(n: int) -> float:
        return float(finetuning_law(START.reworded(0), max(n // 4, 1)).syntax)

    late = size(format={"course": lagging})
    bad = size(format={"course": lambda n: lagging(n) if n <= 1024 else 1e-6})
    assert verdicts(study.format_price_predicted, [late], [bad]) == BOTH
    found = study.format_price_predicted(late)
    assert found.measured == pytest.approx(1.0, abs=0.05)
    assert "T = 4" in found.rule or "T = 3.9" in found.rule


def test_transfer_is_judged_on_entities_never_asked() -> None:
    poor = size(format={"others": 0.5})
    assert verdicts(study.transfers, [good()], [poor], 0.5) == BOTH
    assert study.transfers(poor, 0.0).measured == 0.5


def test_all_or_nothing() -> None:
    gradual = size(
        doses={"learned": lambda told: np.arange(30) % 10 < np.array([0, 6, 10])[np.searchsorted([1, 4, 16], told)]}
    )
    assert verdicts(study.all_or_nothing, [good()], [gradual]) == BOTH
    assert study.all_or_nothing(good()).measured == pytest.approx(4**0.4)
    late = size(doses={"learned": lambda told: told >= 16})
    assert verdicts(study.room_makes_facts_cheap, [late, good()], [good(), late]) == BOTH
    assert study.room_makes_facts_cheap(late, good()).measured == pytest.approx(4.0)


def test_doses_are_read_between_their_neighbours() -> None:
    doses = case(16, "doses")
    assert study.dose(planted(doses, 40), 0.5) == pytest.approx(2.0)  # nothing at 1, all at 4
    assert study.dose(planted(doses, 40), 0.9) == pytest.approx(4**0.9)
    for learned in (lambda told: told > 99, lambda told: told > 0):
        assert np.isnan(study.dose(planted(doses, 40, learned=learned), 0.5)).all()


def test_what_a_run_kept_is_counted() -> None:
    run = planted(case(16, "facts"), 40, kept=0.25, recovered=0.7)
    assert study.kept(run)[:, [0, -1]].tolist() == [[1.0, 0.25]] * 2
    assert np.isnan(study.kept(planted(case(16, "facts"), 0))).all()
    lost = size(facts=lambda replay, rank: {"kept": 0.25, "recovered": 0.7})
    assert study.rarest_first(lost, 0.0).measured == pytest.approx(1.0)
    assert study.recovers(lost).measured == pytest.approx((28 - 10) / 30)
    assert np.isnan(study.rarest_first(size(known=0), 0.0).measured)


def test_forgetting() -> None:
    """Planted: everything but the most frequent quarter goes, the rarest first; or the other way round."""
    lost = size(facts=lambda replay, rank: {"kept": 0.25 + 0.75 * replay, "recovered": 0.3})
    back = size(facts=lambda replay, rank: {"kept": 0.25, "recovered": 0.9, "rarest": False})
    assert verdicts(study.rarest_first, [lost], [back], 0.0) == BOTH
    assert verdicts(study.room_protects, [good()], [lost]) == BOTH
    assert study.room_protects(lost).measured == pytest.approx(0.75)
    assert verdicts(study.recovers, [size(facts=lambda replay, rank: {"kept": 0.25, "recovered": 0.9})], [lost]) == BOTH
    assert study.recovers(lost).measured == pytest.approx(2 / 30)
    assert verdicts(study.any_replay_protects, [good()], [lost]) == BOTH


@pytest.mark.parametrize("known", [20, 45])
def test_the_law_is_met_by_who_follows_it(known: int) -> None:
    law = size(known=known).law
    lawful = {r: {"kept": law["old"][0, i], "new": law["new"][0, i]} for i, r in enumerate(CONFIG.replays[1:])}
    follower = size(known=known, facts=lambda replay, rank: lawful.get(replay, {}))
    contrary = size(known=known, facts=lambda replay, rank: {"kept": float(law["old"].mean() < 0.5), "new": 0.0})
    for facts in ("old", "new"):
        assert study.as_the_law_says(follower, facts).measured < 0.05
        assert verdicts(study.as_the_law_says, [follower], [contrary], facts) == BOTH


@pytest.mark.parametrize("parameters", [300, 3000])
def test_the_learners_law_is_met_by_who_follows_it(parameters: int) -> None:
    """Beside it, and by hand for one of its replicates: exposures by temper, the speed limit, what replay alone would teach."""
    plain = replace(size(), parameters=parameters)
    lawful = {r: {"kept": plain.own["old"][0, i], "new": plain.own["new"][0, i]} for i, r in enumerate(CONFIG.replays)}
    follower = replace(size(facts=lambda replay, rank: lawful.get(replay, {})), parameters=parameters)
    contrary = replace(
        size(facts=lambda replay, rank: {"kept": 0.0, "new": float(replay > 0.2)}), parameters=parameters
    )
    for facts in ("old", "new"):
        assert study.as_the_law_says(follower, facts, study.OWN).measured < 0.05
        assert study.FIXED in study.as_the_law_says(follower, facts, study.OWN).rule
    assert study.as_the_law_says(contrary, "old", study.OWN).verdict == "fails"
    assert verdicts(study.keeps_as_the_learner_has_it, [follower], [contrary], 0.1)[1] == "fails"
    assert study.keeps_as_the_learner_has_it(follower, 0.0).measured == pytest.approx(plain.own["old"][0, 0], abs=0.02)
    case = plain.told("facts", 0.5).case
    share = START.excerpt(1).weights ** 0.5
    old = Facts(np.repeat(share / share.sum() / ATTRIBUTES, ATTRIBUTES), 1, 64)
    new = Facts([1 / (20 * ATTRIBUTES)], 20 * ATTRIBUTES, 64)
    limits = [study.SPEED * 16 * how.steps(n) for how, n in ((PAST.training, 1280), (case.training, 64))]
    before = memory_law(old, 1280, parameters, nats=study.NATS, limit=limits[0])
    law = retention_law(before, new, 64, [0.0, 0.1, 0.5], nats=study.NATS, limit=limits[1])
    assert plain.own["old"][1, :3] == pytest.approx(law.kept)
    assert plain.own["new"][1, :3] == pytest.approx(law.new.of("right", new.frequency)[:, 0])
    assert plain.own["new"][:, -1].tolist() == [0, 0]
    mixed = Facts(np.r_[0.5 * old.frequency, [0.5 * new.frequency[0]]], np.r_[np.ones(300), new.count], 64)
    alone = memory_law(mixed, 64, parameters, nats=study.NATS, limit=limits[1]).of("right", 0.5 * old.frequency)
    assert plain.anew[1, 2] == pytest.approx(np.average(alone, weights=before.of("right", old.frequency)))
    assert np.all(plain.anew[:, 0] < plain.own["old"][:, 0])


def test_order_and_doses_beside_the_learners_law() -> None:
    """It names a range where its facts come to be known, and an order where it forgets; then they are judged by it."""
    past = replace(PAST, sentences=20_000)
    start = replace(START, past=past)
    way = replace(case(16, "facts"), start=start, sentences=6400, training=replace(case(16, "facts").training, batch=8))
    doses = replace(case(16, "doses"), start=start, doses=(4, 40, 400), sentences=444 * 50)
    doses = replace(doses, training=replace(doses.training, learning_rate=0.02))
    rows = planted(way, 40, kept=0.25), planted(doses, 40, learned=lambda told: told >= 40)
    full = Size(start, list(rows), np.full(2, 1000.0), 3000)
    assert np.all((full.own_order > 0) & (full.own_order <= 1))
    assert study.ordered_as_the_learner_has_it(full).predicted == pytest.approx(full.own_order.mean())
    assert np.all(np.diff(full.own_of_dose) > 0)
    assert full.own_of_dose.shape == (2, 3)
    judged = study.bought_as_the_learner_has_it(full)
    assert judged.measured == pytest.approx(10**0.4)
    law = [first_reached(share, full.own_of_dose[0], np.log((4, 40, 400))) for share in (0.9, 0.5)]
    assert judged.predicted == pytest.approx(np.exp(law[0] - law[1]), rel=0.05)


def test_capacity_is_the_inverse_of_the_law() -> None:
    law = forgetting_law(START.enlarged(0, 1), 700.0, 1.0, START.excerpt(0).entities)
    assert capacity(float(law.old_facts_before)) == pytest.approx(700.0, rel=0.02)


def test_lora() -> None:
    timid = size(facts=lambda replay, rank: {"kept": 0.9 if rank else 0.5, "new": 0.4 if rank else 1.0})
    bold = size(facts=lambda replay, rank: {"kept": 0.5 if rank else 0.9, "new": 1.0 if rank else 0.4})
    for judged in (study.lora_learns_less, study.lora_forgets_less):
        assert verdicts(judged, [timid], [bold], 2) == BOTH
        assert judged(timid, 2).measured == pytest.approx(-judged(bold, 2).measured)


def test_lora_is_compared_at_equal_learning_too() -> None:
    """Planted: old facts fall to 0.6 and new ones rise to 0.8 in equal steps; at half of the new ones 5/8 of that is done."""
    worse, better = (
        size(facts=lambda r, rank, kept=kept: {"kept": kept[rank > 0], "new": 0.8}) for kept in ((0.6, 0.2), (0.2, 0.6))
    )
    assert study.kept_at(worse.told("facts"), 0.5) == pytest.approx(1 - 0.4 * 5 / 8, abs=0.03)
    assert verdicts(study.lora_keeps_more_for_what_it_learns, [better], [worse], 2) == BOTH
    assert study.lora_keeps_more_for_what_it_learns(worse, 2).measured == pytest.approx(-0.4 * 5 / 8, abs=0.03)
    assert np.isnan(study.kept_at(worse.told("facts"), 0.9)).all()


@pytest.mark.parametrize("asked", ["stranger", "old"])
def test_confident_wrong_answers(asked: str) -> None:
    sure, cured = (size(known=0, facts=lambda r, rank, s=s: {"wrong": 0.3 * abs(s - r)}) for s in (1, 0))
    assert study.invented(sure, asked).measured == pytest.approx(0.3)
    assert verdicts(study.invented, [sure], [cured], asked) == BOTH


def found() -> Found:
    """All that a run of both widths gives, the smaller one full."""
    parts = [planted(work.case, 20 if width == 8 else 40, kept=0.5) for (width, _), work in WORKS.items()]
    weights = [pl.DataFrame({"weight": [[0.0] * n], "replicate": [0]}) for n in (1000, 2000)]
    starts = [work.case for work in study.cells(CONFIG, 5) if not work.after]
    return Found(CONFIG, (*(Rows(c, w, "pretrain") for c, w in zip(starts, weights, strict=True)), *parts))


def test_what_a_model_can_hold_is_in_proportion_to_its_parameters() -> None:
    small, large = study.sizes(found())
    assert small.bits == pytest.approx([capacity(100, i) for i in (0, 1)])
    assert large.bits == pytest.approx(2 * small.bits)


def test_tables_by_loops() -> None:
    everything = found()
    tables = {table.name: table.frame for table in study.tables(everything)}
    old = study.sizes(everything)[1].told("facts").where(asked="old", stage="tuning", replicate=0)
    for row in tables["forgetting"].filter(model="width 16").iter_rows(named=True):
        asked = old.filter(
            pl.col("rank").is_between(row["first"], row["last"]), pl.col("sentences") == row["sentences"]
        )
        assert row["known"] == pytest.approx(asked["right"].mean())
    law = tables["frontier"].filter(way="law", model="width 8")
    assert law["replay"].to_list() == list(CONFIG.replays[1:])
    assert law["new"][-1] == 0
    again = tables["recovery"].filter(model="width 16", series="after")
    assert again["known"].to_list() == pytest.approx([20 / 60, *[40 / 60] * 3])
    assert again["place"].to_list() == [0.5, 1, 4, 16]
    practised = tables["transfer"].filter(model="width 16", replay=0, asked="new format", series="practised")
    assert practised["known"][-1] == pytest.approx(20 / 30)
    assert tables["doses"].filter(model="width 8", series="transformer")["known"].to_list() == [0, 1, 1]


def test_told_counts_what_fine_tuning_tells_and_every_question_is_asked() -> None:
    from twopart.studies.knowledge.fine_tuning_cells import Lesson

    lesson = Lesson(case(8, "facts", 0.5), 0)
    assert lesson.told["told"].sum() == lesson.case.sentences // 2
    assert (lesson.told["entity"] < 0).all()
    assert lesson.stream.batch(0, 10).weights is not None
    for tells, third in (("facts", {"new": 20}), ("format", {"reworded": 60}), ("doses", {"new": 30})):
        asked = pl.concat([questions for _, questions in Lesson(case(8, tells), 0).questions])
        assert dict(asked.group_by("asked").len().iter_rows()) == {
            name: ATTRIBUTES * n for name, n in {"old": 60, "stranger": 20, **third}.items()
        }


def test_a_tuning_against_a_slow_twin(tmp_path) -> None:
    """Every moment's model asked for itself, from weights that come back as they were stored."""
    from twopart.learners import recall, train, weights_table
    from twopart.studies.knowledge.fine_tuning_cells import Lesson, tune, untrained

    way = replace(case(8, "facts"), training=replace(case(8, "facts").training, batch=16))
    lesson, start = Lesson(way, 1), untrained(way.start, 1)
    cell = Cell(tmp_path / "cell", 3, 1, on_result=lambda function, case: weights_table(start))
    table = tune(way, cell)
    settings = way.training.training("cpu")
    twin = train(
        settings, start.config, lesson.stream, seed=3, folder=tmp_path / "twin", snapshots=way.moments[1:], start=start
    )
    ids = ~np.repeat(np.arange(20), ATTRIBUTES)
    for n, model in {0: start, **twin.snapshots}.items():
        answers = table.filter(asked="new", stage="tuning", sentences=n)
        asked = recall(model, lesson.enlarged, ids, np.tile(np.arange(ATTRIBUTES), 20))
        assert np.array_equal(answers["confidence"].to_numpy(), asked.confidence)
        assert np.array_equal(answers["right"].to_numpy(), asked.right)
    assert table.filter(stage="recovery")["sentences"].unique().sort().to_list() == [1, 4, 16]
