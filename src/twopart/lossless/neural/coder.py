"""Bytes to code and back by a network: one loop, which either reads the bytes it knows or those it decodes.

for each block of T steps:
    for each step: probabilities of the next byte of every lane, given those before; the byte of each lane is coded or decoded
    the learner, if there is one, changes the network by what the block has taught
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import constriction
import numpy as np
import torch
from numpy.typing import NDArray

from twopart.lossless.container import damaged
from twopart.lossless.neural.lanes import padded, places, steps
from twopart.lossless.neural.network import Network
from twopart.lossless.predictor import Bytes, Floats

LEAST = 2.0**-24
"""The least probability that the entropy coder gives a byte."""
_FAMILY: Any = constriction.stream.model.Categorical(perfect=False)
Exchange = Callable[[NDArray[np.float32], slice], NDArray[np.int64]]
"""Given probabilities (n, 256) and where in order of time: the n bytes there."""


class Learner(Protocol):
    """Changes a network after a block."""

    def learn(self, network: Network, symbols: NDArray[np.int64]) -> None:
        """`symbols` (n,) are the block's bytes in order of time."""


class LaneCoder:
    """A `Predictor` by a network and, in a prequential code, its learner."""

    def __init__(self, network: Network, learner: Learner | None, threads: int) -> None:
        self._network, self._learner, self._threads = network, learner, threads

    def encode(self, data: Bytes, bits: Floats | None = None) -> bytes:
        """The code of the next bytes; see `Predictor`."""
        order = places(len(data), self._network.lanes)
        symbols = data[order].astype(np.int64)
        encoder, costs = constriction.stream.queue.RangeEncoder(), np.empty(len(data))

        def known(rows: NDArray[np.float32], now: slice) -> NDArray[np.int64]:
            wanted = symbols[now]
            encoder.encode(wanted.astype(np.int32), _FAMILY, rows)
            if bits is not None:
                costs[now] = -np.log2(np.maximum(rows[np.arange(len(rows)), wanted], LEAST))
            return wanted

        self._run(len(data), known)
        if bits is not None:
            bits[order] = costs
        return bytes(encoder.get_compressed().astype("<u4").tobytes())

    def decode(self, code: bytes, length: int) -> Bytes:
        """The next `length` bytes; see `Predictor`."""
        if len(code) % 4:
            raise damaged("a code is not of whole words")
        decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(code, "<u4").astype(np.uint32))
        symbols = np.empty(length, np.int64)

        def decoded(rows: NDArray[np.float32], now: slice) -> NDArray[np.int64]:
            symbols[now] = decoder.decode(_FAMILY, rows)
            return symbols[now]

        try:
            self._run(length, decoded)
        except AssertionError as error:  # constriction's, for some of the codes that no encoder writes
            raise damaged(str(error)) from None
        data = np.empty(length, np.uint8)
        data[places(length, self._network.lanes)] = symbols
        return data

    def read(self, data: Bytes, on_read: Callable[[int], None] = lambda done: None) -> None:
        """Let the learner learn from `data`, without coding it; `on_read` is told how many bytes were read, again and again."""
        symbols = data[places(len(data), self._network.lanes)].astype(np.int64)

        def known(rows: NDArray[np.float32], now: slice) -> NDArray[np.int64]:
            on_read(now.stop)
            return symbols[now]

        self._run(len(data), known)

    def _run(self, length: int, exchange: Exchange) -> None:
        network, B = self._network, self._network.lanes
        network.forget()
        tokens = np.zeros(B, np.int64)
        with _threads(self._threads):
            for start in range(0, length, B * network.block):
                stop = min(length, start + B * network.block)
                learned = np.empty(stop - start, np.int64)
                for t in range(steps(stop - start, B)):
                    now = slice(start + t * B, min(stop, start + (t + 1) * B))
                    rows = network.step(t, torch.from_numpy(tokens)).numpy()
                    symbols = exchange(rows[: now.stop - now.start], now)
                    learned[t * B : t * B + len(symbols)] = symbols
                    tokens = padded(symbols, B)
                if self._learner is not None:
                    self._learner.learn(network, learned)
                network.move_on()


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """PyTorch works with this many threads, and then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
