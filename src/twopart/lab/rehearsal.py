"""A rehearsal: what a cell will take, from the cell itself run for two seconds in a process of its own.

The cell reports progress over all that it does. From its first report to its last before the two seconds are over it has done a
known part in a known time; what came before the first report (sampling, compiling) is counted once. Memory is the most
that the process has held, which by then holds the cell's data. Nothing is stored.

    for work, cost in rehearse(works, study="data-law", module="twopart.studies.knowledge.data_law"):
        print(work.case, cost.seconds, cost.memory)
"""

from __future__ import annotations

import math
import os
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twopart.lab.cell import Cell, Job
from twopart.lab.messages import Rehearse, Rehearsed
from twopart.lab.pool import Worker
from twopart.lab.source import find
from twopart.lab.work import Work

SECONDS = 2.0
"""How long a cell runs on after its first report."""
PATIENCE = 60.0
"""How long it may take before."""
MOST = 8
"""Works of one function that are tried, spread evenly over them by `cost`; what the others take is interpolated in it."""


def rehearse(
    works: Sequence[Work], *, study: str, module: str, device: str = "cpu", workers: int = 1
) -> Iterator[tuple[Work, Rehearsed]]:
    """What one cell of each work takes, in the order of the works; several are tried at once, as in a run."""
    with ThreadPoolExecutor(workers) as pool:
        for _, group in groupby(works, key=lambda work: work.function):
            alike = list(group)
            cost, chosen = _tried([work.cost for work in alike])
            jobs = [Job(study, module, alike[i], 0, 0, Path()) for i in chosen]
            tried = list(pool.map(lambda job: _in_a_process(job, device), jobs))
            each = (
                np.interp(cost, cost[chosen], [getattr(found, what) for found in tried]).tolist()
                for what in ("seconds", "memory", "once")
            )
            yield from zip(alike, map(Rehearsed, *each), strict=True)


def _tried(costs: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Costs, made different in the order of the works, and which of these are tried, by rising cost.

    Of works that say that they cost the same the first and the last; any, if all do, for then nothing was said.
    """
    cost = np.array(costs, float)
    order = np.argsort(cost, kind="stable")
    _, first, count = np.unique(cost[order], return_index=True, return_counts=True)
    ends = np.unique([first, first + count - 1]) if len(first) > 1 else np.arange(len(cost))
    cost[order] += 1e-9 * cost.max() * np.arange(len(cost))
    return cost, order[ends[np.unique(np.linspace(0, len(ends) - 1, min(len(ends), MOST)).round().astype(int))]]


def try_out(job: Job, device: str) -> Rehearsed:
    """Run the cell until it has been watched long enough, or to its end. Called in a process of its own.

    It begins twice: the first time it ends at its first report, for a worker imports and compiles once for all its cells.
    """
    begun = time.monotonic()
    whole, first = _ends(job, device, _enough), time.monotonic() - begun
    if whole:
        return Rehearsed(first, _most_memory(), 0.0)
    watch = _Watch()
    seconds = time.monotonic() - watch.begun if _ends(job, device, watch) else watch.seconds_in_all
    return Rehearsed(seconds, _most_memory(), max(0.0, first - (watch.reports[0][0] - watch.begun)))


def _ends(job: Job, device: str, on_progress: Callable[[float, float, str], None]) -> bool:
    """Whether the cell runs to its end before enough is seen."""
    with tempfile.TemporaryDirectory() as folder:
        cell = Cell(Path(folder), job.cell_seed, job.replicate, device, on_progress, lambda function, case: None)
        try:
            find(job.module, job.work.function)(job.work.case, cell)
        except _Enough:
            return False
    return True


def _enough(done: float, total: float, note: str) -> None:
    raise _Enough


def _most_memory() -> float:
    """The most this process has held, bytes. Linux counts what it held before `exec` in getrusage(2), but not in VmHWM."""
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    return 1024.0 * int(found[1]) if found else float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


class _Enough(BaseException):
    """Ends a rehearsed cell; not an `Exception`, which a cell might catch."""


class _Watch:
    """A cell's progress: the time and the part done at its first report and at the one that ended the rehearsal."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.reports: list[tuple[float, float]] = []

    def __call__(self, done: float, total: float, note: str) -> None:
        self.reports = [*self.reports[:1], (time.monotonic(), done / total if total > 0 else 1.0)]
        (since, from_part), (now, part) = self.reports[0], self.reports[-1]
        if now - since >= SECONDS and part > from_part:
            raise _Enough

    @property
    def seconds_in_all(self) -> float:
        (since, from_part), (now, part) = self.reports
        return since - self.begun + (now - since) * (1 - from_part) / (part - from_part)


def _in_a_process(job: Job, device: str) -> Rehearsed:
    """`try_out` in a fresh process, whose memory is the cell's alone; nan where it does not report in time."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    worker = Worker(device, nothing)
    try:
        worker.connection.send(Rehearse(job, device))
        if not worker.connection.poll(PATIENCE + SECONDS):
            return Rehearsed(math.nan, math.nan, math.nan)
        return worker.rehearsed(job)
    finally:
        worker.close()
        os.close(nothing)
