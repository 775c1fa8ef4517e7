"""The English rendering against string formatting, its spans, its parser, and worlds that it has no words for."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds.knowledge.rendered_worlds import KNOWN, english_worlds, widest
from twopart._checks import InputError
from twopart.roles import Role
from twopart.worlds import (
    Attribute,
    Corpus,
    EnglishRendering,
    EnglishText,
    Facts,
    SymbolRendering,
    SyntaxKnowledge,
    render,
)
from twopart.worlds.knowledge.renderings.lexicon import lexicon

SIZES = [1, 2, 3, 1000, 2**24, 2**24 + 1, 2**36, 2**36 + 1, 10**12, 2**48]


def formatted(corpus: Corpus) -> list[tuple[str, str, str]]:
    """(sentence, name, value) by Python's own formatting: words take equal shares of the name's bits, lowest first."""
    words = lexicon()
    bits = max(2, (corpus.world.names - 1).bit_length())
    count = max(2, -(-bits // 12))
    share = -(-bits // count)
    rows = []
    columns = corpus.name, corpus.attribute, corpus.template, corpus.value
    for name, a, t, v in zip(*(column.tolist() for column in columns), strict=True):
        digits = [(name >> (share * place)) % 2**share for place in range(count)]
        spoken = " ".join([*(words.first[digit] for digit in digits[:-1]), words.last[digits[-1]]])
        attribute = corpus.world.attributes[a].name
        value = words.values[attribute][v]
        rows.append((words.templates[attribute][t].format(name=spoken, value=value), spoken, value))
    return rows


def assert_same(text: EnglishText, other: EnglishText) -> None:
    assert text.texts == other.texts
    np.testing.assert_array_equal(text.spans, other.spans)


@pytest.mark.parametrize("names", SIZES)
def test_text_and_spans_are_those_of_string_formatting(names: int) -> None:
    corpus = widest(names=names, discount=0.7).sample(3000)
    text = render(corpus, "english")
    expected = formatted(corpus)
    assert text.texts == [sentence for sentence, _, _ in expected]
    spans = text.spans.tolist()
    cuts = [(s[a:b], s[c:d]) for (s, _, _), (a, b, c, d) in zip(expected, spans, strict=True)]
    assert cuts == [(name, value) for _, name, value in expected]


@settings(max_examples=60, deadline=None)
@given(english_worlds(), st.integers(0, 60), st.integers(0, 2**40))
def test_a_sentence_reads_back_as_its_facts(world: SyntaxKnowledge, n: int, start: int) -> None:
    corpus = world.sample(n, start=start)
    facts = EnglishRendering(world).parse(render(corpus, "english").texts)
    for column, parsed in facts._asdict().items():
        np.testing.assert_array_equal(parsed, getattr(corpus, column))


def test_every_template_and_value_reads_back() -> None:
    world = widest()
    attribute = np.repeat(np.arange(len(KNOWN)), 29_220)
    sizes = np.array([(a.templates, a.values) for a in world.attributes])[attribute]
    count = np.tile(np.arange(29_220), len(KNOWN))[: len(attribute)]
    corpus = Corpus(world, count, attribute, count % sizes[:, 0], count % sizes[:, 1], np.ones(len(count)))[::3]
    facts = EnglishRendering(world).parse(render(corpus, "english").texts)
    for column, parsed in facts._asdict().items():
        np.testing.assert_array_equal(parsed, getattr(corpus, column))


def test_roles_of_bytes_follow_the_spans() -> None:
    corpus = widest().sample(500)
    text = render(corpus, "english")
    roles = text.roles_of_bytes()
    assert len(roles) == len(text.data) == text.offsets[-1]
    for i, (sentence, name, value) in enumerate(formatted(corpus)):
        mine = roles[text.offsets[i] : text.offsets[i + 1]]
        letters = np.array(list(sentence))
        assert "".join(letters[mine == Role.NAME]) == name
        assert "".join(letters[mine == Role.VALUE]) == value
        assert (
            "".join(letters[mine == Role.SYNTAX])
            == sentence.replace(name, "", 1)[::-1].replace(value[::-1], "", 1)[::-1]
        )


def test_arrow_shares_the_memory() -> None:
    text = render(widest().sample(1000), "english")
    table = text.arrow()
    table.validate(full=True)
    assert table["text"].to_pylist() == text.texts
    assert table["text"].chunk(0).buffers()[2].address == text.data.ctypes.data
    for edge, column in zip(("name_start", "name_end", "value_start", "value_end"), text.spans.T, strict=True):
        np.testing.assert_array_equal(table[edge].to_numpy(), column)
        assert table[edge].chunk(0).buffers()[1].address == column.ctypes.data
    assert table.schema.field("text").type == pa.large_string()


@pytest.mark.parametrize("cuts", [[0], [1], [999], [1000], [137, 138, 640]])
def test_shards_render_as_the_whole(cuts: list[int]) -> None:
    corpus = widest().sample(1000)
    edges = [0, *cuts, 1000]
    parts = [render(corpus[a:b], "english") for a, b in pairwise(edges)]
    whole = render(corpus, "english")
    assert [sentence for part in parts for sentence in part.texts] == whole.texts
    np.testing.assert_array_equal(np.concatenate([part.spans for part in parts]), whole.spans)


def test_the_default_world_is_rendered() -> None:
    text = render(SyntaxKnowledge(population=10**6).sample(10_000), "english")
    assert len(set(text.texts)) > 9_900
    assert 65 < len(text.data) / len(text) < 80, "a biography of five sentences has about 370 bytes"


def test_english_that_does_not_exist_is_refused() -> None:
    cases = [
        (Attribute("shoe_size"), "`attribute` must be one of 'birth_city'.*got 'shoe_size'"),
        (Attribute("hobby", values=4000), "`values of hobby` must be at most 225 in English, got 4000; .*symbols"),
        (Attribute("hobby", templates=99), "`templates of hobby` must be at most 24 in English, got 99; .*symbols"),
    ]
    for attribute, message in cases:
        with pytest.raises(InputError, match=message):
            EnglishRendering(SyntaxKnowledge(attributes=(attribute,)))
    with pytest.raises(InputError, match=r"`names` must be at most 2\^48 in English.*symbols"):
        EnglishRendering(SyntaxKnowledge(names=2**48 + 1))


@pytest.mark.parametrize("column", ["attribute", "template", "value"])
@pytest.mark.parametrize("wrong", [-1, 5000])
@pytest.mark.parametrize("rendering", ["english", "symbols"])
def test_facts_outside_the_world_are_refused(column: str, wrong: int, rendering: str) -> None:
    corpus = widest().sample(20)
    columns = {
        name: getattr(corpus, name).copy() for name in ("entity", "attribute", "template", "value", "probability")
    }
    columns["attribute"][7] = KNOWN.index("hobby")
    columns["template"][7] = columns["value"][7] = 0
    columns[column][7] = wrong
    with pytest.raises(InputError, match=r"sentence 7.*outside its world"):
        render(Corpus(corpus.world, **columns), rendering)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Nobody Special was born in Adamburgh.",
        "The birthplace of is Adamburgh.",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a sentence of this world"):
        EnglishRendering(SyntaxKnowledge()).parse([text])


def test_a_broken_sentence_is_refused() -> None:
    corpus = SyntaxKnowledge().sample(50)
    for sentence in render(corpus, "english").texts:
        for broken in (sentence[:-1], sentence[1:], sentence + " ", sentence.lower(), " " + sentence):
            with pytest.raises(InputError, match="not a sentence"):
                EnglishRendering(corpus.world).parse([broken])


def test_sentences_of_a_larger_world_are_refused() -> None:
    small = SyntaxKnowledge(attributes=(Attribute("hobby", values=10, templates=2),), names=5)
    larger = SyntaxKnowledge(attributes=(Attribute("hobby", values=10, templates=2),), names=8)
    corpus = larger.sample(200)
    inside = corpus.name < 5
    assert 0 < inside.sum() < 200
    EnglishRendering(small).parse(render(corpus[inside], "english").texts)
    with pytest.raises(InputError, match="outside its world"):
        EnglishRendering(small).parse(render(corpus[~inside], "english").texts)


def test_unknown_renderings_are_refused() -> None:
    with pytest.raises(InputError, match="`rendering` must be one of 'english', 'symbols', got 'latin'"):
        render(SyntaxKnowledge().sample(1), "latin")


@pytest.mark.parametrize("rendering", [EnglishRendering, SymbolRendering])
def test_the_bounds_are_those_of_the_rendering_not_of_the_corpus(rendering: type[EnglishRendering]) -> None:
    small = SyntaxKnowledge(attributes=(Attribute("hobby", values=10, templates=2),))
    with pytest.raises(InputError, match="outside its world; render the corpus with the world"):
        rendering(small).encode(widest().sample(100))


def test_facts_that_were_never_drawn_are_rendered() -> None:
    """The words of these sentences are pinned: a corpus must read the same in every version."""
    facts = Facts(*(np.array(column) for column in ([0, 2**48 - 1], [0, 1], [0, 2], [0, 63])))
    assert EnglishRendering(SyntaxKnowledge()).render(facts).texts == [
        "Darryn Darryn Darryn Gomez was born in Adamburgh.",
        "The birth date of Radmila Radmila Radmila Gallaher is 25 November 2004.",
    ]
    with pytest.raises(InputError, match="`facts` must be one-dimensional and equally long"):
        EnglishRendering(SyntaxKnowledge()).render(facts._replace(value=np.array([1])))
