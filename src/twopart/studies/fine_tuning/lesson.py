"""What fine-tuning tells, and what is asked on the way.

Lesson(config).stream          the sentences of fine-tuning, replayed ones among them
Lesson(config).ask(model, ..)  the answers of a model, in rows as `cells.py` describes them
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart.studies.fine_tuning.cells import DOSES, FORMAT, PretrainCell, TuneCell
from twopart.worlds import Corpus, ShiftedWorld, SyntaxKnowledge

if TYPE_CHECKING:
    from twopart.learners import TokenStream, Transformer

AFTER = 1  # the stream that fine-tuning and replay read; pretraining reads stream 0


class Lesson:
    """What a model is told, and what it is asked."""

    def __init__(self, config: TuneCell) -> None:
        self.config, self.start = config, config.start
        self.excerpt = config.start.excerpt(config.strangers)

    @cached_property
    def corpus(self) -> Corpus:
        """The sentences of fine-tuning but for those replayed."""
        config = self.config
        n = config.sentences
        if config.tells == FORMAT:
            return practised(self.start, n)
        if config.tells == DOSES:
            return dosed(self.enlarged, config.new, config.doses)
        return self.enlarged.sample(n, AFTER)

    @property
    def news(self) -> int:
        """How many new entities there are."""
        return self.config.new * (len(self.config.doses) if self.config.tells == DOSES else 1)

    @property
    def enlarged(self) -> ShiftedWorld:
        return self.start.enlarged(self.news)

    @property
    def stream(self) -> TokenStream:
        from twopart.learners import ReplayStream, SymbolStream

        config = self.config
        new = SymbolStream(self.corpus, names=False)
        if config.replay == 0:
            return new
        return ReplayStream(new, self.old(config.sentences, AFTER), config.replay, config.sentences)

    def old(self, sentences: int, stream: int) -> TokenStream:
        """More of what the model was pretrained on."""
        from twopart.learners import SymbolStream

        corpus, weights = self.start.excerpt().tempered(sentences, self.start.temper, stream)
        return SymbolStream(corpus, names=False, weights=weights)

    def ask(self, model: Transformer, stage: str, n: int) -> Iterator[pl.DataFrame]:
        """Every question at one moment."""
        size = self.start.entities
        moment = [pl.lit(stage).alias("stage"), pl.lit(n, pl.Int64).alias("sentences")]
        before = self.start.before
        asked = [("old", before, self.excerpt.entity[:size]), ("stranger", before, self.excerpt.entity[size:])]
        if self.config.tells == FORMAT:
            asked.append(("reworded", self.start.reworded, self.excerpt.entity[:size]))
            syntax = format_redundancy(model, self.start.reworded, self.excerpt.entity[1:size:2])
            yield pl.DataFrame({"kind": ["format"], "syntax": [syntax]}).with_columns(moment)
        else:
            asked.append(("new", self.enlarged, ~np.arange(self.news)))
        for name, world, entity in asked:
            facts = answers(model, world, entity).join(self.told, on=["entity", "attribute"], how="left")
            facts = facts.with_columns(pl.col("told").fill_null(0), kind=pl.lit("fact"), asked=pl.lit(name))
            yield facts.drop("entity").with_columns(moment)

    @cached_property
    def told(self) -> pl.DataFrame:
        """How often fine-tuning tells each fact, replay aside."""
        length = self.config.sentences - int(self.config.sentences * self.config.replay)
        facts = pl.DataFrame({"entity": self.corpus.entity[:length], "attribute": self.corpus.attribute[:length]})
        return facts.group_by("entity", "attribute").agg(told=pl.len().cast(pl.Int64))


def practised(start: PretrainCell, sentences: int) -> Corpus:
    """Sentences in the new format about every other old entity, the first, the third, ...: the others are never asked so."""
    world, entity = start.reworded, start.excerpt().entity
    p = start.excerpt().weights[::2]
    drawn = world.sample(sentences, AFTER)
    random = _random.generator(world.seed, "practised")
    chosen = entity[::2][random.choice(len(p), sentences, p=p / p.sum())]
    value = world.value(chosen, drawn.attribute)
    return Corpus(world, chosen, drawn.attribute, drawn.template, value, np.ones(sentences))


def dosed(world: ShiftedWorld, each: int, doses: tuple[int, ...]) -> Corpus:
    """Facts about new entities, `each` of them with every dose: told exactly so often, in random order."""
    entity = ~np.arange(each * len(doses))
    attributes = len(world.attributes)
    dose = np.repeat(np.repeat(doses, each), attributes)
    order = _random.generator(world.seed, "doses").permutation(int(dose.sum()))
    ids = np.repeat(np.repeat(entity, attributes), dose)[order]
    attribute = np.repeat(np.tile(np.arange(attributes, dtype=np.int16), len(entity)), dose)[order]
    template = drawn_templates(world, attribute)
    return Corpus(world, ids, attribute, template, world.value(ids, attribute), np.ones(len(ids)))


def drawn_templates(world: SyntaxKnowledge, attribute: NDArray[np.int16]) -> NDArray[np.int16]:
    """A template for each sentence, by its attribute's probabilities."""
    uniform = _random.generator(world.seed, "dosed templates").random(len(attribute))
    cumulative = [np.cumsum(psi)[:-1] for psi in world.template_probabilities]
    template = np.zeros(len(attribute), np.int16)
    for a, steps in enumerate(cumulative):
        mine = attribute == a
        template[mine] = np.searchsorted(steps, uniform[mine], side="right")
    return template


def answers(model: Transformer, world: SyntaxKnowledge, entity: NDArray[np.int64]) -> pl.DataFrame:
    """Every fact about these entities, asked in each attribute's most frequent template."""
    from twopart.learners import recall

    which = np.arange(len(world.attributes), dtype=np.int16)
    ids, attribute = (grid.ravel() for grid in np.meshgrid(entity, which, indexing="ij"))
    asked = recall(model, world, ids, attribute)
    return pl.DataFrame(
        {
            "entity": ids,
            "rank": np.repeat(np.arange(1, len(entity) + 1), len(which)),
            "attribute": attribute,
            "gained": asked.gained_bits,
            "right": asked.right,
            "confidence": asked.confidence,
        }
    )


def format_redundancy(model: Transformer, world: SyntaxKnowledge, entity: NDArray[np.int64]) -> float:
    """Bits per sentence about these entities, all alike, that attribute and template cost beyond their entropies."""
    from twopart.learners import SymbolStream, evaluate

    psi = world.template_probabilities
    pairs = [(a, t) for a, p in enumerate(psi) for t in np.flatnonzero(p)]
    share = np.array([world.pi[a] * psi[a][t] for a, t in pairs])
    attribute, template = (np.tile(np.array(column, np.int16), len(entity)) for column in zip(*pairs, strict=True))
    ids = np.repeat(entity, len(pairs))
    corpus = Corpus(world, ids, attribute, template, world.value(ids, attribute), np.ones(len(ids)))
    bits = evaluate(model, SymbolStream(corpus, names=False), batch=2048).syntax.reshape(-1, len(pairs)) @ share
    return float(bits.mean() + share @ np.log2(share))
