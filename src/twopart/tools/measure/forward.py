"""Looking forward: from a part of a text, how much is yet unseen?

    good_turing               the mass of types not seen, from the types seen once
    good_toulmin              how many new types so many more tokens will bring, without a model
    pitman_yor_new            the same for one Pitman-Yor law, given what was seen
    pitman_yor_missing_mass   its missing mass
All hold for exchangeable tokens only.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binom

from twopart._special import log_gamma_cross
from twopart.tools.measure.tally import Spectrum


def good_turing(spectrum: Spectrum) -> tuple[float, float]:
    """M_1/n and its standard error, sqrt(M_1 (1 - M_1/n) + 2 M_2)/n (Good 1953; Esty 1983)."""
    n, once, twice = spectrum.tokens, spectrum.seen(1), spectrum.seen(2)
    return once / n, math.sqrt(once * (1 - once / n) + 2 * twice) / n


def good_toulmin(spectrum: Spectrum, times: float) -> float:
    """New types in t = `times` > 0 as many tokens again as were seen: -Σ_j (-t)^j P(L >= j) M_j.

    For t <= 1 the plain series (Good and Toulmin 1956), L infinite. For larger t its terms explode, and L is binomial with
    k = ½ log_3(n t²/(t-1)) trials of probability 2/(2+t) (Orlitsky, Suresh and Wu 2016, table 1): good up to t ~ ln n.
    """
    trials = math.inf if times <= 1 else max(1, math.floor(0.5 * math.log(spectrum.tokens * times**2 / (times - 1), 3)))
    kept = spectrum.sizes <= trials
    j, types = spectrum.sizes[kept].astype(float), spectrum.types[kept]
    weight = 1.0 if times <= 1 else binom.sf(j - 1, trials, 2 / (2 + times))
    return float(types @ (np.where(j % 2, 1, -1) * np.exp(j * np.log(times)) * weight))


def pitman_yor_new(discount: float, concentration: float, tokens: int, distinct: int, more: int) -> float:
    """E[K_{n+m} - K_n | K_n] = (K + θ/d) [Γ(θ+n+m+d) Γ(θ+n) / (Γ(θ+n+m) Γ(θ+n+d)) - 1] (Favaro et al. 2009, prop. 1)."""
    d = max(discount, 1e-100)  # the limit d = 0 is reached exactly long before
    return float((concentration + d * distinct) * np.expm1(log_gamma_cross(concentration + tokens, d, more)) / d)


def pitman_yor_missing_mass(discount: float, concentration: float, tokens: int, distinct: int) -> float:
    """(θ + dK)/(n + θ): the probability that the next token is of a new type."""
    return (concentration + discount * distinct) / (tokens + concentration)
