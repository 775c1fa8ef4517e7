"""A cell: one piece of a study, named by a hash of study, function, version, case, replicate and the run's seed.

No module, path or label takes part: files move and wordings change without changing a number.

cells/<hash>/cell.json         what the hash stands for, and a digest of the code of its function
cells/<hash>/working/          the cell's own folder, for checkpoints (or <checkpoints>/<hash>/); removed when it is finished
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
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from twopart import _files, _random
from twopart._checks import InputError, check
from twopart.lab.source import digest, find
from twopart.lab.work import Work

if TYPE_CHECKING:  # torch is loaded by cells that train
    from torch import Generator

CellFunction = Callable[[Any, "Cell"], pl.DataFrame]


def _silent(done: float, total: float, note: str) -> None:
    """Nobody is watching."""


def _nobody(function: str, case: Any) -> pl.DataFrame:
    """A cell outside a run has no fellows."""
    raise InputError(f"{function} has no result here; run it in the same lab before")


@dataclass(frozen=True)
class Cell:
    """What a cell's function gets beside its case."""

    folder: Path
    """A folder of its own for checkpoints; it is still there after a kill, and removed when the cell is finished."""
    seed: int = 0
    """Root of the cell's random streams; depends on what the cell is named by only."""
    replicate: int = 0
    """Which of its work's replicates it is, from 0."""
    device: str = "cpu"
    """Where to compute: "cpu", "cuda" or "cuda:<n>"."""
    on_progress: Callable[[float, float, str], None] = _silent
    """Where `progress` reports to."""
    on_result: Callable[[str, Any], pl.DataFrame | None] = _nobody
    """Where `result` asks; None says that this is a rehearsal."""

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Say that `done` of `total` units of work are done; `note` is a word on the state, such as a loss."""
        self.on_progress(done, total, note)

    def generator(self, *purpose: str | int) -> Generator:
        """A stream of torch's random numbers on the cell's device, for one purpose."""
        from torch import Generator

        return Generator(self.device).manual_seed(int(_random.keys(self.seed, 1, *purpose)[0] >> 1))

    def result(self, function: str, case: Any, stand_in: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """What the work `function(case)` gave in the same replicate: a model that many cells start from is trained once.

        `case` should be a field of this cell's own, so that this cell's name stands for what it builds on too, and that work
        among those that this cell's comes `after`. A rehearsal takes `stand_in()` instead, a table of the same shape.
        """
        found = self.on_result(function, case)
        return stand_in() if found is None else found


@dataclass(frozen=True)
class Job:
    """One replicate of a work, with its place on disk."""

    study: str
    """The study's name."""
    module: str
    """Where its functions are found; takes no part in the hash."""
    work: Work
    replicate: int
    seed: int
    cells: Path
    checkpoints: Path | None = None
    """Where cells have their own folders instead: a path that all machines share."""

    @property
    def label(self) -> str:
        """For people."""
        several = f", replicate {self.replicate + 1}" if self.work.replicates > 1 else ""
        return f"{self.work.function} {self.work.case}{several}"

    @cached_property
    def identity(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "function": self.work.function,
            "version": self.work.version,
            "case": plain(self.work.case),
            "replicate": self.replicate,
            "seed": self.seed,
        }

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
    def working(self) -> Path:
        """The cell's own folder."""
        return self.folder / "working" if self.checkpoints is None else self.checkpoints / self.hash

    @property
    def finished(self) -> bool:
        return self.metrics.exists()

    @property
    def waits_for(self) -> list[Job]:
        """The jobs whose results this one asks for."""
        return [
            replace(self, work=work, replicate=min(self.replicate, work.replicates - 1)) for work in self.work.after
        ]

    @property
    def stale(self) -> bool:
        """Whether the code of the function is not that which computed the stored result."""
        try:
            source = json.loads((self.folder / "cell.json").read_text())["source"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            remedy = "remove that folder and resume the run to compute the cell again"
            raise InputError(f"cannot tell which code made {self.folder}: no whole cell.json; {remedy}") from error
        return bool(source != digest(self.module, self.work.function))

    def run(self, device: str, on_progress: Callable[[float, float, str], None]) -> None:
        """Compute the cell and keep its result."""
        self.record()
        self.keep(self.compute(self.working, device, on_progress, lambda *work: self.fellow(*work).read()))

    def record(self) -> None:
        """Write what the hash stands for."""
        source = digest(self.module, self.work.function)
        _files.write_json(self.folder / "cell.json", {**self.identity, "source": source})

    def compute(
        self,
        working: Path,
        device: str,
        on_progress: Callable[[float, float, str], None],
        on_result: Callable[[str, Any], pl.DataFrame],
    ) -> bytes:
        """The result as a Parquet file, which passes through memory so that a full disk shows as the `OSError` it is."""
        working.mkdir(parents=True, exist_ok=True)
        cell = Cell(working, self.cell_seed, self.replicate, device, on_progress, on_result)
        frame = find(self.module, self.work.function)(self.work.case, cell)
        if not isinstance(frame, pl.DataFrame):
            raise TypeError(f"{self.work.function} must return a polars DataFrame, got {type(frame).__name__}")
        data = io.BytesIO()
        frame.write_parquet(data)
        return data.getvalue()

    @property
    def cell_seed(self) -> int:
        """Root of the cell's random streams."""
        return int(_random.seed_sequence(self.seed, "cell", self.hash).generate_state(1, np.uint64)[0]) >> 1

    def fellow(self, function: str, case: Any) -> Job:
        """The job of the same run that does the work `function(case)`."""
        for other in self.waits_for:
            if (other.work.function, other.work.case) == (function, case):
                return other
        raise InputError(f"{self.label} asks for {function} {case}; name that work in its `after`")

    def keep(self, data: bytes) -> None:
        """Finish the cell."""
        _files.write_bytes(self.metrics, data)
        self.tidy()

    def tidy(self) -> None:
        """Remove the checkpoints of a finished cell; a kill may have come between."""
        if self.working.exists():
            shutil.rmtree(self.working)

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
