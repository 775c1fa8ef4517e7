"""What `twopart run` prints: the claims with their verdicts, and in a dry run the cells and what they take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from twopart.findings import Claim, Findings
from twopart.lab.messages import Rehearsed
from twopart.lab.progress import duration
from twopart.studies import Work

_COLOURS = {"holds": "green", "fails": "bold red", "inconclusive": "yellow"}


def print_claims(findings: Findings) -> None:
    """The title, then each claim beside its verdict, with its numbers below."""
    table = Table.grid(padding=(0, 2))
    for claim in findings.claims:
        numbers = Text(_numbers(claim), style="dim")
        table.add_row(Text(claim.verdict, style=_COLOURS[claim.verdict]), Text(f"{claim.statement}\n") + numbers)
    console = Console()
    console.print(f"\n{findings.title}\n", style="bold", markup=False, highlight=False)
    console.print(table)
    console.print(f"\n{_count(findings)}", highlight=False)


def _numbers(claim: Claim) -> str:
    unit = f" {claim.unit}" if claim.unit else ""
    predicted = "" if claim.predicted is None else f"predicted {claim.predicted:.4g}, "
    measured = "not measured" if math.isnan(claim.measured) else f"measured {claim.measured:.4g}"
    interval = "" if claim.interval is None else f" ({claim.interval[0]:.4g} to {claim.interval[1]:.4g})"
    return predicted + measured + interval + unit


def _count(findings: Findings) -> str:
    """As in "5 claims: 3 hold, 1 fails, 1 inconclusive"."""
    verdicts = [claim.verdict for claim in findings.claims]
    holds, fails, unclear = (verdicts.count(verdict) for verdict in ("holds", "fails", "inconclusive"))
    counts = (f"{holds} hold{'s' * (holds == 1)}", f"{fails} fail{'s' * (fails == 1)}", f"{unclear} inconclusive")
    return f"{len(verdicts)} claim{'s' * (len(verdicts) != 1)}: {', '.join(counts)}"


def print_works(name: str, works: Sequence[Work]) -> None:
    """What would be run, at once."""
    console, table = Console(), Table("cells", "what")
    for work in works:
        table.add_row(str(work.replicates), Text(_named(work)))
    console.print(f"{name}: what would be run", markup=False, highlight=False)
    console.print(table)


def print_costs(costs: Iterable[tuple[Work, Rehearsed]], workers: int) -> None:
    """What it would take, a line for each work once its kind was tried, and what all of it takes."""
    console, known = Console(), []
    for work, cost in costs:
        known.append((work, cost))
        unknown = math.isnan(cost.seconds)
        each = "no progress in time" if unknown else f"{duration(cost.seconds)} and {size(cost.memory)} each"
        console.print(Text(f"{_named(work)}: {each}"))
    console.print(_in_all(known, workers), highlight=False)


def _named(work: Work) -> str:
    return f"{work.function} {work.case}"


def _in_all(costs: Sequence[tuple[Work, Rehearsed]], workers: int) -> str:
    """Time with all workers busy, but no less than the longest cell, after they have begun; memory with the largest cells."""
    total = sum(work.replicates * cost.seconds for work, cost in costs)
    longest = max((cost.seconds for _, cost in costs), default=0.0)
    before = max((cost.once for _, cost in costs), default=0.0)
    each = (cost.memory for work, cost in costs for _ in range(min(work.replicates, workers)))
    largest = sorted(each, reverse=True)[:workers]
    if math.isnan(total):
        return "some cells made no progress in time, so nobody knows what it takes in all; nothing was kept"
    return (
        f"about {duration(before + max(total / workers, longest))} on {workers} worker{'s' * (workers > 1)}, "
        f"up to {size(sum(largest))} of memory; each kind of cell was tried for about two seconds, and nothing was kept"
    )


def size(count: float) -> str:
    """Bytes for people: "350 MB", "1.2 GB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
