"""Rows of tokens by a transformer whose weights are known to both sides, token by token of many rows side by side.

Coder and decoder take the same steps of the network on the same shapes, so they agree on one machine; on another the last
digits of its sums may differ, and the code has to be decoded where it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import constriction
import numpy as np
import torch
from numpy.typing import NDArray

from twopart.learners.transformer import Transformer

SIDE_BY_SIDE = 4096  # rows
Tokens = NDArray[np.int64]
_FAMILY: Any = constriction.stream.model.Categorical(perfect=False)


def encode_rows(model: Transformer, tokens: Tokens, given: int) -> bytes:
    """The code of rows (rows, length) whose first `given` tokens the decoder knows; BOS is token 0."""
    encoder = constriction.stream.queue.RangeEncoder()

    def known(p: NDArray[np.float64], place: tuple[slice, int]) -> Tokens:
        encoder.encode(tokens[place].astype(np.int32), _FAMILY, p)
        return tokens[place]

    _walk(model, tokens.copy(), given, known)
    return bytes(encoder.get_compressed().astype("<u4").tobytes())


def decode_rows(model: Transformer, tokens: Tokens, given: int, code: bytes) -> Tokens:
    """The rows, from their first `given` tokens and their code."""
    decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(code, "<u4").astype(np.uint32))
    found = tokens.copy()
    _walk(model, found, given, lambda p, place: decoder.decode(_FAMILY, p))
    return found


def _walk(
    model: Transformer, tokens: Tokens, given: int, exchange: Callable[[NDArray[np.float64], tuple[slice, int]], Any]
) -> None:
    """Probabilities of each place of a block of rows from the places before it; `exchange` says what stands there."""
    for start in range(0, len(tokens), SIDE_BY_SIDE):
        block = slice(start, start + SIDE_BY_SIDE)
        for column in range(given, tokens.shape[1]):
            before = np.insert(tokens[block, :column], 0, 0, axis=1)
            with torch.inference_mode():
                logits = model(torch.from_numpy(before))[:, -1].double()
            tokens[block, column] = exchange(torch.softmax(logits, -1).numpy(), (block, column))
