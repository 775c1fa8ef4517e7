"""How one fact is learned by gradient flow, alone or through noise. Derived in docs/laws/learner-law.md.

The logits a of a fact flow as a' = e_y - softmax(log base + σ g + a) from 0, in the strength s, nats given so far; g ~ N(0, I).
    flow_margin, flow_bits   without noise, in closed form
    flow_table               means over noise, on a grid of strength and noise
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, wrightomega

from twopart._arguments import like
from twopart._arrays import Floats, numbers
from twopart._checks import check_integer
from twopart._numba import inlined, kernel

STRENGTHS = np.concatenate([[0.0], np.exp(np.arange(-5, 12.01, 0.125))])
SIGMAS = np.concatenate([[0.02], np.arange(0.25, 2.1, 0.25), np.arange(2.5, 6.1, 0.5), [7, 8, 10, 12]])
NAMES = ("spread", "response", "bits", "known", "correct", "right", "confidence")
DRAWS = 4096  # noises times values of a table


def flow_margin(strength: ArrayLike, values: int) -> Any:
    """Margin in nats, shape of `strength` >= 0 (nats given), of a fact of V `values` that is alone: (V-1) ω(s̃ + c - ln(V-1)).

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


@dataclass(frozen=True, eq=False)
class FlowTable:
    """Means over noise of a fact's flow, one row for each of `SIGMAS`, one column for each of `STRENGTHS`."""

    numbers: dict[str, Floats]

    def at(self, name: str, strength: Floats, sigma: Floats) -> Floats:
        """Interpolated, in ln s and σ; the table's ends go on, and strengths below the first are in proportion."""
        upper = np.clip(np.searchsorted(SIGMAS, sigma), 1, len(SIGMAS) - 1)
        v = np.clip((sigma - SIGMAS[upper - 1]) / (SIGMAS[upper] - SIGMAS[upper - 1]), 0, 1)
        place = np.interp(strength, STRENGTHS[:2], [0.0, 1.0])
        with np.errstate(divide="ignore"):
            place = np.where(strength > STRENGTHS[1], 1 + 8 * (np.log(strength) + 5), place)
        left = np.clip(place.astype(int), 0, len(STRENGTHS) - 2)
        u, rows = np.clip(place - left, 0, 1), self.numbers[name]
        low, high = (rows[row, left] * (1 - u) + rows[row, left + 1] * u for row in (upper - 1, upper))
        return np.asarray(low * (1 - v) + high * v)


@lru_cache(maxsize=8)
def flow_table(base: int | tuple[float, ...]) -> FlowTable:
    """Of every pair of `STRENGTHS` and `SIGMAS`, averaged over noise; computed once for each base.

        spread A   response Tr   bits   known P(bits < h/2)   correct E p_true   right P(top is true)   confidence E max p

    Every value takes its turn as the true one, weighted by its probability, so noise is drawn for all of them at once; draws
    come in pairs of opposite sign and are spread evenly (Sobol).
    """
    from scipy.stats import qmc

    share = np.full(base, 1 / base) if isinstance(base, int) else np.array(base)
    half = -float(share @ np.log2(share)) / 2
    power = int(np.clip(np.ceil(np.log2(DRAWS / len(share) / 2)), 2, 8))
    uniform = qmc.Sobol(len(share), seed=np.random.default_rng(0)).random_base2(power)
    g = ndtri(np.clip(uniform, 1e-9, 1 - 1e-9))
    out = np.zeros((len(SIGMAS), len(NAMES) + 1, len(STRENGTHS)))
    control = np.zeros((len(SIGMAS), 2))
    _flow(np.log(share), np.concatenate([g, -g]), SIGMAS, STRENGTHS, half, out, control)
    mean, square = control.T[:, :, None]
    out[:, 1] -= (out[:, 7] - out[:, 1] * mean) / (square - mean**2) * mean  # the response, rid of what c has of its noise
    return FlowTable({name: out[:, i] for i, name in enumerate(NAMES)})


STEP = 0.2  # of ln of the integrand


@inlined
def _control(share: Any, noise: Any, logs: Any) -> float:
    """p.(g - <g>): over σ and less 1 - |p|² its mean is 0 by Stein's lemma, and it varies with g as the response does."""
    middle, along = 0.0, 0.0
    for j in range(len(share)):
        middle += math.exp(logs[j]) * noise[j]
    for j in range(len(share)):
        along += share[j] * (noise[j] - middle)
    return along


@kernel
def _flow(logs: Any, noise: Any, sigmas: Any, strengths: Any, half: float, out: Any, control: Any) -> None:
    """The flow in closed form. In the time τ with ds = Z dτ wrong logits fall as e^-z_j = e^-z_j(0) + τ, so with
    w_j = 1 + τ e^z_j(0), L_j = ln w_j and S = Σ L: a_j = -L_j, a_y = S - L_y and s = a_y + ∫ e^z_y dτ, e^z_y = e^(S - L_y) e^z_y(0).

    The integral, one for each y that may be true, is Gauss's of two points over steps in which e^S grows by a fifth.
    """
    draws, values = noise.shape
    first, now = np.empty(values), np.empty(values)  # e^z_j at τ = 0 and at τ, as shares of the first Z
    whole, place, old, new = np.empty(values), np.empty(values, np.int64), np.empty((values, 8)), np.empty((values, 8))
    s_old, weight, logs_w = np.empty(values), np.empty(values), np.empty(values)
    near, far = (1 - 1 / math.sqrt(3.0)) / 2, (1 + 1 / math.sqrt(3.0)) / 2
    for i in range(len(sigmas)):
        for d in range(draws):
            top = -1e300
            for j in range(values):
                first[j] = sigmas[i] * noise[d, j] + logs[j]
                top = max(top, first[j])
            total = 0.0
            for j in range(values):
                first[j] = math.exp(first[j] - top)
                total += first[j]
            for j in range(values):
                first[j] /= total
                whole[j], place[j], s_old[j], weight[j] = 0.0, 0, 0.0, math.exp(logs[j]) / draws
            c = _control(first, noise[d], logs) / sigmas[i] - 1 + np.square(first).sum()
            control[i, 0] += c / draws
            control[i, 1] += c * c / draws
            tau, left, begun = 0.0, values, False
            while left:
                S, F, squares, along, best, second = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                for j in range(values):
                    w = 1 + tau * first[j]
                    logs_w[j] = L = math.log(w)
                    now[j] = first[j] / w
                    S, F, squares, along = S + L, F + now[j], squares + L * L, along + L * noise[d, j]
                    if now[j] > best:
                        best, second = now[j], best
                    elif now[j] > second:
                        second = now[j]
                E = math.exp(S)
                for y in range(values):
                    if place[y] == len(strengths):
                        continue
                    L, true = logs_w[y], now[y] * E
                    other, wrong = F - now[y], second if now[y] == best else best
                    s = S - L + whole[y]
                    new[y, 0] = (S - L) * (S - L) + squares - L * L
                    new[y, 1] = (along - S * noise[d, y]) / sigmas[i]
                    new[y, 2] = math.log1p(other / true) / math.log(2.0)
                    new[y, 3] = 1.0 if new[y, 2] < half else 0.0
                    new[y, 4] = true / (true + other)
                    new[y, 5] = 1.0 if true > wrong else 0.0
                    new[y, 6] = max(true, wrong) / (true + other)
                    new[y, 7] = new[y, 1] * c
                    while place[y] < len(strengths) and strengths[place[y]] <= s:
                        k, f = place[y], 0.0
                        if begun:
                            f = math.log((strengths[k] + 0.02) / (s_old[y] + 0.02)) / math.log((s + 0.02) / (s_old[y] + 0.02))
                        for q in range(8):
                            before = old[y, q] if begun else new[y, q]
                            out[i, q, k] += weight[y] * (before + f * (new[y, q] - before))
                        place[y] += 1
                        if place[y] == len(strengths):
                            left -= 1
                    s_old[y] = s
                    for k in range(8):
                        old[y, k] = new[y, k]
                step = min(STEP / F, 0.004 + STEP * tau)
                one, two = E, E
                for j in range(values):
                    one *= 1 + near * step * now[j]
                    two *= 1 + far * step * now[j]
                for y in range(values):
                    whole[y] += step / 2 * now[y] * (one / (1 + near * step * now[y]) + two / (1 + far * step * now[y]))
                tau, begun = tau + step, True
