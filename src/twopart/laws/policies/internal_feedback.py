"""Rewards without a truth: accuracy rises and may fall again, and where it ends the base model has decided.

A question's right answer has logit φ and probability a = σ(φ). `votes` are the m answers drawn for a step, all of which vote;
None stands for the entropy reward (`learners.policies.SelfCertainty`) on the whole population. Derived in
docs/laws/rl-pattern-selection.md. Policies with a logit for each of two answers move φ at twice the rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.special import expit, logit
from scipy.stats import binom, norm

from twopart._arrays import Floats, numbers
from twopart._checks import check, check_integer, check_real
from twopart.laws.policies.pattern_selection import instants

TIMES = np.linspace(0, 50, 5001)  # among which a peak is sought


class Peak(NamedTuple):
    """The course of the mean accuracy over questions."""

    time: float
    """When to stop, in units of 1/lr; 50 where it has not fallen by then."""
    accuracy: float
    """The most that is reached."""
    end: float
    """The share of questions whose right answer was the majority's (a half of one at a = 1/2): where all training ends."""


def vote_moments(rate: ArrayLike, votes: int) -> tuple[Floats, Floats]:
    """Mean and variance of a step of φ over its size, exact: f(c) = sign(c - m/2) c (m - c)/m², c ~ Bin(m, a).

    Reward 1 for the strict majority and none in a tie, group-mean baseline.
    """
    a, m = numbers("rate", rate, 0, 1, "[]", "a probability"), check_integer("votes", votes, 2, None, "8 is usual")
    c, f = _steps(m)
    mass = binom.pmf(c, m, a[..., None])
    mean = (mass * f).sum(-1)
    return mean, (mass * f**2).sum(-1) - mean**2


def certainty_flow(start: ArrayLike, times: ArrayLike, votes: int | None = None) -> Floats:
    """Probability of each question's right answer at `times` (T,), from `start` (Q,): shape (T, Q).

    φ' = a (1 - a) φ for the entropy; the mean of `vote_moments` for a majority of m.
    """
    a0, at = numbers("start", start, 0, 1, remedy="a probability"), instants(times)
    check(a0.ndim == 1, "start", a0.shape, "of shape (Q,)", "one probability for each question")

    def velocity(_: float, phi: Floats) -> Floats:
        a = expit(phi)
        return a * (1 - a) * phi if votes is None else vote_moments(a, votes)[0]

    path = solve_ivp(velocity, (0.0, max(at[-1], 1e-12)), logit(a0), "LSODA", at, rtol=1e-9, atol=1e-12)
    return np.asarray(expit(path.y.T))


def peak(start: ArrayLike, votes: int | None = None) -> Peak:
    """When accuracy is highest, from base probabilities of right answers (Q,) alone.

    Of m votes with c right, (c + 1/2)/(m + 1) estimates one.
    """
    accuracy = certainty_flow(start, TIMES, votes).mean(-1)
    top, a0 = int(accuracy.argmax()), np.asarray(start)
    return Peak(float(TIMES[top]), float(accuracy[top]), float(((a0 > 0.5) + 0.5 * (a0 == 0.5)).mean()))


def luck(start: ArrayLike, votes: int, lr: float) -> Floats:
    """P(a question ends right) by majority votes at step size `lr` of φ, for base probabilities near 1/2, of any shape.

    Φ(φ_0 √(2k/(lr v))), as dφ = k φ dt + √(lr v) dW near 1/2; k the slope of the mean step there, v its variance. Found within
    0.015 of simulations for lr <= 0.8 and |φ_0| <= 0.4.
    """
    a0, m = numbers("start", start, 0, 1, remedy="a probability"), check_integer("votes", votes, 2, None, "8 is usual")
    size = check_real("lr", lr, 0, np.inf, "0 would leave nothing to luck", closed="()")
    c, f = _steps(m)
    slope, variance = (binom.pmf(c, m, 0.5) * f) @ (c - m / 2), vote_moments(0.5, m)[1]
    return np.asarray(norm.cdf(logit(a0) * np.sqrt(2 * slope / (size * variance))))


def _steps(m: int) -> tuple[NDArray[np.int64], Floats]:
    """Right votes c = 0, ..., m, and the step of φ that each brings."""
    c = np.arange(m + 1)
    return c, np.sign(c - m / 2) * c * (m - c) / m**2
