"""Curves as they are drawn: read from the picture, in pixels, they are where the numbers say."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from xml.etree import ElementTree

import altair as alt
import numpy as np
import polars as pl
import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from twopart._checks import InputError
from twopart.report import theme
from twopart.report._axes import log_label, log_ticks
from twopart.report.charts import Axis, Kind, curves, finish

KINDS: dict[str, Kind] = {"law": "theory", "far": "asymptote", "Bayes": "simulation", "net": "learner"}
X, Y = Axis("n", "sentences seen"), Axis("bits", "redundancy", "bits")
SVG = "{http://www.w3.org/2000/svg}"


def frame(**series: list[float | None]) -> pl.DataFrame:
    """Values at n = 1, 10, 100, ... for each series, with an interval of a factor 2 both ways."""
    rows = [(name, 10.0**k, value) for name, values in series.items() for k, value in enumerate(values)]
    data = pl.DataFrame(rows, schema={"series": pl.String, "n": pl.Float64, "bits": pl.Float64}, orient="row")
    return data.with_columns(low=pl.col("bits") / 2, high=pl.col("bits") * 2)


def drawn(spec: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(vl_convert.vegalite_to_svg(spec))


@pytest.mark.parametrize("columns", [None, "panel"])
def test_the_whole_is_vega_lite(columns: str | None) -> None:
    """By Altair's schema, which is not asked when a study draws: parts are made as they should be."""
    data = frame(law=[4.0, 2.0], far=[3.0, 1.0], Bayes=[4.0, 2.0], net=[5.0, 3.0]).with_columns(panel=pl.lit(1))
    spec = curves(data, x=X, y=Y, kinds=KINDS, band=("low", "high"), columns=columns, colour=columns)
    assert alt.Chart.from_dict(spec, validate=True).to_dict()["description"] == spec["description"]
    assert spec["$schema"] == alt.SCHEMA_URL


def marks(svg: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    """What is drawn of one kind of mark: lines and areas that are not empty, and points and rules that can be seen."""
    groups = [group for group in svg.iter(f"{SVG}g") if f"mark-{kind}" in group.get("class", "").split()]
    shapes = [
        shape for group in groups if "role-mark" in group.get("class", "") for shape in group if shape.tag != f"{SVG}g"
    ]
    return [shape for shape in shapes if shape.get("opacity") != "0" and shape.get("d") != ""]


def corners(line: ElementTree.Element) -> np.ndarray:
    """The corners of a line in pixels of its panel."""
    return np.array(re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", line.get("d", "")), float)


def texts(svg: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in svg.iter(f"{SVG}text")]


def expected(spec: dict[str, Any], axis: str, values: np.ndarray, *, log: bool = True) -> np.ndarray:
    """Where values stand, in pixels, on an axis with the domain that the specification gives it."""
    channels = (layer["encoding"][axis] for layer in spec["layer"])
    low, high = next(channel["scale"]["domain"] for channel in channels if "scale" in channel)
    share = np.log(values / low) / np.log(high / low) if log else (values - low) / (high - low)
    return spec["width"] * share if axis == "x" else spec["height"] * (1 - share)


N = 10.0 ** np.arange(6)


def test_a_power_law_stands_where_it_should_on_log_axes() -> None:
    values = 8 * N**-0.5
    spec = curves(frame(law=values.tolist()), x=X, y=Y, kinds=KINDS)
    (line,) = marks(drawn(spec), "line")
    pixels = np.column_stack([expected(spec, "x", N), expected(spec, "y", values)])
    np.testing.assert_allclose(corners(line), pixels, atol=0.01)
    assert np.ptp(np.diff(pixels[:, 1]) / np.diff(pixels[:, 0])) < 1e-9, "a power law is a straight line"


def test_linear_axes() -> None:
    values = np.array([3.0, -1.0, 0.0, 2.0])
    y = Axis("bits", "redundancy", log=False)
    spec = curves(frame(law=values.tolist()), x=X, y=y, kinds=KINDS)
    (line,) = marks(drawn(spec), "line")
    np.testing.assert_allclose(corners(line)[:, 1], expected(spec, "y", values, log=False), atol=0.01)


def test_every_kind_is_drawn_in_its_way() -> None:
    values: list[float | None] = [4, 2, 1, 0.5]
    spec = curves(frame(law=values, far=values, Bayes=values, net=values), x=X, y=Y, kinds=KINDS, band=("low", "high"))
    svg = drawn(spec)
    far, law, net = marks(svg, "line")
    assert law.get("stroke") == theme.light("ink")
    assert far.get("stroke-dasharray") == "4,3"
    assert float(net.get("stroke-width", 0)) > float(law.get("stroke-width", 0)) > float(far.get("stroke-width", 0))
    bars = marks(svg, "rule")
    assert len(bars) == 4
    assert {bar.get("stroke") for bar in bars} == {theme.light("blue")}
    heights = [abs(float(bar.get("y2", 0))) for bar in bars]
    np.testing.assert_allclose(
        heights, expected(spec, "y", np.array(1.0)) - expected(spec, "y", np.array(4.0)), atol=0.01
    )
    assert len(marks(svg, "area")) == 1
    assert len(marks(svg, "symbol")) == 8
    assert {*KINDS, "sentences seen", "redundancy (bits)", "10⁰", "10³"} <= set(texts(svg))


@pytest.mark.parametrize("gap", [None, math.nan, math.inf, 0.0, -3.0])
def test_what_has_no_place_is_a_gap(gap: float | None) -> None:
    spec = curves(frame(law=[8, 4, gap, 1, 0.5]), x=X, y=Y, kinds=KINDS)
    svg = drawn(spec)
    (line,) = marks(svg, "line")
    assert line.get("d", "").count("M") == 2
    assert len(corners(line)) == 4
    assert ("Outside the range shown: 1 of 5 points (law)." in texts(svg)) == (gap in (0.0, -3.0))


def test_noise_around_zero_neither_stretches_the_axis_nor_hides() -> None:
    net = [8, 4, 1e-9, -1e-3, 1]
    spec = curves(frame(law=[8, 4, 2, 1, 0.5], net=net), x=X, y=Y, kinds=KINDS)
    low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert 0.05 <= low < 0.5
    assert 8 <= high < 10
    assert "Outside the range shown: 2 of 10 points (net)." in texts(drawn(spec))


def test_theory_that_vanishes_does_not_squeeze_what_was_measured() -> None:
    spec = curves(frame(law=[8, 4, 1e-3, 1e-13], Bayes=[8, 4, 1e-2]), x=X, y=Y, kinds=KINDS)
    svg = drawn(spec)
    low, _ = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert 1e-4 < low <= 1e-3
    assert "Outside the range shown: 1 of 7 points (law)." in texts(svg)


def test_a_domain_says_what_it_hides() -> None:
    x, y = Axis("n", "n", domain=(1, 100)), Axis("bits", "bits", domain=(1, 5))
    spec = curves(frame(law=[8, 4, 2, 1]), x=x, y=y, kinds=KINDS)
    assert "Outside the range shown: 2 of 4 points (law)." in texts(drawn(spec))
    first = frame(law=[8, 4]).with_columns(n=pl.Series([0.0, 1.0]))
    assert "Outside the range shown: 1 of 2 points (law)." in texts(drawn(curves(first, x=X, y=Y, kinds=KINDS)))


def test_an_open_end_of_a_domain_is_that_of_the_data() -> None:
    y, values = Axis("bits", "bits", domain=(0.1, None)), frame(law=[8, 4, 2, 1])
    low, high = curves(values, x=X, y=y, kinds=KINDS)["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low == 0.1
    assert 8 < high < 10
    assert Axis("bits", "bits", log=False, domain=(None, 1.0)).range_of([0.25]) == (-0.75, 1.0)
    assert Axis("bits", "bits", domain=(0.1, 1.0)).range_of([]) == (0.1, 1.0)
    with pytest.raises(InputError, match="around the data"):
        curves(values, x=X, y=Axis("bits", "bits", domain=(20, None)), kinds=KINDS)


def test_an_interval_that_reaches_below_zero_is_told_as_it_is() -> None:
    data = frame(Bayes=[8, 4, 2]).with_columns(low=pl.lit(-1.0))
    spec = curves(data, x=X, y=Y, kinds=KINDS, band=("low", "high"))
    rows = spec["data"]["values"]
    assert [row["interval"] for row in rows] == ["−1 to 16", "−1 to 8", "−1 to 4"]
    assert all(row["low"] > 0 for row in rows)
    assert len(marks(drawn(spec), "rule")) == 3


def test_panels_by_columns_and_rows() -> None:
    one = frame(law=[4, 2], net=[5, 3])
    panels = [one.with_columns(discount=d, role=pl.lit(role)) for role in ("name", "value") for d in (0.8, 0.3)]
    spec = curves(pl.concat(panels), x=X, y=Y, kinds=KINDS, columns="discount", rows="role")
    svg = drawn(spec)
    assert len(marks(svg, "line")) == 8
    headers = [text for text in texts(svg) if text.startswith("discount") or text in ("name", "value")]
    assert headers == ["name", "value", "discount 0.8", "discount 0.3"], "in order of appearance"


def test_a_column_can_take_over_the_colours() -> None:
    one = frame(law=[4, 2], net=[5, 3])
    data = pl.concat([one.with_columns(role=pl.lit(role)) for role in ("name", "value")])
    svg = drawn(curves(data, x=X, y=Y, kinds=KINDS, colour="role"))
    assert [line.get("stroke") for line in marks(svg, "line")] == [theme.light("blue"), theme.light("vermillion")] * 2


def test_learners_differ_by_more_than_colour() -> None:
    names = [f"net {i}" for i in range(6)]
    kinds: dict[str, Kind] = dict.fromkeys(names, "learner")
    svg = drawn(curves(frame(**{name: [4.0] for name in names}), x=X, y=Y, kinds=kinds))
    assert len({mark.get("d") for mark in marks(svg, "symbol")}) == 6
    assert len({mark.get("stroke") for mark in marks(svg, "symbol")}) == 6


def test_a_long_learner_gets_about_ten_markers() -> None:
    data = pl.DataFrame({"series": "net", "n": np.geomspace(1, 1e6, 500), "bits": np.geomspace(9, 1, 500)})
    assert 8 <= len(marks(drawn(curves(data, x=X, y=Y, kinds=KINDS)), "symbol")) <= 12


@pytest.mark.parametrize("name", ["a.b", "a[0]", "it's", '"quoted"', "datum", "</script>", "back\\slash"])
def test_any_name_of_columns_and_series(name: str) -> None:
    data = (
        frame(**{name: [4, 2, 1]})
        .rename({"n": name, "bits": f"{name} y"})
        .with_columns(pl.lit(0.5).alias(f"{name} panel"))
    )
    axes = {"x": Axis(name, name), "y": Axis(f"{name} y", "bits")}
    svg = drawn(curves(data, **axes, kinds={name: "learner"}, columns=f"{name} panel"))
    assert len(marks(svg, "line")) == 1
    assert {name, f"{name} panel 0.5"} <= set(texts(svg))


@given(st.floats(-300, 300), st.floats(0.083, 20))
def test_log_ticks_are_few_round_and_inside(low_power: float, decades: float) -> None:
    low, high = 10**low_power, 10 ** min(low_power + decades, 307.0)
    ticks = log_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    assert low <= ticks[0] <= ticks[-1] <= high
    plain = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    for tick in ticks:
        match = re.fullmatch(r"(?:([\d.]+)×)?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", log_label(tick))
        assert match is not None
        factor, power = match.groups()
        assert float(f"{factor or 1}e{power.translate(plain)}") == tick


@pytest.mark.parametrize(
    ("extent", "labels"),
    [
        ((2, 40), ["2", "5", "10", "20"]),
        ((200, 5000), ["200", "500", "1000", "2000", "5000"]),
        ((0.5, 60), ["1", "10"]),
        ((354, 42_000), ["10³", "3×10³", "10⁴", "3×10⁴"]),
    ],
)
def test_a_log_axis_of_sizes_reads_as_plain_numbers(extent: tuple[float, float], labels: list[str]) -> None:
    said = Axis("k", "k").ticks(extent)["labelExpr"]
    numbers = json.loads(said[: said.index("]") + 1])
    if extent[0] < 1:
        assert all("10" in number for number in numbers)
    else:
        assert numbers == labels


GOOD = frame(law=[4, 2, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": Axis("sentences", "s")}, "'sentences'"),
        ({"columns": "role"}, "'role'"),
        ({"band": ("lower", "upper")}, "'lower'"),
        ({"kinds": {"law": "line"}}, "'theory', 'asymptote', 'simulation', 'learner'"),
        ({"kinds": {"net": "learner"}}, "give its kind"),
        ({"frame": GOOD.head(0)}, "at least one point"),
        ({"frame": GOOD.with_columns(bits=-1.0)}, "log=False"),
        (
            {
                "frame": frame(**{f"net {i}": [1.0] for i in range(7)}),
                "kinds": {f"net {i}": "learner" for i in range(7)},
            },
            "at most 6",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        curves(**({"frame": GOOD, "x": X, "y": Y, "kinds": KINDS} | change))


@pytest.mark.parametrize("domain", [(0.0, 1.0), (2.0, 1.0), (1.0, 1.0), (None, 0.0)])
def test_a_domain_that_is_none_is_refused(domain: tuple[float | None, float | None]) -> None:
    with pytest.raises(InputError, match="domain"):
        Axis("n", "n", domain=domain)


def test_the_same_curves_are_the_same_text() -> None:
    first, second = (json.dumps(curves(GOOD, x=X, y=Y, kinds=KINDS)) for _ in range(2))
    assert first == second


def test_other_charts_get_the_same_look() -> None:
    chart = alt.Chart(GOOD).mark_bar().encode(x="n:Q", y="bits:Q")
    spec = finish(chart, description="Bars of bits", note="A note.")
    svg = drawn(spec)
    assert "A note." in texts(svg)
    assert {bar.get("fill") for bar in marks(svg, "rect")} == {theme.light("blue")}
    assert spec["description"] == "Bars of bits"
    with pytest.raises(InputError, match="description"):
        finish(chart, description="")
