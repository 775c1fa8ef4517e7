"""Texts as streams of bytes: files, folders and columns of Parquet files, in blocks of bounded size.

list_sources(texts, ...)  every file, folders unfolded in the order of their paths
blocks(source)            its bytes, in blocks of a few MB; each Parquet row ends with a line end
in_utf8(blocks, ...)      a text in another encoding as bytes of UTF-8
cut(blocks)               the same bytes, cut anew between words
readable(piece)           a piece in valid UTF-8, and how many of its bytes are none
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from twopart._checks import InputError
from twopart._files import check_source, is_stream, named, reading

BLOCK = 1 << 22  # bytes read at once
LONGEST = (
    1 << 24
)  # bytes: a run without white space that is longer is cut, as a language written without spaces may need
HEAD = 1 << 13  # bytes that are looked at to tell text from binary
SPACES = b" \n\t\r"
UTF8 = "utf-8"
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Encodings by the mark that a text begins with; that of UTF-32 begins as that of UTF-16 does."""


@dataclass(frozen=True)
class Source:
    """One file."""

    path: Path
    """Where it is."""
    column: str | None = None
    """The column of strings, for a Parquet file."""


def list_sources(texts: Sequence[str | Path], column: str | None = None, pattern: str = "*") -> list[Source]:
    """The files that `texts` name, in the order given; a folder stands for the files below it, sorted by path.

    In a folder files whose names do not match `pattern` and hidden ones are left out, and so are Parquet files without a
    `column` and others with one.
    """
    if not texts:
        raise InputError("there is no text to measure; name files or folders")
    return [source for text in texts for source in _unfolded(named(text), column, pattern)]


def _unfolded(path: Path, column: str | None, pattern: str) -> Iterator[Source]:
    if is_stream(path) or not path.is_dir():
        check_source(path, "name a file or a folder")
        yield _source(path, column)
        return
    for _ in os.walk(path, onerror=_refuse):  # rglob passes over folders that may not be read, and says nothing
        pass
    below = sorted(p for p in path.rglob(pattern) if p.is_file() and not _hidden(p.relative_to(path)))
    wanted = [p for p in below if (p.suffix == ".parquet") == (column is not None)]
    if not wanted:
        kind = "no file" if column is None else "no Parquet file"
        matching = "" if pattern == "*" else f" that matches {pattern!r}"
        raise InputError(f"there is {kind}{matching} below {path}; name another folder")
    yield from (_source(p, column) for p in wanted)


def _refuse(error: OSError) -> None:
    raise error


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _source(path: Path, column: str | None) -> Source:
    if path.suffix != ".parquet":
        if column is not None:
            raise InputError(f"{path} is no Parquet file, and only those have a column {column!r}; leave --column out")
        return Source(path)
    if column is None:
        raise InputError(f"{path} is a Parquet file; name its column of texts with --column")
    try:
        schema = pq.read_schema(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is no Parquet file that can be read ({error}); name another") from None
    if column not in schema.names:
        raise InputError(f"{path} has no column {column!r}; it has {', '.join(schema.names)}")
    kind = schema.field(schema.names.index(column)).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind  # pandas writes categories so
    if str(kind) not in ("string", "large_string", "string_view"):
        raise InputError(f"column {column!r} of {path} holds {kind}, not strings; choose another")
    return Source(path, column)


def blocks(source: Source) -> Iterator[bytes]:
    """The bytes of a source. The rows of a Parquet column each end with a line end, and empty ones are left out."""
    if source.column is not None:
        yield from _rows(source.path, source.column)
        return
    with reading(source.path) as file:
        while block := file.read(BLOCK):
            yield block


def _rows(path: Path, column: str) -> Iterator[bytes]:
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=4096, columns=[column]):
            rows = [text for text in batch.column(0).to_pylist() if text]
            if rows:
                yield ("\n".join(rows) + "\n").encode()
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is no Parquet file that can be read ({error}); name another") from None


def looks_binary(head: bytes) -> bool:
    """Whether these first bytes are none of a text: a text in UTF-8 or in any code of one byte a letter has no zero byte."""
    return b"\0" in head[:HEAD]


def check_encoding(name: str) -> str:
    """Python's name of a text encoding."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        found = None
    if found is None or not getattr(found, "_is_text_encoding", True):
        raise InputError(f"there is no text encoding {name!r}; utf-8, utf-16, cp1252 and latin-1 are usual ones")
    return UTF8 if found.name == "utf-8-sig" else found.name


def in_utf8(
    stream: Iterator[bytes], encoding: str | None, unread: Callable[[int], None]
) -> tuple[str, Iterator[bytes]]:
    """The encoding of a text, told by its mark if by nobody, and the text in UTF-8 without that mark.

    What is already in UTF-8 is passed on as it is; of other encodings `unread` is told how many bytes could not be read.
    """
    first = next(stream, b"")
    name = encoding or next((found for mark, found in MARKS.items() if first.startswith(mark)), UTF8)
    text: Iterator[bytes] = chain((first,), stream)
    if name != UTF8:
        text = _recoded(text, name, unread)
        first = next(text, b"")
        text = chain((first,), text)
    if first.startswith(codecs.BOM_UTF8):
        text = chain((next(text).removeprefix(codecs.BOM_UTF8),), text)
    return name, text


def _recoded(stream: Iterable[bytes], encoding: str, unread: Callable[[int], None]) -> Iterator[bytes]:
    """The text in UTF-8; what cannot be read becomes U+FFFD."""

    def replace(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        unread(error.end - error.start)
        return "\ufffd", error.end

    handler = f"twopart {encoding}"
    codecs.register_error(handler, replace)
    decoder = codecs.getincrementaldecoder(encoding)(handler)
    try:
        for block in stream:
            yield decoder.decode(block).encode(errors="replace")
        yield decoder.decode(b"", final=True).encode(errors="replace")
    except UnicodeError as error:  # some decoders judge for themselves
        raise InputError(f"this is no text in {encoding} ({error}); name another encoding") from error


def readable(piece: bytes) -> tuple[bytes, int]:
    """The piece in valid UTF-8, as Python's decoder mends it, with U+FFFD for what is no part of any letter, and how many
    bytes that is.
    """
    if piece.isascii():
        return piece, 0
    try:
        piece.decode()
    except UnicodeDecodeError:
        return piece.decode(errors="replace").encode(), len(piece) - len(piece.decode(errors="ignore").encode())
    return piece, 0


def cut(stream: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, each piece but the last ending behind white space: so no word and no letter is cut in two.

    A run longer than `LONGEST` without white space is cut before the first byte of a letter.
    """
    rest: list[bytes] = []
    waiting = 0
    for block in stream:
        end = max(block.rfind(bytes((space,))) for space in SPACES) + 1
        if end:
            yield b"".join([*rest, block[:end]])
            rest, waiting = [], 0
        rest.append(block[end:])
        waiting += len(block) - end
        if waiting > LONGEST:
            run = b"".join(rest)
            end = _letter_start(run)
            yield run[:end]
            rest, waiting = [run[end:]], len(run) - end
    if waiting:
        yield b"".join(rest)


def _letter_start(run: bytes) -> int:
    """Where the last letter begins, in UTF-8: its first byte is not of the form 10xxxxxx."""
    last = len(run) - 1
    while last > len(run) - 4 and run[last] & 0xC0 == 0x80:
        last -= 1
    return last
