"""One ReLU neuron on Bernoulli inputs (x = ± e_i, axis i with probability λ_i): exact Markov chains, one for each weight.

Weights do not touch each other, so the distribution of each is pushed through its own chain: on a grid with 0 between two
points, the start an atom of its own until it is hit. Derived in docs/laws/relu-neuron.md, Bernoulli inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twopart._arrays import Floats
from twopart._checks import check, check_integer
from twopart.laws.regression.relu_neuron import NeuronPass, noiseless_sgd
from twopart.worlds.regression.arrays import steps_at

WIDE = 0.8  # cells: a Gaussian this wide is integrated by a sum over the grid to 3e-6


@dataclass(frozen=True, eq=False)
class Chain:
    """The distribution of the weights after some steps."""

    risk: Floats
    """E (relu(<x, w>) - relu(<x, w*>))² after the steps that were asked for, shape (len(at),)."""
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


def bernoulli_risk(given: NeuronPass, *, at: Sequence[int] | None = None, cells: int = 800) -> Chain:
    """The risk after the steps `at` (None: the last), by the chains.

    λ sums to 1, rates lie in [0, 2). `cells` is the size of the grids, at least 50; SGD without noise needs none. Raises
    `InputError` for wrong ranges.
    """
    whole, fastest, T = given.eigenvalues.sum(), given.rates.max(initial=0), len(given.rates)
    check(whole < 1 + 1e-9, "eigenvalues", whole, "at most 1 in sum", "they are probabilities of the axes")
    check(fastest < 2, "rates", fastest, "below 2", "longer steps diverge")
    check_integer("cells", cells, 50, None, "800 are enough for most")
    kept = steps_at(at, T, [T])
    if given.gate and given.noise == 0:
        none = np.empty((len(given.right), 0))
        return Chain(
            noiseless_sgd(given)[kept], (~given.right).astype(float), 0.0, none, none, np.zeros(len(given.right))
        )
    found, coarse = (_chains(given, kept, n) for n in (cells, cells // 2))
    error = abs(float(coarse.risk[-1] - found.risk[-1])) / max(float(found.risk[-1]), 1e-300)
    return replace(found, error=error)


def _chains(given: NeuronPass, at: list[int], n: int) -> Chain:
    """All chains; w → -w turns a chain for w* into that for -w*, so weights of equal |w*| share the grid."""
    λ, sign, size = given.eigenvalues, np.where(given.truth < 0, -1.0, 1.0), np.abs(given.truth)
    risk, wrong, atom = np.zeros(len(at)), np.empty(len(λ)), np.empty(len(λ))
    points, mass = np.empty((len(λ), n)), np.empty((len(λ), n))
    for length in np.unique(size):
        which = np.flatnonzero(size == length)
        walk = _Walk(float(length), (given.start * sign)[which], given, n)
        w = walk.points
        loss = (np.maximum(w, 0) - length) ** 2 + np.minimum(w, 0) ** 2  # of both signs of the input
        for k, state in enumerate(walk.through(λ[which], at)):
            risk[k] += λ[which] @ state @ loss / 2
        wrong[which], atom[which] = state[:, w <= 0].sum(1), state[:, n:].sum(1)
        mass[which], points[which] = state[:, :n], sign[which, None] * w[:n]
    return Chain(risk, wrong, 0.0, points, mass, atom)


class _Walk:
    """The chains of m weights with one w* >= 0, on a grid of n points, of which 0 is an edge, and on their m starts."""

    def __init__(self, truth: float, start: Floats, given: NeuronPass, n: int) -> None:
        self.truth, self.γ, self.σ, self.gate, self.n = truth, given.rates, given.noise, given.gate, n
        most, far = float(self.γ.max(initial=0)), max(float(np.abs(start - truth).max()), truth)
        pad = 6 * self.σ * np.sqrt(2 * most / (2 - most))  # six deviations of the stationary state
        over = max(0.0, most - 1) * far
        low, high = min(0.0, float(start.min()), truth - over) - pad, max(float(start.max()), truth + over) + pad
        self.h = max(high - low, 1e-9) / (n - 2)
        self.points = np.append((np.floor(low / self.h) + 0.5 + np.arange(n)) * self.h, start)

    def through(self, λ: Floats, at: list[int]) -> Iterator[Floats]:
        """The probabilities (m, n + m) after each step of `at`."""
        state = np.eye(len(λ), len(self.points), self.n)
        if 0 in at:
            yield state
        for t, rate in enumerate(self.γ):
            if t == 0 or rate != self.γ[t - 1]:
                push = self.kernel(rate)
            state = state + λ[:, None] * (state @ push - state)
            if t + 1 in at:
                yield state

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
