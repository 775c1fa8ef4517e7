"""What a penalty on gradients does to a network that learns a signal and memorises noise.

    race_threshold(n=20, signal=9.0, noise=400.0, neurons=10)     # 0.0195: from here on the signal is learned first
    penalty_window(signal=9.0, noise=400.0, neurons=10)           # 0.025, 1.11: memory cannot grow, the signal does
    Penalised.of(x, weight=0.05)                                  # the penalised step, exactly, for `gram_descent`

Points are [y μ, ξ], M = ‖μ‖² the `signal`, X = ‖ξ‖² = σ² d the `noise`; the network is the mean of `neurons` squared ReLUs on
each side, and the loss is (1/n) Σ_i ℓ_i + (λ/2)(1/n) Σ_i ‖∇ℓ_i‖², λ the `weight`. The penalty weighs a direction by its square
norm, so that long noise patches are held back first. Arguments broadcast. Source of the loss: Meng, Cao, Zou 2023, arXiv
2303.17940; formulas are derived in docs/laws/per-example-gradient.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check
from twopart.laws.features.patch_step import ACTIVATIONS, Step, residual, slope

Floats = NDArray[np.float64]


class Rates(NamedTuple):
    """Of the logarithm of an inner product, per unit of time, while |ℓ'| is near 1/2."""

    signal: Floats
    memory: Floats


def penalty_rates(n: Any, signal: Any, noise: Any, neurons: Any, weight: Any = 0.0) -> Rates:
    """M/(2m) (1 - λ M/m) and X/(n m) (1 - λ X/m)."""
    n, M, X, m = _positive(n=n, signal=signal, noise=noise, neurons=neurons)
    (weight,) = _positive(0.0, weight=weight)
    return Rates(M / (2 * m) * (1 - weight * M / m), X / (n * m) * (1 - weight * X / m))


def race_threshold(n: Any, signal: Any, noise: Any, neurons: Any) -> Floats:
    """λ* = m (2X - nM)/(2X² - nM²), at which signal and memory grow alike; 0 where the signal wins without a penalty."""
    n, M, X, m = _positive(n=n, signal=signal, noise=noise, neurons=neurons)
    behind = n * M < 2 * X
    gap = np.where(behind, 2 * X**2 - n * M**2, 1.0)
    check(bool((gap > 0).all()), "signal", signal, "at most `noise` where n < 2", "a penalty helps short signals")
    return np.asarray(np.where(behind, m * (2 * X - n * M) / gap, 0.0))


def penalty_window(signal: Any, noise: Any, neurons: Any) -> tuple[Floats, Floats]:
    """m/X and m/M, between which memory cannot grow at all while the signal does; falling where the signal is the longer."""
    M, X, m = _positive(signal=signal, noise=noise, neurons=neurons)
    return m / X, m / M


def penalty_cap(square_norm: Any, neurons: Any, weight: Any, power: Any = 3) -> Floats:
    """(2m/(λ S q(q-1)))^(1/(q-2)), at which an inner product with a patch of square norm S stops; relu^q, q > 2."""
    S, m, weight = _positive(square_norm=square_norm, neurons=neurons, weight=weight)
    power = np.asarray(power, float)
    check(bool((power > 2).all()), "power", power, "> 2", "squared ReLUs have no cap, but a window")
    return np.asarray((2 * m / (weight * S * power * (power - 1))) ** (1 / (power - 2)))


def _positive(least: float | None = None, /, **numbers: Any) -> tuple[Floats, ...]:
    """Finite arrays above 0, or from `least` on."""
    arrays = {name: np.asarray(value, float) for name, value in numbers.items()}
    for name, value in arrays.items():
        fits = np.isfinite(value) & (value > 0 if least is None else value >= least)
        bound = "finite and > 0" if least is None else f"finite and >= {least:g}"
        check(bool(fits.all()), name, numbers[name], bound, "norms are squared, counts whole")
    return tuple(arrays.values())


@dataclass(frozen=True, eq=False)
class Penalised(Step):
    """A step on the mean loss plus (λ/2) times the mean over groups of points of ‖mean gradient of the group‖², in closed form.

    A group of one point each is the penalty per example; one group of all is that on the mean gradient, which is another
    thing. Gradients are by first-layer weights; the second layer stays. With c = ℓ' v act'(h) and the inner products K of a
    group's patches, the gradient of a group has square norm c^T K c (over its size squared), a function of h alone.
    """

    weight: float = 0.0
    """λ."""
    products: Floats | None = None
    """K of each group of each sample, shape (B, groups, n P / groups, n P / groups)."""

    @classmethod
    def of(
        cls, x: Any, weight: float, groups: int | None = None, *, activation: str = "relu2", loss: str = "logistic"
    ) -> Penalised:
        """For points x (B, n, P, d); `groups` of equal size, in the order of the points; None: every point by itself."""
        x = np.asarray(x, np.float64)
        check(x.ndim == 4 and x.size > 0, "x", x.shape, "of shape (B, n, P, d)", "give patches of each point")
        check(bool(np.isfinite(x).all()), "x", "nan or infinite numbers", "finite", "drop or fill those points")
        _positive(0.0, weight=weight)
        groups = x.shape[1] if groups is None else groups
        check(groups >= 1 and x.shape[1] % groups == 0, "groups", groups, f"a divisor of {x.shape[1]}", "equal sizes")
        rows = x.reshape(len(x), groups, -1, x.shape[-1])
        return cls(activation, loss, weight=weight, products=rows @ rows.mT)

    def __call__(self, h: Any, v: Any, y: Any, trained: bool = True) -> tuple[Any, Any, Any]:
        """As `Step`, with `trained` False."""
        check(not (trained or self.normalise), "trained", trained, "False, without `normalise`", "fix the second layer")
        f, dh, _ = super().__call__(h, v, y, trained)
        if self.weight == 0 or self.products is None:
            return f, dh, None
        B, n, P, F = h.shape
        fits = self.products.shape[0] == B and self.products.shape[1] * self.products.shape[2] == n * P
        check(fits, "products", self.products.shape, f"those of {B} samples of {n} points", "take all points a step")
        products = self.products if isinstance(h, np.ndarray) else h.new_tensor(self.products)
        pull, v = residual(self.loss, f, y)[..., None, None], v[:, None]
        s = v * slope(self.activation, h)
        groups, size = products.shape[1:3]
        dc = (products @ (pull * s).reshape(B, groups, size, F)).reshape(h.shape) * (self.weight * groups / n**2)
        turn = bend(self.loss, pull, y[..., None, None])
        return (
            f,
            dh + dc * pull * v * curvature(self.activation, h) + turn * s * (dc * s).sum((-2, -1))[..., None, None],
            None,
        )


def curvature(activation: str, h: Any) -> Any:
    """act''(h), 0 at the kink."""
    power, cut = ACTIVATIONS[activation]
    if power == 1:
        return 0 * h
    on = h > 0 if cut else h == h
    return power * (power - 1) * reduce(mul, [h.clip(min=0) if cut else h] * (power - 2), on)


def bend(loss: str, pull: Any, y: Any) -> Any:
    """Second derivative of the loss by the output, from the first."""
    if loss == "square":
        return 0 * pull + 1
    p = pull + (1 + y) / 2
    return p * (1 - p)
