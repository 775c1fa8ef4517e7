"""The best run that a scaling law knows for a goal, and what it costs to do otherwise.

Training costs C = 6 N D, a served token 2 N (Kaplan et al. 2020, section 2.1). Two departures from the best split:
    few tokens   of U distinct ones, repeats count for less and less: D' = U + U R (1 - e^(-(D/U - 1)/R)), R = 15.39, and so do
                 parameters beyond the best size for U, R = 5.31 (Muennighoff et al. 2023, equations 5 and 6, their constants;
                 a law of the form `repeated` brings its own)
    serving      with S tokens to serve, the least 6 N D + 2 N S that reaches the same loss has a smaller model, trained for
                 longer (Sardana and Frankle 2023)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart._checks import InputError, check_real
from twopart.fits.scaling import Law, Plan

Floats = NDArray[np.float64]

REPEATS, EXCESS = 15.39, 5.31
OFF = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Model sizes beside the best one, as multiples of it."""
BUDGETS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Budgets of the table, as multiples of the plan's."""
GRID = 2001  # sizes that are looked at, over a factor of 10^6


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
class TrainingPlan:
    """The best run for a goal."""

    law: Law
    goal: tuple[str, float]
    """What was asked: flops, params, tokens or loss, and how much."""
    best: Plan
    """The compute-optimal run, with intervals."""
    off: pl.DataFrame
    """The same compute on models of other sizes: loss, and the share of the compute that is thrown away."""
    budgets: pl.DataFrame
    """Best runs of other budgets."""
    max_tokens: float | None = None
    """Distinct tokens that there are."""
    repeated: Run | None = None
    """The best run of that compute on them, repeats included; None where the best run needs no more tokens."""
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

    `bits` is the precision of training, for a law of the form `precision`. Raises `InputError` for a law that does not tell
    parameters from tokens, and for a loss that no run reaches.
    """
    if not {"params", "tokens"} <= set(law.form.inputs):
        raise InputError(f"the law {law.form.formula} has no split to plan; fit a form with parameters and tokens")
    goal = {"flops": flops, "params": params, "tokens": tokens, "loss": loss}
    extras = _extras(law, max_tokens, bits)
    best = law.allocate(**goal, **extras, level=level)
    assert best.flops is not None
    point = replace(law, draws=law.draws[:0])
    asked = next((name, float(value)) for name, value in goal.items() if value is not None)
    plan = TrainingPlan(law, asked, best, _off(point, best, extras), _budgets(law, best, extras, level))
    if max_tokens is not None:
        available = check_real("max_tokens", max_tokens, 0, np.inf, "it is a number of tokens", closed="()")
        plan = replace(plan, max_tokens=available, repeated=_repeated(point, plan.point, available, extras))
    if serve_tokens is not None:
        served = check_real("serve_tokens", serve_tokens, 0, np.inf, "it is a number of tokens", closed="()")
        plan = replace(plan, serve_tokens=served, served=_served(point, plan.point, served, extras))
    return plan


def _extras(law: Law, max_tokens: float | None, bits: float | None) -> dict[str, float]:
    """What the form reads besides parameters and tokens."""
    given = {"unique_tokens": max_tokens, "bits": bits}
    for name, option in (("unique_tokens", "max_tokens"), ("bits", "bits")):
        if name in law.form.inputs and given[name] is None:
            raise InputError(f"the law {law.form.name!r} reads {name}; give `{option}`")
    return {name: float(value) for name, value in given.items() if name in law.form.inputs and value is not None}


def _loss(law: Law, params: Any, tokens: Any, extras: dict[str, float]) -> Floats:
    others: dict[str, Any] = dict(extras)
    value = law.predict(params, tokens, **others)
    assert isinstance(value, np.ndarray | float)
    return np.asarray(value, float)


def _off(law: Law, best: Plan, extras: dict[str, float]) -> pl.DataFrame:
    """Compute that the best split would need for the same loss, against what is spent."""
    assert best.flops is not None
    assert best.params is not None
    rows = []
    for times in OFF:
        params = times * best.params.value
        tokens = best.flops.value / (6 * params)
        loss = float(_loss(law, params, tokens, extras))
        needed = law.allocate(loss=loss, **extras).flops
        wasted = 0.0 if times == 1 or needed is None else 1 - needed.value / best.flops.value
        rows.append((times, params, tokens, tokens / params, loss, 100 * max(wasted, 0.0)))
    columns = ["times the best size", "parameters", "tokens", "tokens per parameter", "loss", "compute wasted (%)"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def _budgets(law: Law, best: Plan, extras: dict[str, float], level: float) -> pl.DataFrame:
    assert best.flops is not None
    rows = []
    for times in BUDGETS:
        plan = law.allocate(flops=times * best.flops.value, **extras, level=level)
        assert plan.params is not None
        assert plan.tokens is not None
        row = [times * best.flops.value]
        for one in (plan.params, plan.tokens, plan.loss):
            row += [one.value, *one.ends]
        rows.append([*row, plan.extrapolation])
    ends = [f"{name}{end}" for name in ("parameters", "tokens", "loss") for end in ("", ", low", ", high")]
    return pl.DataFrame(rows, schema=["compute (FLOP)", *ends, "times the largest run"], orient="row")


def _repeated(law: Law, best: Run, distinct: float, extras: dict[str, float]) -> Run | None:
    """The best run of as much compute on so many distinct tokens."""
    if best.tokens <= distinct:
        return None
    sizes = np.geomspace(best.params / 1e3, best.params * 1e3, GRID)
    tokens = best.training / (6 * sizes)
    i = int(np.argmin(losses := _repeated_loss(law, sizes, tokens, distinct, extras)))
    return Run(float(sizes[i]), float(tokens[i]), float(losses[i]), best.training)


def _repeated_loss(law: Law, params: Floats, tokens: Floats, distinct: float, extras: dict[str, float]) -> Floats:
    if "unique_tokens" in law.form.inputs:
        return _loss(law, params, tokens, extras)
    fitting = law.allocate(tokens=distinct, **extras).params
    assert fitting is not None
    effective = _saturated(tokens, distinct, REPEATS)
    size = _saturated(params, fitting.value, EXCESS)
    return _loss(law, size, effective, extras)


def _saturated(x: Floats, unit: float, scale: float) -> Floats:
    """x up to `unit`, beyond it unit (1 + R (1 - e^(-(x/unit - 1)/R)))."""
    beyond = np.maximum(x / unit - 1, 0.0)
    return np.asarray(np.minimum(x, unit) - unit * scale * np.expm1(-beyond / scale))


def _served(law: Law, best: Run, tokens: float, extras: dict[str, float]) -> Run:
    """The cheapest run with the best run's loss, training and serving taken together."""
    sizes = np.geomspace(best.params / 1e3, best.params * 10, GRID)
    low, high = np.full(GRID, best.tokens / 1e6), np.full(GRID, best.tokens * 1e12)
    needed = _halve(lambda d: _loss(law, sizes, d, extras) <= best.loss, low, high)
    cost = np.where(needed < high * 0.99, 6 * sizes * needed + 2 * sizes * tokens, np.inf)
    i = int(np.argmin(cost))
    training = float(6 * sizes[i] * needed[i])
    return Run(float(sizes[i]), float(needed[i]), best.loss, training, float(2 * sizes[i] * tokens))


def _halve(enough: Callable[[Floats], NDArray[np.bool_]], low: Floats, high: Floats) -> Floats:
    """The least x that is enough, between `low` and `high`, by bisection of its logarithm."""
    a, b = np.log(low), np.log(high)
    for _ in range(80):
        middle = (a + b) / 2
        fine = enough(np.exp(middle))
        a, b = np.where(fine, a, middle), np.where(fine, middle, b)
    return np.exp(b)
