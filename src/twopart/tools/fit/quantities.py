"""The columns of a sheet as quantities: numbers in base units, gaps as nan, with what was done to them said once a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.tools.fit.cells import BROKEN, Text, UnclearError, styles
from twopart.tools.fit.columns import Found, option
from twopart.tools.fit.sheet import Sheet
from twopart.tools.fit.units import KNOWN, Unit, UnitError, loss_unit, unit, without_loss_unit

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quantity:
    """A column in base units."""

    values: Floats
    """nan where there is a gap."""
    notes: tuple[str, ...] = ()
    """What was done to the numbers, in words."""
    told: str | None = None
    """The unit of a loss that its cells tell."""
    explicit: bool = False
    """Whether the table says the unit, so that there is none to guess."""


def quantities(sheet: Sheet, found: dict[str, Found], unit_of_loss: str | None = None) -> dict[str, Quantity]:
    """The columns of all roles but `name`; `unit_of_loss` if the caller knows it."""
    columns = {role: sheet.columns[one.place] for role, one in found.items() if role != "name"}
    small = {"loss"} if "loss" in found and "ppl" not in (unit_of_loss, found["loss"].unit.text) else set()
    texts = {role: Text(column, role in small) for role, column in columns.items() if column.dtype == pl.String}
    try:
        style = styles(texts, sheet.separator)
    except UnclearError as error:
        raise sheet.fault(str(error), error.row) from error
    read = {}
    for role, column in columns.items():
        if role in texts:
            written, why = style[role]
            read[role] = _of_text(sheet, role, found[role], texts[role], texts[role].values(written), why)
        else:
            read[role] = _of_numbers(sheet, role, found[role], column)
    return read


def _of_numbers(sheet: Sheet, role: str, found: Found, column: pl.Series) -> Quantity:
    if not column.dtype.is_numeric() and column.null_count() < len(column):
        _refuse(sheet, found, role, int(column.is_not_null().arg_max() or 0), some=False)
    values = column.cast(pl.Float64).fill_null(np.nan).to_numpy() if column.dtype.is_numeric() else None
    numbers = np.full(len(column), np.nan) if values is None else values
    return _in_base_units(role, found, numbers)


def _of_text(sheet: Sheet, role: str, found: Found, text: Text, read: pl.Series, why: str) -> Quantity:
    """Numbers with their words; an error for the first cell that is neither a number nor a gap."""
    notes = [f"{role}: {why}"] if why else []
    wrong = read.is_null() & ~text.gap
    if wrong.any():
        _refuse(sheet, found, role, int(wrong.arg_max() or 0), some=bool((read.is_not_null() & ~text.gap).any()))
    values = read.set(text.gap, np.nan).to_numpy().copy()
    told = None
    if text.plain.null_count() and text.errors:
        notes.append(f"{role}: what follows ± is not used")
    if text.plain.null_count() > text.gap.sum():
        words = pl.select(pl.when(text.gap).then(pl.lit("")).otherwise(text.words)).to_series()
        spoken = [word for word in words.unique(maintain_order=True) if word]
        if role == "loss":
            told = _told_by_cells(sheet, found, words, spoken)
        else:
            units = {word: _of_cell(sheet, role, found, words, word) for word in spoken}
            values *= words.replace_strict({"": 1.0} | {w: one.factor for w, one in units.items()}).to_numpy()
            factors = {one.text: one.factor for one in units.values() if one.factor != 1}
            if factors:
                said = ", ".join(f"{word} {factor:.3g}" for word, factor in list(factors.items())[:6])
                notes.append(f"{role}: units in the cells are applied, {said}")
            return _in_base_units(role, found, values, tuple(notes), explicit=bool(factors))
    return _in_base_units(role, found, values, tuple(notes), told)


def _in_base_units(
    role: str,
    found: Found,
    values: Floats,
    notes: tuple[str, ...] = (),
    told: str | None = None,
    explicit: bool = False,
) -> Quantity:
    one = found.unit
    if role == "loss" or one.plain:
        return Quantity(values, notes, told, explicit or (role != "loss" and one.text != ""))
    with np.errstate(over="ignore"):
        values = values * one.factor if one.base is None else one.base**values
    return Quantity(
        values, (*notes, f"{role}: {one.words}, as {one.text!r} in the name of the column says"), told, True
    )


def _of_cell(sheet: Sheet, role: str, found: Found, words: pl.Series, word: str) -> Unit:
    """The unit that the words after a number are."""
    row = int((words == word).arg_max() or 0)
    try:
        if word.lower() == "e":
            raise UnitError(f"known are {KNOWN}")
        one = unit(word, role)
    except UnitError as error:
        what = f"{found.column!r} must be a number, got {sheet.cell(row, found.place)}"
        raise sheet.fault(f"{what}; what follows the number is not understood: {error}", row) from error
    if one.base is not None or (not one.plain and not found.unit.plain):
        cell = sheet.cell(row, found.place)
        raise sheet.fault(
            f"the unit is given twice, {found.unit.text!r} in the name {found.column!r} and {word!r} in the cell {cell}; "
            "take one of them out", row,
        )  # fmt: skip
    return one


def _told_by_cells(sheet: Sheet, found: Found, words: pl.Series, spoken: list[str]) -> str | None:
    """The one unit of loss in the cells."""
    told: dict[str, str] = {}
    for word in spoken:
        row = int((words == word).arg_max() or 0)
        try:
            one = loss_unit(word)
        except UnitError:
            one = None
        if one is None or any(letter.isalnum() for letter in without_loss_unit(word)):
            what = f"{found.column!r} must be a number, got {sheet.cell(row, found.place)}"
            raise sheet.fault(f"{what}; what follows the number is not understood: write nats, bits, ppl or bpb", row)
        told.setdefault(one, word)
        for other in (*told, found.unit.text):
            if other and other != one:
                raise sheet.fault(f"the loss is in {other} elsewhere and in {one} here; write all in one unit", row)
    return next(iter(told), None)


def _refuse(sheet: Sheet, found: Found, role: str, row: int, some: bool) -> NoReturn:
    """A cell that is no number; `some` others of the column are, so that it is the right column."""
    cell = sheet.cell(row, found.place)
    text = sheet.columns[found.place].dtype == pl.String
    if text and row == 0 and some and _is_unit(str(sheet.columns[found.place][0]), role):
        remedy = f"if this line tells units, write them into the header, as {found.column} (M), and take it out"
    elif text and any(error in cell.lower() for error in BROKEN):
        remedy = "mend the formula, or leave the field empty"
    elif text and any(letter.isdigit() for letter in cell):
        remedy = "write it as 3.25" if role == "loss" else "write it as 70000000, 7e7, 70,000,000 or 70M"
    elif some:
        remedy = "leave the field empty where a run has none"
    else:
        remedy = f"name another with {option(role)}"
    raise sheet.fault(f"{found.column!r} must be a number, got {cell}; {remedy}", row)


def _is_unit(cell: str, role: str) -> bool:
    try:
        return loss_unit(cell) is not None if role == "loss" else unit(cell, role).text != ""
    except UnitError:
        return False
