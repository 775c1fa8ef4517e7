"""The parts of the Bayes code, each with what it has learned so far: entities with their facts, and templates.

Knowledge    names and facts: which entities were seen, how often, and with which attributes
Syntax       templates: how often each was used
Seen         the table behind Knowledge
fact_bits    what a fact costs that is told for the first time
in_parts     a corpus coded part by part
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._numba import inlined, kernel
from twopart.roles import CodeLengths
from twopart.worlds.knowledge.equal import EqualFrequencies
from twopart.worlds.knowledge.pitman_yor import PitmanYor
from twopart.worlds.knowledge.syntax_knowledge import Corpus

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 1 << 15  # sentences worked on at a time, so that all intermediate arrays stay in the cache


def in_parts(corpus: Corpus, encode: Callable[[Corpus], CodeLengths]) -> CodeLengths:
    """What `encode` says of each part, one after the other."""
    nothing = CodeLengths(np.empty(0), np.empty(0), np.empty(0))
    parts = [encode(corpus[start : start + CHUNK]) for start in range(0, len(corpus), CHUNK)]
    return CodeLengths.concatenate(parts or [nothing])


def fact_bits(part: Corpus, new_fact: NDArray[np.bool_]) -> Floats:
    """-log2 base_a(v) where the fact is told for the first time, else 0."""
    bits = np.zeros(len(part))
    for index, attribute in enumerate(part.world.attributes):
        told = np.flatnonzero(new_fact & (part.attribute == index))
        if attribute.base is None:
            bits[told] = attribute.entropy()
        else:
            bits[told] = -np.log2(attribute.value_probabilities())[part.value[told]]
    return bits


class Knowledge:
    """What is learned of the entities of one law, and of their facts."""

    def __init__(self, law: PitmanYor | EqualFrequencies, names: int, attributes: int) -> None:
        self.sentences = 0
        self._law, self._names, self._seen = law, names, Seen(attributes)

    @property
    def distinct(self) -> int:
        return self._seen.distinct

    def read(self, entity: Ints, attribute: NDArray[np.int16]) -> tuple[Floats, NDArray[np.bool_]]:
        """Bits of each sentence's entity with its name, given those before, and whether its fact was not told before."""
        count, distinct, new_fact = self._seen.count(entity, attribute)
        n = self.sentences + np.arange(len(entity))
        self.sentences += len(entity)
        return self._name_bits(count, distinct, n), new_fact

    def _name_bits(self, count: Ints, distinct: Ints, n: Ints) -> Floats:
        known, new = np.flatnonzero(count), np.flatnonzero(count == 0)
        probability = np.empty(len(count))
        probability[known] = self._law.predictive(count[known], n[known], distinct[known])
        names_left = np.maximum(self._names - distinct[new], 1)
        probability[new] = self._law.new_probability(n[new], distinct[new]) / names_left
        return np.asarray(-np.log2(probability))


class Syntax:
    """What is learned of each attribute's templates: Dirichlet(α, ..., α), `sizes` templates each."""

    def __init__(self, sizes: Sequence[int], alpha: float) -> None:
        self._alpha, self._mass = alpha, np.array(sizes) * alpha
        self._attribute_counts = np.zeros(len(sizes))
        self._template_counts = np.zeros((len(sizes), max(sizes)))

    def odds(self, attribute: NDArray[np.int16], template: NDArray[np.int16]) -> Floats:
        """(c_{a,t} + α)/(c_a + m_a α) of each sentence's template, given those before."""
        odds = np.empty(len(attribute))
        counts = self._attribute_counts, self._template_counts
        _template_odds(attribute, template, self._alpha, self._mass, *counts, odds)
        return odds


class Seen:
    """How often each entity was seen, and with which attributes: an open-addressing hash table that doubles when half full."""

    def __init__(self, attributes: int) -> None:
        self.distinct = 0
        self._words = -(-attributes // 64)  # one bit per attribute, 64 in a word
        self._allocate(1 << 12)

    def _allocate(self, slots: int) -> None:
        self._ids = np.zeros(slots, np.int64)
        self._counts = np.zeros(slots, np.int64)  # 0 marks a free slot: an entity in the table was seen at least once
        self._facts = np.zeros((slots, self._words), np.uint64)

    def count(self, entity: Ints, attribute: NDArray[np.int16]) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """For each sentence, before it: sightings of its entity, distinct entities; and whether its fact is new."""
        n = len(entity)
        count, distinct, new_fact = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
        while 2 * (self.distinct + n) > len(self._counts):
            self._grow()
        table = self._ids, self._counts, self._facts
        self.distinct = _look_up(entity, attribute, *table, self.distinct, count, distinct, new_fact)
        return count, distinct, new_fact

    def _grow(self) -> None:
        old = self._ids, self._counts, self._facts
        self._allocate(2 * len(self._counts))
        _move(*old, self._ids, self._counts, self._facts)


@inlined
def _slot(entity: int, ids: Ints, counts: Ints) -> Any:
    """Where `entity` is, or the free slot where it would go: linear probing from a multiplicative hash."""
    mask = np.uint64(len(ids) - 1)
    mixed = np.uint64(entity) * np.uint64(0x9E3779B97F4A7C15)
    slot = (mixed ^ (mixed >> np.uint64(32))) & mask
    while counts[slot] > 0 and ids[slot] != entity:
        slot = (slot + np.uint64(1)) & mask
    return slot


@kernel
def _look_up(
    entity: Ints,
    attribute: Any,
    ids: Ints,
    counts: Ints,
    facts: Any,
    known: int,
    count: Ints,
    distinct: Ints,
    new_fact: Any,
) -> int:
    for i in range(len(entity)):
        slot = _slot(entity[i], ids, counts)
        count[i], distinct[i] = counts[slot], known
        if counts[slot] == 0:
            ids[slot] = entity[i]
            known += 1
        counts[slot] += 1
        word, bit = attribute[i] >> 6, np.uint64(1) << np.uint64(attribute[i] & 63)
        new_fact[i] = facts[slot, word] & bit == 0
        facts[slot, word] |= bit
    return known


@kernel
def _move(old_ids: Ints, old_counts: Ints, old_facts: Any, ids: Ints, counts: Ints, facts: Any) -> None:
    for i in range(len(old_ids)):
        if old_counts[i] > 0:
            slot = _slot(old_ids[i], ids, counts)
            ids[slot], counts[slot] = old_ids[i], old_counts[i]
            facts[slot] = old_facts[i]


@kernel
def _template_odds(
    attribute: Any,
    template: Any,
    alpha: float,
    mass: Floats,
    attribute_counts: Floats,
    template_counts: Floats,
    odds: Floats,
) -> None:
    """(c_{a,t} + α)/(c_a + m_a α), and count on."""
    for i in range(len(attribute)):
        a, t = attribute[i], template[i]
        odds[i] = (template_counts[a, t] + alpha) / (attribute_counts[a] + mass[a])
        template_counts[a, t] += 1
        attribute_counts[a] += 1
