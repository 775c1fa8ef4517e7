"""The learning rates of one pass: constant for a while, then halved again and again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arrays import Floats
from twopart._checks import check_integer, check_real
from twopart.worlds.regression.arrays import step_sizes


def geometric(steps: int, rate: float) -> Floats:
    """The rates of `steps` steps, shape (steps,): rate · 2^-floor(t/L), halved every L = ceil(steps / log2 steps) steps.

    Of one or two steps none is halved. Source: arXiv 2208.01857, algorithm 1; the base of its logarithm is our choice.
    """
    check_integer("steps", steps, 0, None, "it is the number of steps")
    check_real("rate", rate, 0, np.inf, "it is the first step's; 0 stays where it is", closed="[)")
    rates, counts = phases(np.array([rate]), np.array([steps]))
    return np.repeat(rates[0], counts[0])


def phases(rate: Floats, steps: Any) -> tuple[Floats, NDArray[np.int64]]:
    """Of many schedules, (n,), the rates and how many steps have each, never more than the one before, both (n, phases)."""
    length = np.maximum(np.ceil(effective(steps)), 1)
    k = np.arange(max(1, int(np.ceil(steps / length).max())))
    counts = np.clip(steps[:, None] - length[:, None] * k, 0, length[:, None])
    return rate[:, None] * 0.5**k, counts.astype(np.int64)


def effective(steps: Any) -> Any:
    """steps / log2 steps, a number or an array, for how long the rate of `geometric` stays: the paper's M_eff and N_eff."""
    return steps / np.maximum(1.0, np.log2(np.maximum(steps, 1)))


def scheduled(name: str, rate: ArrayLike, steps: int) -> Floats:
    """The rates of `steps` steps, from one for each or from the first of `geometric`."""
    return geometric(steps, float(rate)) if np.ndim(rate) == 0 else step_sizes(name, rate, steps)  # type: ignore[arg-type]
