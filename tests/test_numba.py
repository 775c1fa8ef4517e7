"""The cache of compiled kernels: used when nothing changed, discarded when a file that a kernel calls into did."""

import os
import subprocess
import sys
from pathlib import Path

from numba.core import caching

from twopart._numba import kernel

PARTS = "from twopart._numba import inlined\n\n@inlined\ndef number():\n    return {}\n"
KERNEL = """from twopart._numba import kernel
from parts import number

@kernel
def twice():
    return 2 * number()
"""
MAIN = "from user import twice; value = twice(); print(value, sum(twice.stats.cache_hits.values()))"


def run(folder: Path, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", MAIN]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


def test_a_change_in_a_called_file_compiles_anew(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    (tmp_path / "user.py").write_text(KERNEL)
    (tmp_path / "parts.py").write_text(PARTS.format(1))
    assert run(tmp_path, environment) == "2 0\n"
    assert run(tmp_path, environment) == "2 1\n"
    (tmp_path / "parts.py").write_text(PARTS.format(50))
    assert run(tmp_path, environment) == "100 0\n"


def triple(x):
    return 3 * x


def test_without_a_cache_folder_kernels_still_work(monkeypatch):
    assert isinstance(kernel(triple)._cache, caching.FunctionCache)
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    compiled = kernel(triple)
    assert compiled(7) == 21
    assert isinstance(compiled._cache, caching.NullCache)
