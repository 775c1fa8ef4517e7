"""The structure function of what sentences say of their entities: data bits by model bits. Derived in
docs/laws/structure-function.md.

data(C)   N Red(C), beyond the oracle's bits      Red the capacity law of these entities
bend      C* = C(λ = 1/N): where C + data(C) is least, as there the next bit of model saves one bit of data
bayes     Σ_a h_a Σ_e (1 - (1 - π_a p_e)^N) + Σ_a Σ_{c < π_a N} r_a(c)
          of the code that sends no model: every fact that is told, once, and every use of the templates
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlog1py

from twopart.laws.knowledge.capacity import CapacityLaw, capacity_at, capacity_law
from twopart.laws.knowledge.syntax import template_redundancy
from twopart.laws.knowledge.tails import Floats
from twopart.worlds.knowledge.excerpt import Excerpt


@dataclass(frozen=True, eq=False)
class StructureFunction:
    """Of n sentences about the entities of an excerpt. Names are given to both sides; bits are beyond the oracle's."""

    excerpt: Excerpt
    n: int

    def data(self, bits: ArrayLike) -> Floats:
        """Data bits that the best model of so many bits leaves."""
        return self.n * self._law(bits).total

    def missing(self, bits: ArrayLike) -> tuple[Floats, Floats]:
        """What part of syntax and of knowledge it lacks."""
        law, nothing = self._law(bits), self._law(0.0)
        return law.syntax / nothing.syntax, law.value / nothing.value

    @cached_property
    def bend(self) -> CapacityLaw:
        """The law where the shortest code is."""
        return capacity_at(self.excerpt.world, 1 / self.n, self.excerpt.entities)

    @property
    def total(self) -> float:
        """Bits of the shortest code in two parts."""
        return float(self.bend.bits + self.n * self.bend.total)

    @cached_property
    def bayes(self) -> float:
        """Expected bits of the Bayes code, which sends no model."""
        world, weights = self.excerpt.world, self.excerpt.weights
        told = [-np.expm1(xlog1py(self.n, -share * weights)).sum() for share in world.pi]
        facts = float(np.dot(told, [a.entropy() for a in world.attributes]))
        uses, alpha = np.rint(world.pi * self.n).astype(int).tolist(), world.syntax_concentration
        return facts + sum(_taught(a.templates, alpha, c) for a, c in zip(world.attributes, uses, strict=True))

    def _law(self, bits: ArrayLike) -> CapacityLaw:
        return capacity_law(self.excerpt.world, bits, self.excerpt.entities)


@lru_cache(maxsize=1 << 10)
def _taught(templates: int, alpha: float, uses: int) -> float:
    """Σ of `template_redundancy` over uses 0 ... uses - 1: all up to 64, then 32 to an octave, with straight lines between."""
    grid = np.unique(np.r_[np.arange(min(uses, 64)), np.geomspace(64, max(uses, 64), 32 * 14).round()]).astype(np.int64)
    return float(np.interp(np.arange(uses), grid, template_redundancy(templates, alpha, grid)).sum())
