"""Findings refuse at birth what a report could not show: nameless files, doubles, verdicts without a measurement."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from twopart._checks import InputError
from twopart.findings import Chart, Claim, Findings, Table

FRAME = pl.DataFrame({"a": [1]})


def claim(**changes: object) -> Claim:
    fields: dict[str, Any] = {
        "statement": "It falls",
        "predicted": 1.0,
        "measured": 1.1,
        "interval": (0.9, 1.3),
        "rule": "inside",
        "verdict": "holds",
        "source": "here",
    }
    return Claim(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"statement": ""}, "statement"),
        ({"interval": (1.3, 0.9)}, "interval"),
        ({"interval": (math.nan, 1.0)}, "interval"),
        ({"measured": math.nan}, "measured"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InputError, match=f"`{field}` must be"):
        claim(**changes)


def test_a_claim_without_measurement_is_inconclusive() -> None:
    assert math.isnan(claim(measured=math.nan, verdict="inconclusive", interval=None).measured)


@pytest.mark.parametrize("name", ["", "Slopes", "../slopes", "a/b", "a b", "-a", "a.b", "slopes\n"])
def test_names_that_are_no_safe_file_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="table name"):
        Table(name, "Title", FRAME)
    with pytest.raises(InputError, match="chart name"):
        Chart(name, "Title", {})


def test_two_tables_or_charts_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="`tables` must be of different names"):
        Findings("t", "s", (), (Table("a", "A", FRAME), Table("a", "B", FRAME)))
    with pytest.raises(InputError, match="`charts` must be of different names"):
        Findings("t", "s", (), (), (Chart("a", "A", {}), Chart("a", "B", {})))


def test_tables_by_name_and_failed_claims() -> None:
    claims = (claim(), claim(verdict="fails"), claim(verdict="inconclusive"))
    findings = Findings("t", "s", claims, (Table("a", "A", FRAME), Table("b", "B", FRAME.head(0))))
    assert findings.failed == (claims[1],)
    assert findings.table("b").is_empty()
    with pytest.raises(InputError, match="one of 'a', 'b', got 'c'"):
        findings.table("c")
