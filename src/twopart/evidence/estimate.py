"""Estimates: measured numbers with intervals over replicates, and what a theory predicts for them.

mean(values)                     the mean over replicates
median(values)                   the median over replicates, its interval between order statistics
ratio(values, to)                the geometric mean of values / to
paired(a, b)                     the mean of a - b, replicate by replicate
statistic(f, replicates)         f of the mean over replicates
jackknife(f, replicates)         the same of an f that is too dear for thousands of resamples
exact(value)                     a number without error
worst_of(deviations, freedom)    the largest of many deviations in standard errors, and how likely chance makes it
chance(value, probability)       a number, and how likely chance alone gives one as extreme
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom
from scipy.stats import t as student

from twopart import _random
from twopart._checks import check

Floats = NDArray[np.float64]
LEVEL = 0.95
BLOCK = 1_000_000  # numbers of resamples that are held at a time


@dataclass(frozen=True)
class Estimate:
    """A measured number with its interval."""

    value: float
    """nan where there is nothing to measure; a claim about it is inconclusive."""
    interval: tuple[float, float] | None = None
    """Infinite ends where the data set no bound; None for a number without error."""
    level: float = LEVEL
    """Nominal coverage of the interval."""
    over: str = "replicates"
    """What was resampled; "" where nothing was."""
    predicted: float | None = None
    """What theory says; None where it gives only an order or a sign."""
    probability: float | None = None
    """How likely chance alone gives a value as extreme, where that is how it is judged."""
    words: Mapping[str, Any] = field(default_factory=dict)
    """Fillings of the braces in a claim's sentence and in what it says is measured."""
    kind: str = "bootstrap interval"
    """How the interval was found, in the words of a rule."""
    count: int | None = None
    """Of how many replicates; None where nobody says."""
    logarithmic: bool = False
    """Whether the interval is that of a logarithm, and shrinks on that scale."""

    def against(self, predicted: float | np.floating[Any] | None, **words: Any) -> Estimate:
        """The same beside its prediction, None or nan where there is none, with words for the claim's sentence."""
        known = None if predicted is None or np.isnan(predicted) else float(predicted)
        return replace(self, predicted=known, words={**self.words, **words})

    def exp(self) -> Estimate:
        """The estimate of e^x: what cannot be negative, such as a ratio, is resampled as its logarithm x."""
        return replace(self._mapped(lambda x: float(np.exp(x))), logarithmic=True)

    def times(self, factor: float) -> Estimate:
        """The estimate in units of 1/factor, factor > 0: a ratio to a prediction times that prediction."""
        return self._mapped(lambda x: float(x * factor))

    def plus(self, shift: float) -> Estimate:
        """The estimate moved: a difference from a prediction plus that prediction."""
        return self._mapped(lambda x: float(x + shift))

    def _mapped(self, rising: Callable[[float], float]) -> Estimate:
        ends = None if self.interval is None else (rising(self.interval[0]), rising(self.interval[1]))
        predicted = None if self.predicted is None else rising(self.predicted)
        return replace(self, value=rising(self.value), interval=ends, predicted=predicted)

    @property
    def ends(self) -> tuple[float, float]:
        """The interval; a number without error is its own."""
        return (self.value, self.value) if self.interval is None else self.interval

    @property
    def bounded(self) -> tuple[float, float] | None:
        """The interval, if there is one and both its ends are known."""
        return self.interval if self.interval is not None and np.all(np.isfinite(self.interval)) else None


def exact(value: float) -> Estimate:
    """A number without error: a code's length, a count, a verdict of arithmetic."""
    return Estimate(float(value))


def chance(value: float, probability: float) -> Estimate:
    """A number, and the probability that chance alone gives one as extreme: for `by_chance`."""
    return Estimate(float(value), probability=float(probability))


def worst_of(deviations: ArrayLike, freedom: float) -> Estimate:
    """The largest of many deviations in standard errors, each of a mean with so many degrees of freedom; 0 is predicted.

    Its probability is Bonferroni's: the number of deviations times that of one as large, Student's t on both sides.
    """
    sizes = np.abs(np.asarray(deviations, float))
    check(sizes.size > 0, "deviations", sizes, "at least one number", "see what was measured")
    worst = float(sizes.max())
    return chance(worst, min(1.0, 2 * sizes.size * float(student.sf(worst, freedom)))).against(0.0, count=sizes.size)


def mean(values: ArrayLike, *, over: str = "replicates", level: float = LEVEL) -> Estimate:
    """The mean over replicates, shape (R,), R >= 2."""
    return statistic(np.asarray, values, over=over, level=level, vectorized=True)


def median(values: ArrayLike, *, over: str = "replicates") -> Estimate:
    """The median over replicates, shape (R,), R >= 2, and the order statistics between which the true one lies at `LEVEL`.

    Exact for any distribution; fewer than six replicates reach from the least to the greatest. Source: the binomial of signs.
    """
    ranks = np.sort(np.asarray(values, float))
    check(ranks.ndim == 1 and len(ranks) >= 2, "values", ranks.shape, "of shape (R,), R >= 2", "run more seeds")
    below = max(int(binom.ppf((1 - LEVEL) / 2, len(ranks), 0.5)) - 1, 0)
    ends = float(ranks[below]), float(ranks[-1 - below])
    return Estimate(float(np.median(ranks)), ends, over=over, kind="interval of order statistics", count=len(ranks))


def ratio(values: ArrayLike, to: ArrayLike, *, over: str = "replicates", level: float = LEVEL) -> Estimate:
    """The geometric mean of values / to, both positive and of shape (R,), or `to` one number; predicted is 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.asarray(values, float) / np.asarray(to, float))
    return mean(logs, over=over, level=level).exp().against(1.0)


def paired(a: ArrayLike, b: ArrayLike, *, over: str = "replicates", level: float = LEVEL) -> Estimate:
    """The mean of a - b, replicate by replicate, shapes (R,): what the replicates share cancels; predicted is 0."""
    return mean(np.asarray(a, float) - np.asarray(b, float), over=over, level=level).against(0.0)


def statistic(
    of_mean: Callable[[Any], Any],
    replicates: ArrayLike,
    *,
    over: str = "replicates",
    level: float = LEVEL,
    resamples: int = 2000,
    seed: int = 0,
    vectorized: bool = False,
) -> Estimate:
    """`of_mean` of the mean over axis 0 of `replicates`, shape (R, ...), R >= 2, with its bootstrap interval over them.

    If it is `vectorized`, `of_mean` takes many means (K, ...) at once and gives (K,).

    The spread is widened by sqrt(R/(R-1)): a resample of R replicates varies by (R-1)/R too little. A mean without a finite
    statistic gives nan and an unbounded interval; resamples without one (a mean curve that dips below zero has no logarithm)
    count as unbounded on both sides alternately, so that they widen the interval rather than vanish.
    Source: percentile bootstrap, Efron 1979; the widening is derived here.
    """
    replicates = np.asarray(replicates, float)
    R = len(replicates)
    check(R >= 2, "replicates", R, "at least 2", "run more seeds")
    of_means = of_mean if vectorized else partial(_one_by_one, of_mean)
    value = of_means(replicates.mean(0)[None])[0]
    if not np.isfinite(value):
        return Estimate(float("nan"), (-np.inf, np.inf), level, over, count=R)
    choice = np.sort(_random.generator(seed, "bootstrap").integers(R, size=(resamples, R)))
    distinct, which = choice, np.arange(resamples)
    if comb(2 * R - 1, R) < resamples and not vectorized:  # of 3 replicates there are 10 resamples
        _, first, which = np.unique(choice @ R ** np.arange(R), return_index=True, return_inverse=True)
        distinct = choice[first]
    parts = np.array_split(distinct, 1 + distinct.shape[0] * replicates.size // BLOCK)
    drawn = np.concatenate([of_means(replicates[rows].mean(1)) for rows in parts])[which]
    spread = np.where(np.isfinite(drawn), (drawn - value) * np.sqrt(R / (R - 1)), np.inf)
    spread[np.flatnonzero(np.isinf(spread))[::2]] = -np.inf
    low, high = np.quantile(value + spread, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return Estimate(float(value), (float(low), float(high)), level, over, count=R)


def _one_by_one(of_mean: Callable[[Any], float], means: Floats) -> list[float]:
    return [of_mean(mean) for mean in means]


def jackknife(of_mean: Callable[[Any], float], replicates: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """The same as `statistic`, from R + 1 calls: Student's t over the R pseudo-values of a smooth statistic.

    A statistic that is not finite without some replicate gives nan and an unbounded interval. Source: Tukey 1958.
    """
    replicates = np.asarray(replicates, float)
    R = len(replicates)
    check(R >= 2, "replicates", R, "at least 2", "run more seeds")
    mean = replicates.mean(0)
    value, without = of_mean(mean), np.array([of_mean((R * mean - one) / (R - 1)) for one in replicates])
    if not (np.isfinite(value) and np.all(np.isfinite(without))):
        return Estimate(float("nan"), (-np.inf, np.inf), level, count=R)
    reach = float(student.ppf((1 + level) / 2, R - 1) * without.std(ddof=1) * (R - 1) / np.sqrt(R))
    return Estimate(float(value), (value - reach, value + reach), level, kind="jackknife interval", count=R)
