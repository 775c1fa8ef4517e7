"""What a file can be coded with: a method, which is a value and stands in the file's header, and the predictor that it gives.

A predictor codes a file part by part, and its twin that decodes takes the very same steps. It comes from a method, which is

    prequential  `start()` gives a predictor that has seen nothing and learns from each byte it has coded: no model is sent
    two-part     `fit(data)` makes the model, bytes that go ahead of the data; `load(model)` gives the predictor, on both sides
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]


class Predictor(Protocol):
    """A coder in the middle of a file."""

    def encode(self, data: Bytes, bits: Floats | None = None) -> bytes:
        """The code of the next bytes of the file.

        Fills `bits`, shape (len(data),), with what each byte costs, if it is given.
        """

    def decode(self, code: bytes, length: int) -> Bytes:
        """The next `length` bytes of the file. A damaged `code` gives wrong bytes, which the container's checksums catch."""


class Method(Protocol):
    """How to code: a frozen dataclass whose fields are JSON values;
    the same fields give the same predictor on every machine, or name the machine and are refused on others.
    """

    @property
    def kind(self) -> str:
        """The name in `METHODS`."""

    def sized(self, length: int) -> Any:
        """The method for a file of this many bytes: its tables need not be larger than the file can fill."""


class Prequential(Method, Protocol):
    """Learner and coder in one."""

    def start(self) -> Any:
        """A `Predictor` that has seen nothing."""


@runtime_checkable
class TwoPart(Method, Protocol):
    """A model, then the data given the model."""

    def fit(self, data: Bytes) -> bytes:
        """The model of the whole file `data`, any number of bytes; a large file is mapped, not read."""

    def load(self, model: bytes) -> Any:
        """The `Predictor` by the model that `fit` gave, alike on both sides. Raises `DamagedError` if it cannot be one."""


def predictor_of(method: Any, model: bytes) -> Any:
    """The method's `Predictor` at the start of a file; `model` is empty if the method is prequential."""
    return method.load(model) if isinstance(method, TwoPart) else method.start()
