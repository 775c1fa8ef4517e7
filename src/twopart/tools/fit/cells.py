"""Columns of cells as numbers: as people and programs of every language write them, a whole column at a time.

A cell is a number and, perhaps, words. Whether its comma or its point parts the decimals is settled by the cells of the column
that leave no choice: 3,25 or 70,000,000 or 1.234,5. A column whose every cell can be read both ways, as 3,246 can, is read as
the rest of the table is written; failing that, a comma is decimal where semicolons or tabs part the fields. What is left is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import polars as pl

from twopart.tools.fit.sheet import spelled

Style = Literal["point", "comma"]
"""What parts the decimals."""

GAPS = spelled(
    r"nan na n/a n.a. null none nil - -- --- – — ? . .. #n/a #na #nv #n/d #n/b <na> <n/a> nat -nan +nan nan(ind) -nan(ind) "
    r"1.#qnan -1.#qnan 1.#ind -1.#ind \n (null) [null] <null> (blank) missing undefined tbd n.d. nd n/d k.a."
) | {"", "#n/a n/a"}
"""How programs write that there is nothing: nothing, #N/A of spreadsheets and #NV of German ones, <NA> of pandas, NA of R, \\N
and (null) of databases; in small letters."""
BROKEN = spelled("#ref! #div/0! #value! #wert! #valeur! #name? #num! #zahl! #nombre! #null! #error! #err")
"""What spreadsheets put where a formula failed, in small letters."""

_GROUPS = "|".join(rf"\d{{1,3}}(?:{mark}\d{{3}})+" for mark in (",", "'", "’", "_", r"\s"))
_NUMBER = rf"^[+-]?(?:(?:\d+|{_GROUPS})(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$"
_SPLIT = r"^([+-]?(?:\d(?:[\d.,'’_\s]*\d)?[.,]?|[.,]\d+)(?:[eE][+-]?\d+)?)(?:\s*([^\d\s].*))?$"
"""A number and words."""
_ERROR_BARS = r"^(?:±|\+/-|\+-).*$"
_SURE = (
    r"^[+-]?(?:\d*\.(?:\d{1,2}|\d{4,})|0?\.\d+|\d{4,}\.\d+|\d*\.\d+[eE]\S+|[\d,]*,\d{3}\.\d*|\d{1,3}(?:,\d{3}){2,})$"
)
"""Leaves no doubt that the point is decimal."""
_EITHER = r"^[+-]?[1-9]\d{0,2},\d{3}$"
"""Thousands if the point is decimal, decimals if the comma is."""


class UnclearError(ValueError):
    """Numbers that can be read two ways; the row, and what to say."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(why)
        self.row = row


@dataclass(frozen=True, eq=False)
class Text:
    """A column of text cells."""

    written: pl.Series
    small: bool = False
    """Whether no number reaches 1000, as no loss does: so 3,246 can only be a decimal comma."""

    @cached_property
    def cells(self) -> pl.Series:
        """Without white space around them, no-break spaces too, and without what spreadsheets put around a text: ="70"."""
        cells = self.written.str.strip_chars()
        return cells.str.replace('^="(.*)"$', "$1") if cells.str.starts_with("=").any() else cells

    @cached_property
    def plain(self) -> pl.Series:
        """Those that every program reads alike; null for the others."""
        return self.cells.cast(pl.Float64, strict=False)

    @cached_property
    def gap(self) -> pl.Series:
        """Where there is nothing."""
        empty = self.cells.is_null() | self.plain.is_nan().fill_null(False)
        if self.plain.null_count() > self.cells.null_count():
            empty |= self.cells.str.to_lowercase().is_in(list(GAPS)).fill_null(False)
        return empty

    @cached_property
    def parts(self) -> tuple[pl.Series, pl.Series]:
        """The number and the words of each cell, as written; null where there is no number, "" where there are no words."""
        split = self.cells.str.extract_groups(_SPLIT).struct.unnest()
        number, words = split.to_series(0), split.to_series(1).fill_null("")
        return number, words

    @cached_property
    def words(self) -> pl.Series:
        """What follows the number of each cell, but for its error."""
        return self.parts[1].str.replace(_ERROR_BARS, "").str.strip_chars()

    @property
    def errors(self) -> bool:
        """Whether there are numbers with errors, 3.25 ± 0.01."""
        return bool(self.parts[1].str.contains(_ERROR_BARS).any())

    @property
    def commas(self) -> bool:
        """Whether anything hangs on what the comma is."""
        return bool(self.cells.str.contains(r",|\..*\.").any())

    def first(self, pattern: str, style: Style = "point") -> int | None:
        """The first row whose number, in the spelling of a style, fits a pattern for decimal points."""
        fits = self._numbers[style].str.contains(pattern).fill_null(False)
        return fits.arg_max() if fits.any() else None

    @cached_property
    def _numbers(self) -> dict[Style, pl.Series]:
        """The numbers without marks between thousands but point and comma, by what is decimal."""
        number = self.parts[0].str.replace_all(r"['’_\s]", "")
        return {"point": number, "comma": _swapped(number)}

    @cached_property
    def sure(self) -> dict[Style, int | None]:
        """The first row that leaves no doubt that the point, or the comma, is decimal."""
        first: dict[Style, int | None] = {"point": self.first(_SURE, "point"), "comma": self.first(_SURE, "comma")}
        if not self.small:
            return first
        turned: dict[Style, Style] = {"point": "comma", "comma": "point"}
        return {style: self.first(_EITHER, turned[style]) if row is None else row for style, row in first.items()}

    def values(self, style: Style) -> pl.Series:
        """Numbers; null where there is none."""
        if style == "point" and self.plain.null_count() == 0:
            return self.plain
        number = self.parts[0] if style == "point" else _swapped(self.parts[0])
        number = pl.select(pl.when(number.str.contains(_NUMBER)).then(number)).to_series()
        read = number.str.replace_all(r"[,'’_\s]", "").cast(pl.Float64, strict=False)
        return self.plain.fill_null(read) if style == "point" else read.fill_null(self.plain)


def _swapped(number: pl.Series) -> pl.Series:
    return number.str.replace_many([".", ","], [",", "."])


def styles(columns: Mapping[str, Text], separator: str | None) -> dict[str, tuple[Style, str]]:
    """How each column writes its decimals and, if that is worth saying, why; `UnclearError` if nobody can know."""
    if not any(column.commas for column in columns.values()):
        return dict.fromkeys(columns, ("point", ""))
    return {name: _style(name, columns, separator) for name in columns}


def _style(name: str, columns: Mapping[str, Text], separator: str | None) -> tuple[Style, str]:
    column = columns[name]
    cells = column.cells
    own = column.sure
    all_of_them: dict[Style, str | None] = {style: _example(columns, style) for style in own}
    either, comma, point = column.first(_EITHER), own["comma"], own["point"]
    alike = "write all decimals alike"
    if comma is not None and point is not None:
        raise UnclearError(comma, f"{cells[comma]!r} has a decimal comma and {cells[point]!r} a decimal point; {alike}")
    if comma is not None:
        if separator == "," and all_of_them["point"] is not None:
            raise UnclearError(
                comma, f"{cells[comma]!r} must be a number, and the decimals elsewhere have points; {alike}"
            )
        what = "decimal commas" if "," in str(cells[comma]) else "points between thousands"
        return "comma", f"{what}, as in {cells[comma]!r}"
    if either is None:
        return _of_points(column, all_of_them)
    cell = str(cells[either])
    both = f"{cell!r} may be {cell.replace(',', '.')} with a decimal comma or {cell.replace(',', '')}"
    if column.first(r"\d,\d{3}(?:,|\.)") is not None:
        return "point", ""
    if point is not None or all(all_of_them.values()) or (separator == ";" and all_of_them["point"] is not None):
        raise UnclearError(either, f"{both}; write it without the comma")
    if all_of_them["point"] is not None:
        return "point", f"{cell!r} read as thousands, as {all_of_them['point']!r} has a decimal point"
    if separator in (";", "\t") and any(other.first(_EITHER, "comma") is not None for other in columns.values()):
        raise UnclearError(either, f"{both}; write it without the comma")
    if all_of_them["comma"] is not None or separator in (";", "\t"):
        why = (
            f"as in {all_of_them['comma']!r}"
            if all_of_them["comma"]
            else f"as {'semicolons' if separator == ';' else 'tabs'} part the fields"
        )
        return "comma", f"{cell!r} read with a decimal comma, {why}"
    raise UnclearError(either, f"{both}; write it without the comma")


def _of_points(column: Text, examples: Mapping[Style, str | None]) -> tuple[Style, str]:
    """A column without commas: 70.000 are thousands in a table of decimal commas."""
    either = column.first(_EITHER, "comma")
    if either is None or examples["comma"] is None or column.sure["point"] is not None:
        return "point", ""
    cell = column.cells[either]
    if examples["point"] is not None:
        raise UnclearError(either, f"{cell!r} may be a decimal number or thousands; write it without the point")
    return "comma", f"{cell!r} read as thousands, as {examples['comma']!r} has a decimal comma"


def _example(columns: Mapping[str, Text], style: Style) -> str | None:
    """A cell of the table that leaves no doubt."""
    found = ((column, column.sure[style]) for column in columns.values())
    return next((str(column.cells[row]) for column, row in found if row is not None), None)
