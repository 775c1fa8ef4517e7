"""Where the next bit is best spent: bits shared among facts and syntax at one price. Derived in docs/laws/capacity.md.

At a price of λ bits saved per sentence for each bit stored, a model holds every told fact of frequency q >= λ whole, and of
the m_a - 1 = k free parameters of attribute a's templates R_a = k/2 log2(2 ln2 π_a g_a / (kλ)) bits, if that is positive, where
g_a = r_a(0) - r_a(n) is what n sentences teach about them. Both fall with λ, so one price meets any budget.
A row is one number of sentences, a point is a row and a budget (or a price).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from twopart.laws.knowledge.syntax import template_redundancy
from twopart.laws.knowledge.tails import Entities, Floats, Tail
from twopart.worlds.knowledge.syntax_knowledge import SyntaxKnowledge

Rows = NDArray[np.int64]

LOWEST = 1e-280  # no price is less
TIGHT = 1e-12  # prices are found to this, relative,
EVEN = 1e-13  # or budgets to this, where rounding begins


@dataclass(frozen=True, eq=False)
class Holding:
    """What a model holds at each point, and what it still pays."""

    price: Floats
    """λ, shape (points,)."""
    facts: Floats
    """Expected number of facts held, shape (points, attributes)."""
    unknown: Floats
    """Probability that a sentence is of this attribute and its fact is not held, shape (points, attributes)."""
    fact_bits: Floats
    """Bits spent on facts, shape (points,)."""
    syntax_bits: Floats
    """Bits spent on syntax, shape (points,)."""
    value: Floats
    """Bits per sentence paid for facts not held, shape (points,)."""
    syntax: Floats
    """Bits per sentence paid for templates, shape (points,)."""

    @property
    def bits(self) -> Floats:
        """All bits spent."""
        return self.fact_bits + self.syntax_bits

    @property
    def total(self) -> Floats:
        """Redundancy in bits per sentence."""
        return self.value + self.syntax

    def towards(self, other: Holding, share: Floats) -> Holding:
        """Between two holdings: D is linear in the bits of a fact, so a fact at the price may be held in part."""

        def mixed(name: str) -> Floats:
            here, there = getattr(self, name), getattr(other, name)
            t = share[:, None] if here.ndim == 2 else share
            return np.asarray(here + t * (there - here))

        return Holding(*(mixed(field.name) for field in fields(self)))

    @staticmethod
    def gathered(parts: list[Holding], order: Rows) -> Holding:
        """The points of all parts, in the order in which `order` numbers them."""
        back = np.argsort(order)
        return Holding(*(np.concatenate([getattr(part, f.name) for part in parts])[back] for f in fields(Holding)))


Quantity = Callable[[Holding], Floats]
Scale = Callable[[Floats], Floats]


class Allocation:
    """The best holdings of a world's facts and syntax, for n = `n[row]` sentences each (inf: all is told)."""

    def __init__(
        self, world: SyntaxKnowledge, entities: Entities, n: Floats, untaught: Floats, lowest: float = LOWEST
    ) -> None:
        """`untaught`: r_a(n), bits that templates still cost after n sentences, shape (rows, attributes)."""
        self.lowest = lowest
        self._rows = len(n)
        self._pi = world.pi
        self._entropy = np.array([attribute.entropy() for attribute in world.attributes])
        self._free = np.array([attribute.templates - 1 for attribute in world.attributes])
        prior = [template_redundancy(a.templates, world.syntax_concentration, 0) for a in world.attributes]
        self._untaught = untaught
        self._taught = np.maximum(np.array(prior, float) - untaught, 0.0)
        shares, self._share = np.unique(self._pi, return_inverse=True)
        self._tails = [Tail(entities, float(share), n, lowest) for share in shares]
        self.highest = 2 * max(float(shares[-1]), float(self._worth(np.arange(len(n))).max()))  # nothing is bought

    def at(self, row: Rows, price: Floats) -> Holding:
        """What is held at each price >= `lowest`."""
        sums = [tail(row, price) for tail in self._tails]
        facts = np.stack([seen for seen, _ in sums], axis=-1)[:, self._share]
        unknown = np.stack([rest for _, rest in sums], axis=-1)[:, self._share]
        bits = self._free / 2 * np.log2(np.maximum(self._worth(row) / price[:, None], 1.0))
        kept = 2 ** (-2 * bits / np.maximum(self._free, 1))
        templates = self._untaught[row] + self._taught[row] * kept
        return Holding(
            price, facts, unknown, facts @ self._entropy, bits.sum(-1), unknown @ self._entropy, templates @ self._pi
        )

    def with_bits(self, row: Rows, bits: Floats) -> Holding:
        """The best holding of each budget; where there is room left over, what the lowest price buys, told as price 0."""
        held = self._where(row, lambda held: held.bits, np.log1p, bits)
        return replace(held, price=np.where(held.price > self.lowest, held.price, 0.0))

    def with_redundancy(self, row: Rows, redundancy: Floats) -> Holding:
        """The cheapest holding that leaves this total redundancy."""
        return self._where(row, lambda held: -held.total, lambda less: -np.log(-less), -redundancy)

    def _where(self, row: Rows, of: Quantity, scale: Scale, target: Floats) -> Holding:
        """The holding at which `of`, a quantity that falls as the price rises, reaches the target.

        It is sought on a scale on which the quantity is close to a straight line in the price's logarithm.
        """
        aim = scale(target)

        def excess(i: Rows, z: Floats) -> Floats:
            return np.asarray(scale(of(self.at(row[i], np.exp(z)))) - aim[i])

        low, high = bracket(excess, *self._ends(row, of, target))
        dear, cheap = self.at(row, np.exp(high)), self.at(row, np.exp(low))
        gap = of(cheap) - of(dear)
        share = (np.minimum(target, of(cheap)) - of(dear)) / np.where(gap > 0, gap, 1.0)
        return dear.towards(cheap, np.clip(np.where(gap > 0, share, 0.0), 0.0, 1.0))

    def _ends(self, row: Rows, of: Quantity, target: Floats) -> tuple[Floats, Floats]:
        """ln of prices around each target, from a grid that is as fine as there are many points to a row."""
        size = int(np.clip(len(row) // self._rows, 2, 512))
        grid = np.linspace(np.log(self.lowest), np.log(self.highest), size)
        curves = of(self.at(np.repeat(np.arange(self._rows), size), np.exp(np.tile(grid, self._rows))))
        curves = curves.reshape(-1, size)
        dearest = np.array([np.sum(curves[k] >= aim) for k, aim in zip(row, target, strict=True)], np.int64)
        return grid[np.maximum(dearest - 1, 0)], grid[np.minimum(dearest, size - 1)]

    def _worth(self, row: Rows) -> Floats:
        """The price at which the first bit of each attribute's syntax is bought, 2 ln2 π g / k; shape (points, attributes)."""
        return np.asarray(2 * np.log(2) * self._pi * self._taught[row] / np.maximum(self._free, 1))


def bracket(excess: Callable[[Rows, Floats], Floats], low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Ends low <= high, closer than `TIGHT`, between which each falling function turns from >= 0 to < 0.

    `excess(i, z)` gives the functions number i at z. Where a function does not turn, both ends are the nearer one,
    and where it is 0 but for rounding, both are there. The ITP method
    of Oliveira and Takahashi (2020): a secant step, pulled towards the middle; at worst one step more than bisection.
    """
    everything = np.arange(len(low))
    at_low, at_high = excess(everything, low), excess(everything, high)
    a, b = np.where(at_high >= 0, high, low), np.where(at_low < 0, low, high)
    pull, width = 0.2 / np.maximum(high - low, TIGHT), float(np.max(high - low, initial=TIGHT))
    most = int(np.ceil(np.log2(width / TIGHT))) + 2
    for step in range(most):
        i = np.flatnonzero(b - a > TIGHT)
        if not i.size:
            break
        z = _next(a[i], b[i], at_low[i], at_high[i], TIGHT / 2 * 2.0 ** (most - step), pull[i])
        value = excess(i, z)
        left = value >= 0
        a[i], at_low[i] = np.where(left, z, a[i]), np.where(left, value, at_low[i])
        b[i], at_high[i] = np.where(left, b[i], z), np.where(left, at_high[i], value)
        met = np.abs(value) <= EVEN
        a[i[met]] = b[i[met]] = z[met]
    return a, b


def _next(a: Floats, b: Floats, at_a: Floats, at_b: Floats, reach: float, pull: Floats) -> Floats:
    """Where to look next: the secant's zero, pulled towards the middle, and no farther from it than bisection can afford."""
    middle = (a + b) / 2
    secant = a + (b - a) * at_a / (at_a - at_b)
    side = np.sign(middle - secant)
    gap = np.abs(middle - secant)
    nearer = np.where(pull * (b - a) ** 2 <= gap, secant + side * pull * (b - a) ** 2, middle)
    afford = np.maximum(reach - (b - a) / 2, 0.0)
    return np.asarray(np.where(np.abs(nearer - middle) <= afford, nearer, middle - side * afford))
