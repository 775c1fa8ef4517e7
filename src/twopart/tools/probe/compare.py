"""Two models side by side on the same facts: what is lost, and what is gained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from twopart.evidence import Estimate
from twopart.tools.probe.analysis import Floats, Integers, Rows, Studied, weighted_d


@dataclass(frozen=True, eq=False)
class Compared:
    """One template, two models, with resamples of the same subjects."""

    before: Studied
    after: Studied

    def __str__(self) -> str:
        return f"{self.after.asking.model} after {self.before.asking.model}, {self.before}"

    @property
    def x(self) -> Floats:
        x = self.before.rows.x
        return np.zeros(len(self.before.asking.facts)) if x is None else x

    @property
    def lost(self) -> Floats:
        """1 where it was right and is no more (N,)."""
        return self.before.asking.right * (1 - self.after.asking.right)

    @cached_property
    def lost_share(self) -> Estimate:
        """Of what was known: of the facts that were right, each weighted by P(known | right)."""

        def share(rows: Rows) -> float:
            right, weight = self._right(rows)
            return float((weight * self.lost[right]).sum() / weight.sum()) if weight.sum() > 0 else math.nan

        return self.before.by_resample(share)

    @cached_property
    def surest(self) -> Estimate:
        """Somers' D of lost on the doubt that the model before had."""
        return self.order(-self.before.asking.share[np.arange(len(self.x)), self.before.asking.facts.answer])

    def order(self, by: Floats) -> Estimate:
        """Somers' D of lost on a number of each fact (N,), among facts that were right, weighted by P(known | right)."""

        def d(rows: Rows) -> float:
            right, weight = self._right(rows)
            return weighted_d(by[right], self.lost[right], weight)

        return self.before.by_resample(d)

    def _right(self, rows: Rows) -> tuple[Integers, Floats]:
        right = rows.right > 0
        return rows.index[right], rows.learned.known_if_right[right]

    @cached_property
    def strata(self) -> pl.DataFrame:
        """By fifths of frequency: facts right before and after, lost and gained."""
        stratum, x = self.before.rows.stratum, self.x
        was, now = self.before.asking.right, self.after.asking.right
        return pl.DataFrame(
            [
                {
                    "frequency": float(10 ** np.median(x[i])),
                    "facts": int(i.sum()),
                    "right before": float(was[i].mean()),
                    "right after": float(now[i].mean()),
                    "lost, of those right": float(self.lost[i].sum() / max(was[i].sum(), 1)),
                    "gained, of those wrong": float(((1 - was) * now)[i].sum() / max((1 - was[i]).sum(), 1)),
                }
                for i in (stratum == s for s in np.unique(stratum))
            ]
        )
