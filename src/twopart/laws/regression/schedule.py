"""The learning rates of one pass: constant for a while, then halved again and again."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats
from twopart._checks import check_integer, check_real
from twopart.worlds.regression.arrays import step_sizes


def geometric(steps: int, rate: float) -> Floats:
    """The rates of `steps` steps, shape (steps,): rate · 2^-floor(t/L), halved every L = ceil(steps / log2 steps) steps.

    Of one or two steps none is halved. Source: arXiv 2208.01857, algorithm 1; the base of its logarithm is our choice.
    """
    check_integer("steps", steps, 0, None, "it is the number of steps")
    check_real("rate", rate, 0, np.inf, "it is the first step's; 0 stays where it is", closed="[)")
    return np.asarray(rate * 0.5 ** (np.arange(steps) // np.ceil(effective(steps)) if steps else np.empty(0)))


def effective(steps: int) -> float:
    """steps / log2 steps, for how long the rate of `geometric` stays: the paper's M_eff and N_eff."""
    return steps / max(1.0, float(np.log2(max(steps, 1))))


def scheduled(name: str, rate: ArrayLike, steps: int) -> Floats:
    """The rates of `steps` steps, from one for each or from the first of `geometric`."""
    return geometric(steps, float(rate)) if np.ndim(rate) == 0 else step_sizes(name, rate, steps)  # type: ignore[arg-type]
