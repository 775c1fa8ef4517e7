"""Entities as a corpus tells them: some with known weights, the rest a Pitman-Yor measure of the mass that is left.

A world's entities are one draw from their law. Whoever holds a corpus of that world with its probabilities knows the weights
p_1..p_K of the K entities that it mentions. Given them, the others, of mass R = 1 - Σ p_k, are R times a measure
PY(d, θ+dK) (Pitman 1996, corollary 20), so every expectation under the law becomes a sum over the known and R times an
expectation over the unmet. This class has the face of `PitmanYor` as far as laws need it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from twopart._arguments import Floats, counts, like, shares
from twopart._checks import check, check_real
from twopart.worlds.knowledge.equal import EqualFrequencies
from twopart.worlds.knowledge.pitman_yor import PitmanYor
from twopart.worlds.knowledge.syntax_knowledge import Corpus

CELLS = 1 << 22  # entities times arguments worked on together


@dataclass(frozen=True, eq=False)
class KnownEntities:
    """The entities of one world, of which K are known with their probabilities; expectations are over the unmet ones."""

    weights: Floats
    """p_1..p_K, each in (0, 1], with a sum of at most 1; kept in falling order."""
    law: PitmanYor
    """What the whole measure was drawn from."""

    def __post_init__(self) -> None:
        weights = np.sort(np.asarray(self.weights, np.float64).ravel())[::-1]
        fine = bool(np.all((weights > 0) & (weights <= 1)) and weights.sum() <= 1 + 1e-9)
        check(fine, "weights", self.weights, "probabilities > 0 with a sum of at most 1", "give each entity once")
        object.__setattr__(self, "weights", weights)

    @cached_property
    def rest(self) -> float:
        """R: the mass of the unmet entities; what is left by rounding counts as nothing."""
        rest = 1 - float(self.weights.sum())
        return rest if rest > 1e-12 else 0.0

    @cached_property
    def unmet(self) -> PitmanYor:
        """PY(d, θ+dK): the law of the unmet entities, as shares of `rest`."""
        law = self.law
        return PitmanYor(law.discount, law.concentration + law.discount * len(self.weights))

    def entropy(self) -> float:
        """Expected entropy of a draw, in bits: -Σ p_k log2 p_k + R (E H(unmet) - log2 R)."""
        bits = float(-np.dot(self.weights, np.log2(self.weights)))
        return bits + self.rest * (self.unmet.entropy() - float(np.log2(self.rest))) if self.rest else bits

    def expected_missing_mass(self, n: ArrayLike, thinning: float = 1.0) -> Any:
        """Σ_k p_k (1 - τp_k)^n + R E[(1 - τRp̃)^n]: mass not met in n fresh draws, each looked at with probability τ."""
        check_real("thinning", thinning, 0, 1, "1 looks at every draw", closed="(]")
        size = counts("n", n)
        with np.errstate(divide="ignore"):  # an entity of probability 1 is met for certain
            logs = np.log1p(-thinning * self.weights)
        flat = size.ravel()
        missed = np.array([self.weights @ np.exp(k * logs) for k in flat]) if len(logs) else np.zeros(flat.size)
        missed = np.where(flat > 0, missed, self.weights.sum())
        if self.rest:
            missed = missed + self.rest * self.unmet.expected_missing_mass(flat, thinning=thinning * self.rest)
        return like((n,), missed.reshape(size.shape))

    def mass_below(self, x: ArrayLike) -> Any:
        """Expected mass of the entities with probability below x."""
        share = shares("x", x)
        sums = np.concatenate([[0.0], np.cumsum(self.weights[::-1])])
        below = sums[np.searchsorted(self.weights[::-1], share, side="left")]
        return like((x,), below + (self.rest * self.unmet.mass_below(self._of_rest(share)) if self.rest else 0.0))

    def atoms_above(self, x: ArrayLike) -> Any:
        """Expected number of entities with probability at least x > 0."""
        share = shares("x", x)
        check(bool(np.all(share > 0)), "x", x, "> 0", "infinitely many entities lie above 0")
        above = len(self.weights) - np.searchsorted(self.weights[::-1], share, side="left")
        return like((x,), above + (self.unmet.atoms_above(self._of_rest(share)) if self.rest else 0.0))

    def _of_rest(self, share: Floats) -> Floats:
        """Probabilities as shares of the unmet mass."""
        return np.minimum(share / self.rest, 1.0)


def known_entities(corpus: Corpus) -> KnownEntities | EqualFrequencies:
    """The entities of the corpus's own world, as the corpus tells them; equally frequent ones are known beforehand."""
    law = corpus.world.entities
    if isinstance(law, EqualFrequencies):
        return law
    first = np.unique(corpus.entity, return_index=True)[1]
    return KnownEntities(corpus.probability[first], law)
