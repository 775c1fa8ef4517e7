"""Tables in JSON: one object a line, a list of objects, or what pandas, Weights & Biases and MLflow make of a table.

Objects inside objects are unfolded, `config.n_params`. MLflow's lists of `key` and `value` are objects, and so are the
`value`s that Weights & Biases wraps a config in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from twopart._checks import InputError
from twopart.tools.fit.columns import RANKS, plain
from twopart.tools.fit.sheet import Sheet

KNOWN_NAMES = {name for names in RANKS.values() for name in names if name}


def records(path: Path, text: str) -> Sheet | None:
    """The table; None if the first line is no JSON, so that it is text after all."""
    try:
        rows, unit = _rows(json.loads(text)), "row"
        lines: Sequence[int] = range(1, len(rows) + 1)
    except (ValueError, RecursionError):  # ValueError: a number of thousands of digits
        found = list(_lines(path, text))
        if not found:
            return None
        lines, rows, unit = [line for line, _ in found], [row for _, row in found], "line"
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: no table is in this JSON; write an object for each run, with names and values")
    flat = [dict(_leaves(row)) for row in rows]
    header = tuple(dict.fromkeys(name for row in flat for name in row))
    return Sheet(path, header, tuple(_series([row.get(name) for row in flat]) for name in header), lines, unit)


def _lines(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """One value a line."""
    first = True
    for line, written in enumerate(text.splitlines(), 1):
        if not written.strip():
            continue
        try:
            yield line, json.loads(written)
        except (ValueError, RecursionError) as error:
            if first:
                return
            raise InputError(f"{path}, line {line}: no JSON ({error}); write one object a line") from error
        first = False


def _rows(data: Any) -> list[Any]:
    """Rows out of the shapes that tables have in JSON."""
    if isinstance(data, list):
        return data
    if not isinstance(data, dict):
        return []
    if isinstance(data.get("columns"), list) and isinstance(data.get("data"), list):  # pandas, orient="split"
        return [
            dict(zip(map(str, data["columns"]), row, strict=False)) for row in data["data"] if isinstance(row, list)
        ]
    keys = next(iter(data.values()), None)
    if isinstance(keys, dict) and all(isinstance(held, dict) and held.keys() == keys.keys() for held in data.values()):
        if {plain(name) for name in data} & KNOWN_NAMES:
            return [{name: column[key] for name, column in data.items()} for key in keys]  # pandas, orient="columns"
        return list(data.values())  # orient="index"
    lists = {name: held for name, held in data.items() if isinstance(held, list) and held}
    if lists and all(isinstance(row, dict) for held in lists.values() for row in held):  # {"runs": [{...}]}
        return max(lists.values(), key=len)
    if lists and len({len(held) for held in lists.values()}) == 1:  # {"params": [...], "loss": [...]}
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    return [data]


def _leaves(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, held in row.items():
        name = f"{before}{key}"
        if (
            isinstance(held, list)
            and held
            and all(isinstance(one, dict) and {"key", "value"} <= set(one) for one in held)
        ):
            held = {str(one["key"]): one["value"] for one in held}
        if isinstance(held, dict) and "value" in held and set(held) <= {"value", "desc"}:
            held = held["value"]
        if isinstance(held, dict):
            yield from _leaves(held, f"{name}.")
        else:
            yield _clean(name), held


def _clean(text: str) -> str:
    """Without halves of a surrogate pair, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


def _series(values: list[Any]) -> pl.Series:
    """Numbers where all are, text where some are; what is neither stays as it is."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float}:
        return pl.Series([None if value is None else _float(value) for value in values], dtype=pl.Float64)
    if kinds <= {int, float, str}:
        return pl.Series([None if value is None else _clean(str(value)) for value in values], dtype=pl.String)
    return pl.Series(values, dtype=pl.Object)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")
