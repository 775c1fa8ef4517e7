"""The fine-tuning study: its judges on runs whose verdict is known, its lessons against counting, and real runs."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from twopart.studies._ladder import shape

from tests.studies.resuming import ends_as_undisturbed
from twopart.cli import main
from twopart.fits import Estimate
from twopart.laws import forgetting_law
from twopart.learners import Transformer
from twopart.studies.fine_tuning import PRESETS, Config, claims, lesson, plan, tables
from twopart.studies.fine_tuning.cells import DOSES, FACTS, FORMAT, pretrained
from twopart.studies.fine_tuning.evidence import Evidence, Replicate, Tuned, capacity, old_entities
from twopart.studies.fine_tuning.lesson import Lesson, format_redundancy
from twopart.studies.fine_tuning.study import HALF, _starts, _tunings, findings
from twopart.worlds import Corpus, SymbolRendering

CONFIG = replace(
    PRESETS["tiny"], format_examples=8192, entities=60, values=64, templates=8, new=20, each=10, strangers=20
)


def start(width=16):
    return _starts(CONFIG, width, seed=5)[0]


def cells(width=16):
    return _tunings(CONFIG, start(width))


def planted(cell, *, known, kept=None, new=None, others=1.0, recovered=1.0, wrong=0.0, rate=-1.0, threshold=None):
    """A run with a known outcome: `known` old entities before; at the end the share `kept` of those, the most frequent of
    them, and the share `new` of new facts; the halves of the run between them are on a straight line in the moment's number.
    """
    rows, moments = [], (0, *cell.moments)
    attributes = len(cell.start.world.attributes)
    size = cell.start.entities

    def add(asked, right, stage, n, told=None):
        rank = np.repeat(np.arange(1, len(right) // attributes + 1), attributes)
        confidence = np.where(right | (np.arange(len(right)) < wrong * len(right)), 0.9, 0.1)
        columns = {"rank": rank, "told": rank * 0 if told is None else told, "right": right, "confidence": confidence}
        frame = pl.DataFrame(columns, schema_overrides={"told": pl.Int64})
        labels = {"kind": "fact", "stage": stage, "sentences": n, "asked": asked}
        rows.append(frame.with_columns(pl.lit(v).alias(k) for k, v in labels.items()))

    def first(entities, of):
        return np.repeat(np.arange(of) < entities, attributes)

    for i, n in enumerate(moments):
        part = i / (len(moments) - 1)
        add("old", first(round(known * (1 - part * (1 - (1 if kept is None else kept)))), size), "tuning", n)
        add("stranger", first(0, cell.strangers), "tuning", n)
        if cell.tells == FORMAT:
            heard = first(round(known * part), size)
            rank = np.repeat(np.arange(1, size + 1), attributes)
            add("reworded", heard & ((rank % 2 == 1) | (rank <= known * others)), "tuning", n)
            rows.append(
                pl.DataFrame(
                    {"kind": ["format"], "stage": "tuning", "sentences": n, "syntax": 900.0 * max(n, 1) ** rate}
                )
            )
        elif cell.tells == DOSES:
            told = np.repeat(cell.doses, cell.new * attributes)
            add("new", told >= threshold, "tuning", n, told)
        else:
            add("new", first(round(cell.new * part * (0 if new is None else new)), cell.new), "tuning", n)
    for n in cell.recovery:
        add("old", first(round(known * recovered), size), "recovery", n)
    return Tuned(cell, pl.concat(rows, how="diagonal"))


def evidence(width=16, bits=None, known=40, **how):
    """Two replicates alike; `how`: what is planted, by kind of run; for facts a function of (replay, rank)."""
    facts = how.get("facts", lambda replay, rank: {"kept": 1.0, "new": 1.0})
    runs = []
    for cell in cells(width):
        if cell.tells == FACTS:
            runs.append(planted(cell, known=known, **facts(cell.replay, cell.rank)))
        elif cell.tells == FORMAT:
            runs.append(planted(cell, known=known, **how.get("format", {})))
        else:
            runs.append(planted(cell, known=known, **{"threshold": 4, **how.get("doses", {})}))
    replicate = Replicate(start(width), tuple(runs), bits or capacity(start(width), known * 5))
    return Evidence(f"width {width}", width, 1000, (replicate, replicate))


def test_pretrained_weights_come_back():
    model = Transformer(shape(start().before, 16), seed=3)
    named = {name: weight.detach().flatten().numpy() for name, weight in model.named_parameters()}
    table = pl.DataFrame({"name": list(named), "weight": [pl.Series(w, dtype=pl.Float32) for w in named.values()]})
    back = pretrained(start(), table)
    assert all(
        np.array_equal(a.detach(), b.detach()) for a, b in zip(model.parameters(), back.parameters(), strict=True)
    )


def test_examples_of_a_format_speak_of_every_other_entity_in_new_templates():
    corpus = lesson.practised(start(), 4000)
    entity = start().excerpt().entity
    assert set(corpus.entity) <= set(entity[::2])
    assert corpus.template.min() >= CONFIG.templates
    assert np.array_equal(corpus.value, start().world.value(corpus.entity, corpus.attribute))
    p = start().excerpt().weights[0] / start().excerpt().weights[::2].sum()
    assert abs((corpus.entity == entity[0]).mean() - p) < 5 * np.sqrt(p * (1 - p) / 4000)


def test_doses_are_exact():
    world = start().enlarged(6)
    corpus = lesson.dosed(world, 2, (1, 3, 9))
    facts, told = np.unique(np.stack([corpus.entity, corpus.attribute]), axis=1, return_counts=True)
    assert facts.shape[1] == 6 * 5
    assert told.tolist() == np.repeat([9, 9, 3, 3, 1, 1], 5).tolist()  # ids -6 .. -1
    assert corpus.template.max() < CONFIG.templates
    assert len(corpus) == 2 * 5 * 13


def test_told_counts_what_fine_tuning_tells():
    cell = next(cell for cell in cells() if cell.replay == 0.5 and cell.tells == FACTS)
    found = Lesson(cell).told
    assert found["told"].sum() == cell.sentences // 2
    assert (found["entity"] < 0).all()
    assert Lesson(cell).stream.batch(0, 10).weights is not None


def test_every_question_is_asked():
    for cell in (cells()[0], cells()[-1]):
        table = pl.concat(Lesson(cell).ask(Transformer(shape(start().before, 16)), "tuning", 0), how="diagonal")
        counts = dict(table.filter(kind="fact").group_by("asked").len().iter_rows())
        third = {"new": 20 * 5} if cell.tells == FACTS else {"reworded": 60 * 5}
        assert counts == {"old": 60 * 5, "stranger": 20 * 5, **third}


def test_the_redundancy_of_a_format_is_that_of_single_sentences():
    """Against a loop over entities, attributes and templates with the softmax written out."""
    import torch

    world = _starts(replace(CONFIG, templates=3, values=5), 4, seed=5)[0]
    model, new = Transformer(shape(world.before, 4), seed=2), world.reworded
    entity = world.excerpt().entity[:2]
    rendering, paid, entropy = SymbolRendering(new), 0.0, 0.0
    for e in entity:
        for a, psi in enumerate(new.template_probabilities):
            for t in np.flatnonzero(psi):
                ids, which = np.array([e]), np.array([a], np.int16)
                corpus = Corpus(new, ids, which, np.array([t], np.int16), new.value(ids, which), np.ones(1))
                tokens = np.r_[rendering.bos, rendering.encode(corpus).tokens[0]].astype(np.int64)
                with torch.no_grad():
                    logs = torch.log_softmax(model(torch.from_numpy(tokens[None, :-1]))[0].double(), -1) / np.log(2)
                share = new.pi[a] * psi[t] / len(entity)
                paid -= share * float(logs[-3, tokens[-3]] + logs[-2, tokens[-2]])
                entropy -= share * np.log2(new.pi[a] * psi[t])
    assert format_redundancy(model, new, entity) == pytest.approx(paid - entropy, abs=1e-4)


def test_capacity_is_the_inverse_of_the_law():
    bits = 700.0
    held = float(forgetting_law(start().enlarged(1), bits, 1.0, old_entities(start())).old_facts_before)
    assert capacity(start(), held) == pytest.approx(bits, rel=0.02)


def test_what_a_run_kept_is_counted():
    run = planted(cells()[0], known=40, kept=0.25, new=0.5, recovered=0.7)
    assert run.kept[[0, -1]].tolist() == [1.0, 0.25]
    assert run.share("new")[[0, -1]].tolist() == [0.0, 0.5]
    assert run.order == pytest.approx(1.0)
    assert run.recovered(run.cell.recovery[0]) == pytest.approx((28 - 10) / 30)
    nothing = planted(cells()[0], known=0)
    assert np.isnan(nothing.order)
    assert np.isnan(nothing.kept).all()


def test_doses_are_read_between_their_neighbours():
    run = evidence().replicates[0].dosed
    assert run.dose(0.5) == pytest.approx(2.0)  # nothing at 1, all at 4
    assert run.dose(0.9) == pytest.approx(4**0.9)
    assert np.isnan(planted(run.cell, known=40, threshold=99).dose(0.5))
    assert np.isnan(planted(run.cell, known=40, threshold=1).dose(0.5))


def test_a_format_at_one_over_n():
    good, bad = evidence(format={"rate": -1.0}), evidence(format={"rate": -0.5})
    assert claims.format_falls_as_one_over_n(good).verdict == "holds"
    assert claims.format_falls_as_one_over_n(good).measured == pytest.approx(-1.0)
    assert claims.format_falls_as_one_over_n(bad).verdict == "fails"
    assert claims.format_price_predicted(bad).verdict == "inconclusive"  # never below 0.05 bits


def test_the_price_of_a_format_is_that_of_a_learner_who_lags():
    """A learner whose redundancy is the law's at n/4 has its price predicted."""
    group = evidence()
    replicate, law = group.replicates[0], group.replicates[0].format_law
    run = replicate.format()
    lagging = run.table.with_columns(
        pl.col("sentences")
        .cast(pl.Float64)
        .map_batches(lambda n: pl.Series(law(np.maximum(n.to_numpy() / 4, 1))))
        .alias("syntax")
    )
    runs = tuple(Tuned(r.cell, lagging) if r is run else r for r in replicate.runs)
    late = replace(replicate, runs=runs)
    found = claims.format_price_predicted(replace(group, replicates=(late, late)))
    assert found.verdict == "holds"
    assert found.measured == pytest.approx(1.0, abs=0.05)
    assert "T = 4.0" in found.rule or "T = 3.9" in found.rule or "T = 4 " in found.rule


def test_transfer_is_judged_on_entities_never_asked():
    assert claims.transfers(evidence(), HALF).measured == 1.0
    poor = claims.transfers(evidence(format={"others": 0.5}), 0.0)
    assert poor.measured == 0.5
    assert poor.verdict == "fails"


def test_all_or_nothing():
    slow = evidence(doses={"threshold": 4})
    assert claims.all_or_nothing(slow).measured == pytest.approx(4**0.4)
    late = evidence(doses={"threshold": 16})
    assert claims.room_makes_facts_cheap(late, slow).measured == pytest.approx(4.0)
    assert claims.room_makes_facts_cheap(late, slow).verdict == "holds"
    assert claims.room_makes_facts_cheap(slow, late).verdict == "fails"


def test_forgetting():
    """Planted: everything but the most frequent quarter goes, the rarest first."""
    lost = evidence(facts=lambda replay, rank: {"kept": 0.25 + 0.75 * replay, "new": 1.0, "recovered": 0.3})
    assert claims.rarest_first(lost, 0.0).verdict == "holds"
    assert claims.room_protects(lost).measured == pytest.approx(0.75)
    assert claims.room_protects(lost).verdict == "fails"
    assert claims.recovers(lost).measured == pytest.approx(2 / 30)
    assert claims.recovers(lost).verdict == "fails"
    assert claims.any_replay_protects(lost).verdict == "fails"
    kept = evidence()
    assert claims.room_protects(kept).verdict == "holds"
    assert claims.any_replay_protects(kept).verdict == "holds"


@pytest.mark.parametrize("known", [20, 45])
def test_the_law_is_met_by_who_follows_it(known):
    group = evidence(known=known)
    law = group.replicates[0].law

    def lawful(replay, rank):
        kept, new = (float(x[0]) for x in law(np.array([max(replay, 1e-3)])))
        return {"kept": kept, "new": new if replay < 1 else 0.0}

    following = evidence(known=known, facts=lawful)
    for claim in (claims.replay_keeps_what_the_law_says, claims.new_facts_as_the_law_says):
        assert claim(following).measured < 0.05
        assert claim(following).verdict == "holds"
    contrary = evidence(
        known=known, facts=lambda replay, rank: {"kept": float(lawful(replay, rank)["kept"] < 0.5), "new": 0.0}
    )
    assert claims.replay_keeps_what_the_law_says(contrary).verdict == "fails"
    assert claims.new_facts_as_the_law_says(contrary).verdict == "fails"


def test_lora():
    timid = evidence(facts=lambda replay, rank: {"kept": 0.9 if rank else 0.5, "new": 0.4 if rank else 1.0})
    bold = evidence(facts=lambda replay, rank: {"kept": 0.5 if rank else 0.9, "new": 1.0 if rank else 0.4})
    for claim in (claims.lora_learns_less, claims.lora_forgets_less):
        assert claim(timid, 2).verdict == "holds"
        assert claim(bold, 2).verdict == "fails"
        assert claim(timid, 2).measured == pytest.approx(-claim(bold, 2).measured)


def test_lora_is_compared_at_equal_learning_too():
    """Planted: old facts fall to 0.6 and new ones rise to 0.8 in equal steps; at half of the new ones 5/8 of that is done."""
    group = evidence(facts=lambda replay, rank: {"kept": 0.2 if rank else 0.6, "new": 0.8})
    run = group.replicates[0]
    assert run.facts().kept_at(0.5) == pytest.approx(1 - 0.4 * 5 / 8, abs=0.03)
    found = claims.lora_keeps_more_for_what_it_learns(group, 2)
    assert found.measured == pytest.approx(-0.4 * 5 / 8, abs=0.03)
    assert found.verdict == "fails"
    assert np.isnan(run.facts().kept_at(0.9))


def test_confident_wrong_answers():
    sure = evidence(facts=lambda replay, rank: {"kept": 1.0, "wrong": 0.3 * (1 - replay)})
    assert claims.strangers_invented(sure).measured == pytest.approx(0.3)
    assert claims.strangers_invented(sure).verdict == "holds"
    assert claims.old_facts_invented(evidence()).verdict != "holds"


def test_findings_hold_every_claim_table_and_figure():
    groups = [evidence(8, known=20), evidence(16)]
    found = findings(groups)
    assert len(found.claims) == 2 * 2 + 2 + 2 + 1 + 4 + 1 + 2 + 4 + 1 + 3 + 4
    assert [table.name for table in found.tables] == ["forgetting", "recovery", "frontier", "format", "doses", "wrong"]
    assert len(found.charts) == 9
    frontier = found.table("frontier")
    assert frontier.filter(way="law")["replay"].to_list() == [*CONFIG.replays[1:]] * 2
    ranks = found.table("forgetting").filter(model="width 16", sentences=0)
    assert ((ranks["high"] - ranks["low"]) * ranks["known"]).sum() == pytest.approx(40)
    assert isinstance(claims._of(groups[0], lambda r: r.bits), Estimate)
    assert tables.wrong(groups).height == 2 * 2 * len(CONFIG.replays)


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_name_every_cell(preset):
    config = PRESETS[preset]
    ways = len(config.replays) + len(config.ranks) + 1 + 2
    assert sum(row.cells for row in plan(config)) == len(config.widths) * config.seeds * (1 + ways)


@pytest.mark.parametrize(
    "change",
    [
        {"widths": (16,)},
        {"widths": (64, 16)},
        {"seeds": 1},
        {"discount": 1.0},
        {"entities": 5},
        {"values": 1},
        {"templates": 1},
        {"layers": 0},
        {"sentences": 10},
        {"temper": 2.0},
        {"learning_rate": 0.0},
        {"warmup": -1},
        {"examples": 10},
        {"format_examples": 10},
        {"new": 2},
        {"doses": (1, 2)},
        {"doses": (4, 2, 8)},
        {"doses": (0, 2, 8)},
        {"each": 1},
        {"strangers": 3},
        {"replays": (0.0, 0.5, 1.0)},
        {"replays": (0.1, 0.2, 0.5, 1.0)},
        {"replays": (0.0, 0.2, 0.5, 0.9)},
        {"ranks": ()},
        {"ranks": (0, 2)},
        {"tune_rate": 2.0},
        {"tune_hold": 5},
    ],
)
def test_bad_settings(change):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        replace(Config(), **change)


def test_bad_settings_on_the_command_line(capsys):
    assert main(["run", "fine-tuning", "--preset", "tiny", "--replays", "0", "1"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "replays" in said


@pytest.mark.slow
def test_a_killed_study_ends_as_an_undisturbed_one(tmp_path):
    few = ["--sentences", "1280", "--examples", "512", "--format-examples", "512", "--tune-batch", "8"]
    ends_as_undisturbed("fine-tuning", [*few, "--replays", "0", "0.1", "0.5", "1"], tmp_path)
