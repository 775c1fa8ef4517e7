"""What is the area of a circle?

A study small enough for tests, in a file of its own: points are thrown into a square, and cells checkpoint as they go.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import polars as pl

from twopart import _files
from twopart._checks import InputError
from twopart.evidence import Estimate, Found, Rows, claim, contains
from twopart.findings import Claim, Table
from twopart.lab import Cell
from twopart.report import Axis, Figure
from twopart.settings import at_least, one_of, settings
from twopart.studies import Work

STUDY, TITLE = "circle", "Circle"


@settings
class Config:
    """How many points, in how many cells."""

    cells: Annotated[int, at_least(2).because("a spread takes two"), "Independent cells."] = 4
    rounds: Annotated[int, at_least(1), "Rounds per cell; a checkpoint is written after each."] = 6
    points: Annotated[int, at_least(1), "Points per round."] = 1000
    pause: Annotated[float, at_least(0), "Seconds to sleep in each round, so that tests can interrupt."] = 0.0
    true_area: Annotated[float, at_least(0), "The prediction."] = 3.14159265
    trouble: Annotated[
        str, one_of("none", "raise", "input", "exit", "kill", "disk"), "What goes wrong in the last cell."
    ] = "none"


PRESETS = {"tiny": Config(), "small": Config(points=2000), "full": Config(points=4000)}


@dataclass(frozen=True)
class Throw:
    """One cell."""

    number: int
    rounds: int
    points: int
    pause: float
    true_area: float
    trouble: str

    def __str__(self) -> str:
        return str(self.number)


def cells(config: Config, seed: int) -> Iterator[Work]:
    for i in range(config.cells):
        trouble = config.trouble if i == config.cells - 1 else "none"
        yield Work("throw", Throw(i, config.rounds, config.points, config.pause, config.true_area, trouble))


def throw(case: Throw, cell: Cell) -> pl.DataFrame:
    """Hits of each round; what was thrown before a kill is not thrown again."""
    make_trouble(case.trouble)
    state = cell.folder / "state.json"
    hits = json.loads(state.read_text()) if state.exists() else []
    for number in range(len(hits), case.rounds):
        points = np.random.default_rng([cell.seed, number]).random((case.points, 2))
        hits.append(int((np.square(points).sum(axis=1) < 1).sum()))
        time.sleep(case.pause)
        _files.write_json(state, hits)
        cell.progress(number + 1, case.rounds, f"{hits[-1]} hits")
    return pl.DataFrame({"cell": case.number, "round": range(len(hits)), "hits": hits, "points": case.points})


def make_trouble(kind: str) -> None:
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


@claim(contains(), "", "docs/writing-a-study.md", "four times the share of hits, with 4 standard errors")
def area(thrown: list[Rows[Throw]]) -> Estimate:
    """The area of the unit circle is what the config says."""
    hits, points = (sum(int(t.frame[name].sum()) for t in thrown) for name in ("hits", "points"))
    measured = 4 * hits / points
    reach = 4 * (measured * (4 - measured) / points) ** 0.5
    around = (measured - reach, measured + reach)
    return Estimate(measured, around, level=0.9999, over="points").against(thrown[0].case.true_area)


def claims(found: Found) -> Iterator[Claim]:
    yield area(found.of(Throw))


def tables(found: Found) -> Iterator[Table]:
    yield Table("hits", "Hits", pl.concat(t.frame for t in found.of(Throw)), "One row for each round of each cell.")


FIGURES = (
    Figure(
        "hits",
        "Hits",
        table="hits",
        x=Axis("round", "round", log=False),
        y=Axis("hits", "hits"),
        kinds="simulation",
        series="cell",
    ),
)


def summary(found: Found) -> str:
    return "Points in a square."
