"""Entropy of a token in bits, from counts. Each estimator is a function of the spectrum; in a long enough text all agree.

plug_in        of the observed shares: too low, by about (K-1)/2n nats and far more while types are missing
miller_madow   with that first term put back
grassberger    unbiased to higher order, for each count on its own
chao_shen      shares shrunk to the mass seen, each weighted up by its chance of being seen at all
pitman_yor     posterior mean under a Pitman-Yor law: it knows of a tail
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import psi

from twopart.tools.measure.tally import Spectrum

LN2 = math.log(2)


def plug_in(spectrum: Spectrum) -> float:
    """-Σ_k (c_k/n) log2 (c_k/n)."""
    share = spectrum.sizes / spectrum.tokens
    return float(-(spectrum.types @ (share * np.log2(share))))


def miller_madow(spectrum: Spectrum) -> float:
    """Plug-in + (K - 1)/(2n ln 2) (Miller 1955)."""
    return plug_in(spectrum) + (spectrum.distinct - 1) / (2 * spectrum.tokens * LN2)


def grassberger(spectrum: Spectrum) -> float:
    """ln n - Σ_k (c_k/n) G(c_k), G(c) = ψ0(c) + (-1)^c/2 [ψ0((c+1)/2) - ψ0(c/2)] (Grassberger 2003, eq. 35), in bits."""
    c = spectrum.sizes.astype(float)
    g = psi(c) + np.where(c % 2, -0.5, 0.5) * (psi((c + 1) / 2) - psi(c / 2))
    return float((np.log(spectrum.tokens) - spectrum.types @ (c * g) / spectrum.tokens) / LN2)


def chao_shen(spectrum: Spectrum) -> float:
    """-Σ_k s log2 s / (1 - (1-s)^n), s = (1 - M_1/n) c_k/n (Chao and Shen 2003); with every type seen once, M_1 = n-1."""
    n = spectrum.tokens
    share = (1 - min(spectrum.seen(1), n - 1) / n) * spectrum.sizes / n
    certain = share >= 1  # one type only
    s = np.where(certain, 0.5, share)
    terms = np.where(certain, 0.0, -s * np.log2(s) / -np.expm1(n * np.log1p(-s)))
    return float(spectrum.types @ terms)


def pitman_yor(spectrum: Spectrum, discount: float, concentration: float) -> float:
    """Posterior mean under PY(d, θ) (Archer, Park and Pillow 2014, eq. 19), in bits:

    ψ0(θ+n+1) - (θ+Kd)/(θ+n) ψ0(1-d) - Σ_k (c_k-d)/(θ+n) ψ0(c_k-d+1).
    """
    d, theta, n, c = discount, concentration, spectrum.tokens, spectrum.sizes.astype(float)
    seen = spectrum.types @ ((c - d) * psi(c - d + 1))
    nats = psi(theta + n + 1) - ((theta + spectrum.distinct * d) * psi(1 - d) + seen) / (theta + n)
    return float(nats / LN2)
