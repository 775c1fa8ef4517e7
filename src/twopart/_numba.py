"""How the hot loops are compiled: on first call, free of the GIL, and kept on disk wherever a folder can be written.

Numba discards what it kept when the kernel's own file changes, but not when a file does whose functions the kernel calls, and
would go on running old code after an update. So here the stamp it compares is that of all these files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba


def kernel(function: Callable[..., Any], **options: Any) -> Any:
    """`function`, compiled by its first call; where no cache can be written, each process compiles it anew."""
    try:
        compiled = numba.njit(function, cache=True, nogil=True, **options)
        compiled._cache._cache_file._source_stamp = _stamp(function)
        return compiled
    except (RuntimeError, OSError):  # "cannot cache": no folder can be written, or the source is not in a file
        return numba.njit(function, nogil=True, **options)


inlined = numba.njit(inline="always")
"""For the functions that kernels are made of: pasted into their callers, whose loops then vectorise."""

REASSOCIATE = {"reassoc", "contract", "nsz"}
"""`fastmath` by which sums become SIMD code; infinities and nan stay what they are."""


def _stamp(function: Callable[..., Any]) -> list[tuple[str, int, int]]:
    """Name, time and size of every file that the machine code of `function` is made from."""
    files = sorted({Path(one.__code__.co_filename) for one in _callees(function, set())})
    return [(file.name, (status := file.stat()).st_mtime_ns, status.st_size) for file in files]


def _callees(function: Any, seen: set[Any]) -> Iterator[Any]:
    """`function` and all compiled functions that it calls by name, directly or not."""
    if function not in seen:
        seen.add(function)
        yield function
        for name in function.__code__.co_names:
            called = getattr(function.__globals__.get(name), "py_func", None)
            if called is not None:
                yield from _callees(called, seen)
