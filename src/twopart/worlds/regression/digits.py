"""Real data for least squares: the parity of handwritten digits, from their pixels or from random features of them.

The 1,797 digits of 8 x 8 pixels come with scikit-learn; nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

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
        check_integer("points", self.points, 1, DIGITS - 1, "a test set needs the rest")
        check_integer("features", self.features, 0, 2**24, "0 leaves the pixels")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another division")

    @property
    def train(self) -> Regression:
        return self._sets[0]

    @property
    def test(self) -> Regression:
        return self._sets[1]

    @cached_property
    def _sets(self) -> tuple[Regression, Regression]:
        bunch = _datasets().load_digits()
        random = _random.generator(self.seed, "digit parity")
        order = random.permutation(DIGITS)
        x, y = bunch.data[order] - bunch.data.mean(0), np.where(bunch.target[order] % 2, 1.0, -1.0)
        if self.features:
            x = np.maximum(x @ random.standard_normal((x.shape[1], self.features)), 0)
        x /= np.sqrt(np.square(x).sum(1).mean())
        n = self.points
        return Regression(x[:n], y[:n]), Regression(x[n:], y[n:])


def require() -> None:
    """Raise `InputError` unless the digits can be read here: ask before hours of training, not after."""
    _datasets()


def _datasets() -> Any:
    return library("sklearn.datasets", "digits")
