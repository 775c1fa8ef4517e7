"""The neural two-part code: a transformer trained ahead of coding, and sent at any precision.

After training the model is rounded: a finer grid takes more model bits and leaves fewer data bits. PyTorch is loaded when the
method is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from twopart._checks import check_integer, check_real
from twopart.lossless.encode import FileLengths, file_lengths
from twopart.lossless.neural.method import NeuralMethod
from twopart.lossless.predictor import Bytes

if TYPE_CHECKING:
    from twopart.learners.transformer import Transformer

STEPS = (1.0, 0.5, 0.25, 0.12, 0.06)
"""Steps of the grid that `best_step` tries."""
SAMPLE, STRETCHES = 1 << 16, 16
"""Bytes of the file that it tries them on, and of how many stretches they are."""


@dataclass(frozen=True)
class TwoPartTransformer(NeuralMethod):
    """A transformer that has learned the whole file is sent first, on a grid; it then codes the file and learns no more."""

    kind: ClassVar[str] = "two-part"
    width: int = 48
    heads: int = 3
    learning_rate: float = 4e-3
    epochs: int = 3
    """Passes over the file in training; >= 1."""
    step: float | None = None
    """Step of the grid in standard deviations of a tensor's weights, in (0, 8]; None tries several on a sample of the file."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("epochs", self.epochs, 1, None, "3 is a good start")
        if self.step is not None:
            check_real("step", self.step, 0, 8, "0.25 is fine, 1 is coarse", closed="(]")

    def train(self, data: bytes | Bytes, on_read: Callable[[int], None] = lambda done: None) -> Trained:
        """A model of `data`, at full precision, to be sent as finely as one likes. `on_read`: bytes read, epochs together."""
        from twopart.lossless.neural.training import train

        whole = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
        method = self.sized(len(whole))
        network = method.network()
        train(network, whole, self.learning_rate, self.warm_up, self.epochs, self.threads, on_read)
        return Trained(method, whole, network.model)

    def fit(self, data: Bytes) -> bytes:
        """The trained weights as bytes; see `TwoPart`."""
        trained = self.train(data)
        return trained.model(trained.best_step() if self.step is None else self.step)

    def load(self, model: bytes) -> Any:
        """A coder with these weights; see `TwoPart`."""
        from twopart.lossless.neural.coder import LaneCoder
        from twopart.lossless.neural.weights import unpack

        network = self.network()
        unpack(model, network.model)
        return LaneCoder(network, None, self.threads)


@dataclass(frozen=True, eq=False)
class Trained:
    """A model of a file, at full precision."""

    method: TwoPartTransformer
    data: Bytes
    transformer: Transformer

    def model(self, step: float) -> bytes:
        """The model on a grid of `step` standard deviations, in (0, 8]."""
        from twopart.lossless.neural.weights import pack

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


def _sample(data: Bytes) -> Bytes:
    """Stretches at equal distances, or all if there is little."""
    if len(data) <= SAMPLE:
        return data
    size = SAMPLE // STRETCHES
    starts = np.linspace(0, len(data) - size, STRETCHES).astype(np.int64)
    return np.concatenate([data[start : start + size] for start in starts])
