"""The transformers of the hallucination study: each reads a natural sample in one pass, and is asked at several moments."""

from __future__ import annotations

import numpy as np
import polars as pl

from twopart import _random
from twopart.lab import Cell
from twopart.learners import SymbolStream, Transformer, evaluate, recall
from twopart.studies._transformers import learn
from twopart.studies.knowledge.hallucination import Learner
from twopart.worlds import Corpus

ASKED, HELD_OUT = 1, 2  # streams of the world; stream 0 is read
ASKING = 0.3  # a question takes this much of the time that a sentence takes to learn


def interrogate(case: Learner, cell: Cell) -> pl.DataFrame:
    """A row per moment and distinct fact asked:

    sentences                    seen before
    attribute, frequency, told   of the fact: p π_a, and how often those sentences told it
    asked                        how many of the questions ask for it
    correct, confidence          probability of its value, and of the best guess
    guessed, sampled, truth      values by their place in the base distribution, 0 the most probable: best guess, a drawn
                                 answer, the fact
    redundancy, parameters       value bits per held-out sentence, and the size of the model, the same for all facts
    """
    world = case.sample.world(cell.replicate)
    corpus, asked = world.sample(case.sample.sentences), world.sample(case.sample.questions, stream=ASKED).facts()
    held_out = SymbolStream(world.sample(case.sample.held_out, stream=HELD_OUT), names=False)
    asking = ASKING * (len(asked) + len(held_out))
    total = len(corpus) + asking * len(case.sample.moments)
    shape, stream = case.shape.reading(world), SymbolStream(corpus, names=False)
    trained = learn(case.training, shape, stream, cell, total, snapshots=case.sample.moments)
    random, parts = _random.generator(cell.seed, "sampled answers"), []
    for n in case.sample.moments:
        model = trained.snapshots[n]
        redundancy = evaluate(model, held_out).value.mean()  # the oracle pays no value bits
        same = pl.lit(float(redundancy)).alias("redundancy"), pl.lit(model.config.parameters).alias("parameters")
        parts.append(answered(model, corpus[:n], asked, random).with_columns(*same))
        cell.progress(len(corpus) + asking * len(parts), total, "asked")
    return pl.concat(parts)


def answered(model: Transformer, read: Corpus, asked: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """What `model`, which has read `read`, answers about each fact that is asked for so often as its sample told it."""
    said = recall(model, read.world, asked["entity"].to_numpy(), asked["attribute"].to_numpy())
    of_fact = pl.lit(len(read), pl.Int64).alias("sentences"), "attribute", "frequency"
    drawn, truth = said.place(said.drawn(random)), said.place(said.truth)
    places = {"guessed": said.place(said.answer), "sampled": drawn, "truth": truth}
    answers = {name: pl.Series(place) for name, place in places.items()}
    sure = {"correct": pl.Series(said.correct), "confidence": pl.Series(said.confidence)}
    return asked.select(*of_fact, told=read.told(asked), asked=pl.col("told"), **sure, **answers)
