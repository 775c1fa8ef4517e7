"""The sources of Python's standard library: real text that every machine has, a document for each file."""

from __future__ import annotations

import os
import sysconfig
from functools import cache
from pathlib import Path

LEFT_OUT = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "encodings", "pydoc_data"})
"""Folders that are not read: what was installed beside it, tests, and tables that programs wrote."""


@cache
def standard_library() -> tuple[Path, ...]:
    """Its files, in the order of their paths."""
    found: list[Path] = []
    for folder, inner, names in os.walk(sysconfig.get_paths()["stdlib"]):
        inner[:] = set(inner) - LEFT_OUT  # not entered: what is installed beside it may be far larger
        found += [Path(folder, name) for name in names if name.endswith(".py")]
    return tuple(sorted(found))
