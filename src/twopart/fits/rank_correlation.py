"""Which measure ranks runs as their outcome does: Kendall's τ over all runs, and within each hyper-parameter, by bootstrap.

found = rank_correlation(runs, "sharpness", "gap", axes=("rate", "batch"))
tau_estimate(found.overall), tau_estimate(found.within["rate"])      # values with intervals
tau_estimate(found.overall - other.overall)            # of two measures of the same runs, resample by resample

Source: Jiang et al. 2020, arXiv 1912.02178, whose Ψ is the mean over hyper-parameters of τ among runs that differ in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from twopart import _random
from twopart._arrays import Floats
from twopart._checks import check, check_integer
from twopart.evidence import Estimate
from twopart.evidence.estimate import LEVEL


class RankCorrelation(NamedTuple):
    """Of the runs, then of each resample of them, shapes (1 + resamples,); nan where no pair can be told."""

    overall: Floats
    """τ-b over all pairs of runs."""
    within: Mapping[str, Floats]
    """By axis: the mean agreement, ±1 or 0 for a tie of the measure, of pairs that differ in it alone and in outcome."""
    psi: Floats
    """Ψ, the mean of those that are known."""


def rank_correlation(
    runs: Any, measure: str, gap: str, axes: Sequence[str] = (), *, resamples: int = 2000, seed: int = 0
) -> RankCorrelation:
    """How the column `measure` ranks runs beside the column `gap`, in a frame of polars or pandas or a mapping of columns.

    Runs alike in all axes are replicates. Infinite values rank last. Raises `InputError` for columns that are not there or have
    other lengths, values that are nan, and fewer than three runs.
    """
    B, names = check_integer("resamples", resamples, 1, None, "2000 are usual"), (measure, gap, *axes)
    have = list(getattr(runs, "columns", runs))
    lost = [name for name in names if name not in have]
    check(not lost, "runs", have, f"a table with {', '.join(map(str, lost))}", "see the names of its columns")
    columns = {name: np.asarray(runs[name]) for name in names}
    R = len(columns[gap])
    check(R > 2 and {c.shape for c in columns.values()} == {(R,)}, "runs", R, "at least 3 rows", "an order needs some")
    one, other = (_signs(name, columns[name]) for name in (measure, gap))
    drawn = _random.generator(seed, "runs").integers(R, size=(B, R)) + R * np.arange(B)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=B * R).reshape(B, R)
    weights = np.vstack([np.ones(R), counts])  # how often each run counts: once, and in each resample

    def summed(pairs: Any) -> Floats:
        return np.asarray(np.einsum("bi,bi->b", weights @ pairs, weights))

    differ = {name: columns[name][:, None] != columns[name] for name in axes}
    alone = {name: pairs & (sum(differ.values()) == 1) for name, pairs in differ.items()}
    with np.errstate(invalid="ignore", divide="ignore"):
        overall = summed(one * other) / np.sqrt(summed(one**2) * summed(other**2))
        within = {name: summed(one * other * pairs) / summed(other**2 * pairs) for name, pairs in alone.items()}
    known = [values for values in within.values() if np.isfinite(values[0])] or [np.full(B + 1, np.nan)]
    return RankCorrelation(overall, within, np.mean(known, axis=0))


def tau_estimate(values: Floats) -> Estimate:
    """A rank correlation or a difference of two, and its 95% interval, between quantiles of the resamples that have a value."""
    fits = np.ndim(values) == 1 and len(values) > 1
    check(fits, "values", np.shape(values), "of shape (1 + resamples,)", "`rank_correlation` gives such")
    known = values[np.isfinite(values)]
    if not np.isfinite(values[0]):
        return Estimate(float("nan"), (-np.inf, np.inf), LEVEL, "runs")
    low, high = np.quantile(known[1:] if len(known) > 1 else known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(values[0]), (float(low), float(high)), LEVEL, "runs")


def _signs(name: Any, values: Any) -> Floats:
    column = np.asarray(values, float)
    missing = int(np.isnan(column).sum())
    check(missing == 0, name, f"{missing} of {len(column)} that are nan", "known for every run", "drop those runs")
    ranks = rankdata(column)
    return np.asarray(np.sign(ranks[:, None] - ranks))
