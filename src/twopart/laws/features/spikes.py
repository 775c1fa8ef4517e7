"""The law of delayed spikes: why a normalised model is stable for long, leaps, and is stable again.

A model α <x, w>/|w|_Σ, |w|_Σ² = w'Σw, is fitted to targets <x, w*> by gradient descent on the mean of half the squared errors,
with a rate for w, another for α, and weight decay on w. With whitened inputs, Σ = I, three numbers are all that moves: the
angle θ between w and w*, the norm r of w, and α. With c = |w*|, κ = rate α c/r², δ = rate decay

    tan θ ← tan θ |1 - δ - κ cos θ| / (1 - δ + κ sin²θ/cos θ),    r ← r √((1 - δ)² + (κ sin θ)²),
    α ← α - rate_alpha (α - c cos θ),    loss = (α - c cos θ)²/2 + c² sin²θ/2.

The angle rises in a step iff θ < π/4 and κ > 2 (1 - δ) cos θ/cos 2θ: the edge of stability, κ = 2 near alignment. α carries κ
up to it, the growing norm takes it back. tan θ is kept as its logarithm, which may be -500 there. Source: Gao, Fang, Zheng,
Zou 2026, arXiv 2604.16809 (the model); derived in docs/laws/delayed-spikes.md, checked in tests/laws/features/test_spikes.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart._arguments import like
from twopart._arrays import finite, numbers
from twopart._checks import check, check_integer

Floats = NDArray[np.float64]
EDGE, CLAMP = 2.0, 1.9  # κ above which an aligned direction is left; at which a clamped rate is held, so that none is
_SMALL, _TURN = "a larger one does not settle by itself", "turn w and α to -w and -α"


@dataclass(frozen=True, eq=False)
class SpikePath:
    """A course of training, predicted or measured, before each step and after the last: shapes (steps + 1, *runs)."""

    loss: Floats
    """Without what noise in the targets adds."""
    log_tangent: Floats
    """ln tan θ, -inf where θ is 0."""
    kappa: Floats
    """rate α c/|w|², times the largest curvature across w* where inputs are not whitened."""
    norm: Floats
    """|w|_Σ."""
    alpha: Floats

    @classmethod
    def of(cls, w: Floats, alpha: Floats, w_star: Floats, sigma: Floats, rate: ArrayLike) -> SpikePath:
        """Of weights (steps + 1, *runs, d) and α (steps + 1, *runs), as they were in training; `rate` is that for w."""
        c, s, turned = norm(sigma, w_star), norm(sigma, w), sigma @ w_star
        check(bool(c > 0), "w_star", w_star[:3], "not 0", "with nothing to fit there is no direction")
        along, off = w @ turned / c, (alpha / s)[..., None] * w - w_star
        curvature = np.linalg.eigvalsh(sigma - np.outer(turned, turned) / c**2)[-1]
        with np.errstate(divide="ignore"):
            log_tangent = np.log(norm(sigma, w - along[..., None] * w_star / c) / np.abs(along))
        return cls(norm(sigma, off) ** 2 / 2, log_tangent, curvature * rate * alpha * c / s**2, s, alpha)

    def rises(self, above: float = -math.inf) -> NDArray[np.bool_]:
        """In which steps the angle rises, ln tan θ being greater than `above` before and after, shape (steps, *runs)."""
        before, after = self.log_tangent[:-1], self.log_tangent[1:]
        return np.asarray((after > before) & (np.minimum(before, after) > above))

    def onsets(self, above: float = -math.inf) -> NDArray[np.bool_]:
        """Those of them that the one before is not, shape (steps, *runs)."""
        rises = self.rises(above)
        return np.asarray(rises & ~np.concatenate([0 * rises[:1] > 0, rises[:-1]]))

    def unstable(self, decay: ArrayLike = 0.0) -> NDArray[np.bool_]:
        """In which steps it must by the law, of whitened inputs, shape (steps, *runs); `decay` is rate times weight decay."""
        t2, held = np.exp(2 * self.log_tangent[:-1]), EDGE * (1 - np.asarray(decay, float))
        with np.errstate(divide="ignore"):  # cos 2θ / cos θ = (1 - t²)/√(1 + t²)
            return np.asarray((t2 < 1) & (self.kappa[:-1] * (1 - t2) > held * np.sqrt(1 + t2)))


class Onset(NamedTuple):
    """The step in which the angle first rises and κ in it, of each run; -1 and nan: it never does."""

    step: Any
    kappa: Any


class Spike(NamedTuple):
    """The step before which the angle is largest after the onset and the loss there, of each run; -1 and nan: none."""

    step: Any
    height: Any


def path(
    aligned: ArrayLike, across: ArrayLike, alpha: ArrayLike, target: ArrayLike, rate: ArrayLike, rate_alpha: ArrayLike,
    steps: int, *, decay: ArrayLike = 0.0, clamp: float = math.inf, floor: float = 0.0,
) -> SpikePath:  # fmt: skip
    """The three-number map, exact for whitened inputs; arguments broadcast to the shape of the runs, all done at once.

    It starts from w = `aligned` along w*, > 0, and `across` beside it, and α = `alpha` > 0; c is `target`. `clamp` is a κ that
    is not passed: the rate for w is min(rate, clamp r²/(α c)), and at 1.9 no angle rises. `floor` is where tan θ is held: the
    rounding of w's coordinates, 1e-16 in float64 and 6e-8 in float32, gives the path of runs in such arithmetic. Raises
    `InputError` for what is not positive or not finite.
    """
    p, a, c, η = _positive(_TURN, aligned=aligned, alpha=alpha, target=target, rate=rate)
    q, wd = (numbers(n, v, 0, math.inf, "[)", "0 is none") for n, v in (("across", across), ("decay", decay)))
    ηα = numbers("rate_alpha", rate_alpha, 0, 1, "(]", _SMALL)
    limit, low = numbers("clamp", clamp, 0, math.inf, "(]"), numbers("floor", floor, 0, 1, "[)")
    numbers("decay", η * wd, 0, 1, "[)", "rate times decay must stay below 1")
    with np.errstate(divide="ignore"):
        least, log_tangent = np.log(low), np.log(q / p)
        p, a, c, η, ηα, wd, log_tangent = np.broadcast_arrays(p, a, c, η, ηα, wd, log_tangent)
        shape = 5, check_integer("steps", steps, 1, None, "it is a length") + 1, *p.shape
        r, found = p * np.hypot(1, q / p), np.empty(shape)
        for t in range(steps + 1):
            tangent = np.exp(log_tangent)
            cos = 1 / np.hypot(1, tangent)
            sin = tangent * cos
            short, held = a - c * cos, np.minimum(η, limit * r**2 / (a * c))
            κ, δ = held * a * c / r**2, held * wd
            found[:, t] = (short**2 + (c * sin) ** 2) / 2, log_tangent, κ, r, a
            log_tangent = log_tangent + np.log(np.abs(1 - δ - κ * cos)) - np.log(1 - δ + κ * sin**2 / cos)
            log_tangent = np.maximum(log_tangent, least)
            r, a = r * np.hypot(1 - δ, κ * sin), a - ηα * short
    return SpikePath(*found)


def path_general(
    sigma: ArrayLike, w: ArrayLike, alpha: ArrayLike, w_star: ArrayLike, rate: ArrayLike, rate_alpha: ArrayLike, steps: int
) -> SpikePath:  # fmt: skip
    """The same for any covariance Σ (d, d), exact in d numbers a run: from w (d,) or (runs, d); others are numbers or (runs,).

    `w_star` (d,) is the least-squares solution, whatever the targets. Raises `InputError` for shapes that do not fit and nan.
    """
    star = finite("w_star", w_star, (None,), "it is the least-squares solution")
    Σ = finite("sigma", sigma, (len(star), len(star)), "a covariance of the inputs, X'X/n")
    v = finite("w", w, (None,) * (np.ndim(w) - 1) + (len(star),), "one number for each input")
    a, η = _positive(_TURN, alpha=alpha, rate=rate)
    ηα = numbers("rate_alpha", rate_alpha, 0, 1, "(]", _SMALL)
    check(bool(np.all(norm(Σ, v) > 0)), "w", "of norm 0", "not 0", "start elsewhere")
    ws, alphas = [v], [np.broadcast_to(a, v.shape[:-1])]
    for _ in range(check_integer("steps", steps, 1, None, "it is a length")):
        v, a, s = ws[-1], alphas[-1][..., None], norm(Σ, ws[-1])[..., None]
        pull = (a * v / s - star) @ Σ
        along = (pull * v).sum(-1, keepdims=True) / s
        ws.append(v - η[..., None] * a / s * (pull - along * (v @ Σ) / s))
        alphas.append(alphas[-1] - ηα * along[..., 0])
    return SpikePath.of(np.stack(ws), np.stack(alphas), star, Σ, η)


def onset(path: SpikePath, above: float = -math.inf) -> Onset:
    """The first step in which the angle rises, of those counted by `SpikePath.rises(above)`."""
    rises = path.rises(above)
    step = np.where(rises.any(0), rises.argmax(0), -1)
    return Onset(step, np.where(step < 0, np.nan, at(path.kappa, step)))


def spike(path: SpikePath, above: float = -math.inf) -> Spike:
    """The largest angle after the onset, of those counted by `SpikePath.rises(above)`."""
    first = onset(path, above).step
    later = np.arange(len(path.loss)).reshape(-1, *(1,) * np.ndim(first)) > first
    step = np.where(first < 0, -1, np.where(later, path.log_tangent, -np.inf).argmax(0))
    return Spike(step, np.where(step < 0, np.nan, at(path.loss, step)))


def never(norm: ArrayLike, target: ArrayLike, rate: ArrayLike) -> Any:
    """Whether rate c² <= 2 norm²: then no step raises the angle, from alpha <= c, with rate_alpha <= 1 and no decay.

    Enough, not needed: as the norm grows while w turns, a run above it may have no rising step either.
    """
    r, c, η = _positive(norm=norm, target=target, rate=rate)
    return (η * c**2 <= EDGE * r**2)[()]


def onset_time(alpha: ArrayLike, norm: ArrayLike, target: ArrayLike, rate: ArrayLike, rate_alpha: ArrayLike) -> Any:
    """Steps until κ = 2 from α = `alpha`, w aligned and of that norm: ln((c - 2 r²/(rate c))/(c - α))/ln(1 - rate_alpha).

    inf if rate c² <= 2 r², 0 if κ is there already. Early by at most 15 % and 4 steps in runs, as α lags while θ > 0.
    """
    a, r, c, η = _positive(alpha=alpha, norm=norm, target=target, rate=rate)
    ηα = numbers("rate_alpha", rate_alpha, 0, 1, "()", _SMALL)
    need = EDGE * r**2 / (η * c)  # α at κ = 2
    with np.errstate(divide="ignore", invalid="ignore"):
        time = np.log((c - need) / (c - a)) / np.log1p(-ηα)
    return like((alpha, norm, target, rate, rate_alpha), np.where(a >= need, 0.0, np.where(c > need, time, np.inf)))


def period(kappa_low: ArrayLike, kappa_high: ArrayLike, rate: ArrayLike, decay: ArrayLike) -> Any:
    """Steps between spikes under weight decay, in which κ climbs from its least to its largest: ln(high/low)/(2 rate decay)."""
    low, high, η, wd = _positive(kappa_low=kappa_low, kappa_high=kappa_high, rate=rate, decay=decay)
    return like((kappa_low, kappa_high, rate, decay), np.log(high / low) / (2 * η * wd))


def norm(sigma: Floats, w: Floats) -> Any:
    """√(w'Σw) of w (..., d)."""
    return np.sqrt((w @ sigma * w).sum(-1))


def at(values: Floats, step: Any) -> Any:
    """Of values (steps, *runs) those at a step for each run."""
    return np.take_along_axis(values, np.asarray(step)[None], 0)[0]


def _positive(remedy: str = "it is a length, or a rate", **values: ArrayLike) -> list[Floats]:
    return [numbers(name, value, 0, math.inf, remedy=remedy) for name, value in values.items()]
