"""Digits in patches: real strokes as the signal, their pixels shuffled as the noise, in the shapes of the signal-noise world.

    digits = DigitPatches(positive=(3,), negative=(8,), points=40)
    digits.train, digits.test          # Patches: .x (n, 2, dimension), .label, .clean, .group the digit

One patch is a digit, centred by the mean of its classes and scaled so that signals have mean square 1; the other is pixels of
`dimension` / 64 digits in a random order, as large as `noise` says: no stroke is left in it, and it says nothing of the label.
The 1,797 digits of 8 x 8 pixels come with scikit-learn; nothing is downloaded.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated

import numpy as np

from twopart import _random
from twopart._checks import check
from twopart.settings import at_least, between, distinct, every, multiple_of, settings
from twopart.worlds._libraries import library
from twopart.worlds.features.signal_noise import Patches

PIXELS = 64
CLASS = every(between(0, 9).because("classes are 0 to 9"))


@settings
class DigitPatches:
    """Two classes of digits, each beside a patch of shuffled pixels."""

    positive: Annotated[tuple[int, ...], distinct(1), CLASS, "Digits of the positive class."] = (3,)
    negative: Annotated[tuple[int, ...], distinct(1), CLASS, "Digits of the negative class."] = (8,)
    points: Annotated[
        int, at_least(2), "n, of the training set; the other digits of these classes are the test set."
    ] = 40
    dimension: Annotated[
        int, at_least(PIXELS), multiple_of(PIXELS), "d, numbers in a patch; strokes fill the first 64."
    ] = 64
    noise: Annotated[
        float, between(0, math.inf, "[)"), "Root mean square norm of a noise patch; that of a signal is 1."
    ] = 1.0
    inverted: Annotated[
        bool, "Half of the digits are turned to their negatives, ink to paper: no linear rule does better than chance."
    ] = False  # fmt: skip
    flips: Annotated[float, between(0, 0.5, "[)"), "Training labels are flipped with this probability."] = 0.0
    seed: Annotated[
        int, between(0, 2**63 - 1).because("any other names another division"), "Which digits and noise."
    ] = 0

    def __post_init__(self) -> None:
        both = set(self.positive) & set(self.negative)
        check(not both, "negative", self.negative, "other digits than `positive`", f"{sorted(both)} cannot be both")
        most = len(self._images[0]) - 2
        check(
            self.points <= most,
            "points",
            self.points,
            f"<= {most}, of the digits of these classes",
            "test sets need some",
        )

    @property
    def train(self) -> Patches:
        return self._sets[0]

    @property
    def test(self) -> Patches:
        """Without flips."""
        return self._sets[1]

    @cached_property
    def _images(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels and classes of the digits in question."""
        bunch = library("sklearn.datasets", "digits").load_digits()
        asked = np.isin(bunch.target, self.positive + self.negative)
        return bunch.data[asked], bunch.target[asked].astype(np.int64)

    @cached_property
    def _sets(self) -> tuple[Patches, Patches]:
        random, (pixels, digit) = _random.generator(self.seed, "digit patches"), self._images
        order = random.permutation(len(digit))
        pixels, digit, n = pixels[order], digit[order], self.points
        signal = pixels - np.mean([pixels[digit == one].mean(0) for one in self.positive + self.negative], axis=0)
        signal = signal / np.sqrt(np.square(signal).sum(1).mean())
        signal *= np.where(random.random((len(digit), 1)) < 0.5, -1, 1) if self.inverted else 1
        strewn = pixels[random.integers(len(digit), size=(len(digit), self.dimension // PIXELS))].reshape(
            len(digit), -1
        )
        strewn = random.permuted(strewn - pixels.mean(), axis=1)
        x = np.zeros((len(digit), 2, self.dimension), np.float32)
        x[:, 0, :PIXELS], x[:, 1] = signal, self.noise * strewn / np.sqrt(np.square(strewn).sum(1).mean())
        clean = np.where(np.isin(digit, self.positive), 1, -1)
        label = np.where((random.random(len(digit)) < self.flips) & (np.arange(len(digit)) < n), -clean, clean)
        slot, noisy = np.zeros((len(digit), 1), np.int64), np.tile([False, True], (len(digit), 1))
        both = Patches(x, label, clean, digit, slot, noisy)
        return both[:n], both[n:]
