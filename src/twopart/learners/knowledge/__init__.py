"""Learners of knowledge: a transformer that reads a corpus of facts and is asked for them.

reading.py    a corpus in symbols as a stream of tokens
recalling.py  what a model knows: it is asked for facts
"""

from twopart.learners.knowledge.reading import SymbolStream, symbol_roles
from twopart.learners.knowledge.recalling import Recall, recall

__all__ = ["Recall", "SymbolStream", "recall", "symbol_roles"]
