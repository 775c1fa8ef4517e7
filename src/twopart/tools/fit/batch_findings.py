"""Critical batch sizes as a report: sentences, a table, and steps against batch size beside linear scaling."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from twopart.findings import Chart, Findings, Table
from twopart.report.charts import Axis, Kind, curves
from twopart.tools.fit.batches import BatchFit, Sweep

CAPTION = (
    "T = a + c/B by least squares of ln T. B* is the batch size that costs the overhead more examples than linear scaling from "
    "the reference batch; its 95 % interval resamples residuals."
)
CHART = "Steps to the target by batch size: measured, the fit a + c/B, and linear scaling from the reference (dashed)."
SOURCE = "Zhang et al. 2024, arXiv 2410.21676; docs/laws/critical-batch-size.md"
KINDS: dict[str, Kind] = {"measured": "learner", "fit": "theory", "linear": "asymptote"}


def findings(found: BatchFit) -> Findings:
    """The report of a fit; nothing is judged."""
    title = f"Critical batch sizes of {found.source}"
    chart = Chart("steps", "Steps by batch size", _chart(found), CHART)
    return Findings(title, "\n\n".join(sentences(found)), (), (table(found),), (chart,))


def sentences(found: BatchFit) -> Iterator[str]:
    """Each sweep, how B* scales, and what to know before using it."""
    yield f"T = a + c/B ({SOURCE})."
    for one in found.sweeps:
        low, high = one.fit.interval()
        scaling = f"{one.fit.overhead:.0%} beyond linear scaling from batch {one.fit.reference:g}"
        name = f"{one.name}: " if one.name else ""
        yield f"{name}B* = {one.fit.value:.4g} ({low:.4g} to {high:.4g}), {scaling}."
        yield from (f"{name}{note}" for note in one.fit.notes)
    if (laws := found.scaling) is not None:
        powers = [
            f"{letter}^{p.value:.4g} ({p.ends[0]:.3g} to {p.ends[1]:.3g})"
            for letter, p in (("D", laws.data), ("N", laws.model))
            if p is not None
        ]
        missing = [name for name, p in (("tokens", laws.data), ("params", laws.model)) if p is None]
        doubt = f" {missing[0]} do not vary apart from it, and may be what moves it." if missing else ""
        yield f"Over the sweeps B* grows as {' '.join(powers)}.{doubt}"
    yield from (f"{note[0].upper()}{note[1:]}." for note in found.notes)


def table(found: BatchFit) -> Table:
    """A row for each sweep."""
    return Table("critical", "Critical batch sizes", pl.DataFrame([_row(one) for one in found.sweeps]), CAPTION)


def _row(one: Sweep) -> dict[str, str | float]:
    low, high = one.fit.interval()
    numbers = {"a (steps)": one.fit.a, "c (examples)": one.fit.c, "B*": one.fit.value, "B*, low": low, "B*, high": high}
    return {"sweep": one.name or "all", **one.sizes, **numbers}


def _chart(found: BatchFit) -> dict[str, object]:
    parts = [
        pl.DataFrame({"batch": batch, "steps": steps, "series": name, "sweep": one.name or "all"})
        for one in found.sweeps
        for name, (batch, steps) in one.fit.curves().items()
    ]
    x_axis, y_axis = Axis("batch", "batch size"), Axis("steps", "steps to the target")
    colour = "sweep" if len(found.sweeps) > 1 else None
    return curves(pl.concat(parts), x=x_axis, y=y_axis, kinds=KINDS, colour=colour)
