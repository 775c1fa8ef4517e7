"""Learners of regression: stochastic gradient descent on least squares, many runs at once, and modules that come to that.

sgd.py        every order of the training points: with replacement, without, reshuffled by epochs, all at once
linearise.py  a torch module as features, so that the laws of least squares foretell its fine-tuning
"""

from twopart.learners.regression.linearise import linearise, tangent_gram
from twopart.learners.regression.sgd import ORDERS, least_squares_sgd

__all__ = ["ORDERS", "least_squares_sgd", "linearise", "tangent_gram"]
