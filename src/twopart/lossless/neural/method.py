"""What a neural method says in a file's header, and the prequential one. PyTorch is loaded when one is used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from twopart._checks import check, check_integer, check_real


@dataclass(frozen=True)
class NeuralMethod:
    """What the methods share: the model, the lanes, and how it learns."""

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
        from twopart.lossless.neural.arithmetic import arithmetic

        return replace(self, arithmetic=arithmetic())

    def network(self) -> Any:
        """A `Network` of this shape with its first weights. Raises `InputError` if the file was coded elsewhere."""
        from twopart.learners.transformer import Transformer, TransformerConfig
        from twopart.lossless.neural.arithmetic import check_arithmetic
        from twopart.lossless.neural.network import Network

        check_arithmetic(self.arithmetic)
        shape = TransformerConfig(256, self.memory + self.block, self.layers, self.width, self.heads)
        return Network(Transformer(shape, self.seed), self.lanes, self.block)


@dataclass(frozen=True)
class PrequentialTransformer(NeuralMethod):
    """A transformer that learns from each block of bytes after it has coded it: no model is sent."""

    kind: ClassVar[str] = "transformer"

    def start(self) -> Any:
        """The coder at the beginning of a file."""
        from twopart.learners.schedules import Constant
        from twopart.lossless.neural.coder import LaneCoder
        from twopart.lossless.neural.learner import OnlineLearner

        network = self.network()
        return LaneCoder(network, OnlineLearner(network, self.learning_rate, Constant(self.warm_up)), self.threads)
