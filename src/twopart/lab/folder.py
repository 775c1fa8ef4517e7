"""The run folder: a folder belongs to one run, whose config.json it holds, and to one process at a time.

A folder is refused, and left as it is, when it holds anything else than a run, a run of another config, or a run that
another process is busy with; and a run of the same config unless it is to be resumed.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twopart import _files
from twopart._checks import InputError
from twopart.lab.cell import canonical

_PATIENCE = 3.0  # seconds: workers of a killed run hold its lock until they have noticed and ended


class AlreadyRunError(InputError):
    """The folder holds a run of this very config, and resuming it was not asked for."""

    def __init__(self, folder: Path) -> None:
        remedy = "resume it with --resume (resume=True in Python), or choose another folder with --out"
        super().__init__(f"{folder} holds this run already; {remedy}")
        self.folder = folder


def claim(folder: Path, config: dict[str, Any], *, resume: bool) -> int:
    """Make `folder` the run folder of `config` and lock it; the lock lasts until the returned descriptor is closed."""
    _refuse_foreign(folder)
    lock = lock_folder(folder)
    try:
        _check_config(folder, config, resume)
        sweep(folder)
        if not (folder / "config.json").exists():
            _files.write_json(folder / "config.json", config)
    except BaseException:
        os.close(lock)
        raise
    return lock


def lock_folder(folder: Path) -> int:
    """Lock `folder`, which is made if need be. The kernel lets go of the lock when the last process with it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # a file system that makes no folders, such as /proc
        raise InputError(f"{folder} cannot be made; choose another place") from error
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            os.close(lock)
            raise InputError(f"another process is running in {folder}; wait for it, or choose another folder") from None
        except BaseException:
            os.close(lock)
            raise
        return lock


def record_environment(folder: Path, environment: dict[str, Any]) -> dict[str, Any]:
    """Write environment.json and return it. Resumed under another environment, it keeps the ones before under "earlier"."""
    path = folder / "environment.json"
    earlier: list[dict[str, Any]] = []
    if path.exists():
        previous = read_json(path)
        earlier = previous.pop("earlier", [])
        if canonical(previous) != canonical(environment):
            earlier = [*earlier, previous]
    record = {**environment, "earlier": earlier} if earlier else environment
    _files.write_json(path, record)
    return record


def sweep(folder: Path) -> None:
    """Remove what a killed process left half-written."""
    for part in folder.rglob(".*.part"):
        part.unlink(missing_ok=True)


def differences(there: Any, here: Any) -> list[str]:
    """What differs between two JSON values: "width is 64 there and 128 here"."""
    old, new = dict(_leaves(there)), dict(_leaves(here))
    absent = "absent"
    return [
        f"{path} is {old.get(path, absent)} there and {new.get(path, absent)} here"
        for path in old | new
        if old.get(path, absent) != new.get(path, absent)
    ]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object that the lab has written."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; resume the run to write it") from error
    except ValueError as error:
        raise _not_ours(path) from error
    if not isinstance(value, dict):
        raise _not_ours(path)
    return value


def _not_ours(path: Path) -> InputError:
    return InputError(f"{path} was not written by twopart; choose another folder with --out")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, json.dumps(value)


def _refuse_foreign(folder: Path) -> None:
    _files.check_folder(folder)
    if not folder.exists() or (folder / "config.json").exists():
        return
    foreign = [name.name for name in folder.iterdir() if name.name != ".lock" and name.suffix != ".part"]
    if foreign:
        held = f"it holds {sorted(foreign)[0]!r} and no config.json"
        raise InputError(f"{folder} is not empty and not a run folder: {held}; choose another with --out")


def _check_config(folder: Path, config: dict[str, Any], resume: bool) -> None:
    path = folder / "config.json"
    if not path.exists():
        return
    there = read_json(path)
    if "study" not in there:
        raise _not_ours(path)
    if canonical(there) != canonical(config):
        differs = differences(there, config)
        more = f" (and {len(differs) - 3} more)" if len(differs) > 3 else ""
        what = "; ".join(differs[:3]) + more
        raise InputError(f"{folder} holds a run of another config: {what}; choose another folder with --out")
    if not resume:
        raise AlreadyRunError(folder)
