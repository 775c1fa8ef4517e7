"""A study killed with SIGKILL and taken up again ends with the same bytes as one that nobody disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def ends_as_undisturbed(study: str, arguments: list[str], folder: Path) -> None:
    """Run the tiny preset of `study` whole, and again with a kill in its first cell and one when half of its cells are done."""
    # The checkout's state is on the page, and may change meanwhile: hide it from git.
    environment = {**os.environ, "GIT_DIR": "/nonexistent"}
    whole, killed = folder / "whole", folder / "killed"

    def command(out: Path, *more: str) -> list[str]:
        options = ["--preset", "tiny", "--seed", "3", "--device", "cpu", "--out", str(out)]
        return [sys.executable, "-m", "twopart", "run", study, *options, *arguments, *more]

    done = subprocess.run(command(whole), env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode in (0, 1), done.stderr
    cells = len(list(whole.glob("cells/*/metrics.parquet")))
    for finished in (0, cells // 2):
        process = subprocess.Popen(command(killed, "--resume"), env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 400
        while not list(killed.glob("cells/*/working")) or len(list(killed.glob("cells/*/metrics.parquet"))) < finished:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = subprocess.run(command(killed, "--resume"), env=environment, capture_output=True, text=True, timeout=500)
    assert last.returncode == done.returncode, last.stderr
    assert _contents(killed) == _contents(whole)


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
