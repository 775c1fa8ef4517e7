"""A heat map: rectangles on two axes, coloured by a number, with a line of theory over them.

spec = heat_map(frame, x=Axis("sentences", "sentences seen"), x_ends=("from", "to"),
                y=Axis("rank", "rank of the entity"), y_ends=("low", "high"),
                colour=Axis("known", "share known", log=False, domain=(0, 1)), columns="model", line=predicted)

An axis without ends holds a cell for each of its values:

spec = heat_map(frame, x=Axis("centre", "centre"), y=Axis("neuron", "neuron"),
                colour=Axis("cosine", "cosine", log=False, domain=(-1, 1)), columns="labels", centre=0)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import polars as pl

from twopart._checks import check
from twopart.report import theme
from twopart.report._axes import Axis
from twopart.report._curves import prefixed
from twopart.report._points import DIGITS
from twopart.report.charts import finish

__all__ = ["heat_map"]

RISING: Literal["viridis"] = "viridis"
"""Rises evenly in lightness, and so in print and to readers who see fewer colours (Nuñez, Anderton and Renslow 2018)."""
DIVERGING: Literal["blueorange"] = "blueorange"
"""White at the centre, told apart under protanopia and deuteranopia; reversed here: blue is more."""
EDGE = alt.ExprRef("scale('color', datum.colour)")
"""An edge of a rectangle's own colour closes the hairline that a screen leaves between two that touch. As a channel it would
turn the legend into symbols."""
WIDTH, MOST_ACROSS = 820, 3  # of the panels of one row together, in CSS pixels


def heat_map(
    frame: pl.DataFrame,
    *,
    x: Axis,
    y: Axis,
    colour: Axis,
    x_ends: tuple[str, str] | None = None,
    y_ends: tuple[str, str] | None = None,
    columns: str | None = None,
    line: pl.DataFrame | None = None,
    centre: float | None = None,
) -> dict[str, Any]:
    """A Vega-Lite specification with a rectangle for each row of `frame`.

    `x_ends` and `y_ends` name the columns of a rectangle's ends; without them the axis holds a cell for each of its values, in
    order of appearance, and each panel has its own. `colour` says what colours a rectangle, on a linear scale that rises, or
    that turns at `centre`. `columns` names the column that splits the data into panels, in order of appearance, three in a row.
    `line` has the columns of `x` and `y`, and that of `columns` if there is one: a line through its points, along x, lies over
    the rectangles of its panel.

    Rectangles without a finite colour, or beyond what a log axis can show, are left out.
    """
    across, down = _Side("x", x, x_ends), _Side("y", y, y_ends)
    ended = x_ends is not None and y_ends is not None
    check(line is None or ended, "line", "a line", "None on an axis of cells", "give the ends of both axes")
    shade = _number(colour.column).alias("colour")
    drawn = _selected(frame, [*across.columns(), *down.columns(), shade], columns)
    drawn = drawn.filter(across.fits, down.fits, pl.col("colour").is_finite())
    check(len(drawn) > 0, "frame", "no rectangle that has a place", "at least one", "see what was measured")
    over = [] if line is None else [_line(line, x, y, columns)]
    encoded = alt.layer(*_layers(drawn, across, down, colour, _shades(drawn, colour, centre), over=bool(over)))
    chart = encoded.properties(data=pl.concat([drawn, *over], how="diagonal"))
    panels = drawn["panel"].unique(maintain_order=True).to_list() if columns else []
    free: dict[str, Any] = {side.place: "independent" for side in (across, down) if side.ends is None}
    words = f"{colour.heading} by {x.heading} and {y.heading}"
    return finish(_in_panels(chart, panels, _prefix(frame, columns), free), description=words)


@dataclass(frozen=True)
class _Side:
    """One axis: numbers from end to end of each rectangle, or cells where there are no ends."""

    place: Literal["x", "y"]
    axis: Axis
    ends: tuple[str, str] | None

    def columns(self) -> list[pl.Expr]:
        """What is drawn, under the names of its places."""
        if self.ends is None:
            return [pl.col(self.axis.column).cast(pl.String).fill_null("none").alias(self.place)]
        return [_number(name).alias(f"{self.place}{end}") for name, end in zip(self.ends, ("", "2"), strict=True)]

    @property
    def fits(self) -> pl.Expr:
        """Whether the axis has a place for it."""
        if self.ends is None:
            return pl.lit(True)
        low, high = pl.col(self.place), pl.col(f"{self.place}2")
        finite = low.is_finite() & high.is_finite()
        return finite & (low > 0) if self.axis.log else finite

    def encoding(self, drawn: pl.DataFrame) -> dict[str, Any]:
        channel, second = (alt.X, alt.X2) if self.place == "x" else (alt.Y, alt.Y2)
        if self.ends is None:
            names = drawn[self.place].unique(maintain_order=True).to_list()
            ticks = alt.Axis(labelAngle=0, labelOverlap=True)
            return {self.place: channel(f"{self.place}:N", title=self.axis.heading, sort=names, axis=ticks)}
        extent = self._extent(drawn)
        scale, ticks = alt.Scale(**self.axis.scale(extent)), alt.Axis(**self.axis.ticks(extent), grid=False)
        first = channel(f"{self.place}:Q", title=self.axis.heading, scale=scale, axis=ticks)
        return {self.place: first, f"{self.place}2": second(f"{self.place}2:Q")}

    def tips(self) -> list[alt.Tooltip]:
        if self.ends is None:
            return [alt.Tooltip(f"{self.place}:N", title=self.axis.heading)]
        return [_tip(self.place, self.axis.heading), _tip(f"{self.place}2", "to")]

    def _extent(self, drawn: pl.DataFrame) -> tuple[float, float]:
        """Just what the rectangles cover: no room is left around them."""
        values = drawn[self.place].to_list() + drawn[f"{self.place}2"].to_list()
        return self.axis.filled(min(values), max(values))


def _selected(frame: pl.DataFrame, columns: list[pl.Expr], panel: str | None) -> pl.DataFrame:
    """The columns that are drawn, and the panel."""
    for name in (*(name for column in columns for name in column.meta.root_names()), *([panel] if panel else [])):
        check(name in frame.columns, "frame", frame.columns, f"a frame with the column {name!r}", "add or rename it")
    panels = [pl.col(panel).cast(pl.String).fill_null("none").alias("panel")] if panel else []
    return frame.select(*columns, *panels)


def _line(line: pl.DataFrame, x: Axis, y: Axis, panel: str | None) -> pl.DataFrame:
    points = _selected(line, [_number(x.column).alias("x"), _number(y.column).alias("y")], panel)
    return points.filter(pl.col("x").is_finite() & pl.col("y").is_finite())


def _number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64).round_sig_figs(DIGITS)


def _shades(drawn: pl.DataFrame, colour: Axis, centre: float | None) -> alt.Scale:
    """The colour scale, over its domain or the data; about `centre` it reaches equally far both ways."""
    values = drawn["colour"].to_list()
    low, high = colour.filled(min(values), max(values))
    if centre is None:
        return alt.Scale(scheme=RISING, domain=[low, high], clamp=True)
    reach = max(high - centre, centre - low)
    return alt.Scale(scheme=DIVERGING, reverse=True, domain=[centre - reach, centre + reach], clamp=True)


def _layers(
    drawn: pl.DataFrame, across: _Side, down: _Side, colour: Axis, shades: alt.Scale, *, over: bool
) -> list[alt.Chart]:
    """The rectangles, and the line in paper on ink, to be seen on every colour."""
    places = across.encoding(drawn) | down.encoding(drawn)
    shade = alt.Color("colour:Q", title=colour.heading, scale=shades, legend=alt.Legend(gradientLength=200))
    tips = [*across.tips(), *down.tips(), _tip("colour", colour.heading)]
    rectangles = alt.Chart().mark_rect(clip=True, strokeWidth=0.75, stroke=EDGE)
    rectangles = rectangles.transform_filter("isValid(datum.colour)")
    layers = [rectangles.encode(**places, color=shade, tooltip=tips)]
    if over:
        path = alt.Chart().transform_filter("!isValid(datum.colour)").encode(x=places["x"], y=places["y"])
        strokes = [("ink", 4.0), ("paper", 1.75)]
        layers += [path.mark_line(clip=True, color=theme.light(name), strokeWidth=width) for name, width in strokes]
    return layers


def _tip(place: str, title: str) -> alt.Tooltip:
    return alt.Tooltip(f"{place}:Q", title=title, format=",.4~r")


def _in_panels(chart: Any, panels: list[str], name: str, free: dict[str, Any]) -> alt.TopLevelMixin:
    across = min(MOST_ACROSS, max(1, len(panels)))
    chart = chart.properties(width=round(WIDTH / across) - 70 if panels else 560, height=220 if panels else 320)
    if not panels:
        single: alt.TopLevelMixin = chart
        return single
    header = alt.Header(title=None, labelExpr=prefixed(name))
    grid: Any = chart.facet(alt.Facet("panel:N", header=header, sort=panels), columns=across)
    panelled: alt.TopLevelMixin = grid.resolve_scale(**free) if free else grid
    return panelled


def _prefix(frame: pl.DataFrame, columns: str | None) -> str:
    return columns if columns and frame[columns].dtype.is_numeric() else ""
