"""What is said of entities, in two parts: first what the model holds of the world, then the corpus given that.

Both sides know the world's law (π, the base distributions, α and the numbers of templates and values) and the directory: which
entities there are, how frequent each is, and of which each sentence speaks. What they share costs nothing, and names are not
coded. The truth that is left is facts and template probabilities, as in the capacity law.

    model   how many facts and how fine (18 bits or so); the cells of ψ_a; the values of the most frequent facts, in the order
            of their frequency π_a p_e, so that a fact takes h_a bits and needs no address
    data    all attributes, by π; the templates of each attribute, by what the model holds of ψ_a; the values of facts that the
            model does not hold, by their base distributions
So the data take the oracle's bits and N times the capacity law's redundancy, in expectation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from twopart._checks import check_integer
from twopart.codes.ideal.sticks import Floats, broken, nearest
from twopart.roles import CodeLengths
from twopart.worlds.knowledge import Corpus, Excerpt

Ints = NDArray[np.int64]

FINEST = 31
_models: Any = constriction.stream.model
_queue: Any = constriction.stream.queue


@dataclass(frozen=True, eq=False)
class IdealModel:
    """A model of the entities of an excerpt. `sent` makes the one that holds so much, `received` reads it from its bytes."""

    excerpt: Excerpt
    psi: tuple[Floats, ...]
    """Template probabilities of each attribute, as far as they are held."""
    values: Ints
    """The values of the facts that are held, most frequent first, (facts,)."""
    code: bytes
    """The model itself."""

    @staticmethod
    def sent(excerpt: Excerpt, facts: int, fineness: int) -> IdealModel:
        """Holds the `facts` most frequent facts, 0 to all, and sticks broken at one of 2^(`fineness`/2) places, 0 to 31."""
        order = frequency_order(excerpt)
        check_integer("facts", facts, 0, len(order), "there are no more than entities times attributes")
        check_integer("fineness", fineness, 0, FINEST, "20 is a precision of 1/1000")
        world, encoder = excerpt.world, _queue.RangeEncoder()
        encoder.encode(_one(facts), _models.Uniform(len(order) + 1))
        encoder.encode(_one(fineness), _models.Uniform(FINEST + 1))
        psi = []
        for true in world.template_probabilities:
            within = nearest(true)

            def choose(mass: Floats, edges: Floats, within: Any = within) -> int:
                cell = within(mass, edges)
                if len(mass) > 1:
                    encoder.encode(_one(cell), _models.Categorical(mass, perfect=False))
                return int(cell)

            psi.append(broken(len(true), world.syntax_concentration, 2 ** (fineness / 2), choose))
        rank, attribute = np.divmod(order[:facts], len(world.attributes))
        values = world.value(excerpt.entity[rank], attribute)
        for index, _ in enumerate(world.attributes):
            encoder.encode(values[attribute == index], _base(excerpt, index))
        return IdealModel(excerpt, tuple(psi), values.astype(np.int64), _bytes(encoder))

    @staticmethod
    def received(excerpt: Excerpt, code: bytes) -> IdealModel:
        """The model whose bytes these are."""
        world, decoder, order = excerpt.world, _decoder(code), frequency_order(excerpt)
        facts = int(decoder.decode(_models.Uniform(len(order) + 1)))
        fineness = int(decoder.decode(_models.Uniform(FINEST + 1)))

        def choose(mass: Floats, edges: Floats) -> int:
            return int(decoder.decode(_models.Categorical(mass, perfect=False))) if len(mass) > 1 else 0

        alpha = world.syntax_concentration
        psi = tuple(broken(a.templates, alpha, 2 ** (fineness / 2), choose) for a in world.attributes)
        attribute = order[:facts] % len(world.attributes)
        values = np.zeros(facts, np.int64)
        for index, _ in enumerate(world.attributes):
            mine = attribute == index
            values[mine] = decoder.decode(_base(excerpt, index), int(mine.sum()))
        return IdealModel(excerpt, psi, values, code)

    def encode(self, corpus: Corpus) -> bytes:
        """The corpus given the model and the entities."""
        encoder, held = _queue.RangeEncoder(), fact_is_held(self, corpus)
        encoder.encode(corpus.attribute.astype(np.int32), self._attributes)
        for index, psi in enumerate(self.psi):
            mine = corpus.attribute == index
            encoder.encode(corpus.template[mine].astype(np.int32), _categorical(psi))
            encoder.encode(corpus.value[mine & ~held], _base(self.excerpt, index))
        return _bytes(encoder)

    def decode(self, code: bytes, entity: Ints) -> Corpus:
        """The corpus about these entities."""
        decoder, ranks = _decoder(code), _ranks(self.excerpt, entity)
        attribute = decoder.decode(self._attributes, len(entity))
        template, value = np.zeros_like(attribute), self.held[ranks, attribute]
        for index, psi in enumerate(self.psi):
            mine = attribute == index
            template[mine] = decoder.decode(_categorical(psi), int(mine.sum()))
            asked = mine & (value < 0)
            value[asked] = decoder.decode(_base(self.excerpt, index), int(asked.sum()))
        return Corpus(self.excerpt.world, entity, attribute, template, value, self.excerpt.weights[ranks])

    def lengths(self, corpus: Corpus) -> CodeLengths:
        """What the probabilities say that each sentence takes; attributes count as syntax, and names cost nothing."""
        world, syntax, value = self.excerpt.world, np.empty(len(corpus)), np.empty(len(corpus))
        for index, psi in enumerate(self.psi):
            mine, costs = corpus.attribute == index, -np.log2(world.attributes[index].value_probabilities())
            syntax[mine], value[mine] = (
                -np.log2(world.pi[index] * psi[corpus.template[mine]]),
                costs[corpus.value[mine]],
            )
        return CodeLengths(np.zeros(len(corpus)), syntax, np.where(fact_is_held(self, corpus), 0.0, value))

    @cached_property
    def held(self) -> Ints:
        """The value of each fact that is held, else -1, (entities, attributes)."""
        table = np.full(self.excerpt.size * len(self.psi), -1)
        table[frequency_order(self.excerpt)[: len(self.values)]] = self.values
        return table.reshape(self.excerpt.size, -1)

    @property
    def _attributes(self) -> Any:
        return _categorical(self.excerpt.world.pi)


def fact_is_held(model: IdealModel, corpus: Corpus) -> NDArray[np.bool_]:
    """Of each sentence, whether the model knows its value."""
    return np.asarray(model.held[_ranks(model.excerpt, corpus.entity), corpus.attribute] >= 0)


def frequency_order(excerpt: Excerpt) -> Ints:
    """All facts, as rank of the entity times attributes plus attribute, by falling π_a p_e."""
    return np.argsort(-np.outer(excerpt.weights, excerpt.world.pi).ravel(), kind="stable")


def _ranks(excerpt: Excerpt, entity: Ints) -> Ints:
    order = np.argsort(excerpt.entity)
    return order[np.searchsorted(excerpt.entity, entity, sorter=order)]


def _base(excerpt: Excerpt, index: int) -> Any:
    attribute = excerpt.world.attributes[index]
    return _categorical(attribute.value_probabilities()) if attribute.base else _uniform(attribute.values)


def _categorical(p: Floats) -> Any:
    return _models.Categorical(np.asarray(p, np.float64), perfect=False) if len(p) > 1 else _uniform(1)


def _uniform(size: int) -> Any:
    """constriction's own wants at least two symbols; of one there is nothing to say."""
    return _models.Uniform(size) if size > 1 else _models.Categorical(np.array([1.0, 1e-9]), perfect=False)


def _one(symbol: int) -> NDArray[np.int32]:
    return np.array([symbol], np.int32)


def _bytes(encoder: Any) -> bytes:
    return bytes(encoder.get_compressed().astype("<u4").tobytes())


def _decoder(code: bytes) -> Any:
    return _queue.RangeDecoder(np.frombuffer(code, "<u4").astype(np.uint32))
