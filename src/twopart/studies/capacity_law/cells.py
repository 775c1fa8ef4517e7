"""The piece of work of the capacity-law study: one model trained to convergence on one excerpt, and examined.

The table that comes back has a row for each entity, by rank:
    weight   p_k, its probability in the excerpt
    value    bits that a sentence about it pays for its value on average, all attributes and templates by their probabilities
    syntax   the same for its attribute and template
    stored   bits of its facts that the model holds, Σ_a max(0, h_a + log2 p(correct value))
    chance   what that sum would be if the model knew nothing of them: a mean over all wrong values in the correct one's place
    gained   as `stored`, not floored at 0: below 0 where the model is led astray
Facts that a model does not know it guesses with some confidence, and of the guesses the floor keeps only the lucky ones:
0.1 to 0.3 bits a fact, which over thousands of unknown facts is more than small models hold. A model to which
the correct value is one like any other has stored = chance on average, so the difference counts what it knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.studies._ladder import converge, shape
from twopart.worlds import Corpus, Excerpt, SyntaxKnowledge

if TYPE_CHECKING:
    from twopart.lab import Cell
    from twopart.learners import Transformer

Floats = NDArray[np.float64]

BLOCK = 4096  # entities examined together


@dataclass(frozen=True)
class ModelCell:
    """One model and what it learns."""

    label: str
    world: SyntaxKnowledge
    entities: int
    width: int
    layers: int
    sentences: int
    temper: float
    batch: int
    learning_rate: float
    warmup: int

    @property
    def excerpt(self) -> Excerpt:
        """The finite world."""
        return _excerpt(self.world, self.entities)

    @property
    def parameters(self) -> int:
        """Trained numbers of the model."""
        return shape(self.world, self.width, self.layers).parameters


@lru_cache(maxsize=8)
def _excerpt(world: SyntaxKnowledge, entities: int) -> Excerpt:
    """One for all models of a ladder: it takes a second to find its entities."""
    return Excerpt(world, entities)


def train_model(config: ModelCell, cell: Cell) -> pl.DataFrame:
    """Train on a tempered sample, then ask everything."""
    from twopart.learners import SymbolStream, train

    excerpt = config.excerpt
    corpus, weights = excerpt.tempered(config.sentences, config.temper)
    trained = train(
        converge(config.batch, config.learning_rate, config.warmup, cell.device),
        shape(config.world, config.width, config.layers),
        SymbolStream(corpus, names=False, weights=weights),
        seed=cell.seed,
        folder=cell.folder,
        on_progress=lambda state: cell.progress(state.done, state.total, f"{state.bits['value']:.2f} value bits"),
    )
    return examine(trained.model, excerpt)


def examine(model: Transformer, excerpt: Excerpt) -> pl.DataFrame:
    """Every sentence of the excerpt, once: expectations without sampling noise."""
    blocks = [_examine(model, excerpt, start) for start in range(0, excerpt.size, BLOCK)]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return pl.DataFrame({"weight": excerpt.weights, **columns})


def _examine(model: Transformer, excerpt: Excerpt, start: int) -> dict[str, Floats]:
    from twopart.learners import SymbolStream, evaluate

    world = excerpt.world
    entity = excerpt.entity[start : start + BLOCK]
    corpus = every_sentence(world, entity)
    bits = evaluate(model, SymbolStream(corpus, names=False), batch=2048)
    psi = world.template_probabilities
    share = np.concatenate([p * q for p, q in zip(world.pi, psi, strict=True)])
    value, syntax = bits.value.reshape(-1, len(share)), bits.syntax.reshape(-1, len(share))
    return {"value": value @ share, "syntax": syntax @ share, **_held(model, world, entity)}


def _held(model: Transformer, world: SyntaxKnowledge, entity: NDArray[np.int64]) -> dict[str, Floats]:
    """Stored bits of all facts of each entity, asked for in each attribute's most frequent template."""
    from twopart.learners import recall

    ids, attribute = np.meshgrid(entity, np.arange(len(world.attributes), dtype=np.int16), indexing="ij")
    asked = recall(model, world, ids.ravel(), attribute.ravel())
    values = np.array([a.values for a in world.attributes])[asked.attribute]
    bits = np.log2(np.maximum(asked.probability, 1e-300) * values[:, None])  # every value in the correct one's place
    floored = np.maximum(bits, 0.0)
    correct = floored[np.arange(len(bits)), asked.truth]
    chance = (floored.sum(1) - correct) / (values - 1)
    return {
        name: column.reshape(ids.shape).sum(1)
        for name, column in {"stored": correct, "chance": chance, "gained": asked.gained_bits}.items()
    }


def every_sentence(world: SyntaxKnowledge, entity: NDArray[np.int64]) -> Corpus:
    """What can be said of these entities: for each, every attribute in every template, in that order."""
    sizes = [attribute.templates for attribute in world.attributes]
    attribute = np.tile(np.repeat(np.arange(len(sizes), dtype=np.int16), sizes), len(entity))
    template = np.tile(np.concatenate([np.arange(size, dtype=np.int16) for size in sizes]), len(entity))
    ids = np.repeat(entity, sum(sizes))
    return Corpus(world, ids, attribute, template, world.value(ids, attribute), np.ones(len(ids)))
