"""What templates still cost after n sentences, each of attribute a with probability π_a: r_a(n) = E[r(Bin(n, π_a))].

`thinned_redundancy` is exact and takes milliseconds for each n; `untaught` is for laws that ask for thousands of them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from scipy.special import gammaln

from twopart.laws.knowledge.syntax import template_redundancy
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

Floats = NDArray[np.float64]

FEW = 24  # so many different whole numbers of sentences are worked out one by one
FARTHEST = 10**9  # beyond, redundancies drown in rounding, and only the leading term and its first correction are left


@lru_cache(maxsize=1 << 14)
def thinned_redundancy(templates: int, alpha: float, n: int, share: float) -> float:
    """E[r(c)] for c ~ Bin(n, share), r the `template_redundancy`.

    The binomial is summed within 9 standard deviations, at every integer while they are few and at steps of half a standard
    deviation when many: for so smooth a bump the step sum is as exact as the full one (Poisson summation).
    """
    if share == 1:
        return float(template_redundancy(templates, alpha, n))
    deviation = np.sqrt(n * share * (1 - share))
    reach = 9 * deviation + 9
    c = np.arange(
        max(0, int(n * share - reach)), min(n, int(n * share + reach)) + 1, max(1, int(deviation / 2)), dtype=float
    )
    logs = gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1) + c * np.log(share) + (n - c) * np.log1p(-share)
    weights = np.exp(logs - logs.max())
    return float(np.dot(weights, template_redundancy(templates, alpha, c)) / weights.sum())


def untaught(world: SyntaxKnowledge, n: Floats) -> Floats:
    """r_a(n) in bits for real n >= 0 (inf: 0), shape (numbers, attributes); attributes that are alike are worked out once."""
    kinds = [(a.templates, float(p)) for a, p in zip(world.attributes, world.pi, strict=True)]
    columns = {kind: _curve(kind[0], world.syntax_concentration, kind[1], n) for kind in set(kinds)}
    return np.column_stack([columns[kind] for kind in kinds])


def _curve(templates: int, alpha: float, share: float, n: Floats) -> Floats:
    if templates == 1:
        return np.zeros(n.size)
    finite = np.isfinite(n)
    sizes = np.unique(n[finite])
    out = np.zeros(n.size)
    if len(sizes) <= FEW and np.all(sizes == np.floor(sizes)) and np.all(sizes <= FARTHEST):
        exact = np.array([thinned_redundancy(templates, alpha, int(size), share) for size in sizes])
        out[finite] = exact[np.searchsorted(sizes, n[finite])]
    else:
        out[finite] = _between(templates, alpha, share, n[finite])
    return out


def _between(templates: int, alpha: float, share: float, n: Floats) -> Floats:
    """Through exact values at whole n in a geometric row, a spline of degree 7 of ln(r_a(n) (n + 1)) over ln(n + 1)."""
    knots = _knots(float(n.min()), float(min(n.max(), FARTHEST)))
    exact = np.array([thinned_redundancy(templates, alpha, int(knot), share) for knot in knots])
    spline = make_interp_spline(np.log1p(knots), np.log(exact * (knots + 1)), k=7)
    near = np.minimum(n, FARTHEST)
    scaled = np.exp(spline(np.log1p(near)))
    leading = (templates - 1) / (2 * np.log(2))
    beyond = leading + (scaled - leading) * (near / np.maximum(n, 1.0)) ** min(alpha, 1.0)
    return np.asarray(np.where(n > FARTHEST, beyond, scaled) / (n + 1))


def _knots(low: float, high: float, ratio: float = 1.5) -> Floats:
    """Whole numbers from below `low` to above `high`, at least 8: every one at first, then in a geometric row."""
    row = [0]
    while row[-1] < high or len(row) < 8:
        row.append(max(row[-1] + 1, int(row[-1] * ratio)))
    first = max(int(np.searchsorted(row, low, side="right")) - 4, 0)
    return np.array(row[min(first, len(row) - 8) :], float)
