"""Kernels that are free of the GIL, on all cores at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path


def cores() -> int:
    """How many threads kernels may have: OMP_NUM_THREADS, which the lab's workers set to 1, else the cores of this process."""
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(told) if told.isdecimal() and int(told) else available_cores()


def available_cores(cpu_max: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The cores this process may use: `taskset` or a container may give it fewer than the machine has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text().split()
    except (OSError, ValueError):  # no control groups (version 2) here
        return cores
    return cores if quota == "max" else min(cores, max(1, int(quota) // int(period)))


def at_once(tasks: Sequence[Callable[[], object]]) -> None:
    """Each task in a thread, the first in this one; back when all are done."""
    others = [_threads(os.getpid()).submit(task) for task in tasks[1:]]
    tasks[0]()
    for other in others:
        other.result()


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Threads do not survive a fork, so that each process has its own."""
    return ThreadPoolExecutor(thread_name_prefix="kernels")
