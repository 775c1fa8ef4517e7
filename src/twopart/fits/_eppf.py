"""The likelihood of a Pitman-Yor partition and its derivatives, from how many types have each count.

With n tokens of K types, m_j of them seen j times (the exchangeable partition probability function; Pitman 1995, equation 16),
    L(d, θ) = Σ_{i=1}^{K-1} ln(θ + i d) - Σ_{i=1}^{n-1} ln(θ + i) + Σ_j m_j Σ_{i=1}^{j-1} ln(i - d).
The last two are Gamma functions. The first would be one of θ/d, which loses its digits as d falls to 0; but it is smooth in i,
so a few hundred quadrature nodes (`_special.sum_nodes`) give it and its derivatives to ten digits, at d = 0 as elsewhere.
An evaluation takes O(log K + distinct counts) steps, however many tokens there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, psi, zeta

from twopart._special import log_gamma_ratio, sum_nodes
from twopart.fits._tables import Integers

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Partition:
    """Tokens by type, told by how many types have each count."""

    sizes: Integers
    """The counts j that occur, increasing."""
    multiplicities: Integers
    """Types m_j with each of them."""

    @cached_property
    def tokens(self) -> int:
        return int(self.sizes @ self.multiplicities)

    @cached_property
    def types(self) -> int:
        return int(self.multiplicities.sum())

    @cached_property
    def singletons(self) -> int:
        """Types seen once."""
        return int(self.multiplicities[self.sizes == 1].sum())

    @cached_property
    def _nodes(self) -> tuple[Floats, Floats]:
        """Nodes i and weights of the sum over 1..K-1."""
        j, weights = sum_nodes(self.types - 2)
        return j + 1, weights

    def log_likelihood(self, d: float, theta: float) -> float:
        """L in nats."""
        i, weights = self._nodes
        inner = self.multiplicities @ (gammaln(self.sizes - d) - gammaln(1 - d))
        return float(weights @ np.log(theta + i * d) - log_gamma_ratio(theta + 1, self.tokens - 1) + inner)

    def score(self, d: float, theta: float) -> Floats:
        """dL/dd and dL/dθ."""
        return np.array([self.discount_score(d, theta), self.concentration_score(d, theta)])

    def discount_score(self, d: float, theta: float) -> float:
        i, weights = self._nodes
        inner = self.multiplicities @ (psi(self.sizes - d) - psi(1 - d))
        return float((weights / (theta + i * d)) @ i - inner)

    def concentration_score(self, d: float, theta: float) -> float:
        i, weights = self._nodes
        return float((weights / (theta + i * d)).sum() - (psi(theta + self.tokens) - psi(theta + 1)))

    def hessian(self, d: float, theta: float) -> Floats:
        """Second derivatives of L by (d, θ), shape (2, 2). The trigamma function is ζ(2, x), which is quicker."""
        i, weights = self._nodes
        new = weights / (theta + i * d) ** 2
        inner = self.multiplicities @ (zeta(2, self.sizes - d) - zeta(2, 1 - d))
        mixed = -(new @ i)
        seats = zeta(2, theta + 1) - zeta(2, theta + self.tokens)
        return np.array([[inner - new @ (i * i), mixed], [mixed, seats - new.sum()]])
