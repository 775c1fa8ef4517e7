"""The exponent of a measured curve: a straight line on log-log axes, with an interval over replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._checks import check
from twopart.findings import Verdict

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Slope:
    """d ln y / d ln x of the mean curve."""

    estimate: float
    interval: tuple[float, float]
    """Percentile bootstrap interval over replicates."""
    level: float
    """Its nominal coverage."""

    def equivalent_to(self, value: float, margin: float) -> Verdict:
        """An equivalence test: holds if the whole interval lies within `margin` of `value`, fails if all of it lies outside."""
        low, high = self.interval[0] - value, self.interval[1] - value
        if -margin <= low and high <= margin:
            return "holds"
        return "fails" if high < -margin or low > margin else "inconclusive"


def power_law_slope(
    x: ArrayLike, curves: ArrayLike, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Slope:
    """Least-squares slope of ln(mean of `curves`) against ln `x`, every bin with equal weight.

    `curves` has shape (replicates, len(x)) and its mean over replicates must be positive. The interval resamples whole
    replicates; its spread is widened by sqrt(R/(R-1)), as a resample of R replicates varies by (R-1)/R too little.
    """
    x, curves = np.asarray(x, float), np.atleast_2d(np.asarray(curves, float))
    replicates = len(curves)
    check(
        curves.shape[1] == len(x) >= 2,
        "curves",
        curves.shape,
        "of shape (replicates, len(x)), len(x) >= 2",
        "take a wider region",
    )
    check(replicates >= 2, "curves", replicates, "at least 2 replicates", "run more seeds")
    check(
        bool(np.all(curves.mean(0) > 0)),
        "curves",
        curves.mean(0).min(),
        "positive on average",
        "average more, or end the region earlier",
    )
    estimate = float(_slopes(x, curves.mean(0)[None])[0])
    choice = _random.generator(seed, "slope").integers(replicates, size=(resamples, replicates))
    means = curves[choice].mean(1)
    slopes = _slopes(x, means[np.all(means > 0, axis=1)])
    spread = (slopes - estimate) * np.sqrt(replicates / (replicates - 1))
    low, high = np.quantile(estimate + spread, [(1 - level) / 2, (1 + level) / 2])
    return Slope(estimate, (float(low), float(high)), level)


def _slopes(x: Floats, curves: Floats) -> Floats:
    """Slope of each row of `curves`, shape (rows,)."""
    centred = np.log(x) - np.log(x).mean()
    return np.asarray(np.log(curves) @ centred / np.dot(centred, centred))
