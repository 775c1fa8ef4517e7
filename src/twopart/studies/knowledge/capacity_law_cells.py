"""The models of the capacity-law study: each is trained to convergence on one excerpt of a world, and asked everything.

The table that comes back has a row for each entity, by rank:
    weight   p_k, its probability in the excerpt
    value    bits that a sentence about it pays for its value on average, all attributes and templates by their probabilities
    syntax   the same for its attribute and template
    stored   bits of its facts that the model holds, Σ_a max(0, h_a + log2 p(correct value))
    chance   what that sum would be if the model knew nothing of them: a mean over all wrong values in the correct one's place
    gained   as `stored`, not floored at 0: below 0 where the model is led astray
and in every row the model's `parameters` and the `sentences` that it read.
Facts that a model does not know it guesses with some confidence, and of the guesses the floor keeps only the lucky ones:
0.1 to 0.3 bits a fact, which over thousands of unknown facts is more than small models hold. A model to which
the correct value is one like any other has stored = chance on average, so the difference counts what it knows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._arguments import Floats
from twopart.lab import Cell
from twopart.learners import SymbolStream, Transformer, evaluate, recall
from twopart.studies._transformers import Shape, learn
from twopart.studies.knowledge.capacity_law import Train
from twopart.worlds import Corpus, Excerpt, SyntaxKnowledge

BLOCK = 4096  # entities examined together
ASKED = 1 / 3  # of the work of a sentence that is learned from: there is no way back


def train_model(case: Train, cell: Cell) -> pl.DataFrame:
    """Train on a tempered sample, then ask everything."""
    excerpt, lesson = _excerpt(case.world(cell.replicate), case.lesson.entities), case.lesson
    model = Shape(case.layers, case.width).reading(excerpt.world)
    sentences = max(lesson.sentences, lesson.per_parameter * model.parameters) // (2 if case.halved else 1)
    corpus, weights = excerpt.tempered(sentences, lesson.temper)
    exam = ASKED * sum(a.templates for a in excerpt.world.attributes)  # of one entity, in sentences learned from
    total = sentences + exam * excerpt.size
    trained = learn(case.training, model, SymbolStream(corpus, names=False, weights=weights), cell, total)
    found = examine(trained.model, excerpt, lambda asked: cell.progress(sentences + exam * asked, total, "examined"))
    return found.with_columns(parameters=pl.lit(model.parameters), sentences=pl.lit(sentences))


@lru_cache(maxsize=8)
def _excerpt(world: SyntaxKnowledge, entities: int) -> Excerpt:
    """One for all models of a ladder: it takes a second to find its entities."""
    return Excerpt(world, entities)


def examine(
    model: Transformer, excerpt: Excerpt, told: Callable[[int], None] = lambda asked: None, block: int = BLOCK
) -> pl.DataFrame:
    """Every sentence of the excerpt, once: expectations without sampling noise. `told` hears how many entities were asked."""
    parts = []
    for start in range(0, excerpt.size, block):
        entity = excerpt.entity[start : start + block]
        parts.append(pl.DataFrame({**_paid(model, excerpt.world, entity), **_held(model, excerpt.world, entity)}))
        told(start + len(entity))
    return pl.concat(parts).select(pl.Series("weight", excerpt.weights), pl.all())


def _paid(model: Transformer, world: SyntaxKnowledge, entity: NDArray[np.int64]) -> dict[str, Floats]:
    """Bits of a sentence about each entity."""
    bits = evaluate(model, SymbolStream(every_sentence(world, entity), names=False), batch=2048)
    share = np.concatenate([p * psi for p, psi in zip(world.pi, world.template_probabilities, strict=True)])
    return {role: getattr(bits, role).reshape(-1, len(share)) @ share for role in ("value", "syntax")}


def _held(model: Transformer, world: SyntaxKnowledge, entity: NDArray[np.int64]) -> dict[str, Floats]:
    """Stored bits of all facts of each entity, asked for in each attribute's most frequent template."""
    ids, attribute = np.meshgrid(entity, np.arange(len(world.attributes), dtype=np.int16), indexing="ij")
    asked = recall(model, world, ids.ravel(), attribute.ravel())
    values = np.array([a.values for a in world.attributes])[asked.attribute]
    bits = np.log2(np.maximum(asked.probability, 1e-300) * values[:, None])  # every value in the correct one's place
    floored = np.maximum(bits, 0.0)
    correct = floored[np.arange(len(bits)), asked.truth]
    chance = (floored.sum(1) - correct) / (values - 1)
    columns = {"stored": correct, "chance": chance, "gained": asked.gained_bits}
    return {name: column.reshape(ids.shape).sum(1) for name, column in columns.items()}


def every_sentence(world: SyntaxKnowledge, entity: NDArray[np.int64]) -> Corpus:
    """What can be said of these entities: for each, every attribute in every template, in that order."""
    sizes = [attribute.templates for attribute in world.attributes]
    attribute = np.tile(np.repeat(np.arange(len(sizes), dtype=np.int16), sizes), len(entity))
    template = np.tile(np.concatenate([np.arange(size, dtype=np.int16) for size in sizes]), len(entity))
    ids = np.repeat(entity, sum(sizes))
    return Corpus(world, ids, attribute, template, world.value(ids, attribute), np.ones(len(ids)))
