"""Power laws in whole numbers, such as counts of words: exponent and start of the tail, by maximum likelihood.

    fit = discrete_power_law(samples)                    # or (values, multiplicities): the values, and how often each occurs
    fit.exponent, fit.xmin, fit.interval(0.95)
    fit.goodness(resamples=500).p_value                  # small: the tail is no power law

The tail from `xmin` on is taken to be P(x) = x^-α / ζ(α, xmin) (Clauset, Shalizi and Newman 2009, section 3), with the exact
zeta function for every α > 1: the customary shortcut, x continuous from xmin - 1/2 on, and sums that are cut off both go wrong,
the one above α = 3, the other near α = 1 (docs/fits/power-laws.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from twopart import _random
from twopart._checks import InputError, check_integer, check_real
from twopart._html import element
from twopart._notebook import quantities, shown
from twopart.fits import _zeta
from twopart.fits._tables import tabulate
from twopart.fits._tails import Sample, Tail, best_tail, tail_at

Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Goodness:
    """How the distance from the law compares with that of samples from it."""

    p_value: float
    """Chance of a distance as large if the law were true; Clauset, Shalizi and Newman give the law up at 0.1 or less."""
    error: float
    """Its own standard error, from the number of resamples."""
    resamples: int
    """Samples drawn from the law, each fitted anew."""


@dataclass(frozen=True)
class PowerLawFit:
    """The power law that makes the tail most likely."""

    exponent: float
    """α > 1."""
    exponent_error: float
    """Its standard error, 1 / sqrt(tail Var ln x), the variance being that of the fitted law; xmin is taken as known."""
    xmin: int
    """Where the tail starts."""
    distance: float
    """Kolmogorov and Smirnov's: the largest gap between the tail's distribution and the law's, over all whole numbers."""
    log_likelihood: float
    """Of the tail, in nats."""
    tail: int
    """Samples from xmin on."""
    samples: int
    """All of them."""
    chosen: bool
    """Whether xmin was chosen, to make `distance` least, rather than given."""
    _sample: Sample = field(repr=False, compare=False)
    _tail: Tail = field(repr=False, compare=False)

    def _repr_html_(self) -> str:
        start = "the start with the smallest distance" if self.chosen else "given"
        rows = [
            ("exponent α", self.exponent, self.interval()),
            (f"xmin, {start}", self.xmin, None),
            ("Kolmogorov distance", self.distance, None),
        ]
        counted = f"{self.tail:,} of {self.samples:,} samples are in the tail."
        return shown("Power law x^-α of whole numbers from xmin", quantities(rows), element("p", counted))

    def interval(self, level: float = 0.95) -> Interval:
        """Where the likelihood of α is within χ²_1(level)/2 of its maximum, with xmin taken as known."""
        drop = float(chi2.ppf(_level(level), 1)) / 2

        def above(log_t: float) -> float:
            return _log_likelihood(self._tail, 1 + math.exp(log_t)) - self.log_likelihood + drop

        low, high = (_crossing(above, math.log(self.exponent - 1), step) for step in (-1.0, 1.0))
        return 1 + math.exp(low), 1 + math.exp(high)

    def goodness(self, resamples: int = 500, seed: int = 0) -> Goodness:
        """The p-value by semi-parametric bootstrap: samples of the same size, the tail drawn from the fitted law, what is below
        xmin from the sample itself, fitted in the same way, xmin included if it was chosen (section 4.1 of the paper)."""
        check_integer("resamples", resamples, 1, None, "500 tell 0.1 from 0.05")
        random = _random.generator(seed, "power-law goodness")
        beyond = sum(self._refit(drawn).distance >= self.distance for drawn in self._drawn(random, resamples))
        p = (beyond + 1) / (resamples + 1)
        return Goodness(p, float(np.sqrt(p * (1 - p) / resamples)), resamples)

    def bootstrap_interval(self, level: float = 0.95, resamples: int = 500, seed: int = 0) -> Interval:
        """A percentile interval of α from the sample drawn anew with replacement: it includes what the choice of xmin adds."""
        check_integer("resamples", resamples, 20, None, "an interval needs its tails")
        random, share = _random.generator(seed, "power-law bootstrap"), self._sample.often / self.samples
        found: list[float] = []
        while len(found) < resamples:
            often = random.multinomial(self.samples, share)
            drawn = Sample(self._sample.values[often > 0], often[often > 0])
            if _has_tail(drawn, self.xmin):
                found.append(self._refit(drawn).exponent)
        low, high = np.quantile(found, [(1 - _level(level)) / 2, (1 + level) / 2])
        return float(low), float(high)

    def _refit(self, sample: Sample) -> Tail:
        return best_tail(sample) if self.chosen else tail_at(sample, self.xmin)

    def _drawn(self, random: np.random.Generator, resamples: int) -> Iterator[Sample]:
        """Samples as they would be if the law were true."""
        below = self._sample.values < self.xmin
        body, share = self._sample.values[below], self._sample.often[below] / max(1, self.samples - self.tail)
        while resamples:
            size = int(random.binomial(self.samples, self.tail / self.samples))
            often = random.multinomial(self.samples - size, share) if len(body) else np.zeros(0, np.int64)
            values, tail_often = _zeta.draw_table(random, self.exponent, self.xmin, size)
            drawn = Sample(np.r_[body[often > 0], values], np.r_[often[often > 0], tail_often])
            if _has_tail(drawn, self.xmin):
                resamples -= 1
                yield drawn


def discrete_power_law(
    samples: ArrayLike, multiplicities: ArrayLike | None = None, *, xmin: int | None = None
) -> PowerLawFit:
    """Fit a power law to the tail of whole numbers >= 1, or to a table: the values and how often each occurs.

    `xmin` None chooses the start that brings the tail nearest to its law, among the values that occur (256 of them, evenly
    spread on a log scale of rank, if there are more). Raises `InputError` unless two different values lie in the tail.
    A second for 10^6 samples (benchmarks/fits.py).
    """
    values, often = tabulate("samples", samples, multiplicities)
    sample = Sample(values.astype(float), often)
    if xmin is not None:
        check_integer("xmin", xmin, 1, 2**53, "None chooses it")
    if not _has_tail(sample, xmin or 1):
        where = "" if xmin is None else f" from xmin = {xmin} on"
        raise InputError(f"`samples` must hold two different values{where}, got one or none; give more of them")
    tail = best_tail(sample) if xmin is None else tail_at(sample, float(xmin))
    variance = float(_zeta.log_moments(tail.exponent, tail.xmin)[2])
    return PowerLawFit(
        tail.exponent,
        (tail.size * variance) ** -0.5,
        int(tail.xmin),
        tail.distance,
        _log_likelihood(tail, tail.exponent),
        tail.size,
        sample.size,
        xmin is None,
        sample,
        tail,
    )


def _log_likelihood(tail: Tail, exponent: float) -> float:
    log_zeta = float(_zeta.log_moments(exponent, tail.xmin)[0])  # scaled by xmin^α, as is the mean
    return -tail.size * (log_zeta + exponent * tail.mean_log)


def _has_tail(sample: Sample, xmin: int) -> bool:
    """Whether two different values lie in it."""
    return int(np.count_nonzero(sample.values[-2:] >= xmin)) == 2


def _crossing(above: Callable[[float], float], centre: float, step: float) -> float:
    """Where `above`, positive at `centre`, falls through 0 in the direction of `step`."""
    outer = centre + step
    while above(outer) > 0:
        outer += step
    return float(brentq(above, centre, outer, xtol=1e-13))


def _level(level: float) -> float:
    return check_real("level", level, 0, 1, "0.95 is customary", closed="()")
