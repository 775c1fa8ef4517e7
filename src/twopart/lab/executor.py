"""What a lab runs its cells with: worker processes of this machine (pool.py), or a Ray cluster (cluster.py).

An executor computes; it is handed cells that are not finished, and when `run` returns their results are in the run folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal, Protocol

from twopart._checks import InputError
from twopart.lab.cell import Job, canonical
from twopart.lab.messages import Failed
from twopart.lab.progress import Display

Kind = Literal["processes", "ray"]
KINDS: tuple[str, ...] = ("processes", "ray")


class Executor(Protocol):
    """Runs jobs, tells the display, and can be asked again until it is closed."""

    def run(self, jobs: Iterable[Job], display: Display) -> None:
        """Run the jobs in the order given, each after those it waits for; return when all are done, raise when one fails."""

    def close(self) -> None:
        """End whatever still computes."""


class CellError(RuntimeError):
    """A cell's function raised, or its worker died. The message ends with the cell's case and its traceback or output."""


def next_ready(waiting: list[Job], busy: Iterable[Job]) -> Job | None:
    """The first job that has nothing left to wait for."""
    unfinished = {job.hash for job in (*waiting, *busy)}
    return next((job for job in waiting if unfinished.isdisjoint(other.hash for other in job.waits_for)), None)


def exception(job: Job, failure: Failed, where: str = "") -> Exception:
    """What the cell raised, as an exception of the lab's process; `where` tells the node, such as " on node a"."""
    error: Exception
    if failure.kind == "input":
        return InputError(f"{failure.message} ({job.label}{where})")
    if failure.kind == "system" and failure.errno is not None:
        name = f"{failure.filename}{where}" if failure.filename else where.strip() or None
        error = OSError(failure.errno, os.strerror(failure.errno), name)
        error.add_note(f"in {job.label}, case {case_of(job)}:\n{failure.traceback}")
        return error
    return CellError(f"{job.label} failed{where}: {failure.message}\nIts case: {case_of(job)}\n{failure.traceback}")


def case_of(job: Job) -> str:
    """What the job's name stands for, in one line."""
    return canonical(job.identity)
