"""Burstiness: do the tokens of a type come in clusters? Measured on the gaps between them.

The text is taken as a circle, so that a type seen c times has c gaps, which add up to n, and a word that is used evenly but in
one chapter only counts as bursty too. With r the gaps' standard deviation over their mean, Goh and Barabási (2008) take
(r - 1)/(r + 1), which depends on c even in random order. Kim and Jo (2016, equation 22) remove that:
    B = (sqrt(c+1) r - sqrt(c-1)) / ((sqrt(c+1) - 2) r + sqrt(c-1)):
-1 for equal gaps, 0 for random order, 1 if all tokens stand together. In a text of n tokens gaps are whole, and random order
gives E r² = (c-1)/(c+1) · (1 - c/n) exactly (derived in docs/tools/measure.md), so r is divided by sqrt(1 - c/n) first.
"""

from __future__ import annotations

import numpy as np

from twopart.tools.measure.tally import Floats, Integers

FEWEST = 10  # tokens of a type whose burstiness is looked at: with fewer, it is mostly noise


def squared_variation(counts: Integers, squares: Floats, tokens: int) -> Floats:
    """r² over its mean in random order, for types seen at least twice; 1 in expectation if the order is exchangeable.

    `squares` holds each type's Σ gap² on the circle. A type that fills the text has no other order, and gives 1.
    """
    c = counts.astype(float)
    variation = np.maximum(squares * c / tokens**2 - 1, 0)  # (Σ g²/c) / (n/c)² - 1
    random = (c - 1) / (c + 1) * (1 - c / tokens)
    return np.where(random > 0, variation / np.where(random > 0, random, 1), 1.0)


def burstiness(counts: Integers, squares: Floats, tokens: int) -> Floats:
    """B of each type, in [-1, 1] but for rounding, for types seen at least twice."""
    c = counts.astype(float)
    r = np.sqrt(squared_variation(counts, squares, tokens) * (c - 1) / (c + 1))
    one = np.sqrt(c - 1)
    return np.asarray((np.sqrt(c + 1) * r - one) / ((np.sqrt(c + 1) - 2) * r + one))
