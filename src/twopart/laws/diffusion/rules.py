"""Hidden rules b = g(a) + δ ξ: what restricted denoisers make of them, what they are worth, and where guidance can act.

Derived in docs/laws/hidden-rules.md. Noise levels are σ = s/a, and nats those of the docs' denoising page.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from twopart._arguments import like
from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_real
from twopart.worlds.diffusion.rules import RulePairs, nodes


def affine_rule_error(
    mean: ArrayLike, covariance: ArrayLike, rule: Callable[[Floats], Any], kinks: tuple[float, ...] = ()
) -> float:
    """E (b - g(a))² of N(mean, covariance) of (a, b): what the best affine denoiser draws from data with these moments.

    By Gauss-Legendre between the `kinks` of g. Raises `InputError` for shapes and covariances that are none.
    """
    m, C = finite("mean", mean, (2,), "of a and b"), finite("covariance", covariance, (2, 2), "of a and b")
    check(C[0, 0] > 0 and np.linalg.det(C) >= 0, "covariance", C, "positive", "see its determinant")
    size = math.sqrt(C[0, 0])
    low, high = m[0] - 9 * size, m[0] + 9 * size
    a, weight = nodes((low, *sorted(k for k in kinks if low < k < high), high), 128)
    density = np.exp(-(((a - m[0]) / size) ** 2) / 2) / (size * math.sqrt(2 * math.pi))
    slope = C[0, 1] / C[0, 0]
    return float(weight @ (density * (m[1] + slope * (a - m[0]) - rule(a)) ** 2) + C[1, 1] - slope * C[0, 1])


def separable_rule_error(pairs: RulePairs) -> float:
    """E (b - g(a))² of the product of the marginals, what the best patch-wise denoiser draws: δ² + 2 Var g(a)."""
    own = float(pairs.moments()[1][-1, -1]) - pairs.tolerance**2
    return pairs.tolerance**2 + 2 * own


def rule_information(pairs: RulePairs, count: int = 200_001) -> float:
    """I(a; b) = h(b) - ½ ln(2πe δ²) in nats, h(b) by quadrature of b's exact density at δ > 0."""
    import torch

    check(pairs.tolerance > 0, "tolerance", pairs.tolerance, "> 0", "an exact rule is worth infinitely much")
    own, spread = pairs.product().parts[1], 12 * float(pairs.covariance[1, 1]) ** 0.5
    b = torch.linspace(-spread, spread, count, dtype=torch.float64)
    log = own.log_density(b[:, None])
    return float(-(log.exp() * log).sum() * (b[1] - b[0])) - math.log(2 * math.pi * math.e * pairs.tolerance**2) / 2


def residual_nats(
    tolerance: ArrayLike, residual: ArrayLike, window: tuple[float, float] = (0.0, math.inf)
) -> Any:
    """What a Gaussian residual of that deviation δ' costs where δ, `tolerance`, is true; of it what lies between two σ.

    All: ln(δ'/δ) + δ²/2δ'² - ½ nats. Broadcasts.
    """
    v, u = (numbers(n, x, 0, math.inf) ** 2 for n, x in (("tolerance", tolerance), ("residual", residual)))
    low, high = numbers("window", window, 0, math.inf, "[]")

    def rest(σ: float) -> Any:  # beyond σ
        s = σ * σ
        return 0.0 * u if math.isinf(s) else (np.log((u + s) / (v + s)) - (u - v) / (u + s)) / 2

    return like((tolerance, residual), rest(float(low)) - rest(float(high)))


def share_nats(true: ArrayLike, model: ArrayLike) -> Any:
    """kl(s‖ŝ) of two shares: no model with so many nats of divergence, or fewer, can have ŝ for s. Broadcasts."""
    s, q = numbers("true", true, 0, 1, "[]"), numbers("model", model, 0, 1, "[]")
    with np.errstate(divide="ignore"):
        return like((true, model), xlogy(s, s) - xlogy(s, q) + xlogy(1 - s, 1 - s) - xlogy(1 - s, 1 - q))


def band_law(width: float) -> tuple[float, float]:
    """Of independent a, b ~ U(-1, 1) with |b - a| < w: rms of b - a, and the share of all that this is; w/√3 and w for small w."""
    w = check_real("width", width, 0, 2, "beyond 2 there is no pair", closed="(]")
    share = w - w * w / 4
    return math.sqrt((2 * w**3 / 3 - w**4 / 4) / (2 * share)), share


def band_auc(width: float, sigma: ArrayLike) -> Any:
    """How well |b - a + √2 σ z| tells pairs of the band from the others (area under the ROC curve): 1 at σ = 0, ½ for σ >> w.

    The best classifier but for the ends of [-1, 1]. By quadrature at w/40 and σ/10 or finer. Broadcasts.
    """
    w, found = check_real("width", width, 0, 2, "beyond 2 there is no pair", closed="()"), []
    for σ in numbers("sigma", sigma, 0, math.inf).ravel():
        u = (np.arange(80 * math.ceil(1 / w)) + 0.5) / (40 * math.ceil(1 / w))  # of b - a, whose density is 1 - u/2
        s, step = math.sqrt(2) * σ, min(w / 40, σ / 10)
        r = np.arange(0, 2 + 8 * s, max(step, (2 + 8 * s) / 4000))
        kernel = np.exp(-(((r[:, None] - u) / s) ** 2) / 2) + np.exp(-(((r[:, None] + u) / s) ** 2) / 2)
        inside, outside = ((kernel * (1 - u / 2) * part).sum(1) for part in (u < w, u >= w))
        below = np.cumsum(inside) - inside / 2
        found.append(float((outside * below).sum() / (outside.sum() * inside.sum())))
    return like((sigma,), np.reshape(found, np.shape(sigma)))


def contrast_log_odds(residual: ArrayLike, tolerance: float, broken: float) -> Any:
    """Best log odds at σ = 0 of a residual, of deviation δ `tolerance` where kept against `broken`: ln N(r; δ²)/N(r; δ'²)."""
    r = numbers("residual", residual, -math.inf, math.inf)
    δ, other = (check_real(n, x, 0, math.inf, "a deviation", closed="()") for n, x in (("tolerance", tolerance), ("broken", broken)))
    return like((residual,), np.log(other / δ) - r**2 * (1 / δ**2 - 1 / other**2) / 2)
