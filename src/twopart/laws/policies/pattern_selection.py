"""Softmax policies over patterns of reasoning: which one reinforcement selects, and when (docs/laws/rl-pattern-selection.md).

    flow(base, success, times)                      infinitely small steps on the whole population
    recursion(base, success, lr, steps, group=8)    the mean of finite groups and steps: REINFORCE, GRPO as libraries have it
    escape(base, success)                           when the best pattern has half of the mass, and how low it was before
    two_pattern_time, stationary, sft_dose, advantage_slope

Masses `base` and rates `success` are of shape (K,), or (Q, K) for Q questions with a policy of their own. A pattern r has logit
θ_r and mass π_r; its answer is right with probability p_r. Derived in the page; the model is that of Chen, Li, Zou 2025.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import expit, gammaln, logit, xlog1py, xlogy

from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_integer, check_real

Slope = Callable[[Floats], Floats]
FAR = 1e12  # times beyond it count as never


class Course(NamedTuple):
    """Masses and rates along times or steps, each (T, ..., K)."""

    policy: Floats
    success: Floats

    @property
    def accuracy(self) -> Floats:
        """Σ π p, shape (T, ...)."""
        return np.asarray((self.policy * self.success).sum(-1))


class Escape(NamedTuple):
    """How the flow leaves the base policy."""

    time: float
    """When the best pattern's mass reaches the one asked for; inf if not by 1e12."""
    lowest: float
    """Its least mass on the way, at the solver's steps."""
    lowest_at: float


class _Velocity:
    """θ' = s(p̄) π (p - p̄) - β π (l - Σ π l), l = ln(π/π_0), and κ s(p̄) π p (1 - p) for the logits of answers."""

    def __init__(
        self, base: ArrayLike, success: ArrayLike, kl: float, skill: float, slope: Slope = np.ones_like
    ) -> None:
        self.base = numbers("base", base, 0, 1, remedy="no pattern is impossible or certain")
        shape = self.base.shape
        check(self.base.ndim in (1, 2) and shape[-1] >= 2, "base", shape, "(K,) or (Q, K)", "one mass per pattern")
        check(bool(np.allclose(self.base.sum(-1), 1)), "base", self.base.sum(-1), "of sum 1", "divide by the sums")
        rates = finite("success", success, shape, "one rate for each mass")
        self.kl = check_real("kl", kl, 0, np.inf, "0 leaves it out", closed="[)")
        self.skill = check_real("skill", skill, 0, np.inf, "0 leaves answers as they are", closed="[)")
        self.success = numbers("success", rates, 0, 1, "()" if skill else "[]", "rates are shares of right answers")
        self.start = np.log(self.base), logit(self.success) if skill else np.zeros(shape)
        self.slope = slope

    def at(self, theta: Floats, phi: Floats) -> tuple[Floats, Floats]:
        return softmax(theta), expit(phi) if self.skill else self.success

    def __call__(self, theta: Floats, phi: Floats) -> tuple[Floats, Floats]:
        policy, rates = self.at(theta, phi)
        mean = (policy * rates).sum(-1, keepdims=True)
        gain = (1.0 if self.slope is None else self.slope(mean)) * policy
        moved = gain * (rates - mean)
        if self.kl:
            away = np.log(policy / self.base)
            moved = moved - self.kl * policy * (away - (policy * away).sum(-1, keepdims=True))
        return moved, self.skill * gain * rates * (1 - rates) if self.skill else np.zeros_like(phi)


def flow(base: ArrayLike, success: ArrayLike, times: ArrayLike, *, kl: float = 0.0, skill: float = 0.0) -> Course:
    """The policy gradient's flow at `times` (T,), to about 1e-6 (LSODA): the limit of every method without normalisation.

    `kl` is β of the divergence from `base`; `skill` > 0 trains the answers too, at that ratio of learning rates.
    """
    v, at = _Velocity(base, success, kl, skill), numbers("times", times, 0, np.inf, "[)", "times from 0 on")
    check(at.ndim == 1 and at.size > 0 and bool(np.all(np.diff(at) > 0)), "times", times, "rising (T,)", "sort them")
    states = _integrate(v, at[-1], at).y.T.reshape(len(at), 2, *v.base.shape)
    return _course(v, states[:, 0], states[:, 1])


def recursion(
    base: ArrayLike,
    success: ArrayLike,
    lr: float,
    steps: int,
    *,
    group: int = 8,
    kl: float = 0.0,
    skill: float = 0.0,
    **scheme: Any,
) -> Course:
    """The map of mean steps of size `lr`, (steps + 1, ..., K): the flow times `advantage_slope`, whose keywords `scheme` are.

    Exact in its drift at every policy; along a run the mean differs where the noise of groups does not average out.
    """
    size = check_real("lr", lr, 0, np.inf, "0.1 is small for logits", closed="(]")
    count = check_integer("steps", steps, 1, None, "steps of training")
    v = _Velocity(base, success, kl, skill, lambda mean: advantage_slope(mean, group, **scheme))
    (theta, phi), logits = v.start, []
    logits.append((theta, phi))
    for _ in range(count):
        moved, learned = v(theta, phi)
        theta, phi = theta + size * moved, phi + size * learned
        logits.append((theta, phi))
    return _course(v, *(np.array(part) for part in zip(*logits, strict=True)))


def advantage_slope(
    rate: ArrayLike,
    group: int,
    *,
    baseline: str | None = "mean",
    scale: str | None = "group",
    ddof: int = 0,
    epsilon: float = 0.0,
) -> Floats:
    """s_G(p̄): the mean step of a group of G draws over the population's, exact, at accuracies `rate` of any shape.

    Σ_c C(G, c) p̄^(c-1) (1-p̄)^(G-c-1) h(c), h(c) = c (G - c)/(G² (σ_c + ε)), σ_c² = c (G - c)/(G (G - ddof)); without `scale`
    1 - 1/G for the group's mean, 1 for that of the others or none. Keywords as in `learners.policies.group_advantages`.
    """
    p = numbers("rate", rate, 0, 1, "[]", "an accuracy")[..., None]
    c, ways, without = _coefficients(group, baseline, scale, ddof, epsilon)
    return np.asarray(np.exp(ways + xlogy(c - 1, p) + xlog1py(group - c - 1, -p)).sum(-1)) + without


@lru_cache
def _coefficients(
    group: int, baseline: str | None, scale: str | None, ddof: int, epsilon: float
) -> tuple[NDArray[np.int64], Floats, float]:
    """c, ln C(G, c) h(c), and the slope of what is not scaled; logarithms, for groups of thousands."""
    G, c = check_integer("group", group, 2, None, "8 is usual"), np.arange(1, group)
    check(
        baseline in ("mean", "leave_one_out", None), "baseline", baseline, '"mean", "leave_one_out" or None', "choose"
    )
    check(
        scale is None or (scale == "group" and baseline is not None),
        "scale",
        scale,
        'None, or "group" with a baseline',
        "choose",
    )
    check_real("epsilon", epsilon, 0, np.inf, "1e-4 is usual", closed="[)")
    check_integer("ddof", ddof, 0, 1, "0 divides by n, 1 by n - 1")
    more = G / (G - 1) if baseline == "leave_one_out" else 1.0
    if scale is None:
        return c, np.full(G - 1, -np.inf), 1 - 1 / G if baseline == "mean" else 1.0
    h = c * (G - c) / G**2 / (np.sqrt(c * (G - c) / (G * (G - ddof))) + epsilon)
    return c, gammaln(G + 1) - gammaln(c + 1) - gammaln(G - c + 1) + np.log(h * more), 0.0


def stationary(base: ArrayLike, success: ArrayLike, kl: float, *, group: int | None = None, **scheme: Any) -> Floats:
    """Where a method with a divergence ends: π ∝ π_0 exp(s p/β), s = 1 of the flow, or s_G at the accuracy that this gives."""
    v, beta = (
        _Velocity(base, success, kl, 0.0),
        check_real("kl", kl, 0, np.inf, "without it one pattern wins", closed="()"),
    )
    if group is None:
        return softmax(v.start[0] + v.success / beta)
    check(v.base.ndim == 1, "base", v.base.shape, "of shape (K,) with a `group`", "ask question by question")

    def at(s: float) -> Floats:
        return softmax(v.start[0] + s * v.success / beta)

    def excess(s: float) -> float:
        return float(advantage_slope(at(s) @ v.success, group, **scheme)) - s

    return at(brentq(excess, 0.0, group * 1.0, xtol=1e-12))


def two_pattern_time(start: ArrayLike, end: ArrayLike, gap: ArrayLike) -> Floats:
    """Time of the flow from one mass of the better of two patterns to a larger one, `gap` = p_1 - p_2 > 0; exact.

    [F(x) - F(x_0)]/(2 gap), F(x) = 2 ln(x/(1-x)) + (2x - 1)/(x (1 - x)), as x' = 2 x² (1-x)² gap; 1/(2 gap x_0) for small x_0.
    """
    x0, x = (numbers(name, value, 0, 1, remedy="a mass") for name, value in (("start", start), ("end", end)))
    rises = bool(np.all(x >= x0))
    check(rises, "end", end, "at least `start`", "the better pattern only gains")
    difference = numbers("gap", gap, 0, 1, "(]", "name the better pattern first")

    def primitive(x: Floats) -> Any:
        return 2 * logit(x) + (2 * x - 1) / (x * (1 - x))

    return np.asarray((primitive(x) - primitive(x0)) / (2 * difference))


def escape(base: ArrayLike, success: ArrayLike, mass: float = 0.5) -> Escape:
    """When the best of K patterns has that mass along the flow, (K,) and (K,), and the trap on the way."""
    v, goal = _Velocity(base, success, 0.0, 0.0), check_real("mass", mass, 0, 1, "0.5 is a half", closed="()")
    check(v.base.ndim == 1, "base", v.base.shape, "of shape (K,)", "ask question by question")
    best = int(v.success.argmax())
    if v.base[best] >= goal:
        return Escape(0.0, float(v.base[best]), 0.0)

    def reaches(_: float, y: Floats) -> float:
        return float(softmax(y[: len(v.base)])[best] - goal)

    reaches.terminal = True  # type: ignore[attr-defined]
    found = _integrate(v, FAR, None, reaches)
    masses = softmax(found.y[: len(v.base)].T)[:, best]
    time = float(found.t_events[0][0]) if len(found.t_events[0]) else np.inf
    return Escape(time, float(masses.min()), float(found.t[masses.argmin()]))


def sft_dose(base: ArrayLike, success: ArrayLike, tolerance: float = 1e-4) -> float:
    """The least base mass of the best pattern, others in proportion, from which it never falls below its start: by bisection.

    What fine-tuning on that pattern must reach so that the flow has no trap.
    """
    share, rates = _Velocity(base, success, 0.0, 0.0).base, finite("success", success, (None,), "one rate per pattern")
    step = check_real("tolerance", tolerance, 0, 0.1, "1e-4 is fine", closed="(]")
    best = np.arange(len(rates)) == rates.argmax()

    def trapped(x: float) -> bool:
        masses = np.where(best, x, share * (1 - x) / share[~best].sum())
        return escape(masses, rates, max(0.5, 0.5 + x / 2)).lowest < x * (1 - 1e-9)

    low, high = step, 1 - step
    if not trapped(low):
        return low
    while high - low > step:
        middle = (low + high) / 2
        low, high = (middle, high) if trapped(middle) else (low, middle)
    return high


def softmax(logits: Floats) -> Floats:
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def _integrate(v: _Velocity, end: float, at: Floats | None, events: Any = None) -> Any:
    shape = v.base.shape

    def velocity(_: float, y: Floats) -> Floats:
        theta, phi = y.reshape(2, *shape)
        return np.concatenate([part.ravel() for part in v(theta, phi)])

    start = np.concatenate([part.ravel() for part in v.start])
    return solve_ivp(velocity, (0.0, max(end, 1e-12)), start, "LSODA", at, events=events, rtol=1e-9, atol=1e-11)


def _course(v: _Velocity, theta: Floats, phi: Floats) -> Course:
    policy, rates = v.at(theta, phi)
    return Course(policy, np.broadcast_to(rates, policy.shape))
