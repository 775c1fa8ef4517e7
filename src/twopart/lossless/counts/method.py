"""The count code as a method: a model of the whole file first, then the file given the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twopart.lossless.counts.model import CountCoder, CountModel, check_model
from twopart.lossless.predictor import Bytes


@dataclass(frozen=True)
class ContextCounts:
    """A two-part code: a pruned tree of contexts with counts, then the data by the longest context that has any.

    Learning takes about 200 bytes of memory for each byte of the file and of `order`.
    """

    kind: ClassVar[str] = "counts"
    order: int = 6
    """Longest context in bytes, 0 to 32."""
    price: float = 1.0
    """Bits of data that a bit of model must save, > 0: 1 aims at the shortest file, more at a smaller model."""

    def __post_init__(self) -> None:
        check_model(self.order, self.price)

    def sized(self, length: int) -> ContextCounts:
        return self

    def fit(self, data: Bytes) -> bytes:
        """The model as bytes; see `TwoPart`."""
        return CountModel.learned(data, self.order, self.price).code

    def load(self, model: bytes) -> CountCoder:
        """A coder by that model; see `TwoPart`."""
        return CountModel.decoded(model).start()
