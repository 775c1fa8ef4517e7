"""Laws of regression: the risk of stochastic gradient descent on least squares, exact at finite size.

sgd_moments.py  one pass over fresh data: second moments of the error, direction by direction
multi_pass.py   many passes over a training set: gradient descent's risk and what sampling adds, and the largest stable step
"""

from twopart.laws.regression.multi_pass import (
    Best,
    MultiPassLaw,
    excess_risk,
    growth,
    kernel_features,
    largest_stable_step,
    population,
    sgd_risk,
)
from twopart.laws.regression.sgd_moments import OnePass, mean_error, one_pass

__all__ = [
    "Best",
    "MultiPassLaw",
    "OnePass",
    "excess_risk",
    "growth",
    "kernel_features",
    "largest_stable_step",
    "mean_error",
    "one_pass",
    "population",
    "sgd_risk",
]
