"""Learners of regression: stochastic gradient descent on least squares, many runs at once, and modules that come to that.

sgd.py        every order of the training points: with replacement, without, reshuffled by epochs, all at once
transfer.py   pretraining on a source and fine-tuning on a target, of linear models and of torch modules
runs.py       samples and first weights, of NumPy or torch
linearise.py  a torch module as features, so that the laws of least squares foretell its fine-tuning
"""

from twopart.laws.regression.schedule import geometric
from twopart.learners.regression.linearise import linearise, tangent_gram
from twopart.learners.regression.sgd import ORDERS, least_squares_sgd
from twopart.learners.regression.transfer import GeometricLR, Transfer, pretrain_finetune, pretrain_finetune_module

__all__ = [
    "ORDERS",
    "GeometricLR",
    "Transfer",
    "geometric",
    "least_squares_sgd",
    "linearise",
    "pretrain_finetune",
    "pretrain_finetune_module",
    "tangent_gram",
]
