"""What the figures of a fit share."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.report.charts import Axis
from twopart.tools.fit.fitted import Fitted

TITLES = {
    "params": "parameters",
    "tokens": "training tokens",
    "flops": "training compute (FLOP)",
    "unique_tokens": "distinct tokens",
    "bits": "bits of precision",
}


def position(channel: Any, name: str, values: pl.Series) -> Any:
    """A log axis over the range of a column."""
    axis = Axis(name, TITLES[name])
    extent = axis.range_of(values.to_list())
    scale, ticks = alt.Scale(**axis.scale(extent)), alt.Axis(**axis.ticks(extent))
    return channel(f"{name}:Q", title=TITLES[name], scale=scale, axis=ticks)


def rounded(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers as a screen can show them, gaps where there is no bound; the tables hold them in full."""
    numbers = pl.col(pl.Float64)
    return frame.with_columns(pl.when(numbers.is_finite()).then(numbers.round_sig_figs(6)))


def about_a_run(*names: str) -> list[alt.Tooltip]:
    return [alt.Tooltip("run:N"), *(alt.Tooltip(f"{name}:Q", format=".4~s") for name in names)]


def frontier(fitted: Fitted, budgets: NDArray[np.float64]) -> pl.DataFrame:
    """The best split of each budget, with intervals: flops, loss, and params and tokens with `_low` and `_high`."""
    rows = []
    for budget in budgets.tolist():
        plan = fitted.fit.allocate(flops=budget, **fitted.extras)
        assert plan.params is not None
        assert plan.tokens is not None
        splits = (plan.params.value, *plan.params.ends, plan.tokens.value, *plan.tokens.ends)
        rows.append((budget, plan.loss.value, *splits))
    ends = [f"{name}{end}" for name in ("params", "tokens") for end in ("", "_low", "_high")]
    return pl.DataFrame(rows, schema=["flops", "loss", *ends], orient="row")


def short(count: float) -> str:
    """1.3 B for 1.3e9."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {letter}"
    return f"{count:.3g}"
