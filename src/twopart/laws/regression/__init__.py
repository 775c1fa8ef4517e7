"""Laws of regression: the risk of stochastic gradient descent on least squares, exact at finite size.

sgd_moments.py  one pass over fresh data: second moments of the error, direction by direction
"""

from twopart.laws.regression.sgd_moments import OnePass, mean_error, one_pass

__all__ = ["OnePass", "mean_error", "one_pass"]
