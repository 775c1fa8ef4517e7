"""The ideal two-part code of a corpus: a model of syntax and the most frequent facts, then the corpus given the model.

sticks.py   template probabilities at a chosen precision
code.py     the model and the data as bytes, and back
"""

from twopart.codes.ideal.code import IdealModel

__all__ = ["IdealModel"]
