"""What it costs not to know the measure G and the names: the entities' part of the data law.

A new law of entities registers its two functions here. For Pitman-Yor (derived in docs/laws/data.md): the next entity has
size-biased weight p̃ ~ Beta(1-d, θ+d), so its count J among n is BetaBin(n, 1-d, θ+d), and with x = θ/d + K_n
    E[bits] = -E[log2((J-d)/(n+θ)); J >= 1] + E[p log2(1/p) + p log2(names - K)],   p = dx/(n+θ),   less the entropy of a draw.
The moments of x are those of Gamma ratios, E[Γ(x+r)/Γ(x)] = Γ(a+r)/Γ(a) Γ(θ+rd+n)Γ(θ)/(Γ(θ+rd)Γ(θ+n)) with a = θ/d;
their derivative at r = 1 gives E[x ψ0(x+1)], hence E[x ln x].
"""

from __future__ import annotations

from functools import lru_cache, singledispatch
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import gammaln, psi

from twopart._numba import kernel
from twopart._special import log_gamma_ratio, mean_log2_count
from twopart.worlds.knowledge.equal import EqualFrequencies
from twopart.worlds.knowledge.pitman_yor import PitmanYor

Floats = NDArray[np.float64]

RECURSION = 1024  # up to here the law of K_n is computed step by step; beyond, by the moments above


@singledispatch
def entity_redundancy(law: object, n: Floats, names: int) -> Floats:
    """Expected Bayes redundancy of entity n+1 with its name, in bits; `n` has shape (steps,), and so has the result."""
    raise TypeError(f"no data law is known for entities from {law!r}")


@singledispatch
def entity_redundancy_asymptote(law: object, n: Floats, names: int) -> Floats:
    """Leading terms of `entity_redundancy` for large n."""
    raise TypeError(f"no asymptote is known for entities from {law!r}")


@singledispatch
def missing_mass_asymptote(law: object, n: Floats) -> Floats:
    """Leading term of the missing mass after n draws, for large n."""
    raise TypeError(f"no asymptote is known for entities from {law!r}")


# Pitman-Yor


@entity_redundancy.register
def _(law: PitmanYor, n: Floats, names: int) -> Floats:
    return np.array([_known_bits(law, int(k)) + _new_bits(law, int(k), names) - law.entropy() for k in n])


def _known_bits(law: PitmanYor, n: int) -> float:
    """E[-log2((J-d)/(n+θ)); J >= 1]."""
    if n == 0:
        return 0.0
    d, theta = law.discount, law.concentration
    seen = 1 - float(law.expected_missing_mass(n))
    return float(seen * np.log2(n + theta)) - mean_log2_count(n, 1 - d, theta + d, -d)


def _new_bits(law: PitmanYor, n: int, names: int) -> float:
    """E[p log2(1/p) + p log2(names - K)], p the probability that the next entity is new."""
    if n <= RECURSION:
        k, weights = np.arange(n + 1), _distinct_law(law)[n]
        p = law.new_probability(n, k[weights > 0])
        bits = np.log2(np.maximum(names - k[weights > 0], 1)) - np.log2(p)
        return float(np.dot(weights[weights > 0] * p, bits))
    missing, typical = float(law.expected_missing_mass(n)), _typical_distinct(law, n)
    surprise = missing * np.log2(n + law.concentration) - _mean_x_log2_x(law, n) / (n + law.concentration)
    return float(surprise + missing * np.log2(max(names - typical, 1.0)))


@lru_cache(maxsize=32)
def _distinct_law(law: PitmanYor) -> list[Floats]:
    """P(K_n = k), k = 0..n, for n = 0..RECURSION: a Markov chain that goes up with probability (θ + dk)/(n + θ)."""
    laws = [np.ones(1)]
    for n in range(RECURSION):
        up = law.new_probability(n, np.arange(n + 1)) if n else np.ones(1)
        stay, rise = laws[-1] * (1 - up), laws[-1] * up
        laws.append(np.append(stay, 0) + np.append(0, rise))
    return laws


def _mean_x_log2_x(law: PitmanYor, n: int) -> float:
    """E[y log2 y] for y = θ + dK_n; for d = 0, y = θ is no longer random. With x = y/d, x ln x = x ψ0(x+1) - 1/2 + O(1/x)."""
    d, theta = law.discount, law.concentration
    if d == 0:
        return float(theta * np.log2(theta))
    mean = _moment(law, n, 1)
    digamma = mean * (psi(theta / d + 1) + d * (psi(theta + d + n) - psi(theta + d)))
    return float(d * (digamma - 0.5 + _remainder(law, mean) + mean * np.log(d)) / np.log(2))


def _remainder(law: PitmanYor, mean: float) -> float:
    """E[x ln x - x ψ0(x+1) + 1/2] = E[1/(12x) - ...], the only term without a closed form.

    K_n / n^d converges, so x is taken to have the shape it has at RECURSION, stretched to its mean at n.
    """
    k, weights = np.arange(RECURSION + 1), _distinct_law(law)[RECURSION]
    x = (law.concentration / law.discount + k)[weights > 0]
    x *= mean / np.dot(weights[weights > 0], x)
    return float(np.dot(weights[weights > 0], x * (np.log(x) - psi(x + 1)) + 0.5))


def _moment(law: PitmanYor, n: int, r: int) -> float:
    """E[Γ(x+r)/Γ(x)]; Γ(θ)/Γ(θ/d) is written as Γ(θ+1)/(d Γ(θ/d+1)), which has no pole at θ = 0."""
    d, theta = law.discount, law.concentration
    a = theta / d
    logs = gammaln(a + r) - gammaln(a + 1) + gammaln(theta + 1) - gammaln(theta + r * d)
    return float(np.exp(logs + log_gamma_ratio(theta + n, r * d)) / d)


def _typical_distinct(law: PitmanYor, n: int) -> float:
    """E[xK]/E[x], the distinct entities as seen from a step at which a new one comes."""
    d, theta = law.discount, law.concentration
    if d == 0:
        return float(law.expected_distinct(n))
    return _moment(law, n, 2) / _moment(law, n, 1) - 1 - theta / d


@missing_mass_asymptote.register
def _(law: PitmanYor, n: Floats) -> Floats:
    """Γ(θ+1)/Γ(θ+d) n^-(1-d)."""
    d, theta = law.discount, law.concentration
    return np.asarray(np.exp(gammaln(theta + 1) - gammaln(theta + d)) * n ** (d - 1))


@entity_redundancy_asymptote.register
def _(law: PitmanYor, n: Floats, names: int) -> Floats:
    """U_n [log2(names / (d K_n)) + I(d)]: a new entity's name, and how fast counts find the frequencies (`_learning`)."""
    d, theta = law.discount, law.concentration
    missing = missing_mass_asymptote(law, n)
    if d == 0:
        return np.asarray(missing * np.log2(names))
    log_y = np.log(d) + psi(theta / d + 1) + d * (np.log(n) - psi(theta + d))
    return np.asarray(missing * (np.log2(names) - log_y / np.log(2) + _learning(d)))


@lru_cache(maxsize=256)
def _learning(d: float) -> float:
    """I(d) = ∫_0^∞ λ^-d (log2 λ - Σ_{J>=1} Poisson(J; λ) log2(J-d)) dλ / Γ(1-d), in bits.

    An atom of probability λ/n has a Poisson count; Gauss-Legendre in ln λ up to 200, the series in 1/λ beyond.
    """
    edges, (x, w) = np.linspace(-38 / (1 - d), np.log(200), 121), leggauss(12)
    half = np.diff(edges)[:, None] / 2
    t = (edges[:-1, None] + half * (1 + x)).ravel()
    weights, rate, j = (half * w).ravel(), np.exp(t)[:, None], np.arange(1, 500)
    poisson = np.exp(j * t[:, None] - rate - gammaln(j + 1))
    body = np.dot(weights * np.exp((1 - d) * t), t - poisson @ np.log(j - d))
    tail = (d + 0.5) * 200**-d / d + (d * d / 2 + d + 5 / 12) * 200 ** (-d - 1) / (1 + d)
    return float((body + tail) / np.exp(gammaln(1 - d)) / np.log(2))


# Equally frequent entities


@entity_redundancy.register
def _(law: EqualFrequencies, n: Floats, names: int) -> Floats:
    """E[e/K log2((names - K + e)/e)] over the number e of entities not met yet: a new one costs its name, less log2 e."""
    unmet = np.arange(law.entities + 1.0)
    bits = np.zeros(law.entities + 1)
    bits[1:] = unmet[1:] / law.entities * np.log2(np.maximum(names - law.entities + unmet[1:], 1) / unmet[1:])
    order = np.argsort(n)
    out = np.empty(n.size)
    out[order] = _occupancy_means(law.entities, n[order].astype(np.int64), bits)
    return out


@kernel
def _occupancy_means(entities: int, steps: Any, values: Any) -> Any:
    """E[values[e]] at each of the sorted `steps`, e the number of empty boxes among `entities` after so many throws."""
    law = np.zeros(entities + 1)
    law[entities] = 1.0
    low, high, n = entities, entities, 0
    out = np.zeros(len(steps))
    for i in range(len(steps)):
        while n < steps[i] and high > 0:
            low = max(low - 1, 0)
            for e in range(low, high + 1):  # one throw: e falls to e - 1 with probability e/entities
                above = law[e + 1] * (e + 1) / entities if e < high else 0.0
                law[e] = law[e] * (1 - e / entities) + above
            while law[high] < 1e-30 and high > low:
                law[high] = 0.0
                high -= 1
            while law[low] < 1e-30 and low < high:
                law[low] = 0.0
                low += 1
            n += 1
        for e in range(low, high + 1):
            out[i] += law[e] * values[e]
    return out


@missing_mass_asymptote.register
def _(law: EqualFrequencies, n: Floats) -> Floats:
    """exp(-n/K): no power law."""
    return np.asarray(np.exp(-n / law.entities))


@entity_redundancy_asymptote.register
def _(law: EqualFrequencies, n: Floats, names: int) -> Floats:
    missing = missing_mass_asymptote(law, n)
    return np.asarray(missing * np.log2(names / np.maximum(law.entities * missing, 1)))
