"""What a notebook shows of a value: a heading, sentences, small tables. Notebooks bring their own look, so there is none here.

shown(title, *parts)     parts under each other
grid(header, columns)    a table, numbers to the right
quantities(rows)         names, values and 95 % intervals
folded(title, part)      what a click opens
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twopart._html import Markup, element, join
from twopart._numbers import MISSING, show, show_column

Interval = tuple[float, float]


def shown(title: str, *parts: Markup) -> str:
    """HTML of a value, for `_repr_html_`."""
    return element("div", element("p", element("strong", title)), *parts, class_="twopart")


def grid(header: Sequence[str], columns: Sequence[Sequence[Any]]) -> Markup:
    """A table of columns of one length; numbers of a column have the same decimals where they can."""
    sides = ["right" if _numeric(column) else "left" for column in columns]
    cells = [show_column(column) if _numeric(column) else [_word(v) for v in column] for column in columns]

    def row(tag: str, values: Iterable[str]) -> Markup:
        return element("tr", *(element(tag, v, style=f"text-align:{s}") for v, s in zip(values, sides, strict=True)))

    body = [row("td", values) for values in zip(*cells, strict=True)]
    table = element("table", element("thead", row("th", header)), element("tbody", join(body)))
    return element("div", table, style="overflow-x:auto")


def quantities(rows: Iterable[tuple[str, float | str, Interval | None]]) -> Markup:
    """Name, value and interval of each quantity."""
    listed = [(n, v if isinstance(v, str) else show(v), MISSING if i is None else span(i)) for n, v, i in rows]
    return grid(("quantity", "value", "95 % interval"), list(zip(*listed, strict=True)))


def span(interval: Interval) -> str:
    """An interval in words."""
    return f"{show(interval[0])} to {show(interval[1])}"


def folded(title: str, part: Markup) -> Markup:
    """A part that opens under its title."""
    return element("details", element("summary", title), part)


def _numeric(column: Sequence[Any]) -> bool:
    return all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in column)


def _word(value: Any) -> str:
    return MISSING if value is None else str(value)
