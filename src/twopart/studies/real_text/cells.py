"""The pieces of work on text in its order: a model, or a compressor, reads it once and is examined on the way.

A model's learning rate knows nothing of the run's length, so every run up to a data size is a run of that length. Between two
sizes it reads rows in random order: a learner that reads one document after the other leans towards the last. Each held-out
document meets the reader as it stood after so many bytes: a model is frozen and sees its context, the compressor learns on
within the document, as it always does.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart import _random
from twopart.studies._ladder import heads_of, one_pass
from twopart.studies.real_text.corpus import Reading, divide
from twopart.studies.real_text.exam import Exam
from twopart.studies.real_text.tokens import Encoded, Integers, encode

if TYPE_CHECKING:
    from twopart.lab import Cell
    from twopart.learners import TrainingConfig, Transformer, TransformerConfig

ROWS = 64
"""Rows examined at once."""
PART = 1 << 20
"""Bytes compressed at once."""
CHECKPOINT_EVERY = 5_000
"""Rows between checkpoints."""


@dataclass(frozen=True)
class ModelCell:
    """One model's pass."""

    label: str
    reading: Reading
    sizes: tuple[int, ...]
    vocabulary: int
    width: int
    layers: int
    context: int
    batch: int
    learning_rate: float
    warmup: int
    hold: int


@dataclass(frozen=True)
class CompressorCell:
    """One compressor's pass."""

    label: str
    reading: Reading
    sizes: tuple[int, ...]


def train_model(config: ModelCell, cell: Cell) -> pl.DataFrame:
    """The rows of `Exam.mark` at every size, with the run's `params`, `tokens` and `flops` so far, and `held_out_tokens`."""
    from twopart.learners import ArrayStream, train
    from twopart.roles import Role

    vocabulary, text, held_out = encode(config.reading, config.sizes[0], config.vocabulary)
    model = shape(config, vocabulary)
    moments = rows_at(text.ends, config)
    order = shuffled_between(moments, cell.seed)
    tokens = in_rows(text.tokens[: moments[-1] * config.context], config.context, bos=vocabulary)[order]
    roles = np.full(tokens.shape[1], Role.SYNTAX, np.uint8)
    trained = train(
        settings(config, cell.device),
        model,
        ArrayStream(tokens, roles),
        seed=cell.seed,
        folder=cell.folder,
        snapshots=moments,
        on_progress=lambda state: cell.progress(
            state.done, state.total, f"{state.bits['total'] / config.context:.2f} bits a token"
        ),
    )
    corpus = divide(config.reading)
    exam = Exam(corpus.held_out, corpus.text, config.sizes)
    marks = []
    for moment, (rows, snapshot) in enumerate(trained.snapshots.items()):
        bits = token_bits(snapshot, held_out, config.context)
        read = rows * config.context
        run = {"params": model.parameters, "tokens": read, "flops": read * model.flops_per_token}
        run["held_out_tokens"] = len(bits)
        marks.append(
            exam.mark(moment, bits, held_out.ends).with_columns(**{k: pl.lit(v, pl.Int64) for k, v in run.items()})
        )
    return pl.concat(marks)


def shape(config: ModelCell, vocabulary: int) -> TransformerConfig:
    """The model; one more token opens each row."""
    from twopart.learners import TransformerConfig

    return TransformerConfig(vocabulary + 1, config.context, config.layers, config.width, heads_of(config.width))


def settings(config: ModelCell, device: str) -> TrainingConfig:
    """One pass; a row is much longer than the sentences of other ladders, so checkpoints come after fewer."""
    chosen = one_pass(config.batch, config.learning_rate, config.warmup, config.hold, device)
    return replace(chosen, checkpoint_every=CHECKPOINT_EVERY)


def rows_at(ends: Integers, config: ModelCell) -> tuple[int, ...]:
    """Rows read after each size in bytes: whole updates, the nearest number that the text has."""
    update = config.batch * config.context
    tokens = np.searchsorted(ends, config.sizes, side="right")
    updates = np.minimum(np.rint(tokens / update), len(ends) // update).astype(int)
    return tuple(int(n) * config.batch for n in updates)


def shuffled_between(moments: tuple[int, ...], seed: int) -> Integers:
    """The rows in an order that leaves each among those of its own stretch between two moments."""
    random = _random.generator(seed, "rows")
    return np.concatenate([start + random.permutation(stop - start) for start, stop in pairwise((0, *moments))])


def in_rows(tokens: Integers, context: int, bos: int) -> NDArray[np.uint16]:
    """Rows of `context` tokens, each behind BOS; what lacks in the last is filled with BOS."""
    rows = -(-len(tokens) // context)
    out = np.full((rows, context + 1), bos, np.uint16)
    padded = np.full(rows * context, bos, np.uint16)
    padded[: len(tokens)] = tokens
    out[:, 1:] = padded.reshape(rows, context)
    return out


def token_bits(model: Transformer, text: Encoded, context: int) -> NDArray[np.float64]:
    """What each token of a text costs the model, in rows as it was trained."""
    import torch
    from torch.nn import functional

    rows = in_rows(text.tokens, context, bos=model.config.vocabulary - 1).astype(np.int64)
    device, parts = model.embedding.device, []
    with torch.no_grad():
        for start in range(0, len(rows), ROWS):
            part = torch.from_numpy(rows[start : start + ROWS]).to(device)
            logits = model(part[:, :-1]).float()
            parts.append(functional.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten(), reduction="none").cpu())
    nats = torch.cat(parts)[: len(text.tokens)].double().numpy()
    return np.asarray(nats / np.log(2))


def compress_text(config: CompressorCell, cell: Cell) -> pl.DataFrame:
    """The rows of `Exam.mark` at every size for context mixing, without training: what the held-out would add to its file."""
    from twopart.lossless import ContextMixing

    corpus = divide(config.reading)
    exam = Exam(corpus.held_out, corpus.text, config.sizes)
    text = np.frombuffer(corpus.text, np.uint8)
    predictor = ContextMixing("fast").sized(len(text)).start()
    ends = np.arange(1, sum(map(len, corpus.held_out)) + 1)
    marks = []
    for moment, (start, stop) in enumerate(pairwise((0, *config.sizes))):
        for at in range(start, stop, PART):
            predictor.encode(text[at : min(stop, at + PART)])
        marks.append(exam.mark(moment, np.concatenate([costs(predictor, one) for one in corpus.held_out]), ends))
        cell.progress(stop, config.sizes[-1])
    return pl.concat(marks)


def costs(predictor: object, document: bytes) -> NDArray[np.float64]:
    """Bits of each byte of a document, were it the next; the predictor stays as it is."""
    bits = np.empty(len(document))
    copied = copy.deepcopy(predictor)
    copied.encode(np.frombuffer(document, np.uint8), bits)  # type: ignore[attr-defined]
    return bits
