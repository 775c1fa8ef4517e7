"""A table of runs and the law fitted to it: the fit knows rows, people know names."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from twopart._checks import check_choice
from twopart.findings import Shown
from twopart.fits.scaling import FORMS, Plan, ScalingFit, scaling_law
from twopart.tools.fit.runs import RunTable

PLANNED = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Budgets of the plan, in multiples of the largest run's compute."""


@dataclass(frozen=True)
class Fitted(Shown, told_by="twopart.tools.fit.findings"):
    """A fit with the table that it came from."""

    table: RunTable = field(repr=False)
    fit: ScalingFit

    @property
    def split(self) -> bool:
        """Whether the form tells parameters from tokens, so that there is a best split of compute."""
        return {"params", "tokens"} <= set(self.fit.form.inputs)

    @property
    def extras(self) -> dict[str, float]:
        """What some forms' plans need beyond a budget: the most distinct tokens or the median precision among the runs."""
        columns, inputs = self.fit.runs.columns, self.fit.form.inputs
        most = {"unique_tokens": float(columns["unique_tokens"].max())} if "unique_tokens" in inputs else {}
        return most | ({"bits": float(np.median(columns["bits"]))} if "bits" in inputs else {})

    def name(self, row: int) -> str:
        """What the run in this row of the table is called."""
        return self.table.names[row]

    @cached_property
    def outliers(self) -> tuple[str, ...]:
        """As in "line 242 (+41.2 sd)", the farthest first."""
        return tuple(f"{self.name(one.row)} ({one.score:+.1f} sd)" for one in self.fit.outliers)

    @cached_property
    def runs(self) -> pl.DataFrame:
        """One row per run that was fitted: inputs, loss, the law's loss, residual in %, score in robust standard deviations."""
        fit = self.fit
        columns = {name: values for name, values in fit.runs.columns.items() if name in ("params", "tokens", "flops")}
        columns |= {name: fit.runs.columns[name] for name in fit.form.inputs}
        scores = {one.row: one.score for one in fit.outliers}
        return pl.DataFrame(
            {
                "run": [self.name(row) for row in fit.runs.rows],
                **columns,
                "loss": fit.runs.loss,
                "law": fit.runs.loss / np.exp(fit.residuals),
                "residual (%)": 100 * np.expm1(fit.residuals),
                "outlier": [row in scores for row in fit.runs.rows.tolist()],
            }
        )

    @cached_property
    def parameters(self) -> pl.DataFrame:
        """Each parameter with its interval, and its value under least absolute deviations."""
        fit = self.fit
        intervals = [fit.interval(name) for name in fit.form.parameters]
        return pl.DataFrame(
            {
                "parameter": list(fit.form.parameters),
                "value": list(fit.parameters.values()),
                "low": [low for low, _ in intervals],
                "high": [high for _, high in intervals],
                "least absolute deviations": [fit.lad[name] for name in fit.form.parameters],
            }
        )

    @cached_property
    def plans(self) -> tuple[Plan, ...]:
        """The best splits of `PLANNED` budgets; none for a form that splits nothing."""
        if not self.split:
            return ()
        largest = self.fit.ranges["flops"][1]
        return tuple(self.fit.allocate(flops=largest * times, **self.extras) for times in PLANNED)


def fit_table(
    table: RunTable,
    form: str = "chinchilla",
    *,
    objective: str = "huber",
    delta: float = 1e-3,
    drop_highest: int = 0,
    resamples: int = 4000,
    seed: int = 0,
) -> Fitted:
    """Fit `form` to the runs, in the unit of their losses; arguments and refusals are those of `fits.scaling_law`."""
    inputs = needs(form)
    columns = {name: values for name, values in table.columns.items() if name in (*inputs, "flops", "params", "tokens")}
    fit = scaling_law(
        columns.pop("params", None),
        columns.pop("tokens", None),
        table.columns["loss"],
        form,
        objective=objective,
        delta=delta,
        unit=table.unit,
        drop_highest=drop_highest,
        curves=table.curves,
        keep_duplicates=True,  # read_runs has refused copies, by line, unless asked to keep them
        resamples=resamples,
        seed=seed,
        **columns,
    )
    return Fitted(table, fit)


def needs(form: str) -> tuple[str, ...]:
    """The columns that a form reads."""
    return FORMS[check_choice("--form", form, tuple(FORMS))].inputs
