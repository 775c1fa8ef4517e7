"""A heat map: rectangles on two axes, coloured on a scale that rises evenly in lightness, with a line of theory over them.

spec = heat_map(frame, x=Axis("sentences", "sentences seen"), x_ends=("from", "to"),
                y=Axis("rank", "rank of the entity"), y_ends=("low", "high"),
                colour=Axis("known", "share known", log=False, domain=(0, 1)), columns="model", line=predicted)
"""

from __future__ import annotations

from collections.abc import Mapping
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

SCHEME: Literal["viridis"] = "viridis"
"""Rises evenly in lightness, and so in print and to readers who see fewer colours (Nuñez, Anderton and Renslow 2018)."""
WIDTH, MOST_ACROSS = 820, 3  # of the panels of one row together, in CSS pixels


def heat_map(
    frame: pl.DataFrame,
    *,
    x: Axis,
    x_ends: tuple[str, str],
    y: Axis,
    y_ends: tuple[str, str],
    colour: Axis,
    columns: str | None = None,
    line: pl.DataFrame | None = None,
) -> dict[str, Any]:
    """A Vega-Lite specification with a rectangle for each row of `frame`.

    `x_ends` and `y_ends` name the columns of a rectangle's ends; `colour` says what colours it, on a linear scale. `columns`
    names the column that splits the data into panels, in order of appearance, three in a row. `line` has the columns of `x` and
    `y`, and that of `columns` if there is one: a line through its points, along x, lies over the rectangles of its panel.

    Rectangles without a finite colour, or beyond what a log axis can show, are left out.
    """
    ends = {"x": x_ends[0], "x2": x_ends[1], "y": y_ends[0], "y2": y_ends[1], "colour": colour.column}
    drawn = _selected(frame, ends, columns)
    for axis, place in ((x, "x"), (y, "y")):
        drawn = drawn.filter(pl.col(place) > 0) if axis.log else drawn
    check(len(drawn) > 0, "frame", "no rectangle that has a place", "at least one", "see what was measured")
    over = None if line is None else _selected(line, {"x": x.column, "y": y.column}, columns)
    chart = alt.layer(*_layers(drawn, over, x, y, colour), data=pl.concat([drawn, *_all(over)], how="diagonal"))
    panels = drawn["panel"].unique(maintain_order=True).to_list() if columns else []
    words = f"{colour.heading} by {x.heading} and {y.heading}"
    return finish(_in_panels(chart, panels, _prefix(frame, columns)), description=words)


def _selected(frame: pl.DataFrame, ends: Mapping[str, str], panel: str | None) -> pl.DataFrame:
    """The columns by the names of their places, rows with finite numbers only."""
    for name in (*ends.values(), *([panel] if panel else [])):
        check(name in frame.columns, "frame", frame.columns, f"a frame with the column {name!r}", "add or rename it")
    numbers = [pl.col(name).cast(pl.Float64).round_sig_figs(DIGITS).alias(place) for place, name in ends.items()]
    panels = [pl.col(panel).cast(pl.String).fill_null("none").alias("panel")] if panel else []
    return frame.select(*numbers, *panels).filter(pl.all_horizontal(pl.col(list(ends)).is_finite()))


def _layers(drawn: pl.DataFrame, over: pl.DataFrame | None, x: Axis, y: Axis, colour: Axis) -> list[alt.Chart]:
    """The rectangles, and the line in paper on ink, to be seen on every colour."""
    x_range = _range(drawn["x"].to_list() + drawn["x2"].to_list(), x)
    y_range = _range(drawn["y"].to_list() + drawn["y2"].to_list(), y)
    at_x, at_y = _channel(alt.X, "x", x, x_range), _channel(alt.Y, "y", y, y_range)
    low, high = colour.domain or (float(drawn["colour"].min()), float(drawn["colour"].max()))  # type: ignore[arg-type]
    shade = alt.Color(
        "colour:Q",
        title=colour.heading,
        scale=alt.Scale(scheme=SCHEME, domain=[low, high], clamp=True),
        legend=alt.Legend(gradientLength=200),
    )
    tips = [_tip("x", x), _tip("x2", x, "to"), _tip("y", y), _tip("y2", y, "to"), _tip("colour", colour)]
    rectangles = alt.Chart().mark_rect(clip=True).transform_filter("isValid(datum.colour)")
    layers = [rectangles.encode(x=at_x, x2="x2:Q", y=at_y, y2="y2:Q", color=shade, tooltip=tips)]
    if over is not None:
        path = alt.Chart().transform_filter("!isValid(datum.colour)").encode(x=at_x, y=at_y)
        strokes = [("ink", 4.0), ("paper", 1.75)]
        layers += [path.mark_line(clip=True, color=theme.light(name), strokeWidth=width) for name, width in strokes]
    return layers


def _range(values: list[float], axis: Axis) -> tuple[float, float]:
    """Just what the rectangles cover: no room is left around them."""
    return axis.domain or (min(values), max(values))


def _channel(channel: Any, place: str, axis: Axis, extent: tuple[float, float]) -> Any:
    ticks = alt.Axis(**axis.ticks(extent), grid=False)
    return channel(f"{place}:Q", title=axis.heading, scale=alt.Scale(**axis.scale(extent)), axis=ticks)


def _tip(place: str, axis: Axis, word: str = "") -> alt.Tooltip:
    return alt.Tooltip(f"{place}:Q", title=word or axis.heading, format=",.4~r")


def _in_panels(chart: Any, panels: list[str], name: str) -> alt.TopLevelMixin:
    across = min(MOST_ACROSS, max(1, len(panels)))
    chart = chart.properties(width=round(WIDTH / across) - 70 if panels else 560, height=220 if panels else 320)
    if not panels:
        single: alt.TopLevelMixin = chart
        return single
    header = alt.Header(title=None, labelExpr=prefixed(name))
    grid: alt.TopLevelMixin = chart.facet(alt.Facet("panel:N", header=header, sort=panels), columns=across)
    return grid


def _prefix(frame: pl.DataFrame, columns: str | None) -> str:
    return columns if columns and frame[columns].dtype.is_numeric() else ""


def _all(over: pl.DataFrame | None) -> list[pl.DataFrame]:
    return [] if over is None else [over]
