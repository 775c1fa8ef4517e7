"""Learners of knowledge: a transformer that reads a corpus of facts and is asked for them.

reading.py    a corpus in symbols as a stream of tokens
text.py       real text in byte pairs that respect words, and what each costs a model
formats.py    what its sentences cost it, and what their format does
recalling.py  what a model knows: it is asked for facts
associative_memory.py  a learner that is solved, and the noise that any model's strangers show
"""

from twopart.learners.knowledge.associative_memory import (
    AssociativeMemory,
    MemoryConfig,
    Strangers,
    confidence_of_strangers,
    fact_ids,
    teach,
)
from twopart.learners.knowledge.formats import format_redundancy, sentence_bits
from twopart.learners.knowledge.reading import SymbolStream, symbol_roles, tempered_stream
from twopart.learners.knowledge.recalling import Recall, recall
from twopart.learners.knowledge.text import Encoded, Pairs, in_rows, learn_pairs, shuffled_between, token_bits

__all__ = [
    "AssociativeMemory",
    "Encoded",
    "MemoryConfig",
    "Pairs",
    "Recall",
    "Strangers",
    "SymbolStream",
    "confidence_of_strangers",
    "fact_ids",
    "format_redundancy",
    "in_rows",
    "learn_pairs",
    "recall",
    "sentence_bits",
    "shuffled_between",
    "symbol_roles",
    "teach",
    "tempered_stream",
    "token_bits",
]
