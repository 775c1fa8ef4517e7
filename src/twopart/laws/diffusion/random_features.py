"""Random features as denoisers, exact at every time of training; consistency distillation of them, a chain of linear equations.

A φ(x) with φ = tanh(W x/√d)/√p and W fixed learns y by gradient flow dA/dτ = V - A U, U = E φφ', V = E yφ':

    A(τ) = A(0) e^{-Uτ} + V U^{-1} (I - e^{-Uτ})                               one denoiser            `regression`
    dB_k/dτ = V_k + ρ_k B_{k-1} M_k - B_k U_k                                  levels of a student     `chain`

What training points alone have sits in the small eigenvalues of U and is learned last: `fits.levels.clocks`. Moments may be
those of any features; all is float64, as U is nearly singular. Setting: Bonnaire et al. 2025, arXiv 2505.17638; the chain is
derived in docs/laws/consistency-memorization.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from twopart._arguments import like
from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_real

NODES = 32  # a decade of time, between which what drives a level is taken to be linear
SHAPE = "features (S, p) and targets (S, d) of the same S points"


class Moments(NamedTuple):
    """What regression needs to know of features φ and targets y."""

    gram: Floats
    """U = E φφ', shape (p, p)."""
    cross: Floats
    """V = E yφ', shape (d, p)."""
    square: float
    """E |y|²."""

    @classmethod
    def of(cls, features: ArrayLike, targets: ArrayLike) -> Moments:
        """Means over samples, features (S, p) and targets (S, d)."""
        φ = finite("features", features, (None, None), SHAPE)
        y = finite("targets", targets, (len(φ), None), SHAPE)
        return cls(φ.T @ φ / len(φ), y.T @ φ / len(φ), float(np.square(y).sum() / len(y)))

    def error(self, weights: ArrayLike) -> Floats:
        """E |y - Aφ|² a coordinate, shape (...), of weights (..., d, p)."""
        A = np.asarray(weights, float)
        check(A.shape[-2:] == self.cross.shape, "weights", A.shape, f"(..., {self.cross.shape})", "a row a coordinate")
        return np.asarray((self.square + ((A @ self.gram - 2 * self.cross) * A).sum((-2, -1))) / len(self.cross))


class Level(NamedTuple):
    """What a level of a student learns, from features φ at x_k and φ̂ at x̂_{k-1}, where the teacher's step ends."""

    gram: ArrayLike
    """U_k = E φφ', shape (p, p)."""
    cross: ArrayLike
    """V_k = E yφ', shape (d, p), y the target without the student: (c_skip,k-1 x̂ - c_skip,k x)/c_out,k."""
    carried: ArrayLike
    """M_k = E φ̂φ', shape (p, p)."""
    ratio: float
    """ρ_k = c_out,k-1/c_out,k; 0 for the first level, where f(x, t_0) = x."""
    rate: float = 1.0
    """By which time passes: 2 w_k c_out,k² for a loss w_k |f - target|²."""


def regression(
    gram: ArrayLike, cross: ArrayLike, times: ArrayLike, *, start: ArrayLike | None = None, rate: float | None = None
) -> Floats:
    """A(τ), shape (T, d, p), of U (p, p) and V (d, p), at times (T,) >= 0 from A(0) = `start`, 0 if None.

    With `rate` η < 1/u_max after τ/η steps of gradient descent, exactly: (1 - (1 - ηu)^{τ/η})/u in place of (1 - e^{-uτ})/u.
    """
    u, Q, V = _eigen(gram, cross)
    τ = _times(times)[:, None, None]
    step = 0 if rate is None else check_real("rate", rate, 0, 1 / u[-1], "1/u_max; u_max <= E|φ|²", closed="()")
    pace = -np.log1p(-step * u) / step if step else u
    return np.asarray((_begin(start, V) @ Q * np.exp(-pace * τ) - V @ Q * np.expm1(-pace * τ) / u) @ Q.T)


def chain(
    levels: Sequence[Level],
    times: ArrayLike,
    *,
    start: ArrayLike | None = None,
    ema: float | None = None,
    in_turn: bool = False,
) -> Floats:
    """B_k(τ), shape (N, T, d, p), of levels k = 1..N at times (T,) >= 0 of distillation, from `start` (N, d, p), 0 if None.

    `ema` γ: the target is the mean B̄, dB̄/dτ = γ (B - B̄); None: the student as it is. `in_turn`: each level for a time τ, after
    the one below had as long, exactly. At once, the target is linear between 32 nodes a decade: relative error about 1e-4.
    Raises `InputError` for shapes that do not fit and times that fall.
    """
    wanted = _times(times)
    check(len(levels) > 0, "levels", len(levels), "one or more", "from the least noise up")
    check(levels[0].ratio == 0, "levels", levels[0].ratio, "with ratio 0 at the first", "f(x, t_0) = x")
    rate = None if ema is None else check_real("ema", ema, 0, inf, "-ln(decay) a unit of time", closed="()")
    check(rate is None or not in_turn, "ema", ema, "None with `in_turn`", "the target of a level then stands still")
    last, first = max(wanted[-1], 1e-9), 0.01 / max(np.trace(level.gram) for level in levels)
    few = np.geomspace(min(first, last), last, 2 + int(NODES * max(0.0, np.log10(last / first))))
    τ = wanted if in_turn else np.unique(np.r_[0.0, wanted, few])
    found, below = [], np.zeros((1, *np.shape(levels[0].cross)))
    for k, level in enumerate(levels):
        pace = check_real("rate", level.rate, 0, inf, "2 w c_out²", closed="()")
        ratio = check_real("ratio", level.ratio, -inf, inf, "c_out,k-1/c_out,k", closed="()")
        u, Q, V = _eigen(np.multiply(pace, level.gram), np.multiply(pace, level.cross))
        M = finite("carried", level.carried, Q.shape, "E φ̂φ', of the shape of U")
        begin = _begin(None if start is None else np.asarray(start, float)[k], V)
        drive = (V + pace * ratio * below @ M) @ Q + np.zeros((len(τ), 1, 1))
        if in_turn:
            at = τ[:, None, None]
            now = (begin @ Q * np.exp(-u * at) - drive * np.expm1(-u * at) / u) @ Q.T
        else:
            now = _driven(u, drive, τ, begin @ Q) @ Q.T
        below = now if rate is None else _driven(np.array([rate]), rate * now, τ, begin)
        found.append(now[np.searchsorted(τ, wanted)])
    return np.array(found)


def rounded_share(width: ArrayLike, variance: ArrayLike, ratio: float = 1 / 3) -> float | Floats:
    """Share memorised at `ratio` of f = c erf(x/(√2 h)), x ~ N(0, v), points ±c: 2Φ(-h Φ^{-1}(1/(1 + ratio))/√v).

    The teacher's map sends x to the point on its side; a student of width h rounds the step, and keeps what lies far from it.
    """
    h, v = numbers("width", width, 0, inf, "[)"), numbers("variance", variance, 0, inf)
    r = check_real("ratio", ratio, 0, 1, "1/3 is usual", closed="()")
    return like((width, variance), 2 * norm.cdf(-h * norm.ppf(1 / (1 + r)) / np.sqrt(v)))  # type: ignore[no-any-return]


def _eigen(gram: ArrayLike, cross: ArrayLike) -> tuple[Floats, Floats, Floats]:
    V = finite("cross", cross, (None, None), "E of target times feature, (d, p)")
    U = finite("gram", gram, (V.shape[1], V.shape[1]), "E of feature times feature, (p, p)")
    u, Q = np.linalg.eigh(U)
    check(bool(np.allclose(U, U.T) and u[0] > -1e-10 * u[-1]), "gram", U.shape, "symmetric, eigenvalues >= 0", "see U")
    return np.maximum(u, 1e-30), Q, V


def _times(times: ArrayLike) -> Floats:
    τ = finite("times", times, (None,), "of training")
    check(bool((τ >= 0).all() and (np.diff(τ) > 0).all()), "times", τ, "rising, from 0", "sort them")
    return τ


def _begin(start: ArrayLike | None, like: Floats) -> Floats:
    return np.zeros_like(like) if start is None else finite("start", start, like.shape, "weights (d, p)")


def _driven(u: Floats, drive: Floats, times: Floats, start: Floats) -> Floats:
    """b' = F(τ) - u b at all times, F (T, d, p) linear between them, b and F coordinates where U is diagonal."""
    h = np.diff(times)[:, None]
    z = np.maximum(u * h, 1e-9)
    one = -np.expm1(-z) / z
    now, before = h * (1 - one) / z, h * (one - (1 - one) / z)
    now, before, kept = (part[:, None] for part in (now, before, np.exp(-u * h)))
    pushed = before * drive[:-1] + now * drive[1:]
    b = np.empty_like(drive)
    b[0] = start
    for i in range(len(h)):
        b[i + 1] = kept[i] * b[i] + pushed[i]
    return b
