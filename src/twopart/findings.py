"""What a study found: claims, tables and charts. A study returns one `Findings`; a report shows it and knows nothing else.

In a notebook findings and tables show themselves, and a chart is drawn by Altair's own renderer, whichever is enabled there.
What a tool makes of someone's data is `Shown` as the findings that it is turned into.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Literal

import polars as pl

from twopart._checks import check, check_choice
from twopart._html import Markup, element, join, paragraphs
from twopart._notebook import folded, grid, shown, span
from twopart._numbers import show

Verdict = Literal["holds", "fails", "inconclusive"]
VERDICTS: tuple[str, ...] = ("holds", "fails", "inconclusive")
SHOWN_ROWS = 20  # of a table in a notebook; the frame has them all


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
    to_decide: str = ""
    """What would decide it, of a claim that is inconclusive; empty where nobody says."""

    def __post_init__(self) -> None:
        check_choice("verdict", self.verdict, VERDICTS)
        check(bool(self.statement), "statement", self.statement, "a sentence", "say what is claimed")
        known = not math.isnan(self.measured) or self.verdict == "inconclusive"
        check(known, "measured", self.measured, "a number", "a claim without a measurement is inconclusive")
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
    """Lower-case letters, digits, hyphens and underscores; it becomes a file name."""
    title: str
    """The heading over the table."""
    frame: pl.DataFrame
    """The rows; its column names are the table's header, so they should read well and carry units."""
    caption: str = ""
    """What the columns mean, for a reader who sees only the table."""
    csv: bool = False
    """Whether it is also written as `<name>.csv` at the top of the run folder, for other programs to read."""

    def __post_init__(self) -> None:
        _check_name("table", self.name)

    def _repr_html_(self) -> str:
        return shown(self.title, self._rows(), paragraphs(self.caption))

    def _rows(self) -> Markup:
        few, rest = self.frame.head(SHOWN_ROWS), self.frame.height - SHOWN_ROWS
        more = element("p", f"and {rest:,} rows more") if rest > 0 else Markup("")
        return join([grid(few.columns, [column.to_list() for column in few.get_columns()]), more])


@dataclass(frozen=True)
class Chart:
    """A figure by name: a Vega-Lite specification with its data inside, `figures/<name>.svg` and `.png`."""

    name: str
    """Lower-case letters, digits, hyphens and underscores; it becomes a file name."""
    title: str
    """The heading over the figure."""
    spec: dict[str, Any]
    """Vega-Lite, with no address to fetch data from; `twopart.report.charts` builds it."""
    caption: str = ""
    """What is drawn and what to see in it."""

    def __post_init__(self) -> None:
        _check_name("chart", self.name)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """As an Altair chart shows itself: by the renderer of `altair.renderers.enable(...)`."""
        import altair

        renderer = altair.renderers.get()
        return renderer(self.spec) if renderer else {}


@dataclass(frozen=True)
class Findings:
    """All that one run of a study says."""

    title: str
    """What was studied, in a few words."""
    summary: str
    """What came out, in a paragraph; blank lines separate paragraphs."""
    claims: tuple[Claim, ...]
    """In the order a reader should meet them."""
    tables: tuple[Table, ...] = ()
    """No two of one name."""
    charts: tuple[Chart, ...] = ()
    """No two of one name."""

    def __post_init__(self) -> None:
        for kind, parts in (("tables", self.tables), ("charts", self.charts)):
            names = [part.name for part in parts]
            check(len(set(names)) == len(names), kind, names, "of different names", "rename one")

    @property
    def failed(self) -> tuple[Claim, ...]:
        return tuple(claim for claim in self.claims if claim.verdict == "fails")

    def table(self, name: str) -> pl.DataFrame:
        """The frame of the table called `name`."""
        frames = {table.name: table.frame for table in self.tables}
        check_choice("table", name, tuple(frames))
        return frames[name]

    def chart(self, name: str) -> Chart:
        """The chart called `name`."""
        charts = {chart.name: chart for chart in self.charts}
        check_choice("chart", name, tuple(charts))
        return charts[name]

    def _repr_html_(self) -> str:
        tables = [folded(table.title, join([table._rows(), paragraphs(table.caption)])) for table in self.tables]
        charts = [element("code", f".chart({chart.name!r})") for chart in self.charts]
        drawn = [element("p", "Figures: ", join(charts, ", "))] if charts else []
        return shown(self.title, paragraphs(self.summary), *_judged(self.claims), *tables, *drawn)


class Shown:
    """Shows itself in a notebook as its findings, made by the function `findings` of the module `told_by`."""

    _told_by: ClassVar[str]

    def __init_subclass__(cls, *, told_by: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if told_by is not None:
            cls._told_by = told_by

    def _repr_html_(self) -> str:
        findings: Findings = import_module(self._told_by).findings(self)
        return findings._repr_html_()


def tally(verdicts: Iterable[str]) -> str:
    """How many there are of each verdict, in words."""
    counts = Counter(verdicts)
    return ", ".join(counted(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict])


def counted(verdict: str, count: int) -> str:
    """So many claims of a verdict: 1 holds, 2 hold."""
    return f"{count} {({'holds': 'hold', 'fails': 'fail'} if count != 1 else {}).get(verdict, verdict)}"


def _judged(claims: tuple[Claim, ...]) -> list[Markup]:
    """How many claims hold, and all of them in a table; nothing where there are none."""
    if not claims:
        return []
    rows = [(c.statement, show(c.predicted), _measured(c), c.verdict) for c in claims]
    header = ("claim", "predicted", "measured", "verdict")
    return [
        element("p", f"Claims: {tally(claim.verdict for claim in claims)}"),
        grid(header, list(zip(*rows, strict=True))),
    ]


def _measured(claim: Claim) -> str:
    """The number with its interval and unit, as far as there are such."""
    interval = "" if claim.interval is None else f" ({span(claim.interval)})"
    return f"{show(claim.measured)}{interval} {claim.unit}".strip()


def _check_name(kind: str, name: str) -> None:
    plain = re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) is not None
    check(plain, f"{kind} name", name, "lower-case letters, digits, - and _", "it becomes a file name")
