"""What `twopart run` prints: the claims with their verdicts, and before a run the plan."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from twopart.findings import Claim, Findings
from twopart.lab.progress import duration
from twopart.studies import Planned

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


def print_plan(name: str, plan: Sequence[Planned], workers: int) -> None:
    table = Table(title=f"{name}: what would be run", title_justify="left")
    for column in ("cells", "what", "time each", "memory each", "arithmetic each"):
        table.add_column(column, justify="left" if column == "what" else "right", ratio=1 if column == "what" else None)
    for row in plan:
        flops = f"{row.flops:.2g} flop" if row.flops else ""
        table.add_row(str(row.cells), Text(row.what), duration(row.seconds), size(row.memory), flops)
    console = Console()
    console.print(table)
    console.print(_estimate(plan, workers), highlight=False)


def _estimate(plan: Sequence[Planned], workers: int) -> str:
    """Time with all workers busy, but no less than the longest cell; memory with the largest cells at once."""
    total = sum(row.cells * row.seconds for row in plan)
    longest = max((row.seconds for row in plan), default=0.0)
    largest = sorted((row.memory for row in plan for _ in range(min(row.cells, workers))), reverse=True)[:workers]
    time = duration(max(total / workers, longest))
    return (
        f"about {time} on {workers} worker{'s' * (workers > 1)}, up to {size(sum(largest))} of memory; nothing was run"
    )


def size(count: float) -> str:
    """Bytes for people: "350 MB", "1.2 GB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
