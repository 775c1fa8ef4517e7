"""The Bayes code: the mixture over all truths φ, hence the best possible learner of the world's law.

Sentence n+1 costs, after n sentences with K entities of which this one was seen n_k times,
    name     -log2 (n_k - d)/(n + θ)                        a known entity
             -log2 (θ + dK)/(n + θ) + log2(names - K)       a new one, and then its name
    syntax   -log2 π_a - log2 (c_{a,t} + α)/(c_a + m_a α)
    value    0 if (e, a) was seen, else -log2 base_a(v)
Its excess over the oracle code, the redundancy, is the information about φ that the data have revealed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check
from twopart._numba import inlined, kernel
from twopart.roles import CodeLengths
from twopart.worlds.corpus import Corpus
from twopart.worlds.syntax_knowledge import SyntaxKnowledge

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 1 << 15  # sentences worked on at a time, so that all intermediate arrays stay in the cache


def bayes_code(corpus: Corpus) -> CodeLengths:
    """Bits of each sentence of `corpus` given those before it; every field has shape (sentences,).

    For a corpus larger than memory, feed a `BayesCoder` part by part.
    """
    return BayesCoder(corpus.world).encode(corpus)


class BayesCoder:
    """The Bayes code with its state, so that a corpus can come in parts. Memory grows with the distinct entities only."""

    def __init__(self, world: SyntaxKnowledge) -> None:
        self.world = world
        self.sentences = 0
        """How many sentences were coded so far."""
        self._seen = _Seen(len(world.attributes))
        sizes = np.array([attribute.templates for attribute in world.attributes])
        self._template_counts = np.zeros((len(sizes), sizes.max()))
        self._attribute_counts = np.zeros(len(sizes))
        self._dirichlet_mass = sizes * world.syntax_concentration

    @property
    def distinct(self) -> int:
        """How many entities the sentences so far mention."""
        return self._seen.distinct

    def encode(self, corpus: Corpus) -> CodeLengths:
        """Bits of the next sentences, given all before them."""
        same = corpus.world == self.world
        check(same, "corpus", corpus.world, "a sample of the coder's world", "make a new `BayesCoder` for it")
        starts = range(0, len(corpus), CHUNK)
        return CodeLengths.concatenate([self._encode(corpus[i : i + CHUNK]) for i in starts] or [_NOTHING])

    def _encode(self, part: Corpus) -> CodeLengths:
        count, distinct, new_fact = self._seen.count(part.entity, part.attribute)
        n = self.sentences + np.arange(len(part))
        self.sentences += len(part)
        return CodeLengths(self._name(count, distinct, n), self._syntax(part), _fact_bits(part, new_fact))

    def _name(self, count: Ints, distinct: Ints, n: Ints) -> Floats:
        law, known, new = self.world.entities, np.flatnonzero(count), np.flatnonzero(count == 0)
        probability = np.empty(len(count))
        probability[known] = law.predictive(count[known], n[known], distinct[known])
        names_left = np.maximum(self.world.names - distinct[new], 1)
        probability[new] = law.new_probability(n[new], distinct[new]) / names_left
        return np.asarray(-np.log2(probability))

    def _syntax(self, part: Corpus) -> Floats:
        odds = np.empty(len(part))
        _template_odds(
            part.attribute,
            part.template,
            self.world.syntax_concentration,
            self._dirichlet_mass,
            self._attribute_counts,
            self._template_counts,
            odds,
        )
        return np.asarray(-np.log2(self.world.pi[part.attribute] * odds))


_NOTHING = CodeLengths(np.empty(0), np.empty(0), np.empty(0))


def _fact_bits(part: Corpus, new_fact: NDArray[np.bool_]) -> Floats:
    """-log2 base_a(v) where the fact is told for the first time, else 0."""
    bits = np.zeros(len(part))
    for index, attribute in enumerate(part.world.attributes):
        told = np.flatnonzero(new_fact & (part.attribute == index))
        if attribute.base is None:
            bits[told] = attribute.entropy()
        else:
            bits[told] = -np.log2(attribute.value_probabilities())[part.value[told]]
    return bits


class _Seen:
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
