"""Pitman-Yor random measures: entities whose frequencies fall as a power of their rank, with exact quantities and exact draws.

Throughout, p̃ ~ Beta(1-d, θ+d) is the size-biased weight, the probability of the entity that one draw hits, and for any f
    E Σ_k f(p_k) = E[f(p̃)/p̃] = ∫_0^1 f(p)/p Beta(p; 1-d, θ+d) dp        (Pitman and Yor 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, betaln, gammaln, psi

from twopart._checks import check, check_integer, check_real
from twopart._special import log_beta_binomial, log_gamma_ratio
from twopart.worlds import _tree
from twopart.worlds._philox import philox_key

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PitmanYor:
    """The law PY(d, θ) of a random measure over entities. Where an argument may be an array, so is the result."""

    discount: float = 0.5
    """d in [0, 1): the k-th largest probability falls as k^(-1/d), distinct entities grow as n^d. 0: a Dirichlet process."""
    concentration: float = 1.0
    """θ > -d: the larger, the more even the head."""

    def __post_init__(self) -> None:
        check_real("discount", self.discount, 0, 1, "0 gives a Dirichlet process", closed="[)")
        remedy = "1 is customary; it must exceed minus the discount"
        check_real("concentration", self.concentration, -self.discount, 1e9, remedy, closed="(]")

    def entropy(self) -> float:
        """Expected entropy of a draw from the measure, (ψ0(1+θ) - ψ0(1-d)) / ln 2 bits."""
        return float((psi(1 + self.concentration) - psi(1 - self.discount)) / np.log(2))

    def expected_distinct(self, n: ArrayLike) -> Any:
        """E K_n = Γ(θ+n+d)Γ(θ+1) / (d Γ(θ+n)Γ(θ+d)) - θ/d; for d = 0, θ (ψ0(θ+n) - ψ0(θ))."""
        d, theta = self.discount, self.concentration
        size = _counts("n", n)
        some = np.maximum(size, 1)
        if d == 0:
            distinct = theta * (psi(theta + some) - psi(theta))
        else:
            # in units of Γ(θ+d+1): expm1 keeps the digits when d is small and both terms are large
            logs = log_gamma_ratio(theta + some, d) + gammaln(theta + 1) - gammaln(theta + d)
            distinct = (np.exp(logs) - theta) / d
        return _like(n, np.where(size > 0, distinct, 0.0))

    def expected_blocks(self, size: ArrayLike, n: ArrayLike) -> Any:
        """E M_{j,n}, expected entities seen exactly j times in n draws: C(n,j) (1-d)_{j-1} (θ+d)_{n-j} / (θ+1)_{n-1}.

        Written as n/j BetaBin(j-1; n-1, 1-d, θ+d): the block of the first draw has one plus a beta-binomial number of others.
        """
        j, total = np.broadcast_arrays(_counts("size", size, 1), _counts("n", n))
        inside = j <= total
        k, m = np.where(inside, j, 1), np.where(inside, total, 1)
        logs = log_beta_binomial(k - 1, m - 1, 1 - self.discount, self.concentration + self.discount)
        return _like((size, n), np.where(inside, m / k * np.exp(logs), 0.0))

    def expected_missing_mass(self, n: ArrayLike, thinning: float = 1.0) -> Any:
        """E[(1 - τ p̃)^n]: the mass of entities not met in n draws of which each is looked at with probability τ = `thinning`.

        τ = 1: Γ(θ+d+n)Γ(θ+1) / (Γ(θ+1+n)Γ(θ+d)). Else by Gauss-Legendre quadrature on the logit of p.
        """
        d, theta = self.discount, self.concentration
        check_real("thinning", thinning, 0, 1, "1 looks at every draw", closed="(]")
        size = _counts("n", n)
        if thinning == 1:
            logs = log_gamma_ratio(theta + d + size, 1 - d) + gammaln(theta + d) - gammaln(theta + 1)
            return _like(n, np.exp(-logs))
        logs, weights = _logit_quadrature(d, theta)
        miss = np.log1p(-thinning * np.exp(logs))
        missed = np.array([np.dot(weights, np.exp(k * miss)) for k in size.ravel()])
        return _like(n, missed.reshape(size.shape))

    def mass_below(self, x: ArrayLike) -> Any:
        """Expected mass of the entities with probability below x: I_x(1-d, θ+d), the regularised incomplete Beta function."""
        return _like(x, betainc(1 - self.discount, self.concentration + self.discount, _shares(x)))

    def atoms_above(self, x: ArrayLike) -> Any:
        """Expected number of entities with probability above x: ∫_x^1 Beta(p; 1-d, θ+d)/p dp.

        For d > 0 by parts: with b = θ+d, ∫_x^1 p^(-d-1)(1-p)^(b-1) dp = [x^-d (1-x)^b - θ ∫_x^1 p^-d (1-p)^(b-1) dp] / d,
        and the last integral is an incomplete Beta function. For d = 0 by quadrature.
        """
        d, theta = self.discount, self.concentration
        share = _shares(x)
        check(bool(np.all(share > 0)), "x", x, "> 0", "infinitely many entities lie above 0")
        if d == 0:
            return _like(
                x, theta * np.array([_log_integral(float(s), theta) for s in share.ravel()]).reshape(share.shape)
            )
        b = theta + d
        inside = np.where(share < 1, share, 0.5)
        head = np.exp(-d * np.log(inside) + b * np.log1p(-inside) - betaln(1 - d, b))
        return _like(x, np.where(share < 1, (head - theta * betaincc(1 - d, b, inside)) / d, 0.0))

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
        return RandomMeasure(self, check_integer("seed", seed, 0, 2**63 - 1, "any whole number names a measure"))

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
    seed: int

    @property
    def root_atoms(self) -> int:
        """Ids below this are sticks of the root, in the order in which they were broken off; others are at least 2^62."""
        return _tree.STICKS

    @cached_property
    def _root(self) -> _tree.Root:
        return _planted(self.law.discount, self.law.concentration, self.seed)

    def draw(self, n: int, stream: int = 0, start: int = 0) -> NDArray[np.int64]:
        """Ids of draws start..start+n-1 of the independent sample number `stream`, shape (n,)."""
        out = np.empty(_length(n, start), np.int64)
        _tree.draw(self._root, self._key(stream), start, out)
        return out

    def draw_with_probability(self, n: int, stream: int = 0, start: int = 0) -> tuple[NDArray[np.int64], Floats]:
        """The same ids, and the probability of each one's entity; both of shape (n,)."""
        out, probability = np.empty(_length(n, start), np.int64), np.empty(n)
        _tree.draw(self._root, self._key(stream), start, out, probability)
        return out, probability

    def _key(self, stream: int) -> tuple[np.uint64, np.uint64]:
        check_integer("stream", stream, 0, 2**63 - 1, "streams are independent samples of one measure")
        return philox_key(self.seed, "Pitman-Yor draws", stream)


@lru_cache(maxsize=8)
def _planted(discount: float, concentration: float, seed: int) -> _tree.Root:
    return _tree.plant(discount, concentration, seed)


def _length(n: int, start: int) -> int:
    check_integer("n", n, 0, None, "it is the number of draws")
    check_integer("start", start, 0, 2**62 - n, "it is the index of the first draw")
    return n


def _counts(name: str, n: ArrayLike, least: int = 0) -> Floats:
    array = np.asarray(n, float)
    whole = bool(np.all((array >= least) & (array == np.floor(array)) & (array < 2**53)))
    check(whole, name, n, f"whole numbers in [{least}, 2^53)", "it counts draws")
    return array


def _shares(x: ArrayLike) -> Floats:
    array = np.asarray(x, float)
    check(bool(np.all((array >= 0) & (array <= 1))), "x", x, "in [0, 1]", "it is a probability")
    return array


def _like(argument: Any, result: Any) -> Any:
    """A float for a number, an array for an array."""
    scalar = all(np.ndim(a) == 0 for a in (argument if isinstance(argument, tuple) else (argument,)))
    return float(result) if scalar else np.asarray(result, float)


@lru_cache(maxsize=64)
def _logit_quadrature(d: float, theta: float) -> tuple[Floats, Floats]:
    """Nodes ln p and weights of E[f(p̃)]: Gauss-Legendre panels on the logit of p, where Beta falls off as exponentials."""
    low, high = -40 / (1 - d), 40 / (theta + d)
    edges, (x, w) = np.linspace(low, high, int((high - low) * 1.5) + 32), leggauss(16)
    half = np.diff(edges)[:, None] / 2
    logit = (edges[:-1, None] + half * (1 + x)).ravel()
    log_p, log_q = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
    weights = (half * w).ravel() * np.exp((1 - d) * log_p + (theta + d) * log_q - betaln(1 - d, theta + d))
    return log_p, weights


def _log_integral(x: float, theta: float) -> float:
    """∫_x^1 (1-p)^(θ-1)/p dp = Σ over the logit as above."""
    if x >= 1:
        return 0.0
    nodes, w = leggauss(16)
    low, high = np.log(x) - np.log1p(-x), max(40 / theta, 40.0)
    edges = np.linspace(low, high, int((high - low) * 1.5) + 32)
    half = np.diff(edges)[:, None] / 2
    logit = (edges[:-1, None] + half * (1 + nodes)).ravel()
    # dp/p = (1-p) d logit
    return float(np.dot((half * w).ravel(), np.exp(-theta * np.logaddexp(0, logit))))
