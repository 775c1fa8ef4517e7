"""Worker processes, seen from the lab: start them, hand out jobs, read what they say, notice when one dies.

Workers are fresh interpreters, not forks, so no thread or lock of the lab is copied into them; each computes on one
thread, so that a cell's sums are added in the same order whatever runs beside it. A single loop waits on all sockets.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from multiprocessing import connection
from pathlib import Path
from typing import Any

from twopart.lab.cell import Job
from twopart.lab.executor import CellError, case_of, exception, next_ready
from twopart.lab.messages import Done, Failed, Moved, Rehearsed, Run
from twopart.lab.progress import Display

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "TORCHINDUCTOR_COMPILE_THREADS",
    ),
    "1",
)


class Worker:
    """One worker process and the job it is busy with."""

    def __init__(self, device: str, lock: int) -> None:
        self.job: Job | None = None
        self._device = device
        here, there = socket.socketpair()
        with there:
            self._process = _start([str(there.fileno()), str(os.getpid()), str(lock)], (there.fileno(), lock))
        self.pid = self._process.pid
        self.connection: connection.Connection[Any, Any] = connection.Connection(here.detach())
        assert self._process.stdout is not None
        self.output = self._process.stdout.fileno()
        os.set_blocking(self.output, False)
        self._line = b""
        self._tail: deque[str] = deque(maxlen=20)

    def begin(self, job: Job) -> None:
        self.job = job
        with contextlib.suppress(OSError):  # it has just died: the loop will find the end of its file
            self.connection.send(Run(job, self._device))

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def receive(self) -> Moved | Done | Failed | Rehearsed | None:
        """The next message; None if the process is gone."""
        try:
            message: Moved | Done | Failed | Rehearsed = self.connection.recv()
        except (EOFError, OSError):
            return None
        return message

    def rehearsed(self, job: Job) -> Rehearsed:
        """The answer to `Rehearse`; raises what the cell raised."""
        match self.receive():
            case Rehearsed() as cost:
                return cost
            case Failed() as failure:
                raise exception(job, failure)
        raise CellError(f"{job.label} failed: {self.obituary()}\nIts case: {case_of(job)}")

    def lines(self) -> list[str]:
        """What the worker has printed since, in whole lines."""
        *whole, self._line = (self._line + os.read(self.output, 65536)).split(b"\n")
        lines = [line.decode(errors="replace") for line in whole]
        self._tail.extend(lines)
        return lines

    def obituary(self) -> str:
        """How the process ended, and the last it printed."""
        code = self._process.wait()
        with contextlib.suppress(BlockingIOError):  # a child of the worker may hold the pipe open
            while self.lines():
                pass
        last = "\n".join([*self._tail, self._line.decode(errors="replace")]).strip()
        how = f"exited with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        hint = "; often the memory was not enough: try fewer --workers" if code == -signal.SIGKILL else ""
        return f"its worker process {how}{hint}" + (f"; it had printed:\n{last}" if last else "")

    def close(self) -> None:
        """Kill the process: whatever it was writing is written aside and renamed when whole."""
        self._process.kill()
        self._process.wait()
        self.connection.close()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Here:
    """No workers: each job runs in this process, one after the other, where a debugger reaches it."""

    def __init__(self, device: str) -> None:
        self._device = device

    def run(self, jobs: Iterable[Job], display: Display) -> None:
        """Run the jobs in the order given, each after those it waits for."""
        waiting = list(jobs)
        with _one_thread():
            while job := next_ready(waiting, ()):
                waiting.remove(job)
                display.started(job)
                job.run(self._device, partial(self._report, job, display))
                display.finished(job)

    @staticmethod
    def _report(job: Job, display: Display, done: float, total: float, note: str) -> None:
        display.moved(job, done / total, note)
        display.tick()

    def close(self) -> None:
        """Nothing to end."""


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """torch on one thread, as in a worker: by the environment if it is not loaded yet, else by itself, and then as before."""
    if (torch := sys.modules.get("torch")) is None:
        os.environ.update({name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name not in os.environ})
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Pool:
    """Up to `size` workers, started when there is work for them and kept until `close`."""

    def __init__(self, size: int, device: str, lock: int) -> None:
        self._size = size
        self._device = device
        self._lock = lock
        self._workers: list[Worker] = []

    def run(self, jobs: Iterable[Job], display: Display) -> None:
        """Run the jobs in the order given, each after those it waits for; return when all are done, raise when one fails."""
        waiting = list(jobs)
        while waiting or self._busy():
            while (job := next_ready(waiting, self._jobs())) and (worker := self._free()):
                waiting.remove(job)
                worker.begin(job)
                display.started(job)
            for worker in self._ready():
                self._serve(worker, display)
            display.tick()

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        self._workers.clear()

    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.job]

    def _jobs(self) -> list[Job]:
        return [worker.job for worker in self._workers if worker.job]

    def _free(self) -> Worker | None:
        idle = [worker for worker in self._workers if not worker.job]
        for worker in idle:
            if worker.alive:
                return worker
            worker.close()
            self._workers.remove(worker)
        if len(self._workers) == self._size:
            return None
        self._workers.append(Worker(self._device, self._lock))
        return self._workers[-1]

    def _ready(self) -> Sequence[Worker]:
        """The busy workers that have something to say, after a second at most."""
        sources: list[Any] = [source for worker in self._busy() for source in (worker.connection, worker.output)]
        ready = connection.wait(sources, timeout=1.0)
        return [w for w in self._busy() if w.connection in ready or w.output in ready]

    def _serve(self, worker: Worker, display: Display) -> None:
        job = worker.job
        assert job is not None
        if connection.wait([worker.output], timeout=0):
            for line in worker.lines():
                display.say(f"{job.label}: {line}")
        while worker.job and worker.connection.poll():
            match worker.receive():
                case None:
                    raise CellError(f"{job.label} failed: {worker.obituary()}\nIts case: {case_of(job)}")
                case Moved(part, note):
                    display.moved(job, part, note)
                case Done():
                    worker.job = None
                    display.finished(job)
                case Failed() as failure:
                    raise exception(job, failure)


def _start(arguments: list[str], descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start a worker with SIGINT blocked: Ctrl-C reaches all processes of the terminal, and is the lab's to handle."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "twopart.lab.worker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            pass_fds=descriptors,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
