"""Containers into files and bytes: streamed, one frame in memory at a time, and written aside, so whole or absent.

file -> Reader -> (model) -> Predictor.decode -> parts, each as long as it was -> sink
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from twopart._files import reading, writing
from twopart.lossless.container import DamagedError, Reader
from twopart.lossless.methods import METHODS
from twopart.lossless.predictor import Method, TwoPart, predictor_of


def decompress(container: bytes) -> bytes:
    """What `compress` was given. Raises `DamagedError` (an `InputError`) rather than return anything else."""
    sink = io.BytesIO()
    decompress_stream(io.BytesIO(container), sink)
    return sink.getvalue()


def decompress_file(source: str | Path, target: str | Path, *, replace: bool = True) -> int:
    """Restore the file `target`, which appears when its checksum has been found right, with the mode and times of `source`;
    the number of its bytes. A `target` that is there is replaced if `replace`, else refused. Either may be a pipe, or "-" for
    standard input or output, where nothing comes out before that.
    """
    with writing(target, like=source, replace=replace) as sink, reading(source) as opened:
        return decompress_stream(opened, sink)


def _part(predictor: Any, code: bytes, length: int) -> bytes:
    """The part that the encoder was given, by the same steps of the predictor."""
    if len(code) < length:
        return bytes(predictor.decode(code, length))
    predictor.encode(np.frombuffer(code, np.uint8))
    return code


def decompress_stream(source: BinaryIO, sink: BinaryIO) -> int:
    """Decode one container into `sink`, which must not be used before this has returned; the number of bytes restored."""
    reader = Reader(source)
    method = _method(reader.method)
    model = reader.model() if isinstance(method, TwoPart) else b""
    predictor: Any = None  # started by the first frame that is found whole
    length = 0
    for original, code in reader.frames():
        predictor = predictor or predictor_of(method, model)
        part = _part(predictor, code, original)
        reader.restored(part)
        sink.write(part)
        length += len(part)
    reader.finish()
    return length


def _method(fields: dict[str, Any]) -> Method:
    """The method that a header names."""
    kind = METHODS.get(str(fields.pop("kind", None)))
    if kind is None:
        raise DamagedError("this twopart does not know the container's kind of model; use the twopart that wrote it")
    try:
        method: Method = kind(**fields)
    except TypeError as error:
        raise DamagedError(
            f"this twopart does not know the container's model ({error}); use the twopart that wrote it"
        ) from None
    return method
