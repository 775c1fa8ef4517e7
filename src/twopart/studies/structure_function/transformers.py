"""The pieces of work on sentences that a transformer does: it is trained on the corpus, its weights are rounded and sent, and
then the sentences, names known, token by token of many sentences side by side.

Coder and decoder take the same steps of the network on the same shapes, so they agree on one machine; on another the last
digits of its sums may differ, and the code would have to be decoded where it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twopart.studies._ladder import converge, shape
from twopart.studies.structure_function.cells import check_restored
from twopart.studies.structure_function.corpora import Sentences
from twopart.worlds import SymbolRendering

if TYPE_CHECKING:
    from twopart.lab import Cell
    from twopart.learners import TrainingConfig, Transformer, TransformerConfig

BATCH, RATE, WARMUP = 512, 1e-2, 100  # of training, as in the capacity-law study
SIDE_BY_SIDE = 4096  # sentences coded together
Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class TransformerCell:
    """One transformer of a corpus, at all precisions: steps in standard deviations of weights."""

    label: str
    corpus: Sentences
    width: int
    epochs: int
    steps: tuple[float, ...]


def code_by_transformer(config: TransformerCell, cell: Cell) -> pl.DataFrame:
    """A row for each step, with `model` and `data` in bits, and the model's `parameters`."""
    from twopart.lossless.neural.weights import pack

    trained, rows = _train(config, cell), []
    rendering = SymbolRendering(config.corpus.world)
    tokens = rendering.encode(config.corpus.corpus).tokens.astype(np.int64)
    given = rendering.name_tokens
    names = np.where(np.arange(tokens.shape[1]) < given, tokens, 0)
    for step in config.steps:
        model = pack(trained, step)
        data = code_rows(received(model, trained.config), tokens, given)
        check_restored(np.array_equal(decode_rows(received(model, trained.config), names, given, data), tokens))
        sizes = {"model": 8 * len(model), "data": 8 * len(data)}
        rows.append({"step": step, "parameters": trained.config.parameters, **sizes})
    return pl.DataFrame(rows)


def _train(config: TransformerCell, cell: Cell) -> Transformer:
    """To convergence, the corpus as often as there are epochs, each in an order of its own."""
    from twopart.learners import SymbolStream, train

    corpus = config.corpus.corpus
    rng = np.random.default_rng(cell.seed)
    order = np.concatenate([rng.permutation(len(corpus)) for _ in range(config.epochs)])
    return train(
        training(config),
        shape(config.corpus.world, config.width),
        SymbolStream(corpus[order], names=False),
        seed=cell.seed,
        folder=cell.folder,
        on_progress=lambda state: cell.progress(state.done, state.total, f"{state.bits['value']:.2f} value bits"),
    ).model


def training(config: TransformerCell) -> TrainingConfig:
    """On the CPU, as the code has to be decoded by the same arithmetic."""
    sentences = config.corpus.sentences * config.epochs
    return converge(min(BATCH, max(1, sentences // 50)), RATE, min(WARMUP, sentences // 5000), "cpu")


def received(model: bytes, shape: TransformerConfig) -> Transformer:
    """The transformer whose packed weights these are."""
    from twopart.learners import Transformer
    from twopart.lossless.neural.weights import unpack

    found = Transformer(shape)
    unpack(model, found)
    return found


def code_rows(model: Transformer, tokens: Tokens, given: int) -> bytes:
    """Sentences (sentences, length) whose first `given` tokens are known."""
    import constriction

    encoder = constriction.stream.queue.RangeEncoder()

    def known(rows: NDArray[np.float64], place: tuple[slice, int]) -> Tokens:
        encoder.encode(tokens[place].astype(np.int32), _family(), rows)
        return tokens[place]

    _walk(model, tokens.copy(), given, known)
    return bytes(encoder.get_compressed().astype("<u4").tobytes())


def decode_rows(model: Transformer, tokens: Tokens, given: int, code: bytes) -> Tokens:
    """The sentences, from their first `given` tokens and their code."""
    import constriction

    decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(code, "<u4").astype(np.uint32))
    found = tokens.copy()
    _walk(model, found, given, lambda rows, place: decoder.decode(_family(), rows))
    return found


def _family() -> Any:
    import constriction

    return constriction.stream.model.Categorical(perfect=False)


def _walk(
    model: Transformer,
    tokens: Tokens,
    given: int,
    exchange: Callable[[NDArray[np.float64], tuple[slice, int]], Any],
) -> None:
    """Probabilities of each place of a block of sentences from the places before it; `exchange` says what stands there."""
    import torch

    for start in range(0, len(tokens), SIDE_BY_SIDE):
        block = slice(start, start + SIDE_BY_SIDE)
        for column in range(given, tokens.shape[1]):
            before = np.insert(tokens[block, :column], 0, 0, axis=1)  # the rendering's BOS is 0
            with torch.inference_mode():
                logits = model(torch.from_numpy(before))[:, -1].double()
            rows = torch.softmax(logits, -1).numpy()
            tokens[block, column] = exchange(rows, (block, column))
