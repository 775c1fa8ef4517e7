"""Match models: where the last bytes occurred before, and what followed there is expected again.

Model j looks for the last LEAST[j] bytes. While the expected bytes come true the match goes on; at the first wrong bit it ends.
"""

from __future__ import annotations

from typing import Any

from twopart._numba import inlined
from twopart.lossless.mixing._numbers import bare_kernel, mixed
from twopart.lossless.mixing.contexts import LAST4, LAST8, LAST12, POSITION

LONGEST = 40  # bytes that are compared when a match begins
PLACE, LENGTH, BYTE, USED = range(4)


@inlined
def least(model: int) -> int:
    """How many bytes must agree."""
    return 6 if model == 0 else 12 if model == 1 else 4


@inlined
def _key(now: Any, model: int) -> int:
    if model == 0:
        return mixed(now[LAST4], now[LAST8] & 0xFFFF)
    if model == 1:
        return mixed(mixed(now[LAST4], now[LAST8]), now[LAST12])
    return mixed(now[LAST4], 77)


@inlined
def place_of(now: Any, places: Any, model: int) -> int:
    """Where a match model remembers the last bytes."""
    return int((_key(now, model) >> 24) & (places.shape[1] - 1))


@bare_kernel
def find_matches(now: Any, past: Any, places: Any, matched: Any) -> None:
    """Go on with each match, or look for a new one, before a byte."""
    position, mask = now[POSITION], len(past) - 1
    for model in range(len(places)):
        key = place_of(now, places, model)
        state = matched[model]
        if state[LENGTH] > 0:
            state[PLACE] += 1
            state[LENGTH] = min(state[LENGTH] + 1, 65535)
        else:
            place = int(places[model, key])
            length = 0
            if place > 0:
                while length < LONGEST and past[(place - 1 - length) & mask] == past[(position - 1 - length) & mask]:
                    length += 1
            state[PLACE], state[LENGTH] = place, length if length >= least(model) else 0
        places[model, key] = position
        state[BYTE] = past[state[PLACE] & mask] + 256 if state[LENGTH] > 0 else 0


@inlined
def bucket(length: int) -> int:
    """A match's length in 32 steps."""
    if length < 16:
        return length
    if length < 32:
        return 16 + ((length - 16) >> 2)
    if length < 64:
        return 20 + ((length - 32) >> 3)
    return min(24 + ((length - 64) >> 6), 31)


@inlined
def agrees(state: Any, partial: int, bit: int) -> bool:
    """Whether the expected byte begins with the `bit` bits of `partial`, which has a leading one."""
    return bool(state[LENGTH] > 0) and bool((state[BYTE] >> (8 - bit)) == partial)
