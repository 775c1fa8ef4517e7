"""The capacity-law study: its judges on ladders whose verdict is known, its tables and its examination against plain loops."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest
import torch

from twopart.evidence import Found, Rows
from twopart.fits import Octaves
from twopart.laws import capacity_law
from twopart.learners import Transformer, recall
from twopart.studies._transformers import Shape
from twopart.studies.knowledge import capacity_law as study
from twopart.studies.knowledge import capacity_law_cells as learners
from twopart.worlds import Biographies, Corpus, Excerpt, KnownEntities, SymbolRendering

WIDTHS = (4, 8, 16, 24, 32, 48)
ENTITIES = 1500
CONFIG = study.Config(discounts=(0.5, 0.7), widths=WIDTHS, other_widths=WIDTHS)
PARAMETERS = {w: Shape(1, w).reading(CONFIG.people.world(0.5, 0)).parameters for w in WIDTHS}


def told(discount):
    """Weights of entities by rank."""
    weights = np.arange(1, ENTITIES + 1) ** (-1 / discount)
    return weights / weights.sum()


@cache
def law(discount, b, power):
    """Facts known and redundancy of the syntax, by width."""
    world, sizes = CONFIG.people.world(discount, 0), np.array(list(PARAMETERS.values()))
    found = capacity_law(world, b * sizes**power, KnownEntities(told(discount), world.entities))
    return dict(zip(WIDTHS, zip(found.facts, found.syntax, strict=True), strict=True))


def model(case, b, *, blur=0.0, value=1.0, syntax=1.0, chance=0.0, power=1.0, half=1.02):
    """What is found in a model that holds what the law says at b bits per parameter: the first ranks whole, others not at all.

    `blur` spreads the threshold over so many e-folds of rank; `value` and `syntax` scale what is paid, `half` after half of the
    training; `power` bends the bits in the parameters; `chance` is what every unknown fact scores by luck.
    """
    world, rank, weights = case.world(), np.arange(1, ENTITIES + 1), told(case.discount)
    known, templates = law(case.discount, b, power)[case.width]
    threshold = known / len(world.attributes)
    held = 1 / (1 + (rank / threshold) ** (1 / blur)) if blur else np.clip(threshold - rank + 1, 0, 1)
    facts, luck = sum(a.entropy() for a in world.attributes), chance
    more = half if case.halved else 1.0
    return pl.DataFrame(
        {
            "weight": weights,
            "value": more * value * (1 - held) * facts / len(world.attributes),
            "syntax": world.syntax_entropy + more * syntax * templates * np.ones(ENTITIES),
            "stored": (held + luck) * facts,
            "chance": luck * facts * np.ones(ENTITIES),
            "gained": (held - luck) * facts,
            "parameters": PARAMETERS[case.width],
            "sentences": 1_000_000 // (1 + case.halved),
        }
    )


def planted(b=0.6, second=None, **how):
    """Found where the models of the main discount have b bits per parameter, and those of the other `second`."""
    held = {0.5: b, 0.7: second or b}
    cases = [work.case for work in study.cells(CONFIG, 7)]
    return Found.collect(CONFIG, [("train_model", c, 0, model(c, held[c.discount], **how)) for c in cases])


def ladder(discount=0.5, b=0.6, **how):
    """Five rungs, so that there are few resamples."""
    cases = [w.case for w in study.cells(CONFIG, 7) if w.case.discount == discount and w.case.width != 24][:5]
    return study.Ladder(tuple(Rows(c, model(c, b, **how).with_columns(replicate=pl.lit(0))) for c in cases))


def test_a_learner_that_follows_the_law_is_recognised():
    found = planted(0.6, 0.5)
    verdicts = {claim.statement: claim.verdict for claim in study.claims(found)}
    assert len(verdicts) == 7 * 2 + 2
    assert [t.bits_per_parameter.value for t in study.ladders(found)] == pytest.approx([0.6, 0.5], rel=0.02)
    left = [statement for statement, verdict in verdicts.items() if verdict != "holds" and "syntax" not in statement]
    assert left == []


def test_a_learner_of_another_curve_fails():
    """Stored bits that grow as the square root of the parameters, so that redundancy falls half as fast."""
    found = ladder(b=30.0, power=0.5)
    judged = [judge(found).verdict for judge in (study.follows_the_law, study.exponent, study.proportional)]
    assert judged == ["fails"] * 3


def test_bits_per_parameter_above_the_ceiling_fail():
    assert study.bits_per_parameter(ladder(b=2.4)).verdict == "fails"


def test_luck_is_not_knowledge():
    """Twenty times the bits of the smallest model by chance alone change nothing."""
    plain, lucky = ladder(), ladder(chance=0.02)
    assert lucky.models["stored"][0] > 2 * plain.models["stored"][0]
    assert study.proportional(lucky).measured == pytest.approx(study.proportional(plain).measured)
    assert study.proportional(plain).predicted == pytest.approx(study.proportional(plain).measured, abs=0.01)


def test_a_threshold_elsewhere_or_blurred_fails():
    """Every fact costs four times what the law says, but the model holds as many as ever: the fit must take fewer."""
    assert study.threshold(ladder(value=4.0, syntax=4.0)).verdict == "fails"
    assert study.sharp(ladder(blur=1.0)).verdict == "fails"
    assert study.sharp(ladder(blur=0.1)).verdict == "holds"


def test_knowledge_before_syntax_fails():
    claim = study.syntax_first(ladder(b=0.1))
    assert claim.verdict == "holds"
    assert claim.measured == pytest.approx(claim.predicted, rel=0.01)
    assert study.syntax_first(ladder(b=0.1, syntax=100.0)).verdict == "fails"
    assert study.syntax_first(ladder(value=0.0, syntax=0.0)).verdict == "inconclusive"


def test_bits_per_parameter_of_two_worlds_that_differ_fail():
    assert study.one_number([ladder(0.5, 0.6), ladder(0.7, 1.2)]).verdict == "fails"


def test_half_of_the_training_is_judged():
    found = planted(half=1.5)
    assert study.converged(study.halves(found)).verdict == "fails"
    assert study.halves(found)["ratio"].to_list() == pytest.approx([1.5] * 3)
    assert study.halves(found)["parameters"].to_list() == [PARAMETERS[w] for w in (4, 24, 48)]


def test_the_fit_is_that_of_a_fine_search():
    """Against the least squares found by brute force over b, the law solved anew at each."""
    found, tried = ladder(value=1.2, power=1.05), np.geomspace(0.5, 1.2, 300)
    laws = np.array([found.law(0, tried * size).total for size in found.sizes])
    loss = ((np.log2(found.redundancy)[:, None] - np.log2(laws)) ** 2).sum(0)
    assert found.bits_per_parameter.value == pytest.approx(tried[loss.argmin()], rel=0.01)
    assert Octaves(-8, 4, 480) == study.TRIED


def test_replicates_share_a_ladder():
    """The second replicate's world is another one, and its models come after all of the first."""
    one = ladder()
    double = [pl.concat([t.frame, t.frame.with_columns(replicate=pl.lit(1))]) for t in one.rungs]
    both = study.Ladder(tuple(replace(t, frame=frame) for t, frame in zip(one.rungs, double, strict=True)))
    assert both.models["replicate"].to_list() == [0] * 5 + [1] * 5
    assert both.by_replicate(both.of("width")).tolist() == [[4, 8, 16, 32, 48]] * 2
    assert both.worlds[0][0] != both.worlds[1][0]


def test_tables_say_what_plain_loops_say():
    """Shares by rank against a loop over ranks; ranks of half the bits against a count; the curve against its models."""
    found = planted(0.6, blur=0.3)
    tables = {table.name: table.frame for table in study.tables(found)}
    t = study.ladders(found)[1]
    share = study.held(t.worlds[0][0], t.rungs[2].frame)
    row = {"world": str(t), "parameters": PARAMETERS[16]}
    ranks = tables["ranks"].filter(*(pl.col(k) == v for k, v in row.items()), series="transformer")
    slow = [np.mean([share[k - 1] for k in range(first, last + 1)]) for first, last in ranks["first", "last"].rows()]
    assert ranks["held"].to_list() == pytest.approx(slow)
    assert ranks["last"][-1] == ENTITIES
    models = tables["models"].filter(*(pl.col(k) == v for k, v in row.items()))
    assert models["half held at rank"].item() == sum(1 for s in share if s >= 0.5)
    law = tables["curves"].filter(series="law", world=str(t))
    at = np.interp(np.log(t.sizes), np.log(law["parameters"]), np.log(law["redundancy"]))
    assert np.exp(at) == pytest.approx(t.fitted["law"].to_numpy(), rel=0.02)


def test_shares_that_rise_with_the_rank_are_pooled():
    """Least squares gives the 2nd and 3rd entity their mean, 0.4."""
    t = ladder().rungs[0]
    facts = sum(a.entropy() for a in t.case.world().attributes)
    share = np.r_[1.0, 0.2, 0.6, np.zeros(ENTITIES - 3)]
    frame = t.frame.with_columns(stored=pl.Series(share * facts), chance=pl.lit(0.0))
    row = next(study.examined(replace(t, frame=frame)))
    assert [row[f"{name} held at rank"] for name in study.SHARES] == [3, 1, 1]


WORLD = Biographies(values=5, templates=3).world(0.6, 3)


def test_an_examination_is_what_single_questions_say():
    """Against a loop that asks one sentence at a time, with the softmax written out."""
    excerpt, taught = Excerpt(WORLD, 7), Transformer(Shape(1, 4).reading(WORLD), seed=2)
    found = learners.examine(taught, excerpt)
    assert found["weight"].sum() == pytest.approx(1)
    for k in (0, 6):
        value, syntax, stored, gained = 0.0, 0.0, 0.0, 0.0
        for a, psi in enumerate(WORLD.template_probabilities):
            for t, share in enumerate(psi):
                bits = one_sentence(taught, excerpt.entity[k], a, t)
                value, syntax = value + WORLD.pi[a] * share * bits[1], syntax + WORLD.pi[a] * share * bits[0]
            asked = recall(taught, WORLD, excerpt.entity[[k]], np.array([a]))
            gained += np.log2(5 * asked.correct[0])
            stored += max(0.0, np.log2(5 * asked.correct[0]))
        row = found.row(k, named=True)
        assert (row["value"], row["syntax"]) == pytest.approx((value, syntax), rel=1e-4)
        assert (row["stored"], row["gained"]) == pytest.approx((stored, gained), abs=1e-4)


def one_sentence(taught, entity, attribute, template):
    """(syntax, value) bits of one sentence, from the logits of one forward pass."""
    one = np.array([entity]), np.array([attribute], np.int16), np.array([template], np.int16)
    corpus = Corpus(WORLD, *one, WORLD.value([entity], [attribute]), np.ones(1))
    rendering = SymbolRendering(WORLD)
    tokens = torch.from_numpy(np.r_[rendering.bos, rendering.encode(corpus).tokens[0]].astype(np.int64))
    with torch.no_grad():
        logits = taught(tokens[None, :-1])[0].double()
    bits = (-torch.log_softmax(logits, -1)[torch.arange(len(tokens) - 1), tokens[1:]] / np.log(2)).numpy()
    return bits[-3] + bits[-2], bits[-1]


def test_blocks_of_entities_change_nothing():
    excerpt, taught, told = Excerpt(WORLD, 10), Transformer(Shape(1, 4).reading(WORLD), seed=2), []
    whole, parts = learners.examine(taught, excerpt), learners.examine(taught, excerpt, told.append, block=4)
    assert whole.columns == parts.columns
    assert np.allclose(whole.to_numpy(), parts.to_numpy(), rtol=1e-5)
    assert told == [4, 8, 10]


def test_a_model_that_knows_nothing_scores_as_chance_does():
    """The correct value is one like any other to it: over many facts stored and chance agree within standard error."""
    world = Biographies(values=32, templates=1).world(0.6, 5)
    random = Transformer(Shape(1, 8).reading(world), seed=4)
    spread = random.state_dict()
    spread["embedding"] *= 60  # confident guesses, right and wrong
    random.load_state_dict(spread)
    found = learners.examine(random, Excerpt(world, 1000))
    difference = (found["stored"] - found["chance"]).to_numpy()
    assert found["stored"].mean() > 0.5
    assert abs(difference.mean()) < 4.9 * difference.std() / np.sqrt(len(difference))


def test_the_main_ladder_spans_two_decades():
    world = CONFIG.people.world(0.5, 0)
    least, most = (Shape(1, study.Config().widths[i]).reading(world).parameters for i in (0, -1))
    assert most >= 100 * least
