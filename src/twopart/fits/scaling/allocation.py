"""What to train: the split of compute between parameters and tokens that a law calls best, with its uncertainty.

With C = 6 N D, the best N of a budget C has ∂ ln L/∂ ln N = ∂ ln L/∂ ln D: neither a larger model nor longer training
would help more. That balance also gives the D that belongs to an N, and the N to a D; a loss is reached at the least C
whose best split reaches it. Each draw of the parameters has its own plan, and intervals are taken over these plans, so
they hold what the draws' correlations do to them. A draw whose loss never falls to the goal needs infinite compute. For
`chinchilla`, N = (αA/βB)^(1/(α+β)) (C/6)^(β/(α+β)); the search below needs no such formula, and works for forms that
have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check, check_real
from twopart.evidence import Estimate
from twopart.fits.scaling.curve import Curve, percentiles
from twopart.fits.scaling.solver import log_losses

Floats = NDArray[np.float64]

LN6 = float(np.log(6.0))
WIDEST = 140.0  # ln of the greatest compute considered, 1e61 floating-point operations: more than there will be
NUDGE = 1e-4  # step of ln N in the balance
STEPS = 60
COARSE = 1e-5  # error of ln N at which the loss, flat at its best split, is already right to 1e-11


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


def allocate(law: Curve, goal: Mapping[str, float | None], extras: Mapping[str, float | None], level: float) -> Plan:
    """The plan for the one goal that is not None."""
    asked = {name: value for name, value in goal.items() if value is not None}
    check(len(asked) == 1, "allocate", sorted(asked), "given exactly one of flops, params, tokens, loss", "choose one")
    ((name, value),) = asked.items()
    check_real(name, value, 0, 1e60, "a positive number", closed="()")
    split = {"params", "tokens"} <= set(law.form.inputs)
    check(split or name in ("loss", *law.form.inputs), name, value, f"an input of {law.form.formula}", "or give `loss`")
    thetas = np.concatenate([law.theta[None], law.draws])
    surface = _surface(law, thetas, extras)
    found = (_two_inputs if split else _one_input)(law, surface, name, float(np.log(value)), len(thetas))
    return _summary(law, found, level)


Surface = Callable[[Mapping[str, Floats]], Floats]


def _surface(law: Curve, thetas: Floats, extras: Mapping[str, float | None]) -> Surface:
    """ln L of each draw at its own point."""
    fixed = {}
    for name in law.form.inputs:
        if name in extras:
            fixed[name] = np.log(check_real(name, extras[name], 0, np.inf, f"{law.form.name!r} reads it", closed="()"))

    def log_loss(point: Mapping[str, Floats]) -> Floats:
        ones = np.ones(len(thetas))
        z = np.stack([ones * (fixed[name] if name in fixed else point[name]) for name in law.form.inputs], -1)
        return log_losses(law.form, thetas, z[:, None])[:, 0]

    return log_loss


def _one_input(law: Curve, surface: Surface, name: str, value: float, draws: int) -> dict[str, Floats]:
    (own,) = law.form.inputs
    if name == own:
        return {own: np.full(draws, value), "loss": surface({own: np.full(draws, value)})}
    needed = _root(lambda x: value - surface({own: x}), np.zeros(draws), np.full(draws, WIDEST))
    return {own: needed, "loss": np.full(draws, value)}


def _two_inputs(law: Curve, surface: Surface, name: str, value: float, draws: int) -> dict[str, Floats]:
    """ln of params, tokens, flops and loss on the frontier."""

    def tilt(x: Floats, y: Floats) -> Floats:
        """> 0 where fewer parameters and more tokens would be better at the same compute."""
        more = surface({"params": x + NUDGE, "tokens": y - NUDGE})
        return more - surface({"params": x - NUDGE, "tokens": y + NUDGE})

    def at_compute(c: Floats, precise: float = 1e-9) -> tuple[Floats, Floats]:
        x = _root(lambda x: tilt(x, c - LN6 - x), np.zeros(draws), c - LN6, precise)
        return x, c - LN6 - x

    given, low, high = np.full(draws, value), np.zeros(draws), np.full(draws, WIDEST)
    if name == "flops":
        x, y = at_compute(given)
    elif name == "params":
        x, y = given, _root(lambda y: -tilt(given, y), low, high)
    elif name == "tokens":
        x, y = _root(lambda x: tilt(x, given), low, high), given
    else:
        reach = lambda c: value - surface(dict(zip(("params", "tokens"), at_compute(c, COARSE), strict=True)))  # noqa: E731
        compute = _root(reach, low + LN6, high)
        x, y = at_compute(np.minimum(compute, WIDEST))
        x, y = (np.where(np.isinf(compute), np.inf, one) for one in (x, y))
    finite = np.isfinite(x + y)
    loss = surface({"params": np.where(finite, x, 1.0), "tokens": np.where(finite, y, 1.0)})
    return {"params": x, "tokens": y, "flops": x + y + LN6, "loss": np.where(finite, loss, value)}


def _root(rising: Callable[[Floats], Floats], low: Floats, high: Floats, precise: float = 1e-9) -> Floats:
    """Where a function crosses 0 from below, one per draw; inf where it is still below at `high`.

    Ridders' method (1979, IEEE Transactions on Circuits and Systems 26): exact for exponentials, which laws are in logarithms.
    """
    below, above = rising(low), rising(high)
    never, found = above < 0, low
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        value = rising(middle)
        scale = np.sqrt(np.maximum(value * value - below * above, 1e-300))
        before, found = found, np.clip(middle - (middle - low) * value / scale, low, high)
        at_found = rising(found)
        for point, height in ((middle, value), (found, at_found)):
            inside = (point > low) & (point < high)
            low, below = (np.where(inside & (height < 0), *pair) for pair in ((point, low), (height, below)))
            high, above = (np.where(inside & (height >= 0), *pair) for pair in ((point, high), (height, above)))
        if np.all(never | (np.abs(found - before) < precise)):
            break
    return np.where(never, np.inf, found)


def _summary(law: Curve, found: Mapping[str, Floats], level: float) -> Plan:
    def estimate(name: str) -> Estimate | None:
        if name not in found:
            return None
        values = np.exp(found[name])
        low, high = percentiles(values[1:], level) if len(values) > 1 else (-np.inf, np.inf)
        return Estimate(float(values[0]), (float(low), float(high)), level)

    size = next(name for name in ("flops", *law.form.inputs) if name in found)
    reachable = bool(np.isfinite(found[size][0]))
    check(reachable, "loss", float(np.exp(found["loss"][0])), "above the floor of the law", "no compute reaches it")
    largest = law.ranges.get(size, (np.nan, np.nan))[1]
    loss = estimate("loss")
    assert loss is not None
    reached = float(np.mean(np.isfinite(found[size][1:]))) if len(law.draws) else float(np.isfinite(found[size][0]))
    return Plan(
        estimate("flops"),
        estimate("params"),
        estimate("tokens"),
        loss,
        float(np.exp(found[size][0]) / largest),
        reached,
    )
