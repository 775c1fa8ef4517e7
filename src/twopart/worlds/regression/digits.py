"""Real data for least squares: the parity of handwritten digits, from their pixels or from random features of them.

The 1,797 digits of 8 x 8 pixels come with scikit-learn; nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twopart import _random
from twopart._checks import check_integer
from twopart.worlds._libraries import library
from twopart.worlds.regression.least_squares import Regression

DIGITS = 1797


@dataclass(frozen=True)
class DigitParity:
    """y = 1 for odd digits and -1 for even ones; x are pixels, centred, or random ReLU features; ‖x‖² is 1 on average."""

    points: int
    """n, of the training set; the rest of the 1,797 is the test set."""
    features: int = 0
    """d, random features max(0, <v, pixels>), v ~ N(0, I), the same for all; 0 leaves the 64 pixels."""
    seed: int = 0
    """Which digits, and which features."""

    def __post_init__(self) -> None:
        check_division(self.points, self.seed)
        check_integer("features", self.features, 0, 2**24, "0 leaves the pixels")

    @property
    def train(self) -> Regression:
        return self._sets[0]

    @property
    def test(self) -> Regression:
        return self._sets[1]

    @cached_property
    def _sets(self) -> tuple[Regression, Regression]:
        pixels, digit = digits()
        random = _random.generator(self.seed, "digit parity")
        order = random.permutation(DIGITS)
        x, y = pixels[order] - pixels.mean(0), parity(digit[order])
        if self.features:
            x = np.maximum(x @ random.standard_normal((x.shape[1], self.features)), 0)
        x /= np.sqrt(np.square(x).sum(1).mean())
        n = self.points
        return Regression(x[:n], y[:n]), Regression(x[n:], y[n:])


def require() -> None:
    """Raise `InputError` unless the digits can be read here: ask before hours of training, not after."""
    digits()


@cache
def digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """Pixels (1797, 64) from 0 to 16, and which digits they are."""
    return library("sklearn.datasets", "digits").load_digits(return_X_y=True)  # type: ignore[no-any-return]


def parity(digit: NDArray[Any]) -> NDArray[Any]:
    """1 for odd digits and -1 for even ones."""
    return np.where(digit % 2, 1.0, -1.0)


def check_division(points: int, seed: int) -> None:
    """Of the digits into `points` to train on and the rest, by a seed."""
    check_integer("points", points, 1, DIGITS - 1, "a test set needs the rest")
    check_integer("seed", seed, 0, 2**63 - 1, "any other whole number names another division")
