"""A fit as Findings: what a reader should know before using the law."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from twopart.findings import Findings, Table
from twopart.fits.scaling.runs import UNITS
from twopart.tools.fit.charts import figures
from twopart.tools.fit.claims import claims
from twopart.tools.fit.fitted import Fitted
from twopart.tools.fit.sheet import listed


def findings(fitted: Fitted) -> Findings:
    """Claims, tables and charts of a fit."""
    fit = fitted.fit
    title = f"Scaling law of {fitted.table.source.name}: {fit.form.formula}"
    return Findings(title, _summary(fitted), tuple(claims(fitted)), tuple(_tables(fitted)), tuple(figures(fitted)))


def _summary(fitted: Fitted) -> str:
    fit = fitted.fit
    values = ", ".join(f"{name} = {value:.4g}" for name, value in fit.parameters.items())
    about = f"{fit.form.formula} with {values}, fitted to {len(fit.runs)} runs ({fit.form.source}). Loss in {UNITS[fit.unit]}."
    return "\n\n".join([about, *notes(fitted)])


def notes(fitted: Fitted) -> list[str]:
    """What a reader should know before using the law, one sentence each; runs are called by their names."""
    by_name = []
    if dropped := [fitted.name(row) for row in fitted.fit.runs.dropped]:
        by_name.append(f"Left out on request, as the highest losses: {listed(dropped)}.")
    if fitted.outliers:
        by_name.append(f"Outliers, kept in the fit, in robust standard deviations: {listed(fitted.outliers)}.")
    by_row = ("Left out", "Outliers")
    read = [f"{note[0].upper()}{note[1:]}." for note in fitted.table.notes]
    return [*read, *by_name, *(note for note in fitted.fit.notes if not note.startswith(by_row))]


def _tables(fitted: Fitted) -> Iterator[Table]:
    caption = "The value that was fitted, its 95 % bootstrap interval, and the value under least absolute deviations."
    yield Table("parameters", "Parameters", fitted.parameters, caption)
    if fitted.plans:
        yield Table("plan", "The best split of compute", plan_table(fitted), PLAN)
    order = fitted.runs.sort(pl.col("residual (%)").abs(), descending=True)
    yield Table(
        "runs", "Runs, those that the law misses most first", order, "`law` is the loss that it gives to the run."
    )


PLAN = (
    "Compute, the best number of parameters and tokens and the loss to expect, each with its 95 % bootstrap interval, and "
    "how many times the compute exceeds that of the largest run."
)


def plan_table(fitted: Fitted) -> pl.DataFrame:
    """One row per budget of `Fitted.plans`."""
    rows = []
    for plan in fitted.plans:
        assert plan.flops is not None
        assert plan.params is not None
        assert plan.tokens is not None
        row = [plan.flops.value, plan.extrapolation]
        for one in (plan.params, plan.tokens, plan.loss):
            row += [one.value, *one.ends]
        rows.append([*row, plan.tokens.value / plan.params.value])
    columns = ["compute (FLOP)", "times the largest run"]
    columns += [f"{name}{end}" for name in ("parameters", "tokens", "loss") for end in ("", ", low", ", high")]
    return pl.DataFrame(rows, schema=[*columns, "tokens per parameter"], orient="row")
