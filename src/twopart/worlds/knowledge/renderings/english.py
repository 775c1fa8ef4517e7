"""Biography sentences that read as English, written at the speed of memory, every byte with its role.

    >>> text = render(SyntaxKnowledge().sample(3), "english")
    >>> text.texts[2], text.spans[2]
    ('The employer of Rico Tilo Aitana Jameson is Wilkins Group.', array([16, 40, 44, 57], dtype=uint16))

A name is two to four words, a template one of 24 hand-written ones per attribute, a value an entry of a list; lexicon.py has
them all. No two facts are told in the same words, so `parse` reads a sentence back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from twopart.worlds.knowledge.renderings._facts import Facts, check_facts, facts_of
from twopart.worlds.knowledge.renderings._grammar import Template, grammar_of
from twopart.worlds.knowledge.renderings._parser import Parser
from twopart.worlds.knowledge.renderings._pieces import Pieces, Rendered, roles_of
from twopart.worlds.knowledge.syntax_knowledge import Corpus, SyntaxKnowledge

SPANS = ("name_start", "name_end", "value_start", "value_end")
ARROW_SCHEMA = pa.schema(
    [pa.field("text", pa.large_string(), False), *(pa.field(edge, pa.uint16(), False) for edge in SPANS)]
)


@dataclass(frozen=True, eq=False)
class EnglishText:
    """Rendered sentences in the memory layout of an Arrow `large_string` array."""

    data: NDArray[np.uint8]
    """UTF-8 bytes of all sentences, end to end. They are ASCII: a byte is a character."""
    offsets: NDArray[np.int64]
    """Sentence i is data[offsets[i] : offsets[i + 1]]."""
    spans: NDArray[np.uint16]
    """Shape (sentences, 4): where the name starts and ends, then the value, in bytes from the sentence's start; all else
    is syntax. The array is in column order, so each of the four is contiguous."""

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def texts(self) -> list[str]:
        """The sentences."""
        ends = self.offsets.tolist()
        whole = self.data.tobytes().decode()
        return [whole[start:end] for start, end in pairwise(ends)]

    def arrow(self) -> pa.Table:
        """Columns text, name_start, name_end, value_start, value_end, over the same memory; nothing is copied."""
        buffers = [None, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
        text = pa.Array.from_buffers(pa.large_string(), len(self), buffers)
        return pa.table([text, *map(pa.array, self.spans.T)], schema=ARROW_SCHEMA)

    def roles_of_bytes(self) -> NDArray[np.uint8]:
        """The `Role` of each byte of `data`."""
        return roles_of(Rendered(self.data, self.offsets, self.spans))


@dataclass(frozen=True)
class EnglishRendering:
    """The one-to-one map between the sentences of a world and English text."""

    world: SyntaxKnowledge
    """Its attributes must be ones that the lexicon knows, with no more values and templates than it has, names <= 2^48."""

    def __post_init__(self) -> None:
        grammar_of(self.world)  # raises if the lexicon has no words for the world

    @property
    def templates(self) -> tuple[list[Template], ...]:
        """By attribute: what stands before the name, between name and value, and after the value, for each template."""
        return tuple(phrases.templates for phrases in grammar_of(self.world).attributes)

    def encode(self, corpus: Corpus) -> EnglishText:
        """The corpus's sentences."""
        return self.render(facts_of(corpus, self.world))

    def render(self, facts: Facts) -> EnglishText:
        """The sentences of any facts that the world allows, drawn from it or not."""
        check_facts(facts, self.world, "count from 0")
        return EnglishText(*_pieces(self.world).render(facts))

    def parse(self, texts: Iterable[str]) -> Facts:
        """The facts that the texts tell; raises `InputError` if one is not a sentence of this world."""
        facts = _parser(self.world).parse(texts)
        check_facts(facts, self.world, "parse with the world that the text was rendered from")
        return facts


@lru_cache(maxsize=8)
def _pieces(world: SyntaxKnowledge) -> Pieces:
    return Pieces.of(grammar_of(world), _utf8, np.uint8, gap=1)


@lru_cache(maxsize=8)
def _parser(world: SyntaxKnowledge) -> Parser:
    return Parser(grammar_of(world))


def _utf8(strings: list[str]) -> list[bytes]:
    return [string.encode() for string in strings]
