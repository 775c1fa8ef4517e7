"""What a benchmark reports, and how ratios are taken."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the bench."""

    name: str
    """What was measured."""
    value: str
    """Ours, with its unit."""
    peer: str
    """What it is compared to, measured beside it."""
    ratio: float
    """Ours over the peer's, the larger the better unless `aim` says otherwise."""
    aim: str
    """What it should reach."""

    def __str__(self) -> str:
        return f"{self.name:<44} {self.value:>24}   {self.ratio:8.2f} x {self.peer}   (aim {self.aim})"


def ratios(ours: Callable[[], object], peer: Callable[[], object], rounds: int = 5) -> float:
    """How many times faster `ours` is than `peer`: median over rounds of the two in turn, after one warm-up of each.

    Machines drift; two neighbours in time share the drift, so their ratio does not.
    """
    ours(), peer()
    return statistics.median(seconds(peer) / seconds(ours) for _ in range(rounds))


def median_seconds(work: Callable[[], object], rounds: int = 9) -> float:
    """Median wall time of a call, after one warm-up."""
    work()
    return statistics.median(seconds(work) for _ in range(rounds))


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
