"""When a fact is learned, and down to which frequency and from which size facts are known: estimators that assume no shape.

learning_times   the moment from which on a fact is known
crossing         the frequency at which a given share of the facts is known
first_below      where a falling curve first passes a level
bought           the size of model at which hardly any of it is missing
sharpness_after  how sharp the threshold is of a learner who knows a fact from its T-th exposure on
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression
from scipy.stats import gamma

from twopart._checks import check

Floats = NDArray[np.float64]
MISSING = 0.02
"""Part of syntax or knowledge that may be missing where it counts as bought. Syntax falls exponentially with its bits and
knowledge as a power, but the exact law buys the few most frequent facts before any syntax: at d = 0.5 a tenth of the knowledge
is missing in smaller models than a tenth of the syntax."""


def learning_times(sentences: ArrayLike, surplus: Floats) -> Floats:
    """Sentences after which each fact is known for good; `surplus` (S, F) is what is known of it beyond half, at S moments.

    Between the last moment at which the surplus is <= 0 and the next, the zero is interpolated in ln(sentences). A fact that is
    known throughout is learned at the first moment, one that is not known at the last is never learned: inf.
    """
    moments = np.asarray(sentences, float)
    check(surplus.shape[:1] == moments.shape, "surplus", surplus.shape, f"({len(moments)}, facts)", "a row per moment")
    unknown = surplus <= 0
    ever = unknown.any(0)
    last = len(moments) - 1 - unknown[::-1].argmax(0)
    out = np.full(surplus.shape[1], np.inf)
    out[~ever] = moments[0]
    within = np.flatnonzero(ever & (last < len(moments) - 1))
    before, after = surplus[last[within], within], surplus[last[within] + 1, within]
    logs, step = np.log(moments), before / (before - after)
    out[within] = np.exp(logs[last[within]] * (1 - step) + logs[last[within] + 1] * step)
    return out


def crossing(frequency: ArrayLike, known: ArrayLike, share: float = 0.5) -> float:
    """The frequency at which `share` of the facts is known; nan if the facts do not show it.

    The share known is taken to rise with frequency and fitted by isotonic regression (Ayer et al. 1955). It is read off
    between the middles, in ln(frequency), of the blocks that the fit makes of the facts.
    """
    x, fact = np.unique(np.log(np.asarray(frequency, float)), return_inverse=True)
    count = np.bincount(fact)
    fit = isotonic_regression(np.bincount(fact, np.asarray(known, float)) / count, weights=count)
    starts = fit.blocks[:-1]
    middles, levels = np.add.reduceat(x * count, starts) / fit.weights, fit.x[starts]
    if not levels[0] <= share <= levels[-1] or len(levels) < 2:
        return float("nan")
    return float(np.exp(np.interp(share, levels, middles)))


def first_below(x: Floats, curve: Floats, level: float) -> float:
    """Where a curve first falls below the level, between two points as by interpolation in ln x; the last x if nowhere."""
    below = np.flatnonzero(curve < level)
    if not below.size:
        return float(x[-1])
    ends = slice(max(below[0] - 1, 0), below[0] + 1)
    return float(np.exp(np.interp(-level, -curve[ends], np.log(x[ends]))))


def bought(sizes: ArrayLike, missing: ArrayLike) -> float:
    """The size at which the part that is missing, falling with the rising sizes (S,), passes `MISSING`, in logarithms."""
    falling = np.minimum.accumulate(np.log(np.maximum(np.asarray(missing, float), 1e-12)))
    return float(np.exp(np.interp(-np.log(MISSING), -falling, np.log(np.asarray(sizes, float)))))


def sharpness_after(exposures: float) -> float:
    """Frequency at which 90 % of facts are known over that at which 10 % are, if each is known from its T-th exposure on.

    A fact of frequency q is told Poisson(nq) times, so the share known is P(Gamma(T) <= nq). T = 1, the Bayes code: 21.9.
    """
    return float(gamma.ppf(0.9, exposures) / gamma.ppf(0.1, exposures))
