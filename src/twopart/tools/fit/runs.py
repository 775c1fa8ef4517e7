"""Training runs from a table: numbers read as people write them, faults told by line, gaps left out and told."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError
from twopart.tools.fit.columns import Found, Mapping, missing, option, words
from twopart.tools.fit.sheet import Sheet, read_sheet

Floats = NDArray[np.float64]

GAPS = frozenset(("", "nan", "na", "n/a", "null", "none", "-", "--", "?"))
SUFFIXES = {"k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9, "t": 1e12}
GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
SHORTENED = re.compile(r"(\d+\.?\d*|\.\d+)\s?([KkMGBbT])")
TRIPLE = ("params", "tokens", "flops")
FLOPS = 6.0  # per parameter and token


@dataclass(frozen=True, eq=False)
class RunTable:
    """Training runs, one entry of every column each."""

    source: Path
    columns: dict[str, Floats]
    """By role: params, tokens, flops, loss, unique_tokens, bits, those that the file has; all > 0."""
    names: tuple[str, ...]
    """What the runs are called: from the file, or "line 7"."""
    notes: tuple[str, ...]
    """What was guessed, computed and left out, in words."""

    def __len__(self) -> int:
        return len(self.names)


def read_runs(
    path: str | Path, mapping: Mapping | None = None, needs: Sequence[str] = ("params", "tokens")
) -> RunTable:
    """The runs in a CSV or Parquet file; loss and the columns in `needs` must be there.

    One of params, tokens and flops is computed from the other two if it is missing, by C = 6 N D. Rows with a gap in a column
    that is used are left out, and `notes` says so. Everything else is one `InputError` with file and line.
    """
    sheet, mapping = read_sheet(path), mapping or Mapping()
    found = mapping.found_in(sheet)
    derived = _derived(found, needs)
    lacking = [role for role in (*needs, "loss") if role not in found and role != derived]
    if lacking:
        raise missing(sheet, lacking)
    sources = TRIPLE if derived else ()
    used = {role: one for role, one in found.items() if role in (*needs, "loss", *sources) or not one.guessed}
    cells = {role: _column(sheet, role, one) for role, one in used.items() if role != "name"}
    whole = np.all([np.isfinite(column) for column in cells.values()], axis=0)
    columns = {role: column[whole] for role, column in cells.items()}
    notes = [*words(used), *_left_out(sheet, whole)]
    if derived is not None:
        columns[derived] = _by_six(columns, derived)
        notes.append(f"{derived}: computed from the other two by C = 6 N D, as the file has no column for it")
    elif "flops" in found and "flops" not in used:
        notes += _also_flops(sheet, found["flops"], columns, whole)
    return RunTable(sheet.path, columns, _names(sheet, found, whole), tuple(notes))


def _also_flops(sheet: Sheet, found: Found, columns: dict[str, Floats], whole: NDArray[np.bool_]) -> list[str]:
    """Compute that no form reads serves to order the runs, if every one of them has it; else 6 N D does."""
    try:
        flops = _column(sheet, "flops", found)[whole]
    except InputError:
        return [f"flops: column {found.column!r} is not all numbers and is not used"]
    if not np.isfinite(flops).all():
        return [f"flops: column {found.column!r} has gaps and is not used"]
    columns["flops"] = flops
    return list(words({"flops": found}))


def _derived(found: dict[str, Found], needs: Sequence[str]) -> str | None:
    """The one of params, tokens and flops that is needed, missing, and follows from the others."""
    lacking = [role for role in TRIPLE if role not in found]
    return lacking[0] if len(lacking) == 1 and lacking[0] in needs else None


def _by_six(columns: dict[str, Floats], role: str) -> Floats:
    if role == "flops":
        return FLOPS * columns["params"] * columns["tokens"]
    other = "tokens" if role == "params" else "params"
    return columns["flops"] / (FLOPS * columns[other])


def _column(sheet: Sheet, role: str, found: Found) -> Floats:
    """Numbers > 0; nan where there is a gap."""
    place = sheet.header.index(found.column)
    return np.array([_value(sheet, row, role, found, cells[place]) for row, cells in enumerate(sheet.rows)], float)


def _value(sheet: Sheet, row: int, role: str, found: Found, cell: Any) -> float:
    number = _number(cell)
    if number is None:
        remedy = (
            "leave the field empty where a run has none" if not found.guessed else f"name another with {option(role)}"
        )
        raise sheet.fault(f"{found.column!r} must be a number, got {_short(cell)}; {remedy}", row)
    if math.isinf(number) or number <= 0:
        remedy = "leave the field empty where a run has none"
        raise sheet.fault(f"{found.column!r} must be finite and > 0, got {_short(cell)}; {remedy}", row)
    return number * found.scale


def _number(cell: Any) -> float | None:
    """A number as people write it: 1e9, 1,000,000, 70M, 1.4T; nan for a gap; None if it is none."""
    if cell is None:
        return math.nan
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        return float(cell)
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if text.lower() in GAPS:
        return math.nan
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        return math.inf
    if NUMBER.fullmatch(text):
        return float(text)
    if GROUPED.fullmatch(text):
        return float(text.replace(",", ""))
    short = SHORTENED.fullmatch(text)
    return float(short[1]) * SUFFIXES[short[2].lower()] if short else None


def _left_out(sheet: Sheet, whole: NDArray[np.bool_]) -> list[str]:
    gone = [sheet.lines[row] for row in np.flatnonzero(~whole)]
    if not whole.any():
        raise sheet.fault("every row has a gap in a column that is used; fill it in, or name other columns")
    if not gone:
        return []
    shown = ", ".join(map(str, gone[:10])) + (f" and {len(gone) - 10} more" if len(gone) > 10 else "")
    rows = f"{len(gone)} row{'s' * (len(gone) > 1)}"
    return [f"{rows} with a gap left out: {sheet.unit}{'s' * (len(gone) > 1)} {shown}"]


def _names(sheet: Sheet, found: dict[str, Found], whole: NDArray[np.bool_]) -> tuple[str, ...]:
    """The runs' own names, the line where they have none."""
    rows = np.flatnonzero(whole)
    if "name" not in found:
        return tuple(f"{sheet.unit} {sheet.lines[row]}" for row in rows)
    place = sheet.header.index(found["name"].column)
    return tuple(str(sheet.rows[row][place] or f"{sheet.unit} {sheet.lines[row]}") for row in rows)


def _short(cell: Any) -> str:
    text = repr(cell)
    return text if len(text) <= 40 else text[:36] + "...'"
