"""One look for page and charts: colours with a light and a dark side, and the Vega-Lite config made from them.

A specification is written in the light colours. On the page each of them becomes a CSS variable, so that one chart
follows the reader's colour scheme and prints dark on white.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Colour(NamedTuple):
    """The same colour on light and on dark paper, as #rrggbb."""

    light: str
    dark: str


PALETTE: dict[str, Colour] = {
    "blue": Colour("#0072b2", "#3d94d6"),
    "vermillion": Colour("#d55e00", "#f0803c"),
    "green": Colour("#009e73", "#1fbf92"),
    "purple": Colour("#cc79a7", "#e39ac4"),
    "orange": Colour("#e69f00", "#f0b429"),
    "sky": Colour("#56b4e9", "#86cbf5"),
}
"""For data, in the order of use. Light: Okabe and Ito, Color Universal Design (2008), without yellow, which white paper
drowns; dark: the same hues, lighter. Distinct under protanopia and deuteranopia (tests/report/test_theme.py)."""

COLOURS: dict[str, Colour] = {
    "paper": Colour("#ffffff", "#15181d"),
    "panel": Colour("#f5f6f8", "#1e2229"),
    "rule": Colour("#dde1e6", "#343b45"),
    "shade": Colour("#c3c9d1", "#4a5360"),
    "ink": Colour("#1b1f24", "#e8eaed"),
    "soft": Colour("#5b626c", "#a3abb5"),
    "link": Colour("#0063a0", "#6cb8f0"),
    "holds": Colour("#00664a", "#4cd3a6"),
    "fails": Colour("#a23b00", "#ff9d66"),
    "inconclusive": Colour("#5b5470", "#bdb4d6"),
    **PALETTE,
}
"""Every colour of the page. Text colours have a contrast of at least 4.5 with paper and panel."""

FONT = "'Twopart Sans', system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
"""The font of page and pictures; the others stand in where a saved picture is opened by itself."""


def light(name: str) -> str:
    """The colour that specifications are written in."""
    return COLOURS[name].light


def css_variables() -> str:
    """`--ink: #...` and the rest: light, dark where the reader prefers it, and light again on printed paper."""
    sides = [";".join(f"--{name}:{side}" for name, side in zip(COLOURS, values, strict=True)) for values in _sides()]
    return (
        f":root{{--font:{FONT};{sides[0]}}}\n"
        f"@media (prefers-color-scheme: dark){{:root{{{sides[1]}}}}}\n"
        f"@media print{{:root{{{sides[0]}}}}}\n"
    )


def variable_of_colour() -> dict[str, str]:
    """From a light colour in a specification to the CSS variable that takes its place on the page."""
    return {colour.light: f"var(--{name})" for name, colour in COLOURS.items()}


def vega_config() -> dict[str, Any]:
    """The part of a specification that is the same for every chart."""
    ink, soft, rule = light("ink"), light("soft"), light("rule")
    text = {"labelFont": FONT, "titleFont": FONT, "labelColor": ink, "titleColor": ink, "labelFontSize": 12}
    return {
        "background": light("paper"),
        "font": FONT,
        "padding": 4,
        "range": {"category": [colour.light for colour in PALETTE.values()]},
        "view": {"stroke": rule, "continuousWidth": 480, "continuousHeight": 300},
        "axis": {
            **text,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titleColor": soft,
            "titlePadding": 8,
            "gridColor": rule,
            "domain": False,
            "tickColor": rule,
        },
        "header": {**text, "titleFontSize": 13, "labelFontSize": 13, "labelFontWeight": 600, "labelPadding": 6},
        "legend": {
            **text,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titleColor": soft,
            "orient": "top",
            "columnPadding": 20,
            "labelLimit": 320,
            "symbolSize": 110,
            "symbolStrokeWidth": 2,
            "offset": 10,
        },
        "title": {"font": FONT, "color": ink, "subtitleColor": soft, "anchor": "start", "fontSize": 14},
        "text": {"color": ink},
        "mark": {"color": PALETTE["blue"].light},
        "rule": {"color": soft},
    }


def _sides() -> tuple[list[str], list[str]]:
    return [colour.light for colour in COLOURS.values()], [colour.dark for colour in COLOURS.values()]
