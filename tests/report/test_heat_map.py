"""Heat maps as they are drawn: read from the picture, rectangles are where the numbers say and coloured as they say."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
import vl_convert

from twopart._checks import InputError
from twopart.report.charts import Axis
from twopart.report.heat_map import heat_map

SVG = "{http://www.w3.org/2000/svg}"
X, Y = Axis("n", "sentences seen"), Axis("rank", "rank of the entity")
KNOWN = Axis("known", "share known", log=False, domain=(0.0, 1.0))
RECTANGLE = re.compile(r"M([-\d.]+),([-\d.]+)h([-\d.]+)v([-\d.]+)")


def frame(panel: str = "a") -> pl.DataFrame:
    """Four rectangles over two decades both ways."""
    rows = [(10.0**i, 10.0 ** (i + 1), 10.0**j, 10.0 ** (j + 1), (i + 2 * j) / 4) for i in range(2) for j in range(2)]
    data = pl.DataFrame(rows, schema=["from", "to", "low", "high", "known"], orient="row")
    return data.with_columns(panel=pl.lit(panel))


def drawn(data: pl.DataFrame, **more: object) -> ElementTree.Element:
    spec = heat_map(data, x=X, x_ends=("from", "to"), y=Y, y_ends=("low", "high"), colour=KNOWN, **more)  # type: ignore[arg-type]
    return ElementTree.fromstring(vl_convert.vegalite_to_svg(spec))


def rectangles(svg: ElementTree.Element) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """Place (x, y, width, height) in pixels and colour (red, green, blue) of each rectangle."""
    found = []
    for group in svg.iter(f"{SVG}g"):
        if "mark-rect" in group.get("class", "").split():
            for path in group.iter(f"{SVG}path"):
                place, colour = RECTANGLE.match(path.get("d", "")), re.findall(r"\d+", path.get("fill", ""))
                if place and len(colour) == 3:
                    found.append((np.array(place.groups(), float), tuple(map(int, colour))))
    return found


def lightness(colour: tuple[int, ...]) -> float:
    return float(np.dot(colour, (0.2126, 0.7152, 0.0722)))


def test_rectangles_stand_where_they_should_and_lighten_with_their_number() -> None:
    found = rectangles(drawn(frame()))
    assert len(found) == 4
    wide, high = 560, 320
    for (x, y, w, h), _ in found:
        assert w == pytest.approx(wide / 2, abs=1)
        assert abs(h) == pytest.approx(high / 2, abs=1)
        assert min(abs(x), abs(x - wide / 2)) < 1
        assert min(abs(y), abs(y - high / 2)) < 1
    in_order = [lightness(colour) for _, colour in found]  # rows of `frame` are 0, 1/2, 1/4, 3/4
    assert in_order[0] < in_order[2] < in_order[1] < in_order[3]


def test_rectangles_touch_without_a_hairline_and_the_legend_is_a_gradient() -> None:
    svg = drawn(frame())
    shapes = [path for path in svg.iter(f"{SVG}path") if RECTANGLE.match(path.get("d", "")) and path.get("aria-label")]
    assert len(shapes) == 4
    assert all(path.get("stroke") == path.get("fill") for path in shapes)
    assert [group.get("class") for group in svg.iter(f"{SVG}g") if "legend-gradient" in group.get("class", "")]


def test_panels_and_a_line_over_one_of_them() -> None:
    line = pl.DataFrame({"panel": ["b", "b"], "n": [1.0, 100.0], "rank": [1.0, 100.0]})
    svg = drawn(pl.concat([frame("b"), frame("a")]), columns="panel", line=line)
    assert len(rectangles(svg)) == 8
    lines = [
        path.get("d", "")
        for group in svg.iter(f"{SVG}g")
        if "mark-line" in group.get("class", "").split()
        for path in group.iter(f"{SVG}path")
    ]
    through = [path for path in lines if path.count("L") == 1]
    assert len(through) == 2, "one line, in paper on ink"
    x0, y0, x1, y1 = map(float, re.findall(r"-?[\d.]+", through[0]))
    assert (x0, y1) == (pytest.approx(0, abs=1), pytest.approx(0, abs=1))
    assert x1 > 100
    assert y0 == pytest.approx(220, abs=1)
    headers = [text.text for text in svg.iter(f"{SVG}text") if text.text in ("a", "b")]
    assert headers == ["b", "a"], "panels in order of appearance"


def test_numbers_that_have_no_place_are_left_out() -> None:
    data = frame().with_columns(known=pl.when(pl.col("known") > 0.6).then(None).otherwise(pl.col("known")))
    data = pl.concat([data, data.with_columns(pl.lit(0.0).alias("from"))])
    assert len(rectangles(drawn(data))) == 3


def test_a_frame_that_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match="with the column 'known'"):
        drawn(frame().drop("known"))
    with pytest.raises(InputError, match="no rectangle that has a place"):
        drawn(frame().with_columns(known=pl.lit(None, pl.Float64)))
    with pytest.raises(InputError, match="with the column 'n'"):
        drawn(frame(), line=pl.DataFrame({"rank": [1.0]}))


def test_without_a_domain_colours_span_the_data() -> None:
    spec = heat_map(
        frame(), x=X, x_ends=("from", "to"), y=Y, y_ends=("low", "high"), colour=Axis("known", "share", log=False)
    )
    assert spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == [0.0, 0.75]
    assert spec["description"] == "share by sentences seen and rank of the entity"


def cells() -> pl.DataFrame:
    """Two panels with rows of their own: three neurons in "many", one of another name in "few"."""
    many = [("many", f"n{i}", c, v) for i, row in enumerate([(-1, 0), (0, 0.5), (0.5, 1)]) for c, v in enumerate(row)]
    few = [("few", "other", 0, 1.0), ("few", "other", 1, -0.5)]
    return pl.DataFrame(many + few, schema=["labels", "neuron", "centre", "cosine"], orient="row")


def test_cells_stand_in_order_and_turn_at_the_centre() -> None:
    axes = {"x": Axis("centre", "centre"), "y": Axis("neuron", "neuron"), "colour": Axis("cosine", "cosine", log=False)}
    svg = ElementTree.fromstring(vl_convert.vegalite_to_svg(heat_map(cells(), **axes, columns="labels", centre=0.0)))
    found = rectangles(svg)
    assert len(found) == 8
    heights = [round(abs(place[3])) for place, _ in found]
    assert heights == [73] * 6 + [220] * 2, "each panel has its own rows"
    assert [place[0] > 100 for place, _ in found] == [False, True] * 4
    assert [place[1] for place, _ in found[:6:2]] == sorted(place[1] for place, _ in found[:6:2]), "from top to bottom"
    against, none, _, half, _, along = (colour for _, colour in found[:6])
    assert min(none) > 230, "nearly white"
    assert against[0] > against[2] + 80, "orange"
    assert along[2] > along[0] + 80, "blue"
    assert lightness(along) < lightness(half) < lightness(none)
    labels = [text.text for text in svg.iter(f"{SVG}text")]
    assert [label for label in labels if label in ("n0", "n1", "n2", "other")] == ["n0", "n1", "n2", "other"]


def test_a_line_over_cells_is_refused() -> None:
    axes = {"x": Axis("centre", "centre"), "y": Axis("neuron", "neuron"), "colour": Axis("cosine", "cosine", log=False)}
    with pytest.raises(InputError, match="give the ends of both axes"):
        heat_map(cells(), **axes, line=pl.DataFrame({"centre": [1.0], "neuron": [1.0]}))
