"""Discount and concentration of a Pitman-Yor law from how often each type was seen: maximum likelihood, with intervals.

    fit = pitman_yor(counts)                       # counts[k]: tokens of type k
    fit = pitman_yor([1, 2, 5], [300, 80, 7])      # 300 types seen once, 80 twice, 7 five times
    fit.discount, fit.discount_error, fit.concentration_interval(), fit.concentration_wald()

The discount becomes ever better known as tokens grow, the concentration does not: it shapes the few types at the head, and
what all later tokens say about it is bounded. Its likelihood is skew, too, so its interval is that of the profile likelihood;
the Wald interval stands beside it to show the difference (docs/fits/pitman-yor.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, norm

from twopart._checks import InputError, check_real
from twopart._html import element
from twopart._notebook import quantities, shown
from twopart.fits import _eppf_maximum as maximum
from twopart.fits._eppf import Partition
from twopart.fits._tables import tabulate

Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class PitmanYorFit:
    """The Pitman-Yor law under which the counts are most likely, and how well they determine it."""

    discount: float
    """d in [0, 1)."""
    concentration: float
    """θ > -d."""
    discount_error: float
    """Standard error of d from the observed information; nan where d is at its bound 0 and has none."""
    concentration_error: float
    """Standard error of θ, a poor guide where it is not small beside θ; at the bound that of θ with d = 0 held."""
    correlation: float
    """Of the two estimates, from the observed information; nan where d is at its bound."""
    log_likelihood: float
    """Of the partition at the estimates, in nats."""
    tokens: int
    """n."""
    types: int
    """K."""
    singletons: int
    """Types seen once."""
    partition: Partition = field(repr=False, compare=False)
    """The counts of counts, from which the profiles are computed."""

    def _repr_html_(self) -> str:
        rows = [
            ("discount d", self.discount, self.discount_interval()),
            ("concentration θ", self.concentration, self.concentration_interval()),
        ]
        counted = f"{self.types:,} types in {self.tokens:,} tokens, {self.singletons:,} of them seen once."
        return shown("Pitman-Yor law", quantities(rows), element("p", counted))

    @property
    def at_bound(self) -> bool:
        """Whether d is 0: the counts are those of a Dirichlet process, or more even; there is no sign of a power tail."""
        return self.discount == 0

    def discount_interval(self, level: float = 0.95) -> Interval:
        """Where the profile likelihood of d is within χ²_1(level)/2 of its maximum; its lower end may be the bound 0."""
        return maximum.discount_interval(self.partition, self._best, _drop(level))

    def concentration_interval(self, level: float = 0.95) -> Interval:
        """The same for θ."""
        return maximum.concentration_interval(self.partition, self._best, _drop(level))

    def concentration_wald(self, level: float = 0.95) -> Interval:
        """θ ± z standard errors, the interval that takes the likelihood for a parabola; it may reach beyond -d."""
        reach = float(norm.isf((1 - _level(level)) / 2)) * self.concentration_error
        return self.concentration - reach, self.concentration + reach

    def profile(self, concentrations: ArrayLike) -> Any:
        """Profile log likelihood of θ > -1 less its maximum, in nats, <= 0: d is chosen anew for each θ."""
        theta = np.asarray(concentrations, float)
        if not np.all((theta > -1) & np.isfinite(theta)):
            raise InputError(f"`concentrations` must be numbers > -1, got {concentrations!r}; θ exceeds -d > -1")
        found = [
            maximum.profile_concentration(self.partition, float(value)) - self.log_likelihood for value in theta.flat
        ]
        return np.minimum(found, 0.0).reshape(theta.shape)[()]

    @property
    def _best(self) -> maximum.Point:
        return self.discount, self.concentration, self.log_likelihood


def pitman_yor(counts: ArrayLike, multiplicities: ArrayLike | None = None) -> PitmanYorFit:
    """Fit PY(d, θ) to the counts of types, in any order: tokens are exchangeable, so nothing else matters.

    `counts` are whole numbers >= 1, one per type; with `multiplicities` they are the counts that occur, and those say how many
    types have each. Newton on the exact likelihood of the partition (`_eppf.py`), errors from the inverse of the observed
    information; where the likelihood falls with d from 0 on, the fit is the Dirichlet process, `at_bound`.
    Raises `InputError` where the likelihood has no maximum: a single type, or every type seen once.
    Milliseconds for 10^6 tokens (benchmarks/fits.py).
    """
    partition = Partition(*tabulate("counts", counts, multiplicities))
    _check_determined(partition)
    d, theta, likelihood = maximum.maximise(partition)
    errors = _errors(partition, d, theta)
    return PitmanYorFit(
        d, theta, *errors, likelihood, partition.tokens, partition.types, partition.singletons, partition
    )


def _check_determined(partition: Partition) -> None:
    """With 1 < K < n the likelihood has a maximum; else it does not (docs/fits/pitman-yor.md)."""
    if partition.types == 1:
        raise InputError("all tokens are of one type, which every discount explains as θ falls to -d; give more types")
    if partition.types == partition.tokens:
        raise InputError(
            f"all {partition.types} types were seen once, which d near 1 and any large θ explain equally; give more tokens"
        )


def _errors(partition: Partition, d: float, theta: float) -> tuple[float, float, float]:
    """Standard errors of d and θ and their correlation."""
    information = -partition.hessian(d, theta)
    if d == 0:
        return math.nan, float(information[1, 1] ** -0.5), math.nan
    covariance = np.linalg.inv(information)
    first, second = np.sqrt(np.diag(covariance))
    return float(first), float(second), float(covariance[0, 1] / (first * second))


def _level(level: float) -> float:
    return check_real("level", level, 0, 1, "0.95 is customary", closed="()")


def _drop(level: float) -> float:
    """How far below its maximum the log likelihood may be inside the interval."""
    return float(chi2.ppf(_level(level), 1)) / 2
