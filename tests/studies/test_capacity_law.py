"""The capacity-law study: its judges on ladders whose verdict is known, its examination against plain loops, and real runs."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from twopart.studies._ladder import biographies, shape

from tests.studies.resuming import ends_as_undisturbed
from twopart.cli import main
from twopart.learners import Transformer, recall
from twopart.studies.capacity_law import PRESETS, Config, cells, claims, plan, tables
from twopart.studies.capacity_law.evidence import Evidence, Model, by_label, slope
from twopart.studies.capacity_law.study import _cells, findings

CONFIG = replace(PRESETS["tiny"], discounts=(0.5, 0.7), entities=3000, values=64, templates=8)
WIDTHS = (4, 8, 16, 24, 32, 48)


def model(cell, b, *, lost=0.0, blur=0.0, value=1.0, syntax=1.0, chance=0.0, power=1.0):
    """A model that holds what the law says at b bits per parameter: the first ranks whole, the others not at all.

    `blur` spreads the threshold over so many e-folds of rank, `lost` forgets that part of every fact; `value` and `syntax`
    scale what is paid; `power` bends the bits in the parameters; `chance` is what every unknown fact scores by luck.
    """
    size = cell.parameters
    law = Model(cell, pl.DataFrame()).law(np.array(b * size**power))
    world, p = cell.world, cell.excerpt.weights
    threshold = float(law.facts) / len(world.attributes)
    rank = np.arange(1, len(p) + 1)
    held = 1 / (1 + (rank / threshold) ** (1 / blur)) if blur else np.clip(threshold - rank + 1, 0, 1)
    held = (1 - lost) * held
    facts = sum(a.entropy() for a in world.attributes)
    oracle = float(-(world.pi @ np.log2(world.pi))) + sum(
        share * float(-(psi @ np.log2(psi))) for share, psi in zip(world.pi, world.template_probabilities, strict=True)
    )
    paid = value * (1 - held) * facts / len(world.attributes)
    columns = {"weight": p, "value": paid, "syntax": np.full(len(p), oracle + syntax * float(law.syntax))}
    luck = np.full(len(p), chance * facts)
    table = pl.DataFrame({**columns, "stored": held * facts + luck, "chance": luck, "gained": held * facts - luck})
    return Model(cell, table)


def ladder(discount=0.5, b=0.6, **how):
    """Models of one discount."""
    config = replace(CONFIG, discounts=(discount,), widths=WIDTHS)
    return Evidence("test", tuple(model(cell, b, **how) for cell in _cells(config, 7)))


@pytest.mark.parametrize("discount", [0.5, 0.7])
@pytest.mark.parametrize("b", [0.3, 1.1])
def test_a_learner_that_follows_the_law_is_recognised(discount, b):
    found = ladder(discount, b)
    assert found.bits_per_parameter.value == pytest.approx(b, rel=0.02)
    judged = [judge(found) for judge in (claims.follows_the_law, claims.exponent, claims.threshold, claims.sharp)]
    assert [claim.verdict for claim in judged] == ["holds"] * 4
    assert judged[0].measured < 0.05
    assert claims.bits_per_parameter(found).verdict == "holds"


def test_stored_bits_that_grow_as_the_laws_hold_and_others_fail():
    claim = claims.proportional(ladder(b=0.6))
    assert claim.verdict == "holds"
    assert claim.measured == pytest.approx(claim.predicted, abs=0.01)
    assert 1 <= claim.predicted < 1.2
    assert claims.proportional(ladder(b=6.0, power=0.6)).verdict == "fails"


def test_luck_is_not_knowledge():
    """Twenty times the bits of the smallest model by chance alone change nothing."""
    plain, lucky = ladder(), ladder(chance=0.02)
    assert lucky.models[0].bits("stored") > 2 * plain.models[0].bits("stored")
    assert lucky.stored == pytest.approx(plain.stored)
    assert claims.proportional(lucky).measured == pytest.approx(claims.proportional(plain).measured)


def test_a_learner_of_another_curve_fails():
    """Stored bits that grow as the square root of the parameters, so that redundancy falls half as fast."""
    found = ladder(b=30.0, power=0.5)
    assert claims.exponent(found).verdict == "fails"
    assert claims.follows_the_law(found).verdict == "fails"


def test_bits_per_parameter_above_the_ceiling_fail():
    assert claims.bits_per_parameter(ladder(b=2.4)).verdict == "fails"


def test_a_blurred_threshold_is_not_sharp():
    assert claims.sharp(ladder(blur=1.0)).verdict == "fails"
    assert claims.sharp(ladder(blur=0.1)).verdict == "holds"


def test_a_threshold_elsewhere_fails():
    """Every fact costs the model four times what the law says, but it holds as many as ever: the fit must take fewer."""
    assert claims.threshold(ladder(value=4.0, syntax=4.0)).verdict == "fails"


def test_knowledge_before_syntax_fails():
    claim = claims.syntax_first(ladder(0.5, b=0.1))
    assert claim.verdict == "holds"
    assert claim.measured == pytest.approx(claim.predicted, rel=0.01)
    assert claims.syntax_first(ladder(0.5, b=0.1, syntax=100.0)).verdict == "fails"
    nothing = ladder(value=0.0, syntax=0.0)
    assert claims.syntax_first(nothing).verdict == "inconclusive"


@pytest.mark.parametrize(("second", "verdict"), [(0.6, "holds"), (1.2, "fails")])
def test_bits_per_parameter_of_two_worlds_are_compared(second, verdict):
    assert claims.one_number([ladder(0.5, 0.6), ladder(0.7, second)]).verdict == verdict


@pytest.mark.parametrize(("value", "verdict"), [(1.02, "holds"), (1.5, "fails")])
def test_convergence_is_judged(value, verdict):
    whole, half = ladder().models, ladder(value=value, syntax=value).models
    assert claims.converged(list(zip(half, whole, strict=True))).verdict == verdict


def test_models_alike_to_the_last_bit_say_nothing_of_slopes():
    assert np.isnan(slope(np.ones(3), np.arange(3.0), np.full(3, 1 / 3)))


def test_the_fit_is_that_of_a_fine_search():
    """Against the least squares found by brute force over b, the law solved anew at each."""
    found = ladder(b=0.6, value=1.2, power=1.05)
    tried = np.geomspace(0.3, 2.0, 300)
    laws = np.array([m.law(tried * m.parameters).total for m in found.models])
    loss = ((np.log2(found.total)[:, None] - np.log2(laws)) ** 2).sum(0)
    assert found.bits_per_parameter.value == pytest.approx(tried[loss.argmin()], rel=0.02)


def test_ranks_are_counted_where_shares_fall():
    found = ladder().models[3]
    rank = found.rank_at(0.5)
    assert np.all(found.share[: int(rank)] >= 0.5)
    assert np.all(found.share[int(rank) :] < 0.5)
    assert found.rank_at(0.25) >= rank >= found.rank_at(0.75)


def test_an_examination_is_what_single_questions_say():
    """Against a loop that asks one sentence at a time, with the softmax written out."""
    world = biographies(0.6, 3, values=5, templates=3)
    excerpt = cells.Excerpt(world, 7)
    taught = Transformer(shape(world, 4), seed=2)
    found = cells.examine(taught, excerpt)
    assert found["weight"].sum() == pytest.approx(1)
    for k in (0, 6):
        value, syntax, stored, gained = 0.0, 0.0, 0.0, 0.0
        for a, psi in enumerate(world.template_probabilities):
            for t, share in enumerate(psi):
                bits = one_sentence(taught, world, excerpt.entity[k], a, t)
                value, syntax = value + world.pi[a] * share * bits[1], syntax + world.pi[a] * share * bits[0]
            asked = recall(taught, world, excerpt.entity[[k]], np.array([a]))
            gained += np.log2(5 * asked.correct[0])
            stored += max(0.0, np.log2(5 * asked.correct[0]))
        row = found.row(k, named=True)
        assert (row["value"], row["syntax"]) == pytest.approx((value, syntax), rel=1e-4)
        assert (row["stored"], row["gained"]) == pytest.approx((stored, gained), abs=1e-4)


def one_sentence(taught, world, entity, attribute, template):
    """(syntax, value) bits of one sentence, from the logits of one forward pass."""
    import torch

    from twopart.worlds import Corpus, SymbolRendering

    corpus = Corpus(
        world,
        np.array([entity]),
        np.array([attribute], np.int16),
        np.array([template], np.int16),
        world.value([entity], [attribute]),
        np.ones(1),
    )
    rendering = SymbolRendering(world)
    tokens = np.r_[rendering.bos, rendering.encode(corpus).tokens[0]]
    with torch.no_grad():
        logits = taught(torch.from_numpy(tokens[None, :-1].astype(np.int64)))[0].double()
    costs = -torch.log_softmax(logits, -1)[torch.arange(len(tokens) - 1), torch.from_numpy(tokens[1:].astype(np.int64))]
    bits = (costs / np.log(2)).numpy()
    return bits[-3] + bits[-2], bits[-1]


def test_a_model_that_knows_nothing_scores_as_chance_does():
    """The correct value is one like any other to it: over many facts stored and chance agree within standard error."""
    world = biographies(0.6, 5, values=32)
    excerpt = cells.Excerpt(world, 3000)
    random = Transformer(shape(world, 8), seed=4)
    with_spread = random.state_dict()
    with_spread["embedding"] *= 60  # confident guesses, right and wrong
    random.load_state_dict(with_spread)
    found = cells.examine(random, excerpt)
    difference = (found["stored"] - found["chance"]).to_numpy()
    assert found["stored"].mean() > 0.5
    assert abs(difference.mean()) < 4.9 * difference.std() / np.sqrt(len(difference))


def test_blocks_of_entities_change_nothing(monkeypatch):
    world = biographies(0.6, 3, values=5, templates=3)
    taught = Transformer(shape(world, 4), seed=2)
    whole = cells.examine(taught, cells.Excerpt(world, 10))
    monkeypatch.setattr(cells, "BLOCK", 3)
    parts = cells.examine(taught, cells.Excerpt(world, 10))
    assert whole.columns == parts.columns
    assert np.allclose(whole.to_numpy(), parts.to_numpy(), rtol=1e-5)


def test_findings_hold_every_claim_table_and_figure():
    groups = by_label([*ladder(0.5).models, *ladder(0.7).models], (0.5, 0.7))
    half = [replace(m, cell=replace(m.cell, sentences=m.cell.sentences // 2)) for m in groups["d = 0.5"].models[::3]]
    found = findings(groups, list(zip(half, groups["d = 0.5"].models[::3], strict=True)))
    assert len(found.claims) == 7 * 2 + 2
    assert found.table("models").height == 2 * len(WIDTHS)
    assert [chart.name for chart in found.charts] == ["capacity-law", "bits-per-parameter", "ranks"]
    ranks = found.table("ranks")
    assert ranks.group_by("world", "parameters").agg((pl.col("high") - pl.col("low")).sum())[
        "high"
    ].unique().to_list() == [3000]
    known = (ranks["held"] * (ranks["high"] - ranks["low"])).sum()
    assert known == pytest.approx(sum(m.share.sum() for g in groups.values() for m in g.models))


def test_the_laws_curve_passes_through_its_models():
    group = ladder()
    curve = tables.law({"test": group})
    at = np.interp(np.log(group.parameters), np.log(curve["parameters"]), np.log(curve["redundancy"]))
    assert np.exp(at) == pytest.approx([float(law.total) for law in group.fitted], rel=0.02)


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_name_every_cell(preset):
    config = PRESETS[preset]
    rows = plan(config)
    others = (len(config.discounts) - 1) * len(config.other_widths)
    assert sum(row.cells for row in rows) == config.replicates * len(config.widths) + others + 3
    assert all(row.seconds > 0 and row.memory > 0 and row.flops > 0 for row in rows)


def test_the_main_ladder_spans_two_decades():
    sizes = [cell.parameters for cell in _cells(PRESETS["small"], 0)][: len(PRESETS["small"].widths)]
    assert len(sizes) >= 6
    assert sizes[-1] >= 100 * sizes[0]


@pytest.mark.parametrize(
    "change",
    [
        {"discounts": ()},
        {"discounts": (0.5, 0.5)},
        {"discounts": (0.0,)},
        {"widths": (2, 4, 8)},
        {"widths": (2, 4, 6, 8, 16, 12)},
        {"widths": (2, 4, 6, 8, 16, 33)},
        {"other_widths": (1, 2, 4, 6, 8, 10)},
        {"replicates": 0},
        {"entities": 10},
        {"sentences": 100},
        {"temper": 1.5},
        {"values": 1},
        {"templates": 1},
        {"layers": 0},
        {"learning_rate": 0.0},
        {"warmup": -1},
    ],
)
def test_bad_settings(change):
    with pytest.raises(ValueError, match=r"`\w+` must be .*, got .*; "):
        replace(Config(), **change)


def test_bad_settings_on_the_command_line(capsys):
    assert main(["run", "capacity-law", "--preset", "tiny", "--widths", "2", "4"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "widths" in said


@pytest.mark.slow
def test_a_study_that_lost_cells_ends_as_an_undisturbed_one(tmp_path):
    ends_as_undisturbed("capacity-law", ["--discounts", "0.5", "--sentences", "3000", "--entities", "60"], tmp_path)
