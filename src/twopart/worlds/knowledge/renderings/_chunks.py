"""Copying short runs 16 bytes at a time: six times as fast as a loop over elements, whose trip counts no processor can foresee.

A copy writes up to 15 bytes more than it was asked to, so tables and output carry SLACK elements at their end, and
whoever fills the output goes from left to right.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from twopart._numba import inlined

CHUNK = 16  # bytes
SLACK = 16  # elements: a whole chunk even of bytes


def _copy_chunk(typing_context: Any, target: Any, at: Any, source: Any, start: Any) -> Any:
    """One unaligned 16-byte load and store."""
    signature = types.void(target, types.intp, source, types.intp)

    def element(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
        first = context.make_array(kind)(context, builder, array).data
        return builder.bitcast(builder.gep(first, [index]), ir.VectorType(ir.IntType(8), CHUNK).as_pointer())

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, at, source, start = arguments
        chunk = builder.load(element(context, builder, signature.args[2], source, start))
        chunk.align = 1
        builder.store(chunk, element(context, builder, signature.args[0], target, at)).align = 1
        return context.get_dummy_value()

    return signature, generate


_copy: Any = intrinsic(_copy_chunk)


@inlined
def copy_run(target: Any, at: int, source: Any, start: int, length: int) -> None:
    """target[at : at + length] = source[start : start + length], for one-dimensional contiguous arrays of one type."""
    step = CHUNK // target.itemsize
    copied = 0
    while copied < length:
        _copy(target, at + copied, source, start + copied)
        copied += step
