"""The pieces of work on sentences: each codes a corpus in two parts, decodes it, and gives back what the parts take.

Rows are codes, with `model` and `data` in bits, sizes of real codes that were decoded and compared. Ideal codes have beside
them `syntax` and `value`, the data bits of templates and of facts as their model's probabilities give them, `facts` and
`fineness` of the model, and what the oracle and the Bayes code would take for the same sentences: `oracle`, `bayes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from twopart.codes import bayes_code, oracle_code
from twopart.codes.ideal import IdealModel
from twopart.codes.ideal.code import fact_is_held
from twopart.lossless.counts.model import CountModel
from twopart.studies.structure_function.corpora import Sentences, as_bytes
from twopart.worlds import Corpus

if TYPE_CHECKING:
    from twopart.lab import Cell


@dataclass(frozen=True)
class IdealCell:
    """All ideal models of one corpus."""

    label: str
    corpus: Sentences
    fact_steps: int
    finest: int

    def facts(self) -> list[int]:
        """None, and numbers spaced evenly in their logarithm up to all."""
        most = self.corpus.entities * len(self.corpus.world.attributes)
        return [0, *np.unique(np.geomspace(1, most, self.fact_steps - 1).round().astype(int)).tolist()]

    def finenesses(self) -> list[int]:
        return list(range(0, self.finest + 1, 2))


def code_ideally(config: IdealCell, cell: Cell) -> pl.DataFrame:
    """Every number of facts with every fineness."""
    excerpt, corpus = config.corpus.excerpt, config.corpus.corpus
    oracle, bayes = oracle_code(corpus), bayes_code(corpus)
    known = {"oracle": float(oracle.syntax.sum()), "bayes": float((bayes.syntax + bayes.value).sum())}
    grid = [(facts, fineness) for facts in config.facts() for fineness in config.finenesses()]
    rows = []
    for done, (facts, fineness) in enumerate(grid):
        model = IdealModel.sent(excerpt, facts, fineness)
        code = model.encode(corpus)
        check_restored(IdealModel.received(excerpt, model.code).decode(code, corpus.entity) == corpus)
        sizes = {"model": 8 * len(model.code), "data": 8 * len(code)}
        rows.append({"facts": facts, "fineness": fineness, **sizes, **_by_role(model, corpus), **known})
        cell.progress(done + 1, len(grid))
    return pl.DataFrame(rows)


def _by_role(model: IdealModel, corpus: Corpus) -> dict[str, float]:
    """What probabilities say of the data bits."""
    world = corpus.world
    values = [-np.log2(a.value_probabilities()) for a in world.attributes]
    syntax = value = 0.0
    unknown = ~fact_is_held(model, corpus)
    for index, psi in enumerate(model.psi):
        mine = corpus.attribute == index
        syntax -= float(np.log2(world.pi[index] * psi[corpus.template[mine]]).sum())
        value += float(values[index][corpus.value[mine & unknown]].sum())
    return {"syntax": syntax, "value": value}


@dataclass(frozen=True)
class CountCell:
    """Count models of one corpus, of one order at all prices."""

    label: str
    corpus: Sentences
    order: int
    prices: tuple[float, ...]


def code_by_counts(config: CountCell, cell: Cell) -> pl.DataFrame:
    """A row for each price."""
    data, coded = as_bytes(config.corpus.corpus)
    names = np.where(coded, 0, data).astype(np.uint8)
    rows = []
    for done, price in enumerate(config.prices):
        model = CountModel.learned(data, config.order, price, coded)
        code = model.start().encode(data, coded=coded)
        check_restored(np.array_equal(CountModel.decoded(model.code).start().fill(code, names, coded), data))
        rows.append({"price": price, "model": 8 * len(model.code), "data": 8 * len(code)})
        cell.progress(done + 1, len(config.prices))
    return pl.DataFrame(rows)


def check_restored(same: bool) -> None:
    """A code that does not decode is no code."""
    if not same:
        raise AssertionError("what was decoded is not what was coded")
