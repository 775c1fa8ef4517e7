"""The page and the files beside it: what is on it, what is refused, same bytes, and never a half of a report."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.report import sample
from tests.report.test_store import FINDINGS, SPEC
from tests.test_html import parse
from twopart._checks import InputError
from twopart.findings import Chart, Findings, Table
from twopart.report import read_findings, write_report
from twopart.report._fonts import FOLDER
from twopart.report.page import render


def page(findings: Findings) -> str:
    """The page without its long scripts and styles, for reading."""
    text = render(findings, sample.CONFIG, sample.ENVIRONMENT)["index.html"].decode()
    for tag in ("script", "style"):
        while f"<{tag}" in text:
            before, _, rest = text.partition(f"<{tag}")
            text = before + rest.partition(f"</{tag}>")[2]
    return text


@pytest.fixture(scope="module")
def sample_text() -> str:
    return parse(page(sample.findings())).text


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_is_the_page_and_every_file_it_names(tmp_path: Path) -> None:
    index = write_report(FINDINGS, tmp_path, config={}, environment={})
    assert index == tmp_path / "index.html"
    pictures = {f"figures/chart.{kind}" for kind in ("svg", "png", "json")}
    tables = {"tables/first.parquet", "tables/empty.parquet"}
    assert set(contents(tmp_path)) == {"index.html", "claims.json", *pictures, *tables}
    links = {attributes["href"] for tag, attributes in parse(index.read_text()).elements if tag == "a"}
    assert links == pictures | tables
    assert (tmp_path / "figures/chart.png").read_bytes().startswith(b"\x89PNG")


def test_everything_in_its_order(sample_text: str) -> None:
    claims = [claim.statement for claim in sample.claims()]
    parts = [
        "Three worlds",
        "Redundancy per sentence",
        "Claims",
        "5 hold",
        "1 fails",
        "2 inconclusive",
        *claims,
        "Other figures",
        "Syntax first",
        "Tables",
        "Configuration",
    ]
    places = [sample_text.index(part) for part in parts]
    assert places == sorted(places)
    for words in (
        "−0.512 to −0.463",
        "4.12",
        "theorem 3.2",
        "as stated",
        "no value",
        "world.names",
        "281474976710656",
        "about 8 seeds, here 5",
    ):
        assert words in sample_text


def test_a_long_table_shows_its_head_and_says_so(sample_text: str) -> None:
    assert "The first 200 of 5,000 rows" in sample_text
    assert "40,000" in sample_text
    assert "40,200" not in sample_text


def test_what_is_no_number_is_shown_as_such() -> None:
    frame = pl.DataFrame({"x": [math.nan, math.inf, -math.inf, None, 1.5], "known": [True, False, None, True, True]})
    text = parse(page(Findings("t", "s", (), (Table("t", "T", frame),)))).text
    for row in ("NaNyes", "∞no", "−∞–", "–yes", "1.5yes"):
        assert row in text


def test_a_page_of_nothing_is_a_page() -> None:
    text = page(Findings("Only a title", "", ()))
    assert "Only a title" in text
    assert "Figures" not in text
    assert "Tables" not in text
    assert "Claims" not in text


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({**SPEC, "width": math.nan}, "finite numbers"),
        ({**SPEC, "data": {"values": [{"x": math.inf}]}}, "finite numbers"),
        ({**SPEC, "data": {"url": "https://example.org/data.csv"}}, "fetches 'https://example.org/data.csv'"),
        ({"layer": [{**SPEC, "data": {"url": "data.csv"}}]}, "fetches 'data.csv'"),
        ({"mark": "nonsense"}, r"can be drawn \(TypeError: [^()]*\(reading 'filled'\)\)$"),
        ({"no": "mark"}, r"can be drawn \(Error: Invalid specification"),
    ],
)
def test_a_chart_that_cannot_be_shown_is_refused_and_the_old_report_stays(
    tmp_path: Path, spec: dict[str, Any], message: str
) -> None:
    write_report(FINDINGS, tmp_path, config={}, environment={})
    before = contents(tmp_path)
    table = Table("first", "Another", pl.DataFrame({"a": [1]}))
    with pytest.raises(InputError, match=message):
        write_report(
            replace(FINDINGS, tables=(table,), charts=(Chart("other", "Other", spec),)),
            tmp_path,
            config={},
            environment={},
        )
    assert contents(tmp_path) == before


def test_a_report_that_cannot_be_written_leaves_the_old_page(tmp_path: Path) -> None:
    index = write_report(FINDINGS, tmp_path, config={}, environment={})
    before = index.read_bytes()
    (tmp_path / "figures/other.svg").mkdir()  # stands in the way of a file
    other = replace(FINDINGS, title="Other", charts=(Chart("other", "Other", SPEC),))
    with pytest.raises(OSError, match=r"other\.svg"):
        write_report(other, tmp_path, config={}, environment={})
    assert index.read_bytes() == before
    assert not list(tmp_path.rglob("*.part"))


def test_the_page_is_written_again_from_its_folder(tmp_path: Path) -> None:
    write_report(FINDINGS, tmp_path, config=sample.CONFIG, environment=sample.ENVIRONMENT)
    before = contents(tmp_path)
    write_report(read_findings(tmp_path), tmp_path, config=sample.CONFIG, environment=sample.ENVIRONMENT)
    assert contents(tmp_path) == before


DIGESTS = """
import hashlib
from tests.report import sample
from twopart.report.page import render
for path, data in render(sample.small(), sample.CONFIG, sample.ENVIRONMENT).items():
    print(path, hashlib.sha256(data).hexdigest())
"""
PICTURE = """
import hashlib, vl_convert
text = "<svg xmlns='http://www.w3.org/2000/svg' width='90' height='20'><text y='15' font-family='Twopart Sans'>R</text></svg>"
print("picture", hashlib.sha256(vl_convert.svg_to_png(text)).hexdigest())
"""


def elsewhere(code: str, fonts: Path, home: Path) -> dict[str, str]:
    """What a process prints that finds fonts in one folder only."""
    rules = home / "fonts.conf"
    rules.write_text(f"<?xml version='1.0'?><fontconfig><dir>{fonts}</dir></fontconfig>")
    there = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONHASHSEED": "12345", "FONTCONFIG_FILE": str(rules), "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split() for line in there.stdout.splitlines())


def test_another_process_without_the_fonts_of_the_machine_writes_the_same_bytes(tmp_path: Path) -> None:
    here = render(sample.small(), sample.CONFIG, sample.ENVIRONMENT)
    (tmp_path / "none").mkdir()
    there = elsewhere(DIGESTS, tmp_path / "none", tmp_path)
    assert there == {path: hashlib.sha256(data).hexdigest() for path, data in here.items()}


def test_a_process_does_draw_with_what_it_finds(tmp_path: Path) -> None:
    """Without this, equal bytes above would prove nothing."""
    (tmp_path / "none").mkdir()
    assert elsewhere(PICTURE, FOLDER, tmp_path) != elsewhere(PICTURE, tmp_path / "none", tmp_path)


def test_importing_the_report_does_not_import_altair() -> None:
    code = "import sys, twopart.report; sys.exit('altair' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
