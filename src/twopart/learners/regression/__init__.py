"""Learners of regression: stochastic gradient descent on least squares, many runs at once.

sgd.py       every order of the training points: with replacement, without, reshuffled by epochs, all at once
transfer.py  pretraining on a source and fine-tuning on a target, of linear models and of torch modules
"""

from twopart.laws.regression.transfer import geometric
from twopart.learners.regression.sgd import ORDERS, least_squares_sgd
from twopart.learners.regression.transfer import GeometricLR, Transfer, pretrain_finetune, pretrain_finetune_module

__all__ = [
    "ORDERS",
    "GeometricLR",
    "Transfer",
    "geometric",
    "least_squares_sgd",
    "pretrain_finetune",
    "pretrain_finetune_module",
]
