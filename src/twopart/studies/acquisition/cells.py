"""The piece of work of the acquisition study: one pass over a natural sample, and the same questions at every snapshot.

The table has rows of two kinds.
    kind "fact"   one per fact asked and snapshot: `gained` bits, `told` so many times in `sentences` sentences;
                  `rank` of its entity (from 1), `attribute`, `frequency` p π_a
    kind "seen"   one per bin of sentences seen, `low` <= x < `high`: mean redundancy `syntax` and `value`, prequential
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.codes import oracle_code
from twopart.fits import LogBins
from twopart.studies._ladder import one_pass, shape
from twopart.worlds import Corpus, SyntaxKnowledge

if TYPE_CHECKING:
    from twopart.lab import Cell
    from twopart.learners import Transformer

PER_DECADE = 8
DRAWS = 1 << 22  # a sample this long shows which entities are frequent
SHOWN = 1  # the stream it is; the learner reads stream 0


@dataclass(frozen=True)
class LearnerCell:
    """One transformer on one natural sample of one world."""

    label: str
    world: SyntaxKnowledge
    sentences: int
    snapshots: tuple[int, ...]
    asked: int
    layers: int
    width: int
    batch: int
    learning_rate: float
    warmup: int
    hold: int


def acquire(config: LearnerCell, cell: Cell) -> pl.DataFrame:
    """Train, and ask for every fact at every snapshot."""
    from twopart.learners import SymbolStream, train

    corpus = config.world.sample(config.sentences)
    stream = SymbolStream(corpus, names=False)
    trained = train(
        one_pass(config.batch, config.learning_rate, config.warmup, config.hold, cell.device),
        shape(config.world, config.width, config.layers),
        stream,
        seed=cell.seed,
        folder=cell.folder,
        snapshots=config.snapshots,
        on_progress=lambda state: cell.progress(state.done, state.total, f"{state.bits['value']:.2f} value bits"),
    )
    facts = questions(config.world, config.asked)
    asked = [answers(trained.snapshots[n], corpus, facts, n) for n in config.snapshots]
    redundancy = trained.lengths - oracle_code(corpus)
    return pl.concat([*asked, _seen(redundancy.syntax, redundancy.value)], how="diagonal")


def questions(world: SyntaxKnowledge, asked: int) -> pl.DataFrame:
    """Every fact about the `asked` most frequent entities: entity, rank, attribute, frequency p π_a.

    An entity of probability p is missing among `DRAWS` draws with probability e^(-p DRAWS).
    """
    draws, p = world.measure.draw_with_probability(DRAWS, stream=SHOWN)
    entity, first = np.unique(draws, return_index=True)
    order = np.argsort(-p[first], kind="stable")[:asked]
    frequent = pl.DataFrame({"entity": entity[order], "rank": np.arange(1, len(order) + 1), "p": p[first][order]})
    attributes = pl.DataFrame({"attribute": np.arange(len(world.pi), dtype=np.int16), "pi": world.pi})
    return frequent.join(attributes, how="cross").select(
        "entity", "rank", "attribute", (pl.col("p") * pl.col("pi")).alias("frequency")
    )


def answers(model: Transformer, corpus: Corpus, facts: pl.DataFrame, n: int) -> pl.DataFrame:
    """What `model` knows of each fact, and how often the first `n` sentences told it."""
    from twopart.learners import recall

    asked = recall(model, corpus.world, facts["entity"].to_numpy(), facts["attribute"].to_numpy())
    told = pl.DataFrame({"entity": corpus.entity[:n], "attribute": corpus.attribute[:n]})
    counts = told.group_by("entity", "attribute").agg(told=pl.len().cast(pl.Int64))
    joined = facts.join(counts, on=["entity", "attribute"], how="left", maintain_order="left")
    return joined.select(
        pl.lit("fact").alias("kind"),
        pl.lit(n, pl.Int64).alias("sentences"),
        "rank",
        "attribute",
        "frequency",
        pl.col("told").fill_null(0),
        pl.Series("gained", asked.gained_bits),
    )


def _seen(syntax: NDArray[np.float64], value: NDArray[np.float64]) -> pl.DataFrame:
    """Means over bins of sentences seen."""
    bins = LogBins(len(value) + 1, per_decade=PER_DECADE)
    edges = bins.edges
    columns = {"low": edges[:-1], "high": edges[1:], "syntax": bins.mean(syntax), "value": bins.mean(value)}
    return pl.DataFrame({"kind": ["seen"] * len(bins.centres), **columns})
