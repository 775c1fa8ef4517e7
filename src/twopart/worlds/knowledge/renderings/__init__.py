"""Renderings: a sentence's facts (name, attribute, template, value) written down, one-to-one, every part with its role.

    symbols.py   rows of 4-8 token ids, for fast sweeps
    english.py   biography sentences as UTF-8 text; lexicon.py has their words
    tokens.py    the English text as ids of a byte-pair tokenizer

A code length does not depend on the rendering, as each can be parsed back; what a learner makes of it does.
"""

from __future__ import annotations

from typing import Literal, overload

from twopart._checks import check_choice
from twopart.worlds.knowledge.renderings._facts import Facts
from twopart.worlds.knowledge.renderings.english import EnglishRendering, EnglishText
from twopart.worlds.knowledge.renderings.symbols import SymbolRendering, SymbolText
from twopart.worlds.knowledge.renderings.tokens import encode_english, token_roles, train_tokenizer
from twopart.worlds.knowledge.syntax_knowledge import Corpus

__all__ = [
    "EnglishRendering",
    "EnglishText",
    "Facts",
    "SymbolRendering",
    "SymbolText",
    "encode_english",
    "render",
    "token_roles",
    "train_tokenizer",
]


@overload
def render(corpus: Corpus, rendering: Literal["english"]) -> EnglishText: ...
@overload
def render(corpus: Corpus, rendering: Literal["symbols"]) -> SymbolText: ...
@overload
def render(corpus: Corpus, rendering: str) -> EnglishText | SymbolText: ...
def render(corpus: Corpus, rendering: str) -> EnglishText | SymbolText:
    """The corpus rendered as "english" or "symbols"."""
    check_choice("rendering", rendering, ("english", "symbols"))
    if rendering == "english":
        return EnglishRendering(corpus.world).encode(corpus)
    return SymbolRendering(corpus.world).encode(corpus)
