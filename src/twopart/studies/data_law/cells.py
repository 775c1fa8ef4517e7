"""The pieces of work of the data-law study. Each is a function of one frozen record and returns one table of means.

A table's rows are bins: `low` <= x < `high` of what `axis` names, `count` sentences in it, and mean redundancy by role.
    axis "seen"       sentences seen, this one included; with `world_value`, the law of values in this very world
    axis "exposures"  how often this very fact was stated before; upper decade of the run only
    axis "rarity"     1/p of the entity; upper decade of the run only
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.codes import CodeLengths, bayes_code, oracle_code, oracle_code_of_text
from twopart.fits import LogBins, by_number
from twopart.laws import knowledge_law
from twopart.roles import ROLES
from twopart.worlds import Corpus, SyntaxKnowledge, render

if TYPE_CHECKING:
    from twopart.lab import Cell
    from twopart.learners import TokenStream, TrainingConfig, TransformerConfig

PER_DECADE = 8
CHECKPOINT_EVERY = 50_000
RAREST = 10**9  # rarer entities than this share a bin


@dataclass(frozen=True)
class BayesCell:
    """The Bayes code on one sample of each of several worlds, alike but for their seeds."""

    label: str
    world: SyntaxKnowledge
    worlds: int
    sentences: int


@dataclass(frozen=True)
class TransformerCell:
    """One transformer on one sample of one world."""

    label: str
    world: SyntaxKnowledge
    rendering: str
    sentences: int
    vocabulary: int
    layers: int
    width: int
    heads: int
    batch: int
    learning_rate: float
    warmup: int
    hold: int


def bins(sentences: int) -> LogBins:
    """The bins of sentences seen: the 1st to the last."""
    return LogBins(sentences + 1, per_decade=PER_DECADE)


def simulate_bayes(config: BayesCell, cell: Cell) -> pl.DataFrame:
    """Mean redundancy over worlds, with `error`, its standard error, per role."""
    where = bins(config.sentences)
    means = np.empty((config.worlds, len(ROLES), len(where.centres)))
    for i in range(config.worlds):
        corpus = replace(config.world, seed=config.world.seed + i).sample(config.sentences)
        redundancy = bayes_code(corpus) - oracle_code(corpus)
        means[i] = [where.mean(getattr(redundancy, role)) for role in ROLES]
        cell.progress(i + 1, config.worlds, "worlds")
    error = means.std(0, ddof=1) / np.sqrt(config.worlds)
    columns = {role: means[:, i].mean(0) for i, role in enumerate(ROLES)}
    errors = {f"{role}_error": error[i] for i, role in enumerate(ROLES)}
    edges = where.edges
    return pl.DataFrame({"low": edges[:-1], "high": edges[1:], **columns, **errors})


def train_transformer(config: TransformerCell, cell: Cell) -> pl.DataFrame:
    """Mean redundancy of the transformer's prequential code."""
    from twopart.learners import train

    corpus = config.world.sample(config.sentences)
    stream, vocabulary, context = token_stream(corpus, config)
    trained = train(
        training_settings(config, cell.device),
        model_shape(config, vocabulary, context),
        stream,
        seed=cell.seed,
        folder=cell.folder,
        on_progress=lambda state: cell.progress(state.done, state.total, f"{state.bits['value']:.2f} value bits"),
    )
    oracle = oracle_code_of_text if config.rendering == "english" else oracle_code
    redundancy = trained.lengths - oracle(corpus)
    return pl.concat(_tables(corpus, redundancy), how="diagonal")


def training_settings(config: TransformerCell, device: str) -> TrainingConfig:
    """No weight decay: in a single pass nothing is overfitted, and decay is forgetting."""
    from twopart.learners import InverseRoot, TrainingConfig

    return TrainingConfig(
        batch=config.batch,
        learning_rate=config.learning_rate,
        schedule=InverseRoot(config.warmup, config.hold),
        weight_decay=0.0,
        device=device,
        checkpoint_every=CHECKPOINT_EVERY,
    )


def model_shape(config: TransformerCell, vocabulary: int, context: int) -> TransformerConfig:
    from twopart.learners import TransformerConfig

    return TransformerConfig(vocabulary, context, layers=config.layers, width=config.width, heads=config.heads)


def _tables(corpus: Corpus, redundancy: CodeLengths) -> list[pl.DataFrame]:
    n = len(corpus)
    upper = np.arange(n) >= n // 10
    exposures = _exposures(corpus)
    rarity = np.minimum(1 / corpus.probability, RAREST).astype(np.int64)
    return [
        _means("seen", np.arange(1, n + 1), redundancy, bins(n)).with_columns(world_value=_own_law(corpus)),
        _means("exposures", exposures[upper] + 1, redundancy[upper], LogBins(n + 1, per_decade=PER_DECADE)),
        _means("rarity", rarity[upper], redundancy[upper], LogBins(RAREST + 1, per_decade=4)),
    ]


def _own_law(corpus: Corpus) -> NDArray[np.float64]:
    """Expected value bits of the Bayes code in the corpus's own world, by bins of sentences seen."""
    size = len(corpus)
    return bins(size).mean(by_number(lambda n: knowledge_law(corpus, n - 1), size))


def _means(axis: str, x: NDArray[np.int64], redundancy: CodeLengths, where: LogBins) -> pl.DataFrame:
    which, size = where.index(x), len(where.centres)
    count = np.bincount(which, minlength=size)
    sums = {role: np.bincount(which, getattr(redundancy, role), size) for role in ROLES}
    edges = where.edges
    frame = pl.DataFrame({"axis": [axis] * size, "low": edges[:-1], "high": edges[1:], "count": count, **sums})
    return frame.filter(pl.col("count") > 0).with_columns(pl.col(role) / pl.col("count") for role in ROLES)


def _exposures(corpus: Corpus) -> NDArray[np.int64]:
    """How often each sentence's fact was stated before it."""
    facts = pl.DataFrame({"entity": corpus.entity, "attribute": corpus.attribute})
    before = pl.int_range(pl.len(), dtype=pl.Int64).over("entity", "attribute")
    return facts.select(before).to_series().to_numpy()


def token_stream(corpus: Corpus, config: TransformerCell) -> tuple[TokenStream, int, int]:
    """The corpus as tokens with BOS in front, the vocabulary's size, and the longest sentence in tokens."""
    from twopart.learners import ArrayStream

    tokens, roles, vocabulary, bos = _english(corpus, config) if config.rendering == "english" else _symbols(corpus)
    tokens = np.insert(tokens, 0, bos, axis=1)
    roles = np.insert(roles, 0, 0, axis=-1)
    return ArrayStream(tokens, roles), vocabulary, tokens.shape[1] - 1


def _symbols(corpus: Corpus) -> tuple[Any, Any, int, int]:
    from twopart.worlds import SymbolRendering

    rendering = SymbolRendering(corpus.world)
    text = rendering.encode(corpus)
    return text.tokens, text.roles, rendering.vocabulary, rendering.bos


def _english(corpus: Corpus, config: TransformerCell) -> tuple[Any, Any, int, int]:
    """Tokens of a byte-pair tokenizer that was trained on another sample of the same world; its last id is BOS."""
    from twopart.worlds import encode_english, train_tokenizer

    sample = config.world.sample(min(config.sentences, 20_000), stream=1)
    tokenizer = train_tokenizer(render(sample, "english").texts, config.vocabulary - 1)
    tokens, roles = encode_english(corpus, tokenizer)
    return tokens, roles, config.vocabulary, config.vocabulary - 1
