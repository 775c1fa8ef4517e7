"""Frontiers of two parts: where labels stand, and what is drawn."""

import polars as pl
import pytest

from twopart.report import Axis
from twopart.report.frontiers import frontiers, spread


def test_labels_keep_their_distance_and_stay_near() -> None:
    points = pl.DataFrame({"data": [3.0, 1.0, 1.1]})
    assert spread(points, "data", 0.5)["height"].to_list() == pytest.approx([0.8, 1.3, 3.0])


def test_the_shortest_whole_sets_the_axes() -> None:
    corners = pl.DataFrame({"code": ["a", "a", "b"], "model": [1.0, 9.0, 4.0], "data": [9.0, 6.0, 8.0]})
    whole = pl.DataFrame({"code": ["p", "q"], "kind": ["strong", "weak"], "model": [0, 0], "data": [8.0, 8.1]})
    x, y = Axis("model", "model", "bits", log=False), Axis("data", "data", "bits", log=False)
    total = (pl.col("model") + pl.col("data")).alias("total")
    frames = corners.with_columns(total), whole.with_columns(total)
    spec = frontiers(*frames, x=x, y=y, total="total", name="code", strong=("kind", "strong"), description="d")
    line, frontier, *_ = spec["layer"]
    drawn = [spec["datasets"][layer["data"]["name"]] for layer in (line, frontier)]
    assert drawn[0] == [{"model": 0.0, "data": 10.0}, {"model": 6.0, "data": 4.0}], "all of them are 10 long"
    assert [corner["model"] for corner in drawn[1]] == [1.0, 4.0], "one of 9 lies beyond"
    assert frontier["encoding"]["color"]["scale"]["domain"] == ["a", "b"]
    assert frontier["encoding"]["x"]["title"] == "model (bits)"
