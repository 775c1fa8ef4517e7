"""The figures of a fit: surface, data, plan; residuals and intervals are in doubts.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.findings import Chart
from twopart.fits.scaling.runs import UNITS
from twopart.report import theme
from twopart.report.charts import Axis, Kind, curves, finish
from twopart.tools.fit import doubts
from twopart.tools.fit._drawing import TITLES, about_a_run, frontier, position, rounded, short
from twopart.tools.fit.fitted import Fitted

GROUPS = 5  # sizes whose curves are drawn
POINTS = 60  # of each curve
BEYOND = 1000.0  # the plan goes so far past the largest run
RISING = ("blue", "sky", "green", "orange", "vermillion")  # from the lowest fifth of the losses to the highest

SURFACE = (
    "Loss against compute, coloured by model size in groups: circles are runs, each line is the law at the middle size of its "
    "group. The dashed line is the least loss that the law gives to each budget."
)
PLANE = (
    "Each run by size and data, coloured by its loss in fifths. The line is the split of compute that the law calls best; runs "
    "far to one side of it tell little about the other."
)
LINE = "Runs (circles) and the law (line); the runs' scatter about it is in the residuals."
PLAN = (
    "Best number of parameters and of tokens by compute, with 95 % bootstrap bands. Beyond {:.2g} FLOP, the largest run, all "
    "is extrapolation."
)


def figures(fitted: Fitted) -> Iterator[Chart]:
    """The charts, the main one first."""
    if fitted.split:
        yield Chart("surface", "The law and the runs", _surface(fitted), SURFACE)
        yield Chart("runs", "Where the runs are, and the best split of compute", _plane(fitted), PLANE)
    else:
        yield Chart("surface", "The law and the runs", _line(fitted), LINE)
    yield Chart("residuals", "What the law misses", doubts.residuals(fitted), doubts.RESIDUALS)
    yield Chart("intervals", "How well the runs determine the parameters", doubts.intervals(fitted), doubts.INTERVALS)
    if fitted.split:
        caption = PLAN.format(fitted.fit.ranges["flops"][1])
        yield Chart("plan", "What to train with more compute", _plan(fitted), caption)


def _surface(fitted: Fitted) -> dict[str, Any]:
    """Runs and law over compute, coloured by size."""
    middles, group = _groups(fitted)
    labels = [f"{short(size)} parameters" for size in middles]
    runs = fitted.runs.with_columns(size=pl.Series([labels[i] for i in group]))
    shown = [(size, label) for size, label in zip(middles.tolist(), labels, strict=True) if label in runs["size"]]
    lines = pl.concat(_at_size(fitted, size, runs.filter(pl.col("size") == label), label) for size, label in shown)
    shades = alt.Scale(domain=labels, range=[colour.light for colour in theme.PALETTE.values()][:GROUPS])
    x, y = position(alt.X, "flops", runs["flops"]), _loss(fitted, runs["loss"])
    at = {"x": x, "y": y, "color": alt.Color("size:N", title=None, scale=shades)}
    law = alt.Chart(rounded(lines)).mark_line(clip=True, strokeWidth=1.5).encode(**at)
    best = alt.Chart(rounded(frontier(fitted, np.geomspace(*fitted.fit.ranges["flops"], 12))))
    dashed = best.mark_line(clip=True, strokeDash=[4, 3], color=theme.light("ink")).encode(x=x, y=y)
    points = alt.Chart(rounded(runs)).mark_point(size=30, strokeWidth=1.5, clip=True)
    points = points.encode(**at, tooltip=about_a_run("params", "tokens", "loss"))
    words = "Loss against compute: runs, the law at five sizes, and the least loss of each budget"
    return finish(alt.layer(law, dashed, points).properties(width=560, height=340), description=words)


def _groups(fitted: Fitted) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Middle sizes, evenly spread on a log scale, and the nearest one to each run."""
    sizes = np.log(fitted.fit.runs.columns["params"])
    edges = np.linspace(sizes.min(), sizes.max(), GROUPS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    nearest: NDArray[np.int64] = np.abs(sizes[:, None] - middles).argmin(1)
    return np.exp(middles), nearest


def _at_size(fitted: Fitted, size: float, runs: pl.DataFrame, label: str) -> pl.DataFrame:
    """The law at one size over the compute of the runs of its group."""
    flops = np.geomspace(runs["flops"].to_numpy().min(), 1.001 * runs["flops"].to_numpy().max(), POINTS)
    others: dict[str, Any] = {name: float(np.median(runs[name].to_numpy())) for name in fitted.extras}
    loss = fitted.fit.predict(size, flops / (6 * size), flops=flops, **others)
    return pl.DataFrame({"flops": flops, "loss": loss, "size": label})


def _loss(fitted: Fitted, values: pl.Series) -> alt.Y:
    losses = values.to_numpy()
    scale = alt.Scale(type="log", nice=False, domain=[losses.min() / 1.03, losses.max() * 1.03])
    return alt.Y("loss:Q", title=f"loss ({UNITS[fitted.fit.unit]})", scale=scale)


def _plane(fitted: Fitted) -> dict[str, Any]:
    """Where the runs are."""
    runs = fitted.runs
    x, y = position(alt.X, "tokens", runs["tokens"]), position(alt.Y, "params", runs["params"])
    scale = alt.Scale(type="quantile", range=[theme.light(name) for name in RISING])
    legend = alt.Legend(format=".3~f", direction="horizontal")
    colour = alt.Color("loss:Q", title=f"loss ({fitted.fit.unit})", scale=scale, legend=legend)
    points = alt.Chart(rounded(runs)).mark_point(size=40, filled=True, clip=True)
    points = points.encode(x=x, y=y, color=colour, tooltip=about_a_run("params", "tokens", "loss"))
    best = alt.Chart(rounded(frontier(fitted, np.geomspace(*fitted.fit.ranges["flops"], 12))))
    line = best.mark_line(clip=True, color=theme.light("ink"), strokeWidth=1.5).encode(x=x, y=y)
    words = "Runs by tokens and parameters, coloured by loss, and the best split of compute"
    return finish(alt.layer(points, line).properties(width=560, height=320), description=words)


def _line(fitted: Fitted) -> dict[str, Any]:
    """For a form of one input."""
    (name,) = fitted.fit.form.inputs
    inputs: dict[str, Any] = {name: np.geomspace(*fitted.fit.ranges[name], POINTS)}
    law = pl.DataFrame({name: inputs[name], "loss": fitted.fit.predict(**inputs), "series": "law"})
    runs = fitted.runs.select(name, "loss", series=pl.lit("runs"))
    kinds: dict[str, Kind] = {"law": "theory", "runs": "simulation"}
    y = Axis("loss", "loss", UNITS[fitted.fit.unit])
    return curves(pl.concat([law, runs]), x=Axis(name, TITLES[name]), y=y, kinds=kinds)


def _plan(fitted: Fitted) -> dict[str, Any]:
    low, high = fitted.fit.ranges["flops"]
    best = frontier(fitted, np.geomspace(low, BEYOND * high, 13))
    frame = pl.concat(
        best.select("flops", series=pl.lit(TITLES[name]), count=name, low=f"{name}_low", high=f"{name}_high")
        for name in ("params", "tokens")
    )
    kinds: dict[str, Kind] = {TITLES["params"]: "learner", TITLES["tokens"]: "learner"}
    x, y = Axis("flops", "training compute", "FLOP"), Axis("count", "parameters, tokens")
    return curves(frame, x=x, y=y, kinds=kinds, band=("low", "high"))
