"""The law of quantised transition diffusion: bits flip as forward noise, and truncated uniformisation flips them back.

A law q on {0,1}^B is an array of shape (2^B,): state x is the number whose binary digits are its bits, the first the highest.

    segments = schedule(6, horizon=3.4, stop=1 / 30)     # the grid of times and the rate of events in each segment
    evaluations(segments)                                # expected score evaluations of one sample, whatever the data
    generated(q, *segments.times)                        # the law of what exact scores generate, started from uniform

Each bit differs after time t with probability (1 - e^{-2t})/2 = sinh t / e^t, so every law here is exact at finite size.
Derivations: docs/laws/quantized-transition.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from twopart._arrays import Floats, finite, numbers
from twopart._checks import check, check_choice, check_function, check_integer, check_real

Rate = Literal["paper", "tight"]
RATES: tuple[Rate, ...] = ("paper", "tight")
LARGEST = 20
"""Bits of the largest law that is held as an array."""


class Segments(NamedTuple):
    """The grid of a reverse run, from the horizon down to the early stop."""

    bits: int
    remaining: Floats
    """Times u that remain to the data at the segments' ends, falling, shape (W + 1,)."""
    rate: Floats
    """Events a unit of time in each segment, shape (W,)."""

    @property
    def times(self) -> tuple[float, float]:
        """Horizon T and stop δ."""
        return float(self.remaining[0]), float(self.remaining[-1])


class Errors(NamedTuple):
    """How far what is generated is from the data, and the parts of it; exact scores have no others."""

    total: float
    """TV(q, generated)."""
    early_stop: float
    """TV(q, q_δ)."""
    start: float
    """TV(q_δ, generated), the price of starting from uniform; at most √(KL/2)."""
    start_kl: float
    """KL(q_T ‖ uniform), nats."""


class Learned(NamedTuple):
    """What a learned model generates."""

    law: Floats
    """Shape (2^B,)."""
    kl: float
    """KL(q_δ ‖ law), nats."""
    bound: float
    """KL(q_T ‖ uniform) + ∫ E_{q_u} Σ_i (s_i - r_i + r_i ln(r_i/s_i)) du, the second the score entropy of learned ratios s and
    exact ones r, nats: kl cannot exceed it (data processing).
    """


def schedule(bits: int, horizon: float, stop: float, ratio: float = 2 / 3, rate: Rate = "paper") -> Segments:
    """Times u_{w+1} = ratio u_w from `horizon` to the first at or below `stop`; `bits` is B, of all coordinates together.

    Rates are 2B / min(1, u_w) for "paper" (Huang et al. 2025) and B coth(u_{w+1}), the least that no score exceeds, for
    "tight". With the paper's ratio 2/3 neither truncates a score of the posterior form; below atanh(1/2) = 0.549 "paper" does.
    """
    check_integer("bits", bits, 1, None, "it counts the bits of all coordinates")
    _times(horizon, stop)
    check_real("ratio", ratio, 0, 1, "2/3 is the paper's", closed="()")
    check_choice("rate", rate, RATES)
    count = max(1, math.ceil(math.log(stop / horizon) / math.log(ratio) - 1e-12))
    u = horizon * ratio ** np.arange(count + 1.0)
    return Segments(bits, u, 2 * bits / np.minimum(1, u[:-1]) if rate == "paper" else bits / np.tanh(u[1:]))


def theorem_times(bits: int, eps: float) -> tuple[float, float]:
    """Horizon ln(B/ε) and stop ε/B for an error ε (Huang et al. 2025; B = d log2 K bits)."""
    check_integer("bits", bits, 1, None, "it counts the bits of all coordinates")
    check_real("eps", eps, 0, 1, "0.1 is a tenth of all mass", closed="()")
    return math.log(bits / eps), eps / bits


def theorem(dimension: int, eps: float, *, hessian: float, sigma: float, second_moment: float) -> tuple[float, int]:
    """Radius of the cube and bits of an axis for TV <= 5ε of a density e^{-f}, at `theorem_times` of all bits.

    ‖∇²f‖ <= H = `hessian`, sub-Gaussian with `sigma`, m = E‖x‖². Radius L = σ√(2 ln(2d/ε)), cells of width at most
    l = ε / (2H (σ√(2d ln(2d/ε)) + d + √(d m))), 2L/l of them rounded up to a power of two (Huang et al. 2025).
    """
    d = check_integer("dimension", dimension, 1, None, "it is the number of coordinates")
    for name, value in {"hessian": hessian, "sigma": sigma, "second_moment": second_moment}.items():
        check_real(name, value, 0, math.inf, "it is a positive constant of the density", closed="()")
    check_real("eps", eps, 0, 1, "0.1 is a tenth of all mass", closed="()")
    radius = sigma * math.sqrt(2 * math.log(2 * d / eps))
    width = eps / (2 * hessian * (radius * math.sqrt(d) + d + math.sqrt(d * second_moment)))
    return radius, max(1, math.ceil(math.log2(2 * radius / width)))


def evaluations(segments: Segments) -> float:
    """Expected score evaluations of a sample, Σ β_w (u_w - u_{w+1}); their variance is the same number (Poisson)."""
    check_segments(segments)
    return float(segments.rate @ -np.diff(segments.remaining))


def flips(bits: int, horizon: float, stop: float) -> float:
    """Expected bits that flip on the way back, B (T - δ): started from q_T, exact scores, any data. No sampler needs fewer."""
    _times(horizon, stop)
    return check_integer("bits", bits, 1, None, "it counts the bits of all coordinates") * (horizon - stop)


def walsh_hadamard(q: ArrayLike) -> Floats:
    """Σ_x (-1)^{S·x} q(x) for every set S of bits, shape (2^B,): B 2^B additions. Twice gives 2^B q."""
    return _butterfly(_of_states("q", finite("q", q, (None,), "one number for each state")), 1.0, 1.0, -1.0)


def diffused(q: ArrayLike, t: float) -> Floats:
    """q_t: the law after time t, by the transform with the factors of the channel in place of signs, so that nothing cancels.

    The coefficient of `walsh_hadamard` at S is multiplied by e^{-2|S|t}. `q` need not be normalised.
    """
    check_real("t", t, 0, math.inf, "0 leaves the law", closed="[)")
    p = -math.expm1(-2 * t) / 2
    return _butterfly(_masses("q", q), 1 - p, p, 1 - p)


def ratios(q: ArrayLike, u: float) -> Floats:
    """q_u(x with bit i flipped) / q_u(x), shape (2^B, B): the rates of the reverse chain when u remains."""
    of = diffused(q, check_real("u", u, 0, math.inf, "at 0 a state without mass has no rate", closed="()"))
    return np.asarray(of[neighbours(of.size)] / of[:, None])


def neighbours(states: int) -> NDArray[np.int64]:
    """The states one flip away, shape (2^B, B)."""
    return np.arange(states)[:, None] ^ (states >> np.arange(1, states.bit_length()))


def generated(q: ArrayLike, horizon: float, stop: float) -> Floats:
    """The law that exact scores generate from a uniform start: q_δ · P_{T-δ}[uniform / q_T], P the channel (`diffused`)."""
    _times(horizon, stop)
    q = distribution("q", q)
    return np.asarray(diffused(q, stop) * diffused(1 / (q.size * diffused(q, horizon)), horizon - stop))


def errors(q: ArrayLike, horizon: float, stop: float) -> Errors:
    """TV(q, generated) and its parts."""
    q = distribution("q", q)
    made, stopped = generated(q, horizon, stop), diffused(q, stop)
    return Errors(tv(q, made), tv(q, stopped), tv(stopped, made), _from_uniform(diffused(q, horizon)))


def early_stop_rate(q: ArrayLike) -> float:
    """½ Σ_x |Σ_i (q(x flipped at i) - q(x))|: TV(q, q_δ) is δ times this at first order. How rough the code makes q."""
    q = distribution("q", q)
    return float(np.abs((q[neighbours(q.size)] - q[:, None]).sum(1)).sum() / 2)


def start_rate(q: ArrayLike) -> float:
    """½ Σ_i q̂({i})²: KL(q_T ‖ uniform) is e^{-4T} times this at first order, single bits outliving all sets of them."""
    hat = walsh_hadamard(distribution("q", q))
    return float(np.square(hat[neighbours(hat.size)[0]]).sum() / 2)


def learned(rates: Callable[[float], ArrayLike], q: ArrayLike, horizon: float, stop: float) -> Learned:
    """The exact law of uniformisation with learned ratios, by the master equation (RK45 in ln u, relative error 1e-6).

    `rates(u)` gives the ratios at all states, shape (2^B, B), as `on_all_states` makes it from a network.
    """
    _times(horizon, stop)
    q = distribution("q", q)
    near = neighbours(q.size)
    check_function("rates", rates, "the time that remains")

    def slope(log_u: float, y: Floats) -> Floats:
        u, p = math.exp(log_u), y[:-1]
        s = numbers("rates", finite("rates", rates(u), near.shape, "a row for each state"), 0, math.inf, "()")
        r, at = ratios(q, u), diffused(q, u)
        lost = at @ (s - r + r * np.log(r / s)).sum(1)
        return -u * np.append(_gained(p[:, None] * s, near), lost)

    start = np.append(np.full(q.size, 1 / q.size), 0.0)
    done = solve_ivp(slope, (math.log(horizon), math.log(stop)), start, rtol=1e-6, atol=1e-10)
    law, lost = done.y[:-1, -1].clip(0), float(done.y[-1, -1])
    return Learned(law, kl(diffused(q, stop), law), lost + _from_uniform(diffused(q, horizon)))


def euler(q: ArrayLike, remaining: ArrayLike, at_once: bool = False) -> Floats:
    """The exact law of the peer: Euler steps of the same reverse chain with exact scores, at times falling from T to δ.

    A step of length h flips one bit, i with probability h r_i (scaled to sum to 1 at most); `at_once` flips each bit on its own
    with probability min(1, h r_i): tau-leaping, 4^B operations.
    """
    u, q = _falling(remaining), distribution("q", q)
    p, near, states = np.full(q.size, 1 / q.size), neighbours(q.size), np.arange(q.size)
    for before, after in pairwise(u):
        chance = (before - after) * ratios(q, before)
        if at_once:
            chance, ways = np.minimum(chance, 1), p[:, None]
            for c in chance.T[:, :, None]:
                ways = np.stack([ways * (1 - c), ways * c], 2).reshape(q.size, -1)
            p = np.bincount((states[:, None] ^ states).ravel(), ways.ravel(), q.size)
        else:
            p = p + _gained(p[:, None] * chance / np.maximum(1, chance.sum(1, keepdims=True)), near)
    return p


def _gained(flow: Floats, near: NDArray[np.int64]) -> Floats:
    """What each state gains from flows (2^B, B) out of all states, bit by bit."""
    return np.asarray((flow[near, np.arange(near.shape[1])] - flow).sum(1))


def tv(p: ArrayLike, q: ArrayLike) -> float:
    """Total variation of laws (n,) on the same states, half the sum of |p - q|."""
    p, q = _both(p, q)
    return float(np.abs(p - q).sum() / 2)


def kl(p: ArrayLike, q: ArrayLike) -> float:
    """KL(p ‖ q) = Σ p ln(p/q) of laws (n,) on the same states, nats."""
    p, q = _both(*(numbers(name, x, 0, math.inf, "[)", "they are masses") for name, x in (("p", p), ("q", q))))
    there = p > 0
    x = q[there] / p[there] - 1  # Σ p x is near 0, and subtracting it from -Σ p ln(1 + x) keeps small divergences exact
    return float(p[there] @ (x - np.log1p(x)) + (p.sum() - q.sum() + q[~there].sum()))


def _from_uniform(p: Floats) -> float:
    """KL(p ‖ uniform), nats."""
    return kl(p, np.full(p.size, 1 / p.size))


def _both(p: ArrayLike, q: ArrayLike) -> tuple[Floats, Floats]:
    one = finite("p", p, (None,), "a mass for each state")  # by Euler's steps one may be -1e-18
    return one, finite("q", q, one.shape, "those of `p`")


def distribution(name: str, q: ArrayLike) -> Floats:
    """`q` as a law on {0,1}^B: shape (2^B,), not negative, sum 1."""
    array = _masses(name, q)
    total = float(array.sum())
    check(abs(total - 1) < 1e-6, name, total, "masses that sum to 1", "divide by their sum")
    return array / total


def _masses(name: str, q: ArrayLike) -> Floats:
    return _of_states(name, numbers(name, q, 0, math.inf, "[)", "they are masses"))


def _of_states(name: str, array: Floats) -> Floats:
    fits = array.ndim == 1 and 2 <= array.size <= 2**LARGEST and array.size & (array.size - 1) == 0
    check(fits, name, array.shape, f"of shape (2^B,), B in 1..{LARGEST}", "for more bits there are samples only")
    return array


def _butterfly(q: Floats, keep: float, mix: float, last: float) -> Floats:
    """Every bit through the matrix (keep, mix; mix, last)."""
    shape, half = q.shape, q.size // 2
    while half:
        pairs = q.reshape(-1, 2, half)
        zero, one = pairs[:, 0], pairs[:, 1]
        q = np.stack([keep * zero + mix * one, mix * zero + last * one], 1)
        half //= 2
    return q.reshape(shape)


def check_segments(segments: Segments, bits: int | None = None) -> None:
    """A schedule, of that many bits."""
    have = f"a schedule of {segments.bits} bits" if isinstance(segments, Segments) else segments
    fits = isinstance(segments, Segments) and segments.bits == (bits or segments.bits)
    check(fits, "segments", have, f"one of {bits or 'B'} bits", "see `schedule`: rates go with B")
    rate = finite("segments.rate", segments.rate, (_falling(segments.remaining).size - 1,), "one for each segment")
    check(bool((rate > 0).all()), "segments.rate", rate, "> 0", "see `schedule`")


def _falling(remaining: ArrayLike) -> Floats:
    u = finite("remaining", remaining, (None,), "from the horizon to the stop")
    falls = u.size >= 2 and bool((np.diff(u) < 0).all() and u[-1] > 0)
    check(falls, "remaining", u, "falling times > 0, two at least", "from the horizon to the stop")
    return u


def _times(horizon: float, stop: float) -> None:
    check_real("horizon", horizon, 0, math.inf, "it is how long bits are noised", closed="()")
    check_real("stop", stop, 0, horizon, "it is the time at which denoising stops, below `horizon`", closed="()")
