"""The capacity law: expected redundancy of the best model of so many bits, by role. Derived in docs/laws/capacity.md.

value   Σ_a π_a h_a mass_below(λ/π_a)          facts rarer than the threshold; ~ C^-(1/d - 1)
syntax  Σ_a π_a r_a(0) 2^(-2 R_a / (m_a - 1))  templates, to the precision that the price affords
bits    Σ_a h_a atoms_above(λ/π_a) + Σ_a R_a   one price λ for all: bits saved per sentence for the last bit stored
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from twopart._checks import check
from twopart.laws.knowledge.allocation import LOWEST, Allocation, Holding
from twopart.laws.knowledge.tails import Entities, Floats, Spread, pieces
from twopart.roles import CodeLengths
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge


@dataclass(frozen=True, eq=False)
class CapacityLaw:
    """The best model of each size; every field has the shape of the budgets, but for `threshold`.

    Names are taken as given: facts and templates count, not which entities there are (docs/laws/capacity.md says why).
    """

    bits: Floats
    """C, the model's budget in bits."""
    price: Floats
    """λ: bits saved per sentence by the last bit stored; 0 if there is more room than anything can use."""
    threshold: Floats
    """λ/π_a: an entity's fact is stored iff its probability is at least this; last axis attributes."""
    facts: Floats
    """Expected number of facts stored."""
    fact_bits: Floats
    """Bits spent on facts."""
    syntax_bits: Floats
    """Bits spent on template probabilities."""
    syntax: Floats
    """Redundancy of templates, bits per sentence."""
    value: Floats
    """Redundancy of values, bits per sentence."""

    @property
    def total(self) -> Floats:
        """Redundancy in bits per sentence."""
        return self.syntax + self.value

    @property
    def redundancy(self) -> CodeLengths:
        """The same by role, as `data_law` gives it; names cost what the oracle pays."""
        return CodeLengths(np.zeros_like(self.value), self.syntax, self.value)

    @property
    def exponent(self) -> Floats:
        """d ln total / d ln C of the exact curve: -λC / total, as the price is the slope."""
        return -self.price * (self.fact_bits + self.syntax_bits) / self.total

    @property
    def value_exponent(self) -> Floats:
        """d ln value / d ln (bits spent on facts): -λ fact_bits / value."""
        return -self.price * self.fact_bits / self.value


def capacity_law(world: SyntaxKnowledge, bits: ArrayLike, entities: Entities | None = None) -> CapacityLaw:
    """Expected redundancy of the best model of `bits` bits about the truth; fields have the shape of `bits`.

    The model knows the truth and chooses what to keep of it: the limit of the joint law for endless data. `entities` is what
    the entities' weights are drawn from, by default `world.entities`; `known_entities(corpus)` for the corpus's own world.
    Raises `InputError` unless every budget is a number >= 0 (inf is one).
    """
    budget = budgets(bits)
    market = _market(world, entities)
    flat = budget.ravel()
    return _law(world, market.with_bits(np.zeros(flat.size, np.int64), flat), budget)


def capacity_at(world: SyntaxKnowledge, price: ArrayLike, entities: Entities | None = None) -> CapacityLaw:
    """The same curve by its parameter: what the best model holds at each price λ > 0; nothing has to be solved."""
    prices = np.asarray(price, float)
    check(bool(np.all(prices > 0)), "price", price, "> 0", "it is bits saved per sentence for a bit stored")
    market = _market(world, entities)
    flat = np.clip(prices.ravel(), LOWEST, None)
    held = market.at(np.zeros(flat.size, np.int64), flat)
    return _law(world, held, held.bits.reshape(prices.shape))


def capacity_needed(world: SyntaxKnowledge, redundancy: ArrayLike, entities: Entities | None = None) -> CapacityLaw:
    """The inverse: the smallest model with this total redundancy, in bits per sentence > 0; its size is `.bits`.

    A redundancy that no model exceeds needs 0 bits.
    """
    target = np.asarray(redundancy, float)
    check(bool(np.all(target > 0)), "redundancy", redundancy, "> 0", "only an endless model has none")
    market = _market(world, entities)
    held = market.with_redundancy(np.zeros(target.size, np.int64), target.ravel())
    return _law(world, held, held.bits.reshape(target.shape))


@dataclass(frozen=True)
class PowerLaw:
    """constant · x^-exponent."""

    constant: float
    exponent: float

    def __call__(self, x: ArrayLike) -> Floats:
        return np.asarray(self.constant * np.asarray(x, float) ** -self.exponent)


def capacity_asymptote(world: SyntaxKnowledge, entities: Entities | None = None) -> PowerLaw:
    """Leading term of the value redundancy for many bits C: the power law C^-(1/d - 1) with its constant.

    With a tail of #{p_k > x} ~ c x^-d and S = Σ_a h_a π_a^d: C ~ S c λ^-d, value ~ S c d/(1-d) λ^(1-d), hence
    value ~ d/(1-d) (S c)^(1/d) C^-(1/d - 1). Raises `InputError` if the entities have no power tail (d = 0, or finitely many).
    """
    d, c = tail_constant(world.entities if entities is None else entities)
    return PowerLaw(d / (1 - d) * (tail_weight(world, d) * c) ** (1 / d), 1 / d - 1)


def tail_constant(entities: Entities) -> tuple[float, float]:
    """(d, c) of the tail #{p_k > x} ~ c x^-d: for R PY(d, θ), c = R^d / (d B(1-d, θ+d))."""
    spread = [piece for piece in pieces(entities) if isinstance(piece, Spread)]
    remedy = "their redundancy is no power of the bits; take a discount > 0"
    check(bool(spread) and spread[0].law.discount > 0, "entities", entities, "with a power tail", remedy)
    d, theta = spread[0].law.discount, spread[0].law.concentration
    log_beta = gammaln(1 - d) + gammaln(theta + d) - gammaln(theta + 1)
    return d, float(spread[0].mass ** d / d * np.exp(-log_beta))


def tail_weight(world: SyntaxKnowledge, d: float) -> float:
    """S = Σ_a h_a π_a^d: how the attributes share a tail."""
    return float(sum(a.entropy() * p**d for a, p in zip(world.attributes, world.pi, strict=True)))


def budgets(bits: ArrayLike) -> Floats:
    """Numbers of bits as float64."""
    array = np.asarray(bits, float)
    check(bool(np.all(array >= 0)), "bits", bits, ">= 0", "it is the size of the model in bits")
    return array


def _market(world: SyntaxKnowledge, entities: Entities | None) -> Allocation:
    law = world.entities if entities is None else entities
    return Allocation(world, law, np.array([np.inf]), np.zeros((1, len(world.attributes))))


def _law(world: SyntaxKnowledge, held: Holding, bits: Floats) -> CapacityLaw:
    parts = (held.facts.sum(-1), held.fact_bits, held.syntax_bits, held.syntax, held.value)
    threshold = (held.price[:, None] / world.pi).reshape((*bits.shape, len(world.pi)))
    return CapacityLaw(bits, held.price.reshape(bits.shape), threshold, *(part.reshape(bits.shape) for part in parts))
