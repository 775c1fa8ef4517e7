"""The codes of the structure-function study: each codes a corpus or a text, decodes it, and gives back what its parts take.

Rows are codes, with `model`, `data` and `total` in bits. Ideal codes have beside them `syntax` and `value`, the data bits of
templates and of facts as their model's probabilities give them, `facts` and `fineness` of the model, and what the oracle and
the Bayes code take for the same sentences: `oracle`, `bayes`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.codes import bayes_code, oracle_code
from twopart.codes.ideal import IdealModel
from twopart.lab import Cell
from twopart.learners import Transformer, train
from twopart.learners.knowledge.reading import SymbolStream
from twopart.lossless import TwoPartTransformer, compress_file, decompress_file, file_lengths
from twopart.lossless.counts.model import CountModel
from twopart.lossless.neural.rows import decode_rows, encode_rows
from twopart.lossless.neural.weights import pack, unpack
from twopart.lossless.peers import peers, size_by
from twopart.studies.knowledge.structure_function import Counts, Files, Ideals, Peers, Reader
from twopart.worlds import Corpus, SymbolRendering

DECODED = 50_000
"""Bytes of the text that a transformer's code is decoded for, at each precision: it takes as long as coding them."""


def code_ideally(case: Ideals, cell: Cell) -> pl.DataFrame:
    """Every number of facts with every fineness."""
    excerpt, corpus = case.corpus.excerpt(cell.replicate), case.corpus.corpus(cell.replicate)
    oracle, bayes = oracle_code(corpus), bayes_code(corpus)
    known = {"oracle": float(oracle.syntax.sum()), "bayes": float((bayes.syntax + bayes.value).sum())}
    grid, rows = case.grid(), []
    for done, (facts, fineness) in enumerate(grid):
        model = IdealModel.sent(excerpt, facts, fineness)
        code, said = model.encode(corpus), model.lengths(corpus)
        _check_restored(IdealModel.received(excerpt, model.code).decode(code, corpus.entity) == corpus)
        bits = {**_row(8 * len(model.code), 8 * len(code)), "syntax": said.syntax.sum(), "value": said.value.sum()}
        rows.append({"facts": facts, "fineness": fineness, **bits, **known})
        cell.progress(done + 1, len(grid))
    return pl.DataFrame(rows)


def code_by_counts(case: Counts, cell: Cell) -> pl.DataFrame:
    """A row for each price."""
    data, coded = as_bytes(case.corpus.corpus())
    names, rows = np.where(coded, 0, data).astype(np.uint8), []
    for done, price in enumerate(case.prices):
        model = CountModel.learned(data, case.order, price, coded)
        code = model.start().encode(data, coded=coded)
        _check_restored(np.array_equal(CountModel.decoded(model.code).start().fill(code, names, coded), data))
        rows.append(_row(8 * len(model.code), 8 * len(code)))
        cell.progress(done + 1, len(case.prices))
    return pl.DataFrame(rows)


def as_bytes(corpus: Corpus) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The sentences in symbols, a byte each, and which of these are coded: all but the names'."""
    rendering = SymbolRendering(corpus.world)
    rows = rendering.encode(corpus).tokens
    coded = np.arange(rows.shape[1]) >= rendering.name_tokens
    return rows.astype(np.uint8).ravel(), np.tile(coded, len(rows))


def code_by_transformer(case: Reader, cell: Cell) -> pl.DataFrame:
    """A row for each step. Epochs read the corpus each in another order; then weights are rounded and sent."""
    corpus = case.corpus.corpus()
    read, there_and_back = case.epochs * len(corpus), 2 * len(corpus) / 3  # learning takes 3 times as long
    whole = read + len(case.steps) * there_and_back
    rng = np.random.default_rng(cell.seed)
    order = np.concatenate([rng.permutation(len(corpus)) for _ in range(case.epochs)])
    trained = train(
        case.training.training("cpu"),  # coder and decoder must do the same arithmetic
        case.shape.reading(corpus.world),
        SymbolStream(corpus[order], names=False),
        seed=cell.seed,
        folder=cell.folder,
        on_progress=lambda at: cell.progress(read * at.done / at.total, whole, f"{at.bits['value']:.2f} value bits"),
    ).model
    rendering, rows = SymbolRendering(corpus.world), []
    tokens, given = rendering.encode(corpus).tokens.astype(np.int64), rendering.name_tokens
    names = np.where(np.arange(tokens.shape[1]) < given, tokens, 0)
    for done, step in enumerate(case.steps):
        model = pack(trained, step)
        data = encode_rows(_received(model, trained), tokens, given)
        _check_restored(np.array_equal(decode_rows(_received(model, trained), names, given, data), tokens))
        rows.append(_row(8 * len(model), 8 * len(data)))
        cell.progress(read + (done + 1) * there_and_back, whole)
    return pl.DataFrame(rows)


def _received(model: bytes, like: Transformer) -> Transformer:
    """The transformer whose packed weights these are."""
    found = Transformer(like.config)
    unpack(model, found)
    return found


def code_in_files(case: Files, cell: Cell) -> pl.DataFrame:
    """A row for each method; without a model its `model` is 0. One method alone reports parts of 1 MiB too."""
    text, code, again = (cell.folder / name for name in ("text", "code", "again"))
    text.write_bytes(data := case.text.data)
    whole, read, rows = 2 * len(data) * len(case.methods), [0], []  # there and back

    def observer(part: NDArray[np.uint8], _: NDArray[np.float64]) -> None:
        read.append(read[-1] + len(part))
        cell.progress(read[-1], whole)

    for done, method in enumerate(case.methods):
        lengths = compress_file(text, code, method, observer if len(case.methods) == 1 else None)
        decompress_file(code, again)
        _check_restored(again.read_bytes() == data and lengths.total == 8 * code.stat().st_size)
        rows.append(_row(lengths.model, lengths.data, lengths.container))
        cell.progress(2 * len(data) * (done + 1), whole)
    return pl.DataFrame(rows)


def code_in_files_by_transformer(case: Files, cell: Cell) -> pl.DataFrame:
    """A row for each step of one transformer, which is trained once."""
    data, methods, rows = case.text.data, cast(tuple[TwoPartTransformer, ...], case.methods), []
    read, there_and_back = methods[0].epochs * len(data), len(data) + 2 * min(DECODED, len(data))
    whole = read + len(methods) * there_and_back
    trained = replace(methods[0], step=None).train(data, lambda done: cell.progress(done, whole))
    for done, method in enumerate(methods):
        model = trained.model(cast(float, method.step))
        lengths, part = file_lengths(data, method, model), np.frombuffer(data[:DECODED], np.uint8)
        code = method.load(model).encode(part)
        _check_restored(np.array_equal(method.load(model).decode(code, len(part)), part))
        rows.append(_row(lengths.model, lengths.data, lengths.container))
        cell.progress(read + (done + 1) * there_and_back, whole)
    return pl.DataFrame(rows)


def code_by_peers(case: Peers, cell: Cell) -> pl.DataFrame:
    """A row for each by name, all of it data; a `note` says why there is no size where there is none."""
    data, rows, known = case.text.data, [], list(peers())
    for done, (name, codec) in enumerate(known):
        bits, note = size_by(codec, data)
        rows.append({"code": name, "model": 0, "data": bits, "total": bits, "note": note})
        cell.progress(done + 1, len(known))
    return pl.DataFrame(rows, infer_schema_length=None)


def _row(model: int, data: int, container: int = 0) -> dict[str, int]:
    return {"model": model, "data": data, "total": model + data + container}


def _check_restored(same: bool) -> None:
    """A code that does not decode is no code."""
    if not same:
        raise AssertionError("what was decoded is not what was coded")
