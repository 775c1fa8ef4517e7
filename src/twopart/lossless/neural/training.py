"""Training for a two-part code: the prequential loop, over and over the file, without its code."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twopart.learners.schedules import Linear
from twopart.lossless.container import FRAME_BYTES
from twopart.lossless.neural.coder import LaneCoder
from twopart.lossless.neural.lanes import steps
from twopart.lossless.neural.learner import OnlineLearner
from twopart.lossless.neural.network import Network
from twopart.lossless.predictor import Bytes


def train(
    network: Network,
    data: Bytes,
    learning_rate: float,
    warm_up: int,
    epochs: int,
    threads: int,
    on_read: Callable[[int], None],
) -> None:
    """Let the network learn in `epochs` passes over `data`; with none, it keeps its first weights.

    `on_read` is told again and again how many bytes were read, of all epochs together.
    """
    updates = epochs * sum(steps(len(part), network.lanes * network.block) for part in _parts(data))
    coder = LaneCoder(network, OnlineLearner(network, learning_rate, Linear(warm_up, 0.02), updates), threads)
    read = 0
    for _ in range(epochs):
        for part in _parts(data):
            coder.read(part, lambda done, before=read: on_read(before + done))  # type: ignore[misc]
            read += len(part)


def _parts(data: Bytes) -> Iterator[Bytes]:
    """The parts in which files are coded."""
    for start in range(0, len(data), FRAME_BYTES):
        yield data[start : start + FRAME_BYTES]
