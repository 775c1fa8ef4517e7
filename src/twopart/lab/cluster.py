"""A Ray cluster, seen from the lab: each cell a task, which streams back what a worker process would say, and its table.

The lab alone writes the run folder. A node that dies costs the cells that it had not finished, which run again elsewhere.
Ray is loaded when it is asked for (extra `cluster`). The lab's own process runs on a machine of the cluster.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from twopart._checks import InputError, check
from twopart._threads import available_cores
from twopart.lab import environment
from twopart.lab.cell import Job
from twopart.lab.executor import CellError, case_of, exception, next_ready
from twopart.lab.folder import differences
from twopart.lab.messages import Began, Failed, Moved, Result, Said
from twopart.lab.node import Message, Order, path, stream
from twopart.lab.pool import ONE_THREAD
from twopart.lab.progress import Display
from twopart.lab.source import digest

QUEUE = 1000
"""Most cells that Ray is handed at a time."""
DEATHS = 2
"""A cell whose process has died so often on nodes that live on has failed: it is the cell, not the node."""
MOST_DEATHS = 5
"""The same with nodes that died too: a cell may bring down its node."""
PATIENCE = 10.0
"""Seconds for a machine of the cluster to answer."""
_START = "start one with `ray start --head`, or leave --address out to use this machine alone"
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent home
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray will do by itself, and warns of until then
    "RAY_DEDUP_LOGS_SKIP_REGEX": r"[\s\S]",  # a dead node's log would go to standard output
}


@dataclass(eq=False)
class _Task:
    """A cell in Ray's hands."""

    job: Job
    began: Began | None = None

    @property
    def where(self) -> str:
        return f" on node {self.began.name}" if self.began else ""


class Cluster:
    """Cells as tasks of a Ray cluster; connects when made."""

    def __init__(self, address: str | None, size: int | None, device: str) -> None:
        """`size` bounds the cells that run at a time; without it Ray runs as many as its nodes hold.

        Without an `address` Ray starts on this machine alone, with `size` CPUs, unless this process or the variable RAY_ADDRESS
        has a cluster already.
        """
        check(
            find_spec("ray") is not None, "executor", "ray", "processes without Ray", "`pip install 'twopart[cluster]'`"
        )
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        import ray

        self._ray, self._size = ray, size
        self._mine = not ray.is_initialized()
        if self._mine:
            self._connect(address, size)
        self._task = ray.remote(num_returns="streaming", max_retries=0, runtime_env={"env_vars": ONE_THREAD})(stream)
        self._tasks: dict[Any, _Task] = {}
        self._deaths: dict[str, list[str]] = {}
        self._results: dict[str, Any] = {}
        self._begun: set[str] = set()
        self._met: set[str] = set()
        self._fitting: set[tuple[float, ...]] = set()
        self.device = self._resolve(device)

    def _connect(self, address: str | None, size: int | None) -> None:
        options: dict[str, Any] = {"address": address}
        if address not in (None, "auto"):
            _knock(str(address))
        if address is None and not os.environ.get("RAY_ADDRESS"):
            options |= {"num_cpus": size or available_cores(), "include_dashboard": False}
        try:
            self._ray.init(logging_level="ERROR", log_to_driver=False, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(
                f"no Ray cluster at {address or 'this machine'} ({_first_line(error)}); {_START}"
            ) from error

    def _resolve(self, device: str) -> str:
        """Where cells compute: Ray hands each its GPU."""
        check(device in ("auto", "cpu", "cuda"), "device", device, '"auto", "cpu" or "cuda"', "Ray chooses the GPU")
        gpus = self._ray.cluster_resources().get("GPU", 0.0)
        check(gpus or device != "cuda", "device", device, "cpu, as the cluster has no GPU", "auto takes what there is")
        return "cuda" if gpus and device != "cpu" else "cpu"

    @property
    def device_name(self) -> str:
        """The cluster's GPUs, by Ray's names; empty where cells run on CPUs."""
        names = [name for name in self._ray.cluster_resources() if name.startswith("accelerator_type:")]
        return ", ".join(sorted(name.partition(":")[2] for name in names)) if self.device == "cuda" else ""

    def run(self, jobs: Iterable[Job], display: Display) -> None:
        """Run the jobs in the order given, each after those it waits for; return when all are done, raise when one fails."""
        waiting = list(jobs)
        while waiting or self._tasks:
            busy = [task.job for task in self._tasks.values()]
            while len(busy) < (self._size or QUEUE) and (job := next_ready(waiting, busy)):
                waiting.remove(job)
                busy.append(job)
                self._submit(job)
            for ready in self._ray.wait(list(self._tasks), num_returns=1, timeout=1.0)[0]:
                self._serve(ready, display)
            display.tick()

    def close(self) -> None:
        """End the cells and, if it is ours, the connection; Ray ends a private cluster with it."""
        for task in self._tasks:
            self._ray.cancel(task, force=True)
        self._tasks.clear()
        self._results.clear()
        if self._mine and self._ray.is_initialized():
            self._ray.shutdown()

    def _submit(self, job: Job) -> None:
        work = job.work
        needs = {"CPU": work.cpus, "memory": work.memory, "GPU": work.gpus or float(self.device == "cuda")}
        self._check_room(job, needs)
        results = {other.hash: self._shared(other) for other in job.waits_for}
        code = digest(job.module, work.function)
        order = Order(pickle.dumps(job), code, self.device, tuple(results), path())
        options = {"num_cpus": needs["CPU"], "num_gpus": needs["GPU"], "memory": int(needs["memory"]) or None}
        self._tasks[self._task.options(**options).remote(order, *results.values())] = _Task(job)

    def _check_room(self, job: Job, needs: dict[str, float]) -> None:
        """Refuse what no node can hold, which Ray would wait for."""
        if (key := tuple(needs.values())) in self._fitting:
            return
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(all(node.get(what, 0.0) >= much for what, much in needs.items()) for node in nodes):
            asked = ", ".join(f"{what} {much:g}" for what, much in needs.items() if much)
            there = "; ".join(", ".join(f"{what} {node.get(what, 0.0):g}" for what in needs) for node in nodes)
            remedy = "ask for less in `Work`, or add a node"
            raise InputError(f"{job.label} asks for {asked}, and no node has that: there is {there}; {remedy}")
        self._fitting.add(key)

    def _shared(self, job: Job) -> Any:
        """A result that other cells ask for, put into Ray's store once."""
        if job.hash not in self._results:
            self._results[job.hash] = self._ray.put(job.metrics.read_bytes())
        return self._results[job.hash]

    def _serve(self, stream: Any, display: Display) -> None:
        """Take one message of a cell that has something to say."""
        task, errors = self._tasks[stream], self._ray.exceptions
        job = task.job
        try:
            message: Message = self._ray.get(next(stream))
        except errors.RayTaskError as error:  # raised around the cell: the node has no such twopart
            raise CellError(f"{job.label} failed{task.where}: {error}\nIts case: {case_of(job)}") from error
        except (errors.RayError, StopIteration) as error:
            del self._tasks[stream]
            self._died(task, error, display)
            return
        match message:
            case Began():
                task.began = message
                self._meet(message, display)
                if job.hash not in self._begun:
                    self._begun.add(job.hash)
                    display.started(job)
            case Moved(part, note):
                display.moved(job, part, note)
            case Said(line):
                display.say(f"{job.label}: {line}")
            case Failed() as failure:
                del self._tasks[stream]
                raise exception(job, failure, task.where)
            case Result(data):
                del self._tasks[stream]
                job.record()
                job.keep(data)
                display.finished(job)

    def _died(self, task: _Task, error: BaseException, display: Display) -> None:
        """Run a cell again whose process is gone, unless it dies wherever it runs."""
        job, places = task.job, self._deaths.setdefault(task.job.hash, [])
        places.append(task.began.node if task.began else "")
        living = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        if sum(place in living for place in places) >= DEATHS or len(places) >= MOST_DEATHS:
            hint = "often the memory was not enough: give its `Work` some"
            raise CellError(
                f"{job.label} failed{task.where}: its process died {len(places)} times; {hint}\n"
                f"Its case: {case_of(job)}\n{_first_line(error)}"
            )
        display.say(f"{job.label}: its process{task.where} died; it runs again ({_first_line(error)})")
        if job.hash in self._begun:
            display.moved(job, 0.0, "runs again")
        self._submit(job)

    def _meet(self, began: Began, display: Display) -> None:
        """Say of a node that is new to the run what differs there: results may depend on it."""
        if began.node not in self._met:
            self._met.add(began.node)
            if differs := differences(began.machine, environment.machine(self.device)):
                display.say(f"node {began.name}: {'; '.join(differs)}")


def _knock(address: str) -> None:
    """Refuse an address where nobody is: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    fine = bool(host) and "/" not in host and port.isdigit()
    check(fine, "address", address, '"auto" or host:port', "start the run on a machine of the cluster")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster at {address} ({error}); {_START}") from error


def _first_line(error: BaseException) -> str:
    """What Ray says first; it goes on with advice."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].partition(". ")[0]
