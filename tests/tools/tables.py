"""One table of 36 runs, to be written in the ways of many programs. Its law: E 1.81, alpha 0.342, beta 0.356."""

import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twopart.tools.fit import fit_table, read_runs

SIZES = (70e6, 146.4e6, 306.1e6, 640.2e6, 1339e6, 2800e6)
DATA = (2e9, 5.024e9, 12.62e9, 31.7e9, 79.62e9, 200e9)
LOSSES = (
    3.2460, 3.0912, 2.9585, 2.8406, 2.7620, 2.6971,
    3.0611, 2.8883, 2.7640, 2.6405, 2.5868, 2.5109,
    2.9256, 2.7514, 2.6186, 2.5224, 2.4445, 2.3739,
    2.8205, 2.6602, 2.5172, 2.4102, 2.3434, 2.2730,
    2.7358, 2.5783, 2.4502, 2.3426, 2.2603, 2.2076,
    2.7085, 2.5324, 2.3979, 2.3032, 2.2249, 2.1551,
)  # fmt: skip
RUNS = tuple((n, d, loss) for (d, n), loss in zip(((d, n) for d in DATA for n in SIZES), LOSSES, strict=True))
HEADER = ("params", "tokens", "loss")
PLAIN = ("{:.0f}".format, "{:.0f}".format, "{:.4f}".format)
LAW = {"E": 1.807, "A": 371.0, "B": 1398.6, "alpha": 0.342, "beta": 0.356}


def text(header=HEADER, cells=PLAIN, separator=",", end="\n", before="", after="", runs=RUNS):
    """The table with a way to write each of its columns; `after` ends every row."""
    lines = [separator.join(header)]
    lines += [separator.join(write(value) for write, value in zip(cells, run, strict=False)) + after for run in runs]
    return before + end.join(lines) + end


def scaled(factor, places=4):
    """A way to write a number in units of `factor`."""
    return lambda value: f"{value / factor:.{places}f}"


def german(places):
    """1.234,5"""
    return lambda value: f"{value:,.{places}f}".translate(str.maketrans(",.", ".,"))


def parquet(columns):
    stream = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), stream)
    return stream.getvalue()


def read(folder, content, name="runs.csv", mapping=None, **options):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_runs(path, mapping, **options)


def same(table, rel=1e-3, unit=1.0):
    """Whether these are the 36 runs, losses in units of so many nats."""
    columns = zip(HEADER, zip(*RUNS, strict=True), (1.0, 1.0, unit), strict=True)
    return len(table) == len(RUNS) and all(
        np.allclose(table.columns[name] * factor, values, rtol=rel, atol=0) for name, values, factor in columns
    )


def check_law(table, unit=1.0, rel=2e-3):
    """The law of the 36 runs, amplitudes in units of so many nats."""
    fit = fit_table(table, resamples=0).fit
    assert fit.alpha == pytest.approx(LAW["alpha"], rel=rel)
    assert fit.beta == pytest.approx(LAW["beta"], rel=rel)
    assert fit.E * unit == pytest.approx(LAW["E"], rel=rel)
    assert fit.A * unit == pytest.approx(LAW["A"], rel=20 * rel)
    assert fit.B * unit == pytest.approx(LAW["B"], rel=20 * rel)


BIT = math.log(2)
