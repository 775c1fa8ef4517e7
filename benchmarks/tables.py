"""`twopart.tools.fit.read_runs`: a table of 100,000 training runs against polars, which infers the types of the same columns.

Ours does more: it finds the columns, doubts their units, and looks for copies and curves, whose cost is a hash of each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from benchmarks._table import Row, median_seconds, ratios
from twopart.tools.fit import read_runs

RUNS = 100_000
PEER = "polars.read_csv"


def run() -> Iterator[Row]:
    random = np.random.default_rng(0)
    params, tokens = np.exp(random.uniform(17, 24, RUNS)), np.exp(random.uniform(20, 26, RUNS))
    loss = 1.8 + 400 / params**0.34 + 500 / tokens**0.3
    plain = pl.DataFrame({"run": [f"r{i}" for i in range(RUNS)], "params": params, "tokens": tokens, "loss": loss})
    millions = pl.format("{}M params", (pl.col("params") / 1e6).round(3))
    billions = pl.format("{} B", (pl.col("tokens") / 1e9).round(3))
    tables: dict[str, tuple[pl.DataFrame, dict[str, Any]]] = {
        "numbers": (plain, {}),
        "units in cells": (plain.with_columns(params=millions, tokens=billions), {}),
        "decimal commas": (plain, {"separator": ";", "decimal_comma": True}),
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        for name, (frame, options) in tables.items():
            frame.write_csv(path, **options)
            peer = _reader(path, options)
            seconds = median_seconds(lambda: read_runs(path), 5)
            ratio = ratios(lambda: read_runs(path), peer, 3)
            yield Row(f"read {RUNS:,} runs, {name}", f"{seconds:.2f} s", PEER, ratio, "< 1 s")


def _reader(path: Path, options: dict[str, Any]) -> Callable[[], object]:
    return lambda: pl.read_csv(path, **options)
