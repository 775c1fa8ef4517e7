"""What a result depends on besides its config: versions, platform, device, git state. No paths, no times: it repeats."""

from __future__ import annotations

import ctypes
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from twopart._checks import check


def environment(seed: int, device: str, device_name: str = "") -> dict[str, Any]:
    """The environment of a run, as environment.json holds it; `device_name` is that of this machine if none is given."""
    return {
        "twopart": metadata.version("twopart"),
        "git": git_state(Path(__file__).parent.parent),
        "seed": seed,
        "device": device,
        "device_name": device_name or _device_name(device),
        "threads_per_cell": 1,
        **_software(),
    }


def machine(device: str) -> dict[str, Any]:
    """The part of a run's environment that differs between the machines of a cluster."""
    return {"twopart": metadata.version("twopart"), "device_name": _device_name(device), **_software()}


def _software() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": {name: metadata.version(name) for name in _requirements()},
    }


def resolve_device(device: str) -> str:
    """ "cpu", "cuda" or "cuda:<n>"; "auto" is the GPU if torch can use one, else the CPU.

    torch is asked only where there is a GPU driver to ask about, because importing it takes seconds.
    """
    known = isinstance(device, str) and re.fullmatch(r"auto|cpu|cuda(:\d+)?", device) is not None
    check(
        known, "device", device, 'one of "auto", "cpu", "cuda", "cuda:<number>"', '"auto" takes a GPU if there is one'
    )
    if device == "cpu" or (device == "auto" and not _has_driver()):
        return "cpu"
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda" if count else "cpu"
    number = int(device.partition(":")[2] or 0)
    bound = f"below cuda:{count}, as torch can use {count} GPUs here" if count else "cpu, as torch can use no GPU here"
    check(number < count, "device", device, bound, "auto takes what there is")
    return device


def git_state(package: Path) -> dict[str, Any] | None:
    """Commit and whether the package differs from it, if the package runs from a git checkout of its own."""
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    changed = _git(package, "status", "--porcelain", "--untracked-files=all", "--", ".")
    return {"commit": _git(package, "rev-parse", "HEAD"), "changed": bool(changed)}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError:  # no git here
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _requirements() -> list[str]:
    """The names of twopart's run-time dependencies."""
    listed = metadata.requires("twopart") or []
    names = [re.match(r"[\w.-]+", line) for line in listed if "extra ==" not in line]
    return sorted(name[0] for name in names if name)


def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return _processor()
    import torch

    return str(torch.cuda.get_device_name(device))


def _processor() -> str:
    """The CPU's model: vector widths differ between models, and with them the last bits of sums."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
