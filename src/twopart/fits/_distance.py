"""Kolmogorov and Smirnov's distance between tails of a sample and the power laws fitted to them, and which tail is nearest.

Between values that occur the sample's distribution stands still, so the gaps to look at are those just before and at each
value. The law's survival P(X >= x) = ζ(s, x) / ζ(s, q) is walked up along the values: term by term while x is small, by
Euler and Maclaurin's formula beyond. A tail is left as soon as one gap exceeds the best tail's distance.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twopart._numba import inlined, kernel
from twopart.fits._zeta import CORRECTIONS

NEAR = 32.0  # term by term up to s + NEAR
_CORRECTIONS = np.array(CORRECTIONS)


@kernel
def nearest(
    values: Any, logs: Any, often: Any, above: Any, starts: Any, xmins: Any, exponents: Any, log_zetas: Any
) -> Any:
    """Which of the tails, each the values from `starts[c]` on, is nearest to its law, and its distance.

    `log_zetas` are ln(ζ(s, xmin) xmin^s). All distances are exact to 1e-13.
    """
    best, least = 0, np.inf
    coefficients = np.empty(len(_CORRECTIONS))
    for c in range(len(starts)):
        s, q = exponents[c], xmins[c]
        rising = s
        for r in range(len(_CORRECTIONS)):
            coefficients[r] = _CORRECTIONS[r] * rising
            rising *= (s + 2 * r + 1) * (s + 2 * r + 2)
        found = _distance(values, logs, often, above, starts[c], q, s, log_zetas[c], coefficients, least)
        if found < least:
            best, least = c, found
    return best, least


@inlined
def _distance(
    values: Any,
    logs: Any,
    often: Any,
    above: Any,
    start: Any,
    q: Any,
    s: Any,
    log_zeta: Any,
    coefficients: Any,
    enough: Any,
) -> Any:
    """The distance of one tail, or the first gap that is at least `enough`."""
    worst, total, log_q = 0.0, above[start], np.log(q)
    at, below = q, 0.0  # P(X < at)
    for j in range(start, len(values)):
        x = values[j]
        mass = np.exp(-s * (logs[j] - log_q) - log_zeta)
        if x < s + NEAR:
            while at < x:
                below += np.exp(-s * (np.log(at) - log_q) - log_zeta)
                at += 1
            law = 1 - below
        else:
            corrections, inverse = 0.0, 1 / x
            for r in range(len(coefficients) - 1, -1, -1):
                corrections = corrections * inverse * inverse + coefficients[r]
            law = mass * (x / (s - 1) + 0.5 + corrections * inverse)
        share = above[j] / total
        worst = max(worst, abs(share - law), abs(share - often[j] / total - law + mass))
        if worst >= enough:
            break
    return worst
