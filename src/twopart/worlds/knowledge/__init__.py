"""Worlds of knowledge: sentences that state facts about entities, whose truth is known.

pitman_yor.py        entities with power-law frequencies: exact quantities and exact i.i.d. draws
equal.py             equally frequent entities, the control
known.py             the entities of one world as a corpus tells them
excerpt.py           the most frequent entities of a world as a finite world, and how to exercise the rare ones
restaurant.py        the same Pitman-Yor law drawn one by one, an independent check
biographies.py       worlds of one make, for small models
attributes.py        what a sentence may say of an entity
syntax_knowledge.py  the Syntax-Knowledge world (entity, attribute, template, value), and its sentences as columns
shifts.py            what fine-tuning changes in it: format, entities, facts; what moves and what stays
shifted.py           the world after a shift, and replay of the world before
lessons.py           corpora that are told so and so often, or practised
storage.py           corpora in Parquet files, streamed
documents.py         real text as documents, read or held out, and their words
text.py              a text, known by a digest: a file, or the standard library
lags.py              outputs that copy an input so and so far back: correlations and the worth of context are known
santa_fe.py          facts that are mentioned by a power law and change now and then
hierarchy.py         strings that grow by a tree of pairs, each level of which weakens correlations and contexts
library.py           the sources of the standard library: real text that every machine has
renderings/          sentences as English or as symbols, every byte and token with its role
"""

from twopart.worlds.knowledge.attributes import Attribute
from twopart.worlds.knowledge.biographies import Biographies
from twopart.worlds.knowledge.documents import Documents, divide, word_spans, words_of
from twopart.worlds.knowledge.equal import EqualFrequencies
from twopart.worlds.knowledge.excerpt import Excerpt
from twopart.worlds.knowledge.hierarchy import Hierarchy
from twopart.worlds.knowledge.known import KnownEntities, known_entities
from twopart.worlds.knowledge.lags import Lags
from twopart.worlds.knowledge.lessons import practised, told_so_often
from twopart.worlds.knowledge.library import standard_library
from twopart.worlds.knowledge.pitman_yor import PitmanYor, RandomMeasure
from twopart.worlds.knowledge.renderings import (
    EnglishRendering,
    EnglishText,
    Facts,
    SymbolRendering,
    SymbolText,
    encode_english,
    render,
    token_roles,
    train_tokenizer,
)
from twopart.worlds.knowledge.restaurant import chinese_restaurant
from twopart.worlds.knowledge.santa_fe import FluidSantaFe
from twopart.worlds.knowledge.shards import Sharded
from twopart.worlds.knowledge.shifted import ShiftedWorld, replay, shifted_world
from twopart.worlds.knowledge.shifts import Shift
from twopart.worlds.knowledge.storage import iterate_corpus, read_corpus, write_corpus, write_sample
from twopart.worlds.knowledge.syntax_knowledge import Corpus, SyntaxKnowledge
from twopart.worlds.knowledge.text import Text

__all__ = [
    "Attribute",
    "Biographies",
    "Corpus",
    "Documents",
    "EnglishRendering",
    "EnglishText",
    "EqualFrequencies",
    "Excerpt",
    "Facts",
    "FluidSantaFe",
    "Hierarchy",
    "KnownEntities",
    "Lags",
    "PitmanYor",
    "RandomMeasure",
    "Sharded",
    "Shift",
    "ShiftedWorld",
    "SymbolRendering",
    "SymbolText",
    "SyntaxKnowledge",
    "Text",
    "chinese_restaurant",
    "divide",
    "encode_english",
    "iterate_corpus",
    "known_entities",
    "practised",
    "read_corpus",
    "render",
    "replay",
    "shifted_world",
    "standard_library",
    "token_roles",
    "told_so_often",
    "train_tokenizer",
    "word_spans",
    "words_of",
    "write_corpus",
    "write_sample",
]
