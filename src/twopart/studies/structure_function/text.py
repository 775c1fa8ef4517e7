"""The pieces of work on a text: each codes it, decodes it, and gives back sizes in bits, a row for each code."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from twopart.lossless import (
    ContextCounts,
    ContextMixing,
    PitmanYorBytes,
    TwoPartTransformer,
    compress_file,
    decompress_file,
    file_lengths,
)
from twopart.studies.structure_function.cells import check_restored
from twopart.studies.structure_function.corpora import Text

if TYPE_CHECKING:
    from twopart.lab import Cell


DECODED = 50_000
"""Bytes of the text that a transformer's code is decoded for, at each precision: it takes as long as coding them."""


@dataclass(frozen=True)
class TextCountCell:
    """Count models of the text, of one order at all prices."""

    label: str
    text: Text
    order: int
    prices: tuple[float, ...]


def code_text_by_counts(config: TextCountCell, cell: Cell) -> pl.DataFrame:
    """A row for each price: `model`, `data` and the whole file, `total`."""
    rows = []
    for done, price in enumerate(config.prices):
        rows.append({"price": price, **in_files(config.text.data, ContextCounts(config.order, price), cell.folder)})
        cell.progress(done + 1, len(config.prices))
    return pl.DataFrame(rows)


def in_files(data: bytes, method: Any, folder: Path) -> dict[str, int]:
    """Code `data` from a file into another and back; where its bits are."""
    text, code, again = (folder / name for name in ("text", "code", "again"))
    text.write_bytes(data)
    lengths = compress_file(text, code, method)
    decompress_file(code, again)
    check_restored(again.read_bytes() == data)
    assert lengths.total == 8 * code.stat().st_size
    return {"model": lengths.model, "data": lengths.data, "total": lengths.total}


@dataclass(frozen=True)
class PrequentialCell:
    """The text by a code that sends no model; `level` of context mixing, or "pitman-yor"."""

    label: str
    text: Text
    level: str


def code_prequentially(config: PrequentialCell, cell: Cell) -> pl.DataFrame:
    """One row, its `model` 0."""
    method: Any = PitmanYorBytes() if config.level == "pitman-yor" else ContextMixing(config.level)
    return pl.DataFrame([in_files(config.text.data, method, cell.folder)])


@dataclass(frozen=True)
class TextTransformerCell:
    """One transformer of the text, at all precisions: steps in standard deviations of weights."""

    label: str
    text: Text
    width: int
    epochs: int
    steps: tuple[float, ...]

    @property
    def method(self) -> TwoPartTransformer:
        return TwoPartTransformer(width=self.width, heads=max(1, self.width // 16), epochs=self.epochs)


def code_text_by_transformer(config: TextTransformerCell, cell: Cell) -> pl.DataFrame:
    """A row for each step: `model`, `data` and the whole file, `total`."""
    data = config.text.data
    trained, rows = config.method.train(data), []
    for done, step in enumerate(config.steps):
        method, model = replace(config.method, step=step), trained.model(step)
        lengths = file_lengths(data, method, model)
        check_restored(_decoded(method, model, data) == data)
        rows.append({"step": step, "model": lengths.model, "data": lengths.data, "total": lengths.total})
        cell.progress(done + 1, len(config.steps))
    return pl.DataFrame(rows)


def _decoded(method: TwoPartTransformer, model: bytes, data: bytes) -> bytes:
    """The beginning of the text, as long as one part of a file but no longer, there and back; the rest as it is."""
    part = np.frombuffer(data[:DECODED], np.uint8)
    code = method.load(model).encode(part)
    return bytes(method.load(model).decode(code, len(part))) + data[DECODED:]


@dataclass(frozen=True)
class PeerCell:
    """The text by other people's compressors."""

    label: str
    text: Text


Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]


def code_by_peers(config: PeerCell, cell: Cell) -> pl.DataFrame:
    """A row for each: `code`, `total` and a `note`, which says why there is no total where there is none."""
    data, rows = config.text.data, []
    for name, codec in peers():
        total, note = None, "its module is not installed"
        if codec is not None:
            encode, decode = codec
            code = encode(data)
            restored = decode(code) == data
            total, note = (8 * len(code), "") if restored else (None, "it does not restore what it coded")
        rows.append({"code": name, "total": total, "note": note})
    return pl.DataFrame(rows, schema={"code": pl.String, "total": pl.Int64, "note": pl.String})


def peers() -> Iterator[tuple[str, Codec | None]]:
    """Each at its strongest usual setting; None where its module is missing."""
    yield "xz -9e", (lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress)
    yield "bzip2 -9", (bz2.compress, bz2.decompress)
    yield "gzip -9", (lambda data: zlib.compress(data, 9), zlib.decompress)
    zstandard, brotli, ppmd = _module("zstandard"), _module("brotli"), _module("pyppmd")
    yield "zstd -22", zstandard and (zstandard.ZstdCompressor(level=22).compress, zstandard.decompress)
    yield "brotli -11", brotli and (lambda data: brotli.compress(data, quality=11, lgwin=24), brotli.decompress)
    yield "PPMd, order 16", ppmd and _ppmd(ppmd)


def _ppmd(module: Any) -> Codec:
    """Variant H, as in 7z, with 256 MiB; its code does not say how long the text is, so 8 bytes before it do."""
    settings = 16, 256 << 20

    def encode(data: bytes) -> bytes:
        encoder = module.Ppmd7Encoder(*settings)
        code: bytes = len(data).to_bytes(8, "little") + encoder.encode(data) + encoder.flush()
        return code

    def decode(code: bytes) -> bytes:
        return bytes(module.Ppmd7Decoder(*settings).decode(code[8:], int.from_bytes(code[:8], "little")))

    return encode, decode


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
