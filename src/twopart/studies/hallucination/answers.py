"""What one run answered at one moment, every question with equal weight, and the statistics of it.

Two ways to answer: `sampled`, a value drawn as the model gives it, and `best`, its most probable value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BINS = 15  # of confidence, equally wide (Guo et al. 2017, On calibration of modern neural networks)


@dataclass(frozen=True, eq=False)
class Answers:
    """F distinct facts, each with the number of questions that ask for it."""

    facts: pl.DataFrame
    """One row per fact, as `interrogate` gives them, of one moment."""

    def column(self, name: str) -> NDArray[np.float64]:
        numbers: Floats = self.facts[name].cast(pl.Float64).to_numpy()
        return numbers

    @cached_property
    def weight(self) -> Floats:
        """Share of the questions that ask for each fact (F,)."""
        asked = self.column("asked")
        return np.asarray(asked / asked.sum())

    @cached_property
    def right(self) -> Floats:
        """Whether the best guess is true, 0 or 1 (F,)."""
        return np.asarray(self.column("guessed") == self.column("truth"), float)

    @property
    def wrong_sampled(self) -> float:
        """Share of wrong answers if answers are drawn, in expectation over the draws."""
        return float(self.weight @ (1 - self.column("correct")))

    @property
    def wrong_best(self) -> float:
        """Share of wrong answers if the most probable value is given."""
        return float(self.weight @ (1 - self.right))

    @cached_property
    def never_told(self) -> pl.DataFrame:
        """The facts that no sentence had told."""
        return self.facts.filter(pl.col("told") == 0)

    def risk(self, coverage: ArrayLike) -> Floats:
        """Share of wrong best guesses if only the share `coverage` in (0, 1] of questions is answered, the surest first.

        Between whole facts, as by answering part of a fact's questions.
        """
        order = np.argsort(-self.column("confidence"), kind="stable")
        covered = np.r_[0.0, np.cumsum(self.weight[order])]
        wrong = np.r_[0.0, np.cumsum((self.weight * (1 - self.right))[order])]
        share = np.asarray(coverage, float)
        return np.asarray(np.interp(share, covered, wrong) / share)

    @cached_property
    def reliability(self) -> pl.DataFrame:
        """By bin of confidence: mean `confidence`, mean accuracy `right`, and the `share` of questions."""
        which = np.minimum((self.column("confidence") * BINS).astype(int), BINS - 1)
        share = np.bincount(which, self.weight, BINS)
        there = share > 0
        means = [np.bincount(which, self.weight * x, BINS)[there] / share[there] for x in self._pair]
        return pl.DataFrame({"confidence": means[0], "right": means[1], "share": share[there]})

    @property
    def calibration_error(self) -> float:
        """Σ_bins share |accuracy - confidence|, the expected calibration error (Naeini et al. 2015)."""
        table = self.reliability
        return float(np.dot(table["share"], np.abs(table["right"] - table["confidence"])))

    @property
    def _pair(self) -> tuple[Floats, Floats]:
        return self.column("confidence"), self.right
