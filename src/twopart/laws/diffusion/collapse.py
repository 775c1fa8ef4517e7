"""Collapse: what an error of the score at one noise level does to the samples, and what fitting one level costs another.

Let σ² = e^-λ be noise over signal and R the variance of the samples over that of the noised data, along a direction in which
the data are Gaussian of variance v. With w = ln(σ² + v), which falls, a score that is (1 + κ) times the true one, and churn χ,

    dR/d(-w) = χ² - c R,         c = χ² + (1 + χ²) κ:

linear, so that it has a closed form wherever κ is constant, and the same under every clock. Derived in
docs/laws/collapse-errors.md, which starts from Zhang et al. 2025 (arXiv 2508.16154).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_real


def variance_ratio(log_snr: ArrayLike, bias: ArrayLike, variance: float, *, churn: float = 0.0) -> Floats:
    """Variance of the samples over that of the noised data at each of the rising `log_snr`, shape (K + 1,).

    `bias` (K,) is κ between neighbouring levels; `variance` is the data's, v >= 0; `churn` χ is 0 for the ODE, 1 for the
    reverse SDE; samplers start at pure noise, N(0, s²). Exact in the limit of small steps, at any κ. Raises `InputError` for
    shapes that do not fit and arguments out of range.
    """
    w, χ = _places(log_snr, variance, churn)
    κ = finite("bias", bias, (len(w) - 1,), "one number between neighbouring levels")
    ratio = [float(np.exp(-np.asarray(log_snr, float)[0] - w[0]))]
    for k, length in zip(κ, -np.diff(w), strict=True):
        c = χ**2 + (1 + χ**2) * k
        grown = length if c == 0 else -np.expm1(-c * length) / c
        ratio.append(ratio[-1] * np.exp(-c * length) + χ**2 * grown)
    return np.array(ratio)


def sensitivity(log_snr: ArrayLike, variance: float, *, churn: float = 0.0) -> Floats:
    """By how much κ at each level lowers the samples' log variance at the last, to first order, a unit of log SNR: (K,).

    δ = -∫ κ (1 + χ²) σ²/(σ² + v) ((σ_end² + v)/(σ² + v))^χ² dλ. The power is what the SDE forgets; of the ODE it is 1.
    """
    w, χ = _places(log_snr, variance, churn)
    return np.asarray((1 + χ**2) * np.exp(-np.asarray(log_snr, float) - w + χ**2 * (w[-1] - w)))


def churn_to_forget(share: float, log_snr: tuple[float, float], variance: float) -> float:
    """The churn that leaves that share of an error made before the first of two levels at the second: χ² = ln share / Δw.

    Raises `InputError` for a share outside (0, 1] and levels that do not rise.
    """
    left = check_real("share", share, 0, 1, "it is what is left of an error", closed="(]")
    (first, last), _ = _places(log_snr, variance)
    return float(np.sqrt(np.log(left) / (last - first)))


class SeeSaw(NamedTuple):
    """One set of weights for low and high noise, by how much low noise counts."""

    theta: Floats
    """The minimisers, shape (W, p)."""
    low: Floats
    """Excess loss at low noise over the least that these features can have, shape (W,): it never rises with the weight."""
    high: Floats
    """The same at high noise: it never falls."""


def see_saw(
    gram_low: ArrayLike, cross_low: ArrayLike, gram_high: ArrayLike, cross_high: ArrayLike, weights: ArrayLike
) -> SeeSaw:
    """Minimisers of w L_low + L_high for shared linear features, L = θ'G θ - 2 r'θ + const with G (p, p) and r (p,).

    θ(w) = (w G_l + G_h)^-1 (w r_l + r_h). As θ(w) minimises the sum, L_high(θ(w)) never falls with w, and L_low never rises;
    both are constant only if one θ is best for both. `weights` (W,) are positive; Gram matrices are positive definite.
    """
    G, H = (_gram(name, value) for name, value in (("gram_low", gram_low), ("gram_high", gram_high)))
    check(G.shape == H.shape, "gram_high", H.shape, f"of shape {G.shape}", "features are shared")
    crosses = {"cross_low": cross_low, "cross_high": cross_high}
    r, q = (finite(name, value, (len(G),), "E of feature times target") for name, value in crosses.items())
    w = finite("weights", weights, (None,), "how much low noise counts")
    numbers("weights", w, 0, np.inf, remedy="0 leaves low noise out")
    θ = np.linalg.solve(w[:, None, None] * G + H, (w[:, None] * r + q)[..., None])[..., 0]
    low, high = (θ - np.linalg.solve(M, c) for M, c in ((G, r), (H, q)))
    return SeeSaw(θ, np.einsum("wi,ij,wj->w", low, G, low), np.einsum("wi,ij,wj->w", high, H, high))


def _places(log_snr: ArrayLike, variance: float, churn: float = 0.0) -> tuple[Floats, float]:
    """w = ln(σ² + v) at rising levels, and χ."""
    λ = finite("log_snr", log_snr, (None,), "levels in rising order")
    check(len(λ) > 1 and bool((np.diff(λ) > 0).all()), "log_snr", λ, "two or more, rising", "sort them")
    v = check_real("variance", variance, 0, np.inf, "that of the data along the direction", closed="[)")
    χ = check_real("churn", churn, 0, np.inf, "0 is the ODE, 1 the reverse SDE", closed="[)")
    return np.log(np.exp(-λ) + v), χ


def _gram(name: str, value: ArrayLike) -> Floats:
    G = finite(name, value, (None, None), "E of feature times feature")
    fits = G.shape[0] == G.shape[1] and np.allclose(G, G.T) and np.linalg.eigvalsh(G)[0] > 0
    check(bool(fits), name, G.shape, "symmetric and positive definite", "drop features that depend on others")
    return G
