"""The table of both laws' misfits in docs/laws/learner-law.md."""

from pathlib import Path

import polars as pl
import pytest
from scripts import misfits

PAGE = Path(__file__).parents[1] / "docs" / "laws" / "learner-law.md"


def test_misfits_by_hand() -> None:
    assert misfits.octaves(pl.Series([1.0, 4.0, 0.0]), pl.Series([2.0, 2.0, 1.0])) == pytest.approx(1)
    series = ["seen", "law", "learner's law"]
    frame = pl.DataFrame({"series": [*series, "law"], "at": [1, 1, 1, 2], "x": [8.0, 2.0, 4.0, 5.0]})
    assert misfits.by_series(frame, "seen", "law", ["at"], "x") == pytest.approx((2, 1))


def test_the_page_has_what_the_published_tables_give() -> None:
    """Rows that need no law solved again."""
    page = PAGE.read_text()
    for study, what, ideal, learner in misfits.shown():
        assert f"| {study} | {what} | {ideal:.2f} | {learner:.2f} |" in page
