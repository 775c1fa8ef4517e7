"""Policy gradient on tables of softmax logits, many runs at once: REINFORCE and GRPO with rewards that know a truth or none.

    runs = np.tile(np.log(world.masses), (200, 1, 1))                       # (R, Q, K)
    policy, success = train(runs, world, GRPO(group=8), steps=400, lr=0.1)  # masses and rates of right answers

A step adds lr mean_g A_g (e_{r_g} - π) for the patterns r_g drawn, less lr β π (l - Σ π l), l = ln(π/π_0): the gradient of the
divergence from the first policy itself, not an estimate of it. Answers are trained alike at `skill` times the rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from scipy.special import log_softmax

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer, check_real
from twopart.learners.policies.advantages import GRPO, Reinforce, Verifiable


class State(NamedTuple):
    """Arrays (R, Q, K), of the logits' float type."""

    policy: Floats
    success: Floats


def descend(
    logits: Any, world: Any, method: Reinforce | GRPO, lr: float,
    *, reward: Any = None, skill: float = 0.0, seed: int = 0,
) -> Iterator[State]:  # fmt: skip
    """The state after each step, without end, from logits (R, Q, K); float32 stays float32. Checked before the first step.

    `world` is a `worlds.policies.Patterns`, or anything with `rates` (Q, K) and `sample(policy, group, generator, success)`
    that gives patterns and answers (R, Q, G), 0 the right one. `reward` maps answers, `truth` and `logp` to rewards (R, Q, G);
    None: `Verifiable()`. Raises `InputError` for other shapes, nan, and `skill` > 0 where a rate is 0 or 1.
    """
    shape = (None, *world.rates.shape)
    check(hasattr(method, "advantages"), "method", method, "a method such as Reinforce() or GRPO()", "give one of them")
    theta = finite("logits", logits, shape, "runs, questions, patterns as the world has", dtype=None)
    rate = check_real("lr", lr, 0, np.inf, "0.1 is small for logits", closed="(]")
    learns = check_real("skill", skill, 0, np.inf, "0 leaves answers as they are", closed="[)")
    a = np.broadcast_to(world.rates, theta.shape).astype(theta.dtype)
    trained = bool(((a > 0) & (a < 1)).all()) or learns == 0
    check(trained, "skill", skill, "0 where patterns are always right or wrong", "or take rates in (0, 1)")
    random, judged, K, kind = _random.generator(seed, "policy"), reward or Verifiable(), theta.shape[-1], theta.dtype
    base = logp = log_softmax(theta, -1)
    policy, phi = np.exp(logp), np.log(a / (1 - a)) if learns else None
    while True:
        pattern, answer = world.sample(policy, method.group, random, a if learns else None)
        drawn = np.take_along_axis(logp, pattern, -1)
        worth = method.advantages(judged(answer, truth=0, logp=drawn)).astype(kind)[..., None] / method.group
        chosen = pattern[..., None] == np.arange(K)
        moved = (worth * chosen).sum(-2) - worth.sum(-2) * policy
        if method.kl:
            away = logp - base
            moved = moved - method.kl * policy * (away - (policy * away).sum(-1, keepdims=True))
        if phi is not None:
            surprise = (answer == 0) - np.take_along_axis(a, pattern, -1)
            phi = phi + rate * learns * (worth * surprise[..., None] * chosen).sum(-2)
            a = (1 / (1 + np.exp(-phi))).astype(kind)
        theta = (theta + rate * moved).astype(kind)
        logp = log_softmax(theta, -1)
        policy = np.exp(logp)
        yield State(policy, a)


def train(policy: Any, world: Any, method: Reinforce | GRPO, steps: int, lr: float, **options: Any) -> State:
    """The state after so many steps, from logits (R, Q, K); the options are those of `descend`."""
    count = check_integer("steps", steps, 1, None, "steps of training")
    return next(islice(descend(policy, world, method, lr, **options), count - 1, None))
