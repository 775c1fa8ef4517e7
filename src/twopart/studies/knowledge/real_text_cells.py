"""The readers of the study of real text, all examined on the same held-out documents, and what is measured of its words.

A model's learning rate knows nothing of the run's length, so every run up to a data size is a run of that length. Between two
sizes it reads rows in random order: a learner that reads one document after the other leans towards the last. Each held-out
document meets the reader as it stood after so many bytes: a model is frozen and sees its context, the compressor learns on
within the document, as it always does.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart.codes import Exam, numbered, word_bits
from twopart.fits import pitman_yor
from twopart.lab import Cell
from twopart.learners import ArrayStream, Encoded, Progress, in_rows, learn_pairs, shuffled_between, token_bits, train
from twopart.lossless import ContextMixing
from twopart.lossless.predictor import Predictor
from twopart.roles import Role
from twopart.studies.knowledge.real_text import Compressor, Control, Model, Reading
from twopart.tools.measure import measure
from twopart.worlds import PitmanYor, words_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CHECKPOINT_EVERY = 5_000  # rows
LEARNING = 3  # tokens that can be asked while one is learned: forward, and twice as much backward
PART = 1 << 16  # bytes compressed at once
COPYING = 16_000  # bytes that can be compressed while a compressor is copied
TENTH = 0.1
DOUBLINGS = 6
"""Windows of the control: the last half of the words, the half before it, and so on."""


def train_model(case: Model, cell: Cell) -> pl.DataFrame:
    """The rows of `Exam.mark` at every size, with the run's `params`, `tokens` and `flops` so far, and `held_out_tokens`."""
    vocabulary, text, held_out = encode(case.reading, case.sizes[0], case.vocabulary)
    context, moments = case.context, rows_at(text.ends, case)
    model = case.shape.of(vocabulary + 1, context)  # one more token opens each row
    tokens = in_rows(text.tokens[: moments[-1] * context], context, bos=vocabulary)
    learning, asking = LEARNING * tokens[:, 1:].size, len(held_out.tokens)
    total = learning + asking * len(moments)

    def told(at: Progress) -> None:
        cell.progress(learning * at.done / at.total, total, f"{at.bits['total'] / context:.2f} bits a token")

    how = replace(case.training.training(cell.device), checkpoint_every=CHECKPOINT_EVERY)
    stream = ArrayStream(tokens[shuffled_between(moments, cell.seed)], np.full(context + 1, Role.SYNTAX, np.uint8))
    trained = train(how, model, stream, seed=cell.seed, folder=cell.folder, snapshots=moments, on_progress=told)
    marks, documents = [], case.reading.documents
    exam = Exam(documents.held_out, documents.text, case.sizes)
    for moment, (rows, snapshot) in enumerate(trained.snapshots.items()):
        run = {"params": model.parameters, "tokens": rows * context, "held_out_tokens": asking}
        run["flops"] = run["tokens"] * model.flops_per_token
        mark = exam.mark(moment, token_bits(snapshot, held_out.tokens), held_out.ends)
        marks.append(mark.with_columns(**{name: pl.lit(value, pl.Int64) for name, value in run.items()}))
        cell.progress(learning + asking * (moment + 1), total, "examined")
    return pl.concat(marks)


@lru_cache(maxsize=1)
def encode(reading: Reading, least: int, vocabulary: int) -> tuple[int, Encoded, Encoded]:
    """How many tokens there are, and the text to read and the one held out in them; made on the first `least` bytes."""
    documents = reading.documents
    pairs = learn_pairs(documents.text[:least], vocabulary)
    return pairs.vocabulary, pairs.encode(documents.read), pairs.encode(documents.held_out)


def rows_at(ends: Integers, case: Model) -> tuple[int, ...]:
    """Rows read after each size in bytes: whole updates, the nearest number that the text has."""
    update = case.training.batch * case.context
    tokens = np.searchsorted(ends, case.sizes, side="right")
    updates = np.minimum(np.rint(tokens / update), len(ends) // update).astype(int)
    return tuple(int(n) * case.training.batch for n in updates)


def compress_text(case: Compressor, cell: Cell) -> pl.DataFrame:
    """The rows of `Exam.mark` at every size for context mixing: what the held-out would add to its file."""
    documents, held_out = case.reading.documents, case.reading.documents.held_out
    exam, marks = Exam(held_out, documents.text, case.sizes), []
    text = np.frombuffer(documents.text, np.uint8)
    predictor = ContextMixing("fast").sized(len(text)).start()
    ends = np.arange(1, sum(map(len, held_out)) + 1)
    asking = len(ends) + COPYING * len(held_out)
    total = len(text) + asking * len(case.sizes)
    for moment, (start, stop) in enumerate(pairwise((0, *case.sizes))):
        for at in range(start, stop, PART):
            predictor.encode(text[at : min(stop, at + PART)])
            cell.progress(at + asking * moment, total)
        marks.append(exam.mark(moment, np.concatenate([costs(predictor, one) for one in held_out]), ends))
        cell.progress(stop + asking * (moment + 1), total)
    return pl.concat(marks)


def costs(predictor: Predictor, document: bytes) -> Floats:
    """Bits of each byte of a document, were it the next; the predictor stays as it is."""
    bits = np.empty(len(document))
    copy.deepcopy(predictor).encode(np.frombuffer(document, np.uint8), bits)
    return bits


def measure_words(case: Reading, cell: Cell) -> pl.DataFrame:
    """Two kinds of rows, told apart by `axis`.

    whole, tenth   the law of all words and of a random tenth: tokens, distinct, discount, error
    growth         by tokens: distinct words in the text's order and in random order
    """
    path = cell.folder / "text"
    path.write_bytes(case.documents.text)
    found = measure(path, unit="identifiers", part=TENTH, seed=cell.seed)
    laws = [("whole", found.law), ("tenth", found.part)]
    law = [(axis, one.tokens, float(one.distinct), one.discount, one.discount_error) for axis, one in laws]
    grown = [("growth", row.tokens, float(row.file), row.random) for row in found.growth]
    cell.progress(1, 1)
    counted = pl.DataFrame(law, ["axis", "tokens", "distinct", "discount", "error"], orient="row")
    growth = pl.DataFrame(grown, ["axis", "tokens", "distinct", "random"], orient="row")
    return pl.concat([counted, growth], how="diagonal")


def code_words(case: Control, cell: Cell) -> pl.DataFrame:
    """Mean bits per word in windows that end at a half, a quarter, ... and at all of the words: `words` read before, `bits`.

    Nothing is trained and nothing is held out: every word is predicted before it is read.
    """
    types, spelling = numbered(words_of(case.reading.documents.text))
    fitted = pitman_yor(np.bincount(types))
    law = PitmanYor(fitted.discount, fitted.concentration)
    if case.source == "shuffled":
        types = _random.generator(cell.seed, "control").permutation(types)
    if case.source == "drawn":
        types = np.unique(law.draw(len(types), seed=cell.seed), return_inverse=True)[1]
        spelling = np.full(int(types.max()) + 1, spelling.mean())
    bits = word_bits(types, spelling, law)
    ends = (len(types) * 0.5 ** np.arange(DOUBLINGS, -1, -1)).round().astype(int)
    means = np.diff(np.append(0, np.cumsum(bits))[ends]) / np.diff(ends)
    cell.progress(1, 1)
    return pl.DataFrame({"words": ends[:-1], "bits": means})
