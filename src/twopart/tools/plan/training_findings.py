"""A training plan as Findings: no claims, as nothing was measured; tables, and what it costs to miss the best size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from twopart.evidence import Estimate
from twopart.findings import Chart, Findings, Table
from twopart.report.charts import Axis, Kind, curves
from twopart.tools.plan.training import Run, TrainingPlan

SIZES = "The compute of the plan on models of other sizes. Wasted is what the best split would save at the same loss."
BUDGETS = (
    "The best run of other budgets, with intervals, and its compute as a multiple of that of the largest run fitted."
)
CHART = (
    "Best number of parameters and of tokens by compute, around the plan, with the intervals over the draws of the law."
)
NAMES = {"flops": "FLOP", "params": "parameters", "tokens": "tokens", "loss": "loss"}


def findings(plan: TrainingPlan) -> Findings:
    """The plan as a report."""
    name, value = plan.goal
    title = f"Training plan for {value:.4g} {NAMES[name]}"
    tables = (
        Table("sizes", "What it costs to miss the best size", plan.off, SIZES),
        Table("budgets", "Other budgets", plan.budgets, BUDGETS),
    )
    chart = Chart("budgets", "Parameters and tokens by compute", _chart(plan), CHART)
    return Findings(title, "\n\n".join(sentences(plan)), (), tables, (chart,))


def sentences(plan: TrainingPlan) -> Iterator[str]:
    """The plan in words, one sentence or two each."""
    best, unit = plan.best, plan.law.unit
    assert best.params is not None
    assert best.tokens is not None
    assert best.flops is not None
    values = ", ".join(f"{name} = {value:.4g}" for name, value in plan.law.parameters.items())
    yield f"After {plan.law.form.formula} with {values}."
    ratio = best.tokens.value / best.params.value
    yield (
        f"Train {_about(best.params)} parameters on {_about(best.tokens)} tokens, {ratio:.3g} for each parameter, with "
        f"{_about(best.flops)} FLOP; expect a loss of {_about(best.loss, '.4f')} {unit} per token."
    )
    off = dict(zip(plan.off["times the best size"], plan.off["compute wasted (%)"], strict=True))
    yield f"Half the size would waste {off[0.5]:.3g} % of the compute, twice the size {off[2.0]:.3g} %."
    if best.extrapolation > 1:
        yield f"This is {best.extrapolation:.3g} times the compute of the largest run fitted: an extrapolation."
    if best.reached < 1:
        yield f"Only {best.reached:.1%} of the law's draws reach this goal at all; intervals are over all of them."
    if plan.max_tokens is not None:
        yield _data(plan, plan.max_tokens)
    if plan.served is not None:
        yield _serving(plan, plan.served)


def _data(plan: TrainingPlan, distinct: float) -> str:
    if plan.repeated is None:
        return f"That needs no more than the {distinct:.4g} distinct tokens that there are."
    run = plan.repeated
    source = "as the law says" if "unique_tokens" in plan.law.form.inputs else "after Muennighoff et al. 2023"
    return (
        f"With {distinct:.4g} distinct tokens, repeats worth less and less {source}, train {run.params:.4g} parameters on "
        f"{run.tokens:.4g} tokens, {run.tokens / distinct:.3g} epochs, for a loss of {run.loss:.4f} instead of "
        f"{plan.point.loss:.4f}."
    )


def _serving(plan: TrainingPlan, run: Run) -> str:
    best = plan.point
    saved = 1 - run.flops / best.flops
    return (
        f"To serve {plan.serve_tokens:.4g} tokens, the same loss costs least with {run.params:.4g} parameters on "
        f"{run.tokens:.4g} tokens: {run.flops:.4g} FLOP for training and serving instead of {best.flops:.4g}, {saved:.1%} less."
    )


def _about(one: Estimate, form: str = ".4g") -> str:
    low, high = one.ends
    if not (np.isfinite(low) and np.isfinite(high)) or high - low <= 1e-6 * abs(one.value):
        return f"{one.value:{form}}"
    return f"{one.value:{form}} ({low:{form}} to {high:{form}})"


def _chart(plan: TrainingPlan) -> dict[str, object]:
    frame = pl.concat(
        plan.budgets.select("compute (FLOP)", series=pl.lit(name), count=name, low=f"{name}, low", high=f"{name}, high")
        for name in ("parameters", "tokens")
    )
    kinds: dict[str, Kind] = {"parameters": "learner", "tokens": "learner"}
    x, y = Axis("compute (FLOP)", "training compute", "FLOP"), Axis("count", "parameters, tokens")
    return curves(frame, x=x, y=y, kinds=kinds, band=("low", "high"))
