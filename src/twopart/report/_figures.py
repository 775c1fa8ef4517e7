"""Figures: a specification becomes SVG, PNG and JSON files and a place on the page where a script draws it."""

from __future__ import annotations

import json
import re
from typing import Any

import vl_convert

from twopart._checks import InputError
from twopart._html import Markup, element, escape, json_script, paragraphs
from twopart.findings import Chart
from twopart.report import _fonts, theme

SCALE = 2  # PNG pixels per unit, for sharp print and dense screens


def figure_files(chart: Chart) -> dict[str, bytes]:
    """The chart as `figures/<name>.json`, `.svg` and `.png`. Raises `InputError` where it cannot be drawn as it is."""
    text, svg = spec_text(chart), picture(chart)
    stem, png = f"figures/{chart.name}", vl_convert.svg_to_png(svg, scale=SCALE)
    return {spec_path(chart): (text + "\n").encode(), f"{stem}.svg": svg.encode(), f"{stem}.png": png}


def picture(chart: Chart) -> str:
    """The chart as SVG."""
    _fonts.register()
    try:
        return _renumber(vl_convert.vegalite_to_svg(spec_text(chart), allowed_base_urls=[]))
    except ValueError as error:
        reason = str(error).partition(" at ")[0].split("failed:")[-1].strip()  # the rest is the library's stack
        raise InputError(f"chart {chart.name!r} is no Vega-Lite that can be drawn ({reason})") from error


def spec_path(chart: Chart) -> str:
    return f"figures/{chart.name}.json"


def spec_text(chart: Chart) -> str:
    """The specification as JSON. Raises `InputError` if it holds NaN or infinity, or would fetch its data."""
    if address := _fetched(chart.spec):
        raise InputError(f"chart {chart.name!r} fetches {address!r}; a report opens without network: put the data in")
    try:
        return json.dumps(chart.spec, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        message = f"chart {chart.name!r} must hold finite numbers only; write null (None) where a point is missing"
        raise InputError(message) from error


def figure(chart: Chart, level: str) -> Markup:
    """The place of one chart: title as a heading of that level, drawing, caption and links to its files."""
    identity = f"figure-{chart.name}"
    stem = f"figures/{chart.name}"
    files = [element("a", kind.upper(), href=f"{stem}.{kind}") for kind in ("svg", "png", "json")]
    still = Markup(f'<noscript><img src="{stem}.svg" alt="{escape(chart.title)}"></noscript>')
    drawing = element("div", still, class_="chart", tabindex="0", role="region", aria_labelledby=f"{identity}-title")
    note = element("p", "The figure as ", files[0], ", ", files[1], ", ", files[2], class_="note")
    caption = element("figcaption", paragraphs(chart.caption), note)
    heading = element(level, chart.title, id=f"{identity}-title")
    return element("figure", heading, drawing, json_script(chart.spec, f"{identity}-spec"), caption, id=identity)


def colour_variables() -> Markup:
    """What the page's script needs to follow the colour scheme."""
    return json_script(theme.variable_of_colour(), "colours")


def _renumber(svg: str) -> str:
    """The picture with its clip paths and gradients counted from 1: the library counts on from picture to picture."""
    numbers: dict[str, int] = {}

    def anew(match: re.Match[str]) -> str:
        return f"{match[1]}{numbers.setdefault(match[2], len(numbers) + 1)}{match[3]}"

    return re.sub(r'( id="clip| id="gradient_|url\(#clip|url\(#gradient_)(\d+)(["\)])', anew, svg)


def _fetched(part: Any) -> str | None:
    """The first address under a `data` key, if any."""
    if isinstance(part, dict):
        data = part.get("data")
        if isinstance(data, dict) and "url" in data:
            return str(data["url"])
        return next((found for value in part.values() if (found := _fetched(value))), None)
    if isinstance(part, list | tuple):
        return next((found for value in part if (found := _fetched(value))), None)
    return None
