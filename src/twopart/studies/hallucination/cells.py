"""The piece of work of the hallucination study: one pass over a natural sample, and the same questions at several moments.

The learner reads stream 0 of its world, the questions are stream 1, the held-out redundancy is that of stream 2. The table
has a row per moment and distinct fact asked:
    sentences    seen before
    attribute, frequency, told   of the fact: p π_a, and how often those sentences told it
    asked        how many of the questions ask for it
    correct, confidence          probability of its value, and of the best guess
    guessed, sampled, truth      values by their place in the base distribution, 0 the most probable: best guess, a drawn
                                 answer, the fact
and `redundancy`, value bits per held-out sentence, the same for all facts of a moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart.studies._ladder import one_pass, shape
from twopart.worlds import Corpus, SyntaxKnowledge

if TYPE_CHECKING:
    from twopart.lab import Cell
    from twopart.learners import Transformer

ASKED, HELD_OUT = 1, 2  # streams
EVALUATED = 20_000  # held-out sentences


@dataclass(frozen=True)
class LearnerCell:
    """One transformer on one natural sample of one world."""

    label: str
    world: SyntaxKnowledge
    sentences: int
    moments: tuple[int, ...]
    questions: int
    layers: int
    width: int
    batch: int
    learning_rate: float
    warmup: int
    hold: int


def interrogate(config: LearnerCell, cell: Cell) -> pl.DataFrame:
    """Train, and ask at every moment."""
    from twopart.learners import SymbolStream, train

    corpus = config.world.sample(config.sentences)
    trained = train(
        one_pass(config.batch, config.learning_rate, config.warmup, config.hold, cell.device),
        shape(config.world, config.width, config.layers),
        SymbolStream(corpus, names=False),
        seed=cell.seed,
        folder=cell.folder,
        snapshots=config.moments,
        on_progress=lambda state: cell.progress(state.done, state.total, f"{state.bits['value']:.2f} value bits"),
    )
    facts = questions(config.world.sample(config.questions, stream=ASKED))
    random = _random.generator(cell.seed, "sampled answers")
    asked = [answered(trained.snapshots[n], corpus[:n], facts, random) for n in config.moments]
    return pl.concat(asked)


def questions(sample: Corpus) -> pl.DataFrame:
    """The distinct facts that a sample tells: entity, attribute, frequency p π_a, and how often it is `asked` for."""
    told = pl.DataFrame({"entity": sample.entity, "attribute": sample.attribute, "p": sample.probability})
    facts = told.group_by("entity", "attribute", maintain_order=True).agg(pl.col("p").first(), asked=pl.len())
    pi = sample.world.pi[facts["attribute"].to_numpy()]
    return facts.select("entity", "attribute", (pl.col("p") * pi).alias("frequency"), pl.col("asked").cast(pl.Int64))


def answered(model: Transformer, read: Corpus, facts: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """What `model`, which has read `read`, answers to each question."""
    from twopart.learners import recall

    attribute = facts["attribute"].to_numpy()
    said = recall(model, read.world, facts["entity"].to_numpy(), attribute)
    joined = facts.join(told_counts(read), on=["entity", "attribute"], how="left", maintain_order="left")
    place = places(read.world)[attribute]
    every = np.arange(len(facts))
    return joined.select(
        pl.lit(len(read), pl.Int64).alias("sentences"),
        "attribute",
        "frequency",
        pl.col("told").fill_null(0),
        "asked",
        pl.Series("correct", said.correct),
        pl.Series("confidence", said.confidence),
        pl.Series("guessed", place[every, said.answer]),
        pl.Series("sampled", place[every, draw(said.probability, random)]),
        pl.Series("truth", place[every, said.truth]),
        pl.lit(held_out_bits(model, read.world)).alias("redundancy"),
    )


def told_counts(read: Corpus) -> pl.DataFrame:
    """How often each fact was `told`."""
    facts = pl.DataFrame({"entity": read.entity, "attribute": read.attribute})
    return facts.group_by("entity", "attribute").agg(told=pl.len().cast(pl.Int64))


def places(world: SyntaxKnowledge) -> NDArray[np.int64]:
    """The place of each value in its attribute's base distribution, 0 the most probable, shape (attributes, values)."""
    order = [np.argsort(-a.value_probabilities(), kind="stable") for a in world.attributes]
    return np.array([np.argsort(row) for row in order])


def draw(probability: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
    """One value from each row of shares."""
    sums = np.cumsum(probability, axis=1)
    return np.asarray((random.random((len(sums), 1)) * sums[:, -1:] >= sums[:, :-1]).sum(1), np.int64)


def held_out_bits(model: Transformer, world: SyntaxKnowledge) -> float:
    """Mean bits of the values of held-out sentences: redundancy, as the oracle pays none."""
    from twopart.learners import SymbolStream, evaluate

    held_out = SymbolStream(world.sample(EVALUATED, stream=HELD_OUT), names=False)
    return float(evaluate(model, held_out).value.mean())
