"""Worlds of learning in context: examples of a task, and a question about one more.

prompts.py   prompts as arrays, the type that every world and reader of this room shares
hijacked.py  linear classification around a known prior, and contexts that repeat a neighbour of the query
regression.py   linear regression with a task of its own in each prompt
"""

from twopart.worlds.in_context.hijacked import HijackedClassification, HijackPairs, digit_pairs
from twopart.worlds.in_context.prompts import Prompts
from twopart.worlds.in_context.regression import InContextRegression

__all__ = ["HijackPairs", "HijackedClassification", "InContextRegression", "Prompts", "digit_pairs"]
