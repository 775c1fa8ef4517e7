"""From a study's frame to the points of a chart: short names, gaps where nothing can be drawn, and what was left out.

The columns become x, y, low, high, series, colour, column and row, so that no name of a column can be mistaken for an
expression; numbers are rounded to what a screen can show.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from twopart._checks import check
from twopart._numbers import MISSING, show
from twopart.report._axes import Axis

DIGITS = 6  # significant digits; the tables hold the numbers in full
MARKERS = 10  # on one learner's curve, about
# The higher of the least theoretical and the least measured value, over this, is as low as a log axis reaches.
SHORTFALL = 10


def points(
    frame: pl.DataFrame, x: Axis, y: Axis, places: Mapping[str, str], band: tuple[str, str] | None
) -> pl.DataFrame:
    """One row per row of `frame` with a place along x. `places` maps series, colour, column and row to column names."""
    for name in (x.column, y.column, *(band or ()), *places.values()):
        check(name in frame.columns, "frame", frame.columns, f"a frame with the column {name!r}", "add or rename it")
    numbers = {"x": x.column, "y": y.column} | dict(zip(("low", "high"), band or (), strict=False))
    drawn = frame.select(
        *(_finite(name).alias(place) for place, name in numbers.items()),
        *(pl.col(name).cast(pl.String).fill_null("none").alias(place) for place, name in places.items()),
    )
    drawn = drawn.filter(pl.col("x").is_not_null())
    count, order = pl.len().over(list(places)), pl.col("x").rank("ordinal").over(list(places))
    return drawn.with_columns(marked=(order % (count / MARKERS).ceil().cast(pl.Int64)) == 0)


def extent(drawn: pl.DataFrame, axis: Axis, theory: list[str]) -> tuple[float, float]:
    """The range of y. On a log axis neither noise about zero, far below all theory, nor theory far below all measurements
    stretches it."""
    if axis.log:
        positive = drawn.filter(pl.col("y") > 0).group_by(pl.col("series").is_in(theory)).agg(pl.col("y").min())
        drawn = drawn.filter(pl.col("y") >= max(positive["y"].to_list(), default=0.0) / SHORTFALL)
    return axis.range_of(drawn["y"].to_list())


def within(drawn: pl.DataFrame, x: Axis, y: Axis, low: float) -> pl.DataFrame:
    """Gaps where a log axis has no place; intervals that reach below `low`, the end of y, end just out of sight.

    The column `interval` tells the true ends, for tooltips.
    """
    if "low" in drawn.columns:
        ends = zip(drawn["low"].to_list(), drawn["high"].to_list(), strict=True)
        words = [MISSING if a is b is None else f"{show(a)} to {show(b)}" for a, b in ends]
        drawn = drawn.with_columns(interval=pl.Series(words, dtype=pl.String))
    if x.log:
        drawn = drawn.filter(pl.col("x") > 0)
    if y.log:
        reach = [pl.col(end).clip(lower_bound=low / 2) for end in ("low", "high") if end in drawn.columns]
        drawn = drawn.with_columns(*reach, y=pl.when(pl.col("y") > 0).then(pl.col("y")))
    return drawn


def left_out(drawn: pl.DataFrame, x: tuple[float, float], y: tuple[float, float]) -> str:
    """What the chart must say about points outside the ranges that it shows; empty where there are none."""
    outside = drawn.filter(~(pl.col("x").is_between(*x) & pl.col("y").is_between(*y)))
    if outside.is_empty():
        return ""
    names = "; ".join(outside["series"].unique(maintain_order=True))
    return f"Outside the range shown: {len(outside):,} of {len(drawn):,} points ({names})."


def _finite(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64).round_sig_figs(DIGITS)
    return pl.when(value.is_finite()).then(value)
