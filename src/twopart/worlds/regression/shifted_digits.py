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
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twopart import _random
from twopart._arrays import finite
from twopart._checks import check_choice, check_real
from twopart.worlds.regression.digits import DIGITS, check_division, digits, parity
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
        check_division(self.points, self.seed)

    @property
    def train(self) -> Regression:
        return self._inputs(slice(self.points))

    def test(self, shift: Shift = "none", amount: float = 0.0) -> Regression:
        """The test set with its images shifted, as by `shift_images`."""
        return self._inputs(slice(self.points, None), shift, amount)

    def _inputs(self, part: slice, shift: Shift = "none", amount: float = 0.0) -> Regression:
        pixels, digit = digits()
        rows = _random.generator(self.seed, "shifted digits").permutation(DIGITS)[part]
        scale, mean = np.sqrt(np.square(pixels - pixels.mean(0)).sum(1).mean()), pixels.mean(0)
        shifted = shift_images(pixels[rows].reshape(-1, 8, 8), shift, amount, seed=self.seed).reshape(-1, 64)
        return Regression((shifted - mean) / scale, parity(digit[rows]))
