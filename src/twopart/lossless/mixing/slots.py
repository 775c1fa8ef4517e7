"""The hash table of bit histories: one slot of 16 entries for a context and the half byte before or after.

    entry 0        check of the context's hash, never 0
    entries 1-15   node of the half byte so far (1, then 2-3, 4-7, 8-15): its histories, 0 if never visited
                   low byte   the automaton of _histories.py: how many zeros and ones, old ones discounted
                   high byte  the last seven bits exactly, below a leading one; not there if a context has one input

`Memory.own` has beside each entry, where contexts have 4 inputs, a probability learned there.
A context may lie in three neighbouring slots. If it is in none, it takes that whose first node was used least.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from twopart._numba import inlined
from twopart.lossless.mixing._numbers import mixed, natural, prefetch
from twopart.lossless.mixing.memory import Sizes

EVEN = np.uint32(1 << 31)
"""What is known of a place before its first bit: a half; see `Memory.maps`."""


@inlined
def first_slot(hashed: int, slots: Any) -> int:
    """Where the slot with this hash begins, unless a neighbour holds it."""
    return ((hashed >> 20) & ((len(slots) >> 4) - 1)) << 4


@inlined
def seek(s: Sizes, m: Any, half: int) -> None:
    """Begin to fetch the slot of each context with the half byte so far, `half`; the hashes stand in `at` meanwhile."""
    for i in range(s.contexts):
        hashed = mixed(m.context[i], half)
        m.at[i] = hashed
        prefetch(m.slots, first_slot(hashed, m.slots))
        if s.inputs > 1:
            prefetch(m.own, first_slot(hashed, m.slots))


@inlined
def find(s: Sizes, m: Any, hashed: int) -> int:
    """Where the slot of this hash begins; a new one is cleared first."""
    slots = m.slots
    check = (hashed & (0xFF if s.inputs == 1 else 0xFFFF)) | 1
    a = first_slot(hashed, slots)
    if slots[a] == check:
        return a
    b = a ^ 16
    if slots[b] == check:
        return b
    c = a ^ 32
    if slots[c] == check:
        return c
    in_a, in_b, in_c = slots[a + 1] & 255, slots[b + 1] & 255, slots[c + 1] & 255
    if in_b < in_a:
        a, in_a = b, in_b
    if in_c < in_a:
        a = c
    for k in range(16):
        slots[a + k] = 0
        if s.inputs > 1:
            m.own[a + k] = EVEN
    slots[a] = check
    return a


@inlined
def remember(s: Sizes, slots: Any, place: int, following: Any, bit: int) -> None:
    """Add a bit to the histories of a node."""
    pair = int(slots[natural(place)])
    if s.inputs == 1:
        slots[natural(place)] = following[natural(2 * pair + bit)]
        return
    last = pair >> 8
    last = 2 * last + bit if last > 0 else 2 + bit
    if last > 255:
        last = (last & 127) | 128
    slots[natural(place)] = following[2 * (pair & 255) + bit] | (last << 8)
