"""Logarithm, exponential and uniform numbers as plain arithmetic, so that a loop over them becomes SIMD code.

The C library's functions take one number at a time: 3 to 4 ns, here 0.7 ns. And they need not agree with their own
vector versions in the last bit, so that a result could depend on its position in an array; these always agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import types
from numba.extending import intrinsic

from twopart._numba import inlined, kernel
from twopart._philox import HALF


def simd_kernel(function: Callable[..., Any]) -> Any:
    """`kernel`, but x/0 is inf as in NumPy: Python's error would put a branch into every loop that divides."""
    return kernel(function, error_model="numpy")


def _as_bits(typing: Any, number: Any) -> Any:
    """The 64 bits of a float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.uint64))

    return types.uint64(types.float64), generate


def _as_number(typing: Any, bits: Any) -> Any:
    """The float64 of 64 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.uint64), generate


# kernels call them with the arguments of the machine code, not with those of its generator
_bits = cast(Callable[[float], np.uint64], intrinsic(_as_bits))
_number = cast(Callable[[np.uint64], float], intrinsic(_as_number))

_FRACTION_BITS = np.uint64(52)
_FRACTION = np.uint64((1 << 52) - 1)
_EXPONENT_OF_1 = np.uint64(1023)
_BITS_OF_1 = np.uint64(0x3FF0000000000000)
_BITS_OF_ROOT_HALF = np.uint64(0x3FE6A09E00000000)  # sqrt(1/2), rounded down
_BITS_OF_2_52 = np.uint64(
    0x4330000000000000
)  # an integer below 2^52 in these lower bits makes the float 2^52 + integer
_TWELVE = np.uint64(12)

_LN2_HIGH, _LN2_LOW = (
    6.93147180369123816490e-01,
    1.90821492927058770002e-10,
)  # ln 2 in two parts; k times the first is exact
_LEAST = -700.0


@inlined
def uniform(high: np.uint64, low: np.uint64) -> float:
    """A uniform number in (0, 1), an odd multiple of 2^-53, from two words of 32 bits."""
    return _number((((high << HALF) | low) >> _TWELVE) | _BITS_OF_1) - (1 - 2.0**-53)


@inlined
def log(x: float) -> float:
    """ln x for a normal x > 0, to 1 unit in the last place.

    x = 2^k (1+f) with 1+f in [sqrt(1/2), sqrt(2)), and ln(1+f) = f - f²/2 + s (f²/2 + R(s²)), s = f/(2+f), with R and the
    order of the sum from FDLIBM's e_log.c (Sun Microsystems 1993).
    """
    shifted = _bits(x) + (_BITS_OF_1 - _BITS_OF_ROOT_HALF)
    k = _number((shifted >> _FRACTION_BITS) | _BITS_OF_2_52) - (2.0**52 + 1023)
    f = _number((shifted & _FRACTION) + _BITS_OF_ROOT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    half = 0.5 * f * f
    return s * (half + odd + even) + k * _LN2_LOW - half + f + k * _LN2_HIGH


@inlined
def exp(x: float) -> float:
    """e^x for x <= 700, to 1 unit in the last place; below -700 it stays at e^-700 = 1e-304.

    x = k ln 2 + r with |r| <= ln(2)/2, and e^r by its Taylor series up to r^13. Adding 1.5 * 2^52 rounds to a whole k and
    leaves it in the lower bits of the sum.
    """
    x = max(x, _LEAST)
    sum_ = x * 1.4426950408889634 + 6755399441055744.0
    k = sum_ - 6755399441055744.0
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 1 / 479001600 + r * (1 / 6227020800)
    p = 1 / 3628800 + r * (1 / 39916800 + r * p)
    p = 1 / 40320 + r * (1 / 362880 + r * p)
    p = 1 / 720 + r * (1 / 5040 + r * p)
    p = 1 / 24 + r * (1 / 120 + r * p)
    p = 0.5 + r * (1 / 6 + r * p)
    return _number((_bits(sum_) + _EXPONENT_OF_1) << _FRACTION_BITS) * (p * r * r + r + 1.0)


@inlined
def one_less_exp(x: float) -> float:
    """1 - e^-x for x >= 0, to a few units in the last place.

    With u = e^-x as computed, (1 - u) x / -ln u: both factors err alike where x is small (Kahan 1982). Where u = 1, it is x.
    """
    x = min(x, -_LEAST)
    u = exp(-x)
    return (1.0 - u) * (x / -log(u)) if u < 1.0 else x
