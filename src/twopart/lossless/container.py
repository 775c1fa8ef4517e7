"""The file that holds a code. All integers are little-endian.

    magic      8 bytes  89 't' 'w' 'o' 'p' 'a' 'r' 't'
    header     version (1 byte), length (2), JSON of that length: {"kind": ..., fields of the method ...}, CRC-32 of all
    before (4)
    model      in a two-part code only: FF FF FF FF, length (4), piece of it, CRC-32 of this frame (4), and again until a piece
    is shorter than 1 MiB
    frames     original length (4), code length (4), code, CRC-32 of this frame (4); the last frame's original length is 0
    trailer    original length in all (8), BLAKE2b-128 of the original (16), BLAKE2b-128 of the file up to here (16)

A code is never longer than its original. One as long *is* the original: what does not compress is stored, so a file grows by no
more than its header, trailer, and 12 bytes in a MiB.

A frame is checked before it is decoded and the whole after, so a damaged file ends in `DamagedError`, never in wrong bytes
taken for right ones.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from twopart._checks import InputError

MAGIC = b"\x89twopart"
VERSION = 1
FRAME_BYTES = 1 << 20
"""The longest original part in one frame, and the longest piece of a model.

Readers hold one frame at a time, so this bounds memory, and what a damaged length can ask for.
"""
MODEL = 0xFFFFFFFF
"""Stands where a frame of data has the length of its original."""
_HEADER, _FRAME, _CRC, _TRAILER = (
    struct.Struct("<BH"),
    struct.Struct("<II"),
    struct.Struct("<I"),
    struct.Struct("<Q16s16s"),
)
OVERHEAD = len(MAGIC) + _HEADER.size + _CRC.size + _FRAME.size + _CRC.size + _TRAILER.size
"""Bytes of a container beside the JSON and the frames that hold data."""


class DamagedError(InputError):
    """The container is truncated or altered, or not one at all."""


class Writer:
    """Writes a container to `sink`; `finish` must come last."""

    def __init__(self, sink: BinaryIO, method: dict[str, Any]) -> None:
        self._sink, self._content, self._original, self._length = sink, _digest(), _digest(), 0
        self.written = 0
        """Bytes of the container so far."""
        words = json.dumps(method, separators=(",", ":")).encode()
        header = MAGIC + _HEADER.pack(VERSION, len(words)) + words
        self._write(header + _CRC.pack(zlib.crc32(header)))

    def model(self, model: bytes) -> None:
        """The first part of a two-part code; it comes before the data, once."""
        for start in range(0, len(model) + 1, FRAME_BYTES):
            self._frame(MODEL, model[start : start + FRAME_BYTES])

    def frame(self, original: bytes, code: bytes) -> None:
        """The code of the next part of the original, 1 to FRAME_BYTES bytes of it."""
        self._original.update(original)
        self._length += len(original)
        self._frame(len(original), code)

    def finish(self) -> None:
        self._frame(0, b"")
        self._write(_TRAILER.pack(self._length, self._original.digest(), self._content.digest()))

    def _frame(self, length: int, code: bytes) -> None:
        frame = _FRAME.pack(length, len(code)) + code
        self._write(frame + _CRC.pack(zlib.crc32(frame)))

    def _write(self, data: bytes) -> None:
        self._content.update(data)
        self._sink.write(data)
        self.written += len(data)


class Reader:
    """Reads a container from `source`: `method`, `model()` if it is a two-part code, `frames()`, whose originals go to
    `restored` one by one, then `finish`.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._content, self._original, self._length = source, _digest(), _digest(), 0
        start = source.read(len(MAGIC))
        if start != MAGIC:
            raise DamagedError(
                "not a file that `twopart compress` wrote: it does not begin with its magic bytes; name one that does"
            )
        self._content.update(start)
        self.method: dict[str, Any] = self._header(start)

    def _header(self, start: bytes) -> dict[str, Any]:
        fixed = self._read(_HEADER.size)
        version, length = _HEADER.unpack(fixed)
        if version != VERSION:
            raise DamagedError(
                f"container version {version}, this twopart reads version {VERSION}; use the twopart that wrote it"
            )
        words = self._read(length)
        self._check(start + fixed + words, "header")
        method = json.loads(words)
        assert isinstance(method, dict)
        return method

    def model(self) -> bytes:
        """The model, checked."""
        pieces = bytearray()
        while True:
            mark, piece = self._frame()
            if mark != MODEL:
                raise damaged("its model is missing")
            pieces += piece
            if len(piece) < FRAME_BYTES:
                return bytes(pieces)

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Length of the original and code of each frame, both checked."""
        while True:
            original, code = self._frame()
            if original == MODEL:
                raise damaged("a model stands where data should")
            if original == 0:
                return
            yield original, code

    def _frame(self) -> tuple[int, bytes]:
        """What the next frame's code stands for, and the code, checked."""
        fixed = self._read(_FRAME.size)
        original, length = _FRAME.unpack(fixed)
        most = FRAME_BYTES if original == MODEL else original
        if most > FRAME_BYTES or length > most:
            raise damaged("a frame has an impossible length")
        code = self._read(length)
        self._check(fixed + code, "frame")
        return original, code

    def restored(self, original: bytes) -> None:
        """Count what was decoded."""
        self._original.update(original)
        self._length += len(original)

    def finish(self) -> None:
        """Check the whole, and that nothing follows."""
        content = self._content.digest()
        trailer = self._source.read(_TRAILER.size + 1)
        if len(trailer) < _TRAILER.size:
            raise damaged("it is truncated")
        if len(trailer) > _TRAILER.size:
            raise damaged("something follows its end")
        length, original, expected = _TRAILER.unpack(trailer)
        if expected != content:
            raise damaged("the checksum of its content differs")
        if (length, original) != (self._length, self._original.digest()):
            raise damaged("what was decoded is not what was coded: the checksum of the original differs")

    def _read(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) < size:
            raise damaged("it is truncated")
        self._content.update(data)
        return data

    def _check(self, data: bytes, part: str) -> None:
        if _CRC.unpack(self._read(_CRC.size))[0] != zlib.crc32(data):
            raise damaged(f"the checksum of a {part} differs")


def damaged(reason: str) -> DamagedError:
    """The error that says so."""
    return DamagedError(f"the compressed file is damaged: {reason}; get a fresh copy of it")


def _digest() -> Any:
    return hashlib.blake2b(digest_size=16)
