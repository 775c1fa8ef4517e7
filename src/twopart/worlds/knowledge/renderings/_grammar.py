"""Which words and phrases a world's English consists of: names as words, templates cut at their gaps, lists of values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from twopart._checks import check
from twopart.worlds.knowledge.attributes import Attribute
from twopart.worlds.knowledge.renderings.lexicon import WORD_BITS, lexicon
from twopart.worlds.knowledge.shifted import ShiftedWorld
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

Template = tuple[str, str, str]
"""What stands before the name, between name and value, and after the value."""


class Phrases(NamedTuple):
    """How one attribute is spoken of."""

    templates: list[Template]
    values: tuple[str, ...]


@dataclass(frozen=True)
class Grammar:
    """All strings that the sentences of a world are made of."""

    words: tuple[tuple[str, ...], ...]
    """By position in a name: the words for digits 0, 1, ...; a name is given names and a surname."""
    bits: int
    """A name's word number j stands for bits j·bits to (j+1)·bits - 1 of its index."""
    attributes: tuple[Phrases, ...]
    """In the world's order."""


@lru_cache(maxsize=8)
def grammar_of(world: SyntaxKnowledge) -> Grammar:
    """The grammar of a world; raises `InputError` if the lexicon has no words for it."""
    known = lexicon()
    needed = max(2, (world.names - 1).bit_length())
    limit = f"at most 2^{4 * WORD_BITS} in English"
    check(needed <= 4 * WORD_BITS, "names", world.names, limit, "choose fewer names or render as symbols")
    count = max(2, -(-needed // WORD_BITS))
    bits = -(-needed // count)
    given, surnames = known.first[: 2**bits], known.last[: 2**bits]
    attributes = (
        Phrases(
            [cut(template) for template in _templates(world, attribute)],
            known.values_of(attribute.name, attribute.values),
        )
        for attribute in world.attributes
    )
    return Grammar((*[given] * (count - 1), surnames), bits, tuple(attributes))


def _templates(world: SyntaxKnowledge, attribute: Attribute) -> tuple[str, ...]:
    """Statements; and after all of them, where a shift has brought a new format, questions with their answers."""
    known = lexicon()
    if not isinstance(world, ShiftedWorld):
        return known.templates_of(attribute.name, attribute.templates)
    statements = min(world.first_template, attribute.templates)
    questions = known.questions_of(attribute.name, attribute.templates - statements)
    return known.templates_of(attribute.name, statements) + questions


def cut(template: str) -> Template:
    """A template as it stands in the lexicon, cut at its gaps: "On {name} see {value}." gives "On ", " see " and "."."""
    head, rest = template.split("{name}")
    middle, tail = rest.split("{value}")
    return head, middle, tail
