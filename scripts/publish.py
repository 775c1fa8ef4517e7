"""Keep what a run found in docs/results: claims, figures and small tables, and a page that GitHub shows.

    python scripts/publish.py runs/capacity-law [runs/joint-law ...]

Each run becomes docs/results/<study>/, a probe docs/results/probe/<facts>/: README.md, claims.json, config.json, figures,
tables as Parquet and CSV. The page
says nothing that is not in the run folder.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from twopart._numbers import show
from twopart.findings import Claim
from twopart.report import read_findings

RESULTS = Path(__file__).parents[1] / "docs" / "results"
LARGEST = 300_000  # bytes; larger tables stay in the run folder


def publish(run: Path) -> None:
    """Copy one run and write its page."""
    config = json.loads((run / "config.json").read_text())
    target = RESULTS / (f"probe/{config['probe']}" if "probe" in config else config["study"])
    findings = read_findings(run)  # before the page that was there goes
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    shutil.copy(run / "claims.json", target)
    for kind in ("figures/*.svg", "tables/*.parquet", "*.csv"):
        for path in sorted(run.glob(kind)):
            if path.stat().st_size <= LARGEST or path.suffix == ".svg":
                (target / path.parent.relative_to(run)).mkdir(exist_ok=True)
                shutil.copy(path, target / path.relative_to(run))
    lines = [
        f"# {findings.title}",
        "",
        findings.summary,
        "",
        settings(config),
        "",
        "| claim | predicted | measured | verdict |",
    ]
    lines += ["|---|---|---|---|", *(row(claim) for claim in findings.claims), "", *price(findings.claims, run)]
    for chart in findings.charts:
        lines += [f"## {chart.title}", "", f"![{chart.title}](figures/{chart.name}.svg)", "", chart.caption, ""]
    (target / "README.md").write_text("\n".join(lines))
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def settings(config: dict[str, object]) -> str:
    rules = "The rule behind each verdict is in [claims.json](claims.json)."
    return f"Settings: [config.json](config.json), seed {config['seed']}. {rules}"


def price(claims: tuple[Claim, ...], run: Path) -> list[str]:
    """What would decide the open claims, in minutes too: those from the beginning of each cell of this run to its result."""
    if not (open_ones := [claim for claim in claims if claim.to_decide]):
        return []
    ends = [(cell / "metrics.parquet", cell / "cell.json") for cell in (run / "cells").glob("*")]
    minutes = sum(max(0.0, end.stat().st_mtime - start.stat().st_mtime) for end, start in ends) / 60
    lines = ["What would decide the open ones, if value and spread of each stay what they are.", ""]
    if ends:
        took = f"The cells of this run took about {minutes:.0f} minutes one after the other, beside other work"
        lines[0] += f" {took}; minutes below are those of all cells as often."
    for claim in open_ones:
        needed = re.match(r"about ([\d,]+) (?:replicates|worlds|seeds|models), here ([\d,]+)$", claim.to_decide)
        wanted, here = (int(n.replace(",", "")) for n in needed.groups()) if needed else (0, 1)
        cost = f" ({minutes * wanted / here:,.0f} minutes)" if needed and ends else ""
        lines.append(f"- {claim.statement} {claim.to_decide[:1].upper()}{claim.to_decide[1:]}{cost}.")
    return [*lines, ""]


def row(claim: Claim) -> str:
    measured = show(claim.measured)
    if claim.interval is not None:
        measured += f" ({show(claim.interval[0])} to {show(claim.interval[1])})"
    predicted = "" if claim.predicted is None else show(claim.predicted)
    unit = f" {claim.unit}" if claim.unit else ""
    return f"| {claim.statement} | {predicted} | {measured}{unit} | **{claim.verdict}** |"


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        publish(Path(folder))
