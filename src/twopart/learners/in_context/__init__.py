"""Learners in context: small attention models, and readers of anybody's.

answers.py   any in-context classifier or regressor, a torch module or a function of arrays, asked in batches
"""

from twopart.learners.in_context.answers import Model, answers

__all__ = ["Model", "answers"]
