"""What the kernels share: hashing, the prefetch instruction, and arrays that begin at a cache line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from twopart._numba import inlined, kernel

K1 = 0x2545F4914F6CDD1D
K2 = 0x1E3779B97F4A7C15


def bare_kernel(function: Callable[..., Any]) -> Any:
    """`kernel` without Numba's counting of references: it would count all arrays of a `Memory` at each use of one, and be
    six times slower. Such a kernel can make no array, and division by zero, which none of them does, is not checked.
    """
    return kernel(function, _nrt=False, error_model="numpy")


@inlined
def mixed(a: int, b: int) -> int:
    """A hash of two numbers, 64 bits, the higher the better mixed. Products wrap."""
    h = (a + b * K1 + 0x632BE5AB) * K2
    return h ^ ((h >> 29) & 0x7FFFFFFFF)


@inlined
def natural(index: int) -> Any:
    """An index that is not negative: Numba need not look whether it counts from the end."""
    return np.uint64(index)


def _prefetched(typing: Any, array: Any, index: Any) -> Any:
    """The processor's hint that an entry of an array will be needed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address, whole = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address, whole, whole, whole])
        hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        place = builder.bitcast(builder.gep(data, [arguments[1]]), address)
        builder.call(hint, [place, whole(0), whole(3), whole(1)])  # to read, into all caches, data
        return context.get_dummy_value()

    return types.none(array, types.int64), generate


# kernels call it with the arguments of the machine code, not with those of its generator
prefetch = cast(Callable[[Any, int], None], intrinsic(_prefetched))


def aligned(size: int, dtype: Any) -> NDArray[Any]:
    """Zeros that begin at a multiple of 128 bytes, so that a slot never straddles two cache lines."""
    length = size * np.dtype(dtype).itemsize
    raw = np.empty(length + 128, np.uint8)  # not zeros: NumPy asks for huge pages here only
    raw[:] = 0
    start = -raw.ctypes.data % 128
    return raw[start : start + length].view(dtype)
