"""Laws of regression: the risk of stochastic gradient descent on least squares, exact at finite size.

sgd_moments.py  one pass over fresh data: second moments of the error, direction by direction
transfer.py     pretraining on a source and fine-tuning on a target: the risk for any two covariances
exchange.py     how many source samples a target sample is worth, on a world or on a user's own features
"""

from twopart.laws.regression.exchange import BudgetSplit, Exchange, best_split, exchange, exchange_rate, from_features
from twopart.laws.regression.sgd_moments import OnePass, mean_error, one_pass
from twopart.laws.regression.transfer import Domains, TransferLaw, geometric, transfer_risk

__all__ = [
    "BudgetSplit",
    "Domains",
    "Exchange",
    "OnePass",
    "TransferLaw",
    "best_split",
    "exchange",
    "exchange_rate",
    "from_features",
    "geometric",
    "mean_error",
    "one_pass",
    "transfer_risk",
]
