"""Training runs from a table: its columns as quantities, the rows that are runs, and all that was done to get there.

read_runs = reading (a file as a sheet) -> columns (which is what) -> quantities (numbers and units) -> rows (which are runs)
-> losses (in which unit) -> plausible (do they agree?) -> rows again (runs of their own?)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError, check_choice
from twopart.fits.scaling.runs import FLOPS_PER_PARAMETER_AND_TOKEN
from twopart.tools.fit.columns import Found, Mapping, missing, option
from twopart.tools.fit.losses import in_unit
from twopart.tools.fit.plausible import doubts
from twopart.tools.fit.quantities import Quantity, quantities
from twopart.tools.fit.reading import read_sheet
from twopart.tools.fit.repeats import CURVES, KEEP
from twopart.tools.fit.rows import independent, names, positive, without_gaps
from twopart.tools.fit.sheet import Sheet

Floats = NDArray[np.float64]

TRIPLE = ("params", "tokens", "flops")


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
    found = (mapping or Mapping()).found_in(sheet)
    if unit and "loss" in found:
        found["loss"] = replace(found["loss"], fault=None)
    found, notes = _settled(sheet, found, needs)
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
    rows, of, said = without_gaps(sheet, found, values, whole, curves)
    notes += said
    values, said = positive(sheet, used, values, rows)
    notes += said
    values["loss"], told, said = in_unit(sheet, found["loss"], read["loss"], values["loss"], rows, unit)
    notes += said
    if derived is not None:
        values[derived] = _by_six(values, derived)
        notes.append(f"{derived}: computed from the other two by C = 6 N D, as the file has no column for it")
    explicit = frozenset(role for role, one in read.items() if one.explicit)
    notes += doubts(sheet.path, {role: column[rows] for role, column in values.items()}, used | spare, explicit)
    rows, values["loss"], said = independent(sheet, values, needs, rows, keep if of is None else "all", keep_duplicates)
    notes += said
    called, said = names(sheet, found, rows)
    columns = {role: column[rows] for role, column in values.items()}
    return RunTable(sheet.path, columns, called, (*notes, *said), told, None if of is None else of[rows])


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
    with np.errstate(all="ignore"):  # rows that are no runs
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
