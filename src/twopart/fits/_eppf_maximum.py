"""Where the likelihood of a partition is highest, and how far around it stays high: Newton's method, and profiles.

For 1 < K < n the likelihood has its maximum inside θ > -d, 0 < d < 1 or on the edge d = 0. For fixed θ it is concave in d, so a
profile over d is one root of the score; for fixed d the score of θ falls through 0 once (checked on a grid by the tests).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from twopart.fits._eppf import Partition

Floats = NDArray[np.float64]
Point = tuple[float, float, float]
"""d, θ and the log likelihood there."""

STEPS = 100  # Newton takes about five
SMALLEST = 1e-7  # a discount below is not told from 0
CLOSE = 1e-6  # nats that a step promises when it is taken for the last: the next would promise about the square of it
INSET = 1e-8  # how near to an open end of its range, as a share of it, a discount is sought
LEAST = 1e-7  # θ+1 of the least concentration that is looked at


def maximise(partition: Partition) -> Point:
    """The highest point."""
    edge = best_concentration(partition, 0.0)
    inside = _newton(partition)
    bound = (0.0, edge, partition.log_likelihood(0.0, edge))
    return inside if inside[0] > SMALLEST and inside[2] > bound[2] else bound


def _newton(partition: Partition) -> Point:
    """Damped Newton in a = ln(d/(1-d)) and b = ln(θ+d), which range freely."""
    d = min(max(partition.singletons / partition.types, 0.02), 0.98)  # the limit of the share of singletons
    theta = best_concentration(partition, d)
    height = partition.log_likelihood(d, theta)
    for _ in range(STEPS):
        slope, curvature = _in_free_coordinates(partition, d, theta)
        step = _uphill(slope, curvature)
        promise = float(slope @ step)
        if promise < CLOSE:
            d, theta = _moved(d, theta, step)
            return d, theta, partition.log_likelihood(d, theta)
        if d < SMALLEST or (better := _line_search(partition, (d, theta, height), step, promise)) is None:
            break
        d, theta, height = better
    return d, theta, height


def _in_free_coordinates(partition: Partition, d: float, theta: float) -> tuple[Floats, Floats]:
    """Gradient and Hessian by (a, b): dd/da = d(1-d), dθ/da = -dd/da, dθ/db = θ+d."""
    g, h = partition.score(d, theta), partition.hessian(d, theta)
    rate, shift = d * (1 - d), theta + d
    jacobian = np.array([[rate, 0.0], [-rate, shift]])
    bend = np.diag([(g[0] - g[1]) * rate * (1 - 2 * d), g[1] * shift])
    return jacobian.T @ g, jacobian.T @ h @ jacobian + bend


def _uphill(slope: Floats, curvature: Floats) -> Floats:
    """Newton's step, turned uphill where the likelihood is not concave, no coordinate by more than 2."""
    values, vectors = np.linalg.eigh(curvature)
    size = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
    step: Floats = vectors @ ((vectors.T @ slope) / size)
    step *= min(1.0, 2 / np.abs(step).max())
    return step


def _line_search(partition: Partition, at: Point, step: Floats, promise: float) -> Point | None:
    """The first point along the step, halved again and again, that is higher by a ten-thousandth of what it promises."""
    d, theta, height = at
    for part in 0.5 ** np.arange(30):
        point = _moved(d, theta, part * step)
        found = partition.log_likelihood(*point)
        if found >= height + 1e-4 * part * promise:
            return *point, found
    return None


def _moved(d: float, theta: float, step: Floats) -> tuple[float, float]:
    """(d, θ) after a step in the free coordinates."""
    new = 1 / (1 + math.exp(-math.log(d / (1 - d)) - step[0]))
    return new, (theta + d) * math.exp(step[1]) - new


# Profiles


def best_discount(partition: Partition, theta: float) -> float:
    """The d that is most likely with θ: the score falls in d, and to minus infinity as d rises to 1."""
    if theta > 0 and partition.discount_score(0.0, theta) <= 0:
        return 0.0
    low = max(0.0, -theta)
    low, high = low + INSET * (1 - low), 1 - INSET * (1 - low)
    return _root(lambda d: partition.discount_score(d, theta), low, high)


def best_concentration(partition: Partition, d: float) -> float:
    """The θ that is most likely with d: the score falls from infinity at θ = -d to less than 0."""

    def score(b: float) -> float:
        return partition.concentration_score(d, math.exp(b) - d)

    low, high = -1.0, 1.0
    while score(low) < 0:
        low -= 4
    while score(high) > 0:
        high += 4
    return math.exp(_root(score, low, high)) - d


def profile_concentration(partition: Partition, theta: float) -> float:
    """The greatest log likelihood with θ given."""
    return partition.log_likelihood(best_discount(partition, theta), theta)


def profile_discount(partition: Partition, d: float) -> float:
    """The greatest log likelihood with d given."""
    return partition.log_likelihood(d, best_concentration(partition, d))


def concentration_interval(partition: Partition, best: Point, drop: float) -> tuple[float, float]:
    """Both ends in c = ln(θ+1), whose range is the whole line; -1 where the likelihood stays high as far as is looked."""

    def above(c: float) -> float:
        return profile_concentration(partition, math.expm1(c)) - best[2] + drop

    centre, least = math.log1p(best[1]), math.log(LEAST)
    low, high = _crossing(above, centre, -0.5, least), _crossing(above, centre, 0.5, math.inf)
    return -1.0 if low == least else math.expm1(low), math.expm1(high)


def discount_interval(partition: Partition, best: Point, drop: float) -> tuple[float, float]:
    """The upper end in ln(1-d), the lower one in d; 0 and 1 where the likelihood stays high so far."""

    def above(d: float) -> float:
        return profile_discount(partition, d) - best[2] + drop

    least = math.log(INSET)
    high = _crossing(lambda c: above(-math.expm1(c)), math.log1p(-best[0]), -0.05, least)
    low = 0.0 if above(0.0) >= 0 else _root(above, 0.0, best[0])
    return low, 1.0 if high == least else -math.expm1(high)


def _crossing(above: Callable[[float], float], centre: float, step: float, end: float) -> float:
    """Where `above` falls through 0 on the way from `centre` in strides that double; `end` if it does not before."""
    inner = outer = centre
    while above(outer) >= 0:
        if outer == end:
            return end
        inner, outer, step = outer, outer + step, 2 * step
        outer = max(outer, end) if step < 0 else min(outer, end)
    return _root(above, inner, outer)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """A root between `low` and `high`, or the end that is nearer to it where both have one sign."""
    first, last = function(low), function(high)
    if first * last > 0:
        return low if abs(first) < abs(last) else high
    return float(brentq(function, low, high, xtol=1e-13, rtol=1e-13))
