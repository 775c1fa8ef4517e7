"""What a study found: claims, tables and charts. A study returns one `Findings`; a report shows it and knows nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from twopart._checks import check, check_choice

Verdict = Literal["holds", "fails", "inconclusive"]
VERDICTS: tuple[str, ...] = ("holds", "fails", "inconclusive")


@dataclass(frozen=True)
class Claim:
    """One sentence that a measurement can contradict, with the prediction, the measurement and the rule that judges."""

    statement: str
    """The claim in one sentence, as a reader would say it."""
    predicted: float | None
    """What the theory says; None where it gives only an order or a sign (the statement then says which)."""
    measured: float
    """What was measured."""
    interval: tuple[float, float] | None
    """The measurement's interval, at the level that `rule` names."""
    rule: str
    """How the verdict is reached; fixed before the result was seen."""
    verdict: Verdict
    """holds, fails or inconclusive."""
    source: str
    """Where the claim comes from: paper and equation, or a page of docs/."""
    unit: str = ""
    """The unit of the three numbers; empty for pure numbers."""

    def __post_init__(self) -> None:
        check_choice("verdict", self.verdict, VERDICTS)
        check(bool(self.statement), "statement", self.statement, "a sentence", "say what is claimed")
        if self.interval is not None:
            low, high = self.interval
            check(
                low <= high,
                "interval",
                self.interval,
                "(low, high) with low <= high",
                "give the ends in order",
            )


@dataclass(frozen=True, eq=False)
class Table:
    """A table by name: `tables/<name>.parquet`, and on the page under its title."""

    name: str
    title: str
    frame: pl.DataFrame
    caption: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure by name: a Vega-Lite specification with its data inside, `figures/<name>.svg` and `.png`."""

    name: str
    title: str
    spec: dict[str, Any]
    caption: str = ""


@dataclass(frozen=True)
class Findings:
    """All that one run of a study says."""

    title: str
    summary: str
    claims: tuple[Claim, ...]
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = field(default=())

    @property
    def failed(self) -> tuple[Claim, ...]:
        return tuple(claim for claim in self.claims if claim.verdict == "fails")

    def table(self, name: str) -> pl.DataFrame:
        """The frame of the table called `name`."""
        return next(table.frame for table in self.tables if table.name == name)
