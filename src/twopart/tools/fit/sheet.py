"""A table, whatever wrote it: a header and columns of cells. Every fault is one `InputError` with file and line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from twopart._checks import InputError


@dataclass(frozen=True, eq=False)
class Sheet:
    """Columns of one length, as written."""

    path: Path
    header: tuple[str, ...]
    """Names may be empty or come twice."""
    columns: tuple[pl.Series, ...]
    """Text where the file holds text; numbers, or anything else, where it holds that."""
    lines: Sequence[int]
    """The line of each row in the file, or its number from 1 where a file has no lines."""
    unit: str = "line"
    """What `lines` counts: "line" or "row"."""
    separator: str | None = None
    """What parts the fields of a text table."""
    notes: tuple[str, ...] = ()
    """What was taken for what, and passed over, in words."""

    def __len__(self) -> int:
        return len(self.lines)

    def fault(self, what: str, row: int | None = None) -> InputError:
        """An error about the file, at one of its rows."""
        where = "" if row is None else f", {self.unit} {self.lines[row]}"
        return InputError(f"{self.path}{where}: {what}")

    def cell(self, row: int, column: int) -> str:
        """What is there, short enough for an error."""
        held: Any = self.columns[column][row]
        text = repr(held.to_list() if isinstance(held, pl.Series) else held)
        return text if len(text) <= 40 else text[:36] + "...'"


def spelled(words: str) -> frozenset[str]:
    """The words of a text: spellings of one thing."""
    return frozenset(words.split())


def listed(items: Sequence[object], most: int = 10) -> str:
    """`3, 5, 8 and 2 more`: a list that ends."""
    shown = ", ".join(map(str, items[:most]))
    return shown + (f" and {len(items) - most} more" if len(items) > most else "")
