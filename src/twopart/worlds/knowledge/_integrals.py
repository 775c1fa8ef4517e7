"""Two integrals against the Beta law of the size-biased weight p ~ Beta(a, b), 0 < a <= 1, b > 0, that SciPy does not have.

    thinned_miss    E[(1 - τp)^n]
    inverse_above   E[1/p; p > x]

In the logit y = ln p/(1-p), q = 1-p, the law has the density φ(y) = p^a q^b / B(a, b), which falls off as slowly as a and b are
small. Both integrals are therefore rewritten (derived here) as sums of positive terms, so that nothing cancels, and fall
off as e^-|y| or faster whatever a and b; then one grid reaches them to 12 digits, for n or b up to 10^12.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import gammaln

from twopart._special import log_gamma_ratio

Floats = NDArray[np.float64]

REACH = 40.0  # in y: e^-40 of the integral is left out
ROWS = 1024  # arguments worked on together


def thinned_miss(n: Floats, thinning: float, a: float, b: float) -> Floats:
    """E[(1 - τp)^n] for each n >= 0, shape (numbers,), τ = `thinning` in (0, 1).

    With H = (1-τp)^n, least at p = 1 where it is (1-τ)^n = H1,
        E[pH] = E[p] H1 + E[p (H - H1)]   and by parts   E[qH] = ∫ φ pqH [a + b + 1 + nτq/(1-τp)] dy / a.
    The sum over equally spaced y is exact up to e^(-π²/spacing), as the integrand is analytic for |Im y| < π/2.
    """
    parts = [_thinned_rows(n[i : i + ROWS, None], thinning, a, b) for i in range(0, len(n), ROWS)]
    beyond = np.exp(n * np.log1p(-thinning)) * a / (a + b)
    return np.asarray(np.concatenate([n[:0], *parts]) + beyond)


def _thinned_rows(n: Floats, thinning: float, a: float, b: float) -> Floats:
    """All of `thinned_miss` but E[p] H1; `n` has shape (rows, 1)."""
    spacing = 0.25
    steps = np.arange(-REACH / spacing, REACH / spacing + 1) * spacing
    y = steps - np.log1p(n * thinning + b)  # the integrand is largest about there
    log_p, log_q = -np.logaddexp(0, -y), -np.logaddexp(0, y)
    p, q = np.exp(log_p), np.exp(log_q)
    miss = q + (1 - thinning) * p  # 1 - τp
    log_h = n * np.where(thinning * p < 0.5, np.log1p(-thinning * p), np.log(miss))
    excess = -np.expm1(-n * np.log1p(q * thinning / (1 - thinning)))  # 1 - H1/H
    factor = q * (a + b + 1 + n * thinning * q / miss) / a + excess
    integrand = np.exp(a * log_p + b * log_q + log_h) * p * factor
    return np.asarray(integrand.sum(1) * spacing / np.exp(log_beta(a, b)))


def inverse_above(x: Floats, a: float, b: float) -> Floats:
    """E[1/p; p > x] for each x in (0, 1), shape (numbers,).

    B(a, b) times it is ∫_x^1 p^(a-2) q^(b-1) dp = (1-x)^b/b + ∫ (p^(a-2) - 1) p q^b dy over y > logit x, the latter by
    Gauss-Legendre in panels that get finer towards x, where the integrand may fall off within 1/(bx).
    """
    parts = [_inverse_rows(x[i : i + ROWS, None], a, b) for i in range(0, len(x), ROWS)]
    return np.concatenate([x[:0], *parts])


def _inverse_rows(x: Floats, a: float, b: float) -> Floats:
    nodes, weights = _panels()
    y = np.log(x) - np.log1p(-x) + nodes
    log_p, log_q = -np.logaddexp(0, -y), -np.logaddexp(0, y)
    integrand = -np.expm1((2 - a) * log_p) * np.exp((a - 1) * log_p + b * log_q)
    one = np.exp(b * np.log1p(-x[:, 0])) / b
    return np.asarray(((integrand * weights).sum(1) + one) / np.exp(log_beta(a, b)))


@lru_cache(maxsize=1)
def _panels() -> tuple[Floats, Floats]:
    """Nodes and weights on [0, 2 REACH]: panels 2.5 wide, the first one halved ten times towards 0."""
    width = 2.5
    edges = width * np.concatenate([[0.0], 2.0 ** np.arange(-10, 0), np.arange(1, 2 * REACH / width + 1)])
    x, w = leggauss(16)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + x)).ravel(), (half * w).ravel()


def log_beta(a: float, b: float) -> float:
    """ln B(a, b) for a in (0, 1] and any b > 0: SciPy's loses digits when b is large."""
    return float(gammaln(a) - log_gamma_ratio(b, a))
