"""One ReLU neuron trained sample by sample: GLM-tron, and SGD on the squared loss, which is GLM-tron behind a gate.

    w ← w - γ (relu(<x, w>) - y) x [· 1(<x, w> > 0) for SGD]          loss (y - relu(<x, w>))²,  H = E x xᵀ

Bernoulli inputs are x = ± e_i, axis i with probability λ_i: a step moves one weight, so the distribution of each is pushed
through a Markov chain of its own, on a grid with 0 between two points, the start an atom until it is hit. Risks are those of
well-specified worlds. Derived in docs/laws/relu-neuron.md; the question is Wu et al.'s (2023, arXiv 2303.02255).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from twopart._arrays import Floats, finite
from twopart._checks import check, check_integer
from twopart.worlds.regression.arrays import covariance, step_sizes, steps_at
from twopart.worlds.regression.covariances import times
from twopart.worlds.regression.relu_neuron import ReluNeuron

At = Sequence[int] | None
WIDE = 0.8  # cells: a Gaussian this wide is integrated by a sum over the grid to 3e-6


def mean_weights(second_moment: ArrayLike, cross_moment: ArrayLike, rates: ArrayLike, start: ArrayLike) -> Floats:
    """E w_t of GLM-tron before the first step and after each, shape (T + 1, d).

    E w_t = E w_{t-1} - γ_t (H E w_{t-1}/2 - E[x y]): exact for independent samples with x ~ -x, whatever the labels and the
    batch. `second_moment` is H, shape (d, d), or its diagonal, (d,); `cross_moment` E[x y], (d,); `start` w_0.
    """
    c = finite("cross_moment", cross_moment, (None,), "give E[x y], one number for each direction")
    H, γ = covariance("second_moment", second_moment, len(c)), step_sizes("rates", rates, np.size(rates))
    path = [finite("start", start, c.shape, "give one weight for each direction")]
    for rate in γ:
        path.append(path[-1] - rate * (times(path[-1], H) / 2 - c))
    return np.array(path)


@dataclass(frozen=True, eq=False)
class GaussianRisk:
    """Moments and risk of one pass under Gaussian inputs."""

    risk: Floats
    """E (relu(<x, w>) - relu(<x, w*>))² after the steps that were asked for, shape (len(at),)."""
    spread: Floats
    """Standard deviation over mean of ||w||²_H among runs, as long, which the closure takes for 0: how good it is."""
    mean: Floats
    """E w after the last step, shape (d,); exact for GLM-tron."""
    square: Floats
    """E w² after the last step, shape (d,)."""


def gaussian_risk(
    world: ReluNeuron, start: ArrayLike, rates: ArrayLike, *, gate: bool = False, at: At = None, batch: int = 1
) -> GaussianRisk:
    """The risk after the steps `at` (None: before the first and after each), a fresh `batch` a step, under Gaussian inputs.

    Exact for the first step; then an approximation for many directions of like weight, whose quality `spread` tells. SGD from 0
    is refused, as its gate is shut there.
    """
    λ, truth, a, γ = _asked(world, "gaussian", start, rates)
    share = 1 / check_integer("batch", batch, 1, None, "1 is one sample a step")
    check(not gate or bool(λ @ a**2 > 0), "start", 0.0, "not 0 for SGD", "its gate is shut there")
    kept, q, along = steps_at(at, len(γ), range(len(γ) + 1)), a**2, truth**2
    risk, spread = np.empty((2, len(γ) + 1))
    for t, rate in enumerate([*γ, 0.0]):
        lengths = float(λ @ q), float(λ @ along), float(λ @ (a * truth))
        risk[t], (k1, k2), (f, uu, uv, vv), heard = _gaussian(*lengths, gate)
        variance = np.maximum(q - a**2, 0)
        spread[t] = np.sqrt(np.square(λ) @ (2 * variance**2 + 4 * a**2 * variance)) / max(lengths[0], 1e-300)
        pull = λ * (k1 * q + k2 * a * truth)  # E w_i x_i (relu(u) - relu(v)) of the gate, to be taken off
        drift2 = λ**2 * (k1**2 * q + 2 * k1 * k2 * a * truth + k2**2 * along)
        second = λ * (f + heard * world.noise**2) + λ**2 * (uu * q + 2 * uv * a * truth + vv * along)
        q = q - 2 * rate * pull + rate**2 * (share * second + (1 - share) * drift2)
        a = a - rate * λ * (k1 * a + k2 * truth)
    return GaussianRisk(risk[kept], spread[kept], a, q)


def _gaussian(uu: float, vv: float, uv: float, gate: bool) -> tuple[float, tuple[float, ...], tuple[float, ...], float]:
    """Expectations over Gaussian (u, v) of these second moments: risk, (κ₁, κ₂), (E f, f_uu, f_uv, f_vv), E gate."""
    s, t = np.sqrt(uu), np.sqrt(vv)
    cosine = min(1.0, max(-1.0, uv / (s * t))) if s * t > 0 else 0.0
    ϑ = np.arccos(cosine)
    P, S = (np.pi - ϑ) / (2 * np.pi), np.sin(ϑ)
    risk = (uu - 2 * uv + vv) / 2 - s * t * (S - ϑ * cosine) / np.pi
    by_s, by_t = (t * S / (np.pi * s) if s > 0 else 0.0), (s * S / (np.pi * t) if t > 0 else 0.0)
    if not gate:
        return risk, (0.5, -0.5), (risk, 1 - by_s, -2 * P, 1 - by_t), 1.0
    K = s * t * (S + (np.pi - ϑ) * cosine) / (2 * np.pi)
    f = uu / 2 - 2 * K + vv * (P + S * cosine / (2 * np.pi))
    curvature = 1 - by_s - vv * S * cosine / (np.pi * uu)
    return risk, (0.5 - by_s / 2, -P), (f, curvature, -2 * P + by_s, 2 * P - by_t), 0.5


def closed_risk(world: ReluNeuron, start: ArrayLike, rates: ArrayLike, *, gate: bool = False) -> tuple[Floats, Floats]:
    """Bias and variance of the risk on Bernoulli inputs if no weight crosses 0, before the first step and after each, (T + 1,).

    From the signs of w*, where GLM-tron and SGD share the bias, and SGD has half the variance. SGD without noise never crosses:
    exact from any start, at rates in [0, 1]; its wrong signs never turn, and where w_0 = 0 nothing moves.
    """
    λ, truth, w, γ = _asked(world, "bernoulli", start, rates)
    right, fastest, stays = w * truth > 0, γ.max(initial=0), gate and world.noise == 0
    check(stays or bool(right.all()), "start", w.tolist(), "of the signs of the truth", "see `bernoulli_risk`")
    check(fastest <= 1 or not stays, "rates", fastest, "at most 1", "a longer step may cross 0")
    kept = 1 - λ / 2 * (1 - (1 - γ[:, None]) ** 2)  # of a squared error: half of the hits move a weight
    variance = [0 * λ]
    for rate, keep in zip(γ, kept, strict=True):
        variance.append(variance[-1] * keep + λ * (rate * world.noise) ** 2 * (0.5 if gate else 1.0))
    moves = np.where(right, w - truth, w) ** 2
    return np.cumprod([moves, *kept], axis=0) @ λ / 2 + sgd_floor(world, w), np.array(variance) @ λ / 2


def sgd_floor(world: ReluNeuron, start: ArrayLike) -> float:
    """Σ λ w*²/2 over the axes that do not start with the sign of w*: what SGD keeps without noise, however long."""
    λ, truth, w, _ = _asked(world, "bernoulli", start, ())
    return float(λ @ np.where(w * truth > 0, 0.0, truth**2) / 2)


@dataclass(frozen=True, eq=False)
class Chain:
    """The distribution of the weights after some steps."""

    risk: Floats
    """E (relu(<x, w>) - relu(<x, w*>))² after the steps that were asked for, shape (len(at),)."""
    error: float
    """How far the last risk is, relatively, from that with half as many cells; 0 where nothing is approximated."""
    points: Floats
    """The grid of each weight, shape (d, cells); this and what follows are empty for SGD without noise, a closed form."""
    mass: Floats
    """Its probabilities after the last step, shape (d, cells)."""
    atom: Floats
    """The probability that a weight has not moved from its start, shape (d,)."""


def bernoulli_risk(
    world: ReluNeuron, start: ArrayLike, rates: ArrayLike, *, gate: bool = False, at: At = None, cells: int = 800
) -> Chain:
    """The risk after the steps `at` (None: the last) under Bernoulli inputs, by the chains.

    Rates lie in [0, 2). `cells` is the size of the grids, at least 50; SGD without noise needs none.
    """
    _, truth, w, γ = _asked(world, "bernoulli", start, rates)
    fastest, kept = γ.max(initial=0), steps_at(at, len(γ), [len(γ)])
    check(fastest < 2, "rates", fastest, "below 2", "longer steps diverge")
    check_integer("cells", cells, 50, None, "800 are enough for most")
    if gate and world.noise == 0:
        return Chain(closed_risk(world, w, γ, gate=True)[0][kept], 0.0, *np.empty((3, len(truth), 0)))
    found, coarse = (_chains(world, w, γ, gate, kept, n) for n in (cells, cells // 2))
    error = abs(float(coarse.risk[-1] - found.risk[-1])) / max(float(found.risk[-1]), 1e-300)
    return replace(found, error=error)


def _chains(world: ReluNeuron, start: Floats, rates: Floats, gate: bool, at: list[int], n: int) -> Chain:
    """All chains; w → -w turns a chain for w* into that for -w*, so weights of equal |w*| share the grid."""
    sign, size, risk = np.where(world.optimum < 0, -1.0, 1.0), np.abs(world.optimum), dict.fromkeys(at, 0.0)
    (points, mass), atom = np.empty((2, len(size), n)), np.empty(len(size))
    for length in np.unique(size):
        which = np.flatnonzero(size == length)
        walk = _Walk(float(length), (start * sign)[which], rates.max(initial=0.0), world.noise, gate, n)
        w, λ, kernel = walk.points, world.spectrum[which], lru_cache(1)(walk.kernel)  # rates repeat themselves
        loss = (np.maximum(w, 0) - length) ** 2 + np.minimum(w, 0) ** 2  # of both signs of the input
        state = np.eye(len(λ), len(w), n)  # probabilities (m, n + m)
        for t, rate in enumerate([0.0, *rates]):
            if t:
                state = state + λ[:, None] * (state @ kernel(rate) - state)
            if t in risk:
                risk[t] += float(λ @ state @ loss) / 2
        mass[which], points[which], atom[which] = state[:, :n], sign[which, None] * w[:n], state[:, n:].sum(1)
    return Chain(np.array([*risk.values()]), 0.0, points, mass, atom)


class _Walk:
    """The chains of m weights with one w* >= 0, on a grid of n points, of which 0 is an edge, and on their m starts."""

    def __init__(self, truth: float, start: Floats, most: float, σ: float, gate: bool, n: int) -> None:
        self.truth, self.σ, self.gate, self.n = truth, σ, gate, n
        far = max(float(np.abs(start - truth).max()), truth)
        pad = 6 * σ * np.sqrt(2 * most / (2 - most))  # six deviations of the stationary state
        over = max(0.0, most - 1) * far
        low, high = min(0.0, float(start.min()), truth - over) - pad, max(float(start.max()), truth + over) + pad
        self.h = max(high - low, 1e-9) / (n - 2)
        self.points = np.append((np.floor(low / self.h) + 0.5 + np.arange(n)) * self.h, start)

    def kernel(self, rate: float) -> Floats:
        """Where a hit takes each point: probabilities, shape (n + m, n + m)."""
        w = self.points
        found = np.zeros((len(w), len(w)))
        for s in (1, -1):
            moves = s * w > 0 if self.gate else np.ones(len(w), bool)
            goal = w - rate * s * (np.maximum(s * w, 0) - max(s * self.truth, 0))
            found[moves, : self.n] += self.spread(goal[moves], rate) / 2
        found[np.diag_indices(len(w))] += 1 - found.sum(1)  # where its gate is shut a weight stays
        return found

    def spread(self, goal: Floats, rate: float) -> Floats:
        """Weights of N(goal, γ²σ²) on the grid."""
        n, width = self.n, rate * self.σ / self.h
        place = np.clip((goal - self.points[0]) / self.h, 0, n - 1)  # in cells
        if width >= WIDE:
            found = np.exp(-np.square((np.arange(n) - place[:, None]) / width) / 2)
            return np.asarray(found / found.sum(1, keepdims=True))
        base = np.clip(np.floor(place).astype(int), 1, n - 3)
        f, v = place - base, width**2
        m1, m2, m3 = f, f**2 + v, f**3 + 3 * f * v  # moments about the base
        four = (-m3 + 3 * m2 - 2 * m1) / 6, (m3 - 2 * m2 - m1 + 2) / 2, (-m3 + m2 + 2 * m1) / 2, (m3 - m1) / 6
        found = np.zeros((len(place), n))
        for k, weights in enumerate(four, -1):
            found[np.arange(len(place)), base + k] = weights
        return found


def _asked(world: ReluNeuron, inputs: str, start: ArrayLike, rates: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    """λ, w*, w_0 and γ, (d,) each and (T,). Raises `InputError` for wrong shapes, ranges and nan, and for other worlds."""
    said, known = f"{world.kind}, {world.inputs} inputs", f"well-specified, {inputs} inputs"
    check(said == known, "world", said, known, "the laws of others are not these")
    w = finite("start", start, (world.dimension,), "give one weight for each direction")
    return world.spectrum, world.optimum, w, step_sizes("rates", rates, np.size(rates))
