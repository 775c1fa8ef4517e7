"""A declared figure is what the chart's own function draws from the same rows, and nothing where there are none."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from tests.report import sample, test_heat_map
from twopart._checks import InputError
from twopart.report import Axis, Drawn, Figure, HeatMap, at_most
from twopart.report.charts import Kind, curves
from twopart.report.heat_map import heat_map

X, Y = Axis("sentences", "sentences seen"), Axis("bits", "redundancy", "bits")
TABLES = {"curves": sample.redundancy(), "empty": sample.redundancy().head(0)}
FIGURE = Figure(
    "law", "The data law", "curves", X, Y, sample.KINDS, columns="discount", rows="role", caption="It falls."
)


def test_a_figure_is_its_curves() -> None:
    chart = FIGURE.draw(TABLES)
    assert chart is not None
    assert (chart.name, chart.title, chart.caption) == ("law", "The data law", "It falls.")
    same = curves(TABLES["curves"], x=X, y=Y, kinds=sample.KINDS, band=("low", "high"), columns="discount", rows="role")
    assert chart.spec == same


def test_only_rows_that_are_shown() -> None:
    role = pl.col("role") == "value"
    chart = replace(FIGURE, shown=role, rows=None, colour="discount", columns=None).draw(TABLES)
    assert chart is not None
    same = curves(TABLES["curves"].filter(role), x=X, y=Y, kinds=sample.KINDS, band=("low", "high"), colour="discount")
    assert chart.spec == same


@pytest.mark.parametrize("change", [{"table": "control"}, {"table": "empty"}, {"shown": pl.col("role") == "control"}])
def test_what_a_run_lacks_has_no_figure(change: dict[str, Any]) -> None:
    assert replace(FIGURE, **change).draw(TABLES) is None


def legend(kinds: Any, frame: pl.DataFrame) -> list[str]:
    chart = Figure("f", "F", "t", Axis("n", "n"), Axis("bits", "bits"), kinds).draw({"t": frame})
    assert chart is not None
    return chart.spec["description"].partition(": ")[2].split(", ")


def nets(*names: str) -> pl.DataFrame:
    return pl.DataFrame([(name, n, 1.0) for name in names for n in (1, 2)], ["series", "n", "bits"], orient="row")


def test_series_have_the_kinds_and_the_order_that_are_declared() -> None:
    frame = nets("wide", "narrow", "law")
    assert legend("learner", frame) == ["wide", "narrow", "law"]
    assert legend({"law": "theory", "absent": "asymptote", ...: "learner"}, frame) == ["law", "wide", "narrow"]
    assert legend({...: "learner", "wide": "theory"}, frame) == ["narrow", "law", "wide"]
    with pytest.raises(InputError, match="give its kind"):
        legend({"law": "theory"}, frame)


def test_a_band_is_drawn_where_the_table_has_one() -> None:
    figure = Figure("f", "F", "t", Axis("n", "n"), Axis("bits", "bits"), "learner")
    kinds: dict[str, Kind] = {"net": "learner"}
    bare, banded = nets("net"), nets("net").with_columns(low=0.5, high=pl.lit(None, pl.Float64))
    for frame, band in ((bare, None), (banded, ("low", "high"))):
        chart = figure.draw({"t": frame})
        assert chart is not None
        assert chart.spec == curves(frame, x=figure.x, y=figure.y, kinds=kinds, band=band)
    with pytest.raises(InputError, match="'high'"):
        figure.draw({"t": banded.drop("high")})
    with pytest.raises(InputError, match="no axis shows"):  # the ends of a bin are no interval
        replace(figure, x=Axis("low", "from")).draw({"t": banded})
    assert replace(figure, x=Axis("low", "from"), band=None).draw({"t": banded}) is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [({"series": "model"}, "'model'"), ({"columns": "world"}, "'world'"), ({"kinds": {...: "line"}}, "'theory'")],
)
def test_a_table_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        replace(FIGURE, **change).draw(TABLES)


def test_a_heat_map_with_its_line() -> None:
    axes: dict[str, Any] = {
        "x": test_heat_map.X,
        "x_ends": ("from", "to"),
        "y": test_heat_map.Y,
        "y_ends": ("low", "high"),
    }
    line = pl.DataFrame({"panel": ["a", "a"], "n": [1.0, 100.0], "rank": [1.0, 100.0]})
    figure = HeatMap("m", "M", "known", **axes, colour=test_heat_map.KNOWN, columns="panel", line="law", caption="c")
    known = pl.concat([test_heat_map.frame("a"), test_heat_map.frame("b")])
    more = {"colour": test_heat_map.KNOWN, "columns": "panel"}
    for tables, over in (
        ({"known": known, "law": line}, line),
        ({"known": known, "law": line.head(0)}, None),
        ({"known": known}, None),
    ):
        chart = figure.draw(tables)
        assert chart is not None
        assert chart.spec == heat_map(known, **axes, **more, line=over)
    assert figure.draw({"law": line}) is None
    assert replace(figure, shown=pl.col("known") > 1).draw({"known": known}) is None


def test_a_heat_map_of_cells() -> None:
    axes = {"x": Axis("centre", "centre"), "y": Axis("neuron", "neuron"), "colour": Axis("cosine", "cosine", log=False)}
    chart = HeatMap("m", "M", "cosines", **axes, columns="labels", centre=0.0).draw({"cosines": test_heat_map.cells()})
    assert chart is not None
    assert chart.spec == heat_map(test_heat_map.cells(), **axes, columns="labels", centre=0.0)


def test_any_other_figure_is_a_function_of_its_table() -> None:
    figure = Drawn("d", "D", "t", lambda frame: {"mark": "point", "rows": len(frame)}, "c")
    chart = figure.draw({"t": nets("net")})
    assert chart is not None
    assert (chart.name, chart.title, chart.caption, chart.spec["rows"]) == ("d", "D", "c", 2)
    assert figure.draw({}) is None
    assert figure.draw({"t": nets("net").head(0)}) is None


@pytest.mark.parametrize(
    ("values", "count", "kept"),
    [
        ([5, 1, 3], 4, [1, 3, 5]),
        (range(10), 4, [0, 3, 6, 9]),
        (range(11), 4, [0, 4, 7, 10]),
        ([2**k for k in range(8)], 2, [1, 128]),
        ([7], 3, [7]),
        ([1, 2], 2, [1, 2]),
    ],
)
def test_a_few_values_spread_evenly(values: Any, count: int, kept: list[int]) -> None:
    frame = pl.DataFrame({"size": [*values, *values]})
    assert sorted(set(frame.filter(at_most(count, "size"))["size"])) == kept
    assert len(frame.filter(at_most(count, "size"))) == 2 * len(kept)


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("size", range(1, 30))
def test_as_many_values_as_there_is_room_for(size: int, count: int) -> None:
    kept = pl.DataFrame({"n": range(size)}).filter(at_most(count, "n"))["n"].to_list()
    assert len(kept) == min(size, count)
    assert kept[0] == 0
    assert kept[-1] == size - 1
    gaps = [b - a for a, b in pairwise(kept)]
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


def test_declaring_a_figure_does_not_import_altair() -> None:
    code = (
        "import sys; from twopart.report import Axis, Figure, HeatMap; a = Axis('n', 'n'); "
        "Figure('f', 'F', 't', a, a, 'theory'); "
        "HeatMap('h', 'H', 't', a, a, a); sys.exit('altair' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
