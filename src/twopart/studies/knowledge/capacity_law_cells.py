"""The models of the capacity-law study: each is trained to convergence on one excerpt of a world, and asked everything.

The table that comes back has a row for each entity, by rank:
    weight   p_k, its probability in the excerpt
    value    bits that a sentence about it pays for its value on average, all attributes and templates by their probabilities
    syntax   the same for its attribute and template
    stored   bits of its facts that the model holds, Σ_a max(0, h_a + log2 p(correct value))
    chance   what that sum would be if the model knew nothing of them: a mean over all wrong values in the correct one's place
    gained   as `stored`, not floored at 0: below 0 where the model is led astray
and in every row the model's `parameters` and the `sentences` that it read.
Lucky guesses make 0.1 to 0.3 bits a fact, over thousands of unknown facts more than small models hold: stored less chance is
what one knows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from twopart.lab import Cell
from twopart.learners import Transformer, recall, sentence_bits, tempered_stream
from twopart.studies._transformers import Shape, learn
from twopart.studies.knowledge.capacity_law import Train
from twopart.worlds import Excerpt

BLOCK = 4096  # entities examined together
Told = Callable[[int], None]
ASKED = 1 / 3  # of the work of a sentence that is learned from: there is no way back


def train_model(case: Train, cell: Cell) -> pl.DataFrame:
    """Train on a tempered sample, then ask everything."""
    excerpt, lesson = Excerpt(case.world(cell.replicate), case.lesson.entities), case.lesson
    model = Shape(case.layers, case.width).reading(excerpt.world)
    sentences = max(lesson.sentences, lesson.per_parameter * model.parameters) // (2 if case.halved else 1)
    exam = ASKED * sum(a.templates for a in excerpt.world.attributes)  # of one entity, in sentences learned from
    total = sentences + exam * excerpt.size
    trained = learn(case.training, model, tempered_stream(excerpt, sentences, lesson.temper), cell, total)
    found = examine(trained.model, excerpt, lambda asked: cell.progress(sentences + exam * asked, total, "examined"))
    return found.with_columns(parameters=pl.lit(model.parameters), sentences=pl.lit(sentences))


def examine(model: Transformer, excerpt: Excerpt, told: Told = lambda asked: None, block: int = BLOCK) -> pl.DataFrame:
    """Every sentence of the excerpt, once: expectations without sampling noise. `told` hears how many entities were asked."""
    parts, attributes = [], np.arange(len(excerpt.world.attributes), dtype=np.int16)
    for start in range(0, excerpt.size, block):
        entity = excerpt.entity[start : start + block]
        bits = sentence_bits(model, excerpt.world, entity)
        known = recall(model, excerpt.world, np.repeat(entity, len(attributes)), np.tile(attributes, len(entity)))
        facts = {"stored": known.stored_bits, "chance": known.chance_bits, "gained": known.gained_bits}
        sums = {name: each.reshape(len(entity), -1).sum(1) for name, each in facts.items()}
        parts.append(pl.DataFrame({"value": bits.value, "syntax": bits.syntax, **sums}))
        told(start + len(entity))
    return pl.concat(parts).select(pl.Series("weight", excerpt.weights), pl.all())
