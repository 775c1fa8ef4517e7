"""Texts as streams of bytes: files, folders and columns of Parquet files, in blocks of bounded size.

list_sources(texts, ...)  every file, folders unfolded in the order of their paths
blocks(source)            its bytes, in blocks of a few MB; each Parquet row ends with a line end
cut(blocks)               the same bytes, cut anew between words
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from twopart._checks import InputError

BLOCK = 1 << 22  # bytes read at once
LONGEST = (
    1 << 24
)  # bytes: a run without white space that is longer is cut, as a language written without spaces may need
HEAD = 1 << 13  # bytes that are looked at to tell text from binary
SPACES = b" \n\t\r"


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
    return [source for text in texts for source in _unfolded(Path(text), column, pattern)]


def _unfolded(path: Path, column: str | None, pattern: str) -> Iterator[Source]:
    if not path.exists():
        raise InputError(f"{path} does not exist; name a file or a folder")
    if not path.is_dir():
        yield _source(path, column)
        return
    below = sorted(p for p in path.rglob(pattern) if p.is_file() and not _hidden(p.relative_to(path)))
    wanted = [p for p in below if (p.suffix == ".parquet") == (column is not None)]
    if not wanted:
        kind = "no file" if column is None else "no Parquet file"
        matching = "" if pattern == "*" else f" that matches {pattern!r}"
        raise InputError(f"there is {kind}{matching} below {path}; name another folder")
    yield from (_source(p, column) for p in wanted)


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
    with source.path.open("rb") as file:
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
