"""What `twopart run` prints: the claims with their verdicts, and before a run the plan."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from twopart.findings import Claim, Findings
from twopart.lab.progress import duration
from twopart.studies import Planned

_COLOURS = {"holds": "green", "fails": "bold red", "inconclusive": "yellow"}


def print_claims(findings: Findings) -> None:
    table = Table(title=findings.title, title_justify="left", show_lines=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim", ratio=1)
    for column in ("predicted", "measured", "interval"):
        table.add_column(column, justify="right")
    for claim in findings.claims:
        table.add_row(Text(claim.verdict, style=_COLOURS[claim.verdict]), Text(claim.statement), *_numbers(claim))
    Console().print(table)


def _numbers(claim: Claim) -> tuple[str, str, str]:
    unit = f" {claim.unit}" if claim.unit else ""
    predicted = "" if claim.predicted is None else f"{claim.predicted:.4g}{unit}"
    interval = "" if claim.interval is None else f"{claim.interval[0]:.4g} to {claim.interval[1]:.4g}"
    return predicted, f"{claim.measured:.4g}{unit}", interval


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
