"""Lab: a folder to run in, and `map` over cells.

    with Lab("runs/try", seed=0) as lab:
        frames = lab.map(train_one, [Config(width=64), Config(width=128)], label="transformer")

`map` runs each (function, config) once on the worker processes and keeps its result, so that a second call, or a second
run after a crash, reads it back. The frames come in the order of the configs and depend neither on the number of workers
nor on what finished when.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import polars as pl

from twopart._checks import check_choice, check_integer
from twopart.lab import environment as surroundings
from twopart.lab import folder as run_folder
from twopart.lab.cell import Cell, Job
from twopart.lab.pool import Pool
from twopart.lab.progress import STYLES, Display, Style, show

C = TypeVar("C")


class Lab:
    """Where a study runs. Use it in a `with` block: leaving it ends the workers and unlocks the folder."""

    def __init__(
        self,
        folder: str | Path,
        *,
        config: dict[str, Any] | None = None,
        resume: bool = False,
        seed: int = 0,
        device: str = "auto",
        workers: int | None = None,
        progress: Style = "auto",
    ) -> None:
        """`config` (JSON values with a key "study") makes `folder` its run folder; without it any folder will do.

        `workers` processes compute, by default one for each core this process may use. `device` is "auto", "cpu", "cuda"
        or "cuda:<n>"; `progress` is "auto" (bars on a terminal, else lines), "plain" (lines) or "none".
        """
        self.seed = check_integer("seed", seed, 0, 2**63 - 1, "any other whole number names another run")
        self.device = surroundings.resolve_device(device)
        size = surroundings.available_cores() if workers is None else workers
        self.workers = check_integer("workers", size, 1, 4096, "1 runs one cell after the other")
        self._progress = cast(Style, check_choice("progress", progress, STYLES))
        self.folder = Path(folder)
        self.config = config
        self.environment = surroundings.environment(self.seed, self.device)
        """As environment.json has it."""
        with ExitStack() as stack:
            lock = self._take(resume)
            stack.callback(os.close, lock)
            if config is not None:
                self._record_environment(self.environment)
            self._pool = Pool(self.workers, self.device, lock)
            stack.callback(self._pool.close)
            self._closing = stack.pop_all()

    def map(
        self,
        function: Callable[[C, Cell], pl.DataFrame],
        configs: Sequence[C],
        *,
        label: str = "cells",
        cost: Callable[[C], float] | None = None,
    ) -> list[pl.DataFrame]:
        """`function(config, cell)` for each of the configs (frozen dataclasses), in their order.

        `function` is a module's own, so that a worker can import it. `cost` says how long a config takes, in any unit: the
        longest cells start first, so that the workers end together. One that raises or dies stops the map; finished cells stay.
        `label`, and a config's field `label` if it has one, name the cells to people.
        """
        address = _address(function)
        names = _names(label, configs)
        jobs = [
            Job(address, config, self.seed, self.folder / "cells", name, float(cost(config)) if cost else 1.0)
            for config, name in zip(configs, names, strict=True)
        ]
        distinct = {job.hash: job for job in jobs}.values()
        todo = sorted((job for job in distinct if not job.finished), key=lambda job: -job.cost)
        for job in distinct:
            if job.finished:
                job.tidy()
        if todo:
            with show(self._progress, label, todo, len(distinct) - len(todo)) as display:
                self._run(todo, display)
        return [job.read() for job in jobs]

    def _run(self, todo: list[Job], display: Display) -> None:
        try:
            self._pool.run(todo, display)
        except BaseException:  # the other workers are busy with cells of a map that has failed
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


def _address(function: Callable[..., Any]) -> str:
    module, name = function.__module__, function.__qualname__
    found = getattr(sys.modules.get(module), name, None)
    if module == "__main__" or found is not function:
        raise TypeError(f"a cell function must be a module's own and the module not the script itself: {module}.{name}")
    return f"{module}:{name}"


def _names(label: str, configs: Sequence[Any]) -> list[str]:
    """A name for people for each cell: the config's `label` if it has one, else the fields in which the configs differ."""
    for config in configs:
        if not is_dataclass(config) or isinstance(config, type):
            raise TypeError(f"a cell's config must be a dataclass, got {config!r}")
    if all(hasattr(config, "label") for config in configs):
        return [f"{label} {config.label}" for config in configs]
    if len({type(config) for config in configs}) != 1:
        return [f"{label} {i + 1}" for i in range(len(configs))]
    simple = [f.name for f in fields(configs[0]) if isinstance(getattr(configs[0], f.name), bool | int | float | str)]
    varied = [name for name in simple if len({getattr(config, name) for config in configs}) > 1]
    return [" ".join([label, *(f"{name}={getattr(c, name)}" for name in varied)]) for c in configs]
