"""Context mixing as a method: its levels, and the predictor they start."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from twopart._checks import check_choice, check_integer
from twopart.lossless.mixing._numbers import aligned
from twopart.lossless.mixing.kernel import coder
from twopart.lossless.mixing.memory import Memory, Shape, allocate
from twopart.lossless.mixing.undo import undo
from twopart.lossless.predictor import Bytes, Floats

LEVELS: dict[str, Shape] = {
    "fastest": Shape(3, inputs=1, matches=1, sets=1, refinements=1, rate=24, start_rate=50, weight=0.3, slot_bits=22),
    "fast": Shape(6, inputs=1, matches=1, sets=1, refinements=1, rate=24, start_rate=50, weight=0.3, slot_bits=22),
    "strong": Shape(16, inputs=1, matches=2, sets=5, refinements=2, rate=28, start_rate=30, weight=0.12, slot_bits=24),
    "best": Shape(32, inputs=4, matches=3, sets=10, refinements=3, rate=22, start_rate=80, weight=0.025, slot_bits=24),
}
"""Part of the format: another shape under an old name would decode old files wrongly (and the checksum would refuse them)."""


@dataclass(frozen=True)
class ContextMixing:
    """Many contexts predict each bit and an online mixer weighs them; whole numbers only, so it decodes on any machine."""

    kind: ClassVar[str] = "mixing"
    level: str = "strong"
    """fastest, fast, strong or best: more contexts cost more time."""
    slot_bits: int = 0
    """The hash table has 2^slot_bits slots, 10 to 26, of 16 bytes or, at the level best, 96; 0 takes the level's: 22 (64 MiB)
    for fastest and fast, 24 (256 MiB) for strong and (1.5 GiB) best."""
    past_bits: int = 24
    """The last 2^past_bits bytes can be matched, 10 to 30."""

    def __post_init__(self) -> None:
        check_choice("level", self.level, tuple(LEVELS))
        object.__setattr__(self, "slot_bits", self.slot_bits or LEVELS[self.level].slot_bits)
        check_integer("slot_bits", self.slot_bits, 10, 26, "22 is 64 MiB, or 384 MiB at the level best")
        check_integer("past_bits", self.past_bits, 10, 30, "24 is 16 MiB")

    def sized(self, length: int) -> ContextMixing:
        """No more slots than the file can fill, no longer a past than the file."""
        slots, past = (2 * length * LEVELS[self.level].contexts).bit_length(), length.bit_length()
        return ContextMixing(self.level, min(self.slot_bits, max(10, slots)), min(self.past_bits, max(10, past)))

    def start(self) -> Mixer:
        return Mixer(self)


class Mixer:
    """The mixer in the middle of a file."""

    def __init__(self, method: ContextMixing) -> None:
        self._shape = LEVELS[method.level]
        self._memory = allocate(self._shape, method.slot_bits, method.past_bits)
        self._trial: Memory | None = None
        """A copy of the memory, to try bytes in."""

    def encode(self, data: Bytes, bits: Floats | None = None) -> bytes:
        """The code of the next bytes; see `Predictor`."""
        code = np.empty(16 * len(data) + 16, np.uint8)  # no bit costs more than 16; untouched pages take no memory
        used = self._run(False, data.copy(), code, _NOTHING if bits is None else bits)
        return code[:used].tobytes()

    def decode(self, code: bytes, length: int) -> Bytes:
        """The next `length` bytes; see `Predictor`."""
        data = np.zeros(length, np.uint8)
        self._run(True, data, np.frombuffer(code, np.uint8).copy(), _NOTHING)
        return data

    def price(self, data: Bytes) -> Floats:
        """Bits of each byte of `data`, if it came next; the mixer stays as it is.

        The first price after `encode` or `decode` copies the mixer's memory; another one takes twice as long as coding.
        """
        trial, bits = self._trial or Memory(*map(_copied, self._memory)), np.empty(len(data))
        self._run(False, data.copy(), np.empty(16 * len(data) + 16, np.uint8), bits, trial)
        undo(self._shape.sizes, trial, self._memory, data)
        self._trial = trial  # not before all is undone
        return bits

    def _run(self, decoding: bool, data: Bytes, code: Bytes, bits: Floats, trial: Memory | None = None) -> int:
        shape, self._trial = self._shape, None  # it is the mixer's no longer
        code_bytes = coder(shape.sizes)
        return int(code_bytes(trial or self._memory, shape.rate, shape.start_rate, decoding, data, code, bits, _cost()))


_NOTHING = np.empty(0)


def _copied(array: NDArray[Any]) -> NDArray[Any]:
    copy = aligned(array.size, array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@lru_cache
def _cost() -> Floats:
    """Entry p: bits of an event of probability p out of 2^16."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log2(np.arange((1 << 16) + 1) / (1 << 16)))
