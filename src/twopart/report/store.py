"""Findings in a run folder and back: claims.json, tables/<name>.parquet, figures/<name>.{json,svg,png}, and <name>.csv of
the tables that other programs are to read.

claims.json holds the words and numbers and lists the tables and charts in order. JSON has no NaN and no infinity; they
stand there as the strings "NaN", "Infinity" and "-Infinity". The lists carry the SHA-256 of each table and specification,
so that a damaged one is refused.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from twopart._checks import InputError
from twopart._files import to_json
from twopart.findings import Chart, Claim, Findings, Table
from twopart.report._figures import figure_files, spec_path

T = TypeVar("T")
FORMAT = 1  # of claims.json; a reader refuses any other
REMEDY = "run the study again with --resume: what it finished is kept, and the report is written anew"


def findings_files(findings: Findings) -> dict[str, bytes]:
    """Every file that `read_findings` needs, and the pictures, by path in the folder. Same findings, same bytes."""
    files = {_table_path(table): _parquet(table) for table in findings.tables}
    files |= {f"{table.name}.csv": table.frame.write_csv().encode() for table in findings.tables if table.csv}
    for chart in findings.charts:
        files |= figure_files(chart)
    return {**files, "claims.json": to_json(_record(findings, files))}


def read_findings(folder: str | Path) -> Findings:
    """The findings that `write_report` left in `folder`. Raises `InputError` naming a file that is missing or damaged."""
    folder = Path(folder)
    outline, digests = _read(folder / "claims.json", _outline)
    frames = [_read(folder / path, partial(_frame, digest=digests[path])) for path in map(_table_path, outline.tables)]
    specs = [_read(folder / path, partial(_spec, digest=digests[path])) for path in map(spec_path, outline.charts)]
    tables = (replace(table, frame=frame) for table, frame in zip(outline.tables, frames, strict=True))
    charts = (replace(chart, spec=spec) for chart, spec in zip(outline.charts, specs, strict=True))
    return replace(outline, tables=tuple(tables), charts=tuple(charts))


def _record(findings: Findings, files: dict[str, bytes]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "title": findings.title,
        "summary": findings.summary,
        "claims": [_claimed(claim) for claim in findings.claims],
        "tables": [{**_entry(t, files[_table_path(t)]), "csv": t.csv} for t in findings.tables],
        "charts": [_entry(chart, files[spec_path(chart)]) for chart in findings.charts],
    }


def _claimed(claim: Claim) -> dict[str, Any]:
    record = {name: _plain(value) for name, value in asdict(claim).items()}
    return record if claim.to_decide else {name: value for name, value in record.items() if name != "to_decide"}


def _entry(part: Table | Chart, data: bytes) -> dict[str, str]:
    return {"name": part.name, "title": part.title, "caption": part.caption, "sha256": sha256(data).hexdigest()}


def _plain(value: Any) -> Any:
    """`value` in JSON's terms."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str):
        return value
    number = float(value)  # NumPy's too
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _outline(data: bytes) -> tuple[Findings, dict[str, str]]:
    """What claims.json says: everything but the rows of the tables and the specifications of the charts, and their digests."""
    record = json.loads(data)
    if record["format"] != FORMAT:
        raise ValueError(f"format {record['format']!r} instead of {FORMAT}")
    claims = tuple(_claim(claim) for claim in record["claims"])
    digests = [part.pop("sha256") for part in (*record["tables"], *record["charts"])]
    tables = tuple(Table(frame=pl.DataFrame(), **part) for part in record["tables"])
    charts = tuple(Chart(spec={}, **part) for part in record["charts"])
    paths = (*map(_table_path, tables), *map(spec_path, charts))
    findings = Findings(record["title"], record["summary"], claims, tables, charts)
    return findings, dict(zip(paths, digests, strict=True))


def _claim(record: dict[str, Any]) -> Claim:
    predicted, interval = record["predicted"], record["interval"]
    numbers = {
        "predicted": None if predicted is None else float(predicted),
        "measured": float(record["measured"]),
        "interval": None if interval is None else tuple(float(end) for end in interval),
    }
    return Claim(**{**record, **numbers})


def _parquet(table: Table) -> bytes:
    buffer = io.BytesIO()
    table.frame.write_parquet(buffer)
    return buffer.getvalue()


def _table_path(table: Table) -> str:
    return f"tables/{table.name}.parquet"


def _frame(data: bytes, digest: str) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(_whole(data, digest)))


def _spec(data: bytes, digest: str) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(_whole(data, digest))
    return spec


def _whole(data: bytes, digest: str) -> bytes:
    if sha256(data).hexdigest() != digest:
        raise ValueError("not the bytes that claims.json lists")
    return data


def _read(path: Path, parse: Callable[[bytes], T]) -> T:
    """What `parse` makes of the file, or `InputError` with the file's name and the remedy."""
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        raise InputError(f"{path} is no part of a report that can be read ({reason}); {REMEDY}") from error
