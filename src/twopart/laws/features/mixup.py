"""What Mixup teaches a network of patches: the early phase, the race that standard training loses, the end, and every step.

    early_matrix(x, y, weight=0.6)                  # M of dw/dt = 2 M w while outputs are small, by filters of the first side
    race(n=50, rare=0.12, noise=5.0)                # growth rates .44, .06 and .1 of common feature, rare feature, memory
    equilibrium(0.6), equilibrium(0.6, together=0)              # 3.99967 and 5.41297, where the common feature's logit ends
    gram_descent(..., step=MixedStep("square", weight=0.6))     # the whole course on given data, exactly

All n² ordered pairs of points are mixed, each with itself too: features lam x_i + (1 - lam) x_j at the `weight` lam, labels
mu y_i + (1 - mu) y_j at the `label_weight` mu, by default the same. Weights may change places with 1 - weight together, so that
0.6 stands for 0.4 as well. Source of setting and mechanism: Zou, Cao, Li, Gu 2023, arXiv 2303.08433, who prove orders;
formulas are derived in docs/laws/mixup.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit

from twopart._arrays import finite, numbers
from twopart._checks import check, check_real
from twopart.laws.features.patch_step import Step, residual

Floats = NDArray[np.float64]
POINTS, LABELS = "give points (n, patches, numbers)", "give a label in [-1, 1] for each point"
WEIGHT = "it is the share of the first point of a pair"


class Race(NamedTuple):
    """Growth rates of inner products in standard training while all |residuals| are 1/2, per unit of time."""

    common: Floats
    rare: Floats
    memory: Floats


def pair_coefficients(y: ArrayLike, weight: float, label_weight: float | None = None) -> Floats:
    """S with M = Σ_p X_p^T S X_p, for labels y (n,): the early phase in inner products, shape (n, n).

    With s_i = y_i/2, S = (mu lam² + (1 - mu)(1 - lam)²) diag(s)/n + lam (1 - lam)(s 1^T + 1 s^T)/n², and for classes of unequal
    size (mu (1 - lam)² + (1 - mu) lam²) (mean of s) I/n besides. weight=1 is standard training, diag(s)/n.
    """
    s = finite("y", y, (None,), LABELS) / 2
    check(bool((np.abs(s) <= 0.5).all()), "y", 2 * s, "in [-1, 1]", "2 * y - 1 of classes 0 and 1")
    lam, mu = _weights(weight, label_weight)
    own, other = mu * lam**2 + (1 - mu) * (1 - lam) ** 2, mu * (1 - lam) ** 2 + (1 - mu) * lam**2
    crossed = lam * (1 - lam) * (s[:, None] + s) / len(s) ** 2
    return np.asarray(np.diag(own * s + other * s.mean()) / len(s) + crossed)


def early_matrix(x: ArrayLike, y: ArrayLike, weight: float, label_weight: float | None = None) -> Floats:
    """M of points x (n, P, d) with labels y (n,), shape (d, d): dw/dt = 2 M w for squared filters of the first side.

    Exact at outputs 0: the mean over all pairs of -(residual) Σ_p x_p x_p^T. Filters of the other side have -M.
    Raises `InputError` for shapes that do not fit, numbers that are not finite and weights outside [0, 1].
    """
    x = finite("x", x, (None, None, None), POINTS)
    y = finite("y", y, (len(x),), LABELS)
    return np.asarray(np.einsum("ipd,ij,jpe->de", x, pair_coefficients(y, weight, label_weight), x, optimize=True))


def race(n: ArrayLike, rare: ArrayLike, noise: ArrayLike, norm: ArrayLike = 1.0, rare_norm: ArrayLike = 1.0) -> Race:
    """(1 - ρ)/2 ‖v‖², ρ/2 ‖u‖² and ‖ξ‖²/n for n points in two equal classes; arguments broadcast.

    `rare` is ρ, the share of points with u in the place of v; `noise` the square norm of a noise patch. Rare features lose iff
    ρ n ‖u‖² < 2 ‖ξ‖², and are left at about (first weights)^(1 - rare/memory).
    """
    n, rho = numbers("n", n, 1, np.inf, "[)"), numbers("rare", rare, 0, 1, "[]", "it is a share of the points")
    X = numbers("noise", noise, 0, np.inf, "[)", "it is a square norm")
    v, u = numbers("norm", norm, 0, np.inf), numbers("rare_norm", rare_norm, 0, np.inf)
    common, rare, memory = np.broadcast_arrays((1 - rho) / 2 * v**2, rho / 2 * u**2, X / n)
    return Race(np.asarray(common), np.asarray(rare), np.asarray(memory))


def equilibrium(weight: ArrayLike, label_weight: ArrayLike | None = None, together: ArrayLike = 1.0) -> Any:
    """A*, where Mixup holds the common feature's logit F_y(v_y) of squared filters: a float, or an array of broadcast shape.

    `together` is q in [0, 1], the chance that two points of one class have it in the same patch. With s = lam² + (1 - lam)²
    and g = lam² - (1 - lam)² the root of q σ(-A) + (1 - q) s σ(-s A) = g (σ(g A) - mu). Infinite where labels are not mixed
    (mu = 1, as in standard training) or say nothing of the first point (lam = 1/2). Classes of equal size, no noise, no rare
    points.
    """
    lam = numbers("weight", weight, 0, 1, "[]", WEIGHT)
    mu = lam if label_weight is None else numbers("label_weight", label_weight, 0, 1, "[]", WEIGHT)
    q = numbers("together", np.multiply(together, 1.0), 0, 1, "[]", "it is a probability")
    found = np.vectorize(_equilibrium, otypes=[float])(lam, mu, q)
    return found if found.ndim else float(found)


def _equilibrium(lam: float, mu: float, q: float) -> float:
    lam, mu = (lam, mu) if lam >= 0.5 else (1 - lam, 1 - mu)
    g, s = 2 * lam - 1, lam**2 + (1 - lam) ** 2

    def pull(A: float) -> float:
        return float(q * expit(-A) + (1 - q) * s * expit(-s * A) - g * (expit(g * A) - mu))

    if g * (1 - mu) <= 0:
        return math.inf
    most = 1.0
    while pull(most) > 0:
        most *= 2
    return float(brentq(pull, -most if pull(0.0) < 0 else 0.0, most, xtol=1e-13))


@dataclass(frozen=True)
class MixedStep(Step):
    """A step on the mean loss over all n² mixed pairs, exactly; outputs f are those of the points as they are, not mixed.

    For square activations pairs are never formed: f_ij = lam² f_i + (1 - lam)² f_j + 2 lam (1 - lam) Σ_pr v_rp h_ipr h_jpr, and
    slopes are two products of n x n matrices with h, 4 n² P F multiplications in all. A linear network's outputs are mixed
    themselves. Other activations form the pairs.
    """

    weight: float = 0.6
    """lam; 1 is standard training."""
    label_weight: float | None = None
    """mu; None: the same."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _weights(self.weight, self.label_weight)

    def __call__(self, h: Any, v: Any, y: Any, trained: bool = True) -> tuple[Any, Any, Any]:
        """As `Step`, with slopes by h of the points, shape (B, n, P, F)."""
        lam, mu = _weights(self.weight, self.label_weight)
        n, rest = h.shape[1], 1 - lam
        labels = mu * y[:, :, None] + (1 - mu) * y[:, None]
        if self.activation not in ("square", "identity") or self.normalise:
            pairs = (lam * h[:, :, None] + rest * h[:, None]).reshape(len(h), n * n, *h.shape[2:])
            _, slopes, dv = super().__call__(pairs, v, labels.reshape(len(h), n * n), trained)
            slopes = slopes.reshape(len(h), n, *h.shape[1:])
            alone, _, _ = super().__call__(h, v, y, False)
            return alone, lam * slopes.sum(2) + rest * slopes.sum(1), dv
        if self.activation == "identity":
            f = (h * v[:, None]).sum((2, 3))
            pull = residual(self.loss, lam * f[:, :, None] + rest * f[:, None], labels) / n**2
            own = (lam * pull.sum(2) + rest * pull.sum(1))[..., None, None]
            return f, own * v[:, None] + 0 * h, (own * h).sum(1) if trained else None
        flat = h.reshape(len(h), n, -1)
        products = (h * v[:, None]).reshape(len(h), n, -1) @ flat.mT
        f = products.diagonal(0, 1, 2)
        outputs = lam**2 * f[:, :, None] + rest**2 * f[:, None] + 2 * lam * rest * products
        pull = residual(self.loss, outputs, labels) / n**2
        own, crossed = lam**2 * pull.sum(2) + rest**2 * pull.sum(1), lam * rest * (pull + pull.mT)
        pulled = (own[..., None] * flat + crossed @ flat).reshape(h.shape)
        return f, 2 * v[:, None] * pulled, (h * pulled).sum(1) if trained else None


def _weights(weight: float, label_weight: float | None) -> tuple[float, float]:
    """lam and mu."""
    lam = check_real("weight", weight, 0, 1, WEIGHT)
    return lam, lam if label_weight is None else check_real("label_weight", label_weight, 0, 1, WEIGHT)
