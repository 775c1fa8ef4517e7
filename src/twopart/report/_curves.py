"""How the series of a chart of curves look, by kind, and the layers that draw them.

theory      a thin solid line, in ink where series have colours of their own
asymptote   a thin dashed line
simulation  open circles with error bars
learner     a thick line with a band; a marker now and then tells learners apart without colour
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import altair as alt

from twopart.report import theme
from twopart.report._axes import Kind

LEARNER_SHAPES = ("diamond", "square", "triangle-up", "cross", "triangle-down", "triangle-right")
LEGEND: dict[str, Any] = {
    "symbolOpacity": 1
}  # Altair's own objects are copied many times, with all that they leave open
WIDTHS = {"theory": 1.5, "asymptote": 1.25, "learner": 2.25}


@dataclass(frozen=True)
class Style:
    """What tells the curves apart: colour by series or by a column of its own; dashes and markers always by series."""

    kinds: dict[str, Kind]
    """The kind of each series, in the order of the legend."""
    colour_values: list[str] | None = None
    """The values of the column that decides the colour; None where the series does."""
    colour_name: str = ""
    """What the legend puts before these values."""

    def of_kind(self, *kinds: Kind) -> list[str]:
        return [series for series, kind in self.kinds.items() if kind in kinds]

    @property
    def colour(self) -> alt.Color:
        return alt.Color(self._colour_field, scale=_scale(self._colours()), legend=self._colour_legend, title=None)

    @property
    def fill(self) -> alt.Fill:
        """As `colour`, but simulated points stay open."""
        fills = self._colours()
        fills.update({s: theme.light("paper") for s in self.of_kind("simulation") if self.colour_values is None})
        return alt.Fill(self._colour_field, scale=_scale(fills), legend=self._colour_legend, title=None)

    @property
    def dash(self) -> alt.StrokeDash:
        dashes = {series: [4, 3] if kind == "asymptote" else [1, 0] for series, kind in self.kinds.items()}
        dashes |= {series: [9, 3] for series in self.of_kind("theory")[1:]}  # one law beside another
        return alt.StrokeDash("series:N", scale=_scale(dashes), legend=LEGEND, title=None)

    @property
    def shape(self) -> alt.Shape:
        """A line's symbol in the legend is a stroke."""
        fixed, learners = {"theory": "stroke", "asymptote": "stroke", "simulation": "circle"}, cycle(LEARNER_SHAPES)
        shapes = {series: fixed.get(kind) or next(learners) for series, kind in self.kinds.items()}
        return alt.Shape("series:N", scale=_scale(shapes), legend=LEGEND, title=None)

    @property
    def _colour_field(self) -> str:
        return "series:N" if self.colour_values is None else "colour:N"

    @property
    def _colour_legend(self) -> dict[str, Any]:
        return {**LEGEND, "labelExpr": prefixed(self.colour_name)} if self.colour_name else LEGEND

    def _colours(self) -> dict[str, str]:
        palette = cycle(colour.light for colour in theme.PALETTE.values())
        if self.colour_values is not None:
            return dict(zip(self.colour_values, palette, strict=False))
        plain = {"theory": theme.light("ink"), "asymptote": theme.light("soft")}
        return {series: plain.get(kind) or next(palette) for series, kind in self.kinds.items()}


def layers(style: Style, x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip], *, banded: bool) -> list[alt.Chart]:
    """From back to front. A click on the legend fades the other series; every point answers to the pointer."""
    picked = alt.selection_point(fields=["series"], bind="legend", name="picked")
    base = alt.Chart().encode(x=x, y=y, opacity=alt.when(picked).then(alt.value(1)).otherwise(alt.value(0.12)))
    faded = alt.when(picked).then(alt.value(0.2)).otherwise(alt.value(0.03))

    def of_kind(*kinds: Kind) -> alt.Chart:
        return base.transform_filter(alt.FieldOneOfPredicate("series", style.of_kind(*kinds)))

    def line(kind: Kind) -> alt.Chart:
        mark: alt.Chart = of_kind(kind).mark_line(clip=True, strokeWidth=WIDTHS[kind])
        return mark.encode(color=style.colour, strokeDash=style.dash)

    def marks(data: alt.Chart) -> alt.Chart:
        mark: alt.Chart = data.mark_point(clip=True, size=32, strokeWidth=1.5)
        return mark.encode(color=style.colour, shape=style.shape, fill=_inside(style))

    ends = {"y": alt.Y("low:Q"), "y2": alt.Y2("high:Q")}
    band = of_kind("learner").mark_area(clip=True).encode(**ends, fill=style.fill, opacity=faded)
    bars = of_kind("simulation").mark_rule(clip=True, strokeWidth=1.5).encode(**ends, color=style.colour)
    hover = base.mark_point(clip=True, size=90, filled=True, aria=False).encode(tooltip=tooltip, opacity=alt.value(0))
    lines = [line("asymptote"), line("theory"), line("learner").add_params(picked)]
    points = [marks(of_kind("simulation")), marks(of_kind("learner").transform_filter("datum.marked"))]
    return [band, *lines, bars, *points, hover] if banded else [*lines, *points, hover]


def prefixed(name: str) -> str:
    """The expression for a label with `name` before it; Vega-Lite pastes a conditional in for the label, hence the brackets."""
    return f"{json.dumps(f'{name} ')} + (datum.label)" if name else "datum.label"


def _inside(style: Style) -> Any:
    return style.fill if style.colour_values is None else alt.value(theme.light("paper"))


def _scale(values: dict[str, Any]) -> dict[str, Any]:
    return {"domain": list(values), "range": list(values.values())}
