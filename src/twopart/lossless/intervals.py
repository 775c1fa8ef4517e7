"""A binary arithmetic coder for kernels: an interval [low, high] of 48-bit numbers, cut by each bit in the ratio of its
probabilities.

    mid = low + (high - low) / 2^16 * p      a one takes [low, mid], a zero [mid + 1, high]

Once the top bytes of low and high agree they are final and leave. Both ends are INCLUSIVE, and a code is read as if 0
bytes followed it. With 48 bits the interval is rarely shorter than 2^40, so the quotient loses about 2^-24 of it: nothing
beside the 16 bits of p.
"""

from __future__ import annotations

from typing import Any

from twopart._numba import inlined

REGISTER = (1 << 48) - 1
START = 6
"""Bytes of a code that the decoder's register holds."""


@inlined
def middle(low: int, high: int, p: int) -> int:
    """The last number that means a one; p is out of 2^16."""
    return low + ((high - low) >> 16) * p


@inlined
def first_bytes(code: Any) -> int:
    """The decoder's register at the start of a code."""
    register = 0
    for k in range(START):
        register = (register << 8) | (code[k] if k < len(code) else 0)
    return register


@inlined
def settle(low: int, high: int, register: int, used: int, code: Any, decoding: bool) -> tuple[int, int, int, int]:
    """Move the top bytes that agree out of the ends and into the code, or out of the register, which reads on.

    Low, high, register, and bytes of the code used; what a code has no room for is counted but not written.
    """
    while ((low ^ high) >> 40) == 0:
        if decoding:
            register = ((register << 8) & REGISTER) | (code[used] if used < len(code) else 0)
        elif used < len(code):
            code[used] = low >> 40
        used += 1
        low, high = (low << 8) & REGISTER, ((high << 8) & REGISTER) | 255
    return low, high, register, used


@inlined
def closing_byte(low: int) -> int:
    """One byte that, followed by zeros, lies in an interval whose top bytes differ: the top of `low`, plus one."""
    return ((low >> 40) + 1) & 255
