"""Training for a two-part code, and the weights at any precision.

Training is the prequential loop, over and over the file, without its code. Then the model is rounded: a finer grid takes more
model bits and leaves fewer data bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from twopart.codes.lossless.container import FRAME_BYTES
from twopart.codes.lossless.files import FileLengths, file_lengths
from twopart.codes.lossless.neural.coder import LaneCoder
from twopart.codes.lossless.neural.lanes import steps
from twopart.codes.lossless.neural.learner import OnlineLearner
from twopart.codes.lossless.neural.weights import pack
from twopart.codes.lossless.predictor import Bytes
from twopart.learners.schedules import Linear
from twopart.learners.transformer import Transformer

if TYPE_CHECKING:
    from twopart.codes.lossless.neural.method import TwoPartTransformer

STEPS = (1.0, 0.5, 0.25, 0.12, 0.06)
"""Steps of the grid that `best_step` tries."""
SAMPLE, STRETCHES = 1 << 16, 16
"""Bytes of the file that it tries them on, and of how many stretches they are."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A model of a file, at full precision."""

    method: TwoPartTransformer
    data: Bytes
    transformer: Transformer

    def model(self, step: float) -> bytes:
        """The model on a grid of `step` standard deviations, in (0, 8]."""
        return pack(self.transformer, step)

    def lengths(self, step: float) -> FileLengths:
        """Where the bits of the file are that this model makes on that grid; the file is made and thrown away."""
        return file_lengths(self.data.tobytes(), replace(self.method, step=step), self.model(step))

    def best_step(self) -> float:
        """That one of `STEPS` whose file is shortest, as a sample from the file's whole length tells."""
        sample = _sample(self.data)
        scale = len(self.data) / max(len(sample), 1)

        def length(step: float) -> float:
            model = self.model(step)
            return len(model) + scale * len(self.method.load(model).encode(sample))

        return min(STEPS, key=length)


def train(method: TwoPartTransformer, data: Bytes, on_read: Callable[[int], None] = lambda done: None) -> Trained:
    """The method's transformer after its epochs over `data`; with none, its first weights.

    `on_read` is told again and again how many bytes were read, of all epochs together.
    """
    method = method.sized(len(data))
    network = method.network()
    updates = method.epochs * sum(steps(len(part), method.lanes * method.block) for part in _parts(data))
    learner = OnlineLearner(network, method.learning_rate, Linear(method.warm_up, 0.02), updates)
    coder = LaneCoder(network, learner, method.threads)
    read = 0
    for _ in range(method.epochs):
        for part in _parts(data):
            coder.read(part, lambda done, before=read: on_read(before + done))  # type: ignore[misc]
            read += len(part)
    return Trained(method, data, network.model)


def _parts(data: Bytes) -> Iterator[Bytes]:
    """The parts in which files are coded."""
    for start in range(0, len(data), FRAME_BYTES):
        yield data[start : start + FRAME_BYTES]


def _sample(data: Bytes) -> Bytes:
    """Stretches at equal distances, or all if there is little."""
    if len(data) <= SAMPLE:
        return data
    size = SAMPLE // STRETCHES
    starts = np.linspace(0, len(data) - size, STRETCHES).astype(np.int64)
    return np.concatenate([data[start : start + size] for start in starts])
