"""The transformers of the data-law study: each reads one sample of one world and pays for a sentence before it learns it."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.codes import CodeLengths, oracle_code, oracle_code_of_text
from twopart.fits import LogBins, by_number
from twopart.lab import Cell
from twopart.laws import knowledge_law
from twopart.learners import ArrayStream, SymbolStream, TransformerConfig
from twopart.roles import ROLES, Role
from twopart.studies._transformers import learn
from twopart.studies.knowledge.data_law import PER_DECADE, Reading
from twopart.worlds import Corpus, encode_english, render, train_tokenizer

RAREST = 10**9  # rarer entities than this share a bin


def train_reader(case: Reading, cell: Cell) -> pl.DataFrame:
    """Mean redundancy of a transformer's prequential code. Rows are bins, `low` <= x < `high` of what `axis` names:

    axis "seen"       sentences seen, this one included; with `world_value`, the law of values in this very world, and
                      `stranger`, value bits of the facts that were not stated before, null where there are none
    axis "exposures"  how often this very fact was stated before, plus one; upper decade of the run only
    axis "rarity"     1/p of the entity; upper decade of the run only
    """
    corpus = case.world(cell.replicate).sample(case.sentences)
    if case.kind == "english":
        (stream, model), oracle = read_english(corpus, case, cell.replicate), oracle_code_of_text
    else:
        stream, model, oracle = SymbolStream(corpus), case.shape.reading(corpus.world), oracle_code
    trained = learn(case.training, model, stream, cell)
    return by_bins(corpus, trained.lengths - oracle(corpus), case.bins)


def by_bins(corpus: Corpus, redundancy: CodeLengths, seen: LogBins) -> pl.DataFrame:
    """The means of a corpus' redundancy over the bins of each axis."""
    n = len(corpus)
    late = np.arange(n) >= n // 10
    rarity = np.minimum(1 / corpus.probability, RAREST).astype(np.int64)
    own = seen.mean(by_number(lambda m: knowledge_law(corpus, m - 1), n))
    numbers, told = np.arange(1, n + 1), _stated(corpus)
    strangers = _means("seen", numbers[told == 0], redundancy[told == 0], seen).select("low", stranger="value")
    parts = [
        _means("seen", numbers, redundancy, seen).with_columns(world_value=own).join(strangers, "low", "left"),
        _means("exposures", told[late] + 1, redundancy[late], LogBins(n + 1, per_decade=PER_DECADE)),
        _means("rarity", rarity[late], redundancy[late], LogBins(RAREST + 1, per_decade=4)),
    ]
    return pl.concat(parts, how="diagonal")


def _means(axis: str, x: NDArray[np.int64], redundancy: CodeLengths, where: LogBins) -> pl.DataFrame:
    which, size = where.index(x), len(where.centres)
    count = np.bincount(which, minlength=size)
    sums = {role: np.bincount(which, getattr(redundancy, role), size) for role in ROLES}
    frame = pl.DataFrame({"axis": axis, "low": where.edges[:-1], "high": where.edges[1:], "count": count, **sums})
    return frame.filter(pl.col("count") > 0).with_columns(pl.col(role) / pl.col("count") for role in ROLES)


def _stated(corpus: Corpus) -> NDArray[np.int64]:
    """How often each sentence's fact was stated before it."""
    facts = pl.DataFrame({"entity": corpus.entity, "attribute": corpus.attribute})
    before = pl.int_range(pl.len(), dtype=pl.Int64).over("entity", "attribute")
    return facts.select(before).to_series().to_numpy()


def read_english(corpus: Corpus, case: Reading, replicate: int) -> tuple[ArrayStream, TransformerConfig]:
    """Tokens of a byte-pair tokenizer that was trained on another sample of the same world; its last id is BOS."""
    sample = case.world(replicate).sample(min(case.sentences, 20_000), stream=1)
    tokenizer = train_tokenizer(render(sample, "english").texts, case.vocabulary - 1)
    tokens, roles = encode_english(corpus, tokenizer)
    vocabulary, values = case.vocabulary, [attribute.values for attribute in corpus.world.attributes]
    if case.whole:
        names = vocabulary + np.cumsum([0, *values])[corpus.attribute] + corpus.value.astype(np.int64)
        tokens, roles = whole_values(tokens, roles, names)
        vocabulary += sum(values)
    stream = ArrayStream(np.insert(tokens, 0, case.vocabulary - 1, axis=1), np.insert(roles, 0, Role.PADDING, axis=1))
    return stream, case.shape.of(vocabulary, tokens.shape[1])


def whole_values(
    tokens: NDArray[np.int32], roles: NDArray[np.uint8], names: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Sentences (n, T) with one token for the value, `names` (n,), in place of those that spell it; the rest moves up."""
    value = roles == Role.VALUE
    opens = value & (np.cumsum(value, axis=1) == 1)
    stays = (opens | ~value) & (roles != Role.PADDING)
    order = np.argsort(~stays, axis=1, kind="stable")[:, : stays.sum(axis=1).max()]
    named = np.where(opens, names[:, None], tokens).astype(np.int32)
    kept, moved, told = (np.take_along_axis(x, order, axis=1) for x in (stays, named, roles))
    return np.where(kept, moved, 0), np.where(kept, told, Role.PADDING)
