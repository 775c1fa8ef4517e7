"""The runs side by side, and what the law predicts of their answers.

Two numbers go into the prediction, and both come from the redundancy of values on held-out sentences at the end of the run, not
from answers: T from the widest transformer, taken to have room for everything, and the bits per parameter from the narrowest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from twopart.laws import HallucinationLaw, MissingMass, good_turing, hallucination_law, joint_law
from twopart.studies.hallucination.answers import Answers, Floats
from twopart.studies.hallucination.cells import told_counts
from twopart.worlds import EqualFrequencies, KnownEntities, SyntaxKnowledge, known_entities

MOST_EXPOSURES, MOST_BITS = 1e5, 1e9
STEPS = 200  # of the curves that are inverted


@dataclass(frozen=True, eq=False)
class World:
    """One replicate's world as its corpus tells it, and what all sizes measured there."""

    world: SyntaxKnowledge
    moments: tuple[int, ...]
    """Sentences seen when the models were asked."""
    parameters: tuple[int, ...]
    """Of the transformers, rising."""
    tables: tuple[pl.DataFrame, ...]
    """One table of `interrogate` per size."""

    @cached_property
    def entities(self) -> KnownEntities | EqualFrequencies:
        """The entities that the sentences mention have known weights."""
        return known_entities(self.world.sample(self.moments[-1]))

    def answers(self, size: int, moment: int) -> Answers:
        """Of size number `size` at moment number `moment`."""
        return Answers(self.tables[size].filter(sentences=self.moments[moment]))

    def each(self, statistic: Callable[[Answers], float]) -> Floats:
        """A number that answers have, by size and moment, shape (sizes, moments)."""
        sizes, moments = range(len(self.tables)), range(len(self.moments))
        return np.array([[statistic(self.answers(s, m)) for m in moments] for s in sizes])

    @cached_property
    def redundancy(self) -> Floats:
        """Value bits per held-out sentence, shape (sizes, moments)."""
        return self.each(lambda answers: float(answers.facts["redundancy"][0]))

    @cached_property
    def exposures(self) -> float:
        """T: the law at n/T has the redundancy of the widest transformer at the end; nan if it has at no n."""
        n = self.moments[-1]
        told = np.geomspace(n / MOST_EXPOSURES, n, STEPS)
        law = joint_law(self.world, told, np.inf, self.entities).value
        return n / _inverse(told, law, float(self.redundancy[-1, -1]))

    @cached_property
    def bits_per_parameter(self) -> float:
        """That with which the law has the redundancy of the narrowest at the end, given T; nan if no number gives it."""
        if not np.isfinite(self.exposures):
            return float("nan")
        bits = np.geomspace(1.0, MOST_BITS, STEPS)
        law = joint_law(self.world, self.moments[-1], bits, self.entities, self.exposures).value
        return _inverse(bits, law, float(self.redundancy[0, -1])) / self.parameters[0]

    @property
    def predictable(self) -> bool:
        """Whether the redundancies gave both numbers."""
        return bool(np.isfinite(self.exposures * self.bits_per_parameter))

    def law(self, parameters: float | Floats, moment: int) -> HallucinationLaw:
        """What is predicted of transformers of so many parameters."""
        bits = self.bits_per_parameter * np.asarray(parameters, float)
        return hallucination_law(self.world, self.moments[moment], bits, self.entities, self.exposures)

    @cached_property
    def laws(self) -> tuple[HallucinationLaw, ...]:
        """The same for all sizes, one law per moment."""
        return tuple(self.law(np.array(self.parameters, float), m) for m in range(len(self.moments)))

    def missing(self, moment: int) -> MissingMass:
        """Good and Turing's estimate of the probability that a question asks for a fact never told."""
        return good_turing(told_counts(self.world.sample(self.moments[moment]))["told"].to_numpy())

    @cached_property
    def chance(self) -> tuple[float, float]:
        """Probability that a value of the base distribution is right, drawn and best: Σ base² and max base, all questions."""
        bases = [a.value_probabilities() for a in self.world.attributes]
        drawn, best = [base @ base for base in bases], [base.max() for base in bases]
        return float(self.world.pi @ drawn), float(self.world.pi @ best)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All replicates; sizes and moments are the same in all."""

    labels: tuple[str, ...]
    """What the figures call the sizes, rising."""
    worlds: tuple[World, ...]
    """One per replicate."""

    @property
    def moments(self) -> tuple[int, ...]:
        return self.worlds[0].moments

    @property
    def parameters(self) -> tuple[int, ...]:
        return self.worlds[0].parameters

    def each(self, statistic: Callable[[Answers], float]) -> Floats:
        """A number that answers have, shape (replicates, sizes, moments)."""
        return np.array([world.each(statistic) for world in self.worlds])

    @cached_property
    def wrong(self) -> dict[str, Floats]:
        """Share of wrong answers by way of answering, shape (replicates, sizes, moments)."""
        return {
            "sampled": self.each(lambda answers: answers.wrong_sampled),
            "best": self.each(lambda answers: answers.wrong_best),
        }

    @cached_property
    def predicted(self) -> dict[str, Floats]:
        """The same as predicted; nan where a world's redundancies gave no T or no bits per parameter."""
        shape = (len(self.worlds), len(self.labels), len(self.moments))
        out = {way: np.full(shape, np.nan) for way in ("sampled", "best")}
        for r, world in enumerate(self.worlds):
            if world.predictable:
                out["sampled"][r] = np.stack([law.wrong_sampled for law in world.laws], -1)
                out["best"][r] = np.stack([law.wrong_best for law in world.laws], -1)
        return out

    @cached_property
    def bound(self) -> Floats:
        """Nobody can be wrong less often: the missing mass, by Good and Turing, times the probability that even the best guess
        about a fact never told is wrong; shape (replicates, moments)."""
        return np.array(
            [[w.missing(m).estimate * (1 - w.chance[1]) for m in range(len(self.moments))] for w in self.worlds]
        )


def _inverse(x: Floats, falling: Floats, level: float) -> float:
    """Where a falling curve has the level, between two points as by interpolation in logs; nan if nowhere."""
    if not falling[-1] <= level <= falling[0]:
        return float("nan")
    return float(np.exp(np.interp(-np.log(level), -np.log(np.maximum(falling, 1e-300)), np.log(x))))
