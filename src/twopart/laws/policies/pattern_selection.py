"""Softmax policies over patterns of reasoning: which one reinforcement selects, and when (docs/laws/rl-pattern-selection.md).

    flow(base, success, times)                      infinitely small steps on the whole population
    recursion(base, success, lr, steps, group=8)    the mean of finite groups and steps: REINFORCE, GRPO as libraries have it
    escape(base, success)                           when the best pattern has half of the mass, and how low it was before
    two_pattern_time, stationary, advantage_slope

Masses `base` and rates `success` are of shape (K,), or (Q, K) for Q questions with a policy of their own. A pattern r has logit
θ_r and mass π_r; its answer is right with probability p_r. Derived in the page; the model is that of Chen, Li, Zou 2025.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.special import expit, gammaln, logit, softmax, xlog1py, xlogy

from twopart._arrays import Floats, numbers
from twopart._checks import check, check_integer, check_real
from twopart.worlds.policies.patterns import Patterns

FAR = 1e12  # times beyond it count as never


class Course(NamedTuple):
    """Masses and rates along times or steps, each (T, ..., K)."""

    policy: Floats
    success: Floats


class Escape(NamedTuple):
    """How the flow leaves the base policy."""

    time: float
    """When the best pattern has half of the mass; inf if not by 1e12."""
    lowest: float
    """Its least mass on the way, at the solver's steps."""


class _Policy:
    """Logits (..., n): of K patterns, then of their answers where those are trained, n = 2K; how they start, and how they move.

    θ' = s(p̄) π (p - p̄) - β π (l - Σ π l), l = ln(π/π_0), and κ s(p̄) π p (1 - p) of answers; s = 1 for the population.
    """

    def __init__(self, base: ArrayLike, success: ArrayLike, kl: float = 0.0, skill: float = 0.0) -> None:
        world = Patterns(base, success)  # type: ignore[arg-type]
        self.base, rates = np.array(world.base), np.array(world.success)
        self.kl = check_real("kl", kl, 0, np.inf, "0 leaves it out", closed="[)")
        self.skill = check_real("skill", skill, 0, np.inf, "0 leaves answers as they are", closed="[)")
        self.success = numbers("success", rates, 0, 1, "()" if skill else "[]", "rates are shares of right answers")
        self.start = self._joined(np.log(self.base), logit(rates))

    def _joined(self, patterns: Floats, answers: Floats) -> Floats:
        return np.concatenate([patterns, answers], -1) if self.skill else patterns

    def course(self, logits: Floats) -> Course:
        K = self.base.shape[-1]
        policy = softmax(logits[..., :K], -1)
        return Course(policy, expit(logits[..., K:]) if self.skill else np.broadcast_to(self.success, policy.shape))

    def pulls(self, now: Course) -> tuple[Floats, Floats]:
        """What the population's step adds for reward, and for the divergence, (..., n) each."""
        π, p = now
        away = np.log(π / self.base) if self.kl else 0 * π
        back = self.kl * π * (_dot(π, away) - away)
        return self._joined(π * (p - _dot(π, p)), self.skill * π * p * (1 - p)), self._joined(back, 0 * π)

    def step(self, now: Course, group: int, **scheme: Any) -> tuple[Floats, Floats]:
        """Mean (..., n) and covariance (..., n, n) of a group's step, exact."""
        (π, p), (reward, back), one = now, self.pulls(now), np.eye(self.base.shape[-1])
        slope, wrong, right, pair = _moments(_dot(π, p), group, **scheme)
        noise = ((1 - 1 / group) * pair - slope**2)[..., None] * _outer(reward)
        for answer, weight in ((0, (1 - p) * wrong), (1, p * right)):
            draws = self._joined(one - π[..., None, :], self.skill * one * (answer - p)[..., None])  # of each pattern
            noise = noise + np.swapaxes(draws, -1, -2) @ ((π * weight / group)[..., None] * draws)
        return slope * reward + back, noise

    def integrated(self, end: float, at: Floats | None = None, events: Any = None) -> Any:
        def moved(_: float, y: Floats) -> Floats:
            reward, back = self.pulls(self.course(y.reshape(self.start.shape)))
            return (reward + back).ravel()

        start = self.start.ravel()
        return solve_ivp(moved, (0.0, max(end, 1e-12)), start, "LSODA", at, events=events, rtol=1e-9, atol=1e-11)


def instants(times: ArrayLike) -> Floats:
    """Times (T,), rising from 0 on; raises `InputError`."""
    at = numbers("times", times, 0, np.inf, "[)", "times from 0 on")
    check(at.ndim == 1 and at.size > 0 and bool(np.all(np.diff(at) > 0)), "times", times, "rising (T,)", "sort them")
    return at


def flow(base: ArrayLike, success: ArrayLike, times: ArrayLike, *, kl: float = 0.0, skill: float = 0.0) -> Course:
    """The policy gradient's flow at `times` (T,), to about 1e-6 (LSODA): the limit of every method without normalisation.

    `kl` is β of the divergence from `base`; `skill` > 0 trains the answers too, at that ratio of learning rates.
    """
    policy, at = _Policy(base, success, kl, skill), instants(times)
    return policy.course(policy.integrated(at[-1], at).y.T.reshape(-1, *policy.start.shape))


def recursion(
    base: ArrayLike, success: ArrayLike, lr: float, steps: int,
    *, group: int = 8, kl: float = 0.0, skill: float = 0.0, **scheme: Any,
) -> Course:  # fmt: skip
    """Masses and rates in the mean of runs at steps of size `lr`, (steps + 1, ..., K); keywords `scheme` of `advantage_slope`.

    Mean and covariance of logits, closed as if they were normal: a step, whose own mean and covariance are exact, is averaged
    over the 2n points of their cubature (Arasaratnam and Haykin 2009). What is left out grows where runs part ways.
    """
    size = check_real("lr", lr, 0, np.inf, "0.1 is small for logits", closed="(]")
    count = check_integer("steps", steps, 1, None, "steps of training")
    policy = _Policy(base, success, kl, skill)
    mean, spread, seen = policy.start, 0 * _outer(policy.start), []
    for _ in range(count + 1):
        logits = _points(mean, spread)
        now = policy.course(logits)
        seen.append([part.mean(0) for part in now])
        moved, noise = policy.step(now, group, **scheme)
        logits = logits + size * moved
        mean = logits.mean(0)
        spread = _outer(logits - mean).mean(0) + size**2 * noise.mean(0)
    return Course(*np.stack(seen, 1))


def advantage_slope(rate: ArrayLike, group: int, **scheme: Any) -> Floats:
    """s_G(p̄): the mean step of a group of G draws over the population's, exact, at accuracies `rate` of any shape.

    a_1 - a_0 with a_v = Σ_m Bin(m; G - 1, p̄) A(v, m), A the advantage of a draw with reward v beside m that are right: 1 - 1/G
    for the group's mean without `scale`, 1 for that of the others or none. The keywords `scheme` are those of
    `learners.policies.group_advantages`: baseline="mean", scale="group", ddof=0, epsilon=0.
    """
    return _moments(numbers("rate", rate, 0, 1, "[]", "an accuracy")[..., None], group, **scheme)[0][..., 0]


def _moments(rate: Floats, group: int, **scheme: Any) -> list[Floats]:
    """Means of what `_others` lists, at accuracies (..., 1) and of that shape."""
    log_ways, values = _others(group, **scheme)
    m = np.arange(len(log_ways))
    mass = np.exp(log_ways + xlogy(m, rate) + xlog1py(m[::-1], -rate))
    return [(mass @ column)[..., None] for column in values]


@lru_cache(typed=True)
def _others(
    group: int, baseline: str | None = "mean", scale: str | None = "group", ddof: int = 0, epsilon: float = 0.0
) -> tuple[Floats, Floats]:
    """By how many of the others are right, m = 0 .. G - 1: ln of the ways to that, and four numbers whose means are wanted.

    A(1, m) - A(0, m), A(0, m)², A(1, m)², and what two draws' difference of advantages is together: a mean over G - 2 others,
    written as one over G - 1 (a Bernstein polynomial of one degree more).
    """
    G = check_integer("group", group, 2, None, "8 is usual")
    known, scales = ("mean", "leave_one_out", None), (None,) if baseline is None else ("group", None)
    check(baseline in known, "baseline", baseline, f"one of {known}", "choose one of them")
    check(scale in scales, "scale", scale, f"one of {scales} with this baseline", "choose one of them")
    ε = check_real("epsilon", epsilon, 0, np.inf, "1e-4 is usual", closed="[)")
    check_integer("ddof", ddof, 0, 1, "0 divides by n, 1 by n - 1")
    m, reward = np.arange(G), np.array([[0], [1]])
    mean = (reward + m) / G
    worth = (reward - mean * (baseline is not None)) * (G / (G - 1) if baseline == "leave_one_out" else 1.0)
    spread = np.sqrt(mean * (1 - mean) * G / (G - ddof)) + ε if scale else np.ones(mean.shape)
    wrong, right = worth / np.where(spread > 0, spread, 1)
    two = right[1:] ** 2 - 2 * right[:-1] * wrong[1:] + wrong[:-1] ** 2
    pair = (np.append(0, m[1:] * two) + np.append(m[:0:-1] * two, 0)) / (G - 1)
    log_ways = gammaln(G) - gammaln(m + 1) - gammaln(G - m)  # logarithms, for groups of thousands
    return log_ways, np.stack([right - wrong, wrong**2, right**2, pair])


def stationary(base: ArrayLike, success: ArrayLike, kl: float) -> Floats:
    """Where the flow with a divergence ends, of the shape of `base`: π ∝ π_0 exp(p/β)."""
    β = check_real("kl", kl, 0, np.inf, "without it one pattern wins", closed="()")
    policy = _Policy(base, success)
    return np.asarray(softmax(policy.start + policy.success / β, -1))


def two_pattern_time(start: ArrayLike, end: ArrayLike, gap: ArrayLike) -> Floats:
    """Time of the flow from one mass of the better of two patterns to a larger one, `gap` = p_1 - p_2 > 0; exact.

    [F(x) - F(x_0)]/(2 gap), F(x) = 2 ln(x/(1-x)) + (2x - 1)/(x (1 - x)), as x' = 2 x² (1-x)² gap; 1/(2 gap x_0) for small x_0.
    """
    x0, x = (numbers(name, value, 0, 1, remedy="a mass") for name, value in (("start", start), ("end", end)))
    Δ = numbers("gap", gap, 0, 1, "(]", "name the better one first")
    check(bool(np.all(x >= x0)), "end", end, "at least `start`", "the better pattern only gains")
    low, high = (2 * logit(mass) + (2 * mass - 1) / (mass * (1 - mass)) for mass in (x0, x))
    return np.asarray((high - low) / (2 * Δ))


def escape(base: ArrayLike, success: ArrayLike) -> Escape:
    """When the best of K patterns has half of the mass along the flow, (K,) and (K,), and the trap on the way."""
    policy = _Policy(base, success)
    check(policy.base.ndim == 1, "base", policy.base.shape, "of shape (K,)", "ask question by question")
    best = int(policy.success.argmax())
    if policy.base[best] >= 0.5:
        return Escape(0.0, float(policy.base[best]))

    def lacks(_: float, y: Floats) -> float:
        return float(softmax(y)[best] - 0.5)

    lacks.terminal = True  # type: ignore[attr-defined]
    found = policy.integrated(FAR, events=lacks)
    return Escape(float(min(found.t_events[0], default=np.inf)), float(softmax(found.y, 0)[best].min()))


def _dot(one: Floats, other: Floats) -> Floats:
    return np.asarray((one * other).sum(-1, keepdims=True))


def _outer(x: Floats) -> Floats:
    return np.asarray(x[..., :, None] * x[..., None, :])


def _points(mean: Floats, spread: Floats) -> Floats:
    """2n points (2n, ..., n) of this mean (..., n) and covariance (..., n, n)."""
    size, axes = np.linalg.eigh(spread)
    arms = np.moveaxis(axes * np.sqrt(mean.shape[-1] * np.maximum(size, 0))[..., None, :], -1, 0)
    return np.asarray(mean + np.concatenate([arms, -arms]))
