"""Two parts of a whole against each other: frontiers of what more of the one saves of the other, beside wholes of one part.

    spec = frontiers(corners, whole, x=Axis("model", "model bits", log=False), y=Axis("data", "data bits", log=False),
                     total="total", name="code", strong=("kind", "prequential"), description="...")

All axes are linear, so that wholes of one length stand on a line: the dashed one, as long as the shortest of two parts.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import polars as pl
from scipy.optimize import isotonic_regression

from twopart.report import theme
from twopart.report._axes import Axis
from twopart.report.charts import finish

__all__ = ["frontiers", "spread"]

REACH, MARGIN = 0.6, 0.25  # of the shortest whole: x is shown up to it, and the names stand to the left of 0
GAP, END = 0.06, 0.05  # between names, and from x = 0 to where they end


def frontiers(
    corners: pl.DataFrame,
    whole: pl.DataFrame,
    *,
    x: Axis,
    y: Axis,
    total: str,
    name: str,
    strong: tuple[str, str],
    description: str,
) -> dict[str, Any]:
    """A Vega-Lite specification: corners as lines, a colour for each `name`, and wholes of one part as named points at x = 0.

    Both frames have the columns of x, y, the `total` and the `name`. Points whose column strong[0] is strong[1] are darker.
    """
    best = corners[total].to_numpy().min()
    right, named = REACH * best, spread(whole, y.column, GAP * best).with_columns(end=-END * best)
    bottom = min(0.8 * whole[y.column].to_numpy().min(), named["height"].to_numpy().min() - GAP * best)
    across, up = (alt.Scale(domain=ends, nice=False) for ends in ([-MARGIN * best, right], [bottom, 2 * best]))
    positive = alt.Axis(labelExpr="datum.value < 0 ? '' : datum.label")
    x_at = alt.X(f"{x.column}:Q", title=x.heading, scale=across, axis=positive)
    y_at = alt.Y(f"{y.column}:Q", title=y.heading, scale=up)
    names = corners[name].unique(maintain_order=True).to_list()
    colours = [colour.light for colour in theme.PALETTE.values()][: len(names)]
    colour = alt.Color(f"{name}:N", scale=alt.Scale(domain=names, range=colours), title=None)
    ink, soft = alt.value(theme.light("ink")), alt.value(theme.light("soft"))
    shade = alt.when(alt.FieldEqualPredicate(strong[1], strong[0])).then(ink).otherwise(soft)
    tips = [name, *(alt.Tooltip(f"{column}:Q", format=".4~r") for column in (x.column, y.column, total))]
    as_long = pl.DataFrame({x.column: [0.0, right], y.column: [best, best - right]})
    frames = as_long, corners.filter(pl.col(x.column) < right), whole, named
    equal, frontier, points, label = (alt.Chart(frame).encode(x=x_at, y=y_at) for frame in frames)
    frontier = frontier.encode(color=colour)
    layers = alt.layer(
        equal.mark_line(clip=True, strokeDash=[4, 3], strokeWidth=1.25).encode(color=soft),
        frontier.mark_line(clip=True, strokeWidth=2.25),
        frontier.mark_point(clip=True, size=32).encode(tooltip=tips),
        points.mark_point(clip=True, size=40, filled=True).encode(color=shade, tooltip=[name, tips[-1]]),
        label.mark_rule(clip=True, strokeWidth=0.75).encode(x2="end:Q", y2="height:Q", color=soft),
        label.mark_text(clip=True, align="right", dx=-4).encode(x="end:Q", y="height:Q", text=name, color=shade),
    ).properties(width=560, height=420)
    return finish(layers, description=description)


def spread(points: pl.DataFrame, column: str, gap: float) -> pl.DataFrame:
    """With `height`, where labels stand: at least `gap` apart, as near the points' own as the order allows."""
    wanted = points.sort(column)
    steps = np.arange(len(wanted)) * gap
    apart = isotonic_regression(wanted[column].to_numpy() - steps).x + steps
    return wanted.with_columns(pl.Series("height", apart))
