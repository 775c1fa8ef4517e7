"""Which rows of a sheet are runs: those without gaps, the last of a curve, none of them a copy; and what they are called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.tools.fit.columns import Found
from twopart.tools.fit.repeats import Rows, copies, find_curves, repeated, words_for
from twopart.tools.fit.sheet import Sheet, listed

Floats = NDArray[np.float64]


def without_gaps(
    sheet: Sheet, found: dict[str, Found], values: dict[str, Floats], whole: NDArray[np.bool_], curves: str
) -> tuple[Rows, NDArray[np.int64] | None, list[str]]:
    """The rows without gaps, of training curves those that `curves` takes, with the curve of every row of the sheet."""
    if not whole.any():
        raise sheet.fault("every row has a gap in a column that is used; fill it in, or name other columns")
    rows = np.flatnonzero(whole)
    gone = [sheet.lines[row] for row in np.flatnonzero(~whole).tolist()]
    many = "s" * (len(gone) > 1)
    notes = [f"{len(gone)} row{many} with a gap left out: {sheet.unit}{many} {listed(gone)}"] if gone else []
    told = find_curves(sheet, found, values, rows) if curves != "apart" else None
    if told is None:
        return rows, None, notes
    what = f"{len(rows)} rows are {told.count} training curves, by {told.told_by}"
    if curves == "last":
        return rows[told.last()], None, [*notes, f"{what}: the last point of each is its run (--curves whole|apart)"]
    of = np.zeros(len(sheet), np.int64)
    of[rows] = told.of
    begun = np.all([values[role][rows] != 0 for role in values], axis=0)
    return rows[begun], of, [*notes, f"{what}: all points are fitted, and whole curves resampled (--curves last|apart)"]


def positive(
    sheet: Sheet, used: dict[str, Found], values: dict[str, Floats], rows: Rows
) -> tuple[dict[str, Floats], list[str]]:
    """Finite and > 0 in all of the rows, or an error; compute that nobody needs is left out instead."""
    good = {role: np.isfinite(column[rows]) & (column[rows] > 0) for role, column in values.items()}
    for role, one in used.items():
        if not good[role].all():
            row = int(rows[np.argmin(good[role])])
            what = f"{one.column!r} must be finite and > 0, got {sheet.cell(row, one.place)}"
            raise sheet.fault(f"{what}; leave the field empty where a run has none", row)
    spared = {role for role in values if not good[role].all()}
    notes = [f"{role}: not all runs have a number > 0, so the column is not used" for role in spared]
    return {role: column for role, column in values.items() if role not in spared}, notes


def independent(
    sheet: Sheet,
    values: dict[str, Floats],
    needs: Sequence[str],
    rows: Rows,
    keep: str,
    keep_duplicates: bool,
) -> tuple[Rows, Floats, list[str]]:
    """The rows that are runs of their own, and the losses of all rows, means where `keep` asks for them."""
    notes, loss = [], values["loss"]
    pairs = copies(sheet, {role: values[role] for role in (*needs, "loss")}, rows)
    if pairs:
        said = words_for(sheet, pairs)
        if not keep_duplicates:
            raise sheet.fault(f"{said}; a copy counts one run twice: take it out, or say --keep-duplicates")
        notes.append(f"{said}: kept, as asked")
    point = repeated(sheet, {role: values[role][rows] for role in needs}, loss[rows], rows, keep)
    if point.note:
        notes.append(point.note)
    if keep == "all":
        return rows, loss, notes
    order = np.lexsort((loss[rows], point.of))
    best = np.sort(order[np.r_[True, np.diff(point.of[order]) != 0]])
    if keep == "mean":
        means = np.bincount(point.of, loss[rows]) / np.maximum(np.bincount(point.of), 1)
        loss = loss.copy()
        loss[rows] = means[point.of]
    return rows[best], loss, notes


def names(sheet: Sheet, found: dict[str, Found], rows: Rows) -> tuple[tuple[str, ...], list[str]]:
    """The runs' own names, their lines where they have none, or none that tells them apart."""
    lines = pl.Series(np.asarray(sheet.lines)[rows])
    by_line = pl.select(pl.concat_str(pl.lit(f"{sheet.unit} "), lines.cast(pl.String))).to_series()
    if "name" not in found:
        return tuple(by_line), []
    one = found["name"]
    for place in (one.place, *one.rivals, *(sheet.header.index(other) for other in one.others)):
        cells = _text(sheet.columns[place].gather(rows))
        own = pl.select(pl.when(cells == "").then(by_line).otherwise(cells)).to_series()
        if not one.guessed:
            apart = pl.concat_str(own, pl.lit(" ("), by_line, pl.lit(")"))
            return tuple(pl.select(pl.when(own.is_duplicated()).then(apart).otherwise(own)).to_series()), []
        if own.n_unique() == len(own):
            return tuple(own), [f"name: column {sheet.header[place]!r}, guessed (--name COLUMN says otherwise)"]
    return tuple(by_line), [
        f"name: column {one.column!r} does not tell the runs apart, so they are called by their {sheet.unit}s"
    ]


def _text(column: pl.Series) -> pl.Series:
    """What is there as text on one line, "" for nothing."""
    text = column.cast(pl.String) if column.dtype != pl.Object else pl.Series(map(str, column), dtype=pl.String)
    return text.fill_null("").str.replace_all(r"\s+", " ").str.strip_chars()
