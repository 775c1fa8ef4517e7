"""The logistic function and its inverse in whole numbers: tables made by correctly rounded decimal arithmetic.

Probabilities of a one are whole numbers out of 2^16, logits ln(p / (1 - p)) whole numbers of 1/256. The tables come out
the same on every machine, because `decimal` rounds correctly and the C library's exponential need not. Their entries are as
short as can be: together they fit the first cache.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UNIT = 256
"""One nat in a logit."""
LIMIT = 12 * UNIT - 1
"""Logits are in [-LIMIT, LIMIT]: odds of 160,000 to one."""
ONE = 1 << 16
"""The probability 1."""


@lru_cache
def squash_table() -> NDArray[np.uint16]:
    """Entry `logit + LIMIT` is the probability 1/(1 + e^-logit), in [1, ONE - 1]."""
    exact, one = Context(prec=30), Decimal(1)
    rises = (exact.divide(Decimal(ONE), one + exact.exp(Decimal(logit) / UNIT)) for logit in range(LIMIT, -1, -1))
    half = np.array([max(_rounded(value), 1) for value in rises])  # the other one is its mirror
    return np.append(half, ONE - half[-2::-1]).astype(np.uint16)


@lru_cache
def stretch_table() -> NDArray[np.int16]:
    """Entry k is the logit of the probability (k + 1/2) / 2^12."""
    exact = Context(prec=30)
    odds = (exact.divide(Decimal(2 * k + 1), Decimal(2 * (1 << 12) - 2 * k - 1)) for k in range(1 << 11))
    half = np.array([_rounded(exact.ln(value) * UNIT) for value in odds], np.int16)
    return np.append(half, -half[::-1])


@lru_cache
def reciprocals(limit: int) -> NDArray[np.uint16]:
    """Entry n is 2^16 / (n + 3/2): the weight of a new outcome after n others."""
    return np.array([(1 << 17) // (2 * n + 3) for n in range(limit + 1)], np.uint16)


def _rounded(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_EVEN))
