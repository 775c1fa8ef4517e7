"""Image data sets of torchvision in a folder of the user's: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twopart._checks import InputError, check
from twopart.worlds._libraries import library

NAMES = {"mnist": "MNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}
Raw = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Pixels, shape (n, D), and classes, shape (n,)."""


def reader(dataset: str, folder: str, *, train: bool) -> Callable[[], Raw]:
    """A reader of the data set; that it is there is checked now. Raises `InputError` if it is not."""
    sets = library("torchvision.datasets", f"the images {dataset!r}")
    place = Path(folder)
    remedy = f"torchvision.datasets.{NAMES[dataset]}(folder, download=True) fetches it"
    check(bool(folder) and place.is_dir(), "folder", folder, f"a folder that holds {dataset}", remedy)
    try:
        found = getattr(sets, NAMES[dataset])(folder, train=train, download=False)
    except RuntimeError as error:
        raise InputError(f"`folder` must hold {dataset}, got {folder!r}; {remedy}") from error

    def read() -> Raw:
        pixels = np.asarray(found.data, np.float32)
        return pixels.reshape(len(pixels), -1), np.asarray(found.targets, np.int64)

    return read
