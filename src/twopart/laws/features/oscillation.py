"""The law of benign oscillation: what a strong feature that never settles does to a weak one beside it.

SGD with square loss fits points whose patches hold a strong feature u and a weak one v. The neurons of the right sign all
grow by one factor, so what the strong feature adds to y f is one number a², and the weak one's c²:

    a ← a p,    c ← c (1 + r (p - 1)),    p = 1 + κ (1 - f),    f = a² + c²,    κ = 2 rate ‖u‖²/m,    r = ‖v‖²/‖u‖²

for m neurons a side with activation relu², whose mean is the side. The map of a alone settles at 1 for κ < 1, cycles between
two values up to κ = √5 - 1, then doubles its period, turns chaotic, and kills its neurons past 3√3/2 - 1; the whole square
z² lives to κ = 2. While it cycles the mean of 1 - f is not 0, and feeds c. Source: Lu, Wu, Yang, Zou 2024, arXiv 2310.17074,
who prove that it grows; the constants are derived in docs/laws/benign-oscillation.md, checked in
tests/laws/features/test_oscillation.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arguments import like
from twopart._arrays import numbers
from twopart._checks import check_choice, check_integer, check_real

Floats = NDArray[np.float64]

ONSET = 1.0
"""κ from which residuals do not vanish."""
TWO_CYCLE_ENDS = math.sqrt(5) - 1
"""κ up to which they alternate between two values."""
BOUNDED = {"relu2": 1.5 * math.sqrt(3) - 1, "square": 2.0}
"""κ up to which an orbit lives, by activation: past it relu² may be thrown below 0 and die, z² diverges."""

_ACTIVATIONS, _METHODS = tuple(BOUNDED), ("closed", "orbit")
_POSITIVE, _RATIO = "it is a length, or a rate", "the weak feature is the shorter one"


def kappa(rate: ArrayLike, norm: ArrayLike, neurons: ArrayLike) -> Any:
    """κ = 2 rate norm²/neurons: of a feature of that norm, for relu² or z², a side being the mean of its neurons."""
    η, size, m = (numbers(n, v, 0, math.inf, "()", _POSITIVE) for n, v in _named(rate=rate, norm=norm, neurons=neurons))
    return like((rate, norm, neurons), 2 * η * size**2 / m)


def rate_for(weak_share: ArrayLike, strong: ArrayLike, weak: ArrayLike, neurons: ArrayLike) -> Any:
    """The rate at which the weak feature (of norm `weak`) ends with this share of y f, in [0, 1): `weak_end` inverted.

    0 gives the largest rate that settles. One strong point at a time must cycle: see `TWO_CYCLE_ENDS` for how far that goes.
    """
    share = numbers("weak_share", weak_share, 0, 1, "[)", "the strong feature keeps the rest")
    u, v, m = (
        numbers(n, x, 0, math.inf, "()", _POSITIVE) for n, x in _named(strong=strong, weak=weak, neurons=neurons)
    )
    r = numbers("weak", v / u, 0, 1, "()", _RATIO) ** 2
    return like((weak_share, strong, weak, neurons), m / (2 * u**2) / (1 - share * (1 - r)))


def mean_residual(kappa: ArrayLike, method: str = "closed", *, activation: str = "relu2", steps: int = 100_000) -> Any:
    """The mean of 1 - y f over time on points of the strong feature alone.

    "closed": 0 up to κ = 1, then (κ - 1)/(2κ), exactly, while the orbit has two values; beyond √5 - 1 it refuses. "orbit": the
    mean over so many steps of the map, after as many tenths to forget the start; in chaos it is known to about 1/√steps.
    """
    check_choice("method", method, _METHODS)
    if method == "orbit":
        check_integer("steps", steps, 10, None, "100,000 give three digits in chaos")
        tenth = steps // 10
        f, _ = orbit(kappa, steps + tenth, start=0.3, activation=activation)
        return like((kappa,), (1 - f[tenth:]).mean(0))
    k = numbers("kappa", kappa, 0, TWO_CYCLE_ENDS, "(]", "beyond it the orbit has no closed form: method='orbit'")
    return like((kappa,), np.where(k > ONSET, (k - 1) / (2 * k), 0.0))


def weak_growth(kappa: ArrayLike, weak_over_strong: ArrayLike) -> Any:
    """Growth of ln c per step while c is small: the mean of ln(1 + r (p - 1)) over the cycle of two, r = `weak_over_strong`².

    That is r (κ - 1)/2 to first order in r: κ_v times the mean residual. 0 for κ <= 1; refused where `mean_residual` is.
    """
    k = numbers("kappa", kappa, 0, TWO_CYCLE_ENDS, "(]", "beyond it growth is that of an `orbit`")
    r = numbers("weak_over_strong", weak_over_strong, 0, 1, "()", _RATIO) ** 2
    half = (1 + np.maximum(k, ONSET)) / 2  # p + 1/p = 1 + κ
    root = np.sqrt(half**2 - 1)
    growth = (np.log1p(r * (half + root - 1)) + np.log1p(r * (half - root - 1))) / 2
    return like((kappa, weak_over_strong), growth)


def weak_end(kappa: ArrayLike, weak_over_strong: ArrayLike) -> Any:
    """c² at which oscillation has stopped itself: (κ_u - 1)/(κ_u - κ_v), 0 up to κ_u = 1.

    There rate x sharpness = 2, which reads κ_u a² + κ_v c² = 1 with a² + c² = 1. It takes κ_v <= 1: a weak feature that
    oscillates on its own stops nothing.
    """
    k = numbers("kappa", kappa, 0, BOUNDED["square"], "()", "past 2 every orbit ends")
    r = numbers("weak_over_strong", weak_over_strong, 0, 1, "()", _RATIO) ** 2
    numbers("kappa", k * r, 0, 1, "(]", "κ_v = κ weak_over_strong² above 1 has no end: take a smaller one")
    return like((kappa, weak_over_strong), np.maximum(k - 1, 0) / (k * (1 - r)))


def weak_smooth(weak_over_strong: ArrayLike, strong_start: ArrayLike, weak_start: ArrayLike) -> Any:
    """c when training settles without oscillation: c_0 (1/a_0)^r, to first order in κ; the smaller the rate, the nearer."""
    r = numbers("weak_over_strong", weak_over_strong, 0, 1, "()", _RATIO) ** 2
    a = numbers("strong_start", strong_start, 0, 1, "(]", "it starts small")
    c = numbers("weak_start", weak_start, 0, 1, "(]", "it starts small")
    return like((weak_over_strong, strong_start, weak_start), c * a**-r)


def edge(kappa: ArrayLike, strong: ArrayLike, weak: ArrayLike, weak_over_strong: ArrayLike) -> Any:
    """κ_u a² + κ_v c² of amounts a² = `strong`, c² = `weak`: half of rate x sharpness, and unstable above 1."""
    k = numbers("kappa", kappa, 0, math.inf, "()", _POSITIVE)
    a2, c2 = (numbers(n, x, 0, math.inf, "[)", "it is a square") for n, x in _named(strong=strong, weak=weak))
    r = numbers("weak_over_strong", weak_over_strong, 0, 1, "()", _RATIO) ** 2
    return like((kappa, strong, weak, weak_over_strong), k * (a2 + r * c2))


def orbit(
    kappa: ArrayLike,
    steps: int,
    *,
    start: ArrayLike = 0.1,
    weak_over_strong: float = 0.0,
    weak_start: float = 0.0,
    activation: str = "relu2",
) -> tuple[Floats, Floats]:
    """The map itself: y f and c² before each step, shapes (steps, *shape), from a = `start` and c = `weak_start`.

    `kappa` and `start` broadcast to the shape: many starts average chaos sooner than many steps.
    """
    k = numbers("kappa", kappa, 0, BOUNDED["square"], "(]", "past 2 every orbit ends")
    cut = check_choice("activation", activation, _ACTIVATIONS) == "relu2"
    check_integer("steps", steps, 1, None, "it is a length")
    r = check_real("weak_over_strong", weak_over_strong, 0, 1, _RATIO, closed="[)") ** 2
    k, a = np.broadcast_arrays(k, numbers("start", start, 0, 1, "[]", "it starts small"))
    c = np.full_like(k, check_real("weak_start", weak_start, 0, 1, "it starts small"))
    f, weak = np.empty((2, steps, *k.shape))
    for t in range(steps):
        weak[t] = c * c
        f[t] = a * a + weak[t]
        grown = k * (1 - f[t])
        a, c = a * (1 + grown), c * (1 + r * grown)
        if cut:  # a neuron that is thrown below 0 has no slope to come back by
            a, c = np.maximum(a, 0), np.maximum(c, 0)
    return f, weak


def _named(**values: Any) -> Any:
    return values.items()
