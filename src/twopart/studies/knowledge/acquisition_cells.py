"""The transformers of the acquisition study: each reads a natural sample in one pass, and is asked at every snapshot."""

from __future__ import annotations

import numpy as np
import polars as pl

from twopart.codes import CodeLengths, oracle_code
from twopart.fits import LogBins
from twopart.lab import Cell
from twopart.learners import SymbolStream, Transformer, recall
from twopart.studies._transformers import learn
from twopart.studies.knowledge.acquisition import Learner
from twopart.worlds import Corpus, SyntaxKnowledge

PER_DECADE = 8  # bins of sentences seen
SHOWN = 1  # the stream that shows which entities are frequent; stream 0 is read
ASKING = 0.3  # a question takes this much of the time that a sentence takes to learn


def acquire(case: Learner, cell: Cell) -> pl.DataFrame:
    """Rows of two kinds, and `parameters` of the model:

    kind "fact"   one per fact asked and snapshot: `gained` bits, `told` so many times in `sentences` sentences;
                  `rank` of its entity (from 1), `attribute`, `frequency` p π_a
    kind "seen"   one per bin of sentences seen, `low` <= x < `high`: mean redundancy `syntax` and `value`, prequential
    """
    world = case.world(cell.replicate)
    corpus, shape = world.sample(case.sentences), case.shape.reading(world)
    facts = questions(world, case.asked, case.search)
    total = len(corpus) + ASKING * len(facts) * len(case.snapshots)
    stream = SymbolStream(corpus, names=False)
    trained = learn(case.training, shape, stream, cell, total, snapshots=case.snapshots)
    parts = [_seen(trained.lengths - oracle_code(corpus))]
    for n in case.snapshots:
        parts.append(answers(trained.snapshots[n], corpus[:n], facts))
        cell.progress(len(corpus) + ASKING * len(facts) * (len(parts) - 1), total, "asked")
    return pl.concat(parts, how="diagonal").with_columns(parameters=pl.lit(shape.parameters))


def questions(world: SyntaxKnowledge, asked: int, search: int) -> pl.DataFrame:
    """Every fact about the `asked` most frequent entities: entity, rank, attribute, frequency p π_a.

    An entity of probability p is missing among `search` draws with probability e^(-p search).
    """
    draws, p = world.measure.draw_with_probability(search, stream=SHOWN)
    entity, first = np.unique(draws, return_index=True)
    order = np.argsort(-p[first], kind="stable")[:asked]
    frequent = pl.DataFrame({"entity": entity[order], "rank": np.arange(1, len(order) + 1), "p": p[first][order]})
    attributes = pl.DataFrame({"attribute": np.arange(len(world.pi), dtype=np.int16), "pi": world.pi})
    each = frequent.join(attributes, how="cross")
    return each.select("entity", "rank", "attribute", frequency=pl.col("p") * pl.col("pi"))


def answers(model: Transformer, read: Corpus, facts: pl.DataFrame) -> pl.DataFrame:
    """What `model` knows of each fact, and how often the sentences that it has `read` told it."""
    found = recall(model, read.world, facts["entity"].to_numpy(), facts["attribute"].to_numpy())
    same = pl.lit("fact").alias("kind"), pl.lit(len(read), pl.Int64).alias("sentences")
    asked = facts.with_columns(told=read.told(facts), gained=pl.Series(found.gained_bits))
    return asked.select(*same, "rank", "attribute", "frequency", "told", "gained")


def _seen(redundancy: CodeLengths) -> pl.DataFrame:
    """Means over bins of sentences seen."""
    bins = LogBins(len(redundancy.value) + 1, per_decade=PER_DECADE)
    columns = {"syntax": bins.mean(redundancy.syntax), "value": bins.mean(redundancy.value)}
    return pl.DataFrame({"kind": "seen", "low": bins.edges[:-1], "high": bins.edges[1:], **columns})
