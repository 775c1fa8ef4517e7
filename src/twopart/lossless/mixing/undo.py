"""What a mixer has learned from bytes, taken back: whatever they changed is where they hash to, so they are hashed once more.

A trial of some hundred bytes touches a thousandth of 64 MiB. To copy all of it takes longer than the trial, and so does the
system, which copies a page of 4 KiB for each slot of 16 bytes that is written to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twopart._numba import inlined
from twopart.lossless.mixing._numbers import bare_kernel, mixed, natural
from twopart.lossless.mixing.contexts import LAST4, POSITION, see, set_contexts
from twopart.lossless.mixing.matches import place_of
from twopart.lossless.mixing.memory import BINS, Memory, Sizes
from twopart.lossless.mixing.refine import seek_rows
from twopart.lossless.mixing.slots import first_slot
from twopart.lossless.predictor import Bytes

_BY_HASH = ("past", "slots", "own", "places", "refined", "followers")
_NEAR = 64  # entries of a slot and the neighbours that it may lie in


def undo(s: Sizes, work: Memory, kept: Memory, data: Bytes) -> None:
    """Make `work` equal to `kept` again, after a mixer that was in the state `kept` has coded `data` in `work`."""
    _set_back(work, kept, data)
    _forget(s, work, kept, data)
    _set_back(work, kept, data)


def _set_back(work: Memory, kept: Memory, data: Bytes) -> None:
    """All that is small, and what stands at bytes themselves: from here a mixer hashes as it did before `data`."""
    for name, array, old in zip(Memory._fields, work, kept, strict=True):
        if name not in _BY_HASH:
            array[...] = old
    at = (kept.now[POSITION] + np.arange(len(data))) % len(kept.past)
    work.past[at] = kept.past[at]
    before = int(kept.now[LAST4]) & 0xFFFF
    seen = np.concatenate([[before >> 8, before & 255], data[:-1]]).astype(np.int64)
    one, two = seen[1:], 256 + 256 * seen[:-1] + seen[1:]
    work.followers[one], work.followers[two] = kept.followers[one], kept.followers[two]


@bare_kernel
def _forget(s: Any, work: Any, kept: Any, data: Any) -> None:
    rows = len(work.refined) // (BINS * s.refinements)
    for byte in data:
        set_contexts(work.now, work.followers, work.context)
        for i in range(s.contexts):
            _forget_slots(s, work, kept, work.context[i], 1)
            _forget_slots(s, work, kept, work.context[i], 16 | int(byte) >> 4)
        for model in range(s.matches):
            place = place_of(work.now, work.places, model)
            work.places[model, place] = kept.places[model, place]
        for bit in range(8):
            seek_rows(s, work, rows, work.now[LAST4], (256 | int(byte)) >> (8 - bit))
            for j in range(s.refinements):
                for k in range(BINS):
                    work.refined[natural(work.refining[j] + k)] = kept.refined[natural(work.refining[j] + k)]
        see(work.now, work.past, work.followers, int(byte))


@inlined
def _forget_slots(s: Sizes, work: Any, kept: Any, context: int, half: int) -> None:
    """The slot of this context, wherever among its neighbours it lies."""
    start = first_slot(mixed(context, half), work.slots) & -_NEAR
    for k in range(_NEAR):
        work.slots[natural(start + k)] = kept.slots[natural(start + k)]
    if s.inputs > 1:
        for k in range(_NEAR):
            work.own[natural(start + k)] = kept.own[natural(start + k)]
