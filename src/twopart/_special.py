"""Special functions where SciPy's lose digits: ratios of Gamma functions at large arguments, and means over counts.

A difference gammaln(x + s) - gammaln(x) at x = 1e9 cancels ten digits; everything here keeps at least ten.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln

Floats = NDArray[np.float64]


def log_gamma_ratio(x: ArrayLike, s: ArrayLike) -> Floats:
    """ln Γ(x + s) - ln Γ(x) for x > 0, x + s > 0; absolute error about 1e-12 (1 + |s| ln x).

    Above 100 by Stirling's series for both, whose large terms cancel in closed form; below, directly.
    """
    x, s = np.broadcast_arrays(np.asarray(x, float), np.asarray(s, float))
    large = np.minimum(x, x + s) > 100
    big = np.where(large, x, 200.0)
    step = np.where(large, s, 0.0)
    stirling = (big + step - 0.5) * np.log1p(step / big) + step * np.log(big) - step + _tail(big + step) - _tail(big)
    small = np.where(large, 1.0, x)
    return np.asarray(np.where(large, stirling, gammaln(small + np.where(large, 0.0, s)) - gammaln(small)))


def _tail(x: Floats) -> Floats:
    """Stirling's series behind its leading terms: 1/(12x) - 1/(360x³) + 1/(1260x⁵)."""
    return np.asarray((1 / 12 - (1 / 360 - 1 / (1260 * x * x)) / (x * x)) / x)


def log_beta_binomial(j: ArrayLike, n: ArrayLike, a: float, b: float) -> Floats:
    """ln BetaBin(j; n, a, b) = ln C(n, j) B(j + a, n - j + b) / B(a, b), for real j in [0, n]."""
    j, n = np.asarray(j, float), np.asarray(n, float)
    up, down = log_gamma_ratio(j + 1, a - 1), log_gamma_ratio(n - j + 1, b - 1)
    return np.asarray(up + down - log_gamma_ratio(n + 1, a + b - 1) - betaln(a, b))


def mean_log2_count(n: int, a: float, b: float, shift: float) -> float:
    """E[log2(J + shift); J + shift > 0] for J ~ BetaBin(n, a, b): shift = -d leaves out J = 0, as its entity is new.

    The first and last counts are summed one by one, those between by Gauss-Legendre (`smooth_sum`).
    """
    nodes, weights = sum_nodes(n)
    keep = nodes + shift > 0
    j = nodes[keep]
    terms = np.exp(log_beta_binomial(j, n, a, b)) * np.log2(j + shift)
    return float(np.dot(weights[keep], terms))


EXACT = 128  # counts summed one by one at either end
ORDER = 12  # Gauss-Legendre nodes per octave between


def sum_nodes(n: int) -> tuple[Floats, Floats]:
    """Nodes and weights with Σ_{j=0..n} f(j) = Σ w f(x), for f smooth on the scale of the distance to either end.

    The ends are exact. Between them, octave by octave away from the nearer end, the sum over [lo, hi) is the integral over
    [lo - 1/2, hi - 1/2] less f''/24: each integral's nodes carry the second difference that corrects it.
    """
    if n < 4 * EXACT:
        return np.arange(n + 1.0), np.ones(n + 1)
    half = n // 2
    left, left_weights = _octaves(half + 1)
    right, right_weights = _octaves(n - half)
    return np.concatenate([left, n - right]), np.concatenate([left_weights, right_weights])


def _octaves(stop: int) -> tuple[Floats, Floats]:
    """`sum_nodes` for j = 0..stop-1, smooth away from 0."""
    x, w = leggauss(ORDER)
    nodes, weights = [np.arange(float(EXACT))], [np.ones(EXACT)]
    lo = EXACT
    while lo < stop:
        hi = min(2 * lo, stop)
        half = (hi - lo) / 2
        nodes.append(lo - 0.5 + half * (1 + x))
        weights.append(half * w)
        lo = hi
    # Σ f(j) over [lo, hi) = ∫ f - (f'(hi-1/2) - f'(lo-1/2))/24 + ...; inner edges cancel, the outer two remain.
    for edge, sign in ((EXACT - 0.5, 1.0), (stop - 0.5, -1.0)):
        nodes.append(np.array([edge - 0.5, edge + 0.5]))
        weights.append(np.array([-1.0, 1.0]) * sign / 24)
    return np.concatenate(nodes), np.concatenate(weights)
