"""The law of output scale: how a two-layer ReLU network grows whose layers both train, and how it errs in the end.

Setting: points [y μ, ξ], y = ±1, ‖μ‖ = `norm`, ξ ~ N(0, σ²) in d dimensions off μ; n training points; small first weights w,
every output weight at v_0 = `output_initial`. While all n points pull alike, with slopes ℓ', the growth of signal and memory is
linear in the stretched time τ = ∫ 2 |ℓ'| dt, at rates

    ω_μ = s norm (1 - 2p)/4,      ω_ξ = s σ √(q d/(8 n)),      s = `scale` of the neurons' sum,

q the share of its own label's points that a neuron remembers, and

    hidden = v_0 (ω/Ω) sinh Ωτ,   output = v_0 cosh Ωτ.

Ω = ω of signal and memory, if a neuron has an output weight for each patch; √(ω_μ² + ω_ξ²) for both, if it has one for all; 0
if it is fixed. At first ℓ' = -1/2, and τ is time, steps times rate. Derived in docs/laws/initialization.md, after Shang, Meng,
Cao, Zou 2024 (arXiv 2410.19139), who prove orders; checked in tests/laws/features/test_initialization.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from twopart._arguments import like
from twopart._arrays import numbers
from twopart._checks import check, check_choice, check_integer, check_real
from twopart.laws.features.noise_reply import reply_error

Floats = NDArray[np.float64]
OUTPUTS = ("per-patch", "shared", "fixed")


class Rates(NamedTuple):
    """Rates of growth, for each unit of stretched time."""

    signal: Any
    memory: Any


@dataclass(frozen=True)
class Layers:
    """The two layers of a neuron: numbers, or arrays of the arguments' common shape."""

    hidden_signal: Any
    """a, the signal's part of w: <w, μ>/‖μ‖, times the neuron's sign."""
    output_signal: Any
    """v of the signal patch."""
    hidden_memory: Any
    """The length of what w has learned of training noise."""
    output_memory: Any
    """v of the noise patch."""


@dataclass(frozen=True)
class ScaleLaw:
    """A trained network: numbers, or arrays of the arguments' common shape."""

    error: Any
    """Share of fresh points that are classified wrongly."""
    k: Any
    """Signal in units of the reply to fresh noise."""
    time: Any
    """τ, stretched time."""
    layers: Layers


def growth_rates(
    norm: ArrayLike,
    n: ArrayLike,
    dimension: ArrayLike,
    noise: ArrayLike = 1.0,
    active: ArrayLike = 0.75,
    flips: ArrayLike = 0.0,
    *,
    scale: float = 1.0,
) -> Rates:
    """ω_μ and ω_ξ; `scale` is 1 where neurons are summed, 1/m where they are meaned. Signal wins a race if ω_μ > ω_ξ.

    Arrays broadcast. Raises `InputError` for a value out of range, naming it; so do the functions below.
    """
    size, points = numbers("norm", norm, 0, math.inf, "[)"), numbers("n", n, 0, math.inf)
    d, σ = numbers("dimension", dimension, 0, math.inf), numbers("noise", noise, 0, math.inf)
    q, p = numbers("active", active, 0, 1, "(]"), numbers("flips", flips, 0, 0.5, "[)")
    s = check_real("scale", scale, 0, math.inf, "1 for a sum, 1/m for a mean", closed="()")
    signal, memory = s * size * (1 - 2 * p) / 4, s * σ * np.sqrt(q * d / (8 * points))
    return Rates(like((norm, flips), signal), like((n, dimension, noise, active), memory))


def early(
    time: ArrayLike,
    output_initial: ArrayLike,
    norm: ArrayLike,
    n: ArrayLike,
    dimension: ArrayLike,
    noise: ArrayLike = 1.0,
    active: ArrayLike = 0.75,
    flips: ArrayLike = 0.0,
    *,
    output: str = "per-patch",
    scale: float = 1.0,
    rate: float = 0.0,
) -> Layers:
    """Both layers at `time` (steps times rate while margins are small; without flips at any stretched time).

    `output`: "per-patch", "shared" or "fixed". At a `rate` > 0 it is gradient descent, exactly, at 0 the flow.
    """
    t, v = numbers("time", time, 0, math.inf, "[)"), numbers("output_initial", output_initial, 0, math.inf)
    ω = growth_rates(norm, n, dimension, noise, active, flips, scale=scale)
    Ω, η = _joint(ω, output), check_real("rate", rate, 0, math.inf, "0 is the flow", closed="[)")
    check(bool(np.all(η * np.maximum(*Ω) < 1)), "rate", rate, "below 1/Ω", "larger steps do not follow the flow")
    parts = [v * part for own, fastest in zip(ω, Ω, strict=True) for part in _hyperbola(own, fastest, t, η)]
    given = (time, output_initial, norm, n, dimension, noise, active, flips)
    return Layers(*(like(given, part) for part in np.broadcast_arrays(*parts)))


def output_scale_error(
    output_initial: ArrayLike,
    norm: ArrayLike,
    n: ArrayLike,
    dimension: ArrayLike,
    neurons: int,
    noise: ArrayLike = 1.0,
    active: ArrayLike = 0.75,
    margin: ArrayLike = 5.0,
    *,
    output: str = "per-patch",
    scale: float = 1.0,
) -> ScaleLaw:
    """The error of a network of m = `neurons` a side that is trained until margins y f are `margin` on average, without flips.

    All margins taken as equal, 4 m (ω_μ v_1 a + ω_ξ v_2 |w_ξ|) = `margin` says how far stretched time has come, and
    k = norm √q v_1 a/(σ v_2 |w_ξ|) what fresh noise does. `active`: q, counted (`active_share`); 0.7 to 0.8 is usual.
    """
    v, y = numbers("output_initial", output_initial, 0, math.inf), numbers("margin", margin, 0, math.inf)
    m = check_integer("neurons", neurons, 1, None, "they are those of a side")
    q = numbers("active", active, 0, 1)
    ω = growth_rates(norm, n, dimension, noise, q, scale=scale)
    Ω, pulls = _joint(ω, output), [4 * m * v**2 * np.square(own) for own in ω]

    with np.errstate(divide="ignore"):  # when one of the two would reach the margin by itself
        τ = np.minimum(*(_arsinh(y / pull, 2 * r) for pull, r in zip(pulls, Ω, strict=True)))
    for _ in range(60):  # Newton's steps from the right at the root of a convex function stay on the right
        both = [(pull * _sinh(2 * r, τ), pull * np.cosh(2 * r * τ)) for pull, r in zip(pulls, Ω, strict=True)]
        step = (both[0][0] + both[1][0] - y) / (both[0][1] + both[1][1])
        τ = τ - step
        if np.all(np.abs(step) < 1e-13 * τ):
            break
    layers = early(τ, v, norm, n, dimension, noise, q, output=output, scale=scale)
    signal, memory = layers.hidden_signal * layers.output_signal, layers.hidden_memory * layers.output_memory
    k = np.asarray(norm) * np.sqrt(q) * signal / (np.asarray(noise) * memory)
    given = (output_initial, norm, n, dimension, noise, active, margin)
    found = [like(given, part) for part in np.broadcast_arrays(reply_error(k, q), k, τ, *vars(layers).values())]
    return ScaleLaw(found[0], found[1], found[2], Layers(*found[3:]))


def benign_norm(
    error: float,
    output_initial: ArrayLike,
    n: ArrayLike,
    dimension: ArrayLike,
    neurons: int,
    noise: ArrayLike = 1.0,
    active: ArrayLike = 0.75,
    margin: ArrayLike = 5.0,
    *,
    output: str = "per-patch",
    scale: float = 1.0,
) -> Any:
    """‖μ‖ from which `output_scale_error` is no more than `error`, in (0, 1/2): the edge of the benign region.

    For v_0 large it is near σ √k (2d/n)^(1/4), for v_0 small and an output weight for each patch near σ √(2 q d/n), where
    ω_μ = ω_ξ; as long as their exponents differ by enough.
    """
    check_real("error", error, 0, 0.5, "1/2 takes no signal", closed="()")
    given = (output_initial, n, dimension, noise, active, margin)
    names = "output_initial", "n", "dimension", "noise", "active", "margin"
    parts = (numbers(name, part, 0, math.inf) for name, part in zip(names, given, strict=True))

    def edge(v: float, points: float, d: float, σ: float, q: float, y: float) -> float:
        def above(log: float) -> float:
            law = output_scale_error(v, math.exp(log), points, d, neurons, σ, q, y, output=output, scale=scale)
            return float(law.error) - error

        middle = math.log(σ * math.sqrt(d / points))
        return math.exp(brentq(above, middle - 12, middle + 12))

    return like(given, np.vectorize(edge, otypes=[float])(*parts))


def _joint(ω: Rates, output: str) -> tuple[Floats, Floats]:
    """Ω of signal and of memory."""
    check_choice("output", output, OUTPUTS)
    if output == "per-patch":
        return np.asarray(ω.signal), np.asarray(ω.memory)
    both = np.hypot(*ω) if output == "shared" else np.zeros(np.broadcast_shapes(*map(np.shape, ω)))
    return np.asarray(both), np.asarray(both)


def _hyperbola(ω: Any, Ω: Floats, t: Floats, η: float) -> tuple[Floats, Floats]:
    """(ω/Ω) sinh Ωt and cosh Ωt; at a rate η those of (1 ± η Ω)^(t/η)."""
    up, down = (np.log1p(η * Ω) / η, -np.log1p(-η * Ω) / η) if η else (Ω, Ω)
    cosh = (np.exp(up * t) + np.exp(-down * t)) / 2
    return ω * _sinh(Ω, t, up, down), cosh


def _sinh(Ω: Floats, t: Floats, up: Any = None, down: Any = None) -> Floats:
    """sinh(Ω t)/Ω, t at Ω = 0."""
    up, down = (Ω, Ω) if up is None else (up, down)
    return np.where(Ω > 0, (np.expm1(up * t) - np.expm1(-down * t)) / np.where(Ω > 0, 2 * Ω, 1), t)


def _arsinh(x: Floats, Ω: Floats) -> Floats:
    """The t at which sinh(Ω t)/Ω is x."""
    return np.where(Ω > 0, np.arcsinh(Ω * x) / np.where(Ω > 0, Ω, 1), x)
