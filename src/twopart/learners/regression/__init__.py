"""Learners of regression: stochastic gradient descent on least squares, many runs at once.

sgd.py  every order of the training points: with replacement, without, reshuffled by epochs, all at once
"""

from twopart.learners.regression.sgd import ORDERS, least_squares_sgd

__all__ = ["ORDERS", "least_squares_sgd"]
