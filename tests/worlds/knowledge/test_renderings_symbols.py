"""The symbol rendering: layout, digits against Python's integers, and every row read back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twopart._checks import InputError
from twopart.roles import Role
from twopart.worlds import Attribute, SymbolRendering, SyntaxKnowledge, render

NAMES = [1, 2, 255, 256, 257, 2**16, 2**24, 2**24 + 1, 2**40, 2**48, 2**62]
VALUES = [1, 64, 4096, 4097, 2**31 - 1]


def world(names: int, values: int, templates: int = 5, **fields: object) -> SyntaxKnowledge:
    attributes = Attribute("a", values, templates), Attribute("b", 3, 2), Attribute("c", 7, 40)
    return SyntaxKnowledge(**{"attributes": attributes, "names": names, **fields})


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("values", VALUES)
def test_rows_are_the_digits_of_their_facts(names: int, values: int) -> None:
    corpus = world(names, values).sample(200)
    rendering = SymbolRendering(corpus.world)
    text = render(corpus, "symbols")
    assert text.tokens.shape == (200, rendering.length)
    assert 4 <= rendering.length <= 8
    assert rendering.bos == 0 < text.tokens.min()
    assert text.tokens.max() < rendering.vocabulary
    first_value = 1 + 3 + 40
    first_digit = first_value + rendering.value_base
    for row, name, a, t, v in zip(
        text.tokens.tolist(), corpus.name, corpus.attribute, corpus.template, corpus.value, strict=True
    ):
        k = rendering.name_tokens
        digits, (attribute, template), value = row[:k], row[k : k + 2], row[k + 2 :]
        assert (attribute, template) == (1 + a, 1 + 3 + t)
        assert int(name) == sum(
            (digit - first_digit) * rendering.name_base**place for place, digit in enumerate(reversed(digits))
        )
        assert int(v) == sum(
            (digit - first_value) * rendering.value_base**place for place, digit in enumerate(reversed(value))
        )


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("values", VALUES)
def test_blocks_are_no_larger_than_needed(names: int, values: int) -> None:
    rendering = SymbolRendering(world(names, values))
    for base, digits, count in (
        (rendering.name_base, rendering.name_tokens, names),
        (rendering.value_base, rendering.value_tokens, max(values, 7)),
    ):
        assert base**digits >= count
        assert base == 1 or (base - 1) ** digits < count


def test_the_default_world_and_a_small_one() -> None:
    """Figures that studies are sized by: sentence length and vocabulary."""
    default = SymbolRendering(SyntaxKnowledge())
    assert (default.length, default.vocabulary) == (8, 1 + 5 + 8 + 64 + 777)
    small = SymbolRendering(SyntaxKnowledge(names=2**24))
    assert (small.length, small.vocabulary) == (6, 1 + 5 + 8 + 64 + 256)
    np.testing.assert_array_equal(small.roles, [Role.NAME, Role.NAME, Role.NAME, Role.SYNTAX, Role.SYNTAX, Role.VALUE])


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 2**62),
    st.integers(1, 2**31 - 1),
    st.integers(1, 200),
    st.integers(0, 50),
    st.sampled_from([0.0, 0.4, 0.8]),
    st.none() | st.integers(1, 2**40),
)
def test_a_row_reads_back_as_its_facts(
    names: int, values: int, templates: int, n: int, discount: float, population: int | None
) -> None:
    corpus = world(names, values, templates, discount=discount, population=population).sample(n, start=names // 2)
    rendering = SymbolRendering(corpus.world)
    text = rendering.encode(corpus)
    for column, parsed in rendering.parse(text.tokens)._asdict().items():
        np.testing.assert_array_equal(parsed, getattr(corpus, column))
        assert parsed.dtype == getattr(corpus, column).dtype


def test_shards_render_as_the_whole() -> None:
    corpus = SyntaxKnowledge().sample(1000)
    parts = [render(corpus[a:b], "symbols").tokens for a, b in ((0, 0), (0, 1), (1, 700), (700, 1000))]
    np.testing.assert_array_equal(np.concatenate(parts), render(corpus, "symbols").tokens)


@pytest.mark.parametrize("column", range(8))
@pytest.mark.parametrize("wrong", [-1, 0, 10**6])
def test_rows_that_are_no_sentence_are_refused(column: int, wrong: int) -> None:
    rendering = SymbolRendering(SyntaxKnowledge())
    tokens = rendering.encode(rendering.world.sample(5)).tokens
    tokens[3, column] = wrong
    with pytest.raises(InputError, match=r"sentence 3.*outside its world"):
        rendering.parse(tokens)


def test_ids_of_another_block_are_refused() -> None:
    rendering = SymbolRendering(SyntaxKnowledge())
    tokens = rendering.encode(rendering.world.sample(5)).tokens
    tokens[2] = np.roll(tokens[2], 1)
    with pytest.raises(InputError, match=r"sentence 2.*outside its world"):
        rendering.parse(tokens)


@pytest.mark.parametrize("tokens", [np.zeros((3, 9), int), np.zeros(8, int), np.zeros((2, 8))])
def test_other_shapes_and_types_are_refused(tokens: object) -> None:
    with pytest.raises(InputError, match=r"`tokens` must be whole numbers of shape \(sentences, 8\), got"):
        SymbolRendering(SyntaxKnowledge()).parse(tokens)
