"""Random hierarchies: strings that grow from one symbol by a tree of pairs; correlations and contexts weaken level by level.

A symbol of level k becomes one of m pairs of symbols of level k - 1, at random; all v m pairs of a level are different, so that
a string is parsed without doubt, from its leaves up (Cagnetta and Wyart 2024, arXiv 2406.00048). To first order in 1/v

    gamma = log2(v/m),   beta = log2(m v/(v - 1)),   alpha = gamma/(2 beta)

in the number of tokens back, 2^h: what a level more of context tells falls by m/v, ||C|| over levels by (1 - 1/v)/m, root mean
square over places. The covariance of averaged places falls faster: signs cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._arguments import Floats
from twopart._checks import check, check_integer

Integers = NDArray[np.int64]
MOST = 2**22  # numbers of a table of contexts


@dataclass(frozen=True)
class Hierarchy:
    """Strings (N, 2^L) of leaves and their exact statistics; entropies in bits."""

    symbols: int = 8
    """v >= 2, of every level."""
    rules: int = 4
    """m, 1 <= m <= v, pairs of each symbol."""
    levels: int = 5
    """L."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("symbols", self.symbols, 2, 64, "8 is customary")
        check_integer("rules", self.rules, 1, self.symbols, "half of the symbols")
        check_integer("levels", self.levels, 1, 12, "5 are strings of 32")

    @cached_property
    def pairs(self) -> Integers:
        """Left and right symbol of each rule (L, v, m, 2); level 0, whose pairs are leaves, first."""
        random, v = _random.generator(self.seed, "hierarchy", "pairs"), self.symbols
        chosen = np.stack([random.permutation(v * v)[: v * self.rules] for _ in range(self.levels)])
        return np.stack(np.divmod(chosen.reshape(self.levels, v, self.rules), v), -1)

    @cached_property
    def tables(self) -> Floats:
        """P(left, right | symbol above) (L, v, v, v)."""
        v, out = self.symbols, np.zeros((self.levels, *3 * (self.symbols,)))
        level, above = np.ogrid[: self.levels, :v]
        out[level[..., None], above[..., None], self.pairs[..., 0], self.pairs[..., 1]] = 1 / self.rules
        return out

    def sample(self, strings: int, stream: int = 0) -> Integers:
        """Strings (N, 2^L); the first symbol is uniform."""
        check_integer("strings", strings, 1, None, "how many")
        random = _random.generator(self.seed, "hierarchy", "sample", stream)
        grown = random.integers(self.symbols, size=(strings, 1))
        for pairs in self.pairs[::-1]:
            grown = pairs[grown, random.integers(self.rules, size=grown.shape)].reshape(strings, -1)
        return np.asarray(grown)

    def entropy(self, h: int) -> float:
        """H(last leaf | the 2^h - 1 before it), exact.

        Complete subtrees are parsed. What is left to know is the path to the last leaf, whose left neighbours at h levels are
        seen: v^h contexts, each with its posterior.
        """
        check_integer("h", h, 0, self.levels, "the string is no longer")
        check(self.symbols ** (h + 1) <= MOST, "h", h, f"below {MOST:,} contexts", "take a smaller one")
        joint = self._marginal(h, 2 ** (self.levels - h) - 1)[None]
        for table in self.tables[:h][::-1]:
            joint = np.einsum("cs,sab->cab", joint, table).reshape(-1, self.symbols)
        given = joint / np.maximum(joint.sum(1, keepdims=True), 1e-300)
        return -float((joint * np.log2(np.maximum(given, 1e-300))).sum())

    def norm(self, level: int) -> float:
        """||C||_F of leaves whose paths part at a level, 1 to L: root mean square over all such places, exact.

        Each pair of places has its own marginals taken off.
        """
        check_integer("level", level, 1, self.levels, "1 are neighbours in a pair")
        down, squares = self._down(level - 1), []
        for place in range(2 ** (self.levels - level)):
            joint = np.einsum("s,sab->ab", self._marginal(level, place), self.tables[level - 1])
            excess = joint - np.outer(joint.sum(1), joint.sum(0))
            far = np.einsum("iax,ab,jby->ijxy", down, excess, down, optimize=True)
            squares.append((far**2).sum((2, 3)).mean())
        return float(np.sqrt(np.mean(squares)))

    def _marginal(self, level: int, place: int) -> Floats:
        """Shares of the symbols of a level (0: leaves) at a place from the left (v,)."""
        shares = np.full(self.symbols, 1 / self.symbols)
        for k in range(self.levels - 1, level - 1, -1):
            side = place >> (k - level) & 1
            shares = shares @ self.tables[k].sum(1 if side else 2)
        return shares

    def _down(self, level: int) -> Floats:
        """P(leaf | symbol of that level) for each leaf below it (2^level, v, v)."""
        found = np.eye(self.symbols)[None]
        for k in range(level):
            left, right = self.tables[k].sum(2), self.tables[k].sum(1)
            found = np.concatenate([left @ found, right @ found])
        return np.asarray(found)

    @property
    def gamma(self) -> float:
        return float(np.log2(self.symbols / self.rules))

    @property
    def beta(self) -> float:
        return float(np.log2(self.rules * self.symbols / (self.symbols - 1)))

    @property
    def alpha(self) -> float:
        """The theory's exponent of data."""
        return self.gamma / (2 * self.beta)
