"""A study small enough for tests: the area of the unit circle, measured by throwing points. Its cells checkpoint as they go."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from twopart import _files
from twopart._checks import InputError, check_integer
from twopart.findings import Chart, Claim, Findings, Table
from twopart.lab import Cell, Lab
from twopart.studies import Planned


@dataclass(frozen=True)
class Config:
    """How many points, in how many cells."""

    cells: int = 4
    """Independent cells, >= 1."""
    rounds: int = 6
    """Rounds per cell, >= 1; a checkpoint is written after each."""
    points: int = 1000
    """Points per round, >= 1."""
    pause: float = 0.0
    """Seconds to sleep in each round, so that tests can interrupt."""
    true_area: float = 3.14159265
    """The prediction."""
    trouble: Literal["none", "raise", "input", "exit", "kill", "disk"] = "none"
    """What goes wrong in the last cell."""

    def __post_init__(self) -> None:
        check_integer("cells", self.cells, 1, None, "1 is enough")
        check_integer("rounds", self.rounds, 1, None, "1 is enough")
        check_integer("points", self.points, 1, None, "1 is enough")


PRESETS = {"tiny": Config(), "small": Config(points=2000), "full": Config(points=4000)}


@dataclass(frozen=True)
class Throw:
    """One cell."""

    number: int
    rounds: int
    points: int
    pause: float
    trouble: str


def throw(config: Throw, cell: Cell) -> pl.DataFrame:
    _make_trouble(config.trouble)
    state = cell.folder / "state.json"
    hits = json.loads(state.read_text()) if state.exists() else []
    for number in range(len(hits), config.rounds):
        points = np.random.default_rng([cell.seed, number]).random((config.points, 2))
        hits.append(int((np.square(points).sum(axis=1) < 1).sum()))
        time.sleep(config.pause)
        _files.write_json(state, hits)
        cell.progress(number + 1, config.rounds, f"{hits[-1]} hits")
    return pl.DataFrame({"cell": config.number, "hits": hits, "points": config.points})


def _make_trouble(kind: str) -> None:
    if kind == "raise":
        raise RuntimeError("the circle is not round")
    if kind == "input":
        raise InputError("`points` must be round, got a square; cut its corners")
    if kind == "disk":
        raise OSError(28, os.strerror(28), "circle.bin")
    if kind == "exit":
        print("last words", flush=True)
        os._exit(3)
    if kind == "kill":
        os.kill(os.getpid(), 9)


def run(config: Config, lab: Lab) -> Findings:
    cells = [
        Throw(i, config.rounds, config.points, config.pause, config.trouble if i == config.cells - 1 else "none")
        for i in range(config.cells)
    ]
    hits = pl.concat(lab.map(throw, cells, label="throw"))
    area = 4 * float(hits["hits"].sum()) / float(hits["points"].sum())
    error = (area * (4 - area) / float(hits["points"].sum())) ** 0.5
    low, high = area - 4 * error, area + 4 * error
    verdict: Literal["holds", "fails"] = "holds" if low <= config.true_area <= high else "fails"
    statement = "The area of the unit circle is what the config says."
    claim = Claim(statement, config.true_area, area, (low, high), "4 standard errors", verdict, "Archimedes")
    spec = {
        "data": {"values": hits.to_dicts()},
        "mark": "point",
        "encoding": {"x": {"field": "cell", "type": "quantitative"}, "y": {"field": "hits", "type": "quantitative"}},
    }
    return Findings(
        "Circle", "Points in a square.", (claim,), (Table("hits", "Hits", hits),), (Chart("hits", "Hits", spec),)
    )


def plan(config: Config) -> Sequence[Planned]:
    return [
        Planned("throw points", config.cells, config.rounds * config.pause, 1e8, 3.0 * config.rounds * config.points)
    ]
