"""What the runs of one size measured in one kind of world, and what the law says of the same worlds.

A fact counts as known while more than half of its bits are: gained > h_a/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.studies.acquisition.thresholds import Floats, agreement, crossing, learning_times, sharpness_after
from twopart.worlds import SyntaxKnowledge


@dataclass(frozen=True, eq=False)
class Run:
    """One transformer: S snapshots, F facts asked at each."""

    world: SyntaxKnowledge
    sentences: NDArray[np.int64]
    """Seen before each snapshot (S,)."""
    rank: NDArray[np.int64]
    """Rank of each fact's entity by probability, from 1 (F,)."""
    attribute: NDArray[np.int64]
    """(F,)"""
    frequency: Floats
    """p π_a of each fact (F,)."""
    gained: Floats
    """log2 of the true value's probability over its base probability (S, F)."""
    told: NDArray[np.int64]
    """How often each fact had been told (S, F)."""
    seen: pl.DataFrame
    """Mean redundancy by bins of sentences seen, prequential: low, high, syntax, value."""

    @classmethod
    def of(cls, world: SyntaxKnowledge, table: pl.DataFrame) -> Run:
        """From the table of `acquire`."""
        facts = table.filter(kind="fact")
        sentences = facts["sentences"].unique(maintain_order=True).to_numpy()
        first = facts.filter(sentences=int(sentences[0]))

        def by_snapshot(column: str) -> NDArray[Any]:
            return facts[column].to_numpy().reshape(len(sentences), -1)

        return cls(
            world,
            sentences,
            first["rank"].to_numpy(),
            first["attribute"].to_numpy(),
            first["frequency"].to_numpy(),
            by_snapshot("gained"),
            by_snapshot("told"),
            table.filter(kind="seen").select("low", "high", "syntax", "value"),
        )

    @cached_property
    def entropy(self) -> Floats:
        """h_a of each fact (F,)."""
        return np.array([a.entropy() for a in self.world.attributes])[self.attribute]

    @property
    def bits_to_learn(self) -> float:
        """What a sentence's value costs whoever knows no fact: Σ_a π_a h_a."""
        return float(self.world.pi @ [a.entropy() for a in self.world.attributes])

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Whether each fact is known (S, F)."""
        return self.gained > self.entropy / 2

    @cached_property
    def learned(self) -> Floats:
        """Sentences after which each fact is known for good, inf if it never is (F,)."""
        return learning_times(self.sentences, self.gained - self.entropy / 2)

    @cached_property
    def first_told(self) -> Floats:
        """The same for the Bayes code, which knows a fact once it was told (F,)."""
        return learning_times(self.sentences, np.asarray(self.told - 0.5, float))

    @cached_property
    def order(self) -> float:
        """Somers' D of falling frequency and learning time."""
        return agreement(self.frequency, self.learned)

    @cached_property
    def bayes_order(self) -> float:
        """The same for the Bayes code on the same sentences, asked at the same moments."""
        return agreement(self.frequency, self.first_told)

    @cached_property
    def threshold(self) -> Floats:
        """q*: the frequency at which half of the facts are known (S,); nan where none is."""
        return np.array([crossing(self.frequency, known) for known in self.known])

    def sharpness(self, at: int) -> float:
        """Frequency at which 90 % are known over that at which 10 % are, at snapshot `at`."""
        return crossing(self.frequency, self.known[at], 0.9) / crossing(self.frequency, self.known[at], 0.1)

    def threshold_rank(self, attribute: int, at: int) -> float:
        """Entities whose fact is at least as frequent as the frequency at which half of this attribute's facts are known."""
        of = self.attribute == attribute
        return self.rank_at(attribute, crossing(self.frequency[of], self.known[at, of]))

    def rank_at(self, attribute: int, frequency: float) -> float:
        """How many entities' facts of this attribute are at least so frequent, between two as by interpolation in logs."""
        of = np.flatnonzero(self.attribute == attribute)
        of = of[np.argsort(self.rank[of])]
        logs = np.interp(-np.log(frequency), -np.log(self.frequency[of]), np.log(self.rank[of]))
        return float(np.exp(logs)) if np.isfinite(frequency) else float("nan")

    def share_known(self) -> Floats:
        """Share of all facts asked that are known for good (S,)."""
        return np.array([(self.learned <= n * (1 + 1e-9)).mean() for n in self.sentences])

    def sentences_until(self, share: float) -> float:
        """Sentences until this share of the facts asked is known for good; inf if it never is."""
        return float(np.quantile(self.learned, share, method="higher"))


@dataclass(frozen=True, eq=False)
class Evidence:
    """The replicates of one size in one kind of world."""

    label: str
    """What the figures call it."""
    parameters: int
    """Of the transformer."""
    runs: tuple[Run, ...]
    """One per replicate."""

    @property
    def sentences(self) -> NDArray[np.int64]:
        return self.runs[0].sentences

    @cached_property
    def upper(self) -> NDArray[np.bool_]:
        """The snapshots of the last tenfold: where thresholds are judged (S,)."""
        return np.asarray(self.sentences >= self.sentences[-1] / 10 * (1 - 1e-9))

    @cached_property
    def early(self) -> NDArray[np.bool_]:
        """The snapshots of its first half, in logs: where T is measured (S,)."""
        half = self.sentences <= self.sentences[-1] / np.sqrt(10) * (1 + 1e-9)
        return np.asarray(self.upper & half)

    @cached_property
    def thresholds(self) -> Floats:
        """ln q*, shape (replicates, S)."""
        return np.log([run.threshold for run in self.runs])

    @cached_property
    def told(self) -> Floats:
        """ln T: how often a fact at the threshold is told, mean over the first half of the last tenfold (replicates,)."""
        return np.asarray((self.thresholds + np.log(self.sentences))[:, self.early].mean(1))

    @property
    def exposures(self) -> float:
        """T, geometric mean over replicates."""
        return float(np.exp(self.told.mean()))

    @property
    def expected_sharpness(self) -> float:
        """What telling by chance leaves of a threshold at exactly T exposures."""
        return sharpness_after(self.exposures) if np.isfinite(self.exposures) else float("nan")

    @cached_property
    def rank_ratios(self) -> list[float]:
        """ln of the threshold rank at the end over the predicted one, mean over attributes, one for each replicate.

        The prediction is the rank of frequency T/n, with each run's own T.
        """
        end = len(self.sentences) - 1
        predicted = np.exp(self.told) / self.sentences[end]
        return [
            float(
                np.mean(
                    [np.log(run.threshold_rank(a, end) / run.rank_at(a, f)) for a in range(len(run.world.attributes))]
                )
            )
            for run, f in zip(self.runs, predicted, strict=True)
        ]
