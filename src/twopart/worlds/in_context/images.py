"""Images and their classes: digits that scikit-learn ships, or CIFAR from a folder of the user's.

train, validation, test = Images("digits").parts(300, 300)                  # all other digits are the test set
train, validation, test = Images("cifar10", "data").parts(45_000, 5000)     # torchvision's folder, and its test set
x, label = two_digits((3, 8))                                               # pixels (n, 64), and 1 for the second class
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check, check_choice, check_integer
from twopart.worlds._image_folders import Labelled, divided, images
from twopart.worlds._libraries import library


@dataclass(frozen=True)
class Images:
    """digits (8 x 8, grey, 1,797), cifar10 or cifar100 (32 x 32, colour, 60,000); `seed` divides them."""

    dataset: str = "digits"
    folder: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, ("digits", "cifar10", "cifar100"))
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another division")

    def parts(self, train: int, validation: int) -> tuple[Labelled, Labelled, Labelled]:
        """Training and validation sets of these sizes, and the test set. Raises `InputError` where there are fewer images."""
        n = check_integer("train", train, 1, None, "a network needs an image")
        m = check_integer("validation", validation, 0, None, "0 keeps none")
        x, y = images(self.dataset, self.folder)
        own = None if self.dataset == "digits" else images(self.dataset, self.folder, train=False)
        first, second, third = divided(x, y, (n, m), _random.generator(self.seed, "images"), own)
        return first, second, third


def two_digits(classes: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All digits of two classes as scikit-learn has them: pixels (n, 64) and labels (n,), -1 for the first, 1 for the other."""
    check_two_digits(classes)
    bunch = library("sklearn.datasets", "the images 'digits'").load_digits()
    chosen = np.isin(bunch.target, classes)
    return bunch.data[chosen], np.where(bunch.target[chosen] == classes[1], 1.0, -1.0)


def check_two_digits(classes: tuple[int, int]) -> None:
    fits = len(set(classes)) == 2 and set(classes) <= set(range(10))
    check(fits, "classes", classes, "two different digits", "(3, 8) are hard to tell apart")
