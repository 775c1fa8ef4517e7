"""Confidence beside accuracy: how often answers are right that are given so surely, and what abstaining avoids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from twopart._notebook import grid, quantities, shown

Floats = NDArray[np.float64]
BINS = 15  # of confidence, equally wide (Guo et al. 2017, On calibration of modern neural networks)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Answers of a model, arrays (F,)."""

    confidence: Floats
    """Probability that the model gives to its answer."""
    right: Floats
    """Whether it is right, 0 or 1."""
    weight: Floats
    """Share of the questions that have this answer; shares sum to 1."""

    def risk(self, coverage: ArrayLike) -> Floats:
        """Share of wrong answers if only the share `coverage` in (0, 1] of questions is answered, the surest first.

        Between whole answers, as by answering part of an answer's questions.
        """
        order = np.argsort(-self.confidence, kind="stable")
        covered = np.r_[0.0, np.cumsum(self.weight[order])]
        wrong = np.r_[0.0, np.cumsum((self.weight * (1 - self.right))[order])]
        share = np.asarray(coverage, float)
        return np.asarray(np.interp(share, covered, wrong) / share)

    @cached_property
    def reliability(self) -> pl.DataFrame:
        """By `bin` of confidence: mean `confidence`, mean accuracy `right`, and the `share` of questions."""
        which = np.minimum((self.confidence * BINS).astype(int), BINS - 1)
        share = np.bincount(which, self.weight, BINS)
        there = np.flatnonzero(share)
        columns = {"confidence": self.confidence, "right": self.right}
        means = {name: np.bincount(which, self.weight * x, BINS)[there] / share[there] for name, x in columns.items()}
        return pl.DataFrame({"bin": there, **means, "share": share[there]})

    @property
    def error(self) -> float:
        """Σ_bins share |accuracy - confidence|, the expected calibration error (Naeini et al. 2015)."""
        bins = self.reliability
        return float((bins["share"] * (bins["right"] - bins["confidence"]).abs()).sum())

    def _repr_html_(self) -> str:
        bins = self.reliability
        error = quantities([("expected calibration error", self.error, None)])
        return shown("Confidence beside accuracy", error, grid(bins.columns, [column.to_list() for column in bins]))
