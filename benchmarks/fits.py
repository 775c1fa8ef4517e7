"""Fits of counts: Pitman-Yor laws and discrete power laws, against plain optimisers over every type or sample.

A Pitman-Yor step costs one look at each distinct count, a thousand of them where a million tokens have 10^5 types; the peer
looks at every type and takes its gradients by differences. A power law tries every start against the law in one compiled loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import gammaln, zeta

from benchmarks._table import Row, median_seconds, ratios
from twopart.fits import discrete_power_law, pitman_yor
from twopart.fits._zeta import draw_table
from twopart.worlds import PitmanYor

SIZE = 1_000_000  # tokens, and samples
STARTS = 20  # that the peer of the power law tries; we try up to 256


def run() -> Iterator[Row]:
    for discount, concentration in ((0.5, 1.0), (0.8, 10.0)):
        draws = PitmanYor(discount, concentration).draw(SIZE, seed=3)
        counts = np.unique(draws, return_counts=True)[1]
        took = median_seconds(lambda counts=counts: pitman_yor(counts))
        ratio = ratios(lambda counts=counts: pitman_yor(counts), lambda counts=counts: by_type(counts), rounds=3)
        name = f"Pitman-Yor, 10^6 tokens, {len(counts):,} types"
        yield Row(name, f"{took * 1e3:.1f} ms", "L-BFGS over types", ratio, "<= 10 ms")
    for exponent in (1.5, 2.5, 4.0):
        values, often = draw_table(np.random.default_rng(3), exponent, 1, SIZE)
        samples = np.repeat(values, often)
        samples = samples[samples < 2**53]
        took = median_seconds(lambda samples=samples: discrete_power_law(samples), rounds=3)
        ratio = ratios(lambda s=samples: discrete_power_law(s), lambda s=samples: plain(s), rounds=1)
        name = f"power law, 10^6 samples, α = {exponent}"
        yield Row(name, f"{took:.2f} s", f"SciPy's zeta, {STARTS} starts", ratio, "<= 1 s")


def by_type(counts: NDArray[Any]) -> Any:
    """Maximum likelihood the plain way: a term for every type, gradients by differences."""
    sizes = counts.astype(float)
    i = np.arange(1, len(sizes))

    def negative(x: NDArray[np.float64]) -> float:
        d, theta = x
        if theta <= -d:
            return 1e300
        inner = (gammaln(sizes - d) - gammaln(1 - d)).sum()
        return -float(np.log(theta + i * d).sum() - gammaln(theta + sizes.sum()) + gammaln(theta + 1) + inner)

    return minimize(negative, [0.5, 1.0], method="L-BFGS-B", bounds=[(1e-6, 1 - 1e-9), (-0.99, None)])


def plain(samples: NDArray[Any]) -> float:
    """The nearest of a few tails the plain way: SciPy's zeta function in a bounded search, and the whole distribution."""
    values, often = np.unique(samples, return_counts=True)
    found = []
    for start in range(min(STARTS, len(values) - 1)):
        x, m = values[start:], often[start:]
        mean = np.average(np.log(x), weights=m)

        def negative(s: float, mean: float = mean, xmin: float = x[0]) -> float:
            return float(s * mean + np.log(zeta(s, xmin)))

        s = minimize_scalar(negative, bounds=(1.01, 20), method="bounded").x
        law = 1 - zeta(s, x + 1) / zeta(s, x[0])
        found.append(float(np.abs(np.cumsum(m) / m.sum() - law).max()))
    return min(found)
