"""Intervals from replicates: a statistic of their mean, resampled over whole replicates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check
from twopart.findings import Verdict

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A measured number with its interval, and the ways in which claims about it are judged."""

    value: float
    interval: tuple[float, float]
    """Percentile bootstrap interval over replicates; infinite ends where the data set no bound."""
    level: float
    """Its nominal coverage."""

    def exp(self) -> Estimate:
        """The estimate of e^x: what cannot be negative, such as a ratio, is resampled as its logarithm x."""
        low, high = self.interval
        return Estimate(float(np.exp(self.value)), (float(np.exp(low)), float(np.exp(high))), self.level)

    def equivalent_to(self, target: float, margin: float) -> Verdict:
        """Holds if the whole interval lies within `margin` of `target`, fails if all of it lies outside."""
        low, high = self.interval[0] - target, self.interval[1] - target
        if -margin <= low and high <= margin:
            return "holds"
        return "fails" if high < -margin or low > margin else "inconclusive"

    def above(self, bound: float) -> Verdict:
        """Holds if the whole interval lies above `bound`, fails if all of it lies below."""
        low, high = self.interval
        return "holds" if low > bound else "fails" if high < bound else "inconclusive"

    def below(self, bound: float) -> Verdict:
        """Holds if the whole interval lies below `bound`, fails if all of it lies above."""
        low, high = self.interval
        return "holds" if high < bound else "fails" if low > bound else "inconclusive"

    @property
    def bounded(self) -> tuple[float, float] | None:
        """The interval, if both its ends are known."""
        return self.interval if np.all(np.isfinite(self.interval)) else None


def bootstrap(
    statistic: Callable[[Any], float], replicates: Any, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """`statistic` of the mean over axis 0 of `replicates`, shape (R, ...), R >= 2, with its interval.

    The spread is widened by sqrt(R/(R-1)): a resample of R replicates varies by (R-1)/R too little. A mean without a finite
    statistic gives nan and an unbounded interval; resamples without one (a mean curve that dips below zero has no logarithm)
    count as unbounded on both sides alternately, so that they widen the interval rather than vanish.
    """
    replicates = np.asarray(replicates, float)
    R = len(replicates)
    check(R >= 2, "replicates", R, "at least 2", "run more seeds")
    value = statistic(replicates.mean(0))
    if not np.isfinite(value):
        return Estimate(float("nan"), (-np.inf, np.inf), level)
    choice = _random.generator(seed, "bootstrap").integers(R, size=(resamples, R))
    drawn = np.array([statistic(replicates[rows].mean(0)) for rows in choice])
    spread = np.where(np.isfinite(drawn), (drawn - value) * np.sqrt(R / (R - 1)), np.inf)
    spread[np.flatnonzero(np.isinf(spread))[::2]] = -np.inf
    low, high = np.quantile(value + spread, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return Estimate(float(value), (float(low), float(high)), level)
