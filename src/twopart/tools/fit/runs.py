"""Training runs from a table: its columns as quantities, the rows that are runs, and all that was done to get there.

read_runs = reading (a file as a sheet) -> columns (which is what) -> quantities (numbers and units) -> plausible (do they
agree?) -> repeats (which rows are runs of their own?)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import InputError, check_choice
from twopart.fits.scaling.runs import FLOPS_PER_PARAMETER_AND_TOKEN, GUESSING, UNITS
from twopart.tools.fit.columns import Found, Mapping, missing, option
from twopart.tools.fit.plausible import doubts
from twopart.tools.fit.quantities import Quantity, quantities
from twopart.tools.fit.reading import read_sheet
from twopart.tools.fit.repeats import CURVES, KEEP, Rows, copies, find_curves, repeated, words_for
from twopart.tools.fit.sheet import Sheet, listed

Floats = NDArray[np.float64]

TRIPLE = ("params", "tokens", "flops")
LOSS_UNITS = (*UNITS, "ppl")
BYTES = 1.2  # losses all below are rather bits per byte than nats per token


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
    unit: str = "nats"
    """Of the loss: "nats", "bits" or "bpb"; perplexities have been turned into nats."""
    curves: NDArray[np.int64] | None = None
    """The training curve of each entry, where whole curves were asked for."""

    def __len__(self) -> int:
        return len(self.names)


def read_runs(
    path: str | Path,
    mapping: Mapping | None = None,
    needs: Sequence[str] = ("params", "tokens"),
    *,
    unit: str | None = None,
    keep: str = "all",
    curves: str = "last",
    keep_duplicates: bool = False,
) -> RunTable:
    """The runs in a table; loss and the columns in `needs` must be there.

    One of params, tokens and flops is computed from the other two if it is missing, by C = 6 N D. Rows with a gap in a column
    that is used are left out. `unit` of the loss is "nats", "bits", "ppl" or "bpb"; None takes that of the column's name or
    cells, else nats. Of runs that share all of `needs`, `keep` takes "all", the "best" or their "mean". Of training curves,
    `curves` takes the "last" points, the "whole", or every row for a run "apart". `notes` says what was done. Everything else,
    copies of a run unless `keep_duplicates` among it, is one `InputError` with file and line.
    """
    check_choice("keep", keep, KEEP)
    check_choice("curves", curves, CURVES)
    sheet = read_sheet(path)
    found, notes = _settled(sheet, (mapping or Mapping()).found_in(sheet), needs)
    derived = _derived(found, needs)
    lacking = [role for role in (*needs, "loss") if role not in found and role != derived]
    if lacking:
        raise missing(sheet, lacking)
    sources = TRIPLE if derived else ()
    used = {role: one for role, one in found.items() if role in (*needs, "loss", *sources) or not one.guessed}
    used.pop("name", None)
    read, spare = _quantities(sheet, used, found, unit)
    notes = [*sheet.notes, *_guesses(used | spare), *notes, *(note for one in read.values() for note in one.notes)]
    values = {role: one.values for role, one in read.items()}
    whole = np.all([np.isfinite(values[role]) | np.isinf(values[role]) for role in used], axis=0)
    rows, of, said = _rows(sheet, found, values, whole, curves)
    notes += said
    values, said = _positive(sheet, used, values, rows)
    notes += said
    values["loss"], told, said = _in_unit(sheet, found["loss"], read["loss"], values["loss"], rows, unit)
    notes += said
    if derived is not None:
        values[derived] = _by_six(values, derived)
        notes.append(f"{derived}: computed from the other two by C = 6 N D, as the file has no column for it")
    explicit = frozenset(role for role, one in read.items() if one.explicit)
    notes += doubts(sheet.path, {role: column[rows] for role, column in values.items()}, used | spare, explicit)
    rows, names, said = _independent(sheet, found, values, needs, rows, of, keep, keep_duplicates)
    columns = {role: column[rows] for role, column in values.items()}
    return RunTable(sheet.path, columns, names, (*notes, *said), told, None if of is None else of[rows])


# Columns.


def _settled(sheet: Sheet, found: dict[str, Found], needs: Sequence[str]) -> tuple[dict[str, Found], list[str]]:
    """Without the guesses that could go two ways or whose unit is not understood; an error if one of those is needed."""
    notes, derivable = [], {role for role in TRIPLE if {*needs} & {*TRIPLE}}
    for role, one in dict(found).items():
        needed = role in (*needs, "loss") or not one.guessed or (role in derivable and len({*found} & {*TRIPLE}) == 2)
        if one.rivals and role != "name":
            names = [one.column, sheet.header[one.rivals[0]]]
            what = f"{names[0]!r} and {names[1]!r} may both be the {role}; say which with {option(role)}"
            what = f"two columns are called {names[0]!r}; rename one" if names[0] == names[1] else what
        elif one.fault:
            what = f"the unit of {one.column!r} is not understood: {one.fault}"
        else:
            continue
        if needed:
            raise sheet.fault(what)
        del found[role]
        notes += [f"{role} is not used: {what}"] * (role == "flops")
    return found, notes


def _derived(found: dict[str, Found], needs: Sequence[str]) -> str | None:
    """The one of params, tokens and flops that is needed, missing, and follows from the others."""
    lacking = [role for role in TRIPLE if role not in found]
    return lacking[0] if len(lacking) == 1 and lacking[0] in needs else None


def _by_six(columns: dict[str, Floats], role: str) -> Floats:
    six = FLOPS_PER_PARAMETER_AND_TOKEN
    if role == "flops":
        return six * columns["params"] * columns["tokens"]
    other = "tokens" if role == "params" else "params"
    return columns["flops"] / (six * columns[other])


def _guesses(used: dict[str, Found]) -> Iterator[str]:
    """What was guessed, in words."""
    for role, one in used.items():
        if one.guessed:
            passed = f", passing over {', '.join(map(repr, one.others))}" if one.others else ""
            yield f"{role}: column {one.column!r}, guessed{passed} ({option(role)} COLUMN says otherwise)"


def _quantities(
    sheet: Sheet, used: dict[str, Found], found: dict[str, Found], unit: str | None
) -> tuple[dict[str, Quantity], dict[str, Found]]:
    """The columns that are used, and compute that no form reads if it can be read: it tells of units, and orders the runs."""
    if "flops" not in found or "flops" in used:
        return quantities(sheet, used, unit), {}
    spare = {"flops": found["flops"]}
    try:
        return quantities(sheet, used | spare, unit), spare
    except InputError:
        note = f"flops: column {found['flops'].column!r} is not all numbers"
        return quantities(sheet, used, unit) | {"flops": Quantity(np.full(len(sheet), np.nan), (note,))}, spare


# Rows.


def _rows(
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


def _positive(
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


def _in_unit(
    sheet: Sheet, found: Found, read: Quantity, loss: Floats, rows: Rows, asked: str | None
) -> tuple[Floats, str, list[str]]:
    """The losses, their unit, and how it is known."""
    told = found.unit.text or read.told or ""
    chosen = check_choice("--unit", asked or told or "nats", LOSS_UNITS)
    worst = int(rows[np.argmax(loss[rows])])
    middle = float(np.median(loss[rows]))
    notes = []
    if not asked and told:
        notes.append(f"loss: in {told}, as its column says (--unit says otherwise)")
    elif asked and told not in ("", asked):
        notes.append(f"loss: in {asked}, as --unit says, though its column says {told}")
    elif not asked and middle < BYTES:
        notes.append(
            f"loss: taken for nats per token; a median of {middle:.3g} looks like bits per byte: --unit bpb says so"
        )
    if chosen == "ppl":
        if loss[rows].min() <= 1:
            row = int(rows[np.argmin(loss[rows])])
            raise sheet.fault(
                f"a perplexity must be > 1, got {sheet.cell(row, found.place)}; --unit says what it is", row
            )
        return np.log(loss), "nats", [*notes, "loss: its logarithm is fitted, nats per token"]
    if loss[worst] > GUESSING[chosen]:
        what = f"{found.column!r} must be a loss in {chosen}, <= {GUESSING[chosen]:g}, got {sheet.cell(worst, found.place)}"
        raise sheet.fault(
            f"{what}; for perplexities say --unit ppl, and divide a loss per sequence by its length", worst
        )
    return loss, chosen, notes


# Runs.


def _independent(
    sheet: Sheet,
    found: dict[str, Found],
    values: dict[str, Floats],
    needs: Sequence[str],
    rows: Rows,
    of: NDArray[np.int64] | None,
    keep: str,
    keep_duplicates: bool,
) -> tuple[Rows, tuple[str, ...], list[str]]:
    """The rows that are fitted and what their runs are called; `values["loss"]` holds means where they were asked for."""
    notes = []
    pairs = copies(sheet, {role: values[role] for role in (*needs, "loss")}, rows)
    if pairs:
        said = words_for(sheet, pairs)
        if not keep_duplicates:
            raise sheet.fault(f"{said}; a copy counts one run twice: take it out, or say --keep-duplicates")
        notes.append(f"{said}: kept, as asked")
    point = repeated(sheet, {role: values[role][rows] for role in needs}, values["loss"][rows], rows, keep)
    if point.note:
        notes.append(point.note)
    if of is not None or keep == "all":
        names, more = _names(sheet, found, rows)
        return rows, names, notes + more
    order = np.lexsort((values["loss"][rows], point.of))
    best = np.sort(order[np.r_[True, np.diff(point.of[order]) != 0]])
    if keep == "mean":
        means = np.bincount(point.of, values["loss"][rows]) / np.maximum(np.bincount(point.of), 1)
        values["loss"][rows] = means[point.of]
    names, more = _names(sheet, found, rows[best])
    return rows[best], names, notes + more


def _names(sheet: Sheet, found: dict[str, Found], rows: Rows) -> tuple[tuple[str, ...], list[str]]:
    """The runs' own names, their lines where they have none, or none that tells them apart."""
    lines = pl.Series(np.asarray(sheet.lines)[rows])
    by_line = pl.select(pl.concat_str(pl.lit(f"{sheet.unit} "), lines.cast(pl.String))).to_series()
    if "name" not in found:
        return tuple(by_line), []
    one = found["name"]
    for place in (one.place, *one.rivals, *(sheet.header.index(other) for other in one.others)):
        names = _text(sheet.columns[place].gather(rows))
        names = pl.select(pl.when(names == "").then(by_line).otherwise(names)).to_series()
        if not one.guessed:
            apart = pl.concat_str(names, pl.lit(" ("), by_line, pl.lit(")"))
            return tuple(pl.select(pl.when(names.is_duplicated()).then(apart).otherwise(names)).to_series()), []
        if names.n_unique() == len(names):
            return tuple(names), [f"name: column {sheet.header[place]!r}, guessed (--name COLUMN says otherwise)"]
    return tuple(by_line), [
        f"name: column {one.column!r} does not tell the runs apart, so they are called by their {sheet.unit}s"
    ]


def _text(column: pl.Series) -> pl.Series:
    """What is there as text on one line, "" for nothing."""
    text = column.cast(pl.String) if column.dtype != pl.Object else pl.Series(map(str, column), dtype=pl.String)
    return text.fill_null("").str.replace_all(r"\s+", " ").str.strip_chars()
