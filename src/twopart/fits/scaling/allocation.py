"""What to train: the split of compute between parameters and tokens that a law calls best, with its uncertainty.

With C = 6 N D, the best N of a budget C has ∂ ln L/∂ ln N = ∂ ln L/∂ ln D: neither a larger model nor longer training
would help more. That balance also gives the D that belongs to an N, and the N to a D; a loss is reached at the least C
whose best split reaches it (forms/_excess.py has the formulas). Each draw of the parameters has its own plan, and intervals
are taken over these plans, so they hold what the draws' correlations do to them. A draw whose loss never falls to the goal
needs infinite compute; one whose loss does not fall with size and data has no plan, and counts as unbounded on either side
in turn, so that it widens intervals rather than vanish.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError, check, check_real
from twopart._notebook import quantities, shown
from twopart.evidence import Estimate
from twopart.fits.scaling.curve import Curve, exponential, percentiles
from twopart.fits.scaling.forms import Excess, Fall, Split

Floats = NDArray[np.float64]

LN6, LN10 = float(np.log(6.0)), float(np.log(10.0))
LARGEST = 700.0  # ln of the largest count that is planned: a floating-point number still


@dataclass(frozen=True)
class Plan:
    """One run, with intervals; what was asked for has no width. Inputs that the form does not know are None."""

    flops: Estimate | None
    params: Estimate | None
    tokens: Estimate | None
    loss: Estimate
    extrapolation: float
    """How many times its compute (its size or data, for a form of one input) exceeds that of the largest run."""
    reached: float
    """Share of the draws for which the goal can be reached at all."""

    def _repr_html_(self) -> str:
        named = (("FLOP", self.flops), ("parameters", self.params), ("tokens", self.tokens), ("loss", self.loss))
        rows = [(name, part.value, part.interval) for name, part in named if part is not None]
        ratio = ("compute over that of the largest run fitted", self.extrapolation, None)
        return shown("What to train", quantities([*rows, ratio]))


def allocate(law: Curve, goal: Mapping[str, float | None], extras: Mapping[str, float | None], level: float) -> Plan:
    """The plan for the one goal that is not None; `InputError` for a goal that the law's point does not reach."""
    asked = {name: value for name, value in goal.items() if value is not None}
    check(len(asked) == 1, "allocate", sorted(asked), "given exactly one of flops, params, tokens, loss", "choose one")
    ((name, value),) = asked.items()
    check_real(name, value, 0, np.inf, "give a positive number", closed="()")
    excess = excess_of(law, np.concatenate([law.theta[None], law.draws]), extras)
    known = ("loss", "flops", *law.form.inputs) if isinstance(excess, Split) else ("loss", *law.form.inputs)
    check(name in known, name, value, f"an input of {law.form.formula}", f"give {' or '.join(known)}")
    with np.errstate(invalid="ignore"):  # nan marks draws without a plan
        found = _solve(law, excess, name, float(np.log(value)))
    _check_reached(law, excess, name, float(value), found)
    return _summary(law, found, level, {name: float(value)})


def excess_of(law: Curve, thetas: Floats, extras: Mapping[str, float | None]) -> Excess:
    """How the law exceeds its floor, for each row of `thetas`, with inputs that no plan chooses fixed."""
    fixed = {
        name: float(np.log(check_real(name, extras[name], 0, np.inf, f"{law.form.name!r} reads it", closed="()")))
        for name in law.form.inputs
        if name in extras
    }
    return law.form.excess(thetas.T, fixed)


def _solve(law: Curve, excess: Excess, name: str, value: float) -> dict[str, Floats]:
    """ln of each input and of the loss, one entry per draw; nan where a draw has no plan."""
    given = np.full_like(excess.floor, value)
    if isinstance(excess, Fall):
        (own,) = law.form.inputs
        if name == "loss":
            return {own: excess.at_excess(excess.above_floor(value)), "loss": given}
        return {own: given, "loss": excess.loss(excess.excess(given))}
    assert isinstance(excess, Split)
    if name == "loss":
        x, y = excess.at_excess(excess.above_floor(value))
        return {"flops": x + y + LN6, "params": x, "tokens": y, "loss": given}
    x, y = {"flops": excess.at_compute, "params": excess.at_size, "tokens": excess.at_data}[name](
        given - LN6 * (name == "flops")
    )
    return {"flops": x + y + LN6, "params": x, "tokens": y, "loss": excess.loss(excess.excess(x, y))}


def _check_reached(law: Curve, excess: Excess, name: str, value: float, found: Mapping[str, Floats]) -> None:
    """Refuse what the point does not reach, and say which bound stands in the way."""
    point = {one: float(values[0]) for one, values in found.items()}
    if any(np.isnan(one) for one in point.values()):
        _refuse_rising(law)
    if all(abs(one) <= LARGEST for one in point.values()):
        return
    if name == "loss":
        _refuse_loss(law, excess, value, point)
    _refuse_size(name, value, point)


def _refuse_rising(law: Curve) -> NoReturn:
    values = ", ".join(f"{name} = {value:.4g}" for name, value in law.parameters.items())
    raise InputError(
        f"the loss of {law.form.formula} must fall with {' and '.join(law.form.inputs)} to be planned with, got {values}; "
        "fit runs that differ more, or another form"
    )


def _refuse_size(name: str, value: float, point: Mapping[str, float]) -> NoReturn:
    odd = ", ".join(f"1e{log / LN10:+.0f} {one}" for one, log in point.items() if one != name and abs(log) > LARGEST)
    raise InputError(f"`{name}` must be part of a run that can be counted, got {value:g}; the best one has {odd}")


def _refuse_loss(law: Curve, excess: Excess, value: float, point: Mapping[str, float]) -> NoReturn:
    """The bound may be the floor, endless repeats, the turn of a law that rises again, or what can be counted."""
    t, lowest = float(excess.above_floor(float(np.log(value)))[0]), excess.lowest
    floor, remedy = float(np.exp(excess.loss(lowest))[0]), "no compute reaches it"
    if t == -np.inf:
        floor = float(np.exp(excess.loss(np.full_like(lowest, -np.inf)))[0])
        bound, remedy = f"above the floor of the law, {floor:.6g}", f"{remedy}, whatever the size and the data"
    elif t > lowest[0]:
        size = max(point.keys() - {"loss"}, key=lambda name: abs(point[name]))
        near = point[size] > 0
        bound = f"farther above the floor of the law, {floor:.6g}" if near else "that of a run that can be counted"
        remedy = f"it takes 1e{point[size] / LN10:+.0f} {size}"
    elif isinstance(excess, Split):
        bound = f"above the floor of the law for {np.exp(excess.end):.4g} distinct tokens, {floor:.6g}"
        remedy = f"{remedy}, however often they repeat: it takes more than {excess.distinct(t):.4g} distinct ones"
    else:
        assert isinstance(excess, Fall)
        bound = f"at least {floor:.6g}, the least loss of the law"
        remedy = f"{remedy}: beyond {np.exp(excess.turn[0]):.4g} {law.form.inputs[0]} its loss rises"
    check(False, "loss", value, bound, remedy)
    raise AssertionError


def _summary(law: Curve, found: Mapping[str, Floats], level: float, asked: Mapping[str, float]) -> Plan:
    size = next(name for name in ("flops", *law.form.inputs) if name in found)
    planned = np.isfinite(found[size][1:])

    def estimate(name: str) -> Estimate:
        if name in asked:
            return Estimate(asked[name], (asked[name], asked[name]), level)
        value, logs = exponential(found[name][:1]), found[name][1:]
        low, high = exponential(percentiles(logs, level)) if len(logs) else (-np.inf, np.inf)
        return Estimate(float(value[0]), (float(low), float(high)), level)

    flops, params, tokens = (estimate(name) if name in found else None for name in ("flops", "params", "tokens"))
    largest = law.ranges.get(size, (np.nan, np.nan))[1]
    extrapolation = float(np.exp(found[size][0]) / largest)
    return Plan(flops, params, tokens, estimate("loss"), extrapolation, float(planned.mean()) if len(planned) else 1.0)
