"""Pitman-Yor random measures: entities whose frequencies fall as a power of their rank; exact quantities, exact draws.

Throughout, p̃ ~ Beta(1-d, θ+d) is the size-biased weight, the probability of the entity that one draw hits; for any f
    E Σ_k f(p_k) = E[f(p̃)/p̃] = ∫_0^1 f(p)/p Beta(p; 1-d, θ+d) dp        (Pitman and Yor 1997).
Every formula below follows from it, and is computed in a form that keeps at least ten digits for any d and θ, n up to 10^12
and x down to 10^-15.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc

from twopart._arguments import Floats, counts, like, shard, shares
from twopart._checks import check, check_integer, check_real
from twopart._philox import Key, philox_key
from twopart._special import digamma_step, log_beta_binomial, log_gamma_cross
from twopart.worlds.knowledge import _tree
from twopart.worlds.knowledge._atoms import atoms_from
from twopart.worlds.knowledge._integrals import inverse_above, thinned_miss
from twopart.worlds.knowledge._root import Root, plant


@dataclass(frozen=True)
class PitmanYor:
    """The law PY(d, θ) of a random measure over entities. Where an argument may be an array, so is the result."""

    discount: float = 0.5
    """d in [0, 1): the k-th largest probability falls as k^(-1/d), distinct entities grow as n^d; 0: a Dirichlet process."""
    concentration: float = 1.0
    """θ in (-d, 10^12]: the larger, the more even the head."""

    def __post_init__(self) -> None:
        d = check_real("discount", self.discount, 0, 1, "0 gives a Dirichlet process", closed="[)")
        remedy = "1 is customary; it must exceed minus the discount"
        theta = check_real("concentration", self.concentration, -d, 1e12, remedy, closed="(]")
        object.__setattr__(self, "discount", d)  # as floats: kernels are compiled by type
        object.__setattr__(self, "concentration", theta)

    def entropy(self) -> float:
        """Expected entropy of a draw from the measure, (ψ0(1+θ) - ψ0(1-d)) / ln 2 bits."""
        a, b = self._size_biased
        return float(digamma_step(a, b) / np.log(2))

    def expected_distinct(self, n: ArrayLike) -> Any:
        """E K_n = Γ(θ+n+d)Γ(θ+1) / (d Γ(θ+n)Γ(θ+d)) - θ/d; for d = 0, θ (ψ0(θ+n) - ψ0(θ)).

        Computed as 1 + (θ+d)/d (e^S - 1), S = Σ_{0<i<n} ln(1 + d/(θ+i)): the first entity and the expected others.
        """
        size = counts("n", n)
        d = max(self.discount, 1e-100)  # the limit d = 0 is reached exactly long before
        others = np.expm1(log_gamma_cross(self.concentration + 1, d, np.maximum(size, 1) - 1)) / d
        return like((n,), np.where(size > 0, 1 + (self.concentration + self.discount) * others, 0.0))

    def expected_blocks(self, size: ArrayLike, n: ArrayLike) -> Any:
        """E M_{j,n}, expected entities seen exactly j times in n draws: C(n,j) (1-d)_{j-1} (θ+d)_{n-j} / (θ+1)_{n-1}.

        That is n/j BetaBin(j-1; n-1, 1-d, θ+d): the first draw's entity comes up in a beta-binomial number of the others.
        """
        j, total = np.broadcast_arrays(counts("size", size, 1), counts("n", n))
        inside = j <= total
        k, m = np.where(inside, j, 1), np.where(inside, total, 1)
        blocks = m / k * np.exp(log_beta_binomial(k - 1, m - 1, *self._size_biased))
        return like((size, n), np.where(inside, blocks, 0.0))

    def expected_missing_mass(self, n: ArrayLike, thinning: float = 1.0) -> Any:
        """E[(1 - τ p̃)^n]: the mass of entities not met in n draws of which each is looked at with probability τ = `thinning`.

        τ = 1: Γ(θ+d+n)Γ(θ+1) / (Γ(θ+1+n)Γ(θ+d)). Else by quadrature (`_integrals.thinned_miss`).
        """
        check_real("thinning", thinning, 0, 1, "1 looks at every draw", closed="(]")
        size, (a, b) = counts("n", n), self._size_biased
        if thinning == 1:
            return like((n,), np.exp(-log_gamma_cross(b, a, size)))
        return like((n,), thinned_miss(size.ravel(), float(thinning), a, b).reshape(size.shape))

    def mass_below(self, x: ArrayLike) -> Any:
        """Expected mass of the entities with probability below x: I_x(1-d, θ+d), the regularised incomplete Beta function."""
        return like((x,), betainc(*self._size_biased, shares("x", x)))

    def atoms_above(self, x: ArrayLike) -> Any:
        """Expected number of entities with probability above x > 0: ∫_x^1 Beta(p; 1-d, θ+d)/p dp, by quadrature."""
        share = shares("x", x)
        check(bool(np.all(share > 0)), "x", x, "> 0", "infinitely many entities lie above 0")
        inside = np.where(share < 1, share, 0.5)
        atoms = inverse_above(inside.ravel(), *self._size_biased).reshape(share.shape)
        return like((x,), np.where(share < 1, atoms, 0.0))

    @property
    def _size_biased(self) -> tuple[float, float]:
        """a, b of p̃ ~ Beta(a, b)."""
        return 1 - self.discount, self.concentration + self.discount

    def predictive(self, count: ArrayLike, n: ArrayLike, distinct: ArrayLike) -> Any:
        """Probability that the draw after n is a given entity that was seen `count` > 0 times: (count - d)/(n + θ)."""
        return (np.asarray(count) - self.discount) / (np.asarray(n) + self.concentration)

    def new_probability(self, n: ArrayLike, distinct: ArrayLike) -> Any:
        """Probability that the draw after n, which hit K = `distinct` entities, is a new one: (θ + dK)/(n + θ); 1 if n = 0."""
        n, distinct = np.asarray(n), np.asarray(distinct)
        mass = self.concentration + self.discount * distinct
        return np.where(n > 0, mass, 1.0) / np.where(n > 0, n + self.concentration, 1.0)

    def measure(self, seed: int = 0) -> RandomMeasure:
        """The measure number `seed`: which entities there are, and how probable each is."""
        return RandomMeasure(self, seed)

    def draw(self, n: int, seed: int = 0, start: int = 0) -> NDArray[np.int64]:
        """Entity ids of draws start..start+n-1 from the measure number `seed`: one id, one entity."""
        return self.measure(seed).draw(n, start=start)

    def draw_with_probability(self, n: int, seed: int = 0, start: int = 0) -> tuple[NDArray[np.int64], Floats]:
        """The same ids, and the probability of each one's entity in that measure."""
        return self.measure(seed).draw_with_probability(n, start=start)


@dataclass(frozen=True)
class RandomMeasure:
    """One measure G ~ PY(d, θ), fixed by its seed. Given G, draws are i.i.d.; any shard equals its part of the whole."""

    law: PitmanYor
    """What the measure is drawn from."""
    seed: int
    """Which one, in [0, 2^63)."""

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, 0, 2**63 - 1, "any whole number names a measure")

    @property
    def root_atoms(self) -> int:
        """Ids below this are sticks of the root, in the order in which they were broken off; others are at least 2^62."""
        return self._root.sticks

    @property
    def root_probabilities(self) -> Floats:
        """Their probabilities, shape (root_atoms,). Most of the heaviest entities are among them."""
        return self._root.weights[: self._root.sticks].copy()

    @cached_property
    def _root(self) -> Root:
        return _planted(self.law.discount, self.law.concentration, self.seed)

    def draw(self, n: int, stream: int = 0, start: int = 0) -> NDArray[np.int64]:
        """Ids of draws start..start+n-1 of the independent sample number `stream`, shape (n,)."""
        n, start = shard(n, start)
        out = np.empty(n, np.int64)
        _tree.draw(self._root, self._key(stream), start, out)
        return out

    def draw_with_probability(self, n: int, stream: int = 0, start: int = 0) -> tuple[NDArray[np.int64], Floats]:
        """The same ids, and the probability of each one's entity, told as 2^-1022 if it is less; both of shape (n,)."""
        n, start = shard(n, start)
        out, probability = np.empty(n, np.int64), np.empty(n)
        _tree.draw(self._root, self._key(stream), start, out, probability)
        return out, probability

    def atoms(self, least: float) -> tuple[NDArray[np.int64], Floats]:
        """Ids and probabilities of all entities whose probability is `least` or more, each (K,), by falling probability.

        Takes time in proportion to their number: 10^6 a second or so.
        """
        check_real("least", least, _tree.LEAST, 1, "no smaller probability is told", closed="[]")
        ids, p = atoms_from(self._root, float(least))
        order = np.lexsort((ids, -p))
        return ids[order], p[order]

    def _key(self, stream: int) -> Key:
        check_integer("stream", stream, 0, 2**63 - 1, "streams are independent samples of one measure")
        return philox_key(self.seed, "Pitman-Yor draws", stream)


@lru_cache(maxsize=8)
def _planted(discount: float, concentration: float, seed: int) -> Root:
    return plant(discount, concentration, seed)
