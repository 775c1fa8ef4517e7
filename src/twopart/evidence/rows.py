"""Rows: what the cells of one case measured, all replicates together. Found: all that a run of a study measured.

found.of(Pass)                    every case of that type, in the order of the study
found.of(Train, width=64)         those whose field is so
rows.array("risk")                shape (R, ...): one entry, or one row of the table, for each replicate
rows.where(axis="seen")           the rows in which the column is so
long("seen", {"risk": risk})      the rows of an axis, as a cell returns them: the inverse of `array`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import check

C = TypeVar("C")


def long(axis: str, columns: Mapping[str, Any], **labels: Any) -> pl.DataFrame:
    """A row of the axis for each number of columns (R, ...), arrays or tensors, broadcast to one shape; labels are in all."""
    arrays = (c.numpy(force=True) if hasattr(c, "numpy") else np.asarray(c) for c in columns.values())
    whole = np.broadcast_arrays(*arrays)
    replicate = np.repeat(np.arange(len(whole[0])), whole[0][0].size)
    flat = {n: c.ravel().astype(float if c.dtype.kind == "f" else c.dtype) for n, c in zip(columns, whole, strict=True)}
    return pl.DataFrame({"replicate": replicate, "axis": axis, **labels, **flat})


@dataclass(frozen=True, eq=False)
class Rows(Generic[C]):
    """What was measured in one case."""

    case: C
    """The record that its cells were given."""
    frame: pl.DataFrame
    """Long rows, with the column `replicate`."""
    function: str = ""
    """The name of the cells' function."""

    def __str__(self) -> str:
        return str(self.case)

    def where(self, **where: Any) -> pl.DataFrame:
        """The rows in which each named column has that value, or one of those in a list."""
        wanted = ((pl.col(name), value) for name, value in where.items())
        return self.frame.filter(*(c.is_in(list(v)) if isinstance(v, list | tuple) else c == v for c, v in wanted))

    def array(self, *columns: str, **where: Any) -> NDArray[Any]:
        """A column by replicate: shape (R,) where each has one row, (R, n) where each has n; of k columns (R, k), (R, k, n).

        Raises `InputError` if replicates have different numbers of rows.
        """
        parts = self.where(**where).partition_by("replicate", maintain_order=True)
        sizes = sorted({len(part) for part in parts})
        check(len(sizes) == 1, "rows", sizes, "as many for each replicate", "select them with column=value")
        values = np.array([[part[name].to_numpy() for name in columns] for part in parts])
        values = values[:, :, 0] if sizes == [1] else values
        return values[:, 0] if len(columns) == 1 else values


@dataclass(frozen=True, eq=False)
class Found:
    """All that a run measured."""

    config: Any
    """The study's config."""
    parts: tuple[Rows[Any], ...]
    """One for each case, in the study's order."""

    def of(self, case: type[C], *, function: str | None = None, **where: Any) -> list[Rows[C]]:
        """What was measured in the cases of a type, its fields being so, by that function; in the study's order."""
        of_type = [r for r in self.parts if type(r.case) is case and function in (None, r.function)]
        return [rows for rows in of_type if all(getattr(rows.case, name) == value for name, value in where.items())]

    def one(self, case: type[C], *, function: str | None = None, **where: Any) -> Rows[C]:
        """The same where there is exactly one. Raises `InputError` if there is not."""
        found = self.of(case, function=function, **where)
        check(len(found) == 1, "cases", len(found), f"one {case.__name__} with {where}", "see the study's cells")
        return found[0]

    @classmethod
    def collect(cls, config: Any, measured: Iterable[tuple[str, Any, int, pl.DataFrame]]) -> Found:
        """From (function, case, replicate, frame): the replicates of a case come together.

        A cell that runs all replicates itself has the column `replicate`; to others it is given.
        """
        groups: dict[tuple[str, Any], list[pl.DataFrame]] = {}
        for function, case, replicate, frame in measured:
            if "replicate" not in frame.columns:
                frame = frame.with_columns(pl.lit(replicate, pl.Int64).alias("replicate"))
            groups.setdefault((function, case), []).append(frame)
        parts = (Rows(case, pl.concat(frames, how="diagonal"), name) for (name, case), frames in groups.items())
        return cls(config, tuple(parts))
