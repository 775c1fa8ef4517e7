"""What the bits of a neural code depend on beside its method: the libraries that add and multiply, and the processor.

Two machines may sum in another order, and then their probabilities differ in the last digits and a decoder goes astray at
once. So a file names its arithmetic, and where that is another one it is refused before anything is decoded.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from twopart._checks import InputError

LIBRARIES = ("torch", "numba", "llvmlite", "numpy", "constriction")


@cache
def arithmetic() -> str:
    """Versions, device and processor, separated by "; "."""
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    vectors = torch.backends.cpu.get_cpu_capability()
    return "; ".join([*libraries, "device cpu", f"{platform.system()} {platform.machine()}", vectors, _processor()])


def check_arithmetic(recorded: str) -> None:
    """Raise `InputError` unless `recorded` is the arithmetic here, or empty."""
    if recorded in ("", arithmetic()):
        return
    theirs, here = (text.split("; ") for text in (recorded, arithmetic()))
    other = "; ".join(part for part in theirs if part not in here) or recorded
    raise InputError(
        f"the file was coded with {other}, and here are {'; '.join(part for part in here if part not in theirs)}: a neural "
        "code can only be decoded by the very same arithmetic; decode it where it was coded"
    )


def _processor() -> str:
    """The processor's model, on which the libraries choose their loops."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "processor unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "processor unknown")
