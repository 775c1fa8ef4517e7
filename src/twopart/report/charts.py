"""Charts that studies share: curves of theory, simulation and learners, in panels, on log axes that can be read.

    spec = curves(frame, x=Axis("sentences", "sentences seen"), y=Axis("bits", "redundancy per sentence", unit="bits"),
                  kinds={"exact": "theory", "asymptote": "asymptote", "Bayes code": "simulation", "transformer": "learner"},
                  band=("low", "high"), columns="discount", rows="role")
    Chart("redundancy", "The data law", spec)

A chart of another form is built with Altair and passed through `finish`, which gives it the common look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from twopart._checks import check, check_choice
from twopart.report import theme
from twopart.report._axes import KINDS, Axis, Kind
from twopart.report._curves import PICKED, Spec, Style, layers, prefixed
from twopart.report._points import extent, left_out, points, within

if TYPE_CHECKING:
    import altair as alt

__all__ = ["Axis", "Kind", "curves", "finish"]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.4.1.json"
"""Of the version that Altair writes and the page's script draws."""
WIDTH = 820  # of the panels of one row together, in CSS pixels: with axis and headers they fill the page
WIDEST, NARROWEST = 560, 160  # one panel; narrower ones would be unreadable, the page scrolls instead


def curves(
    frame: pl.DataFrame,
    *,
    x: Axis,
    y: Axis,
    kinds: Mapping[str, Kind],
    series: str = "series",
    band: tuple[str, str] | None = None,
    colour: str | None = None,
    columns: str | None = None,
    rows: str | None = None,
) -> dict[str, Any]:
    """A Vega-Lite specification of curves, one row of `frame` per point (any order within a curve).

    `kinds` says for each value of the column `series`, in the order of the legend, whether it is theory, an asymptote, a
    simulation or a learner, which decides how it is drawn. `band` names the columns of the interval of a simulation (error
    bars) or a learner (band). `colour` names a column that takes over the colours, e.g. the role; otherwise each series
    has its own. `columns` and `rows` name the columns that split the data into panels, in order of appearance; where
    they hold numbers, the header gives the column's name too.

    Null, NaN and infinite values are gaps, and so are values <= 0 on a log axis; the chart says how many points, those of
    asymptotes aside, lie outside what it shows.
    """
    named = {"series": series, "colour": colour, "column": columns, "row": rows}
    places = {place: name for place, name in named.items() if name is not None}
    drawn = points(frame, x, y, places, band)
    names = {place: name if frame[name].dtype.is_numeric() else "" for place, name in places.items()}
    style = _style(drawn, kinds, names.get("colour", ""))
    law = drawn.filter(pl.col("series").is_in(style.of_kind("theory", "simulation", "learner")))
    x_range, y_range = x.range_of(drawn["x"].to_list()), extent(law if len(law) else drawn, y, style.of_kind("theory"))
    encodings = _position("x", x, x_range), _position("y", y, y_range), _tooltip(x, y, places, band)
    chart = _panels(layers(style, *encodings, banded=band is not None), within(drawn, x, y, y_range[0]), names)
    words = f"{y.heading} against {x.heading}: {', '.join(style.kinds)}"
    return finish(chart, description=words, note=left_out(law, x_range, y_range))


def finish(chart: alt.TopLevelMixin | Spec, *, description: str, note: str = "") -> Spec:
    """The specification of any Altair chart, or of one in Vega-Lite's words, in the project's look.

    `description` says in words what is drawn, for readers who cannot see it; `note` is a small line under the chart.
    """
    check(bool(description), "description", description, "a sentence", "say in words what is drawn")
    # An Altair chart's parts were judged as they were made.
    spec: Spec = chart if isinstance(chart, dict) else chart.to_dict(validate=False)
    if note:
        small = {"fontSize": 11, "fontWeight": "normal", "color": theme.light("soft")}
        spec["title"] = {"text": note, "orient": "bottom", "offset": 12, **small}
    return {**spec, "description": description, "config": theme.vega_config()}


def _style(drawn: pl.DataFrame, kinds: Mapping[str, Kind], colour_name: str) -> Style:
    """The style of the series that are there; every one of them needs a kind, and a colour of its own."""
    for kind in kinds.values():
        check_choice("kinds", kind, KINDS)
    present = _values(drawn.filter(pl.col("y").is_not_null()), "series")
    check(bool(present), "frame", "no point that has a place", "at least one point", "see what was measured")
    for series in present:
        check_choice("series", series, tuple(kinds), "give its kind in `kinds`")
    shown = {series: kind for series, kind in kinds.items() if series in present}
    style = Style(shown, _values(drawn, "colour") if "colour" in drawn.columns else None, colour_name)
    count, most = len(style.colour_values or style.of_kind("simulation", "learner")), len(theme.PALETTE)
    check(count <= most, "colours", count, f"at most {most}", "split the chart into panels or several charts")
    return style


def _values(drawn: pl.DataFrame, place: str) -> list[str]:
    """In order of appearance."""
    return drawn[place].unique(maintain_order=True).to_list() if place in drawn.columns else []


def _position(place: str, axis: Axis, extent: tuple[float, float]) -> Spec:
    shown = {"title": axis.heading, "scale": axis.scale(extent), "axis": axis.ticks(extent)}
    return {"field": place, "type": "quantitative", **shown}


def _tooltip(x: Axis, y: Axis, places: Mapping[str, str], band: tuple[str, str] | None) -> list[Spec]:
    words = {**places, **({"interval": "interval"} if band else {})}
    named = [{"field": place, "type": "nominal", "title": name} for place, name in words.items()]
    of_axes = (("x", x.heading, ",.6~r"), ("y", y.heading, ",.4~r"))
    numbers = [{"field": f, "type": "quantitative", "title": title, "format": form} for f, title, form in of_axes]
    return [*named[: len(places)], *numbers, *named[len(places) :]]


def _panels(layers: list[Spec], drawn: pl.DataFrame, names: Mapping[str, str]) -> Spec:
    """One panel, or a grid of them under headers."""
    columns, rows = _values(drawn, "column"), _values(drawn, "row")
    wide = min(WIDEST, max(NARROWEST, round(WIDTH / max(1, len(columns))) - 20))
    panel = {"width": wide, "height": 190 if len(rows) > 1 else 260 if columns else 320, "layer": layers}
    grid = {
        place: {"field": place, "type": "nominal", "sort": values, "header": _header(names[place])}
        for place, values in (("column", columns), ("row", rows))
        if values
    }
    whole = {"$schema": SCHEMA, "data": {"values": drawn.to_dicts()}, "params": [PICKED]}
    return {**whole, "facet": grid, "spec": panel} if grid else {**whole, **panel}


def _header(name: str) -> Spec:
    return {"title": None, "labelExpr": prefixed(name)}
