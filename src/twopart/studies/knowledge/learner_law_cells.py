"""The learners of the learner-law study: each reads a natural sample once, and at every moment is asked for all its facts."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import polars as pl

from twopart import _random
from twopart.fits import crossing
from twopart.lab import Cell
from twopart.learners import SymbolStream, Transformer, recall
from twopart.learners.knowledge import AssociativeMemory, MemoryConfig, confidence_of_strangers, fact_ids, teach
from twopart.studies._transformers import Shape, learn
from twopart.studies.knowledge.learner_law import School
from twopart.worlds import Corpus

STRANGERS = 2000  # facts of names never told
ASKED = 0.2  # of what it takes to learn a sentence, at all moments together


def learn_facts(case: School, cell: Cell) -> pl.DataFrame:
    """A row for each width and moment: `params`, `sentences`, and what `exam` says."""
    world, rows = case.world(cell.replicate), []
    corpus = world.sample(case.moments[-1])
    for done, width in enumerate(case.widths, 1):
        params, models = taught(case, corpus, width, cell)
        for n, model in models.items():
            rows.append({"width": width, "params": params, "sentences": n, **exam(model, corpus)})
        cell.progress(done, len(case.widths))
    return pl.DataFrame(rows)


def taught(case: School, corpus: Corpus, width: int, cell: Cell) -> tuple[int, dict[int, Any]]:
    """The number of parameters, and the learner at all moments."""
    how = case.training
    if case.learner == "transformer":
        shape, work = Shape(1, width).reading(corpus.world), len(corpus) * (1 + ASKED)
        stream = SymbolStream(corpus, names=False)
        return shape.parameters, learn(how, shape, stream, cell, work, snapshots=case.moments).snapshots
    memory = AssociativeMemory(MemoryConfig(case.people.values, width), cell.seed)
    more: Any = {"step": "adam", "schedule": how.training("cpu").schedule} if case.learner == "adam" else {}
    facts, more["snapshots"] = fact_ids(corpus.entity, corpus.attribute), case.moments
    return memory.weights.size, teach(memory, facts, corpus.value, rate=how.learning_rate, batch=how.batch, **more)


def exam(model: Transformer | AssociativeMemory, corpus: Corpus) -> dict[str, float]:
    """`value` bits per sentence, in expectation over sentences: each fact of the corpus by its frequency, others by strangers;
    `half`, the frequency at which half of the facts are known; strangers' `noise`, `confidence` and bits.
    """
    facts, world, random = corpus.facts(), corpus.world, _random.generator(corpus.world.seed, "strangers")
    ask = model.recall if isinstance(model, AssociativeMemory) else partial(recall, model)
    told = ask(world, facts["entity"].to_numpy(), facts["attribute"].to_numpy())
    names, which = random.integers(2**40, 2**41, STRANGERS), random.integers(len(world.attributes), size=STRANGERS)
    unmet = ask(world, names, which.astype(np.int16))
    bits, stranger = (-np.log2(np.maximum(answers.correct, 1e-300)) for answers in (told, unmet))
    q, known = facts["frequency"].to_numpy(), bits < world.attributes[0].entropy() / 2
    noise = model.noise if isinstance(model, AssociativeMemory) else confidence_of_strangers(unmet).noise ** 2
    return {
        "value": float(q @ bits + (1 - q.sum()) * stranger.mean()),
        "half": crossing(q, known),
        "noise": noise,
        "confidence": float(unmet.confidence.mean()),
        "stranger": float(stranger.mean()),
    }
