"""Tables on the page: the first rows in a scroll box, numbers right-aligned, and a word on how many rows there are."""

from __future__ import annotations

from typing import Any

import polars as pl

from twopart._html import Markup, element, join, paragraphs
from twopart._numbers import MISSING, show_column
from twopart.findings import Table

SHOWN_ROWS = 200  # a page with every row of a large table would open slowly; the rest is in the Parquet file
TALL = 12  # rows that stand on the page without a scroll box


def table_figure(table: Table) -> Markup:
    """The table under its title, with its caption and a link to the whole of it."""
    identity = f"table-{table.name}"
    height, box = table.frame.height, "box tall" if table.frame.height > TALL else "box"
    scroll = element("div", _table(table), class_=box, tabindex="0", role="region", aria_labelledby=f"{identity}-title")
    link = element("a", f"tables/{table.name}.parquet", href=f"tables/{table.name}.parquet")
    count = f"The first {SHOWN_ROWS} of {height:,} rows" if height > SHOWN_ROWS else f"{height} rows"
    note = element("p", "1 row" if height == 1 else count, "; in full precision: ", link, class_="note")
    heading = element("h3", table.title, id=f"{identity}-title")
    return element("section", heading, scroll, paragraphs(table.caption), note, class_="table", id=identity)


def _table(table: Table) -> Markup:
    columns = table.frame.head(SHOWN_ROWS).get_columns()
    kinds = ["number" if column.dtype.is_numeric() else "text" for column in columns]
    cells = [_cells(column) for column in columns]
    head = element("tr", *(element("th", c.name, class_=k, scope="col") for c, k in zip(columns, kinds, strict=True)))
    rows = [
        element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in zip(*cells, strict=True)
    ]
    return element("table", element("thead", head), element("tbody", join(rows, "\n")))


def _cells(column: pl.Series) -> list[str]:
    if column.dtype.is_float() or column.dtype.is_integer():
        return show_column(column.to_list())
    return [_word(value) for value in column.to_list()]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return MISSING if value is None else str(value)
