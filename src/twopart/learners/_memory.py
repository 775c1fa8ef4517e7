"""One setting of the C library that training depends on for its speed.

A training step allocates and frees the same few megabytes many times. glibc gives freed blocks of that size back to the
system and gets them anew, page by page: 3,500 page faults per step of a 0.5 M model, a fifth of its time. Kept, they are
simply used again.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of <malloc.h>
KEPT = 1 << 30
"""Bytes that the process may keep for reuse; larger single blocks still go back at once."""


@cache
def keep_freed_memory() -> None:
    """Let this process keep up to `KEPT` freed bytes; elsewhere than on glibc nothing is done."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None and hasattr(libc, "mallopt"):
        libc.mallopt(_TRIM_THRESHOLD, KEPT)
        libc.mallopt(_MMAP_THRESHOLD, KEPT)
