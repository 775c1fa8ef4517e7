"""Which measure ranks runs as their outcome does: Kendall's τ over all runs, and within each hyper-parameter, by bootstrap.

found = rank_correlation(runs, "sharpness", "gap", axes=("rate", "batch"), given="loss")
found.overall.estimate, found.within["rate"].estimate, found.psi.estimate, found.partial.estimate     # values with intervals
found.overall.minus(other.overall).estimate            # of two measures of the same runs, resample by resample

Source: Jiang et al. 2020, arXiv 1912.02178, whose Ψ is the mean over hyper-parameters of τ among runs that differ in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from twopart import _random
from twopart._arrays import Floats
from twopart._checks import check, check_integer
from twopart.evidence import Estimate
from twopart.evidence.estimate import LEVEL


@dataclass(frozen=True, eq=False)
class Tau:
    """A rank correlation: of the runs, and of each resample of them, shape (1 + resamples,); nan where no pair can be told."""

    values: Floats

    def minus(self, other: Tau) -> Tau:
        """The difference from another of the same runs, with as many resamples and the same seed."""
        same = len(other.values) == len(self.values)
        check(same, "other", len(other.values), f"{len(self.values)} values", "use as many resamples")
        return Tau(self.values - other.values)

    @property
    def estimate(self) -> Estimate:
        """With the 95% interval, between quantiles of the resamples that have a value."""
        known = self.values[np.isfinite(self.values)]
        if not np.isfinite(self.values[0]):
            return Estimate(float("nan"), (-np.inf, np.inf), LEVEL, "runs")
        low, high = np.quantile(known[1:] if len(known) > 1 else known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Estimate(float(self.values[0]), (float(low), float(high)), LEVEL, "runs")


@dataclass(frozen=True, eq=False)
class RankCorrelation:
    """Of a measure with an outcome."""

    overall: Tau
    """τ-b over all pairs of runs."""
    within: Mapping[str, Tau]
    """By axis: the mean agreement, ±1 or 0 for a tie of the measure, of pairs that differ in it alone and in outcome."""
    psi: Tau
    """Ψ, the mean of those that are known."""
    partial: Tau
    """(τ - τ1 τ2)/√((1 - τ1²)(1 - τ2²)), with `given` held fixed; nan without one. Source: Kendall 1942."""


def rank_correlation(
    runs: Any, measure: str, gap: str, axes: Sequence[str] = (), *, given: str | None = None, resamples: int = 2000,
    seed: int = 0,
) -> RankCorrelation:  # fmt: skip
    """How the column `measure` ranks runs beside the column `gap`, in a frame of polars or pandas or a mapping of columns.

    Runs alike in all axes are replicates. Infinite values rank last. Raises `InputError` for columns that are not there or have
    other lengths, values that are nan, and fewer than three runs.
    """
    B = check_integer("resamples", resamples, 1, None, "2000 are usual")
    ordered, have = [measure, gap] + [given] * bool(given), list(getattr(runs, "columns", runs))
    lost = [name for name in (*ordered, *axes) if name not in have]
    check(not lost, "runs", have, f"a table with {', '.join(map(str, lost))}", "see the names of its columns")
    columns = {name: np.asarray(runs[name]) for name in {*ordered, *axes}}
    R = len(columns[gap])
    check(R > 2 and {c.shape for c in columns.values()} == {(R,)}, "runs", R, "at least 3 rows", "an order needs some")
    signs = {name: _signs(name, columns[name]) for name in ordered}
    drawn = _random.generator(seed, "runs").integers(R, size=(B, R)) + R * np.arange(B)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=B * R).reshape(B, R)
    weights = np.vstack([np.ones(R), counts])  # how often each run counts: once, and in each resample

    def summed(pairs: Any) -> Floats:
        return np.asarray(np.einsum("bi,bi->b", weights @ pairs, weights))

    def tau(a: str | None, b: str | None) -> Floats:
        return summed(signs[a] * signs[b]) / np.sqrt(summed(signs[a] ** 2) * summed(signs[b] ** 2))

    differ = {name: columns[name][:, None] != columns[name] for name in axes}
    agree, told, unknown = signs[measure] * signs[gap], signs[gap] ** 2, np.full(B + 1, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        alone = {name: one & (sum(differ.values()) == 1) for name, one in differ.items()}
        within = {name: summed(agree * one) / summed(told * one) for name, one in alone.items()}
        overall, (a, b) = tau(measure, gap), (tau(measure, given), tau(gap, given)) if given else (unknown, unknown)
        partial = (overall - a * b) / np.sqrt((1 - a**2) * (1 - b**2))
    known = [one for one in within.values() if np.isfinite(one[0])]
    psi = np.mean(known, axis=0) if known else unknown
    return RankCorrelation(Tau(overall), {name: Tau(one) for name, one in within.items()}, Tau(psi), Tau(partial))


def _signs(name: Any, values: Any) -> Floats:
    column = np.asarray(values, float)
    missing = int(np.isnan(column).sum())
    check(missing == 0, name, f"{missing} of {len(column)} that are nan", "known for every run", "drop those runs")
    ranks = rankdata(column)
    return np.asarray(np.sign(ranks[:, None] - ranks))
