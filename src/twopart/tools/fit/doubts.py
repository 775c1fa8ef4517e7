"""The figures that make one doubt a fit: its residuals against all that was varied, and how wide its intervals are."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import polars as pl

from twopart.report import theme
from twopart.report.charts import finish
from twopart.tools.fit._drawing import TITLES, about_a_run, position, rounded
from twopart.tools.fit.fitted import Fitted

PANEL = 230  # pixels

RESIDUALS = (
    "How far each run's loss lies above the law, in per cent, against everything that was varied. A law that fits leaves no "
    "slope and no bend. Outliers, far beyond the scatter of the others, are drawn at the edge where they lie outside the range."
)
INTERVALS = (
    "95 % bootstrap intervals, each parameter in units of its estimate (dot). Crosses: the same parameter under least absolute "
    "deviations, which outliers hardly move."
)


def residuals(fitted: Fitted) -> dict[str, Any]:
    """One panel for each of parameters, tokens, compute and the form's other inputs, where they vary."""
    runs = fitted.runs.rename({"residual (%)": "residual"})
    names = [name for name in TITLES if name in runs.columns and runs[name].n_unique() > 1]
    reach = _reach(runs)
    kind = pl.when("outlier").then(pl.lit("outlier")).otherwise(pl.lit("run"))
    runs = runs.with_columns(shown=pl.col("residual").clip(-reach, reach), kind=kind)
    both = ["run", "outlier"]
    colours = alt.Scale(domain=both, range=[theme.light("blue"), theme.light("vermillion")])
    shapes = alt.Scale(domain=both, range=["circle", "triangle-up"])
    looks = {
        "color": alt.Color("kind:N", title=None, scale=colours),
        "shape": alt.Shape("kind:N", title=None, scale=shapes),
    }
    range_of_y = alt.Scale(domain=[-1.05 * reach, 1.05 * reach], nice=False)
    panels: list[Any] = []
    for name in names:
        y = alt.Y("shown:Q", title=None if panels else "above the law (%)", scale=range_of_y)
        points = alt.Chart().mark_point(size=28, strokeWidth=1.4)
        points = points.encode(
            x=position(alt.X, name, runs[name]), y=y, **looks, tooltip=about_a_run("residual", "loss")
        )
        zero = alt.Chart().mark_rule(color=theme.light("ink")).encode(y=alt.datum(0.0))
        panels.append(alt.layer(zero, points, data=rounded(runs)).properties(width=PANEL, height=220))
    return finish(alt.hconcat(*panels), description=f"Residuals against {', '.join(TITLES[name] for name in names)}")


def _reach(runs: pl.DataFrame) -> float:
    """The largest residual in size, outliers aside unless there is nothing else."""
    near = runs.filter(~pl.col("outlier"))["residual"].to_numpy()
    return float(np.abs(near if len(near) else runs["residual"].to_numpy()).max()) or 1.0


def intervals(fitted: Fitted) -> dict[str, Any]:
    """One row for each parameter."""
    value, lad = pl.col("value"), pl.col("least absolute deviations")
    size = pl.col("low") / value, pl.col("high") / value
    table = fitted.parameters.with_columns(
        low=pl.min_horizontal(*size), high=pl.max_horizontal(*size), lad=lad / value, one=pl.lit(1.0)
    )
    shown = pl.all_horizontal(pl.col("low", "high", "lad").is_finite()) & (value > 0)
    odd = table.filter(~shown)["parameter"].to_list()
    table = table.filter(shown)
    ends = table.select("low", "high", "lad").to_numpy()
    wide = bool(len(table) and ends.min() > 0 and ends.max() / ends.min() > 10)
    scale = alt.Scale(type="log" if wide else "linear", zero=False)
    y = alt.Y("parameter:N", title=None, sort=table["parameter"].to_list())
    tips = [
        alt.Tooltip("parameter:N"),
        *(alt.Tooltip(f"{n}:Q", format=".4~g") for n in ("value", "low", "high", "lad")),
    ]
    base = alt.Chart(rounded(table)).encode(y=y, tooltip=tips)
    x = alt.X("low:Q", title="in units of the estimate", scale=scale)
    bars = base.mark_rule(strokeWidth=3, color=theme.light("blue")).encode(x=x, x2="high:Q")
    dots = base.mark_point(filled=True, size=70, color=theme.light("blue")).encode(x="one:Q")
    crosses = base.mark_point(shape="cross", filled=True, size=70, color=theme.light("vermillion")).encode(x="lad:Q")
    words = "Parameters with their intervals in units of the estimates, and under least absolute deviations"
    note = f"Not shown, at zero or without a bound: {', '.join(odd)}" if odd else ""
    layers = alt.layer(bars, dots, crosses).properties(width=560, height=34 * len(table) + 20)
    return finish(layers, description=words, note=note)
