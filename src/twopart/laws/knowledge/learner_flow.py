"""How one fact is learned by gradient flow, alone or through noise. Derived in docs/laws/learner-law.md.

The logits a of a fact flow as a' = e_y - softmax(log base + σ g + a) from 0, in the strength s, nats given so far; g ~ N(0, I).
    flow_margin, flow_bits   without noise, in closed form
    flow_logits              from any logits
    flow_table               means over noise, on a grid of strength and noise
    stranger_shares          what is answered about a name never told
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, softmax, wrightomega

from twopart._arguments import like
from twopart._arrays import Floats, numbers
from twopart._checks import check_integer, check_real
from twopart._numba import kernel

STRENGTHS = np.concatenate([[0.0], np.exp(np.arange(-5, 12.01, 0.125))])
SIGMAS = np.concatenate([[0.02], np.arange(0.25, 2.1, 0.25), np.arange(2.5, 6.1, 0.5), [7, 8, 10, 12]])
NAMES = ("spread", "response", "bits", "known", "correct", "right", "confidence")
DRAWS = 4096  # noises times values of a table
STEP = 0.2  # of the flow's time, in ln of what is integrated
NEAR, FAR = (1 - 1 / math.sqrt(3)) / 2, (1 + 1 / math.sqrt(3)) / 2  # Gauss's points of a step


def flow_margin(strength: ArrayLike, values: int) -> Any:
    """Margin in nats of a fact of V `values` that is alone, shape of `strength` s >= 0, nats: ln((V-1) ω(s̃ + c - ln(V-1))).

    ω is Wright's omega, s̃ = s V/(V-1), c = 1/(V-1); it solves m + (e^m - 1) c = s̃ (docs/laws/learner-law.md, one fact).
    """
    return like((strength,), np.log((values - 1) * _omega(strength, values)))


def flow_bits(strength: ArrayLike, values: int) -> Any:
    """Bits of the same fact that are left to pay: log2(1 + 1/ω), log2 V at strength 0 and ~ (V-1)/(V s ln 2) for large s."""
    return like((strength,), np.log1p(1 / _omega(strength, values)) / np.log(2))


def _omega(strength: ArrayLike, values: int) -> Floats:
    check_integer("values", values, 2, None, "a fact of one value is known to everybody")
    s = numbers("strength", strength, 0, np.inf, "[)", "it is a number of nats")
    return np.asarray(wrightomega((s * values + 1) / (values - 1) - np.log(values - 1)), float)


def flow_logits(start: Floats, strength: Floats) -> Floats:
    """Own logits a of a fact whose first value is true, from `start` (draws, V), at each `strength` (F,): (F, draws, V).

    Heun's rule in steps of 0.06, and of 0.06 s beyond s = 1.
    """
    rest = np.zeros(start.shape[1])
    rest[0] = 1.0
    out, a, s = np.empty((len(strength), *start.shape)), np.zeros_like(start), 0.0
    for place in np.argsort(strength):
        while s < strength[place]:
            ds = min(0.06 * max(1.0, s), strength[place] - s)
            slope = rest - softmax(start + a, axis=1)
            a = a + ds / 2 * (slope + rest - softmax(start + a + ds * slope, axis=1))
            s = strength[place] if ds == strength[place] - s else s + ds
        out[place] = a
    return out


def in_table(rows: Floats, strength: Floats, sigma: Floats) -> Floats:
    """A table interpolated in ln s and σ², whose shapes broadcast; ends go on, strengths below the first are in proportion."""
    upper = np.clip(np.searchsorted(SIGMAS, sigma), 1, len(SIGMAS) - 1)
    below, above = SIGMAS[upper - 1] ** 2, SIGMAS[upper] ** 2
    v = np.clip((sigma**2 - below) / (above - below), 0, 1)
    logs = np.log(np.maximum(strength, STRENGTHS[1]))
    place = np.where(strength > STRENGTHS[1], 1 + 8 * (logs + 5), strength / STRENGTHS[1])
    left = np.clip(place.astype(int), 0, len(STRENGTHS) - 2)
    u = np.clip(place - left, 0, 1)
    low, high = (rows[row, left] * (1 - u) + rows[row, left + 1] * u for row in (upper - 1, upper))
    return np.asarray(low * (1 - v) + high * v)


def _noises(values: int, power: int) -> Floats:
    """Noise of 2^(power + 1) draws in pairs of opposite sign that lie evenly (Sobol), shape (draws, values)."""
    from scipy.stats import qmc

    uniform = qmc.Sobol(values, seed=np.random.default_rng(0)).random_base2(power)
    half = ndtri(np.clip(uniform, 1e-9, 1 - 1e-9))
    return np.concatenate([half, -half])


def stranger_shares(base: ArrayLike, noise: float) -> tuple[Floats, Floats]:
    """How often each value is drawn, and how often it is the best guess, about a name never told: two arrays of shape (V,).

    Its logits are log `base` + σ g with σ² = `noise` >= 0, over 8,192 draws of g: to about 0.005. `base` are the values'
    probabilities > 0, shape (V,). Raises `InputError` on numbers out of range.
    """
    share = numbers("base", base, 0, 1, "(]", "leave out values that never occur")
    sigma = math.sqrt(check_real("noise", noise, 0, np.inf, "it is a variance", closed="[)"))
    logits = np.log(share) + sigma * _noises(len(share), 12)
    best = np.bincount(logits.argmax(1), minlength=len(share)) / len(logits)
    return np.asarray(softmax(logits, axis=1).mean(0)), best


@lru_cache(maxsize=8)
def flow_table(base: int | tuple[float, ...]) -> dict[str, Floats]:
    """Means over noise, shape (SIGMAS, STRENGTHS), of V values that are alike or have these probabilities; computed once.

        spread A = E|a|²   response Tr = -E[a.g]/σ   bits   known P(bits < h/2)   correct E p_true   right P(top is true)
        confidence E max p

    Every value takes its turn as the true one, weighted by its probability, so a draw serves them all; draws come in pairs of
    opposite sign and lie evenly (Sobol). The response is rid of the noise that it shares with p.g of the first step, whose
    mean is σ(1 - E|p|²) by Stein's lemma.
    """
    share = np.full(base, 1 / base) if isinstance(base, int) else np.array(base)
    power = int(np.clip(np.ceil(np.log2(DRAWS / len(share) / 2)), 2, 8))
    g = _noises(len(share), power)
    p = softmax(np.log(share) + SIGMAS[:, None, None] * g, axis=2)
    c = (p * (g - g @ share[:, None])).sum(2) / SIGMAS[:, None] - 1 + np.square(p).sum(2)
    out = np.zeros((len(SIGMAS), len(NAMES) + 1, len(STRENGTHS)))
    _flow(share / len(g), p, g, SIGMAS, STRENGTHS, -float(share @ np.log2(share)) / 2, c, out)
    mean, variance = c.mean(1)[:, None], c.var(1)[:, None]
    out[:, 1] -= (out[:, 7] - out[:, 1] * mean) / variance * mean
    return {name: out[:, i] for i, name in enumerate(NAMES)}


@kernel
def _flow(weight: Any, first: Any, noise: Any, sigmas: Any, strengths: Any, half: Any, control: Any, out: Any) -> None:
    """The flow in closed form. In the time τ with ds = Z dτ wrong logits z fall as e^-z = e^-z(0) + τ: with w = 1 + τ e^z(0),
    L = ln w and S = Σ L over all values, a_j = -L_j, a_y = S - L_y and s = a_y + ∫ e^z_y dτ, e^z_y = e^z_y(0) e^S / w_y.

    The integral, one for each y that may be true, is Gauss's of two points over steps in which e^S grows by a fifth.
    """
    values = len(weight)
    now, L, whole, last = np.empty(values), np.empty(values), np.empty(values), np.empty(values)
    place, old, new = np.empty(values, np.int64), np.zeros((values, 8)), np.empty(8)
    for cell in range(control.size):
        i, d = cell // len(noise), cell % len(noise)
        tau, left = 0.0, values
        for y in range(values):
            whole[y], last[y], place[y] = 0.0, 0.0, 0
        while left:
            S, F, squares, along, best, second = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for j in range(values):
                w = 1 + tau * first[i, d, j]
                L[j], now[j] = math.log(w), first[i, d, j] / w  # e^z of a wrong value
                S, F, squares, along = S + L[j], F + now[j], squares + L[j] * L[j], along + L[j] * noise[d, j]
                second = max(second, min(best, now[j]))
                best = max(best, now[j])
            E = math.exp(S)
            for y in range(values):
                if place[y] == len(strengths):
                    continue
                true, other, wrong = now[y] * E, F - now[y], second if now[y] == best else best
                s, a = S - L[y] + whole[y], S - L[y]
                new[0], new[1] = a * a + squares - L[y] * L[y], (along - S * noise[d, y]) / sigmas[i]
                new[2] = math.log1p(other / true) / math.log(2.0)
                new[3], new[4] = 1.0 if new[2] < half else 0.0, true / (true + other)
                new[5], new[6] = 1.0 if true > wrong else 0.0, max(true, wrong) / (true + other)
                new[7] = new[1] * control[i, d]
                while place[y] < len(strengths) and strengths[place[y]] <= s:
                    at, lag, f = strengths[place[y]], last[y] + 0.02, 1.0
                    if tau > 0:
                        f = math.log((at + 0.02) / lag) / math.log((s + 0.02) / lag)
                    for q in range(8):
                        out[i, q, place[y]] += weight[y] * (old[y, q] + f * (new[q] - old[y, q]))
                    place[y] += 1
                    left -= place[y] == len(strengths)
                last[y] = s
                for q in range(8):
                    old[y, q] = new[q]
            step = min(STEP / F, 0.004 + STEP * tau)
            one, two = E, E
            for j in range(values):
                one, two = one * (1 + NEAR * step * now[j]), two * (1 + FAR * step * now[j])
            for y in range(values):
                whole[y] += step / 2 * now[y] * (one / (1 + NEAR * step * now[y]) + two / (1 + FAR * step * now[y]))
            tau += step
