"""A cell on a node of a Ray cluster, from inside: a stream of messages that ends with the cell's table or with what went wrong.

Nothing here writes to the run folder, which may not be on this machine. The cell's own folder is on the path that all
machines share, if there is one, else a temporary one of this machine.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import polars as pl

from twopart._checks import InputError
from twopart.lab import environment, source
from twopart.lab.cell import Job
from twopart.lab.messages import Began, Failed, Moved, Reporter, Result, Said

Message = Began | Moved | Said | Result | Failed
_REPORT_EVERY = 0.5  # seconds between progress messages: each passes through Ray


@dataclass(frozen=True)
class Order:
    """What a node is told of a cell."""

    job: bytes
    """The `Job`, pickled: a study that the node lacks is the cell's failure, not Ray's."""
    digest: str
    """Of the function's code, as the lab sees it."""
    device: str
    fellows: tuple[str, ...]
    """The hashes of the results that come with it."""
    path: tuple[str, ...]
    """The lab's path of modules."""


def stream(order: Order, *results: bytes) -> Iterator[Message]:
    """Run the cell in a thread and pass on what it says. Called by Ray, in a process that computes one cell at a time."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    name = f"{socket.gethostname()} ({ray.util.get_node_ip_address()}, {here[:8]})"
    yield Began(here, name, _machine(order.device))
    messages: SimpleQueue[Message] = SimpleQueue()
    threading.Thread(target=_compute, args=(order, results, messages.put), daemon=True).start()
    last = False
    while not last:
        message = messages.get()
        last = isinstance(message, Result | Failed)
        yield message


@lru_cache(maxsize=2)
def _machine(device: str) -> dict[str, Any]:
    return environment.machine(device)


def _compute(order: Order, results: tuple[bytes, ...], say: Callable[[Message], None]) -> None:
    try:
        job = _unpacked(order)
        frames = dict(zip(order.fellows, results, strict=True))

        def fellow(function: str, case: Any) -> pl.DataFrame:
            return pl.read_parquet(io.BytesIO(frames[job.fellow(function, case).hash]))

        with _printing(say), _own_folder(job) as folder:
            data = job.compute(folder, order.device, Reporter(say, _REPORT_EVERY), fellow)
        say(Result(data))
    except Exception as error:
        say(Failed.of(error))


def _unpacked(order: Order) -> Job:
    sys.path.extend(entry for entry in order.path if entry not in sys.path)
    try:
        job: Job = pickle.loads(order.job)
        digest = source.digest(job.module, job.work.function)
    except (ModuleNotFoundError, AttributeError) as error:
        raise InputError(f"{error}; every node needs this twopart, and a study's own file at the same path") from error
    if digest != order.digest:
        raise InputError(
            f"the code of `{job.work.function}` is another there than here; install the same on every node"
        )
    return job


@contextlib.contextmanager
def _own_folder(job: Job) -> Iterator[Path]:
    if job.checkpoints is not None:
        yield job.working
        return
    with tempfile.TemporaryDirectory(prefix="twopart-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _printing(say: Callable[[Message], None]) -> Iterator[None]:
    """What the cell prints, sent to the lab line by line."""
    lines = _Lines(lambda line: say(Said(line)))
    with contextlib.redirect_stdout(lines), contextlib.redirect_stderr(lines):
        yield
    lines.end()


class _Lines(io.TextIOBase):
    """A text file that hands on whole lines."""

    def __init__(self, hand_on: Callable[[str], None]) -> None:
        self._hand_on, self._line = hand_on, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *whole, self._line = (self._line + text).split("\n")
        for line in whole:
            self._hand_on(line)
        return len(text)

    def end(self) -> None:
        """Hand on a last line that has no end."""
        if self._line:
            self.write("\n")


def path() -> tuple[str, ...]:
    """This process's path of modules, in words that mean the same elsewhere."""
    return tuple(entry or os.fspath(Path.cwd()) for entry in sys.path)
