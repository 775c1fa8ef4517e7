"""Declared figures (placeholder until the report's own)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from twopart.findings import Chart
from twopart.report.charts import Axis, Kind, curves


@dataclass(frozen=True)
class Figure:
    name: str
    title: str
    table: str
    x: Axis
    y: Axis
    kinds: Mapping[str, Kind] | Kind
    columns: str | None = None
    rows: str | None = None
    colour: str | None = None
    series: str = "series"
    band: tuple[str, str] = ("low", "high")
    shown: Any = None
    caption: str = ""

    def draw(self, tables: Mapping[str, pl.DataFrame]) -> Chart | None:
        frame = tables.get(self.table)
        if frame is None:
            return None
        frame = frame if self.shown is None else frame.filter(self.shown)
        if frame.is_empty():
            return None
        kinds = self.kinds
        if isinstance(kinds, str):
            kinds = dict.fromkeys(frame[self.series].unique(maintain_order=True).to_list(), kinds)
        band = self.band if set(self.band) <= set(frame.columns) else None
        spec = curves(
            frame,
            x=self.x,
            y=self.y,
            kinds=kinds,
            series=self.series,
            band=band,
            colour=self.colour,
            columns=self.columns,
            rows=self.rows,
        )
        return Chart(self.name, self.title, spec, self.caption)


@dataclass(frozen=True)
class Drawn:
    name: str
    title: str
    table: str
    function: Callable[[pl.DataFrame], dict[str, Any]]
    caption: str = ""

    def draw(self, tables: Mapping[str, pl.DataFrame]) -> Chart | None:
        frame = tables.get(self.table)
        return None if frame is None else Chart(self.name, self.title, self.function(frame), self.caption)
