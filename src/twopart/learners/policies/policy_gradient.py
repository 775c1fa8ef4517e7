"""Policy gradient on tables of softmax logits, many runs at once: REINFORCE and GRPO with rewards that know a truth or none.

    runs = np.tile(np.log(world.masses), (200, 1, 1))                       # (R, Q, K)
    policy, success = train(runs, world, GRPO(group=8), steps=400, lr=0.1)  # masses and rates of right answers

A step adds lr mean_g A_g (e_{r_g} - π) for the patterns r_g drawn, less lr β π (l - Σ π l), l = ln(π/π_0): the gradient of the
divergence from the first policy itself, not an estimate of it. Answers are trained alike at `skill` times the rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.learners.policies.advantages import GRPO, Reinforce, Verifiable


class Questions(Protocol):
    """What is asked: `worlds.policies.Patterns`, or anything that draws patterns and answers, 0 the right one."""

    @property
    def rates(self) -> Floats:
        """How often patterns are right at first, (Q, K)."""

    def draw(self, policy: Floats, group: int, random: np.random.Generator, success: Floats | None = None) -> Any:
        """Patterns and answers (R, Q, G) under masses (R, Q, K); `success` of that shape where answers are trained."""


class State(NamedTuple):
    """Arrays (R, Q, K), of the logits' float type."""

    policy: Floats
    success: Floats


def descend(
    logits: Any,
    world: Questions,
    method: Reinforce | GRPO,
    lr: float,
    *,
    reward: Any = None,
    skill: float = 0.0,
    seed: int = 0,
) -> Iterator[State]:
    """The state after each step, without end, from logits (R, Q, K); float32 stays float32.

    `reward` maps answers (R, Q, G), with `truth` and `logp`, to rewards of that shape; None: `Verifiable()`.
    """
    start = finite("logits", logits, (None, None, None), "runs, questions, patterns", dtype=None)
    fits = start.shape[1:] == world.rates.shape
    check(fits, "logits", start.shape, f"of shape (R, {', '.join(map(str, world.rates.shape))})", "as the world has")
    rate = check_real("lr", lr, 0, np.inf, "0.1 is small for logits", closed="(]")
    trains = check_real("skill", skill, 0, np.inf, "0 leaves answers as they are", closed="[)") > 0
    p = world.rates
    check(not trains or bool(((p > 0) & (p < 1)).all()), "success", p, "in (0, 1) where it is trained", "or skill=0")
    return _descend(start, world, method, rate, reward or Verifiable(), float(skill), _random.generator(seed, "policy"))


def _descend(
    theta: Any, world: Questions, method: Any, lr: float, reward: Any, skill: float, random: Any
) -> Iterator[State]:
    G, K, kind = method.group, theta.shape[-1], theta.dtype
    a = np.broadcast_to(world.rates, theta.shape).astype(kind)
    base, phi = _log_softmax(theta), np.log(a / (1 - a)) if skill else None
    while True:
        logp = _log_softmax(theta)
        policy = np.exp(logp)
        pattern, answer = world.draw(policy, G, random, a if skill else None)
        drawn = np.take_along_axis(logp, pattern, -1)
        worth = method.advantages(reward(answer, truth=0, logp=drawn)).astype(kind) / G
        chosen = pattern[..., None] == np.arange(K)
        moved = (worth[..., None] * chosen).sum(-2) - worth.sum(-1, keepdims=True) * policy
        if method.kl:
            away = logp - base
            moved = moved - method.kl * policy * (away - (policy * away).sum(-1, keepdims=True))
        if phi is not None:
            surprise = (answer == 0) - np.take_along_axis(a, pattern, -1)
            phi = phi + lr * skill * ((worth * surprise)[..., None] * chosen).sum(-2)
            a = (1 / (1 + np.exp(-phi))).astype(kind)
        theta = (theta + lr * moved).astype(kind)
        yield State(np.exp(_log_softmax(theta)), a)


def train(
    policy: Any, world: Questions, method: Reinforce | GRPO, steps: int, lr: float, **options: Any
) -> State:
    """The state after so many steps, from logits (R, Q, K); the options are those of `descend`."""
    count = check_integer("steps", steps, 1, None, "steps of training")
    return next(islice(descend(policy, world, method, lr, **options), count - 1, None))


def _log_softmax(logits: Floats) -> Floats:
    centred = logits - logits.max(-1, keepdims=True)
    return np.asarray(centred - np.log(np.exp(centred).sum(-1, keepdims=True)))
