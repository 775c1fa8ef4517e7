"""What the cells measured, brought together per kind of world and set beside the law."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.fits import LogBins, by_number, slope
from twopart.laws import data_law, data_law_asymptote
from twopart.roles import ROLES
from twopart.studies.data_law.cells import bins
from twopart.worlds import SyntaxKnowledge

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """One kind of world: the law, the simulated Bayes code if there is one, and the transformers' curves."""

    label: str
    """What the figures call it."""
    world: SyntaxKnowledge
    """The world of the first replicate; the law is the same for all."""
    sentences: int
    runs: tuple[pl.DataFrame, ...]
    """One table of `train_transformer` per replicate."""
    bayes: pl.DataFrame | None
    """The table of `simulate_bayes`."""
    bayes_worlds: int = 0
    """Worlds behind it."""

    @cached_property
    def bins(self) -> LogBins:
        return bins(self.sentences)

    @cached_property
    def law(self) -> dict[str, Floats]:
        """Expected redundancy of the Bayes code, averaged over each bin, by role."""
        return {role: self.bins.mean(curve) for role, curve in self.law_by_sentence.items()}

    @cached_property
    def asymptote(self) -> dict[str, Floats]:
        """The law's leading terms at the middle of each bin, by role."""
        limit = data_law_asymptote(self.world, np.maximum(self.bins.centres.round(), 1))
        return {role: getattr(limit, role) for role in ROLES}

    @cached_property
    def law_by_sentence(self) -> dict[str, Floats]:
        """The same for each of sentences 1..sentences."""

        def law(role: str) -> Floats:
            return by_number(lambda n: np.asarray(getattr(data_law(self.world, n - 1), role)), self.sentences)

        return {role: law(role) for role in ROLES}

    @cached_property
    def learner(self) -> Floats:
        """The transformers' redundancy, shape (replicates, roles, bins)."""
        seen = [run.filter(pl.col("axis") == "seen") for run in self.runs]
        return np.array([[table[role].to_numpy() for role in ROLES] for table in seen])

    @cached_property
    def upper(self) -> NDArray[np.bool_]:
        """The bins that lie wholly in the last tenfold of the sentences: where slopes and T are read."""
        return self.bins.edges[:-1] > self.sentences / 10

    def curves(self, role: str) -> Floats:
        """The transformers' redundancy of one role, shape (replicates, bins)."""
        return np.asarray(self.learner[:, ROLES.index(role)])

    @cached_property
    def knowledge(self) -> Floats:
        """The transformers' value redundancy as it would be in the average world, shape (replicates, bins).

        A ratio estimate: each curve over the law of its own world, times the law. Worlds differ more in how many facts they
        have than learners do in how they learn them.
        """
        own = np.array([run.filter(pl.col("axis") == "seen")["world_value"].to_numpy() for run in self.runs])
        return np.asarray(self.curves("value") / own * self.law["value"])

    def upper_slope(self, curve: Floats) -> float:
        """d ln y / d ln x of a curve over bins, in the upper decade."""
        return slope(self.bins.centres[self.upper], curve[self.upper])

    def exposures(self, curve: Floats) -> float:
        """T: how many times more sentences the curve needs than the law, geometric mean over the upper decade.

        nan while the curve is above what the law starts with: there is nothing to compare it to.
        """
        law = self.law_by_sentence["value"]
        if np.any(curve[self.upper] > law[0]):
            return float("nan")
        reached = np.interp(-_log(curve[self.upper]), -_log(law), np.log(np.arange(1, len(law) + 1)))
        return float(np.exp(np.mean(np.log(self.bins.centres[self.upper]) - reached)))

    def mostly_known(self, curve: Floats) -> float:
        """Sentences until a curve over bins first falls below a tenth of where it starts.

        The length of the run if it never does: a lower bound.
        """
        level, x = curve[0] / 10, np.log(self.bins.centres)
        below = np.flatnonzero(curve < level)
        if not below.size:
            return float(self.bins.centres[-1])
        first = below[0]
        return float(np.exp(np.interp(-np.log(level), -_log(curve[first - 1 : first + 1]), x[first - 1 : first + 1])))


def _log(x: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(x, 1e-300)))
