"""Files and bytes into containers: streamed, one frame in memory at a time, and written aside, so whole or absent.

source -> (two-part: the whole, mapped -> fit -> model) -> parts of 1 MiB -> Predictor.encode -> Writer -> file

A pipe has no length, and a two-part method looks at everything twice: both are copied first, to a file that no one else knows.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO

import numpy as np

from twopart._checks import InputError
from twopart._files import reading, scratch, writing
from twopart.lossless.container import FRAME_BYTES, Writer
from twopart.lossless.predictor import Bytes, Floats, Method, TwoPart, predictor_of

Observer = Callable[[Bytes, Floats], None]
"""Is told each part of a file, in order, and the bits of each of its bytes."""


@dataclass(frozen=True)
class FileLengths:
    """Where the bits of a container are."""

    original: int
    """Bytes of the file that was coded."""
    container: int
    """Bits of the container's own: magic, header, lengths, checksums."""
    model: int
    """Bits of the model that is sent: 0 in a prequential code, whose model is learned from the data on both sides."""
    data: int
    """Bits of the data given the model."""

    @property
    def total(self) -> int:
        """Bits of the file."""
        return self.container + self.model + self.data

    @property
    def bits_per_byte(self) -> float:
        """Of the original; 0 if it is empty."""
        return self.total / self.original if self.original else 0.0


def compress(data: bytes, method: Method) -> bytes:
    """A container with the code of `data`."""
    sink = io.BytesIO()
    _compress(io.BytesIO(data), np.frombuffer(data, np.uint8), sink, method, None)
    return sink.getvalue()


def compress_file(
    source: str | Path,
    target: str | Path,
    method: Method,
    observer: Observer | None = None,
    *,
    replace: bool = True,
) -> FileLengths:
    """Code the file `source` into the file `target`, which appears when it is whole, with the mode and times of `source`.

    A `target` that is there is replaced if `replace`, else refused. Either may be a pipe, or "-" for standard input or output.
    Memory does not grow with the file. Raises `InputError` for what cannot be read or written so, and if the file changes
    while it is read.
    """
    with (
        writing(target, like=source, replace=replace) as sink,
        reading(source, steady=True) as opened,
        _settled(opened, twice=isinstance(method, TwoPart)) as settled,
    ):
        return _compress(settled, _mapped(settled), sink, method, observer)


def file_lengths(data: bytes, method: Method, model: bytes | None = None) -> FileLengths:
    """Where the bits of `compress(data, method)` are; by `model`, if given, instead of what a two-part method would fit."""
    return _compress(io.BytesIO(data), np.frombuffer(data, np.uint8), io.BytesIO(), method, None, model)


@contextmanager
def _settled(source: BinaryIO, *, twice: bool) -> Iterator[BinaryIO]:
    """`source` itself if it is a file to be read once, whose length is known, else a copy of it."""
    status = os.fstat(source.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_size and not twice and not source.tell():
        yield source
        return
    with scratch() as copy:
        copyfileobj(source, copy, FRAME_BYTES)
        copy.seek(0)
        yield copy


def _compress(
    source: BinaryIO,
    whole: Bytes,
    sink: BinaryIO,
    method: Method,
    observer: Observer | None,
    model: bytes | None = None,
) -> FileLengths:
    """Code `source`, of which `whole` is a view."""
    method = method.sized(len(whole))
    if model is None:
        model = method.fit(whole) if isinstance(method, TwoPart) else b""
    predictor = predictor_of(method, model)
    writer = Writer(sink, {"kind": method.kind, **asdict(method)})  # type: ignore[call-overload]
    if isinstance(method, TwoPart):
        writer.model(model)
    length = data_bytes = 0
    while part := source.read(min(FRAME_BYTES, len(whole) - length)):
        code = _code(predictor, np.frombuffer(part, np.uint8), observer)
        writer.frame(part, code)
        length, data_bytes = length + len(part), data_bytes + len(code)
    if length < len(whole):
        raise InputError(f"the file became shorter while it was read, {length} bytes of {len(whole)}; read it again")
    writer.finish()
    return FileLengths(length, 8 * (writer.written - len(model) - data_bytes), 8 * len(model), 8 * data_bytes)


def _mapped(file: BinaryIO) -> Bytes:
    """A file, which stays at its start, as an array that is read where it is looked at."""
    if not os.fstat(file.fileno()).st_size:
        return np.empty(0, np.uint8)
    mapped = np.memmap(file, np.uint8, "r")  # goes to the end of the file
    file.seek(0)
    return mapped


def _code(predictor: Any, part: Bytes, observer: Observer | None) -> bytes:
    """The code of a part, or the part itself if that is no longer. The predictor has learned from it in either case."""
    bits = np.zeros(len(part) if observer else 0)
    code = bytes(predictor.encode(part, bits if observer else None))
    stored = len(code) >= len(part)
    if stored:
        code, bits[:] = part.tobytes(), 8.0
    if observer:
        observer(part, bits)
    return code
