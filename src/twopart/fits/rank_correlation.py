"""Which measure ranks runs as their outcome does: Kendall's τ over all runs and within each hyper-parameter, by bootstrap.

found = rank_correlation(runs, "sharpness", "gap", axes=("rate", "batch"), given="loss")
found.overall, found.within["rate"], found.psi, found.partial       # each a value with its interval
found.overall.minus(other.overall)                                  # of two measures on the same runs, resample by resample

Source: Jiang et al. 2020, arXiv 1912.02178, equations 4 and 5, whose Ψ is the mean over axes of τ among runs that differ in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from twopart import _random
from twopart._arrays import Floats
from twopart._checks import check, check_integer
from twopart.evidence import Estimate

LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Tau:
    """A rank correlation and its resamples."""

    value: float
    """nan where no pair can be compared."""
    drawn: Floats
    """Of resampled runs, shape (resamples,)."""

    def minus(self, other: Tau) -> Tau:
        """The difference from another on the same runs, with the same seed."""
        check(
            len(other.drawn) == len(self.drawn), "other", len(other.drawn), "as many resamples", "use the same number"
        )
        return Tau(self.value - other.value, self.drawn - other.drawn)

    @property
    def estimate(self) -> Estimate:
        """With the 95% interval, the quantiles of the resamples."""
        known = self.drawn[np.isfinite(self.drawn)]
        if not np.isfinite(self.value) or len(known) == 0:
            return Estimate(float("nan"), (-np.inf, np.inf), LEVEL, "runs")
        low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Estimate(self.value, (float(low), float(high)), LEVEL, "runs")


@dataclass(frozen=True, eq=False)
class RankCorrelation:
    """Of a measure with an outcome."""

    overall: Tau
    """τ-b over all pairs of runs."""
    within: Mapping[str, Tau]
    """By axis: the mean sign of agreement over pairs that differ in this axis alone, ties of the measure being 0."""
    psi: Tau
    """Ψ, the mean of those."""
    partial: Tau
    """τ with the confounder `given` held fixed, (τ - τ1 τ2)/√((1 - τ1²)(1 - τ2²)); nan without one. Source: Kendall 1942."""


def rank_correlation(
    runs: Any,
    measure: str,
    gap: str,
    axes: Sequence[str] = (),
    *,
    given: str | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> RankCorrelation:
    """How a column ranks runs beside the column `gap`; `runs` is a frame of polars or pandas, or a mapping of columns.

    Columns that are not named, such as seeds, are ignored: runs alike in all axes are replicates. Infinite values rank last.
    Raises `InputError` for columns that are not there, fewer than three runs, and missing values.
    """
    count = check_integer("resamples", resamples, 1, None, "2000 are usual")
    columns = {
        name: np.asarray(runs[name]) for name in (measure, gap, *axes, *([given] if given else ())) if name in runs
    }
    lost = [name for name in (measure, gap, *axes, *([given] if given else ())) if name not in columns]
    check(not lost, "runs", sorted(columns), f"a table with the columns {', '.join(lost)}", "see their names")
    R = len(columns[gap])
    check(R >= 3, "runs", R, "at least 3", "an order needs some")
    signs = {name: _signs(name, columns[name]) for name in (measure, gap, *([given] if given else ()))}
    weights = np.vstack(
        [
            np.ones(R),
            [np.bincount(row, minlength=R) for row in _random.generator(seed, "runs").integers(R, size=(count, R))],
        ]
    )
    differ = {name: columns[name][:, None] != columns[name] for name in axes}
    apart = sum(differ.values()) if axes else np.zeros((R, R))
    agree = signs[measure] * signs[gap]

    def summed(pairs: Floats) -> Floats:
        return np.asarray(np.einsum("bi,bi->b", weights @ pairs, weights))

    def tau(a: str, b: str) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return summed(signs[a] * signs[b]) / np.sqrt(summed(signs[a] ** 2) * summed(signs[b] ** 2))

    with np.errstate(invalid="ignore", divide="ignore"):
        within = {
            n: summed(agree * (one & (apart == 1))) / summed(signs[gap] ** 2 * (one & (apart == 1)))
            for n, one in differ.items()
        }
        overall, partial = tau(measure, gap), np.full(count + 1, np.nan)
        if given:
            a, b = tau(measure, given), tau(gap, given)
            partial = (overall - a * b) / np.sqrt((1 - a**2) * (1 - b**2))
    psi = np.mean(list(within.values()), axis=0) if within else np.full(count + 1, np.nan)
    whole = [Tau(float(one[0]), one[1:]) for one in (overall, psi, partial, *within.values())]
    return RankCorrelation(whole[0], dict(zip(within, whole[3:], strict=True)), whole[1], whole[2])


def _signs(name: str, values: ArrayLike) -> Floats:
    column = np.asarray(values, float)
    missing = int(np.isnan(column).sum())
    check(missing == 0, name, f"{missing} of {len(column)} that are nan", "known for every run", "drop those runs")
    ranks = rankdata(column)
    return np.sign(ranks[:, None] - ranks)
