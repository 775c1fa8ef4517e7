"""A training plan as Findings: no claims, as nothing was measured; tables, and what it costs to miss the best size."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from twopart.evidence import Estimate
from twopart.findings import Chart, Findings, Table
from twopart.fits.scaling.runs import UNITS
from twopart.report.charts import Axis, Kind, curves
from twopart.tools.plan.training import Run, TrainingPlan

SIZES = "The compute of the plan on models of other sizes. Wasted is what the best split would save at the same loss."
BUDGETS = "The best run of other budgets, with intervals, and as a multiple of the largest run fitted."
CHART = (
    "Best number of parameters and of tokens by compute, around the plan, with the intervals over the draws of the law."
)
LOSSES = "The loss around the plan, with its interval over the draws of the law."
NAMES = {"flops": "FLOP", "params": "parameters", "tokens": "tokens", "loss": "loss"}
AXES = {"flops": "training compute", "params": "parameters", "tokens": "training tokens"}
UNCOUNTED = 1.0  # fewer parameters, tokens or operations than this are no run


def findings(plan: TrainingPlan) -> Findings:
    """The plan as a report."""
    name, value = plan.goal
    title = f"Training plan for {value:.4g} {NAMES[name]}"
    heading, caption = ("Loss", LOSSES) if plan.off is None else ("Parameters and tokens by compute", CHART)
    chart = Chart("budgets", heading, _chart(plan), caption)
    return Findings(title, "\n\n".join(sentences(plan)), (), tables(plan), (chart,))


def tables(plan: TrainingPlan) -> tuple[Table, ...]:
    """Other sizes, where there are any, and other budgets."""
    sizes = () if plan.off is None else (Table("sizes", "What it costs to miss the best size", plan.off, SIZES),)
    return (*sizes, Table("budgets", "Other budgets", plan.budgets, BUDGETS))


def sentences(plan: TrainingPlan) -> Iterator[str]:
    """The plan in words, one sentence or two each."""
    values = ", ".join(f"{name} = {value:.4g}" for name, value in plan.law.parameters.items())
    yield f"After {plan.law.form.formula} with {values}."
    yield _run(plan)
    if plan.off is not None:
        off = dict(zip(plan.off["times the best size"], plan.off["compute wasted (%)"], strict=True))
        yield f"Half the size would waste {off[0.5]:.3g} % of the compute, twice the size {off[2.0]:.3g} %."
    yield from _doubts(plan)
    if plan.max_tokens is not None:
        yield _data(plan, plan.max_tokens)
    if plan.served is not None:
        yield _serving(plan, plan.served)


def _run(plan: TrainingPlan) -> str:
    best = plan.best
    loss = f"expect a loss of {_about(best.loss, _form(best.loss.value), _digits(plan))} {UNITS[plan.law.unit]}."
    if best.params and best.tokens and best.flops:
        ratio = best.tokens.value / best.params.value
        return (
            f"Train {_about(best.params)} parameters on {_about(best.tokens)} tokens, {ratio:.3g} for each parameter, with "
            f"{_about(best.flops)} FLOP; {loss}"
        )
    own = next(one for one in (best.flops, best.params, best.tokens) if one is not None)
    return f"With {_about(own)} {NAMES[plan.law.form.inputs[0]]}, {loss} The law knows no other input."


def _form(loss: float) -> str:
    """Losses have four places; those of no real run, as few digits as they may."""
    return ".4f" if loss < 1e4 else ".4g"


def _digits(plan: TrainingPlan) -> str:
    """Enough that the loss leads back to the plan: four of what is above the floor."""
    loss = plan.best.loss.value
    above = loss - plan.law.parameters.get("E", 0.0)
    if loss >= 1e4:
        return _form(loss)
    return f".{min(max(4, 3 - math.floor(math.log10(above))), 15) if above > 0 else 15}f"


def _doubts(plan: TrainingPlan) -> Iterator[str]:
    best, ranges = plan.best, plan.law.ranges
    counts = {"flops": best.flops, "params": best.params, "tokens": best.tokens}
    what = next(name for name, one in counts.items() if one is not None)
    noun = {"flops": "compute", "params": "size", "tokens": "data"}[what]
    if best.extrapolation > 1:
        yield f"This is {best.extrapolation:.3g} times the {noun} of the largest run fitted: an extrapolation."
    size = counts[what]
    if size is not None and what in ranges and size.value < ranges[what][0]:
        yield f"The smallest run fitted had {ranges[what][0] / size.value:.3g} times the {noun}: an extrapolation."
    if few := [NAMES[name] for name, one in counts.items() if one is not None and one.value < UNCOUNTED]:
        yield f"A run with less than one of its {', '.join(few)} cannot be trained: ask for more."
    if best.reached < 1:
        yield f"Only {best.reached:.1%} of the law's draws reach this goal at all; intervals are over all of them."


def _data(plan: TrainingPlan, distinct: float) -> str:
    run = plan.repeated
    if run is None:
        return f"That needs no more than the {distinct:.4g} distinct tokens that there are."
    assert plan.exhausted is not None
    limit = f"No compute brings it below {plan.exhausted:{_form(plan.exhausted)}} on these tokens."
    if "unique_tokens" in plan.law.form.inputs:
        return f"That is {run.tokens / distinct:.3g} epochs of {distinct:.4g} distinct tokens. {limit}"
    return (
        f"With {distinct:.4g} distinct tokens, repeats worth less and less after Muennighoff et al. 2023, train "
        f"{run.params:.4g} parameters on {run.tokens:.4g} tokens, {run.tokens / distinct:.3g} epochs, for a loss of "
        f"{run.loss:{_form(run.loss)}} instead of {plan.point.loss:.4f}. {limit}"
    )


def _serving(plan: TrainingPlan, run: Run) -> str:
    best = plan.point
    saved = max(0.0, 1 - run.flops / best.flops)
    return (
        f"To serve {plan.serve_tokens:.4g} tokens, the same loss costs least with {run.params:.4g} parameters on "
        f"{run.tokens:.4g} tokens: {run.flops:.4g} FLOP for training and serving instead of {best.flops:.4g}, {saved:.1%} less."
    )


def _about(one: Estimate, form: str = ".4g", exactly: str = "") -> str:
    low, high = one.ends
    value = f"{one.value:{exactly or form}}"
    known = (low, high) != (-np.inf, np.inf) and high - low > 1e-6 * abs(one.value)
    return f"{value} ({low:{form}} to {high:{form}})" if known else value


def _chart(plan: TrainingPlan) -> dict[str, object]:
    if plan.off is None:
        what = plan.law.form.inputs[0]
        size, unit = plan.budgets.columns[0], "FLOP" if what == "flops" else ""
        one = plan.budgets.select(size, "loss", series=pl.lit("law"), low="loss, low", high="loss, high")
        x, y = Axis(size, AXES[what], unit), Axis("loss", "loss", f"{UNITS[plan.law.unit]}")
        return curves(one, x=x, y=y, kinds={"law": "learner"}, band=("low", "high"))
    frame = pl.concat(
        plan.budgets.select("compute (FLOP)", series=pl.lit(name), count=name, low=f"{name}, low", high=f"{name}, high")
        for name in ("parameters", "tokens")
    )
    kinds: dict[str, Kind] = {"parameters": "learner", "tokens": "learner"}
    x, y = Axis("compute (FLOP)", "training compute", "FLOP"), Axis("count", "parameters, tokens")
    return curves(frame, x=x, y=y, kinds=kinds, band=("low", "high"))
