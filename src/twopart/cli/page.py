"""Report folders of the tools: what a command writes beside its page, so that `twopart report` can write the page again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twopart import _files
from twopart._checks import InputError
from twopart.findings import Findings


def check_folder(folder: Path, marker: str) -> None:
    """Before any work: the folder must be new, empty, or hold `marker`, the file that says whose it is."""
    _files.check_folder(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise InputError(f"{folder} is not empty and holds no {marker}; choose another with --out")


def write_page(
    findings: Findings, folder: Path, config: dict[str, Any], seed: int, write_marker: Callable[[Path], object]
) -> Path:
    """Marker, config.json, environment.json and the page with its files; the path of the page."""
    from twopart.lab.environment import environment
    from twopart.lab.folder import lock_folder
    from twopart.report import write_report

    surroundings = environment(seed, "cpu")
    lock = lock_folder(folder)
    try:
        write_marker(folder)
        _files.write_json(folder / "config.json", config)
        _files.write_json(folder / "environment.json", surroundings)
        return write_report(findings, folder, config=config, environment=surroundings)
    finally:
        os.close(lock)
