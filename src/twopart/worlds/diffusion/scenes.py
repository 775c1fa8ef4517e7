"""Small grey pictures with a hidden rule: two rectangles that each show one feature, by the area of pixels they cover.

    scene = SunShadow(tolerance=0.05)
    images = scene.sample(1000, seed=0)              # (n, 1, size, size), float32, paper is -1 and ink is 1
    features, confidence = scene.read(images)        # (n, 2), and how well a picture drawn anew explains the image

A feature moves its rectangle, or makes it longer; the reader takes moments of the ink in the half that is the rectangle's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from twopart._arrays import finite_tensor
from twopart._checks import check_integer
from twopart.worlds.diffusion.rules import Rule, RulePairs


class Box(NamedTuple):
    """A rectangle, in sixteenths of the image; the feature acts along `axis`, 0 down and 1 to the right."""

    axis: int
    across: tuple[float, float]
    """Its ends along the other axis."""
    start: float
    length: float
    reach: float
    """By how much a feature of 1 moves it, or lengthens it."""
    longer: bool = False


@dataclass(frozen=True)
class Scene:
    """Two boxes whose features keep a rule; the boxes stand on two sides of the middle of axis `parted`."""

    pairs: RulePairs
    boxes: tuple[Box, Box]
    parted: int
    size: int = 16

    def __post_init__(self) -> None:
        check_integer("size", self.size, 16, 64, "smaller ones have no room for both boxes")

    def sample(self, count: int, seed: int = 0, stream: int = 0) -> Tensor:
        """Images (count, 1, size, size), float32."""
        return self.render(self.pairs.sample(count, seed, stream)).float()

    def render(self, features: Tensor) -> Tensor:
        """Images of features (n, 2), in their type."""
        features = finite_tensor("features", features, (None, 2), "a pair for each image")
        return 2 * sum(self._ink(box, features[:, i]) for i, box in enumerate(self.boxes))[:, None] - 1  # type: ignore[index,return-value]

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, 2) and confidence (n,), at most 1: the share of the ink that a picture of these features explains."""
        x = finite_tensor("images", images, (None, 1, self.size, self.size), "images of this scene")
        ink, unit, half = (x[:, 0] + 1) / 2, self.size / 16, self.size // 2
        ink = torch.where(ink > 0.1, ink, 0)  # paper that is not quite white would pull every centre to the middle
        found = []
        for i, box in enumerate(self.boxes):
            own = ink.narrow(1 + self.parted, half * i, half)
            profile = own.sum(2 - box.axis)
            if box.longer:
                grown = profile.sum(1) / unit / (unit * (box.across[1] - box.across[0])) - box.length
            else:
                place = torch.arange(profile.shape[1]).to(x) + 0.5 + (half * i if self.parted == box.axis else 0)
                centre = (profile @ place) / profile.sum(1).clamp(min=1e-6) / unit
                grown = centre - box.start - box.length / 2
            found.append(grown / box.reach)
        features = torch.stack(found, 1)
        again = (self.render(features)[:, 0] + 1) / 2
        left = (ink - again).square().sum((1, 2)) / ink.square().sum((1, 2)).clamp(min=1e-6)
        return features, 1 - left

    def _ink(self, box: Box, feature: Tensor) -> Tensor:
        grown = box.reach * feature
        low = torch.full_like(grown, box.start) if box.longer else box.start + grown
        along = self._covered(low, low + box.length + (grown if box.longer else 0))
        across = self._covered(*(torch.full_like(grown, end) for end in box.across))
        return along[:, :, None] * across[:, None] if box.axis == 0 else across[:, :, None] * along[:, None]

    def _covered(self, low: Tensor, high: Tensor) -> Tensor:
        """What an interval covers of each pixel, shape (n, size)."""
        left, unit = torch.arange(self.size).to(low), self.size / 16
        return (torch.minimum(left + 1, high[:, None] * unit) - torch.maximum(left, low[:, None] * unit)).clamp(min=0)


def _scene(rule: str | Rule, parted: int, *boxes: Box) -> Callable[..., Scene]:
    def made(tolerance: float = 0.05, size: int = 16) -> Scene:
        return Scene(RulePairs(rule, tolerance), (boxes[0], boxes[1]), parted, size)

    return made


SunShadow = _scene("equal", 0, Box(0, (6.5, 9.5), 2.5, 3, 2), Box(1, (11.5, 14.5), 2, 6, 4, longer=True))
"""The lower the sun, the longer the shadow."""
Mirror = _scene("equal", 1, Box(0, (2.5, 5.5), 6.5, 3, 4), Box(0, (10.5, 13.5), 6.5, 3, 4))
"""Both at one height."""
Perspective = _scene(Rule(lambda u: 0.5 * u), 1, Box(0, (2, 5), 3, 6, 4, True), Box(0, (11, 14), 3, 6, 4, True))
"""The far pole is as much taller as the near one, by half."""
Rotation = _scene(Rule(lambda u: -u), 0, Box(1, (2.5, 5.5), 6.5, 3, 4), Box(1, (10.5, 13.5), 6.5, 3, 4))
"""Half a turn takes one to the other."""
SCENES = {"sun-shadow": SunShadow, "mirror": Mirror, "perspective": Perspective, "rotation": Rotation}
