"""A study that lost half of its cells, and with them its findings and its page, ends with the same bytes when taken up again.

That a killed process leaves only such folders, whatever the moment, is shown with SIGKILL in test_interruptions.py and
test_data_law.py.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from unittest.mock import patch

from twopart.cli import main


def ends_as_undisturbed(study: str, arguments: list[str], folder: Path) -> None:
    """Run the tiny preset of `study` whole, take every second cell and all that follows from them away, and resume it."""
    whole, cut = folder / "whole", folder / "cut"

    def run(out: Path, *more: str) -> int:
        options = ["--preset", "tiny", "--seed", "3", "--device", "cpu", "--workers", "1"]
        return main(["run", study, *options, "--out", str(out), *arguments, *more])

    with patch.dict(
        os.environ, GIT_DIR="/nonexistent"
    ):  # the checkout's state is on the page, and may change meanwhile
        code = run(whole)
        assert code in (0, 1)
        shutil.copytree(whole, cut)
        _lose_half(cut)
        assert run(cut, "--resume") == code
    assert _contents(cut) == _contents(whole)


def _lose_half(folder: Path) -> None:
    cells = sorted((folder / "cells").iterdir())
    assert len(cells) >= 2
    for cell in cells[::2]:
        shutil.rmtree(cell)
    for path in folder.iterdir():
        if path.is_dir() and path.name != "cells":
            shutil.rmtree(path)
        elif path.name in ("claims.json", "index.html"):
            path.unlink()


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
