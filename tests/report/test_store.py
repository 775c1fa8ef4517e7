"""What a report leaves in a folder is what is read back; anything damaged is refused by name."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from twopart._checks import InputError
from twopart._files import write_bytes
from twopart.findings import VERDICTS, Chart, Claim, Findings, Table
from twopart.report import read_findings
from twopart.report.store import findings_files

SPEC = {
    "data": {"values": [{"x": 1, "y": None}, {"x": 2, "y": 0.1 + 0.2}]},
    "mark": "point",
    "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
}
FRAME = pl.DataFrame(
    {
        "count": [1, None, 2**62],
        "bits": [0.1 + 0.2, math.nan, -math.inf],
        "role": ["näme", None, "</script>"],
        "known": [True, None, False],
        "ids": [[1, 2], [], None],
    }
)
FINDINGS = Findings(
    title="Title",
    summary="One.\n\nTwo.",
    claims=(Claim("It falls", None, 1.5, (1.0, math.inf), "rule", "holds", "source", "bits"),),
    tables=(Table("first", "First", FRAME, "caption"), Table("empty", "Empty", FRAME.head(0))),
    charts=(Chart("chart", "Chart", SPEC, "caption"),),
)


def write(findings: Findings, folder: Path) -> Path:
    for path, data in findings_files(findings).items():
        write_bytes(folder / path, data)
    return folder


def test_findings_come_back(tmp_path: Path) -> None:
    read = read_findings(write(FINDINGS, tmp_path))
    assert (read.title, read.summary, read.claims, read.charts) == (
        "Title",
        "One.\n\nTwo.",
        FINDINGS.claims,
        FINDINGS.charts,
    )
    for table, original in zip(read.tables, FINDINGS.tables, strict=True):
        assert (table.name, table.title, table.caption) == (original.name, original.title, original.caption)
        assert_frame_equal(table.frame, original.frame)


def test_a_table_for_other_programs_is_written_as_csv_too(tmp_path: Path) -> None:
    frame = FRAME.select("count", "bits").head(1)
    findings = replace(FINDINGS, tables=(Table("runs", "Runs", frame, csv=True), *FINDINGS.tables))
    folder = write(findings, tmp_path)
    assert [path.name for path in folder.rglob("*.csv")] == ["runs.csv"]
    assert (folder / "runs.csv").read_text() == "count,bits\n1,0.30000000000000004\n"
    assert [table.csv for table in read_findings(folder).tables] == [True, False, False]


def test_reports_of_before_there_were_csv_tables_are_read(tmp_path: Path) -> None:
    path = write(FINDINGS, tmp_path) / "claims.json"
    record = json.loads(path.read_text())
    for table in record["tables"]:
        del table["csv"]
    path.write_text(json.dumps(record))
    assert [table.csv for table in read_findings(tmp_path).tables] == [False, False]


numbers = st.floats(allow_nan=False)
claims = st.builds(
    Claim,
    statement=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    predicted=st.none() | numbers,
    measured=numbers,
    interval=st.none() | st.tuples(numbers, numbers).map(lambda ends: (min(ends), max(ends))),
    rule=st.text(st.characters(exclude_categories=["Cs"])),
    verdict=st.sampled_from(VERDICTS),
    source=st.just("source"),
    unit=st.sampled_from(["", "bits"]),
    to_decide=st.sampled_from(["", "about 9 replicates, here 3"]),
)


@given(st.lists(claims, max_size=5))
def test_claims_come_back_to_the_last_bit(claims: list[Claim]) -> None:
    with TemporaryDirectory() as folder:
        findings = Findings("t", "s", tuple(claims))
        assert read_findings(write(findings, Path(folder))).claims == findings.claims


def test_numbers_of_numpy_and_missing_measurements_come_back(tmp_path: Path) -> None:
    nan = Claim("s", np.float32(0.5), math.nan, (np.int64(1), 2), "r", "inconclusive", "s")
    read = read_findings(write(replace(FINDINGS, claims=(nan,)), tmp_path)).claims[0]
    assert (read.predicted, read.interval) == (0.5, (1.0, 2.0))
    assert math.isnan(read.measured)


def test_the_file_of_claims_is_strict_json() -> None:
    text = findings_files(FINDINGS)["claims.json"].decode()
    record = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert record["claims"][0]["interval"] == [1.0, "Infinity"]


@pytest.mark.parametrize("name", ["claims.json", "tables/first.parquet", "figures/chart.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "foreign", "folder"])
def test_damaged_files_are_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    path = write(FINDINGS, tmp_path) / name
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "foreign": b"\x80\x04]\x94."}[damage])
    with pytest.raises(InputError, match=name) as caught:
        read_findings(tmp_path)
    assert "run the study again" in str(caught.value)


@pytest.mark.parametrize("name", ["tables/first.parquet", "figures/chart.json"])
def test_a_flipped_bit_is_noticed(tmp_path: Path, name: str) -> None:
    path = write(FINDINGS, tmp_path) / name
    whole, random = path.read_bytes(), np.random.default_rng(1)
    for place in random.integers(0, len(whole), 50):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << int(random.integers(8))]) + whole[place + 1 :])
        with pytest.raises(InputError, match=name):
            read_findings(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"claims": [{"statement": "no numbers"}]},
        {"claims": None},
        {"tables": [{"name": "../../etc/passwd", "title": "t", "caption": ""}]},
        {"charts": [{"name": "chart", "title": "t", "caption": "", "spec": {}}]},
        {"title": None, "tables": [{"name": "first"}]},
    ],
)
def test_claims_of_another_form_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = write(FINDINGS, tmp_path) / "claims.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=r"claims\.json"):
        read_findings(tmp_path)


def test_files_are_the_same_bytes_each_time() -> None:
    assert findings_files(FINDINGS) == findings_files(FINDINGS)
