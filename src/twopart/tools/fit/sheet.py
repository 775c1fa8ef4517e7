"""A table in a file: CSV (any of the usual separators) or Parquet. Every fault is one `InputError` with file and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from twopart._checks import InputError

SEPARATORS = ",;\t|"
LARGEST = 1 << 28  # bytes: a table of runs is far smaller
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
"""Encodings by the mark that the file begins with."""


@dataclass(frozen=True)
class Sheet:
    """A header, and rows of as many cells."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    """Text in a CSV file; numbers, text or None in a Parquet file."""
    lines: tuple[int, ...]
    """The line of each row in the file; in a Parquet file its number, from 1."""
    unit: str = "line"
    """What `lines` counts: "line" or "row"."""

    def fault(self, what: str, row: int | None = None) -> InputError:
        """An error about the file, at one of its rows."""
        where = "" if row is None else f", {self.unit} {self.lines[row]}"
        return InputError(f"{self.path}{where}: {what}")


def read_sheet(path: str | Path) -> Sheet:
    """The table in a file: Parquet if it begins as Parquet does, else CSV."""
    path = Path(path)
    data = _bytes(path)
    sheet = _parquet(path, data) if data[:4] == b"PAR1" else _csv(path, data)
    _check(sheet)
    return sheet


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a CSV or Parquet file")
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(
                f"{path} is larger than {LARGEST >> 20} MB, too much for a table of runs; name another file"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; name a CSV or Parquet file") from error


def _parquet(path: Path, data: bytes) -> Sheet:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except Exception as error:  # polars raises what its Rust parts raise, a panic among them
        raise InputError(f"{path}: damaged Parquet; write it again") from error
    return Sheet(path, tuple(frame.columns), tuple(frame.rows()), tuple(range(1, frame.height + 1)), "row")


def _csv(path: Path, data: bytes) -> Sheet:
    text = _text(path, data)
    rows, lines = [], []
    for line, cells in _records(path, text):
        rows.append(tuple(cell.strip() for cell in cells))
        lines.append(line)
    if not rows:
        raise InputError(f"{path} is empty; its first line must name the columns")
    return Sheet(path, rows[0], tuple(rows[1:]), tuple(lines[1:]))


def _text(path: Path, data: bytes) -> str:
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not {encoding} text; save it as UTF-8, or name a CSV file") from error
    if "\0" in text:
        raise InputError(f"{path}: not text, it holds zero bytes; name a CSV or Parquet file")
    return text


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            remedy = "close it, or double the quotes inside it" if "end of data" in str(error) else "see to its quotes"
            raise InputError(f"{path}, line {line}: a quoted field is broken ({error}); {remedy}") from error
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _separator(text: str) -> str:
    """The one that the first line with anything on it has most of."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(SEPARATORS, key=first.count)


def _check(sheet: Sheet) -> None:
    """A header of distinct names, rows of its width, and at least one."""
    if all(_is_number(name) for name in sheet.header):
        raise sheet.fault("the first line holds numbers; it must name the columns")
    twice = {name for name in sheet.header if name and sheet.header.count(name) > 1}
    if twice:
        raise sheet.fault(f"two columns are called {min(twice)!r}; rename one")
    width = len(sheet.header)
    for row, cells in enumerate(sheet.rows):
        if len(cells) != width:
            remedy = "quote a field that holds the separator" if len(cells) > width else "write every field, if empty"
            count = f"{len(cells)} field{'s' * (len(cells) != 1)}"
            raise sheet.fault(f"{count} where the header has {width}; {remedy}", row)
    if not sheet.rows:
        raise sheet.fault("there are no rows under the header; add one for each training run")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
