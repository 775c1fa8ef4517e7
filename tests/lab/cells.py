"""Cell functions for the tests of the lab; workers import them from here."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twopart._checks import InputError
from twopart.lab import Cell


@dataclass(frozen=True)
class Square:
    number: int
    log: str = ""
    """A file to append the number to, when the cell runs."""

    def __str__(self) -> str:
        return str(self.number)


def square(config: Square, cell: Cell) -> pl.DataFrame:
    if config.log:
        with Path(config.log).open("a") as log:
            log.write(f"{config.number}\n")
    cell.progress(1, 1)
    return pl.DataFrame({"square": [config.number**2], "seed": [cell.seed]})


@dataclass(frozen=True)
class Asked:
    variable: str


def environment_variable(config: Asked, cell: Cell) -> pl.DataFrame:
    return pl.DataFrame({"value": [os.environ.get(config.variable)]})


@dataclass(frozen=True)
class Counted:
    upto: int
    die_at: int


def count_with_checkpoint(config: Counted, cell: Cell) -> pl.DataFrame:
    """Counts up, a step at a time; dies once at `die_at`. The result tells how many steps the last process did."""
    state = cell.folder / "state.json"
    begun = json.loads(state.read_text()) if state.exists() else 0
    for step in range(begun + 1, config.upto + 1):
        state.write_text(json.dumps(step))
        if step == config.die_at:
            os._exit(1)
    return pl.DataFrame({"steps_done_here": [config.upto - begun]})


@dataclass(frozen=True)
class Trouble:
    kind: str

    def __str__(self) -> str:
        return self.kind


def trouble(config: Trouble, cell: Cell) -> pl.DataFrame:
    match config.kind:
        case "bug":
            raise ZeroDivisionError("divided by nought")
        case "input":
            raise InputError("`width` must be even, got 3; double it")
        case "disk":
            raise OSError(28, "No space left on device", "big.bin")
        case "exit":
            print("last words", flush=True)
            os._exit(3)
        case "killed":
            os.kill(os.getpid(), 9)
        case "no frame":
            return {"not": "a frame"}
        case "sleep":
            time.sleep(60)
        case "print":
            print("hello from the cell", flush=True)
            time.sleep(0.05)
    return pl.DataFrame({"kind": [config.kind]})


@dataclass(frozen=True)
class Twice:
    of: Square
    number: int = 0


def twice(case: Twice, cell: Cell) -> pl.DataFrame:
    """Builds on another cell's result."""
    found = cell.result("square", case.of, lambda: pl.DataFrame({"square": [0], "seed": [0]}))
    return found.select(pl.col("square") * 2)


@dataclass(frozen=True)
class Wait:
    steps: int
    pause: float
    megabytes: int


def wait(case: Wait, cell: Cell) -> pl.DataFrame:
    held = bytearray(b"x") * (case.megabytes * 1_000_000)
    for step in range(case.steps):
        time.sleep(case.pause)
        cell.progress(step + 1, case.steps)
    return pl.DataFrame({"held": [len(held)]})


@dataclass(frozen=True)
class Needs:
    number: int = 0


def assigned(case: Needs, cell: Cell) -> pl.DataFrame:
    """What Ray has given the cell."""
    import ray

    given = ray.get_runtime_context().get_assigned_resources()
    return pl.DataFrame({"cpus": [given["CPU"]], "memory": [float(given["memory"])]})
