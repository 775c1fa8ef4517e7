"""What the lab and its workers say to each other, over a socket that only the two of them hold, or through Ray."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from twopart._checks import InputError
from twopart.lab.cell import Job


@dataclass(frozen=True)
class Run:
    """Lab to worker: run this cell."""

    job: Job
    device: str


@dataclass(frozen=True)
class Rehearse:
    """Lab to worker: find out what this cell takes."""

    job: Job
    device: str


@dataclass(frozen=True)
class Rehearsed:
    """Worker to lab: what a cell takes. nan where it made no report of progress in time."""

    seconds: float
    """Of one core."""
    memory: float
    """The most it held, bytes."""
    once: float
    """What a worker takes before its first cell of the kind, seconds: it imports and compiles once for all."""


@dataclass(frozen=True)
class Moved:
    """Worker to lab: the cell has got this far."""

    part: float
    """In [0, 1]."""
    note: str


@dataclass(frozen=True)
class Began:
    """Node to lab: the cell has begun here."""

    node: str
    """Ray's name of the node."""
    name: str
    """For people: host and address."""
    machine: dict[str, Any]
    """What results depend on there, as `environment.machine` has it."""


@dataclass(frozen=True)
class Said:
    """Node to lab: the cell printed a line."""

    line: str


@dataclass(frozen=True)
class Result:
    """Node to lab: the cell's table, as the Parquet file to keep."""

    data: bytes


@dataclass(frozen=True)
class Done:
    """Worker to lab: the cell's metrics are on disk."""


@dataclass(frozen=True)
class Failed:
    """Worker to lab: the cell raised. Words, not the exception: not every exception survives a trip between processes."""

    kind: Literal["input", "system", "bug"]
    message: str
    traceback: str
    errno: int | None = None
    filename: str | None = None

    @classmethod
    def of(cls, error: Exception) -> Failed:
        """What to say of an exception that is being handled."""
        if isinstance(error, InputError):
            return cls("input", str(error), traceback.format_exc())
        if isinstance(error, OSError):
            return cls("system", str(error), traceback.format_exc(), error.errno, error.filename)
        return cls("bug", f"{type(error).__name__}: {error}", traceback.format_exc())


class Reporter:
    """Sends progress to the lab, the last state always and the others not too often."""

    def __init__(self, send: Callable[[Moved], object], every: float) -> None:
        """`every` is in seconds."""
        self._send, self._every = send, every
        self._next = 0.0

    def __call__(self, done: float, total: float, note: str) -> None:
        now = time.monotonic()
        if now >= self._next or done >= total:
            self._next = now + self._every
            self._send(Moved(min(max(done / total, 0.0), 1.0) if total > 0 else 1.0, note))
