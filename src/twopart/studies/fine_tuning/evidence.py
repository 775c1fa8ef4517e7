"""The runs of one size beside the laws of their worlds.

A fact counts as known when the model's best guess is correct. What a model of P parameters can hold is b P bits, and b is
measured before fine-tuning on the smallest model: the forgetting law's count of old facts is met by those it knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.laws import finetuning_law, forgetting_law
from twopart.studies.acquisition.thresholds import agreement
from twopart.studies.fine_tuning.cells import DOSES, FACTS, FORMAT, PretrainCell, TuneCell
from twopart.worlds import KnownEntities

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

SURE = 0.5
"""Confidence above which a wrong answer counts as a confident one."""
MOST_EXAMPLES = 10_000
"""Of a new format, up to which its law is tabulated: by then it costs less than 0.01 bits in all presets."""
BUDGETS = np.geomspace(10.0, 1e7, 400)
"""Bits that are tried to find a model's capacity."""


@dataclass(frozen=True, eq=False)
class Tuned:
    """One fine-tuned model."""

    cell: TuneCell
    table: pl.DataFrame
    """Of `tune`."""

    @property
    def moments(self) -> tuple[int, ...]:
        """Sentences of fine-tuning after which it was asked, from 0 on."""
        return (0, *self.cell.moments)

    def at(self, asked: str, sentences: int, stage: str = "tuning") -> pl.DataFrame:
        """The answers to one kind of question at one moment, questions always in the same order."""
        return self.table.filter(kind="fact", asked=asked, stage=stage, sentences=sentences)

    def known(self, asked: str, sentences: int | None = None, stage: str = "tuning") -> Truths:
        """Which facts are known; `sentences` None: at the end."""
        end = self.cell.sentences if sentences is None else sentences
        return np.asarray(self.at(asked, end, stage)["right"].to_numpy(), bool)

    def share(self, asked: str) -> Floats:
        """Share of these facts that is known, by moment."""
        return np.array([self.known(asked, n).mean() for n in self.moments])

    @cached_property
    def kept(self) -> Floats:
        """Of the old facts known before, the share that still is, by moment."""
        before = self.known("old", 0)
        return np.array([_share(self.known("old", n)[before]) for n in self.moments])

    def kept_at(self, learned: float) -> float:
        """The share of old facts kept when this share of the new ones is first known, between moments; nan if it never is."""
        new = np.maximum.accumulate(self.share("new"))
        if not new[0] < learned <= new[-1]:
            return float("nan")
        after = int(np.argmax(new >= learned))
        part = (learned - new[after - 1]) / (new[after] - new[after - 1])
        return float(self.kept[after - 1] + part * (self.kept[after] - self.kept[after - 1]))

    def confidently_wrong(self, asked: str, sentences: int | None = None) -> float:
        """Share of questions answered wrongly with a confidence above `SURE`."""
        answers = self.at(asked, self.cell.sentences if sentences is None else sentences)
        return float((~answers["right"] & (answers["confidence"] > SURE)).cast(pl.Float64).mean())  # type: ignore[arg-type]

    @cached_property
    def order(self) -> float:
        """Somers' D of the order of forgetting and rising frequency, over old facts known before; 1: the rarest goes first."""
        before = self.known("old", 0)
        if before.sum() < 2:
            return float("nan")
        states = np.array([self.known("old", n)[before] for n in self.moments])
        last = len(states) - 1 - states[::-1].argmax(0)
        moments = np.r_[np.array(self.moments[1:], float), np.inf]
        rank = self.at("old", 0)["rank"].to_numpy()[before]
        weight = self.cell.start.excerpt().weights[rank - 1]
        return agreement(1 / weight, moments[last])

    def recovered(self, sentences: int) -> float:
        """Of the old facts that were known before and not after fine-tuning, the share that is known again."""
        lost = self.known("old", 0) & ~self.known("old")
        return _share(self.known("old", sentences, "recovery")[lost])

    @property
    def transfer(self) -> float:
        """Facts about entities never asked in the new format that are known in it, over those known in the old one before."""
        others = self.at("old", 0)["rank"].to_numpy() % 2 == 0
        return _ratio(self.known("reworded")[others].sum(), self.known("old", 0)[others].sum())

    @cached_property
    def redundancy(self) -> Floats:
        """Bits per sentence of the new format that its templates cost, by moment."""
        rows = self.table.filter(kind="format")
        return np.array([rows.filter(sentences=n)["syntax"].item() for n in self.moments])

    @cached_property
    def doses(self) -> tuple[Floats, Floats]:
        """How often facts were told, and the share of them that is known at the end."""
        told = self.at("new", self.cell.sentences).group_by("told").agg(pl.col("right").mean()).sort("told")
        return told["told"].to_numpy().astype(float), told["right"].to_numpy()

    def dose(self, share: float) -> float:
        """The dose at which a share of the facts is known, in logarithms between doses; nan if none of them shows it."""
        told, known = self.doses
        rising = np.maximum.accumulate(known)
        if not rising[0] <= share <= rising[-1]:
            return float("nan")
        after = int(np.argmax(rising >= share))
        if after == 0:
            return float(told[0])
        x, y = np.log(told[after - 1 : after + 1]), rising[after - 1 : after + 1]
        return float(np.exp(x[0] + (x[1] - x[0]) * (share - y[0]) / (y[1] - y[0])))


@dataclass(frozen=True, eq=False)
class Replicate:
    """One model before fine-tuning, and all that was made of it."""

    start: PretrainCell
    runs: tuple[Tuned, ...]
    bits: float
    """What it can hold: b P."""

    def run(self, tells: str, replay: float = 0.0, rank: int = 0) -> Tuned:
        """The run of this kind."""
        wanted = (tells, replay, rank)
        return next(run for run in self.runs if (run.cell.tells, run.cell.replay, run.cell.rank) == wanted)

    def facts(self, replay: float = 0.0, rank: int = 0) -> Tuned:
        return self.run(FACTS, replay, rank)

    def format(self, replay: float = 0.0) -> Tuned:
        return self.run(FORMAT, replay)

    @property
    def dosed(self) -> Tuned:
        return self.run(DOSES)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Of LoRA, rising."""
        return tuple(sorted({run.cell.rank for run in self.runs} - {0}))

    @property
    def replays(self) -> tuple[float, ...]:
        """Shares of replayed sentences, rising."""
        return tuple(sorted({run.cell.replay for run in self.runs if run.cell.tells == FACTS}))

    def law(self, replay: Floats) -> tuple[Floats, Floats]:
        """Of the best model of so many bits: the share of old facts that it keeps, and that of new ones that it knows."""
        found = forgetting_law(self.start.enlarged(self.facts().cell.new), self.bits, replay, old_entities(self.start))
        return np.asarray(found.old_facts / found.old_facts_before), np.asarray(found.new_known)

    @cached_property
    def format_curve(self) -> tuple[Floats, Floats]:
        """Examples and `format_law` of them, to be inverted."""
        n = np.unique(np.round(np.geomspace(1, MOST_EXAMPLES, 60)))
        return n, self.format_law(n)

    def format_law(self, n: Floats) -> Floats:
        """Expected redundancy of the Bayes code's templates after n sentences in the new format, bits per sentence."""
        return np.asarray(finetuning_law(self.start.reworded, np.round(n).astype(np.int64)).syntax)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All replicates of one size."""

    label: str
    width: int
    parameters: int
    replicates: tuple[Replicate, ...]

    def each(self, statistic: Callable[[Replicate], object]) -> Floats:
        """A number, or several, that a replicate has: shape (replicates, ...)."""
        return np.array([statistic(replicate) for replicate in self.replicates], float)


def old_entities(start: PretrainCell) -> KnownEntities:
    """The old entities with their weights, as laws take them."""
    return start.excerpt().entities


def capacity(start: PretrainCell, known: int) -> float:
    """Bits of the best model that holds as many old facts as are known."""
    world = start.enlarged(1)
    law = forgetting_law(world, BUDGETS, 1.0, old_entities(start)).old_facts_before
    return float(np.exp(np.interp(known, law, np.log(BUDGETS))))


def _share(x: Truths) -> float:
    """The mean; nan of nothing."""
    return float(x.mean()) if len(x) else float("nan")


def _ratio(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")
