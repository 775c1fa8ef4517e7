"""Curves as rows, and tables of them: what a figure draws, and what a reader can take up in full precision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import getdoc
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from twopart._checks import check
from twopart.findings import Table

Band = tuple[ArrayLike, ArrayLike]
Columns = Mapping[str, ArrayLike]


def curve(x: Columns, y: Columns, band: Band | None = None, **labels: str | float) -> pl.DataFrame:
    """The rows of one curve: the labels, the columns of `x`, each of shape (n,), and of `y`; `low` and `high`, its band.

    A y of shape (n,) is a law and has no band, or the `band` that is given; one of shape (R, n) is of R replicates: its mean,
    with the least and the greatest replicate. Of several y only the first has the band. A band that is none is null.
    """
    columns = {name: np.asarray(values) for name, values in x.items()}
    n = len(next(iter(columns.values())))
    for index, (name, values) in enumerate(y.items()):
        values = np.asarray(values, float)
        fits = values.shape[-1:] == (n,) and values.ndim in (1, 2)
        check(fits, name, values.shape, f"of shape ({n},) or (replicates, {n})", "give one value for each x")
        if values.ndim == 2:
            if index == 0 and band is None:
                band = values.min(0), values.max(0)
            values = values.mean(0)
        columns[name] = values
    low, high = (None, None) if band is None else (np.asarray(end, float) for end in band)
    frame = pl.DataFrame({**columns, "low": low, "high": high}).cast({"low": pl.Float64, "high": pl.Float64})
    return frame.select(*(pl.lit(value).alias(name) for name, value in labels.items()), pl.all())


def curves(
    x: Columns, y: str, series: Mapping[str, ArrayLike | None], errors: float | None = None, /, **labels: str | float
) -> pl.DataFrame:
    """Several curves over the same x, each named in the column `series`; one that is None is left out.

    The band of replicates, (R, n), is that of `curve`, or their mean less and plus so many standard `errors`.
    """
    shown = {name: np.asarray(values, float) for name, values in series.items() if values is not None}
    bands = {name: None if errors is None or v.ndim == 1 else around(v, errors) for name, v in shown.items()}
    return pl.concat(curve(x, {y: values}, bands[name], series=name, **labels) for name, values in shown.items())


def log_ends(values: Iterable[float]) -> dict[float, tuple[float, float]]:
    """Of a heat map's cell on a log axis for each of two or more values, halfway to its neighbours."""
    logs = np.log(np.array(sorted(values), float))
    middle = (logs[1:] + logs[:-1]) / 2
    edge = np.exp([2 * logs[0] - middle[0], *middle, 2 * logs[-1] - middle[-1]])
    return {value: (float(edge[i]), float(edge[i + 1])) for i, value in enumerate(sorted(values))}


def around(replicates: ArrayLike, errors: float) -> Band:
    """The mean of replicates, shape (R, ...), less and plus so many standard errors: a band."""
    values = np.asarray(replicates, float)
    reach = errors * values.std(0, ddof=1) / np.sqrt(len(values))
    return values.mean(0) - reach, values.mean(0) + reach


def table(name: str, title: str, rows: Callable[..., Iterable[pl.DataFrame]], *of: Any) -> Iterator[Table]:
    """The frames that `rows(*of)` yields, one under the other; its doc string is the caption. No table of no frame."""
    if frames := list(rows(*of)):
        yield Table(name, title, pl.concat(frames, how="diagonal_relaxed"), " ".join(str(getdoc(rows)).split()))
