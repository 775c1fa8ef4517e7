"""Findings -> index.html: the main figure, the claims, then what else there is. One file, no network, whole without scripts.

render(findings, config, environment)         every file of the report, in memory: same input, same bytes
write_report(findings, folder, ...)           the same on disk, the page last, so that it never shows what is not there
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from twopart._files import shown, write_bytes
from twopart._html import Markup, element, join, paragraphs
from twopart.findings import Findings
from twopart.report._bundle import drawing_library
from twopart.report._claims import claims_section
from twopart.report._figures import colour_variables, figure
from twopart.report._fonts import font_faces
from twopart.report._tables import table_figure
from twopart.report.store import findings_files
from twopart.report.theme import css_variables

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src file: 'self'; "
    "font-src data:"
)
"""Nothing is fetched, whatever a specification asks for. Vega compiles its expressions, hence unsafe-eval."""


def write_report(
    findings: Findings, folder: str | Path, *, config: Mapping[str, Any], environment: Mapping[str, Any]
) -> Path:
    """Write the report into `folder` and return the path of its index.html.

    `config` and `environment` are shown at the end of the page. Everything is drawn before anything is written, each file
    is whole or absent, and the page comes last: a report that fails leaves the old one in place. Raises `InputError` for a
    chart that cannot be drawn.
    """
    folder = Path(folder)
    for path, data in render(findings, config, environment).items():
        write_bytes(folder / path, data)
    return folder / "index.html"


def render(findings: Findings, config: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, bytes]:
    """Every file of the report by its path in the folder; index.html is the last."""
    return {**findings_files(findings), "index.html": shown(_page(findings, config, environment)).encode()}


def _page(findings: Findings, config: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("title", findings.title),
        element("style", Markup(font_faces() + css_variables() + _asset("page.css"))),
    )
    main, others = findings.charts[:1], findings.charts[1:]
    settings = _settings("Configuration", config), _settings("Environment", environment)
    sections = [
        element("header", element("h1", findings.title), paragraphs(findings.summary)),
        *(figure(chart, "h2") for chart in main),
        *([claims_section(findings.claims)] if findings.claims else []),
        *_part("figures", "Other figures", [figure(chart, "h3") for chart in others]),
        *_part("tables", "Tables", [table_figure(table) for table in findings.tables]),
        element("section", *settings, class_="run"),
    ]
    body = element("body", element("main", join(sections, "\n")), *(_drawing() if findings.charts else ()))
    return f'<!doctype html>\n<html lang="en">\n{head}\n{body}\n</html>\n'


def _part(identity: str, title: str, parts: list[Markup]) -> list[Markup]:
    """A section of the page, or nothing where it would be empty."""
    return [element("section", element("h2", title, id=identity), *parts)] if parts else []


def _drawing() -> tuple[Markup, ...]:
    return (
        colour_variables(),
        element("script", Markup(drawing_library())),
        element("script", Markup(_asset("page.js"))),
    )


def _settings(title: str, values: Mapping[str, Any]) -> Markup:
    """Names and values, folded away until asked for."""
    rows = [element("tr", element("th", n, scope="row"), element("td", v)) for n, v in _flat(values, "")]
    table = element("table", element("tbody", *rows), class_="settings")
    return element("details", element("summary", title), element("div", table, class_="box"))


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Nested mappings as dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _setting(value)


def _setting(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _asset(name: str) -> str:
    return (files("twopart.report") / name).read_text(encoding="utf-8")
