"""How the hot loops are compiled: on first call, free of the GIL, and kept on disk wherever a folder can be written.

Numba notices a change of the file that holds a kernel, but not of a file whose functions the kernel inlines:
after editing such a file by hand, touch its users.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any], **options: Any) -> Any:
    """`function`, compiled by its first call; where no cache can be written, each process compiles it anew."""
    try:
        return numba.njit(function, cache=True, nogil=True, **options)
    except RuntimeError:  # "cannot cache": neither the package's folder nor the user's cache is writable
        return numba.njit(function, nogil=True, **options)


inlined = numba.njit(inline="always")
"""For the small functions that kernels are made of: pasted into their callers, whose loops then vectorise."""
