"""Zipf and Heaps: slopes of the two classic curves of a text.

zipf_slope    d ln count / d ln rank, over ranks
heaps_slope   d ln distinct / d ln tokens, over the last part of a text
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from twopart.fits import slope
from twopart.tools.measure.tally import Integers, Spectrum

RANKS = 50  # points of a Zipf curve, evenly spaced in ln rank


def zipf_curve(spectrum: Spectrum, first: int = 1, fewest: int = 1) -> tuple[Integers, Integers]:
    """Ranks from `first`, thinned to at most `RANKS`, and the counts of their types, as far as these are >= `fewest`."""
    last = int(spectrum.types[spectrum.sizes >= fewest].sum())
    if last < first:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    ranks = np.unique(np.geomspace(first, last, RANKS).round().astype(np.int64))
    below = np.cumsum(spectrum.types[::-1])  # types at least as frequent as each size, from the most frequent down
    return ranks, spectrum.sizes[::-1][np.searchsorted(below, ranks)]


def zipf_slope(spectrum: Spectrum, first: int, fewest: int) -> float:
    """Least-squares slope of `zipf_curve` on log-log axes; nan where there are fewer than 3 points.

    Ranks are picked after the counts are known, so that the residuals are correlated: take no error from it.
    """
    ranks, counts = zipf_curve(spectrum, first, fewest)
    return slope(ranks, counts) if len(ranks) >= 3 else float("nan")


def heaps_slope(tokens: ArrayLike, distinct: ArrayLike, factor: float) -> float:
    """Least-squares slope over the last factor of `factor` in tokens; nan where there are fewer than 3 points."""
    tokens, distinct = np.asarray(tokens, float), np.asarray(distinct, float)
    last = tokens >= tokens[-1] / factor * (1 - 1e-9)
    return slope(tokens[last], distinct[last]) if last.sum() >= 3 else float("nan")
