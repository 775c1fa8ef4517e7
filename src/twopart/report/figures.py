"""Figures that are declared: columns of a table and what they are. What is declared once is drawn from the tables of any run.

    FIGURES = (
        Figure("risk", "Risk falls with samples", table="risk", x=Axis("samples", "samples read"), columns="world",
               y=Axis("risk", "excess risk"), kinds={"law": "theory", "SGD": "learner"}),
        HeatMap("known", "Which fact is known when", table="known", x=Axis("sentences", "sentences seen"),
                x_ends=("from", "to"), y=Axis("rank", "rank of the entity"), y_ends=("low", "high"),
                colour=Axis("known", "share known", log=False, domain=(0, 1))),
        Drawn("codes", "Codes of a text", table="codes", function=codes),  # codes(frame) -> a specification, by `charts.finish`
    )
    charts = [chart for figure in FIGURES if (chart := figure.draw(tables))]

`draw` gives None where the run has no such table, or no row of it is shown: a control that was switched off has no figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from twopart._checks import check
from twopart.findings import Chart
from twopart.report._axes import Axis

if TYPE_CHECKING:  # Altair is loaded when something is drawn, not when it is declared
    from twopart.report._axes import Kind

__all__ = ["Declared", "Drawn", "Figure", "HeatMap", "at_most"]

Tables = Mapping[str, pl.DataFrame]


class Declared(Protocol):
    """What every declared figure can do."""

    @property
    def name(self) -> str: ...

    def draw(self, tables: Tables) -> Chart | None: ...


@dataclass(frozen=True, eq=False)
class Figure:
    """Curves, by `charts.curves`: one row of the table for each point."""

    name: str
    """The file's: lower-case letters, digits, hyphens and underscores."""
    title: str
    """The heading over the figure: what it says."""
    table: str
    """The name of the table that it is drawn from."""
    x: Axis
    y: Axis
    kinds: Mapping[Any, Kind] | Kind  # of str or ...; a mapping's type of keys is invariant
    """theory, asymptote, simulation or learner for each series, in the order of the legend; those that the table lacks are not
    drawn. `...` stands for all that are not named, in order of appearance; one kind alone is the kind of all."""
    columns: str | None = None
    """The column whose values stand side by side, a panel each, in order of appearance."""
    rows: str | None = None
    """The same from top to bottom."""
    colour: str | None = None
    """The column that decides the colour; None: the series does."""
    series: str = "series"
    """The column that tells the curves apart."""
    band: tuple[str, str] | None = ("low", "high")
    """The columns of the interval of a simulation or a learner; it is drawn where the table has them and they are not null."""
    shown: pl.Expr | None = None
    """Which rows are drawn; None: all."""
    caption: str = ""
    """One thing to see, in plain words; what the columns mean is the caption of the table."""

    def draw(self, tables: Tables) -> Chart | None:
        """The chart, or None where there is nothing to draw. Raises `InputError` for a table that cannot be drawn so."""
        from twopart.report.charts import curves

        frame = _rows(tables, self.table, self.shown)
        if frame is None:
            return None
        kinds, panels = self._kinds(frame), {"columns": self.columns, "rows": self.rows, "colour": self.colour}
        spec = curves(frame, x=self.x, y=self.y, kinds=kinds, series=self.series, band=self._band(frame), **panels)
        return Chart(self.name, self.title, spec, self.caption)

    def _kinds(self, frame: pl.DataFrame) -> dict[str, Kind]:
        given = {...: self.kinds} if isinstance(self.kinds, str) else dict(self.kinds)
        present = _values(frame, self.series)
        others = [series for series in present if series not in given]
        places = ((others if isinstance(name, EllipsisType) else [name], kind) for name, kind in given.items())
        return {series: kind for names, kind in places for series in names}

    def _band(self, frame: pl.DataFrame) -> tuple[str, str] | None:
        if self.band is None or not set(self.band) & set(frame.columns):
            return None
        clash = {self.x.column, self.y.column} & set(self.band)
        check(not clash, "band", self.band, "columns that no axis shows", "give others, or None for curves without")
        return self.band


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Rectangles or cells coloured by a number, by `heat_map.heat_map`: one row of the table for each."""

    name: str
    """The file's: lower-case letters, digits, hyphens and underscores."""
    title: str
    """The heading over the figure: what it says."""
    table: str
    """The name of the table that it is drawn from."""
    x: Axis
    y: Axis
    colour: Axis
    """What colours a rectangle, on a linear scale."""
    x_ends: tuple[str, str] | None = None
    """The columns of a rectangle's ends; None: a cell for each value of x, in order of appearance."""
    y_ends: tuple[str, str] | None = None
    """The same for y."""
    columns: str | None = None
    """The column that splits the map into panels, in order of appearance."""
    line: str | None = None
    """The table of a line over the rectangles, with the columns of both axes and of the panels; a run may lack it."""
    centre: float | None = None
    """Where a scale turns that has two sides; None: it rises."""
    shown: pl.Expr | None = None
    """Which rows are drawn; None: all."""
    caption: str = ""
    """One thing to see, in plain words; what the columns mean is the caption of the table."""

    def draw(self, tables: Tables) -> Chart | None:
        """The chart, or None where there is nothing to draw. Raises `InputError` for a table that cannot be drawn so."""
        from twopart.report.heat_map import heat_map

        frame = _rows(tables, self.table, self.shown)
        if frame is None:
            return None
        axes: dict[str, Any] = {"x": self.x, "y": self.y, "x_ends": self.x_ends, "y_ends": self.y_ends}
        over = None if self.line is None else _rows(tables, self.line, None)
        spec = heat_map(frame, **axes, colour=self.colour, columns=self.columns, line=over, centre=self.centre)
        return Chart(self.name, self.title, spec, self.caption)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure of another form, by a function of the table's frame."""

    name: str
    """The file's: lower-case letters, digits, hyphens and underscores."""
    title: str
    """The heading over the figure: what it says."""
    table: str
    """The name of the table that it is drawn from."""
    function: Callable[[pl.DataFrame], dict[str, Any]]
    """From the frame to a specification, in the common look by `charts.finish`."""
    caption: str = ""
    """One thing to see, in plain words; what the columns mean is the caption of the table."""

    def draw(self, tables: Tables) -> Chart | None:
        """The chart, or None where there is nothing to draw."""
        frame = _rows(tables, self.table, None)
        return None if frame is None else Chart(self.name, self.title, self.function(frame), self.caption)


def at_most(count: int, column: str) -> pl.Expr:
    """For `shown`: rows of at most `count` >= 2 values of a column of numbers, spread evenly, the least and the greatest too.

    With ranks r = 0, ..., n of the values, those stay at which the whole part of r (count - 1) / n rises.
    """
    check(count >= 2, "count", count, "at least 2", "the least and the greatest always stay")
    rank = pl.col(column).rank("dense").cast(pl.Int64) - 1
    rises = rank * (count - 1) // rank.max() > (rank - 1) * (count - 1) // rank.max()
    return (rank == 0) | rises


def _rows(tables: Tables, name: str, shown: pl.Expr | None) -> pl.DataFrame | None:
    """The rows to draw; None where there are none."""
    frame = tables.get(name)
    if frame is not None and shown is not None:
        frame = frame.filter(shown)
    return None if frame is None or frame.is_empty() else frame


def _values(frame: pl.DataFrame, column: str) -> list[str]:
    """In order of appearance, as `curves` names them; none of a column that is not there, which it will refuse."""
    named = (
        frame[column].cast(pl.String).fill_null("none") if column in frame.columns else pl.Series([], dtype=pl.String)
    )
    return named.unique(maintain_order=True).to_list()
