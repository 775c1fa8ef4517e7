"""What two bad proxies of a frequency tell together: how sharp the learner's own threshold is.

t = log10 frequency is not seen; x1 = t + e1 and x2 = a + b t + e2 are, and a fact is known iff t + w z > t0, z standard normal.
With a flat prior of t, e1 and e2 independent normals of deviations s1 and s2:

    t | x1, x2 ~ N(m, v),   v = 1/(1/s1^2 + b^2/s2^2),   m = v (x1/s1^2 + b (x2 - a)/s2^2)
    K = Phi((m - t0)/sqrt(v + w^2)),   x2 | x1 ~ N(a + b x1, b^2 s1^2 + s2^2)

Six parameters, six moments. A single proxy has only w^2 + s1^2. Derived in docs/tools/probe.md; tests plant all six.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import ndtr

from twopart._arguments import shares
from twopart._arrays import finite
from twopart._checks import check

Floats = NDArray[np.float64]
LEAST = 1e-9
MIDDLE, REACH = -1.5, 5.5  # of ln deviations


@dataclass(frozen=True)
class TwoProxies:
    """The six parameters of largest likelihood; deviations in decades."""

    threshold: float
    """t0, log10 of the frequency at which half are known, as the first proxy measures it."""
    width: float
    """w, the learner's own; too large where the proxies' errors go together, and the only one that no prior of t moves much."""
    errors: tuple[float, float]
    """s1 and s2."""
    offset: float
    """a."""
    slope: float
    """b."""
    log_likelihood: float
    """Of who is right and of x2, given x1, in nats."""


def two_proxies(x1: ArrayLike, x2: ArrayLike, right: ArrayLike, guess: ArrayLike) -> TwoProxies:
    """The learner's width from two proxies x1, x2 (N,) in decades, who was `right` (N,) and the `guess` rates (N,) in [0, 1).

    Use it where x2 is linear in x1, and their errors have little in common. Raises `InputError` for fewer than 20 facts,
    arrays of other shapes, numbers that are not finite, and proxies that do not vary.
    """
    x1 = finite("x1", x1, (None,), "one number for each fact")
    x2 = finite("x2", x2, x1.shape, "one number for each fact")
    known, rates = shares("right", right), shares("guess", guess)
    for name, array in (("right", known), ("guess", rates)):
        check(array.shape == x1.shape, name, array.shape, f"of shape {x1.shape}", "give one for each fact")
    check(len(x1) >= 20, "x1", len(x1), "of at least 20 facts", "take more: six numbers are estimated")
    for name, x in (("x1", x1), ("x2", x2)):
        check(float(np.ptp(x)) > 0, name, "one value", "of several values", "give a proxy that varies")
    slope, offset = np.polyfit(x1, x2, 1)
    spread = max(float(np.std(x2 - slope * x1 - offset)), 1e-3)

    def cost(p: Floats) -> tuple[float, Floats]:
        numbers, slopes = _numbers(p), np.ones(6)
        found, rises = _likelihood(x1, x2, known, rates, numbers)
        slopes[1:4] = np.where(np.abs(p[1:4] - MIDDLE) < REACH, numbers[1:4], 0)  # of logarithms
        return -found, -rises * slopes

    def begun(width: float) -> list[float]:
        """Half of what x2 scatters about its line is the first proxy's error."""
        half = spread / np.sqrt(2)
        places = [float(np.median(x1)), np.log(width), np.log(half / max(abs(slope), 1e-3)), np.log(half)]
        return [*places, float(offset), float(slope)]

    best = min((minimize(cost, begun(width), jac=True) for width in (0.1, 0.5)), key=lambda found: float(found.fun))
    t0, w, s1, s2, a, b = _numbers(best.x)
    return TwoProxies(t0, w, (s1, s2), a, b, -float(best.fun))


def _numbers(p: Floats) -> tuple[float, float, float, float, float, float]:
    w, s1, s2 = np.exp(np.clip(p[1:4], MIDDLE - REACH, MIDDLE + REACH)).tolist()
    return float(p[0]), w, s1, s2, float(p[4]), float(p[5])


def _likelihood(
    x1: Floats, x2: Floats, right: Floats, guess: Floats, numbers: tuple[float, ...]
) -> tuple[float, Floats]:
    """Of all facts, and its slopes on the six numbers."""
    t0, w, s1, s2, a, b = numbers
    v = 1 / (1 / s1**2 + b**2 / s2**2)
    m = v * (x1 / s1**2 + b * (x2 - a) / s2**2)
    scale = np.sqrt(v + w**2)
    z = (m - t0) / scale
    K = ndtr(z)
    p = np.clip(K + (1 - K) * guess, LEAST, 1 - LEAST)
    e, between = x2 - a - b * x1, b**2 * s1**2 + s2**2
    gauss = -0.5 * (e**2 / between + np.log(2 * np.pi * between))
    found = float((right * np.log(p) + (1 - right) * np.log1p(-p) + gauss).sum())
    by_z = (1 - guess) * (right - p) / (p * (1 - p)) * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) / scale
    by_between = 0.5 * float((e**2 / between**2 - 1 / between).sum())
    of_m, of_v = float(by_z.sum()), -0.5 * float(by_z @ z) / scale
    to_x1, to_x2 = float(by_z @ (x1 - m)), float(by_z @ (x2 - a - b * m))
    rises = [
        -of_m,
        2 * of_v * w,
        2 * (of_v * v**2 - v * to_x1) / s1**3 + 2 * by_between * b**2 * s1,
        2 * (of_v * v**2 * b**2 - v * b * to_x2) / s2**3 + 2 * by_between * s2,
        -of_m * v * b / s2**2 + float(e.sum()) / between,
        v * (to_x2 - b * float(by_z @ m) - 2 * of_v * v * b) / s2**2
        + float(e @ x1) / between
        + 2 * by_between * b * s1**2,
    ]
    return found, np.array(rises)
