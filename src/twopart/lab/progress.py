"""What a person sees while cells run: bars on a terminal, now and then a line elsewhere, or nothing. All on stderr.

How far a run has got is measured in cost: a cell of twice the cost moves the whole twice as far.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from twopart.lab.cell import Job

Style = Literal["auto", "plain", "none"]
STYLES: tuple[str, ...] = ("auto", "plain", "none")
_LINE_EVERY = 10.0  # seconds between plain lines


def show(style: Style, label: str, jobs: Sequence[Job], stored: int) -> Display:
    """The display for `jobs`, beside which `stored` cells of the same run were finished before."""
    tally = Tally(jobs, stored)
    if style == "none":
        return Display(label, tally)
    console = Console(stderr=True)
    if style == "auto" and console.is_terminal and not console.is_dumb_terminal:
        return Bars(label, tally, console)
    return Lines(label, tally)


class Tally:
    """How far a run has got, and when it may end."""

    def __init__(self, jobs: Sequence[Job], stored: int) -> None:
        self._cells = len(jobs) + stored
        self._finished = stored
        self._running: dict[str, float] = {}
        self._total = sum(job.work.cost for job in jobs) or 1.0
        self._done = 0.0
        self._start = time.monotonic()

    def move(self, job: Job, part: float) -> None:
        self._running[job.hash] = part * job.work.cost

    def finish(self, job: Job) -> None:
        del self._running[job.hash]
        self._done += job.work.cost
        self._finished += 1

    @property
    def part(self) -> float:
        """The part of the work that is done, in [0, 1]."""
        return min((self._done + sum(self._running.values())) / self._total, 1.0)

    def __str__(self) -> str:
        elapsed = time.monotonic() - self._start
        running = f", {len(self._running)} running" if self._running else ""
        left = f", about {duration(elapsed * (1 / self.part - 1))} left" if elapsed > 5 and 0.01 < self.part < 1 else ""
        return f"{self._finished}/{self._cells} cells{running}, {self.part:.0%}, {duration(elapsed)}{left}"


def duration(seconds: float) -> str:
    """Seconds for people: "45 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Display:
    """What the pool tells; this one counts and shows nothing. The others show, and are closed when the run ends."""

    def __init__(self, label: str, tally: Tally) -> None:
        self.label = label
        self.tally = tally

    def started(self, job: Job) -> None:
        self.tally.move(job, 0.0)

    def moved(self, job: Job, part: float, note: str) -> None:
        """`part` in [0, 1] of the job is done."""
        self.tally.move(job, part)

    def finished(self, job: Job) -> None:
        self.tally.finish(job)

    def say(self, line: str) -> None:
        """A worker printed a line."""

    def tick(self) -> None:
        """Called about once a second, and more often when things happen."""

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put away."""


class Lines(Display):
    """One line at the start, one every ten seconds, one at the end: for logs and pipes."""

    def __enter__(self) -> Display:
        self._next = time.monotonic()
        return self

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def tick(self) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_EVERY
            self.say(f"{self.label}: {self.tally}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.say(f"{self.label}: {self.tally}")


class Bars(Display):
    """A bar for the whole run and one for each running cell."""

    def __init__(self, label: str, tally: Tally, console: Console) -> None:
        super().__init__(label, tally)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
        self._progress = Progress(*columns, console=console)
        self._whole = self._progress.add_task(label, total=1.0, note="")
        self._bars: dict[str, TaskID] = {}

    def started(self, job: Job) -> None:
        super().started(job)
        self._bars[job.hash] = self._progress.add_task(f"  {job.label}", total=1.0, note="")

    def moved(self, job: Job, part: float, note: str) -> None:
        super().moved(job, part, note)
        self._progress.update(self._bars[job.hash], completed=part, note=note)

    def finished(self, job: Job) -> None:
        super().finished(job)
        self._progress.remove_task(self._bars.pop(job.hash))

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False)

    def tick(self) -> None:
        self._progress.update(self._whole, completed=self.tally.part, note=str(self.tally))

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tick()
        self._progress.stop()
