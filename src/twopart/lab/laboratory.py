"""Lab: a folder to run in, and `run` over the works of a study.

    with Lab("runs/try", study="try", module="my_studies.try", seed=0) as lab:
        for function, case, replicate, frame in lab.run([Work("train", Width(64)), Work("train", Width(128))]):
            ...

`run` computes each cell once on the worker processes and keeps its result, so that a second call, or a second run after a
crash, reads it back. The frames come in the order of the works; neither the number of workers nor what ended when changes them.
"""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import polars as pl

from twopart._checks import check, check_choice, check_integer
from twopart._threads import available_cores
from twopart.lab import environment as surroundings
from twopart.lab import folder as run_folder
from twopart.lab.cell import Job
from twopart.lab.cluster import Cluster
from twopart.lab.executor import KINDS, Executor, Kind
from twopart.lab.pool import Here, Pool
from twopart.lab.progress import STYLES, Display, Style, show
from twopart.lab.rehearsal import rehearse
from twopart.lab.work import Work


class Lab:
    """Where a study runs. Use it in a `with` block: leaving it ends the workers and unlocks the folder."""

    def __init__(
        self,
        folder: str | Path,
        *,
        study: str,
        module: str,
        config: dict[str, Any] | None = None,
        resume: bool = False,
        seed: int = 0,
        device: str = "auto",
        workers: int | None = None,
        progress: Style = "auto",
        executor: Kind = "processes",
        address: str | None = None,
        shared: str | Path | None = None,
        rehearsal: bool = False,
    ) -> None:
        """`study` names the cells, `module` is where its functions are found. `config` (JSON values with a key "study") makes
        `folder` its run folder; without it any folder will do.

        `workers` processes compute, by default one for each core this process may use; 0 computes in this one. `device` is
        "auto", "cpu", "cuda" or "cuda:<n>"; `progress` is "auto" (bars on a terminal, else lines), "plain" (lines) or "none".

        `executor="ray"` computes on the Ray cluster at `address` ("host:port", "auto"), or on this machine; `workers`
        then bounds the cells that run at a time. With `shared`, a folder of all machines for checkpoints, a cell goes on
        wherever it runs next. `rehearsal` tries each kind of cell first, and asks the cluster for the memory it takes.
        """
        self.seed = check_integer("seed", seed, 0, 2**63 - 1, "any other whole number names another run")
        check_choice("executor", executor, KINDS)
        alone = executor == "processes"
        check(alone or workers != 0, "workers", workers, ">= 1 with ray", "leave it out to use all of the cluster")
        check(not alone or address is None, "address", address, "left out with processes", 'it is for executor="ray"')
        size = available_cores() if workers is None else workers
        self.workers = check_integer("workers", size, 0, 4096, "0 computes in this process")
        self._progress = cast(Style, check_choice("progress", progress, STYLES))
        self.study, self.module = study, module
        self.folder = Path(folder)
        self.config = config
        self._shared = None if shared is None else Path(shared).absolute()
        self._rehearses = rehearsal
        with ExitStack() as stack:
            cluster = None if alone else Cluster(address, workers, device)
            if cluster is not None:
                stack.callback(cluster.close)
            self.device = cluster.device if cluster else surroundings.resolve_device(device)
            self.environment = surroundings.environment(self.seed, self.device, cluster.device_name if cluster else "")
            """As environment.json has it."""
            lock = self._take(resume)
            stack.callback(os.close, lock)
            if self._shared is not None:
                stack.callback(os.close, run_folder.lock_folder(self._shared))
                run_folder.sweep(self._shared)
            if config is not None:
                self._record_environment(self.environment)
            self._pool: Executor = cluster or (
                Pool(self.workers, self.device, lock) if self.workers else Here(self.device)
            )
            stack.callback(self._pool.close)
            self._closing = stack.pop_all()

    def run(self, works: Sequence[Work]) -> Iterator[tuple[str, Any, int, pl.DataFrame]]:
        """Run every cell of the works; then (function, case, replicate, result) of each, in their order.

        A cell that raises or dies stops the run; finished cells stay.
        """
        jobs = list({job.hash: job for job in self._jobs(works)}.values())
        todo = sorted((job for job in jobs if not job.finished), key=lambda job: -job.work.cost)
        self._say_what_is_stale([job for job in jobs if job.finished])
        if todo:
            todo = self._rehearsed(todo) if self._rehearses else todo
            with show(self._progress, self.study, todo, len(jobs) - len(todo)) as display:
                self._run(todo, display)
        return ((job.work.function, job.work.case, job.replicate, job.read()) for job in jobs)

    def _jobs(self, works: Sequence[Work]) -> Iterator[Job]:
        """The cells of the works, and of those that they come after, should the study not have listed them."""
        for work in works:
            yield from self._jobs(work.after)
            for replicate in range(work.replicates):
                yield Job(self.study, self.module, work, replicate, self.seed, self.folder / "cells", self._shared)

    def _rehearsed(self, jobs: list[Job]) -> list[Job]:
        """The jobs with the memory that a rehearsal of their work took, where the study does not say it."""
        works = list({(job.work.function, job.work.case): job.work for job in jobs}.values())
        costs = rehearse(works, study=self.study, module=self.module, device=self.device)
        taken = {(work.function, work.case): cost.memory for work, cost in costs}
        return [self._asking(job, taken[job.work.function, job.work.case]) for job in jobs]

    @staticmethod
    def _asking(job: Job, memory: float) -> Job:
        known = job.work.memory or (0.0 if math.isnan(memory) else memory)
        return replace(job, work=replace(job.work, memory=known))

    def _say_what_is_stale(self, finished: list[Job]) -> None:
        """Finished cells are never run again; a person is told when they may have to be."""
        for job in finished:
            job.tidy()
        stale = Counter(job.work.function for job in finished if job.stale)
        if self._progress != "none":
            for function, count in stale.items():
                what = f"{count} finished cell{'s' * (count > 1)} of `{function}`"
                remedy = "to compute them anew, remove them from cells/ or choose another folder"
                print(f"the code of {what} has changed since; {remedy}", file=sys.stderr)

    def _run(self, todo: list[Job], display: Display) -> None:
        try:
            self._pool.run(todo, display)
        except BaseException:  # the other workers are busy with cells of a run that has failed
            self._pool.close()
            raise

    def close(self) -> None:
        """End the workers and unlock the folder."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, resume: bool) -> int:
        """Lock the folder, and make it the run folder of `config` if there is one."""
        if self.config is None:
            lock = run_folder.lock_folder(self.folder)
            run_folder.sweep(self.folder / "cells")
            return lock
        return run_folder.claim(self.folder, self.config, resume=resume)

    def _record_environment(self, now: dict[str, Any]) -> None:
        self.environment = run_folder.record_environment(self.folder, now)
        if self._progress != "none" and (earlier := self.environment.get("earlier")):
            changed = "; ".join(run_folder.differences(earlier[-1], now))
            print(f"begun under another environment: {changed}", file=sys.stderr)
