"""What denoising is worth: the I-MMSE identity, and errors of one prediction as another's.

Let L(λ) be a denoiser's loss E |epŝ - eps|² in all coordinates at log SNR λ. With perfect denoisers of p and q on data of p

    KL(p ‖ q) = ½ ∫ (L_q - L_p) dλ

(Guo, Shamai, Verdú 2005; Verdú 2010), so with the product of marginals for q it is the mutual information. For any denoiser
½ ∫ E |epŝ - eps*|² dλ bounds KL(p ‖ p̂) of what the reverse SDE generates (Girsanov). Derived in docs/laws/denoising.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twopart._arguments import like
from twopart._arrays import finite, numbers
from twopart._checks import check, check_choice

PREDICTIONS = ("score", "eps", "x0", "v")


class Nats(NamedTuple):
    """An integral over log SNR."""

    value: float
    by_level: np.ndarray
    """What each interval between neighbouring levels adds, shape (L - 1,)."""
    error: float
    """Of the quadrature: what half of the levels would change. It does not see what lies beyond the ends."""
    ends: tuple[float, float]
    """½ gap at the ends: what a unit of log SNR beyond them would add if the gap stayed."""


def nats(log_snr: ArrayLike, gap: ArrayLike) -> Nats:
    """½ ∫ gap dλ by trapezoids, of eps losses (summed over coordinates) at rising `log_snr`, both of shape (L,), L >= 3.

    Raises `InputError` for shapes that do not fit and levels that do not rise.
    """
    λ = finite("log_snr", log_snr, (None,), "levels in rising order")
    g = finite("gap", gap, (len(λ),), "one for each level")
    check(len(λ) >= 3 and bool((np.diff(λ) > 0).all()), "log_snr", λ, "three or more, rising", "sort them")
    parts = np.diff(λ) * (g[1:] + g[:-1]) / 4
    kept = np.unique(np.r_[np.arange(0, len(λ), 2), len(λ) - 1])
    coarse = float((np.diff(λ[kept]) * (g[kept][1:] + g[kept][:-1]) / 4).sum())
    total = float(parts.sum())
    return Nats(total, parts, abs(total - coarse), (float(g[0] / 2), float(g[-1] / 2)))


def gaussian_loss(variance: ArrayLike, log_snr: ArrayLike) -> Any:
    """The least E |epŝ - eps|² a coordinate for Gaussian data of that variance v: v/(v + e^-λ)."""
    v = numbers("variance", variance, 0, np.inf, "[)")
    λ = numbers("log_snr", log_snr, -np.inf, np.inf)
    return like((variance, log_snr), v / (v + np.exp(-λ)))


def error_factor(scale: ArrayLike, std: ArrayLike, *, source: str, to: str) -> Any:
    """By what the square error of one prediction at a point is to be multiplied to be another's, at x = a x0 + s eps.

    Those of eps, x0 = (x - s eps)/a, score = -eps/s and v = a eps - s x0 are as 1 : s²/a² : 1/s² : (a + s²/a)².
    """
    a, s = numbers("scale", scale, 0, np.inf), numbers("std", std, 0, np.inf)
    sizes = {"eps": np.ones_like(a * s), "x0": (s / a) ** 2, "score": 1 / s**2 + 0 * a, "v": (a + s**2 / a) ** 2}
    for name, kind in (("source", source), ("to", to)):
        check_choice(name, kind, PREDICTIONS)
    return like((scale, std), sizes[to] / sizes[source])
