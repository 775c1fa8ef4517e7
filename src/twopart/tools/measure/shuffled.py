"""What the same text would show in random order, from its counts alone: no text is shuffled.

expected_distinct    types among the first m tokens: the rarefaction curve, exact
distinct_deviation   its standard deviation, from above
thinned              a random part of the tokens, each kept by the toss of a coin
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from twopart._special import log_gamma_cross
from twopart.tools.measure.tally import Floats, Spectrum


def expected_distinct(spectrum: Spectrum, tokens: ArrayLike) -> Floats:
    """E K_m = Σ_k [1 - C(n - c_k, m) / C(n, m)] for each m in `tokens`, 0 <= m <= n (Hurlbert 1971)."""
    return np.array([spectrum.types @ (1 - _unseen(spectrum, m)) for m in np.atleast_1d(np.asarray(tokens))])


def distinct_deviation(spectrum: Spectrum, tokens: ArrayLike) -> Floats:
    """An upper bound on the standard deviation of K_m, sqrt(Σ_k q_k (1 - q_k)), q_k = C(n - c_k, m) / C(n, m).

    Draws without replacement are negatively associated (Joag-Dev and Proschan 1983), so the covariances left out are <= 0.
    """
    unseen = (_unseen(spectrum, m) for m in np.atleast_1d(np.asarray(tokens)))
    return np.sqrt([spectrum.types @ (q * (1 - q)) for q in unseen])


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


def expected_missing(spectrum: Spectrum, tokens: ArrayLike) -> Floats:
    """Expected share of the other n - m tokens that are of types not among m random ones, Σ_k c_k q_k/(n - m); nan at n."""
    n = spectrum.tokens
    weight = spectrum.types * spectrum.sizes
    sizes = np.atleast_1d(np.asarray(tokens))
    return np.array([weight @ _unseen(spectrum, m) / (n - m) if m < n else np.nan for m in sizes])
