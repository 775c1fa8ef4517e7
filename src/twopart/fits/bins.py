"""Logarithmic bins of whole numbers: equal width on a log axis, exact in what they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from twopart._checks import check_integer

Floats = NDArray[np.float64]

EXACT = 64  # a smooth curve is worked out at every number up to here, and at 16 a decade beyond
TINY = 1e-300  # where a curve has died out


@dataclass(frozen=True)
class LogBins:
    """Bins that tile start..stop-1; where a bin would hold no whole number, it is left out."""

    stop: int
    """End of the last bin, > start, at most 2^53."""
    start: int = 1
    """First number in the first bin, >= 1."""
    per_decade: int = 10
    """Bins per factor of ten, >= 1."""

    def __post_init__(self) -> None:
        check_integer("start", self.start, 1, None, "0 has no logarithm; shift the series by one")
        check_integer("stop", self.stop, self.start + 1, 2**53, "leave room for one number at least")
        check_integer("per_decade", self.per_decade, 1, None, "10 is customary")

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """Bin i holds edges[i] .. edges[i+1]-1."""
        count = max(1, round(self.per_decade * np.log10(self.stop / self.start)))
        edges = np.geomspace(self.start, self.stop, count + 1).round().astype(np.int64)
        edges[-1] = self.stop
        return np.unique(edges)

    @cached_property
    def centres(self) -> Floats:
        """Geometric middle of each bin's whole numbers."""
        edges = self.edges
        return np.sqrt(edges[:-1] * (edges[1:] - 1.0))

    def mean(self, series: ArrayLike) -> Floats:
        """Means over bins of a series whose first entry belongs to `start` and last to `stop - 1`."""
        series = np.asarray(series, float)
        check_integer(
            "len(series)", len(series), self.stop - self.start, self.stop - self.start, "one entry per number"
        )
        edges = self.edges
        return np.add.reduceat(series, edges[:-1] - self.start) / np.diff(edges)

    def index(self, numbers: ArrayLike) -> NDArray[np.int64]:
        """Which bin each number falls into; -1 and `len(centres)` mark those below and above."""
        return np.searchsorted(self.edges, np.asarray(numbers), side="right") - 1


def by_number(curve: Callable[[Floats], Floats], stop: int) -> Floats:
    """`curve` at 1..stop, for smooth positive ones, shape (..., n): exact at knots, monotone cubics in logarithms between."""
    check_integer("stop", stop, 1, None, "leave room for one number at least")
    knots = np.unique(
        np.r_[np.arange(1.0, min(stop, EXACT) + 1), np.geomspace(1, stop, int(16 * np.log10(stop)) + 2).round()]
    )
    if len(knots) == stop:
        return curve(knots)
    logs = PchipInterpolator(np.log(knots), np.log(np.maximum(curve(knots), TINY)), axis=-1)
    return np.asarray(np.exp(logs(np.log(np.arange(1, stop + 1)))))
