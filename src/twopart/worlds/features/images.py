"""Real images whose classes are grouped into two: is what theory says of orthogonal clusters true of them?

    digits     8 x 8 grey digits that scikit-learn ships, 1,797 of them; nothing is downloaded
    mnist      28 x 28 grey digits, through torchvision, from a folder that has them
    cifar10    32 x 32 colour photographs, through torchvision, from a folder that has them

Pixels are centred by the mean training image and scaled so that ‖x‖² is D on average, as it is about the centres of the
orthogonal-cluster world: radii can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check, check_choice, check_integer
from twopart.worlds._image_folders import Raw, reader
from twopart.worlds._libraries import library
from twopart.worlds.features.clusters import Points

DATASETS = ("digits", "mnist", "cifar10")
CLASSES = 10


@dataclass(frozen=True)
class Images:
    """A data set of ten classes, some of which form the positive class."""

    dataset: str = "digits"
    """digits, mnist or cifar10."""
    positive: tuple[int, ...] = (5, 6, 7, 8, 9)
    """The classes of the positive class: distinct numbers in 0..9, at least one and at most nine."""
    folder: str = ""
    """Where torchvision finds mnist or cifar10; digits need none."""
    seed: int = 0
    """Which third of the digits is kept for testing; the others come divided."""

    def __post_init__(self) -> None:
        check_choice("dataset", self.dataset, DATASETS)
        for digit in self.positive:
            check_integer("positive", digit, 0, CLASSES - 1, "classes are 0 to 9")
        apart = len(set(self.positive)) == len(self.positive) and 0 < len(self.positive) < CLASSES
        check(apart, "positive", self.positive, "1 to 9 distinct classes", "both classes need one")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another division")

    @property
    def is_positive(self) -> NDArray[np.bool_]:
        """Whether each of the ten classes belongs to the positive class, shape (10,)."""
        return np.isin(np.arange(CLASSES), self.positive)

    @property
    def train(self) -> Points:
        return self._points[0]

    @property
    def test(self) -> Points:
        return self._points[1]

    @cached_property
    def _points(self) -> tuple[Points, Points]:
        train, test = _read(self)
        mean = train[0].mean(0)
        scale = np.sqrt(np.square(train[0] - mean).mean())
        return self._labelled(train, mean, scale), self._labelled(test, mean, scale)

    def _labelled(self, raw: Raw, mean: Any, scale: Any) -> Points:
        pixels, classes = raw
        return Points(((pixels - mean) / scale).astype(np.float32), classes, self.is_positive[classes].astype(np.int64))


def require(dataset: str, folder: str = "") -> None:
    """Raise `InputError` unless the data set can be read here: ask before hours of training, not after."""
    check_choice("dataset", dataset, DATASETS)
    if dataset == "digits":
        library("sklearn.datasets", f"the images {dataset!r}")
    else:
        reader(dataset, folder, train=False)


def _read(images: Images) -> tuple[Raw, Raw]:
    if images.dataset == "digits":
        return _digits(images.seed)
    return tuple(reader(images.dataset, images.folder, train=train)() for train in (True, False))  # type: ignore[return-value]


def _digits(seed: int) -> tuple[Raw, Raw]:
    """Two thirds to train, one to test."""
    bunch = library("sklearn.datasets", "the images 'digits'").load_digits()
    order = _random.generator(seed, "digits").permutation(len(bunch.target))
    pixels, classes = bunch.data.astype(np.float32)[order], bunch.target.astype(np.int64)[order]
    cut = len(order) * 2 // 3
    return (pixels[:cut], classes[:cut]), (pixels[cut:], classes[cut:])
