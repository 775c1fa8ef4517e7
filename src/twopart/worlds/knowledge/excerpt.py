"""The most frequent entities of a world as a finite world of their own, and how to exercise the rare ones among them.

Facts at the far end of a power law come up so seldom that a learner who draws sentences as they come needs 1/p of them to
meet each once. In an excerpt everything can be met. A *tempered* sample goes further (importance sampling): it draws an entity
with probability q_k ∝ p_k^temper instead of p_k, and gives each sentence the weight p_k/q_k, so that a weighted mean has
the expectation that it has in a natural sample. A temper of 1/2 makes the weights of rare and frequent entities differ by the
root of what their frequencies differ by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from twopart._arguments import Floats, shard
from twopart._checks import check, check_integer, check_real
from twopart._philox import hash_uniform, philox_key
from twopart.worlds.knowledge._tree import LEAST
from twopart.worlds.knowledge.known import KnownEntities
from twopart.worlds.knowledge.pitman_yor import PitmanYor, RandomMeasure
from twopart.worlds.knowledge.syntax_knowledge import Corpus, SyntaxKnowledge

FINER = 4  # by which the bound is lowered, until enough entities lie above it


@dataclass(frozen=True)
class Excerpt:
    """The `size` most frequent entities of `world`; others are never mentioned."""

    world: SyntaxKnowledge
    """A world with Pitman-Yor entities: names, facts and templates are its own."""
    size: int
    """K >= 1."""

    def __post_init__(self) -> None:
        check_integer("size", self.size, 1, 2**24, "a few thousand suit small models")
        pitman_yor = isinstance(self.world.entities, PitmanYor)
        check(pitman_yor, "world", self.world.entities, "of Pitman-Yor entities", "leave `population` out")

    @property
    def entity(self) -> NDArray[np.int64]:
        """Entity ids by falling probability (K,)."""
        return self._found[0]

    @cached_property
    def weights(self) -> Floats:
        """Their probabilities p_1 >= ... >= p_K, which sum to 1 (K,)."""
        return np.asarray(self._found[1] / self._found[1].sum())

    @cached_property
    def entities(self) -> KnownEntities:
        """The same for laws: what they take as `entities`."""
        law = self.world.entities
        assert isinstance(law, PitmanYor)
        return KnownEntities(self.weights, law)

    def sample(self, n: int, stream: int = 0, start: int = 0) -> Corpus:
        """Sentences start..start+n-1 of the independent sample number `stream`, entities at their own frequencies."""
        return self._draw(n, stream, start, self.weights)

    def tempered(self, n: int, temper: float = 0.5, stream: int = 0, start: int = 0) -> tuple[Corpus, Floats]:
        """The same with entities drawn in proportion to p^`temper`, in [0, 1], and each sentence's weight p/q (n,)."""
        check_real("temper", temper, 0, 1, "1 draws as the world does, 0 draws all alike")
        share = self.weights**temper
        share /= share.sum()
        corpus = self._draw(n, stream, start, share)
        return corpus, corpus.probability ** (1 - temper) * (self.weights**temper).sum()

    def _draw(self, n: int, stream: int, start: int, share: Floats) -> Corpus:
        n, start = shard(n, start)
        drawn = self.world.sample(n, stream=stream, start=start)  # its attributes and templates stay, its entities go
        uniform = hash_uniform(np.arange(start, start + n), 0, philox_key(self.world.seed, "excerpt", stream))
        rank = np.searchsorted(np.cumsum(share)[:-1], uniform, side="right")
        entity = self.entity[rank]
        value = self.world.value(entity, drawn.attribute)
        return Corpus(self.world, entity, drawn.attribute, drawn.template, value, self.weights[rank])

    @property
    def _found(self) -> tuple[NDArray[np.int64], Floats]:
        return _most_frequent(self.world, self.size)


@lru_cache(maxsize=16)
def _most_frequent(world: SyntaxKnowledge, size: int) -> tuple[NDArray[np.int64], Floats]:
    """Ids and probabilities of the K most frequent, of all above a bound that is lowered until there are as many.

    What is made of one world is made of the same entities, so they are kept.
    """
    measure, least = world.measure, 1.0 / size
    assert isinstance(measure, RandomMeasure)
    while True:
        ids, p = measure.atoms(least)
        if len(p) >= size:
            return ids[:size], p[:size]
        least /= FINER
        check(least >= LEAST, "size", size, f"such that entities are no rarer than {LEAST:.0e}", "take a smaller one")
