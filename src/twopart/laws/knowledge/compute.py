"""Where the next operation is best spent: sentences or parameters. Derived in docs/laws/joint.md.

joint_limit     E + A N^-(1-d) + B P^-(1/d-1), the two limits of the joint law added up
optimal_split   the N and P that the exact law makes best for a number of floating-point operations
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gamma

from twopart._checks import check, check_real
from twopart.laws.knowledge.capacity import capacity_asymptote, tail_constant, tail_weight
from twopart.laws.knowledge.joint import JointLaw, joint_law, sentence_entropy
from twopart.laws.knowledge.tails import Entities, Floats
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

FIGURE = "about 2 is the literature's figure"
CUTS, ZOOMS = 24, 8  # intervals of the search for a split, and how often it is narrowed down to two of them


@dataclass(frozen=True)
class TwoTerms:
    """E + A N^-α + B P^-β for N sentences and P parameters."""

    E: float
    """Entropy of a sentence, bits."""
    A: float
    """Bits per sentence of the data term at N = 1."""
    alpha: float
    """1 - d."""
    B: float
    """Bits per sentence of the capacity term at P = 1."""
    beta: float
    """1/d - 1."""

    def __call__(self, n: ArrayLike, params: ArrayLike) -> Floats:
        """Loss in bits per sentence."""
        data = self.A * np.asarray(n, float) ** -self.alpha
        return np.asarray(self.E + data + self.B * np.asarray(params, float) ** -self.beta)

    def optimum(self, flops: ArrayLike, cost: float) -> tuple[Floats, Floats]:
        """(N, P) of least loss with `cost` N P = `flops`, where α A N^-α = β B P^-β."""
        product = np.asarray(flops, float) / cost
        n = (self.alpha * self.A / (self.beta * self.B) * product**self.beta) ** (1 / (self.alpha + self.beta))
        return n, product / n

    @property
    def n_exponent(self) -> float:
        """Of N in the operations: β/(α+β) = 1/(1+d)."""
        return self.beta / (self.alpha + self.beta)

    @property
    def params_exponent(self) -> float:
        """Of P: α/(α+β) = d/(1+d)."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def exponent(self) -> float:
        """Of the redundancy: -αβ/(α+β) = -(1-d)/(1+d)."""
        return -self.alpha * self.beta / (self.alpha + self.beta)


def joint_limit(
    world: SyntaxKnowledge,
    bits_per_parameter: float = 2.0,
    entities: Entities | None = None,
    exposures: float = 1.0,
) -> TwoTerms:
    """The leading terms of the data law and of the capacity law, added up. Needs a power tail, so d > 0.

    With #{p_k > x} ~ c x^-d and S = Σ_a h_a π_a^d, A = S c d Γ(1-d) T^(1-d); B is the constant of `capacity_asymptote` times
    b^-(1/d-1) for b bits per parameter. The sum of the two exact terms bounds the values' exact redundancy from above.
    """
    law = world.entities if entities is None else entities
    b = check_real("bits_per_parameter", bits_per_parameter, 0, np.inf, FIGURE, closed="()")
    needed = check_real("exposures", exposures, 0, np.inf, "1 learns a fact at once", closed="()")
    (d, c), capacity = tail_constant(law), capacity_asymptote(world, law)
    data = tail_weight(world, d) * c * d * gamma(1 - d) * needed ** (1 - d)
    return TwoTerms(sentence_entropy(world, law), float(data), 1 - d, capacity(b).item(), capacity.exponent)


@dataclass(frozen=True, eq=False)
class Split:
    """The best use of each number of operations; arrays of shape (budgets,)."""

    flops: Floats
    """Floating-point operations."""
    n: Floats
    """N, sentences."""
    params: Floats
    """P, parameters."""
    law: JointLaw
    """The exact law there."""

    @property
    def exponent(self) -> Floats:
        """Local exponent of the redundancy in the operations, d ln total / d ln flops = -λC / total, where 1 < P and N.

        At the optimum one more per cent of operations buys the same whether it goes to N or to P.
        """
        return self.law.exponent

    @property
    def n_exponent(self) -> Floats:
        """Local exponent of N, by differences between neighbouring budgets (two at least)."""
        return np.gradient(np.log(self.n), np.log(self.flops))

    @property
    def params_exponent(self) -> Floats:
        """Local exponent of P: 1 less that of N."""
        return 1 - self.n_exponent


def optimal_split(
    world: SyntaxKnowledge,
    flops: ArrayLike,
    cost: float,
    bits_per_parameter: float = 2.0,
    entities: Entities | None = None,
    exposures: float = 1.0,
) -> Split:
    """N and P of least exact loss with `cost` N P = flops; `flops` is a rising array of shape (budgets,), each above `cost`.

    `cost` is the operations per sentence and parameter: 6 times a sentence's tokens for training a transformer. Searched on
    a grid of ln N that is narrowed eight times: N is found to 1e-8 of ln(flops / cost), where the loss is flat to rounding.
    """
    check_real("cost", cost, 0, np.inf, "6 times the tokens of a sentence is customary", closed="()")
    b = check_real("bits_per_parameter", bits_per_parameter, 0, np.inf, FIGURE, closed="()")
    budget = np.atleast_1d(np.asarray(flops, float))
    fine = budget.ndim == 1 and bool(np.all(budget > cost) and np.all(np.diff(budget) > 0))
    check(fine, "flops", flops, "a rising row of numbers above `cost`", "one sentence and one parameter cost as much")
    reach = np.log(budget / cost)
    low, high = np.zeros(len(budget)), reach

    def law(log_n: Floats) -> JointLaw:
        room = b * np.exp(reach.reshape(-1, *[1] * (log_n.ndim - 1)) - log_n)
        return joint_law(world, np.exp(log_n), room, entities, exposures)

    for _ in range(ZOOMS):
        grid = np.linspace(low, high, CUTS + 1, axis=1)
        best = np.argmin(law(grid).total, axis=1)
        rows = np.arange(len(budget))
        low, high = grid[rows, np.maximum(best - 1, 0)], grid[rows, np.minimum(best + 1, CUTS)]
    log_n = (low + high) / 2
    return Split(budget, np.exp(log_n), np.exp(reach - log_n), law(log_n))
