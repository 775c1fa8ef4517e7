"""Small grey pictures with a hidden rule: two boxes that each show one feature, drawn by the area that they cover of a pixel.

    images = SunShadow(tolerance=0.05).sample(1000)      # (n, 1, size, size), float32, paper is -1 and ink is 1
    features, confidence = SunShadow().read(images)      # (n, 2), and how much of the ink a picture of them explains

Features reach a little beyond [-1, 1], and the boxes stay inside: a clipped box would break the rule by itself.
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
    """In sixteenths of the image: where it starts along `axis`, 0 down and 1 to the right, and how its feature changes that."""

    axis: int
    across: tuple[float, float]
    start: float
    length: float
    moves: float = 0.0
    grows: float = 0.0


@dataclass(frozen=True)
class Scene:
    """Two boxes, each in its own half along axis `parted`, whose features keep a rule."""

    pairs: RulePairs
    boxes: tuple[Box, Box]
    parted: int
    size: int = 16

    def __post_init__(self) -> None:
        check_integer("size", self.size, 16, 64, "smaller images have no room for both boxes")

    def sample(self, count: int, seed: int = 0, stream: int = 0) -> Tensor:
        """Images (count, 1, size, size), float32."""
        return self.render(self.pairs.sample(count, seed, stream)).float()

    def render(self, features: Tensor) -> Tensor:
        """Images of features (n, 2), in their type."""
        x = finite_tensor("features", features, (None, 2), "a pair for each image")
        ink = torch.zeros(len(x), self.size, self.size).to(x)
        for box, feature in zip(self.boxes, x.T, strict=True):
            low = box.start + feature * box.moves
            along = self._covered(low, low + box.length + feature * box.grows)
            across = self._covered(*(torch.full_like(feature, end) for end in box.across))
            ink += torch.einsum("ni,nj->nij", *((along, across) if box.axis == 0 else (across, along)))
        return 2 * ink[:, None] - 1

    def _covered(self, low: Tensor, high: Tensor) -> Tensor:
        """What of each pixel lies between two ends, shape (n, size)."""
        left, unit = torch.arange(self.size).to(low), self.size / 16
        return (torch.minimum(left + 1, high[:, None] * unit) - torch.maximum(left, low[:, None] * unit)).clamp(min=0)

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, 2), by the centre of ink in each half, and confidence (n,), at most 1."""
        x = finite_tensor("images", images, (None, 1, self.size, self.size), "images of this scene")
        ink, unit, half = (x[:, 0] + 1) / 2, self.size / 16, self.size // 2
        ink, found = torch.where(ink > 0.1, ink, 0), []  # paper that is not quite white pulls centres to the middle
        for i, box in enumerate(self.boxes):
            profile = ink.narrow(1 + self.parted, half * i, half).sum(2 - box.axis)
            place = (torch.arange(profile.shape[1]).to(x) + 0.5 + half * i * (self.parted == box.axis)) / unit
            centre = (profile @ place) / profile.sum(1).clamp(min=1e-6)
            found.append((2 * (centre - box.start) - box.length) / (2 * box.moves + box.grows))
        features = torch.stack(found, 1)
        whole, left = ink.square().sum((1, 2)), (ink - (self.render(features)[:, 0] + 1) / 2).square().sum((1, 2))
        return features, (whole - left) / whole.clamp(min=1e-6)


def _scene(rule: str | Rule, parted: int, *boxes: Box) -> Callable[..., Scene]:
    return lambda tolerance=0.05, size=16: Scene(RulePairs(rule, tolerance), (boxes[0], boxes[1]), parted, size)


SunShadow = _scene("equal", 0, Box(0, (6.5, 9.5), 2.5, 3, moves=2), Box(1, (9.5, 12.5), 2, 6, grows=4))
Mirror = _scene("equal", 1, Box(0, (4.5, 7.5), 6.5, 3, moves=4), Box(0, (8.5, 11.5), 6.5, 3, moves=4))
Perspective = _scene(Rule(lambda u: 0.5 * u), 1, Box(0, (4, 7), 3, 6, grows=4), Box(0, (9, 12), 3, 6, grows=4))
Rotation = _scene(Rule(lambda u: -u), 0, Box(1, (4.5, 7.5), 6.5, 3, moves=4), Box(1, (8.5, 11.5), 6.5, 3, moves=4))
SCENES = {"sun-shadow": SunShadow, "mirror": Mirror, "perspective": Perspective, "rotation": Rotation}
"""A low sun, a long shadow; both at one height; the far pole half as much taller; half a turn: each (tolerance, size)."""
