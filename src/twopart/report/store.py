"""Findings in a run folder and back: claims.json, tables/<name>.parquet, figures/<name>.{json,svg,png}.

claims.json holds the words and numbers and lists the tables and charts in order. JSON has no NaN and no infinity; they
stand there as the strings "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from twopart._checks import InputError
from twopart.findings import Chart, Claim, Findings, Table
from twopart.report._figures import figure_files

T = TypeVar("T")
FORMAT = 1  # of claims.json; a reader refuses any other
REMEDY = "run the study again with the same folder to write it anew"


def findings_files(findings: Findings) -> dict[str, bytes]:
    """Every file that `read_findings` needs, and the pictures, by path in the folder. Same findings, same bytes."""
    files: dict[str, bytes] = {}
    for table in findings.tables:
        files[f"tables/{table.name}.parquet"] = _parquet(table)
    for chart in findings.charts:
        files |= figure_files(chart)
    text = json.dumps(_record(findings), indent=2, ensure_ascii=False, allow_nan=False)
    return {**files, "claims.json": (text + "\n").encode()}


def read_findings(folder: str | Path) -> Findings:
    """The findings that `write_report` left in `folder`. Raises `InputError` naming a file that is missing or damaged."""
    folder = Path(folder)
    record = _read(folder / "claims.json", _parse_record)
    try:
        claims = tuple(_claim(claim) for claim in record["claims"])
        tables = tuple(Table(frame=_frame(folder, part), **part) for part in record["tables"])
        charts = tuple(Chart(spec=_spec(folder, part), **part) for part in record["charts"])
        return Findings(record["title"], record["summary"], claims, tables, charts)
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder / "claims.json", f"{type(error).__name__}: {error}") from error


def _record(findings: Findings) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "title": findings.title,
        "summary": findings.summary,
        "claims": [{name: _plain(value) for name, value in asdict(claim).items()} for claim in findings.claims],
        "tables": [{"name": t.name, "title": t.title, "caption": t.caption} for t in findings.tables],
        "charts": [{"name": c.name, "title": c.title, "caption": c.caption} for c in findings.charts],
    }


def _plain(value: Any) -> Any:
    """`value` in JSON's terms."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _claim(record: dict[str, Any]) -> Claim:
    unknown = set(record) - {field.name for field in fields(Claim)}
    if unknown:
        raise KeyError(f"unknown field {sorted(unknown)[0]!r} in a claim")
    numbers: dict[str, Any] = {"measured": float(record["measured"])}
    for name, read in (("predicted", float), ("interval", _interval)):
        numbers[name] = None if record[name] is None else read(record[name])
    return Claim(**{**record, **numbers})


def _interval(ends: list[Any]) -> tuple[float, float]:
    low, high = ends
    return float(low), float(high)


def _parquet(table: Table) -> bytes:
    buffer = io.BytesIO()
    table.frame.write_parquet(buffer)
    return buffer.getvalue()


def _frame(folder: Path, part: dict[str, str]) -> pl.DataFrame:
    frame: pl.DataFrame = _read(
        folder / f"tables/{part['name']}.parquet", lambda data: pl.read_parquet(io.BytesIO(data))
    )
    return frame


def _spec(folder: Path, part: dict[str, str]) -> dict[str, Any]:
    spec: dict[str, Any] = _read(folder / f"figures/{part['name']}.json", json.loads)
    return spec


def _parse_record(data: bytes) -> dict[str, Any]:
    record = json.loads(data)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f"not a claims file of format {FORMAT}")
    return record


def _read(path: Path, parse: Callable[[bytes], T]) -> T:
    """What `parse` makes of the file, or `InputError` with the file's name and the remedy."""
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise _damaged(path, error.strerror or "" if isinstance(error, OSError) else str(error)) from error


def _damaged(path: Path, problem: str) -> InputError:
    reason = problem.strip().splitlines()[0] if problem.strip() else "damaged"
    return InputError(f"{path} cannot be read as part of a report ({reason}); {REMEDY}")
