"""What a file can be coded with: a method, which is a value and stands in the file's header, and the predictor that it starts.

A predictor codes a file part by part and learns from each byte that it has coded; its twin that decodes takes the very
same steps. So no model is sent, and the code is prequential.
"""

from __future__ import annotations

from typing import Any, Protocol

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
    the same fields give the same predictor on every machine.
    """

    @property
    def kind(self) -> str:
        """The name in `METHODS`."""

    def sized(self, length: int) -> Method:
        """The method for a file of this many bytes: its tables need not be larger than the file can fill."""

    def start(self) -> Any:
        """A `Predictor` that has seen nothing."""
