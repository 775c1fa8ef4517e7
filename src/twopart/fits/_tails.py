"""Tails of a sample of whole numbers: the exponent of each by maximum likelihood, its distance from the law, the best start.

The law is an exponential family with statistic ln x, so the most likely exponent is the one whose mean of ln x is the sample's:
one root of a falling function, found for all starts at once. Sums from every start on come from running sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError
from twopart.fits import _zeta
from twopart.fits._distance import nearest

Floats = NDArray[np.float64]

CANDIDATES = (
    256  # starts that are tried: every value up to there, and beyond that many, evenly spread on a log scale of rank
)
NARROW = 1e-9  # mean logarithms below are lost in rounding
NEWTON = 60  # steps at most; it takes about six


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample of whole numbers >= 1 as a table."""

    values: Floats
    """The values that occur, increasing."""
    often: NDArray[np.int64]
    """How often each does."""

    @cached_property
    def logs(self) -> Floats:
        return np.log(self.values)

    @cached_property
    def above(self) -> NDArray[np.int64]:
        """Samples from each value on."""
        return np.cumsum(self.often[::-1])[::-1]

    @cached_property
    def log_sums(self) -> Floats:
        """Σ ln x over them."""
        return np.asarray(np.cumsum((self.often * self.logs)[::-1])[::-1])

    @property
    def size(self) -> int:
        return int(self.above[0])


@dataclass(frozen=True)
class Tail:
    """The samples from `xmin` on, and the law that fits them best."""

    xmin: float
    """A whole number, which may be beyond int64 in a sample that was drawn."""
    size: int
    """How many samples there are."""
    mean_log: float
    """Mean of ln(x / xmin) over them, > 0."""
    exponent: float
    distance: float
    """Kolmogorov and Smirnov's, between the two distributions."""


def tail_at(sample: Sample, xmin: float) -> Tail:
    """The tail from `xmin` on, in which two values must occur."""
    return _nearest(sample, np.searchsorted(sample.values, [xmin]), np.array([xmin]))


def best_tail(sample: Sample) -> Tail:
    """The tail that is nearest to its law: the smaller start of two equally near."""
    starts = _candidates(len(sample.values))
    return _nearest(sample, starts, sample.values[starts])


def _nearest(sample: Sample, starts: NDArray[np.int64], xmins: Floats) -> Tail:
    sizes = sample.above[starts]
    means = sample.log_sums[starts] / sizes - np.log(xmins)
    wide = means > NARROW
    if not wide.any():
        raise InputError(
            "the samples differ too little, relative to their size, to show a power law; give more of them"
        )
    starts, xmins, sizes, means = starts[wide], xmins[wide], sizes[wide], means[wide]
    exponents = fit_exponents(means, xmins)
    log_zetas = _zeta.log_moments(exponents, xmins)[0]
    table = sample.values, sample.logs, sample.often, sample.above
    best, least = nearest(*table, starts, xmins, exponents, log_zetas)
    return Tail(float(xmins[best]), int(sizes[best]), float(means[best]), float(exponents[best]), float(least))


def fit_exponents(mean_log: Floats, xmin: Floats) -> Floats:
    """The exponents at which the mean of ln(x / xmin) is `mean_log` > 0: Newton on ln(mean) over ln(s - 1).

    It starts from a geometric law with the same first ratio: s - 1 = 1/mean in flat tails, the right logarithm in steep ones.
    """
    step_up = np.log1p(1 / xmin)
    y = np.log(np.log1p(step_up / mean_log) / step_up)
    for _ in range(NEWTON):
        t = np.exp(y)
        _, mean, variance = _zeta.log_moments(1 + t, xmin)
        step = np.clip(np.log(mean / mean_log) * mean / (variance * t), -1, 1)
        y = y + step
        if np.all(np.abs(step) < 1e-12):
            break
    return np.asarray(1 + np.exp(y))


def _candidates(values: int) -> NDArray[np.int64]:
    """Places of the starts that are tried; the last value alone is no tail."""
    if values - 1 <= CANDIDATES:
        return np.arange(values - 1)
    spread: NDArray[np.int64] = np.unique(np.geomspace(1, values - 1, CANDIDATES).round().astype(np.int64)) - 1
    return spread
