"""What every plan shows: sentences and tables in the terminal, a page in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from twopart.cli.page import write_page

if TYPE_CHECKING:
    import polars as pl

    from twopart.findings import Findings, Table

MARKER = "plan.json"
"""The file that says that a folder is a plan's."""
Number = Annotated[float | None, tyro.conf.DisallowNone, tyro.conf.arg(help_behavior_hint="(default: none)")]
"""An option that is a number or left out."""


def show(
    said: Iterable[str],
    tables: Iterable[Table],
    findings: Callable[[], Findings],
    out: Path | None,
    config: dict[str, Any],
) -> None:
    """Print a plan, and write its page into `out`, a folder that `check_folder` has passed: charts are drawn for it alone."""
    print(*said, sep="\n")
    for table in tables:
        print_table(table.title, table.frame)
    if out is not None:
        from twopart._files import write_json

        page = write_page(findings(), out, config, 0, lambda folder: write_json(folder / MARKER, config))
        print(f"\nreport: {page}")


def print_table(title: str, frame: pl.DataFrame) -> None:
    """Words as they are, numbers to four digits; ends of intervals stay on the page."""
    from rich.console import Console
    from rich.table import Table as Grid

    table = Grid(title=f"\n{title}", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown = frame.select(name for name in frame.columns if not name.endswith((", low", ", high")))
    for name in shown.columns:
        table.add_column(name, justify="right")
    for row in shown.iter_rows():
        table.add_row(*_cells(row))
    Console().print(table)


def _cells(row: Iterable[str | float]) -> list[str]:
    return [value if isinstance(value, str) else f"{value:.4g}" for value in row]
