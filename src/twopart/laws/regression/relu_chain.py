"""One ReLU neuron on Bernoulli inputs (x = ± e_i, axis i with probability λ_i): exact Markov chains, one for each weight.

Weights do not touch each other, so the distribution of each is pushed through its own chain: on a grid with 0 between two
points, the start an atom of its own until it is hit; while the rate stays, powers of a hit are weighted by the binomial number
of hits. Derived in docs/laws/relu-neuron.md, Bernoulli inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from twopart._arrays import Floats
from twopart._checks import check, check_integer
from twopart.laws.regression.relu_neuron import _problem, noiseless_sgd
from twopart.worlds.regression.arrays import steps_at

TAIL = 1e-14  # numbers of hits less likely are left out
WIDE = 0.8  # cells: a Gaussian this wide is integrated by a sum over the grid to 3e-6


@dataclass(frozen=True, eq=False)
class Chain:
    """The distribution of the weights after some steps."""

    at: tuple[int, ...]
    risk: Floats
    """E (relu(<x, w>) - relu(<x, w*>))² after each step of `at`, shape (len(at),)."""
    wrong: Floats
    """The probability that a weight has not the sign of w*, after the last step, shape (d,)."""
    error: float
    """How far the last risk is, relatively, from that with half as many cells; 0 where nothing is approximated."""
    points: Floats
    """The grid of each weight, shape (d, cells); empty for SGD without noise, which has a closed form."""
    mass: Floats
    """Its probabilities after the last step, shape (d, cells)."""
    atom: Floats
    """The probability that a weight has not moved from its start, shape (d,)."""


def bernoulli_risk(
    eigenvalues: ArrayLike,
    truth: ArrayLike,
    start: ArrayLike,
    rates: ArrayLike,
    *,
    noise: float = 0.0,
    gate: bool = False,
    at: Sequence[int] | None = None,
    cells: int = 800,
) -> Chain:
    """The risk of GLM-tron (`gate` False) or SGD (True) after the steps `at` (None: the last), by the chains.

    `eigenvalues` λ, shape (d,), sum to 1; `truth` w*, `start` (d,); `rates` γ in [0, 2), (T,); `noise` σ. `cells` is the size
    of the grids, at least 50; SGD without noise needs none. Raises `InputError` for wrong shapes, ranges and nan.
    """
    λ, truth, start, γ, σ = _problem(eigenvalues, truth, start, rates, noise)
    check(λ.sum() < 1 + 1e-9, "eigenvalues", λ.sum(), "at most 1 in sum", "they are probabilities of the axes")
    check(γ.max(initial=0) < 2, "rates", γ.max(initial=0), "below 2", "longer steps diverge")
    check_integer("cells", cells, 50, None, "800 are enough for most")
    kept = steps_at(at, len(γ), [len(γ)])
    if gate and σ == 0:
        risk, none = noiseless_sgd(λ, truth, start, γ)[kept], np.empty((len(λ), 0))
        return Chain(tuple(kept), risk, (start * truth <= 0).astype(float), 0.0, none, none, np.zeros(len(λ)))
    found, coarse = (_chains(λ, truth, start, γ, σ, gate, kept, n) for n in (cells, cells // 2))
    error = abs(float(coarse.risk[-1] - found.risk[-1])) / max(float(found.risk[-1]), 1e-300)
    return replace(found, error=error)


def _chains(λ: Floats, truth: Floats, start: Floats, γ: Floats, σ: float, gate: bool, at: list[int], n: int) -> Chain:
    """All chains; w → -w turns a chain for w* into that for -w*, so weights of equal |w*| share the grid."""
    sign = np.where(truth < 0, -1.0, 1.0)
    size, begin = np.abs(truth), start * sign
    risk, wrong, atom = np.zeros(len(at)), np.empty(len(λ)), np.empty(len(λ))
    points, mass = np.empty((len(λ), n)), np.empty((len(λ), n))
    for length in np.unique(size):
        which = np.flatnonzero(size == length)
        which = which[np.argsort(-λ[which], kind="stable")]  # those hit most come first
        walk = _Walk(λ[which], float(length), begin[which], γ, σ, gate, n)
        for k, (grid, unmoved) in enumerate(walk.through(at)):
            loss, first = walk.loss(walk.points), walk.loss(walk.start)
            risk[k] += λ[which] @ (grid @ loss + unmoved * first) / 2
        wrong[which] = grid[:, walk.points < 0].sum(1) + unmoved * (walk.start <= 0)
        atom[which] = unmoved
        points[which], mass[which] = sign[which, None] * walk.points, grid
    return Chain(tuple(at), risk, wrong, 0.0, points, mass, atom)


class _Walk:
    """The chains of m weights with one w* >= 0: state (m, n) on the grid, and (m,) still at the start."""

    def __init__(self, λ: Floats, truth: float, start: Floats, γ: Floats, σ: float, gate: bool, n: int) -> None:
        self.λ, self.truth, self.start, self.γ, self.σ, self.gate = λ, truth, start, γ, σ, gate
        self.shut = np.where(start == 0, 1.0, 0.5) if gate else np.zeros(len(start))  # how likely a hit leaves it there
        most = float(γ.max(initial=0))
        over, pad = max(0.0, most - 1), 6 * σ * np.sqrt(2 * most / (2 - most))  # 6 deviations of the stationary state
        far = max(float(np.abs(start - truth).max()), truth)
        high = max(truth, float(start.max()), truth + over * far) + pad
        low = min(0.0, float(start.min()), truth - over * far) - pad
        h = max(high - low, 1e-9) / (n - 2)
        self.h, self.points = h, (np.floor(low / h) + 0.5 + np.arange(n)) * h  # 0 is an edge, not a point

    def loss(self, w: Floats) -> Floats:
        """Of both signs of the input together."""
        return np.asarray((np.maximum(w, 0) - self.truth) ** 2 + np.minimum(w, 0) ** 2)

    def through(self, at: list[int]) -> Iterator[tuple[Floats, Floats]]:
        """The state after each step of `at`."""
        grid, atom = np.zeros((len(self.λ), len(self.points))), np.ones(len(self.λ))
        turns = (np.flatnonzero(np.diff(self.γ)) + 1).tolist()
        stops = sorted({0, *turns, *at})
        if 0 in at:
            yield grid, atom
        rate = -1.0
        for low, high in pairwise(stops):
            if self.γ[low] != rate:
                rate = float(self.γ[low])
                push, first = self.kernel(self.points, rate), self.kernel(self.start, rate)
                push[np.diag_indices(len(push))] += 0.5 * self.gate  # on one side the gate is shut
            grid, atom = self.walk(grid, atom, high - low, push, first)
            if high in at:
                yield grid, atom

    def walk(self, grid: Floats, atom: Floats, steps: int, push: Floats, first: Floats) -> tuple[Floats, Floats]:
        """`steps` steps at one rate: the states after 0, 1, 2, ... hits, each as likely as so many hits are."""
        likely = binom.pmf(np.arange(steps + 1)[:, None], steps, self.λ)
        most = steps - np.argmax(likely[::-1] > TAIL, axis=0)  # falls with λ
        after, moved = likely[0, :, None] * grid, likely[0] * atom
        for hits in range(1, int(most[0]) + 1):
            m = int((most >= hits).sum())
            grid, atom = grid[:m] @ push + atom[:m, None] * first[:m], atom[:m] * self.shut[:m]
            after[:m] += likely[hits, :m, None] * grid
            moved[:m] += likely[hits, :m] * atom
        return after, moved

    def kernel(self, w: Floats, rate: float) -> Floats:
        """Where a hit takes each w: probabilities on the grid, shape (len(w), n)."""
        found = np.zeros((len(w), len(self.points)))
        for s in (1, -1):
            moves = s * w > 0 if self.gate else np.ones(len(w), bool)
            goal = w - rate * s * (np.maximum(s * w, 0) - max(s * self.truth, 0))
            found[moves] += self.spread(goal[moves], rate) / 2
        return found

    def spread(self, goal: Floats, rate: float) -> Floats:
        """Weights of N(goal, γ²σ²) on the grid."""
        n, width = len(self.points), rate * self.σ / self.h
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
