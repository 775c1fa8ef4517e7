"""Sweeps over batch sizes in a table, and the critical batch size of each: for `twopart fit --form batch`.

A row is a batch size with the steps that it took to the target, the best of a sweep of learning rates counting; or, where the
loss to reach is named, a point of a training curve: batch size, step, loss. Several sweeps, of other models, data or targets,
may share a table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twopart._checks import InputError, check_real
from twopart._files import check_source, write_json
from twopart.findings import Shown
from twopart.fits.critical_batch import (
    CriticalBatch,
    PowerLaws,
    batch_scaling,
    critical_batch_size,
    steps_to_target,
)
from twopart.tools.fit.columns import Found, missing, option
from twopart.tools.fit.columns import Mapping as Columns
from twopart.tools.fit.quantities import quantities
from twopart.tools.fit.reading import read_sheet
from twopart.tools.fit.repeats import KNOBS, OF_ONE_RUN, column_named
from twopart.tools.fit.sheet import Sheet, listed

FORMAT = "twopart critical batch 1"
SIZES = ("params", "tokens")


@dataclass(frozen=True, eq=False)
class Sweep:
    """Batch sizes with the steps to one target."""

    name: str
    fit: CriticalBatch
    sizes: Mapping[str, float] = field(default_factory=dict)
    """params and tokens, those that the table has."""


@dataclass(frozen=True, eq=False)
class BatchFit(Shown, told_by="twopart.tools.fit.batch_findings"):
    """The sweeps of a table, and how their critical batch sizes scale."""

    source: str
    sweeps: tuple[Sweep, ...]
    notes: tuple[str, ...] = ()
    """What was guessed and left out, in words."""
    seed: int = 0
    """Of the bootstrap."""

    @property
    def scaling(self) -> PowerLaws | None:
        """B* as powers of data and size, or of the size alone where the two go together; None where nothing can be told."""
        critical = [one.fit.value for one in self.sweeps]
        known = {size: [one.sizes.get(size, np.nan) for one in self.sweeps] for size in SIZES}
        varied = {size: values for size, values in known.items() if np.all(np.isfinite(values))}
        for given in (varied, *({size: values} for size, values in varied.items())):
            try:
                return batch_scaling(given.get("tokens"), given.get("params"), critical)
            except InputError:  # they do not vary, or not apart, or some B* is infinite
                continue
        return None

    def write(self, path: str | Path) -> None:
        """The sweeps, and what came of each; `read` needs the former alone."""
        sweeps = []
        for one in self.sweeps:
            fit, low_high = one.fit, one.fit.interval()
            came = {"a": fit.a, "c": fit.c, "critical": fit.value, "interval": low_high, "notes": fit.notes}
            how = {
                "overhead": fit.overhead,
                "reference": fit.reference,
                "resamples": len(fit.theta) - 1,
                "seed": self.seed,
            }
            measured = {"batch": fit.batch.tolist(), "steps": fit.measured.tolist()}
            sweeps.append({"name": one.name, **one.sizes, **how, **measured, **came})
        write_json(path, {"format": FORMAT, "source": self.source, "sweeps": _finite(sweeps)})

    @staticmethod
    def read(path: str | Path) -> BatchFit:
        """The sweeps in a file that `write` wrote. Raises `InputError` for any other file."""
        data = written(path)
        if data is None:
            raise InputError(f"{path} is no batch.json; `twopart fit --form batch` writes one")
        try:
            return BatchFit(str(data["source"]), tuple(map(_sweep, data["sweeps"])))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} holds no sweeps over batch sizes ({error}); fit the table anew") from error


def written(path: str | Path) -> dict[str, Any] | None:
    """What a file of that format holds; None for any other."""
    try:
        check_source(path)
        data = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and data.get("format") == FORMAT else None


def fit_batches(
    path: str | Path,
    mapping: Columns | None = None,
    *,
    target: float | None = None,
    overhead: float = 0.2,
    reference: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> BatchFit:
    """The critical batch size of each sweep in a table; `target` is the loss that training curves are to reach.

    `overhead`, `reference` and the rest are those of `fits.critical_batch_size`. What cannot be used is one `InputError` with
    file and line.
    """
    sheet = read_sheet(path)
    found = (mapping or Columns()).found_in(sheet, ("batch", "steps", "sweep", "loss", *SIZES))
    needs = ("batch", "steps") if target is None else ("batch", "steps", "loss")
    if lacking := [role for role in needs if role not in found]:
        raise missing(sheet, lacking)
    used = {role: one for role, one in found.items() if role in (*needs, *SIZES)}
    for role, one in used.items():
        if one.rivals or one.fault:
            other = f"{sheet.header[one.rivals[0]]!r} may be it too" if one.rivals else one.fault
            raise sheet.fault(f"{one.column!r} is not sure to be the {role}: {other}; say which with {option(role)}")
    read = quantities(sheet, used)
    named = [(role, one) for role, one in found.items() if one.guessed and (role in used or role == "sweep")]
    notes = [*sheet.notes, *(note for one in read.values() for note in one.notes)]
    notes += [f"{role}: column {one.column!r}, guessed ({option(role)} COLUMN says otherwise)" for role, one in named]
    frame = pl.DataFrame({role: one.values for role, one in read.items()}).with_row_index("row")
    frame, said = _whole(sheet, used, frame, needs)
    notes += said
    texts = [_text(sheet, found["sweep"].place)] if "sweep" in found else []
    texts += [_text(sheet, used[size].place) for size in SIZES if size in used and not texts]
    frame = frame.with_columns(sweep=_joined(sheet, texts).gather(frame["row"]))
    if target is None:
        frame, said = _fewest(sheet, found, frame)
    else:
        frame, said = _reached(sheet, found, frame, check_real("target", target, 0, np.inf, "a loss", closed="()"))
    how = {"overhead": overhead, "reference": reference, "resamples": resamples, "seed": seed}
    parts = frame.partition_by("sweep", maintain_order=True)
    return BatchFit(sheet.path.name, tuple(_fitted(sheet, part, how) for part in parts), (*notes, *said), seed)


def _whole(
    sheet: Sheet, used: Mapping[str, Found], frame: pl.DataFrame, needs: Sequence[str]
) -> tuple[pl.DataFrame, list[str]]:
    """The rows without a gap, all of their numbers finite and positive, or an error."""
    kept = frame.filter(pl.all_horizontal(pl.col(role).is_not_nan() for role in needs))
    for role in needs:
        wrong = kept.filter(~pl.col(role).is_finite() | (pl.col(role) <= 0))["row"]
        if len(wrong):
            cell = sheet.cell(wrong[0], used[role].place)
            what = f"{used[role].column!r} must be finite and > 0, got {cell}; leave it empty if it was not reached"
            raise sheet.fault(what, wrong[0])
    if not len(kept):
        raise sheet.fault("every row has a gap in a column that is used; fill it in, or name other columns")
    gone = [sheet.lines[row] for row in range(len(sheet)) if row not in set(kept["row"])]
    return kept, [f"rows with a gap left out: {sheet.unit} {listed(gone)}"] if gone else []


def _fewest(sheet: Sheet, found: Mapping[str, Found], frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The fewest steps of each batch of a sweep; refused where the rows look like training curves."""
    best = frame.sort("steps").unique(["sweep", "batch"], keep="first").sort("row")
    if len(best) < len(frame) and "loss" in found:
        remedy = "say the loss to reach with --target, or, if the steps are to a target, take the column out"
        raise sheet.fault(f"batch sizes come again and again, with losses in {found['loss'].column!r}; {remedy}")
    several = f"{len(frame)} rows are {len(best)} batch sizes: the fewest steps of each are fitted, as of a sweep"
    return best, [several] if len(best) < len(frame) else []


def _reached(
    sheet: Sheet, found: Mapping[str, Found], frame: pl.DataFrame, target: float
) -> tuple[pl.DataFrame, list[str]]:
    """The fewest steps to the target among the training curves of each batch."""
    apart = column_named(sheet, (OF_ONE_RUN | KNOBS)) + ([found["name"].place] if "name" in found else [])
    run = _joined(sheet, [_text(sheet, i) for i in apart if i != found["batch"].place]).gather(frame["row"])
    rows, never = [], []
    for part in frame.with_columns(run=run).partition_by("sweep", "batch", "run", maintain_order=True):
        curve = part.sort("steps")
        if curve["steps"].is_duplicated().any():
            row = int(curve.filter(curve["steps"].is_duplicated())["row"][1])
            raise sheet.fault("a step comes twice in a run; tell the runs apart with --name COLUMN", row)
        steps = steps_to_target(curve["steps"], curve["loss"], target)
        rows.append(part.head(1).with_columns(steps=pl.lit(steps)))
        never += [] if np.isfinite(steps) else [f"batch {float(part['batch'][0]):g}"]
    there = pl.concat(rows).filter(pl.col("steps").is_finite())
    if not len(there):
        least = frame["loss"].to_numpy().min()
        raise sheet.fault(f"no run reaches a loss of {target:g}, the least is {least:g}; raise --target")
    best = there.sort("steps").unique(["sweep", "batch"], keep="first").sort("row")
    said = [f"{len(rows)} training curves; the first to {target:g} of each of {len(best)} batch sizes is fitted"]
    return best, said + ([f"never at {target:g}, and left out: {listed(never)}"] if never else [])


def _fitted(sheet: Sheet, part: pl.DataFrame, how: Mapping[str, Any]) -> Sweep:
    name = str(part["sweep"][0])
    try:
        fit = critical_batch_size(part["batch"], part["steps"], **how)
    except InputError as error:
        raise sheet.fault(f"{name or 'the sweep'}: {error}") from error
    sizes = {size: part[size].unique().to_list() for size in SIZES if size in part.columns}
    return Sweep(name, fit, {size: one[0] for size, one in sizes.items() if len(one) == 1 and np.isfinite(one[0])})


def _text(sheet: Sheet, place: int) -> pl.Series:
    return sheet.columns[place].cast(pl.String).fill_null("").str.strip_chars()


def _joined(sheet: Sheet, texts: Sequence[pl.Series]) -> pl.Series:
    """What each row says in these columns; "" where there are none."""
    if not texts:
        return pl.Series([""] * len(sheet))
    return pl.select(pl.concat_str([pl.lit(one) for one in texts], separator=", ")).to_series()


def _sweep(one: Mapping[str, Any]) -> Sweep:
    how = {name: one[name] for name in ("overhead", "reference", "resamples", "seed")}
    fit = critical_batch_size(one["batch"], one["steps"], **how)
    return Sweep(str(one["name"]), fit, {size: float(one[size]) for size in SIZES if one.get(size) is not None})


def _finite(value: Any) -> Any:
    """With null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
