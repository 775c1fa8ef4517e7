"""A cell: one independent piece of a study, named by a hash of what determines its result.

cells/<hash>/cell.json         function, config and root seed: what the hash stands for
cells/<hash>/working/          the cell's own folder, for checkpoints; removed when the cell is finished
cells/<hash>/metrics.parquet   the result; its presence says that the cell is finished
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twopart import _files, _random
from twopart._checks import InputError, check

CellFunction = Callable[[Any, "Cell"], pl.DataFrame]


def _silent(done: float, total: float, note: str) -> None:
    """Nobody is watching."""


def _nobody(function: CellFunction, config: Any) -> pl.DataFrame:
    """A cell outside a run has no fellows."""
    raise InputError(f"{function.__name__} has no result here; run it in the same lab before")


@dataclass(frozen=True)
class Cell:
    """What a cell's function gets beside its config."""

    folder: Path
    """A folder of its own for checkpoints; it is still there after a kill, and removed when the cell is finished."""
    seed: int = 0
    """Root of the cell's random streams; depends on the cell's config and the run's seed only."""
    device: str = "cpu"
    """Where to compute: "cpu", "cuda" or "cuda:<n>"."""
    on_progress: Callable[[float, float, str], None] = _silent
    """Where `progress` reports to."""
    on_result: Callable[[CellFunction, Any], pl.DataFrame] = _nobody
    """Where `result` asks."""

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Say that `done` of `total` units of work are done; `note` is a word on the state, such as a loss."""
        self.on_progress(done, total, note)

    def result(self, function: CellFunction, config: Any) -> pl.DataFrame:
        """What `function(config)` gave in an earlier `map` of this run: a model that many cells start from is trained once.

        `config` should be a field of this cell's own, so that this cell's hash stands for what it builds on too.
        """
        return self.on_result(function, config)


@dataclass(frozen=True)
class Job:
    """A function and a config with their place on disk. `label` is for people and takes no part in the hash."""

    function: str
    """Address "module:name" of the cell function."""
    config: Any
    seed: int
    cells: Path
    label: str
    cost: float = 1.0

    @cached_property
    def identity(self) -> dict[str, Any]:
        return {"function": self.function, "seed": self.seed, "config": plain(self.config)}

    @cached_property
    def hash(self) -> str:
        return hashlib.blake2b(canonical(self.identity).encode(), digest_size=16).hexdigest()

    @property
    def folder(self) -> Path:
        return self.cells / self.hash

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.parquet"

    @property
    def finished(self) -> bool:
        return self.metrics.exists()

    def open(self, device: str, on_progress: Callable[[float, float, str], None]) -> Cell:
        """The cell to hand to the function, with its folder made."""
        working = self.folder / "working"
        working.mkdir(parents=True, exist_ok=True)
        _files.write_json(self.folder / "cell.json", self.identity)
        seed = int(_random.seed_sequence(self.seed, "cell", self.hash).generate_state(1, np.uint64)[0]) >> 1
        return Cell(working, seed, device, on_progress, self._result_of)

    def _result_of(self, function: CellFunction, config: Any) -> pl.DataFrame:
        """The stored result of another job of the same run."""
        other = replace(self, function=f"{function.__module__}:{function.__qualname__}", config=config)
        if not other.finished:
            raise InputError(f"{other.metrics} is missing; map {function.__name__} over its config first")
        return other.read()

    def store(self, frame: pl.DataFrame) -> None:
        """Finish the cell. The table passes through memory so that a full disk shows as the `OSError` it is."""
        if not isinstance(frame, pl.DataFrame):
            raise TypeError(f"{self.function} must return a polars DataFrame, got {type(frame).__name__}")
        data = io.BytesIO()
        frame.write_parquet(data)
        _files.write_bytes(self.metrics, data.getvalue())
        self.tidy()

    def tidy(self) -> None:
        """Remove the checkpoints of a finished cell; a kill may have come between."""
        if (self.folder / "working").exists():
            shutil.rmtree(self.folder / "working")

    def read(self) -> pl.DataFrame:
        """The stored result."""
        try:
            return pl.read_parquet(io.BytesIO(self.metrics.read_bytes()))
        except (pl.exceptions.PolarsError, OSError) as error:
            remedy = "remove that file and resume the run to compute the cell again"
            raise InputError(f"cannot read {self.metrics}: {_first_line(error)}; {remedy}") from error


def canonical(value: Any) -> str:
    """`value` as JSON with one spelling: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain(value: Any) -> Any:
    """A config as JSON values. A dataclass inside it carries its type: two schedules may have the same fields."""
    return _fields(value) if is_dataclass(value) else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        check(math.isfinite(value), "config", value, "made of finite numbers", "JSON has no other")
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__, **_fields(value)}
    raise TypeError(f"a config may hold numbers, strings, tuples, mappings and dataclasses, not {value!r}")


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
