"""Worlds of learning in context: examples of a task, and a question about one more.

prompts.py   prompts as arrays, the type that every world and reader of this room shares
"""

from twopart.worlds.in_context.prompts import Prompts
from twopart.worlds.in_context.regression import InContextRegression

__all__ = ["InContextRegression", "Prompts"]
