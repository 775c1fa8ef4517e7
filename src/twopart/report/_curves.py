"""How the series of a chart of curves look, by kind, and the layers that draw them.

theory      a thin solid line, in ink where series have colours of their own
asymptote   a thin dashed line
simulation  open circles with error bars
learner     a thick line with a band; a marker now and then tells learners apart without colour

All is written in Vega-Lite's own words: built from Altair's objects, which are copied at each step, the same specification
takes twenty-five times as long.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from twopart.report import theme
from twopart.report._axes import Kind

Spec = dict[str, Any]
"""A part of a Vega-Lite specification."""
LEARNER_SHAPES = ("diamond", "square", "triangle-up", "cross", "triangle-down", "triangle-right")
LEGEND: Spec = {"symbolOpacity": 1}
LISTENING = "learners"
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
    def colour(self) -> Spec:
        return _nominal(self._colour_field, self._colours(), self._colour_legend)

    @property
    def fill(self) -> Spec:
        """As `colour`, but simulated points stay open."""
        fills = self._colours()
        fills.update({s: theme.light("paper") for s in self.of_kind("simulation") if self.colour_values is None})
        return _nominal(self._colour_field, fills, self._colour_legend)

    @property
    def dash(self) -> Spec:
        dashes = {series: [4, 3] if kind == "asymptote" else [1, 0] for series, kind in self.kinds.items()}
        dashes |= {series: [9, 3] for series in self.of_kind("theory")[1:]}  # one law beside another
        return _nominal("series", dashes)

    @property
    def shape(self) -> Spec:
        """A line's symbol in the legend is a stroke."""
        fixed, learners = {"theory": "stroke", "asymptote": "stroke", "simulation": "circle"}, cycle(LEARNER_SHAPES)
        return _nominal("series", {s: fixed.get(kind) or next(learners) for s, kind in self.kinds.items()})

    @property
    def _colour_field(self) -> str:
        return "series" if self.colour_values is None else "colour"

    @property
    def _colour_legend(self) -> Spec:
        return {**LEGEND, "labelExpr": prefixed(self.colour_name)} if self.colour_name else LEGEND

    def _colours(self) -> dict[str, str]:
        palette = cycle(colour.light for colour in theme.PALETTE.values())
        if self.colour_values is not None:
            return dict(zip(self.colour_values, palette, strict=False))
        plain = {"theory": theme.light("ink"), "asymptote": theme.light("soft")}
        return {series: plain.get(kind) or next(palette) for series, kind in self.kinds.items()}


def layers(style: Style, x: Spec, y: Spec, tooltip: list[Spec], *, banded: bool) -> list[Spec]:
    """From back to front. A click on the legend fades the other series; every point answers to the pointer."""
    ends = {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    points = {"color": style.colour, "shape": style.shape, "fill": _inside(style)}

    def layer(mark: str, look: Spec, encoding: Spec, *kinds: Kind, also: tuple[str, ...] = ()) -> Spec:
        of_kind = [{"field": "series", "oneOf": style.of_kind(*kinds)}] if kinds else []
        drawn = {"x": x, "y": y, "opacity": _picked(1, 0.12), **encoding}
        filters = [{"filter": only} for only in (*of_kind, *also)]
        return {"mark": {"type": mark, "clip": True, **look}, "encoding": drawn, "transform": filters}

    def line(kind: Kind) -> Spec:
        return layer("line", {"strokeWidth": WIDTHS[kind]}, {"color": style.colour, "strokeDash": style.dash}, kind)

    band = layer("area", {}, {**ends, "fill": style.fill, "opacity": _picked(0.2, 0.03)}, "learner")
    bars = layer("rule", {"strokeWidth": 1.5}, {**ends, "color": style.colour}, "simulation")
    open_points = layer("point", {"size": 32, "strokeWidth": 1.5}, points, "simulation")
    markers = layer("point", {"size": 32, "strokeWidth": 1.5}, points, "learner", also=("datum.marked",))
    hover = layer("point", {"size": 90, "filled": True, "aria": False}, {"tooltip": tooltip, "opacity": {"value": 0}})
    lines = [line("asymptote"), line("theory"), {"name": LISTENING, **line("learner")}]
    return [band, *lines, bars, open_points, markers, hover] if banded else [*lines, open_points, markers, hover]


PICKED: Spec = {
    "name": "picked",
    "select": {"type": "point", "fields": ["series"]},
    "bind": "legend",
    "views": [LISTENING],
}
"""What a click on the legend picks; one layer listens."""


def _picked(opacity: float, otherwise: float) -> Spec:
    return {"condition": {"param": PICKED["name"], "value": opacity}, "value": otherwise}


def prefixed(name: str) -> str:
    """The expression for a label with `name` before it; Vega-Lite pastes a conditional in for the label, hence the brackets."""
    return f"{json.dumps(f'{name} ')} + (datum.label)" if name else "datum.label"


def _inside(style: Style) -> Spec:
    return style.fill if style.colour_values is None else {"value": theme.light("paper")}


def _nominal(field: str, values: dict[str, Any], legend: Spec = LEGEND) -> Spec:
    scale = {"domain": list(values), "range": list(values.values())}
    return {"field": field, "type": "nominal", "scale": scale, "legend": legend, "title": None}
