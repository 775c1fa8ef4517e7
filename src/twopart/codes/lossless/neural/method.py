"""The neural methods as they stand in a file's header. PyTorch is loaded when one is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from twopart._checks import check, check_integer, check_real
from twopart.codes.lossless.predictor import Bytes

if TYPE_CHECKING:
    from twopart.codes.lossless.neural.two_part import Trained


@dataclass(frozen=True)
class _Transformer:
    """What both methods share: the model, the lanes, and how it learns."""

    layers: int = 2
    """Blocks of attention and feed-forward; >= 1."""
    width: int = 128
    """Size of the residual stream; an even multiple of `heads`."""
    heads: int = 4
    """Attention heads; >= 1."""
    lanes: int = 16
    """Stretches of the file that are coded side by side; >= 1."""
    block: int = 16
    """Bytes of each lane between two updates; >= 1."""
    memory: int = 48
    """Bytes before the block that attention still sees; a multiple of `block`."""
    learning_rate: float = 1e-3
    """AdamW's learning rate at its peak; > 0."""
    warm_up: int = 20
    """Updates until the learning rate is reached; >= 0."""
    seed: int = 0
    """Of the first weights, >= 0."""
    threads: int = 1
    """Threads of PyTorch on both sides; >= 1."""
    arithmetic: str = ""
    """What the code's bits depend on beside these fields: versions, device, processor. Filled in when a file is coded."""

    def __post_init__(self) -> None:
        check_integer("layers", self.layers, 1, None, "2 suits a CPU")
        check_integer("heads", self.heads, 1, None, "4 suits a CPU")
        check_integer("width", self.width, 2, None, "128 suits a CPU")
        even = self.width % (2 * self.heads) == 0
        check(even, "width", self.width, f"an even multiple of heads={self.heads}", "take 32 times the heads")
        check_integer("lanes", self.lanes, 1, 4096, "16 suits a CPU")
        check_integer("block", self.block, 1, 4096, "16 is a good start")
        check_integer("memory", self.memory, 0, 1 << 16, "48 is a good start")
        whole = self.memory % self.block == 0
        check(whole, "memory", self.memory, f"a multiple of block={self.block}", "take 3 times the block")
        check_real("learning_rate", self.learning_rate, 0, np.inf, "1e-3 suits small models", closed="()")
        check_integer("warm_up", self.warm_up, 0, None, "20 is a good start")
        check_integer("seed", self.seed, 0, 2**32 - 1, "any whole number will do")
        check_integer("threads", self.threads, 1, 1024, "small matrices gain nothing from more than 1")

    def sized(self, length: int) -> Self:
        """The method with the name of the arithmetic at hand."""
        from twopart.codes.lossless.neural.arithmetic import arithmetic

        return replace(self, arithmetic=arithmetic())

    def network(self) -> Any:
        """A `Network` of this shape with its first weights. Raises `InputError` if the file was coded elsewhere."""
        from twopart.codes.lossless.neural.arithmetic import check_arithmetic
        from twopart.codes.lossless.neural.network import Network
        from twopart.learners.transformer import Transformer, TransformerConfig

        check_arithmetic(self.arithmetic)
        shape = TransformerConfig(256, self.memory + self.block, self.layers, self.width, self.heads)
        return Network(Transformer(shape, self.seed), self.lanes, self.block)


@dataclass(frozen=True)
class PrequentialTransformer(_Transformer):
    """A transformer that learns from each block of bytes after it has coded it: no model is sent."""

    kind: ClassVar[str] = "transformer"

    def start(self) -> Any:
        """The coder at the beginning of a file."""
        from twopart.codes.lossless.neural.coder import LaneCoder
        from twopart.codes.lossless.neural.learner import OnlineLearner
        from twopart.learners.schedules import Constant

        network = self.network()
        return LaneCoder(network, OnlineLearner(network, self.learning_rate, Constant(self.warm_up)), self.threads)


@dataclass(frozen=True)
class TwoPartTransformer(_Transformer):
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
        from twopart.codes.lossless.neural.two_part import train

        return train(self, np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data, on_read)

    def fit(self, data: Bytes) -> bytes:
        """The trained weights as bytes; see `TwoPart`."""
        trained = self.train(data)
        return trained.model(trained.best_step() if self.step is None else self.step)

    def load(self, model: bytes) -> Any:
        """A coder with these weights; see `TwoPart`."""
        from twopart.codes.lossless.neural.coder import LaneCoder
        from twopart.codes.lossless.neural.weights import unpack

        network = self.network()
        unpack(model, network.model)
        return LaneCoder(network, None, self.threads)
