"""What the same text would show in random order, from its counts alone: no text is shuffled.

rarefied    types among the first m tokens and the mass of the others, exact
thinned     a random part of the tokens, each kept by the toss of a coin
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from twopart._special import log_gamma_cross
from twopart.tools.measure.tally import Floats, Spectrum


@dataclass(frozen=True)
class Rarefied:
    """What m random tokens of a text show, for each m asked for; exact but for `deviation`."""

    distinct: Floats
    """E K_m = Σ_k (1 - q_k), q_k = C(n - c_k, m) / C(n, m) (Hurlbert 1971)."""
    deviation: Floats
    """An upper bound on the standard deviation of K_m, sqrt(Σ_k q_k (1 - q_k)).

    Draws without replacement are negatively associated (Joag-Dev and Proschan 1983), so the covariances left out are <= 0.
    """
    missing: Floats
    """Expected share of the other n - m tokens that are of types not among the m, Σ_k c_k q_k/(n - m); nan at m = n."""


def rarefied(spectrum: Spectrum, tokens: ArrayLike) -> Rarefied:
    """For each m in `tokens`, 0 <= m <= n, shape (M,)."""
    n, types, sizes = spectrum.tokens, spectrum.types, np.atleast_1d(np.asarray(tokens))
    out = np.full((3, len(sizes)), np.nan)
    for k, m in enumerate(sizes):
        q = _unseen(spectrum, m)
        out[:2, k] = types @ (1 - q), np.sqrt(types @ (q * (1 - q)))
        if m < n:
            out[2, k] = types @ (spectrum.sizes * q) / (n - m)
    return Rarefied(*out)


def _unseen(spectrum: Spectrum, m: int) -> Floats:
    """C(n-c, m)/C(n, m) for each size c: the probability that a type of that size is not among m of the n tokens."""
    n = spectrum.tokens
    possible = spectrum.sizes <= n - m
    c = np.where(possible, spectrum.sizes, 0)
    return np.where(possible, np.exp(-log_gamma_cross(n - c - m + 1.0, c, m)), 0.0)


@dataclass(frozen=True)
class Part:
    """A part of a text, and what the rest holds that the part does not."""

    spectrum: Spectrum
    """Of the part."""
    missing_mass: float
    """Which share of the rest's tokens are of types that the part lacks."""


def thinned(spectrum: Spectrum, share: float, generator: np.random.Generator) -> Part:
    """Each token goes into the part with probability `share`, in (0, 1), on its own: counts become binomial."""
    counts = spectrum.counts()
    kept = generator.binomial(counts, share)
    part = Spectrum.of(kept)
    return Part(part, float(counts[kept == 0].sum() / max(spectrum.tokens - part.tokens, 1)))
