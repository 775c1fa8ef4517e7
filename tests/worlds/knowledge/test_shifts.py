"""Shifted worlds: what moves moves as often as it is said to, what stays is the same, and learners can read both."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from twopart._checks import InputError
from twopart.codes import bayes_code, oracle_code, oracle_code_of_text
from twopart.worlds import (
    Attribute,
    EnglishRendering,
    EqualFrequencies,
    Excerpt,
    PitmanYor,
    Shift,
    ShiftedWorld,
    SymbolRendering,
    SyntaxKnowledge,
    render,
    replay,
    shifted_world,
    write_corpus,
)
from twopart.worlds.knowledge.syntax_knowledge import COLUMNS

RARE = 1e-6  # false alarms of a test
KINDS = (
    Attribute("a", values=4, templates=3, base=(0.1, 0.2, 0.3, 0.4)),
    Attribute("b", values=64, templates=2),
    Attribute("c", values=1, templates=1),
)
WORLD = SyntaxKnowledge(0.5, 1.0, KINDS, names=2**24, seed=7)
EVERYTHING = Shift(format=4, new_entities=EqualFrequencies(30), new_share=0.3, changed=0.25, narrowed=20, seed=2)
SHIFTS = [
    Shift(),
    Shift(format=4),
    Shift(new_entities=PitmanYor(0.6, 2.0)),
    Shift(changed=0.25),
    Shift(narrowed=20),
    EVERYTHING,
]


def parts_of(shift: Shift) -> str:
    return "-".join(move.split(":")[0] for move in shift.moves) or "nothing"


@pytest.mark.parametrize("shift", SHIFTS, ids=parts_of)
def test_a_shard_is_its_part_of_the_whole_and_tells_todays_facts(shift: Shift) -> None:
    world = shifted_world(WORLD, shift)
    corpus = world.sample(500, stream=4)
    assert world.sample(150, stream=4, start=200) == corpus[200:350]
    np.testing.assert_array_equal(corpus.value, world.value(corpus.entity, corpus.attribute))
    spoken = [world.template_probabilities[a][t] for a, t in zip(corpus.attribute, corpus.template, strict=True)]
    assert min(spoken) > 0


@pytest.mark.parametrize("shift", SHIFTS, ids=parts_of)
def test_the_world_before_is_the_origin(shift: Shift) -> None:
    world = shifted_world(WORLD, shift)
    before, origin = world.before.sample(300, stream=3, start=7), WORLD.sample(300, stream=3, start=7)
    for column in (*COLUMNS, "name"):
        np.testing.assert_array_equal(getattr(before, column), getattr(origin, column))
    excerpt = Excerpt(world.before, 15)
    np.testing.assert_array_equal(excerpt.entity, Excerpt(WORLD, 15).entity)


def test_streams_are_independent_of_the_origins() -> None:
    for shift in (Shift(changed=0.1), Shift(narrowed=20)):
        corpus, old = shifted_world(WORLD, shift).sample(2000), WORLD.sample(2000)
        same = np.mean(corpus.attribute == old.attribute)
        assert abs(same - 1 / 3) < 5 * np.sqrt(2 / 9 / 2000)


def test_new_entities_have_their_share_their_frequencies_and_names_of_their_own() -> None:
    world = shifted_world(WORLD, EVERYTHING)
    corpus = world.sample(20_000)
    new = corpus.entity[corpus.entity < 0]
    assert binomtest(len(new), len(corpus), 0.3).pvalue > RARE
    assert chisquare(np.bincount(~new, minlength=30)).pvalue > RARE
    np.testing.assert_allclose(corpus.probability[corpus.entity < 0], 0.3 / 30)
    names = world.name(np.r_[~np.arange(30), np.arange(WORLD.measure.root_atoms)])
    assert len(np.unique(names)) == len(names)
    assert names.min() >= 0
    assert names.max() < WORLD.names


def test_facts_of_new_entities_follow_the_base_distribution() -> None:
    world = shifted_world(WORLD, Shift(new_entities=EqualFrequencies(20_000), changed=0.9))
    values = world.value(~np.arange(20_000), 0)
    assert chisquare(np.bincount(values, minlength=4), 20_000 * np.array(KINDS[0].base)).pvalue > RARE
    assert not world.changed(~np.arange(20_000), 0).any()


@pytest.mark.parametrize("attribute", [0, 1])
def test_facts_change_as_often_as_said_and_never_to_what_they_were(attribute: int) -> None:
    world = shifted_world(WORLD, Shift(changed=0.25))
    entity = np.arange(40_000)
    old, new, moved = (f(entity, attribute) for f in (WORLD.value, world.value, world.changed))
    np.testing.assert_array_equal(old != new, moved)
    assert binomtest(int(moved.sum()), len(entity), 0.25).pvalue > RARE
    base = KINDS[attribute].value_probabilities()
    for was in range(4):
        among = new[moved & (old == was)]
        expected = np.where(np.arange(len(base)) == was, 0.0, base)
        assert not (among == was).any()
        counts = np.delete(np.bincount(among, minlength=len(base)), was)
        shares = np.delete(expected, was)
        assert chisquare(counts, len(among) * shares / shares.sum()).pvalue > RARE


def test_a_fact_with_one_value_cannot_change() -> None:
    world = shifted_world(WORLD, Shift(changed=0.9))
    assert not world.changed(np.arange(100), 2).any()
    assert world.value(3, 0).shape == ()


def test_a_narrowed_stream_is_an_excerpts() -> None:
    corpus = shifted_world(WORLD, Shift(narrowed=20)).sample(20_000)
    excerpt = Excerpt(WORLD, 20)
    rank = {e: k for k, e in enumerate(excerpt.entity.tolist())}
    counts = np.bincount([rank[e] for e in corpus.entity.tolist()], minlength=20)
    assert chisquare(counts, len(corpus) * excerpt.weights).pvalue > RARE


@given(st.sampled_from(SHIFTS), st.integers(0, 2**40), st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_symbols_are_read_back_before_and_after(shift: Shift, start: int, size: int) -> None:
    world = shifted_world(WORLD, shift)
    rendering = SymbolRendering(world)
    for corpus in (world.sample(size, start=start), world.before.sample(size, start=start)):
        assert SymbolRendering(corpus.world).vocabulary == rendering.vocabulary
        facts = rendering.parse(rendering.encode(corpus).tokens)
        for column in ("name", "attribute", "template", "value"):
            np.testing.assert_array_equal(getattr(facts, column), getattr(corpus, column))


@pytest.mark.parametrize("shift", [Shift(format=8), Shift(format=5, new_entities=EqualFrequencies(30), new_share=0.5)])
def test_a_new_format_in_english_is_questions_with_answers(shift: Shift) -> None:
    attributes = (Attribute("hobby", 9, 3), Attribute("employer", 9, 7))
    world = shifted_world(SyntaxKnowledge(names=2**36, seed=3, attributes=attributes), shift)
    rendering = EnglishRendering(world)
    for corpus, asked in ((world.sample(200), True), (world.before.sample(200), False)):
        texts = render(corpus, "english").texts
        assert all(text.startswith("Q: ") == asked for text in texts)
        facts = rendering.parse(texts)
        for column in ("name", "attribute", "template", "value"):
            np.testing.assert_array_equal(getattr(facts, column), getattr(corpus, column))
        lengths = oracle_code_of_text(corpus).total
        np.testing.assert_allclose(lengths, oracle_code(corpus).total, rtol=1e-12)
    assert render(world.before.sample(50), "english").texts == render(world.origin.sample(50), "english").texts


def test_english_has_so_many_questions() -> None:
    with pytest.raises(InputError, match="questions of birth_city"):
        EnglishRendering(shifted_world(SyntaxKnowledge(), Shift(format=9)))


def test_formats_share_no_template() -> None:
    world = shifted_world(WORLD, EVERYTHING)
    first = world.first_template
    assert first == 3
    assert world.before.sample(1000).template.max() < first <= world.sample(1000).template.min()


def test_shifts_of_one_world_can_share_a_vocabulary() -> None:
    formatted = shifted_world(WORLD, Shift(format=4))
    other = formatted.instead(Shift(changed=0.5))
    assert SymbolRendering(other).vocabulary == SymbolRendering(formatted).vocabulary
    assert other.before == formatted.before
    same, alone = other.sample(200), shifted_world(WORLD, Shift(changed=0.5)).sample(200)
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(same, column), getattr(alone, column))
    np.testing.assert_array_equal(
        bayes_code(same, after=other.before.sample(50)).total, bayes_code(alone, WORLD.sample(50)).total
    )
    with pytest.raises(InputError, match="`format` must be 0 or 4"):
        formatted.instead(Shift(format=5))


def test_replay_takes_its_share_and_leaves_the_rest() -> None:
    world = shifted_world(WORLD, EVERYTHING)
    new, old = world.sample(5000), world.before.sample(5000)
    mixed, replayed = replay(new, old, 0.2, stream=1)
    assert binomtest(int(replayed.sum()), 5000, 0.2).pvalue > RARE
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(mixed, column)[replayed], getattr(old, column)[replayed])
        np.testing.assert_array_equal(getattr(mixed, column)[~replayed], getattr(new, column)[~replayed])
    shards = [replay(new[a:b], old[a:b], 0.2, stream=1, start=a) for a, b in pairwise((0, 1700, 5000))]
    np.testing.assert_array_equal(np.concatenate([coin for _, coin in shards]), replayed)


def test_a_shift_says_what_moves_and_what_stays() -> None:
    assert str(Shift()).startswith("moves: nothing. Stays: attributes and their probabilities; the format;")
    assert [move.split(":")[0] for move in EVERYTHING.moves] == ["the format", "new entities", "facts", "narrowing"]
    assert "the facts about old entities" in Shift(format=2).stays
    assert "the facts about old entities" not in EVERYTHING.stays


@pytest.mark.parametrize(
    "bad", [{"format": -1}, {"changed": 1.0}, {"new_share": 0.0}, {"narrowed": 0}, {"new_entities": 100}]
)
def test_bad_shifts_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"`{next(iter(bad))}`"):
        Shift(**bad)


def test_worlds_that_cannot_shift_so_are_refused() -> None:
    shifted: ShiftedWorld = shifted_world(WORLD, Shift(format=2))
    with pytest.raises(InputError, match="origin"):
        shifted_world(shifted, Shift())
    with pytest.raises(InputError, match="Pitman-Yor"):
        shifted_world(SyntaxKnowledge(population=10), Shift(narrowed=5))
    crowded = shifted_world(SyntaxKnowledge(population=10, names=50), Shift(new_entities=EqualFrequencies(100)))
    with pytest.raises(InputError, match="names"):
        crowded.sample(1).name  # noqa: B018
    with pytest.raises(InputError, match="as long"):
        replay(shifted.sample(3), WORLD.sample(4), 0.5)
    with pytest.raises(InputError, match="shifted from"):
        replay(shifted.sample(3), SyntaxKnowledge().sample(3), 0.5)
    with pytest.raises(InputError, match="origin"):
        write_corpus(shifted.sample(3), "nowhere.parquet")
