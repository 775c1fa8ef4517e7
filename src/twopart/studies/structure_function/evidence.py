"""Frontiers of codes and the capacity law beside them.

A code of N sentences has model bits C and data bits D. Less what the oracle takes, D is N times a redundancy, so theory's
frontier is D = oracle + N Red(C), Red the capacity law of the corpus's own entities. It falls by N λ(C) bits of data for a bit
of model: the total is least where the price λ is 1/N, and there, at C*, the structure that pays ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import xlog1py

from twopart.laws import CapacityLaw, capacity_at, capacity_law
from twopart.laws.knowledge.syntax import template_redundancy
from twopart.studies.structure_function.cells import IdealCell

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


TOLD = 256.0
"""Bits of data beyond the oracle's below which sizes of codes say little."""


def hull(model: Floats, data: Floats) -> Ints:
    """The lower convex hull of points, from the smallest model on, as far as it falls: indices, (corners,)."""
    corners: list[int] = []
    for i in np.lexsort((data, model)).tolist():
        if corners and data[i] >= data[corners[-1]]:
            continue
        while len(corners) > 1 and _above(corners[-2], corners[-1], i, model, data):
            corners.pop()
        corners.append(i)
    return np.array(corners)


def _above(a: int, b: int, c: int, x: Floats, y: Floats) -> bool:
    """Whether b lies on or above the line from a to c."""
    return bool((y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]))


@dataclass(frozen=True, eq=False)
class Ideal:
    """The ideal codes of one corpus, of `code_ideally`."""

    cell: IdealCell
    table: pl.DataFrame

    def _column(self, name: str) -> Floats:
        return self.table[name].to_numpy().astype(float)

    @property
    def n(self) -> int:
        """Sentences."""
        return self.cell.corpus.sentences

    @property
    def oracle(self) -> float:
        """Bits that the sentences take, given names, for who knows the world."""
        return float(self.table["oracle"][0])

    @property
    def bayes(self) -> float:
        """Redundancy of the Bayes code in bits, names given."""
        return float(self.table["bayes"][0]) - self.oracle

    @cached_property
    def model(self) -> Floats:
        """Model bits of each code."""
        return self._column("model")

    @cached_property
    def excess(self) -> Floats:
        """Data bits of each code beyond the oracle's."""
        return self._column("data") - self.oracle

    @cached_property
    def frontier(self) -> Ints:
        """The hull of all codes."""
        return hull(self.model, self.excess)

    @cached_property
    def best(self) -> int:
        """The code of the least total."""
        return int(np.argmin(self.model + self.excess))

    @property
    def redundancy(self) -> float:
        """Total bits of the best code beyond the oracle's."""
        return float((self.model + self.excess)[self.best])

    def law(self, bits: Floats) -> CapacityLaw:
        return capacity_law(self.cell.corpus.world, bits, self.cell.corpus.excerpt.entities)

    @cached_property
    def bend(self) -> CapacityLaw:
        """The law at the price 1/N: where theory has the least total."""
        return capacity_at(self.cell.corpus.world, 1 / self.n, self.cell.corpus.excerpt.entities)

    @property
    def lawful(self) -> float:
        """The least total by theory, beyond the oracle's."""
        return float(self.bend.bits + self.n * self.bend.total)

    def deviation(self, low: float, high: float) -> float:
        """Root mean square of log2(measured / predicted redundancy) over the frontier from `low` to `high` times C*, as far as
        the law leaves `TOLD` bits: codes are whole words of 32."""
        size, law = (
            self.model[self.frontier] / float(self.bend.bits),
            self.n * self.law(self.model[self.frontier]).total,
        )
        mine = (size >= low) & (size <= high) & (law >= TOLD)
        ratio = np.maximum(self.excess[self.frontier], 1e-9)[mine] / law[mine]
        return float(np.sqrt(np.mean(np.log2(ratio) ** 2))) if len(ratio) else float("nan")

    def missing(self) -> tuple[Floats, Floats]:
        """Along the frontier, what part of syntax and of knowledge the data still pay for."""
        syntax, value = self._column("syntax") - self.oracle, self._column("value")
        nothing = (self._column("facts") == 0) & (self._column("fineness") == 0)
        on = self.frontier
        return syntax[on] / float(syntax[nothing][0]), value[on] / float(value[nothing][0])

    def lawful_missing(self, bits: Floats) -> tuple[Floats, Floats]:
        """The same by the law."""
        law, nothing = self.law(bits), self.law(np.array(0.0))
        return law.syntax / float(nothing.syntax), law.value / float(nothing.value)

    @cached_property
    def lawful_bayes(self) -> float:
        """Expected redundancy of the Bayes code, names given: facts that are told, and every use of the templates."""
        world, weights = self.cell.corpus.world, self.cell.corpus.excerpt.weights
        told = [-np.expm1(xlog1py(self.n, -share * weights)).sum() for share in world.pi]
        facts = float(np.dot(told, [a.entropy() for a in world.attributes]))
        uses = np.rint(world.pi * self.n).astype(int)
        alpha = world.syntax_concentration
        syntax = [
            template_redundancy(a.templates, alpha, _grid(c)) for a, c in zip(world.attributes, uses, strict=True)
        ]
        return facts + float(sum(_total(r, c) for r, c in zip(syntax, uses, strict=True)))


def _grid(uses: int) -> Ints:
    """Uses at which a redundancy is worked out: all up to 64, then 32 to an octave."""
    return np.unique(np.r_[np.arange(min(uses, 64)), np.geomspace(64, max(uses, 64), 32 * 14).round()]).astype(np.int64)


def _total(redundancy: Floats, uses: int) -> float:
    """The sum over uses 0 ... uses - 1 of a redundancy known on `_grid`, between its points by straight lines."""
    return float(np.interp(np.arange(uses), _grid(uses), redundancy).sum())


@dataclass(frozen=True, eq=False)
class Family:
    """Codes of one kind: model and data bits of each, and the whole."""

    name: str
    model: Floats
    data: Floats
    total: Floats

    @property
    def best(self) -> int:
        return int(np.argmin(self.total))

    @property
    def frontier(self) -> Ints:
        return hull(self.model, self.data)


def family(name: str, tables: list[pl.DataFrame]) -> Family:
    """All codes of some cells."""
    table = pl.concat(tables, how="diagonal")
    model, data = table["model"].to_numpy().astype(float), table["data"].to_numpy().astype(float)
    total = table["total"].to_numpy().astype(float) if "total" in table.columns else model + data
    return Family(name, model, data, total)
