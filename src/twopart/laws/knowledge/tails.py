"""Sums over the facts that lie above a frequency: how many are seen in n sentences, how probable are those that are not.

A fact about an entity of weight p and an attribute of probability π has frequency q = πp. For a price λ and n >= 0 sentences
    seen      E Σ_k (1 - (1-q_k)^n) [q_k >= λ]         facts above the price that n sentences tell
    unknown   E Σ_k q_k ([q_k < λ] + (1-q_k)^n [q_k >= λ])   probability that a sentence asks for one too rare or not told
n = inf tells every fact. A law of entities is a list of pieces, and a new one registers in `pieces`:
    Atoms     known weights with multiplicities
    Spread    mass R spread as R PY(d, θ):  E Σ_k f(p_k) = E[f(R p̃)/p̃], p̃ ~ Beta(a, b)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, singledispatch

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import betainc, roots_jacobi, xlog1py

from twopart.worlds.knowledge._integrals import log_beta
from twopart.worlds.knowledge.equal import EqualFrequencies
from twopart.worlds.knowledge.known import KnownEntities
from twopart.worlds.knowledge.pitman_yor import PitmanYor

Floats = NDArray[np.float64]
Entities = PitmanYor | EqualFrequencies | KnownEntities

WIDTH = 0.75  # of a panel in ln p
TOP = -np.log(2)  # panels cover ln p below this, Gauss-Jacobi what is above


@dataclass(frozen=True, eq=False)
class Atoms:
    """Entities of given probability."""

    weights: Floats
    """Probabilities in falling order."""
    counts: Floats
    """How many entities have each."""


@dataclass(frozen=True)
class Spread:
    """Mass spread over infinitely many entities, as `mass` times a Pitman-Yor measure."""

    mass: float
    """R in (0, 1]."""
    law: PitmanYor
    """PY(d, θ)."""


@singledispatch
def pieces(entities: object) -> list[Atoms | Spread]:
    """What a law of entities is made of."""
    raise TypeError(f"no pieces are known for entities from {entities!r}")


@pieces.register
def _(entities: PitmanYor) -> list[Atoms | Spread]:
    return [Spread(1.0, entities)]


@pieces.register
def _(entities: EqualFrequencies) -> list[Atoms | Spread]:
    return [Atoms(np.array([1 / entities.entities]), np.array([float(entities.entities)]))]


@pieces.register
def _(entities: KnownEntities) -> list[Atoms | Spread]:
    known: list[Atoms | Spread] = [Atoms(entities.weights, np.ones(len(entities.weights)))]
    return known + ([Spread(entities.rest, entities.unmet)] if entities.rest else [])


class AtomTail:
    """The two sums over atoms: running totals in falling order of frequency, one row per n."""

    def __init__(self, atoms: Atoms, share: float, n: Floats) -> None:
        self.frequency = share * atoms.weights
        logs = xlog1py(n[:, None], -self.frequency)  # rows, atoms
        mass = atoms.counts * self.frequency
        self._seen = _running(atoms.counts * -np.expm1(logs))
        self._missed = _running(mass * np.exp(logs))
        self._below = mass.sum() - _running(mass[None, :])[0]
        self._below[-1] = 0.0

    def __call__(self, row: NDArray[np.int64], price: Floats) -> tuple[Floats, Floats]:
        """(seen, unknown) at each pair of a row and a price."""
        k = np.searchsorted(-self.frequency, -price, side="right")  # atoms at the price are above it
        return self._seen[row, k], self._missed[row, k] + self._below[k]


class SpreadTail:
    """The two integrals over a Pitman-Yor measure: panels in ln p summed from the top, one row per n.

    With p = e^u below 1/2, Gauss-Legendre in panels of u; above 1/2 Gauss-Jacobi, as the density has the power (1-p)^(b-1).
    """

    def __init__(self, spread: Spread, share: float, n: Floats, lowest: float) -> None:
        self._n, self._scale = n, share * spread.mass
        self._a, self._b = 1 - spread.law.discount, spread.law.concentration + spread.law.discount
        self._norm = np.exp(-log_beta(self._a, self._b))
        panels = max(1, int(np.ceil((TOP - np.log(min(lowest / self._scale, 0.5))) / WIDTH)))
        edges = TOP - WIDTH * np.arange(panels)
        nodes = edges[:, None] - WIDTH / 2 * (1 - _X)
        rows = np.arange(len(n))
        seen, missed = self._integrate(rows[:, None, None], nodes, WIDTH / 2 * _W)
        top = self._top(rows, np.full(len(n), 0.5))
        self._seen = np.cumsum(np.column_stack([top[0], seen]), axis=1)
        self._missed = np.cumsum(np.column_stack([top[1], missed]), axis=1)

    def __call__(self, row: NDArray[np.int64], price: Floats) -> tuple[Floats, Floats]:
        """(seen, unknown) at each pair of a row and a price, at least `lowest`."""
        x = np.clip(price / self._scale, 1e-300, 1.0)
        depth = (TOP - np.log(x)) / WIDTH
        panel = np.clip(depth.astype(np.int64), 0, self._seen.shape[1] - 1)
        edge = TOP - WIDTH * panel
        half = np.maximum(edge - np.log(x), 0.0) / 2
        low = np.minimum(np.log(x), edge)
        part = self._integrate(row[:, None], low[:, None] + half[:, None] * (1 + _X), half[:, None] * _W)
        seen, missed = self._seen[row, panel] + part[0], self._missed[row, panel] + part[1]
        above = x > 0.5
        seen[above], missed[above] = self._top(row[above], x[above])
        return seen, self._scale * (betainc(self._a, self._b, x) + missed)

    def _integrate(self, row: NDArray[np.int64], u: Floats, weights: Floats) -> tuple[Floats, Floats]:
        """∫ over the last axis of both integrands in u = ln p."""
        p = np.exp(u)
        measure = self._norm * weights * np.exp(self._a * u + (self._b - 1) * np.log1p(-p))
        return self._sums(row, p, measure)

    def _top(self, row: NDArray[np.int64], x: Floats) -> tuple[Floats, Floats]:
        """The integrals over (x, 1), x >= 1/2: with 1-p = (1-x)s the density has s^(b-1), of which s^(β-1), 0 < β <= 1, is
        the quadrature's weight and the whole power that is left part of the integrand."""
        whole = np.ceil(self._b) - 1
        s, w = _jacobi(self._b - whole)
        q = (1 - x)[:, None] * s
        p = 1 - q
        measure = self._norm * w * (1 - x)[:, None] ** (self._b - whole) * p ** (self._a - 1) * q**whole
        return self._sums(row[:, None], p, measure)

    def _sums(self, row: NDArray[np.int64], p: Floats, measure: Floats) -> tuple[Floats, Floats]:
        logs = xlog1py(self._n[row], -self._scale * p)  # of the probability that a fact is not told
        return (-np.expm1(logs) * measure / p).sum(-1), (np.exp(logs) * measure).sum(-1)


class Tail:
    """Both sums over all facts of one attribute."""

    def __init__(self, entities: Entities, share: float, n: Floats, lowest: float) -> None:
        self._parts = [
            AtomTail(piece, share, n) if isinstance(piece, Atoms) else SpreadTail(piece, share, n, lowest)
            for piece in pieces(entities)
        ]

    def __call__(self, row: NDArray[np.int64], price: Floats) -> tuple[Floats, Floats]:
        """(seen, unknown) of shape (points,) for points given by a row of n and a price."""
        sums = [part(row, price) for part in self._parts]
        return np.sum([s for s, _ in sums], axis=0), np.sum([u for _, u in sums], axis=0)


_X, _W = leggauss(8)


@lru_cache(maxsize=64)
def _jacobi(beta: float, order: int = 24) -> tuple[Floats, Floats]:
    """Nodes and weights of ∫_0^1 s^(β-1) f(s) ds."""
    x, w = roots_jacobi(order, 0.0, beta - 1)
    return (1 + x) / 2, w / 2.0**beta


def _running(terms: Floats) -> Floats:
    """Sums of the first 0, 1, 2, ... terms of each row."""
    return np.concatenate([np.zeros((len(terms), 1)), np.cumsum(terms, axis=1)], axis=1)
