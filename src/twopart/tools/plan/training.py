"""The best run that a scaling law knows for a goal, and what it costs to do otherwise.

Training costs C = 6 N D, a served token 2 N (Kaplan et al. 2020, section 2.1). Two departures from the best split:
    few tokens   of U distinct ones, repeats count for less and less: D' = U + U R (1 - e^(-(D/U - 1)/R)), R = 15.39, and so do
                 parameters beyond the best size for U, R = 5.31 (Muennighoff et al. 2023, equations 5 and 6, their constants;
                 a law of the form `repeated` brings its own)
    serving      with S tokens to serve, the least 6 N D + 2 N S that reaches the same loss has a smaller model, trained for
                 longer (Sardana and Frankle 2023)
Both are in fits/scaling/forms/_excess.py. A law of one input has neither, nor a best size to miss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import InputError, check_real
from twopart.evidence import Estimate
from twopart.findings import Shown
from twopart.fits.scaling import Law, Plan
from twopart.fits.scaling.allocation import LN6, excess_of
from twopart.fits.scaling.forms import Split

Floats = NDArray[np.float64]

REPEATS, EXCESS = 15.39, 5.31
OFF = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Model sizes beside the best one, as multiples of it."""
BUDGETS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Budgets of the table, as multiples of the plan's."""
COLUMNS = {"flops": "compute (FLOP)", "params": "parameters", "tokens": "tokens", "loss": "loss"}


@dataclass(frozen=True)
class Run:
    """One way to train; computed from the law's point, without an interval."""

    params: float
    tokens: float
    loss: float
    training: float
    """Floating-point operations of training."""
    serving: float = 0.0
    """Floating-point operations of serving."""

    @property
    def flops(self) -> float:
        return self.training + self.serving


@dataclass(frozen=True)
class TrainingPlan(Shown, told_by="twopart.tools.plan.training_findings"):
    """The best run for a goal."""

    law: Law
    goal: tuple[str, float]
    """What was asked: flops, params, tokens or loss, and how much."""
    best: Plan
    """The compute-optimal run, with intervals."""
    budgets: pl.DataFrame
    """Best runs of other budgets: of compute, or of the one input."""
    off: pl.DataFrame | None = None
    """The same compute on models of other sizes: loss, and the share of the compute that is thrown away."""
    max_tokens: float | None = None
    """Distinct tokens that there are."""
    repeated: Run | None = None
    """The best run of that compute on them, repeats included; None where the best run needs no more tokens."""
    exhausted: float | None = None
    """The loss that no compute brings it below on those tokens."""
    serve_tokens: float | None = None
    """Tokens to serve."""
    served: Run | None = None
    """The cheapest run to train and serve among those with the best run's loss."""

    @property
    def point(self) -> Run:
        """The best run without its intervals."""
        best = self.best
        assert best.params is not None
        assert best.tokens is not None
        assert best.flops is not None
        serving = 2 * best.params.value * (self.serve_tokens or 0.0)
        return Run(best.params.value, best.tokens.value, best.loss.value, best.flops.value, serving)


def plan_training(
    law: Law,
    *,
    flops: float | None = None,
    params: float | None = None,
    tokens: float | None = None,
    loss: float | None = None,
    max_tokens: float | None = None,
    serve_tokens: float | None = None,
    bits: float | None = None,
    level: float = 0.95,
) -> TrainingPlan:
    """The best run for exactly one of: compute, a size, a number of tokens, a loss to reach.

    `bits` is the precision of training, for a law of the form `precision`. A law of one input takes that, or a loss, as its
    goal. Raises `InputError` for what the form does not know, and for a goal that no run reaches.
    """
    goal = {"flops": flops, "params": params, "tokens": tokens, "loss": loss}
    extras = _extras(law, max_tokens, bits)
    best = law.allocate(**goal, **extras, level=level)
    asked = next((name, float(value)) for name, value in goal.items() if value is not None)
    plan = TrainingPlan(law, asked, best, _budgets(law, best, extras, level))
    split = excess_of(law, law.theta[None], extras)
    if isinstance(split, Split):
        return _departures(replace(plan, off=_off(split, plan.point)), split, max_tokens, serve_tokens)
    for name, value in (("max_tokens", max_tokens), ("serve_tokens", serve_tokens)):
        if value is not None:
            raise InputError(
                f"`{name}` must be left out for {law.form.formula}, got {value:g}; fit a form with parameters and tokens"
            )
    return plan


def _departures(plan: TrainingPlan, split: Split, max_tokens: float | None, serve_tokens: float | None) -> TrainingPlan:
    """The plan with limits on data, and with serving."""
    if max_tokens is not None:
        available = check_real("max_tokens", max_tokens, 1, 1e100, "it is a number of tokens")
        worn = split if split.reuse else replace(split, end=float(np.log(available)), reuse=_reuse())
        exhausted = float(np.exp(worn.loss(worn.lowest))[0])
        plan = replace(plan, max_tokens=available, repeated=_repeated(worn, plan.point), exhausted=exhausted)
    if serve_tokens is not None:
        served = check_real("serve_tokens", serve_tokens, 1, 1e100, "it is a number of tokens")
        plan = replace(plan, serve_tokens=served)
        plan = replace(plan, served=_served(split, plan.point, served))
    return plan


def _extras(law: Law, max_tokens: float | None, bits: float | None) -> dict[str, float]:
    """What the form reads besides parameters and tokens."""
    given = {"unique_tokens": max_tokens, "bits": bits}
    for name, option in (("unique_tokens", "max_tokens"), ("bits", "bits")):
        if name in law.form.inputs and given[name] is None:
            raise InputError(f"the law {law.form.name!r} reads {name}; give `{option}`")
    if bits is not None and "bits" not in law.form.inputs:
        raise InputError(f"`bits` must be left out for {law.form.formula}, got {bits:g}; the form 'precision' reads it")
    return {name: float(value) for name, value in given.items() if name in law.form.inputs and value is not None}


def _off(split: Split, best: Run) -> pl.DataFrame:
    """Compute that the best split would need for the same loss, against what is spent."""
    rows = []
    for times in OFF:
        params, tokens = times * best.params, best.tokens / times
        t = split.excess(np.log([params]), np.log([tokens]))
        x, y = split.at_excess(t)
        wasted = -np.expm1(x[0] + y[0] + LN6 - np.log(best.training))
        loss = float(np.exp(split.loss(t))[0])
        rows.append((times, params, tokens, tokens / params, loss, 100 * max(0.0, float(wasted))))
    columns = ["times the best size", "parameters", "tokens", "tokens per parameter", "loss", "compute wasted (%)"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def _budgets(law: Law, best: Plan, extras: dict[str, float], level: float) -> pl.DataFrame:
    """Plans for multiples of the best run's compute, or of the one input that the law has."""
    known = {name: getattr(best, name) for name in COLUMNS if getattr(best, name) is not None}
    (size, amount), *_ = known.items()
    rows = []
    for times in BUDGETS:
        plan = best if times == 1 else law.allocate(**{size: times * amount.value}, **extras, level=level)
        estimates: list[Estimate] = [getattr(plan, name) for name in known if name != size]
        ends = [number for one in estimates for number in (one.value, *one.ends)]
        rows.append([times * amount.value, *ends, plan.extrapolation])
    names = [f"{COLUMNS[name]}{end}" for name in known if name != size for end in ("", ", low", ", high")]
    return pl.DataFrame(rows, schema=[COLUMNS[size], *names, "times the largest run"], orient="row")


def _repeated(worn: Split, best: Run) -> Run | None:
    """The best run of as much compute on as many distinct tokens as there are."""
    if np.log(best.tokens) <= worn.end:
        return None
    x, y = worn.at_compute(np.log([best.training]) - LN6)
    loss = np.exp(worn.loss(worn.excess(x, y)))
    return Run(float(np.exp(x)[0]), float(np.exp(y)[0]), float(loss[0]), best.training)


def _reuse() -> tuple[Floats, Floats]:
    return np.array([EXCESS]), np.array([REPEATS])


def _served(split: Split, best: Run, tokens: float) -> Run:
    """The cheapest run with the best run's loss, training and serving taken together."""
    t = split.excess(np.log([best.params]), np.log([best.tokens]))
    params, tokens_trained = (float(np.exp(one)[0]) for one in split.at_excess(t, float(np.log(tokens))))
    return Run(params, tokens_trained, best.loss, 6 * params * tokens_trained, 2 * params * tokens)
