"""What the lab and its workers say to each other, over a socket that only the two of them hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
