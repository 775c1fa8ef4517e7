"""Decisions in and out of a code: the interval coder, one bit at a time, its state in an array.

state    int64 (4,): low, high, the decoder's register, bytes written or read
counts   of adaptive decisions, (rows, 2): how often each was 0 and 1; its probability is (n1 + 1/2)/(n0 + n1 + 1)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart._numba import inlined
from twopart.lossless.intervals import REGISTER, START, closing_byte, first_bytes, middle, settle
from twopart.lossless.mixing._numbers import bare_kernel

LOW, HIGH, HELD, USED = 0, 1, 2, 3
EVEN = 1 << 15  # one half
MOST = 1 << 12  # counts are halved beyond, so that a decision can follow a change


def fresh_state() -> NDArray[np.int64]:
    """Of a coder that has coded nothing; `begin` must follow in a decoder."""
    return np.array([0, REGISTER, 0, 0])


@inlined
def begin(state: Any, code: Any) -> None:
    """Take a decoder's first bytes."""
    state[HELD] = first_bytes(code)
    state[USED] = START


@bare_kernel
def code_bit(state: Any, code: Any, decoding: bool, bit: int, p: int) -> int:
    """Write `bit`, or read it: a one of probability p / 2^16, 0 < p < 2^16."""
    low, high = state[LOW], state[HIGH]
    split = middle(low, high, p)
    if decoding:
        bit = 1 if state[HELD] <= split else 0
    if bit:
        high = split
    else:
        low = split + 1
    low, high, state[HELD], state[USED] = settle(low, high, state[HELD], state[USED], code, decoding)
    state[LOW], state[HIGH] = low, high
    return bit


@bare_kernel
def learn_bit(state: Any, code: Any, decoding: bool, bit: int, counts: Any, row: int) -> int:
    """An adaptive decision: coded by what was counted in this row, then counted."""
    zeros, ones = counts[row, 0], counts[row, 1]
    p = ((2 * ones + 1) << 15) // (zeros + ones + 1)
    bit = int(code_bit(state, code, decoding, bit, min(max(p, 1), 65535)))
    counts[row, bit] += 1
    if counts[row, bit] > MOST:
        counts[row, 0] >>= 1
        counts[row, 1] >>= 1
    return int(bit)


@inlined
def end(state: Any, code: Any) -> int:
    """Close a code; its length in bytes, more than `code` has room for if it did not fit."""
    if state[USED] < len(code):
        code[state[USED]] = closing_byte(state[LOW])
    return int(state[USED]) + 1
