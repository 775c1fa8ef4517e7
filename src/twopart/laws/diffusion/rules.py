"""Hidden rules b = g(a) + δ ξ: what restricted denoisers make of them, what they are worth, and where guidance can act.

Derived in docs/laws/hidden-rules.md. Noise levels are σ = s/a, and nats those of docs/laws/denoising.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
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

    By Gauss-Legendre between the `kinks` of g. Raises `InputError` for shapes, and covariances that are none.
    """
    m, C = finite("mean", mean, (2,), "of a and b"), finite("covariance", covariance, (2, 2), "of a and b")
    fits = C[0, 0] > 0 and np.linalg.det(C) >= 0 and np.isclose(C[0, 1], C[1, 0])
    check(fits, "covariance", C.tolist(), "positive and symmetric", "see its determinant")
    size, slope = math.sqrt(C[0, 0]), C[0, 1] / C[0, 0]
    z, weight = nodes((-9.0, *sorted(k for k in (np.array(kinks) - m[0]) / size if abs(k) < 9), 9.0), 128)
    apart = m[1] + slope * size * z - finite("rule", rule(m[0] + size * z), z.shape, "a value for each a")
    return float(weight @ (np.exp(-z * z / 2) * apart**2) / math.sqrt(2 * math.pi) + C[1, 1] - slope * C[0, 1])


def separable_rule_error(pairs: RulePairs) -> float:
    """E (b - g(a))² of the product of the marginals, which the best patch-wise denoiser draws: δ² + 2 Var g."""
    return float(2 * pairs.covariance[-1, -1]) - pairs.tolerance**2


def rule_information(pairs: RulePairs) -> float:
    """I(a; b) = h(b) - ½ ln(2πe δ²) in nats at δ > 0, h(b) by quadrature of b's exact density, step δ/4."""
    check(pairs.tolerance > 0, "tolerance", pairs.tolerance, "> 0", "an exact rule is worth infinitely much")
    own = pairs.product().parts[1]
    g, reach = pairs.rule.of(nodes(pairs.ends)[0]), 9 * pairs.tolerance
    b = torch.arange(g.min() - reach, g.max() + reach, pairs.tolerance / 4, dtype=torch.float64)
    log = own.log_density(b[:, None])
    own_nats = -float(torch.xlogy(log.exp(), log.exp()).sum() * (b[1] - b[0]))
    return own_nats - math.log(2 * math.pi * math.e * pairs.tolerance**2) / 2


def residual_nats(tolerance: ArrayLike, residual: ArrayLike, window: tuple[float, float] = (0.0, math.inf)) -> Any:
    """What a Gaussian residual of deviation δ', `residual`, costs where δ, `tolerance`, is true, between two σ. Broadcasts.

    In all ln(δ'/δ) + δ²/2δ'² - ½ nats.
    """
    v, u = (numbers(n, x, 0, math.inf) ** 2 for n, x in (("tolerance", tolerance), ("residual", residual)))
    s = numbers("window", window, 0, math.inf, "[]") ** 2
    check(s.shape == (2,) and s[0] <= s[1], "window", window, "two σ, rising", "swap them")
    beyond = [0 * u if math.isinf(x) else (np.log((u + x) / (v + x)) - (u - v) / (u + x)) / 2 for x in s]
    return like((tolerance, residual), beyond[0] - beyond[1])


def share_nats(true: ArrayLike, model: ArrayLike) -> Any:
    """kl(s‖ŝ) of two shares: a model with fewer nats of divergence cannot have ŝ for s. Broadcasts."""
    s, q = numbers("true", true, 0, 1, "[]"), numbers("model", model, 0, 1, "[]")
    with np.errstate(divide="ignore"):
        return like((true, model), xlogy(s, s) - xlogy(s, q) + xlogy(1 - s, 1 - s) - xlogy(1 - s, 1 - q))


def band_law(width: float) -> tuple[float, float]:
    """Of independent a, b ~ U(-1, 1) where |b - a| < w: rms of b - a, near w/√3, and how many they are, near w."""
    w = check_real("width", width, 0, 2, "beyond 2 there is no pair", closed="(]")
    share = w - w * w / 4
    return math.sqrt((2 * w**3 / 3 - w**4 / 4) / (2 * share)), share


def band_auc(width: float, sigma: ArrayLike) -> Any:
    """How well b - a + √2 σ z tells pairs with |b - a| < w from others: area under the ROC curve, ½ where σ >> w. Broadcasts.

    All that the noised pair tells, but for the ends of [-1, 1]. By quadrature, to about w/40.
    """
    w, found = check_real("width", width, 0, 2, "beyond 2 there is no pair", closed="()"), []
    u = np.linspace(0, 2, 2 * math.ceil(40 / w) + 1)[1::2]  # |b - a|, whose density falls as 2 - u
    for σ in numbers("sigma", sigma, 0, math.inf).ravel():
        s = math.sqrt(2) * σ
        r = np.linspace(0, 2 + 8 * s, math.ceil((2 + 8 * s) / max(min(w / 20, s / 5), s / 20, 5e-4)))[:, None]
        seen = np.exp(-(((r - u) / s) ** 2) / 2) + np.exp(-(((r + u) / s) ** 2) / 2)
        inside, outside = ((seen * (2 - u) * part).sum(1) for part in (u < w, u >= w))
        found.append(outside @ (np.cumsum(inside) - inside / 2) / (outside.sum() * inside.sum()))
    return like((sigma,), np.reshape(found, np.shape(sigma)))
