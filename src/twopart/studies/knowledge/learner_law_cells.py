"""The learners of the learner-law study: each reads a natural sample once, and at every moment is asked for all of its facts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart.fits import crossing
from twopart.lab import Cell
from twopart.learners import Recall, SymbolStream, recall
from twopart.learners.knowledge import AssociativeMemory, MemoryConfig, confidence_of_strangers, fact_ids, teach
from twopart.studies._transformers import Shape, learn
from twopart.studies.knowledge.learner_law import School
from twopart.worlds import Corpus

STRANGERS = 2000  # facts of names never told
ASKED = 0.2  # of what it takes to learn a sentence, at all moments together

Ask = Callable[[NDArray[np.int64], NDArray[np.int16]], Recall]


def learn_facts(case: School, cell: Cell) -> pl.DataFrame:
    """A row for each width and moment: `params`, `sentences`, and what `exam` says."""
    world, rows = case.world(cell.replicate), []
    corpus = world.sample(case.moments[-1])
    for done, width in enumerate(case.widths, 1):
        if case.learner == "transformer":
            shape, stream = Shape(1, width).reading(world), SymbolStream(corpus, names=False)
            work, params = len(corpus) * (1 + ASKED), shape.parameters
            models = learn(case.training, shape, stream, cell, work, snapshots=case.moments).snapshots
            asked: dict[int, tuple[Ask, float | None]] = {
                n: (lambda entity, attribute, model=model: recall(model, world, entity, attribute), None)
                for n, model in models.items()
            }
        else:
            memories, params = memories_of(case, corpus, width, cell.seed), width * case.people.values
            asked = {
                n: (lambda entity, attribute, memory=memory: memory.recall(world, entity, attribute), memory.noise)
                for n, memory in memories.items()
            }
        for n, (ask, noise) in asked.items():
            rows.append({"width": width, "params": params, "sentences": n, **exam(ask, corpus, noise)})
        cell.progress(done, len(case.widths))
    return pl.DataFrame(rows)


def memories_of(case: School, corpus: Corpus, width: int, seed: int) -> dict[int, AssociativeMemory]:
    """A memory at all moments."""
    memory = AssociativeMemory(MemoryConfig(case.people.values, width), seed)
    how, ids = case.training, fact_ids(corpus.entity, corpus.attribute)
    adam = {"step": "adam", "schedule": how.training("cpu").schedule} if case.learner == "adam" else {}
    return teach(memory, ids, corpus.value, rate=how.learning_rate, batch=how.batch, snapshots=case.moments, **adam)  # type: ignore[arg-type]


def exam(ask: Ask, corpus: Corpus, noise: float | None) -> dict[str, float]:
    """`value` bits per sentence, in expectation over sentences: every fact of the corpus by its frequency, the others by
    strangers; `half`, the frequency at which half of the facts are known; `noise`, and the strangers' `confidence`.
    """
    facts, world = corpus.facts(), corpus.world
    told = ask(facts["entity"].to_numpy(), facts["attribute"].to_numpy())
    random = _random.generator(world.seed, "strangers")
    names = random.integers(2**40, 2**41, STRANGERS)
    unmet = ask(names, random.integers(len(world.attributes), size=STRANGERS).astype(np.int16))
    q, bits = facts["frequency"].to_numpy(), -np.log2(np.maximum(told.correct, 1e-300))
    stranger = float(-np.log2(np.maximum(unmet.correct, 1e-300)).mean())
    known = bits < world.attributes[0].entropy() / 2
    strangers = confidence_of_strangers(unmet)
    return {
        "value": float(q @ bits) + (1 - float(q.sum())) * stranger,
        "half": crossing(q, known),
        "noise": strangers.noise**2 if noise is None else noise,
        "confidence": strangers.measured["confidence"],
    }
