"""Handwritten digits under natural shifts: turned, noisy or blurred images; and the same for any images.

    world = ShiftedDigits(points=100, seed=0)
    x, y = world.train
    z, t = world.test("rotation", 30.0)                     # the rest of the 1,797 digits, turned by 30 degrees
    shift_images(images, "noise", 0.5, seed=0)              # any images (n, height, width)

Inputs are pixels, centred by the mean of all unshifted digits and scaled to ‖x‖² = 1 on average; y is 1 for odd digits and -1
for even ones. The digits come with scikit-learn; nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._arrays import Floats, finite
from twopart._checks import check_choice, check_integer, check_real
from twopart.worlds.regression.digits import DIGITS, _datasets
from twopart.worlds.regression.least_squares import Regression

Shift = Literal["none", "noise", "rotation", "blur"]


def shift_images(images: ArrayLike, shift: Shift, amount: float = 0.0, *, seed: int = 0) -> NDArray[Any]:
    """Images (n, height, width), shifted: the same shape and type of float.

    `amount` is the noise's standard deviation in units of the pixels' own, the turn in degrees, anticlockwise, or the blur's
    standard deviation in pixels. Beyond the border all is 0. Raises `InputError` for wrong shapes, ranges and nan.
    """
    from scipy import ndimage  # late: few need it

    x = finite("images", images, (None, None, None), "give (n, height, width)", None)
    check_choice("shift", shift, ("none", "noise", "rotation", "blur"))
    check_real("amount", amount, -360 if shift == "rotation" else 0, 360, "it says how strong the shift is")
    if shift == "noise":
        noise = _random.generator(seed, "image noise").standard_normal(x.shape, x.dtype)
        return np.asarray(x + x.dtype.type(amount * x.std()) * noise)
    if shift == "rotation":
        return np.asarray(ndimage.rotate(x, amount, axes=(2, 1), reshape=False, order=1))
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
        return self._inputs(self._order[: self.points], "none", 0.0)

    def test(self, shift: Shift = "none", amount: float = 0.0) -> Regression:
        """The test set with its images shifted, as by `shift_images`."""
        return self._inputs(self._order[self.points :], shift, amount)

    @cached_property
    def _order(self) -> NDArray[Any]:
        return _random.generator(self.seed, "shifted digits").permutation(DIGITS)

    def _inputs(self, rows: NDArray[Any], shift: Shift, amount: float) -> Regression:
        images, digit = _digits()
        centred = images - images.mean(0)
        shifted = shift_images(images[rows], shift, amount, seed=self.seed) - images.mean(0)
        scale = np.sqrt(np.square(centred).sum((1, 2)).mean())
        return Regression(shifted.reshape(len(rows), -1) / scale, np.where(digit[rows] % 2, 1.0, -1.0))


@cache
def _digits() -> tuple[Floats, NDArray[Any]]:
    """Images (1797, 8, 8) and their digits."""
    bunch = _datasets().load_digits()
    return bunch.images, bunch.target
