"""A file as a table: Parquet, Arrow, an Excel workbook, JSON, JSON lines, or text, told apart by how it begins."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import Path
from typing import BinaryIO

from twopart._checks import InputError
from twopart._files import check_source, reading
from twopart.tools.fit.delimited import delimited
from twopart.tools.fit.frames import arrow, parquet, workbook
from twopart.tools.fit.records import records
from twopart.tools.fit.sheet import Sheet

LARGEST = 1 << 28  # bytes: a table of runs is far smaller
MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
"""Encodings by the mark that the file begins with, the longer first."""
BINARY = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f]")
OLD_EXCEL = b"\xd0\xcf\x11\xe0"


def read_sheet(path: str | Path) -> Sheet:
    """The table in a file."""
    path = Path(path)
    data = _bytes(path)
    if data[:4] == b"PAR1":
        return parquet(path, data)
    if data[:6] == b"ARROW1":
        return arrow(path, data)
    if data[:4] in (b"PK\x03\x04", OLD_EXCEL):
        return workbook(path, data)
    text, note = _text(path, data)
    sheet = records(path, text) if text.lstrip()[:1] in ("[", "{") else None
    return sheet or delimited(path, text, note)


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a {_inside(path)}")
    check_source(path, "name a CSV or Parquet file")
    with reading(path) as file:
        data = _at_most(path, file)
    return _unpacked(path, data) if data[:2] == b"\x1f\x8b" else data


def _at_most(path: Path, file: BinaryIO | gzip.GzipFile) -> bytes:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise InputError(f"{path} is larger than {LARGEST >> 20} MB, too much for a table of runs; name another file")
    return data


def _inside(folder: Path) -> str:
    """What to name instead of a folder: Spark, for one, writes a table as a folder."""
    parts = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name[0] not in "._" and p.stat().st_size)
    return f"file in it: {parts[0]}" if len(parts) == 1 else "CSV or Parquet file"


def _unpacked(path: Path, data: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            return _at_most(path, file)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip ({error}); pack it again") from error


def _text(path: Path, data: bytes) -> tuple[str, str | None]:
    """The text, and what to say about how it was decoded."""
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    note = None
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fault = InputError(f"{path}, line {line}: not {encoding} text; save it as UTF-8, or name a CSV file")
        if encoding != "utf-8":
            raise fault from error
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            raise fault from error
        if BINARY.search(text):
            raise fault from error
        note = f"read as Windows-1252 text: line {line} is not UTF-8"
    if "\0" in text:
        raise InputError(f"{path}: not text, it holds zero bytes; name a CSV or Parquet file")
    return text, note
