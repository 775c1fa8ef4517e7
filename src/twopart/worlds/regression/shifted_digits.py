"""Handwritten digits under natural shifts: turned, noisy or blurred images, and what a stranger's images can be put through too.

    world = ShiftedDigits(points=20, seed=0)
    x, y = world.train
    z, t = world.test("rotation", 30.0)                     # the rest of the 1,797 digits, turned by 30 degrees
    shift_images(images, "noise", 0.5, seed=0)              # any images (n, height, width)

Inputs are pixels, centred by the mean of all unshifted digits and scaled to ‖x‖² = 1 on average; y is 1 for odd digits and -1
for even ones. The digits come with scikit-learn; nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from twopart import _random
from twopart._checks import check_choice, check_integer, check_real
from twopart.worlds.regression.arrays import Floats, finite
from twopart.worlds.regression.digits import DIGITS, _datasets
from twopart.worlds.regression.least_squares import Regression

Shift = Literal["none", "noise", "rotation", "blur"]
SHIFTS: tuple[str, ...] = ("none", "noise", "rotation", "blur")


def shift_images(images: ArrayLike, shift: Shift, amount: float, *, seed: int = 0) -> NDArray[Any]:
    """Images (n, height, width), shifted: the same shape and type of float.

    `amount` is the noise's standard deviation in units of the pixels' own, the turn in degrees, anticlockwise, or the blur's
    standard deviation in pixels. Beyond the border all is 0. Raises `InputError` for wrong shapes, ranges and nan.
    """
    x = finite("images", images, (None, None, None), "give (n, height, width)", None)
    least = -np.inf if check_choice("shift", shift, SHIFTS) == "rotation" else 0.0
    check_real("amount", amount, least, np.inf, "it says how strong the shift is", closed="[)" if least == 0 else "()")
    if shift == "noise":
        noise = _random.generator(seed, "image noise").standard_normal(x.shape, x.dtype)
        return np.asarray(x + x.dtype.type(amount * x.std()) * noise)
    if shift == "rotation":
        return np.asarray(ndimage.rotate(x, amount, axes=(1, 2), reshape=False, order=1))
    return np.asarray(ndimage.gaussian_filter(x, (0, amount, amount), mode="constant")) if shift == "blur" else x


@dataclass(frozen=True)
class ShiftedDigits:
    """A division of the digits into a training set and a test set that may be shifted."""

    points: int
    """n, of the training set; the rest of the 1,797 is the test set."""
    seed: int = 0
    """Which digits, and which noise."""

    def __post_init__(self) -> None:
        check_integer("points", self.points, 1, DIGITS - 1, "a test set needs the rest")
        check_integer("seed", self.seed, 0, 2**63 - 1, "any other whole number names another division")

    @property
    def train(self) -> Regression:
        images, y = self._shuffled
        return Regression(self._scaled(images[: self.points]), y[: self.points])

    def test(self, shift: Shift = "none", amount: float = 0.0) -> Regression:
        """The test set with its images shifted, as by `shift_images`."""
        images, y = self._shuffled
        shifted = shift_images(images[self.points :], shift, amount, seed=self.seed)
        return Regression(self._scaled(shifted), y[self.points :])

    def _scaled(self, images: Floats) -> Floats:
        mean, scale = _pixels()[2:]
        return np.asarray((images.reshape(len(images), -1) - mean) / scale)

    @cached_property
    def _shuffled(self) -> tuple[Floats, Floats]:
        order = _random.generator(self.seed, "shifted digits").permutation(DIGITS)
        images, digit = _pixels()[:2]
        return images[order], np.where(digit[order] % 2, 1.0, -1.0)


def _pixels() -> tuple[Floats, NDArray[Any], Floats, float]:
    """All images (1797, 8, 8), their digits, and the mean and scale of their pixels."""
    bunch = _datasets().load_digits()
    centred = bunch.data - bunch.data.mean(0)
    return bunch.images, bunch.target, bunch.data.mean(0), float(np.sqrt(np.square(centred).sum(1).mean()))
