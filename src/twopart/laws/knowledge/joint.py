"""The joint law: what is left to pay after n sentences by the best model of so many bits. Derived in docs/laws/joint.md.

A fact counts if it was told and fits. With T = `exposures`, q = π_a p and one price λ for all,
value   Σ_a π_a h_a ( mass_below(λ/π_a) + E[(1-q)^(n/T); q >= λ] )
syntax  Σ_a π_a ( r_a(n) + (r_a(0) - r_a(n)) 2^(-2 R_a / (m_a - 1)) )       what the data do not tell, and what is not kept
bits    Σ_a h_a E #{told, q >= λ} + Σ_a R_a
The data law is its limit for many bits, the capacity law for many sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import psi

from twopart._checks import check, check_real
from twopart.laws.knowledge.allocation import LOWEST, Allocation, Holding, Rows
from twopart.laws.knowledge.capacity import budgets
from twopart.laws.knowledge.tails import Atoms, Entities, Floats, Spread, pieces
from twopart.laws.knowledge.untaught import untaught
from twopart.roles import CodeLengths
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

CELLS = 1 << 22  # table entries worked on together


@dataclass(frozen=True, eq=False)
class JointLaw:
    """The best model of each size after each number of sentences; fields have the common shape of both, unless they say so.

    Names are taken as given, as in the capacity law.
    """

    n: Floats
    """Sentences learned from."""
    bits: Floats
    """C, the model's budget in bits."""
    price: Floats
    """λ: bits saved per sentence by the last bit stored; 0 if there is more room than anything can use."""
    threshold: Floats
    """λ/π_a: an entity's fact is stored iff it was told and its probability is at least this; last axis attributes."""
    unknown: Floats
    """Probability that a sentence is of attribute a and its fact is not known; last axis attributes."""
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
    oracle: float
    """Entropy of a sentence, bits: what the oracle pays."""

    @property
    def total(self) -> Floats:
        """Redundancy in bits per sentence."""
        return self.syntax + self.value

    @property
    def loss(self) -> Floats:
        """Bits per sentence: the oracle's and the redundancy."""
        return self.oracle + self.total

    @property
    def redundancy(self) -> CodeLengths:
        """The redundancy by role; names cost what the oracle pays."""
        return CodeLengths(np.zeros_like(self.value), self.syntax, self.value)

    @property
    def exponent(self) -> Floats:
        """∂ ln total / ∂ ln C at fixed n: -λC / total, as the price is the slope."""
        return -self.price * (self.fact_bits + self.syntax_bits) / self.total


def joint_law(
    world: SyntaxKnowledge,
    n: ArrayLike,
    bits: ArrayLike,
    entities: Entities | None = None,
    exposures: float = 1.0,
) -> JointLaw:
    """Expected redundancy after `n` sentences of the best model of `bits` bits; `n` and `bits` broadcast, inf is allowed.

    `n` may be any real number >= 0. `exposures` is T > 0, how often a learner must be told a fact: facts are learned as from
    n/T sentences, templates as from n. `entities` as in `capacity_law`. Raises `InputError` on numbers out of range.
    """
    sizes = np.asarray(n, float)
    check(bool(np.all(sizes >= 0)), "n", n, ">= 0", "it is a number of sentences")
    needed = check_real("exposures", exposures, 0, np.inf, "1 learns a fact at once", closed="()")
    law = world.entities if entities is None else entities
    sizes, room = np.broadcast_arrays(sizes, budgets(bits))
    rows, row = np.unique(sizes.ravel(), return_inverse=True) if sizes.size else (np.zeros(1), np.zeros(0, np.int64))
    held = _in_blocks(world, law, rows, needed, row.ravel(), room.ravel())
    return _law(world, law, held, sizes, room)


def exposures_at(redundancy: float, world: SyntaxKnowledge, n: float, entities: Entities | None = None) -> float:
    """T with which a model with room for everything pays so many bits per sentence for values; nan if with none."""
    told = np.geomspace(n / 1e5, n, 200)
    return n / _reached(told, joint_law(world, told, np.inf, entities).value, redundancy)


def bits_at(
    redundancy: float, world: SyntaxKnowledge, n: float, entities: Entities | None = None, exposures: float = 1.0
) -> float:
    """C with which a model pays so many bits per sentence for values, given T; nan if with none, or if T is nan."""
    if np.isnan(exposures):
        return float("nan")
    bits = np.geomspace(1.0, 1e9, 200)
    return _reached(bits, joint_law(world, n, bits, entities, exposures).value, redundancy)


def _reached(x: Floats, falling: Floats, level: float) -> float:
    """Where a falling curve has the level, between two points as by interpolation in logs; nan if nowhere."""
    if not falling[-1] <= level <= falling[0]:
        return float("nan")
    return float(np.exp(np.interp(-np.log(level), -np.log(np.maximum(falling, 1e-300)), np.log(x))))


def sentence_entropy(world: SyntaxKnowledge, entities: Entities | None = None) -> float:
    """Expected bits of a sentence under the oracle code: entity, attribute, template; the value is then known."""
    law = world.entities if entities is None else entities
    alpha = world.syntax_concentration
    templates = [(psi(alpha * a.templates + 1) - psi(alpha + 1)) / np.log(2) for a in world.attributes]
    return float(law.entropy() - np.dot(world.pi, np.log2(world.pi)) + np.dot(world.pi, templates))


def _in_blocks(world: SyntaxKnowledge, law: Entities, n: Floats, exposures: float, row: Rows, bits: Floats) -> Holding:
    """The holdings of all points, the rows taken in blocks so that tables stay small."""
    atoms = sum(len(piece.weights) for piece in pieces(law) if isinstance(piece, Atoms))
    size = max(1, CELLS // (atoms + 4096))
    paid = untaught(world, n)
    parts, order = [], []
    for start in range(0, len(n), size):
        some = n[start : start + size] / exposures
        points = np.flatnonzero((row >= start) & (row < start + size))
        market = Allocation(world, law, some, paid[start : start + size], lowest_price(some, law))
        parts.append(market.with_bits(row[points] - start, bits[points]))
        order.append(points)
    return Holding.gathered(parts, np.concatenate(order))


def lowest_price(n: Floats, law: Entities) -> float:
    """A price below which 1e-12 of the facts are left that n sentences tell: of those rarer than λ, (nλ)^(1-d) or less."""
    d = max([piece.law.discount for piece in pieces(law) if isinstance(piece, Spread)], default=0.0)
    return float(max(LOWEST, 1e-12 ** (1 / (1 - d)) / max(n.max(), 1.0)))


def _law(world: SyntaxKnowledge, law: Entities, held: Holding, n: Floats, bits: Floats) -> JointLaw:
    def shaped(part: Floats) -> Floats:
        return np.asarray(part.reshape((*n.shape, *part.shape[1:])))

    return JointLaw(
        n=np.array(n),
        bits=np.array(bits),
        price=shaped(held.price),
        threshold=shaped(held.price[:, None] / world.pi),
        unknown=shaped(held.unknown),
        facts=shaped(held.facts.sum(-1)),
        fact_bits=shaped(held.fact_bits),
        syntax_bits=shaped(held.syntax_bits),
        syntax=shaped(held.syntax),
        value=shaped(held.value),
        oracle=sentence_entropy(world, law),
    )
