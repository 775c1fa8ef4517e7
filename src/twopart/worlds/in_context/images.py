"""Images with their classes: digits that scikit-learn ships, or CIFAR from a folder of the user's.

train, validation, test = Images("digits").parts(300, 300)          # 300 to train, 300 to choose by, the others to test
train, validation, test = Images("cifar10", "data").parts(45_000, 5000)     # torchvision's folder; its test set is the test

Pixels (N, channels, side, side) are centred and scaled by the mean and deviation of the whole data set.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import InputError, check, check_choice, check_integer
from twopart.worlds._libraries import library

SETS = {"cifar10": "CIFAR10", "cifar100": "CIFAR100"}


class Labelled(NamedTuple):
    """A set of images."""

    x: NDArray[np.float32]
    """Shape (N, channels, side, side)."""
    y: NDArray[np.int64]
    """Classes, shape (N,)."""


@dataclass(frozen=True)
class Images:
    """A data set; raises `InputError` where it is not there."""

    dataset: str = "digits"
    """digits (8 x 8, grey, 1,797), cifar10 or cifar100 (32 x 32, colour, 60,000)."""
    folder: str = ""
    """Where torchvision finds CIFAR; digits need none."""
    seed: int = 0
    """Which images are taken for what."""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, ("digits", *SETS))
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another division")

    def parts(self, train: int, validation: int) -> tuple[Labelled, Labelled, Labelled]:
        """Training and validation sets of these sizes, and the test set: CIFAR's own, or all other digits."""
        x, y, tests = self._all
        n = check_integer("train", train, 1, None, "a network needs an image")
        v = check_integer("validation", validation, 0, None, "0 keeps none")
        most = len(y) - max(tests, 1)
        check(n + v <= most, "train + validation", n + v, f"at most {most}", "the others are for tests")
        order = _random.generator(self.seed, "images").permutation(len(y) - tests)
        rest = np.arange(len(y) - tests, len(y)) if tests else order[n + v :]
        train_set, validation_set, test_set = (
            Labelled(x[part], y[part]) for part in (order[:n], order[n : n + v], rest)
        )
        return train_set, validation_set, test_set

    @cached_property
    def _all(self) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
        """All images and classes, and how many at the end are the data set's own tests."""
        if self.dataset == "digits":
            bunch = library("sklearn.datasets", "the images 'digits'").load_digits()
            pixels, y, tests = bunch.images[:, None], bunch.target, 0
        else:
            remedy = f"torchvision.datasets.{SETS[self.dataset]}(folder, download=True) fetches it"
            there = bool(self.folder) and Path(self.folder).is_dir()
            check(there, "folder", self.folder, f"a folder that holds {self.dataset}", remedy)
            sets = library("torchvision.datasets", f"the images {self.dataset!r}")
            try:
                found = [
                    getattr(sets, SETS[self.dataset])(self.folder, train=one, download=False) for one in (True, False)
                ]
            except RuntimeError as error:
                raise InputError(f"`folder` must hold {self.dataset}, got {self.folder!r}; {remedy}") from error
            pixels = np.moveaxis(np.concatenate([np.asarray(one.data) for one in found]), -1, 1)
            y, tests = np.concatenate([np.asarray(one.targets) for one in found]), len(found[1].targets)
        x = pixels.astype(np.float32)
        return (x - x.mean()) / x.std(), np.asarray(y, np.int64), tests
