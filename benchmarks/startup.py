"""`import twopart`: whole process, against a Python that imports nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks._table import Row, ratios


def run() -> Iterator[Row]:
    ratio = ratios(lambda: _python("import twopart"), lambda: _python("pass"), rounds=7)
    seconds = _seconds("import twopart")
    yield Row("import twopart", f"{seconds * 1e3:.0f} ms", "empty Python", 1 / ratio, "< 300 ms, no torch")


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def _seconds(code: str) -> float:
    """Time of the statement alone, in a fresh process."""
    timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    found = subprocess.run([sys.executable, "-c", timed], check=True, capture_output=True, text=True)
    return float(found.stdout)
