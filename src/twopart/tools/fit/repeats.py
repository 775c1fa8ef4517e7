"""Runs that are not independent: rows of one training curve, copies of a run, and several runs of one size and data.

All that is found is said. What is done about it, the caller chooses: `curves`, `keep` and copies that are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.tools.fit.cells import Text
from twopart.tools.fit.columns import Found, plain
from twopart.tools.fit.sheet import Sheet, listed, spelled

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

KEEP = ("all", "best", "mean")
CURVES = ("last", "whole", "apart")
STEPS = frozenset(map(plain, spelled("step global_step training_step train_step trainer/global_step iteration iter")))
"""Names of the column that counts along a training curve."""
OF_ONE_RUN = frozenset(map(plain, spelled("run run_id run_name mlflow_run_name trial trial_id")))
"""Names of a column that is the same all along a run; `model` need not be."""
SEEDS = frozenset(map(plain, spelled("seed random_seed data_seed init_seed replicate repeat")))
KNOBS = SEEDS | frozenset(
    plain(name)
    for name in spelled(
        "lr learning_rate max_lr peak_lr base_lr min_lr lr_max batch batch_size global_batch_size bs weight_decay wd warmup "
        "warmup_steps optimizer schedule lr_schedule scheduler beta1 beta2 dropout momentum grad_clip"
    )
)
"""Names of what else may differ between runs of one size and data."""


def column_named(sheet: Sheet, names: frozenset[str]) -> list[int]:
    """The columns that go by one of these names, whatever Weights & Biases puts before it."""
    return [i for i, name in enumerate(sheet.header) if {plain(name), plain(name.rpartition(".")[2])} & names]


# Training curves.


@dataclass(frozen=True)
class Curves:
    """Rows that belong to training curves."""

    of: NDArray[np.int64]
    """The curve of each row."""
    along: Floats
    """What orders the rows of a curve."""
    told_by: str

    @property
    def count(self) -> int:
        return _count([self.of])

    def last(self) -> Rows:
        """The last row of each curve, in the order of the rows."""
        order = np.lexsort((self.along, self.of))
        ends = np.flatnonzero(np.diff(self.of[order], append=-1))
        return np.sort(order[ends])


def find_curves(sheet: Sheet, found: dict[str, Found], columns: dict[str, Floats], rows: Rows) -> Curves | None:
    """The curves that the rows are of: the rows of a run have one size, and a step or tokens that grow."""
    size = columns.get("params", np.zeros(len(sheet)))[rows]
    steps = [
        (sheet.header[i], values) for i in column_named(sheet, STEPS) if (values := _steps(sheet, i, rows)) is not None
    ]
    named = [found["name"].place] if "name" in found else []
    named += [i for i in column_named(sheet, OF_ONE_RUN) if i not in named]
    for place in named:
        of = _codes(sheet, [place])[rows]
        strict = place in column_named(sheet, OF_ONE_RUN)
        along = steps + ([("tokens", columns["tokens"][rows])] if strict and "tokens" in columns else [])
        for name, values in along:
            if _is_curves(of, size, values):
                return Curves(of, values, f"{sheet.header[place]!r} and {name!r}")
    for name, values in steps:
        of = np.cumsum(np.r_[True, (np.diff(values) <= 0) | (np.diff(size) != 0)])
        if len(rows) >= 5 * _count([of]):
            return Curves(of, values, f"{name!r}, which begins again with each")
    return None


def _steps(sheet: Sheet, place: int, rows: Rows) -> Floats | None:
    column = sheet.columns[place]
    read = Text(column).plain if column.dtype == pl.String else column.cast(pl.Float64, strict=False)
    values: Floats = read.fill_null(np.nan).to_numpy()[rows]
    return values if bool(np.isfinite(values).all()) else None


def _is_curves(of: NDArray[np.int64], size: Floats, along: Floats) -> bool:
    """Two rows and more of most runs, of one size each, none twice at a step."""
    runs = _count([of])
    return 2 * runs <= len(of) and _count([of, size]) == runs and _count([of, along]) == len(of)


def _count(columns: Sequence[Floats | NDArray[np.int64]]) -> int:
    """How many rows differ."""
    return len(np.unique(_first(columns, len(columns[0]))))


def _codes(sheet: Sheet, places: Sequence[int]) -> NDArray[np.int64]:
    """A number for each row, the same where all these columns are."""
    return _first([_hashable(sheet.columns[i]) for i in places], len(sheet))


def _first(columns: Sequence[Any], count: int) -> NDArray[np.int64]:
    """For each row the first that is equal to it in all of the columns."""
    if not columns:
        return np.zeros(count, np.int64)
    frame = pl.DataFrame({str(i): column for i, column in enumerate(columns)})
    first = frame.with_row_index("row").select(pl.col("row").first().over(frame.columns))
    return first.to_series().to_numpy().astype(np.int64)


def _hashable(column: pl.Series) -> pl.Series:
    if column.dtype != pl.Object:
        return column.cast(pl.String)
    return pl.Series([repr(cell) for cell in column], dtype=pl.String)


# Copies.


def copies(sheet: Sheet, columns: dict[str, Floats], rows: Rows) -> list[tuple[int, int]]:
    """Pairs (row, earlier row) that are equal in all that is used and in what else may differ between runs."""
    knobs = _codes(sheet, column_named(sheet, KNOBS))[rows]
    earlier = _first([knobs, *(values[rows] for values in columns.values())], len(rows))
    again = np.flatnonzero(earlier != np.arange(len(rows)))
    return [(int(rows[i]), int(rows[earlier[i]])) for i in again]


def words_for(sheet: Sheet, pairs: list[tuple[int, int]]) -> str:
    """`lines 23 (as 9) and 24 (as 13)`."""
    shown = listed([f"{sheet.lines[row]} (as {sheet.lines[earlier]})" for row, earlier in pairs])
    many = len(pairs) > 1
    return f"{sheet.unit}{'s' * many} {shown} repeat{'s' * (not many)} {'runs' if many else 'a run'}"


# Several runs of one size and data.


@dataclass(frozen=True)
class Repeated:
    """Runs that share all that the law reads."""

    of: NDArray[np.int64]
    """The point of each run."""
    note: str
    """What there is, in words; empty if there is none."""


def repeated(sheet: Sheet, inputs: dict[str, Floats], loss: Floats, rows: Rows, keep: str) -> Repeated:
    """Which runs share their inputs, how far apart their losses are, and what differs."""
    of = _first([np.round(np.log(values), 9) for values in inputs.values()], len(rows))
    frame = pl.DataFrame({"of": of, "loss": loss})
    several = frame.group_by("of").agg(pl.len(), spread=pl.col("loss").max() / pl.col("loss").min() - 1)
    several = several.filter(pl.col("len") > 1)
    if not len(several):
        return Repeated(of, "")
    shared = " and ".join(inputs) if len(inputs) < 3 else ", ".join(inputs)
    what, advice = _what_differs(sheet, of, rows)
    times = f"{len(several)} time{'s' * (len(several) > 1)}"
    note = (
        f"{several['len'].sum()} of the {len(of)} runs share their {shared} with others, {times}, with losses "
        f"{np.median(several['spread'].to_numpy()):.2%} apart in the median{what}"
    )
    done = {
        "all": f"all are fitted ({advice})",
        "best": "only the lowest loss of each is kept",
        "mean": "the mean loss of each is fitted",
    }
    return Repeated(of, f"{note}: {done[keep]}")


def _what_differs(sheet: Sheet, of: NDArray[np.int64], rows: Rows) -> tuple[str, str]:
    """The columns that vary among runs of one point, and what that suggests."""
    points = _count([of])

    def varies(place: int) -> bool:
        return points < _count([of, _codes(sheet, [place])[rows]])

    knobs, seeds = (column_named(sheet, names) for names in (KNOBS, SEEDS))
    vary = [i for i in knobs if varies(i)]
    best, mean = "--keep best fits the lowest loss of each", "--keep mean fits their mean"
    advice = f"{best}, {mean}" if not vary else mean if {*vary} <= {*seeds} else best
    named = [sheet.header[i] for i in vary]
    return f"; {listed(named)} differ{'s' * (len(vary) == 1)}" if vary else "", advice
