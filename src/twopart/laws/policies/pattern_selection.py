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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import expit, gammaln, logit, xlog1py, xlogy

from twopart._arrays import Floats, numbers
from twopart._checks import check, check_integer, check_real
from twopart.worlds.policies.patterns import Patterns

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
    """θ' = s(p̄) π (p - p̄) - β π (l - Σ π l), l = ln(π/π_0), and κ s(p̄) π p (1 - p) for the logits of answers: (2, ..., K)."""

    def __init__(
        self, base: ArrayLike, success: ArrayLike, kl: float = 0.0, skill: float = 0.0,
        slope: Slope = np.ones_like,
    ) -> None:  # fmt: skip
        world = Patterns(base, success)  # type: ignore[arg-type]
        self.base, rates = np.array(world.base), np.array(world.success)
        self.kl = check_real("kl", kl, 0, np.inf, "0 leaves it out", closed="[)")
        self.skill = check_real("skill", skill, 0, np.inf, "0 leaves answers as they are", closed="[)")
        self.success = numbers("success", rates, 0, 1, "()" if skill else "[]", "rates are shares of right answers")
        self.start = np.stack([np.log(self.base), logit(rates) if skill else np.zeros(rates.shape)])
        self.slope = slope

    def at(self, theta: Floats, phi: Floats) -> Course:
        return Course(softmax(theta), expit(phi) if self.skill else np.broadcast_to(self.success, theta.shape))

    def __call__(self, logits: Floats) -> Floats:
        policy, rates = softmax(logits[0]), expit(logits[1]) if self.skill else self.success
        mean = (policy * rates).sum(-1, keepdims=True)
        gain = self.slope(mean) * policy
        moved = gain * (rates - mean)
        if self.kl:
            away = np.log(policy / self.base)
            moved = moved - self.kl * policy * (away - (policy * away).sum(-1, keepdims=True))
        return np.array([moved, self.skill * gain * rates * (1 - rates)])

    def integrated(self, end: float, at: Floats | None = None, events: Any = None) -> Any:
        def velocity(_: float, y: Floats) -> Floats:
            return self(y.reshape(self.start.shape)).ravel()

        start = self.start.ravel()
        return solve_ivp(velocity, (0.0, max(end, 1e-12)), start, "LSODA", at, events=events, rtol=1e-9, atol=1e-11)


def instants(times: ArrayLike) -> Floats:
    """Times (T,), rising from 0 on; raises `InputError`."""
    at = numbers("times", times, 0, np.inf, "[)", "times from 0 on")
    check(at.ndim == 1 and at.size > 0 and bool(np.all(np.diff(at) > 0)), "times", times, "rising (T,)", "sort them")
    return at


def flow(base: ArrayLike, success: ArrayLike, times: ArrayLike, *, kl: float = 0.0, skill: float = 0.0) -> Course:
    """The policy gradient's flow at `times` (T,), to about 1e-6 (LSODA): the limit of every method without normalisation.

    `kl` is β of the divergence from `base`; `skill` > 0 trains the answers too, at that ratio of learning rates.
    """
    v, at = _Velocity(base, success, kl, skill), instants(times)
    logits = v.integrated(at[-1], at).y.T.reshape(len(at), *v.start.shape)
    return v.at(logits[:, 0], logits[:, 1])


def recursion(
    base: ArrayLike, success: ArrayLike, lr: float, steps: int,
    *, group: int = 8, kl: float = 0.0, skill: float = 0.0, **scheme: Any,
) -> Course:  # fmt: skip
    """The map of mean steps of size `lr`, (steps + 1, ..., K): the flow times `advantage_slope`, whose keywords `scheme` are.

    Exact in its drift at every policy; along a run the mean differs where the noise of groups does not average out.
    """
    size = check_real("lr", lr, 0, np.inf, "0.1 is small for logits", closed="(]")
    count = check_integer("steps", steps, 1, None, "steps of training")
    v = _Velocity(base, success, kl, skill, _slope(group, **scheme))
    logits = [v.start]
    for _ in range(count):
        logits.append(logits[-1] + size * v(logits[-1]))
    path = np.array(logits)
    return v.at(path[:, 0], path[:, 1])


def advantage_slope(
    rate: ArrayLike, group: int,
    *, baseline: str | None = "mean", scale: str | None = "group", ddof: int = 0, epsilon: float = 0.0,
) -> Floats:  # fmt: skip
    """s_G(p̄): the mean step of a group of G draws over the population's, exact, at accuracies `rate` of any shape.

    a_1 - a_0 with a_v = Σ_m Bin(m; G - 1, p̄) A(v, m), A the advantage of a draw with reward v beside m that are right: 1 - 1/G
    for the group's mean without `scale`, 1 for that of the others or none. Keywords as in
    `learners.policies.group_advantages`.
    """
    p = numbers("rate", rate, 0, 1, "[]", "an accuracy")
    return _slope(group, baseline=baseline, scale=scale, ddof=ddof, epsilon=epsilon)(p)


def _slope(
    group: int, *, baseline: str | None = "mean", scale: str | None = "group", ddof: int = 0, epsilon: float = 0.0
) -> Slope:
    G = check_integer("group", group, 2, None, "8 is usual")
    known, scaled = ("mean", "leave_one_out", None), 'None, or "group" with a baseline'
    check(baseline in known, "baseline", baseline, f"one of {known}", "choose one of them")
    check(scale is None or (scale == "group" and baseline is not None), "scale", scale, scaled, "choose")
    ε = check_real("epsilon", epsilon, 0, np.inf, "1e-4 is usual", closed="[)")
    check_integer("ddof", ddof, 0, 1, "0 divides by n, 1 by n - 1")
    m = np.arange(G)

    def advantage(reward: int) -> Floats:
        mean = (reward + m) / G
        worth = (reward - mean * (baseline is not None)) * (G / (G - 1) if baseline == "leave_one_out" else 1.0)
        spread = np.sqrt(mean * (1 - mean) * G / (G - ddof)) + ε if scale else np.ones(G)
        return np.asarray(worth / np.where(spread > 0, spread, 1))

    log_ways = gammaln(G) - gammaln(m + 1) - gammaln(G - m)  # logarithms, for groups of thousands
    more = advantage(1) - advantage(0)
    return lambda p: np.exp(log_ways + xlogy(m, p[..., None]) + xlog1py(G - 1 - m, -p[..., None])) @ more


def stationary(base: ArrayLike, success: ArrayLike, kl: float, *, group: int | None = None, **scheme: Any) -> Floats:
    """Where a method with a divergence ends: π ∝ π_0 exp(s p/β), s = 1 of the flow, or s_G at the accuracy that this gives."""
    v, β = _Velocity(base, success), check_real("kl", kl, 0, np.inf, "without it one pattern wins", closed="()")

    def at(s: float) -> Floats:
        return softmax(v.start[0] + s * v.success / β)

    def excess(s: float) -> float:
        return float(advantage_slope(at(s) @ v.success, group or 2, **scheme)) - s

    if group is None:
        return at(1.0)
    check(v.base.ndim == 1, "base", v.base.shape, "of shape (K,) with a `group`", "ask question by question")
    return at(brentq(excess, 0.0, float(group), xtol=1e-12))


def two_pattern_time(start: ArrayLike, end: ArrayLike, gap: ArrayLike) -> Floats:
    """Time of the flow from one mass of the better of two patterns to a larger one, `gap` = p_1 - p_2 > 0; exact.

    [F(x) - F(x_0)]/(2 gap), F(x) = 2 ln(x/(1-x)) + (2x - 1)/(x (1 - x)), as x' = 2 x² (1-x)² gap; 1/(2 gap x_0) for small x_0.
    """
    x0, x = (numbers(name, value, 0, 1, remedy="a mass") for name, value in (("start", start), ("end", end)))
    check(bool(np.all(x >= x0)), "end", end, "at least `start`", "the better pattern only gains")
    primitive = [2 * logit(mass) + (2 * mass - 1) / (mass * (1 - mass)) for mass in (x0, x)]
    return np.asarray(
        (primitive[1] - primitive[0]) / (2 * numbers("gap", gap, 0, 1, "(]", "name the better one first"))
    )


def escape(base: ArrayLike, success: ArrayLike, mass: float = 0.5) -> Escape:
    """When the best of K patterns has that mass along the flow, (K,) and (K,), and the trap on the way."""
    v, goal = _Velocity(base, success), check_real("mass", mass, 0, 1, "0.5 is a half", closed="()")
    check(v.base.ndim == 1, "base", v.base.shape, "of shape (K,)", "ask question by question")
    best, K = int(v.success.argmax()), len(v.base)
    if v.base[best] >= goal:
        return Escape(0.0, float(v.base[best]), 0.0)

    def reaches(_: float, y: Floats) -> float:
        return float(softmax(y[:K])[best] - goal)

    reaches.terminal = True  # type: ignore[attr-defined]
    found = v.integrated(FAR, events=reaches)
    masses = softmax(found.y[:K].T)[:, best]
    time = float(found.t_events[0][0]) if len(found.t_events[0]) else np.inf
    return Escape(time, float(masses.min()), float(found.t[masses.argmin()]))


def sft_dose(base: ArrayLike, success: ArrayLike, tolerance: float = 1e-4) -> float:
    """The least base mass of the best pattern, others in proportion, from which it never falls below its start: by bisection.

    What fine-tuning on that pattern must reach so that the flow has no trap.
    """
    world = Patterns(base, success)  # type: ignore[arg-type]
    step = check_real("tolerance", tolerance, 0, 0.1, "1e-4 is fine", closed="(]")

    def trapped(x: float) -> bool:
        return escape(world.hard(x).base, world.success, max(0.5, 0.5 + x / 2)).lowest < x * (1 - 1e-9)

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
