"""Lessons: sentences that are chosen for what they tell, rather than drawn as a world would.

told_so_often   every fact about some entities, exactly so often
practised       a new format, on every other entity of an excerpt
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart.worlds.knowledge.excerpt import Excerpt
from twopart.worlds.knowledge.shifted import ShiftedWorld
from twopart.worlds.knowledge.syntax_knowledge import Corpus


def told_so_often(world: ShiftedWorld, entity: NDArray[np.int64], times: NDArray[np.int64]) -> Corpus:
    """Every fact about each entity told exactly so many `times`, shapes (entities,), in random order and templates."""
    attributes = len(world.attributes)
    fact = np.repeat(np.arange(len(entity) * attributes), np.repeat(times, attributes))
    fact = fact[_random.generator(world.seed, "doses").permutation(len(fact))]
    ids, attribute = entity[fact // attributes], (fact % attributes).astype(np.int16)
    steps = np.array([np.cumsum(psi)[:-1] for psi in world.template_probabilities])
    uniform = _random.generator(world.seed, "dosed templates").random((len(fact), 1))
    template = (steps[attribute] <= uniform).sum(1).astype(np.int16)
    return Corpus(world, ids, attribute, template, world.value(ids, attribute), np.ones(len(fact)))


def practised(world: ShiftedWorld, excerpt: Excerpt, n: int, stream: int = 0) -> Corpus:
    """`n` sentences in the world's format about every other entity of an excerpt, the first, the third, ..., as frequent among
    themselves as there: how a format is learned on some entities and examined on the others."""
    drawn, p = world.sample(n, stream), excerpt.weights[::2]
    chosen = excerpt.entity[::2][_random.generator(world.seed, "practised").choice(len(p), n, p=p / p.sum())]
    return Corpus(world, chosen, drawn.attribute, drawn.template, world.value(chosen, drawn.attribute), np.ones(n))
