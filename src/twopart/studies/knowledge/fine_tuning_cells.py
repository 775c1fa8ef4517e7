"""The transformers of the fine-tuning study: a model is trained once, and then fine-tuned in many ways and asked on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.lab import Cell
from twopart.learners import LoRA, ReplayStream, SymbolStream, TokenStream, Transformer, tempered_stream, train
from twopart.learners.knowledge import format_redundancy, recall
from twopart.learners.weights import weights_table, with_weights
from twopart.studies._transformers import learn
from twopart.studies.knowledge.fine_tuning import Pretraining, Tuning
from twopart.worlds import Corpus, ShiftedWorld, SyntaxKnowledge, practised, told_so_often

AFTER = 1  # the stream that fine-tuning and replay read; pretraining reads stream 0
ASKING = 0.1  # what a question takes, in sentences learned


def pretrain(case: Pretraining, cell: Cell) -> pl.DataFrame:
    """The weights of the model, by name."""
    stream = tempered_stream(case.excerpt(cell.replicate), case.past.sentences, case.past.temper)
    trained = learn(case.past.training, untrained(case, cell.replicate).config, stream, cell)
    return weights_table(trained.model)


def untrained(case: Pretraining, replicate: int) -> Transformer:
    """A model of that shape; its vocabulary has room for the new format."""
    return Transformer(case.shape.reading(case.reworded(replicate).before))


def tune(case: Tuning, cell: Cell) -> pl.DataFrame:
    """Fine-tune the model, ask it on the way, and teach it the old sentences again if that is wanted.

    Rows, one for each question and moment:
        stage, sentences   "tuning" or "recovery", and the sentences of that stage learned so far; 0: before the first
        asked              "old" facts in the old format; "reworded": the same in the new one; "new" ones; about a "stranger"
        rank, attribute    the entity's place, from 1, by falling frequency; new entities and strangers in any order
        told               how often fine-tuning had told the fact by its end
        gained             bits: log2 of the correct value's probability over its base probability
        right, confidence  whether the best guess is correct, and its probability
    and asked about the "format", one for each moment: `syntax`, redundancy of its templates, bits per sentence.
    """
    lesson, blank = Lesson(case, cell.replicate), untrained(case.start, cell.replicate)
    start = with_weights(blank.config, cell.result("pretrain", case.start, lambda: weights_table(blank)))
    streams: dict[str, TokenStream] = {"tuning": lesson.stream}
    if case.recovery:
        streams["recovery"] = lesson.old(case.recovery[-1], AFTER + 1)
    moments = [("tuning", n) for n in case.moments] + [("recovery", n) for n in case.recovery]
    batch = case.training.batch  # moments within one update see the same model, which is asked once
    seen = {(stage, n): (stage, min(len(streams[stage]), -(-n // batch) * batch)) for stage, n in moments}
    learned, asking = sum(map(len, streams.values())), ASKING * sum(len(asked) for _, asked in lesson.questions)
    total = learned + asking * len(set(seen.values()))

    def report(before: int, state: Any) -> None:
        cell.progress(before + state.done, total, f"{state.bits['value']:.2f} value bits")

    models, model, done = {("tuning", 0): start}, start, 0
    how, adapters = case.training.training(cell.device), LoRA(case.rank, 2.0 * case.rank) if case.rank else None
    for stage, stream in streams.items():
        moments_of = sorted({n for of, n in seen.values() if of == stage and n})
        same: dict[str, Any] = {"seed": cell.seed, "folder": cell.folder / stage, "adapters": adapters}
        report_on = partial(report, done)
        trained = train(how, start.config, stream, snapshots=moments_of, start=model, on_progress=report_on, **same)
        models |= {(stage, n): snapshot for n, snapshot in trained.snapshots.items()}
        model, done = trained.model, done + len(stream)
    answers = {}
    for key, asked in models.items():
        answers[key] = pl.concat(lesson.ask(asked), how="diagonal")
        cell.progress(learned + asking * len(answers), total, "asking")
    rows = (answers[at].with_columns(stage=pl.lit(of), sentences=pl.lit(n, pl.Int64)) for (of, n), at in seen.items())
    return pl.concat(rows, how="diagonal")


@dataclass(frozen=True)
class Lesson:
    """What one model is told, and what it is asked."""

    case: Tuning
    replicate: int

    @property
    def reworded(self) -> ShiftedWorld:
        return self.case.start.reworded(self.replicate)

    @cached_property
    def enlarged(self) -> ShiftedWorld:
        return self.case.start.enlarged(self.replicate, self.case.news)

    @cached_property
    def corpus(self) -> Corpus:
        """The sentences of fine-tuning but for those replayed."""
        if self.case.tells == "format":
            return practised(self.reworded, self.case.start.excerpt(self.replicate), self.case.sentences, AFTER)
        if self.case.tells == "doses":
            return told_so_often(self.enlarged, ~np.arange(self.case.news), np.repeat(self.case.doses, self.case.new))
        return self.enlarged.sample(self.case.sentences, AFTER)

    @property
    def stream(self) -> TokenStream:
        """All sentences of fine-tuning."""
        new, sentences = SymbolStream(self.corpus, names=False), self.case.sentences
        if not self.case.replay:
            return new
        return ReplayStream(new, self.old(sentences, AFTER), self.case.replay, sentences)

    def old(self, sentences: int, stream: int) -> TokenStream:
        """More of what the model was pretrained on."""
        return tempered_stream(self.case.start.excerpt(self.replicate), sentences, self.case.start.past.temper, stream)

    @cached_property
    def told(self) -> pl.DataFrame:
        """How often fine-tuning tells each fact, replay aside."""
        length = self.case.sentences - int(self.case.sentences * self.case.replay)
        return self.corpus[:length].facts().select("entity", "attribute", "told")

    @cached_property
    def questions(self) -> list[tuple[SyntaxKnowledge, pl.DataFrame]]:
        """Every fact about some entities, by the world in whose words it is asked for, in the most frequent template."""
        size, ids = self.case.start.past.entities, self.case.start.excerpt(self.replicate, self.case.strangers).entity
        old, strangers = self._facts("old", ids[:size]), self._facts("stranger", ids[size:])
        if self.case.tells == "format":
            others = self.reworded, self._facts("reworded", ids[:size])
        else:
            others = self.enlarged, self._facts("new", ~np.arange(self.case.news))
        return [(self.reworded.before, pl.concat([old, strangers])), others]

    def _facts(self, asked: str, entity: NDArray[np.int64]) -> pl.DataFrame:
        which = np.arange(len(self.reworded.attributes), dtype=np.int16)
        rank = np.repeat(np.arange(1, len(entity) + 1), len(which))
        attribute = np.tile(which, len(entity))
        facts = pl.DataFrame({"asked": asked, "rank": rank, "entity": entity[rank - 1], "attribute": attribute})
        told = facts.join(self.told, on=["entity", "attribute"], how="left", maintain_order="left")
        return told.with_columns(pl.col("told").fill_null(0))

    def ask(self, model: Transformer) -> Iterator[pl.DataFrame]:
        """The answers to every question."""
        for world, asked in self.questions:
            found = recall(model, world, asked["entity"].to_numpy(), asked["attribute"].to_numpy())
            columns = {"gained": found.gained_bits, "right": found.right, "confidence": found.confidence}
            yield asked.drop("entity").hstack(pl.DataFrame(columns))
        if self.case.tells == "format":
            others = self.case.start.excerpt(self.replicate).entity[1::2]
            yield pl.DataFrame({"asked": "format", "syntax": format_redundancy(model, self.reworded, others)})
