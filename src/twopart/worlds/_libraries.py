"""Libraries that ship real data, loaded when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twopart._checks import InputError

PACKAGES = {
    "sklearn": ("scikit-learn", "images"),
    "torchvision": ("torchvision", "vision"),
    "PIL": ("pillow", "vision"),
}
"""By module: the package that has it, and the extra of this one that brings it."""


def library(module: str, wanted: str) -> Any:
    """The module. Raises `InputError`, saying that `wanted` needs its package, where that is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        package, extra = PACKAGES[module.partition(".")[0]]
        remedy = f"install it with `pip install 'twopart[{extra}]'`"
        raise InputError(f"{wanted} need {package}, which is not installed; {remedy}") from error
