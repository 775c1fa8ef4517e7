"""Special functions where SciPy's lose digits: ratios of Gamma functions at large arguments, and means over counts.

A difference gammaln(x + s) - gammaln(x) at x = 1e9 cancels ten digits; everything here keeps at least ten.

    log_gamma_ratio     ln Γ(x+s)/Γ(x)
    log_gamma_cross     the same at two places, subtracted: ln Γ(x+s+m)Γ(x) / (Γ(x+s)Γ(x+m))
    digamma_step        ψ0(x+m) - ψ0(x)
    log_beta_binomial   ln BetaBin(j; n, a, b), and means over its counts
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

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


def log_gamma_cross(x: ArrayLike, s: ArrayLike, m: ArrayLike) -> Floats:
    """ln Γ(x+s+m)Γ(x) / (Γ(x+s)Γ(x+m)) for x > 0, m >= 0, s > -x: Σ_{i<m} ln(1 + s/(x+i)) if m is whole.

    Nearly all digits are kept however large x and m are and however small s or m is. With f(x) = ln Γ(x), A = x + 16:
    f(A+s+m) - f(A+s) - f(A+m) + f(A) by Stirling's series, in which the leading terms are
    s ln(1 + m/(A+s)) + s [g(s/A) - g(s/(A+m))], g(u) = 1 - ln(1+u)/u; and sixteen steps of Γ(x+1) = xΓ(x) down to x.
    Source: derived here; s is the smaller of the two in size, as the function is symmetric in them.
    """
    x, s, m = np.broadcast_arrays(*(np.asarray(v, float) for v in (x, s, m)))
    swap = np.abs(s) > m
    s, m = np.where(swap, m, s), np.where(swap, s, m)
    both, product = s + m, s * m
    steps = sum(np.log1p(product / ((x + i) * (x + both + i))) for i in range(_SHIFT))
    a = x + _SHIFT
    leading = s * (np.log1p(m / (a + s)) + _log1p_gap(s / a) - _log1p_gap(s / (a + m)))
    middle = 0.5 * np.log1p(product / (a * (a + both)))
    return np.asarray(steps + leading + middle + _tail_cross(a, s, m))


_SHIFT = 16
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)  # B_2k / (2k (2k-1)), k = 1, 2, ...


def _tail_cross(x: Floats, s: Floats, m: Floats) -> Floats:
    """h(x+s+m) - h(x+s) - h(x+m) + h(x) for h, Stirling's series behind its leading terms, at x > 15.

    For h = x^-p it is x^-p [(e-1)(f-1) + e f (g-1)] with e = (1+s/x)^-p, f = (1+m/x)^-p, g = (1 - sm/((x+s)(x+m)))^-p.
    """
    logs = np.log1p(s / x), np.log1p(m / x), np.log1p(-s * m / ((x + s) * (x + m)))
    total = np.zeros_like(x)
    for k, c in enumerate(_STIRLING):
        p = 2 * k + 1
        e, f, g = (np.expm1(-p * log) for log in logs)
        total += c * x**-p * (e * f + (1 + e) * (1 + f) * g)
    return total


def _log1p_gap(u: Floats) -> Floats:
    """1 - ln(1+u)/u = u/2 - u²/3 + u³/4 - ..., 0 at 0."""
    small = np.abs(u) < 0.1
    z = np.where(small, u, 0.1)
    series = np.zeros_like(z)
    for k in range(18, 1, -1):
        series = z * (1 / k - series)
    w = np.where(small, 1.0, u)
    return np.where(small, series, 1 - np.log1p(w) / w)


def digamma_step(x: ArrayLike, m: ArrayLike) -> Floats:
    """ψ0(x+m) - ψ0(x) for x > 0, m >= 0: the slope of `log_gamma_cross` at s = 0, which at s = 1e-100 is reached exactly."""
    return log_gamma_cross(x, 1e-100, m) / 1e-100


def log_beta_binomial(j: ArrayLike, n: ArrayLike, a: float, b: float) -> Floats:
    """ln BetaBin(j; n, a, b) = ln C(n, j) B(j + a, n - j + b) / B(a, b), for real j in [0, n].

    As Γ(j+a)/(Γ(a) j!) times two ratios in which all that is large cancels.
    """
    j, n = np.asarray(j, float), np.asarray(n, float)
    first = log_gamma_ratio(j + 1, a - 1) - gammaln(a)
    rest = n - j  # b < 1 may be far smaller than the rounding of b - 1
    second = log_gamma_cross(rest + b, 1 - b, j) if b < 1 else -log_gamma_cross(rest + 1, b - 1, j)
    return np.asarray(first + second - log_gamma_cross(b, a, n))


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
GAUSS_LEGENDRE = leggauss(12)  # nodes and weights per octave between


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
    x, w = GAUSS_LEGENDRE
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
