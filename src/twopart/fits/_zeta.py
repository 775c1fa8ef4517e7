"""The law of discrete power tails, P(x) = x^-s / ζ(s, q) for x = q, q+1, ..., s > 1: moments and draws.

Everything rests on the Hurwitz zeta function ζ(s, q) = Σ_{x>=q} x^-s and its first two derivatives in s, scaled by q^s so that
no exponent, however large, underflows:
    M_k(s, q) = Σ_{x>=q} ln^k(x/q) (x/q)^-s,   k = 0, 1, 2.
The first terms are summed one by one, the rest by Euler and Maclaurin's formula, whose integral ∫ (x/q)^-s ln^k(x/q) dx and
corrections c_r (s)_{2r-1} X^(1-2r-s) have closed derivatives. So s near 1, where the plain sum never ends, and s of 100 are
as exact as s = 2.5: to eleven digits (tests/fits/test_discrete_power_law.py, against mpmath).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DIRECT = 24  # terms summed one by one
CORRECTIONS = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000)  # B_2r / (2r)!
HEAD = 1024  # values that draws are counted for by a multinomial, the few beyond are drawn one by one
FARTHEST = 1e300  # draws beyond are moved here: floats end


def log_moments(s: ArrayLike, q: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """ln(ζ(s, q) q^s), and mean and variance of ln(x/q); `s` > 1 and `q` >= 1 broadcast."""
    s, q = np.broadcast_arrays(np.asarray(s, float), np.asarray(q, float))
    k = np.arange(DIRECT).reshape(-1, *(1,) * s.ndim)
    logs = np.log1p(k / q)
    terms = np.exp(-s * logs)
    sums = [terms.sum(0), (terms * logs).sum(0), (terms * logs * logs).sum(0)]
    m0, m1, m2 = (head + rest for head, rest in zip(sums, _rest(s, q), strict=True))
    mean = m1 / m0
    return np.log(m0), mean, m2 / m0 - mean * mean


def _rest(s: Floats, q: Floats) -> tuple[Floats, Floats, Floats]:
    """What the terms from X = q + DIRECT on add to M_0, M_1 and M_2: the integral, half the first term, the corrections."""
    x, t = q + DIRECT, s - 1
    log = np.log1p(DIRECT / q)
    first = np.exp(-s * log)
    r0, r1, r2 = x / t + 0.5, x * (log / t + t**-2) + log / 2, x * (log**2 / t + 2 * log / t**2 + 2 / t**3) + log**2 / 2
    rising, inverse, squares = s.copy(), 1 / s, 1 / s**2  # (s)_{2r-1}, and -d/ds, d²/ds² of its logarithm by parts
    for r, c in enumerate(CORRECTIONS):
        if r:
            a, b = s + 2 * r - 1, s + 2 * r
            rising, inverse, squares = rising * a * b, inverse + 1 / a + 1 / b, squares + a**-2 + b**-2
        size, pull = c * rising * x ** -(2 * r + 1), log - inverse
        r0, r1, r2 = r0 + size, r1 + size * pull, r2 + size * (pull**2 - squares)
    return first * r0, first * r1, first * r2


def draw_table(random: np.random.Generator, s: float, q: int, n: int) -> tuple[Floats, NDArray[np.int64]]:
    """`n` draws as a table: the values that occur, increasing, and how often each does."""
    heads = q + np.arange(HEAD, dtype=float)
    mass = np.exp(-s * np.log(heads / q) - float(log_moments(s, q)[0]))
    often = random.multinomial(n, np.append(mass, max(0.0, 1 - mass.sum())))
    far, far_often = np.unique(_reject(random, s, q + HEAD, int(often[-1])), return_counts=True)
    met = often[:-1] > 0
    return np.r_[heads[met], far], np.r_[often[:-1][met], far_often]


def _reject(random: np.random.Generator, s: float, q: int, n: int) -> Floats:
    """`n` draws by rejection from floor(Y), Y Pareto from q on (Devroye 1986, section X.6.1, for any q).

    P(floor(Y) = x) is proportional to x^(1-s) - (x+1)^(1-s), and x^-s over it falls in x: no ratio exceeds that at q.
    """
    out = np.empty(0)
    most = _ratio(np.array(float(q)), s)
    while len(out) < n:
        size = int(1.2 * (n - len(out))) + 16
        with np.errstate(over="ignore"):  # an overflow is a draw beyond FARTHEST
            pareto = np.minimum(q * (1 - random.random(size)) ** (-1 / (s - 1)), FARTHEST)
        x = np.floor(pareto)
        out = np.r_[out, x[random.random(size) * most <= _ratio(x, s)]]
    return out[:n]


def _ratio(x: Floats, s: float) -> Floats:
    """(1/x) / (1 - (1 + 1/x)^(1-s))."""
    return np.asarray(-1 / x / np.expm1((1 - s) * np.log1p(1 / x)))
