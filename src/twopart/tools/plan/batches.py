"""Up to which batch size more devices pay: sweeps over batch sizes -> a plan, of the runs that were swept or of another.

A device holds `per_device` examples of a batch, so that more of them make larger batches. Up to B* twice the devices take
nearly half the steps; beyond, steps approach a floor that no batch size goes below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from twopart._checks import InputError, check, check_real
from twopart.findings import Chart, Findings, Shown, Table
from twopart.report.charts import Axis, Kind, curves
from twopart.tools.fit.batches import BatchFit

CAPTION = (
    "B*, the batch size beyond which more devices do not pay, with its 95 % interval; how many devices make it; steps there, "
    "at twice the batch, and the least that any batch needs; and the examples that twice the batch costs beyond linear scaling."
)
CHART = "Examples beyond linear scaling by batch size, with the overhead at which more are said not to pay (dashed)."


@dataclass(frozen=True)
class BatchPlan(Shown, told_by="twopart.tools.plan.batches"):
    """Critical batch sizes, and how many devices make them."""

    fit: BatchFit
    per_device: float | None
    """Examples of a batch on one device."""
    predicted: float | None
    """B* of the run that was asked for; None if none was."""
    sizes: dict[str, float]
    """Its params and tokens, those that were given."""

    def devices(self, critical: float) -> str:
        """As in ", 43 devices of 32"; "" where nobody says what a device holds."""
        if self.per_device is None or not np.isfinite(critical):
            return ""
        count = max(1, int(critical // self.per_device))
        return f", {count} device{'s' * (count > 1)} of {self.per_device:g}"


def plan_batches(
    fit: BatchFit, *, per_device: float | None = None, params: float | None = None, tokens: float | None = None
) -> BatchPlan:
    """The plan of the sweeps or, with `params` or `tokens`, of a run of that size by the power laws over the sweeps.

    Raises `InputError` for numbers that are not positive, and where the sweeps do not tell how B* moves with what is given.
    """
    given = {"params": params, "tokens": tokens}
    sizes = {
        name: check_real(name, x, 0, 1e100, "it is a number", closed="()") for name, x in given.items() if x is not None
    }
    if per_device is not None:
        check_real("per_device", per_device, 0, 1e18, "it is a number of examples", closed="()")
    return BatchPlan(fit, per_device, _predicted(fit, sizes) if sizes else None, sizes)


def _predicted(fit: BatchFit, sizes: dict[str, float]) -> float:
    laws = fit.scaling
    if laws is None:
        raise InputError(f"the sweeps of {fit.source} do not vary in params or tokens; leave --params and --tokens out")
    needed = {name for name, power in (("params", laws.model), ("tokens", laws.data)) if power is not None}
    remedy = f"give {' and '.join(f'--{name}' for name in sorted(needed))}: by these the sweeps differ"
    check(needed <= set(sizes), "sizes", ", ".join(sizes), " and ".join(sorted(needed)), remedy)
    return laws.predict(data=sizes.get("tokens", 1.0), model=sizes.get("params", 1.0))


def sentences(plan: BatchPlan) -> Iterator[str]:
    """The plan in words."""
    if plan.predicted is not None:
        yield foretold(plan)
    for one in plan.fit.sweeps:
        fit, (low, high) = one.fit, one.fit.interval()
        name = f"{one.name}: more" if one.name else "More"
        if not np.isfinite(fit.value):
            yield f"{name} devices paid up to the largest batch measured, {fit.batch.max():g}: steps fell as 1/B."
            continue
        faster, beyond = fit.steps(fit.value) / fit.steps(2 * fit.value), 1 / fit.efficiency(2 * fit.value) - 1
        yield (
            f"{name} devices pay up to batches of {fit.value:.4g} ({low:.4g} to {high:.4g}){plan.devices(fit.value)}. Twice as "
            f"many are {faster:.3g} times as fast and read {beyond:.0%} more examples than linear scaling would; no batch "
            f"needs fewer than {fit.a:.4g} steps."
        )
        yield from fit.notes


def foretold(plan: BatchPlan) -> str:
    """B* of the run that was asked for."""
    assert plan.predicted is not None
    run = " and ".join(f"{size:.4g} {name}" for name, size in plan.sizes.items())
    seen = {name: [one.sizes.get(name, np.nan) for one in plan.fit.sweeps] for name in plan.sizes}
    far = any(not min(seen[name]) <= size <= max(seen[name]) for name, size in plan.sizes.items())
    beyond = ", beyond the sweeps: an extrapolation" if far else ""
    devices = plan.devices(plan.predicted)
    return (
        f"With {run} more devices pay up to batches of {plan.predicted:.4g}{devices}, by the sweeps' power law{beyond}."
    )


def tables(plan: BatchPlan) -> tuple[Table, ...]:
    """A row for each sweep."""
    return (Table("batches", "Up to where more devices pay", pl.DataFrame(list(_rows(plan))), CAPTION),)


def _rows(plan: BatchPlan) -> Iterator[dict[str, str | float]]:
    for one in plan.fit.sweeps:
        fit, (low, high) = one.fit, one.fit.interval()
        held = {"devices": fit.value // plan.per_device} if plan.per_device else {}
        steps = {"steps there": fit.steps(fit.value), "steps at twice": fit.steps(2 * fit.value), "least steps": fit.a}
        beyond = {"overhead at twice (%)": 100 * (1 / fit.efficiency(2 * fit.value) - 1)}
        yield {"sweep": one.name or "all", "B*": fit.value, "B*, low": low, "B*, high": high, **held, **steps, **beyond}


def findings(plan: BatchPlan) -> Findings:
    """The plan as a report."""
    parts = []
    for one in plan.fit.sweeps:
        fit = one.fit
        x = np.geomspace(fit.batch.min(), max(fit.batch.max(), 4 * fit.value if np.isfinite(fit.value) else 0), 60)
        for series, y in (("fit", 1 / fit.efficiency(x)), ("limit", np.full(60, 1 + fit.overhead))):
            parts.append(pl.DataFrame({"batch": x, "examples": y, "series": series, "sweep": one.name or "all"}))
    x_axis, y_axis = Axis("batch", "batch size"), Axis("examples", "examples over those of linear scaling")
    kinds: dict[str, Kind] = {"fit": "theory", "limit": "asymptote"}
    spec = curves(pl.concat(parts), x=x_axis, y=y_axis, kinds=kinds, colour="sweep")
    title = f"Up to which batch size more devices pay: {plan.fit.source}"
    return Findings(
        title,
        "\n\n".join(sentences(plan)),
        (),
        tables(plan),
        (Chart("batches", "Examples by batch size", spec, CHART),),
    )
