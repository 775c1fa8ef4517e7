"""The fluid Santa Fe process: facts that are mentioned by a power law, and that change now and then.

X_i = (K_i, Z_i): fact K_i is drawn as p_k ~ k^-a, and Z_i is its bit, which flips with rate rho_k = c k^-r at every step; c = 0
is Debowski's Santa Fe process. The last mention of a fact is all that the past tells of it, so with j the steps since then
    H_n = H(K) + sum_k p_k [(1-p_k)^n + sum_{j=1..n} p_k (1-p_k)^(j-1) h((1 - (1-2 rho_k)^j)/2)],
and C(n) has a block of entries +-p_k^2 (1-2 rho_k)^n / 4 for each fact: ||C||_op = max_k p_k^2 (1-2 rho_k)^n / 2, and
||C||_F^2 = sum_k p_k^4 (1-2 rho_k)^(2n) / 4. So beta is 2a/r by the operator norm and (2a - 1/2)/r by the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from twopart import _random
from twopart._arguments import Floats
from twopart._checks import check_integer, check_real

LN2 = np.log(2)


@dataclass(frozen=True)
class FluidSantaFe:
    """Facts and their bits; entropies in bits."""

    exponent: float = 1.5
    """a > 1."""
    flip_scale: float = 0.1
    """c in [0, 1/2]: how often the first fact changes."""
    flip_exponent: float = 2.5
    """r > 0; for r > a rare facts are old news when they are mentioned, but still true."""
    facts: int = 1 << 13
    seed: int = 0

    def __post_init__(self) -> None:
        check_real("exponent", self.exponent, 1, 10, "1.5 is near that of words", closed="(]")
        check_real("flip_scale", self.flip_scale, 0, 0.5, "a bit that flips every other step is noise")
        check_real("flip_exponent", self.flip_exponent, 0, 20, "2.5 leaves rare facts as they are", closed="(]")
        check_integer("facts", self.facts, 2, 2**20, "8192 suit a million tokens")

    @cached_property
    def shares(self) -> Floats:
        """p_k (facts,)."""
        powers = np.arange(1, self.facts + 1) ** -self.exponent
        return np.asarray(powers / powers.sum())

    @cached_property
    def kept(self) -> Floats:
        """1 - 2 rho_k: what a step leaves of the correlation of a bit with itself (facts,)."""
        return np.asarray(1 - 2 * self.flip_scale * np.arange(1, self.facts + 1) ** -self.flip_exponent)

    def sample(self, tokens: int, stream: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Facts and bits (T,)."""
        check_integer("tokens", tokens, 1, 2**28, "a million are a second")
        random = _random.generator(self.seed, "santa fe", stream)
        fact = np.searchsorted(np.cumsum(self.shares)[:-1], random.random(tokens), side="right")
        order = np.argsort(fact, kind="stable")  # fact by fact, in time: between two mentions a bit has flipped, or not
        age, same = np.diff(order, prepend=0), np.append(False, np.diff(fact[order]) == 0)
        chance = np.where(same, (1 - self.kept[fact[order]] ** np.where(same, age, 0)) / 2, 0.5)
        bits = np.empty(tokens, np.int64)
        bits[order] = np.cumsum(random.random(tokens) < chance) % 2
        return fact, bits

    def entropies(self, most: int) -> Floats:
        """H_0, ..., H_most, exact (most + 1,)."""
        check_integer("most", most, 0, 2**20, "every step is a pass over the facts")
        p, found, unseen, correlated = self.shares, [], np.ones(self.facts), np.ones(self.facts)
        known = entr(p).sum() / LN2
        for _ in range(most + 1):
            found.append(known + p @ unseen)
            correlated = correlated * self.kept
            known += (p * p * unseen) @ _doubt(correlated)
            unseen = unseen * (1 - p)
        return np.array(found)

    def entropy_rate(self) -> float:
        """The limit of H_n, to 1e-5 of a bit: ages j stand in classes of 3 %, each with its exact weight."""
        return self._rate

    @cached_property
    def _rate(self) -> float:
        p, rate = self.shares, entr(self.shares).sum() / LN2
        edges = np.unique(np.geomspace(1, 40 / p[-1], 1000).round())
        for low, high in zip(edges, np.append(edges[1:], np.inf), strict=True):
            rare = slice(np.searchsorted(-p, -40 / low), None)  # others were mentioned since, but for e^-40
            middle, stays = (low + min(high, 2 * low) - 1) / 2, np.log1p(-p[rare])
            weight = np.exp((low - 1) * stays) - np.exp((high - 1) * stays)
            rate += p[rare] @ (weight * _doubt(self.kept[rare] ** middle))
        return float(rate)

    def norm(self, n: int, frobenius: bool = False) -> float:
        """||C(n)||, n >= 1: the largest singular value, or the root of the sum of squares."""
        check_integer("n", n, 1, None, "of tokens n apart")
        parts = self.shares**2 * self.kept**n / 2
        return float(np.linalg.norm(parts) if frobenius else np.abs(parts).max())


def _doubt(correlated: Floats) -> Floats:
    """The entropy of a bit that is as it was with probability (1 + correlated)/2."""
    return np.asarray((entr((1 - correlated) / 2) + entr((1 + correlated) / 2)) / LN2)
